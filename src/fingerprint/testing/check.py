"""Whether an algorithm or a backend keeps its promises."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.algorithms import (
    DIHEDRAL_NAMES,
    Algorithm,
    HashAlgorithm,
    SegmentAlgorithm,
    get_algorithm,
)
from fingerprint.errors import UnsupportedOperationError
from fingerprint.hashes import Hash, HashArray

if TYPE_CHECKING:
    from fingerprint.index.backends import Backend, Neighbours, RangeResult
    from fingerprint.typing import I32, U8

__all__ = ["check_algorithm", "check_backend"]

_TINY = ((1, 1), (1, 2), (2, 1), (1, 40), (40, 1), (2, 2), (3, 50), (50, 3), (4, 4), (5, 5))
_ODD = ((64, 64), (63, 65), (97, 40), (31, 130), (160, 121))
_THREADS = 4
_ROWS = 400
_QUERIES = 20


def _require(condition: object, message: str) -> None:
    # Not an assert statement: these checks must also work under ``python -O``.
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
    _require(name and chosen.summary and chosen.hash_name, f"{name}: a name or summary is empty")
    _require(0 <= chosen.radius.bits <= chosen.bits, f"{name}: radius is beyond its bits")
    _require(chosen.radius.source, f"{name}: does not say where its radius comes from")
    _require(0 <= chosen.min_quality <= 100, f"{name}: min_quality is not in 0 to 100")
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
    _require(found == expected * _THREADS, f"{name}: other hashes from several threads")
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
    _require(hashes, f"{name}: no hash of {what}")
    for one, quality in hashes:
        _require(
            one.bits == algorithm.bits and one.to_bits().shape == (algorithm.bits,),
            f"{name}: declares {algorithm.bits} bits, {what} gave {one.bits}",
        )
        _require(quality is not None, f"{name}: {what} has no quality")
        _require(one.version == algorithm.version, f"{name}: a hash is of another version")
        if isinstance(algorithm, HashAlgorithm):
            _require(
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
    _require(np.array_equal(pixels, original), f"{algorithm.name}: changes its input, {what}")
    _require(compute(pixels) == expected, f"{algorithm.name}: another hash the second time, {what}")
    # The same pixels with other strides, made contiguous as `decode` does it.
    spread = np.zeros((2 * pixels.shape[0], *pixels.shape[1:]), np.uint8)
    spread[::2] = pixels
    variants = {
        "every second row": spread[::2],
        "column-major memory": np.asfortranarray(pixels),
        "rows stored backwards": pixels[::-1].copy()[::-1],
    }
    for how, variant in variants.items():
        found = compute(np.ascontiguousarray(variant))
        _require(found == expected, f"{algorithm.name}: another hash for {how}, {what}")
    frozen = pixels.copy()
    frozen.flags.writeable = False
    _require(compute(frozen) == expected, f"{algorithm.name}: read-only pixels differ, {what}")
    if pixels.ndim == 2:
        as_rgb = np.ascontiguousarray(np.repeat(pixels[..., None], 3, axis=2))
        _require(compute(as_rgb) == expected, f"{algorithm.name}: grey and RGB differ, {what}")


def _check_flat(
    algorithm: Algorithm, compute: Callable[[U8], list[tuple[Hash, int | None]]]
) -> None:
    for shape in ((64, 64), (70, 90, 3), (300, 40)):
        for level in (0, 1, 127, 255):
            for _, quality in compute(np.full(shape, level, np.uint8)):
                _require(
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
        _require(tuple(found) == DIHEDRAL_NAMES, f"{name}: dihedral keys are {tuple(found)}")
        _check_form(algorithm, [(h, h.quality) for h in found.values()], "a dihedral hash")
        _require(found == algorithm.hash_dihedral(pixels), f"{name}: dihedral hashes change")


def check_backend(backend_class: type[Backend], **options: Any) -> None:
    """Check a search structure against brute force.

    Over hashes of 64, 128 and 256 bits, evenly spread and full of duplicates: a
    radius is inclusive; results are nearest first, ties in row order; what an
    exact backend cannot promise it refuses; an inexact one may miss a row but
    never invents one or misstates a distance; what was saved finds the same
    after it was loaded.

    Parameters
    ----------
    backend_class : type of Backend
        What to check.
    **options
        Passed to its ``build``.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which, and with what data.
    """
    for bits in (64, 128, 256):
        for what, packed in (("random", _random_rows(bits)), ("duplicates", _copies(bits))):
            _BackendCheck(backend_class, options, packed, f"{what}, {bits} bits").run()
        _check_empty(backend_class, options, bits)


def _random_rows(bits: int) -> U8:
    return _noise((_ROWS, bits // 8), bits)


def _copies(bits: int) -> U8:
    """A few hashes many times over, some with a few bits flipped."""
    generator = np.random.default_rng(bits)
    centres = generator.integers(0, 2, (6, bits), dtype=np.uint8)
    rows = centres[generator.integers(0, len(centres), _ROWS)]
    for row in rows[: _ROWS // 2]:
        row[generator.integers(0, bits, generator.integers(0, 12))] ^= 1
    return np.packbits(generator.permutation(rows), axis=1)


def _queries_for(packed: U8) -> U8:
    """Rows themselves, rows with a few bits flipped, and strangers."""
    generator = np.random.default_rng(len(packed))
    bits = 8 * packed.shape[1]
    near = np.unpackbits(packed[generator.integers(0, len(packed), _QUERIES)], axis=1)
    for i, row in enumerate(near):
        row[generator.choice(bits, min(i, bits // 8), replace=False)] ^= 1
    return np.concatenate([np.packbits(near, axis=1), _noise((3, packed.shape[1]), 9)])


def _true_distances(queries: U8, packed: U8) -> I32:
    """(queries, rows) Hamming distances, from the bits themselves."""
    a, b = np.unpackbits(queries, axis=1), np.unpackbits(packed, axis=1)
    return np.stack([(b != one).sum(axis=1) for one in a]).astype(np.int32)


class _BackendCheck:
    def __init__(
        self, backend_class: type[Backend], options: dict[str, Any], packed: U8, what: str
    ) -> None:
        self.backend_class = backend_class
        self.exact = backend_class.exact
        self.what = f"{backend_class.name}, {what}"
        self.hashes = HashArray(packed, "check")
        self.queries = HashArray(_queries_for(packed), "check")
        self.truth = _true_distances(self.queries.packed, packed)
        self.backend = backend_class.build(self.hashes, **options)

    def run(self) -> None:
        before = self.hashes.packed.copy()
        _require(len(self.backend) == len(self.hashes), f"{self.what}: wrong len")
        self.check_searches(self.backend)
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(self.check_searches, [self.backend] * _THREADS))
        with tempfile.TemporaryDirectory() as folder:
            self.backend.save(Path(folder))
            loaded = self.backend_class.load(Path(folder), self.hashes)
        _require(len(loaded) == len(self.hashes), f"{self.what}: wrong len after load")
        _require(
            loaded.max_radius == self.backend.max_radius, f"{self.what}: load changes max_radius"
        )
        self.check_searches(loaded)
        self.check_same(loaded)
        _require(np.array_equal(before, self.hashes.packed), f"{self.what}: changes its hashes")

    def check_searches(self, backend: Backend) -> None:
        ranged = self.check_ranges(backend)
        nearest = self.check_nearest(backend)
        _require(ranged or nearest, f"{self.what}: refuses every search")

    def check_ranges(self, backend: Backend) -> bool:
        limit, bits = backend.max_radius, self.hashes.bits
        supported = set()
        for radius in sorted({0, 1, limit // 2, max(0, limit - 1), limit}):
            try:
                found = backend.range_search(self.queries, radius)
            except UnsupportedOperationError:
                supported.add(False)
                continue
            supported.add(True)
            self.check_range(found, radius)
        _require(len(supported) == 1, f"{self.what}: refuses a radius up to its max_radius")
        if supported == {True} and limit < bits:
            for radius in (limit + 1, bits):
                try:
                    found = backend.range_search(self.queries, radius)
                except UnsupportedOperationError:
                    continue
                self.check_range(found, radius)
        return supported == {True}

    def check_range(self, found: RangeResult, radius: int) -> None:
        what = f"{self.what}, radius {radius}"
        lims, rows, distances = found
        n = len(self.queries)
        _require(lims.shape == (n + 1,) and lims[0] == 0, f"{what}: lims are not (queries + 1,)")
        _require((np.diff(lims) >= 0).all(), f"{what}: lims fall")
        _require(lims[-1] == rows.size == distances.size, f"{what}: lims and rows disagree")
        _require(
            lims.dtype == rows.dtype == np.int64 and distances.dtype == np.int32,
            f"{what}: expected int64 lims and rows, int32 distances",
        )
        for i in range(n):
            here = slice(lims[i], lims[i + 1])
            hits = list(zip(distances[here].tolist(), rows[here].tolist(), strict=True))
            within = np.flatnonzero(self.truth[i] <= radius)
            true = sorted((int(self.truth[i, row]), int(row)) for row in within)
            _require(hits == sorted(hits), f"{what}: query {i} is not in order")
            _require(len(set(hits)) == len(hits), f"{what}: query {i} has a row twice")
            invented = set(hits) - set(true)
            _require(not invented, f"{what}: query {i} invents {sorted(invented)[:3]}")
            _require(not self.exact or hits == true, f"{what}: query {i} misses a row")

    def check_nearest(self, backend: Backend) -> bool:
        for k in (1, 2, 7, len(self.hashes)):
            try:
                found = backend.nearest(self.queries, k)
            except UnsupportedOperationError:
                return False
            self.check_neighbours(found, k)
        return True

    def check_neighbours(self, found: Neighbours, k: int) -> None:
        what = f"{self.what}, k {k}"
        rows, distances = found
        n = len(self.queries)
        _require(rows.shape == distances.shape == (n, k), f"{what}: results are not (queries, k)")
        _require(
            rows.dtype == np.int64 and distances.dtype == np.int32,
            f"{what}: expected int64 rows and int32 distances",
        )
        for i in range(n):
            there = rows[i] >= 0
            _require(
                not there[np.flatnonzero(~there)[0] :].any() if not there.all() else True,
                f"{what}: query {i} has rows after its fill",
            )
            real, d = rows[i][there], distances[i][there]
            _require(len(set(real.tolist())) == real.size, f"{what}: query {i} has a row twice")
            _require((real < len(self.hashes)).all(), f"{what}: query {i} has a row beyond the end")
            _require(np.array_equal(d, self.truth[i, real]), f"{what}: query {i} misstates")
            _require((np.diff(d) >= 0).all(), f"{what}: query {i} is not in order")
            if self.exact:
                best = np.sort(self.truth[i])[:k]
                _require(np.array_equal(d, best), f"{what}: query {i} misses a nearer row")

    def check_same(self, loaded: Backend) -> None:
        def both(search: Callable[[Backend], tuple[Any, ...]]) -> None:
            try:
                expected = search(self.backend)
            except UnsupportedOperationError:
                return
            for a, b in zip(expected, search(loaded), strict=True):
                _require(np.array_equal(a, b), f"{self.what}: finds other rows after load")

        both(lambda backend: backend.range_search(self.queries, backend.max_radius // 3))
        both(lambda backend: tuple(backend.nearest(self.queries, 5).distances))


def _check_empty(backend_class: type[Backend], options: dict[str, Any], bits: int) -> None:
    what = f"{backend_class.name}, {bits} bits"
    none = HashArray(np.empty((0, bits // 8), np.uint8), "check")
    some = HashArray(_random_rows(bits)[:50], "check")
    for hashes, queries in ((none, some), (none, none), (some, none)):
        backend = backend_class.build(hashes, **options)
        _require(len(backend) == len(hashes), f"{what}: wrong len of {len(hashes)} rows")
        try:
            found = backend.range_search(queries, min(3, backend.max_radius))
        except UnsupportedOperationError:
            continue
        sizes = (found.lims.tolist(), found.rows.size, found.distances.size)
        _require(
            sizes == ([0] * (len(queries) + 1), 0, 0),
            f"{what}: {len(queries)} queries of {len(hashes)} rows gave {sizes}",
        )
