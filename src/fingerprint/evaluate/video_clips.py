"""Clips: frames at a constant rate that are made, edited and written one after the other.

A clip holds no frames. It knows how to make them again from any frame on, so that an
edit of an hour needs the memory of a few frames.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.errors import DecodeError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

    from fingerprint.typing import F64, U8

    Path = str | os.PathLike[str]
    Picture = Callable[[U8], U8]

__all__ = ["Clip", "TrueSegment", "clip_of_file", "even", "write_clip", "write_frames"]

MAX_FRAME_RATE = 30
"""Faster files are read at this many frames a second: twice the frames say no more."""

DEFAULT_CRF = 23
"""x264's own default."""


class TrueSegment(NamedTuple):
    """Seconds of an edited video and the seconds of the original that they show.

    Both are half open: an end is the time at which the last frame stops being shown.
    """

    edited_start_s: float
    edited_end_s: float
    original_start_s: float
    original_end_s: float


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames at a constant rate, made when they are asked for.

    Parameters
    ----------
    width_px, height_px : int
        Size of every frame.
    frame_rate : Fraction
        Frames a second.
    count : int
        Number of frames.
    frames : callable
        ``frames(start, stop)`` yields frames start to stop - 1: (h, w, 3) uint8 RGB.
    segments : tuple of TrueSegment
        Where the original is.
    crf : float
        How x264 is to compress: 0 (best) to 51.
    turned : int
        Degrees, clockwise, by which a player is told to turn the stored frames.
    """

    width_px: int
    height_px: int
    frame_rate: Fraction
    count: int
    frames: Callable[[int, int], Iterator[U8]]
    segments: tuple[TrueSegment, ...] = ()
    crf: float = DEFAULT_CRF
    turned: int = 0

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.count / self.frame_rate)

    def original(self) -> Clip:
        """Return the same clip as the original of what is made of it."""
        whole = TrueSegment(0.0, self.duration_s, 0.0, self.duration_s)
        return replace(self, segments=(whole,))

    def pictures(self, edit: Picture, size_px: tuple[int, int] | None = None) -> Clip:
        """Return the clip with every frame edited; ``size_px`` (width, height) if it changes."""
        width_px, height_px = size_px or (self.width_px, self.height_px)
        made = self.frames

        def frames(start: int, stop: int) -> Iterator[U8]:
            return (np.ascontiguousarray(edit(frame)) for frame in made(start, stop))

        return replace(self, width_px=width_px, height_px=height_px, frames=frames)

    def between(self, start_s: float, end_s: float) -> Clip:
        """Return the part between two times, rounded to frames; at least one frame."""
        first = min(max(round(start_s * self.frame_rate), 0), self.count - 1)
        last = min(max(round(end_s * self.frame_rate), first + 1), self.count)
        made = self.frames
        begin_s, stop_s = float(first / self.frame_rate), float(last / self.frame_rate)
        segments = tuple(
            part for one in self.segments if (part := _part(one, begin_s, stop_s)) is not None
        )

        def frames(start: int, stop: int) -> Iterator[U8]:
            return made(first + start, first + min(stop, last - first))

        return replace(self, count=last - first, frames=frames, segments=segments)

    def resampled(self, frame_rate: Fraction, speed: float = 1.0) -> Clip:
        """Return the clip at another rate and speed: each new frame is the nearest of the old."""
        exact = Fraction(speed).limit_denominator(1000)
        step = self.frame_rate * exact / frame_rate
        count = max(1, round(self.count / step))
        made, last = self.frames, self.count - 1

        def frames(start: int, stop: int) -> Iterator[U8]:
            wanted = [min(int(k * step + Fraction(1, 2)), last) for k in range(start, stop)]
            if not wanted:
                return
            at = wanted[0]
            old = made(at, wanted[-1] + 1)
            frame = next(old)
            for number in wanted:
                while at < number:
                    frame = next(old)
                    at += 1
                yield frame

        segments = tuple(
            TrueSegment(s.edited_start_s / speed, s.edited_end_s / speed, *s[2:])
            for s in self.segments
        )
        return replace(self, frame_rate=frame_rate, count=count, frames=frames, segments=segments)

    def joined(self, *others: Clip) -> Clip:
        """Return this clip and then the others, which must have its size and rate."""
        clips = (self, *others)
        starts = np.cumsum([0, *(clip.count for clip in clips)]).tolist()
        segments: list[TrueSegment] = []
        for clip, first in zip(clips, starts, strict=False):
            self._check_like(clip)
            segments += (_later(s, float(first / self.frame_rate)) for s in clip.segments)

        def frames(start: int, stop: int) -> Iterator[U8]:
            for clip, first in zip(clips, starts, strict=False):
                begin, end = max(start - first, 0), min(stop - first, clip.count)
                if begin < end:
                    yield from clip.frames(begin, end)

        return replace(self, count=starts[-1], frames=frames, segments=tuple(segments))

    def interrupted(self, times_s: Sequence[float], other: Clip) -> Clip:
        """Return this clip with another shown at each of some times, in one pass over both."""
        self._check_like(other)
        cuts = sorted(min(max(round(t * self.frame_rate), 0), self.count) for t in times_s)
        edges = [0, *cuts, self.count]
        segments: list[TrueSegment] = []
        for number, (begin, end) in enumerate(pairwise(edges)):
            begin_s, end_s = float(begin / self.frame_rate), float(end / self.frame_rate)
            pieces = (_part(one, begin_s, end_s) for one in self.segments)
            shift_s = begin_s + number * other.duration_s
            segments += (_later(piece, shift_s) for piece in pieces if piece is not None)
        made = self.frames
        # Which frame of which: own frames follow each other, so one pass is enough.
        order = [(True, k) for k in range(edges[1])]
        for begin, end in pairwise(edges[1:]):
            order += [(False, k) for k in range(other.count)]
            order += [(True, k) for k in range(begin, end)]

        def frames(start: int, stop: int) -> Iterator[U8]:
            wanted = order[start:stop]
            own = made(next((k for mine, k in wanted if mine), 0), self.count)
            between: Iterator[U8] = iter(())
            for at, (mine, k) in enumerate(wanted):
                if mine:
                    yield next(own)
                else:
                    if k == 0 or at == 0:
                        between = other.frames(k, other.count)
                    yield next(between)

        return replace(self, count=len(order), frames=frames, segments=tuple(segments))

    def _check_like(self, other: Clip) -> None:
        mine, its = ((c.width_px, c.height_px, c.frame_rate) for c in (self, other))
        if mine != its:
            raise ValueError(
                f"other: expected a clip of {mine[0]}×{mine[1]} pixels at {mine[2]} frames a "
                f"second, got {its[0]}×{its[1]} at {its[2]}"
            )


def _later(segment: TrueSegment, seconds: float) -> TrueSegment:
    return TrueSegment(
        segment.edited_start_s + seconds, segment.edited_end_s + seconds, *segment[2:]
    )


def _part(segment: TrueSegment, start_s: float, end_s: float) -> TrueSegment | None:
    """Cut a segment to a part of the edited video, whose time then starts at 0."""
    begin_s, stop_s = max(segment.edited_start_s, start_s), min(segment.edited_end_s, end_s)
    if begin_s >= stop_s:
        return None
    speed = (segment.original_end_s - segment.original_start_s) / (
        segment.edited_end_s - segment.edited_start_s
    )
    return TrueSegment(
        begin_s - start_s,
        stop_s - start_s,
        segment.original_start_s + (begin_s - segment.edited_start_s) * speed,
        segment.original_start_s + (stop_s - segment.edited_start_s) * speed,
    )


def even(side_px: float) -> int:
    """Return the nearest even number of pixels: 4:2:0 chroma needs it."""
    return max(2, 2 * round(side_px / 2))


def clip_of_file(
    path: Path, *, max_side_px: int = 480, max_duration_s: float = float("inf")
) -> Clip:
    """Return a video file's first video stream as a clip, its own original.

    Trusted files only: nothing limits what is decoded.

    Parameters
    ----------
    path : str or path
        The file. It is opened anew whenever frames are asked for.
    max_side_px : int
        Larger frames are made smaller; sizes become even. Turned as the file says.
    max_duration_s : float
        How much of its beginning is used.

    Raises
    ------
    DecodeError
        The file has no frames.
    """
    times_s, (width_px, height_px), average = _frames_of_file(path)
    if not times_s.size:
        raise DecodeError(str(path), "expected a video with frames, got none")
    rate = min(average.limit_denominator(1001), Fraction(MAX_FRAME_RATE))
    length_s = times_s[-1] - times_s[0] + 1 / float(rate)
    count = max(1, round(min(length_s, max_duration_s) * rate))
    # The frame that is on the screen; half a frame's tolerance for times rounded to ms.
    shown_s = times_s[0] + (np.arange(count) + 0.5) / float(rate)
    shown = np.maximum(np.searchsorted(times_s, shown_s, side="right") - 1, 0).tolist()
    factor = min(1.0, max_side_px / max(width_px, height_px))
    size = even(width_px * factor), even(height_px * factor)

    def frames(start: int, stop: int) -> Iterator[U8]:
        from av.video.reformatter import VideoReformatter

        # Setting up a scaler costs more than scaling a frame: one for all of them.
        decoded, scaler = _decoded(path), VideoReformatter()
        at, frame = -1, None
        for number in shown[start:stop]:
            while at < number:
                frame = next(decoded, frame)
                at += 1
            if frame is None:
                raise DecodeError(str(path), "expected the frames it had before, got none")
            yield _rgb(frame, size, scaler)

    return Clip(*size, rate, count, frames).original()


def _frames_of_file(path: Path) -> tuple[F64, tuple[int, int], Fraction]:
    """Return all presentation times, the size as shown and the average rate."""
    with _opened(path) as container:
        stream = _video_stream(path, container)
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        times, size = [], (stream.width, stream.height)
        for number, frame in enumerate(container.decode(stream)):
            times.append(float(number / rate) if frame.time is None else frame.time)
            if not number and frame.rotation % 180:
                size = size[::-1]
        return np.maximum.accumulate(np.array(times)), size, rate


def _decoded(path: Path) -> Iterator[VideoFrame]:
    with _opened(path) as container:
        yield from container.decode(_video_stream(path, container))


def _rgb(frame: VideoFrame, size_px: tuple[int, int], scaler: VideoReformatter) -> U8:
    turns = frame.rotation // 90 % 4
    width_px, height_px = size_px[::-1] if turns % 2 else size_px
    rgb = scaler.reformat(frame, width_px, height_px, "rgb24", interpolation="AREA", threads=1)
    return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), turns), np.uint8)


def _opened(path: Path) -> InputContainer:
    import av

    return av.open(os.fspath(path))


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    if not container.streams.video:
        raise DecodeError(str(path), "expected a video stream, got none")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


def write_clip(path: Path, clip: Clip) -> None:
    """Write a clip as H.264, the same bytes for the same frames; the suffix is the container."""
    write_frames(
        path,
        clip.frames(0, clip.count),
        frame_rate=clip.frame_rate,
        crf=clip.crf,
        turned=clip.turned,
    )


def write_frames(
    path: Path,
    frames: Iterable[U8],
    *,
    frame_rate: Fraction | int,
    crf: float = DEFAULT_CRF,
    preset: str = "superfast",
    turned: int = 0,
) -> None:
    """Write frames as H.264 with one thread, so that the same frames give the same bytes.

    Parameters
    ----------
    path : str or path
        Where to; the suffix says which container.
    frames : iterable of (h, w, 3) uint8 array
        RGB, all of one size, with even sides.
    frame_rate : Fraction or int
        Frames a second.
    crf : float
        x264's constant rate factor: 0 (best) to 51.
    preset : str
        x264's preset.
    turned : int
        Degrees, clockwise, that the file tells players to turn its frames by.
    """
    import av

    rate = Fraction(frame_rate)
    with av.open(os.fspath(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate)
        stream.codec_context.thread_count = 1
        stream.pix_fmt = "yuv420p"
        # x264's macroblock tree reads memory that nobody wrote: other bytes in one run of a few.
        stream.options = {"crf": f"{crf:g}", "preset": preset, "x264-params": "mbtree=0"}
        if turned:
            # FFmpeg counts counter-clockwise.
            stream.set_display_rotation(-turned)
        for number, pixels in enumerate(frames):
            if not number:
                stream.height, stream.width = pixels.shape[:2]
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
