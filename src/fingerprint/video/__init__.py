"""Videos: their signatures, what two have in common, and the exchange with others' tools."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fingerprint.video.alignment import match_videos
    from fingerprint.video.batch import HashedVideo, VideoBatch, VideoStream, hash_videos
    from fingerprint.video.frame_matches import FrameMatch, FrameSpan, match_frames
    from fingerprint.video.hashing import hash_video
    from fingerprint.video.index import VideoIndex
    from fingerprint.video.index_records import VideoEntry
    from fingerprint.video.sampling import (
        Sampling,
        changes,
        every,
        keyframes,
        parse_sampling,
        scenes,
        vpdq,
    )
    from fingerprint.video.tmk import (
        TMKFeature,
        TMKMatch,
        hash_tmk,
        read_tmk,
        score_level1,
        score_level2,
        tmk_match,
        write_tmk,
    )
    from fingerprint.video.video_hash import VideoHash
    from fingerprint.video.vpdq_exchange import (
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

_HOME = {
    "alignment": ("match_videos",),
    "batch": (
        "HashedVideo",
        "VideoBatch",
        "VideoStream",
        "hash_videos",
    ),
    "frame_matches": (
        "FrameMatch",
        "FrameSpan",
        "match_frames",
    ),
    "hashing": ("hash_video",),
    "index": ("VideoIndex",),
    "index_records": ("VideoEntry",),
    "sampling": (
        "Sampling",
        "changes",
        "every",
        "keyframes",
        "parse_sampling",
        "scenes",
        "vpdq",
    ),
    "tmk": (
        "TMKFeature",
        "TMKMatch",
        "hash_tmk",
        "read_tmk",
        "score_level1",
        "score_level2",
        "tmk_match",
        "write_tmk",
    ),
    "video_hash": ("VideoHash",),
    "vpdq_exchange": (
        "VPDQ_CPP",
        "VPDQ_PYTHON",
        "VPDQ_README",
        "VPDQ_RULES",
        "VpdqComparison",
        "VpdqRule",
        "read_vpdq_json",
        "read_vpdq_text",
        "vpdq_match",
        "write_vpdq_json",
        "write_vpdq_text",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "VPDQ_CPP",
    "VPDQ_PYTHON",
    "VPDQ_README",
    "VPDQ_RULES",
    "FrameMatch",
    "FrameSpan",
    "HashedVideo",
    "Sampling",
    "TMKFeature",
    "TMKMatch",
    "VideoBatch",
    "VideoEntry",
    "VideoHash",
    "VideoIndex",
    "VideoStream",
    "VpdqComparison",
    "VpdqRule",
    "changes",
    "every",
    "hash_tmk",
    "hash_video",
    "hash_videos",
    "keyframes",
    "match_frames",
    "match_videos",
    "parse_sampling",
    "read_tmk",
    "read_vpdq_json",
    "read_vpdq_text",
    "scenes",
    "score_level1",
    "score_level2",
    "tmk_match",
    "vpdq",
    "vpdq_match",
    "write_tmk",
    "write_vpdq_json",
    "write_vpdq_text",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
