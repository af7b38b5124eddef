"""Average hash as imagehash computes it: is each pixel brighter than the mean?

Source: imagehash 4.3 ``average_hash`` after Krawetz, "Looks Like It"
(hackerfactor.com, 2011). Bits run row by row, first bit most significant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.algorithms.base import Algorithm
from fingerprint.algorithms.grid import GridHash

if TYPE_CHECKING:
    from fingerprint.typing import U8, Bits

__all__ = ["AHash", "create"]


class AHash(GridHash):
    """Average hash of ``hash_size`` squared bits."""

    family = "ahash"
    summary = "brighter than the mean (imagehash); many false matches"
    radius_source = "Krawetz (2011) and imagededup's default: 10 of 64 bits, in proportion"

    def grid_size(self, pixels: U8) -> tuple[int, int]:
        """One pixel a bit."""
        return self.hash_size, self.hash_size

    def grid_bits(self, grid: U8) -> Bits:
        """Each pixel against the mean."""
        return np.asarray(grid > grid.mean())


def create(variant: str | None) -> Algorithm:
    """Return ``ahash`` (64 bits) or ``ahash:<size>``."""
    return AHash.of_variant(variant)
