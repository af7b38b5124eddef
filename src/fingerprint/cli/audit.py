"""``fingerprint audit``."""

from __future__ import annotations

import json
import os
import re
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from fingerprint.cli.common import console, counted, errors, printable, shown
from fingerprint.cli.lists.options import columns_of, json_option
from fingerprint.errors import AuditError

if TYPE_CHECKING:
    from fingerprint.screening import AuditKey, AuditReport

__all__ = ["command"]

_VARIABLE = "FINGERPRINT_AUDIT_KEY"
_SECONDS = re.compile(r"\.[0-9]{1,9}Z$").sub
_log_argument = click.argument(
    "log", metavar="LOG", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)

_EPILOG = """\b
Examples:
  fingerprint audit key audit.key
  fingerprint screen uploads/ --list known --audit audit.jsonl --audit-key audit.key
  fingerprint audit verify audit.jsonl --key audit.key --head 3f6c…
"""


@click.group(epilog=_EPILOG)
def command() -> None:
    """Verify the log of what was screened.

    A log holds outcomes, versions of lists and policies, and the records that matched;
    in place of hashes and uploads stand keyed digests. Each line is chained to the one before
    and signed with the key.
    """


@command.command()
@click.argument("path", metavar="KEY", type=click.Path(path_type=Path))
def key(path: Path) -> None:
    """Make a key for audit logs, for its owner alone (0600).

    Keep it apart from the log: who has both can write a log anew, and can tell which files
    are in it. One that is there is not written over.
    """
    from fingerprint.screening import AuditLog

    AuditLog.create_key(path)
    click.echo(f"wrote {printable(str(path))}")


@command.command()
@_log_argument
@click.option(
    "--key",
    "key_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"To check signatures with; or the key itself in {_VARIABLE}. Without, only the chain is "
    "checked, which who can write the file can make anew.",
)
@click.option(
    "--head",
    metavar="HASH",
    help="The head that an earlier `verify` printed: it must still be there. Without, lines cut "
    "off the end are not missed.",
)
@json_option
def verify(log: Path, key_path: Path | None, head: str | None, as_json: bool) -> int:
    """Check every line of a log: changed, removed, added, moved, cut off.

    Exit status 0 when all is well, 2 when there are problems.
    """
    from fingerprint.screening import verify_audit

    report = verify_audit(log, _key(key_path), head)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "ok": report.ok,
                    "problems": list(report.problems),
                    "lines": report.lines,
                    "head": report.head.hash,
                    "recovered": report.recovered,
                    "keyed": report.keyed,
                }
            )
        )
    else:
        _tell(report, headed=head is not None)
    return 0 if report.ok else 2


def _key(path: Path | None) -> AuditKey | None:
    from fingerprint.screening import AuditKey

    if path is not None:
        return AuditKey.read(path)
    return AuditKey.from_environment(_VARIABLE) if os.environ.get(_VARIABLE) else None


def _is_of_another_key(report: AuditReport) -> bool:
    """Return whether the one thing wrong is that no line is signed with the key."""
    from fingerprint.screening.audit_verification import MOST_PROBLEMS

    told = min(report.lines, MOST_PROBLEMS)
    unsigned = sum(one.endswith("is not signed with this key") for one in report.problems)
    return 0 < told == unsigned == len(report.problems)


def _tell(report: AuditReport, *, headed: bool) -> None:
    if report.keyed and _is_of_another_key(report):
        n = counted(report.lines, "line")
        click.echo(f"problem: the log is not signed with this key, none of its {n}: another key?")
        return
    for problem in report.problems:
        click.echo(f"problem: {printable(problem)}")
    verdict = "all is well" if report.ok else f"problems: {len(report.problems)}"
    click.echo(f"checked {counted(report.lines, 'line')}: {verdict}")
    click.echo(f"head: {report.head.hash}")
    if report.recovered:
        errors.print(f"{counted(report.recovered, 'line')} cut short by a crash, and chained over")
    if not report.keyed:
        errors.print(f"signatures were not checked: --key, or {_VARIABLE}", markup=False)
    if not headed:
        errors.print("lines cut off the end would not be missed: note the head, and give --head")


@command.command()
@_log_argument
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="Lines.")
@click.option("--reference", metavar="REFERENCE", help="Only the screening of this reference.")
@json_option
def show(log: Path, last: int, reference: str | None, as_json: bool) -> int:
    """Show the last lines of a log; they are not verified.

    Exit status 1 when there are none.
    """
    entries = _entries(log, last, reference)
    if as_json:
        for one in entries:
            click.echo(json.dumps(one))
        return 0 if entries else 1
    table = columns_of(
        Table(), "no.", "when", "reference", "what", "media", "records", right=("no.",)
    )
    for one in entries:
        records = [r for r in one.get("records", []) if isinstance(r, list) and len(r) > 3]
        named = dict.fromkeys(" ".join(map(str, record[:3])) for record in records)
        table.add_row(
            str(one.get("seq", "?")),
            shown(_SECONDS("Z", str(one.get("time", "")))),
            shown(str(one.get("reference", ""))),
            shown(str(one.get("outcome", one.get("event", "?")))),
            shown(str(one.get("media", ""))),
            "\n".join(map(shown, named)),
        )
    console.print(table if entries else "no such lines")
    return 0 if entries else 1


def _entries(log: Path, last: int, reference: str | None) -> list[dict[str, Any]]:
    entries: deque[dict[str, Any]] = deque(maxlen=last)
    try:
        with log.open("rb") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                except (ValueError, RecursionError):
                    entry = {"event": "not an entry"}
                if not isinstance(entry, dict):
                    entry = {"event": "not an entry"}
                if reference is None or entry.get("reference") == reference:
                    entries.append(entry)
    except OSError as error:
        raise AuditError(f"{log}: cannot be read: {error.strerror or error}") from error
    return list(entries)
