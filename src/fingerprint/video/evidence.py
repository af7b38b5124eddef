"""Whether frames in order are evidence of a copy, or of a similar scene."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.video.pairs import Pairs, min_quality_of, usable

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.typing import F64, I32, I64, Bits
    from fingerprint.video.video_hash import VideoHash

__all__ = ["ENOUGH_BITS", "Span", "Track", "chance_of_others", "movement", "track_of", "weigh"]

# So much does a frame say for a copy, in bits of likelihood. By its distance: copies are 0
# to 12 bits of 256 away, other clips of one studio (one person before one wall, the same
# gestures) 15 to 31.
NEUTRAL = 16 / 256
FULL_BITS = 4.0
LEAST_BITS = -1.5
MISSED_BITS = -0.5

MOST_CHANCE_BITS = 5.0
"""What a frame may say by matching at its own time and at no other, where the picture moves
so much that frames half a second apart are strangers; proportionally less in a still scene,
which other clips of the place resemble."""

ENOUGH_BITS = 11.0
"""Speeds and offsets that were tried, some 10 bits, and a doubt. Of 1,890 pairs of different
clips of one studio the likeliest had 9.2."""

FRAMES_PER_S = 2.0
"""Frames closer in time than this say the same thing twice."""

_MOST_SAMPLES = 48
_MOST_ROWS = 400


class Span(NamedTuple):
    """A stretch of the query, and the line that it follows in the reference."""

    start_s: float
    end_s: float
    speed: float
    offset_s: float

    def at(self, query_s: float) -> float:
        """Return the time in the reference."""
        return self.speed * query_s + self.offset_s


class Track(NamedTuple):
    """When the rows of a video are shown, and how far apart its samples are."""

    start_s: F64
    end_s: F64
    step_s: float
    duration_s: float
    usable: Bits
    hashes: HashArray


def track_of(video_hash: VideoHash) -> Track:
    """Return the times of a video's rows."""
    last_s = float(video_hash.end_s.max()) if len(video_hash) else 0.0
    duration_s = max(video_hash.duration_s, last_s)
    gaps_s = video_hash.start_s[1:] - video_hash.end_s[:-1]
    shown_s = float((video_hash.end_s - video_hash.start_s).sum())
    step_s = float(np.median(gaps_s)) if gaps_s.size else 2 * max(0.0, duration_s - shown_s)
    step_s = max(0.0, step_s)
    enough = usable(video_hash.hashes, min_quality_of(video_hash))
    times = video_hash.start_s, video_hash.end_s
    return Track(*times, step_s, duration_s, enough, video_hash.hashes)


def chance_of_others(
    query: Track, reference: Track, pairs: Pairs, span: Span, aside_s: float
) -> float:
    """Return how often frames of a stretch match frames of the other video at wrong times.

    Where the camera stands still, nearly always; then a match at the right time says
    little. Between 0 and 1, exclusive.
    """
    rows = _rows(query, span.start_s, span.end_s)
    others = _rows(reference, span.at(span.start_s), span.at(span.end_s))
    when = span.speed * (query.start_s[rows] + query.end_s[rows]) / 2 + span.offset_s
    is_aside = (reference.start_s[others] > when[:, None] + aside_s) | (
        reference.end_s[others] < when[:, None] - aside_s
    )
    place = np.full(len(query.start_s), -1)
    place[rows] = np.arange(len(rows))
    other_place = np.full(len(reference.start_s), -1)
    other_place[others] = np.arange(len(others))
    q, r = place[pairs.query_rows], other_place[pairs.reference_rows]
    known = (q >= 0) & (r >= 0)
    matches = int(is_aside[q[known], r[known]].sum())
    return (matches + 1) / (int(is_aside.sum()) + 2)


def movement(track: Track, start_s: float, end_s: float) -> float:
    """Return how far frames of a stretch are apart from those half a second away and more.

    1 when they are as far as strangers are (half of the bits), 0 when nothing moves, or
    the stretch is too short to tell.
    """
    n = min(_MOST_SAMPLES, int((end_s - start_s) * FRAMES_PER_S) + 1)
    at = np.linspace(start_s, end_s, n)
    rows = np.maximum(np.searchsorted(track.start_s, at, side="right") - 1, 0)
    if n < 2:
        return 0.0
    apart = [float(track.hashes[rows[i + 1 :]].distances(track.hashes[int(rows[i])]).mean())
             for i in range(n - 1)]  # fmt: skip
    weights = np.arange(n - 1, 0, -1)
    return min(1.0, float(np.average(apart, weights=weights)) / (track.hashes.bits / 2))


def _rows(track: Track, start_s: float, end_s: float) -> I64:
    """Return usable rows that are shown in a stretch: a sample of them when there are many."""
    inside = track.usable & (track.end_s >= start_s) & (track.start_s <= end_s)
    rows = np.flatnonzero(inside)
    if len(rows) <= _MOST_ROWS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _MOST_ROWS).astype(np.int64)]


def weigh(
    distances: I32,
    n_frames: int,
    length_s: float,
    chance: float,
    moved: float,
    bits: int,
    *,
    is_most: bool,
) -> float:
    """Return how much matching frames say for a copy, in bits of likelihood.

    Parameters
    ----------
    distances : ndarray of int32
        Of the frames that match, one each.
    n_frames : int
        Frames of the query in the stretch, with those that do not match.
    length_s : float
        How long the stretch is.
    chance : float
        See `chance_of_others`.
    moved : float
        See `movement`.
    bits : int
        Bits of a hash.
    is_most : bool
        The stretch is most of the query: then a still picture is judged as one, and is
        enough if it is as alike as copies are.
    """
    share = distances / bits
    slope = FULL_BITS / NEUTRAL
    said = np.clip((NEUTRAL - share) * slope, LEAST_BITS, FULL_BITS)
    alike = float(said.mean())
    independent = min(1.0, (1 + length_s * FRAMES_PER_S) / n_frames)
    rare = min(MOST_CHANCE_BITS * moved, -math.log2(chance))
    total = len(distances) * (alike + rare) + (n_frames - len(distances)) * MISSED_BITS
    if is_most and alike >= 1.0:
        return max(ENOUGH_BITS, total * independent)
    return total * independent
