"""Small pictures of what a video shows at some times; blurred ones are made of few pixels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from fingerprint.media.limits import DEFAULT_VIDEO_LIMITS
from fingerprint.media.video import open_video

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fingerprint.media.limits import VideoLimits
    from fingerprint.media.video import VideoReader
    from fingerprint.media.video_frame import VideoFrame
    from fingerprint.typing import U8, Orientation, VideoSource

__all__ = ["BLURRED_PX", "Thumbnail", "thumbnail_width", "thumbnails"]

BLURRED_PX = 9
"""Longer side of what a blurred thumbnail is made of: nothing finer is in it."""

_NARROWEST, _WIDEST = 0.4, 3.0


class Thumbnail(NamedTuple):
    """What is shown at a time: (h, w, 3) uint8 RGB."""

    time_s: float
    pixels: U8


def thumbnail_width(width_px: int, height_px: int, high_px: int) -> int:
    """Return how wide a thumbnail of this height is: the video's shape, within bounds."""
    ratio = width_px / height_px if width_px and height_px else 16 / 9
    return round(high_px * min(_WIDEST, max(_NARROWEST, ratio)))


def thumbnails(
    source: VideoSource,
    times_s: Sequence[float],
    high_px: int,
    *,
    blurred: bool,
    stream: int = 0,
    orientation: Orientation = "upright",
    limits: VideoLimits = DEFAULT_VIDEO_LIMITS,
) -> list[Thumbnail]:
    """Return small pictures of a video, in one pass that ends at the last of the times.

    Parameters
    ----------
    source : path, bytes or binary file object
        The video.
    times_s : sequence of float
        Ascending. The frame that is shown at each; after the end, the last one.
    high_px : int
        Height; `thumbnail_width` goes with it.
    blurred : bool
        Keep no more than `BLURRED_PX` pixels of the longer side, smoothed.
    stream, orientation, limits
        As in `fingerprint.media.video.open_video`.

    Raises
    ------
    DecodeError
        Nothing can be decoded.
    LimitExceededError
        It is larger than ``limits``.
    ValueError
        Times that fall.
    """
    if any(b < a for a, b in pairwise(times_s)):
        raise ValueError("times_s: expected ascending seconds")
    with open_video(source, stream=stream, orientation=orientation, limits=limits) as reader:
        made: list[Thumbnail] = []
        last: tuple[VideoFrame, U8] | None = None
        for frame, time_s in zip(_shown(reader, times_s), times_s, strict=False):
            if last is None or last[0] is not frame:
                last = frame, _small(frame, high_px, blurred=blurred)
            made.append(Thumbnail(time_s, last[1]))
        return made


def _shown(reader: VideoReader, times_s: Sequence[float]) -> Iterator[VideoFrame]:
    """Yield the frame that is shown at each time."""
    shown: VideoFrame | None = None
    n = 0
    for frame in reader.frames():
        while n < len(times_s) and shown is not None and times_s[n] < frame.time_s:
            yield shown
            n += 1
        if n == len(times_s):
            return
        shown = frame
    while n < len(times_s) and shown is not None:
        yield shown
        n += 1


def _small(frame: VideoFrame, high_px: int, *, blurred: bool) -> U8:
    height, width = frame.shape
    wide_px = thumbnail_width(width, height, high_px)
    if not blurred:
        return frame.rgb(wide_px, high_px, "area")
    # Smallest first: a blur of the full picture could be undone in part.
    scale = BLURRED_PX / max(wide_px, high_px)
    few = frame.rgb(max(2, round(scale * wide_px)), max(2, round(scale * high_px)), "area")
    smooth = Image.fromarray(few).resize((wide_px, high_px), Image.Resampling.BICUBIC)
    return np.asarray(smooth)
