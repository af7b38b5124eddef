"""Which frames of a video are hashed."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fingerprint.media.video import VideoInfo
    from fingerprint.media.video_frame import VideoFrame

__all__ = ["Sampling", "changes", "every", "keyframes", "parse_sampling", "scenes", "vpdq"]

_TIME_TOLERANCE_S = 1e-3
"""Containers round times to milliseconds."""

_NEVER = 2.0**62
"""More frames than any video has."""


class Selector(ABC):
    """Chooses among the frames of one video, which it sees in order."""

    @abstractmethod
    def wants(self, frame: VideoFrame) -> bool:
        """Say whether to hash this frame."""

    def keeps(self, packed: bytes) -> bool:
        """Say whether to keep the frame that was just hashed."""
        return True

    def time_s(self, frame: VideoFrame) -> float:
        """Return the time that the frame is recorded with."""
        return frame.time_s


class Sampling(ABC):
    """A rule by which frames are chosen.

    Attributes
    ----------
    keyframes_only : bool
        Nothing else is decoded.
    with_last : bool
        The last frame is always among them.
    """

    keyframes_only = False
    with_last = True

    @abstractmethod
    def selector(self, info: VideoInfo) -> Selector:
        """Return what chooses frames of one video."""


class _All(Selector):
    def wants(self, frame: VideoFrame) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Every(Sampling):
    """See `every`."""

    seconds: float

    def selector(self, info: VideoInfo) -> Selector:
        return _All() if self.seconds <= _TIME_TOLERANCE_S else _EverySelector(self.seconds)

    def __str__(self) -> str:
        return f"every:{_number(self.seconds)}"


class _EverySelector(Selector):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due_s = 0.0

    def wants(self, frame: VideoFrame) -> bool:
        at_s = frame.time_s + _TIME_TOLERANCE_S
        if at_s < self._due_s:
            return False
        self._due_s = self._seconds * (math.floor(at_s / self._seconds) + 1)
        return True


@dataclass(frozen=True, slots=True)
class Vpdq(Sampling):
    """See `vpdq`."""

    seconds: float
    with_last = False

    def selector(self, info: VideoInfo) -> Selector:
        return _VpdqSelector(self.seconds, info.frame_rate)

    def __str__(self) -> str:
        return f"vpdq:{_number(self.seconds)}"


class _VpdqSelector(Selector):
    def __init__(self, seconds: float, frame_rate: float) -> None:
        self._every = max(1, int(min(seconds * frame_rate, _NEVER)))
        self._rate = frame_rate

    def wants(self, frame: VideoFrame) -> bool:
        return frame.number % self._every == 0

    def time_s(self, frame: VideoFrame) -> float:
        return frame.number / self._rate if self._rate else frame.time_s


@dataclass(frozen=True, slots=True)
class Keyframes(Sampling):
    """See `keyframes`."""

    keyframes_only = True
    with_last = False

    def selector(self, info: VideoInfo) -> Selector:
        return _All()

    def __str__(self) -> str:
        return "keyframes"


@dataclass(frozen=True, slots=True)
class Changes(Sampling):
    """See `changes`."""

    min_distance: int

    def selector(self, info: VideoInfo) -> Selector:
        return _ChangesSelector(self.min_distance)

    def __str__(self) -> str:
        return f"changes:{self.min_distance}"


class _ChangesSelector(_All):
    def __init__(self, min_distance: int) -> None:
        self._min_distance = min_distance
        self._last: int | None = None

    def keeps(self, packed: bytes) -> bool:
        value = int.from_bytes(packed)
        if self._last is not None and (value ^ self._last).bit_count() < self._min_distance:
            return False
        self._last = value
        return True


@dataclass(frozen=True, slots=True)
class Scenes(Sampling):
    """See `scenes`."""

    min_length_s: float

    def selector(self, info: VideoInfo) -> Selector:
        return _ScenesSelector(self.min_length_s)

    def __str__(self) -> str:
        return f"scenes:{_number(self.min_length_s)}"


class _ScenesSelector(Selector):
    """A cut is a frame far from the one before it, and farther than its recent kind."""

    MIN_CHANGE = 12.0  # grey levels of 255, on average over the frame
    MIN_RATIO = 3.0  # times what frames of this shot differ by
    MEMORY = 0.9  # of the running average
    STEP_PX = 8

    def __init__(self, min_length_s: float) -> None:
        self._min_length_s = min_length_s
        self._before: Any = None
        self._usual = 0.0
        self._cut_s = -math.inf

    def wants(self, frame: VideoFrame) -> bool:
        luma = frame.luma()
        small = luma.rows[:: self.STEP_PX, : luma.width : self.STEP_PX].astype(np.float32)
        small *= 255.0 / (float(luma.high) - float(luma.low))
        before, self._before = self._before, small
        if before is None or before.shape != small.shape:
            return self._cut(frame)
        change = float(np.abs(small - before).mean())
        usual = self._usual
        self._usual = self.MEMORY * usual + (1 - self.MEMORY) * change
        is_far = change >= self.MIN_CHANGE and change >= self.MIN_RATIO * usual
        if not is_far or frame.time_s - self._cut_s < self._min_length_s:
            return False
        return self._cut(frame)

    def _cut(self, frame: VideoFrame) -> bool:
        self._cut_s = frame.time_s
        self._usual = 0.0
        return True


def _number(value: float) -> str:
    """Write a number so that it is read as the same, without an exponent."""
    return np.format_float_positional(value, trim="-")


def every(seconds: float = 1.0) -> Sampling:
    """Take the first frame at or after each multiple of ``seconds``, the first and the last.

    By true presentation time: right for variable frame rates. 0 takes all frames.
    """
    if not 0 <= seconds < math.inf:
        raise ValueError(f"seconds: expected 0 or more, got {seconds}")
    return Every(float(seconds))


def vpdq(seconds: float = 1.0) -> Sampling:
    """Take the frames that the vPDQ reference takes, and its times: number / frame rate.

    It counts: with n = int(seconds · frame rate), frames 0, n, 2n, … (n = 1 when that is 0).
    Source: facebook/ThreatExchange, ``vpdq/cpp/vpdq/cpp/hashing``.
    """
    if not 0 <= seconds < math.inf:
        raise ValueError(f"seconds: expected 0 or more, got {seconds}")
    return Vpdq(float(seconds))


def keyframes() -> Sampling:
    """Take the frames that are coded by themselves, and decode no others: ten times as fast.

    An encoder puts them where it likes: they suit stills and lists, not alignment.
    """
    return Keyframes()


def scenes(min_length_s: float = 0.5) -> Sampling:
    """Take the first frame of each shot, and the last frame.

    A shot begins where luma, taken at every eighth pixel, moves by 12 of 255 levels on
    average and by three times the running average of the shot: the adaptive content
    detection of PySceneDetect, without looking ahead. Fades are not cuts.

    Parameters
    ----------
    min_length_s : float
        Shortest shot.
    """
    if not 0 <= min_length_s < math.inf:
        raise ValueError(f"min_length_s: expected 0 or more, got {min_length_s}")
    return Scenes(float(min_length_s))


def changes(min_distance: int = 16) -> Sampling:
    """Take a frame whenever its hash has moved from that of the last one taken, and the last.

    Parameters
    ----------
    min_distance : int
        By so many bits: every frame of the video is closer to one that was taken.
    """
    if isinstance(min_distance, bool) or not isinstance(min_distance, int) or min_distance < 1:
        raise ValueError(f"min_distance: expected a whole number from 1, got {min_distance!r}")
    return Changes(min_distance)


_RULES: dict[str, Any] = {
    "every": (every, float),
    "vpdq": (vpdq, float),
    "keyframes": (keyframes, None),
    "scenes": (scenes, float),
    "changes": (changes, int),
}


def parse_sampling(text: str) -> Sampling:
    """Read a rule as it is written: ``"every:0.5"``, ``"vpdq:1"``, ``"keyframes"``, ….

    Raises
    ------
    ValueError
        There is no such rule, or it cannot have this value.
    """
    name, colon, value = text.partition(":")
    make, kind = _RULES.get(name, (None, None))
    if make is None or (colon and kind is None):
        raise ValueError(
            f"sample: expected {', '.join(_RULES)}, with a value after a colon, got {text[:40]!r}"
        )
    if not colon:
        return make()  # type: ignore[no-any-return]
    if not re.fullmatch(r"[0-9]{1,400}(\.[0-9]{1,400})?" if kind is float else "[0-9]{1,9}", value):
        raise ValueError(f"sample: expected a number after {name}:, got {value[:40]!r}")
    return make(kind(value))  # type: ignore[no-any-return]
