"""The search over a view: what lies near, without what was removed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from fingerprint.errors import CorruptIndexError
from fingerprint.index.backends.base import shared_range_search
from fingerprint.index.entries import metadata_of
from fingerprint.index.store import EntryGoneError
from fingerprint.index.tables import REBUILD
from fingerprint.index.view import is_among
from fingerprint.results import Match

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.index.backends import Backend
    from fingerprint.index.queries import Queries
    from fingerprint.index.store import Record, Records, Store
    from fingerprint.index.view import Part, View
    from fingerprint.typing import I32, I64, Metadata

__all__ = ["NumberedHits", "nearest", "numbers_within", "within"]

T = TypeVar("T")

_LIVE_ATTEMPTS = 2
_FROZEN_ATTEMPTS = 20
_WIDER = 4


class NumberedHits(NamedTuple):
    """Entries within reach of queries, as arrays of one length.

    ``owners`` (int64) are the queries' places, ascending; ``numbers`` (int64) the entries'
    numbers, each query's nearest first, then in the order of addition; ``distances``
    (int32) in bits.
    """

    owners: I64
    numbers: I64
    distances: I32


class _Hit(NamedTuple):
    """An entry that a view of a query found."""

    distance: int
    seq: int
    view: int
    quality: int


def within(
    store: Store,
    promise: Backend | None,
    queries: Queries,
    radius: int,
    accepts: Callable[[Metadata], object] | None,
    workers: int = 1,
) -> list[list[Match]]:
    """Return every entry within ``radius`` of each query.

    ``promise`` is an empty backend: it refuses what the index's own would refuse.
    """

    def search(view: View, records: Records) -> list[list[Match]]:
        if promise is not None and not view.segments:
            promise.range_search(queries.array, radius)
        hits = [
            hit for part in view.parts for hit in _within_part(part, queries.array, radius, workers)
        ]
        if not hits:
            return [[] for _ in range(queries.n)]
        return _matches(hits, queries, store.where, records, accepts)

    return _at_one_commit(store, search)


def numbers_within(
    view: View, promise: Backend | None, queries: HashArray, radius: int, workers: int = 1
) -> NumberedHits:
    """Return the number of every entry within ``radius`` of each query."""
    if promise is not None and not view.segments:
        promise.range_search(queries, radius)
    found = []
    for part in view.parts:
        owners, rows, distances = _alive_within(part, queries, radius, workers)
        if rows.size:
            found.append(NumberedHits(owners, part.rows.seqs[rows], distances))
    if len(found) == 1:  # In order already.
        return found[0]
    none = NumberedHits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))
    owners, numbers, distances = map(np.concatenate, zip(none, *found, strict=True))
    order = np.lexsort((numbers, distances, owners))
    return NumberedHits(owners[order], numbers[order], distances[order])


def nearest(
    store: Store,
    promise: Backend | None,
    queries: Queries,
    k: int,
    accepts: Callable[[Metadata], object] | None,
) -> list[list[Match]]:
    """Return the ``k`` nearest entries of each query."""

    def search(view: View, records: Records) -> list[list[Match]]:
        # An approximate one may not be asked while empty; those that refuse are exact.
        if promise is not None and promise.exact and not view.segments:
            promise.nearest(queries.array[:0], 1)
        n = sum(part.n_alive for part in view.parts)
        asked = min(k, n)
        while True:
            by_part = [list(_nearest_of(part, queries.array, asked)) for part in view.parts]
            hits = [hit for some in by_part for hit in some]
            if accepts is not None and asked < n:
                horizons = _horizons(view.parts, by_part, asked, len(queries.array))
                good = _accepted(hits, queries, store.where, records, accepts)
                sure = [h.view for h in hits if h.seq in good and h.distance <= horizons[h.view]]
                # Every view must have k that are accepted, and nothing unseen may be nearer.
                if np.bincount(sure, minlength=len(queries.array)).min(initial=k) < k:
                    asked = min(n, _WIDER * asked)
                    continue
            found = _matches(hits, queries, store.where, records, accepts)
            return [some[:k] for some in found]

    return _at_one_commit(store, search)


def _horizons(
    parts: Sequence[Part], hits: Sequence[Sequence[_Hit]], asked: int, n_views: int
) -> list[float]:
    """Return how far each view has seen all that there is, in every part."""
    horizons = [math.inf] * n_views
    for part, found in zip(parts, hits, strict=True):
        if asked >= part.n_alive:
            continue
        farthest = [math.inf] * n_views
        for hit in found:
            known = farthest[hit.view]
            farthest[hit.view] = hit.distance if known == math.inf else max(known, hit.distance)
        horizons = [min(pair) for pair in zip(horizons, farthest, strict=True)]
    return horizons


def _at_one_commit(store: Store, search: Callable[[View, Records], T]) -> T:
    """Search until all that was found is still there: then the answer is that of one commit."""
    for _ in range(_LIVE_ATTEMPTS):
        try:
            return search(*store.latest())
        except EntryGoneError:
            continue
    for _ in range(_FROZEN_ATTEMPTS):
        try:
            with store.frozen() as frozen:
                return search(frozen.view, frozen.records)
        except EntryGoneError:
            continue
    raise CorruptIndexError(store.where, "segments hold entries that the catalog does not")


def _within_part(part: Part, queries: HashArray, radius: int, workers: int) -> Iterator[_Hit]:
    return _hits(part, *_alive_within(part, queries, radius, workers))


def _alive_within(
    part: Part, queries: HashArray, radius: int, workers: int
) -> tuple[I64, I64, I32]:
    """Return views, rows and distances of what is within reach and was not removed."""
    try:
        lims, rows, distances = shared_range_search(
            lambda some: part.backend.range_search(some, radius), queries, workers
        )
    except CorruptIndexError as error:
        raise CorruptIndexError(part.where or error.path, error.detail) from error
    views = np.repeat(np.arange(lims.size - 1), np.diff(lims))
    return _alive(part, views, rows, distances)


def _nearest_of(part: Part, queries: HashArray, k: int) -> Iterator[_Hit]:
    wanted = asked = min(k, part.n_alive)
    if not wanted or not len(queries):
        return iter(())
    while True:
        try:
            rows, distances = part.backend.nearest(queries, asked)
        except CorruptIndexError as error:
            raise CorruptIndexError(part.where or error.path, error.detail) from error
        alive = rows >= 0
        if not part.removed.size:
            break
        alive &= ~is_among(part.removed, rows.ravel()).reshape(rows.shape)
        if asked == len(part) or alive.sum(axis=1).min() >= wanted:
            break
        # Removed rows stood among the nearest: look further.
        asked = min(len(part), 2 * asked + 16)
    views, places = np.nonzero(alive)
    found = _alive(part, views, rows[views, places], distances[views, places])
    return _hits(part, *found)


def _alive(part: Part, views: I64, rows: I64, distances: I32) -> tuple[I64, I64, I32]:
    if not part.removed.size:
        return views, rows, distances
    alive = ~is_among(part.removed, rows)
    return views[alive], rows[alive], distances[alive]


def _hits(part: Part, views: I64, rows: I64, distances: I32) -> Iterator[_Hit]:
    if not rows.size:
        return iter(())
    seqs, quality = part.rows.seqs[rows], part.rows.quality[rows]
    columns = (distances.tolist(), seqs.tolist(), views.tolist(), quality.tolist())
    return map(_Hit, *columns)


def _accepted(
    hits: Sequence[_Hit],
    queries: Queries,
    where: str,
    records: Records,
    accepts: Callable[[Metadata], object] | None,
) -> dict[int, tuple[str, Metadata]]:
    """Return id and metadata of the entries found that a filter lets through."""
    found = records(list({hit.seq for hit in hits})) if hits else {}
    _check_distances(hits, queries, found, where)
    entries = {seq: (one.name, metadata_of(one.metadata, where)) for seq, one in found.items()}
    if accepts is None:
        return entries
    return {seq: entry for seq, entry in entries.items() if accepts(entry[1])}


def _check_distances(
    hits: Sequence[_Hit], queries: Queries, found: Mapping[int, Record], where: str
) -> None:
    """Refuse what a damaged segment finds: the catalog's hash must be as far as its row was."""
    words = queries.array.words
    asked: dict[int, int] = {}
    for distance, seq, view, _ in hits:
        stored = found[seq].packed
        if stored is None:
            return  # There is but one copy.
        if view not in asked:
            asked[view] = int.from_bytes(words[view].tobytes(), "little")
        if (asked[view] ^ int.from_bytes(stored, "little")).bit_count() != distance:
            raise CorruptIndexError(
                where, f"a segment holds another hash than the catalog for entry {seq}; {REBUILD}"
            )


def _matches(
    hits: Sequence[_Hit],
    queries: Queries,
    where: str,
    records: Records,
    accepts: Callable[[Metadata], object] | None,
) -> list[list[Match]]:
    """Return each query's matches, an entry once, with the view that came nearest."""
    entries = _accepted(hits, queries, where, records, accepts)
    found: list[dict[int, Match]] = [{} for _ in range(queries.n)]
    for distance, seq, view, quality in sorted(hits):
        mine = found[queries.owners[view]]
        if seq in mine or seq not in entries:
            continue
        name, metadata = entries[seq]
        known = [q for q in (queries.qualities[view], quality) if q >= 0]
        mine[seq] = Match(name, distance, min(known, default=None), queries.names[view], metadata)
    return [list(matches.values()) for matches in found]
