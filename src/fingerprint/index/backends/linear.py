"""Compare with every hash: exact, no build, the reference for all others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from fingerprint.index.backends.base import Backend, Neighbours, RangeResult
from fingerprint.index.backends.scan import scanned_nearest, scanned_range

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.typing import Residency

__all__ = ["BACKEND", "LinearBackend"]


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
        return scanned_range(self._words, queries.words, radius)

    def nearest(self, queries: HashArray, k: int) -> Neighbours:
        """Compare every query with every row and keep the k nearest."""
        return scanned_nearest(self._words, queries.words, k)

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
