"""Find equal hashes only: for digests of files, which are near nothing but themselves."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from fingerprint.errors import UnsupportedOperationError
from fingerprint.index.backends.base import Backend, Neighbours, RangeResult
from fingerprint.index.backends.residency import hugepage_copy, mapped_array

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.typing import I64, U64, Residency

__all__ = ["BACKEND", "EqualBackend"]

_NONE: I64 = np.empty(0, np.int64)
_KEYS = "equal-keys.npy"
_ORDER = "equal-order.npy"


class EqualBackend(Backend):
    """First words in sorted order, and which rows they are of; found by halving."""

    name = "equal"
    exact = True

    def __init__(self, hashes: HashArray, keys: U64, order: I64) -> None:
        self._words = hashes.words
        self._keys = keys
        self._order = order
        self.max_radius = 0

    @classmethod
    def build(cls, hashes: HashArray) -> Self:
        """Sort by the first word; equal ones stay in the order of their rows."""
        first = hashes.words[:, 0]
        order = np.argsort(first, kind="stable").astype(np.int64)
        return cls(hashes, first[order], order)

    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        """Find equal rows; only radius 0."""
        if radius != 0:
            raise UnsupportedOperationError(
                f"the backend 'equal' finds equal hashes only: expected radius 0, got {radius}"
            )
        wanted = queries.words
        first = np.searchsorted(self._keys, wanted[:, 0])
        found = [self._equal(one, place) for one, place in zip(wanted, first.tolist(), strict=True)]
        lims = np.array([0, *accumulate(map(len, found))], np.int64)
        rows = np.concatenate(found) if lims[-1] else np.empty(0, np.int64)
        return RangeResult(lims, rows, np.zeros(len(rows), np.int32))

    def _equal(self, wanted: U64, first: int) -> I64:
        if first == len(self._keys) or self._keys[first] != wanted[0]:
            return _NONE
        last = np.searchsorted(self._keys, wanted[0], side="right")
        rows = np.sort(self._order[first:last])
        equal: I64 = rows[(self._words[rows] == wanted).all(axis=1)]
        return equal

    def nearest(self, queries: HashArray, k: int) -> Neighbours:
        """Refuse: nothing is known of what is near."""
        raise UnsupportedOperationError("the backend 'equal' finds equal hashes only")

    def save(self, directory: Path) -> None:
        """Write the sorted words and their rows."""
        np.save(directory / _KEYS, self._keys, allow_pickle=False)
        np.save(directory / _ORDER, self._order, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path, hashes: HashArray, *, residency: Residency = "mmap") -> Self:
        """Map what `save` wrote."""
        n = len(hashes)
        keys = mapped_array(directory / _KEYS, "<u8", (n,))
        order = mapped_array(directory / _ORDER, "<i8", (n,))
        if residency == "huge":
            keys, order = hugepage_copy(keys), hugepage_copy(order)
        return cls(hashes, keys, order)

    @property
    def nbytes(self) -> int:
        """Sixteen bytes a hash."""
        return int(self._keys.nbytes + self._order.nbytes)

    def explain(self, radius: int, k: int | None = None) -> str:
        """Say that equal hashes are found by halving."""
        return f"halves {len(self):,} sorted hashes"

    def __len__(self) -> int:
        return len(self._words)


BACKEND = EqualBackend
