"""`fingerprint.Index` as a whole: in memory and on disk, beside its backend alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

import fingerprint as fp
from benchmarks.lookup_data import DEFAULT_RADIUS, Found, HashSet, Queries, as_hashes, make_queries
from benchmarks.lookup_structures import MIH, Structure, build, build_backend
from benchmarks.lookup_tables import Conditions, measured
from benchmarks.lookup_turns import Timed, Within, take_turns
from benchmarks.measurement import Measurement, NotRunError
from benchmarks.paired import spread

if TYPE_CHECKING:
    from benchmarks.measurement import Detail
    from benchmarks.settings import Lookup
    from fingerprint.typing import U8

__all__ = ["whole_index"]

RADIUS = DEFAULT_RADIUS[256]
VIEWS = 8
OPENINGS = 9
RESIDENCIES = ("mmap", "huge")
BATCH = 100_000
ADDITIONS = (
    ("with ids and metadata", True, True),
    ("with ids", True, False),
    ("hashes alone", False, False),
)

Tell = Callable[[str], object]


class WholeIndex(Structure):
    """`Index.within`: ids, metadata and views on top of a backend."""

    exact = True
    in_order = True
    is_ours = True

    def __init__(self, index: Any, name: str, residency: str = "private") -> None:
        self.index = index
        self.name = name
        self.residency = residency

    def begin(self, radius: int, most_found: int) -> None:
        self.note = f"backend {_backend_of(self.index)}"

    def prepared(self, packed: U8) -> Any:
        views = list(as_hashes(packed))
        return views[0] if len(views) == 1 else {str(i): view for i, view in enumerate(views)}

    def within(self, query: Any, radius: int) -> Any:
        return self.index.within(query, radius)

    def read(self, answer: Any, radius: int) -> list[Found]:
        rows = np.array([int(match.id) for match in answer], np.int64)
        return [Found(rows, np.array([match.distance for match in answer], np.int32))]


class EightViews(WholeIndex):
    """The same for the eight views of a picture in one call, read view by view."""

    def read(self, answer: Any, radius: int) -> list[Found]:
        by_view: dict[str, list[Any]] = {str(view): [] for view in range(VIEWS)}
        for match in answer:
            by_view[match.transform].append(match)
        return [super(EightViews, self).read(some, radius)[0] for some in by_view.values()]


def whole_index(
    hash_set: HashSet, queries: Queries, lookup: Lookup, tell: Tell
) -> list[Measurement]:
    """Measure `Index` in memory, then on disk where this version can do that."""
    n = len(hash_set.hashes)
    ids = [str(row) for row in range(n)]
    tell(f"Index of {n:,} in memory")
    found = _in_memory(hash_set, queries, ids, lookup, tell)
    if not hasattr(fp.Index, "create"):
        reason = "this version has no Index.create"
        return [*found, Measurement(f"index: {n:,} on disk", None, "ms", not_run=reason)]
    with tempfile.TemporaryDirectory() as scratch:
        found += _bulk_adds(hash_set, Path(scratch), tell)
        found += _on_disk(hash_set, queries, Path(scratch) / "with ids", lookup, tell)
    return found


def _in_memory(
    hash_set: HashSet, queries: Queries, ids: list[str], lookup: Lookup, tell: Tell
) -> list[Measurement]:
    n = len(ids)

    def make() -> list[WholeIndex]:
        index = fp.Index("pdq")
        index.add(ids, hash_set.hashes)
        index.within(as_hashes(queries.packed[0])[0], RADIUS)  # Which may build.
        return [WholeIndex(index, "Index.within, in memory")]

    (whole,) = build(make, n)
    found = _beside_its_backend(whole, hash_set, queries, tell)
    tell(f"Index of {n:,} in memory: eight views")
    views = make_queries(hash_set, lookup.sweep_queries, RADIUS, views=VIEWS, seed=3)
    dihedral = EightViews(whole.index, "Index.within, eight views", whole.residency)
    dihedral.cost = whole.cost
    (timed,) = take_turns([dihedral], Within(views), 0.0, tell)
    where = Conditions("index", hash_set.name, n, 256, RADIUS, f"{VIEWS} views")
    return [*found, measured(where, timed)]


def _beside_its_backend(
    whole: WholeIndex, hash_set: HashSet, queries: Queries, tell: Tell
) -> list[Measurement]:
    n = len(hash_set.hashes)
    where = Conditions("index", hash_set.name, n, 256, RADIUS)
    name = _backend_of(whole.index)
    alone = build_backend(name, hash_set.hashes, {"radius": RADIUS} if name == MIH else {})
    both = take_turns([whole, alone], Within(queries), 0.0, tell)
    rows = [measured(where, one, both[1]) for one in both]
    beyond_us = 1e6 * (_median(both[0]) - _median(both[1]))
    name = where.name(f"{whole.name}, {whole.residency}, beyond its backend")
    if whole.residency == "private":
        return [*rows, Measurement(name, beyond_us, "µs", agrees=rows[0].agrees)]
    return [rows[0], Measurement(name, beyond_us, "µs", agrees=rows[0].agrees)]


def _bulk_adds(hash_set: HashSet, folder: Path, tell: Tell) -> list[Measurement]:
    n = len(hash_set.hashes)
    found = []
    for what, with_ids, with_metadata in ADDITIONS:
        name = f"index: bulk add to an index on disk, {n:,} entries {what}"
        tell(name)
        index = _create(folder / what)
        try:
            add_s = _added(index, hash_set, with_ids=with_ids, with_metadata=with_metadata)
        except TypeError as error:
            if with_ids:
                raise
            reason = f"this version adds nothing without ids ({error})"
            found.append(Measurement(name, None, "entries/s", not_run=reason))
            continue
        before = perf_counter()
        _close(index)
        details: dict[str, Detail] = {
            "add_s": add_s,
            "close_s": perf_counter() - before,
            "entries_a_call": min(n, BATCH),
            "nbytes_a_hash_on_disk": _nbytes(folder / what) / n,
        }
        found.append(Measurement(name, n / add_s, "entries/s", details=details))
    return found


def _added(index: Any, hash_set: HashSet, *, with_ids: bool, with_metadata: bool) -> float:
    """Add all hashes, a batch a call, and return the seconds in the calls."""
    seconds = 0.0
    for first in range(0, len(hash_set.hashes), BATCH):
        hashes = hash_set.hashes[first : first + BATCH]
        rows = range(first, first + len(hashes))
        ids = [str(row) for row in rows] if with_ids else None
        metadata = [{"source": "a list", "record": row} for row in rows] if with_metadata else None
        before = perf_counter()
        index.add(ids, hashes, metadata)
        seconds += perf_counter() - before
    return seconds


def _nbytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _on_disk(
    hash_set: HashSet, queries: Queries, path: Path, lookup: Lookup, tell: Tell
) -> list[Measurement]:
    n = len(hash_set.hashes)
    writer = _open(path)
    before = perf_counter()
    writer.compact()
    seconds = perf_counter() - before
    _close(writer)
    name = f"index: compacting {n:,} entries on disk"
    found = [Measurement(name, seconds, "s")]
    for residency in RESIDENCIES:
        tell(f"Index of {n:,} on disk, {residency}")
        times = []
        for _ in range(OPENINGS):
            before = perf_counter()
            index = _open(path, read_only=True, residency=residency)
            times.append(perf_counter() - before)
            _close(index)
        opening = spread(times)
        name = f"index: opening {n:,} entries, {residency}"
        details: dict[str, Detail] = {"q1": opening.q1, "q3": opening.q3, "openings": OPENINGS}
        found.append(Measurement(name, opening.median, "s", details=details))

        def make(residency: str = residency) -> list[WholeIndex]:
            index = _open(path, read_only=True, residency=residency)
            return [WholeIndex(index, "Index.within, on disk", residency)]

        (whole,) = build(make, n)
        found += _beside_its_backend(whole, hash_set, queries, tell)
        _close(whole.index)
    return [*found, _single_adds(hash_set, path, lookup)]


def _single_adds(hash_set: HashSet, path: Path, lookup: Lookup) -> Measurement:
    index = _open(path)
    fresh = as_hashes(hash_set.fresh(lookup.single_adds, 9))
    milliseconds = []
    for i, one in enumerate(fresh):
        before = perf_counter()
        index.add(f"added-{i}", one)
        milliseconds.append(1000 * (perf_counter() - before))
    _close(index)
    p50, p99 = (float(p) for p in np.percentile(milliseconds, (50, 99)))
    name = f"index: one entry added and durable, {len(hash_set.hashes):,} there"
    details: dict[str, Detail] = {"p99_ms": p99, "adds": len(milliseconds)}
    return Measurement(name, p50, "ms", details=details)


def _backend_of(index: Any) -> str:
    """Return the backend that serves its entries, or mih where there is not one alone."""
    name = index.info().get("backend")
    return name if name in fp.backend_names() else MIH


def _median(timed: Timed) -> float:
    if timed.not_run:
        raise NotRunError(timed.not_run)
    return spread(timed.seconds).median


def _create(path: Path) -> Any:
    kind: Any = fp.Index
    return kind.create(path)


def _open(path: Path, **options: Any) -> Any:
    kind: Any = fp.Index
    return kind.open(path, **options)


def _close(index: Any) -> None:
    close = getattr(index, "close", None)
    if close is not None:
        close()
