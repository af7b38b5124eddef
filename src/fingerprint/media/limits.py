"""How large a source may be; checked before it is decoded."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "Limits"]


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
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")


DEFAULT_LIMITS = Limits()
