"""What must hold whatever the right hash is: for every algorithm, and for batches."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray
from PIL import Image

from fingerprint.algorithms import (
    HashAlgorithm,
    SegmentAlgorithm,
    algorithm_names,
    get_algorithm,
)
from fingerprint.algorithms.ahash import AHash
from fingerprint.errors import DecodeError, FingerprintError
from fingerprint.hashes import Hash
from fingerprint.hashing import hash_image, hash_images
from fingerprint.media import decode
from fingerprint.results import Failure, HashedImage
from fingerprint.testing import check_algorithm
from fingerprint.testing.strategies import images, photo_like

U8 = NDArray[np.uint8]

VARIANTS = ("pdq:512", "phash:16", "phash:5", "whash:16", "colorhash:4", "crop_resistant:phash")
WHOLE = tuple(n for n in algorithm_names() if isinstance(get_algorithm(n), HashAlgorithm))
STRENGTHS = (90, 75, 40, 20, 10, 5)


@pytest.mark.parametrize("name", [*algorithm_names(), *VARIANTS])
def test_every_algorithm_keeps_its_promises(name: str) -> None:
    check_algorithm(name)


@pytest.mark.parametrize("name", [*algorithm_names(), *VARIANTS])
def test_hashes_are_labelled_with_the_hash_name(name: str) -> None:
    algorithm = get_algorithm(name)
    pixels = photo_like(np.random.default_rng(2), (70, 60, 3))
    if isinstance(algorithm, SegmentAlgorithm):
        assert algorithm.hash_segments(pixels).segments.algorithm == algorithm.hash_name
    else:
        assert isinstance(algorithm, HashAlgorithm)
        assert algorithm.hash_pixels(pixels).algorithm == algorithm.hash_name


def test_check_algorithm_notices_broken_promises() -> None:
    class Forgetful(AHash):
        calls = 0

        def hash_pixels(self, pixels: U8) -> Hash:
            type(self).calls += 1
            bits = np.roll(super().hash_pixels(pixels).to_bits(), self.calls)
            return Hash.from_bits(bits, self.hash_name, quality=0)

    class Confident(AHash):
        def hash_pixels(self, pixels: U8) -> Hash:
            return Hash.from_bits(super().hash_pixels(pixels).to_bits(), "ahash", quality=100)

    class Vandal(AHash):
        def hash_pixels(self, pixels: U8) -> Hash:
            found = super().hash_pixels(pixels)
            if pixels.flags.writeable:
                pixels[0] = 0
            return found

    class Short(AHash):
        def hash_pixels(self, pixels: U8) -> Hash:
            return Hash.from_bits(super().hash_pixels(pixels).to_bits()[:60], "ahash", quality=0)

    expected = {Forgetful: "second time", Confident: "flat", Vandal: "input", Short: "declares"}
    for broken, words in expected.items():
        with pytest.raises(AssertionError, match=words):
            check_algorithm(broken())


@pytest.mark.parametrize("name", WHOLE)
@given(pixels=images(min_side=1))
def test_memory_layout_does_not_matter(name: str, pixels: U8) -> None:
    expected = hash_image(pixels, name)
    wide = np.zeros((pixels.shape[0] + 3, 2 * pixels.shape[1], *pixels.shape[2:]), np.uint8)
    wide[2:-1, ::2] = pixels
    frozen = pixels.copy()
    frozen.flags.writeable = False
    for other in (wide[2:-1, ::2], np.asfortranarray(pixels), frozen, pixels[::-1].copy()[::-1]):
        found = hash_image(other, name)
        assert found == expected
        assert found.quality == expected.quality


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_batch_is_its_single_pictures_in_order(workers: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(6)
    sources: list[U8 | bytes | Path] = []
    for i in range(24):
        pixels = photo_like(generator, (40 + i, 90 - i, 3) if i % 2 else (64, 30 + i))
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        path = tmp_path / f"{i}.png"
        path.write_bytes(buffer.getvalue())
        sources.append((pixels, buffer.getvalue(), path)[i % 3])
    for bad in (4, 11, 23):
        sources[bad] = (b"", tmp_path / "none.png", b"not a picture")[bad % 3]
    told: list[int] = []
    batch = hash_images(iter(sources), "pdq", workers=workers, progress=told.append).collect()
    assert told == list(range(1, 25))
    assert len(batch) == 24
    for i, (source, result) in enumerate(zip(sources, batch, strict=True)):
        if i in {4, 11, 23}:
            assert isinstance(result, Failure)
            assert isinstance(result.error, DecodeError)
        else:
            assert isinstance(result, HashedImage)
            assert result.hash == hash_image(source)
            assert result.hash.quality == hash_image(source).quality
    assert len(batch.failures) == 3
    assert len(batch.hashes) == 21
    with pytest.raises(ExceptionGroup) as caught:
        batch.raise_for_failures()
    assert len(caught.value.exceptions) == 3


def test_wrong_sources_are_failures_of_their_own() -> None:
    good = np.zeros((9, 9), np.uint8)
    wrong = [good.astype(np.float32), np.zeros((3, 3, 2), np.uint8), None, 7, good]
    results = list(hash_images(wrong, workers=2))  # type: ignore[arg-type]
    assert [isinstance(r, Failure) for r in results] == [True, True, True, True, False]
    assert all(isinstance(r.error, FingerprintError) for r in results if isinstance(r, Failure))


def test_a_stopped_batch_stops_reading() -> None:
    taken = 0

    def sources() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield np.zeros((8, 8), np.uint8)

    stream = hash_images(sources(), workers=2)  # type: ignore[arg-type]
    for _ in range(3):
        next(stream)
    assert taken <= 40


@pytest.mark.parametrize("name", ["pdq", "phash", "dhash", "ahash"])
def test_turning_black_and_white_around_turns_the_bits_around(name: str) -> None:
    generator = np.random.default_rng(7)
    algorithm = get_algorithm(name)
    shares = []
    for i in range(30):
        pixels = photo_like(generator, (100 + i, 140, 3))
        apart = hash_image(pixels, name) - hash_image(255 - pixels, name)
        shares.append(apart / algorithm.bits)
    # phash keeps the mean, whose sign stays; equal pixels turn no bit of dhash.
    assert np.median(shares) == 1 if name == "pdq" else np.median(shares) > 0.9
    assert min(shares) > 0.85


@pytest.mark.parametrize("name", WHOLE)
def test_red_and_blue_are_not_the_same(name: str) -> None:
    generator = np.random.default_rng(8)
    apart = []
    for _ in range(20):
        pixels = photo_like(generator, (90, 120, 3))
        apart.append(hash_image(pixels, name) - hash_image(pixels[..., ::-1], name))
    assert np.median(apart) > 0


@pytest.mark.parametrize("name", ["pdq", "phash", "dhash", "ahash", "whash"])
def test_contrast_and_brightness_matter_little(name: str) -> None:
    generator = np.random.default_rng(9)
    for factor, offset in ((0.5, 0), (0.5, 60), (0.6, 0)):
        apart = []
        for _ in range(15):
            pixels = photo_like(generator, (110, 130))
            changed = (pixels * factor + offset).astype(np.uint8)
            apart.append(hash_image(pixels, name) - hash_image(changed, name))
        assert np.median(apart) <= 0.03 * get_algorithm(name).bits


@cache
def jpeg(path: Path, quality: int) -> bytes:
    picture = Image.fromarray(decode(path).array)
    picture.thumbnail((800, 800))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG" if quality == 100 else "JPEG", quality=quality)
    return buffer.getvalue()


@pytest.mark.media
@pytest.mark.parametrize("name", ["pdq", "phash", "dhash", "ahash", "whash"])
def test_distances_grow_with_compression(name: str, photos: list[Path]) -> None:
    chosen = photos[4::20]
    originals = [hash_image(jpeg(p, 100), name) for p in chosen]
    means, medians = [], []
    for quality in STRENGTHS:
        apart = [
            o - hash_image(jpeg(p, quality), name) for o, p in zip(originals, chosen, strict=True)
        ]
        means.append(np.mean(apart))
        medians.append(np.median(apart))
    assert medians == sorted(medians)
    assert means[-1] > means[0]
    if name == "pdq":
        assert medians[STRENGTHS.index(75)] == 0
        assert medians[STRENGTHS.index(10)] <= 6


@pytest.mark.media
def test_inverted_photographs_have_the_opposite_pdq(photos: list[Path]) -> None:
    apart = []
    for path in photos[1::25]:
        pixels = decode(path).array
        apart.append(hash_image(pixels) - hash_image(255 - pixels))
    assert np.median(apart) == 256
    assert min(apart) >= 250
