"""dHash as imagehash computes it: is each pixel brighter than its left neighbour?

Source: imagehash 4.3 ``dhash`` after Krawetz, "Kind of Like That"
(hackerfactor.com, 2013). Bits run row by row, first bit most significant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fingerprint.algorithms.base import Algorithm
from fingerprint.algorithms.grid import GridHash

if TYPE_CHECKING:
    from fingerprint.typing import U8, Bits

__all__ = ["DHash", "create"]


class DHash(GridHash):
    """dHash of ``hash_size`` squared bits."""

    family = "dhash"
    summary = "brighter than the left neighbour (imagehash)"
    radius_source = "Krawetz (2013) and imagededup's default: 10 of 64 bits, in proportion"

    def grid_size(self, pixels: U8) -> tuple[int, int]:
        """One column more than bits, for the differences."""
        return self.hash_size + 1, self.hash_size

    def grid_bits(self, grid: U8) -> Bits:
        """Each pixel against its left neighbour."""
        return grid[:, 1:] > grid[:, :-1]


def create(variant: str | None) -> Algorithm:
    """Return ``dhash`` (64 bits) or ``dhash:<size>``."""
    return DHash.of_variant(variant)
