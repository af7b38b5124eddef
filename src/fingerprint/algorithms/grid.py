"""The small grey grid that the hashes of imagehash start from."""

from __future__ import annotations

from abc import abstractmethod
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from fingerprint import kernels
from fingerprint.algorithms.base import HashAlgorithm, Radius, parse_hash_size
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.typing import I32, I64, U8, Bits

__all__ = ["MIN_SIDE_PX", "GridHash", "gradient_quality", "grey", "grey_grid"]

MIN_SIDE_PX = 5
"""Shortest side of a picture that is taken seriously; PDQ's bound."""

SHORT_WINDOW = 64
"""Weights a pixel up to which turning the picture pays: measured, both are exact."""


@lru_cache(maxsize=512)
def _weights(n_in: int, n_out: int) -> tuple[I64, I64, I32]:
    return kernels.resample.lanczos_weights(n_in, n_out)


def grey_grid(pixels: U8, width: int, height: int) -> U8:
    """Return what Pillow's ``convert("L").resize((width, height), LANCZOS)`` does.

    Pillow rounds to bytes between its two passes, so their order shows in the
    result. Since version 13 (python-pillow/Pillow#9549) it takes the height
    first when that shrinks by more than twice as many pixels as the width; this
    follows that rule whichever Pillow is installed.

    Parameters
    ----------
    pixels : ndarray of uint8
        (h, w, 3) RGB or (h, w) grey, C-contiguous.
    width, height : int
        Size of the grid in pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width)
    """
    h, w = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else 3
    rows = pixels.reshape(h, w * channels)
    if h > height and h - height > 2 * (w - width):
        return _resize_width(_resize_height(_grey(rows, channels), height), 1, width)
    return _resize_height(_resize_width(rows, channels, width), height)


def grey(pixels: U8) -> U8:
    """Return Pillow's ``convert("L")`` of canonical pixels, (h, w) uint8."""
    h, w = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else 3
    return _grey(pixels.reshape(h, w * channels), channels)


def _grey(rows: U8, channels: int) -> U8:
    if channels == 1:
        return rows
    out = np.empty((rows.shape[0], rows.shape[1] // channels), np.uint8)
    kernels.resample.grey(rows, channels, out)
    return out


def _resize_width(rows: U8, channels: int, width: int) -> U8:
    if rows.shape[1] // channels == width:
        return _grey(rows, channels)
    first, count, weights = _weights(rows.shape[1] // channels, width)
    if weights.shape[1] <= SHORT_WINDOW:
        return _resize_lying(_grey(rows, channels), width)
    out = np.empty((rows.shape[0], width), np.uint8)
    kernels.resample.resize_width(rows, channels, first, count, weights, out)
    return out


def _resize_lying(rows: U8, width: int) -> U8:
    """Resize the width of a picture laid on its side: its inner loop is the longer."""
    import cv2

    lying = _resize_height(np.asarray(cv2.transpose(rows), np.uint8), width)
    return np.asarray(cv2.transpose(lying), np.uint8)


def _resize_height(rows: U8, height: int) -> U8:
    if rows.shape[0] == height:
        return rows
    out = np.empty((height, rows.shape[1]), np.uint8)
    kernels.resample.resize_height(rows, *_weights(rows.shape[0], height), out)
    return out


def gradient_quality(grid: U8) -> int:
    """Return how much a grey grid has in it, 0 to 100: PDQ's measure, scaled to its size."""
    return int(kernels.resample.gradient_quality(grid))


class GridHash(HashAlgorithm):
    """A hash of ``hash_size`` squared bits read off a small grey grid.

    Parameters
    ----------
    hash_size : int
        Side of the square of bits.
    """

    family: ClassVar[str]
    radius_source: ClassVar[str]
    fast_px_per_bit: ClassVar[int | None] = 16
    """Input pixels kept for each bit's width when a JPEG is scaled down."""
    smallest: ClassVar[int] = 2
    powers_of_two: ClassVar[bool] = False

    def __init__(self, hash_size: int = 8) -> None:
        self.hash_size = hash_size
        self.name = self.family if hash_size == 8 else f"{self.family}:{hash_size}"
        self.hash_name = self.name
        self.bits = hash_size * hash_size
        self.radius = Radius(round(10 / 64 * self.bits), self.radius_source)
        if self.fast_px_per_bit is not None:
            self.fast_min_side_px = self.fast_px_per_bit * hash_size

    @classmethod
    def of_variant(cls, variant: str | None) -> Self:
        """Return the hash of the size that a variant such as ``"16"`` names."""
        return cls(
            parse_hash_size(
                cls.family, variant, smallest=cls.smallest, powers_of_two=cls.powers_of_two
            )
        )

    @abstractmethod
    def grid_size(self, pixels: U8) -> tuple[int, int]:
        """Return width and height of the grid for these pixels."""

    @abstractmethod
    def grid_bits(self, grid: U8) -> Bits:
        """Read the bits off the grid, row by row, first bit most significant."""

    def grid_quality(self, grid: U8) -> int:
        """Return how much the grid has in it, 0 to 100."""
        return gradient_quality(grid)

    def hash_pixels(self, pixels: U8) -> Hash:
        """Hash canonical pixels, (h, w, 3) RGB or (h, w) grey uint8."""
        grid = grey_grid(pixels, *self.grid_size(pixels))
        # A strip has no second dimension, however much its enlarged grid seems to hold.
        strip = min(pixels.shape[:2]) < MIN_SIDE_PX
        quality = 0 if strip else self.grid_quality(grid)
        return Hash.from_bits(self.grid_bits(grid), self.hash_name, quality=quality)
