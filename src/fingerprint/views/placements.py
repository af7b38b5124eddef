"""Where a view lies over a picture, and the hashes of many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint import kernels
from fingerprint.hash_arrays import HashArray

if TYPE_CHECKING:
    from fingerprint.typing import F32, I64, U8

__all__ = ["Levels", "Placement", "hash_placements", "levels_of"]

FINE_PX = 512
COARSE_PX = 192
"""Longest sides of the two levels that views are sampled from, each way for itself."""


class Placement(NamedTuple):
    """A rectangle laid over a picture.

    ``left`` to ``bottom`` are shares of the picture's sides; what lies beyond 0 to 1 is
    continued from the edges. ``degrees`` turns the picture counter-clockwise about the
    middle of the rectangle.
    """

    left: float
    top: float
    right: float
    bottom: float
    degrees: float = 0.0


WHOLE = Placement(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Levels:
    """The luma of a picture less its mean, at two sizes.

    Parameters
    ----------
    fine, coarse : ndarray of float32
        At most 512 and 192 samples each way.
    height_px, width_px : int
        Of the picture itself.
    """

    fine: F32
    coarse: F32
    height_px: int
    width_px: int


def levels_of(pixels: U8) -> Levels:
    """Return the levels of canonical pixels, (h, w, 3) RGB or (h, w) grey uint8."""
    h, w = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else 3
    fine = np.empty((min(h, FINE_PX), min(w, FINE_PX)), np.float32)
    rows = pixels.reshape(h, w * channels)
    kernels.views.shrink(rows, channels, *_areas(h, FINE_PX), *_areas(w, FINE_PX), fine)
    fine -= fine.mean(dtype=np.float64)
    coarse = np.empty((min(len(fine), COARSE_PX), min(fine.shape[1], COARSE_PX)), np.float32)
    areas = (*_areas(len(fine), COARSE_PX), *_areas(fine.shape[1], COARSE_PX))
    kernels.views.shrink(fine, 1, *areas, coarse)
    return Levels(fine, coarse, h, w)


@lru_cache(maxsize=512)
def _areas(n: int, most: int) -> tuple[I64, I64, F32]:
    """Return where in a side of ``n`` pixels each of at most ``most`` areas lies."""
    outputs = min(n, most)
    first, count = np.empty(outputs, np.int64), np.empty(outputs, np.int64)
    weights = np.zeros((outputs, -(-n // outputs) + 1), np.float32)
    kernels.views.area_shares(n, outputs, first, count, weights)
    return first, count, weights


def hash_placements(
    levels: Levels, placements: Sequence[Placement], *, dihedral: bool = False
) -> tuple[U8, list[int]]:
    """Hash views by PDQ.

    Parameters
    ----------
    levels : Levels
        The picture.
    placements : sequence of Placement
        The views.
    dihedral : bool
        Eight hashes a view, in the order of `fingerprint.DIHEDRAL_NAMES`.

    Returns
    -------
    packed : ndarray of uint8, shape (n, 1 or 8, 32)
        What PDQ gives for the picture that the view shows, but for some two bits.
    quality : list of int
        One a view, 0 to 100.
    """
    packed = np.zeros((len(placements), 8 if dihedral else 1, 32), np.uint8)
    quality = np.zeros(len(placements), np.int64)
    if placements:
        kernels.views.hash_views(
            levels.fine,
            levels.coarse,
            (levels.height_px, levels.width_px),
            np.array(placements, np.float64),
            kernels.pdq.DCT,
            packed,
            quality,
        )
    return packed, quality.tolist()


def stacked(packed: U8, quality: Sequence[int], algorithm: str) -> HashArray:
    """Return one `HashArray` of (n, 32) packed hashes."""
    return HashArray(np.ascontiguousarray(packed), algorithm, bits=256, quality=list(quality))
