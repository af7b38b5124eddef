"""What can be asked of an index, wherever its entries are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.errors import UnknownIdError
from fingerprint.hash_arrays import HashArray
from fingerprint.index.description import describe
from fingerprint.index.entries import Entry, entry_of, is_storable, known_algorithm
from fingerprint.index.queries import Query, Where, filter_of, queries_of
from fingerprint.index.search import NumberedHits, nearest, numbers_within, within
from fingerprint.index.segments import build_backend
from fingerprint.index.view import Rows, array_of
from fingerprint.results import Match

if TYPE_CHECKING:
    from fingerprint.index.store import Store

__all__ = ["Searchable"]


class Searchable:
    """The reading half of `fingerprint.Index`."""

    def _begin(self, store: Store) -> None:
        facts = store.facts
        _, known = known_algorithm(facts.algorithm)
        self.algorithm, self.version, self.bits = facts.kind
        self.default_radius = known.radius.bits if known else None
        self.min_quality = known.min_quality if known else 0
        self._store = store
        empty = array_of(facts.kind, Rows.empty(facts.bits))
        # Says what the backend refuses, also while nothing is built; a missing library
        # or a wrong option shows now, not later.
        self._promise = (
            None if facts.backend == "auto" else build_backend(facts, facts.backend, empty)
        )

    @property
    def next_number(self) -> int:
        """The number that the next entry gets: added without an id, it is ``#`` and this."""
        view, _ = self._store.latest()
        return view.state.next_seq

    def get(self, id: str) -> Entry:  # noqa: A002 - the field's own name
        """Return the entry with this id, or raise UnknownIdError."""
        row = self._store.find(id) if isinstance(id, str) and is_storable(id) else None
        if row is None:
            raise UnknownIdError(f"id {id!r} is not in the index")
        return entry_of(row, self._store.facts.kind, self._store.where)

    def within(
        self, query: Query, radius: int | None = None, *, where: Where | None = None
    ) -> list[Match]:
        """Find every entry within a distance of the query.

        Parameters
        ----------
        query : Hash, or mapping of str to Hash
            One hash, or several views of one picture, as `fingerprint.hash_dihedral`
            returns them; an entry is then reported once, with the nearest view.
        radius : int, optional
            Largest Hamming distance in bits, inclusive; the algorithm's
            published one by default.
        where : mapping or callable, optional
            Values that an entry's metadata must have, or a function of the metadata
            that says whether it is wanted.

        Returns
        -------
        list of Match
            Nearest first, then in the order of addition.

        Warns
        -----
        LowQualityWarning
            The query has less information than its algorithm asks for: what it
            matches, it may match by chance.

        Raises
        ------
        IncompatibleHashError
            The query is of another algorithm, version or size.
        UnsupportedOperationError
            The backend cannot promise this radius.
        CorruptIndexError
            Damage stands in the way of an answer.
        """
        queries = queries_of([query], self._store.facts.kind, self.min_quality)
        return within(self._store, self._promise, queries, self._radius(radius), filter_of(where))[
            0
        ]

    def within_many(
        self,
        queries: HashArray | Sequence[Query],
        radius: int | None = None,
        *,
        where: Where | None = None,
        workers: int = 1,
    ) -> list[list[Match]]:
        """Find what `within` finds for each of many queries, in their order.

        With ``workers``, so many threads share the queries among them.
        """
        asked = queries_of(queries, self._store.facts.kind, self.min_quality)
        reach, accepts = self._radius(radius), filter_of(where)
        return within(self._store, self._promise, asked, reach, accepts, workers)

    def within_numbers(
        self, queries: HashArray, radius: int | None = None, *, workers: int = 1
    ) -> NumberedHits:
        """Find the entries within a distance of each of many hashes, as arrays of numbers.

        For those who find thousands and want few of them: no ids and no metadata are read,
        no objects made.

        Parameters
        ----------
        queries : HashArray
            Hashes to look up.
        radius : int, optional
            As for `within`.
        workers : int
            So many threads share the queries among them.

        Returns
        -------
        NumberedHits
            ``owners``, ``numbers`` and ``distances``: query ``owners[i]`` is
            ``distances[i]`` bits from the entry with number ``numbers[i]``. Entries are
            numbered in the order of addition, from 1, and no number is given twice;
            ``#7`` is the id of the entry with number 7 if it was added without one. All
            of one commit.

        Warns
        -----
        LowQualityWarning
            As for `within`; errors are those of `within`, too.
        """
        if not isinstance(queries, HashArray):
            raise TypeError(f"queries: expected HashArray, got {type(queries).__name__}")
        asked = queries_of(queries, self._store.facts.kind, self.min_quality)
        reach = self._radius(radius)
        view, _ = self._store.latest()
        return numbers_within(view, self._promise, asked.array, reach, workers)

    def nearest(self, query: Query, k: int = 1, *, where: Where | None = None) -> list[Match]:
        """Find the ``k`` nearest entries, however far they are, nearest first.

        Parameters, warnings and errors are those of `within`; with fewer than
        ``k`` entries, all are returned.
        """
        queries = queries_of([query], self._store.facts.kind, self.min_quality)
        return nearest(self._store, self._promise, queries, _count(k), filter_of(where))[0]

    def nearest_many(
        self, queries: HashArray | Sequence[Query], k: int = 1, *, where: Where | None = None
    ) -> list[list[Match]]:
        """Find what `nearest` finds for each of many queries, in their order."""
        asked = queries_of(queries, self._store.facts.kind, self.min_quality)
        return nearest(self._store, self._promise, asked, _count(k), filter_of(where))

    def entries(self) -> Iterator[Entry]:
        """Iterate over the entries in the order of addition, as they are now.

        Only a few thousand are in memory at a time.
        """
        kind, where = self._store.facts.kind, self._store.where
        return (entry_of(row, kind, where) for row in self._store.rows())

    def info(self, radius: int | None = None, k: int | None = None) -> dict[str, Any]:
        """Return what it holds and how it searches, as plain values.

        Parameters
        ----------
        radius : int, optional
            The search that ``"search"`` tells about: within so many bits, the
            algorithm's published radius by default.
        k : int, optional
            Or for the ``k`` nearest.
        """
        reach = self.default_radius if radius is None else self._radius(radius)
        wanted = None if k is None else _count(k)
        view, _ = self._store.latest()
        return {
            "algorithm": self.algorithm,
            "version": self.version,
            "bits": self.bits,
            "default_radius": self.default_radius,
            "entries": view.state.entries,
            **describe(self._store.facts, view, self._promise, reach, wanted),
            **self._store.info(),
        }

    def __len__(self) -> int:
        return self._store.count()

    def __contains__(self, id: object) -> bool:  # noqa: A002
        return isinstance(id, str) and is_storable(id) and self._store.find(id) is not None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids in the order of addition, as they are now."""
        return (row.name for row in self._store.rows())

    def __repr__(self) -> str:
        backend = self._store.facts.backend
        return f"<Index {self.algorithm} {self._store.where} backend={backend}>"

    def _radius(self, radius: int | None) -> int:
        if radius is None:
            radius = self.default_radius
        if radius is None:
            raise ValueError(f"radius: {self.algorithm} has no published one; pass it")
        if not isinstance(radius, int | np.integer):
            raise TypeError(f"radius: expected a whole number of bits, got {radius!r}")
        if not 0 <= radius <= self.bits:
            raise ValueError(f"radius: expected 0 to {self.bits}, got {radius}")
        return int(radius)


def _count(k: int) -> int:
    if not isinstance(k, int | np.integer):
        raise TypeError(f"k: expected a whole number, got {k!r}")
    if k < 1:
        raise ValueError(f"k: expected at least 1, got {k}")
    return int(k)
