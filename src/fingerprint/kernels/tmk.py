"""TMK: frame features from 64 x 64 pictures, summed with their place in time.

Sources: facebook/ThreatExchange ``tmk/cpp``; Poullot et al., "Temporal Matching
Kernel with Explicit Feature Maps" (2015).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.kernels._jit import kernel
from fingerprint.kernels.pdq import HASH_SIDE, SIDE, transform

if TYPE_CHECKING:
    from fingerprint.typing import F32, F64, I32, U8


@kernel
def frame_feature(rgb: U8, dct: F32, feature: F32) -> None:
    """Write the 16 x 16 low frequencies of a (64, 64, 3) picture, which PDQ does not blur."""
    grid = np.empty((SIDE, SIDE), np.float32)
    for y in range(SIDE):
        for x in range(SIDE):
            grid[y, x] = (
                np.float32(0.299) * np.float32(rgb[y, x, 0])
                + np.float32(0.587) * np.float32(rgb[y, x, 1])
            ) + np.float32(0.114) * np.float32(rgb[y, x, 2])
    transform(grid, dct, feature.reshape((HASH_SIDE, HASH_SIDE)))


@kernel
def _add_scaled(row: F32, factor: float, total: F64) -> None:
    for k in range(total.size):
        total[k] += factor * np.float64(row[k])


@kernel
def add_feature(
    feature: F32, first: int, count: int, periods: I32, total: F64, cosines: F64, sines: F64
) -> None:
    """Add a feature (D,) that stands at ticks ``first`` to ``first + count - 1``.

    Its waves over those ticks are summed in closed form (Dirichlet's kernel): a
    frame that stands still for an hour costs no more than another.

    Parameters
    ----------
    total : ndarray of float64, shape (D,)
        Sum of features.
    cosines, sines : ndarray of float64, shape (P, C, D)
        Sums of features of length 1, times the waves of each period.
    """
    _add_scaled(feature, float(count), total)
    square = 0.0
    for k in range(feature.size):
        square += np.float64(feature[k]) * np.float64(feature[k])
    if square == 0.0:  # Black has no direction.
        return
    inverse = 1.0 / math.sqrt(square)
    middle = first + 0.5 * (count - 1)
    for p in range(periods.size):
        _add_scaled(feature, count * inverse, cosines[p, 0])
        for j in range(1, cosines.shape[1]):
            step = 2.0 * math.pi * j / periods[p]
            length = inverse
            if count > 1:
                length *= math.sin(0.5 * step * count) / math.sin(0.5 * step)
            _add_scaled(feature, length * math.cos(step * middle), cosines[p, j])
            _add_scaled(feature, length * math.sin(step * middle), sines[p, j])
