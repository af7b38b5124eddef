"""Immutable search structures over an array of hashes, one file each."""

from __future__ import annotations

from fingerprint.index.backends.base import Backend, Neighbours, RangeResult
from fingerprint.index.backends.registry import backend_names, get_backend

__all__ = ["Backend", "Neighbours", "RangeResult", "backend_names", "get_backend"]
