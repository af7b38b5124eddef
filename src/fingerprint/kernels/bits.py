"""Hamming distance over packed hashes.

A hash is a row of 64-bit words; the distance is the popcount of the xor, so the
byte order inside a word does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.kernels._jit import kernel
from fingerprint.kernels.memory import popcount

if TYPE_CHECKING:
    from fingerprint.typing import I32, I64, U64

ROWS_PER_BLOCK = 2048
"""Rows compared at a time: their distances stay in the first-level cache."""


@kernel
def distances_to(words: U64, query: U64, out: I32) -> None:
    """Write the distance of every row of ``words`` (n, w) to ``query`` (w,)."""
    n, w = words.shape
    if w == 1:
        q0 = query[0]
        for i in range(n):
            out[i] = np.int32(popcount(words[i, 0] ^ q0))
    elif w == 4:
        q0, q1, q2, q3 = query[0], query[1], query[2], query[3]
        for i in range(n):
            out[i] = np.int32(
                popcount(words[i, 0] ^ q0)
                + popcount(words[i, 1] ^ q1)
                + popcount(words[i, 2] ^ q2)
                + popcount(words[i, 3] ^ q3)
            )
    else:
        for i in range(n):
            total = np.uint64(0)
            for j in range(w):
                total += popcount(words[i, j] ^ query[j])
            out[i] = np.int32(total)


@kernel
def _append_hits(block: I32, radius: int, start: int, rows: I64, distances: I32, found: int) -> int:
    """Append the rows of a block that are within the radius; return the new end."""
    hits = np.int64(0)
    for i in range(block.size):
        hits += np.int64(block[i] <= radius)
    if hits:
        for i in range(block.size):
            if block[i] <= radius:
                if found < rows.size:
                    rows[found] = start + i
                    distances[found] = block[i]
                found += 1
    return found


@kernel
def scan_one(
    words: U64, query: U64, radius: int, rows: I64, distances: I32, found: int, buffer: I32
) -> int:
    """Append every row within ``radius`` of a query to ``rows[:found]``; return the new end.

    What does not fit is counted but not written. ``buffer`` (`ROWS_PER_BLOCK`,) is
    for the distances of a block.
    """
    n = words.shape[0]
    for start in range(0, n, ROWS_PER_BLOCK):
        stop = min(start + ROWS_PER_BLOCK, n)
        block = buffer[: stop - start]
        distances_to(words[start:stop], query, block)
        found = _append_hits(block, radius, start, rows, distances, found)
    return found


@kernel
def scan_range(
    words: U64, queries: U64, radius: int, owners: I32, rows: I64, distances: I32
) -> int:
    """Find every row within ``radius`` (inclusive) of each query.

    ``owners`` receives the query that each result belongs to. Every query meets a
    block of rows while that is in the cache, so results stand in order of blocks,
    then queries, then rows. Returns how many there are in all; when that is more than
    fit, the surplus was counted but not written and the caller comes again.
    """
    n = words.shape[0]
    buffer = np.empty(ROWS_PER_BLOCK, np.int32)
    found = 0
    for start in range(0, n, ROWS_PER_BLOCK):
        stop = min(start + ROWS_PER_BLOCK, n)
        block = buffer[: stop - start]
        for qi in range(queries.shape[0]):
            distances_to(words[start:stop], queries[qi], block)
            before = found
            found = _append_hits(block, radius, start, rows, distances, found)
            if found > before:
                owners[before : min(found, owners.size)] = np.int32(qi)
    return found


@kernel
def scan_nearest(words: U64, queries: U64, k: int, rows: I64, distances: I32) -> None:
    """Find the ``k`` nearest rows of each query, nearest first, ties by row.

    ``rows`` and ``distances`` are (queries, k) with ``k <= n``.
    """
    n = words.shape[0]
    buffer = np.empty(ROWS_PER_BLOCK, np.int32)
    for qi in range(queries.shape[0]):
        filled = 0
        worst = np.int32(2147483647)
        for start in range(0, n, ROWS_PER_BLOCK):
            stop = min(start + ROWS_PER_BLOCK, n)
            block = buffer[: stop - start]
            distances_to(words[start:stop], queries[qi], block)
            for i in range(block.size):
                d = block[i]
                if filled < k:
                    at = filled
                    filled += 1
                elif d < worst:
                    at = k - 1
                else:
                    continue
                while at > 0 and distances[qi, at - 1] > d:
                    distances[qi, at] = distances[qi, at - 1]
                    rows[qi, at] = rows[qi, at - 1]
                    at -= 1
                distances[qi, at] = d
                rows[qi, at] = start + i
                if filled == k:
                    worst = distances[qi, k - 1]


@kernel
def find_root(parent: I64, row: int) -> int:
    """Return the representative of a row's group, shortening the way there."""
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@kernel
def link_pairs(words: U64, first: int, last: int, radius: int, parent: I64) -> None:
    """Unite rows within ``radius`` of each other, the smaller one in [first, last).

    ``parent`` (n,) is a forest: each row's parent, roots their own. Pairs are
    united as they are found, so a million copies cost no memory.
    """
    n = words.shape[0]
    buffer = np.empty(ROWS_PER_BLOCK, np.int32)
    for start in range(first, n, ROWS_PER_BLOCK):
        stop = min(start + ROWS_PER_BLOCK, n)
        # All queries meet a block of rows while it is in the cache.
        for i in range(first, min(last, stop)):
            low = max(start, i + 1)
            block = buffer[: stop - low]
            distances_to(words[low:stop], words[i], block)
            for j in range(block.size):
                if block[j] <= radius:
                    a, b = find_root(parent, i), find_root(parent, low + j)
                    parent[max(a, b)] = min(a, b)


@kernel
def merge_forests(parent: I64, other: I64) -> None:
    """Unite in ``parent`` what is united in ``other``."""
    for row in range(parent.size):
        a, b = find_root(parent, row), find_root(parent, other[row])
        parent[max(a, b)] = min(a, b)


@kernel
def flatten_forest(parent: I64) -> None:
    """Point every row at its root, the smallest row of its group."""
    for row in range(parent.size):
        parent[row] = find_root(parent, row)
