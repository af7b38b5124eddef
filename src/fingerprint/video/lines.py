"""Lines ``reference time = speed · query time + offset`` that matching frames follow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint import kernels

if TYPE_CHECKING:
    from fingerprint.typing import F64, I64
    from fingerprint.video.evidence import Track
    from fingerprint.video.pairs import Pairs

__all__ = ["MAX_GAP_S", "Line", "best_line", "distance_s", "reach_of", "runs", "weights_of"]

MAX_GAP_S = 3.0
"""Longest time without a matching frame inside of a segment."""

SLOWEST, FASTEST = 0.5, 2.0
_SPEEDS = np.exp(np.linspace(math.log(SLOWEST), math.log(FASTEST), 41))
_SPEEDS[20] = 1.0
_FINER = np.linspace(-0.02, 0.02, 21)
_SLACK_S = 0.1
_FIT_FRAMES = 6
_FIT_S = 2.0
_CANDIDATES = 12
_MOST_OFFSETS = 4_000_000

_AS_GOOD = 0.9
_UNTOLD_S = 0.25
"""Nobody is said to play faster or slower whom true speed explains nearly as well, or whose
ends differ by less than this."""

_HALVED = 6 / 256
"""A pair says half as much for being so much farther apart than the frame's nearest."""

_ELSEWHERE = 0.5
"""What a frame amid a run takes back that matches, but not on the line."""


class Line(NamedTuple):
    """Where the reference is at each time of the query."""

    speed: float
    offset_s: float
    votes: float


def weights_of(pairs: Pairs, radius: int, bits: int) -> F64:
    """Return how loudly each pair speaks: neighbours in time are alike, too, but less.

    Else a line that passes near several stretches would outvote each of them.
    """
    alike = 0.05 + (1.0 - pairs.distances / (radius + 1.0)) ** 2
    rows, of_row = np.unique(pairs.query_rows, return_inverse=True)
    best = np.full(len(rows), np.iinfo(np.int32).max, np.int32)
    np.minimum.at(best, of_row, pairs.distances)
    weight: F64 = alike * np.exp2(-(pairs.distances - best[of_row]) / (_HALVED * bits))
    return weight


def reach_of(reference: Track) -> float:
    """How far from the line a frame of the reference may be that is shown on it."""
    return _SLACK_S + reference.step_s / 2


def best_line(query: Track, reference: Track, pairs: Pairs, alive: I64, weight: F64) -> Line:
    """Return the line that the pairs named by ``alive`` follow best."""
    reach_s = reach_of(reference)
    lines = _loudest(query, reference, pairs, alive, weight, _SPEEDS, reach_s, reach_s / 2)
    worth = [_worth(query, reference, pairs, alive, weight, line) for line in lines]
    coarse = lines[int(np.argmax(worth))]
    for line, its_worth in zip(lines, worth, strict=True):
        if line.speed == 1.0 and its_worth >= _AS_GOOD * max(worth):
            coarse = line
    near = alive[
        distance_s(query, reference, pairs, alive, coarse)
        <= reach_s + 0.02 * query.duration_s * coarse.speed
    ]
    finer = coarse.speed + _FINER * coarse.speed
    line = _loudest(query, reference, pairs, near, weight, finer, reach_s, reach_s / 8)[0]
    on_it = near[distance_s(query, reference, pairs, near, line) <= reach_s]
    return _fitted(query, reference, pairs, on_it, weight, line)


def _preference(speed: float) -> float:
    """A clip of a few seconds fits many speeds: the plain one unless another says more."""
    return 1.0 - 0.1 * abs(math.log2(speed))


def _loudest(
    query: Track,
    reference: Track,
    pairs: Pairs,
    chosen: I64,
    weight: F64,
    speeds: F64,
    tolerance_s: float,
    step_s: float,
) -> list[Line]:
    """Return the lines with most votes, one a speed: the loudest first.

    Of neighbours with as many, the one in their middle.
    """
    q, r = pairs.query_rows[chosen], pairs.reference_rows[chosen]
    spans = query.start_s[q], query.end_s[q], reference.start_s[r], reference.end_s[r]
    low = float((spans[2] - speeds.max() * spans[1]).min()) - tolerance_s
    high = float((spans[3] - speeds.min() * spans[0]).max()) + tolerance_s
    step_s = max(step_s, (high - low) / _MOST_OFFSETS)
    votes = np.empty(int((high - low) / step_s) + 2)
    found = np.empty((len(speeds), 2))
    kernels.alignment.vote(
        q, *spans, weight[chosen], speeds, tolerance_s, low, step_s, votes, found
    )
    lines = [Line(s, *one) for s, one in zip(speeds.tolist(), found.tolist(), strict=True)]
    lines.sort(key=lambda one: -one.votes * _preference(one.speed))
    plain = [one for one in lines[_CANDIDATES:] if one.speed == 1.0]
    return lines[:_CANDIDATES] + plain


def _worth(
    query: Track, reference: Track, pairs: Pairs, alive: I64, weight: F64, line: Line
) -> float:
    """Return what the best run of frames along a line is worth.

    A line that only crosses stretches leaves out most of their frames, which match at other
    places: these speak against it.
    """
    near = alive[distance_s(query, reference, pairs, alive, line) <= reach_of(reference)]
    if not near.size:
        return 0.0
    matching = np.zeros(len(query.start_s), np.bool_)
    matching[pairs.query_rows[alive]] = True
    best = 0.0
    for run in runs(query, reference, pairs, near):
        rows, first = np.unique(pairs.query_rows[run], return_index=True)
        said = float(np.maximum.reduceat(weight[run], first).sum())
        elsewhere = int(matching[rows[0] : rows[-1] + 1].sum()) - len(rows)
        best = max(best, said - _ELSEWHERE * elsewhere)
    return best * _preference(line.speed)


def _fitted(
    query: Track, reference: Track, pairs: Pairs, near: I64, weight: F64, line: Line
) -> Line:
    """Lay the line through the nearest frame of each frame of the query.

    Within the tolerance of the votes many lines are as good; the nearest frames tell more
    exactly which of the reference is shown.
    """
    order = near[np.lexsort((pairs.distances[near], pairs.query_rows[near]))]
    rows, first = np.unique(pairs.query_rows[order], return_index=True)
    best = order[first]
    at = (query.start_s[rows] + query.end_s[rows]) / 2
    r = pairs.reference_rows[best]
    shown = (reference.start_s[r] + reference.end_s[r]) / 2
    span_s = float(np.ptp(at)) if at.size else 0.0
    if len(rows) < _FIT_FRAMES or span_s < _FIT_S:
        return line
    # A frame that is shown for long says little about when.
    long_s = (query.end_s - query.start_s)[rows] + (reference.end_s - reference.start_s)[r]
    sure = weight[best] / (_SLACK_S + long_s)
    slope, offset = np.polyfit(at, shown, 1, w=sure)
    plain = Line(1.0, float(np.average(shown - at, weights=sure**2)), line.votes)
    if abs(slope - 1) * span_s <= max(_UNTOLD_S, reach_of(reference)):
        return plain
    if not SLOWEST * 0.98 <= slope <= FASTEST * 1.02:
        return line
    fitted = Line(float(slope), float(offset), line.votes)

    def off_s(one: Line) -> float:
        return float(distance_s(query, reference, pairs, best, one).mean())

    as_voted = [line] if line.speed == 1.0 else []
    straight = min((plain, *as_voted), key=off_s)
    return straight if off_s(straight) <= off_s(fitted) + _UNTOLD_S / 10 else fitted


def distance_s(query: Track, reference: Track, pairs: Pairs, chosen: I64, line: Line) -> F64:
    """How far from being shown together the frames of each pair are on a line, in seconds."""
    q, r = pairs.query_rows[chosen], pairs.reference_rows[chosen]
    early = reference.start_s[r] - (line.speed * query.end_s[q] + line.offset_s)
    late = line.speed * query.start_s[q] + line.offset_s - reference.end_s[r]
    distance: F64 = np.maximum(np.maximum(early, late), 0.0)
    return distance


def runs(query: Track, reference: Track, pairs: Pairs, near: I64) -> Iterator[I64]:
    """Cut pairs along a line where the query shows too long something else."""
    rows = pairs.query_rows[near]  # Ascending, as pairs are.
    gap_s = query.start_s[rows[1:]] - query.end_s[rows[:-1]]
    longest_s = MAX_GAP_S + max(query.step_s, 2 * reference.step_s)
    return iter(np.split(near, np.flatnonzero(gap_s > longest_s) + 1))
