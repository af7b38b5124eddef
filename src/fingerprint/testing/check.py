"""Whether an algorithm keeps its promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.algorithms import (
    DIHEDRAL_NAMES,
    Algorithm,
    HashAlgorithm,
    SegmentAlgorithm,
    get_algorithm,
)
from fingerprint.errors import UnsupportedOperationError
from fingerprint.hashes import Hash
from fingerprint.hashing import hash_image, hash_segments

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["check_algorithm"]

_TINY = ((1, 1), (1, 2), (2, 1), (1, 40), (40, 1), (2, 2), (3, 50), (50, 3), (4, 4), (5, 5))
_ODD = ((64, 64), (63, 65), (97, 40), (31, 130), (160, 121))
_THREADS = 4


def require(condition: object, message: str) -> None:
    """Raise AssertionError unless a condition holds, also under ``python -O``."""
    if not condition:
        raise AssertionError(message)


def check_algorithm(algorithm: str | Algorithm) -> None:
    """Check that a hash algorithm does what every algorithm promises.

    Repetition, threads, copies and read-only pixels must not change a hash; grey
    pixels and the same grey as RGB hash alike; grey pictures without content
    have a quality below ``min_quality``; pictures of a few pixels are hashed
    without an error.

    Parameters
    ----------
    algorithm : str or Algorithm
        What to check; a name is looked up in the registry.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which, and on which picture.
    """
    chosen = get_algorithm(algorithm) if isinstance(algorithm, str) else algorithm
    name = chosen.name
    require(name and chosen.summary and chosen.hash_name, f"{name}: a name or summary is empty")
    require(0 <= chosen.radius.bits <= chosen.bits, f"{name}: radius is beyond its bits")
    require(chosen.radius.source, f"{name}: does not say where its radius comes from")
    require(0 <= chosen.min_quality <= 100, f"{name}: min_quality is not in 0 to 100")
    compute = _hashes_of(chosen)
    pictures = list(_pictures())
    for pixels in pictures:
        _check_picture(chosen, compute, pixels)
    for shape in _TINY:
        for pixels in (_noise(shape), _noise((*shape, 3)), np.zeros((*shape, 3), np.uint8)):
            _check_form(chosen, compute(pixels), f"a picture of {pixels.shape}")
    _check_flat(chosen, compute)
    expected = [compute(p) for p in pictures]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(compute, pictures * _THREADS))
    require(found == expected * _THREADS, f"{name}: other hashes from several threads")
    if isinstance(chosen, HashAlgorithm):
        _check_dihedral(chosen, pictures)


def _hashes_of(algorithm: Algorithm) -> Callable[[U8], list[tuple[Hash, int | None]]]:
    """Return a function to the hashes of a picture, each with its quality."""
    if isinstance(algorithm, SegmentAlgorithm):

        def segments(pixels: U8) -> list[tuple[Hash, int | None]]:
            return [(h, h.quality) for h in algorithm.hash_segments(pixels).segments]

        return segments
    if isinstance(algorithm, HashAlgorithm):

        def whole(pixels: U8) -> list[tuple[Hash, int | None]]:
            found = algorithm.hash_pixels(pixels)
            return [(found, found.quality)]

        return whole
    raise AssertionError(f"{algorithm.name}: is neither a HashAlgorithm nor a SegmentAlgorithm")


def _noise(shape: tuple[int, ...], seed: int = 0) -> U8:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _pictures() -> Iterator[U8]:
    for seed, (h, w) in enumerate(_ODD):
        rough = _noise((h, w, 3), seed)
        y, x = np.indices((h, w))
        waves = 110 + 60 * np.sin(x / (7.0 + seed)) + 40 * np.cos(y / 11.0 + x / 19.0)
        tint = np.array([1.0, 0.8, 0.6]) if seed % 2 else np.array([0.5, 0.9, 1.0])
        smooth = waves[..., None] * tint
        yield np.ascontiguousarray((0.9 * smooth + 0.1 * rough).clip(0, 255).astype(np.uint8))
        yield np.ascontiguousarray(rough[..., 0])


def _check_form(algorithm: Algorithm, hashes: list[tuple[Hash, int | None]], what: str) -> None:
    name = algorithm.name
    require(hashes, f"{name}: no hash of {what}")
    for one, quality in hashes:
        require(
            one.bits == algorithm.bits and one.to_bits().shape == (algorithm.bits,),
            f"{name}: declares {algorithm.bits} bits, {what} gave {one.bits}",
        )
        require(quality is not None, f"{name}: {what} has no quality")
        require(one.version == algorithm.version, f"{name}: a hash is of another version")
        if isinstance(algorithm, HashAlgorithm):
            require(
                one.algorithm == algorithm.hash_name,
                f"{name}: labels hashes {one.algorithm}, not {algorithm.hash_name}",
            )


def _check_picture(
    algorithm: Algorithm, compute: Callable[[U8], list[tuple[Hash, int | None]]], pixels: U8
) -> None:
    what = f"a picture of {pixels.shape}"
    original = pixels.copy()
    expected = compute(pixels)
    _check_form(algorithm, expected, what)
    require(np.array_equal(pixels, original), f"{algorithm.name}: changes its input, {what}")
    require(compute(pixels) == expected, f"{algorithm.name}: another hash the second time, {what}")
    for how, view in _views(pixels).items():
        found = _through_decoder(algorithm, view)
        require(found == expected, f"{algorithm.name}: another hash for {how}, {what}")
    unaligned = np.zeros(pixels.size + 1, np.uint8)[1:].reshape(pixels.shape)
    unaligned[:] = pixels
    require(compute(unaligned) == expected, f"{algorithm.name}: odd addresses differ, {what}")
    frozen = pixels.copy()
    frozen.flags.writeable = False
    require(compute(frozen) == expected, f"{algorithm.name}: read-only pixels differ, {what}")
    if pixels.ndim == 2:
        as_rgb = np.ascontiguousarray(np.repeat(pixels[..., None], 3, axis=2))
        require(compute(as_rgb) == expected, f"{algorithm.name}: grey and RGB differ, {what}")


def _views(pixels: U8) -> dict[str, U8]:
    """Return the same pixels, stored in other ways."""
    spread = np.zeros((2 * pixels.shape[0], *pixels.shape[1:]), np.uint8)
    spread[::2] = pixels
    return {
        "every second row": spread[::2],
        "column-major memory": np.asfortranarray(pixels),
        "rows stored backwards": pixels[::-1].copy()[::-1],
    }


def _through_decoder(algorithm: Algorithm, view: U8) -> list[tuple[Hash, int | None]]:
    if isinstance(algorithm, SegmentAlgorithm):
        return [(h, h.quality) for h in hash_segments(view, algorithm).segments]
    found = hash_image(view, algorithm)
    return [(found, found.quality)]


def _check_flat(
    algorithm: Algorithm, compute: Callable[[U8], list[tuple[Hash, int | None]]]
) -> None:
    for shape in ((64, 64), (70, 90, 3), (300, 40)):
        for level in (0, 1, 127, 255):
            for _, quality in compute(np.full(shape, level, np.uint8)):
                require(
                    quality is not None and quality < algorithm.min_quality,
                    f"{algorithm.name}: a flat picture of level {level} and shape {shape} has "
                    f"quality {quality}, not below min_quality {algorithm.min_quality}",
                )


def _check_dihedral(algorithm: HashAlgorithm, pictures: list[U8]) -> None:
    name = algorithm.name
    if not algorithm.dihedral:
        try:
            algorithm.hash_dihedral(pictures[0])
        except UnsupportedOperationError:
            return
        raise AssertionError(f"{name}: says dihedral = False and yet has dihedral hashes")
    for pixels in pictures:
        found = algorithm.hash_dihedral(pixels)
        require(tuple(found) == DIHEDRAL_NAMES, f"{name}: dihedral keys are {tuple(found)}")
        _check_form(algorithm, [(h, h.quality) for h in found.values()], "a dihedral hash")
        require(found == algorithm.hash_dihedral(pixels), f"{name}: dihedral hashes change")
