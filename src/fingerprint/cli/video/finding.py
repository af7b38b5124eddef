"""Printing what was found among many videos or pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

import click
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import VIEWS, console, shown
from fingerprint.evaluate.wording import LAID, clock, how_laid, seconds_text, short_names
from fingerprint.results import VideoMatch
from fingerprint.video.frame_matches import FrameMatch

__all__ = ["Findings", "Found", "match_dict"]

_MATCHES_SHOWN = 10
_SPANS_SHOWN = 3

_OF_VIDEOS = (
    "file",
    "found",
    "in the file",
    "in what\nwas found",
    "score",
    "evidence",
    "file laid",
)
_OF_PICTURES = ("file", "found", "distance", "view", "when")
_RIGHT = {"score", "evidence", "distance"}
_WHOLE = {"in the file", "in what\nwas found", "score", "evidence"}
"""Not folded: where there is little room, names are."""


class Found(NamedTuple):
    """One file and its matches; ``low``: it has too little in it to be recognised."""

    source: str
    matches: tuple[Any, ...]
    low: bool


class _Row(NamedTuple):
    """A row of the table; ``note`` stands where nothing was found by an ``id``."""

    source: str
    id: str | None
    note: str
    cells: tuple[str, ...] = ()


class Findings:
    """Everything that was found: as JSON line by line, or as a table in the end.

    Parameters
    ----------
    as_json : bool
        Which of the two.
    of_videos : bool
        Whether the matches are `VideoMatch`, not `FrameMatch`.
    """

    def __init__(self, *, as_json: bool, of_videos: bool) -> None:
        self._as_json = as_json
        self._of_videos = of_videos
        self._rows: list[_Row] = []
        self._any_found = self._any_low = False
        self.failures: list[fp.Failure] = []
        self.last: tuple[Any, ...] = ()

    @property
    def status(self) -> int:
        """The exit status that says it."""
        return 2 if self.failures or self._any_low else 0 if self._any_found else 1

    def add(self, found: Found | fp.Failure) -> None:
        """Take the outcome of one file."""
        if isinstance(found, fp.Failure):
            self.last = ()
            self.failures.append(found)
            if self._as_json:
                click.echo(json.dumps({"source": found.source, "error": str(found.error)}))
            return
        self.last = found.matches
        self._any_found = self._any_found or bool(found.matches)
        self._any_low = self._any_low or found.low
        if self._as_json:
            matches = [match_dict(match) for match in found.matches]
            record = {"source": found.source, "low_quality": found.low, "matches": matches}
            click.echo(json.dumps(record))
            return
        self._rows += self._rows_of(found)

    def tell(self) -> None:
        """Print the table."""
        if self._as_json or not self._rows:
            return
        ids = [row.id for row in self._rows if row.id is not None]
        short = short_names([*(row.source for row in self._rows), *ids])
        console.print(self._table(short))
        whole = "; --json gives whole paths" if any(a != b for a, b in short.items()) else ""
        console.print(f"A match is evidence for a person to look at, not a verdict{whole}.")

    def _table(self, short: dict[str, str]) -> Table:
        headings: tuple[str, ...] = _OF_VIDEOS if self._of_videos else _OF_PICTURES
        rows = [
            [
                shown(short[row.source]),
                row.note if row.id is None else shown(short[row.id]),
                *row.cells,
            ]
            for row in self._rows
        ]
        if not any(row[-1] for row in rows if len(row) == len(headings)):
            headings = headings[:-1]  # Nothing is laid otherwise: more room for names.
        table = Table()
        for heading in headings:
            justify: Any = "right" if heading in _RIGHT else "left"
            table.add_column(heading, justify=justify, overflow="fold", no_wrap=heading in _WHOLE)
        for row in rows:
            table.add_row(*row[: len(headings)])
        return table

    def _rows_of(self, found: Found) -> Iterator[_Row]:
        if found.low:
            yield _Row(found.source, None, "[yellow]too little in it to be recognised[/yellow]")
        elif not found.matches:
            yield _Row(found.source, None, "no match")
        for match in found.matches[:_MATCHES_SHOWN]:
            cells = _cells_of_segments(match) if self._of_videos else [_cells_of_frames(match)]
            for one in cells:
                yield _Row(found.source, match.id, "", one)
        if len(found.matches) > _MATCHES_SHOWN:
            more = len(found.matches) - _MATCHES_SHOWN
            yield _Row(found.source, None, f"… and {more} more; --json gives all")


def _cells_of_segments(match: VideoMatch) -> list[tuple[str, ...]]:
    return [
        (
            _times(segment.query_start_s, segment.query_end_s),
            _times(segment.reference_start_s, segment.reference_end_s),
            f"{segment.score:.2f}",
            f"{segment.evidence:.0f} bits",
            how_laid(segment),
        )
        for segment in match.segments
    ]


def _cells_of_frames(match: FrameMatch) -> tuple[str, ...]:
    laid = LAID.get(match.transform) or VIEWS.get(match.transform, match.transform)
    return str(match.distance), laid, _when(match)


def _times(start_s: float, end_s: float) -> str:
    """Return seconds, or from a minute on what players show alone: it is shorter."""
    return seconds_text(start_s, end_s) if end_s < 60 else f"{clock(start_s)}–{clock(end_s)}"


def _when(match: FrameMatch) -> str:
    spans = sorted(match.spans[:_SPANS_SHOWN])
    text = ", ".join(
        f"{span.start_s:.1f} s"
        if span.end_s - span.start_s < 0.05
        else seconds_text(span.start_s, span.end_s)
        for span in spans
    )
    more = len(match.spans) - len(spans)
    return f"{text}, and {more} more" if more else text


def match_dict(match: VideoMatch | FrameMatch) -> dict[str, Any]:
    """Return a match as JSON says it."""
    record = {**asdict(match), "metadata": dict(match.metadata)}
    if isinstance(match, VideoMatch):
        record["evidence"] = match.evidence
    if isinstance(match, FrameMatch):
        record["spans"] = [span._asdict() for span in match.spans]
    return record
