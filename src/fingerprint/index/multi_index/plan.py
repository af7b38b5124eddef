"""How far to search each chunk, at the lowest cost that still finds everything.

The radii of the chunks have to satisfy sum(r_c + 1) >= radius + 1, where a chunk that
is not searched has r_c = -1. Which of them cost least is a knapsack problem, solved
here for all radii at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fingerprint.typing import F64, I64, U32

__all__ = ["MAX_CHUNK_RADIUS", "Plan", "Planner", "Speed", "ball_table", "estimated_scan_ns"]

MAX_CHUNK_RADIUS = 6
GROUP_BITS = 5
MASK_BITS = 26
PADDING = 64
"""Entries after the last mask, which the kernel reads ahead."""

# Nanoseconds on one thread of a Sapphire Rapids machine, fitted to look-ups in 0.1 to 10
# million random hashes. Chunks are chosen by their proportions; `MihBackend.build`
# measures how this machine and these hashes compare.
GROUP_NS = 5.0
CANDIDATE_NS = 20.0
CHUNK_NS = 150.0
SCAN_WORD_NS = 0.5


@dataclass(frozen=True)
class Speed:
    """What was measured on the machine, beside the estimates.

    Parameters
    ----------
    table_ratio : float
        Measured over estimated time of a search through the tables.
    scan_ns : float
        Nanoseconds of comparing a query with every hash.
    """

    table_ratio: float
    scan_ns: float


def estimated_scan_ns(n: int, n_words: int) -> float:
    """Estimate what comparing a query with ``n`` hashes costs, in ns."""
    return CHUNK_NS + SCAN_WORD_NS * n_words * n


@dataclass(frozen=True, eq=False)
class Plan:
    """How to search for one radius.

    Parameters
    ----------
    scans : bool
        Comparing every hash is cheaper; the rest is then empty.
    cost_ns : float
        What a query is estimated to cost.
    radii : ndarray of int64, shape (m,)
        Radius of each chunk, -1 for one that is not searched.
    mask_lims : ndarray of int64, shape (m, 2)
        Part of ``masks`` that a chunk's search goes through.
    masks : ndarray of uint32
        The table of balls, then which bits of a group's number to flip, and how many
        are left to flip.
    budget : int
        Candidates from which a scan is cheaper.
    most_found : int
        Values in reach in the largest chunk.
    """

    scans: bool
    cost_ns: float
    radii: I64
    mask_lims: I64
    masks: U32
    budget: int
    most_found: int


class Planner:
    """Plans for any radius over one set of chunks.

    Parameters
    ----------
    widths : tuple of int
        Bits of each chunk.
    shares : ndarray of float64, shape (m, MAX_CHUNK_RADIUS + 1)
        Share of the rows that are within so many bits of a query in a chunk.
    n, n_words : int
        Rows, and 64-bit words of each.
    speed : Speed, optional
        What was measured; else the estimates hold.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        shares: F64,
        n: int,
        n_words: int,
        speed: Speed | None = None,
    ) -> None:
        speed = speed or Speed(1.0, estimated_scan_ns(n, n_words))
        self._widths = widths
        self.scan_ns = speed.scan_ns
        self._budget = max(64, int(self.scan_ns / (CANDIDATE_NS * speed.table_ratio)))
        self._plans: dict[int, Plan] = {}
        costs, self._choices = _solve(_chunk_costs(widths, shares, n))
        self._costs = speed.table_ratio * costs

    def cost_ns(self, radius: int) -> float:
        """Return what a search is thought to cost, without planning it."""
        return min(float(self._costs[radius + 1 :].min(initial=np.inf)), self.scan_ns)

    def plan(self, radius: int) -> Plan:
        """Return the cheapest plan that finds everything within ``radius`` bits."""
        plan = self._plans.get(radius)
        if plan is None:
            plan = self._plans[radius] = self._planned(radius)
        return plan

    def _planned(self, radius: int) -> Plan:
        enough = self._costs[radius + 1 :]
        if not enough.size or enough.min() >= self.scan_ns:
            none = np.empty(0, np.int64)
            return Plan(True, self.scan_ns, none, none.reshape(0, 2), np.empty(0, np.uint32), 0, 0)
        total = radius + 1 + int(enough.argmin())
        radii = np.empty(len(self._widths), np.int64)
        left = total
        for c in range(len(self._widths) - 1, -1, -1):
            steps = int(self._choices[c, left])
            radii[c] = steps - 1
            left -= steps
        parts, lims, most = [], np.zeros((radii.size, 2), np.int64), 0
        places: dict[tuple[int, int], tuple[int, int]] = {}
        end = ball_table().size
        for c, (width, reach) in enumerate(zip(self._widths, radii.tolist(), strict=True)):
            if reach < 0:
                continue
            key = (max(0, width - GROUP_BITS), reach)
            if key not in places:
                part = _group_masks(*key)
                places[key] = (end, end + part.size)
                end += part.size
                parts.append(part)
            lims[c] = places[key]
            most = max(most, _ball_size(width, reach))
        masks = np.concatenate([ball_table().ravel(), *parts, np.zeros(PADDING, np.uint32)])
        return Plan(False, float(enough.min()), radii, lims, masks, self._budget, most)


def _chunk_costs(widths: tuple[int, ...], shares: F64, n: int) -> F64:
    """Cost in ns of searching chunk c as far as s - 1 bits, (m, MAX_CHUNK_RADIUS + 2)."""
    costs = np.zeros((len(widths), MAX_CHUNK_RADIUS + 2))
    for c, width in enumerate(widths):
        for r in range(MAX_CHUNK_RADIUS + 1):
            n_groups = _ball_size(max(0, width - GROUP_BITS), r)
            candidates = n * float(shares[c, r])
            costs[c, r + 1] = CHUNK_NS + GROUP_NS * n_groups + CANDIDATE_NS * candidates
    return costs


def _solve(costs: F64) -> tuple[F64, I64]:
    """Return the least cost by sum(r_c + 1), and the choice of each chunk at each sum."""
    most = costs.shape[0] * (costs.shape[1] - 1)
    least = np.full(most + 1, np.inf)
    least[0] = 0.0
    choices = np.zeros((costs.shape[0], most + 1), np.int64)
    for c, chunk in enumerate(costs):
        options = np.full((chunk.size, most + 1), np.inf)
        for steps, cost in enumerate(chunk):
            options[steps, steps:] = least[: most + 1 - steps] + cost
        choices[c] = options.argmin(axis=0)
        least = options.min(axis=0)
    return least, choices


def _ball_size(width: int, radius: int) -> int:
    return sum(math.comb(width, r) for r in range(min(radius, width) + 1))


@lru_cache(maxsize=64)
def _group_masks(width: int, radius: int) -> U32:
    """Return the masks of up to ``radius`` of ``width`` bits, those of a line together.

    Eight groups share a cache line: those that differ in their three low bits.
    """
    near = min(3, width)
    far = np.arange(1 << (width - near), dtype=np.uint32)
    far = far[np.bitwise_count(far) <= radius, None] << np.uint32(near)
    masks = far | np.arange(1 << near, dtype=np.uint32)
    rest = radius - np.bitwise_count(masks).astype(np.int64)
    left: U32 = (rest.astype(np.uint32) << np.uint32(MASK_BITS)) | masks
    chosen: U32 = left[rest >= 0]
    return chosen


@lru_cache(maxsize=1)
def ball_table() -> U32:
    """Return, by bits left to flip and a value of 5 bits, the bitmap of values in reach."""
    table = np.zeros((MAX_CHUNK_RADIUS + 1, 1 << GROUP_BITS), np.uint32)
    for reach in range(MAX_CHUNK_RADIUS + 1):
        for value in range(1 << GROUP_BITS):
            near = [v for v in range(1 << GROUP_BITS) if (v ^ value).bit_count() <= reach]
            table[reach, value] = sum(1 << v for v in near)
    return table
