"""Printing what was found among many videos or pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, NamedTuple

import click
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import VIEWS, console, shown
from fingerprint.evaluate.wording import LAID, seconds_text
from fingerprint.results import VideoMatch
from fingerprint.video.frame_matches import FrameMatch

__all__ = ["Findings", "Found", "match_dict"]

_MATCHES_SHOWN = 10
_SPANS_SHOWN = 3

_OF_VIDEOS = ("file", "found", "in the file", "in what was found", "speed", "score", "file laid")
_OF_PICTURES = ("file", "found", "distance", "view", "when")
_RIGHT = {"speed", "score", "distance"}


class Found(NamedTuple):
    """One file and its matches; ``low``: it has too little in it to be recognised."""

    source: str
    matches: tuple[Any, ...]
    low: bool


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
        self._table = Table()
        self._of_videos = of_videos
        for heading in _OF_VIDEOS if of_videos else _OF_PICTURES:
            justify: Any = "right" if heading in _RIGHT else "left"
            self._table.add_column(heading, justify=justify, overflow="fold")
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
        self._add_rows(found)

    def tell(self) -> None:
        """Print the table."""
        if not self._as_json and self._table.row_count:
            console.print(self._table)
            console.print("A match is evidence for a person to look at, not a verdict.")

    def _add_rows(self, found: Found) -> None:
        name = shown(found.source)
        add = self._table.add_row
        if found.low:
            add(name, "[yellow]too little in it to be recognised[/yellow]")
        elif not found.matches:
            add(name, "no match")
        for match in found.matches[:_MATCHES_SHOWN]:
            if self._of_videos:
                _add_segments(self._table, name, match)
            else:
                laid = LAID.get(match.transform) or VIEWS.get(match.transform, match.transform)
                add(name, shown(match.id), str(match.distance), laid, _when(match))
        if len(found.matches) > _MATCHES_SHOWN:
            more = len(found.matches) - _MATCHES_SHOWN
            add(name, f"… and {more} more; --json gives all")


def _add_segments(table: Table, name: str, match: VideoMatch) -> None:
    for segment in match.segments:
        table.add_row(
            name,
            shown(match.id),
            seconds_text(segment.query_start_s, segment.query_end_s),
            seconds_text(segment.reference_start_s, segment.reference_end_s),
            f"{segment.speed:.2f}×",
            f"{segment.score:.2f}",
            LAID.get(segment.transform, segment.transform),
        )


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
    if isinstance(match, FrameMatch):
        record["spans"] = [span._asdict() for span in match.spans]
    return record
