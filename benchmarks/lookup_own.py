"""`mih` by itself: where its memory is, how it is built, many queries in one call."""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

import fingerprint as fp
from benchmarks.lookup_data import DEFAULT_RADIUS, HashSet, Queries, as_hashes, make_queries
from benchmarks.lookup_structures import MIH, Ours, build_backend, loaded, saved
from benchmarks.lookup_tables import Conditions, measured, missing, target_row
from benchmarks.lookup_turns import Within, take_turns
from benchmarks.measurement import (
    SPEEDUP,
    Measurement,
    NotRunError,
    Target,
    attempt,
    speedup_of,
)
from benchmarks.paired import Paired, Plan, compare
from fingerprint.typing import Residency

if TYPE_CHECKING:
    from benchmarks.measurement import Detail
    from benchmarks.settings import Lookup, Settings
    from fingerprint.index.backends import RangeResult

__all__ = ["by_residency", "in_batches", "when_building"]

RADIUS = DEFAULT_RADIUS[256]
TEN_MILLION, HUNDRED_MILLION = 10_000_000, 100_000_000
WARMING_QUERIES = 20_000
WORKERS = 2
RESIDENCIES: tuple[Residency, ...] = ("mmap", "huge")
REPEATED_MAX_N = 1_000_000
FIGURES = {
    (TEN_MILLION, "huge"): {"p50": 0.25, "p99": 1.0},
    (HUNDRED_MILLION, "huge"): {"p50": 1.0},
    (HUNDRED_MILLION, "mmap"): {"p50": 2.0},
}
BUILD_TARGETS = {TEN_MILLION: Target(1e6, at_least=True)}
MEMORY_TARGETS = {n: Target(100, at_least=False) for n in (TEN_MILLION, HUNDRED_MILLION)}
BATCH_TARGETS = {TEN_MILLION: Target(8000, at_least=True)}

Tell = Callable[[str], object]


def by_residency(hash_set: HashSet, queries: Queries, tell: Tell) -> list[Measurement]:
    """Measure `mih` as built, mapped from its files, and copied into huge pages, each alone."""
    n = len(hash_set.hashes)
    where = Conditions("residency", hash_set.name, n, 256, RADIUS)
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tell(f"{where.n:,} {where.data}: building and saving")
        try:
            built = build_backend(MIH, hash_set.hashes, {"radius": RADIUS})
        except NotRunError as reason:
            return _without_mih(where, str(reason))
        found += _alone(where, built, queries, tell)
        saved(built.backend, hash_set.hashes, folder)
        del built  # At a hundred million there is no room for two.
        for residency in RESIDENCIES:
            tell(f"{where.n:,} {where.data}: loading, {residency}")
            one = loaded(MIH, hash_set.hashes, folder, residency)
            if residency == "mmap":
                # Pages that nobody has read are mapped one by one, however warm the cache is.
                one.within(as_hashes(hash_set.fresh(WARMING_QUERIES, 77)), RADIUS)
            found += _alone(where, one, queries, tell)
            del one
    return found


def _alone(where: Conditions, one: Ours, queries: Queries, tell: Tell) -> list[Measurement]:
    (timed,) = take_turns([one], Within(queries), 0.0, tell)
    row = measured(where, timed)
    bounds = FIGURES.get((where.n, one.residency), {})
    return [row, *(target_row(row, p, Target(b, at_least=False)) for p, b in bounds.items())]


def _without_mih(where: Conditions, reason: str) -> list[Measurement]:
    found = []
    for residency in ("private", "mmap", "huge"):
        row = missing(where, f"{MIH}, {residency}", reason, ours=True)
        bounds = FIGURES.get((where.n, residency), {})
        found += [row, *(target_row(row, p, Target(b, at_least=False)) for p, b in bounds.items())]
    return found


def when_building(hash_set: HashSet, lookup: Lookup, tell: Tell) -> list[Measurement]:
    """Measure hashes a second on one and two threads, and bytes a hash."""
    n = len(hash_set.hashes)
    what = f"build: {n:,} {hash_set.name} hashes of 256 bits, {MIH}"
    found = []
    for workers in (1, WORKERS) if n <= TEN_MILLION else (WORKERS,):
        name = f"{what}, {workers} {'threads' if workers > 1 else 'thread'}"
        target = BUILD_TARGETS.get(n) if workers == WORKERS else None
        tell(name)
        rate = partial(_build_rate, name, hash_set, workers, target)
        found.append(attempt(name, "hashes/s", target, rate))
    last = found[-1]
    nbytes = last.details.get("bytes_a_hash")
    value = None if nbytes is None else float(nbytes)
    memory = f"{what}, memory with the hashes"
    target = MEMORY_TARGETS.get(n)
    found.append(Measurement(memory, value, "bytes a hash", target, not_run=last.not_run))
    return found


def _build_rate(name: str, hash_set: HashSet, workers: int, target: Target | None) -> Measurement:
    if (os.cpu_count() or 1) < workers:
        raise NotRunError("there is only one processor")
    n = len(hash_set.hashes)
    options = {"radius": RADIUS, "workers": workers}
    times = []
    for _ in range(3 if n <= REPEATED_MAX_N else 1):
        built = build_backend(MIH, hash_set.hashes, options)
        cost = built.cost
        times.append(cost.seconds)
        del built
    details: dict[str, Detail] = {
        "build_s": median(times),
        "builds": len(times),
        "bytes_a_hash": cost.nbytes_a_hash,
    }
    return Measurement(name, n / median(times), "hashes/s", target, details=details)


def in_batches(hash_set: HashSet, settings: Settings, tell: Tell) -> list[Measurement]:
    """Measure many queries in one call, on two threads beside one."""
    lookup = settings.lookup
    n = len(hash_set.hashes)
    what = (
        f"batch: {lookup.batch_queries:,} queries in one call, {n:,} {hash_set.name} hashes "
        f"of 256 bits, radius {RADIUS}, {MIH}"
    )
    name = f"{what}, {WORKERS} threads beside 1"
    two, one = f"{what}, {WORKERS} threads", f"{what}, 1 thread"
    tell(what)
    try:
        pair = _batch(hash_set, lookup, settings.slow_plan)
    except NotRunError as reason:
        target = BATCH_TARGETS.get(n)
        return [
            Measurement(two, None, "queries/s", target, not_run=str(reason)),
            Measurement(one, None, "queries/s", not_run=str(reason)),
            Measurement(name, None, SPEEDUP, not_run=str(reason)),
        ]
    rates = [lookup.batch_queries / side.median for side in (pair.ours_s, pair.peer_s)]
    return [
        Measurement(two, rates[0], "queries/s", BATCH_TARGETS.get(n), pair.agrees),
        Measurement(one, rates[1], "queries/s", None, pair.agrees),
        speedup_of(name, pair),
    ]


def _batch(hash_set: HashSet, lookup: Lookup, plan: Plan) -> Paired:
    if (os.cpu_count() or 1) < WORKERS:
        raise NotRunError("there is only one processor")
    if MIH in fp.backend_names():
        search: Any = fp.get_backend(MIH).range_search
        if "workers" not in inspect.signature(search).parameters:
            raise NotRunError(f"{MIH} shares no queries among threads")
    mih = build_backend(MIH, hash_set.hashes, {"radius": RADIUS})
    backend: Any = mih.backend
    queries = make_queries(hash_set, lookup.batch_queries, RADIUS, n_counted=lookup.queries, seed=5)
    batch = as_hashes(queries.packed[:, 0])

    def search_with(workers: int) -> RangeResult:
        result: RangeResult = backend.range_search(batch, RADIUS, workers=workers)
        return result

    def right(one: RangeResult, other: RangeResult) -> bool:
        same = np.array_equal(one.lims, other.lims) and np.array_equal(one.rows, other.rows)
        return same and not _n_wrong(mih, Within(queries), one)

    return compare(lambda: search_with(WORKERS), lambda: search_with(1), right, plan)


def _n_wrong(mih: Ours, question: Within, result: RangeResult) -> int:
    lims, rows, distances = result
    wrong = 0
    for i, (a, b) in enumerate(pairwise(lims)):
        answer = (np.array([0, b - a]), rows[a:b], distances[a:b])
        wrong += question.judge(mih, i, answer).is_wrong
    return wrong
