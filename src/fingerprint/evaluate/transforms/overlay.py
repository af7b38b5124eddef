"""Something laid over the picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from fingerprint.evaluate.transforms.base import transform
from fingerprint.evaluate.transforms.lettering import fitted, font, phrase, wrapped
from fingerprint.evaluate.transforms.stickers import drawn_emoji, drawn_logo

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__: list[str] = []

_AREAS = (0.03, 0.1, 0.25, 0.4)


def _picture(pixels: U8) -> Image.Image:
    return Image.fromarray(pixels).copy()


def _write(picture: Image.Image, x: float, y: float, words: str, size_px: int) -> None:
    ImageDraw.Draw(picture).text(
        (x, y),
        words,
        (255, 255, 255),
        font(size_px),
        anchor="mm",
        stroke_width=max(1, size_px // 12),
        stroke_fill=(0, 0, 0),
    )


@transform("height of the letters as a share of the picture's", 0.06, 0.12, limits=(0.005, 1))
def text(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Write a few words across the lower, upper or middle part."""
    picture = _picture(pixels)
    h, w = pixels.shape[:2]
    size = max(8, round(h * strength))
    middle = chance.choice([0.85, 0.85, 0.12, 0.5])
    words = phrase(chance, int(chance.integers(2, 5)))
    lines = wrapped(words, font(size), 0.95 * w)
    for i, line in enumerate(lines):
        y = h * middle + (i - (len(lines) - 1) / 2) * 1.25 * size
        _write(picture, w / 2, y, line, size)
    return np.asarray(picture)


@transform("lines", 3, 6, 10, limits=(1, 40))
def text_lines(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Write lines of large letters over all of it."""
    picture = _picture(pixels)
    h, w = pixels.shape[:2]
    n = round(strength)
    size = max(8, round(h * min(0.1, 0.6 / n)))
    for line in range(n):
        words = phrase(chance, int(chance.integers(3, 7)))
        wide = font(size).getlength(words) / (0.95 * w)
        _write(picture, w / 2, h * (line + 0.5) / n, words, int(size / max(1, wide)))
    return np.asarray(picture)


@transform("opacity", 0.1, 0.2, 0.3, 0.5, limits=(0, 1))
def watermark(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Repeat a slanting line of words all over it, as agencies do."""
    h, w = pixels.shape[:2]
    size = max(8, round(max(h, w) * chance.uniform(0.03, 0.06)))
    words = phrase(chance, 2)
    step_x, step_y = round(font(size).getlength(words) + 2 * size), round(3.5 * size)
    across = math.ceil(math.hypot(h, w))
    mask = Image.new("L", (across, across), 0)
    draw = ImageDraw.Draw(mask)
    for row, y in enumerate(range(0, across, step_y)):
        for x in range(-(row % 2) * step_x // 2, across, step_x):
            draw.text((x, y), words, round(255 * strength), font(size))
    mask = mask.rotate(chance.uniform(15, 45), Image.Resampling.BILINEAR)
    left, top = (across - w) // 2, (across - h) // 2
    picture = _picture(pixels)
    colour = (255, 255, 255) if chance.random() < 0.7 else (0, 0, 0)
    picture.paste(colour, (0, 0), mask.crop((left, top, left + w, top + h)))
    return np.asarray(picture)


@transform("share of the area", 0.01, 0.03, 0.1, limits=(0.0005, 1))
def logo(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put a sign into a corner."""
    h, w = pixels.shape[:2]
    height = max(4, round(math.sqrt(strength * h * w / 2)))
    sign = drawn_logo(2 * height, height, chance)
    gap = round(0.03 * min(h, w))
    left = gap if chance.random() < 0.5 else w - sign.width - gap
    top = gap if chance.random() < 0.5 else h - sign.height - gap
    picture = _picture(pixels)
    picture.paste(sign, (left, top), sign)
    return np.asarray(picture)


@transform("share of the area", *_AREAS, limits=(0.0005, 1))
def emoji(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Stick a face, a heart or a star anywhere onto it."""
    h, w = pixels.shape[:2]
    side = max(4, round(math.sqrt(strength * h * w * 4 / math.pi)))
    sticker = drawn_emoji(side, chance)
    # Within the picture where it fits, else over its edges.
    left, top = (round((n - side) * chance.uniform(0, 1)) for n in (w, h))
    picture = _picture(pixels)
    picture.paste(sticker, (left, top), sticker)
    return np.asarray(picture)


@transform("share of the area", *_AREAS, limits=(0, 1))
def stripes(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Lay slanting bars of one colour over it."""
    h, w = pixels.shape[:2]
    angle = chance.uniform(0, math.pi)
    pitch = max(h, w) * chance.uniform(0.12, 0.25)
    y, x = (np.arange(n, dtype=np.float32)[:, None] for n in (h, w))
    along = (y * np.float32(math.sin(angle)) + x.T * np.float32(math.cos(angle))) / pitch
    covered = (along + np.float32(chance.uniform())) % 1 < strength
    colour = chance.integers(0, 256, 3, dtype=np.uint8)
    return np.where(covered[..., None], colour, pixels)


@transform("height of the bar as a share of the picture's", 0.08, 0.15, 0.25, limits=(0.01, 0.9))
def caption_inside(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Lay a half-transparent bar with words over the lower, upper or middle part."""
    h, w = pixels.shape[:2]
    height = max(2, round(h * strength))
    top = round((h - height) * chance.choice([1.0, 0.0, 0.6]))
    picture = _picture(pixels)
    shade = Image.new("L", (w, height), round(255 * chance.uniform(0.5, 1)))
    dark = chance.random() < 0.7
    picture.paste((0, 0, 0) if dark else (255, 255, 255), (0, top), shade)
    lines, size = fitted(phrase(chance, int(chance.integers(3, 7))), w, round(0.9 * height))
    draw = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        y = top + height / 2 + (i - (len(lines) - 1) / 2) * 1.25 * size
        draw.text((w / 2, y), line, (255,) * 3 if dark else (0, 0, 0), font(size), anchor="mm")
    return np.asarray(picture)
