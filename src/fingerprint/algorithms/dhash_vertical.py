"""dHash down the columns: is each pixel brighter than the one above?

Source: imagehash 4.3 ``dhash_vertical``. Bits run row by row, first bit most
significant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fingerprint.algorithms.base import Algorithm
from fingerprint.algorithms.grid import GridHash

if TYPE_CHECKING:
    from fingerprint.typing import U8, Bits

__all__ = ["DHashVertical", "create"]


class DHashVertical(GridHash):
    """Vertical dHash of ``hash_size`` squared bits."""

    family = "dhash_vertical"
    summary = "brighter than the pixel above (imagehash)"
    radius_source = "none published; dHash's 10 of 64 bits, in proportion"
    smallest = 1

    def grid_size(self, pixels: U8) -> tuple[int, int]:
        """One row more than bits, for the differences."""
        return self.hash_size, self.hash_size + 1

    def grid_bits(self, grid: U8) -> Bits:
        """Each pixel against the one above."""
        return grid[1:] > grid[:-1]


def create(variant: str | None) -> Algorithm:
    """Return ``dhash_vertical`` (64 bits) or ``dhash_vertical:<size>``."""
    return DHashVertical.of_variant(variant)
