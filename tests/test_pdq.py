"""PDQ against its reference, against a plain model of it, and against itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fingerprint import kernels
from fingerprint.algorithms import DIHEDRAL_NAMES, get_algorithm
from fingerprint.algorithms.pdq import PDQ
from fingerprint.errors import UnknownAlgorithmError
from fingerprint.media import decode
from fingerprint.testing.strategies import images, photo_like
from tests import naive

U8 = NDArray[np.uint8]

FULL = PDQ()
DOWNSAMPLED = PDQ(downsample=True)

SPATIAL: dict[str, Callable[[Any], Any]] = {
    "identity": lambda a: a,
    "rotate90": lambda a: np.rot90(a, 1),
    "rotate180": lambda a: np.rot90(a, 2),
    "rotate270": lambda a: np.rot90(a, 3),
    "flip_x": lambda a: a[::-1],
    "flip_y": lambda a: a[:, ::-1],
    "flip_plus1": lambda a: np.swapaxes(a, 0, 1),
    "flip_minus1": lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
}


def ours(pixels: U8, algorithm: PDQ = FULL) -> tuple[str, int | None]:
    found = algorithm.hash_pixels(pixels)
    return found.hex, found.quality


def ours_dihedral(pixels: U8, algorithm: PDQ = FULL) -> tuple[dict[str, str], int | None]:
    found = algorithm.hash_dihedral(pixels)
    qualities = {h.quality for h in found.values()}
    assert len(qualities) == 1
    return {name: h.hex for name, h in found.items()}, qualities.pop()


def as_rgb(pixels: U8) -> U8:
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def hex_of(vector: Any) -> str:
    return np.packbits(np.asarray(vector, np.uint8)).tobytes().hex()


def theirs(pdqhash: ModuleType, pixels: U8) -> tuple[str, int]:
    vector, quality = pdqhash.compute(as_rgb(pixels))
    return hex_of(vector), quality


def theirs_dihedral(pdqhash: ModuleType, pixels: U8) -> tuple[dict[str, str], int]:
    vectors, quality = pdqhash.compute_dihedral(as_rgb(pixels))
    return dict(zip(naive.DIHEDRAL, map(hex_of, vectors), strict=True)), quality


@contextmanager
def reference_path_only() -> Iterator[None]:
    """Let the one-pass kernel spoil its output and say that it is not sure."""

    def unsure(self: PDQ, *arguments: Any, out: U8, **options: Any) -> tuple[int, bool]:
        out[:] = 0xAA
        return 77, False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PDQ, "hash_quickly", unsure)
        yield


@contextmanager
def counted_fallbacks() -> Iterator[list[tuple[int, ...]]]:
    calls: list[tuple[int, ...]] = []
    original = PDQ._reference_grid

    def counting(self: PDQ, rows: Any, channels: int, *, skip_filter: bool) -> Any:
        calls.append(rows.shape)
        return original(self, rows, channels, skip_filter=skip_filter)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PDQ, "_reference_grid", counting)
        yield calls


@given(images(max_side=160))
@example(np.zeros((64, 64), np.uint8))
@example(np.full((5, 5, 3), 255, np.uint8))
def test_model_and_ours_and_reference_agree(pdqhash: ModuleType, pixels: U8) -> None:
    expected = theirs(pdqhash, pixels)
    assert naive.pdq(pixels) == expected
    assert ours(pixels) == expected


@given(images(max_side=160))
@example(np.zeros((64, 64), np.uint8))
def test_model_and_ours_and_reference_agree_on_dihedral_hashes(
    pdqhash: ModuleType, pixels: U8
) -> None:
    expected = theirs_dihedral(pdqhash, pixels)
    assert naive.pdq_dihedral(pixels) == expected
    assert ours_dihedral(pixels) == expected


@given(images(max_side=160))
def test_ours_is_the_model_without_the_reference_package(pixels: U8) -> None:
    assert ours(pixels) == naive.pdq(pixels)
    assert ours_dihedral(pixels) == naive.pdq_dihedral(pixels)


@given(images(min_side=400, max_side=700))
def test_downsampled_family_is_the_model(pixels: U8) -> None:
    assert ours(pixels, DOWNSAMPLED) == naive.pdq(pixels, downsample=True)
    assert ours_dihedral(pixels, DOWNSAMPLED) == naive.pdq_dihedral(pixels, downsample=True)


@given(images(min_side=5, max_side=200))
def test_one_pass_and_reference_path_agree(pixels: U8) -> None:
    for algorithm in (FULL, DOWNSAMPLED):
        expected = ours(pixels, algorithm), ours_dihedral(pixels, algorithm)
        with reference_path_only():
            assert (ours(pixels, algorithm), ours_dihedral(pixels, algorithm)) == expected


@given(images(min_side=1, max_side=12))
def test_pictures_under_five_pixels_are_zero_with_quality_zero(pixels: U8) -> None:
    if min(pixels.shape[:2]) < 5:
        assert ours(pixels) == ("0" * 64, 0)
        assert ours_dihedral(pixels) == (dict.fromkeys(DIHEDRAL_NAMES, "0" * 64), 0)
    assert ours(pixels) == naive.pdq(pixels)


@pytest.mark.parametrize("shape", [(300, 200, 3), (64, 64), (1000, 6), (129, 640, 3)])
def test_flat_picture_takes_the_reference_path(shape: tuple[int, ...]) -> None:
    flat = np.full(shape, 93, np.uint8)
    with counted_fallbacks() as calls:
        found = ours(flat)
    assert len(calls) == 1
    assert found == naive.pdq(flat)
    assert found[1] == 0


def test_ordinary_picture_does_not_need_the_reference_path() -> None:
    generator = np.random.default_rng(5)
    pictures = [photo_like(generator, (120 + 3 * i, 160, 3)) for i in range(40)]
    with counted_fallbacks() as calls:
        for pixels in pictures:
            assert ours(pixels) == naive.pdq(pixels)
    # A gap at the median may be narrow by chance; most are not.
    assert len(calls) <= 12


def test_thousandth_of_the_integer_sum_is_the_reference_luma() -> None:
    blue = np.arange(256, dtype=np.uint8)
    green = np.repeat(blue, 256)
    for red in range(256):
        colours = np.stack([np.full(65536, red, np.uint8), green, np.tile(blue, 256)], axis=-1)
        out = np.zeros((kernels.pdq_reference.BAND, 65536), np.float32)
        kernels.pdq_reference.luma_rows(colours.reshape(1, -1), 3, True, out)
        assert np.array_equal(out[0], naive.luma_float64(colours[None])[0])


@given(images(min_side=16, max_side=120), images(min_side=16, max_side=120))
def test_half_the_bits_are_set_and_distances_are_even(a: U8, b: U8) -> None:
    first, second = FULL.hash_pixels(a), FULL.hash_pixels(b)
    for pixels, found in ((a, first), (b, second)):
        luma = naive.luma_float64(pixels)
        grid = naive.pdq_grid(luma, skip_filter=True)
        ordered = np.sort(naive.pdq_coefficients(grid), axis=None)
        if ordered[127] < ordered[128]:
            assert found.to_bits().sum() == 128
        else:
            assert found.to_bits().sum() < 128
    if first.to_bits().sum() == second.to_bits().sum() == 128:
        assert (first - second) % 2 == 0


def test_photo_like_pictures_are_not_degenerate() -> None:
    generator = np.random.default_rng(3)
    for shape in ((20, 30), (64, 64, 3), (300, 200, 3)):
        assert FULL.hash_pixels(photo_like(generator, shape)).to_bits().sum() == 128


@given(st.integers(0, 2**32 - 1))
def test_dihedral_turns_of_coefficients_form_the_group_of_the_square(seed: int) -> None:
    coefficients = np.random.default_rng(seed).standard_normal((16, 16)).astype(np.float32)
    corner = np.array([[1, 2], [3, 4]])

    def turn(values: naive.F32, name: str) -> naive.F32:
        out = np.empty_like(values)
        kernels.pdq.turn(values, DIHEDRAL_NAMES.index(name), out)
        return out

    for first in DIHEDRAL_NAMES:
        assert np.array_equal(turn(coefficients, first), naive.turned(coefficients, first))
        for second in DIHEDRAL_NAMES:
            both = SPATIAL[second](SPATIAL[first](corner))
            product = next(n for n in DIHEDRAL_NAMES if np.array_equal(SPATIAL[n](corner), both))
            twice = turn(turn(coefficients, first), second)
            assert np.array_equal(twice, turn(coefficients, product)), (first, second)


@given(st.integers(0, 2**32 - 1))
def test_dihedral_hashes_are_those_of_the_turned_picture(seed: int) -> None:
    # 64 x 64 is sampled as it is, so only the order of the float sums differs.
    pixels = photo_like(np.random.default_rng(seed), (64, 64, 3))
    for name, found in FULL.hash_dihedral(pixels).items():
        turned = np.ascontiguousarray(SPATIAL[name](pixels))
        assert found - FULL.hash_pixels(turned) <= 2, name


def test_dihedral_identity_is_the_hash_itself() -> None:
    generator = np.random.default_rng(8)
    for shape in ((63, 65, 3), (200, 90), (640, 480, 3)):
        pixels = photo_like(generator, shape)
        assert FULL.hash_dihedral(pixels)["identity"] == FULL.hash_pixels(pixels)


@pytest.mark.parametrize("name", ["pdq:256", "pdq:", "pdq:0512", "pdq:512:512"])
def test_unknown_variants_are_refused(name: str) -> None:
    with pytest.raises(UnknownAlgorithmError):
        get_algorithm(name)


@pytest.mark.media
def test_photographs_equal_the_reference(pdqhash: ModuleType, photos: list[Path]) -> None:
    chosen = photos[::5]
    assert len(chosen) >= 150
    wrong = []
    for i, path in enumerate(chosen):
        pixels = decode(path, orientation="stored", alpha="drop").array
        if ours(pixels) != theirs(pdqhash, pixels):
            wrong.append(path)
        if i % 4 == 0 and ours_dihedral(pixels) != theirs_dihedral(pdqhash, pixels):
            wrong.append(path)
    assert not wrong


@pytest.mark.media
def test_photographs_equal_the_model(photos: list[Path]) -> None:
    for path in photos[3::90]:
        pixels = decode(path).array
        assert ours(pixels) == naive.pdq(pixels), path
        assert ours(pixels, DOWNSAMPLED) == naive.pdq(pixels, downsample=True), path
        with reference_path_only():
            assert ours(pixels) == naive.pdq(pixels), path
