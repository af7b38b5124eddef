"""Videos: their signatures, and the exchange of these with others' tools."""

from __future__ import annotations

from fingerprint.video.video_hash import VideoHash
from fingerprint.video.vpdq import (
    VPDQ_CPP,
    VPDQ_PYTHON,
    VPDQ_README,
    VPDQ_RULES,
    VpdqComparison,
    VpdqRule,
    read_vpdq_json,
    read_vpdq_text,
    vpdq_match,
    write_vpdq_json,
    write_vpdq_text,
)

__all__ = [
    "VPDQ_CPP",
    "VPDQ_PYTHON",
    "VPDQ_README",
    "VPDQ_RULES",
    "VideoHash",
    "VpdqComparison",
    "VpdqRule",
    "read_vpdq_json",
    "read_vpdq_text",
    "vpdq_match",
    "write_vpdq_json",
    "write_vpdq_text",
]
