"""Runs of like frames within one video, frames that two videos share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.kernels._jit import kernel
from fingerprint.kernels.bits import ROWS_PER_BLOCK, distances_to
from fingerprint.kernels.memory import popcount

if TYPE_CHECKING:
    from fingerprint.typing import I8, I64, U64, Bits


@kernel
def run_starts(words: U64, trimmed: U64, classes: I8, radius: int, starts: I64) -> int:
    """Cut rows into runs that stay within ``radius`` of their first row; return how many.

    ``words`` (n, w) and ``trimmed`` (n, v), where v may be 0, must both stay within
    the radius, and ``classes`` (n,) the same. ``starts`` (n,) receives the first row
    of each run.
    """
    found = 0
    for i in range(words.shape[0]):
        if found:
            first = starts[found - 1]
            apart = np.uint64(0)
            for j in range(words.shape[1]):
                apart += popcount(words[first, j] ^ words[i, j])
            trimmed_apart = np.uint64(0)
            for j in range(trimmed.shape[1]):
                trimmed_apart += popcount(trimmed[first, j] ^ trimmed[i, j])
            farther = max(np.int64(apart), np.int64(trimmed_apart))
            if farther <= radius and classes[i] == classes[first]:
                continue
        starts[found] = i
        found += 1
    return found


@kernel
def mark_shared(
    queries: U64, references: U64, radius: int, in_query: Bits, in_reference: Bits
) -> None:
    """Set ``in_query`` (m,) and ``in_reference`` (n,) where the other side has a row within reach.

    Both arrays come filled with zeros.
    """
    buffer = np.empty(ROWS_PER_BLOCK, np.int32)
    for start in range(0, references.shape[0], ROWS_PER_BLOCK):
        stop = min(start + ROWS_PER_BLOCK, references.shape[0])
        block = buffer[: stop - start]
        for i in range(queries.shape[0]):
            distances_to(references[start:stop], queries[i], block)
            hit = False
            for j in range(block.size):
                near = block[j] <= radius
                in_reference[start + j] |= near
                hit |= near
            in_query[i] |= hit
