"""An evaluation as Markdown: the tables of the HTML page, without colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fingerprint.evaluate.report_words import (
    Share,
    headline,
    point_words,
    radius_words,
    rate_words,
    rows_by_family,
    rows_by_transform,
    share_words,
    source_words,
)

if TYPE_CHECKING:
    from fingerprint.evaluate.report import RobustnessReport

__all__ = ["markdown_page"]


def markdown_page(report: RobustnessReport, pictures: Sequence[tuple[str, str, bytes]]) -> str:
    """Return the page; ``pictures`` are titles, file names and PNG data."""
    first = headline(report)
    point = first.name
    names = [contender.name for contender in report.contenders]
    lines = [
        "# How far do hashes survive editing?",
        "",
        f"{source_words(report)}, {len(report.edits)} edits, {report.n_distractors:,} distractors; "
        f"{report.n_pairs:,} different pairs of pictures. "
        f"{len(report.groups):,} groups of pictures that show the same: {report.n_left_out:,} "
        f"pairs left out. {len(report.failures):,} pictures could not be read.",
        "",
        *_summary(report),
        *(f"- {_plain(note)}" for note in report.notes),
        "",
        f"## Recall, %, at {point_words(first)}",
        "",
        *_shares("kind of edit", names, rows_by_family(report, point)),
        *_shares("transform", names, rows_by_transform(report, point)),
        "## False positives by kind of pair",
        "",
        *_strata(report),
        *(line for title, file, _ in pictures for line in (f"![{title}]({file})", "")),
        "## What was used",
        "",
        f"Settings: {_joined(report.settings)}.",
        "",
        f"Made: {_joined(report.made)}.",
        "",
    ]
    return "\n".join(lines)


def _summary(report: RobustnessReport) -> Iterator[str]:
    heads = ("", "at", "radius", "recall %", "false pairs", "rate a pair (95 %)", "precision %")
    rows = []
    for contender in report.contenders:
        for point in contender.points:
            precision = "–" if point.precision is None else share_words(point.precision)
            rows.append(
                (
                    contender.name,
                    point_words(point),
                    f"{radius_words(point)} of {contender.bits}",
                    share_words(point.recall),
                    f"{point.false:,} of {point.pairs:,}",
                    rate_words(point.rate, point.rate_low, point.rate_high),
                    precision,
                )
            )
    yield from _table(heads, rows)
    told = (p.note for p in report.contenders[0].points if p.note and p.name.startswith("rate"))
    yield from (f"- {note}" for note in told)


def _shares(what: str, names: Sequence[str], rows: Mapping[str, Sequence[Share]]) -> Iterator[str]:
    yield from _table(
        (what, *names),
        [(name, *(share_words(one.share) for one in shares)) for name, shares in rows.items()],
    )


def _strata(report: RobustnessReport) -> Iterator[str]:
    rows = []
    for contender in report.contenders:
        point = contender.points[0]
        for stratum in contender.strata:
            one = stratum.rate(point.name)
            rate = rate_words(one.rate, one.low, one.high) if stratum.pairs else "–"
            figures = (stratum.name, f"{stratum.pairs:,}", f"{one.false:,}", rate)
            rows.append((f"{contender.name}, radius {point.radius}", *figures))
    yield from _table(("", "pairs of", "how many", "false", "rate (95 %)"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (f"| {' | '.join(map(_plain, row))} |" for row in rows)
    yield ""


def _joined(settings: Mapping[str, object]) -> str:
    return _plain(", ".join(f"{k} {v}" for k, v in settings.items()))


def _plain(text: str) -> str:
    """Return a text that cannot end a cell or a line."""
    return "".join(c if c.isprintable() else "?" for c in text).replace("|", "\\|")
