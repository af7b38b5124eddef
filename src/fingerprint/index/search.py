"""A table of entries and the search over it: built part, tail, and what was removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index.backends import Backend, get_backend
from fingerprint.index.backends.linear import LinearBackend
from fingerprint.index.catalog import EntryRow
from fingerprint.index.entries import Entry

if TYPE_CHECKING:
    from fingerprint.typing import U8, Bits

__all__ = ["Table", "nearest_rows", "rows_within"]

MIN_TAIL = 4096
"""Entries that are scanned rather than built in: a build costs more than a scan."""

SPARSE_ABOVE = 0.25
"""Share of removed rows from which the table is rewritten without them."""


@dataclass(frozen=True)
class Table:
    """The entries of an index at one moment; every change makes a new one.

    The arrays have room at the end, shared between a table and those that grew
    from it; only the newest is ever appended to, so no row that a table can see
    changes.
    """

    like: HashArray
    packed: U8
    quality: Any
    alive: Bits
    ids: list[str]
    metadata: list[str]
    n: int
    backend_name: str
    backend_options: dict[str, Any]
    built_part: Backend | None = None
    n_built: int = 0

    @classmethod
    def empty(cls, like: HashArray, backend: str, options: dict[str, Any]) -> Table:
        """Return a table for hashes like those of an empty array."""
        if backend != "auto":  # A missing library or a wrong option shows now, not later.
            cast("Callable[..., Backend]", get_backend(backend).build)(like, **options)
        return cls(
            like,
            np.empty((0, like.packed.shape[1]), np.uint8),
            np.empty(0, np.int16),
            np.empty(0, bool),
            [],
            [],
            0,
            backend,
            options,
        )

    def hashes(self, start: int, stop: int) -> HashArray:
        """Return the hashes of some rows, without copying where that can be."""
        return HashArray(
            self.packed[start:stop],
            self.like.algorithm,
            bits=self.like.bits,
            quality=self.quality[start:stop],
            version=self.like.version,
        )

    def blank_hash(self) -> Hash:
        """Return a hash of this table's kind."""
        kind = self.like
        return Hash(kind.algorithm, bytes(self.packed.shape[1]), kind.bits, version=kind.version)

    def entry(self, row: int) -> Entry:
        """Return one row as an entry."""
        return Entry(self.ids[row], self.hashes(row, row + 1)[0], json.loads(self.metadata[row]))

    def entry_rows(self) -> Iterator[EntryRow]:
        """Yield the rows that are alive, as the catalog stores them."""
        for row in np.flatnonzero(self.alive[: self.n]):
            yield EntryRow(
                self.ids[row],
                self.packed[row].tobytes(),
                int(self.quality[row]),
                self.metadata[row],
            )

    def appended(self, ids: Sequence[str], hashes: HashArray, metadata: Sequence[str]) -> Table:
        """Return this table with rows added at the end."""
        stop = self.n + len(ids)
        grown = self if stop <= len(self.packed) else self._with_room(stop)
        grown.packed[self.n : stop] = hashes.packed
        grown.quality[self.n : stop] = hashes.quality
        grown.alive[self.n : stop] = True
        # Assigned, not extended: whatever an interrupted call left there goes.
        grown.ids[self.n :] = ids
        grown.metadata[self.n :] = metadata
        return replace(grown, n=stop)

    def _with_room(self, n: int) -> Table:
        room = max(n, len(self.packed) * 3 // 2, 64)
        packed = np.zeros((room, self.packed.shape[1]), np.uint8)
        quality = np.full(room, -1, np.int16)
        alive = np.zeros(room, bool)
        packed[: self.n] = self.packed[: self.n]
        quality[: self.n] = self.quality[: self.n]
        alive[: self.n] = self.alive[: self.n]
        return replace(self, packed=packed, quality=quality, alive=alive)

    def without(self, rows: Sequence[int]) -> Table:
        """Return this table with rows marked as removed."""
        alive = self.alive.copy()
        alive[rows] = False
        return replace(self, alive=alive)

    @property
    def n_removed(self) -> int:
        """Rows that are marked as removed."""
        return self.n - int(self.alive[: self.n].sum())

    @property
    def is_sparse(self) -> bool:
        """Whether so much was removed that rewriting pays."""
        return self.n_removed > max(MIN_TAIL, SPARSE_ABOVE * self.n)

    def compacted(self) -> Table:
        """Return this table without its removed rows, to be built anew."""
        if not self.n_removed:
            return self
        rows = np.flatnonzero(self.alive[: self.n])
        fresh = Table.empty(self.like, self.backend_name, self.backend_options)
        return fresh.appended(
            [self.ids[r] for r in rows],
            self.hashes(0, self.n)[rows],
            [self.metadata[r] for r in rows],
        )

    @property
    def is_scanned(self) -> bool:
        """Whether the linear scan serves all of it."""
        return self.backend_name in {"auto", "linear"}

    @property
    def needs_build(self) -> bool:
        """Whether so much was added since the last build that another pays."""
        tail = self.n - self.n_built
        return not self.is_scanned and (
            (self.built_part is None and tail > 0) or tail > max(MIN_TAIL, self.n_built // 2)
        )

    def built(self) -> Table:
        """Return this table with all its rows in the backend."""
        backend = get_backend(self.backend_name)
        build = cast("Callable[..., Backend]", backend.build)
        part = build(self.hashes(0, self.n), **self.backend_options)
        return replace(self, built_part=part, n_built=self.n)

    def backend_info(self) -> dict[str, Any]:
        """Return the backend and why, as plain values."""
        if self.backend_name == "auto":
            name, why = "linear", "auto: the only exact backend without an extra"
        else:
            name, why = self.backend_name, "asked for"
        backend = get_backend(name)
        return {
            "backend": name,
            "backend_why": why,
            "exact": backend.exact,
            "max_radius": self.built_part.max_radius if self.built_part else self.like.bits,
            "scanned_entries": self.n - self.n_built,
        }

    @property
    def nbytes_hashes(self) -> int:
        """Bytes of the packed hashes."""
        return self.n * int(self.packed.shape[1])

    def parts(self) -> Iterator[tuple[int, Backend]]:
        """Yield each searchable part with its first row."""
        if self.built_part is not None:
            yield 0, self.built_part
        if self.n > self.n_built:
            yield self.n_built, LinearBackend(self.hashes(self.n_built, self.n))


def rows_within(table: Table, queries: HashArray, radius: int) -> list[list[tuple[int, int]]]:
    """Return (row, distance) of every live row within ``radius``, for each query."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(len(queries))]
    for first, part in table.parts():
        lims, rows, distances = part.range_search(queries, radius)
        keep = table.alive[rows + first]
        for i, hits in enumerate(found):
            here = slice(lims[i], lims[i + 1])
            wanted = keep[here]
            hits.extend(
                zip(
                    (rows[here][wanted] + first).tolist(),
                    distances[here][wanted].tolist(),
                    strict=True,
                )
            )
    return found


def nearest_rows(table: Table, queries: HashArray, k: int) -> list[list[tuple[int, int]]]:
    """Return (row, distance) of at least the ``k`` nearest live rows, for each query."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(len(queries))]
    for first, part in table.parts():
        alive = table.alive[first : first + len(part)]
        n_alive = int(alive.sum())
        wanted = min(k, n_alive)
        if not wanted:
            continue
        asked = wanted
        while True:
            rows, distances = part.nearest(queries, asked)
            good = (rows >= 0) & alive[rows]
            if asked == len(part) or good.sum(axis=1).min(initial=wanted) >= wanted:
                break
            # Removed rows stood among the nearest: look further.
            asked = min(len(part), 2 * asked + 16)
        for i, hits in enumerate(found):
            hits.extend(
                zip(
                    (rows[i][good[i]] + first).tolist(),
                    distances[i][good[i]].tolist(),
                    strict=True,
                )
            )
    return found
