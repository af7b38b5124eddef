"""Strata mixed by shares, and the weight of evidence of a distance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fingerprint.calibration.values import ChanceStratum
    from fingerprint.typing import F64

__all__ = ["evidence", "mixed_curves", "shares_of"]


def shares_of(
    strata: Mapping[str, ChanceStratum], stratum: str | Mapping[str, float]
) -> dict[str, float]:
    """Return the share of each stratum; ValueError when one is unknown or they make no whole."""
    shares = {stratum: 1.0} if isinstance(stratum, str) else dict(stratum)
    for name in shares:
        if name not in strata:
            raise ValueError(f"stratum: expected one of {', '.join(strata)}, got {name!r}")
    total = math.fsum(shares.values())
    if not shares or min(shares.values()) < 0 or not 0.999 < total < 1.001:
        raise ValueError(f"stratum: expected shares that add up to 1, got {total:g}")
    return shares


def mixed_curves(strata: Mapping[str, ChanceStratum], shares: Mapping[str, float]) -> F64:
    """Return rate, low and high by radius, (3, bits + 1)."""
    parts = [
        share * np.array([strata[name].rate, strata[name].low, strata[name].high])
        for name, share in shares.items()
    ]
    return np.asarray(np.sum(parts, axis=0), np.float64)


def evidence(density: Sequence[float], rate: F64, step: int) -> F64:
    """Return log2 of ``P(d | copy) / P(d | chance)`` at each distance d.

    Parameters
    ----------
    density : sequence of float
        Share of copies at each multiple of ``step``.
    rate : ndarray of float64, shape (bits + 1,)
        Share of different pairs within each radius.
    step : int
        Distances are multiples of it; another one counts as the next that is.

    Returns
    -------
    ndarray of float64, shape (bits + 1,)
        Made to fall with the distance.
    """
    last = len(rate) - 1
    ends = np.minimum(-(-np.arange(last + 1) // step) * step, last)
    before = np.where(ends >= step, rate[np.maximum(ends - step, 0)], 0)
    chance = np.maximum(rate[ends] - before, 1e-300)
    copies = np.maximum(np.asarray(density)[ends], 1e-300)
    ratio = np.log2(copies) - np.log2(chance)
    # Farther than half of the chance pairs, nothing speaks for a copy.
    far = rate[ends] > 0.5
    ratio[far] = ratio[~far].min(initial=0)
    # Sampling noise must not make a farther match count for more.
    falling = np.minimum.accumulate(ratio) + np.maximum.accumulate(ratio[::-1])[::-1]
    return np.asarray(falling / 2, np.float64)
