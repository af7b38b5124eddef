"""Scaled, cut, turned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.evaluate.transforms.base import transform

if TYPE_CHECKING:
    from fingerprint.typing import F64, U8

__all__: list[str] = []

_FACTORS = (0.75, 0.5, 0.37, 0.25, 0.1)
_CROPS = (0.01, 0.013, 0.02, 0.03, 0.037, 0.05, 0.07, 0.083, 0.1, 0.15, 0.25)
_ONE_SIDE = (0.05, 0.1, 0.137, 0.2, 0.3, 0.5)
_SMALL_ANGLES = (0.7, 1.6, -2.5, 4, 6.3, -10)


def _size(pixels: U8, across: float, down: float) -> tuple[int, int]:
    h, w = pixels.shape[:2]
    return max(1, round(w * across)), max(1, round(h * down))


@transform("factor of both sides", 1.5, *_FACTORS, limits=(0.001, 8))
def scale(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Make smaller, averaging areas, or larger."""
    import cv2

    how = cv2.INTER_AREA if strength < 1 else cv2.INTER_CUBIC
    size = _size(pixels, strength, strength)
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


@transform("factor of both sides", *_FACTORS, limits=(0.001, 8))
def scale_nearest(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Make smaller by taking single pixels."""
    import cv2

    size = _size(pixels, strength, strength)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST), np.uint8)


@transform("factor of both sides", *_FACTORS, limits=(0.001, 8))
def scale_bilinear(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Make smaller by the four nearest pixels, without smoothing before: it aliases."""
    import cv2

    size = _size(pixels, strength, strength)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), np.uint8)


@transform("factor of both sides", *_FACTORS, limits=(0.001, 8))
def scale_lanczos(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Make smaller with Lanczos's filter, as image editors do."""
    from PIL import Image

    size = _size(pixels, strength, strength)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


@transform("width against height, factor", 1.1, 0.9, 1.33, 0.75, 1.78, limits=(0.05, 20))
def aspect(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Stretch one way and squeeze the other; the area stays."""
    import cv2

    size = _size(pixels, math.sqrt(strength), math.sqrt(1 / strength))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _cut(pixels: U8, *, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> U8:
    """Cut shares of the sides off; at least a pixel is left."""
    h, w = pixels.shape[:2]
    x, y = round(w * left), round(h * top)
    return pixels[y : max(h - round(h * bottom), y + 1), x : max(w - round(w * right), x + 1)]


@transform("share of each side cut off", *_CROPS, limits=(0, 0.49))
def crop(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Cut all four sides."""
    return _cut(pixels, left=strength, top=strength, right=strength, bottom=strength)


@transform("share of the width cut off", *_ONE_SIDE, limits=(0, 0.98))
def crop_left(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Cut the left side."""
    return _cut(pixels, left=strength)


@transform("share of the width cut off", *_ONE_SIDE, limits=(0, 0.98))
def crop_right(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Cut the right side."""
    return _cut(pixels, right=strength)


@transform("share of the height cut off", *_ONE_SIDE, limits=(0, 0.98))
def crop_top(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Cut the upper side."""
    return _cut(pixels, top=strength)


@transform("share of the height cut off", *_ONE_SIDE, limits=(0, 0.98))
def crop_bottom(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Cut the lower side."""
    return _cut(pixels, bottom=strength)


@transform("1", 1, limits=(1, 1))
def crop_centre_square(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Cut the longer side to a square around the middle, as profile pictures are."""
    h, w = pixels.shape[:2]
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    return pixels[top : top + side, left : left + side]


@transform("share of the area kept", 0.9, 0.7, 0.5, 0.3, limits=(0.01, 1))
def crop_random(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Keep a rectangle anywhere, of about the same shape."""
    h, w = pixels.shape[:2]
    # Neither side can be longer than it was.
    stretch = min(max(chance.uniform(0.8, 1.25), strength), 1 / strength)
    height = max(1, round(h * math.sqrt(strength / stretch)))
    width = max(1, round(w * math.sqrt(strength * stretch)))
    top, left = (int(chance.integers(0, room + 1)) for room in (h - height, w - width))
    return pixels[top : top + height, left : left + width]


@transform("1", 1, limits=(1, 1))
def mirror(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Exchange left and right."""
    return pixels[:, ::-1]


@transform("1", 1, limits=(1, 1))
def flip(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Exchange top and bottom."""
    return pixels[::-1]


@transform("degrees counter-clockwise", 90, 180, 270, limits=(0, 270))
def turn(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Turn by right angles."""
    return np.rot90(pixels, round(strength / 90))


def _rotated(pixels: U8, degrees: float, size: tuple[int, int], level: int = 0) -> U8:
    """Turn around the middle onto a canvas of a size (width, height)."""
    import cv2

    h, w = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1)
    matrix[:, 2] += (size[0] - w) / 2, (size[1] - h) / 2
    return np.asarray(cv2.warpAffine(pixels, matrix, size, borderValue=(level,) * 3), np.uint8)


@transform(
    "degrees counter-clockwise", 0.5, -0.7, 1, 1.6, 2, -2.5, 4, -6.3, 10, 45, limits=(-180, 180)
)
def rotate(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Turn by a small angle on the same canvas; black corners."""
    return _rotated(pixels, strength, (pixels.shape[1], pixels.shape[0]))


@transform("degrees counter-clockwise", *_SMALL_ANGLES, limits=(-180, 180))
def rotate_white(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Turn by a small angle on the same canvas; white corners."""
    return _rotated(pixels, strength, (pixels.shape[1], pixels.shape[0]), 255)


@transform("degrees counter-clockwise", *_SMALL_ANGLES, 45, limits=(-180, 180))
def rotate_expand(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Turn by a small angle on a canvas that grows to hold all; black corners."""
    h, w = pixels.shape[:2]
    sine, cosine = abs(math.sin(math.radians(strength))), abs(math.cos(math.radians(strength)))
    size = math.ceil(w * cosine + h * sine - 1e-9), math.ceil(w * sine + h * cosine - 1e-9)
    return _rotated(pixels, strength, size)


@transform("degrees counter-clockwise", *_SMALL_ANGLES, limits=(-180, 180))
def rotate_crop(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Turn by a small angle and cut to the largest upright rectangle inside."""
    h, w = pixels.shape[:2]
    width, height = _inner_rectangle(w, h, math.radians(strength))
    size = max(1, math.floor(width)), max(1, math.floor(height))
    return _rotated(pixels, strength, size)


def _inner_rectangle(width: float, height: float, angle: float) -> tuple[float, float]:
    """Return the sides of the largest upright rectangle inside a turned one."""
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    longer, shorter = max(width, height), min(width, height)
    if shorter <= 2 * sine * cosine * longer or abs(sine - cosine) < 1e-9:
        # Two corners touch the longer sides; the others lie in the middle.
        half = shorter / 2
        across, down = half / max(sine, 1e-9), half / max(cosine, 1e-9)
        return (across, down) if width >= height else (down, across)
    double = cosine * cosine - sine * sine
    return (
        (width * cosine - height * sine) / double,
        (height * cosine - width * sine) / double,
    )


def quad(height: int, width: int, reach: float, chance: np.random.Generator) -> F64:
    """Return the four corners, each drawn in by up to ``reach`` of the sides; clockwise."""
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    inwards = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], np.float64)
    return corners + inwards * chance.uniform(0, reach, (4, 2)) * (width, height)


@transform(
    "greatest shift of a corner as a share of the side", 0.02, 0.05, 0.1, 0.2, limits=(0, 0.45)
)
def perspective(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Look at it from a slant, cut to what fills the picture."""
    import cv2

    h, w = pixels.shape[:2]
    seen = quad(h, w, strength, chance).astype(np.float32)
    whole = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32)
    matrix = cv2.getPerspectiveTransform(seen, whole)
    warped = cv2.warpPerspective(pixels, matrix, (w, h), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)
