"""Frames of many videos in one index: which are near, and which videos they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from fingerprint.errors import CorruptIndexError, UnknownIdError, redacted
from fingerprint.index.entries import is_numbered, is_storable
from fingerprint.index.search import numbers_within
from fingerprint.index.searchable import Searchable
from fingerprint.index.store import EntryGoneError
from fingerprint.video.index_records import StoredVideo, read_record

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.hashes import Kind
    from fingerprint.index.backends import Backend
    from fingerprint.index.store import Frozen, Records, Store
    from fingerprint.index.view import State, View
    from fingerprint.typing import I32, I64

__all__ = ["Commit", "FrameHits", "Frames"]

T = TypeVar("T")

_LIVE_ATTEMPTS = 4
_FROZEN_ATTEMPTS = 20


class FrameHits(NamedTuple):
    """Frames within reach of queries, as arrays of one length.

    ``owners`` are places of queries, ``videos`` places in the commit's list of videos,
    ``offsets`` count the video's entries from its record.
    """

    owners: I64
    videos: I64
    offsets: I64
    distances: I32


class Frames(Searchable):
    """The index of a video index: what is asked of it, it answers of one commit."""

    def __init__(self, store: Store) -> None:
        self._begin(store)
        self._contents = _Contents()

    @property
    def store(self) -> Store:
        """Where the entries are kept."""
        return self._store

    @property
    def kind(self) -> Kind:
        """Algorithm, version and bits."""
        return self._store.facts.kind

    def reach(self, radius: int | None) -> int:
        """Return a radius, checked; the algorithm's for None."""
        return self._radius(radius)

    def ask(self, question: Callable[[Commit], T]) -> T:
        """Answer from one commit: again when what it found was removed meanwhile."""
        for _ in range(_LIVE_ATTEMPTS):
            view, records = self._store.latest()
            firsts = self._contents.of(view.state)
            if firsts is None:
                self._learn()
                continue
            try:
                return question(self._commit(view, records, firsts))
            except EntryGoneError:
                continue
        for _ in range(_FROZEN_ATTEMPTS):
            try:
                with self._store.frozen() as frozen:
                    firsts = self._contents.learn(frozen)
                    return question(self._commit(frozen.view, frozen.records, firsts))
            except EntryGoneError:
                continue
        raise CorruptIndexError(self._store.where, "frames are found that the catalog has not")

    def _commit(self, view: View, records: Records, firsts: I64) -> Commit:
        return Commit(view, records, firsts, self._promise, self.kind, self._store.where)

    def _learn(self) -> None:
        try:
            with self._store.frozen() as frozen:
                self._contents.learn(frozen)
        except EntryGoneError:
            return  # Another thread is ahead.

    def stored(self, id: str) -> tuple[int, StoredVideo]:  # noqa: A002
        """Return the number of a video's record and the video, or raise UnknownIdError."""
        is_id = isinstance(id, str) and is_storable(id) and not is_numbered(id)
        row = self._store.find(id) if is_id else None
        if row is None:
            raise UnknownIdError(f"id {id!r} is not in the index")
        return row.seq, read_record(id, row.metadata, self.kind, self._store.where)

    def has(self, id: object) -> bool:  # noqa: A002
        """Return whether there is a video of this id."""
        return isinstance(id, str) and not is_numbered(id) and id in self

    def names(self) -> list[str]:
        """Return the ids of all videos in the order of addition."""
        with self._store.frozen() as frozen:
            return list(frozen.named().values())


class Commit:
    """One committed state of a video index."""

    def __init__(
        self,
        view: View,
        records: Records,
        firsts: I64,
        promise: Backend | None,
        kind: Kind,
        where: str,
    ) -> None:
        self._view = view
        self._records = records
        self._firsts = firsts
        self._promise = promise
        self._kind = kind
        self._where = where

    @property
    def n_videos(self) -> int:
        """How many videos there are, or more: some may have been removed."""
        return self._firsts.size

    def within(self, queries: HashArray, radius: int) -> FrameHits:
        """Return all frames within ``radius`` of each query, by query, nearest first."""
        owners, numbers, distances = numbers_within(self._view, self._promise, queries, radius)
        videos = np.searchsorted(self._firsts, numbers, side="right") - 1
        known = videos >= 0
        if not known.all():  # Left over from a record that was damaged.
            owners, numbers, distances = owners[known], numbers[known], distances[known]
            videos = videos[known]
        return FrameHits(owners, videos, numbers - self._firsts[videos], distances)

    def video(self, place: int) -> StoredVideo:
        """Read a video; EntryGoneError when it was removed meanwhile."""
        seq = int(self._firsts[place])
        record = self._records([seq])[seq]
        return read_record(record.name, record.metadata, self._kind, self._where)

    def checked(self, video: StoredVideo, queries: HashArray, hits: FrameHits, mine: I64) -> I64:
        """Return which of some hits are a video's: others are left over from damaged records.

        Raises
        ------
        CorruptIndexError
            A segment found what the record does not say.
        """
        mine = mine[hits.offsets[mine] < video.n_frames]
        own, asked = video.frames.hashes.words, queries.words
        apart = np.bitwise_count(own[hits.offsets[mine]] ^ asked[hits.owners[mine]]).sum(axis=1)
        if (apart != hits.distances[mine]).any():
            name = redacted(video.entry.id)
            raise CorruptIndexError(
                self._where,
                f"a segment holds another hash than the record of video {name!r}; "
                "VideoIndex.rebuild mends it",
            )
        return mine


class _Known(NamedTuple):
    version: int
    next_seq: int
    firsts: I64
    n_at_first: int

    def covers(self, state: State) -> bool:
        """Whether a commit can have no other records than these."""
        # An older commit may have had some that were gone when the later ones were read.
        return self.version <= state.version and state.next_seq <= self.next_seq


_NOTHING = _Known(-1, 1, np.empty(0, np.int64), 0)


class _Contents:
    """The numbers of all records, ascending; a number stands for the same video for ever.

    So those that were removed do no harm, and only what was added is ever read. Threads
    that learn at the same time do the same twice, and either result is right.
    """

    def __init__(self) -> None:
        self._known = _NOTHING

    def of(self, state: State) -> I64 | None:
        """Return the numbers for a commit, or None when it may have others."""
        known = self._known
        return known.firsts if known.covers(state) else None

    def learn(self, frozen: Frozen) -> I64:
        """Read what was added, from a commit that is held, and return all numbers for it."""
        known, state = self._known, frozen.view.state
        if known.covers(state):
            return known.firsts
        if state.version < known.version:
            return np.array(list(frozen.named()), np.int64)
        if known.firsts.size > 2 * known.n_at_first + 1024:  # Perhaps most were removed.
            known = _NOTHING
        new = np.array(list(frozen.named(known.next_seq - 1)), np.int64)
        firsts = np.concatenate([known.firsts, new])
        n_at_first = known.n_at_first or firsts.size
        self._known = _Known(state.version, state.next_seq, firsts, n_at_first)
        return firsts
