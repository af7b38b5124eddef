"""Pictures within a picture: inside bars and frames, in collages, on the screens of telephones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.views.placements import WHOLE, Levels, Placement

if TYPE_CHECKING:
    from fingerprint.typing import F32, I64

__all__ = ["has_plain_corners", "inside_bars", "panels"]

SMALLEST_CONTENT = 0.03
"""Of the whole's area: what is left of less is no picture."""

SHARES = (0.98, 0.8, 0.5)
"""How much of a line has its bar's colour: plain bars, small print, large print."""

CORNER = 3
"""Samples each way that are looked at in a corner: what a turn by two degrees leaves."""

CORNER_TOLERANCE = 30.0
"""Grey levels, most to least: coding rings beside the edge of the picture."""

ALIKE = 0.006
"""Placements that differ by less on every side are one."""


def inside_bars(levels: Levels) -> list[Placement]:
    """Return what bars of one colour enclose, plain ones first, then with writing on them.

    A frame of one width all round a picture that has such edges itself is taken off too far:
    a last guess is as wide all round as where it is narrowest.
    """
    found: list[Placement] = []
    base = levels.fine
    h, w = base.shape
    for share in SHARES:
        top, bottom, left, right = kernels.panels.inside_bars(base, share)
        box = Placement(left / w, top / h, right / w, bottom / h)
        if (bottom - top) * (right - left) >= SMALLEST_CONTENT * h * w:
            add_placement(found, box)
    if found:
        all_round = _frame(found[0], levels)
        if all_round is not None:
            add_placement(found, all_round)
    return found


def _frame(box: Placement, levels: Levels) -> Placement | None:
    """Return the box less a frame of one width in pixels, the narrowest of its bars."""
    h, w = levels.height_px, levels.width_px
    width_px = min(box.left * w, (1 - box.right) * w, box.top * h, (1 - box.bottom) * h)
    if width_px <= 0:
        return None
    x, y = width_px / w, width_px / h
    return Placement(x, y, 1 - x, 1 - y)


def has_plain_corners(levels: Levels) -> bool:
    """Whether all four corners have one colour, as those of a turned picture's canvas."""
    base = levels.fine
    if min(base.shape) < 2 * CORNER:
        return False
    ends = (slice(None, CORNER), slice(-CORNER, None))
    corners = np.stack([base[y, x] for y in ends for x in ends])
    return float(np.ptp(corners)) <= CORNER_TOLERANCE


def panels(levels: Levels, at_most: int) -> list[Placement]:
    """Return what lies between straight seams, likeliest first."""
    base = levels.fine
    h, w = base.shape
    if min(h, w) < 8 * kernels.panels.BLOCK:
        return []
    rows, columns = _steps(base), _steps(np.ascontiguousarray(base.T))
    out = np.zeros((2 * at_most, 5), np.float64)
    n = kernels.panels.find_panels(rows, columns, out)
    with_gutters = out[:n].copy()
    kernels.panels.without_gutters(base, out[:n])
    found: list[Placement] = []
    # What looks like a gutter may be the picture's own plain edge.
    for top, bottom, left, right, _ in np.concatenate([out[:n], with_gutters]):
        if len(found) < at_most:
            add_placement(found, Placement(left / w, top / h, right / w, bottom / h))
    return found


def _steps(base: F32) -> I64:
    h, w = base.shape
    across = np.zeros((h + 1, w // kernels.panels.BLOCK + 1), np.int64)
    kernels.panels.steps(base, across)
    return across


def add_placement(found: list[Placement], one: Placement) -> None:
    """Add a placement unless it is there already, or is the whole."""
    for other in (WHOLE, *found):
        if max(abs(a - b) for a, b in zip(one, other, strict=True)) < ALIKE:
            return
    found.append(one)
