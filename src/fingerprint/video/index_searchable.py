"""What can be asked of a video index, wherever its videos are kept."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.errors import LowQualityWarning
from fingerprint.index.entries import incompatible
from fingerprint.index.queries import Query, Where, filter_of, queries_of
from fingerprint.video.evidence import ENOUGH_BITS
from fingerprint.video.frame_matches import FrameMatch
from fingerprint.video.index_frames import Frames
from fingerprint.video.index_records import VideoEntry
from fingerprint.video.index_search import Wanted, query_frames, search_image, search_videos
from fingerprint.video.video_hash import VideoHash

if TYPE_CHECKING:
    from fingerprint.index.store import Store
    from fingerprint.results import VideoMatch

__all__ = ["VideoSearchable"]


class VideoSearchable:
    """The reading half of `fingerprint.VideoIndex`."""

    def _begin(self, store: Store) -> None:
        self._frames = Frames(store)
        self._store = store
        self.algorithm, self.version, self.bits = store.facts.kind
        self.default_radius = self._frames.default_radius
        self.min_quality = self._frames.min_quality

    def get(self, id: str) -> VideoEntry:  # noqa: A002
        """Return the video with this id, or raise UnknownIdError."""
        _, video = self._frames.stored(id)
        return video.entry

    def search(
        self,
        query: VideoHash,
        *,
        radius: int | None = None,
        top: int | None = None,
        mirrored: bool = True,
        min_evidence: float = ENOUGH_BITS,
        where: Where | None = None,
        candidates: int | None = 200,
    ) -> list[VideoMatch]:
        """Find the videos that a query has stretches in common with, and where these are.

        Its frames are looked up among all frames, as they are, without their bars, and
        mirrored. Videos that enough of them are found in are compared with the query in
        the order of time, as `match_videos` does.

        Parameters
        ----------
        query : VideoHash
            Sampled by time, one or more frames a second.
        radius : int, optional
            Bits, inclusive, within which two frames look alike; the algorithm's published
            one by default.
        top : int, optional
            At most so many results; all by default.
        mirrored : bool
            Also look for the query with left and right exchanged (PDQ only).
        min_evidence : float
            As for `match_videos`.
        where : mapping or callable, optional
            As for `fingerprint.Index.within`: which videos are wanted, by metadata.
        candidates : int, optional
            At most so many videos, those with the most frames in common, are compared in
            the order of time, which takes a few milliseconds each; None: all.

        Returns
        -------
        list of VideoMatch
            Most evidence first, each what `match_videos` says of the query and that video.

        Warns
        -----
        LowQualityWarning
            No frame of the query has enough in it to be looked up.
        TruncatedSearchWarning
            There were more candidates; some that match may be missing.

        Raises
        ------
        IncompatibleHashError
            The query is of another algorithm, version or size.
        UnsupportedOperationError
            The backend cannot promise this radius.
        CorruptIndexError
            Damage stands in the way of an answer.
        """
        if query.kind != self._frames.kind:
            raise incompatible(self._frames.kind, query.kind)
        most = None if candidates is None else _count("candidates", candidates)
        wanted = Wanted(filter_of(where), most, _top(top), min_evidence)
        reach = self._frames.reach(radius)
        asked = query_frames(query.collapsed(), self.min_quality, mirrored=mirrored)
        if len(query) and not len(asked.views):
            warnings.warn(
                f"none of the query's frames has a quality of {self.min_quality} or more: "
                "nothing can be found",
                LowQualityWarning,
                stacklevel=2,
            )
        return self._frames.ask(lambda commit: search_videos(commit, asked, reach, wanted))

    def search_image(
        self,
        query: Query,
        *,
        radius: int | None = None,
        top: int | None = None,
        where: Where | None = None,
    ) -> list[FrameMatch]:
        """Find the videos that show a picture, and when.

        Parameters
        ----------
        query : Hash, or mapping of str to Hash
            The picture, or several views of it as `fingerprint.hash_dihedral` returns them.
        radius, where
            As for `search`.
        top : int, optional
            At most so many videos, the nearest; all by default.

        Returns
        -------
        list of FrameMatch
            One a video, nearest first, then in the order of addition.

        Warns
        -----
        LowQualityWarning
            The picture has less information than its algorithm asks for: what it
            matches, it may match by chance.

        Raises
        ------
        IncompatibleHashError, UnsupportedOperationError, CorruptIndexError
            As for `search`.
        """
        queries = queries_of([query], self._frames.kind, self.min_quality)
        reach, accepts, most = self._frames.reach(radius), filter_of(where), _top(top)
        return self._frames.ask(lambda commit: search_image(commit, queries, reach, accepts, most))

    def info(self, radius: int | None = None) -> dict[str, Any]:
        """Return what it holds and how it searches, as plain values.

        ``"entries"`` are frames and records; the rest is told of in
        `fingerprint.Index.info`.
        """
        return {"videos": len(self), **self._frames.info(radius)}

    def __len__(self) -> int:
        return len(self._frames.names())

    def __contains__(self, id: object) -> bool:  # noqa: A002
        return self._frames.has(id)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids in the order of addition, as they are now."""
        return iter(self._frames.names())

    def __repr__(self) -> str:
        return f"<VideoIndex {self.algorithm} {self._store.where}>"


def _top(top: int | None) -> int | None:
    return None if top is None else _count("top", top)


def _count(name: str, value: int) -> int:
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name}: expected a whole number from 1, got {value!r}")
    return int(value)
