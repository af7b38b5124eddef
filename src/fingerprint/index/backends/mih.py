"""Multi-index hashing: exact, and for small radii a thousandth of a scan.

Norouzi, Punjani and Fleet, "Fast Exact Search in Hamming Space with Multi-Index
Hashing" (IEEE TPAMI 2014). What is different here: the number of chunks follows from
n, chunks are chosen by how well they tell the hashes at hand apart, each has a radius
of its own by cost, tables are bitmaps with ranks, and where a scan is cheaper (a large
radius, a query amid a million copies) it scans. Nothing is ever left out.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Self

import numpy as np

from fingerprint import kernels
from fingerprint.errors import CorruptIndexError
from fingerprint.hash_arrays import read_only
from fingerprint.index.backends.base import (
    Backend,
    Neighbours,
    RangeResult,
    shared_range_search,
    sorted_by_distance,
)
from fingerprint.index.backends.scan import scanned_nearest, scanned_range
from fingerprint.index.multi_index import (
    Planner,
    Speed,
    Tables,
    build_tables,
    choose_chunks,
    load_tables,
    save_tables,
)

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.index.multi_index import Plan
    from fingerprint.typing import I32, I64, U64, Residency

__all__ = ["BACKEND", "MihBackend"]

_FIRST_CAPACITY = 64
_QUERIES_TIMED = 32

_MEASURED_FROM = 20_000
"""Hashes from which timing a few look-ups is a small part of the build."""


class MihBackend(Backend):
    """Look up the chunks of a query in tables of the chunks of all hashes."""

    name = "mih"
    exact = True

    def __init__(self, hashes: HashArray, tables: Tables) -> None:
        self._words = hashes.words
        self._bits = self.max_radius = hashes.bits
        self._tables = tables
        # A view of a file cannot be written; kernels are compiled for that alone.
        self._arrays = (
            read_only(tables.chunks.masks),
            read_only(tables.groups),
            read_only(tables.slots),
            read_only(tables.lists),
        )
        self._programs: dict[int, I64] = {}
        n, w = hashes.words.shape
        self._planner = Planner(tables.chunks.widths, tables.shares, n, w, tables.speed)

    @classmethod
    def build(
        cls, hashes: HashArray, *, radius: int | None = None, workers: int | None = None
    ) -> Self:
        """Choose the chunks and fill their tables.

        Parameters
        ----------
        hashes : HashArray
            What to index; kept, not copied.
        radius : int, optional
            For which radius in bits a search shall be fastest; any radius may be
            asked. An eighth of the bits by default, which is PDQ's 31.
        workers : int, optional
            Threads; all processors by default.
        """
        target = max(0, hashes.bits // 8 - 1) if radius is None else radius
        if not 0 <= target <= hashes.bits:
            raise ValueError(f"radius: expected 0 to {hashes.bits}, got {target}")
        chunks, shares = choose_chunks(hashes.words, hashes.bits, target)
        tables = build_tables(hashes.words, chunks, shares, workers)
        backend = cls(hashes, tables)
        if len(hashes) < _MEASURED_FROM or not chunks.bits:
            return backend
        return cls(hashes, replace(tables, speed=backend._measured(target)))

    def _measured(self, radius: int) -> Speed:
        """Time a few look-ups and scans: rows with a few bits changed, among these hashes."""
        generator = np.random.default_rng(0)
        queries = self._words[:: max(1, len(self) // _QUERIES_TIMED)][:_QUERIES_TIMED].copy()
        for query in queries:
            for bit in generator.integers(0, self._bits, radius // 2):
                query[bit >> 6] ^= np.uint64(1) << np.uint64(bit & 63)
        words = read_only(queries)
        plan = self._planner.plan(radius)
        scan = replace(plan, scans=True)
        scan_s, search_s = [], []
        for i in range(len(words)):
            search_s.append(self._timed(words[i : i + 1], radius, plan))
            if i % 8 == 0:
                scan_s.append(self._timed(words[i : i + 1], radius, scan))
        ratio = 1.0 if plan.scans else float(np.median(search_s)) * 1e9 / plan.cost_ns
        # The fastest scan: one that finds much spends its time on that.
        return Speed(min(max(ratio, 0.1), 100.0), min(scan_s) * 1e9)

    def _timed(self, query: U64, radius: int, plan: Plan) -> float:
        before = perf_counter()
        self._search(query, radius, plan)
        return perf_counter() - before

    def range_search(self, queries: HashArray, radius: int, *, workers: int = 1) -> RangeResult:
        """Find all rows within ``radius`` bits, inclusive.

        With ``workers``, so many threads share the queries among them.
        """
        plan = self._planner.plan(min(radius, self._bits))
        return shared_range_search(
            lambda some: self._search(some.words, radius, plan), queries, workers
        )

    def _search(self, words: U64, radius: int, plan: Plan) -> RangeResult:
        if plan.scans:
            return scanned_range(self._words, words, radius)
        lims = np.empty(len(words) + 1, np.int64)
        capacity = _FIRST_CAPACITY + len(words)
        while True:
            rows = np.empty(capacity, np.int64)
            distances = np.empty(capacity, np.int32)
            found = self._fill(words, radius, plan, lims, rows, distances)
            if found <= capacity:
                break
            capacity = found
        if found == kernels.mih.BROKEN:
            raise CorruptIndexError("", "the tables of a segment do not fit its hashes")
        result = RangeResult(lims, rows[:found], distances[:found])
        if found > kernels.mih.SORTED_HERE and np.diff(lims).max() > kernels.mih.SORTED_HERE:
            return sorted_by_distance(*result)
        return result

    def _fill(
        self, words: U64, radius: int, plan: Plan, lims: I64, rows: I64, distances: I32
    ) -> int:
        program = self._programs.get(radius)
        if program is None:
            program = self._programs[radius] = self._program(plan)
        found: int = kernels.mih.search_range(
            self._words, words, radius, program, *self._arrays, plan.masks, lims, rows, distances
        )
        return found

    def _program(self, plan: Plan) -> I64:
        """Write a plan and the layout of the tables as the kernel reads them."""
        tables = self._tables
        columns = np.zeros((len(plan.radii) + 1, kernels.mih.PROGRAM_WIDTH), np.int64)
        columns[:, kernels.mih.PLACES] = tables.chunks.cut
        of_tables = slice(kernels.mih.GROUPS, kernels.mih.LISTS + 1)
        columns[:-1, of_tables] = tables.starts
        # The end of each chunk's part is the next one's start, or was beyond its room.
        columns[-1, of_tables] = (tables.starts + tables.lengths)[-1]
        columns[:-1, kernels.mih.RADIUS] = plan.radii
        columns[:-1, kernels.mih.MASKS : kernels.mih.MASKS_END + 1] = plan.mask_lims
        head = (len(plan.radii), plan.budget, plan.most_found)
        return np.concatenate([head, columns.ravel(), tables.chunks.places]).astype(np.int64)

    def nearest(self, queries: HashArray, k: int) -> Neighbours:
        """Search within growing radii until there are k; scan when that is cheaper."""
        rows = np.empty((len(queries), k), np.int64)
        distances = np.empty((len(queries), k), np.int32)
        steps = self._steps
        for i in range(len(queries)):
            words = queries.words[i : i + 1]
            for radius in steps:
                found = self._search(words, radius, self._planner.plan(radius))
                if found.rows.size >= k:
                    rows[i], distances[i] = found.rows[:k], found.distances[:k]
                    break
            else:
                found_rows, found_distances = scanned_nearest(self._words, words, k)
                rows[i], distances[i] = found_rows[0], found_distances[0]
        return Neighbours(rows, distances)

    @cached_property
    def _steps(self) -> tuple[int, ...]:
        """Radii whose costs double, as long as they cost half of a scan together."""
        steps: list[int] = []
        last = spent = 0.0
        for radius in range(self._bits + 1):
            cost = self._planner.cost_ns(radius)
            if spent + cost >= self._planner.scan_ns / 2:
                break
            if cost >= 2 * last:
                steps.append(radius)
                last = cost
                spent += cost
        return tuple(steps)

    def save(self, directory: Path) -> None:
        """Write the tables."""
        save_tables(self._tables, directory)

    @classmethod
    def load(cls, directory: Path, hashes: HashArray, *, residency: Residency = "mmap") -> Self:
        """Map the tables, or copy them into huge pages.

        Raises
        ------
        CorruptIndexError
            They are damaged.
        """
        tables = load_tables(directory, residency)
        if tables.chunks.n_words != hashes.words.shape[1]:
            raise CorruptIndexError(str(directory), "its tables are those of other hashes")
        return cls(hashes, tables)

    @property
    def nbytes(self) -> int:
        """Bytes of the tables."""
        return self._tables.nbytes

    def explain(self, radius: int, k: int | None = None) -> str:
        """Say how many chunks are searched and what that and a scan are thought to cost."""
        scan_ms = self._planner.scan_ns / 1e6
        if k is not None:
            return f"radii {self._steps} until there are {k}, then a scan of {scan_ms:.2g} ms"
        plan = self._planner.plan(radius)
        how = "measured when it was built" if self._tables.speed else "estimated"
        if plan.scans:
            return f"scans {len(self):,} hashes in {scan_ms:.2g} ms: cheaper at radius {radius}"
        return (
            f"{int((plan.radii >= 0).sum())} of {len(plan.radii)} chunks of "
            f"{min(self._tables.chunks.widths)} to {max(self._tables.chunks.widths)} bits: "
            f"{plan.cost_ns / 1e6:.2g} ms, a scan {scan_ms:.2g} ms ({how})"
        )

    def __len__(self) -> int:
        return len(self._words)


BACKEND = MihBackend
