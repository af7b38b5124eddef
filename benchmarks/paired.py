"""Two sides timed in turn, A, B, A, B: what disturbs one disturbs the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

import numpy as np

__all__ = ["Paired", "Plan", "Spread", "compare", "figures", "spread"]

A = TypeVar("A")
B = TypeVar("B")


def figures(value: float) -> str:
    """Write three significant figures, never with an exponent for large values."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to compare: until the budget is used up, within the numbers of pairs."""

    budget_s: float
    min_pairs: int
    max_pairs: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of n values."""

    median: float
    q1: float
    q3: float
    n: int

    def __str__(self) -> str:
        return f"{figures(self.median)} ({figures(self.q1)}–{figures(self.q3)})"


def spread(values: Sequence[float]) -> Spread:
    q1, median, q3 = (float(q) for q in np.percentile(np.asarray(values, float), (25, 50, 75)))
    return Spread(median, q1, q3, len(values))


@dataclass(frozen=True, slots=True)
class Paired:
    """What a comparison found.

    Parameters
    ----------
    ours_s, peer_s : Spread
        Seconds a call.
    speedup : float
        Ratio of the medians: how many times faster our side is.
    pair_speedup : Spread
        The same ratio pair by pair.
    agrees : bool
        Both sides computed the same answer, before and after the timing.
    """

    ours_s: Spread
    peer_s: Spread
    speedup: float
    pair_speedup: Spread
    agrees: bool

    @property
    def cost(self) -> float:
        """Our time as a multiple of the peer's."""
        return 1 / self.speedup

    @property
    def pair_cost(self) -> Spread:
        """The same pair by pair."""
        span = self.pair_speedup
        return Spread(1 / span.median, 1 / span.q3, 1 / span.q1, span.n)


def compare(
    ours: Callable[[], A],
    peer: Callable[[], B],
    same: Callable[[A, B], bool],
    plan: Plan,
    *,
    warm: bool = False,
) -> Paired:
    """Time two sides in turn, after one untimed call of each.

    With ``warm`` each timed call comes right after an untimed one of the same
    side; without, a side finds the processor's caches as the other left them.
    """
    a, b = ours(), peer()
    agrees = same(a, b)
    ours_s: list[float] = []
    peer_s: list[float] = []
    started = perf_counter()
    while len(ours_s) < plan.max_pairs:
        if len(ours_s) >= plan.min_pairs and perf_counter() - started > plan.budget_s:
            break
        if warm:
            ours()
        before = perf_counter()
        a = ours()
        ours_s.append(perf_counter() - before)
        if warm:
            peer()
        before = perf_counter()
        b = peer()
        peer_s.append(perf_counter() - before)
    agrees = agrees and same(a, b)
    ratios = [p / o for o, p in zip(ours_s, peer_s, strict=True)]
    all_ours, all_peer = spread(ours_s), spread(peer_s)
    return Paired(
        all_ours, all_peer, all_peer.median / all_ours.median, spread(ratios), bool(agrees)
    )
