"""Tables of a multi-index: for each chunk of the bits, which rows have which value.

A chunk of b bits has 2**b values, most of them of one row or none. They are kept in
groups of 32: one 64-bit word a group holds a bitmap of the values that occur (low
half) and the rank of the group's first one among all that occur in the chunk (high
half). The rank is a place in ``slots``: a row, or with `LIST_FLAG` set a place in
``lists``, where a count and so many rows stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.kernels._jit import kernel
from fingerprint.kernels.memory import popcount

if TYPE_CHECKING:
    from fingerprint.typing import I64, U8, U32, U64

GROUP_BITS = 5
"""Values of a group, as a power of two: as many as half a word has bits."""

LIST_FLAG = np.uint32(1 << 31)

PARTITION_BITS = 11
"""Rows are sorted by so many bits first, so that the rest is sorted in the cache."""


@kernel
def chunk_keys(packed: U8, places: I64, table: U32, keys: U32) -> None:
    """Write each row's value of a chunk: the xor of what its bytes contribute.

    ``table`` (k, 256) has what byte ``places[i]`` of a row adds for each value.
    """
    for row in range(packed.shape[0]):
        key = np.uint32(0)
        for i in range(places.size):
            key ^= table[i, packed[row, places[i]]]
        keys[row] = key


@kernel
def partition(keys: U32, shift: int, starts: I64, entries: U64) -> None:
    """Sort rows by the high bits of their keys; an entry is key << 32 | row.

    ``starts`` (partitions + 1,) receives where each partition begins.
    """
    places = np.zeros(starts.size, np.int64)
    for row in range(keys.size):
        places[(keys[row] >> np.uint32(shift)) + 1] += 1
    for i in range(1, places.size):
        places[i] += places[i - 1]
    starts[:] = places
    for row in range(keys.size):
        key = keys[row]
        part = key >> np.uint32(shift)
        entries[places[part]] = (np.uint64(key) << np.uint64(32)) | np.uint64(row)
        places[part] += 1


@kernel
def _sort_partition(entries: U64, low_mask: Any, ends: U32, rows: U32) -> None:
    """Sort a partition's rows by the low bits of their keys; ``ends`` is where each ends."""
    ends[:] = 0
    for i in range(entries.size):
        ends[(entries[i] >> np.uint64(32)) & low_mask] += np.uint32(1)
    total = np.uint32(0)
    for key in range(ends.size):
        count = ends[key]
        ends[key] = total
        total += count
    for i in range(entries.size):
        key = (entries[i] >> np.uint64(32)) & low_mask
        rows[ends[key]] = np.uint32(entries[i] & np.uint64(0xFFFFFFFF))
        ends[key] += np.uint32(1)


@kernel
def _fill_group(
    ends: U32, first: int, rows: U32, slots: U32, lists: U32, n_slots: Any, n_lists: Any
) -> Any:
    """Write the slots and lists of 32 values; return their bitmap and the new counts."""
    bitmap = np.uint64(0)
    start = ends[first - 1] if first else np.uint32(0)
    for value in range(1 << GROUP_BITS):
        end = ends[first + value]
        count = end - start
        if count:
            bitmap |= np.uint64(1) << np.uint64(value)
            if count == 1:
                slots[n_slots] = rows[start]
            else:
                slots[n_slots] = LIST_FLAG | np.uint32(n_lists)
                lists[n_lists] = count
                for i in range(count):
                    lists[n_lists + 1 + i] = rows[start + i]
                n_lists += np.int64(count) + 1
            n_slots += 1
            start = end
    return bitmap, n_slots, n_lists


@kernel
def fill_chunk(
    entries: U64, starts: I64, low_bits: int, groups: U64, slots: U32, lists: U32
) -> Any:
    """Fill a chunk's tables from its partitioned entries; return how long slots and lists are.

    ``slots`` needs room for n and ``lists`` for 1.5 n numbers.
    """
    largest = np.int64(0)
    for part in range(starts.size - 1):
        largest = max(largest, starts[part + 1] - starts[part])
    rows = np.empty(largest, np.uint32)
    ends = np.empty(1 << low_bits, np.uint32)
    low_mask = np.uint64((1 << low_bits) - 1)
    groups_each = (1 << low_bits) >> GROUP_BITS
    n_slots = np.int64(0)
    n_lists = np.int64(0)
    for part in range(starts.size - 1):
        _sort_partition(entries[starts[part] : starts[part + 1]], low_mask, ends, rows)
        for g in range(groups_each):
            base = np.uint64(n_slots) << np.uint64(32)
            bitmap, n_slots, n_lists = _fill_group(
                ends, g << GROUP_BITS, rows, slots, lists, n_slots, n_lists
            )
            groups[part * groups_each + g] = base | bitmap
    return n_slots, n_lists


@kernel
def chunk_histogram(rows: U64, queries: U64, chunks: U64, skip: int, counts: I64) -> int:
    """Count pairs by distance within each chunk, leaving out pairs within ``skip`` bits.

    ``chunks`` (m, w) are bit masks, ``counts`` (m, bits of the widest chunk + 1).
    Returns the number of pairs that were counted.
    """
    difference = np.empty(rows.shape[1], np.uint64)
    pairs = 0
    for q in range(queries.shape[0]):
        for row in range(rows.shape[0]):
            total = np.uint64(0)
            for j in range(difference.size):
                difference[j] = rows[row, j] ^ queries[q, j]
                total += popcount(difference[j])
            if np.int64(total) <= skip:
                continue
            pairs += 1
            for c in range(chunks.shape[0]):
                d = np.uint64(0)
                for j in range(difference.size):
                    d += popcount(difference[j] & chunks[c, j])
                counts[c, np.int64(d)] += 1
    return pairs
