"""FAISS ``IndexBinaryMultiHash``: hash tables of 16-bit pieces.

Exact as far as the pigeonhole principle goes: with ``t`` tables and up to ``f``
flipped bits in each, every hash within ``t * (f + 1) - 1`` bits shares a bucket
with the query. Beyond that FAISS drops results without a word, so a larger radius
is refused here, and so is the search for nearest neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from fingerprint.errors import UnsupportedOperationError
from fingerprint.index.backends.faiss_common import FaissBackend, load_faiss, packed_bytes

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.index.backends.base import Neighbours

__all__ = ["BACKEND", "FaissMultiHashBackend"]

_BITS_PER_TABLE = 16


class FaissMultiHashBackend(FaissBackend):
    """Look up each piece of the query, with a few bits flipped."""

    name = "faiss-multihash"
    exact = True

    def __init__(self, index: Any, n: int) -> None:
        super().__init__(index, n)
        self.max_radius = index.nhash * (index.nflip + 1) - 1

    @classmethod
    def build(cls, hashes: HashArray, *, flips: int | None = None) -> Self:
        """Fill the tables.

        Parameters
        ----------
        hashes : HashArray
            What to index; at least 16 bits each.
        flips : int, optional
            Bits flipped in each piece of a query: sets the largest radius, at a
            price. By default 1 from 256 bits on and 2 below.
        """
        packed = packed_bytes(hashes)
        tables = 8 * packed.shape[1] // _BITS_PER_TABLE
        if not tables:
            raise ValueError(f"{cls.name}: expected at least 16 bits, got {hashes.bits}")
        index = load_faiss().IndexBinaryMultiHash(8 * packed.shape[1], tables, _BITS_PER_TABLE)
        index.nflip = (1 if hashes.bits >= 256 else 2) if flips is None else flips
        if len(hashes):
            index.add(packed)
        return cls(index, len(hashes))

    def nearest(self, queries: HashArray, k: int) -> Neighbours:
        """Refuse: only buckets that share a piece with the query are seen."""
        raise UnsupportedOperationError(
            f"{self.name} cannot promise the nearest: use range_search, or the linear backend"
        )


BACKEND = FaissMultiHashBackend
