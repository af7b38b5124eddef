"""The picture among others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.evaluate.transforms.base import Others, transform_with_others

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__: list[str] = []

_GUTTERS = (0, 0.013, 0.04)
_GUTTER = "gutter as a share of the shorter side"


def _sized(pixels: U8, height: int, width: int) -> U8:
    import cv2

    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _grid(
    pixels: U8,
    rows: int,
    columns: int,
    strength: float,
    chance: np.random.Generator,
    others: Others,
) -> U8:
    """Fill a grid of cells of the picture's shape; the whole is about as large as it was."""
    h, w = pixels.shape[:2]
    factor = 1 / max(rows, columns)
    height, width = max(1, round(h * factor)), max(1, round(w * factor))
    gap = round(strength * min(h, w))
    shape = rows * height + (rows + 1) * gap, columns * width + (columns + 1) * gap, 3
    canvas = np.full(shape, 255 if chance.random() < 0.7 else 0, np.uint8)
    ours = int(chance.integers(rows * columns))
    for cell in range(rows * columns):
        row, column = divmod(cell, columns)
        y, x = gap + row * (height + gap), gap + column * (width + gap)
        there = _sized(pixels, height, width) if cell == ours else others.take(height, width)
        canvas[y : y + height, x : x + width] = there
    return canvas


@transform_with_others(_GUTTER, *_GUTTERS, limits=(0, 0.3))
def collage_1x2(pixels: U8, strength: float, chance: np.random.Generator, others: Others) -> U8:
    """Set it beside another."""
    return _grid(pixels, 1, 2, strength, chance, others)


@transform_with_others(_GUTTER, *_GUTTERS, limits=(0, 0.3))
def collage_2x1(pixels: U8, strength: float, chance: np.random.Generator, others: Others) -> U8:
    """Set it above or below another."""
    return _grid(pixels, 2, 1, strength, chance, others)


@transform_with_others(_GUTTER, *_GUTTERS, limits=(0, 0.3))
def collage_2x2(pixels: U8, strength: float, chance: np.random.Generator, others: Others) -> U8:
    """Set it into a grid of four."""
    return _grid(pixels, 2, 2, strength, chance, others)


@transform_with_others(_GUTTER, *_GUTTERS, limits=(0, 0.3))
def collage_3x3(pixels: U8, strength: float, chance: np.random.Generator, others: Others) -> U8:
    """Set it into a grid of nine."""
    return _grid(pixels, 3, 3, strength, chance, others)


@transform_with_others("share of the width", 0.7, 0.58, 0.4, limits=(0.05, 0.95))
def collage_uneven(pixels: U8, strength: float, chance: np.random.Generator, others: Others) -> U8:
    """Set it beside a column of two that is narrower or wider."""
    h, w = pixels.shape[:2]
    height, width = max(2, round(h * strength)), max(1, round(w * strength))
    gap = round(min(h, w) * chance.choice([0.0, 0.008, 0.02]))
    column = max(1, w - width)
    split = min(max(round(height * chance.uniform(0.35, 0.65)), 1), height - 1)
    canvas = np.full(
        (height, width + gap + column, 3), 255 if chance.random() < 0.7 else 0, np.uint8
    )
    left = chance.random() < 0.5
    x, beside = (0, width + gap) if left else (column + gap, 0)
    canvas[:, x : x + width] = _sized(pixels, height, width)
    upper = max(1, split - gap)
    canvas[:upper, beside : beside + column] = others.take(upper, column)
    canvas[split:, beside : beside + column] = others.take(height - split, column)
    return canvas


@transform_with_others("share of either side", 0.8, 0.6, 0.4, limits=(0.05, 1))
def picture_in_picture(
    pixels: U8, strength: float, chance: np.random.Generator, others: Others
) -> U8:
    """Lay it, made smaller, onto another."""
    h, w = pixels.shape[:2]
    canvas = others.take(h, w).copy()
    height, width = max(1, round(h * strength)), max(1, round(w * strength))
    y, x = (int(chance.integers(0, room + 1)) for room in (h - height, w - width))
    canvas[y : y + height, x : x + width] = _sized(pixels, height, width)
    return canvas
