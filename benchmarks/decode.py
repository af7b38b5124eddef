"""PDQ from the bytes of a JPEG: Meta's Python route, and what hashing adds to decoding."""

from __future__ import annotations

import io
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
from benchmarks.pdq import pdqhash_agrees
from benchmarks.pictures import camera_files, jpeg_of, photograph, size_name
from fingerprint import media
from fingerprint.algorithms import get_algorithm

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.settings import Settings
    from fingerprint.hashes import Hash
    from fingerprint.media import Pixels
    from fingerprint.typing import Fidelity

__all__ = ["meta_route", "run"]

TARGETS: dict[Fidelity, Target] = {
    "exact": Target(8, at_least=True),
    "fast": Target(12, at_least=True),
}
AT_MOST_SHARE = Target(15, at_least=False)
MOST_BITS_MOVED = 31
"""A fast hash further than a match's radius from the reference's is a wrong one."""


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    array, photo_from = photograph(settings.jpeg_size)
    data = jpeg_of(array)
    name = f"JPEG {size_name(settings.jpeg_size)}"
    found: list[Measurement] = []
    for fidelity, target in TARGETS.items():
        tell(f"PDQ of a JPEG, {fidelity}, against Meta's route")
        found.append(_against_meta(name, data, fidelity, target, settings))
    for fidelity in TARGETS:
        tell(f"what hashing adds to decoding, {fidelity}")
        found.append(_share_of_hashing(name, data, fidelity, settings))
    if settings.camera_file:
        tell("a camera's own file")
        found += [_camera_file(fidelity, settings) for fidelity in TARGETS]
    conditions = (
        f"one thread; {len(data):,} bytes in memory, {photo_from}, quality 90, chroma 4:2:0",
        "Meta's route: PIL.Image.open(BytesIO).convert('RGB'), numpy.asarray, pdqhash.compute",
        "exact must give pdqhash's bits and quality; "
        f"fast may move at most {MOST_BITS_MOVED} bits (see the group on fidelity)",
        "share: time of hash_image beyond media.decode of the same bytes with the same options, "
        "in per cent of the decoding",
    )
    return Group("decode", "PDQ from the bytes of a JPEG", conditions, tuple(found))


def meta_route(data: bytes, compute: Callable[..., Any]) -> tuple[Any, int]:
    """Hash as Meta's Python stack does."""
    vector, quality = compute(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    return vector, int(quality)


def _near(ours: Hash, peer: tuple[Any, int]) -> bool:
    return int((ours.to_bits().ravel() != np.asarray(peer[0], bool)).sum()) <= MOST_BITS_MOVED


def _against_meta(
    name: str, data: bytes, fidelity: Fidelity, target: Target | None, settings: Settings
) -> Measurement:
    title = f"PDQ, {name}, {fidelity}, against Meta's route"

    def measure() -> Measurement:
        compute = peer_module("pdqhash").compute
        pair = compare(
            lambda: fp.hash_image(data, fidelity=fidelity, orientation="stored"),
            lambda: meta_route(data, compute),
            pdqhash_agrees if fidelity == "exact" else _near,
            settings.plan,
        )
        return speedup_of(title, pair, target)

    return attempt(title, SPEEDUP, target, measure)


def _share_of_hashing(
    name: str, data: bytes, fidelity: Fidelity, settings: Settings
) -> Measurement:
    fast = fidelity == "fast"
    side = get_algorithm("pdq").fast_min_side_px if fast else None

    def decode_alone() -> Pixels:
        return media.decode(data, luma_only=fast, min_side_px=side)

    def same(ours: Hash, pixels: Pixels) -> bool:
        return ours == fp.hash_image(pixels.array)

    pair = compare(
        lambda: fp.hash_image(data, fidelity=fidelity), decode_alone, same, settings.plan
    )
    return Measurement(
        f"PDQ, {name}, {fidelity}, hashing on top of decoding",
        100 * (pair.cost - 1),
        "%",
        AT_MOST_SHARE,
        pair.agrees,
        pair,
    )


def _camera_file(fidelity: Fidelity, settings: Settings) -> Measurement:
    def measure() -> Measurement:
        path = camera_files()[0]
        data = path.read_bytes()
        with Image.open(path) as image:
            size = image.size
        return _against_meta(f"camera file {size_name(size)}", data, fidelity, None, settings)

    return attempt(f"PDQ, camera file, {fidelity}, against Meta's route", SPEEDUP, None, measure)
