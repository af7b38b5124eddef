"""Haar wavelets as the whash of imagehash uses them.

`block_sums` is what that hash comes to in exact arithmetic. `low_band` repeats
PyWavelets' float64 operations in its order, for pictures whose blocks tie at the
median so that its rounding decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.kernels._jit import kernel

if TYPE_CHECKING:
    from fingerprint.typing import F64, I64, U8

SCALE = 0.7071067811865476


@kernel
def block_sums(pixels: U8, out: I64) -> None:
    """Write the sums of equal square blocks of ``pixels`` (n, n) into ``out`` (s, s)."""
    side = out.shape[0]
    block = pixels.shape[0] // side
    out[:] = 0
    for y in range(pixels.shape[0]):
        row = pixels[y]
        for i in range(side):
            total = np.int64(0)
            for x in range(block):
                total += np.int64(row[i * block + x])
            out[y // block, i] += total


@kernel
def _split(data: F64) -> tuple[F64, F64, F64, F64]:
    n = data.shape[0] // 2
    low = np.empty((n, 2 * n))
    high = np.empty((n, 2 * n))
    for y in range(n):
        for x in range(2 * n):
            a, b = data[2 * y, x] * SCALE, data[2 * y + 1, x] * SCALE
            low[y, x] = b + a
            high[y, x] = -b + a
    low_low, low_high = np.empty((n, n)), np.empty((n, n))
    high_low, high_high = np.empty((n, n)), np.empty((n, n))
    for y in range(n):
        for x in range(n):
            a, b = low[y, 2 * x] * SCALE, low[y, 2 * x + 1] * SCALE
            low_low[y, x] = b + a
            low_high[y, x] = -b + a
            a, b = high[y, 2 * x] * SCALE, high[y, 2 * x + 1] * SCALE
            high_low[y, x] = b + a
            high_high[y, x] = -b + a
    return low_low, low_high, high_low, high_high


@kernel
def _join(low_low: F64, low_high: F64, high_low: F64, high_high: F64) -> F64:
    n = low_low.shape[0]
    low, high = np.empty((n, 2 * n)), np.empty((n, 2 * n))
    for y in range(n):
        for x in range(n):
            a, b = low_low[y, x] * SCALE, low_high[y, x] * SCALE
            low[y, 2 * x], low[y, 2 * x + 1] = a + b, a - b
            a, b = high_low[y, x] * SCALE, high_high[y, x] * SCALE
            high[y, 2 * x], high[y, 2 * x + 1] = a + b, a - b
    out = np.empty((2 * n, 2 * n))
    for y in range(n):
        for x in range(2 * n):
            a, b = low[y, x] * SCALE, high[y, x] * SCALE
            out[2 * y, x], out[2 * y + 1, x] = a + b, a - b
    return out


@kernel
def low_band(pixels: F64, side: int) -> F64:
    """Low band (side, side) of ``pixels`` (n, n) after its mean is taken out."""
    details = []
    data = pixels
    while data.shape[0] > 1:
        data, low_high, high_low, high_high = _split(data)
        details.append((low_high, high_low, high_high))
    data = data * 0.0
    for i in range(len(details) - 1, -1, -1):
        low_high, high_low, high_high = details[i]
        data = _join(data, low_high, high_low, high_high)
    while data.shape[0] > side:
        data = _split(data)[0]
    return data
