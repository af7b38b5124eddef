"""Where PDQ's fast path says it is certain, the reference's rounding gives the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fingerprint import kernels
from fingerprint.algorithms.pdq import PDQ
from fingerprint.typing import U8


def fast(pixels: U8) -> tuple[U8, int, bool]:
    out = np.zeros((8, 32), np.uint8)
    h, w = pixels.shape[:2]
    rows = pixels.reshape(h, -1)
    quality, certain = PDQ().hash_quickly(rows, rows.shape[1] // w, dihedral=True, out=out)
    return out, quality, certain


def by_reference(pixels: U8) -> tuple[U8, int]:
    out = np.zeros((8, 32), np.uint8)
    h, w = pixels.shape[:2]
    rows = pixels.reshape(h, -1)
    grid = PDQ()._reference_grid(rows, rows.shape[1] // w, skip_filter=False)
    quality, _ = kernels.pdq.hash_grid(grid, kernels.pdq.DCT, True, 0.0, out)
    return out, quality


def check(pixels: U8) -> bool:
    packed, quality, certain = fast(pixels)
    if certain:
        expected, expected_quality = by_reference(pixels)
        np.testing.assert_array_equal(packed, expected)
        assert quality == expected_quality
    return certain


def test_small_ramps_where_coefficients_tie() -> None:
    """A 16 x 5 ramp once passed for certain with 127 values above the median."""
    certain = 0
    for h, w in itertools.product(range(5, 24), range(5, 24)):
        y, x = np.mgrid[:h, :w]
        for slope_y, slope_x in ((2, 1), (1, 0), (3.3, 1.7), (0, 5)):
            ramp = np.minimum(slope_y * y + slope_x * x, 255).astype(np.uint8)
            certain += check(ramp)
    assert certain < 100  # Ramps are symmetric: hardly anything about them is certain.


@pytest.mark.parametrize("kind", ["noise", "low contrast", "rectangles", "waves"])
def test_generated_pictures_of_all_sizes(kind: str) -> None:
    generator = np.random.default_rng(11)
    certain = 0
    n = 60
    for _ in range(n):
        h, w = (int(v) for v in np.exp(generator.uniform(np.log(5), np.log(900), 2)))
        y, x = np.mgrid[:h, :w]
        if kind == "noise":
            pixels = generator.integers(0, 256, (h, w, 3))
        elif kind == "low contrast":
            pixels = 128 + generator.normal(0, 2, (h, w, 3)) + 6 * np.sin(x / 9 + y / 7)[..., None]
        elif kind == "rectangles":
            pixels = np.full((h, w, 3), 77)
            for _ in range(12):
                top, left = generator.integers(0, h), generator.integers(0, w)
                pixels[top : top + h // 3 + 1, left : left + w // 3 + 1] = generator.integers(
                    0, 256, 3
                )
        else:
            phase = x * generator.uniform(0.01, 1) + y * generator.uniform(0.01, 1)
            pixels = (127 + 100 * np.sin(phase))[..., None] * np.ones(3)
        certain += check(np.clip(pixels, 0, 255).astype(np.uint8))
    assert certain >= 1  # Otherwise nothing was compared.


def test_the_margins_are_what_decides() -> None:
    """The same grid is certain without a margin and uncertain with a huge one."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    grid = pixels.astype(np.float32)
    out = np.zeros((1, 32), np.uint8)
    assert kernels.pdq.hash_grid(grid, kernels.pdq.DCT, False, 0.0, out)[1]
    assert not kernels.pdq.hash_grid(grid, kernels.pdq.DCT, False, 1e9, out)[1]
