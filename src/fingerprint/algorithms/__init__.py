"""One file a hash algorithm, found by the name of the file."""

from __future__ import annotations

from fingerprint.algorithms.base import (
    DIHEDRAL_NAMES,
    Algorithm,
    HashAlgorithm,
    Radius,
    SegmentAlgorithm,
)
from fingerprint.algorithms.registry import algorithm_names, get_algorithm

__all__ = [
    "DIHEDRAL_NAMES",
    "Algorithm",
    "HashAlgorithm",
    "Radius",
    "SegmentAlgorithm",
    "algorithm_names",
    "get_algorithm",
]
