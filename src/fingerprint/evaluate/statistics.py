"""Intervals and radii: what so many pictures can show, and what they cannot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from fingerprint.typing import F64, I64

__all__ = [
    "RULE_OF_THREE",
    "FalsePairs",
    "largest_radius",
    "pair_rate_interval",
    "row_rate_interval",
    "wilson",
]

RULE_OF_THREE = 3.0
"""None of N says, at 95 %, a share of at most 3 / N."""

_Z95 = 1.959963984540054
_REPLICATES = 400
_REPLICATES_AT_ONCE = 50


def wilson(found: int, n: int, z: float = _Z95) -> tuple[float, float]:
    """Return the Wilson score interval of a share, 95 % unless ``z`` says otherwise.

    Source: E. B. Wilson, JASA 22 (1927). (0, 1) for none of none.
    """
    if not 0 <= found <= n:
        raise ValueError(f"found: expected 0 to n, got {found} of {n}")
    if n == 0:
        return 0.0, 1.0
    share, spread = found / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    low = 0.0 if found == 0 else max(0.0, middle - half)
    high = 1.0 if found == n else min(1.0, middle + half)
    return low, high


def largest_radius(false: I64, pairs: int, rate: float) -> int:
    """Return the largest radius at which the share of false pairs is at most ``rate``.

    Parameters
    ----------
    false : ndarray of int64, shape (bits + 1,)
        Different pairs at each score.
    pairs : int
        How many there are in all.
    rate : float
        0 asks for the largest radius without any.

    Returns
    -------
    int
        In bits, inclusive; -1 when there is none.
    """
    within = np.cumsum(false)
    return int(np.searchsorted(within, rate * pairs, side="right")) - 1


class FalsePairs(NamedTuple):
    """Different pictures that are near: query, reference, and how many queries of the one."""

    queries: I64
    references: I64
    counts: I64


def pair_rate_interval(
    near: FalsePairs, n_pairs: I64, n_references: int, seed: int
) -> tuple[float, float]:
    """Return a 95 % bootstrap interval of the rate of false pairs, by picture.

    Pictures are drawn, and a pair counts as often as both of its pictures were drawn
    together: one picture that is near to many is one accident, not many (Owen, "The
    pigeonhole bootstrap", 2007).

    Parameters
    ----------
    near : FalsePairs
        Pairs that are near.
    n_pairs : ndarray of int64, shape (n,)
        Pairs that were compared, of each picture as a query. The queries are the first
        ``n`` of the references.
    n_references : int
        Pictures that were compared with.
    seed : int
        Which are drawn.
    """
    n = len(n_pairs)
    if n == 0 or not n_pairs.sum():
        return 0.0, 1.0
    generator = np.random.default_rng(seed)
    counts = near.counts.astype(np.float64)
    rates = []
    for _ in range(_REPLICATES // _REPLICATES_AT_ONCE):
        as_query = _draws(generator, n)
        rest = n_references - n
        as_reference = np.hstack([as_query, _draws(generator, rest)]) if rest else as_query
        false = _weighted(near, counts, as_query, as_reference)
        rates.append(_ratio(false, as_query @ n_pairs))
    return _interval(np.concatenate(rates))


def row_rate_interval(false: I64, n_pairs: I64, seed: int) -> tuple[float, float]:
    """Return a 95 % bootstrap interval when only each picture's sums are known.

    Narrower than `pair_rate_interval`: pictures are drawn as queries alone.
    """
    if not n_pairs.sum():
        return 0.0, 1.0
    generator = np.random.default_rng(seed)
    rates = []
    for _ in range(_REPLICATES // _REPLICATES_AT_ONCE):
        weights = _draws(generator, len(false))
        rates.append(_ratio(weights @ false, weights @ n_pairs))
    return _interval(np.concatenate(rates))


def _draws(generator: np.random.Generator, n: int) -> I64:
    """Return how often each of n pictures is drawn, in each of some replicates."""
    shares = np.full(n, 1 / n)
    return np.asarray(generator.multinomial(n, shares, size=_REPLICATES_AT_ONCE), np.int64)


def _weighted(near: FalsePairs, counts: F64, as_query: I64, as_reference: I64) -> F64:
    if not len(counts):
        return np.zeros(len(as_query))
    return np.array(
        [
            np.dot(counts, mine[near.queries] * other[near.references])
            for mine, other in zip(as_query, as_reference, strict=True)
        ]
    )


def _ratio(false: Any, pairs: Any) -> F64:
    return np.asarray(false / np.maximum(pairs, 1), np.float64)


def _interval(rates: F64) -> tuple[float, float]:
    low, high = np.quantile(rates, (0.025, 0.975))
    return float(low), float(high)
