"""Two sides timed in turn, A, B, A, B: what disturbs one disturbs the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TypeVar

import numpy as np

__all__ = ["Paired", "Plan", "Spread", "compare", "figures", "spread"]

A = TypeVar("A")
B = TypeVar("B")

TURN_CALLS = 10
TURN_S = 0.05


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


def _turn(side: Callable[[], A], warm: bool) -> tuple[A, list[float]]:
    if warm:
        side()
    times: list[float] = []
    while True:
        before = perf_counter()
        answer = side()
        times.append(perf_counter() - before)
        if not warm or len(times) == TURN_CALLS or sum(times) > TURN_S:
            return answer, times


def compare(
    ours: Callable[[], A],
    peer: Callable[[], B],
    same: Callable[[A, B], bool],
    plan: Plan,
    *,
    warm: bool = False,
) -> Paired:
    """Time two sides in turn, after one untimed call of each.

    With ``warm`` a turn is an untimed call and then up to ten timed ones, as in a
    loop; without, each side finds the processor's caches as the other left them.
    """
    a, b = ours(), peer()
    agrees = same(a, b)
    turns: list[tuple[list[float], list[float]]] = []
    started = perf_counter()
    while len(turns) < plan.max_pairs:
        if len(turns) >= plan.min_pairs and perf_counter() - started > plan.budget_s:
            break
        a, ours_turn = _turn(ours, warm)
        b, peer_turn = _turn(peer, warm)
        turns.append((ours_turn, peer_turn))
    agrees = agrees and same(a, b)
    ratios = [median(p) / median(o) for o, p in turns]
    all_ours = spread([t for o, _ in turns for t in o])
    all_peer = spread([t for _, p in turns for t in p])
    return Paired(
        all_ours, all_peer, all_peer.median / all_ours.median, spread(ratios), bool(agrees)
    )
