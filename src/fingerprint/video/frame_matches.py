"""A picture among videos' frames, and a video's frames among pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.index.entries import incompatible
from fingerprint.video.pairs import TRANSFORMS, query_views, usable

if TYPE_CHECKING:
    from fingerprint.hashes import Hash
    from fingerprint.index import Index
    from fingerprint.index.queries import Where
    from fingerprint.results import Match
    from fingerprint.typing import Metadata
    from fingerprint.video.video_hash import VideoHash

__all__ = ["FrameMatch", "FrameSpan", "match_frames", "spans_of"]


class FrameSpan(NamedTuple):
    """When a video shows a picture: seconds, and the nearest distance in bits."""

    start_s: float
    end_s: float
    distance: int


@dataclass(frozen=True, slots=True)
class FrameMatch:
    """A picture that a video shows: evidence, not a verdict.

    Parameters
    ----------
    id : str
        Of the video, where a picture was looked for among videos; of the picture,
        where a video's frames were looked for among pictures.
    distance : int
        Of the nearest frame, in bits.
    quality : int or None
        The lower of the two qualities there, 0 to 100; None when neither is known.
    transform : str
        Which view of the query the nearest frame was found with.
    spans : tuple of FrameSpan
        When the video shows it, nearest first. Neighbouring rows make one span.
    metadata : mapping
        What was stored under the id.
    """

    id: str
    distance: int
    quality: int | None
    transform: str
    spans: tuple[FrameSpan, ...]
    metadata: Metadata = field(default_factory=dict)


def spans_of(video_hash: VideoHash, rows_distances: Iterable[tuple[int, int]]) -> list[FrameSpan]:
    """Return when rows are shown, with their distances: nearest first, neighbours as one."""
    nearest: dict[int, int] = {}
    for row, distance in rows_distances:
        nearest[row] = min(distance, nearest.get(row, distance))
    spans: list[FrameSpan] = []
    last = -2
    for row, distance in sorted(nearest.items()):
        start_s, end_s = float(video_hash.start_s[row]), float(video_hash.end_s[row])
        if row == last + 1:
            before = spans.pop()
            start_s, end_s = before.start_s, max(before.end_s, end_s)
            distance = min(distance, before.distance)
        spans.append(FrameSpan(start_s, end_s, distance))
        last = row
    return sorted(spans, key=lambda span: (span.distance, span.start_s))


def match_frames(
    video_hash: VideoHash,
    index: Index,
    *,
    radius: int | None = None,
    mirrored: bool = True,
    where: Where | None = None,
) -> list[FrameMatch]:
    """Find the pictures of an index that a video shows.

    Parameters
    ----------
    video_hash : VideoHash
        The video. Frames with too little in them, by the algorithm's ``min_quality``,
        are passed over.
    index : Index
        A list of pictures.
    radius : int, optional
        Bits, inclusive; the algorithm's published one by default.
    mirrored : bool
        Also look for frames with left and right exchanged (PDQ only).
    where : mapping or callable, optional
        As for `Index.within`.

    Returns
    -------
    list of FrameMatch
        One a picture, nearest first, then in the order in which they are shown.

    Raises
    ------
    IncompatibleHashError
        The index holds hashes of another algorithm.
    """
    mine = (index.algorithm, index.version, index.bits)
    if video_hash.kind != mine:
        raise incompatible(mine, video_hash.kind)
    queries: list[dict[str, Hash]] = [{} for _ in range(len(video_hash))]
    for name, view in query_views(video_hash, mirrored=mirrored).items():
        for row in np.flatnonzero(usable(view, index.min_quality)).tolist():
            queries[row][name] = view[row]
    rows = [row for row, views in enumerate(queries) if views]
    if not rows:
        return []
    found: dict[str, list[tuple[int, Match]]] = {}
    matches = index.within_many([queries[row] for row in rows], radius, where=where)
    for row, of_row in zip(rows, matches, strict=True):
        for match in of_row:
            found.setdefault(match.id, []).append((row, match))
    results = []
    for name, hits in found.items():
        _, best = min(hits, key=lambda hit: (hit[1].distance, TRANSFORMS.index(hit[1].transform)))
        spans = spans_of(video_hash, ((row, match.distance) for row, match in hits))
        results.append(
            FrameMatch(
                name, best.distance, best.quality, best.transform, tuple(spans), best.metadata
            )
        )
    return sorted(results, key=lambda one: (one.distance, one.spans[0].start_s))
