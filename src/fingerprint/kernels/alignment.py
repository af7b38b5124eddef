"""Votes of matching frames for lines ``reference time = speed · query time + offset``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.kernels._jit import kernel

if TYPE_CHECKING:
    from fingerprint.typing import F64, I64


@kernel
def vote(
    rows: I64,
    query_start: F64,
    query_end: F64,
    reference_start: F64,
    reference_end: F64,
    weight: F64,
    speeds: F64,
    tolerance: float,
    first_offset: float,
    step: float,
    votes: F64,
    loudest: F64,
) -> None:
    """Find for each speed the offset for which the query's frames say most.

    A pair of frames, shown from start to end each, speaks for every offset at which they
    are shown together, give or take ``tolerance``, with its weight. Of the pairs of one
    frame of the query (``rows``, ascending) the one that speaks loudest counts.

    ``votes`` (offsets,) is for the sums of one speed, afterwards those of the last; offset k
    is ``first_offset + k · step``. ``loudest`` (speeds, 2) receives the offset, the middle
    of those that are as good and lie together, and its votes.
    """
    n = votes.size
    by_row = np.full(n, -1, np.int64)
    said = np.zeros(n, np.float64)
    n_rows = np.int64(0) if rows.size == 0 else rows[-1] + 1
    for s in range(speeds.size):
        speed = speeds[s]
        for k in range(n):
            votes[k] = 0.0
        mark = s * n_rows
        for p in range(rows.size):
            low = reference_start[p] - speed * query_end[p] - tolerance
            high = reference_end[p] - speed * query_start[p] + tolerance
            first = max(0, int(np.ceil((low - first_offset) / step)))
            last = min(n - 1, int(np.floor((high - first_offset) / step)))
            for k in range(first, last + 1):
                if by_row[k] != mark + rows[p]:
                    by_row[k] = mark + rows[p]
                    said[k] = weight[p]
                    votes[k] += weight[p]
                elif weight[p] > said[k]:
                    votes[k] += weight[p] - said[k]
                    said[k] = weight[p]
        best = 0
        for k in range(n):
            if votes[k] > votes[best] * (1 + 1e-9):
                best = k
        last = best
        while last + 1 < n and votes[last + 1] >= votes[best] * (1 - 1e-9):
            last += 1
        loudest[s, 0] = first_offset + step * (best + last) / 2
        loudest[s, 1] = votes[best]
