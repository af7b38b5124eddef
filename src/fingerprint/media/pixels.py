"""Decoded pixels and what is known about the file they came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["Pixels"]


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Canonical pixels of one picture or frame.

    Parameters
    ----------
    array : ndarray of uint8
        (h, w, 3) RGB, or (h, w) grey; C-contiguous.
    format : str
        Format of the file, as Pillow names it: ``"JPEG"``, ``"PNG"``, ...;
        ``"array"`` for pixels that were never in a file.
    width_px, height_px : int
        Size of the picture as the file states it, before EXIF orientation and
        before any scaled decoding.
    orientation : int
        EXIF orientation tag of the file, 1 to 8; 1 when there is none.
    """

    array: U8 = field(repr=False)
    format: str
    width_px: int
    height_px: int
    orientation: int = 1
