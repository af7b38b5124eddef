"""Groups of near-duplicates in a set of hashes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    from fingerprint.hash_arrays import HashArray
    from fingerprint.typing import I64, U64

__all__ = ["Cluster", "cluster"]

_ROWS_PER_TASK = 512


@dataclass(frozen=True, slots=True)
class Cluster:
    """Hashes that hang together by pairs within the radius.

    Parameters
    ----------
    rows : tuple of int
        Rows of the members, ascending.
    widest : int
        Largest distance in bits from the first member to another. It can exceed
        the radius: a chain of near-duplicates is one cluster.
    """

    rows: tuple[int, ...]
    widest: int


def cluster(
    hashes: HashArray,
    radius: int,
    *,
    min_quality: int = 0,
    workers: int | None = None,
    progress: Callable[[float], object] | None = None,
) -> list[Cluster]:
    """Group hashes into clusters by single linkage.

    Parameters
    ----------
    hashes : HashArray
        What to group.
    radius : int
        Largest distance of a pair, in bits, inclusive.
    min_quality : int
        Hashes of lower known quality join no cluster: all flat pictures are alike.
    workers : int, optional
        Threads; as many as there are processors by default.
    progress : callable, optional
        Called with the share of pairs compared so far, 0 to 1.

    Returns
    -------
    list of Cluster
        Those of two or more, largest first, then by first row.
    """
    if radius < 0:
        raise ValueError(f"radius: expected at least 0, got {radius}")
    usable = np.flatnonzero((hashes.quality < 0) | (hashes.quality >= min_quality))
    words = np.ascontiguousarray(hashes.words[usable])
    root = _roots(words, radius, workers or os.cpu_count() or 1, progress)
    clusters = []
    order = np.argsort(root, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(root[order])) + 1):
        if members.size > 1:
            distances = np.empty(members.size, np.int32)
            kernels.bits.distances_to(words[members], words[members[0]], distances)
            rows = tuple(int(r) for r in usable[members])
            clusters.append(Cluster(rows, int(distances.max())))
    return sorted(clusters, key=lambda c: (-len(c.rows), c.rows[0]))


def _roots(
    words: U64, radius: int, workers: int, progress: Callable[[float], object] | None
) -> I64:
    n = len(words)
    forests: SimpleQueue[I64] = SimpleQueue()
    for _ in range(workers):
        forests.put(np.arange(n))

    def link(first: int) -> int:
        forest = forests.get()
        last = min(first + _ROWS_PER_TASK, n)
        kernels.bits.link_pairs(words, first, last, radius, forest)
        forests.put(forest)
        return last

    with ThreadPoolExecutor(workers) as pool:
        for done in pool.map(link, range(0, n, _ROWS_PER_TASK)):
            if progress is not None:
                # Row i is compared with n - i - 1 others.
                progress(1 - ((n - done) / n) ** 2)
    merged = forests.get()
    for _ in range(workers - 1):
        kernels.bits.merge_forests(merged, forests.get())
    kernels.bits.flatten_forest(merged)
    return merged
