"""FAISS ``IndexBinaryHNSW``: a graph; nearest neighbours only, approximate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from fingerprint.errors import UnsupportedOperationError
from fingerprint.index.backends.faiss_common import FaissBackend, load_faiss, packed_bytes

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.index.backends.base import RangeResult

__all__ = ["BACKEND", "FaissHnswBackend"]


class FaissHnswBackend(FaissBackend):
    """Walk a navigable graph towards the query."""

    name = "faiss-hnsw"
    exact = False

    @classmethod
    def build(cls, hashes: HashArray, *, links: int = 32, ef_search: int = 256) -> Self:
        """Build the graph.

        Parameters
        ----------
        hashes : HashArray
            What to index.
        links : int
            Links of each node.
        ef_search : int
            Candidates kept while searching: more is slower and misses less.
        """
        packed = packed_bytes(hashes)
        index = load_faiss().IndexBinaryHNSW(8 * packed.shape[1], links)
        index.hnsw.efSearch = ef_search
        if len(hashes):
            index.add(packed)
        return cls(index, len(hashes))

    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        """Refuse: FAISS's binary HNSW has no range search."""
        raise UnsupportedOperationError(f"{self.name} has no range search: use nearest")


BACKEND = FaissHnswBackend
