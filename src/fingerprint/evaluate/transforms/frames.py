"""Something put around the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from fingerprint.evaluate.transforms.base import transform
from fingerprint.evaluate.transforms.lettering import fitted, font, phrase

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__: list[str] = []

_SHARES = (0.01, 0.02, 0.037, 0.05, 0.083, 0.1, 0.2)
_BARS = (0.05, 0.083, 0.1, 0.137, 0.2)
_WIDE, _TALL = 16 / 9, 9 / 16


def _framed(pixels: U8, dy: int, dx: int, level: int | None) -> U8:
    """Add rows above and below and columns beside, of a grey level or of itself, blurred."""
    h, w = pixels.shape[:2]
    framed = np.full((h + 2 * dy, w + 2 * dx, 3), level or 0, np.uint8)
    if level is None:
        framed = _blurred_cover(pixels, *framed.shape[:2])
    framed[dy : dy + h, dx : dx + w] = pixels
    return framed


def _blurred_cover(pixels: U8, height: int, width: int) -> U8:
    """Return the picture enlarged to cover a size, blurred and a little darker."""
    import cv2

    h, w = pixels.shape[:2]
    part_h, part_w = min(h, round(w * height / width)), min(w, round(h * width / height))
    top, left = (h - part_h) // 2, (w - part_w) // 2
    part = pixels[top : top + max(1, part_h), left : left + max(1, part_w)]
    # The blur makes a small picture as good as a large one.
    factor = min(1.0, 160 / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), max(size) / 40)
    large = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.convertScaleAbs(large, alpha=0.85), np.uint8)


def _frame(pixels: U8, strength: float, level: int | None) -> U8:
    h, w = pixels.shape[:2]
    return _framed(pixels, round(h * strength), round(w * strength), level)


@transform("share of the side added all round", *_SHARES, limits=(0, 4))
def border(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put a black frame around it."""
    return _frame(pixels, strength, 0)


@transform("share of the side added all round", *_SHARES, limits=(0, 4))
def border_white(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put a white frame around it."""
    return _frame(pixels, strength, 255)


@transform("share of the side added all round", 0.05, 0.1, 0.2, limits=(0, 4))
def border_blurred(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put itself, enlarged and blurred, around it."""
    return _frame(pixels, strength, None)


@transform("share of the side added all round", 0.02, 0.05, 0.1, limits=(0, 4))
def border_coloured(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put a frame of any colour around it."""
    framed = _frame(pixels, strength, 0)
    h, w = pixels.shape[:2]
    top, left = (framed.shape[0] - h) // 2, (framed.shape[1] - w) // 2
    framed[...] = chance.integers(0, 256, 3, dtype=np.uint8)
    framed[top : top + h, left : left + w] = pixels
    return framed


@transform("share of the height added above and below", *_BARS, limits=(0, 4))
def letterbox(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put black bars above and below."""
    return _framed(pixels, round(len(pixels) * strength), 0, 0)


@transform("share of the width added on either side", *_BARS, limits=(0, 4))
def pillarbox(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put black bars on the left and the right."""
    return _framed(pixels, 0, round(pixels.shape[1] * strength), 0)


@transform("share of the height added above and below", *_BARS, limits=(0, 4))
def letterbox_white(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put white bars above and below."""
    return _framed(pixels, round(len(pixels) * strength), 0, 255)


@transform("share of the height added above and below", *_BARS, limits=(0, 4))
def letterbox_blurred(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put itself, enlarged and blurred, above and below."""
    return _framed(pixels, round(len(pixels) * strength), 0, None)


def _shaped(pixels: U8, shape: float, level: int | None) -> U8:
    """Add bars until width against height is ``shape``."""
    h, w = pixels.shape[:2]
    dy, dx = max(0, round((w / shape - h) / 2)), max(0, round((h * shape - w) / 2))
    return _framed(pixels, dy, dx, level)


@transform("1", 1, limits=(1, 1))
def letterbox_1_1(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Add black bars until it is square."""
    return _shaped(pixels, 1, 0)


@transform("1", 1, limits=(1, 1))
def letterbox_1_1_white(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Add white bars until it is square."""
    return _shaped(pixels, 1, 255)


@transform("1", 1, limits=(1, 1))
def letterbox_16_9(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Add black bars until it is 16:9."""
    return _shaped(pixels, _WIDE, 0)


@transform("1", 1, limits=(1, 1))
def letterbox_9_16(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Add black bars until it is 9:16, a phone's upright screen."""
    return _shaped(pixels, _TALL, 0)


@transform("1", 1, limits=(1, 1))
def letterbox_9_16_blurred(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Add itself, enlarged and blurred, until it is 9:16."""
    return _shaped(pixels, _TALL, None)


def _bar(width: int, height: int, chance: np.random.Generator) -> Image.Image:
    """Return black words on white."""
    bar = Image.new("RGB", (width, height), "white")
    words = phrase(chance, int(chance.integers(5, 14)))
    lines, size = fitted(words, max(1, round(0.94 * width)), max(1, round(0.9 * height)))
    draw = ImageDraw.Draw(bar)
    middle = chance.random() < 0.6
    for i, line in enumerate(lines):
        y = height / 2 + (i - (len(lines) - 1) / 2) * 1.25 * size
        x = width / 2 if middle else 0.03 * width
        draw.text((x, y), line, "black", font(size), anchor="mm" if middle else "lm")
    return bar


def _captioned(
    pixels: U8, strength: float, chance: np.random.Generator, *, above: bool, below: bool
) -> U8:
    h, w = pixels.shape[:2]
    height = max(1, round(h * strength))
    parts = [np.asarray(_bar(w, height, chance))] if above else []
    parts.append(pixels)
    parts += [np.asarray(_bar(w, height, chance))] if below else []
    return np.concatenate(parts)


_CAPTION = "height of the bar as a share of the picture's"


@transform(_CAPTION, 0.12, 0.17, 0.25, 0.4, limits=(0.01, 2))
def meme_caption(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put a white bar with black words above it."""
    return _captioned(pixels, strength, chance, above=True, below=False)


@transform(_CAPTION, 0.12, 0.17, 0.25, 0.4, limits=(0.01, 2))
def meme_caption_below(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put a white bar with black words below it."""
    return _captioned(pixels, strength, chance, above=False, below=True)


@transform(_CAPTION, 0.12, 0.2, limits=(0.01, 2))
def meme_caption_both(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Put white bars with black words above and below it."""
    return _captioned(pixels, strength, chance, above=True, below=True)
