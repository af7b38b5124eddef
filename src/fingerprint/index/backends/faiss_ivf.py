"""FAISS ``IndexBinaryIVF``: cells around centroids, of which some are searched.

Approximate: what lies in a cell that is not probed is missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from fingerprint.index.backends.faiss_common import FaissBackend, load_faiss, packed_bytes

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray

__all__ = ["BACKEND", "FaissIvfBackend"]

_ROWS_PER_CELL = 64


class FaissIvfBackend(FaissBackend):
    """Search the cells nearest to the query."""

    name = "faiss-ivf"
    exact = False

    @classmethod
    def build(cls, hashes: HashArray, *, cells: int | None = None, probes: int = 64) -> Self:
        """Train centroids on the hashes and sort the hashes into their cells.

        Parameters
        ----------
        hashes : HashArray
            What to index.
        cells : int, optional
            How many centroids; one for 64 hashes by default, at most 4096.
        probes : int
            How many cells a query searches: more is slower and misses less.
        """
        faiss = load_faiss()
        packed = packed_bytes(hashes)
        n = len(hashes)
        if probes < 1 or (cells is not None and cells < 1):
            raise ValueError(f"cells, probes: expected at least 1, got {cells} and {probes}")
        wanted = min(4096, n // _ROWS_PER_CELL) if cells is None else cells
        cells = max(1, min(wanted, n))  # FAISS trains no more cells than there are rows.
        quantizer = faiss.IndexBinaryFlat(8 * packed.shape[1])
        index = faiss.IndexBinaryIVF(quantizer, 8 * packed.shape[1], cells)
        index.own_fields = True
        quantizer.this.disown()
        index.cp.min_points_per_centroid = 1
        index.nprobe = min(probes, cells)
        if n:
            index.train(packed)
            index.add(packed)
        return cls(index, n)


BACKEND = FaissIvfBackend
