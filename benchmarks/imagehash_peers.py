"""The hashes of imagehash beside imagehash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import fingerprint as fp
from benchmarks.measurement import (
    SPEEDUP,
    Group,
    Measurement,
    Target,
    attempt,
    peer_module,
    speedup_of,
    tell_nobody,
)
from benchmarks.paired import compare
from benchmarks.pictures import photograph, size_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.settings import Settings
    from fingerprint.hash_arrays import SegmentHashes
    from fingerprint.hashes import Hash
    from fingerprint.typing import U8

__all__ = ["run", "same_bits", "same_segments"]

PEERS = {
    "phash": ("phash", Target(5, at_least=True)),
    "dhash": ("dhash", Target(5, at_least=True)),
    "ahash": ("average_hash", Target(5, at_least=True)),
    "whash": ("whash", Target(20, at_least=True)),
}
SEGMENTS_TARGET = Target(20, at_least=True)


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    array, photo_from = photograph(settings.grid_size)
    found: list[Measurement] = []
    for algorithm, (function, target) in PEERS.items():
        tell(f"{algorithm} against imagehash")
        found += _against_imagehash(algorithm, function, target, array, settings)
    tell("crop_resistant against imagehash, which takes seconds")
    found.append(_segments(array, settings))
    conditions = (
        f"one thread; {size_name(settings.grid_size)} RGB, {photo_from}; in turn, each turn an "
        "untimed call and up to ten timed ones",
        "from the array: both sides start from the same array, and imagehash's is turned into "
        "a Pillow image inside the timing; Pillow image ready: it is made before, untimed",
        "all bits are compared before and after the timing",
    )
    return Group("imagehash", "The hashes of imagehash", conditions, tuple(found))


def same_bits(ours: Hash, peer: Any) -> bool:
    """Say whether an imagehash hash has our bits."""
    return bool(np.array_equal(ours.to_bits().ravel(), np.asarray(peer.hash).ravel()))


def same_segments(ours: SegmentHashes, peer: Any) -> bool:
    """Say whether an imagehash multi-hash has our segments, in our order."""
    theirs = peer.segment_hashes
    return len(theirs) == len(ours.segments) and all(map(same_bits, ours.segments, theirs))


def _against_imagehash(
    algorithm: str, function: str, target: Target, array: U8, settings: Settings
) -> list[Measurement]:
    plan = settings.plan
    from_array = f"{algorithm}, from the array, against imagehash"
    ready = f"{algorithm}, Pillow image ready, against imagehash"

    def measure_from_array() -> Measurement:
        hash_of = getattr(peer_module("imagehash"), function)
        pair = compare(
            lambda: fp.hash_image(array, algorithm),
            lambda: hash_of(Image.fromarray(array)),
            same_bits,
            plan,
            warm=True,
        )
        return speedup_of(from_array, pair, target)

    def measure_ready() -> Measurement:
        hash_of = getattr(peer_module("imagehash"), function)
        image = Image.fromarray(array)
        pair = compare(
            lambda: fp.hash_image(array, algorithm),
            lambda: hash_of(image),
            same_bits,
            plan,
            warm=True,
        )
        return speedup_of(ready, pair)

    return [
        attempt(from_array, SPEEDUP, target, measure_from_array),
        attempt(ready, SPEEDUP, None, measure_ready),
    ]


def _segments(array: U8, settings: Settings) -> Measurement:
    name = "crop_resistant, from the array, against imagehash"

    def measure() -> Measurement:
        hash_of = peer_module("imagehash").crop_resistant_hash
        pair = compare(
            lambda: fp.hash_segments(array),
            lambda: hash_of(Image.fromarray(array)),
            same_segments,
            settings.slow_plan,
            warm=True,
        )
        n_segments = len(fp.hash_segments(array).segments)
        return speedup_of(name, pair, SEGMENTS_TARGET, segments=n_segments)

    return attempt(name, SPEEDUP, SEGMENTS_TARGET, measure)
