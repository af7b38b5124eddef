"""Views as pictures: for algorithms that need pixels, for people, and to check the kernel by."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.views.placements import Placement

if TYPE_CHECKING:
    from fingerprint.typing import F64, U8

__all__ = ["render"]

MOST_PX = 512
"""Longest side of a drawn view; larger ones are drawn smaller."""


def render(pixels: U8, placement: Placement) -> U8:
    """Return the picture that a view shows, of the size that it has in the picture's pixels.

    Parameters
    ----------
    pixels : ndarray of uint8
        (h, w, 3) RGB or (h, w) grey.
    placement : Placement
        The view; what lies beyond the picture is continued from its edges, fading to
        the mean of each channel.
    """
    import cv2

    h, w = pixels.shape[:2]
    wide, high = placement.right - placement.left, placement.bottom - placement.top
    scale = min(1.0, MOST_PX / max(wide * w, high * h))
    n_x, n_y = max(1, round(wide * w * scale)), max(1, round(high * h * scale))
    x, y = _positions(placement, (h, w), (n_y, n_x))
    sampled = cv2.remap(
        pixels.astype(np.float32),
        np.clip(x, 0, w - 1).astype(np.float32),
        np.clip(y, 0, h - 1).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    beyond = _beyond(x, w) + _beyond(y, h)
    kept = np.exp(-beyond / kernels.views.FADING)
    mean = pixels.mean(axis=(0, 1), dtype=np.float64)
    if pixels.ndim == 3:
        kept = kept[..., None]
    drawn = sampled * kept + mean * (1 - kept)
    return np.ascontiguousarray(np.clip(np.rint(drawn), 0, 255).astype(np.uint8))


def _positions(
    placement: Placement, shape: tuple[int, int], size: tuple[int, int]
) -> tuple[F64, F64]:
    """Return where in the picture each pixel of the view is read, in pixels."""
    (h, w), (n_y, n_x) = shape, size
    left, top, right, bottom, degrees = placement
    v, u = np.indices(size, dtype=np.float64)
    across = ((u + 0.5) / n_x - 0.5) * (right - left) * w
    down = ((v + 0.5) / n_y - 0.5) * (bottom - top) * h
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x = (left + right) / 2 * w + c * across - s * down - 0.5
    y = (top + bottom) / 2 * h + s * across + c * down - 0.5
    return x, y


def _beyond(at: F64, side_px: int) -> F64:
    """Return how far positions are beyond the edges, in shares of the side."""
    return np.maximum(0, np.abs(at - np.clip(at, 0, side_px - 1)) - 0.5) / side_px
