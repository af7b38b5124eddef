"""Lighter, darker, other colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.evaluate.transforms.base import to_u8, transform

if TYPE_CHECKING:
    from fingerprint.typing import F64, U8

__all__: list[str] = []

_LUMA = (0.299, 0.587, 0.114)
_LEVELS = np.arange(256.0)
_SEPIA = ((0.393, 0.769, 0.189), (0.349, 0.686, 0.168), (0.272, 0.534, 0.131))


def _mapped(pixels: U8, levels: F64) -> U8:
    """Replace every value by that of a table: (256,), or (256, 3) for each channel its own."""
    import cv2

    table = to_u8(levels).reshape(1, 256, -1)
    if table.shape[2] == 1:
        table = np.repeat(table, 3, axis=2)
    return np.asarray(cv2.LUT(pixels, table), np.uint8)


def _mixed(pixels: U8, matrix: F64) -> U8:
    """Mix the channels by a (3, 3) matrix."""
    import cv2

    return np.asarray(cv2.transform(pixels, matrix), np.uint8)


def _towards(strength: float, matrix: object) -> F64:
    """Return the way from no change to a matrix."""
    return (1 - strength) * np.eye(3) + strength * np.asarray(matrix, np.float64)


@transform("factor", 0.8, 1.2, 0.6, 1.5, limits=(0, 10))
def brightness(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Multiply every value."""
    return _mapped(pixels, _LEVELS * strength)


@transform("factor around the middle", 0.75, 1.25, 0.5, 2.0, limits=(0, 10))
def contrast(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Stretch values away from the middle grey."""
    return _mapped(pixels, 128 + (_LEVELS - 128) * strength)


@transform("exponent; above 1 is darker", 0.8, 1.25, 0.67, 1.5, 0.5, 2, limits=(0.05, 20))
def gamma(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Bend the tones; black and white stay."""
    return _mapped(pixels, 255 * (_LEVELS / 255) ** strength)


@transform("factor", 0.5, 1.5, 2, 0, limits=(0, 10))
def saturation(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Make colours stronger or paler."""
    return _mixed(pixels, strength * np.eye(3) + (1 - strength) * np.array([_LUMA] * 3))


@transform("degrees on the colour wheel", 10, 30, 90, 180, limits=(-360, 360))
def hue(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Turn every colour around the wheel."""
    import cv2

    hsv = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV_FULL), np.uint8)
    hsv[..., 0] += np.uint8(round(strength * 256 / 360) % 256)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL), np.uint8)


@transform("1", 1, limits=(1, 1))
def grayscale(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Take the colour out."""
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)


@transform("1", 1, limits=(1, 1))
def invert(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Make a negative."""
    return 255 - pixels


@transform("share of the colour", 0.1, 0.25, 0.5, limits=(0, 1))
def tint(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Lay an even colour over it."""
    angle = chance.uniform(0, 2 * math.pi)
    colour = 128 + 127 * np.cos(angle + np.array([0, 2, 4]) * math.pi / 3)
    return _mapped(pixels, _LEVELS[:, None] * (1 - strength) + colour * strength)


@transform("share of the filter", 0.5, 1, limits=(0, 1))
def sepia(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Brown as old photographs."""
    return _mixed(pixels, _towards(strength, _SEPIA))


@transform("share of the filter", 0.5, 1, limits=(0, 1))
def cool(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """A filter that favours blue and lifts the shadows of it."""
    return _balanced(pixels, np.array([-0.14, 0.0, 0.16]) * strength, 14 * strength)


@transform("share of the filter", 0.5, 1, limits=(0, 1))
def warm(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """A filter that favours orange and lifts the shadows of it."""
    return _balanced(pixels, np.array([0.16, 0.03, -0.18]) * strength, 10 * strength)


def _balanced(pixels: U8, gains: F64, lift: float) -> U8:
    levels = _LEVELS[:, None] * (1 + gains)
    return _mapped(pixels, levels + lift * np.maximum(gains, 0) / gains.max(initial=1e-9))


@transform("share of the filter", 0.5, 1, limits=(0, 1))
def faded(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """A filter of pale colours, grey blacks and dull whites."""
    pale = _mixed(pixels, _towards(0.4 * strength, [_LUMA] * 3))
    return _mapped(pale, _LEVELS + strength * (45 - 0.27 * _LEVELS))


@transform("share of the filter", 0.5, 1, limits=(0, 1))
def vivid(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """A filter of strong colours and an S-shaped curve of tones."""
    strong = _mixed(pixels, _towards(-0.5 * strength, [_LUMA] * 3))
    bent = _LEVELS - 255 / (2 * math.pi) * 0.7 * np.sin(_LEVELS * 2 * math.pi / 255)
    return _mapped(strong, (1 - strength) * _LEVELS + strength * bent)


@transform("share of the filter", 0.5, 1, limits=(0, 1))
def noir(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """A filter of black and white with hard contrast."""
    grey = _mixed(pixels, _towards(strength, [_LUMA] * 3))
    return _mapped(grey, 128 + (_LEVELS - 128) * (1 + 0.6 * strength) - 12 * strength)


@transform("share of the light that the corners lose", 0.3, 0.6, 0.9, limits=(0, 1))
def vignette(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Darken towards the corners."""
    h, w = pixels.shape[:2]
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) ** 2 / 2 for n in (h, w))
    light = 1 - np.float32(strength) * (y[:, None] + x[None])
    return to_u8(pixels * light[..., None])
