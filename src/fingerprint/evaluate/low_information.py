"""Pictures with little in them, drawn from a seed: most chance matches are between such."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fingerprint.typing import F32, F64, U8

    Drawing = Callable[[np.random.Generator], U8]

__all__ = ["LOW_INFORMATION_KINDS", "faded", "low_information"]

_LONGER_SIDE_PX = 512
_WORDS = [
    *("when", "you", "see", "it", "again", "we", "know", "that", "the", "picture", "was", "sent"),
    *("by", "one", "of", "them", "and", "not", "before", "noon", "on", "a", "long", "letter"),
]


def low_information(kind: str, seed: int) -> U8:
    """Draw a picture with little in it.

    Parameters
    ----------
    kind : str
        One of `LOW_INFORMATION_KINDS`: ``"flat"`` (one colour and faint noise),
        ``"gradient"``, ``"logo"`` (one or two shapes on a plain ground), ``"text"`` (lines
        of writing, as a screenshot of a message has them).
    seed : int
        The same seed draws the same picture.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        RGB; the longer side has 512 pixels.
    """
    if kind not in _DRAWINGS:
        known = ", ".join(LOW_INFORMATION_KINDS)
        raise ValueError(f"kind: expected one of {known}, got {kind!r}")
    number = LOW_INFORMATION_KINDS.index(kind)
    return np.ascontiguousarray(_DRAWINGS[kind](np.random.default_rng((number, seed))))


def faded(pixels: U8, seed: int) -> U8:
    """Blur (h, w, 3) RGB pixels and take contrast out of them until little is left."""
    import cv2

    generator = np.random.default_rng(seed)
    sigma = generator.uniform(0.02, 0.12) * max(pixels.shape[:2])
    contrast = generator.uniform(0.05, 0.6)
    # Blurred small: a large sigma on a large picture takes seconds.
    shrunk = 128 / max(pixels.shape[:2])
    size = [max(1, round(side * shrunk)) for side in (pixels.shape[1], pixels.shape[0])]
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma * shrunk)
    larger = [4 * side for side in size]
    soft = np.asarray(cv2.resize(blurred, larger, interpolation=cv2.INTER_LINEAR), np.float32)
    ground = generator.uniform(40, 215)
    return _u8(ground + (soft - soft.mean()) * contrast + generator.normal(0, 1, soft.shape))


def _shape(generator: np.random.Generator) -> tuple[int, int]:
    short = round(_LONGER_SIDE_PX * generator.uniform(0.5, 1))
    return (short, _LONGER_SIDE_PX) if generator.random() < 0.5 else (_LONGER_SIDE_PX, short)


def _colour(generator: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = generator.integers(0, 256, 3)
    return int(red), int(green), int(blue)


def _u8(values: F64 | F32) -> U8:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _flat(generator: np.random.Generator) -> U8:
    ground = np.empty((*_shape(generator), 3))
    ground[:] = _colour(generator)
    return _u8(ground + generator.normal(0, generator.choice([0.0, 0.5, 2.0]), ground.shape))


def _gradient(generator: np.random.Generator) -> U8:
    h, w = _shape(generator)
    y, x = np.mgrid[0 : 1 : h * 1j, 0 : 1 : w * 1j]
    if generator.random() < 0.7:
        upright = generator.random() < 0.5
        angle = generator.integers(0, 4) * np.pi / 2 if upright else generator.uniform(0, 2 * np.pi)
        ramp = x * np.cos(angle) + y * np.sin(angle)
    else:
        ramp = np.hypot(x - generator.uniform(0, 1), y - generator.uniform(0, 1))
    ramp = (ramp - ramp.min()) / np.ptp(ramp)
    start, end = np.array(_colour(generator)), np.array(_colour(generator))
    grain = generator.choice([0.0, 0.5, 2.0])
    return _u8(start + ramp[..., None] * (end - start) + generator.normal(0, grain, (h, w, 3)))


def _logo(generator: np.random.Generator) -> U8:
    from PIL import Image, ImageDraw

    h, w = _shape(generator)
    ground = (255, 255, 255) if generator.random() < 0.5 else _colour(generator)
    picture = Image.new("RGB", (w, h), ground)
    draw = ImageDraw.Draw(picture)
    for _ in range(generator.integers(1, 3)):
        radius = generator.uniform(0.05, 0.3) * min(h, w)
        x, y = w * generator.uniform(0.3, 0.7), h * generator.uniform(0.3, 0.7)
        kind = generator.integers(0, 3)
        if kind == 0:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), _colour(generator))
        elif kind == 1:
            flat = radius * generator.uniform(0.3, 1)
            draw.rectangle((x - radius, y - flat, x + radius, y + flat), _colour(generator))
        else:
            turned = float(generator.uniform(0, 360))
            sides = int(generator.integers(3, 7))
            draw.regular_polygon((x, y, radius), sides, turned, _colour(generator))
    return np.asarray(picture)


def _text(generator: np.random.Generator) -> U8:
    from PIL import Image, ImageDraw, ImageFont

    h, w = _shape(generator)
    dark = generator.random() < 0.3
    ground, ink = ((18, 18, 20), (235, 235, 235)) if dark else ((255, 255, 255), (20, 20, 20))
    picture = Image.new("RGB", (w, h), ground)
    draw = ImageDraw.Draw(picture)
    size = int(generator.integers(12, 30))
    font = ImageFont.load_default(size)
    words = generator.choice(_WORDS, generator.integers(4, 80))
    left, y, line = 0.05 * w, 0.05 * h, ""
    for word in [*words, ""]:
        longer = f"{line} {word}".strip()
        if word and draw.textlength(longer, font) < 0.9 * w:
            line = longer
            continue
        draw.text((left, y), line, ink, font)
        y, line = y + 1.4 * size, str(word)
    return np.asarray(picture)


_DRAWINGS: dict[str, Drawing] = {
    "flat": _flat,
    "gradient": _gradient,
    "logo": _logo,
    "text": _text,
}
LOW_INFORMATION_KINDS = tuple(_DRAWINGS)
"""What `low_information` draws."""
