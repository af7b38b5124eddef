"""Video hashes to test with: a plain one, and a strategy for all sorts."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fingerprint.hash_arrays import HashArray
from fingerprint.video import VideoHash

ALGORITHMS = (("pdq", 256), ("phash", 64), ("mine", 42), ("mine", 1), ("mine", 136))
DIGESTS = {name: hashlib.new(name, b"video").hexdigest() for name in ("md5", "sha1", "sha256")}


def make(n: int = 5, **changes: Any) -> VideoHash:
    """A video hash of PDQ, uncollapsed, whose rows differ from each other."""
    packed = np.random.default_rng(n).integers(0, 256, (n, 32), dtype=np.uint8)
    parts: dict[str, Any] = {
        "hashes": HashArray(packed, "pdq", quality=np.arange(n) % 101),
        "start_s": np.arange(n) / 3,
        "end_s": np.arange(n) / 3,
        "duration_s": n / 3,
        "width_px": 640,
        "height_px": 360,
        "frame_rate": 29.97,
        "numbers": 10 * np.arange(n),
        "counts": np.ones(n, np.int64),
        "sample": "every(1.0)",
    }
    return VideoHash(**{**parts, **changes})


@st.composite
def hash_arrays(draw: st.DrawFn, n: int, algorithm: str, bits: int, version: int) -> HashArray:
    """Hashes of which neighbours are often alike, of all sorts of quality."""
    nbytes = (bits + 7) // 8
    rows: list[int] = []
    for _ in range(n):
        value = draw(st.integers(0, 2**bits - 1)) if not rows or draw(st.booleans()) else rows[-1]
        for place in draw(st.lists(st.integers(0, bits - 1), max_size=6)):
            value ^= 1 << place
        rows.append(value)
    packed = b"".join((value << (-bits % 8)).to_bytes(nbytes, "big") for value in rows)
    quality = draw(st.lists(st.sampled_from((-1, 0, 49, 50, 51, 100)), min_size=n, max_size=n))
    array = np.frombuffer(packed, np.uint8).reshape(n, nbytes)
    return HashArray(array, algorithm, bits=bits, quality=quality, version=version)


@st.composite
def video_hashes(draw: st.DrawFn) -> VideoHash:
    n = draw(st.integers(0, 12))
    algorithm, bits = draw(st.sampled_from(ALGORITHMS))
    kind = (algorithm, bits, draw(st.integers(0, 3)))
    seconds = st.floats(0, 1e6, allow_nan=False)
    start_s = np.sort(np.array(draw(st.lists(seconds, min_size=n, max_size=n)), np.float64))
    longer_s = draw(st.lists(st.sampled_from((0.0, 0.0, 0.1, 7.3)), min_size=n, max_size=n))
    whole = st.one_of(st.integers(0, 300), st.integers(0, 2**63 - 1))
    listed = st.lists(whole, min_size=n, max_size=n)
    numbers = draw(st.one_of(listed, listed.map(sorted), st.just(range(5, 5 + n))))
    counts = st.one_of(st.just(1), st.integers(1, 2**59))
    return VideoHash(
        hashes=draw(hash_arrays(n, *kind)),
        start_s=start_s,
        end_s=start_s + np.array(longer_s, np.float64),
        duration_s=draw(st.floats(0, 1e300)),
        width_px=draw(st.integers(0, 2**40)),
        height_px=draw(st.integers(0, 5000)),
        frame_rate=draw(st.sampled_from((0.0, 25.0, 30000 / 1001))),
        numbers=np.array(numbers, np.int64),
        counts=np.array(draw(st.lists(counts, min_size=n, max_size=n)), np.int64),
        sample=draw(st.text(max_size=20)),
        trimmed=draw(st.none() | hash_arrays(n, *kind)),
        digests={name: DIGESTS[name] for name in draw(st.sets(st.sampled_from(sorted(DIGESTS))))},
        damage=draw(st.text(max_size=20)),
    )
