"""boxdct against means and a cosine transform of NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dct

import fingerprint as fp
from fingerprint.evaluate.synthesis import photo
from fingerprint.evaluate.transforms import Edit
from fingerprint.testing import check_algorithm
from fingerprint.typing import F64, U8


def slow_bits(pixels: U8) -> tuple[F64, float]:
    """Return the 16 x 16 low frequencies of 64 x 64 area means, and their median."""
    h, w = pixels.shape[:2]
    luma = pixels.astype(np.float64) @ [0.299, 0.587, 0.114]
    shares = []
    for n in (h, w):
        edges = np.arange(65) * n / 64
        pixel = np.arange(n)
        low = np.maximum(edges[:-1, None], pixel)
        high = np.minimum(edges[1:, None], pixel + 1)
        shares.append(np.maximum(0, high - low) * 64 / n)
    grid = shares[0] @ luma @ shares[1].T
    low_frequencies = dct(dct(grid, axis=0, norm="ortho"), axis=1, norm="ortho")[1:17, 1:17]
    return low_frequencies, float(np.sort(low_frequencies.ravel())[127])


@pytest.mark.parametrize("seed", range(6))
def test_bits_are_signs_of_low_frequencies(seed: int) -> None:
    chance = np.random.default_rng(seed)
    h, w = (int(n) for n in chance.integers(20, 700, 2))
    pixels = photo(seed, h, w)
    values, median = slow_bits(pixels)
    found = fp.hash_image(pixels, "boxdct").to_bits()[::-1].reshape(16, 16)
    clear = np.abs(values - median) > 1e-2
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(found[clear], (values > median)[clear])


def test_it_keeps_the_promises_of_algorithms() -> None:
    check_algorithm("boxdct")


def test_scaling_moves_it_less_than_pdq() -> None:
    moved: dict[str, list[int]] = {"pdq": [], "boxdct": []}
    for seed in range(8):
        pixels = photo(seed)
        smaller = Edit.parse("scale:0.25")(pixels)
        for name, distances in moved.items():
            distances.append(fp.hash_image(pixels, name) - fp.hash_image(smaller, name))
    assert np.median(moved["boxdct"]) <= 2 < np.median(moved["pdq"])


def test_it_is_no_pdq() -> None:
    with pytest.raises(fp.IncompatibleHashError):
        _ = fp.hash_image(photo(1), "boxdct") - fp.hash_image(photo(1))
