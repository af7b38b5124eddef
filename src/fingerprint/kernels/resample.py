"""Grey conversion and Lanczos resizing, bit for bit as Pillow does them.

Pillow (``src/libImaging/Convert.c``, ``Resample.c``) weighs colours in 16-bit
fixed point, and resizes in two passes with 22-bit integer weights, rounding to a
byte after each. Integer sums do not depend on their order, so these kernels are
free to vectorise: four rows go side by side.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.kernels._jit import kernel

if TYPE_CHECKING:
    from fingerprint.typing import I32, I64, U8

PRECISION_BITS = 32 - 8 - 2
LANCZOS_SUPPORT = 3.0
BAND = 4


@kernel
def _lanczos(x: float) -> float:
    if x == 0.0:
        return 1.0
    if -LANCZOS_SUPPORT <= x < LANCZOS_SUPPORT:
        a = x * math.pi
        b = x / LANCZOS_SUPPORT * math.pi
        return (math.sin(a) / a) * (math.sin(b) / b)
    return 0.0


@kernel
def lanczos_weights(n_in: int, n_out: int) -> tuple[I64, I64, I32]:
    """Fixed-point weights that resize a side from ``n_in`` to ``n_out`` pixels.

    Returns the first input pixel and the count of input pixels of each output
    pixel, (n_out,) int64, and their weights, (n_out, widest) int32.
    """
    scale = n_in / n_out
    filter_scale = max(scale, 1.0)
    support = LANCZOS_SUPPORT * filter_scale
    widest = int(math.ceil(support)) * 2 + 1
    first = np.zeros(n_out, np.int64)
    count = np.zeros(n_out, np.int64)
    weights = np.zeros((n_out, widest), np.int32)
    row = np.zeros(widest)
    inverse = 1.0 / filter_scale
    for i in range(n_out):
        centre = (i + 0.5) * scale
        low = max(int(centre - support + 0.5), 0)
        high = min(int(centre + support + 0.5), n_in)
        total = 0.0
        for j in range(high - low):
            row[j] = _lanczos((j + low - centre + 0.5) * inverse)
            total += row[j]
        for j in range(high - low):
            w = row[j] / total if total != 0.0 else row[j]
            w *= 1 << PRECISION_BITS
            weights[i, j] = int(w - 0.5) if w < 0 else int(w + 0.5)
        first[i] = low
        count[i] = high - low
    return first, count, weights


@kernel
def _clip(total: Any) -> Any:
    return min(max(total >> PRECISION_BITS, 0), 255)


@kernel
def grey(pixels: U8, channels: int, out: U8) -> None:
    """Write the grey value of each pixel of (h, w * channels) into (h, w)."""
    height, width = out.shape
    for y in range(height):
        row, line = pixels[y], out[y]
        if channels == 1:
            for x in range(width):
                line[x] = row[x]
        else:
            for x in range(width):
                line[x] = np.uint8(
                    (
                        np.uint32(row[3 * x]) * np.uint32(19595)
                        + np.uint32(row[3 * x + 1]) * np.uint32(38470)
                        + np.uint32(row[3 * x + 2]) * np.uint32(7471)
                        + np.uint32(0x8000)
                    )
                    >> np.uint32(16)
                )


@kernel
def _resize_four_rows(band: U8, first: I64, count: I64, weights: I32, out: U8) -> None:
    # numba widens int32 arithmetic to int64 unless each step is cast back.
    half = np.int32(1 << (PRECISION_BITS - 1))
    for i in range(first.size):
        start, stop = first[i], first[i] + count[i]
        a, b, c, d = (
            band[0, start:stop],
            band[1, start:stop],
            band[2, start:stop],
            band[3, start:stop],
        )
        row_weights = weights[i, : count[i]]
        sa = sb = sc = sd = half
        for j in range(row_weights.size):
            w = row_weights[j]
            sa = np.int32(sa + np.int32(w * np.int32(a[j])))
            sb = np.int32(sb + np.int32(w * np.int32(b[j])))
            sc = np.int32(sc + np.int32(w * np.int32(c[j])))
            sd = np.int32(sd + np.int32(w * np.int32(d[j])))
        out[0, i], out[1, i] = np.uint8(_clip(sa)), np.uint8(_clip(sb))
        out[2, i], out[3, i] = np.uint8(_clip(sc)), np.uint8(_clip(sd))


@kernel
def resize_width(pixels: U8, channels: int, first: I64, count: I64, weights: I32, out: U8) -> None:
    """Resize rows of (h, w * channels) to grey rows of (h, n_out)."""
    height = pixels.shape[0]
    band = np.zeros((BAND, pixels.shape[1] // channels), np.uint8)
    resized = np.zeros((BAND, first.size), np.uint8)
    for y in range(0, height, BAND):
        rows = min(BAND, height - y)
        grey(pixels[y : y + rows], channels, band[:rows])
        _resize_four_rows(band, first, count, weights, resized)
        out[y : y + rows] = resized[:rows]


@kernel
def resize_height(pixels: U8, first: I64, count: I64, weights: I32, out: U8) -> None:
    """Resize columns of (h, w) to (n_out, w)."""
    width = pixels.shape[1]
    total = np.empty(width, np.int32)
    for i in range(first.size):
        total[:] = np.int32(1 << (PRECISION_BITS - 1))
        for j in range(count[i]):
            w = weights[i, j]
            row = pixels[first[i] + j]
            for x in range(width):
                total[x] = np.int32(total[x] + np.int32(w * np.int32(row[x])))
        for x in range(width):
            out[i, x] = np.uint8(_clip(total[x]))


@kernel
def gradient_quality(grid: U8) -> Any:
    """Quality of a small grey grid, 0 to 100.

    PDQ's measure (whole percents of each neighbour difference, summed) on
    another grid, scaled by the number of neighbours so that the same mean
    difference gives the same quality as on PDQ's 64 x 64.
    """
    height, width = grid.shape
    total = np.int64(0)
    for y in range(height):
        for x in range(width):
            v = np.int64(grid[y, x])
            if y + 1 < height:
                total += abs(v - np.int64(grid[y + 1, x])) * 100 // 255
            if x + 1 < width:
                total += abs(v - np.int64(grid[y, x + 1])) * 100 // 255
    neighbours = height * (width - 1) + width * (height - 1)
    if neighbours == 0:
        return 0
    return min(100, total * (2 * 64 * 63) // (90 * neighbours))
