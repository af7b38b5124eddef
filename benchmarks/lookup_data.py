"""Sets of hashes to search, queries to them, and what a count of bits finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fingerprint import HashArray

if TYPE_CHECKING:
    from fingerprint.typing import I32, I64, U8, U64, Bits

__all__ = [
    "DEFAULT_RADIUS",
    "Found",
    "HashSet",
    "Queries",
    "Truth",
    "as_hashes",
    "flipped",
    "make_queries",
    "nearest_by_count",
    "queries_from",
    "random_packed",
    "random_set",
    "sort_found",
    "within_by_count",
]

DEFAULT_RADIUS = {64: 10, 256: 31, 512: 62}
"""Radius by bits: PDQ's 31 of 256, the same share of 512, and 10 of 64 for phash."""

ALGORITHMS = {64: "phash", 256: "pdq"}
BLOCK_ROWS = 16384


class Found(NamedTuple):
    """Rows and their distances."""

    rows: I64
    distances: I32


@dataclass(frozen=True)
class HashSet:
    """Hashes to search, and how to make more of their kind that are not among them.

    Parameters
    ----------
    name : str
        What they are, in a word or two.
    hashes : HashArray
        The set.
    fresh : callable
        Takes a number and a seed, returns so many packed hashes of the same kind.
    """

    name: str
    hashes: HashArray
    fresh: Callable[[int, int], U8]


class Truth(NamedTuple):
    """What a query should find; ``found`` is None where nobody counted."""

    found: Found | None
    planted_row: int
    planted_distance: int


@dataclass(frozen=True)
class Queries:
    """Queries to a set and what they should find.

    Parameters
    ----------
    packed : ndarray of uint8, shape (n, views, nbytes)
        The hashes of each query; one view but for the dihedral ones.
    radius : int
        The distance they are about, in bits.
    truths : list of list of Truth
        For each query and view.
    is_hit : ndarray of bool, shape (n,)
        Whether there is anything to find; as planted where nobody counted.
    words : ndarray of uint64
        The searched set.
    """

    packed: U8
    radius: int
    truths: list[list[Truth]]
    is_hit: Bits
    words: U64

    @property
    def most_found(self) -> int:
        """Most rows that any query should find."""
        return max(
            (t.found.rows.size for ts in self.truths for t in ts if t.found is not None), default=0
        )


def as_hashes(packed: U8) -> HashArray:
    """Wrap packed hashes of whole words, without a pass over them."""
    bits = 8 * packed.shape[1]
    words = np.ascontiguousarray(packed).view(np.uint64)
    return HashArray.from_words(words, ALGORITHMS.get(bits, f"bits{bits}"), bits=bits)


def random_packed(n: int, bits: int, seed: int) -> U8:
    generator = np.random.default_rng(seed)
    top = np.iinfo(np.uint64).max
    return generator.integers(0, top, (n, bits // 64), np.uint64, endpoint=True).view(np.uint8)


def random_set(n: int, bits: int = 256, seed: int = 0) -> HashSet:
    """Every bit a fair coin."""
    hashes = as_hashes(random_packed(n, bits, seed))
    return HashSet("random", hashes, lambda n, seed: random_packed(n, bits, seed))


def flipped(packed: U8, n_flips: I64, generator: np.random.Generator) -> U8:
    """Flip so many bits of each row, anywhere."""
    bits = np.unpackbits(packed, axis=1)
    ranks = generator.random(bits.shape).argsort(axis=1).argsort(axis=1)
    return np.packbits(bits ^ (ranks < n_flips[:, None]), axis=1)


def make_queries(
    hash_set: HashSet,
    n: int,
    radius: int,
    *,
    views: int = 1,
    n_counted: int | None = None,
    seed: int = 1,
) -> Queries:
    """Make queries of which every second is a row of the set with 0 to ``radius`` bits flipped.

    The others, and all views of a query but one, are made as the set was and are not in
    it. The answers to the first ``n_counted``, by default to all, are counted.
    """
    generator = np.random.default_rng(seed)
    packed = hash_set.fresh(n * views, 1000 + seed).reshape(n, views, -1)
    near = np.arange(0, n, 2)
    view = (near // 2) % views
    rows = generator.integers(0, len(hash_set.hashes), near.size)
    n_flips = (near // 2) % (radius + 1)
    packed[near, view] = flipped(hash_set.hashes.packed[rows], n_flips, generator)
    planted = np.full((n, views), -1)
    distances = np.full((n, views), -1)
    planted[near, view], distances[near, view] = rows, n_flips
    return _with_truth(hash_set, packed, radius, planted, distances, n_counted)


def queries_from(hash_set: HashSet, packed: U8, radius: int) -> Queries:
    """Take hashes as queries of one view each, and count all their answers."""
    none = np.full((len(packed), 1), -1)
    return _with_truth(hash_set, packed[:, None], radius, none, none, None)


def _with_truth(
    hash_set: HashSet,
    packed: U8,
    radius: int,
    planted: I64,
    distances: I64,
    n_counted: int | None,
) -> Queries:
    n, views, nbytes = packed.shape
    counted = n if n_counted is None else min(n, n_counted)
    words = hash_set.hashes.words
    asked = np.ascontiguousarray(packed[:counted].reshape(counted * views, nbytes)).view(np.uint64)
    found: list[Found | None] = [*within_by_count(words, asked, radius)]
    found += [None] * ((n - counted) * views)
    truths = [
        [
            Truth(found[i * views + v], int(planted[i, v]), int(distances[i, v]))
            for v in range(views)
        ]
        for i in range(n)
    ]
    is_hit = np.array([any(_is_hit(t) for t in ts) for ts in truths], bool)
    return Queries(packed, radius, truths, is_hit, words)


def _is_hit(truth: Truth) -> bool:
    return truth.planted_row >= 0 if truth.found is None else truth.found.rows.size > 0


def sort_found(rows: Any, distances: Any) -> Found:
    """Order by distance, then row."""
    order = np.lexsort((rows, distances))
    return Found(np.asarray(rows, np.int64)[order], np.asarray(distances, np.int32)[order])


def within_by_count(words: U64, queries: U64, radius: int) -> list[Found]:
    """Find all rows within ``radius`` by counting bits with numpy, a block of rows at a time.

    It shares no code with what is measured.
    """
    rows: list[list[Any]] = [[] for _ in queries]
    distances: list[list[Any]] = [[] for _ in queries]
    for start, i, counts in _counts(words, queries):
        near = np.flatnonzero(counts <= radius)
        if near.size:
            rows[i].append(near + start)
            distances[i].append(counts[near])
    none = [np.empty(0, np.int64)]
    return [
        sort_found(np.concatenate(r or none), np.concatenate(d or none))
        for r, d in zip(rows, distances, strict=True)
    ]


def nearest_by_count(words: U64, queries: U64, k: int) -> I64:
    """Return the ``k`` smallest distances to each query, ascending, by counting likewise."""
    best = np.full((len(queries), k), 64 * words.shape[1] + 1)
    for _, i, counts in _counts(words, queries):
        few = counts if counts.size <= k else np.partition(counts, k - 1)[:k]
        best[i] = np.sort(np.concatenate((best[i], few)))[:k]
    return best


def _counts(words: U64, queries: U64) -> Iterator[tuple[int, int, Any]]:
    """Yield the first row of a block, a query, and its distances, which are then reused."""
    for start in range(0, len(words), BLOCK_ROWS):
        columns = np.ascontiguousarray(words[start : start + BLOCK_ROWS].T)
        size = columns.shape[1]
        differing = np.empty(size, np.uint64)
        ones, total = np.empty(size, np.uint8), np.empty(size, np.uint16)
        for i, query in enumerate(queries):
            total[:] = 0
            for column, word in zip(columns, query, strict=True):
                np.bitwise_xor(column, word, out=differing)
                np.bitwise_count(differing, out=ones)
                np.add(total, ones, out=total)
            yield start, i, total
