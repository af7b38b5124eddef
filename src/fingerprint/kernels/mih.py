"""Range search by multi-index hashing.

Norouzi, Punjani and Fleet, "Fast Exact Search in Hamming Space with Multi-Index
Hashing" (IEEE TPAMI 2014, section 3). The bits are cut into chunks. If two hashes
are within r bits, and the chunks' radii satisfy sum(r_c + 1) >= r + 1, then some
chunk c of theirs is within r_c bits: otherwise each would differ by r_c + 1 or more,
r + 1 in all. So the tables of the chunks (`fingerprint.kernels.mih_build`), looked
up at every value near the query's, give every row within r bits, among others.

What that costs is waiting for memory, so groups, slots and hashes are asked for ahead
of their use, in passes of their own. A row that several chunks find is reported by
the first of them: whether an earlier one would have found it can be computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.kernels._jit import kernel
from fingerprint.kernels.bits import ROWS_PER_BLOCK, scan_one
from fingerprint.kernels.memory import popcount, prefetch
from fingerprint.kernels.mih_build import GROUP_BITS, LIST_FLAG

if TYPE_CHECKING:
    from fingerprint.typing import I32, I64, U32, U64

MASK_BITS = 26
"""Bits of an entry of ``masks`` that flip a group's number; above, the bits left to flip."""

AHEAD = 32
"""Reads that are under way at a time; a core has 10 to 16 places to wait for a line."""

BLOCK = 4096
"""Candidates that are collected before they are compared."""

SORTED_HERE = 48
"""Results of a query that are put in order by insertion; more are left to the caller."""

GIVEN_UP = -1
BROKEN = -2

PROGRAM_COLUMNS = ("places", "groups", "slots", "lists", "radius", "masks", "masks_end")
"""By chunk: where its places, groups, slots and lists begin, its radius, its masks."""

PLACES, GROUPS, SLOTS, LISTS, RADIUS, MASKS, MASKS_END = range(7)
PROGRAM_WIDTH = len(PROGRAM_COLUMNS)

BALL_ROWS = 7
"""Largest radius of a chunk, and 0."""

_MASK = np.uint32((1 << MASK_BITS) - 1)
_REST = np.uint32(MASK_BITS)
_LOW = np.uint32((1 << GROUP_BITS) - 1)
_HALF = np.uint64(32)


@kernel
def query_key(query: U64, places: I64, first: int, last: int) -> Any:
    """Return a chunk's value of a query: the bits at ``places[first:last]``, lowest first."""
    key = np.uint32(0)
    for i in range(first, last):
        place = places[i]
        bit = (query[place >> 6] >> np.uint64(place & 63)) & np.uint64(1)
        key |= np.uint32(bit) << np.uint32(i - first)
    return key


@kernel
def _find_slots(
    key: Any, masks: U32, first: int, last: int, ball: U32, groups: U64, start: int, found: U32
) -> Any:
    """Write the slots of all values that occur near ``key``; return how many."""
    group = key >> np.uint32(GROUP_BITS)
    low = key & _LOW
    for i in range(first, min(first + AHEAD, last)):
        prefetch(groups, start + np.int64(group ^ (masks[np.uint64(i)] & _MASK)))
    n = np.uint64(0)
    for i in range(first, last):
        # Beyond the last mask stands another chunk's: a wrong guess, no wrong read.
        coming = masks[np.uint64(i + AHEAD)]
        prefetch(groups, start + np.int64(group ^ (coming & _MASK)))
        entry = masks[np.uint64(i)]
        word = groups[np.uint64(start) + np.uint64(group ^ (entry & _MASK))]
        bitmap = np.uint32(word)
        base = np.uint32(word >> _HALF)
        hits = bitmap & ball[entry >> _REST, low]
        # The first hit is written at once and counted if there was one: no branch.
        lowest = hits & (np.uint32(0) - hits)
        found[n] = base + np.uint32(popcount(np.uint64(bitmap & (lowest - np.uint32(1)))))
        n += np.uint64(hits != np.uint32(0))
        hits &= hits - np.uint32(1)
        while hits:
            lowest = hits & (np.uint32(0) - hits)
            found[n] = base + np.uint32(popcount(np.uint64(bitmap & (lowest - np.uint32(1)))))
            n += np.uint64(1)
            hits &= hits - np.uint32(1)
    return np.int64(n)


@kernel
def _read_slots(
    found: U32, n_found: int, slots: U32, start: int, end: int, rows: U32, lists_found: U32
) -> Any:
    """Sort slots into rows and places of lists; returns how many of both, or -1 if broken."""
    for i in range(min(AHEAD, n_found)):
        prefetch(slots, start + np.int64(found[np.uint64(i)]))
    n_rows = np.uint64(0)
    n_lists = np.uint64(0)
    for i in range(n_found):
        prefetch(slots, start + np.int64(found[np.uint64(i + AHEAD)]))
        place = np.uint64(start) + np.uint64(found[np.uint64(i)])
        if place >= np.uint64(end):
            return np.int64(-1), np.int64(0)
        slot = slots[place]
        is_list = np.uint64(slot >> np.uint32(31))
        rows[n_rows] = slot
        lists_found[n_lists] = slot & ~LIST_FLAG
        n_rows += np.uint64(1) - is_list
        n_lists += is_list
    return np.int64(n_rows), np.int64(n_lists)


@kernel
def _distance(flat: U64, row: Any, w: int, query: U64) -> Any:
    start = np.uint64(row) * np.uint64(w)
    if w == 4:
        return (
            popcount(flat[start] ^ query[0])
            + popcount(flat[start + np.uint64(1)] ^ query[1])
            + popcount(flat[start + np.uint64(2)] ^ query[2])
            + popcount(flat[start + np.uint64(3)] ^ query[3])
        )
    total = np.uint64(0)
    for j in range(w):
        total += popcount(flat[start + np.uint64(j)] ^ query[j])
    return total


@kernel
def _found_before(
    flat: U64, row: Any, w: int, query: U64, chunks: U64, radii: I64, chunk: int
) -> bool:
    """Say whether an earlier chunk finds this row as well."""
    start = np.uint64(row) * np.uint64(w)
    for c in range(chunk):
        d = np.uint64(0)
        for j in range(w):
            d += popcount((flat[start + np.uint64(j)] ^ query[j]) & chunks[c, j])
        if np.int64(d) <= radii[c]:
            return True
    return False


@kernel
def _compare(
    candidates: U32,
    first: Any,
    last: Any,
    flat: U64,
    w: int,
    query: U64,
    radius: int,
    chunks: U64,
    radii: I64,
    chunk: int,
    rows: I64,
    distances: I32,
    at: int,
) -> int:
    """Keep the candidates within the radius that no earlier chunk found."""
    n = np.uint64(flat.size // w)
    limit = np.uint64(radius)
    for i in range(first, min(first + AHEAD, last)):
        prefetch(flat, np.int64(candidates[np.uint64(i)]) * w)
    for i in range(first, last):
        if i + AHEAD < last:
            prefetch(flat, np.int64(candidates[np.uint64(i + AHEAD)]) * w)
        row = np.uint64(candidates[np.uint64(i)])
        if row >= n:
            return BROKEN
        d = _distance(flat, row, w, query)
        if d <= limit and not _found_before(flat, row, w, query, chunks, radii, chunk):
            if at < rows.size:
                rows[at] = np.int64(row)
                distances[at] = np.int32(d)
            at += 1
    return at


@kernel
def _sort_few(rows: I64, distances: I32, first: int, last: int) -> None:
    """Order a few results by distance, then row."""
    for i in range(first + 1, last):
        row, d = rows[i], distances[i]
        j = i
        while j > first and (distances[j - 1] > d or (distances[j - 1] == d and rows[j - 1] > row)):
            rows[j], distances[j] = rows[j - 1], distances[j - 1]
            j -= 1
        rows[j], distances[j] = row, d


@kernel
def _search_lists(
    lists_found: U32,
    n_lists: int,
    lists: U32,
    start: int,
    end: int,
    candidates: U32,
    n: Any,
    budget: Any,
    flat: U64,
    w: int,
    query: U64,
    radius: int,
    chunks: U64,
    radii: I64,
    chunk: int,
    rows: I64,
    distances: I32,
    at: int,
) -> Any:
    """Compare the rows of lists, and ``n`` candidates before them; returns (at, budget)."""
    for i in range(min(AHEAD, n_lists)):
        prefetch(lists, start + np.int64(lists_found[np.uint64(i)]))
    for i in range(n_lists):
        if i + AHEAD < n_lists:
            prefetch(lists, start + np.int64(lists_found[np.uint64(i + AHEAD)]))
        place = start + np.int64(lists_found[np.uint64(i)])
        if place >= end:
            return BROKEN, budget
        count = np.int64(lists[np.uint64(place)])
        if place + count >= end:
            return BROKEN, budget
        budget -= count
        if budget < 0:
            return GIVEN_UP, budget
        if n + count > BLOCK:
            at = _compare(
                candidates, 0, n, flat, w, query, radius,
                chunks, radii, chunk, rows, distances, at,
            )  # fmt: skip
            n = 0
            if at < 0:
                return at, budget
        if count > BLOCK:
            at = _compare(
                lists, place + 1, place + 1 + count, flat, w, query, radius,
                chunks, radii, chunk, rows, distances, at,
            )  # fmt: skip
            if at < 0:
                return at, budget
        else:
            for j in range(count):
                candidates[np.uint64(n + j)] = lists[np.uint64(place + 1 + j)]
            n += count
    at = _compare(
        candidates, 0, n, flat, w, query, radius, chunks, radii, chunk, rows, distances, at
    )
    return at, budget


@kernel
def _search_one(
    flat: U64, w: int, query: U64, radius: int,
    places: I64, lims: I64, chunks: U64, groups: U64, slots: U32, lists: U32,
    masks: U32, ball: U32, budget: Any, found: U32, candidates: U32, lists_found: U32,
    rows: I64, distances: I32, at: int,
) -> int:  # fmt: skip
    """Search every chunk; returns the new end of the results, `GIVEN_UP` or `BROKEN`."""
    radii = lims[:, RADIUS]
    for c in range(chunks.shape[0]):
        if radii[c] < 0:
            continue
        key = query_key(query, places, lims[c, PLACES], lims[c + 1, PLACES])
        n = _find_slots(
            key, masks, lims[c, MASKS], lims[c, MASKS_END], ball, groups, lims[c, GROUPS], found
        )
        budget -= n
        if budget < 0:
            return GIVEN_UP
        n_rows, n_lists = _read_slots(
            found, n, slots, lims[c, SLOTS], lims[c + 1, SLOTS], candidates, lists_found
        )
        if n_rows < 0:
            return BROKEN
        if n_rows > BLOCK:
            at = _compare(
                candidates, 0, n_rows, flat, w, query, radius,
                chunks, radii, c, rows, distances, at,
            )  # fmt: skip
            n_rows = 0
            if at < 0:
                return at
        at, budget = _search_lists(
            lists_found, n_lists, lists, lims[c, LISTS], lims[c + 1, LISTS], candidates, n_rows,
            budget, flat, w, query, radius, chunks, radii, c, rows, distances, at,
        )  # fmt: skip
        if at < 0:
            return at
    return at


@kernel
def search_range(
    words: U64, queries: U64, radius: int, program: I64, chunks: U64, groups: U64, slots: U32,
    lists: U32, masks: U32, result_lims: I64, rows: I64, distances: I32,
) -> int:  # fmt: skip
    """Find every row within ``radius`` (inclusive) of each query.

    Parameters
    ----------
    words, queries
        Hashes, (n, w) and (q, w).
    program
        How to search, as `fingerprint.index.multi_index.program` writes it: number of
        chunks, candidates of a query beyond which it is scanned, values in reach in
        the largest chunk; then, by chunk and once more for the end, `PROGRAM_COLUMNS`;
        then the places of the chunks' bits.
    chunks
        Each chunk's bits as a mask, (m, w).
    groups, slots, lists
        The tables.
    masks
        By bits left to flip and low bits of a value the bitmap of values in reach
        (`BALL_ROWS` of 32), then the masks.
    result_lims, rows, distances
        Results of query ``i`` stand in ``rows[result_lims[i]:result_lims[i + 1]]``,
        those of at most `SORTED_HERE` in order of distance and row.

    Returns
    -------
    int
        How many results there are in all; those that did not fit were counted but not
        written, and the caller comes again. `BROKEN` if the tables are damaged.
    """
    w = words.shape[1]
    flat = words.reshape(words.size)
    m, budget, most_found = program[0], program[1], program[2]
    width = PROGRAM_WIDTH
    lims = program[3 : 3 + width * (m + 1)].reshape(m + 1, width)
    places = program[3 + width * (m + 1) :]
    ball = masks[: BALL_ROWS << GROUP_BITS].reshape(BALL_ROWS, 1 << GROUP_BITS)
    found = np.empty(most_found + AHEAD + 1, np.uint32)
    candidates = np.empty(max(most_found, BLOCK) + 1, np.uint32)
    lists_found = np.empty(most_found + 1, np.uint32)
    block = np.empty(ROWS_PER_BLOCK, np.int32)
    at = 0
    result_lims[0] = 0
    for q in range(queries.shape[0]):
        before = at
        at = _search_one(
            flat, w, queries[q], radius, places, lims, chunks, groups, slots, lists,
            masks, ball, budget, found, candidates, lists_found, rows, distances, before,
        )  # fmt: skip
        if at == BROKEN:
            return BROKEN
        if at == GIVEN_UP:
            at = scan_one(words, queries[q], radius, rows, distances, before, block)
        if at - before <= SORTED_HERE and at <= rows.size:
            _sort_few(rows, distances, before, at)
        result_lims[q + 1] = at
    return at
