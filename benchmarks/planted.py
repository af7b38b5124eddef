"""Random hashes with planted neighbours, and what brute force finds among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import HashArray

if TYPE_CHECKING:
    from fingerprint.typing import I32, I64, U8

__all__ = ["BITS", "RADIUS", "Planted", "plant", "plant_clusters"]

BITS = 256
RADIUS = 31
PER_QUERY = 4
CLUSTER_MEMBERS = 4
ALGORITHM = "pdq"


@dataclass(frozen=True)
class Planted:
    """A set, queries to it, and the rows within `RADIUS` of each by brute force."""

    hashes: HashArray
    queries: tuple[HashArray, ...]
    true_rows: tuple[I64, ...]
    true_distances: tuple[I32, ...]


def plant(n: int, n_queries: int, seed: int = 0) -> Planted:
    """Make n random hashes, with four rows planted near each query, 0 to 31 bits away."""
    generator = np.random.default_rng(seed)
    packed = generator.integers(0, 256, (n, BITS // 8), dtype=np.uint8)
    queries = generator.integers(0, 256, (n_queries, BITS // 8), dtype=np.uint8)
    rows = generator.choice(n, (n_queries, PER_QUERY), replace=False)
    for i in range(n_queries):
        for k in range(PER_QUERY):
            n_flips = (PER_QUERY * i + k) % (RADIUS + 1)
            packed[rows[i, k]] = _flipped(queries[i], n_flips, generator)
    hashes = HashArray(packed, ALGORITHM)
    asked = HashArray(queries, ALGORITHM)
    true_rows, true_distances = [], []
    for query in queries:
        row, distance = _brute_force(packed, query)
        true_rows.append(row)
        true_distances.append(distance)
    one_each = tuple(asked[i : i + 1] for i in range(n_queries))
    return Planted(hashes, one_each, tuple(true_rows), tuple(true_distances))


def plant_clusters(n: int, seed: int = 0) -> tuple[HashArray, set[tuple[int, ...]]]:
    """Make n random hashes, a tenth of them in clusters of four; return the clusters' rows."""
    generator = np.random.default_rng(seed)
    packed = generator.integers(0, 256, (n, BITS // 8), dtype=np.uint8)
    n_clusters = max(1, n // (10 * CLUSTER_MEMBERS))
    rows = generator.choice(n, (n_clusters, CLUSTER_MEMBERS), replace=False)
    for members in rows:
        for row in members[1:]:
            packed[row] = _flipped(packed[members[0]], int(generator.integers(0, 16)), generator)
    return HashArray(packed, ALGORITHM), {tuple(sorted(map(int, members))) for members in rows}


def _flipped(packed: U8, n_flips: int, generator: np.random.Generator) -> U8:
    bits = np.unpackbits(packed)
    bits[generator.choice(BITS, n_flips, replace=False)] ^= 1
    return np.packbits(bits)


def _brute_force(packed: U8, query: U8) -> tuple[I64, I32]:
    """Count bits with numpy, which shares no code with what is measured."""
    difference = packed.view(np.uint64) ^ query.view(np.uint64)
    distances = np.bitwise_count(difference).sum(axis=1, dtype=np.int32)
    rows = np.flatnonzero(distances <= RADIUS)
    order = np.lexsort((rows, distances[rows]))
    return rows[order], distances[rows][order]
