"""Blurred, sharpened, noisy, coarse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.evaluate.transforms.base import to_u8, transform

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__: list[str] = []

_ROWS = 256
"""Rows that get their noise at a time: the noise of a large picture is large."""


def _at_512(pixels: U8, length: float) -> float:
    """Return a length that is in pixels of a picture whose longer side is 512."""
    return length * float(max(pixels.shape[:2])) / 512


@transform("sigma in pixels at 512", 1, 3, 6, limits=(0, 100))
def blur(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Blur with a Gaussian."""
    import cv2

    sigma = _at_512(pixels, strength)
    return pixels if sigma <= 0 else np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


@transform("length in pixels at 512", 5, 12, 25, limits=(1, 200))
def motion_blur(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Blur along a line, as a hand that shakes does."""
    import cv2

    side = 2 * round(_at_512(pixels, strength) / 2) + 1
    angle = float(chance.uniform(0, 180))
    line = np.zeros((side, side), np.float32)
    line[side // 2] = 1
    turned = cv2.warpAffine(
        line, cv2.getRotationMatrix2D((side // 2, side // 2), angle, 1), (side, side)
    )
    return np.asarray(
        cv2.filter2D(pixels, -1, turned / turned.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8
    )


@transform("amount", 1, 2, limits=(0, 20))
def sharpen(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Add what a slight blur takes away."""
    import cv2

    soft = cv2.GaussianBlur(pixels, (0, 0), max(0.3, _at_512(pixels, 1)))
    return np.asarray(cv2.addWeighted(pixels, 1 + strength, soft, -strength, 0), np.uint8)


@transform("sigma in grey levels", 10, 25, 50, limits=(0, 255))
def noise(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Add Gaussian noise."""
    noisy = np.empty_like(pixels)
    for top in range(0, len(pixels), _ROWS):
        rows = pixels[top : top + _ROWS]
        grain = chance.standard_normal(rows.shape, np.float32)
        noisy[top : top + _ROWS] = to_u8(rows + np.float32(strength) * grain)
    return noisy


@transform("cells along the longer side", 128, 64, 32, 16, limits=(1, 10000))
def pixelate(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Show squares of one colour each."""
    import cv2

    h, w = pixels.shape[:2]
    factor = min(1.0, strength / max(h, w))
    size = max(1, round(w * factor)), max(1, round(h * factor))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_NEAREST), np.uint8)


@transform("side of the window in pixels at 512", 3, 5, 9, limits=(1, 60))
def median(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Take the median of a window, as filters against noise do."""
    import cv2

    side = 2 * round(_at_512(pixels, strength) / 2) + 1
    return np.asarray(cv2.medianBlur(pixels, min(max(side, 3), 255)), np.uint8)
