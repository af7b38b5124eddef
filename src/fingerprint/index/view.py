"""What a search sees: immutable parts, each with its removed rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.hash_arrays import HashArray
from fingerprint.index.backends.linear import LinearBackend

if TYPE_CHECKING:
    from fingerprint.hashes import Kind
    from fingerprint.index.backends import Backend
    from fingerprint.typing import I8, I64, U64, Bits

__all__ = ["Part", "Rows", "State", "Tail", "View", "array_of", "is_among", "words_of"]

_NONE: I64 = np.empty(0, np.int64)
_FIRST_ROOM = 64
_ROWS_AT_ONCE = 1 << 18


class Rows(NamedTuple):
    """Entries as the search sees them: sequence numbers (ascending), hashes, qualities."""

    seqs: I64
    words: U64
    quality: I8

    @classmethod
    def empty(cls, bits: int, n: int = 0) -> Rows:
        """Return room for n rows."""
        words = np.empty((n, words_of(bits)), np.uint64)
        return cls(np.empty(n, np.int64), words, np.empty(n, np.int8))

    @classmethod
    def concatenate(cls, chunks: Sequence[Rows]) -> Rows:
        """Join rows, in order."""
        return cls(
            np.concatenate([rows.seqs for rows in chunks]),
            np.concatenate([rows.words for rows in chunks]),
            np.concatenate([rows.quality for rows in chunks]),
        )

    def put(self, first: int, rows: Rows) -> None:
        """Overwrite rows from one on."""
        stop = first + rows.seqs.size
        self.seqs[first:stop] = rows.seqs
        self.words[first:stop] = rows.words
        self.quality[first:stop] = rows.quality

    def at(self, where: slice | Bits | I64) -> Rows:
        """Return some of them."""
        return Rows(self.seqs[where], self.words[where], self.quality[where])


class State(NamedTuple):
    """The counters that every commit moves.

    ``version`` counts commits, ``manifest`` changes of the list of segments, ``entries``
    those that are alive; ``sealed`` is the greatest sequence number that is in a segment,
    ``removals`` the number of the last removal.
    """

    version: int = 0
    manifest: int = 0
    entries: int = 0
    next_seq: int = 1
    sealed: int = 0
    removals: int = 0


def words_of(bits: int) -> int:
    """Return how many 64-bit words hold so many bits."""
    return (bits + 63) // 64


def array_of(kind: Kind, rows: Rows) -> HashArray:
    """Wrap the hashes of some rows."""
    algorithm, version, bits = kind
    return HashArray.from_words(
        rows.words, algorithm, bits=bits, quality=rows.quality, version=version
    )


def is_among(some: I64, values: I64) -> Bits:
    """Return which of the values are in ``some``, which is ascending."""
    if not some.size:
        return np.zeros(values.size, bool)
    at = np.searchsorted(some, values)
    at[at == some.size] = 0
    found: Bits = some[at] == values
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """Rows under one search structure.

    ``removed`` are the rows that no search may report any more, ascending; ``where``
    is the directory of a segment, for messages.
    """

    backend: Backend
    rows: Rows
    removed: I64 = field(default_factory=lambda: _NONE)
    name: str = ""
    where: str = ""
    nbytes_on_disk: int = 0

    def __len__(self) -> int:
        return self.rows.seqs.size

    @property
    def n_alive(self) -> int:
        """Rows that were not removed."""
        return len(self) - self.removed.size

    def without(self, seqs: I64) -> Part:
        """Return this part with more rows removed: those of its own among ``seqs``."""
        rows = _rows_of(self.rows.seqs, seqs)
        return replace(self, removed=np.union1d(self.removed, rows)) if rows.size else self

    def alive_rows(self) -> Iterator[Rows]:
        """Yield the rows that were not removed, some hundred thousand at a time."""
        return _alive(self.rows, self.removed)

    @property
    def removed_seqs(self) -> I64:
        """Sequence numbers of the removed rows, ascending."""
        return self.rows.seqs[self.removed]


def _rows_of(own: I64, seqs: I64) -> I64:
    if not own.size or not seqs.size:
        return _NONE
    rows = np.searchsorted(own, seqs)
    known = rows < own.size
    rows = rows[known]
    found: I64 = rows[own[rows] == seqs[known]]
    return found


def _alive(rows: Rows, removed: I64) -> Iterator[Rows]:
    alive = np.ones(rows.seqs.size, bool)
    alive[removed] = False
    for first in range(0, rows.seqs.size, _ROWS_AT_ONCE):
        here = slice(first, first + _ROWS_AT_ONCE)
        whole = alive[here].all()
        yield rows.at(here) if whole else rows.at(here).at(alive[here])


@dataclass(frozen=True, slots=True)
class Tail:
    """Rows that are in no segment yet: they are scanned.

    The arrays have room at the end, shared between a tail and those that grew from
    it. Only the newest is ever appended to, so no row that a tail can see changes.
    """

    room: Rows
    n: int = 0
    removed: I64 = field(default_factory=lambda: _NONE)

    @classmethod
    def empty(cls, bits: int) -> Tail:
        """Return a tail of no rows."""
        return cls(Rows.empty(bits))

    @property
    def rows(self) -> Rows:
        """All its rows, the removed ones too."""
        return self.room.at(slice(0, self.n))

    def appended(self, rows: Rows) -> Tail:
        """Return this tail with rows added at the end."""
        stop = self.n + rows.seqs.size
        room = self.room if stop <= self.room.seqs.size else self._larger_room(stop)
        room.put(self.n, rows)
        return Tail(room, stop, self.removed)

    def _larger_room(self, n: int) -> Rows:
        size = max(n, self.n * 3 // 2, _FIRST_ROOM)
        room = Rows.empty(64 * self.room.words.shape[1], size)
        room.put(0, self.rows)
        return room

    def without(self, seqs: I64) -> Tail:
        """Return this tail with more rows removed: those of its own among ``seqs``."""
        rows = _rows_of(self.room.seqs[: self.n], seqs)
        return replace(self, removed=np.union1d(self.removed, rows)) if rows.size else self

    def after(self, sealed: int) -> Tail:
        """Return this tail without the rows up to a sequence number."""
        first = int(np.searchsorted(self.room.seqs[: self.n], sealed, side="right"))
        if not first:
            return self
        room = Rows.concatenate([self.rows.at(slice(first, None))])  # A copy.
        return Tail(room, self.n - first, self.removed[self.removed >= first] - first)

    @property
    def n_alive(self) -> int:
        """Rows that were not removed."""
        return self.n - self.removed.size

    def alive_rows(self) -> Iterator[Rows]:
        """Yield the rows that were not removed."""
        return _alive(self.rows, self.removed)


@dataclass(frozen=True)
class View:
    """The entries of one committed state: segments in order, then the tail."""

    kind: Kind
    segments: tuple[Part, ...]
    tail: Tail
    state: State

    @classmethod
    def empty(cls, kind: Kind) -> View:
        """Return the view of nothing."""
        return cls(kind, (), Tail.empty(kind[2]), State())

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All that is to be searched."""
        if not self.tail.n:
            return self.segments
        rows = self.tail.rows
        tail = Part(LinearBackend(array_of(self.kind, rows)), rows, self.tail.removed)
        return (*self.segments, tail)

    def advanced(
        self,
        state: State,
        segments: Iterable[Part],
        removed: I64,
        added: Iterable[Rows],
    ) -> View:
        """Return the view of a later state.

        Parameters
        ----------
        state : State
            Its counters.
        segments : iterable of Part
            Its segments, with what was removed of them.
        removed : ndarray of int64
            Sequence numbers that were removed since, ascending: those of the tail
            are taken out.
        added : iterable of Rows
            What came to the tail since, in order.
        """
        tail = self.tail.after(state.sealed)
        for rows in added:
            tail = tail.appended(rows)
        return View(self.kind, tuple(segments), tail.without(removed), state)

    def alive_rows(self) -> Iterator[Rows]:
        """Yield the rows of all entries, part by part."""
        for part in self.segments:
            yield from part.alive_rows()
        yield from self.tail.alive_rows()
