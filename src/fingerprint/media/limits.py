"""How large a source may be; checked before it is decoded."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "DEFAULT_VIDEO_LIMITS", "Limits", "VideoLimits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest source that is accepted.

    Parameters
    ----------
    max_nbytes : int
        Bytes of the encoded file.
    max_pixels : int
        Width times height of one frame. The default is the size from which
        Pillow warns; it refuses twice as many whatever is set here. Decoding
        takes up to 17 bytes a pixel and worker (WebP), for JPEG 3.
    max_frames : int
        Frames of an animation, when all of them are asked for.
    """

    max_nbytes: int = 256 * 1024 * 1024
    max_pixels: int = 89_478_485
    max_frames: int = 2_000

    def __post_init__(self) -> None:
        _check_positive(self, self.__slots__)


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """Largest video that is accepted, and the longest time that it may take.

    Parameters
    ----------
    max_nbytes : int
        Bytes of the file.
    max_pixels : int
        Width times height of a frame; the default is 8K. A decoder keeps up to some
        twenty frames, at 1.5 bytes a pixel, 3 for ten bits.
    max_frames : int
        Frames that are decoded; the default is nine hours at 30 a second.
    max_time_s : float
        Seconds that decoding may take, with whatever is done with the frames.
    """

    max_nbytes: int = 64 * 1024**3
    max_pixels: int = 8192 * 4352
    max_frames: int = 1_000_000
    max_time_s: float = 3600.0

    def __post_init__(self) -> None:
        _check_positive(self, ("max_nbytes", "max_pixels", "max_frames"))
        if not self.max_time_s > 0:
            raise ValueError(f"max_time_s: expected more than 0, got {self.max_time_s}")


def _check_positive(limits: object, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(limits, name) < 1:
            raise ValueError(f"{name}: expected at least 1, got {getattr(limits, name)}")


DEFAULT_LIMITS = Limits()
DEFAULT_VIDEO_LIMITS = VideoLimits()
