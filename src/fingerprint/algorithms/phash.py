"""pHash as imagehash computes it: low frequencies above their median.

Source: imagehash 4.3 ``phash`` after Krawetz, "Looks Like It" (hackerfactor.com,
2011). Bits run row by row, first bit most significant. The transform is SciPy's,
as in imagehash: on symmetric pictures many coefficients are zero but for its
rounding, and only the same routine rounds the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.algorithms.base import Algorithm
from fingerprint.algorithms.grid import GridHash

if TYPE_CHECKING:
    from fingerprint.typing import U8, Bits

__all__ = ["GRID_PER_BIT", "PHash", "create"]

GRID_PER_BIT = 4


class PHash(GridHash):
    """pHash of ``hash_size`` squared bits."""

    family = "phash"
    summary = "low frequencies above their median (imagehash)"
    radius_source = "Krawetz (2011) and imagededup's default: 10 of 64 bits, in proportion"
    fast_px_per_bit = 4 * GRID_PER_BIT

    def grid_size(self, pixels: U8) -> tuple[int, int]:
        """Four grid points a bit, each way."""
        side = GRID_PER_BIT * self.hash_size
        return side, side

    def grid_bits(self, grid: U8) -> Bits:
        """Low frequencies, the mean included, above their median."""
        from scipy.fft import dct

        low = dct(dct(grid.astype(np.float64), axis=0), axis=1)
        low = low[: self.hash_size, : self.hash_size]
        return np.asarray(low > np.median(low))


def create(variant: str | None) -> Algorithm:
    """Return ``phash`` (64 bits) or ``phash:<size>``."""
    return PHash.of_variant(variant)
