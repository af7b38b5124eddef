"""Multi-index hashing: which chunks, how far to search each, and the tables."""

from __future__ import annotations

from fingerprint.index.multi_index.chunks import Chunks, choose_chunks
from fingerprint.index.multi_index.plan import Plan, Planner, Speed, estimated_scan_ns
from fingerprint.index.multi_index.tables import Tables, build_tables, load_tables, save_tables

__all__ = [
    "Chunks",
    "Plan",
    "Planner",
    "Speed",
    "Tables",
    "build_tables",
    "choose_chunks",
    "estimated_scan_ns",
    "load_tables",
    "save_tables",
]
