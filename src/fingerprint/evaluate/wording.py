"""What a stretch that two videos share is, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fingerprint.results import VideoMatch, VideoSegment

__all__ = [
    "LAID",
    "clock",
    "how_laid",
    "percent",
    "seconds_text",
    "sentence",
    "short_names",
    "summary",
]

LAID = {
    "identity": "as it is",
    "flip_y": "mirrored",
    "trimmed": "without its bars",
    "trimmed+flip_y": "without its bars, mirrored",
}
"""How the query is laid to match, in words."""


def seconds_text(start_s: float, end_s: float) -> str:
    """Return "12.0–31.5 s"; with the time of day's form, as players show it, from a minute on."""
    text = f"{start_s:.1f}–{end_s:.1f} s"
    return text if end_s < 60 else f"{text} ({clock(start_s)}–{clock(end_s)})"


def how_laid(segment: VideoSegment) -> str:
    """Return how the query is laid, and at which speed it plays, where that is notable."""
    how = [] if segment.transform == "identity" else [LAID.get(segment.transform, "otherwise")]
    how += [f"at {segment.speed:.2f}× speed"] if abs(segment.speed - 1) >= 0.02 else []
    return ", ".join(how)


def sentence(segment: VideoSegment, query: str, reference: str) -> str:
    """Return what a segment says: "12.0–31.5 s of A is 40.0–59.5 s of B"."""
    left = seconds_text(segment.query_start_s, segment.query_end_s)
    right = seconds_text(segment.reference_start_s, segment.reference_end_s)
    how = how_laid(segment)
    return f"{left} of {query} is {right} of {reference}" + (f", {how}" if how else "")


def summary(match: VideoMatch) -> str:
    """Return how much two videos share, in a line or two; nothing where that is nothing."""
    if not match.segments:
        return ""
    n = len(match.segments)
    shares = percent(match.query_coverage), percent(match.reference_coverage)
    return (
        f"{n} stretch{'' if n == 1 else 'es'} in common, best score {match.score:.2f} of 1; "
        f"{shares[0]} of the query and {shares[1]} of the reference. "
        "Evidence for a person to look at, not a verdict."
    )


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return what to call each: the file's name, or as much of its path as tells them apart.

    What does not end like a file's name, as an id may, stays whole.
    """
    left = every = list(dict.fromkeys(names))
    short = {name: name for name in left if not PurePath(name).suffix}
    n_parts = 1
    while left := [name for name in left if name not in short]:
        tails = {name: "/".join(name.split("/")[-n_parts:]) for name in left}
        n_of = Counter(tails.values())
        taken = {*every, *short.values()}
        short |= {
            name: tail
            for name, tail in tails.items()
            if tail == name or (n_of[tail] == 1 and tail not in taken)
        }
        n_parts += 1
    return short


def percent(share: float) -> str:
    """Return "37 %", and "0.4 %" where that would be nothing."""
    return f"{100 * share:.0f} %" if share >= 0.1 or not share else f"{100 * share:.1f} %"


def clock(time_s: float) -> str:
    """Return a time as players show it: "1:05", "2:00:09"."""
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
