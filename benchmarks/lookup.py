"""What a look-up costs, beside FAISS, PyNear and usearch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.lookup_data import DEFAULT_RADIUS, make_queries
from benchmarks.lookup_index import whole_index
from benchmarks.lookup_own import by_residency, in_batches, when_building
from benchmarks.lookup_parts import (
    by_size_and_radius,
    eight_views,
    make_set,
    nearest,
    other_widths,
)
from benchmarks.lookup_pictures import picture_hashes
from benchmarks.lookup_skewed import in_skewed_sets
from benchmarks.lookup_tables import tables_of
from benchmarks.lookup_turns import LEAST_QUERIES, QUERIES_A_TURN
from benchmarks.measurement import Group, Measurement, tell_nobody
from benchmarks.settings import DETAIL_MAX_N

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.lookup_data import HashSet
    from benchmarks.settings import Settings

__all__ = ["run"]

DATA = ("random", "realistic")
RADIUS = DEFAULT_RADIUS[256]


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    lookup = settings.lookup
    found: list[Measurement] = []
    for n in lookup.sizes:
        for data in DATA:
            if not _parts_on(n, data, settings):
                continue
            tell(f"making {n:,} {data} hashes")
            found += _on_one_set(make_set(data, n, settings), data, settings, tell)
    if lookup.detail_n:
        if "widths" in lookup.parts:
            found += other_widths(settings, tell)
        if "nearest" in lookup.parts:
            found += nearest(lookup, tell)
        if "skewed" in lookup.parts:
            found += in_skewed_sets(lookup, tell)
    found = _in_order(found)
    return Group("lookup", "Look-up", _conditions(settings), tuple(found), tables_of(found))


def _parts_on(n: int, data: str, settings: Settings) -> set[str]:
    """Return the parts to measure on this set."""
    lookup = settings.lookup
    wanted = {"size"}
    if n == lookup.detail_n:
        wanted |= {"radius", "residency"}
        if data == "random":
            wanted |= {"build", "batch", "dihedral", "index"}
    if n > DETAIL_MAX_N:
        wanted |= {"residency", "build"}
    return wanted & set(lookup.parts)


def _on_one_set(
    hash_set: HashSet, data: str, settings: Settings, tell: Callable[[str], object]
) -> list[Measurement]:
    lookup = settings.lookup
    parts = _parts_on(len(hash_set.hashes), data, settings)
    n = len(hash_set.hashes)
    found = []
    if parts & {"size", "residency", "index"}:
        tell(f"counting the answers to {lookup.queries:,} queries in {n:,} {data} hashes")
        queries = make_queries(hash_set, lookup.queries, RADIUS, n_counted=lookup.counted(n))
    if parts & {"size", "radius"}:
        found += by_size_and_radius(hash_set, queries if "size" in parts else None, lookup, tell)
    if "residency" in parts:
        found += by_residency(hash_set, queries, tell)
    if "build" in parts:
        found += when_building(hash_set, lookup, tell)
    if "batch" in parts:
        found += in_batches(hash_set, settings, tell)
    if "dihedral" in parts:
        found += eight_views(hash_set, lookup, tell)
    if "index" in parts:
        found += whole_index(hash_set, queries, lookup, tell)
    return found


def _in_order(found: list[Measurement]) -> list[Measurement]:
    """Put what is wrong first: nobody should have to look for it."""
    return sorted(found, key=lambda one: one.agrees is not False)


def _conditions(settings: Settings) -> tuple[str, ...]:
    lookup = settings.lookup
    realistic = "not used"
    if {"size", "radius", "residency"} & set(lookup.parts):
        realistic = picture_hashes("pdq", lookup.pictures, settings.max_photos)[1]
    return (
        "one query at a time on one thread, unless a row says otherwise; radius in bits, "
        "inclusive; p50, p90 and p99 over the queries",
        f"the structures take turns, {QUERIES_A_TURN} queries each after one that is not timed; "
        f"a peer drops out after {lookup.budget_s:g} s of a row ({lookup.sweep_budget_s:g} s "
        f"where there are many rows), at the soonest after {LEAST_QUERIES} queries; peer / ours: "
        "ratio of the p50 to that of mih in the same turns",
        "every second query is a row of the set with 0 to radius bits flipped, the others are "
        "made as the set was; hits and misses as counted",
        f"realistic: PDQ hashes of {realistic}; larger sets are filled up from a Gaussian copula "
        "with the correlations of their bits (benchmarks/lookup_pictures.py); 64 bits: phash of "
        "the same pictures",
        "every answer is compared with a count of bits by numpy: an exact structure must give "
        "all rows and distances, ours also their order, and an approximate one nothing that is "
        f"not true; beyond {lookup.counted_max_n:,} hashes {lookup.n_counted} queries are "
        "counted, and of the others what was planted must be found and the distances be right",
        "peers are called through their own Python packages, ours through the backend's public "
        "methods; FAISS HNSW, usearch and PyNear have no range search over bits and are asked "
        "for the k nearest; IVF has fewer than 1024 cells below 40,000 hashes",
        "build: seconds until the first query can be asked; peers on one thread, ours on all "
        "processors; residency mmap and huge: seconds to load",
        "bytes a hash, hashes included: ours count their arrays; peers by the growth of the "
        "process from a million hashes on, and by the size of their file below",
        "mmap: files in the page cache, and 20,000 queries before; huge: a copy in huge pages; "
        "private: as built, which uses huge pages too where the system gives them",
    )
