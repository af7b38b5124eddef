"""How often different pictures come this near: counted, and beyond the counts a Pareto tail.

The exceedances ``u - d`` of distances below a threshold u follow, for a low enough u, a
generalised Pareto distribution (Pickands, Balkema, de Haan), whatever the distances do
elsewhere: ``S(y) = (1 + shape · y / scale) ** (-1 / shape)``. Distances are whole numbers, and
PDQ's are even, so what is known of each is the cell that it lies in; the likelihood is that of
cells. Pairs at or below a *blind* radius may have been taken out as near-duplicates: then
nothing is known there, and the likelihood is conditional on lying above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fingerprint.typing import F64, I64

__all__ = ["Tail", "TailFit", "binomial_rates", "fit_tail", "tail_of"]

LEAST_EXCEEDANCES = 60
"""Fewer pairs than this say too little of a tail to fit one."""
LARGEST_SHARE = 0.002
"""Above this share of the pairs a threshold is in the bulk, not in the tail."""
SHAPE_SD = 0.05
"""Of the normal prior of the shape around 0. In 16.5 million pairs of one clothing set the share
of pairs fell by 6.0 to 6.7 for each 10 bits from 90 down to 50, the same factor all the way: an
exponential tail. A few hundred exceedances would leave the shape open by ±0.1, and with it the
rate at 30 bits by two powers of ten."""
LEAST_PROBABLE = 0.05
"""A threshold is dropped when cells as far from the fit as these are rarer than this."""
THRESHOLDS = 4
"""Over so many admitted thresholds the draws are spread: their choice is part of the error."""
COUNTED_FROM = 10
"""Pairs that a measured rate is made of at least."""
INTERVAL = (2.5, 97.5)

_SHAPES = np.linspace(-0.8, 1.0, 91)
_SCALES = np.geomspace(0.25, 64, 97)


@dataclass(frozen=True, slots=True)
class TailFit:
    """A generalised Pareto tail below a threshold.

    Parameters
    ----------
    threshold : int
        Distances up to it, inclusive, are its exceedances, in bits.
    share : float
        Share of all pairs that lie at or below the threshold.
    scale : float
        In bits.
    shape : float
        Above 0 the tail is heavier than exponential, below 0 lighter.
    exceedances : int
        Pairs it was fitted to.
    probability : float
        Of cells as far from the fit as those that were counted, or farther.
    """

    threshold: int
    share: float
    scale: float
    shape: float
    exceedances: int
    probability: float

    def rate(self, radius: F64 | I64 | float) -> F64:
        """Return the share of pairs at or below a radius that is at most the threshold."""
        below = np.maximum(self.threshold - np.asarray(radius, np.float64), 0)
        return np.asarray(self.share * _survival(below, self.scale, self.shape))


@dataclass(frozen=True, slots=True)
class Tail:
    """Rates of pairs within each radius, with 95 % intervals.

    Parameters
    ----------
    rate, low, high : ndarray of float64, shape (bits + 1,)
        At index r: share of pairs with a distance of at most r.
    measured_from : int
        From this radius on at least ten pairs were counted; below it the tail is extrapolated.
    fit : TailFit or None
        None when the pairs at every radius suffice without one.
    thresholds : tuple of TailFit
        All that were admitted, the one that was chosen first.
    """

    rate: F64
    low: F64
    high: F64
    measured_from: int
    fit: TailFit | None
    thresholds: tuple[TailFit, ...]


def tail_of(counts: F64, total: float, draws: F64, *, step: int = 1, blind: int = -1) -> Tail:
    """Return the rates of a stratum, from its counts and the counts of bootstrap draws.

    Parameters
    ----------
    counts : ndarray, shape (bits + 1,)
        Pairs at each distance.
    total : float
        How many pairs there are in all.
    draws : ndarray of float64, shape (n, bits + 1)
        Share of pairs at each distance in bootstrap samples. Draw *pictures* for them, not
        pairs: the pairs of one picture are not independent.
    step : int
        Distances are multiples of it: 2 for PDQ, 1 for most.
    blind : int
        Pairs at or below this distance were taken out; -1 for none.

    Raises
    ------
    ValueError
        There are too few pairs for a tail.
    """
    from_pairs = np.cumsum(counts)
    cumulative = from_pairs / max(total, 1)
    drawn = np.cumsum(draws, axis=1)
    enough = np.flatnonzero((from_pairs >= COUNTED_FROM) & (np.arange(len(counts)) > blind))
    if not len(enough):
        raise ValueError(f"expected {COUNTED_FROM} pairs or more above the blind radius")
    measured_from = int(enough[0])
    low, high = np.percentile(drawn, INTERVAL, axis=0)
    if from_pairs[0] >= LEAST_EXCEEDANCES and blind < 0:
        low, high = np.minimum(low, cumulative), np.clip(high, cumulative, 1)
        return Tail(cumulative, low, high, 0, None, ())
    fits = _admitted(counts, total, step, blind)
    fit = fits[0]
    radii = np.arange(fit.threshold + 1, dtype=np.int64)
    rate = cumulative.copy()
    rate[radii] = fit.rate(_on_grid(radii, step))
    # Above the threshold what a blind radius hides is what the fit says.
    hidden = float(fit.rate(float(_on_grid(blind, step)))) if blind >= 0 else 0.0
    rate[fit.threshold + 1 :] += hidden
    rate = np.maximum.accumulate(rate)
    extrapolated = _drawn_rates(draws, fits, step, blind, radii, total)
    low, high = low + hidden, high + hidden
    low[radii], high[radii] = np.percentile(extrapolated, INTERVAL, axis=0)
    # No real pictures are farther apart than coins that are flipped.
    coins = np.minimum(binomial_rates(len(counts) - 1), fit.share)
    rate[radii] = np.maximum(rate, coins)[radii]
    low[radii] = np.maximum(low, coins)[radii]
    return Tail(
        rate=np.minimum(rate, 1),
        low=np.minimum(np.maximum.accumulate(low), rate),
        high=np.minimum(np.maximum(np.maximum.accumulate(high), rate), 1),
        measured_from=measured_from,
        fit=fit,
        thresholds=tuple(fits),
    )


def fit_tail(
    counts: F64,
    total: float,
    threshold: int,
    *,
    step: int = 1,
    blind: int = -1,
    shape_sd: float | None = SHAPE_SD,
) -> TailFit:
    """Fit a generalised Pareto tail to the pairs at or below a threshold.

    Maximum likelihood over cells of ``step`` bits, with a normal prior of the shape around 0
    unless ``shape_sd`` is None. Only fits that leave distance 0 possible are considered:
    different pictures *can* have one hash.

    Parameters
    ----------
    counts, total, step, blind
        As in `tail_of`.
    threshold : int
        A multiple of ``step`` above ``blind``.
    shape_sd : float or None
        Standard deviation of the prior.
    """
    from scipy.optimize import minimize

    cells = _cells(counts[None], threshold, step, blind)
    if not cells.sum():
        raise ValueError(f"threshold: expected one with pairs below it, got {threshold}")
    reach = _reach(threshold, step, blind)
    scale, shape = _best_on_grid(cells, threshold, step, blind, shape_sd)

    def cost(point: F64) -> float:
        wide, bent = float(np.exp(point[0])), float(point[1])
        if wide + bent * (threshold + step) <= 0 or abs(bent) > 2:
            return float("inf")
        logs = np.log(np.maximum(_probabilities(reach, wide, bent, blind), 1e-300))
        prior = 0.0 if shape_sd is None else (bent / shape_sd) ** 2 / 2
        return float(prior - cells[0] @ logs)

    start = np.array([np.log(scale[0]), shape[0]])
    found = minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-6})
    wide, bent = float(np.exp(found.x[0])), float(found.x[1])
    seen = float(1 - _survival(reach[-1], wide, bent)) if blind >= 0 else 1.0
    n = float(cells.sum())
    expected = n * _probabilities(reach, wide, bent, blind)
    return TailFit(threshold, n / total / seen, wide, bent, round(n), _deviance(cells[0], expected))


def binomial_rates(bits: int) -> F64:
    """Return the rates of independent fair bits: what radii are often justified with."""
    from scipy.stats import binom

    return np.asarray(binom.cdf(np.arange(bits + 1), bits, 0.5), np.float64)


def _survival(y: F64 | float, scale: F64 | float, shape: F64 | float) -> F64:
    """Return S(y) of the generalised Pareto distribution, the exponential at shape 0."""
    y, scale, shape = np.asarray(y), np.asarray(scale), np.asarray(shape)
    flat = np.abs(shape) < 1e-6
    bent = np.where(flat, 1.0, shape)
    inside = np.maximum(1 + bent * y / scale, 1e-300)
    return np.asarray(np.where(flat, np.exp(-y / scale), inside ** (-1 / bent)))


def _on_grid(radii: I64 | int, step: int) -> I64:
    """Return the largest distances there are within radii: a radius of 31 is one of 30."""
    return np.asarray(radii, np.int64) // step * step


def _reach(threshold: int, step: int, blind: int) -> F64:
    """Return the edges of the cells below a threshold, as exceedances from 0."""
    last = 0 if blind < 0 else blind // step * step + step
    inner = np.arange(threshold, last - 1, -step, dtype=np.float64)
    # Without a blind radius the cell of distance 0 holds all that is left.
    edges = threshold - inner
    return np.append(edges, np.inf if blind < 0 else edges[-1] + step)


def _cells(counts: F64, threshold: int, step: int, blind: int) -> F64:
    """Return the counts of (n, bits + 1) in the cells of `_reach`, (n, cells)."""
    last = 0 if blind < 0 else blind // step * step + step
    ends = np.arange(threshold, last - 1, -step)
    cells = counts[:, ends].copy()
    for inside in range(1, step):  # Distances off the grid belong to the next cell above.
        cells[:, ends - inside >= 0] += counts[:, (ends - inside)[ends - inside >= 0]]
    return cells


def _probabilities(reach: F64, scale: float, shape: float, blind: int) -> F64:
    edges = np.where(np.isinf(reach), 0, reach)
    survivals = np.where(np.isinf(reach), 0, _survival(edges, scale, shape))
    cells = survivals[:-1] - survivals[1:]
    return np.asarray(cells / (1 - survivals[-1]) if blind >= 0 else cells)


def _best_on_grid(
    cells: F64, threshold: int, step: int, blind: int, shape_sd: float | None
) -> tuple[F64, F64]:
    """Return the likeliest scale and shape of each row of cells, from a grid."""
    reach = _reach(threshold, step, blind)
    scale, shape = (a.ravel() for a in np.meshgrid(_SCALES, _SHAPES, indexing="ij"))
    possible = scale + shape * (threshold + step) > 0
    scale, shape = scale[possible], shape[possible]
    edges = np.where(np.isinf(reach), 0, reach)[:, None]
    survivals = np.where(np.isinf(reach)[:, None], 0, _survival(edges, scale, shape))
    chances = survivals[:-1] - survivals[1:]
    if blind >= 0:
        chances = chances / np.maximum(1 - survivals[-1], 1e-300)
    score = cells @ np.log(np.maximum(chances, 1e-300))
    if shape_sd is not None:
        score = score - (shape / shape_sd) ** 2 / 2
    best = score.argmax(axis=1)
    return scale[best], shape[best]


def _drawn_rates(
    draws: F64, fits: list[TailFit], step: int, blind: int, radii: I64, total: float
) -> F64:
    """Return the rates at radii in each bootstrap draw, the draws spread over thresholds."""
    rows = []
    for number, fit in enumerate(fits):
        cells = _cells(draws[number :: len(fits)] * total, fit.threshold, step, blind)
        cells = cells[cells.sum(axis=1) > 0]
        scale, shape = _best_on_grid(cells, fit.threshold, step, blind, SHAPE_SD)
        reach = _reach(fit.threshold, step, blind)
        seen = 1 - _survival(reach[-1], scale, shape) if blind >= 0 else 1.0
        share = cells.sum(axis=1) / total / seen
        below = fit.threshold - _on_grid(radii, step)[:, None]
        within = share * _survival(np.maximum(below, 0), scale, shape)
        rows.append(np.where(below < 0, share, within).T)
    return np.concatenate(rows)


def _deviance(seen: F64, expected: F64) -> float:
    """Return the probability of counts as far from those expected, sparse cells joined."""
    from scipy.stats import chi2

    groups: list[tuple[float, float]] = []
    ends = [0.0, 0.0]
    for n, mean in zip(seen, expected, strict=True):
        ends = [ends[0] + n, ends[1] + mean]
        if ends[1] >= 5:
            groups.append((ends[0], ends[1]))
            ends = [0.0, 0.0]
    if groups:
        groups[-1] = (groups[-1][0] + ends[0], groups[-1][1] + ends[1])
    freedom = len(groups) - 3
    if freedom < 1:
        return 1.0
    return float(chi2.sf(sum((n - mean) ** 2 / mean for n, mean in groups), freedom))


def _admitted(counts: F64, total: float, step: int, blind: int) -> list[TailFit]:
    """Return fits at the highest thresholds that the counts do not speak against.

    The highest first: it has the most pairs. Pairs depend on each other, so the test is
    too strict rather than too lax, and the threshold lower than it need be.
    """
    below = np.cumsum(counts)
    first = 0 if blind < 0 else blind // step * step + step
    grid = np.arange(first + 3 * step, len(counts), step)
    fair = grid[(below[grid] >= LEAST_EXCEEDANCES) & (below[grid] <= LARGEST_SHARE * total)]
    if not len(fair):  # Few pairs, or most of them near: the lowest threshold that there is.
        enough = grid[below[grid] >= LEAST_EXCEEDANCES]
        if not len(enough):
            raise ValueError(
                f"expected {LEAST_EXCEEDANCES} pairs in the tail or more, got {int(below[-1])}"
            )
        fair = enough[:1]
    good: list[TailFit] = []
    for threshold in fair[::-1]:
        fit = fit_tail(counts, total, int(threshold), step=step, blind=blind)
        if fit.probability >= LEAST_PROBABLE:
            good.append(fit)
        if len(good) == THRESHOLDS:
            break
    return good or [fit]
