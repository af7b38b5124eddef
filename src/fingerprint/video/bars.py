"""Bars of one colour around the picture: letterbox, pillarbox, frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from fingerprint import kernels
from fingerprint.video.frame_hashing import Area, whole

if TYPE_CHECKING:
    from fingerprint.media.video_frame import VideoFrame

__all__ = ["BarFinder", "Placed"]

WINDOW_S = 4.0
AHEAD = 6
"""Frames that wait for those after them; each is kept as decoded."""

SMALLEST_BAR = 0.015
"""Of a side; less is coding, not a bar."""

SMALLEST_CONTENT = 0.2
"""Of the frame's area; what is left of a dark scene is no picture."""


class Placed(NamedTuple):
    """A frame and where in it the picture is; the area is the whole frame without bars."""

    frame: VideoFrame
    area: Area


class _Box(NamedTuple):
    time_s: float
    shape: tuple[int, int]
    area: Area


class BarFinder:
    """Finds the bars of each frame from itself and its neighbours.

    One frame does not tell: its edges may be dark by chance. So the picture is what is
    inside of the bars in any frame of the seconds before it and the frames after it.
    """

    def __init__(self) -> None:
        self._waiting: deque[VideoFrame] = deque()
        self._boxes: deque[_Box] = deque()

    def add(self, frame: VideoFrame) -> Iterator[Placed]:
        """Take a frame, and yield the one whose turn it is, if any."""
        self._waiting.append(frame)
        area = _content(frame)
        if area is not None:
            self._boxes.append(_Box(frame.time_s, frame.stored_shape, area))
        if len(self._waiting) > AHEAD:
            yield self._place()

    def rest(self) -> Iterator[Placed]:
        """Yield the frames that are left."""
        while self._waiting:
            yield self._place()

    def _place(self) -> Placed:
        frame = self._waiting.popleft()
        while self._boxes and self._boxes[0].time_s < frame.time_s - WINDOW_S:
            self._boxes.popleft()
        h, w = shape = frame.stored_shape
        areas = [box.area for box in self._boxes if box.shape == shape]  # Streams may change it.
        if not areas:
            return Placed(frame, whole(frame))
        top = _edge(min(a.top for a in areas), h)
        left = _edge(min(a.left for a in areas), w)
        bottom = h - _edge(h - max(a.bottom for a in areas), h)
        right = w - _edge(w - max(a.right for a in areas), w)
        return Placed(frame, Area(top, bottom, left, right))


def _content(frame: VideoFrame) -> Area | None:
    luma = frame.luma()
    span = int(luma.high) - int(luma.low)
    tolerance = max(1, kernels.borders.TOLERANCE * span // 255)
    box = Area(*kernels.borders.content_box(luma.rows, luma.width, tolerance))
    size = (box.bottom - box.top) * (box.right - box.left)
    h, w = frame.stored_shape
    return box if size >= SMALLEST_CONTENT * h * w else None


def _edge(bar_px: int, side_px: int) -> int:
    return bar_px if bar_px >= SMALLEST_BAR * side_px else 0
