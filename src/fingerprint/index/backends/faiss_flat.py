"""FAISS ``IndexBinaryFlat``: a scan, exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from fingerprint.index.backends.faiss_common import FaissBackend, load_faiss, packed_bytes

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray

__all__ = ["BACKEND", "FaissFlatBackend"]


class FaissFlatBackend(FaissBackend):
    """Compare with every hash."""

    name = "faiss-flat"
    exact = True

    @classmethod
    def build(cls, hashes: HashArray) -> Self:
        """Copy the hashes into FAISS."""
        packed = packed_bytes(hashes)
        index = load_faiss().IndexBinaryFlat(8 * packed.shape[1])
        index.add(packed)
        return cls(index, len(hashes))


BACKEND = FaissFlatBackend
