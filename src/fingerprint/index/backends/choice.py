"""Which backend ``auto`` stands for."""

from __future__ import annotations

from typing import NamedTuple

from fingerprint.index.multi_index import estimated_scan_ns

__all__ = ["Choice", "choose"]

SCAN_BELOW_NS = 50_000.0
"""A scan of this length is not worth tables: a look-up in Python takes about as long."""


class Choice(NamedTuple):
    """The name of a backend, and why it was chosen."""

    name: str
    why: str


def choose(n: int, bits: int) -> Choice:
    """Choose the exact backend for ``n`` hashes of ``bits`` bits.

    Which radius and how many neighbours are asked for decides at each search: tables
    where they are cheaper than comparing everything, by what was measured when they
    were built.
    """
    scan_ns = estimated_scan_ns(n, (bits + 63) // 64)
    cost = f"a scan of {n:,} hashes takes about {scan_ns / 1e6:.2g} ms"
    if scan_ns < SCAN_BELOW_NS:
        return Choice("linear", f"auto: {cost}, which tables would hardly better")
    return Choice("mih", f"auto: {cost}; mih is exact and searches tables where that is cheaper")
