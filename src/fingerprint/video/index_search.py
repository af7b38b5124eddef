"""Which videos of an index a query has frames in common with, and where."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.errors import TruncatedSearchWarning
from fingerprint.hash_arrays import HashArray
from fingerprint.video.alignment import MIN_FRAMES, WHOLE_SHARE, align, match_videos
from fingerprint.video.frame_matches import FrameMatch, spans_of
from fingerprint.video.pairs import TRANSFORMS, merged, query_views, usable

if TYPE_CHECKING:
    from fingerprint.index.queries import Queries
    from fingerprint.results import VideoMatch
    from fingerprint.typing import F64, I64, Metadata
    from fingerprint.video.index_frames import Commit, FrameHits
    from fingerprint.video.index_records import StoredVideo
    from fingerprint.video.video_hash import VideoHash

__all__ = ["QueryFrames", "Wanted", "query_frames", "search_image", "search_videos"]

Accepts = Callable[["Metadata"], object]


class Wanted(NamedTuple):
    """What a search is to return: the best of at most so many candidates that are accepted."""

    accepts: Accepts | None
    candidates: int | None
    top: int | None
    min_evidence: float


class QueryFrames(NamedTuple):
    """A query's frames in all views in which they are looked up.

    ``views[i]`` is row ``rows[i]`` of ``video_hash`` seen as `TRANSFORMS[transforms[i]]`.
    """

    video_hash: VideoHash
    views: HashArray
    rows: I64
    transforms: I64
    mirrored: bool
    n_needed: int


class _Candidates(NamedTuple):
    """Videos in the order of their votes; the hits of the i-th are ``order[lims[i]:stops[i]]``."""

    videos: I64
    order: I64
    starts: I64
    stops: I64


def query_frames(video_hash: VideoHash, min_quality: int, *, mirrored: bool) -> QueryFrames:
    """Return what is to be looked up for a query, which is collapsed."""
    whole = usable(video_hash.hashes, min_quality)
    views, rows, transforms = [], [], []
    for name, view in query_views(video_hash, mirrored=mirrored).items():
        enough = usable(view, min_quality)
        if name.startswith("trimmed") and video_hash.trimmed is not None:
            # Without bars both are one hash: the same look-up again finds nothing more.
            same = (video_hash.trimmed.words == video_hash.hashes.words).all(axis=1)
            enough = enough & ~(whole & same)
        found = np.flatnonzero(enough)
        views.append(view[found])
        rows.append(found.astype(np.int64))
        transforms.append(np.full(found.size, TRANSFORMS.index(name), np.int64))
    # What `align` would not call a segment need not be looked at.
    needed = min(MIN_FRAMES, math.ceil(WHOLE_SHARE * max(1, int(whole.sum()))))
    return QueryFrames(
        video_hash,
        HashArray.concatenate(views),
        np.concatenate(rows),
        np.concatenate(transforms),
        mirrored,
        needed,
    )


def search_videos(
    commit: Commit, query: QueryFrames, radius: int, wanted: Wanted
) -> list[VideoMatch]:
    """Return the videos that a query has stretches in common with, best first."""
    hits = commit.within(query.views, radius)
    if not hits.owners.size:
        return []
    candidates = _candidates(hits, query, radius, commit.n_videos)
    found = []
    looked_at = 0
    for i, place in enumerate(candidates.videos.tolist()):
        if looked_at == wanted.candidates:
            warnings.warn(
                f"{len(candidates.videos)} videos have frames in common with the query; the "
                f"{looked_at} with the most were compared: candidates=None compares all",
                TruncatedSearchWarning,
                stacklevel=5,
            )
            break
        video = commit.video(place)
        if wanted.accepts is not None and not wanted.accepts(video.entry.metadata):
            continue
        looked_at += 1
        mine = candidates.order[candidates.starts[i] : candidates.stops[i]]
        match = _aligned(commit, video, query, hits, mine, radius, wanted.min_evidence)
        if match:
            found.append((-match.evidence, -match.query_coverage, place, match))
    return [match for *_, match in sorted(found, key=lambda one: one[:3])][: wanted.top]


def _candidates(hits: FrameHits, query: QueryFrames, radius: int, n_videos: int) -> _Candidates:
    """Let each frame of the query vote once for each video, the more the fewer it is found in.

    So frames that are everywhere, such as black or a logo, say little.
    """
    n_rows = len(query.video_hash)
    # One number a vote, to be sorted at once: video, row of the query, distance.
    votes = (hits.videos * n_rows + query.rows[hits.owners]) * (radius + 1) + hits.distances
    votes.sort()
    pairs = votes // (radius + 1)
    first = np.flatnonzero(np.diff(pairs, prepend=-1))
    pairs, distances = pairs[first], (votes[first] % (radius + 1))
    videos, rows = pairs // n_rows, pairs % n_rows
    found_in = np.bincount(rows, minlength=n_rows)
    weight = np.log1p(n_videos / np.maximum(1, found_in))[rows]
    weight *= 1.0 - distances / (2.0 * radius + 2.0)
    starts = np.flatnonzero(np.diff(videos, prepend=-1))
    total: F64 = np.add.reduceat(weight, starts)
    is_enough = np.diff(starts, append=videos.size) >= query.n_needed
    named, total = videos[starts][is_enough], total[is_enough]
    best = named[np.lexsort((named, -total))]
    order = np.argsort(hits.videos, kind="stable")
    of_hits = hits.videos[order]
    return _Candidates(
        best, order, np.searchsorted(of_hits, best), np.searchsorted(of_hits, best, side="right")
    )


def _aligned(
    commit: Commit,
    video: StoredVideo,
    query: QueryFrames,
    hits: FrameHits,
    mine: I64,
    radius: int,
    min_evidence: float,
) -> VideoMatch:
    """Return what `match_videos` says of a query and a video, from what was found already."""
    name, reference, metadata = video.entry.id, video.entry.video_hash, video.entry.metadata
    if len(reference.collapsed()) != len(reference):  # The rows that were found are too many.
        return match_videos(
            query.video_hash,
            reference,
            radius=radius,
            mirrored=query.mirrored,
            min_evidence=min_evidence,
            id=name,
            metadata=metadata,
        )
    mine = commit.checked(video, query.views, hits, mine)
    owners, offsets = hits.owners[mine], hits.offsets[mine]
    pairs = merged(
        query.rows[owners],
        video.frames.rows[offsets],
        hits.distances[mine],
        query.transforms[owners],
    )
    return align(
        query.video_hash, reference, pairs, radius, min_evidence, id=name, metadata=metadata
    )


def search_image(
    commit: Commit, queries: Queries, radius: int, accepts: Accepts | None, top: int | None
) -> list[FrameMatch]:
    """Return the videos that show a picture, nearest first."""
    hits = commit.within(queries.array, radius)
    found: list[FrameMatch] = []
    for place, mine in _nearest_videos(hits):
        if top is not None and len(found) == top:
            break
        video = commit.video(place)
        mine = commit.checked(video, queries.array, hits, mine)
        if not mine.size or (accepts is not None and not accepts(video.entry.metadata)):
            continue
        offsets, distances = hits.offsets[mine], hits.distances[mine]
        nearest = int(np.lexsort((hits.owners[mine], distances))[0])
        view = int(hits.owners[mine[nearest]])
        quality = int(video.frames.hashes.quality[offsets[nearest]])
        known = [one for one in (quality, queries.qualities[view]) if one >= 0]
        rows = video.frames.rows[offsets].tolist()
        spans = spans_of(video.entry.video_hash, zip(rows, distances.tolist(), strict=True))
        found.append(
            FrameMatch(
                video.entry.id,
                int(distances[nearest]),
                min(known, default=None),
                queries.names[view],
                tuple(spans),
                video.entry.metadata,
            )
        )
    return found


def _nearest_videos(hits: FrameHits) -> Iterator[tuple[int, I64]]:
    """Yield the videos that were hit, by their nearest frame, and the places of their hits."""
    order = np.lexsort((hits.distances, hits.videos))
    videos = hits.videos[order]
    starts = np.flatnonzero(np.diff(videos, prepend=-1))
    stops = np.append(starts[1:], videos.size)
    for i in np.lexsort((videos[starts], hits.distances[order][starts])).tolist():
        yield int(videos[starts[i]]), order[starts[i] : stops[i]]
