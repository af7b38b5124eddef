"""What the FAISS backends share."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fingerprint.errors import MissingExtraError, UnsupportedOperationError
from fingerprint.index.backends.base import Backend, Neighbours, RangeResult, sorted_by_distance

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.typing import U8, Residency

__all__ = ["FaissBackend", "load_faiss", "packed_bytes"]

_FILE = "faiss.index"


def load_faiss() -> Any:
    """Import faiss, or say which extra brings it."""
    if importlib.util.find_spec("faiss") is None:
        raise MissingExtraError("faiss-cpu", "faiss")
    import faiss

    return faiss


def packed_bytes(hashes: HashArray) -> U8:
    """Return contiguous rows of whole bytes, as FAISS wants them."""
    return np.ascontiguousarray(hashes.packed)


class FaissBackend(Backend):
    """A FAISS binary index behind the contract."""

    def __init__(self, index: Any, n: int) -> None:
        self._index = index
        self._n = n
        self.max_radius = int(index.d)
        self._nbytes: int | None = None

    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        """Range search; FAISS's bound is exclusive."""
        if radius > self.max_radius:
            raise UnsupportedOperationError(
                f"{self.name}: radius {radius} is beyond max_radius {self.max_radius}"
            )
        # FAISS keeps an empty index from searching with the wrong code size.
        if not self._n or not len(queries):
            lims = np.zeros(len(queries) + 1, np.int64)
            return RangeResult(lims, np.empty(0, np.int64), np.empty(0, np.int32))
        lims, distances, rows = self._index.range_search(packed_bytes(queries), radius + 1)
        return sorted_by_distance(
            lims.astype(np.int64), rows.astype(np.int64), distances.astype(np.int32)
        )

    def nearest(self, queries: HashArray, k: int) -> Neighbours:
        """Nearest neighbours as FAISS finds them."""
        distances, rows = self._index.search(packed_bytes(queries), k)
        return Neighbours(rows.astype(np.int64), distances.astype(np.int32))

    def save(self, directory: Path) -> None:
        """Write FAISS's own file format."""
        load_faiss().write_index_binary(self._index, str(directory / _FILE))

    @classmethod
    def load(cls, directory: Path, hashes: HashArray, *, residency: Residency = "mmap") -> Self:
        """Read FAISS's own file format, always into private memory."""
        return cls(load_faiss().read_index_binary(str(directory / _FILE)), len(hashes))

    @property
    def nbytes(self) -> int:
        """Bytes of the index as FAISS writes it, copies of the hashes included."""
        if self._nbytes is None:
            self._nbytes = int(load_faiss().serialize_index_binary(self._index).nbytes)
        return self._nbytes

    def explain(self, radius: int, k: int | None = None) -> str:
        """Leave it to FAISS."""
        kind = "exact" if self.exact else "approximate"
        return f"{type(self._index).__name__} of FAISS over {self._n:,} hashes, {kind}"

    def __len__(self) -> int:
        return self._n
