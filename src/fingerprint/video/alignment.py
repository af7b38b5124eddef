"""Where one video is in another: frames that look alike, put in order of time.

Matching frames vote for lines ``reference time = speed · query time + offset`` (a Hough
transform, as in temporal Hough voting: Douze et al., "An image-based approach to video
copy detection", 2010). What follows the best line is cut into segments, its frames are
taken out, and the rest votes again: so a query may hold several stretches, in any order
and more than once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.algorithms import get_algorithm
from fingerprint.errors import UnknownAlgorithmError
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
from fingerprint.video.pairs import TRANSFORMS, Pairs, find_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fingerprint.typing import I32, I64, Bits, Metadata
    from fingerprint.video.video_hash import VideoHash

__all__ = ["MIN_FRAMES", "align", "default_radius", "match_videos"]

MIN_FRAMES = 3
"""Distinct frames that must follow a line; fewer only if they are most of the query."""

MIN_SHARE = 0.25
"""Of the query's frames between the first and the last of a segment that must match."""

WHOLE_SHARE = 0.8
"""Of the query's frames: a segment of this share needs no `MIN_FRAMES`."""

_MAX_LINES = 200

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
        Sampled by time or by change, one to four frames a second: `every`, `changes`.
        The finer of the two decides how exactly the ends of a stretch are found.
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

    Raises
    ------
    IncompatibleHashError
        They are of different algorithms.
    """
    require_same_kind(query.hashes, reference.hashes)
    reach = default_radius(query.hashes.algorithm) if radius is None else radius
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
    for _ in range(_MAX_LINES):
        if not left.any():
            return
        alive = np.flatnonzero(left)
        line = best_line(query, reference, pairs, alive, weight)
        near = alive[distance_s(query, reference, pairs, alive, line) <= reach_of(reference)]
        if not near.size:
            return
        left[near] = False
        for run in runs(query, pairs, near):
            segment = _segment(query, reference, pairs, run, line, min_evidence)
            if segment is not None:
                left[_inside(query, reference, pairs, segment)] = False
                left[_worse(pairs, run, _GHOST_BITS * query.hashes.bits)] = False
                yield segment


def _segment(
    query: Track, reference: Track, pairs: Pairs, run: I64, line: Line, min_evidence: float
) -> VideoSegment | None:
    """Return what a run of pairs amounts to; None when that is too little."""
    bits = query.hashes.bits
    rows, first = np.unique(pairs.query_rows[run], return_index=True)
    between = max(len(rows), int(query.usable[rows[0] : rows[-1] + 1].sum()))
    is_most = len(rows) >= WHOLE_SHARE * max(1, int(query.usable.sum()))
    if len(rows) < MIN_SHARE * between or (len(rows) < MIN_FRAMES and not is_most):
        return None
    start_s, end_s = _ends(query, reference, pairs, run, line)
    if end_s <= start_s:
        return None
    distances: I32 = np.minimum.reduceat(pairs.distances[run], first)
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
        score=len(rows) / between * (1.0 - mean / (bits / 2)),
        evidence=evidence,
        frames=len(rows),
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
