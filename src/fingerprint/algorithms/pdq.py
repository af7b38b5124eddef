"""PDQ: 256 bits from the signs of 16 x 16 low frequencies around their median.

Source: Meta, "PDQ & TMK+PDQF" (2019), and facebook/ThreatExchange ``pdq/cpp``.
``pdq`` hashes the full resolution, as PyPI ``pdqhash`` and Meta's Python stack
do; ``pdq:512`` first resizes larger pictures to 512 x 512 by nearest neighbour,
as the C++ file tool and the WASM build do. On the reference's pictures the two
families are 0 to 10 bits apart; both are called PDQ on the wire.

Bit k = 16 i + j of the 256-bit integer is coefficient (i, j): the hex begins with
the last coefficient.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.algorithms.base import DIHEDRAL_NAMES, Algorithm, HashAlgorithm, Radius
from fingerprint.errors import UnknownAlgorithmError
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.typing import F32, I64, U8

__all__ = ["PDQ", "create"]

MIN_HASHABLE_SIDE_PX = 5
DOWNSAMPLED_SIDE_PX = 512


class PDQ(HashAlgorithm):
    """PDQ.

    Parameters
    ----------
    downsample : bool
        Resize pictures with a side over 512 pixels to 512 x 512 first, as the
        C++ file tool does.
    """

    summary = "signs of 256 low frequencies; the industry's exchange format"
    bits = 256
    radius = Radius(31, "Meta, PDQ & TMK+PDQF (2019): match at 31 or less, quality 50 or more")
    min_quality = 50
    dihedral = True
    fast_min_side_px: int | None = 512
    hash_name = "pdq"

    def __init__(self, *, downsample: bool = False) -> None:
        self.name = "pdq:512" if downsample else "pdq"
        self.downsample = downsample
        if downsample:
            # Nearest-neighbour sampling picks other pixels once the size changes.
            self.fast_min_side_px = None

    def hash_pixels(self, pixels: U8) -> Hash:
        """Hash canonical pixels, (h, w, 3) RGB or (h, w) grey uint8."""
        packed, quality = self._compute(pixels, dihedral=False)
        return Hash(self.hash_name, packed[0].tobytes(), self.bits, quality)

    def hash_dihedral(self, pixels: U8) -> dict[str, Hash]:
        """Hash the picture in its eight positions from one transform."""
        packed, quality = self._compute(pixels, dihedral=True)
        return {
            name: Hash(self.hash_name, row.tobytes(), self.bits, quality)
            for name, row in zip(DIHEDRAL_NAMES, packed, strict=True)
        }

    def _compute(self, pixels: U8, *, dihedral: bool) -> tuple[U8, int]:
        if self.downsample:
            pixels = _nearest_512(pixels)
        out = np.zeros((8 if dihedral else 1, 32), np.uint8)
        h, w = pixels.shape[:2]
        if min(h, w) < MIN_HASHABLE_SIDE_PX:
            return out, 0
        channels = 1 if pixels.ndim == 2 else 3
        rows = pixels.reshape(h, w * channels)
        quality, certain = self.hash_quickly(rows, channels, dihedral=dihedral, out=out)
        if not certain:
            grid = self._reference_grid(rows, channels, skip_filter=not dihedral)
            quality, _ = kernels.pdq.hash_grid(grid, kernels.pdq.DCT, dihedral, 0.0, out)
        return out, int(quality)

    def hash_quickly(self, rows: U8, channels: int, *, dihedral: bool, out: U8) -> tuple[int, bool]:
        """Hash (h, w * channels) bytes, and say whether the reference must agree.

        Parameters
        ----------
        rows : ndarray of uint8, shape (h, w * channels)
            Pixels, 5 a side or more.
        channels : int
            3 for RGB, 1 for grey.
        dihedral : bool
            Write eight hashes instead of one.
        out : ndarray of uint8, shape (1 or 8, 32)
            The packed hashes.

        Returns
        -------
        quality : int
            0 to 100.
        certain : bool
            False when the reference's rounding might decide otherwise.
        """
        h, w = rows.shape[0], rows.shape[1] // channels
        grid = np.empty((kernels.pdq.SIDE, kernels.pdq.SIDE), np.float32)
        kernels.pdq.sample_grid(rows, channels, *_weights(h), *_weights(w), grid)
        return kernels.pdq.hash_grid(grid, kernels.pdq.DCT, dihedral, math.sqrt(max(h, w)), out)

    def _reference_grid(self, rows: U8, channels: int, *, skip_filter: bool) -> F32:
        kernel = kernels.pdq_reference
        h, w = rows.shape[0], rows.shape[1] // channels
        side = kernels.pdq.SIDE
        double_luma = not self.downsample
        grid = np.empty((side, side), np.float32)
        if skip_filter and (h, w) == (side, side):
            # The reference takes 64 x 64 as it is, but not for dihedral hashes.
            padded = np.zeros((kernel.BAND, w), np.float32)
            for y in range(h):
                kernel.luma_rows(rows[y : y + 1], channels, double_luma, padded)
                grid[y] = padded[0]
            return grid
        kernel.reference_grid(
            rows,
            channels,
            double_luma,
            kernels.pdq.window_size(w),
            kernels.pdq.window_size(h),
            kernels.pdq.sample_positions(h),
            kernels.pdq.sample_positions(w),
            grid,
        )
        return grid


@lru_cache(maxsize=512)
def _weights(n: int) -> tuple[I64, I64, F32]:
    return kernels.pdq.sample_weights(n)


def _nearest_512(pixels: U8) -> U8:
    h, w = pixels.shape[:2]
    side = DOWNSAMPLED_SIDE_PX
    if h <= side and w <= side:
        return pixels
    y = np.arange(side) * h // side
    x = np.arange(side) * w // side
    return np.ascontiguousarray(pixels[y[:, None], x])


def create(variant: str | None) -> Algorithm:
    """Return ``pdq`` or ``pdq:512``."""
    if variant not in {None, "512"}:
        raise UnknownAlgorithmError(f"pdq:{variant}", ["pdq", "pdq:512"])
    return PDQ(downsample=variant == "512")
