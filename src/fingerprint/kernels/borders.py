"""Where the picture of a frame begins: bars of one colour around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fingerprint.kernels._jit import kernel

TOLERANCE = 10
"""Grey levels of 255 that a bar's pixels stray by; coding adds a few."""

ODD_SHARE = 50
"""One pixel in so many may be something else: a logo's corner, a speck."""


@kernel
def _is_border_row(rows: Any, y: int, first: int, last: int, value: Any, tolerance: int) -> bool:
    most = (last - first) // ODD_SHARE
    odd = 0
    for x in range(first, last):
        if abs(np.int64(rows[y, x]) - value) > tolerance:
            odd += 1
            if odd > most:
                return False
    return True


@kernel
def _is_border_column(rows: Any, x: int, first: int, last: int, value: Any, tolerance: int) -> bool:
    most = (last - first) // ODD_SHARE
    odd = 0
    for y in range(first, last):
        if abs(np.int64(rows[y, x]) - value) > tolerance:
            odd += 1
            if odd > most:
                return False
    return True


@kernel
def content_box(rows: Any, width: int, tolerance: int) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of what bars of one colour enclose.

    A bar has the colour of its outer corner. Bottom and right are exclusive; all are 0
    when there is nothing but one colour.
    """
    h = rows.shape[0]
    top, bottom, left, right = 0, h, 0, width
    value = np.int64(rows[0, 0])
    while top < h and _is_border_row(rows, top, 0, width, value, tolerance):
        top += 1
    if top == h:
        return 0, 0, 0, 0
    value = np.int64(rows[h - 1, width - 1])
    while bottom > top and _is_border_row(rows, bottom - 1, 0, width, value, tolerance):
        bottom -= 1
    value = np.int64(rows[top, 0])
    while left < width and _is_border_column(rows, left, top, bottom, value, tolerance):
        left += 1
    value = np.int64(rows[bottom - 1, width - 1])
    while right > left and _is_border_column(rows, right - 1, top, bottom, value, tolerance):
        right -= 1
    if right <= left or bottom <= top:
        return 0, 0, 0, 0
    return top, bottom, left, right
