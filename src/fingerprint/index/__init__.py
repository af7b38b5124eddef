"""Ids, metadata and look-up over a set of hashes."""

from __future__ import annotations

from fingerprint.index.backends import Backend, backend_names, get_backend
from fingerprint.index.clustering import Cluster, cluster
from fingerprint.index.entries import Entry
from fingerprint.index.index import Index
from fingerprint.index.search import NumberedHits

__all__ = [
    "Backend",
    "Cluster",
    "Entry",
    "Index",
    "NumberedHits",
    "backend_names",
    "cluster",
    "get_backend",
]
