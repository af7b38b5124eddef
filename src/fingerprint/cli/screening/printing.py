"""Results of screening: as tables, as JSON, and as the uploader's side may see them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from fingerprint.cli.common import VIEWS, console, counted, errors, printable, shown
from fingerprint.cli.lists.options import columns_of, record_column, record_text
from fingerprint.screening.outcomes import Outcome

if TYPE_CHECKING:
    from fingerprint.screening import Evidence, ScreeningResult

__all__ = ["Printer", "printer_of", "screening_bar"]

MATCHED, NOT_SCREENED = 1, 3
"""Exit status; 0 when neither."""

_RECORDS_SHOWN = 10
_NOTES_SHOWN = 20
_FAILURES_SHOWN = 20
_STYLES = {Outcome.MATCH: "red", Outcome.NO_MATCH: "green"}
_WHY_NOT = {
    "low_quality": "too little in the upload",
    "single_hash": "too few independent hashes",
    "negative": "on a negative list",
    "suspended": "matches too many uploads",
}


@contextmanager
def screening_bar(total: int) -> Iterator[Callable[[], None]]:
    """Show how many uploads are screened; yield the function that counts one more.

    Where tables appear on the same terminal, they are printed above it.
    """
    where = console if console.is_terminal else errors
    with Progress(
        TextColumn("screening"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=where,
        transient=True,
        disable=not where.is_terminal,
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


class Printer(ABC):
    """Prints results as they come, and keeps count of the outcomes."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()

    def take(self, result: ScreeningResult) -> None:
        """Count a result and print it."""
        self.outcomes[result.outcome] += 1
        self.show(result)

    @abstractmethod
    def show(self, result: ScreeningResult) -> None:
        """Print a result."""

    def summary(self) -> Iterator[str]:
        """Yield the lines that come last."""
        yield from ()

    @property
    def status(self) -> int:
        """The exit status: a match first, then whatever could not be screened."""
        if self.outcomes[Outcome.MATCH]:
            return MATCHED
        return NOT_SCREENED if self.outcomes.total() > self.outcomes[Outcome.NO_MATCH] else 0


def printer_of(*, show_all: bool, as_json: bool, redacted: bool) -> Printer:
    """Return what prints in the form that was asked for."""
    if redacted:
        return _Redacted(as_json=as_json)
    return _Json() if as_json else _Tables(show_all=show_all)


class _Json(Printer):
    def show(self, result: ScreeningResult) -> None:
        values = result.full()
        click.echo(json.dumps({"source": values.pop("label"), **values}))


class _Redacted(Printer):
    """Tells nothing by which a list could be probed: no outcome, evidence, count or time."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def show(self, result: ScreeningResult) -> None:
        values = {"source": result.label, **result.redacted()}
        if self._as_json:
            click.echo(json.dumps(values))
        else:
            click.echo("\t".join(map(printable, values.values())))


class _Tables(Printer):
    """For reviewers: a table for each match, and a line for each that could not be screened."""

    def __init__(self, *, show_all: bool) -> None:
        super().__init__()
        self._show_all = show_all
        self._failed = self._doubtful = 0
        self._asked = ""

    def show(self, result: ScreeningResult) -> None:
        used = (f"{shown(name)} (version {one.version})" for name, one in result.lists.items())
        self._asked = f"asked {', '.join(used)}; policy {result.policy_version}"
        if result.outcome is Outcome.NO_MATCH:
            self._doubtful += bool(result.evidence)
            if self._show_all:
                self._print(result)
        elif result.outcome is Outcome.MATCH:
            self._print(result)
        else:
            self._failed += 1
            if self._failed <= _FAILURES_SHOWN:
                self._print(result)

    def summary(self) -> Iterator[str]:
        if self._failed > _FAILURES_SHOWN:
            more = self._failed - _FAILURES_SHOWN
            yield f"… and {more:,} more that could not be screened; --json gives all"
        counts = ", ".join(
            f"[{_STYLES.get(one, 'yellow')}]{self.outcomes[one]:,} {one}[/]"
            for one in Outcome
            if self.outcomes[one]
        )
        yield f"{counted(self.outcomes.total(), 'upload')}: {counts}"
        if self._doubtful and not self._show_all:
            n = counted(self._doubtful, "upload")
            yield f"{n} of NO_MATCH with evidence that does not count: --all shows it"
        yield self._asked

    def _print(self, result: ScreeningResult) -> None:
        style = _STYLES.get(result.outcome, "yellow")
        quality = "" if result.quality is None else f", quality {result.quality}"
        console.print(
            f"[{style}]{result.outcome}[/] {shown(result.label)} "
            f"({result.media or 'not read'}{quality}; reference {result.reference})",
            soft_wrap=True,
        )
        records: dict[tuple[str, str, str], list[Evidence]] = {}
        for one in result.evidence:
            records.setdefault(one.key, []).append(one)
        if records:
            console.print(_evidence_table(list(records.values())[:_RECORDS_SHOWN]))
        if len(records) > _RECORDS_SHOWN:
            more = len(records) - _RECORDS_SHOWN
            console.print(f"  … and {counted(more, 'record')} more; --json gives all")
        for line in _notes(result):
            console.print(f"  {shown(line)}", soft_wrap=True)


def _evidence_table(records: list[list[Evidence]]) -> Table:
    """Return a table of a record a row, with all that it was found by."""
    table = Table()
    keys = [
        f"{record_text(one.source, one.record_id)}\non {shown(one.list_name)}"
        for one, *_ in records
    ]
    record_column(table, keys)
    columns_of(table, "says", "found by")
    for key, found in zip(keys, records, strict=True):
        one = found[0]
        said = [one.category, one.severity, ", ".join(one.flags)]
        said += [f"{opinion.by}: {opinion.value}" for opinion in one.opinions]
        qualities = dict.fromkeys(each.quality for each in found if each.quality is not None)
        likeliest = max(
            (each.probability for each in found if each.probability is not None), default=None
        )
        more = [f"quality {', '.join(map(str, qualities))}"] if qualities else []
        more += [] if likeliest is None else [f"probability {likeliest:.6f}"]
        table.add_row(
            key,
            "\n".join(shown(text) for text in said if text) or "nothing",
            "\n".join((*_found_by(found), *more)),
            style="" if any(each.counts for each in found) else "dim",
        )
    return table


def _found_by(found: list[Evidence]) -> Iterator[str]:
    """Yield how a record was found: those that are equal, then the others one by one."""
    equal: dict[tuple[str, ...], list[str]] = {}
    for one in found:
        if _is_equal(one):
            equal.setdefault(one.why_not, []).append(one.algorithm)
    for why_not, names in equal.items():
        yield f"{', '.join(names)}: equal"
        yield from _why_not(why_not)
    for one in found:
        if not _is_equal(one):
            yield from _near(one)
            yield from _why_not(one.why_not)
    if found[0].independent_hashes > 1:
        yield f"{found[0].independent_hashes} independent hashes agree"


def _is_equal(one: Evidence) -> bool:
    return one.video is None and not one.radius and one.transform == "identity"


def _why_not(reasons: tuple[str, ...]) -> Iterator[str]:
    for reason in reasons:
        yield f"[yellow]does not count: {shown(_WHY_NOT.get(reason, reason))}[/yellow]"


def _near(one: Evidence) -> Iterator[str]:
    """Yield distance and radius, or how much of a video, and how it was laid."""
    if one.video is None:
        yield f"{one.algorithm}: {one.distance} of {one.radius} bits"
    elif one.video.level1 is not None and one.video.level2 is not None:
        yield f"{one.algorithm}: scores {one.video.level1:.3f}, {one.video.level2:.3f}"
    else:
        yield (
            f"{one.algorithm}: {one.video.matched_s:,.1f} s; {one.video.query_percent:.0f} % of "
            f"it, {one.video.reference_percent:.0f} % of the record"
        )
    if one.transform != "identity":
        words = f" ({VIEWS[one.transform]})" if one.transform in VIEWS else ""
        yield f"as {shown(one.transform)}{words}"
    if one.orientation == "stored":
        yield "as stored, not turned upright"
    if one.views_asked > 1:
        yield f"{one.views_asked} views asked"


def _notes(result: ScreeningResult) -> Iterator[str]:
    for name, used in result.lists.items():
        for note in used.notes:
            yield f"{name}: {note}"
    for stale in result.stale:
        yield f"stale: {stale.list_name}: {'; '.join(stale.reasons)}"
    for one in result.failures:
        where = f" of {one.list_name}" if one.list_name else ""
        yield f"{one.step}{where} failed: {one.error}: {one.reason}"
    for evidence in result.evidence[:_NOTES_SHOWN]:
        for by in evidence.suppressed_by:
            yield (
                f"{evidence.list_name} {evidence.record_id} suppressed by {by.list_name} "
                f"{by.source} {by.record_id}: {by.algorithm}, {by.distance} of {by.radius} bits"
            )
    for flood in result.flood:
        yield (
            f"{flood.list_name} {flood.source} {flood.record_id} matched {flood.matches:,} of "
            f"the last {flood.uploads:,} uploads"
        )
