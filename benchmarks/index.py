"""Range search in sets of random hashes, and grouping them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

import fingerprint as fp
from benchmarks.measurement import (
    SPEEDUP,
    Group,
    Measurement,
    NotRunError,
    Table,
    attempt,
    peer_module,
    speedup_of,
    tell_nobody,
)
from benchmarks.paired import compare
from benchmarks.planted import BITS, RADIUS, Planted, plant, plant_clusters
from fingerprint.errors import MissingExtraError, UnsupportedOperationError
from fingerprint.index.backends import get_backend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.settings import Settings
    from fingerprint.index import Cluster
    from fingerprint.typing import I64

__all__ = ["run"]

WHOLE_INDEX = "Index.within (backend auto)"
USEARCH = "usearch"
GRAPHS = frozenset({"faiss-hnsw", USEARCH})
CANDIDATES = 16
"""Nearest neighbours asked of what has no range search; more than were planted."""

QUERIES_IN_A_ROW = 10
"""Each structure answers so many, then the next one's turn: its caches stay its own."""

COLUMNS = ("hashes", "structure", "exact", "recall", "p50", "p99", "build", "queries")


@dataclass
class Contender:
    """A built search structure and what it answered."""

    name: str
    exact: bool
    search: Callable[[int], tuple[I64, I64 | None]]
    build_s: float
    note: str
    seconds: list[float] = field(default_factory=list)
    n_found: int = 0
    n_wrong: int = 0


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    found: list[Measurement] = []
    rows: list[tuple[str, ...]] = []
    for n in settings.index_sizes:
        tell(f"index of {n:,}: planting neighbours and searching by brute force")
        planted = plant(n, min(settings.index_queries, n // 8))
        for one in _search_all(n, planted, settings, tell):
            found.append(one)
            rows.append(_row(n, one))
    found += _clusters(settings, tell)
    conditions = (
        f"{BITS} random bits; four rows planted near each query, 0 to {RADIUS} bits away; "
        f"radius {RADIUS}, one query at a time, one thread; p50 and p99 over the queries",
        f"the structures take turns, {QUERIES_IN_A_ROW} queries each; recall against a count "
        "with numpy; exact structures must give its rows and distances, in its order",
        "FAISS is called through the library's backends, which order the results; "
        f"{', '.join(sorted(GRAPHS))} have no range search and are asked for the {CANDIDATES} "
        "nearest, of which those within the radius count",
        "cluster: a tenth of the hashes in planted clusters of four, which must be found exactly",
    )
    table = Table(f"Range search, radius {RADIUS} of {BITS} bits", COLUMNS, tuple(rows))
    return Group("index", "Index", conditions, tuple(found), (table,))


def _names() -> tuple[str, ...]:
    return (WHOLE_INDEX, *sorted(fp.backend_names(), key=lambda n: (n != "linear", n)), USEARCH)


def _measurement_name(n: int, name: str) -> str:
    return f"{n:,} hashes, {name}"


def _search_all(
    n: int, planted: Planted, settings: Settings, tell: Callable[[str], object]
) -> list[Measurement]:
    contenders: dict[str, Contender] = {}
    missing: dict[str, str] = {}
    for name in _names():
        tell(f"index of {n:,}: building {name}")
        try:
            contender = _build(name, planted, settings)
            contender.search(0)
        except (NotRunError, MissingExtraError, UnsupportedOperationError) as reason:
            missing[name] = str(reason)
        else:
            contenders[name] = contender
    n_queries = len(planted.queries)
    for first in range(0, n_queries, QUERIES_IN_A_ROW):
        tell(f"index of {n:,}: query {first + 1} of {n_queries}")
        for contender in contenders.values():
            for i in range(first, min(first + QUERIES_IN_A_ROW, n_queries)):
                _ask(contender, planted, i)
    n_true = sum(rows.size for rows in planted.true_rows)
    return [
        _measured(n, contenders[name], n_true)
        if name in contenders
        else Measurement(_measurement_name(n, name), None, "ms", not_run=missing[name])
        for name in _names()
    ]


def _ask(contender: Contender, planted: Planted, i: int) -> None:
    before = perf_counter()
    rows, distances = contender.search(i)
    contender.seconds.append(perf_counter() - before)
    true_rows, true_distances = planted.true_rows[i], planted.true_distances[i]
    contender.n_found += int(np.isin(true_rows, rows).sum())
    same = np.array_equal(rows, true_rows) and (
        distances is None or np.array_equal(distances, true_distances)
    )
    contender.n_wrong += not same


def _measured(n: int, contender: Contender, n_true: int) -> Measurement:
    p50, p99 = (float(1000 * p) for p in np.percentile(contender.seconds, (50, 99)))
    return Measurement(
        _measurement_name(n, contender.name),
        p50,
        "ms",
        agrees=contender.n_wrong == 0 if contender.exact else None,
        details={
            "hashes": n,
            "structure": contender.name,
            "exact": contender.exact,
            "recall": contender.n_found / n_true,
            "p99_ms": p99,
            "build_s": contender.build_s,
            "queries": len(contender.seconds),
            "note": contender.note,
        },
    )


def _row(n: int, one: Measurement) -> tuple[str, ...]:
    if one.value is None:
        name = one.name.partition(" hashes, ")[2]
        return f"{n:,}", name, "", "", f"not run: {one.not_run}", "", "", ""
    details = one.details
    name = str(details["structure"])
    note = f" ({details['note']})" if details["note"] else ""
    return (
        f"{n:,}",
        name + note,
        "yes" if details["exact"] else "no",
        f"{details['recall']:.3f}",
        f"{one.value:.3g} ms",
        f"{details['p99_ms']:.3g} ms",
        f"{details['build_s']:.3g} s",
        str(details["queries"]),
    )


def _build(name: str, planted: Planted, settings: Settings) -> Contender:
    n = len(planted.hashes)
    if name in GRAPHS and n > settings.graph_max_n:
        raise NotRunError(f"building a graph of {n:,} takes too long")
    if name == USEARCH:
        return _usearch(planted)
    if name == WHOLE_INDEX:
        return _whole_index(planted)
    options: dict[str, Any] = {}
    if name == "faiss-ivf":
        # More cells make training on one thread a matter of many minutes.
        options = {"cells": max(1, min(1024, n // 64)), "probes": 64}
    kind = get_backend(name)
    before = perf_counter()
    backend = kind.build(planted.hashes, **options)
    build_s = perf_counter() - before
    queries = planted.queries

    def within(i: int) -> tuple[I64, I64 | None]:
        result = backend.range_search(queries[i], RADIUS)
        return result.rows, result.distances.astype(np.int64)

    def nearest(i: int) -> tuple[I64, I64 | None]:
        rows, distances = backend.nearest(queries[i], min(CANDIDATES, n))
        keep = (rows[0] >= 0) & (distances[0] <= RADIUS)
        return rows[0][keep], None

    note = ", ".join(f"{key}={value}" for key, value in options.items())
    search = nearest if name in GRAPHS else within
    return Contender(name, kind.exact, search, build_s, note)


def _whole_index(planted: Planted) -> Contender:
    n = len(planted.hashes)
    before = perf_counter()
    index = fp.Index("pdq")
    index.add([str(i) for i in range(n)], planted.hashes)
    queries = [query[0] for query in planted.queries]
    index.within(queries[0], RADIUS)
    build_s = perf_counter() - before

    def search(i: int) -> tuple[I64, I64 | None]:
        matches = index.within(queries[i], RADIUS)
        rows = np.array([int(match.id) for match in matches], np.int64)
        return rows, np.array([match.distance for match in matches], np.int64)

    return Contender(WHOLE_INDEX, True, search, build_s, str(index.info()["backend"]))


def _usearch(planted: Planted) -> Contender:
    module = peer_module("usearch.index")
    index = module.Index(ndim=BITS, metric="hamming", dtype="b1")
    packed = np.ascontiguousarray(planted.hashes.packed)
    before = perf_counter()
    index.add(np.arange(len(packed), dtype=np.uint64), packed, threads=1)
    build_s = perf_counter() - before
    queries = [np.ascontiguousarray(query.packed[0]) for query in planted.queries]

    def search(i: int) -> tuple[I64, I64 | None]:
        matches = index.search(queries[i], CANDIDATES, threads=1)
        rows = np.asarray(matches.keys).astype(np.int64)
        return rows[np.asarray(matches.distances) <= RADIUS], None

    return Contender(USEARCH, False, search, build_s, "")


def _clusters(settings: Settings, tell: Callable[[str], object]) -> list[Measurement]:
    n = settings.cluster_n
    hashes, expected = plant_clusters(n)
    name = f"cluster() of {n:,} hashes, 1 worker"
    tell(name)

    def group(workers: int) -> list[Cluster]:
        return fp.cluster(hashes, RADIUS, workers=workers)

    def right(clusters: Sequence[Cluster]) -> bool:
        return {one.rows for one in clusters} == expected

    pair = compare(
        lambda: group(2), lambda: group(1), lambda a, b: a == b and right(a), settings.slow_plan
    )
    seconds = Measurement(
        name,
        pair.peer_s.median,
        "s",
        agrees=pair.agrees,
        details={"q1": pair.peer_s.q1, "q3": pair.peer_s.q3, "n": pair.peer_s.n},
    )
    two = f"cluster() of {n:,} hashes, 2 workers beside 1"

    def speedup() -> Measurement:
        if (os.cpu_count() or 1) < 2:
            raise NotRunError("there is only one processor")
        return speedup_of(two, pair)

    return [seconds, attempt(two, SPEEDUP, None, speedup)]
