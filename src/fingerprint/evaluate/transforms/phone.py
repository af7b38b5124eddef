"""What a phone draws around a picture: bars, names, buttons. Nobody's brand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from PIL import Image, ImageDraw

from fingerprint.evaluate.transforms.lettering import font, phrase

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Chrome", "Theme"]

Colour: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of an app."""

    ground: Colour
    ink: Colour
    faint: Colour

    @classmethod
    def light(cls) -> Theme:
        """Black on white."""
        return cls((255, 255, 255), (15, 15, 15), (130, 135, 140))

    @classmethod
    def dark(cls) -> Theme:
        """White on black."""
        return cls((0, 0, 0), (240, 240, 240), (125, 130, 140))

    @classmethod
    def by_chance(cls, chance: np.random.Generator) -> Theme:
        """One of the two, or a dark blue one."""
        dim = cls((21, 32, 43), (240, 245, 250), (136, 153, 166))
        return (cls.light(), cls.dark(), dim)[int(chance.choice(3, p=[0.5, 0.35, 0.15]))]


class Chrome:
    """A screen that is filled from the top; methods return where the next part begins."""

    def __init__(self, width: int, height: int, theme: Theme, chance: np.random.Generator) -> None:
        self.image = Image.new("RGB", (width, height), theme.ground)
        self._draw = ImageDraw.Draw(self.image)
        self._theme = theme
        self._chance = chance
        self._unit = width / 100
        self._pad = round(4 * self._unit)

    @property
    def nav_top(self) -> int:
        """Where the navigation bar begins."""
        return self.image.height - round(10 * self._unit)

    def _text(self, x: float, y: float, words: str, size: float, *, faint: bool = False) -> None:
        colour = self._theme.faint if faint else self._theme.ink
        self._draw.text((x, y), words, colour, font(round(size * self._unit)), anchor="lm")

    def _line(self, points: list[tuple[float, float]]) -> None:
        self._draw.line(points, self._theme.ink, max(1, round(0.6 * self._unit)), joint="curve")

    def status_bar(self, top: int) -> int:
        """Draw clock, reception and battery."""
        u, y = self._unit, top + 4 * self._unit
        hour, minute = self._chance.integers(0, 24), self._chance.integers(0, 60)
        self._text(self._pad, y, f"{hour}:{minute:02}", 4)
        left = self.image.width - 14 * u
        for bar in range(4):
            x = left - 12 * u + bar * 1.6 * u
            self._draw.rectangle(
                (x, y + 1.4 * u - bar * 0.9 * u, x + u, y + 2 * u), self._theme.ink
            )
        for ring in range(3):
            r = (3.4 - ring) * u
            box = (left - r, y + 1.6 * u - r, left + r, y + 1.6 * u + r)
            self._draw.arc(box, 225, 315, self._theme.ink, max(1, round(0.5 * u)))
        box = (left + 4.5 * u, y - 2 * u, left + 10.5 * u, y + 2 * u)
        self._draw.rounded_rectangle(box, u, outline=self._theme.ink, width=max(1, round(0.4 * u)))
        charge = box[0] + 0.7 * u + 4.6 * u * self._chance.uniform(0.1, 1)
        self._draw.rectangle(
            (box[0] + 0.7 * u, box[1] + 0.7 * u, charge, box[3] - 0.7 * u), self._theme.ink
        )
        return round(top + 8 * u)

    def app_bar(self, top: int) -> int:
        """Draw an arrow back, a title and dots."""
        u, y = self._unit, top + 6.5 * self._unit
        self._line([(7 * u, y - 2.2 * u), (4.5 * u, y), (7 * u, y + 2.2 * u)])
        self._text(12 * u, y, ("Post", "Photos", "Feed")[int(self._chance.integers(3))], 5)
        for dot in (-2, 0, 2):
            self._disc(self.image.width - 5 * u, y + dot * u, 0.6 * u, self._theme.ink)
        edge = top + 13 * u
        self._draw.line((0, edge, self.image.width, edge), self._theme.faint, 1)
        return round(edge) + 1

    def _disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)

    def name_line(self, top: int) -> int:
        """Draw the one who posts: a disc, a name, a time."""
        u, middle = self._unit, top + 7.5 * self._unit
        red, green, blue = self._chance.integers(60, 220, 3).tolist()
        self._disc(9.5 * u, middle, 5 * u, (red, green, blue))
        self._disc(9.5 * u, middle - 1.2 * u, 1.7 * u, (255, 255, 255))
        box = (6.3 * u, middle + u, 12.7 * u, middle + 7 * u)
        self._draw.pieslice(box, 180, 360, (255, 255, 255))
        self._text(17 * u, middle - 2.3 * u, phrase(self._chance, 2).title(), 4)
        ago = f"@user{self._chance.integers(10, 9999)} · {self._chance.integers(1, 24)} h"
        self._text(17 * u, middle + 2.6 * u, ago, 3.2, faint=True)
        return round(top + 15 * u)

    def caption(self, top: int, n_lines: int) -> int:
        """Write some lines."""
        u = self._unit
        for line in range(n_lines):
            n_words = int(self._chance.integers(3, 8))
            self._text(self._pad, top + (2.5 + 5.5 * line) * u, phrase(self._chance, n_words), 3.8)
        return round(top + (5.5 * n_lines + 1.5) * u)

    def caption_to_end(self, top: int) -> None:
        """Write lines where there is room, as comments do."""
        room = int((self.nav_top - top) / (5.5 * self._unit)) - 1
        if room > 0:
            self.caption(top, min(room, int(self._chance.integers(1, 9))))

    def picture(self, picture: Image.Image, top: int) -> int:
        """Put the picture, in the middle of the width."""
        self.image.paste(picture, ((self.image.width - picture.width) // 2, top))
        return top + picture.height

    def buttons(self, top: int) -> int:
        """Draw a heart, a bubble, an arrow, and a count of likes."""
        u, y = self._unit, top + 6 * self._unit
        self._line(
            [
                (4 * u, y - u),
                (5.5 * u, y - 2.5 * u),
                (7 * u, y - u),
                (8.5 * u, y - 2.5 * u),
                (10 * u, y - u),
                (7 * u, y + 2.8 * u),
                (4 * u, y - u),
            ]
        )
        box = (15 * u, y - 2.6 * u, 21 * u, y + 2.4 * u)
        self._draw.ellipse(box, outline=self._theme.ink, width=max(1, round(0.6 * u)))
        self._line(
            [
                (26 * u, y - 2.4 * u),
                (32 * u, y - 1.4 * u),
                (28.5 * u, y + 2.6 * u),
                (26 * u, y - 2.4 * u),
            ]
        )
        likes = f"{self._chance.integers(2, 90_000):,} likes"
        self._text(self.image.width - 26 * u, y, likes, 3.4, faint=True)
        return round(top + 12 * u)

    def nav_bar(self) -> None:
        """Draw the bar below, as gestures or as buttons."""
        u, middle = self._unit, self.image.width / 2
        y = self.nav_top + 5 * u
        self._draw.rectangle((0, self.nav_top, *self.image.size), self._theme.ground)
        if self._chance.random() < 0.6:
            box = (middle - 17 * u, y + 1.5 * u, middle + 17 * u, y + 2.7 * u)
            self._draw.rounded_rectangle(box, 0.6 * u, self._theme.ink)
            return
        line = max(1, round(0.6 * u))
        self._draw.ellipse(
            (middle - 2 * u, y - 2 * u, middle + 2 * u, y + 2 * u),
            outline=self._theme.ink,
            width=line,
        )
        right = middle + 25 * u
        self._draw.rectangle(
            (right - 2 * u, y - 2 * u, right + 2 * u, y + 2 * u),
            outline=self._theme.ink,
            width=line,
        )
        left = middle - 25 * u
        self._draw.polygon(
            [(left + 2 * u, y - 2.2 * u), (left + 2 * u, y + 2.2 * u), (left - 2 * u, y)],
            outline=self._theme.ink,
        )
