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
        Width times height of one frame. The default is twice Pillow's own
        warning threshold; Pillow refuses more whatever is set here, except for
        JPEG.
    max_frames : int
        Frames of an animation, when all of them are asked for.
    """

    max_nbytes: int = 256 * 1024 * 1024
    max_pixels: int = 178_956_970
    max_frames: int = 10_000

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")


DEFAULT_LIMITS = Limits()
