"""Ids, metadata and look-up over a set of hashes."""

from __future__ import annotations

from fingerprint.index.backends import backend_names
from fingerprint.index.clustering import Cluster, cluster
from fingerprint.index.index import Entry, Index

__all__ = ["Cluster", "Entry", "Index", "backend_names", "cluster"]
