"""Whether an index backend keeps its promises."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.errors import UnsupportedOperationError
from fingerprint.hash_arrays import HashArray
from fingerprint.testing.check import require

if TYPE_CHECKING:
    from fingerprint.index.backends import Backend, Neighbours, RangeResult
    from fingerprint.typing import I32, U8

__all__ = ["check_backend"]

_THREADS = 4
_ROWS = 400
_QUERIES = 20


def check_backend(backend_class: type[Backend], **options: Any) -> None:
    """Check a search structure against brute force.

    Over hashes of 64, 128 and 256 bits, evenly spread and full of duplicates: a
    radius is inclusive; results are nearest first, ties in row order; what an
    exact backend cannot promise it refuses; an inexact one may miss a row but
    never invents one or misstates a distance; what was saved finds the same
    after it was loaded.

    Parameters
    ----------
    backend_class : type of Backend
        What to check.
    **options
        Passed to its ``build``.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which, and with what data.
    """
    for bits in (64, 128, 256):
        for what, packed in (("random", _random_rows(bits)), ("duplicates", _copies(bits))):
            _BackendCheck(backend_class, options, packed, f"{what}, {bits} bits").run()
        _check_empty(backend_class, options, bits)


def _noise(shape: tuple[int, int], seed: int) -> U8:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _random_rows(bits: int) -> U8:
    return _noise((_ROWS, bits // 8), bits)


def _copies(bits: int) -> U8:
    """A few hashes many times over, some with a few bits flipped."""
    generator = np.random.default_rng(bits)
    centres = generator.integers(0, 2, (6, bits), dtype=np.uint8)
    rows = centres[generator.integers(0, len(centres), _ROWS)]
    for row in rows[: _ROWS // 2]:
        row[generator.integers(0, bits, generator.integers(0, 12))] ^= 1
    return np.packbits(generator.permutation(rows), axis=1)


def _queries_for(packed: U8) -> U8:
    """Rows themselves, rows with a few bits flipped, and strangers."""
    generator = np.random.default_rng(len(packed))
    bits = 8 * packed.shape[1]
    near = np.unpackbits(packed[generator.integers(0, len(packed), _QUERIES)], axis=1)
    for i, row in enumerate(near):
        row[generator.choice(bits, min(i, bits // 8), replace=False)] ^= 1
    return np.concatenate([np.packbits(near, axis=1), _noise((3, packed.shape[1]), 9)])


def _true_distances(queries: U8, packed: U8) -> I32:
    """(queries, rows) Hamming distances, from the bits themselves."""
    a, b = np.unpackbits(queries, axis=1), np.unpackbits(packed, axis=1)
    return np.stack([(b != one).sum(axis=1) for one in a]).astype(np.int32)


class _BackendCheck:
    def __init__(
        self, backend_class: type[Backend], options: dict[str, Any], packed: U8, what: str
    ) -> None:
        self.backend_class = backend_class
        self.exact = backend_class.exact
        self.what = f"{backend_class.name}, {what}"
        self.hashes = HashArray(packed, "check")
        self.queries = HashArray(_queries_for(packed), "check")
        self.truth = _true_distances(self.queries.packed, packed)
        self.backend = backend_class.build(self.hashes, **options)

    def run(self) -> None:
        before = self.hashes.packed.copy()
        require(len(self.backend) == len(self.hashes), f"{self.what}: wrong len")
        self.check_searches(self.backend)
        self.first_results = self.some_results(self.backend)
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(self.check_same, [self.backend] * _THREADS))
        with tempfile.TemporaryDirectory() as folder:
            self.backend.save(Path(folder))
            loaded = self.backend_class.load(Path(folder), self.hashes)
        require(len(loaded) == len(self.hashes), f"{self.what}: wrong len after load")
        require(
            loaded.max_radius == self.backend.max_radius, f"{self.what}: load changes max_radius"
        )
        self.check_same(loaded)
        require(np.array_equal(before, self.hashes.packed), f"{self.what}: changes its hashes")

    def check_searches(self, backend: Backend) -> None:
        ranged = self.check_ranges(backend)
        nearest = self.check_nearest(backend)
        require(ranged or nearest, f"{self.what}: refuses every search")

    def check_ranges(self, backend: Backend) -> bool:
        limit, bits = backend.max_radius, self.hashes.bits
        supported = set()
        for radius in sorted({0, min(1, limit), limit // 2, max(0, limit - 1), limit}):
            try:
                found = backend.range_search(self.queries, radius)
            except UnsupportedOperationError:
                supported.add(False)
                continue
            supported.add(True)
            self.check_range(found, radius)
        require(len(supported) == 1, f"{self.what}: refuses a radius up to its max_radius")
        if supported == {True} and limit < bits:
            for radius in (limit + 1, bits):
                try:
                    found = backend.range_search(self.queries, radius)
                except UnsupportedOperationError:
                    continue
                self.check_range(found, radius)
        return supported == {True}

    def check_range(self, found: RangeResult, radius: int) -> None:
        what = f"{self.what}, radius {radius}"
        lims, rows, distances = found
        n = len(self.queries)
        require(lims.shape == (n + 1,) and lims[0] == 0, f"{what}: lims are not (queries + 1,)")
        require((np.diff(lims) >= 0).all(), f"{what}: lims fall")
        require(lims[-1] == rows.size == distances.size, f"{what}: lims and rows disagree")
        require(
            lims.dtype == rows.dtype == np.int64 and distances.dtype == np.int32,
            f"{what}: expected int64 lims and rows, int32 distances",
        )
        for i in range(n):
            here = slice(lims[i], lims[i + 1])
            hits = list(zip(distances[here].tolist(), rows[here].tolist(), strict=True))
            within = np.flatnonzero(self.truth[i] <= radius)
            true = sorted((int(self.truth[i, row]), int(row)) for row in within)
            require(hits == sorted(hits), f"{what}: query {i} is not in order")
            require(len(set(hits)) == len(hits), f"{what}: query {i} has a row twice")
            invented = set(hits) - set(true)
            require(not invented, f"{what}: query {i} invents {sorted(invented)[:3]}")
            require(not self.exact or hits == true, f"{what}: query {i} misses a row")

    def check_nearest(self, backend: Backend) -> bool:
        for k in (1, 2, 7, len(self.hashes)):
            try:
                found = backend.nearest(self.queries, k)
            except UnsupportedOperationError:
                return False
            self.check_neighbours(found, k)
        return True

    def check_neighbours(self, found: Neighbours, k: int) -> None:
        what = f"{self.what}, k {k}"
        rows, distances = found
        n = len(self.queries)
        require(rows.shape == distances.shape == (n, k), f"{what}: results are not (queries, k)")
        require(
            rows.dtype == np.int64 and distances.dtype == np.int32,
            f"{what}: expected int64 rows and int32 distances",
        )
        for i in range(n):
            there = rows[i] >= 0
            require(
                not there[np.flatnonzero(~there)[0] :].any() if not there.all() else True,
                f"{what}: query {i} has rows after its fill",
            )
            real, d = rows[i][there], distances[i][there]
            require(len(set(real.tolist())) == real.size, f"{what}: query {i} has a row twice")
            require((real < len(self.hashes)).all(), f"{what}: query {i} has a row beyond the end")
            require(np.array_equal(d, self.truth[i, real]), f"{what}: query {i} misstates")
            require((np.diff(d) >= 0).all(), f"{what}: query {i} is not in order")
            if self.exact:
                best = np.sort(self.truth[i])[:k]
                require(np.array_equal(d, best), f"{what}: query {i} misses a nearer row")

    def check_same(self, other: Backend) -> None:
        """Compare some results with those of a search before."""
        for found, expected in zip(self.some_results(other), self.first_results, strict=True):
            same = found is None and expected is None
            if found is not None and expected is not None:
                same = all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
            require(same, f"{self.what}: other results from threads, or after load")

    def some_results(self, backend: Backend) -> list[tuple[Any, ...] | None]:
        searches: tuple[Callable[[], tuple[Any, ...]], ...] = (
            lambda: backend.range_search(self.queries, backend.max_radius // 3),
            lambda: backend.nearest(self.queries, 5),
        )
        results: list[tuple[Any, ...] | None] = []
        for search in searches:
            try:
                results.append(search())
            except UnsupportedOperationError:
                results.append(None)
        return results


def _check_empty(backend_class: type[Backend], options: dict[str, Any], bits: int) -> None:
    what = f"{backend_class.name}, {bits} bits"
    none = HashArray(np.empty((0, bits // 8), np.uint8), "check")
    some = HashArray(_random_rows(bits)[:50], "check")
    for hashes, queries in ((none, some), (none, none), (some, none)):
        backend = backend_class.build(hashes, **options)
        require(len(backend) == len(hashes), f"{what}: wrong len of {len(hashes)} rows")
        try:
            found = backend.range_search(queries, min(3, backend.max_radius))
        except UnsupportedOperationError:
            continue
        sizes = (found.lims.tolist(), found.rows.size, found.distances.size)
        require(
            sizes == ([0] * (len(queries) + 1), 0, 0),
            f"{what}: {len(queries)} queries of {len(hashes)} rows gave {sizes}",
        )
