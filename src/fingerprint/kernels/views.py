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

from fingerprint.kernels._jit import kernel
from fingerprint.kernels.pdq import SIDE, hash_grid

if TYPE_CHECKING:
    from fingerprint.typing import F32, F64, I64, U8

FADING = 0.055
"""Share of the picture's side after which a continued edge has lost all but 1/e."""

TURNED_SIDE = 128
"""Samples along each side of a turned view."""

COARSE_FROM = 0.85
"""Views of so large a share of a side are sampled from the coarser of the two levels."""


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
                share *= math.exp(-abs(x - inside) / (side * FADING))
            left = int(inside)
            part = inside - left
            right = min(left + 1, side - 1)
            weights[i, left - origin] += share * (1.0 - part)
            weights[i, right - origin] += share * part
            last = max(last, right)
        count[i] = last - origin + 1


@kernel
def _add_row(row: F32, weight: float, total: F32, start: int, stop: int) -> None:
    w = np.float32(weight)
    for x in range(start, stop):
        total[x] += w * row[x]


@kernel
def sample_view(
    base: F32,
    y_first: I64,
    y_count: I64,
    y_weights: F32,
    x_first: I64,
    x_count: I64,
    x_weights: F32,
    grid: F32,
) -> None:
    """Write the 64 x 64 samples of a view of ``base``."""
    total = np.empty(base.shape[1], np.float32)
    start, stop = base.shape[1], 0
    for j in range(SIDE):
        start = min(start, x_first[j])
        stop = max(stop, x_first[j] + x_count[j])
    for i in range(SIDE):
        for x in range(start, stop):
            total[x] = np.float32(0)
        for k in range(y_count[i]):
            _add_row(base[y_first[i] + k], y_weights[i, k], total, start, stop)
        for j in range(SIDE):
            s = np.float32(0)
            at = x_first[j]
            for k in range(x_count[j]):
                s += x_weights[j, k] * total[at + k]
            grid[i, j] = s


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
    # Of the base's coordinates by the view's: a turn in pixels between two scalings.
    xx, xy = c * step_x * columns, -s * step_y * h / w * columns
    yx, yy = s * step_x * w / h * rows, c * step_y * rows
    for i in range(n_y):
        v = i + 0.5 - n_y / 2
        for j in range(n_x):
            u = j + 0.5 - n_x / 2
            x = middle_x * columns + xx * u + xy * v - 0.5
            y = middle_y * rows + yx * u + yy * v - 0.5
            inside_x = min(max(x, 0.0), columns - 1.0)
            inside_y = min(max(y, 0.0), rows - 1.0)
            left, top = int(inside_x), int(inside_y)
            right, bottom = min(left + 1, columns - 1), min(top + 1, rows - 1)
            a, b = inside_x - left, inside_y - top
            upper = base[top, left] * (1.0 - a) + base[top, right] * a
            lower = base[bottom, left] * (1.0 - a) + base[bottom, right] * a
            value = upper * (1.0 - b) + lower * b
            beyond = abs(x - inside_x) / columns + abs(y - inside_y) / rows
            if beyond > 0.0:
                value *= math.exp(-beyond / FADING)
            out[i, j] = value


@kernel
def hash_views(
    fine: F32, coarse: F32, shape: Any, views: F64, dct: F32, dihedral: bool, out: U8, quality: I64
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
    dihedral : bool
        Write eight hashes a view, not one.
    out : ndarray of uint8, shape (n, 1 or 8, 32)
        The packed hashes.
    quality : ndarray of int64, shape (n,)
        Theirs.
    """
    grid = np.empty((SIDE, SIDE), np.float32)
    turned = np.empty((TURNED_SIDE, TURNED_SIDE), np.float32)
    x_first, x_count = np.empty(SIDE, np.int64), np.empty(SIDE, np.int64)
    y_first, y_count = np.empty(SIDE, np.int64), np.empty(SIDE, np.int64)
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
        x_weights = np.empty((SIDE, _support(n_x, (x1 - x0) * columns)), np.float32)
        y_weights = np.empty((SIDE, _support(n_y, (y1 - y0) * rows)), np.float32)
        sample_side(n_x, x0, x1, columns, x_first, x_count, x_weights)
        sample_side(n_y, y0, y1, rows, y_first, y_count, y_weights)
        sample_view(base, y_first, y_count, y_weights, x_first, x_count, x_weights, grid)
        quality[one], _ = hash_grid(grid, dct, dihedral, 0.0, out[one])


@kernel
def _support(n: int, length: float) -> int:
    """Return a bound on how many base samples a view's sample depends on."""
    window = (n + 2 * SIDE - 1) // (2 * SIDE)
    return int(math.ceil((2 * window + 2) * length / n)) + 3
