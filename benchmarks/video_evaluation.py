"""Edited videos: how many are found again, what is found by mistake, and the seconds.

``python -m benchmarks.video_evaluation`` compares a matcher of this package with vPDQ's
rule on the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING

from rich.table import Table

from benchmarks.measurement import tell_nobody
from benchmarks.video_originals import Original, Prepare, all_edits, edited_copies
from benchmarks.video_scoring import EditRow, Outcome, Span, judge, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from fingerprint.video import VideoHash, VpdqRule

__all__ = [
    "Matcher",
    "evaluate",
    "hashed",
    "rows_of",
    "show",
    "to_markdown",
    "vpdq_matcher",
]

Matcher = Callable[..., Iterable[tuple[str, Sequence[Span]]]]
"""Takes the path of a video, or what ``prepare`` made of it; returns references' ids and spans."""

COLUMNS = (
    "edit",
    "found",
    "recall",
    "95 %",
    "false",
    "hard false",
    "IoU query",
    "IoU ref.",
    "error s",
    "p95 s",
    "offset s",
)
LEGEND = (
    "Found: edited copies whose original was among the matches, with Wilson's interval. "
    "False: matches of another scene, of the pairs that could have been; hard false: those of "
    "another gesture of the same person in the same place. IoU: seconds in common of those in "
    "either, of the copy and of the original (median). Error: of the first and last second in "
    "the copy (median, 95th percentile). Offset: between the second of the original that is "
    "said to be shown and the one that is (median)."
)


def evaluate(
    matcher: Matcher,
    originals: Sequence[Original],
    edits: Iterable[tuple[str, float]] | None = None,
    *,
    prepare: Prepare | None = None,
    n_unrelated: int = 10,
    seed: int = 0,
    workers: int = 2,
    tell: Callable[[str], None] = tell_nobody,
) -> list[Outcome]:
    """Ask a matcher for edited copies of videos that it knows.

    Parameters
    ----------
    matcher : callable
        ``matcher(path)`` returns (id of a reference, spans) pairs; the ids are those of the
        originals. With ``prepare`` it gets what that returned instead of the path.
    originals : sequence of Original
        What the matcher knows.
    edits : iterable of (str, float), optional
        Names and strengths; all by default.
    prepare : callable, optional
        A function of a module, run where the copies are made: hashing, say.
    n_unrelated, seed, workers, tell
        As in `edited_copies`, which keeps the copies for the next matcher.
    """
    chosen = all_edits() if edits is None else list(edits)
    copies = edited_copies(
        originals,
        chosen,
        prepare,
        n_unrelated=n_unrelated,
        seed=seed,
        workers=workers,
        tell=tell,
    )
    return [judge(copy, matcher(copy.prepared), originals) for copy in copies]


def hashed(path: Path) -> VideoHash:
    """Hash a video as by default: what matchers of hashes are prepared with."""
    from fingerprint.video.hashing import hash_video

    # The processes that make the copies already take all processors.
    return hash_video(path, threads=1)


def vpdq_matcher(
    references: Mapping[str, VideoHash], rule: str | VpdqRule = "python"
) -> Callable[[VideoHash], list[tuple[str, list[Span]]]]:
    """Return vPDQ's rule as a matcher of `VideoHash`; it does not say where."""
    from fingerprint.video import vpdq_match

    def match(query: VideoHash) -> list[tuple[str, list[Span]]]:
        return [
            (name, [])
            for name, reference in references.items()
            if vpdq_match(query, reference, rule=rule).is_match
        ]

    return match


def rows_of(outcomes: Sequence[Outcome], *, by_strength: bool = True) -> list[EditRow]:
    """Return one row an edit (and strength), and one for all of them."""

    def name_of(one: Outcome) -> str:
        if one.kind == "unrelated":
            return one.edit
        return f"{one.edit} {one.strength:g}" if by_strength else one.edit

    return [*summarise(outcomes, name_of), *summarise(outcomes, lambda _: "all")]


def cells(row: EditRow) -> tuple[str, ...]:
    """Return a row's texts, in the order of `COLUMNS`."""
    interval = f"{row.recall_low * 100:.0f}–{row.recall_high * 100:.0f}"
    return (
        row.name,
        f"{row.n_found} of {row.n}" if row.n else "",
        _percent(row.recall),
        interval if row.n else "",
        f"{row.n_false} of {row.n_pairs:,}",
        str(row.n_hard_false),
        _number(row.query_iou),
        _number(row.reference_iou),
        _number(row.error_s),
        _number(row.error_p95_s),
        _number(row.offset_error_s),
    )


def _percent(share: float) -> str:
    return "" if isnan(share) else f"{share * 100:.1f} %"


def _number(value: float) -> str:
    return "" if isnan(value) else f"{value:.2f}"


def show(title: str, rows: Sequence[EditRow]) -> Table:
    """Return the rows as a table for the terminal."""
    table = Table(title=title, title_justify="left", caption=LEGEND, caption_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "edit" else "right")
    for row in rows:
        table.add_row(*cells(row))
    return table


def to_markdown(rows: Sequence[EditRow]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "|".join("---" if name == "edit" else "---:" for name in COLUMNS) + "|",
        *("| " + " | ".join(cells(row)) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"
