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
) -> None:
    """Add up for each speed and offset what the query's frames say for it.

    A pair of frames, shown from start to end each, speaks for every offset at which they
    are shown together, give or take ``tolerance``, with its weight. Of the pairs of one
    frame of the query (``rows``, ascending) the one that speaks loudest counts.

    ``votes`` is (speeds, offsets), zero at first; offset k is ``first_offset + k · step``.
    """
    n = votes.shape[1]
    for s in range(speeds.size):
        speed = speeds[s]
        by_row = np.full(n, -1, np.int64)
        said = np.zeros(n, np.float64)
        for p in range(rows.size):
            low = reference_start[p] - speed * query_end[p] - tolerance
            high = reference_end[p] - speed * query_start[p] + tolerance
            first = max(0, int(np.ceil((low - first_offset) / step)))
            last = min(n - 1, int(np.floor((high - first_offset) / step)))
            for k in range(first, last + 1):
                if by_row[k] != rows[p]:
                    by_row[k] = rows[p]
                    said[k] = weight[p]
                    votes[s, k] += weight[p]
                elif weight[p] > said[k]:
                    votes[s, k] += weight[p] - said[k]
                    said[k] = weight[p]
