"""PDQ of decoded pixels beside the reference's binding, and beside reading the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import fingerprint as fp
from benchmarks.measurement import (
    SPEEDUP,
    Group,
    Measurement,
    NotRunError,
    Target,
    attempt,
    peer_module,
    speedup_of,
    tell_nobody,
)
from benchmarks.paired import compare
from benchmarks.pictures import LARGE_PX, noise, photo_paths, photograph, shifted_until, size_name
from fingerprint.algorithms.pdq import PDQ

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.settings import Settings, Size
    from fingerprint.hashes import Hash
    from fingerprint.typing import F32, U8

__all__ = ["pdqhash_agrees", "run"]

AT_LEAST = {(1920, 1080): Target(80, at_least=True), (4000, 3000): Target(100, at_least=True)}
TIMES = "× the time"
AT_MOST_READING = Target(2, at_least=False)


class WatchedPDQ(PDQ):
    """PDQ that counts how often it repeats the work as the reference does it."""

    def __init__(self) -> None:
        super().__init__()
        self.fallbacks = 0

    def _reference_grid(self, rows: U8, channels: int, *, skip_filter: bool) -> F32:
        self.fallbacks += 1
        return super()._reference_grid(rows, channels, skip_filter=skip_filter)

    def needs_fallback(self, array: U8) -> bool:
        """Hash a picture and say whether that took the fallback."""
        before = self.fallbacks
        self.hash_pixels(array)
        return self.fallbacks > before


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    photo_from = photograph(settings.sizes[-1])[1]
    found: list[Measurement] = []
    for size in settings.sizes:
        photo = photograph(size)[0]
        for content, array in (("photo", photo), ("noise", noise(size))):
            tell(f"PDQ, {content} of {size_name(size)}")
            found.append(_against_pdqhash(content, array, size, settings, AT_LEAST.get(size)))
        target = AT_LEAST.get(size)
        found.append(_against_pdqhash("photo", photo, size, settings, target, warm=False))
        tell(f"PDQ with the fallback, {size_name(size)}")
        found += _fallback_cost(photo, size, settings)
    tell("PDQ beside reading the pixels")
    found.append(_against_reading(settings))
    tell("share of photographs that need the fallback")
    found.append(attempt("photographs that need the fallback", "%", None, lambda: _share(settings)))
    conditions = (
        "one thread; the same decoded RGB array for both sides; in turn, each turn an untimed "
        "call and up to ten timed ones",
        "caches cold: without that, so that our side finds the caches as pdqhash's 24 bytes a "
        "pixel have left them; there even a.max() takes half as long again",
        f"photo: {photo_from}; noise: uniform random bytes",
        "fallback: the photo shifted, wrapping around, as far as it takes for the fast path's "
        "margins to be too narrow; both its paths are then in the time",
        "both sides' 256 bits and quality are compared before and after the timing",
    )
    return Group("pdq", "PDQ of decoded pixels", conditions, tuple(found))


def pdqhash_agrees(ours: Hash, peer: tuple[Any, int]) -> bool:
    """Say whether pdqhash's vector and quality are those of our hash."""
    vector, quality = peer
    packed = np.packbits(np.asarray(vector, bool))
    return bool(np.array_equal(packed, ours.to_numpy())) and int(quality) == ours.quality


def _against_pdqhash(
    content: str,
    array: U8,
    size: Size,
    settings: Settings,
    target: Target | None,
    *,
    warm: bool = True,
) -> Measurement:
    cold = "" if warm else ", caches cold"
    name = f"PDQ, {content} {size_name(size)}{cold}, against pdqhash"

    def measure() -> Measurement:
        compute = peer_module("pdqhash").compute
        pair = compare(
            lambda: fp.hash_image(array),
            lambda: compute(array),
            pdqhash_agrees,
            settings.plan,
            warm=warm,
        )
        needed = WatchedPDQ().needs_fallback(array)
        return speedup_of(name, pair, target, needs_fallback=needed)

    return attempt(name, SPEEDUP, target, measure)


def _fallback_cost(photo: U8, size: Size, settings: Settings) -> list[Measurement]:
    watched = WatchedPDQ()
    name = f"PDQ, fallback {size_name(size)}, in times without it"
    try:
        uncertain = shifted_until(photo, watched.needs_fallback)
    except NotRunError as reason:
        against = f"PDQ, fallback {size_name(size)}, against pdqhash"
        return [
            Measurement(against, None, SPEEDUP, not_run=str(reason)),
            Measurement(name, None, TIMES, not_run=str(reason)),
        ]
    pair = compare(
        lambda: fp.hash_image(uncertain),
        lambda: fp.hash_image(photo),
        lambda _, __: True,  # Two pictures: there is nothing to agree on.
        settings.plan,
    )
    return [
        _against_pdqhash("fallback", uncertain, size, settings, None),
        Measurement(name, pair.cost, TIMES, pair=pair),
    ]


def _against_reading(settings: Settings) -> Measurement:
    size = settings.sizes[-1]
    array = photograph(size)[0]
    expected = fp.hash_image(array)
    pair = compare(
        lambda: fp.hash_image(array),
        array.max,
        lambda ours, largest: ours == expected and int(largest) <= 255,
        settings.plan,
    )
    return Measurement(
        f"PDQ, photo {size_name(size)}, in times of reading it (a.max())",
        pair.cost,
        TIMES,
        AT_MOST_READING,
        pair.agrees,
        pair,
    )


def _share(settings: Settings) -> Measurement:
    watched = WatchedPDQ()
    paths = photo_paths(at_most=settings.max_photos)
    needed, large, large_needed = 0, 0, 0
    for path in paths:
        array = fp.decode(path).array
        fell_back = watched.needs_fallback(array)
        is_large = array.shape[0] * array.shape[1] >= LARGE_PX
        needed += fell_back
        large += is_large
        large_needed += fell_back and is_large
    return Measurement(
        "photographs that need the fallback",
        100 * needed / len(paths),
        "%",
        details={
            "photographs": len(paths),
            "need it": needed,
            "of 1 MP and more": large,
            "of these need it": large_needed,
        },
    )
