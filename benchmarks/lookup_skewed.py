"""Sets that are no fair coins: a crowd of near-identical frames, constant and tied bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.lookup_contest import SCAN, Contest, hold
from benchmarks.lookup_data import (
    DEFAULT_RADIUS,
    HashSet,
    Queries,
    as_hashes,
    flipped,
    make_queries,
    queries_from,
    random_packed,
)
from benchmarks.lookup_structures import MIH
from benchmarks.lookup_tables import Conditions, share_of_scan
from benchmarks.lookup_turns import Within
from benchmarks.measurement import Measurement, Target

if TYPE_CHECKING:
    from benchmarks.settings import Lookup
    from fingerprint.typing import I64, U8

__all__ = ["in_skewed_sets", "skewed_sets"]

BITS = 256
RADIUS = DEFAULT_RADIUS[BITS]
CROWD_SHARE = 0.3
CROWD_BITS = 8
BESIDE_BITS = (40, 56)
CONSTANT_BITS = 64
TIED_TOGETHER = 4
LOOSE_SHARE = 0.05
CROWD_QUERIES = 60
"""Each finds the whole crowd, whose rows must all be compared."""

NOT_MUCH_WORSE = Target(1.5, at_least=False)
FIGURES = ("p50", "p99")

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Skewed:
    """A set and its kinds of queries by name."""

    hash_set: HashSet
    queries: dict[str, Queries]


def in_skewed_sets(lookup: Lookup, tell: Tell) -> list[Measurement]:
    """Measure `mih` beside the scan, which a skewed set costs no more than any other."""
    n = lookup.detail_n
    found: list[Measurement] = []
    for make in skewed_sets():
        tell(f"a skewed set of {n:,}")
        one = make(n, lookup.sweep_queries)
        contests = [
            Contest(
                Conditions("skewed", one.hash_set.name, n, BITS, RADIUS, kind),
                Within(queries),
                lookup.sweep_budget_s,
            )
            for kind, queries in one.queries.items()
        ]
        for outcome in hold(one.hash_set.hashes, contests, lookup, tell, radius=RADIUS, peers=()):
            found += outcome.rows()
            where = outcome.contest.where
            mih, scan = outcome.ours.get(MIH), outcome.ours[SCAN]
            for figure in FIGURES:
                found.append(share_of_scan(where, figure, mih, scan, NOT_MUCH_WORSE))
    return found


def skewed_sets() -> tuple[Callable[[int, int], Skewed], ...]:
    """Return what makes each set, from its size and the number of queries."""
    return (_crowd, _constant, _tied)


def _crowd(n: int, n_queries: int) -> Skewed:
    """A share of all rows within a few bits of one centre, the others random."""
    generator = np.random.default_rng(0)
    packed = random_packed(n, BITS, 0)
    centre = random_packed(1, BITS, 11)
    rows = generator.choice(n, round(CROWD_SHARE * n), replace=False)
    packed[rows] = _around(centre, rows.size, (0, CROWD_BITS), 2)
    hash_set = HashSet("crowded", as_hashes(packed), lambda n, seed: random_packed(n, BITS, seed))
    few = min(n_queries, CROWD_QUERIES)
    amid = _around(centre, few, (0, RADIUS - CROWD_BITS), 3)
    beside = _around(centre, n_queries, BESIDE_BITS, 4)
    return Skewed(
        hash_set,
        {
            "queries amid the crowd": queries_from(hash_set, amid, RADIUS),
            "queries just beside it": queries_from(hash_set, beside, RADIUS),
            "queries elsewhere": _elsewhere(hash_set, rows, n_queries),
        },
    )


def _elsewhere(hash_set: HashSet, crowd: I64, n_queries: int) -> Queries:
    """Queries of which every second is near a row outside the crowd."""
    generator = np.random.default_rng(5)
    rows = np.setdiff1d(np.arange(len(hash_set.hashes)), crowd)
    packed = hash_set.fresh(n_queries, 6)
    near = np.arange(0, n_queries, 2)
    n_flips = np.arange(near.size) % (RADIUS + 1)
    copied = hash_set.hashes.packed[generator.choice(rows, near.size)]
    packed[near] = flipped(copied, n_flips, generator)
    return queries_from(hash_set, packed, RADIUS)


def _around(centre: U8, n: int, n_bits: tuple[int, int], seed: int) -> U8:
    """Copies of a hash with so many bits flipped, both bounds included."""
    generator = np.random.default_rng(seed)
    low, high = n_bits
    parts = []
    for first in range(0, n, 65536):  # Ranking bits takes a kilobyte and more a row.
        size = min(65536, n - first)
        n_flips = generator.integers(low, high + 1, size)
        parts.append(flipped(np.repeat(centre, size, axis=0), n_flips, generator))
    return np.concatenate(parts)


def _constant(n: int, n_queries: int) -> Skewed:
    """A quarter of the bits the same in all rows."""

    def make(n: int, seed: int) -> U8:
        packed = random_packed(n, BITS, seed)
        packed[:, : CONSTANT_BITS // 8] = 0x5A
        return packed

    hash_set = HashSet("partly constant", as_hashes(make(n, 0)), make)
    return Skewed(hash_set, {"": make_queries(hash_set, n_queries, RADIUS)})


def _tied(n: int, n_queries: int) -> Skewed:
    """Bits in fours that are alike but for one in twenty."""

    def make(n: int, seed: int) -> U8:
        n_free = BITS // TIED_TOGETHER
        generator = np.random.default_rng((seed, n_free))
        packed = np.tile(random_packed(n, n_free, seed), (1, TIED_TOGETHER))
        for first in range(0, n, 65536):
            part = packed[first : first + 65536]
            loose = generator.random((len(part), BITS), np.float32) < LOOSE_SHARE
            part ^= np.packbits(loose, axis=1)
        return packed

    hash_set = HashSet("correlated", as_hashes(make(n, 0)), make)
    return Skewed(hash_set, {"": make_queries(hash_set, n_queries, RADIUS)})
