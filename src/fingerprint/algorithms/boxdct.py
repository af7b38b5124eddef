"""boxdct: PDQ's transform over means of areas; our own, and not PDQ on any wire.

PDQ keeps 64 x 64 samples of a picture that it has blurred by half of what that needs, so
its bits move when the picture is made smaller: by 14 to 18 of 256 at the median. Here each
of the 64 x 64 values is the mean luma of its own area; the rest is PDQ's (Meta, "PDQ &
TMK+PDQF", 2019): signs of 16 x 16 low frequencies around their median, and its quality.
Hashes differ from PDQ's of the same picture by some ten bits: never compare the two.
Measurements: benchmarks/results/robustness.md.

Bit order is PDQ's. Sums are taken in any order: a coefficient at the median may fall on
either side of it on another machine.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.algorithms.base import DIHEDRAL_NAMES, Algorithm, HashAlgorithm, Radius
from fingerprint.errors import UnknownAlgorithmError
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.typing import F32, I64, U8

__all__ = ["BoxDCT", "create"]


class BoxDCT(HashAlgorithm):
    """Signs of 256 low frequencies of 64 x 64 area means."""

    name = "boxdct"
    hash_name = "boxdct"
    summary = "PDQ over means of areas: steadier when pictures are scaled (our own)"
    bits = 256
    radius = Radius(31, "as PDQ, whose distances between different pictures it shares")
    min_quality = 50
    dihedral = True
    fast_min_side_px: int | None = 256

    def hash_pixels(self, pixels: U8) -> Hash:
        """Hash canonical pixels, (h, w, 3) RGB or (h, w) grey uint8."""
        packed, quality = self._compute(pixels, 1)
        return Hash(self.hash_name, packed[0].tobytes(), self.bits, quality)

    def hash_dihedral(self, pixels: U8) -> dict[str, Hash]:
        """Hash the picture in its eight positions from one transform."""
        packed, quality = self._compute(pixels, 8)
        return {
            name: Hash(self.hash_name, row.tobytes(), self.bits, quality)
            for name, row in zip(DIHEDRAL_NAMES, packed, strict=True)
        }

    def _compute(self, pixels: U8, positions: int) -> tuple[U8, int]:
        h, w = pixels.shape[:2]
        channels = 1 if pixels.ndim == 2 else 3
        side = kernels.pdq.SIDE
        grid = np.empty((side, side), np.float32)
        rows = pixels.reshape(h, w * channels)
        kernels.views.shrink(rows, channels, *_areas(h), *_areas(w), grid)
        out = np.zeros((positions, self.bits // 8), np.uint8)
        quality, _ = kernels.pdq.hash_grid(grid, kernels.pdq.DCT, positions == 8, 0.0, out)
        return out, int(quality)


@lru_cache(maxsize=512)
def _areas(n: int) -> tuple[I64, I64, F32]:
    side = kernels.pdq.SIDE
    first, count = np.empty(side, np.int64), np.empty(side, np.int64)
    weights = np.zeros((side, -(-n // side) + 1), np.float32)
    kernels.views.area_shares(n, side, first, count, weights)
    return first, count, weights


def create(variant: str | None) -> Algorithm:
    """Return ``boxdct``."""
    if variant is not None:
        raise UnknownAlgorithmError(f"boxdct:{variant}", ["boxdct"])
    return BoxDCT()
