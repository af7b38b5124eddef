"""Hash lists: records of other parties and one's own, kept, exchanged, and withdrawn."""

from __future__ import annotations

from fingerprint.lists.content import content_digest
from fingerprint.lists.hash_list import HashList
from fingerprint.lists.hash_types import HASH_TYPES, HashType, canonical_hash, hash_type
from fingerprint.lists.records import Change, Opinion, Record, Rejected, Retraction
from fingerprint.lists.reports import (
    ApplyReport,
    Feed,
    FrameHits,
    Hit,
    ListDiff,
    ListEvent,
    ListVersion,
    RejectedRow,
)

__all__ = [
    "HASH_TYPES",
    "ApplyReport",
    "Change",
    "Feed",
    "FrameHits",
    "HashList",
    "HashType",
    "Hit",
    "ListDiff",
    "ListEvent",
    "ListVersion",
    "Opinion",
    "Record",
    "Rejected",
    "RejectedRow",
    "Retraction",
    "canonical_hash",
    "content_digest",
    "hash_type",
]
