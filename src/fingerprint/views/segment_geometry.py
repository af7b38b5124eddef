"""Where segments lie in pictures, and which pairs of them one scale and shift explains."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from fingerprint.hash_arrays import SegmentHashes
from fingerprint.hashes import Hash
from fingerprint.results import Match

if TYPE_CHECKING:
    from fingerprint.typing import F64, Bits, Metadata

__all__ = [
    "MOST_SEGMENTS",
    "SEGMENT",
    "SEGMENTS",
    "Pair",
    "Placed",
    "agreeing",
    "checked_size",
    "match_of",
    "own_metadata",
    "place",
    "place_of",
]

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of the picture."""

SEGMENT = "fingerprint.segment"
"""Metadata of an entry: where its segment lies, and the width of the picture by its height."""

SEGMENTS = "fingerprint.segments"
"""Metadata of a picture's first entry: how many it has."""

TOLERANCE = 0.05
"""How far edges may be from where scale and shift put them: share of the larger picture."""

MOST_STRETCH = 1.5
"""How much more a copy may be stretched one way than the other."""

SAME_PLACE = 0.5
"""Boxes that share more of their union are one place: it is evidence once."""

MOST_SEGMENTS = 16
"""The largest of a picture that are used: they bound the time that a pair of pictures takes."""

DIGITS = 5
"""Of shares and aspects."""

NEARLY = 1e-9
"""What floating point may add to a number that is at one of the limits."""


class Placed(NamedTuple):
    """Hashes of segments, where they lie, and the width of the picture by its height."""

    hashes: list[Hash]
    boxes: list[Box]
    aspect: float


class Pair(NamedTuple):
    """A segment of the query and one of a picture that look alike; boxes are shares."""

    distance: int
    query: int
    reference: int
    query_box: Box
    reference_box: Box
    quality: int | None = None


def agreeing(pairs: Iterable[Pair], aspect: float) -> list[Pair]:
    """Return the most pairs that one scale and shift of the picture explains.

    Each pair's own scale and shift is tried. Of what it explains the nearest pairs are
    taken first, and none with a segment or a place that was taken.

    Parameters
    ----------
    pairs : iterable of Pair
        Of one query with one picture.
    aspect : float
        Width by height of the query, by that of the picture.

    Returns
    -------
    list of Pair
        The nearest first. Of two sets as large the one with less distance on average, then
        that found from the nearer pair.
    """
    ordered = sorted(pairs, key=lambda pair: pair[:3])
    if not ordered:
        return []
    query = np.array([pair.query_box for pair in ordered])
    reference = np.array([pair.reference_box for pair in ordered])
    fits = _fits(query, reference, aspect)
    same = _same_place(query) | _same_place(reference)
    best: list[int] = []
    for members in fits:
        if members.sum() < len(best):
            continue
        chosen = _distinct(np.flatnonzero(members).tolist(), same)
        if _rank(chosen, ordered) < _rank(best, ordered):
            best = chosen
    return [ordered[i] for i in best]


def _rank(chosen: Sequence[int], pairs: Sequence[Pair]) -> tuple[int, float]:
    return -len(chosen), sum(pairs[i].distance for i in chosen) / max(1, len(chosen))


def _fits(query: F64, reference: F64, aspect: float) -> Bits:
    """Return for each pair, as a row, which pairs its scale and shift explain."""
    scale = (query[:, 2:] - query[:, :2]) / (reference[:, 2:] - reference[:, :2])
    shift = query[:, :2] - scale * reference[:, :2]
    put = np.tile(scale, 2)[:, None] * reference + np.tile(shift, 2)[:, None]
    reach = TOLERANCE * np.tile(np.minimum(scale, 1), 2)[:, None]
    near = (np.abs(put - query) <= reach + NEARLY).all(axis=2)
    stretch = scale[:, 0] * aspect / scale[:, 1]
    even = (stretch <= MOST_STRETCH + NEARLY) & (stretch >= 1 / MOST_STRETCH - NEARLY)
    return np.asarray(near & even[:, None])


def _same_place(boxes: F64) -> Bits:
    """Return which boxes, (n, 4), share so much that they are one place."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    shared = np.clip(
        np.minimum(high, boxes[None, :, 2:]) - np.maximum(low, boxes[None, :, :2]), 0, None
    ).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray(shared > (SAME_PLACE + NEARLY) * (area[:, None] + area - shared))


def _distinct(members: Sequence[int], same: Bits) -> list[int]:
    """Return the first members, each place once; and so each segment, which is at one place."""
    chosen: list[int] = []
    for i in members:
        if not same[i, chosen].any():
            chosen.append(i)
    return chosen


def match_of(name: str, agreed: Sequence[Pair], metadata: Metadata) -> Match:
    """Return the match that pairs of segments with one picture are."""
    n = len(agreed)
    known = [pair.quality for pair in agreed if pair.quality is not None]
    return Match(
        name,
        round(sum(pair.distance for pair in agreed) / n),
        min(known, default=None),
        "1 segment" if n == 1 else f"{n} segments",
        metadata,
    )


def place(segments: SegmentHashes, size_px: tuple[int, int], min_quality: int) -> Placed:
    """Return the largest segments that have enough in them, in their order.

    Raises
    ------
    ValueError
        There is not a box for each segment, or one is not within the picture.
    """
    if len(segments.boxes) != len(segments.segments):
        raise ValueError(
            f"source: expected a box for each of {len(segments.segments)} segments, "
            f"got {len(segments.boxes)}"
        )
    usable = {}
    for n, (box, one) in enumerate(zip(segments.boxes, segments.segments, strict=True)):
        share = _share(box, size_px)
        if _area(share) > 0 and (one.quality is None or one.quality >= min_quality):
            usable[n] = share, one
    largest = sorted(usable, key=lambda n: (-_area(usable[n][0]), n))[:MOST_SEGMENTS]
    chosen = [usable[n] for n in sorted(largest)]
    aspect = round(size_px[0] / size_px[1], DIGITS)
    return Placed([one for _, one in chosen], [share for share, _ in chosen], aspect)


def checked_size(size_px: object) -> tuple[int, int]:
    """Return width and height, or raise ValueError."""
    if (
        not isinstance(size_px, tuple)
        or len(size_px) != 2
        or not all(isinstance(n, int) and n > 0 for n in size_px)
    ):
        raise ValueError(f"size_px: expected (width, height) of the picture, got {size_px!r}")
    return size_px[0], size_px[1]


def _share(box: Sequence[int], size_px: tuple[int, int]) -> Box:
    left, top, right, bottom = (round(edge / size_px[i % 2], DIGITS) for i, edge in enumerate(box))
    if not (0 <= left <= right <= 1 and 0 <= top <= bottom <= 1):
        raise ValueError(f"box: expected one within a picture of {size_px} pixels, got {box}")
    return left, top, right, bottom


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def place_of(metadata: Metadata) -> tuple[Box, float] | None:
    """Return box and aspect of an entry; None where there is none: others may have written it."""
    found: Any = metadata.get(SEGMENT)
    try:
        left, top, right, bottom = map(float, found["box"])
        aspect = float(found["aspect"])
    except (KeyError, TypeError, ValueError):
        return None
    good = 0 <= left < right <= 1 and 0 <= top < bottom <= 1 and 0 < aspect < math.inf
    return ((left, top, right, bottom), aspect) if good else None


def own_metadata(metadata: Metadata) -> dict[str, Any]:
    """Return what the user stored with a picture."""
    return {key: value for key, value in metadata.items() if key not in (SEGMENT, SEGMENTS)}
