"""PDQ in one pass over the bytes.

The reference (facebook/ThreatExchange ``pdq/cpp``) blurs the whole picture four
times with box filters and then keeps 64 x 64 samples. Those steps are linear and
separable, so each sample is a weighted sum over a small window, and the picture
need be read only once. What this loses is the reference's rounding: its running
float32 sums drift by about 1e-4 of a grey level. `hash_grid` therefore says
whether the margins of its result are wider than that drift; where they are not,
the caller repeats the work with `pdq_reference`, which rounds as the reference
does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.kernels._jit import kernel, reassociating_kernel

if TYPE_CHECKING:
    from fingerprint.typing import F32, I64, U8

SIDE = 64
"""Samples along each side of the grid that is transformed."""

HASH_SIDE = 16

# pdqhashing.cpp multiplies a float32 scale by a double cosine, then rounds.
DCT = np.array(
    [
        [
            float(np.float32(math.sqrt(2.0 / SIDE)))
            * math.cos((math.pi / 2.0 / SIDE) * (i + 1) * (2 * j + 1))
            for j in range(SIDE)
        ]
        for i in range(HASH_SIDE)
    ]
).astype(np.float32)
"""Rows 1 to 16 of the 64-point DCT, (16, 64) float32."""

# How far the reference's rounding was seen to stray, with a margin of two
# (ARCHITECTURE.md, "PDQ"): both grow with the square root of the longer side, and
# a coefficient's shrinks with its frequency.
COEFFICIENT_MARGIN = 1.2e-3
SAMPLE_MARGIN = 8e-5

QUALITY_PER_GRADIENT = 90
QUALITY_MAX = 100


def window_size(n: int) -> int:
    """Width of the reference's box filter along a side of ``n`` pixels."""
    return (n + 2 * SIDE - 1) // (2 * SIDE)


def sample_positions(n: int) -> I64:
    """Where the reference samples a blurred side of ``n`` pixels, (64,)."""
    return np.array([int(((i + 0.5) * n) / SIDE) for i in range(SIDE)], np.int64)


def sample_weights(n: int) -> tuple[I64, I64, F32]:
    """Weights of a side's pixels in each of its 64 samples.

    Two passes of a box whose window shrinks at the edges, then the sample.

    Returns
    -------
    first, count : ndarray of int64, shape (64,)
        The window of each sample.
    weights : ndarray of float32, shape (64, widest window)
        Weights in that window; each row sums to 1.
    """
    window = window_size(n)
    half = (window + 2) // 2
    centre = np.arange(n)
    low = np.maximum(0, centre - (window - half))
    high = np.minimum(n, centre + half)
    first, last, rows = [], [], []
    for at in sample_positions(n):
        inner = range(low[at], high[at])
        start, stop = low[inner[0]], high[inner[-1]]
        row = np.zeros(stop - start)
        for p in inner:
            row[low[p] - start : high[p] - start] += 1.0 / (len(inner) * (high[p] - low[p]))
        first.append(start)
        last.append(stop)
        rows.append(row)
    weights = np.zeros((SIDE, max(r.size for r in rows)), np.float32)
    for i, row in enumerate(rows):
        weights[i, : row.size] = row
    start_at = np.array(first, np.int64)
    return start_at, np.array(last, np.int64) - start_at, weights


# Loops stand in functions of their own, and fills are loops: in one function, with
# numpy's slice assignments, they take numba twice as long to compile.


@reassociating_kernel
def _add_four_rows(
    r0: U8, r1: U8, r2: U8, r3: U8, w0: float, w1: float, w2: float, w3: float, total: F32
) -> None:
    for x in range(total.size):
        total[x] += (
            w0 * np.float32(r0[x])
            + w1 * np.float32(r1[x])
            + w2 * np.float32(r2[x])
            + w3 * np.float32(r3[x])
        )


@reassociating_kernel
def _add_row(row: U8, weight: float, total: F32) -> None:
    for x in range(total.size):
        total[x] += weight * np.float32(row[x])


@reassociating_kernel
def luma_of_sums(total: F32, luma: F32) -> None:
    """Write the luma of interleaved RGB sums."""
    for x in range(luma.size):
        luma[x] = (
            np.float32(0.299) * total[3 * x]
            + np.float32(0.587) * total[3 * x + 1]
            + np.float32(0.114) * total[3 * x + 2]
        )


@reassociating_kernel
def _sample_row(luma: F32, first: I64, count: I64, weights: F32, out: F32) -> None:
    for j in range(SIDE):
        start = first[j]
        s = np.float32(0)
        for k in range(count[j]):
            s += weights[j, k] * luma[start + k]
        out[j] = s


@kernel
def sample_grid(
    pixels: U8,
    channels: int,
    y_first: I64,
    y_count: I64,
    y_weights: F32,
    x_first: I64,
    x_count: I64,
    x_weights: F32,
    grid: F32,
) -> None:
    """Write the 64 x 64 luma samples of ``pixels``, (h, w * channels)."""
    total = np.empty(pixels.shape[1], np.float32)
    luma = np.empty(pixels.shape[1] // channels, np.float32)
    for i in range(SIDE):
        y, n = y_first[i], y_count[i]
        for x in range(total.size):
            total[x] = np.float32(0)
        k = 0
        while k + 4 <= n:
            _add_four_rows(
                pixels[y + k],
                pixels[y + k + 1],
                pixels[y + k + 2],
                pixels[y + k + 3],
                y_weights[i, k],
                y_weights[i, k + 1],
                y_weights[i, k + 2],
                y_weights[i, k + 3],
                total,
            )
            k += 4
        while k < n:
            _add_row(pixels[y + k], y_weights[i, k], total)
            k += 1
        if channels == 3:
            luma_of_sums(total, luma)
            _sample_row(luma, x_first, x_count, x_weights, grid[i])
        else:
            _sample_row(total, x_first, x_count, x_weights, grid[i])


@kernel
def transform(grid: F32, dct: F32, coefficients: F32) -> None:
    """Write the 16 x 16 low frequencies, summed in the reference's order."""
    half = np.zeros((HASH_SIDE, SIDE), np.float32)
    for i in range(HASH_SIDE):
        for k in range(SIDE):
            d = dct[i, k]
            for j in range(SIDE):
                half[i, j] += d * grid[k, j]
    for i in range(HASH_SIDE):
        for j in range(HASH_SIDE):
            s = np.float32(0)
            for k in range(SIDE):
                s += half[i, k] * dct[j, k]
            coefficients[i, j] = s


@kernel
def quality_bounds(grid: F32, margin: Any) -> tuple[int, int]:
    """Lowest and highest quality that samples this close to ``grid`` can have.

    With ``margin`` 0 both are the reference's quality. Each neighbour difference
    is cut to a whole percent, so only those near a whole percent are in doubt.
    """
    low = 0
    high = 0
    hundred, scale = np.float32(100), np.float32(255)
    for axis in range(2):
        dy, dx = 1 - axis, axis
        for i in range(SIDE - dy):
            for j in range(SIDE - dx):
                d = abs(((grid[i, j] - grid[i + dy, j + dx]) * hundred) / scale)
                low += int(max(d - margin, np.float32(0)))
                high += int(d + margin)
    lowest = min(QUALITY_MAX, low // QUALITY_PER_GRADIENT)
    highest = min(QUALITY_MAX, high // QUALITY_PER_GRADIENT)
    return lowest, highest


@kernel
def lower_median(values: F32) -> Any:
    """Return the 128th smallest of 256 values.

    Counts the rank of each value in turn: 256 x 256 comparisons vectorise, and
    compile in a tenth of the time of a sort.
    """
    flat = values.ravel()
    middle = flat.size // 2 - 1
    for i in range(flat.size):
        v = flat[i]
        less = np.int64(0)
        less_or_equal = np.int64(0)
        for j in range(flat.size):
            less += np.int64(flat[j] < v)
            less_or_equal += np.int64(flat[j] <= v)
        if less <= middle < less_or_equal:
            return v
    return flat[0]


@kernel
def is_settled(values: F32, median: float, margin: float) -> Any:
    """Whether no value can change sides of the median by straying within its margin.

    The bits stay as they are if half of the values are above, and the least that
    these can become is more than the most that the others can. Where values tie
    at the median fewer are above, and straying would part them.
    """
    n_above = np.int64(0)
    least_above = np.inf
    most_below = -np.inf
    for i in range(HASH_SIDE):
        for j in range(HASH_SIDE):
            stray = margin / math.sqrt((1.0 + i) * (1.0 + j))
            if values[i, j] > median:
                n_above += 1
                least_above = min(least_above, values[i, j] - stray)
            else:
                most_below = max(most_below, values[i, j] + stray)
    return n_above == values.size // 2 and least_above > most_below


@kernel
def pack_above(values: F32, threshold: float, out: U8) -> None:
    """Pack ``value > threshold``; bit k of the 256-bit integer is value k."""
    flat = values.ravel()
    for byte in range(32):
        packed = 0
        base = 8 * (31 - byte)
        for bit in range(8):
            if flat[base + bit] > threshold:
                packed |= 1 << bit
        out[byte] = packed


@kernel
def turn(coefficients: F32, which: int, out: F32) -> None:
    """Coefficients of the picture after dihedral transform ``which`` (0 to 7).

    The order is the reference's: as is, rotated 90, 180 and 270 degrees
    counter-clockwise, flipped top to bottom, flipped left to right, transposed,
    and transposed along the other diagonal.
    """
    for i in range(HASH_SIDE):
        for j in range(HASH_SIDE):
            v = coefficients[i, j]
            odd_i, odd_j = i & 1, j & 1
            keep = (
                (which == 0)
                or (which == 6)
                or ((which == 1 or which == 5) and odd_j == 1)
                or ((which == 3 or which == 4) and odd_i == 1)
                or ((which == 2 or which == 7) and odd_i == odd_j)
            )
            signed = v if keep else -v
            if which == 1 or which == 3 or which == 6 or which == 7:
                out[j, i] = signed
            else:
                out[i, j] = signed


@kernel
def hash_grid(
    grid: F32, dct: F32, dihedral: bool, margin_scale: float, out: U8
) -> tuple[int, bool]:
    """Hash a 64 x 64 grid into ``out``, (1 or 8, 32).

    ``margin_scale`` is the square root of the longer side, or 0 when the grid
    already is the reference's to the last bit.

    Returns
    -------
    quality : int
        0 to 100.
    certain : bool
        False when the reference's rounding might give other bits or another
        quality.
    """
    coefficients = np.empty((HASH_SIDE, HASH_SIDE), np.float32)
    transform(grid, dct, coefficients)
    quality, highest = quality_bounds(grid, np.float32(SAMPLE_MARGIN * margin_scale))
    certain = quality == highest
    turned = np.empty((HASH_SIDE, HASH_SIDE), np.float32)
    for which in range(8 if dihedral else 1):
        turn(coefficients, which, turned)
        median = lower_median(turned)
        certain = certain and is_settled(turned, median, COEFFICIENT_MARGIN * margin_scale)
        pack_above(turned, median, out[which])
    return quality, certain
