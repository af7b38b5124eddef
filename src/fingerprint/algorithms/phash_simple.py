"""The one-dimensional pHash of imagehash: row frequencies above their mean.

Source: imagehash 4.3 ``phash_simple``. Bits run row by row, first bit most
significant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.algorithms.base import Algorithm
from fingerprint.algorithms.grid import GridHash
from fingerprint.algorithms.phash import GRID_PER_BIT

if TYPE_CHECKING:
    from fingerprint.typing import U8, Bits

__all__ = ["PHashSimple", "create"]


class PHashSimple(GridHash):
    """Simple pHash of ``hash_size`` squared bits."""

    family = "phash_simple"
    summary = "row frequencies above their mean (imagehash)"
    radius_source = "none published; pHash's 10 of 64 bits, in proportion"
    fast_px_per_bit = 4 * GRID_PER_BIT
    smallest = 1

    def grid_size(self, pixels: U8) -> tuple[int, int]:
        """Four grid points a bit, each way."""
        side = GRID_PER_BIT * self.hash_size
        return side, side

    def grid_bits(self, grid: U8) -> Bits:
        """Frequencies along the rows, without the mean, above their mean."""
        from scipy.fft import dct

        low = dct(grid.astype(np.float64))[: self.hash_size, 1 : self.hash_size + 1]
        return np.asarray(low > low.mean())


def create(variant: str | None) -> Algorithm:
    """Return ``phash_simple`` (64 bits) or ``phash_simple:<size>``."""
    return PHashSimple.of_variant(variant)
