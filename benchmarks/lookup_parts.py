"""Ours beside all peers: by size, by radius, in other widths, eight views, the nearest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.lookup_contest import Contest, Outcome, build_ours, hold
from benchmarks.lookup_data import (
    DEFAULT_RADIUS,
    HashSet,
    as_hashes,
    flipped,
    make_queries,
    random_packed,
    random_set,
)
from benchmarks.lookup_peers import PEERS
from benchmarks.lookup_pictures import realistic_set
from benchmarks.lookup_structures import MIH, EightCalls, build_backend
from benchmarks.lookup_tables import Conditions, ratio_to, target_row
from benchmarks.lookup_turns import Nearest, Within
from benchmarks.measurement import SPEEDUP, Measurement, Target

if TYPE_CHECKING:
    from benchmarks.lookup_data import Queries
    from benchmarks.lookup_structures import Structure
    from benchmarks.settings import Lookup, Settings
    from fingerprint.typing import U8

__all__ = ["by_size_and_radius", "eight_views", "make_set", "nearest", "other_widths"]

MILLION = 1_000_000
RADIUS = DEFAULT_RADIUS[256]
VIEWS = 8
SIZE_TARGETS = {
    MILLION: {"p50": Target(0.06, at_least=False), "p99": Target(0.3, at_least=False)},
}
RATIO_TARGETS = {
    "FAISS MultiHash": Target(40, at_least=True),
    "PyNear MIH": Target(10, at_least=True),
}
NEAR_EACH = 10

Tell = Callable[[str], object]


def make_set(data: str, n: int, settings: Settings, bits: int = 256) -> HashSet:
    """Make a ``"random"`` or a ``"realistic"`` set."""
    if data == "random":
        return random_set(n, bits)
    return realistic_set(n, settings.lookup.pictures, settings.max_photos, bits)


def by_size_and_radius(
    hash_set: HashSet, queries: Queries | None, lookup: Lookup, tell: Tell
) -> list[Measurement]:
    """Measure the part ``size``, given queries, and, at the size for details, ``radius``."""
    n = len(hash_set.hashes)
    contests = []
    if queries is not None:
        where = Conditions("size", hash_set.name, n, 256, RADIUS)
        contests.append(Contest(where, Within(queries), lookup.budget_s))
    if "radius" in lookup.parts and n == lookup.detail_n:
        for radius in lookup.radii:
            tell(f"{n:,} {hash_set.name}: counting the answers within {radius}")
            contests.append(_at_radius(hash_set, radius, lookup))
    if not contests:
        return []
    found: list[Measurement] = []
    for outcome in hold(hash_set.hashes, contests, lookup, tell, radius=RADIUS):
        rows = outcome.rows()
        found += rows
        if outcome.contest.where.part == "size":
            found += _size_targets(outcome, rows)
    return found


def _at_radius(hash_set: HashSet, radius: int, lookup: Lookup) -> Contest:
    def built_for_it() -> Structure:
        label = f"{MIH}, built for the radius"
        return build_backend(MIH, hash_set.hashes, {"radius": radius}, label=label)

    where = Conditions("radius", hash_set.name, len(hash_set.hashes), 256, radius)
    queries = make_queries(hash_set, lookup.sweep_queries, radius)
    extra = None if radius == RADIUS else built_for_it
    return Contest(where, Within(queries), lookup.sweep_budget_s, extra)


def _size_targets(outcome: Outcome, rows: list[Measurement]) -> list[Measurement]:
    where = outcome.contest.where
    mih = next(row for row in rows if row.details["structure"] == MIH)
    found = [target_row(mih, p, t) for p, t in SIZE_TARGETS.get(where.n, {}).items()]
    if where.n != MILLION:
        return found
    ours = outcome.ours.get(MIH)
    for start, target in RATIO_TARGETS.items():
        peer = next((t for t in outcome.peers if t.structure.name.startswith(start)), None)
        if ours is not None and peer is not None:
            found.append(ratio_to(where, ours, peer, target))
            continue
        reason = outcome.not_built.get(MIH if ours is None else start, "it was not built")
        name = where.name(f"{MIH} against {start}")
        found.append(Measurement(name, None, SPEEDUP, target, not_run=reason))
    return found


def other_widths(settings: Settings, tell: Tell) -> list[Measurement]:
    """Measure hashes of 64 and of 512 bits."""
    lookup = settings.lookup
    n = lookup.detail_n
    sets = [("random", 64), ("realistic", 64)]
    if n <= MILLION:
        sets.append(("random", 512))
    found: list[Measurement] = []
    for data, bits in sets:
        tell(f"{n:,} {data} hashes of {bits} bits")
        hash_set = make_set(data, n, settings, bits)
        radius = DEFAULT_RADIUS[bits]
        where = Conditions("widths", data, n, bits, radius)
        queries = make_queries(hash_set, lookup.queries, radius)
        contest = Contest(where, Within(queries), lookup.budget_s)
        for outcome in hold(hash_set.hashes, [contest], lookup, tell, radius=radius):
            found += outcome.rows()
    return found


def eight_views(hash_set: HashSet, lookup: Lookup, tell: Tell) -> list[Measurement]:
    """Measure the eight views of a query in one call."""
    n = len(hash_set.hashes)
    tell(f"eight views in {n:,}")
    queries = make_queries(hash_set, lookup.sweep_queries, RADIUS, views=VIEWS)
    where = Conditions("dihedral", hash_set.name, n, 256, RADIUS, f"{VIEWS} views")
    made, _ = build_ours(hash_set.hashes, (MIH,))

    def one_after_the_other() -> Structure:
        return EightCalls(made[0])

    extra = one_after_the_other if made else None
    contest = Contest(where, Within(queries), lookup.sweep_budget_s, extra)
    flat = [peer for peer in PEERS if peer.names == ("FAISS Flat",)]
    (outcome,) = hold(hash_set.hashes, [contest], lookup, tell, radius=RADIUS, peers=flat)
    return outcome.rows()


def nearest(lookup: Lookup, tell: Tell) -> list[Measurement]:
    """Measure the k nearest where ten are near, and where only one is."""
    n = lookup.detail_n
    tell(f"planting {NEAR_EACH} rows near each query in {n:,}")
    packed = random_packed(n, 256, 0)
    n_queries = min(lookup.sweep_queries, n // (4 * NEAR_EACH))
    near = _plant(packed, n_queries, NEAR_EACH, seed=1)
    alone = _plant(packed, n_queries, 1, seed=2)
    hashes = as_hashes(packed)
    contests = [
        Contest(
            Conditions("nearest", "random", n, 256, RADIUS, f"k={k}, {what}"),
            Nearest(hashes.words, queries[:, None], k, RADIUS),
            lookup.sweep_budget_s,
        )
        for k, what, queries in (
            (1, "ten rows within the radius", near),
            (NEAR_EACH, "ten rows within the radius", near),
            (NEAR_EACH, "one row within the radius", alone),
        )
    ]
    peers = [peer for peer in PEERS if peer.names[0] in {"FAISS Flat", "PyNear MIH"}]
    outcomes = hold(hashes, contests, lookup, tell, radius=RADIUS, peers=peers)
    return [row for outcome in outcomes for row in outcome.rows()]


def _plant(packed: U8, n_queries: int, each: int, seed: int) -> U8:
    """Overwrite rows with near ones of random queries, and return the queries."""
    generator = np.random.default_rng(seed)
    queries = random_packed(n_queries, 256, 100 + seed)
    # Even and odd rows, so that the two plantings keep apart.
    rows = 2 * generator.choice(len(packed) // 2, n_queries * each, replace=False) + seed % 2
    n_flips = np.arange(n_queries * each) % (RADIUS + 1)
    packed[rows] = flipped(np.repeat(queries, each, axis=0), n_flips, generator)
    return queries
