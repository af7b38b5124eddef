"""How far edited copies are from their originals, as a density over distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.calibration import CopyDistances

if TYPE_CHECKING:
    from fingerprint.typing import I64, Bits

__all__ = ["Copy", "copy_distances"]

_LEAST_COPIES = 100


class Copy(NamedTuple):
    """One edited copy: of which picture, by which edit, how far, the lower quality of the two."""

    original: int
    edit: int
    distance: int
    quality: int


def copy_distances(
    copies: Sequence[Copy],
    bits: int,
    min_quality: int,
    ranges: Sequence[tuple[int, int]],
    step: int,
) -> dict[str, CopyDistances]:
    """Return the distances of copies of ordinary quality, and of each range of low quality.

    Parameters
    ----------
    copies : sequence of Copy
        All that were made.
    bits, min_quality : int
        Of the algorithm.
    ranges : sequence of (int, int)
        Ranges of low quality, from and to inclusive. One with fewer than a hundred copies
        has those of all low qualities.
    step : int
        Distances are multiples of it.

    Raises
    ------
    ValueError
        There are fewer than a hundred copies of ordinary quality.
    """
    original, edit, distance, quality = np.array(copies, np.int64).reshape(-1, 4).T
    low = quality < min_quality
    chosen: dict[str, tuple[tuple[int, int] | None, Bits]] = {"ordinary": (None, ~low)}
    for first, last in ranges:
        inside = low & (quality >= first) & (quality <= last)
        name = f"quality {first}" if first == last else f"quality {first}-{last}"
        chosen[name] = (first, last), inside if inside.sum() >= _LEAST_COPIES else low
    found = {
        name: CopyDistances(
            pictures=len(np.unique(original[rows])),
            copies=int(rows.sum()),
            density=_density(edit[rows], distance[rows], bits, step),
            quality=limits,
        )
        for name, (limits, rows) in chosen.items()
        if rows.sum() >= _LEAST_COPIES
    }
    if "ordinary" not in found:
        raise ValueError(
            f"copies: expected {_LEAST_COPIES} of ordinary quality or more, got {int((~low).sum())}"
        )
    return found


def _density(edit: I64, distance: I64, bits: int, step: int) -> tuple[float, ...]:
    """Return the share of copies at each distance; each edit has the same weight."""
    cells = bits // step + 1
    cell = np.minimum(-(-distance // step), cells - 1)
    weights = 1.0 / np.bincount(edit)[edit]
    shares = np.bincount(cell, weights=weights, minlength=cells) / weights.sum()
    # Neighbours lend each other: few copies lie at any one distance.
    kernel = np.array([1, 2, 3, 2, 1]) / 9
    smooth = np.convolve(np.pad(shares, 2, mode="symmetric"), kernel, mode="valid")
    n = len(distance)
    smooth = (smooth / smooth.sum() * n + 1 / cells) / (n + 1)
    density = np.zeros(bits + 1)
    density[: cells * step : step] = smooth
    return tuple(float(one) for one in density)
