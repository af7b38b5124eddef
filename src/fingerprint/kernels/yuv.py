"""Frames of video: the 64 x 64 samples that PDQ transforms, straight from the decoder's planes.

Two readings of a frame. `sample_luma` takes the luma plane alone. `sample_rgb` converts
to 8-bit RGB on the way, with the integers of FFmpeg's portable converter
(libswscale ``yuv2rgb.c``, ITU-R BT.601 whatever the stream says, chroma as it is for each
block of pixels): the frame hashes that Meta published for vPDQ are those of
its output, bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.kernels._jit import kernel
from fingerprint.kernels.pdq import SIDE

if TYPE_CHECKING:
    from fingerprint.typing import F32, I16, I32, I64, U8

ONE = 1 << 16
HALF = 1 << 15

# ITU-R BT.601, in 1/65536: red by V, blue by U, green by U and by V.
_BT601 = (104597, 132201, -25675, -53279)


def conversion(full_range: bool) -> I32:
    """Constants of the conversion, (10,) int32: gain, base, four steps, four offsets.

    The converter moves luma by whole steps of chroma, ``t = y + ((step * u) >> 16) +
    offset``, and scales what comes out by 255/219: ``(76309 * t - 1304898) >> 16``, cut to
    a byte. In 16 bits that is ``t + base + (((2 * t + 1) * gain) >> 16)`` for every t that
    occurs (`tests/test_yuv.py`). Full range is not scaled.
    """
    if full_range:
        scale = ONE
        gain, base = 0, 0
        weights = [_cut(w * 224, 255) for w in _BT601]
    else:
        scale = _cut(ONE * 255, 219)
        gain, base = 5387, -20
        weights = list(_BT601)
    steps = [_cut(w * ONE + HALF, scale) for w in weights]
    return np.array([gain, base, *steps, *(-(step >> 9) for step in steps)], np.int32)


def _cut(a: int, b: int) -> int:
    """Divide as C does: towards zero."""
    return -(-a // b) if a < 0 else a // b


@kernel
def _add_luma_row(row: Any, weight: Any, low: Any, high: Any, total: F32) -> None:
    for x in range(total.size):
        total[x] += weight * np.float32(min(max(row[x], low), high))


@kernel
def _add_two_luma_rows(r0: Any, r1: Any, w0: Any, w1: Any, low: Any, high: Any, total: F32) -> None:
    for x in range(total.size):
        total[x] += w0 * np.float32(min(max(r0[x], low), high)) + w1 * np.float32(
            min(max(r1[x], low), high)
        )


@kernel
def _sample_row(total: F32, start: int, first: I64, count: I64, weights: F32, out: F32) -> None:
    for j in range(SIDE):
        at = start + first[j]
        s = np.float32(0)
        for k in range(count[j]):
            s += weights[j, k] * total[at + k]
        out[j] = s


@kernel
def sample_luma(
    rows: Any,
    width: int,
    low: Any,
    high: Any,
    top: int,
    left: int,
    y_first: I64,
    y_count: I64,
    y_weights: F32,
    x_first: I64,
    x_count: I64,
    x_weights: F32,
    grid: F32,
) -> None:
    """Write 64 x 64 samples of a luma plane, scaled from [low, high] to [0, 255].

    ``rows`` is (h, stride) uint8 or uint16, of which ``width`` columns are read; ``top``
    and ``left`` are where the picture begins. Values outside [low, high] are cut to it.
    """
    total = np.empty(width, np.float32)
    scale = np.float32(255.0) / (np.float32(high) - np.float32(low))
    for i in range(SIDE):
        for x in range(total.size):
            total[x] = np.float32(0)
        at, n = top + y_first[i], y_count[i]
        for k in range(0, n - 1, 2):
            w0, w1 = y_weights[i, k], y_weights[i, k + 1]
            _add_two_luma_rows(rows[at + k], rows[at + k + 1], w0, w1, low, high, total)
        if n & 1:
            _add_luma_row(rows[at + n - 1], y_weights[i, n - 1], low, high, total)
        _sample_row(total, left, x_first, x_count, x_weights, grid[i])
        for j in range(SIDE):
            grid[i, j] = (grid[i, j] - np.float32(low)) * scale


@kernel
def _shift_row(u: U8, v: U8, c: I32, red: I16, green: I16, blue: I16) -> None:
    """Write by how much each pixel's luma is moved in each channel, for pairs of pixels."""
    r, b, gu, gv = c[2], c[3], c[4], c[5]
    r0, b0, g0 = c[6], c[7], np.int32(c[8] + c[9])
    bits = np.int32(16)
    for i in range(red.size // 2):
        by_u, by_v = np.int32(u[i]), np.int32(v[i])
        in_red = np.int16(((by_v * r) >> bits) + r0)
        in_blue = np.int16(((by_u * b) >> bits) + b0)
        in_green = np.int16(((by_u * gu) >> bits) + ((by_v * gv) >> bits) + g0)
        red[2 * i] = in_red
        red[2 * i + 1] = in_red
        green[2 * i] = in_green
        green[2 * i + 1] = in_green
        blue[2 * i] = in_blue
        blue[2 * i + 1] = in_blue


# Casts keep every step in 16 bits: twice as many pixels in a register.


@kernel
def _channel(luma: Any, gain: Any, base: Any) -> Any:
    doubled = np.int16(np.int16(luma + luma) + np.int16(1))
    scaled = np.int16((np.int32(doubled) * np.int32(gain)) >> np.int32(16))
    value = np.int16(np.int16(luma + base) + scaled)
    return min(max(value, np.int16(0)), np.int16(255))


@kernel
def _convert_row(
    y: U8, red: I16, green: I16, blue: I16, gain: Any, base: Any, r: I16, g: I16, b: I16
) -> None:
    for x in range(red.size):
        luma = np.int16(y[x])
        r[x] = _channel(np.int16(luma + red[x]), gain, base)
        g[x] = _channel(np.int16(luma + green[x]), gain, base)
        b[x] = _channel(np.int16(luma + blue[x]), gain, base)


@kernel
def _add_converted(r: I16, g: I16, b: I16, weight: Any, total: F32) -> None:
    of_red = weight * np.float32(0.299)
    of_green = weight * np.float32(0.587)
    of_blue = weight * np.float32(0.114)
    for x in range(total.size):
        total[x] += (
            of_red * np.float32(r[x]) + of_green * np.float32(g[x]) + of_blue * np.float32(b[x])
        )


@kernel
def sample_rgb(
    y: U8,
    u: U8,
    v: U8,
    sub_y: int,
    constants: I32,
    width: int,
    top: int,
    left: int,
    y_first: I64,
    y_count: I64,
    y_weights: F32,
    x_first: I64,
    x_count: I64,
    x_weights: F32,
    grid: F32,
) -> None:
    """Write the 64 x 64 luma samples of the frame as `to_rgb` would convert it.

    ``width`` is the frame's, an even number.
    """
    rows = np.empty((6, width), np.int16)
    red, green, blue, r, g, b = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    gain, base = np.int16(constants[0]), np.int16(constants[1])
    total = np.empty(width, np.float32)
    shifted = -1
    for i in range(SIDE):
        for x in range(width):
            total[x] = np.float32(0)
        for k in range(y_count[i]):
            at = top + y_first[i] + k
            if at >> sub_y != shifted:
                shifted = at >> sub_y
                _shift_row(u[shifted], v[shifted], constants, red, green, blue)
            _convert_row(y[at], red, green, blue, gain, base, r, g, b)
            _add_converted(r, g, b, y_weights[i, k], total)
        _sample_row(total, left, x_first, x_count, x_weights, grid[i])


@kernel
def _interleave(r: I16, g: I16, b: I16, out: U8) -> None:
    for x in range(r.size):
        out[x, 0] = r[x]
        out[x, 1] = g[x]
        out[x, 2] = b[x]


@kernel
def to_rgb(y: U8, u: U8, v: U8, sub_y: int, constants: I32, out: U8) -> None:
    """Convert a frame with half as wide colour to RGB, (h, w, 3)."""
    h, w = out.shape[:2]
    rows = np.empty((6, w), np.int16)
    red, green, blue, r, g, b = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    gain, base = np.int16(constants[0]), np.int16(constants[1])
    for i in range(h):
        if i & ((1 << sub_y) - 1) == 0:
            _shift_row(u[i >> sub_y], v[i >> sub_y], constants, red, green, blue)
        _convert_row(y[i], red, green, blue, gain, base, r, g, b)
        _interleave(r, g, b, out[i])
