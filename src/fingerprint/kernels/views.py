"""PDQ of views of a picture: parts of it, the picture within a larger one, turned by an angle.

A view is a rectangle laid over the picture, as it was before somebody cut, framed or
turned it. What lies beyond the picture is continued from its nearest edge, fading
towards the mean: the best linear guess where likeness falls off exponentially with
distance. It brings a picture cut by 5 % a side within 50 bits of the whole in 99 of
100 cases; repeating the edge, in 89 (benchmarks/results/robustness.md).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.kernels._jit import kernel, reassociating_kernel
from fingerprint.kernels.pdq import (
    HASH_SIDE,
    SIDE,
    luma_of_sums,
    pack_above,
    quality_bounds,
    turn,
)

if TYPE_CHECKING:
    from fingerprint.typing import F32, F64, I64, U8

FADING = 0.055
"""Share of the picture's side after which a continued edge has lost all but 1/e."""

TURNED_SIDE = 96
"""Samples along each side of a turned view."""

COARSE_FROM = 0.85
"""Views of so large a share of a side are sampled from the coarser of the two levels."""


@kernel
def area_shares(n: int, outputs: int, first: I64, count: I64, weights: F32) -> None:
    """Write the shares of ``n`` pixels in each of ``outputs`` areas along a side."""
    width = n / outputs
    for i in range(outputs):
        low, high = i * width, (i + 1) * width
        start = min(int(low), n - 1)
        stop = min(n, max(start + 1, int(math.ceil(high - 1e-9))))
        first[i], count[i] = start, stop - start
        for k in range(stop - start):
            covered = min(high, start + k + 1.0) - max(low, start + k)
            weights[i, k] = max(0.0, covered) / width


@reassociating_kernel
def _add_row(row: U8, weight: float, total: F32) -> None:
    for x in range(total.size):
        total[x] += weight * np.float32(row[x])


@reassociating_kernel
def _add_columns(row: F32, first: I64, count: I64, weights: F32, out: F32) -> None:
    for j in range(out.size):
        start = first[j]
        s = np.float32(0)
        for k in range(count[j]):
            s += weights[j, k] * row[start + k]
        out[j] = s


@kernel
def shrink(
    rows: U8,
    channels: int,
    y_first: I64,
    y_count: I64,
    y_weights: F32,
    x_first: I64,
    x_count: I64,
    x_weights: F32,
    out: F32,
) -> None:
    """Write means of areas of the luma of ``rows``, (h, w * channels)."""
    total = np.empty(rows.shape[1], np.float32)
    luma = np.empty(rows.shape[1] // channels, np.float32)
    for i in range(out.shape[0]):
        for x in range(total.size):
            total[x] = np.float32(0)
        for k in range(y_count[i]):
            _add_row(rows[y_first[i] + k], y_weights[i, k], total)
        if channels == 3:
            luma_of_sums(total, luma)
        else:
            for x in range(luma.size):
                luma[x] = total[x]
        _add_columns(luma, x_first, x_count, x_weights, out[i])


@kernel
def sample_side(
    n: int, low: float, high: float, side: int, first: I64, count: I64, weights: F32
) -> None:
    """Write the weights of ``side`` base samples in the 64 samples of a view.

    The view reaches from ``low`` to ``high`` in shares of the base's side, and is
    ``n`` pixels long: those pixels are read off the base linearly, and weighed as PDQ's
    two box passes weigh the pixels of a picture of that size.
    """
    window = (n + 2 * SIDE - 1) // (2 * SIDE)
    half = (window + 2) // 2
    back = window - half
    pixels = np.zeros(4 * window + 8, np.float64)
    width = weights.shape[1]
    for i in range(SIDE):
        centre = min(n - 1, int(((i + 0.5) * n) / SIDE))
        inner_low, inner_high = max(0, centre - back), min(n, centre + half)
        start = max(0, inner_low - back)
        stop = min(n, inner_high - 1 + half)
        for p in range(stop - start):
            pixels[p] = 0.0
        for p in range(inner_low, inner_high):
            outer_low, outer_high = max(0, p - back), min(n, p + half)
            share = 1.0 / ((inner_high - inner_low) * (outer_high - outer_low))
            for q in range(outer_low, outer_high):
                pixels[q - start] += share
        at = (low + (high - low) * (start + 0.5) / n) * side - 0.5
        origin = min(max(int(math.floor(at)), 0), side - 1)
        first[i] = origin
        last = origin
        for k in range(width):
            weights[i, k] = 0.0
        for q in range(start, stop):
            x = (low + (high - low) * (q + 0.5) / n) * side - 0.5
            share = pixels[q - start]
            inside = min(max(x, 0.0), side - 1.0)
            if inside != x:
                beyond = max(0.0, abs(x - inside) - 0.5)
                share *= math.exp(-beyond / (side * FADING))
            left = int(inside)
            part = inside - left
            right = min(left + 1, side - 1)
            weights[i, left - origin] += share * (1.0 - part)
            weights[i, right - origin] += share * part
            last = max(last, right)
        count[i] = last - origin + 1


@kernel
def sample_view(
    base: F32,
    y_first: I64,
    y_count: I64,
    y_weights: F32,
    x_first: I64,
    x_count: I64,
    x_weights: F32,
    across: F32,
    grid: F32,
) -> None:
    """Write the 64 x 64 samples of a view of ``base``, transposed: ``grid[j, i]`` is of row i.

    ``across`` is room for (columns of the base, 64) sums: both passes then run over
    what lies side by side.
    """
    # Whole rows, although a part would do: slices cost more than they save.
    columns = base.shape[1]
    total = np.empty(columns, np.float32)
    for i in range(SIDE):
        for x in range(columns):
            total[x] = np.float32(0)
        for k in range(y_count[i]):
            y, weight = y_first[i] + k, y_weights[i, k]
            for x in range(columns):
                total[x] += weight * base[y, x]
        for x in range(columns):
            across[x, i] = total[x]
    for j in range(SIDE):
        for i in range(SIDE):
            grid[j, i] = np.float32(0)
        for k in range(x_count[j]):
            x, weight = x_first[j] + k, x_weights[j, k]
            for i in range(SIDE):
                grid[j, i] += weight * across[x, i]


@kernel
def _blend(flat: F32, columns: int, most: Any, x: float, y: float) -> Any:
    """Return the base between four samples; ``x`` and ``y`` lie inside of it.

    ``flat`` is the base in one row: with unsigned places numba does not look for negative
    ones, and the loop becomes one of vectors.
    """
    left, top = int(x), int(y)
    a, b = np.float32(x - left), np.float32(y - top)
    at = top * columns + left
    p00 = flat[np.uint64(at)]
    p01 = flat[np.uint64(min(at + 1, most))]
    p10 = flat[np.uint64(min(at + columns, most))]
    p11 = flat[np.uint64(min(at + columns + 1, most))]
    upper = p00 + (p01 - p00) * a
    lower = p10 + (p11 - p10) * a
    return upper + (lower - upper) * b


@kernel
def _inside(at: float, step: float, most: float, n: int) -> tuple[int, int]:
    """Return from where to where ``at + step * j`` lies well within 0 to ``most``."""
    low, high = 0.0, float(n)
    if step > 1e-9:
        low, high = -at / step, (most - at) / step
    elif step < -1e-9:
        low, high = (most - at) / step, -at / step
    elif not 0.0 <= at <= most:
        return 0, 0
    first = min(max(int(math.ceil(low)) + 1, 0), n)
    return first, max(first, min(int(math.floor(high)) - 1, n))


@kernel
def turn_view(base: F32, shape: Any, view: F64, out: F32) -> None:
    """Write ``out.shape`` samples of a turned view of ``base``.

    ``shape`` is the picture's (h, w) in pixels: the turn is one of the picture, however
    the base squeezes it. ``view`` is left, top, right and bottom in shares, and the degrees,
    counter-clockwise, that the picture is turned by to lie straight in the view.
    """
    h, w = float(shape[0]), float(shape[1])
    rows, columns = base.shape
    n_y, n_x = out.shape
    c, s = math.cos(math.radians(view[4])), math.sin(math.radians(view[4]))
    middle_x, middle_y = (view[0] + view[2]) / 2, (view[1] + view[3]) / 2
    step_x, step_y = (view[2] - view[0]) / n_x, (view[3] - view[1]) / n_y
    flat, most = base.ravel(), rows * columns - 1
    # Of the base's coordinates by the view's: a turn in pixels between two scalings.
    xx, xy = c * step_x * columns, -s * step_y * h / w * columns
    yx, yy = s * step_x * w / h * rows, c * step_y * rows
    for i in range(n_y):
        v = i + 0.5 - n_y / 2
        x0 = middle_x * columns + xx * (0.5 - n_x / 2) + xy * v - 0.5
        y0 = middle_y * rows + yx * (0.5 - n_x / 2) + yy * v - 0.5
        first, last = _inside(x0, xx, columns - 1.0, n_x)
        other_first, other_last = _inside(y0, yx, rows - 1.0, n_x)
        first, last = max(first, other_first), min(last, other_last)
        for j in range(first, last):
            out[i, j] = _blend(flat, columns, most, x0 + xx * j, y0 + yx * j)
        for j in range(n_x):
            if first <= j < last:
                continue
            x, y = x0 + xx * j, y0 + yx * j
            inside_x = min(max(x, 0.0), columns - 1.0)
            inside_y = min(max(y, 0.0), rows - 1.0)
            beyond = (
                max(0.0, abs(x - inside_x) - 0.5) / columns
                + max(0.0, abs(y - inside_y) - 0.5) / rows
            )
            faded = math.exp(-beyond / FADING)
            out[i, j] = faded * _blend(flat, columns, most, inside_x, inside_y)


@kernel
def _low_frequencies(grid: F32, dct: F32, out: F32) -> None:
    """Write the 16 x 16 low frequencies of a transposed grid.

    Odd rows of the transform mirror themselves and even ones do so with the other sign:
    half of the products are enough.
    """
    half = SIDE // 2
    folded = np.empty((2, half, SIDE), np.float32)
    for k in range(half):
        for i in range(SIDE):
            folded[0, k, i] = grid[k, i] - grid[SIDE - 1 - k, i]
            folded[1, k, i] = grid[k, i] + grid[SIDE - 1 - k, i]
    across = np.zeros((HASH_SIDE, SIDE), np.float32)
    for j in range(HASH_SIDE):
        for k in range(half):
            weight = dct[j, k]
            for i in range(SIDE):
                across[j, i] += weight * folded[j & 1, k, i]
    turned = np.empty((SIDE, HASH_SIDE), np.float32)
    for j in range(HASH_SIDE):
        for i in range(SIDE):
            turned[i, j] = across[j, i]
    for i in range(HASH_SIDE):
        for j in range(HASH_SIDE):
            out[i, j] = np.float32(0)
        for k in range(SIDE):
            weight = dct[i, k]
            for j in range(HASH_SIDE):
                out[i, j] += weight * turned[k, j]


@kernel
def _middle(values: F32) -> Any:
    """Return the 128th smallest of 256 values (Hoare's selection)."""
    some = values.ravel().copy()
    wanted = some.size // 2 - 1
    low, high = 0, some.size - 1
    while low < high:
        pivot = some[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while some[i] < pivot:
                i += 1
            while some[j] > pivot:
                j -= 1
            if i <= j:
                kept = some[i]
                some[i] = some[j]
                some[j] = kept
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return some[wanted]


@kernel
def _pack(coefficients: F32, positions: int, out: U8) -> None:
    """Write the hashes of a view: one, or of its eight positions."""
    turned = np.empty((HASH_SIDE, HASH_SIDE), np.float32)
    for which in range(positions):
        turn(coefficients, which, turned)
        pack_above(turned, _middle(turned), out[which])


@kernel
def hash_views(
    fine: F32, coarse: F32, shape: Any, views: F64, dct: F32, out: U8, quality: I64
) -> None:
    """Hash views of a picture.

    Parameters
    ----------
    fine, coarse : ndarray of float32
        The picture's luma less its mean, at two sizes.
    shape : tuple of int
        (h, w) of the picture in pixels.
    views : ndarray of float64, shape (n, 5)
        Left, top, right and bottom in shares of the picture's sides, and degrees.
    dct : ndarray of float32, shape (16, 64)
        `kernels.pdq.DCT`.
    out : ndarray of uint8, shape (n, 1 or 8, 32)
        The packed hashes, eight of the positions of each view or one.
    quality : ndarray of int64, shape (n,)
        Theirs.
    """
    grid = np.empty((SIDE, SIDE), np.float32)
    coefficients = np.empty((HASH_SIDE, HASH_SIDE), np.float32)
    turned = np.empty((TURNED_SIDE, TURNED_SIDE), np.float32)
    across = np.empty((max(fine.shape[1], TURNED_SIDE), SIDE), np.float32)
    x_first, x_count = np.empty(SIDE, np.int64), np.empty(SIDE, np.int64)
    y_first, y_count = np.empty(SIDE, np.int64), np.empty(SIDE, np.int64)
    x_weights, y_weights = np.empty((SIDE, 1), np.float32), np.empty((SIDE, 1), np.float32)
    x_known, y_known = (0, 0.0, 0.0, 0), (0, 0.0, 0.0, 0)
    for one in range(views.shape[0]):
        view = views[one]
        wide, high = view[2] - view[0], view[3] - view[1]
        n_x = max(5, int(round(wide * shape[1])))
        n_y = max(5, int(round(high * shape[0])))
        x0, x1, y0, y1 = view[0], view[2], view[1], view[3]
        base = coarse if min(wide, high) >= COARSE_FROM else fine
        if view[4] != 0.0:
            turn_view(base, shape, view, turned)
            base = turned
            x0, x1, y0, y1 = 0.0, 1.0, 0.0, 1.0
        rows, columns = base.shape
        if x_known != (n_x, x0, x1, columns):  # Many views share a side.
            x_known = (n_x, x0, x1, columns)
            x_weights = np.empty((SIDE, _support(n_x, (x1 - x0) * columns)), np.float32)
            sample_side(n_x, x0, x1, columns, x_first, x_count, x_weights)
        if y_known != (n_y, y0, y1, rows):
            y_known = (n_y, y0, y1, rows)
            y_weights = np.empty((SIDE, _support(n_y, (y1 - y0) * rows)), np.float32)
            sample_side(n_y, y0, y1, rows, y_first, y_count, y_weights)
        sample_view(base, y_first, y_count, y_weights, x_first, x_count, x_weights, across, grid)
        quality[one], _ = quality_bounds(grid, np.float32(0))
        _low_frequencies(grid, dct, coefficients)
        _pack(coefficients, out.shape[1], out[one])


@kernel
def _support(n: int, length: float) -> int:
    """Return a bound on how many base samples a view's sample depends on."""
    window = (n + 2 * SIDE - 1) // (2 * SIDE)
    return int(math.ceil((2 * window + 2) * length / n)) + 3
