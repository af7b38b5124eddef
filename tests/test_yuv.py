"""Planes of video to RGB and to PDQ's samples, against libswscale's tables and plain numpy."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint import kernels
from fingerprint.kernels.pdq import SIDE
from fingerprint.typing import F32, F64, I64, U8

RANGES = pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
SUBSAMPLINGS = pytest.mark.parametrize("sub_y", [1, 0], ids=["4:2:0", "4:2:2"])

Weights = tuple[I64, I64, F32]


class Tables:
    """What ``ff_yuv2rgb_c_init_tables`` (libswscale/yuv2rgb.c) sets up for 24-bit RGB."""

    HEADROOM = 512

    def __init__(self, full_range: bool) -> None:
        red, blue, green_u, green_v = 104597, 132201, -25675, -53279  # ff_yuv2rgb_coeffs[5]
        cy, oy, at = 1 << 16, 0, 384
        if full_range:
            red, blue = red * 224 // 255, blue * 224 // 255
            green_u, green_v = -(-green_u * 224 // 255), -(-green_v * 224 // 255)
        else:
            cy, oy, at = cy * 255 // 219, 16 << 16, 326
        self.steps = [self.c_divide((c << 16) + 0x8000, cy) for c in (red, blue, green_u, green_v)]
        places = np.arange(1024 + 2 * self.HEADROOM, dtype=np.int64)
        values = (-(384 << 16) - self.HEADROOM * cy - oy + places * cy + 0x8000) >> 16
        self.luma = np.clip(values, 0, 255).astype(np.uint8)
        self.zero = at + self.HEADROOM

    @staticmethod
    def c_divide(a: int, b: int) -> int:
        return a // b if a >= 0 else -(-a // b)

    @staticmethod
    def shift(step: int, chroma: Any) -> Any:
        return ((chroma.astype(np.int64) * step) >> 16) - (step >> 9)

    def rgb(self, y: U8, u: U8, v: U8, sub_y: int) -> U8:
        """Every pixel has the chroma of its block."""
        h, w = y.shape
        rows, columns = np.arange(h) >> sub_y, np.arange(w) >> 1
        u, v = u[rows][:, columns], v[rows][:, columns]
        red, blue, green_u, green_v = self.steps
        at = y.astype(np.int64) + self.zero
        channels = (
            at + self.shift(red, v),
            at + self.shift(green_u, u) + self.shift(green_v, v),
            at + self.shift(blue, u),
        )
        return np.stack([self.luma[c] for c in channels], axis=-1)


def planes(seed: int, h: int, w: int, sub_y: int, *, smooth: bool = False) -> tuple[U8, U8, U8]:
    """Planes whose rows are longer than the picture is wide, as decoders lay them."""
    chance = np.random.default_rng(seed)
    if smooth:
        y = np.add.outer(np.linspace(0, 150, h), np.linspace(20, 100, w)).astype(np.uint8)
    else:
        y = chance.integers(0, 256, (h, w), np.uint8)
    u, v = chance.integers(0, 256, (2, h >> sub_y, w // 2), np.uint8)
    return tuple(np.pad(p, ((0, 0), (0, 7)), constant_values=255) for p in (y, u, v))  # type: ignore[return-value]


def to_rgb(y: U8, u: U8, v: U8, sub_y: int, full_range: bool, w: int) -> U8:
    out = np.empty((y.shape[0], w, 3), np.uint8)
    kernels.yuv.to_rgb(y, u, v, sub_y, kernels.yuv.conversion(full_range), out)
    return out


def weights(h: int, w: int) -> tuple[Weights, Weights]:
    return kernels.pdq.sample_weights(h), kernels.pdq.sample_weights(w)


def matrix(along: Weights, n: int) -> F64:
    """The same weights as a (64, n) matrix."""
    first, count, values = along
    out = np.zeros((SIDE, n))
    for i in range(SIDE):
        out[i, first[i] : first[i] + count[i]] = values[i, : count[i]]
    return out


@RANGES
def test_sixteen_bits_are_enough_for_every_luma_that_occurs(full_range: bool) -> None:
    gain, base, *_ = kernels.yuv.conversion(full_range).tolist()
    tables = Tables(full_range)
    chroma = np.arange(256)
    moves = [tables.shift(step, chroma) for step in tables.steps]
    green = np.add.outer(moves[2], moves[3])
    least = min(moves[0].min(), moves[1].min(), green.min())
    most = 255 + max(moves[0].max(), moves[1].max(), green.max())
    t = np.arange(least, most + 1)
    assert -(2**14) < t.min() < 0 < t.max() < 2**14  # 2t + 1 fits as well.
    scaled = (t if full_range else (76309 * t - 1304898) >> 16).clip(0, 255)
    assert np.array_equal((t + base + (((2 * t + 1) * gain) >> 16)).clip(0, 255), scaled)
    assert np.array_equal(tables.luma[t + tables.zero], scaled)


@RANGES
@SUBSAMPLINGS
def test_rgb_is_that_of_the_portable_tables(full_range: bool, sub_y: int) -> None:
    h, w = 96, 130
    y, u, v = planes(1, h, w, sub_y)
    expected = Tables(full_range).rgb(y[:, :w], u, v, sub_y)
    assert np.array_equal(to_rgb(y, u, v, sub_y, full_range, w), expected)


@RANGES
def test_rgb_for_every_pair_of_luma_and_one_chroma(full_range: bool) -> None:
    y = np.repeat(np.arange(256, dtype=np.uint8)[None], 512, axis=0)
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 128, axis=1)
    half = np.full_like(levels, 128)
    tables = Tables(full_range)
    for u, v in ((levels, half), (half, levels), (levels, levels[::-1].copy())):
        assert np.array_equal(to_rgb(y, u, v, 1, full_range, 256), tables.rgb(y, u, v, 1))


@RANGES
def test_rgb_is_what_ffmpeg_makes_but_for_the_rounding_of_its_vector_code(full_range: bool) -> None:
    h, w = 64, 128
    y, u, v = (
        p[:, :n].copy() for p, n in zip(planes(3, h, w, 1), (w, w // 2, w // 2), strict=True)
    )
    frame = av.VideoFrame.from_ndarray(
        np.concatenate([p.ravel() for p in (y, u, v)]).reshape(h * 3 // 2, w), "yuv420p"
    )
    frame.color_range = 2 if full_range else 1
    theirs = frame.reformat(
        format="rgb24", src_colorspace="ITU601", dst_colorspace="ITU601", interpolation="AREA"
    ).to_ndarray()
    ours = to_rgb(y, u, v, 1, full_range, w)
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 3


@RANGES
@SUBSAMPLINGS
@pytest.mark.parametrize("shape", [(66, 68), (72, 128), (270, 480), (720, 1280)], ids=str)
def test_samples_of_rgb_are_those_of_the_picture(
    full_range: bool, sub_y: int, shape: tuple[int, int]
) -> None:
    h, w = shape
    y, u, v = planes(4, h, w, sub_y)
    along_y, along_x = weights(h, w)
    grid, expected = np.empty((2, SIDE, SIDE), np.float32)
    constants = kernels.yuv.conversion(full_range)
    kernels.yuv.sample_rgb(y, u, v, sub_y, constants, w, 0, 0, *along_y, *along_x, grid)
    rgb = to_rgb(y, u, v, sub_y, full_range, w)
    kernels.pdq.sample_grid(rgb.reshape(h, 3 * w), 3, *along_y, *along_x, expected)
    assert np.abs(grid - expected).max() < 1e-3


def test_samples_of_an_area_of_rgb() -> None:
    h, w, (top, bottom, left, right) = 200, 320, (17, 181, 41, 300)
    y, u, v = planes(5, h, w, 1)
    along_y, along_x = weights(bottom - top, right - left)
    grid, expected = np.empty((2, SIDE, SIDE), np.float32)
    constants = kernels.yuv.conversion(False)
    kernels.yuv.sample_rgb(y, u, v, 1, constants, w, top, left, *along_y, *along_x, grid)
    inside = np.ascontiguousarray(to_rgb(y, u, v, 1, False, w)[top:bottom, left:right])
    flat = inside.reshape(bottom - top, -1)
    kernels.pdq.sample_grid(flat, 3, *along_y, *along_x, expected)
    assert np.abs(grid - expected).max() < 1e-3


LUMAS: list[tuple[Any, int, int]] = [
    (np.uint8, 16, 235),
    (np.uint8, 0, 255),
    (np.uint16, 64, 940),
    (np.uint16, 0, 1023),
    (np.uint16, 16 << 8, 235 << 8),  # P010: ten bits in the upper part of sixteen.
    (np.uint16, 0, 65535),
]


@given(
    kind=st.sampled_from(LUMAS),
    seed=st.integers(0, 2**32),
    h=st.integers(65, 150),
    w=st.integers(65, 150),
    top=st.integers(0, 20),
    left=st.integers(0, 20),
)
def test_samples_of_luma(
    kind: tuple[Any, int, int], seed: int, h: int, w: int, top: int, left: int
) -> None:
    dtype, low, high = kind
    chance = np.random.default_rng(seed)
    full = (top + h + 5, left + w)
    rows = chance.integers(0, np.iinfo(dtype).max + 1, full, dtype)
    padded = np.pad(rows, ((0, 0), (0, 9)), constant_values=np.iinfo(dtype).max)
    along_y, along_x = weights(h, w)
    grid = np.empty((SIDE, SIDE), np.float32)
    kernels.yuv.sample_luma(
        padded, left + w, dtype(low), dtype(high), top, left, *along_y, *along_x, grid
    )
    inside = np.clip(rows[top : top + h, left : left + w].astype(float), low, high)
    scaled = (inside - low) * 255 / (high - low)
    expected = matrix(along_y, h) @ scaled @ matrix(along_x, w).T
    assert np.abs(grid - expected).max() < 2e-3


def test_columns_beyond_the_picture_are_not_read() -> None:
    """The last row of a cropped frame ends with the picture: memory behind is not ours."""
    rows = np.full((100, 160), 100, np.uint8)
    along = weights(100, 120)
    grids = np.empty((2, SIDE, SIDE), np.float32)
    for grid, padding in zip(grids, (0, 255), strict=True):
        rows[:, 120:] = padding
        kernels.yuv.sample_luma(
            rows, 120, np.uint8(0), np.uint8(255), 0, 0, *along[0], *along[1], grid
        )
    assert np.array_equal(*grids)
    assert np.abs(grids - 100).max() < 1e-3
