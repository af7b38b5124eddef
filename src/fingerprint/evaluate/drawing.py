"""A few shapes, drawn alike as pixels (PNG) and as SVG (in HTML)."""

from __future__ import annotations

import base64
import html
import io
import os
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

from PIL import Image, ImageDraw, ImageFont

__all__ = [
    "Anchor",
    "Canvas",
    "PixelCanvas",
    "SvgCanvas",
    "shortened",
    "text_px",
    "write_privately",
]

Anchor: TypeAlias = Literal["left", "middle", "right"]
Point: TypeAlias = tuple[float, float]

_FONTS = ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "Helvetica.ttc")
_FINE = 4
"""Sub-pixels a side of a slanting edge."""


class Canvas(ABC):
    """Somewhere to draw; places are pixels from the top left, y of a text its middle."""

    @abstractmethod
    def box(
        self, x: float, y: float, width: float, height: float, colour: str, opacity: float = 1.0
    ) -> None:
        """Fill a rectangle."""

    @abstractmethod
    def polygon(self, points: Sequence[Point], colour: str, opacity: float, label: str) -> None:
        """Fill a polygon; SVG shows the label where somebody points at it."""

    @abstractmethod
    def disc(self, x: float, y: float, radius: float, colour: str) -> None:
        """Fill a circle around a place."""

    @abstractmethod
    def text(
        self, x: float, y: float, text: str, size_px: int, colour: str, anchor: Anchor = "left"
    ) -> None:
        """Write a line."""

    @abstractmethod
    def picture(self, x: float, y: float, picture: Image.Image, width: float) -> None:
        """Put the left ``width`` pixels of a picture; it is not scaled."""


class PixelCanvas(Canvas):
    """Draws with Pillow."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self.image = Image.new("RGB", (width_px, height_px), "white")
        self._draw = ImageDraw.Draw(self.image)

    def box(
        self, x: float, y: float, width: float, height: float, colour: str, opacity: float = 1.0
    ) -> None:
        """Fill a rectangle."""
        left, top = round(x), round(y)
        size = max(1, round(x + width) - left), max(1, round(y + height) - top)
        mask = Image.new("L", size, round(255 * opacity))
        self.image.paste(colour, (left, top, left + size[0], top + size[1]), mask)

    def polygon(self, points: Sequence[Point], colour: str, opacity: float, label: str) -> None:
        """Fill a polygon with smooth edges."""
        left, top = (int(min(values)) for values in zip(*points, strict=True))
        right, bottom = (int(max(values)) + 1 for values in zip(*points, strict=True))
        size = right - left, bottom - top
        mask = Image.new("L", (_FINE * size[0], _FINE * size[1]), 0)
        inside = [(_FINE * (x - left), _FINE * (y - top)) for x, y in points]
        ImageDraw.Draw(mask).polygon(inside, fill=round(255 * opacity))
        smooth = mask.resize(size, Image.Resampling.BOX)
        self.image.paste(colour, (left, top, right, bottom), smooth)

    def disc(self, x: float, y: float, radius: float, colour: str) -> None:
        """Fill a circle around a place."""
        left, top, side = round(x - radius), round(y - radius), round(2 * radius)
        mask = Image.new("L", (_FINE * side, _FINE * side), 0)
        ImageDraw.Draw(mask).ellipse((0, 0, _FINE * side - 1, _FINE * side - 1), fill=255)
        smooth = mask.resize((side, side), Image.Resampling.BOX)
        self.image.paste(colour, (left, top, left + side, top + side), smooth)

    def text(
        self, x: float, y: float, text: str, size_px: int, colour: str, anchor: Anchor = "left"
    ) -> None:
        """Write a line."""
        where = {"left": "lm", "middle": "mm", "right": "rm"}[anchor]
        self._draw.text((x, y), _writable(text), colour, _font(size_px)[0], anchor=where)

    def picture(self, x: float, y: float, picture: Image.Image, width: float) -> None:
        """Put the left part of a picture."""
        left, right = round(x), round(x + width)
        self.image.paste(picture.crop((0, 0, right - left, picture.height)), (left, round(y)))


class SvgCanvas(Canvas):
    """Writes SVG that holds everything it shows."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._head = (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width_px} {height_px}' "
            "role='img' font-family='system-ui, sans-serif'>"
        )
        self._parts: list[str] = []

    @property
    def svg(self) -> str:
        """What was drawn."""
        return f"{self._head}{''.join(self._parts)}</svg>"

    def box(
        self, x: float, y: float, width: float, height: float, colour: str, opacity: float = 1.0
    ) -> None:
        """Fill a rectangle."""
        self._parts.append(
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(1.0, width):.1f}' "
            f"height='{max(1.0, height):.1f}' fill='{colour}' fill-opacity='{opacity:g}'/>"
        )

    def polygon(self, points: Sequence[Point], colour: str, opacity: float, label: str) -> None:
        """Fill a polygon that tells its label."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f"<polygon points='{places}' fill='{colour}' fill-opacity='{opacity:g}'>"
            f"<title>{html.escape(label)}</title></polygon>"
        )

    def disc(self, x: float, y: float, radius: float, colour: str) -> None:
        """Fill a circle around a place."""
        self._parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:g}' fill='{colour}'/>")

    def text(
        self, x: float, y: float, text: str, size_px: int, colour: str, anchor: Anchor = "left"
    ) -> None:
        """Write a line."""
        where = {"left": "start", "middle": "middle", "right": "end"}[anchor]
        self._parts.append(
            f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size_px}' fill='{colour}' "
            f"text-anchor='{where}' dominant-baseline='central'>{html.escape(text)}</text>"
        )

    def picture(self, x: float, y: float, picture: Image.Image, width: float) -> None:
        """Put the left part of a picture, as a data address."""
        part = picture.crop((0, 0, max(1, round(width)), picture.height))
        file = io.BytesIO()
        part.save(file, "JPEG", quality=85)
        data = base64.b64encode(file.getvalue()).decode()
        self._parts.append(
            f"<image x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{picture.height}' "
            f"preserveAspectRatio='none' href='data:image/jpeg;base64,{data}'/>"
        )


def text_px(text: str, size_px: int) -> float:
    """Return how wide a text is as pixels."""
    return float(_font(size_px)[0].getlength(_writable(text)))


def shortened(text: str, size_px: int, most_px: float) -> str:
    """Return a text that is not wider than this: what does not fit is left out in its middle."""
    if text_px(text, size_px) <= most_px:
        return text
    low, high = 0, len(text) // 2
    while low < high:
        middle = (low + high + 1) // 2
        if text_px(_ends(text, middle), size_px) <= most_px:
            low = middle
        else:
            high = middle - 1
    return _ends(text, low)


def _ends(text: str, n: int) -> str:
    return f"{text[:n]}…{text[len(text) - n :]}"


@lru_cache(maxsize=16)
def _font(size_px: int) -> tuple[ImageFont.ImageFont | ImageFont.FreeTypeFont, bool]:
    """Return a font of this computer, or Pillow's, which has ASCII alone; and which it is."""
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size_px), True
        except OSError:
            continue
    return ImageFont.load_default(size_px), False


def _writable(text: str) -> str:
    text = "".join(c if c.isprintable() else "?" for c in text)  # Layouts fail on the others.
    if _font(12)[1]:
        return text
    plain = text.translate({0x2013: "-", 0x2026: "...", 0xD7: "x", 0xB7: "|"})
    return unicodedata.normalize("NFKD", plain).encode("ascii", "replace").decode()


def write_privately(path: Path, data: bytes) -> None:
    """Write a file that its owner alone can read, also where one was before."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        path.chmod(0o600)
        file.truncate()
        file.write(data)
