"""Edited videos: how many are found again, what is found by mistake, and the seconds.

``python -m benchmarks.video_evaluation`` compares a matcher of this package with vPDQ's
rule on the same frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

import click
from rich.console import Console
from rich.table import Table

from benchmarks.measurement import tell_nobody
from benchmarks.video_originals import (
    Original,
    Prepare,
    all_edits,
    edited_copies,
    generated_originals,
    real_originals,
)
from benchmarks.video_scoring import EditRow, Outcome, Span, judge, summarise
from fingerprint.errors import LowQualityWarning

if TYPE_CHECKING:
    from fingerprint.results import VideoSegment
    from fingerprint.video import VideoHash, VpdqRule

__all__ = [
    "Hashing",
    "Matcher",
    "evaluate",
    "index_matcher",
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


@dataclass(frozen=True, slots=True)
class Hashing:
    """What matchers of hashes are prepared with: equal ones share their copies.

    Parameters
    ----------
    sample : str
        As for `fingerprint.video.hash_video`.
    """

    sample: str = "every:0.5"

    def __call__(self, path: Path) -> VideoHash:
        """Hash a video."""
        from fingerprint.video import hash_video

        # The processes that make the copies already take all processors.
        return hash_video(path, sample=self.sample, threads=1)


def index_matcher(
    references: Mapping[str, VideoHash],
) -> Callable[[VideoHash], list[tuple[str, list[Span]]]]:
    """Return an index of the references, at its default settings, as a matcher."""
    from fingerprint.video import VideoIndex

    index = VideoIndex()
    index.add_many(list(references), references.values())

    def match(query: VideoHash) -> list[tuple[str, list[Span]]]:
        with catch_warnings():
            # Black pictures have nothing in them that can be looked up.
            simplefilter("ignore", LowQualityWarning)
            return [(found.id, [_span(s) for s in found.segments]) for found in index.search(query)]

    return match


def _span(segment: VideoSegment) -> Span:
    return (
        segment.query_start_s,
        segment.query_end_s,
        segment.reference_start_s,
        segment.reference_end_s,
    )


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


def side_by_side(ours: Sequence[EditRow], vpdq: Sequence[EditRow]) -> str:
    """Return both matchers' rows of the same names in one short Markdown table."""
    lines = [
        "| edit | found | vPDQ | false | vPDQ | IoU | error s | p95 s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one, other in zip(ours, vpdq, strict=True):
        parts = (
            one.name.replace("_", " "),
            _percent(one.recall),
            _percent(other.recall),
            f"{one.n_false} of {one.n_pairs:,}",
            f"{other.n_false}",
            _number(one.query_iou),
            _number(one.error_s),
            _number(one.error_p95_s),
        )
        lines.append("| " + " | ".join(parts) + " |")
    return "\n".join(lines) + "\n"


def faults_of(outcomes: Iterable[Outcome]) -> list[str]:
    """Return what was not found and what was found by mistake, one line each."""
    lines = []
    for one in outcomes:
        copy = f"{one.original or 'nothing'}, {one.edit} {one.strength:g}"
        if one.original and not one.found:
            lines.append(f"not found: {copy}")
        lines += [f"false: {copy}: {name}" for name in one.false_ids]
        lines += [f"false (same studio): {copy}: {name}" for name in one.hard_false_ids]
    return lines


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--generated", default=4, show_default=True, help="Generated originals.")
@click.option("--edit", "edits", multiple=True, help="Only this edit; may be given several times.")
@click.option("--query-sample", default="every:0.5", show_default=True)
@click.option("--reference-sample", default="changes:16", show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Markdown file.")
def main(
    generated: int,
    edits: tuple[str, ...],
    query_sample: str,
    reference_sample: str,
    seed: int,
    workers: int,
    out: Path | None,
) -> None:
    """Look for edited videos: this package's index and vPDQ's rule, on the same frames."""
    console, before = Console(width=max(120, Console().width)), perf_counter()
    originals = [*real_originals(), *generated_originals(generated, seed=seed)]
    prepare, hashing = Hashing(query_sample), Hashing(reference_sample)
    references = {one.id: hashing(one.path) for one in originals}
    chosen = [(name, s) for name, s in all_edits() if not edits or name in edits]
    with console.status("edited videos") as status:
        results = {
            name: evaluate(
                matcher,
                originals,
                chosen,
                prepare=prepare,
                seed=seed,
                workers=workers,
                tell=status.update,
            )
            for name, matcher in (
                ("VideoIndex", index_matcher(references)),
                ("vPDQ's rule", vpdq_matcher(references)),
            )
        }
    parts = [f"# Edited videos\n\n{LEGEND}\n"]
    for name, outcomes in results.items():
        console.print(show(name, rows_of(outcomes)))
        parts.append(f"## {name}\n\n{to_markdown(rows_of(outcomes))}")
    # Of the first alone: most of what a rule without views misses is known beforehand.
    parts += ["\n".join(f"- {line}" for line in faults_of(results["VideoIndex"])), ""]
    both = [rows_of(outcomes, by_strength=False) for outcomes in results.values()]
    parts.append(f"## Side by side\n\n{side_by_side(*both)}")
    console.print(f"{perf_counter() - before:.0f} s")
    if out is not None:
        out.write_text("\n".join(parts), "utf-8")
        console.print(f"wrote {out}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
