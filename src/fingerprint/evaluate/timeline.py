"""Two videos on axes of time, one above the other, and what joins them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

from fingerprint.evaluate.drawing import Canvas, shortened
from fingerprint.evaluate.wording import clock, sentence

if TYPE_CHECKING:
    from fingerprint.media.thumbnails import Thumbnail
    from fingerprint.results import VideoMatch

__all__ = [
    "AXIS_PX",
    "COLOURS",
    "GREY",
    "INK",
    "LEFT_PX",
    "PALE",
    "THUMBNAIL_PX",
    "WIDTH_PX",
    "Strip",
    "Timeline",
    "colour_of",
    "draw_number",
    "thumbnail_times",
]

THUMBNAIL_PX = 76
"""How high thumbnails are."""

# Told apart with any colour vision: Okabe and Ito, "Color universal design", 2008.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0568b", "#c98a00", "#3a9bd1")
INK, GREY, PALE = "#1c1e21", "#5f6671", "#d9dde3"
_BAR = "#c3c9d1"

WIDTH_PX = 1400
LEFT_PX, AXIS_PX = 40, 1320
_BARE_PX = 26
_LANE_PX, _MOST_LANES = 7, 4
_RIBBON_PX, _NO_RIBBON_PX = 110, 36
_CAPTION_PX, _TICKS_PX = 26, 30
_TICK_PX = 64
_LEAST_PX = 3
_DIMMED = 0.68

SAME_SCALE = 3.0
"""Up to so many times as long as the other, a video is drawn to the other's scale."""

_CLOCK_FROM_S = 600.0
_STEPS_S = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900),
    *(1800, 3600, 7200, 14400, 28800, 86400),
)


@dataclass(frozen=True, slots=True)
class Strip:
    """One of two videos.

    Parameters
    ----------
    name : str
        What to call it.
    duration_s : float
        How long it is.
    thumbnails : tuple of Thumbnail
        `THUMBNAIL_PX` high, of one width, at `thumbnail_times`; none where nobody may look,
        or there is only a hash.
    note : str
        Told beside its name: why there are none.
    """

    name: str
    duration_s: float
    thumbnails: tuple[Thumbnail, ...] = ()
    note: str = ""


class _Axis(NamedTuple):
    """Where seconds are."""

    duration_s: float
    width_px: float

    def x(self, time_s: float) -> float:
        share = min(1.0, max(0.0, time_s / self.duration_s))
        return LEFT_PX + share * self.width_px


class _Band(NamedTuple):
    """A stretch of one video: where it is, and in which of the lanes below the other."""

    left: float
    right: float
    lane: int


def thumbnail_times(duration_s: float, wide_px: int) -> list[float]:
    """Return at which times the thumbnails are that fill an axis."""
    n = max(1, round(AXIS_PX / wide_px))
    return [(i + 0.5) * duration_s / n for i in range(n)]


class Timeline:
    """Two videos on their axes, the query above, and what joins them.

    Parameters
    ----------
    query, reference : Strip
        The two.
    match : VideoMatch
        What they share.
    """

    def __init__(self, query: Strip, reference: Strip, match: VideoMatch) -> None:
        self._strips = query, reference
        self._segments = match.segments
        durations_s = (
            max([query.duration_s, 0.1, *(s.query_end_s for s in match.segments)]),
            max([reference.duration_s, 0.1, *(s.reference_end_s for s in match.segments)]),
        )
        longer_s = max(durations_s)
        self.one_scale = longer_s / min(durations_s) <= SAME_SCALE
        above, below = (
            _Axis(duration_s, AXIS_PX * duration_s / longer_s if self.one_scale else AXIS_PX)
            for duration_s in durations_s
        )
        self._axes = above, below
        self._bands = (
            _in_lanes([(above.x(s.query_start_s), above.x(s.query_end_s)) for s in self._segments]),
            _in_lanes(
                [(below.x(s.reference_start_s), below.x(s.reference_end_s)) for s in self._segments]
            ),
        )

    @property
    def height_px(self) -> int:
        """How high it is."""
        sides = zip(self._strips, self._bands, strict=True)
        around = 2 * (_CAPTION_PX + _TICKS_PX) + self._between_px
        return around + sum(_strip_px(strip) + _lanes_px(bands) for strip, bands in sides)

    @property
    def _between_px(self) -> int:
        return _RIBBON_PX if self._segments else _NO_RIBBON_PX

    def draw(self, canvas: Canvas, top: float) -> None:
        """Draw it from ``top`` on."""
        (query, reference), (above, below) = self._strips, self._axes
        in_query, in_reference = self._bands
        y = top
        _draw_caption(canvas, y, "query", query)
        y += _CAPTION_PX + _TICKS_PX
        _draw_ticks(canvas, y, above, is_above=True)
        _draw_strip(canvas, y, query, above, in_query)
        y += _strip_px(query)
        _draw_lanes(canvas, y, in_query)
        y += _lanes_px(in_query)
        self._draw_ribbons(canvas, y)
        y += self._between_px
        _draw_lanes(canvas, y, in_reference)
        y += _lanes_px(in_reference)
        _draw_strip(canvas, y, reference, below, in_reference)
        y += _strip_px(reference)
        _draw_ticks(canvas, y, below, is_above=False)
        _draw_caption(canvas, y + _TICKS_PX, "reference", reference)

    def _draw_ribbons(self, canvas: Canvas, top: float) -> None:
        bottom = top + _RIBBON_PX
        names = [strip.name for strip in self._strips]
        pairs = list(zip(*self._bands, strict=True))
        for number, (segment, (above, below)) in enumerate(zip(self._segments, pairs, strict=True)):
            corners = [(above.left, top), (above.right, top)]
            corners += [(below.right, bottom), (below.left, bottom)]
            label = f"{number + 1}: {sentence(segment, *names)}"
            canvas.polygon(corners, colour_of(number), 0.3, label)
        taken: list[tuple[float, float]] = []
        for number, (above, below) in enumerate(pairs):
            middles = (above.left + above.right) / 2, (below.left + below.right) / 2
            taken.append(_free_place(top, *middles, taken))
            draw_number(canvas, *taken[-1], number)


def _strip_px(strip: Strip) -> int:
    return THUMBNAIL_PX if strip.thumbnails else _BARE_PX


def _lanes_px(bands: Sequence[_Band]) -> int:
    return (1 + max((band.lane for band in bands), default=0)) * _LANE_PX


def _in_lanes(spans: Sequence[tuple[float, float]]) -> tuple[_Band, ...]:
    """Put spans that overlap into lanes of their own, as long as there are any."""
    ends = [-math.inf] * _MOST_LANES
    placed: dict[int, _Band] = {}
    for i in sorted(range(len(spans)), key=lambda i: spans[i]):
        left, right = spans[i][0], max(spans[i][1], spans[i][0] + _LEAST_PX)
        free = [lane for lane, end in enumerate(ends) if end <= left + 1]
        lane = free[0] if free else _MOST_LANES - 1
        ends[lane] = max(ends[lane], right)
        placed[i] = _Band(left, right, lane)
    return tuple(placed[i] for i in range(len(spans)))


def colour_of(number: int) -> str:
    """Return the colour of a segment."""
    return COLOURS[number % len(COLOURS)]


def _draw_caption(canvas: Canvas, top: float, role: str, strip: Strip) -> None:
    facts = f"{role}: {shortened(strip.name, 14, 900)}"
    if strip.duration_s:
        facts += f", {strip.duration_s:.1f} s"
    if strip.note:
        facts += f" ({strip.note})"
    canvas.text(LEFT_PX, top + _CAPTION_PX / 2, facts, 14, INK)


def _draw_ticks(canvas: Canvas, y: float, axis: _Axis, *, is_above: bool) -> None:
    step_s = next(
        (s for s in _STEPS_S if axis.width_px * s / axis.duration_s >= _TICK_PX),
        axis.duration_s,
    )
    sign = -1 if is_above else 1
    for i in range(int(axis.duration_s / step_s + 1e-9) + 1):
        x, time_s = axis.x(i * step_s), i * step_s
        canvas.box(x, min(y, y + sign * 6), 1, 6, GREY)
        label = f"{time_s:g} s" if axis.duration_s <= _CLOCK_FROM_S else clock(time_s)
        canvas.text(x, y + sign * 16, label, 12, GREY, "middle")


def _draw_strip(
    canvas: Canvas, top: float, strip: Strip, axis: _Axis, bands: Sequence[_Band]
) -> None:
    high_px = _strip_px(strip)
    canvas.box(LEFT_PX, top, axis.width_px, high_px, _BAR)
    if strip.thumbnails:
        wide_px = strip.thumbnails[0].pixels.shape[1]
        n = max(1, round(axis.width_px / wide_px))
        for i in range(n):
            left, right = (LEFT_PX + k * axis.width_px / n for k in (i, i + 1))
            time_s = (i + 0.5) * axis.duration_s / n
            nearest = min(strip.thumbnails, key=lambda t: abs(t.time_s - time_s))
            picture = Image.fromarray(nearest.pixels)
            wide = math.ceil(right) - math.floor(left)
            fitted = picture.resize((wide, high_px), Image.Resampling.BICUBIC)
            canvas.picture(left, top, fitted, right - left)
            if i:
                canvas.box(left, top, 1, high_px, "#ffffff")
    at = float(LEFT_PX)
    for left, right in [*sorted((b.left, b.right) for b in bands), (axis.x(math.inf), math.inf)]:
        if left > at:
            canvas.box(at, top, left - at, high_px, "#ffffff", _DIMMED)
        at = max(at, right)


def _draw_lanes(canvas: Canvas, top: float, bands: Sequence[_Band]) -> None:
    for number, band in enumerate(bands):
        y = top + band.lane * _LANE_PX
        canvas.box(band.left, y, band.right - band.left, _LANE_PX - 1, colour_of(number))


def _free_place(
    top: float, above: float, below: float, taken: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Return a place on the middle line of a ribbon that no other number is on."""
    for share in (0.5, 0.3, 0.7, 0.15, 0.85, 0.4, 0.6):
        x, y = above + share * (below - above), top + share * _RIBBON_PX
        if all(math.hypot(x - a, y - b) >= 24 for a, b in taken):
            return x, y
    return (above + below) / 2, top + _RIBBON_PX / 2


def draw_number(canvas: Canvas, x: float, y: float, number: int) -> None:
    """Draw the number of a segment, counted from 0 here and from 1 there, in its colour."""
    canvas.disc(x, y, 11, colour_of(number))
    canvas.text(x, y, str(number + 1), 12, "#ffffff", "middle")
