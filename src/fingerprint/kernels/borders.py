"""Where the picture of a frame begins: bars of one colour around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fingerprint.kernels._jit import kernel

TOLERANCE = 10
"""Grey levels of 255 that a bar's pixels stray by; coding adds a few."""

ODD_SHARE = 50
"""One pixel in so many may be something else: a speck."""

PATCH_SHARE = 4
"""A logo in a bar is no longer than such a part of it."""

SMEARED_LINES = 3
SMEARED_SHARE = 0.25
"""Coding smears the edge of the picture over the bar: up to so many lines that are closer
to the bar's colour than so large a share of what the picture two lines on is."""

PICTURE, PATCH, BAR = 0, 1, 2


@kernel
def _line_kind(line: Any, colour: Any, tolerance: int) -> int:
    """Return BAR for one colour, PATCH for one colour but for a short stretch, or PICTURE."""
    n = line.size
    value = np.int64(colour)  # numba's int() of a byte is unsigned.
    most, longest = n // ODD_SHARE, n // PATCH_SHARE
    odd, first = 0, -1
    for x in range(n):
        if abs(np.int64(line[x]) - value) > tolerance:
            odd += 1
            if first < 0:
                first = x
            if odd > most and x - first >= longest:
                return PICTURE
    return BAR if odd <= most else PATCH


@kernel
def _deviation(line: Any, colour: Any) -> Any:
    """Return how far a line's values are from a colour, on average."""
    value = np.int64(colour)
    total = np.int64(0)
    for x in range(line.size):
        total += abs(np.int64(line[x]) - value)
    return total / line.size


@kernel
def _bar_width(lines: Any, colour: Any, tolerance: int) -> int:
    """Return how many lines belong to the bar: up to its last of one colour, and its smear."""
    width = 0
    for y in range(lines.shape[0]):
        kind = _line_kind(lines[y], colour, tolerance)
        if kind == PICTURE:
            break
        if kind == BAR:
            width = y + 1
    if width == 0:
        return width
    for _ in range(SMEARED_LINES):
        if width + 2 >= lines.shape[0]:
            break
        within = _deviation(lines[width + 2], colour)
        if _deviation(lines[width], colour) >= SMEARED_SHARE * within:
            break
        width += 1
    return width


@kernel
def content_box(rows: Any, width: int, tolerance: int) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of what bars of one colour enclose.

    A bar has the colour of its outer corner; in it may be a logo, with the bar around it.
    Bottom and right are exclusive; all are 0 when there is nothing but one colour.
    """
    picture = rows[:, :width]
    h = picture.shape[0]
    top = _bar_width(picture, picture[0, 0], tolerance)
    if top == h:
        return 0, 0, 0, 0
    below = picture[top:][::-1]
    bottom = h - _bar_width(below, below[0, width - 1], tolerance)
    columns = picture[top:bottom].T
    left = _bar_width(columns, columns[0, 0], tolerance)
    if left == width:
        return 0, 0, 0, 0
    beyond = columns[left:][::-1]
    right = width - _bar_width(beyond, beyond[0, bottom - top - 1], tolerance)
    return top, bottom, left, right
