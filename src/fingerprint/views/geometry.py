"""Placements that undo what is done to pictures: crops, turns, frames."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fingerprint.views.placements import Placement

__all__ = ["cropped", "named", "turned", "turned_in_larger", "uncropped"]


def uncropped(left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> Placement:
    """Return where the whole lies, of which these shares of its sides were cut off."""
    w, h = 1 - left - right, 1 - top - bottom
    return Placement(-left / w, -top / h, 1 + right / w, 1 + bottom / h)


def cropped(left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> Placement:
    """Return what is left when these shares of the picture's sides are cut off."""
    return Placement(left, top, 1 - right, 1 - bottom)


def turned(degrees: float) -> Placement:
    """Return the picture turned about its middle, its canvas as it was."""
    return Placement(0, 0, 1, 1, degrees)


def turned_in_larger(degrees: float, height_px: int, width_px: int) -> Placement:
    """Return the picture that was turned and given a canvas to hold all of it.

    The canvas of a w x h picture is w cos + h sin wide and w sin + h cos high.
    """
    c, s = math.cos(math.radians(degrees)), abs(math.sin(math.radians(degrees)))
    across = (width_px * c - height_px * s) / (c * c - s * s)
    down = (height_px * c - width_px * s) / (c * c - s * s)
    x, y = (1 - across / width_px) / 2, (1 - down / height_px) / 2
    return Placement(x, y, 1 - x, 1 - y, degrees)


def named(share: float) -> str:
    """Return a share as it stands in a view's name: 0.035 is ``3.5``."""
    return f"{100 * share:g}"


def each_side(shares: tuple[float, ...]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield each side with each share."""
    for share in shares:
        for side in ("left", "right", "top", "bottom"):
            yield f"{side}_{named(share)}", {side: share}
