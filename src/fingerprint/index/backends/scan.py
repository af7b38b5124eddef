"""Comparing queries with every hash: what `linear` does, and others where it is cheaper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.index.backends.base import Neighbours, RangeResult, sorted_by_distance

if TYPE_CHECKING:
    from fingerprint.typing import U64

__all__ = ["scanned_nearest", "scanned_range"]

_FIRST_CAPACITY = 1024


def scanned_range(words: U64, queries: U64, radius: int) -> RangeResult:
    """Compare every query (q, w) with every row (n, w)."""
    capacity = _FIRST_CAPACITY
    while True:
        owners = np.empty(capacity, np.int32)
        rows = np.empty(capacity, np.int64)
        distances = np.empty(capacity, np.int32)
        found = kernels.bits.scan_range(words, queries, radius, owners, rows, distances)
        if found <= capacity:
            break
        capacity = found
    owners, rows, distances = owners[:found], rows[:found], distances[:found]
    if len(queries) == 1:
        return sorted_by_distance(np.array([0, found], np.int64), rows, distances)
    order = np.argsort(owners, kind="stable")
    lims = np.searchsorted(owners[order], np.arange(len(queries) + 1)).astype(np.int64)
    return sorted_by_distance(lims, rows[order], distances[order])


def scanned_nearest(words: U64, queries: U64, k: int) -> Neighbours:
    """Compare every query with every row and keep the k nearest."""
    rows = np.empty((len(queries), k), np.int64)
    distances = np.empty((len(queries), k), np.int32)
    kernels.bits.scan_nearest(words, queries, k, rows, distances)
    return Neighbours(rows, distances)
