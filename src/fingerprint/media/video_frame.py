"""One decoded frame: its planes as arrays, its pixels in RGB, laid as they are shown."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fingerprint import kernels
from fingerprint.errors import DecodeError

if TYPE_CHECKING:
    from av import VideoFrame as DecodedFrame

    from fingerprint.typing import I32, U8

__all__ = [
    "AS_STORED",
    "Chroma",
    "Luma",
    "PixelConverter",
    "Turn",
    "VideoFrame",
    "turn_of_matrix",
]


class Turn(NamedTuple):
    """How stored pixels are laid to be shown: rows, then columns reversed, then transposed."""

    transposed: bool = False
    reversed_rows: bool = False
    reversed_columns: bool = False

    def apply(self, pixels: Any) -> Any:
        """Return a view of (h, w, …) pixels as they are shown."""
        if self.reversed_rows:
            pixels = pixels[::-1]
        if self.reversed_columns:
            pixels = pixels[:, ::-1]
        return pixels.swapaxes(0, 1) if self.transposed else pixels

    @property
    def rotation(self) -> int:
        """Degrees clockwise by which the stored picture is turned, mirroring aside."""
        if self.transposed:
            return 90 if self.reversed_rows else 270
        return 180 if self.reversed_rows else 0


AS_STORED = Turn()


def turn_of_matrix(matrix: bytes) -> Turn:
    """Read a display matrix: nine 32-bit integers, of which four turn and mirror.

    Only right angles are followed; others are shown as stored.
    """
    if len(matrix) < 36:
        return AS_STORED
    a, b, _, c, d = np.frombuffer(matrix, np.int32, 5).tolist()
    if abs(b) > abs(a) and abs(c) > abs(d):
        return Turn(True, c < 0, b < 0)
    return Turn(False, d < 0, a < 0)


class Luma(NamedTuple):
    """A luma plane: (h, stride) rows, of which ``width`` columns are the picture.

    ``low`` is black and ``high`` white; values outside occur.
    """

    rows: Any  # uint8 or uint16
    width: int
    low: Any
    high: Any


class Chroma(NamedTuple):
    """The colour planes of an 8-bit frame: half as wide, and 2**sub_y times less high.

    ``constants`` turn them into RGB; see `fingerprint.kernels.yuv`.
    """

    u: U8
    v: U8
    sub_y: int
    constants: I32


class _Layout(NamedTuple):
    """What the planes of a pixel format hold."""

    bits: int
    shift: int
    full_range: bool
    sub_y: int | None


_PLANAR = re.compile(r"yuv(j?)a?4([0-4])([0-4])p(?:(9|10|12|14|16)le)?")
_SEMIPLANAR = re.compile(r"(?:nv(?:12|21|16|24|42)|p([024])(10|12|16)le)")
_GREY = re.compile(r"gray(?:(9|10|12|14|16)le)?")


@lru_cache(maxsize=64)
def _layout_of(name: str) -> _Layout | None:
    """Return the layout of a format whose first plane is luma; None of another."""
    found = _PLANAR.fullmatch(name)
    if found:
        j, across, down, bits = found.groups()
        # The converter of the reference has these two; others take its general way.
        sub_y = {("2", "0"): 1, ("2", "2"): 0}.get((across, down))
        is_plain = bits is None and "a4" not in name
        return _Layout(int(bits or 8), 0, bool(j), sub_y if is_plain else None)
    found = _SEMIPLANAR.fullmatch(name)
    if found:
        bits = int(found[2] or 8)
        return _Layout(bits, (16 - bits) if found[2] else 0, False, None)
    found = _GREY.fullmatch(name)
    if found:
        return _Layout(int(found[1] or 8), 0, True, None)
    return None


def _rows(frame: DecodedFrame, index: int, dtype: Any = np.uint8) -> Any:
    plane: Any = frame.planes[index]  # It is a buffer, which its stubs do not say.
    return np.frombuffer(plane, dtype).reshape(plane.height, -1)


class PixelConverter:
    """Scales frames and converts their pixels, with FFmpeg's swscale.

    Parameters
    ----------
    name : str
        Of the video, for errors.
    """

    def __init__(self, name: str) -> None:
        from av.video.reformatter import VideoReformatter

        self._name = name
        self._reformatter = VideoReformatter()

    def convert(
        self, frame: DecodedFrame, width: int | None, height: int | None, form: str, scaler: str
    ) -> U8:
        """Return the only plane of the frame in another format, (h, bytes of a row)."""
        import av

        try:
            made = self._reformatter.reformat(
                frame, width, height, form, interpolation=scaler.upper()
            )
        except (av.FFmpegError, ValueError, RuntimeError) as error:
            about = f"{frame.format.name} of {frame.width}x{frame.height} pixels"
            reason = f"has frames that cannot be converted: {about}"
            raise DecodeError(self._name, reason) from error
        nbytes = made.width * (3 if form == "rgb24" else 1)
        return np.ascontiguousarray(_rows(made, 0)[:, :nbytes])


class VideoFrame:
    """One decoded frame.

    Attributes
    ----------
    number : int
        How many frames were decoded before it.
    time_s : float
        Presentation time, from the first frame.
    is_key : bool
        Whether it was coded by itself.
    turn : Turn
        How its pixels are laid to be shown. `rgb` and `grey` are; planes are as stored.
    """

    __slots__ = ("_converter", "_frame", "is_key", "number", "time_s", "turn")

    def __init__(
        self,
        frame: DecodedFrame,
        number: int,
        time_s: float,
        turn: Turn,
        converter: PixelConverter,
    ) -> None:
        self._frame = frame
        self._converter = converter
        self.number = number
        self.time_s = time_s
        self.is_key = bool(frame.key_frame)
        self.turn = turn

    @property
    def stored_shape(self) -> tuple[int, int]:
        """Height and width as stored."""
        return self._frame.height, self._frame.width

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width as shown."""
        h, w = self.stored_shape
        return (w, h) if self.turn.transposed else (h, w)

    def luma(self) -> Luma:
        """Return the luma plane: the decoder's own memory where the format has one."""
        layout = _layout_of(self._frame.format.name)
        if layout is None or self._frame.planes[0].line_size <= 0:
            return Luma(self._converted("gray"), self._frame.width, np.uint8(0), np.uint8(255))
        deep = layout.bits > 8
        rows = _rows(self._frame, 0, np.uint16 if deep else np.uint8)
        scale = 1 << (layout.bits - 8 + layout.shift)
        if self._is_full_range(layout):
            low, high = 0, ((1 << layout.bits) - 1) << layout.shift
        else:
            low, high = 16 * scale, 235 * scale
        kind = np.uint16 if deep else np.uint8
        return Luma(rows, self._frame.width, kind(low), kind(high))

    @property
    def has_chroma(self) -> bool:
        """Whether `chroma` is there: 8 bits, planar, 4:2:0 or 4:2:2, sides of whole blocks."""
        layout = _layout_of(self._frame.format.name)
        if layout is None or layout.sub_y is None:
            return False
        h, w = self.stored_shape
        is_whole = w % 2 == 0 and h % 2 == 0
        return is_whole and all(plane.line_size > 0 for plane in self._frame.planes)

    def chroma(self) -> Chroma:
        """Return the colour planes; only if `has_chroma`."""
        layout = _layout_of(self._frame.format.name)
        if not self.has_chroma or layout is None or layout.sub_y is None:
            raise ValueError(f"format {self._frame.format.name}: expected 8-bit planes of colour")
        constants = _conversion(self._is_full_range(layout))
        return Chroma(_rows(self._frame, 1), _rows(self._frame, 2), layout.sub_y, constants)

    def rgb(
        self, width_px: int | None = None, height_px: int | None = None, scaler: str = "bicubic"
    ) -> U8:
        """Return RGB pixels, (h, w, 3) uint8, as they are shown.

        Parameters
        ----------
        width_px, height_px : int, optional
            Size to scale to; both or neither.
        scaler : str
            FFmpeg's name of how to scale: ``"bicubic"``, ``"area"``, ``"bilinear"``.
        """
        if width_px is None or height_px is None:
            return np.ascontiguousarray(self.turn.apply(self._stored_rgb()))
        if self.turn.transposed:
            width_px, height_px = height_px, width_px
        small = self._converted("rgb24", width_px, height_px, scaler)
        return np.ascontiguousarray(self.turn.apply(small.reshape(height_px, width_px, 3)))

    def grey(self) -> U8:
        """Return luma from 0 to 255, (h, w) uint8, as it is shown."""
        luma = self.luma()
        values = luma.rows[:, : luma.width]
        if (int(luma.low), int(luma.high)) != (0, 255):
            low, span = float(luma.low), float(luma.high) - float(luma.low)
            cut = np.clip(values, luma.low, luma.high)
            values = np.rint((cut.astype(np.float32) - low) * (255.0 / span)).astype(np.uint8)
        return np.ascontiguousarray(self.turn.apply(values))

    def _stored_rgb(self) -> U8:
        h, w = self.stored_shape
        if not self.has_chroma:
            return self._converted("rgb24").reshape(h, w, 3)
        out = np.empty((h, w, 3), np.uint8)
        kernels.yuv.to_rgb(_rows(self._frame, 0), *self.chroma(), out)
        return out

    def _converted(
        self, name: str, width: int | None = None, height: int | None = None, scaler: str = "area"
    ) -> U8:
        return self._converter.convert(self._frame, width, height, name, scaler)

    def _is_full_range(self, layout: _Layout) -> bool:
        stated = int(self._frame.color_range)  # 0: it does not say, 1: limited, 2: full.
        return stated == 2 or layout.full_range


@lru_cache(maxsize=2)
def _conversion(full_range: bool) -> I32:
    return kernels.yuv.conversion(full_range)
