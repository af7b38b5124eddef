"""Transforms: shape, determinism, and that each does what its name says."""

from __future__ import annotations

import numpy as np
import pytest

from fingerprint.evaluate import transform_names, transforms
from fingerprint.typing import U8


@pytest.fixture
def picture() -> U8:
    import cv2

    coarse = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (480, 360), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize("name", transform_names())
def test_every_transform_at_every_strength(name: str, picture: U8) -> None:
    transform = transforms(name)
    before = picture.copy()
    assert transform.strengths
    for strength in transform.strengths:
        edited = transform(picture, strength, seed=3)
        assert edited.dtype == np.uint8
        assert edited.ndim == 3
        assert edited.shape[2] == 3
        assert edited.flags.c_contiguous
        assert edited.shape != picture.shape or not np.array_equal(edited, picture)
        np.testing.assert_array_equal(edited, transform(picture, strength, seed=3))
    np.testing.assert_array_equal(picture, before)


def test_seeds_matter_where_there_is_chance(picture: U8) -> None:
    noise = transforms("noise")
    assert not np.array_equal(noise(picture, 25, seed=1), noise(picture, 25, seed=2))


def test_known_effects(picture: U8) -> None:
    np.testing.assert_array_equal(transforms("mirror")(picture, 1), picture[:, ::-1])
    np.testing.assert_array_equal(transforms("turn")(picture, 90), np.rot90(picture))
    assert transforms("scale")(picture, 0.5).shape == (180, 240, 3)
    assert transforms("crop")(picture, 0.1).shape == (288, 384, 3)
    framed = transforms("border")(picture, 0.1)
    assert framed.shape == (432, 576, 3)
    assert not framed[0].any()
    grey = transforms("grayscale")(picture, 1)
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])


def test_unknown_transform() -> None:
    with pytest.raises(KeyError):
        transforms("no-such-edit")
