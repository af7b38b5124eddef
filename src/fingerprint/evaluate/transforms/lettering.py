"""Words on pictures: which, how large, and how they are broken into lines."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import ImageFont

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Font", "fitted", "font", "phrase", "wrapped"]

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

_TEXT = """
when you see it again after all these years and nobody told anyone why the cat was there
first look who came home today best day ever never forget this moment they said it could
not be done share before it is gone only real ones know please wait for the end my friend
"""
_WORDS = tuple(_TEXT.split())

_LEAST_PX = 6


@lru_cache(maxsize=64)
def font(size_px: int) -> Font:
    """Return Pillow's own font, which is the same on every computer."""
    return ImageFont.load_default(max(_LEAST_PX, size_px))


def phrase(chance: np.random.Generator, n_words: int) -> str:
    """Return some words in no order."""
    words = [_WORDS[i] for i in chance.integers(0, len(_WORDS), n_words)]
    return " ".join(words).capitalize()


def wrapped(text: str, letters: Font, width_px: float) -> list[str]:
    """Break a text into lines that are not wider, but for words that are."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and letters.getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def fitted(text: str, width_px: int, height_px: int) -> tuple[list[str], int]:
    """Return lines and the largest size of letters in pixels that fit a box."""
    size = max(_LEAST_PX, round(0.6 * height_px))
    while True:
        lines = wrapped(text, font(size), width_px)
        wide = max(font(size).getlength(line) for line in lines)
        if size == _LEAST_PX or (1.25 * size * len(lines) <= height_px and wide <= width_px):
            return lines, size
        size = max(_LEAST_PX, int(size * 0.9))
