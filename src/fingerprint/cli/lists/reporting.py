"""What a change did to a list, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from fingerprint.cli.common import console, counted, errors, printable, shown
from fingerprint.cli.lists.options import columns_of
from fingerprint.cli.lists.wording import in_options
from fingerprint.lists import ApplyReport, Change, Rejected

__all__ = ["REJECTED_SHOWN", "RefusedRowsError", "Rejections", "refuse", "tell", "warn"]

REJECTED_SHOWN = 10

_COUNTS = {
    "added": "added",
    "updated": "updated",
    "unchanged": "unchanged",
    "retracted": "retracted",
    "outdated": "older than what is known",
    "unknown_retractions": "retractions of records that were not there",
    "rejected": "rejected rows",
    "rejected_hashes": "parts of rows left out",
    "withheld": "kept though not mentioned",
}
_TO_HEED = ("outdated", "rejected", "rejected_hashes", "withheld")
_ALWAYS = ("added", "updated", "unchanged", "retracted")


class RefusedRowsError(Exception):
    """Some rows cannot be used, and all of them were to be."""


@dataclass
class Rejections:
    """Rows that cannot be used, counted and the first of them kept on their way into a list."""

    n: int = 0
    first: list[tuple[str, Rejected]] = field(default_factory=list)

    def watch(self, changes: Iterable[Change], name: str) -> Iterator[Change]:
        """Yield changes as they come; ``name`` is the file's."""
        for change in changes:
            if isinstance(change, Rejected):
                self.n += 1
                if len(self.first) < REJECTED_SHOWN:
                    self.first.append((name, change))
            yield change

    def refuse(self) -> Iterator[Change]:
        """Yield nothing; raise RefusedRowsError when there are any."""
        if self.n:
            raise RefusedRowsError
        yield from ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the first of them for programs."""
        return [{"file": name, **asdict(one)} for name, one in self.first]


def tell(
    report: ApplyReport,
    records: int,
    rejections: Rejections | None = None,
    *,
    dry_run: bool = False,
    as_json: bool = False,
    purge: bool = True,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Print what changed; ``more`` is for programs."""
    if as_json:
        values = {**asdict(report), "records": records, "dry_run": dry_run, **(more or {})}
        if rejections is not None:
            values["rejected_rows"] = rejections.to_dicts()
        click.echo(json.dumps(values))
    else:
        would = "What would change" if dry_run else "What changed"
        table = columns_of(Table(title=would, title_justify="left"), "records", "", right=("",))
        for name, words in _COUNTS.items():
            n = getattr(report, name)
            if n or name in _ALWAYS:
                style = "yellow" if name in _TO_HEED else ""
                table.add_row(words, f"{n:,}", style=style)
        console.print(table)
        news = "" if report.changed else "nothing new: still "
        console.print(
            f"{'it would be ' if dry_run else ''}{news}version {report.version}, "
            f"{counted(records, 'record')}"
        )
    if rejections is not None and rejections.n:
        _print_rejected(rejections)
        left_out = [counted(report.rejected, "row")] if report.rejected else []
        if report.rejected_hashes:
            others = " of other rows" if report.rejected else " of rows"
            left_out.append(counted(report.rejected_hashes, "part") + others)
        one = report.rejected + report.rejected_hashes == 1
        warn(
            f"{' and '.join(left_out)} cannot be used and {'was' if one else 'were'} left out; "
            f"`fingerprint list rejected` tells of {'it' if one else 'them'} again"
        )
    if report.withheld:
        stay = "stays" if report.withheld == 1 else "stay"
        warn(
            f"{counted(report.withheld, 'record')} that the snapshot does not mention {stay}: "
            "it has rows that cannot be told whose they are"
        )
    if purge and not dry_run and not report.purged:
        warn(
            "somebody still reads an older state, so what was retracted is not overwritten yet: "
            "`fingerprint list purge` does it"
        )


def refuse(rejections: Rejections, *, as_json: bool) -> None:
    """Say that nothing was changed, and for which rows."""
    if as_json:
        values = {"changed": False, "rejected": rejections.n, "strict": True}
        click.echo(json.dumps({**values, "rejected_rows": rejections.to_dicts()}))
    _print_rejected(rejections)
    rows = counted(rejections.n, "row")
    errors.print(f"[red]nothing was changed[/red]: --strict, and {rows} cannot be used")


def _print_rejected(rejections: Rejections) -> None:
    table = columns_of(Table(title="Rejected", title_justify="left"), "where", "record", "why")
    for name, one in rejections.first:
        record = " ".join(part for part in (one.source, one.record_id) if part) or "?"
        where = "-" if name == "-" else Path(name).name
        table.add_row(
            f"{shown(where)}:{one.row}", shown(record), shown(in_options(one.reason, "import"))
        )
    errors.print(table)
    if rejections.n > len(rejections.first):
        errors.print(f"… and {rejections.n - len(rejections.first):,} more")


def warn(text: str) -> None:
    """Print a warning on standard error."""
    errors.print(f"[yellow]warning:[/yellow] {escape(printable(text))}", soft_wrap=True)
