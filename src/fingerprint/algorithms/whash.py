"""Wavelet hash as imagehash computes it: Haar low band above its median.

Source: imagehash 4.3 ``whash`` (mode ``haar``, the mean taken out). In exact
arithmetic that is "the sum of this block is above the median of all sums", so
the sums are compared as integers. Where blocks tie at the median, imagehash's
answer is PyWavelets' rounding, which `fingerprint.kernels.haar.low_band` repeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.algorithms.base import Algorithm
from fingerprint.algorithms.grid import GridHash, gradient_quality

if TYPE_CHECKING:
    from fingerprint.typing import I64, U8, Bits

__all__ = ["WHash", "create"]


class WHash(GridHash):
    """Wavelet hash of ``hash_size`` squared bits; the size is a power of two."""

    family = "whash"
    summary = "Haar low band above its median (imagehash)"
    radius_source = "imagededup's default for wavelet hashes: 10 of 64 bits, in proportion"
    fast_px_per_bit = None  # The grid grows with the picture.
    powers_of_two = True

    def grid_size(self, pixels: U8) -> tuple[int, int]:
        """The largest power of two that fits the picture."""
        natural = 1 << (min(pixels.shape[:2]).bit_length() - 1)
        side = max(natural, self.hash_size)
        return side, side

    def grid_bits(self, grid: U8) -> Bits:
        """Each block's sum against the median of the sums."""
        sums = self._block_sums(grid)
        ordered = np.sort(sums, axis=None)
        middle = ordered.size // 2
        if ordered[middle] > ordered[middle - 1]:
            return np.asarray(sums >= ordered[middle])
        low = kernels.haar.low_band(grid / 255.0, self.hash_size)
        return np.asarray(low > np.median(low))

    def grid_quality(self, grid: U8) -> int:
        """Quality of the blocks' means; the grid itself may be as large as the picture."""
        block_px = (grid.shape[0] // self.hash_size) ** 2
        return gradient_quality((self._block_sums(grid) // block_px).astype(np.uint8))

    def _block_sums(self, grid: U8) -> I64:
        sums = np.empty((self.hash_size, self.hash_size), np.int64)
        kernels.haar.block_sums(grid, sums)
        return sums


def create(variant: str | None) -> Algorithm:
    """Return ``whash`` (64 bits) or ``whash:<size>``."""
    return WHash.of_variant(variant)
