"""Generated photographs: deterministic, unlike each other, and like photographs to a hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fingerprint.evaluate import Edit, photo, photos
from fingerprint.hashing import hash_image
from fingerprint.media import decode
from fingerprint.typing import U8

N = 40


@pytest.fixture(scope="module")
def made() -> list[U8]:
    return list(photos(N, seed=2))


def pair_distances(pictures: list[U8]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    hashes = [hash_image(p) for p in pictures]
    return np.array([a - b for i, a in enumerate(hashes) for b in hashes[:i]])


@pytest.mark.parametrize("size", [(480, 640), (1, 1), (1, 50), (16, 16), (33, 900)])
def test_size_and_determinism(size: tuple[int, int]) -> None:
    one = photo(3, *size)
    assert one.shape == (*size, 3)
    assert one.dtype == np.uint8
    assert one.flags.c_contiguous
    np.testing.assert_array_equal(one, photo(3, *size))


def test_wrong_sizes() -> None:
    for size in ((0, 5), (5, -1)):
        with pytest.raises(ValueError, match="at least 1 pixel"):
            photo(0, *size)


def test_a_seed_is_the_same_scene_at_every_size() -> None:
    apart = []
    for seed in range(12):
        large = hash_image(photo(seed, 600, 800))
        apart += [large - hash_image(photo(seed, h, w)) for h, w in ((300, 400), (150, 200))]
    assert np.median(apart) <= 20
    assert max(apart) <= 64


def test_series(made: list[U8]) -> None:
    assert len(made) == N
    assert len({p.shape for p in made}) > 4
    np.testing.assert_array_equal(made[3], list(photos(4, seed=2))[3])
    assert not np.array_equal(made[0], next(photos(1, seed=3)))


def test_different_pictures_are_as_far_apart_as_photographs(made: list[U8]) -> None:
    # Photographs: mean 127.8, deviation 8.5 (facts: 4e7 pairs), none nearer than 50.
    distances = pair_distances(made)
    assert distances.mean() == pytest.approx(128, abs=1.5)
    assert 7.5 < distances.std() < 10
    assert distances.min() > 64


def test_there_is_enough_in_them(made: list[U8]) -> None:
    qualities = np.array([hash_image(p).quality for p in made])
    assert (qualities >= 50).mean() > 0.9


def survivors(pictures: list[U8], edit: str) -> float:
    change = Edit.parse(edit)
    return float(np.mean([hash_image(p) - hash_image(change(p)) <= 31 for p in pictures]))


@pytest.mark.parametrize(
    ("edit", "least", "most"),
    [
        ("jpeg:10", 0.97, 1),
        ("scale:0.25", 0.9, 1),
        ("noise:25", 0.95, 1),
        ("gamma:2", 0.8, 1),
        # What plain PDQ loses, it must lose here, or the suite flatters.
        ("crop:0.02", 0.02, 0.6),
        ("crop:0.05", 0, 0.05),
        ("rotate:4", 0, 0.06),
        ("border:0.05", 0, 0.05),
        ("mirror", 0, 0),
        ("emoji:0.1", 0, 0.6),
    ],
)
def test_edits_move_them_as_they_move_photographs(
    edit: str, least: float, most: float, made: list[U8]
) -> None:
    assert least <= survivors(made, edit) <= most


@pytest.mark.media
def test_beside_photographs(photos: list[Path], made: list[U8]) -> None:
    real: list[U8] = []
    for path in photos[:: max(1, len(photos) // N)]:
        pixels = decode(path, min_side_px=256).array
        real.append(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2))
    for edit in ("jpeg:50", "scale:0.5", "crop:0.01", "crop:0.03", "rotate:1", "rotate:4"):
        assert survivors(made, edit) == pytest.approx(survivors(real, edit), abs=0.2), edit
