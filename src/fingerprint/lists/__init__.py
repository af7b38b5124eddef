"""Hash lists: records of other parties and one's own, kept, exchanged, and withdrawn."""

from __future__ import annotations

from fingerprint.lists.hash_types import HASH_TYPES, HashType, canonical_hash, hash_type
from fingerprint.lists.records import Change, Opinion, Record, Rejected, Retraction

__all__ = [
    "HASH_TYPES",
    "Change",
    "HashType",
    "Opinion",
    "Record",
    "Rejected",
    "Retraction",
    "canonical_hash",
    "hash_type",
]
