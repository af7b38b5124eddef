"""Videos to fill an index with, and what a comparison of all of them finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fingerprint.hash_arrays import HashArray
from fingerprint.results import VideoMatch
from fingerprint.video import VideoHash
from fingerprint.video.alignment import match_videos

N_SHOTS, SHOT = 10, 8
_RNG = np.random.default_rng(20261122)
_POOL = np.packbits(_RNG.random((N_SHOTS, SHOT, 256)).argsort(axis=2) < 128, axis=2)


def video(
    shots: list[int],
    *,
    noise: int = 0,
    seed: int = 0,
    poor: tuple[int, ...] = (),
    bars: tuple[int, ...] = (),
    mirrored: bool = False,
    **changes: Any,
) -> VideoHash:
    """A video of shots of one pool, a frame a second.

    ``noise`` bits of each hash are changed; rows of ``poor`` have little in them, and those
    of ``bars`` are seen right only without their bars.
    """
    rng = np.random.default_rng(seed)
    packed = _POOL[shots].reshape(-1, 32) if shots else np.empty((0, 32), np.uint8)
    if mirrored:
        value = sum(1 << (16 * i + j) for i in range(16) for j in range(0, 16, 2))
        packed = packed ^ np.frombuffer(value.to_bytes(32, "big"), np.uint8)
    bits = np.unpackbits(packed, axis=1)
    for row in bits:
        row[rng.choice(256, noise, replace=False)] ^= 1
    n = len(bits)
    quality = np.full(n, 90)
    quality[[row for row in poor if row < n]] = 20
    inner = np.packbits(bits, axis=1) if n else packed
    trimmed = None
    outer = inner.copy()
    barred = [row for row in bars if row < n]
    if barred:
        outer[barred] = np.packbits(rng.random((len(barred), 256)) < 0.5, axis=1)
        trimmed = HashArray(inner, "pdq", quality=quality)
    times = np.arange(n) * 1.0
    parts: dict[str, Any] = {
        "hashes": HashArray(outer, "pdq", quality=quality),
        "start_s": times,
        "end_s": times,
        "duration_s": float(n),
        "width_px": 640,
        "height_px": 360,
        "frame_rate": 25.0,
        "numbers": 25 * np.arange(n),
        "counts": np.ones(n, np.int64),
        "sample": "every:1",
        "trimmed": trimmed,
    }
    return VideoHash(**{**parts, **changes})


def compared(
    query: VideoHash, videos: Mapping[str, tuple[VideoHash, Mapping[str, Any]]], **options: Any
) -> list[VideoMatch]:
    """Compare a query with each video in turn."""
    found = [
        match_videos(query, one, id=name, metadata=metadata, **options)
        for name, (one, metadata) in videos.items()
    ]
    # Equals stay in order of addition.
    return sorted(filter(bool, found), key=lambda match: (-match.evidence, -match.query_coverage))
