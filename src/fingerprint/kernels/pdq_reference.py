"""PDQ's 64 x 64 samples with the reference's own rounding.

Repeats the float32 operations of facebook/ThreatExchange
``pdq/cpp/downscaling/downscaling.cpp`` in the reference's order: two passes of a
running-sum box filter along rows and along columns, then decimation. Used when
`fingerprint.kernels.pdq` finds its margins too narrow to be sure. The picture
streams through in bands of rows, so memory is a few bands and not two copies of
the picture in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.kernels._jit import kernel

if TYPE_CHECKING:
    from fingerprint.typing import F32, I64, U8

BAND = 4
"""Rows filtered side by side, so that their chains of additions overlap."""


@kernel
def luma_rows(pixels: U8, channels: int, double_luma: bool, out: F32) -> None:
    """Write the luma of ``pixels`` (rows, w * channels) into ``out`` (BAND, w).

    PyPI ``pdqhash`` weighs in float64 and rounds once; a thousandth of the
    integer sum, correctly rounded, is the same number. The C++ file tool weighs
    in float32.
    """
    width = out.shape[1]
    for r in range(pixels.shape[0]):
        row, line = pixels[r], out[r]
        if channels == 1:
            for x in range(width):
                line[x] = np.float32(row[x])
        elif double_luma:
            for x in range(width):
                weighted = np.int32(
                    np.int32(np.int32(299) * np.int32(row[3 * x]))
                    + np.int32(np.int32(587) * np.int32(row[3 * x + 1]))
                    + np.int32(np.int32(114) * np.int32(row[3 * x + 2]))
                )
                line[x] = np.float32(weighted) / np.float32(1000)
        else:
            for x in range(width):
                line[x] = (
                    np.float32(0.299) * np.float32(row[3 * x])
                    + np.float32(0.587) * np.float32(row[3 * x + 1])
                ) + np.float32(0.114) * np.float32(row[3 * x + 2])


@kernel
def _divide_by_counts(line: F32, window: int) -> None:
    n = line.size
    half = (window + 2) // 2
    late = half - 1
    for x in range(window - late):
        line[x] /= np.float32(x + half)
    full = np.float32(window)
    for x in range(window - late, n - late):
        line[x] /= full
    for x in range(n - late, n):
        line[x] /= np.float32(window - (x - (n - late) + 1))


@kernel
def box_along_rows(source: F32, window: int, out: F32) -> None:
    """Box-filter the BAND rows of ``source`` (BAND, w) into ``out``."""
    n = source.shape[1]
    half = (window + 2) // 2
    late = half - 1
    a, b, c, d = source[0], source[1], source[2], source[3]
    oa, ob, oc, od = out[0], out[1], out[2], out[3]
    sa = sb = sc = sd = np.float32(0)
    for t in range(window):
        sa += a[t]
        sb += b[t]
        sc += c[t]
        sd += d[t]
        if t >= late:
            oa[t - late], ob[t - late], oc[t - late], od[t - late] = sa, sb, sc, sd
    # Slices keep the indices plainly positive, which spares numba a check each.
    inside = n - window
    ia, ib, ic, id_ = a[window:], b[window:], c[window:], d[window:]
    wa, wb, wc, wd = (
        oa[window - late :],
        ob[window - late :],
        oc[window - late :],
        od[window - late :],
    )
    for t in range(inside):
        sa = (sa + ia[t]) - a[t]
        sb = (sb + ib[t]) - b[t]
        sc = (sc + ic[t]) - c[t]
        sd = (sd + id_[t]) - d[t]
        wa[t], wb[t], wc[t], wd[t] = sa, sb, sc, sd
    for t in range(inside, inside + late):
        sa -= a[t]
        sb -= b[t]
        sc -= c[t]
        sd -= d[t]
        wa[t], wb[t], wc[t], wd[t] = sa, sb, sc, sd
    for r in range(BAND):
        _divide_by_counts(out[r], window)


@kernel
def add_row(total: F32, row: F32) -> None:
    """Add ``row`` to ``total`` in place."""
    for x in range(total.size):
        total[x] += row[x]


@kernel
def subtract_row(total: F32, row: F32) -> None:
    """Subtract ``row`` from ``total`` in place."""
    for x in range(total.size):
        total[x] -= row[x]


@kernel
def copy_row(row: F32, out: F32) -> None:
    """Write ``row`` into ``out``; numpy's assignment takes long to compile."""
    for x in range(row.size):
        out[x] = row[x]


@kernel
def divide_row(total: F32, count: int, out: F32) -> None:
    """Write ``total / count`` into ``out``."""
    divisor = np.float32(count)
    for x in range(total.size):
        out[x] = total[x] / divisor


@kernel
def reference_grid(
    pixels: U8,
    channels: int,
    double_luma: bool,
    window_x: int,
    window_y: int,
    y_at: I64,
    x_at: I64,
    grid: F32,
) -> None:
    """Write the 64 x 64 samples of ``pixels``, (h, w * channels)."""
    height = pixels.shape[0]
    width = pixels.shape[1] // channels
    late = (window_y + 2) // 2 - 1
    luma = np.zeros((BAND, width), np.float32)
    filtered = np.zeros((BAND, width), np.float32)
    # Rows still in the window above, and the band that is entering it.
    ring = np.empty((window_y + BAND, width), np.float32)
    total = np.zeros(width, np.float32)
    finished = np.zeros((BAND, width), np.float32)
    samples = np.empty((height, x_at.size), np.float32)
    for t in range(height + late):
        if t < height:
            if t % BAND == 0:
                rows = min(BAND, height - t)
                luma_rows(pixels[t : t + rows], channels, double_luma, luma)
                box_along_rows(luma, window_x, filtered)
                for r in range(rows):
                    copy_row(filtered[r], ring[(t + r) % ring.shape[0]])
            add_row(total, ring[t % ring.shape[0]])
        if t >= window_y:
            subtract_row(total, ring[(t - window_y) % ring.shape[0]])
        if t >= late:
            y = t - late
            count = min(t + 1, window_y) - max(0, t + 1 - height)
            divide_row(total, count, finished[y % BAND])
            if y % BAND == BAND - 1 or y == height - 1:
                box_along_rows(finished, window_x, filtered)
                for r in range(y % BAND + 1):
                    for j in range(x_at.size):
                        samples[y - y % BAND + r, j] = filtered[r, x_at[j]]
    _sample_columns(samples, window_y, y_at, grid)


@kernel
def _sample_columns(samples: F32, window: int, y_at: I64, grid: F32) -> None:
    """Filter the sampled columns (h, 64) and keep the sampled rows."""
    height, width = samples.shape
    late = (window + 2) // 2 - 1
    total = np.zeros(width, np.float32)
    blurred = np.empty_like(samples)
    for t in range(height + late):
        if t < height:
            add_row(total, samples[t])
        if t >= window:
            subtract_row(total, samples[t - window])
        if t >= late:
            count = min(t + 1, window) - max(0, t + 1 - height)
            divide_row(total, count, blurred[t - late])
    for i in range(y_at.size):
        copy_row(blurred[y_at[i]], grid[i])
