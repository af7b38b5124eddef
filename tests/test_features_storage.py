"""Stored local features: round trips, damage, and what is refused."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from fingerprint.errors import HashFormatError
from fingerprint.features import LocalFeatures


def features(n: int, seed: int = 0, *, mirrored: bool = True) -> LocalFeatures:
    """Make some up."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform((0, 0, 1, 0), (640, 480, 90, 359), (n, 4)).astype(np.float32)
    descriptors, other = rng.integers(0, 256, (2, n, 32), dtype=np.uint8)
    plainness = rng.integers(0, 256, n, dtype=np.uint8)
    return LocalFeatures(keypoints, descriptors, plainness, 640, 480, other if mirrored else None)


@given(st.integers(0, 50), st.integers(0, 2**32), st.booleans())
def test_round_trip(n: int, seed: int, mirrored: bool) -> None:
    made = features(n, seed, mirrored=mirrored)
    again = LocalFeatures.from_bytes(made.to_bytes())
    for name in ("keypoints", "descriptors", "plainness"):
        assert_array_equal(getattr(again, name), getattr(made, name))
        assert not getattr(again, name).flags.writeable
    assert (again.mirrored is None) == (not mirrored)
    if mirrored:
        assert_array_equal(again.mirrored, made.mirrored)
    assert (again.width_px, again.height_px, again.method, again.version) == (640, 480, "orb", 1)
    assert again.to_bytes() == made.to_bytes()
    assert len(made.to_bytes()) == 48 + n * (49 + 32 * mirrored)


def test_every_damaged_byte_is_noticed() -> None:
    data = features(3).to_bytes()
    for i in range(len(data)):
        damaged = bytearray(data)
        damaged[i] ^= 1 << (i % 8)
        with pytest.raises(HashFormatError):
            LocalFeatures.from_bytes(damaged)


@pytest.mark.parametrize("n", [0, 3])
def test_cut_and_longer_bytes_are_noticed(n: int) -> None:
    data = features(n).to_bytes()
    for end in range(len(data)):
        with pytest.raises(HashFormatError):
            LocalFeatures.from_bytes(data[:end])
    with pytest.raises(HashFormatError):
        LocalFeatures.from_bytes(data + b"\0")


@given(st.binary(max_size=300))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(HashFormatError):
        LocalFeatures.from_bytes(data)
    with pytest.raises(HashFormatError):
        LocalFeatures.from_bytes(b"FPLF" + data)


@given(st.binary(min_size=20, max_size=20), st.integers(0, 3))
def test_forged_headers_are_refused_or_sound(head: bytes, n: int) -> None:
    body = features(n, mirrored=False).to_bytes()[:-16]
    forged = b"FPLF\1\0\1\0" + n.to_bytes(4, "little") + head + body[32:]
    forged += hashlib.sha256(forged).digest()[:16]
    try:
        read = LocalFeatures.from_bytes(forged)
    except HashFormatError:
        return
    assert len(read) == n
    assert read.to_bytes() == forged, "what is accepted is written alike"


def test_impossible_values_are_refused() -> None:
    good = features(4)
    for column, value in ((0, np.nan), (0, -1), (1, 481), (2, 0), (2, np.inf), (3, -5)):
        keypoints = good.keypoints.copy()
        keypoints[2, column] = value
        rest = good.descriptors, good.plainness, 640, 480
        with pytest.raises(ValueError, match="keypoints"):
            LocalFeatures(keypoints, *rest)
    with pytest.raises(ValueError, match="descriptors: expected uint8"):
        LocalFeatures(good.keypoints, good.descriptors[:3], good.plainness, 640, 480)
    with pytest.raises(ValueError, match="plainness"):
        LocalFeatures(good.keypoints, good.descriptors, good.plainness[:3], 640, 480)
    with pytest.raises(ValueError, match="width_px"):
        LocalFeatures(good.keypoints, good.descriptors, good.plainness, 0, 480)
    with pytest.raises(ValueError, match="method"):
        LocalFeatures(good.keypoints, good.descriptors, good.plainness, 640, 480, method="sift")


def test_no_descriptor_in_a_repr() -> None:
    made = features(5)
    assert repr(made) == "LocalFeatures(5 orb v1 of 640x480, mirrored too)"
    assert len(pickle.loads(pickle.dumps(made))) == 5  # noqa: S301 - workers send them
