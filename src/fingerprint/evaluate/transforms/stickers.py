"""Small drawings with a transparent ground: faces, a heart, a star, signs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from fingerprint.evaluate.transforms.lettering import font

if TYPE_CHECKING:
    from fingerprint.typing import F64

__all__ = ["drawn_emoji", "drawn_logo"]

_SIDE = 512
_YELLOW, _INK, _RED = (255, 204, 51), (70, 45, 20), (226, 38, 64)


def drawn_emoji(side_px: int, chance: np.random.Generator) -> Image.Image:
    """Return one of the drawings as RGBA."""
    drawing = Image.new("RGBA", (_SIDE, _SIDE), (0, 0, 0, 0))
    _KINDS[int(chance.integers(len(_KINDS)))](ImageDraw.Draw(drawing))
    return drawing.resize((side_px, side_px), Image.Resampling.LANCZOS)


def _face(draw: ImageDraw.ImageDraw) -> None:
    draw.ellipse((4, 4, _SIDE - 4, _SIDE - 4), _YELLOW, (214, 150, 20), 8)


def _laughing(draw: ImageDraw.ImageDraw) -> None:
    _face(draw)
    draw.chord((110, 200, 402, 440), 0, 180, (150, 40, 40), _INK, 8)
    for x in (170, 342):
        draw.arc((x - 55, 130, x + 55, 240), 190, 350, _INK, 22)
        draw.ellipse(
            (x - 110 if x < 256 else x + 30, 250, x - 30 if x < 256 else x + 110, 350),
            (90, 180, 250),
        )


def _cool(draw: ImageDraw.ImageDraw) -> None:
    _face(draw)
    draw.rectangle((70, 165, 442, 195), (15, 15, 20))
    for x in (165, 347):
        draw.pieslice((x - 85, 90, x + 85, 290), 0, 180, (15, 15, 20))
    draw.arc((160, 250, 352, 410), 20, 160, _INK, 22)


def _crying(draw: ImageDraw.ImageDraw) -> None:
    _face(draw)
    for x in (170, 342):
        draw.ellipse((x - 30, 170, x + 30, 240), _INK)
        draw.rounded_rectangle((x - 26, 250, x + 26, 450), 26, (90, 180, 250))
    draw.arc((180, 330, 332, 450), 200, 340, _INK, 22)


def _heart(draw: ImageDraw.ImageDraw) -> None:
    t = np.linspace(0, 2 * math.pi, 120)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    draw.polygon(_points(256 + 15 * x, 240 - 15 * y), _RED)


def _star(draw: ImageDraw.ImageDraw) -> None:
    t = np.arange(10) * math.pi / 5
    radius = np.where(np.arange(10) % 2, 105, 252)
    draw.polygon(_points(256 + radius * np.sin(t), 262 - radius * np.cos(t)), _YELLOW, _INK, 8)


def _points(x: F64, y: F64) -> list[tuple[float, float]]:
    return list(zip(x.tolist(), y.tolist(), strict=True))


_KINDS: tuple[Callable[[ImageDraw.ImageDraw], None], ...] = (
    _laughing,
    _cool,
    _crying,
    _heart,
    _star,
)


def drawn_logo(width_px: int, height_px: int, chance: np.random.Generator) -> Image.Image:
    """Return a rounded sign with a ring and letters on it as RGBA."""
    width, height = 2 * _SIDE, _SIDE
    sign = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sign)
    ground, ink = chance.integers(0, 130, 3).tolist(), chance.integers(180, 256, 3).tolist()
    draw.rounded_rectangle((0, 0, width - 1, height - 1), height // 5, (*ground, 255))
    draw.ellipse((60, 60, height - 60, height - 60), outline=(*ink, 255), width=50)
    letters = "".join(chr(65 + int(i)) for i in chance.integers(0, 26, 3))
    draw.text((1.48 * height, height / 2), letters, (*ink, 255), font(250), anchor="mm")
    return sign.resize((width_px, height_px), Image.Resampling.LANCZOS)
