"""The classic hashes against imagehash, bit for bit."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from fingerprint.algorithms import HashAlgorithm, SegmentAlgorithm, get_algorithm
from fingerprint.errors import UnknownAlgorithmError
from fingerprint.hashes import Hash
from fingerprint.media import decode
from fingerprint.testing.strategies import images, photo_like

U8 = NDArray[np.uint8]

THEIR_NAME = {
    "phash": "phash",
    "phash_simple": "phash_simple",
    "dhash": "dhash",
    "dhash_vertical": "dhash_vertical",
    "ahash": "average_hash",
    "whash": "whash",
}
SMALLEST = {"phash": 2, "phash_simple": 1, "dhash": 2, "dhash_vertical": 1, "ahash": 2, "whash": 2}


def named(family: str, size: int) -> str:
    return family if size == 8 else f"{family}:{size}"


def ours(pixels: U8, name: str) -> Hash:
    algorithm = get_algorithm(name)
    assert isinstance(algorithm, HashAlgorithm)
    return algorithm.hash_pixels(pixels)


def theirs(imagehash: ModuleType, picture: Image.Image, family: str, size: int) -> Any:
    return getattr(imagehash, THEIR_NAME[family])(picture, hash_size=size)


def our_segments(pixels: U8, name: str = "crop_resistant") -> str:
    algorithm = get_algorithm(name)
    assert isinstance(algorithm, SegmentAlgorithm)
    return str(algorithm.hash_segments(pixels))


def sizes(family: str) -> st.SearchStrategy[int]:
    if family == "whash":
        return st.sampled_from([2, 4, 8, 16, 32, 64])
    # 64 costs sixty times what 8 costs, and takes the same code.
    return st.sampled_from([8, 8, *range(SMALLEST[family], 33), 64])


@pytest.mark.parametrize("family", THEIR_NAME)
@given(data=st.data(), pixels=images(min_side=1, max_side=128))
def test_any_size_of_any_picture(
    imagehash: ModuleType, family: str, data: st.DataObject, pixels: U8
) -> None:
    size = data.draw(sizes(family), label="hash size")
    expected = theirs(imagehash, Image.fromarray(pixels), family, size)
    found = ours(pixels, named(family, size))
    assert found.hex == str(expected)
    assert np.array_equal(found.to_bits(), expected.hash.ravel())


@pytest.mark.parametrize("family", THEIR_NAME)
@pytest.mark.parametrize("shape", [(8, 9), (9, 8), (32, 32, 3), (700, 9, 3), (9, 700), (256, 256)])
def test_sizes_at_which_a_side_need_not_be_resized(
    imagehash: ModuleType, family: str, shape: tuple[int, ...]
) -> None:
    pixels = photo_like(np.random.default_rng(1), shape)
    expected = theirs(imagehash, Image.fromarray(pixels), family, 8)
    assert ours(pixels, family).hex == str(expected)


@given(images(min_side=1, max_side=96), st.integers(1, 16))
@example(np.full((4, 4, 3), (255, 85, 85), np.uint8), 3)
@example(np.full((4, 4, 3), (31, 31, 31), np.uint8), 3)
@example(np.full((4, 4, 3), (0, 0, 0), np.uint8), 1)
def test_colorhash(imagehash: ModuleType, pixels: U8, share_bits: int) -> None:
    name = "colorhash" if share_bits == 3 else f"colorhash:{share_bits}"
    expected = imagehash.colorhash(Image.fromarray(pixels), binbits=share_bits)
    found = ours(pixels, name)
    assert found.bits == 14 * share_bits
    assert found.hex == str(expected)
    assert np.array_equal(found.to_bits(), expected.hash.ravel())


@pytest.mark.parametrize("saturation", [84, 85, 169, 170, 171])
@pytest.mark.parametrize("luma_side", [31, 32, 200])
def test_colorhash_at_its_thresholds(
    imagehash: ModuleType, saturation: int, luma_side: int
) -> None:
    hsv = np.empty((16, 16, 3), np.uint8)
    hsv[..., 0] = np.arange(256).reshape(16, 16)
    hsv[..., 1] = saturation
    hsv[..., 2] = luma_side
    picture = _from_hsv(hsv)
    assert ours(np.asarray(picture), "colorhash").hex == str(imagehash.colorhash(picture))


def _from_hsv(hsv: U8) -> Image.Image:
    bands = [Image.fromarray(np.ascontiguousarray(hsv[..., i])) for i in range(3)]
    return Image.merge("HSV", bands).convert("RGB")


# imagehash walks segments pixel by pixel in Python.
@settings(max_examples=max(5, settings().max_examples // 5))
@given(images(min_side=40, max_side=420))
def test_crop_resistant(imagehash: ModuleType, pixels: U8) -> None:
    expected = imagehash.crop_resistant_hash(Image.fromarray(pixels))
    assert our_segments(pixels) == str(expected)


def test_crop_resistant_with_another_segment_hash(imagehash: ModuleType) -> None:
    pixels = photo_like(np.random.default_rng(2), (350, 500, 3))
    expected = imagehash.crop_resistant_hash(Image.fromarray(pixels), hash_func=imagehash.phash)
    assert our_segments(pixels, "crop_resistant:phash") == str(expected)


def test_crop_resistant_boxes_lie_in_the_picture_and_cover_its_segments() -> None:
    pixels = np.zeros((400, 600), np.uint8)
    pixels[50:200, 100:300] = 255
    algorithm = get_algorithm("crop_resistant")
    assert isinstance(algorithm, SegmentAlgorithm)
    found = algorithm.hash_segments(pixels)
    assert len(found.boxes) == len(found.segments) == 2
    (left, top, right, bottom), whole = found.boxes
    assert abs(left - 100) <= 6
    assert abs(top - 50) <= 6
    assert abs(right - 300) <= 6
    assert abs(bottom - 200) <= 6
    assert whole == (0, 0, 600, 400)


@pytest.mark.parametrize(
    "name",
    [
        "phash:8",
        "phash:1",
        "phash:65",
        "phash:016",
        "phash:x",
        "phash:-4",
        "phash:²",
        "whash:12",
        "whash:1",
        "dhash:1",
        "ahash:0",
        "colorhash:3",
        "colorhash:0",
        "colorhash:17",
        "crop_resistant:colour",
        "crop_resistant:crop_resistant",
        "PHASH",
        "",
    ],
)
def test_other_variants_are_refused(name: str) -> None:
    with pytest.raises(UnknownAlgorithmError):
        get_algorithm(name)


@pytest.mark.parametrize("family", [*THEIR_NAME, "colorhash"])
def test_flat_pictures_have_no_quality(family: str) -> None:
    for level in (0, 128, 255):
        assert ours(np.full((90, 70, 3), level, np.uint8), family).quality == 0


@pytest.mark.media
def test_photographs_equal_imagehash(imagehash: ModuleType, photos: list[Path]) -> None:
    chosen = photos[2::5]
    assert len(chosen) >= 150
    wrong = []
    for i, path in enumerate(chosen):
        pixels = decode(path, orientation="stored", alpha="drop").array
        picture = Image.fromarray(pixels)
        for family in THEIR_NAME:
            size = (8, 8, 16, 32)[i % 4]
            expected = theirs(imagehash, picture, family, size)
            if ours(pixels, named(family, size)).hex != str(expected):
                wrong.append((path, family, size))
        if i % 3 == 0 and ours(pixels, "colorhash").hex != str(imagehash.colorhash(picture)):
            wrong.append((path, "colorhash", 3))
        if i % 30 == 0 and our_segments(pixels) != str(imagehash.crop_resistant_hash(picture)):
            wrong.append((path, "crop_resistant", 8))
    assert not wrong
