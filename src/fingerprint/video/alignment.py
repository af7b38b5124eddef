"""Where one video is in another: frames that look alike, put in order of time.

Matching frames vote for lines ``reference time = speed · query time + offset`` (a Hough
transform, as in temporal Hough voting: Douze et al., "An image-based approach to video
copy detection", 2010). What follows the best line is cut into segments, its frames are
taken out, and the rest votes again: so a query may hold several stretches, in any order
and more than once.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.algorithms import get_algorithm
from fingerprint.errors import SparseSamplingWarning, UnknownAlgorithmError
from fingerprint.hashes import require_same_kind
from fingerprint.results import VideoMatch, VideoSegment
from fingerprint.video.evidence import (
    ENOUGH_BITS,
    Span,
    Track,
    chance_of_others,
    movement,
    track_of,
    weigh,
)
from fingerprint.video.lines import Line, best_line, distance_s, reach_of, runs, weights_of
from fingerprint.video.pairs import TRANSFORMS, Pairs, find_pairs, nearest_of
from fingerprint.video.video_hash import VideoHash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fingerprint.typing import I32, I64, Bits, Metadata

__all__ = ["MIN_FRAMES", "align", "default_radius", "match_videos"]

SPARSE_S = 0.25
"""Frames of a moving picture that are so far apart are strangers."""

MIN_FRAMES = 3
"""Distinct frames that must follow a line; fewer only if they are most of the query."""

MIN_SHARE = 0.25
"""Of the query's frames between the first and the last of a segment that must match."""

WHOLE_SHARE = 0.8
"""Of the query's frames: a segment of this share needs no `MIN_FRAMES`."""

_MOST_SEGMENTS = 100
_MOST_IN_VAIN = 8
"""Lines in a row that come to nothing: the best came first, those that follow are worse."""

_GHOST_BITS = 8 / 256
"""A frame that is explained speaks for another place only if it is about as alike there."""


def default_radius(algorithm: str) -> int:
    """Return the algorithm's radius for a frame.

    Raises
    ------
    ValueError
        This installation does not know the algorithm.
    """
    try:
        return get_algorithm(algorithm).radius.bits
    except UnknownAlgorithmError as error:
        raise ValueError(f"radius: {algorithm} has no published one; pass it") from error


def match_videos(
    query: VideoHash,
    reference: VideoHash,
    *,
    radius: int | None = None,
    mirrored: bool = True,
    min_evidence: float = ENOUGH_BITS,
    id: str = "",  # noqa: A002 - the field's own name
    metadata: Metadata | None = None,
) -> VideoMatch:
    """Find the stretches of a query that are in a reference, and where.

    Any number of stretches, in any order, from half to twice the speed, at other frame
    rates, once or repeatedly.

    Parameters
    ----------
    query, reference : VideoHash
        At least one of them sampled by `changes`, as `hash_video` does by default: two
        videos that are both sampled by time see different moments, and where the picture
        moves fast these are not alike.
    radius : int, optional
        Bits, inclusive, within which two frames look alike; the algorithm's published
        one by default.
    mirrored : bool
        Also look for the query with left and right exchanged (PDQ only).
    min_evidence : float
        Bits of likelihood that a segment needs (`VideoSegment.evidence`). Less finds more
        of what is badly damaged, and other clips of the same place.
    id, metadata : str and mapping, optional
        What the match says of the reference.

    Returns
    -------
    VideoMatch
        With no segments, and false, when nothing is found.

    Warns
    -----
    SparseSamplingWarning
        Both are sampled by time, a quarter of a second apart or more.

    Raises
    ------
    IncompatibleHashError
        They are of different algorithms.
    """
    for name, value in (("query", query), ("reference", reference)):
        if not isinstance(value, VideoHash):
            raise TypeError(
                f"{name}: expected a VideoHash, as hash_video returns it, "
                f"got {type(value).__name__}"
            )
    step_s = min(track_of(query).step_s, track_of(reference).step_s)
    if step_s >= SPARSE_S and len(query) and len(reference):
        warnings.warn(
            f"both videos are sampled {step_s:.2g} s apart or more: where the picture moves, "
            'what they share may be missed; hash one of them with sample="changes:16"',
            SparseSamplingWarning,
            stacklevel=2,
        )
    require_same_kind(query.hashes, reference.hashes)
    reach = default_radius(query.hashes.algorithm) if radius is None else radius
    if isinstance(reach, bool) or not isinstance(reach, int | np.integer):
        raise TypeError(f"radius: expected a whole number of bits, got {reach!r}")
    if math.isnan(min_evidence):
        raise ValueError("min_evidence: expected a number of bits, got nan")
    if not 0 <= reach <= query.hashes.bits:
        raise ValueError(f"radius: expected 0 to {query.hashes.bits}, got {reach}")
    short, other = query.collapsed(), reference.collapsed()
    pairs = find_pairs(short, other, reach, mirrored=mirrored)
    return align(short, other, pairs, reach, min_evidence, id=id, metadata=metadata)


def align(
    query: VideoHash,
    reference: VideoHash,
    pairs: Pairs,
    radius: int,
    min_evidence: float = ENOUGH_BITS,
    *,
    id: str = "",  # noqa: A002
    metadata: Metadata | None = None,
) -> VideoMatch:
    """Find the segments that pairs of matching rows make; see `match_videos`."""
    tracks = track_of(query), track_of(reference)
    kept = nearest_of(pairs.query_rows, pairs.reference_rows, pairs.distances)
    pairs = pairs.only(kept)
    segments = sorted(
        _segments(*tracks, pairs, radius, min_evidence), key=lambda s: s.query_start_s
    )
    return VideoMatch(
        id=id,
        score=max((s.score for s in segments), default=0.0),
        segments=tuple(segments),
        query_coverage=_coverage(
            [(s.query_start_s, s.query_end_s) for s in segments], tracks[0].duration_s
        ),
        reference_coverage=_coverage(
            [(s.reference_start_s, s.reference_end_s) for s in segments], tracks[1].duration_s
        ),
        metadata={} if metadata is None else metadata,
    )


def _segments(
    query: Track, reference: Track, pairs: Pairs, radius: int, min_evidence: float
) -> Iterator[VideoSegment]:
    weight = weights_of(pairs, radius, query.hashes.bits)
    left = np.ones(len(weight), np.bool_)
    in_vain = 0
    found = 0
    while left.any() and in_vain < _MOST_IN_VAIN and found < _MOST_SEGMENTS:
        alive = np.flatnonzero(left)
        line = best_line(query, reference, pairs, alive, weight)
        near = alive[distance_s(query, reference, pairs, alive, line) <= reach_of(reference)]
        if not near.size:
            return
        left[near] = False
        in_vain += 1
        for run in runs(query, reference, pairs, near):
            segment = _segment(query, reference, pairs, run, line, min_evidence)
            if segment is not None:
                in_vain = 0
                found += 1
                left[_inside(query, reference, pairs, segment)] = False
                left[_worse(pairs, run, _GHOST_BITS * query.hashes.bits)] = False
                yield segment


class _Witnesses(NamedTuple):
    """Frames of one side that match, of how many in the stretch, and how far apart they are."""

    n: int
    between: int
    distances: I32

    @classmethod
    def of(cls, track: Track, rows: I64, distances: I32) -> _Witnesses:
        order = np.argsort(rows, kind="stable")
        distinct, first = np.unique(rows[order], return_index=True)
        usable = int(track.usable[distinct[0] : distinct[-1] + 1].sum())
        nearest: I32 = np.minimum.reduceat(distances[order], first)
        return cls(len(distinct), max(len(distinct), usable), nearest)


def _segment(
    query: Track, reference: Track, pairs: Pairs, run: I64, line: Line, min_evidence: float
) -> VideoSegment | None:
    """Return what a run of pairs amounts to; None when that is too little."""
    bits = query.hashes.bits
    # The side with fewer frames is asked: most of the other's fall between its samples.
    ours = _Witnesses.of(query, pairs.query_rows[run], pairs.distances[run])
    theirs = _Witnesses.of(reference, pairs.reference_rows[run], pairs.distances[run])
    n, between, distances = min(ours, theirs, key=lambda one: one.between)
    start_s, end_s = _ends(query, reference, pairs, run, line)
    if end_s <= start_s:
        return None
    is_most = ours.n >= WHOLE_SHARE * max(1, int(query.usable.sum())) or (
        n >= WHOLE_SHARE * between and end_s - start_s >= WHOLE_SHARE * query.duration_s
    )
    if n < MIN_SHARE * between or (n < MIN_FRAMES and not is_most):
        return None
    span = Span(start_s, end_s, line.speed, line.offset_s)
    chance = chance_of_others(query, reference, pairs, span, 2 * reach_of(reference))
    moved = movement(reference, span.at(start_s), span.at(end_s))
    length_s = end_s - start_s
    evidence = weigh(distances, between, length_s, chance, moved, bits, is_most=is_most)
    if evidence < min_evidence:
        return None
    mean = float(distances.mean())
    transforms = np.bincount(pairs.transforms[run], minlength=len(TRANSFORMS))
    return VideoSegment(
        query_start_s=start_s,
        query_end_s=end_s,
        reference_start_s=min(reference.duration_s, max(0.0, span.at(start_s))),
        reference_end_s=min(reference.duration_s, span.at(end_s)),
        speed=line.speed,
        score=n / between * (1.0 - mean / (bits / 2)),
        evidence=evidence,
        frames=n,
        mean_distance=mean,
        transform=TRANSFORMS[int(transforms.argmax())],
    )


def _ends(
    query: Track, reference: Track, pairs: Pairs, run: I64, line: Line
) -> tuple[float, float]:
    """Return from when to when of the query a run goes: halfway to the samples beside it."""
    q, r = pairs.query_rows[run], pairs.reference_rows[run]
    half_s = reference.step_s / 2
    shown_s = (reference.start_s[r] - half_s - line.offset_s) / line.speed
    gone_s = (reference.end_s[r] + half_s - line.offset_s) / line.speed
    start_s = float(np.maximum(query.start_s[q], shown_s).min())
    end_s = float(np.minimum(query.end_s[q], gone_s).max())
    first, last = int(q[0]), int(q[-1])
    half_s = query.step_s / 2
    if start_s <= query.start_s[first]:
        before_s = query.end_s[first - 1] if first else 0.0
        start_s = max(start_s - half_s, (start_s + float(before_s)) / 2 if first else 0.0)
    if end_s >= query.end_s[last]:
        is_last = last + 1 == len(query.start_s)
        after_s = query.duration_s if is_last else (end_s + float(query.start_s[last + 1])) / 2
        end_s = min(end_s + half_s, after_s)
    # What the reference does not have is not in it.
    start_s = max(start_s, -line.offset_s / line.speed)
    end_s = min(end_s, (reference.duration_s - line.offset_s) / line.speed)
    return max(0.0, start_s), min(query.duration_s, end_s)


def _inside(query: Track, reference: Track, pairs: Pairs, segment: VideoSegment) -> Bits:
    """Which pairs lie within both stretches of a segment: it has explained them."""
    q, r = pairs.query_rows, pairs.reference_rows
    found: Bits = (
        (query.end_s[q] >= segment.query_start_s)
        & (query.start_s[q] <= segment.query_end_s)
        & (reference.end_s[r] >= segment.reference_start_s)
        & (reference.start_s[r] <= segment.reference_end_s)
    )
    return found


def _worse(pairs: Pairs, run: I64, margin: float) -> Bits:
    """Which pairs of a segment's frames are less alike than those that made it."""
    best = np.full(int(pairs.query_rows.max()) + 1, np.inf)
    np.minimum.at(best, pairs.query_rows[run], pairs.distances[run])
    found: Bits = np.isfinite(best[pairs.query_rows]) & (
        pairs.distances > best[pairs.query_rows] + margin
    )
    return found


def _coverage(spans: list[tuple[float, float]], duration_s: float) -> float:
    covered, end = 0.0, 0.0
    for start_s, end_s in sorted(spans):
        covered += max(0.0, end_s - max(end, start_s))
        end = max(end, end_s)
    return min(1.0, covered / duration_s) if duration_s else 0.0
