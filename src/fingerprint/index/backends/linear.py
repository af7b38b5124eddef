"""Compare with every hash: exact, no build, the reference for all others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from fingerprint import kernels
from fingerprint.index.backends.base import Backend, Neighbours, RangeResult, sorted_by_distance

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.typing import Residency

__all__ = ["BACKEND", "LinearBackend"]

_FIRST_CAPACITY = 1024


class LinearBackend(Backend):
    """A scan with the processor's popcount."""

    name = "linear"
    exact = True

    def __init__(self, hashes: HashArray) -> None:
        self._words = hashes.words
        self.max_radius = hashes.bits

    @classmethod
    def build(cls, hashes: HashArray) -> Self:
        """Keep a view of the hashes."""
        return cls(hashes)

    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        """Compare every query with every row."""
        lims = np.zeros(len(queries) + 1, np.int64)
        capacity = _FIRST_CAPACITY
        while True:
            rows = np.empty(capacity, np.int64)
            distances = np.empty(capacity, np.int32)
            found = kernels.bits.scan_range(
                self._words, queries.words, radius, lims, rows, distances
            )
            if found <= capacity:
                break
            capacity = found
        return sorted_by_distance(lims, rows[:found], distances[:found])

    def nearest(self, queries: HashArray, k: int) -> Neighbours:
        """Compare every query with every row and keep the k nearest."""
        rows = np.empty((len(queries), k), np.int64)
        distances = np.empty((len(queries), k), np.int32)
        kernels.bits.scan_nearest(self._words, queries.words, k, rows, distances)
        return Neighbours(rows, distances)

    def save(self, directory: Path) -> None:
        """Write nothing: the hashes are all there is."""

    @classmethod
    def load(cls, directory: Path, hashes: HashArray, *, residency: Residency = "mmap") -> Self:
        """Keep a view of the hashes."""
        return cls(hashes)

    @property
    def nbytes(self) -> int:
        """Nothing of its own."""
        return 0

    def explain(self, radius: int, k: int | None = None) -> str:
        """Say that every hash is compared."""
        return f"compares all {len(self):,} hashes"

    def __len__(self) -> int:
        return len(self._words)


BACKEND = LinearBackend
