"""From a decoded frame to a hash, without a picture in between where that can be."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fingerprint import kernels
from fingerprint.algorithms.pdq import PDQ

if TYPE_CHECKING:
    from fingerprint.algorithms import HashAlgorithm
    from fingerprint.media.video_frame import VideoFrame
    from fingerprint.typing import F32, I64, U8, Fidelity

__all__ = ["Area", "FrameHasher", "whole"]


POOR_QUALITY = 90
"""Below it, hashes of luma were up to 36 bits from those of RGB; from it on, 6
(1,690 frames of 38 videos)."""


class Area(NamedTuple):
    """Rows and columns of a frame as stored: from the first, to before the last."""

    top: int
    bottom: int
    left: int
    right: int


def whole(frame: VideoFrame) -> Area:
    """Return the area of all of a frame."""
    h, w = frame.stored_shape
    return Area(0, h, 0, w)


class FrameHasher:
    """Hashes frames, or areas of them.

    Parameters
    ----------
    algorithm : HashAlgorithm
        PDQ goes over the decoder's planes once; others get RGB or grey pixels.
    fidelity : {"exact", "fast"}
        ``"exact"``: the hash of the frame in RGB, bit for bit as the vPDQ reference makes
        it. ``"fast"``: of the luma plane, unless there is so little in the frame that the
        rounding of its colours decides.
    """

    def __init__(self, algorithm: HashAlgorithm, fidelity: Fidelity) -> None:
        self.algorithm = algorithm
        self._exact = fidelity == "exact"
        self._is_pdq = type(algorithm) is PDQ and not algorithm.downsample
        self._out = np.zeros((1, 32), np.uint8)
        self._grid = np.empty((kernels.pdq.SIDE, kernels.pdq.SIDE), np.float32)
        self._laid: F32 | None = None
        self._pixels: U8 | None = None

    @property
    def can_mirror(self) -> bool:
        """Whether `hash_mirrored` is there."""
        return type(self.algorithm) is PDQ

    def hash_mirrored(self) -> bytes:
        """Return the hash with left and right exchanged of what was hashed last."""
        if self._laid is not None:
            mirrored = np.ascontiguousarray(self._laid[:, ::-1])
            kernels.pdq.hash_grid(mirrored, kernels.pdq.DCT, False, 0.0, self._out)
            mirrored_hash: bytes = self._out[0].tobytes()
            return mirrored_hash
        if self._pixels is None:
            raise ValueError("hash_mirrored: expected a frame to have been hashed before")
        packed: bytes = self.algorithm.hash_dihedral(self._pixels)["flip_y"].packed
        return packed

    def hash(self, frame: VideoFrame, area: Area | None = None) -> tuple[bytes, int]:
        """Return the packed hash of a frame as it is shown, and its quality (-1: unknown)."""
        area = area or whole(frame)
        self._laid = None
        smallest = min(area.bottom - area.top, area.right - area.left)
        if self._is_pdq and smallest > kernels.pdq.SIDE:
            if not self._exact:
                return self._hash_quickly(frame, area)
            if frame.has_chroma:
                quality, certain = self._hash_planes(frame, area, in_rgb=True)
                if certain:
                    return self._out[0].tobytes(), quality
        pixels = frame.rgb() if self._exact or not self.algorithm.fast_luma else frame.grey()
        if area != whole(frame):
            pixels = np.ascontiguousarray(pixels[_shown(frame, area)])
        self._pixels = pixels
        made = self.algorithm.hash_pixels(pixels)
        return made.packed, -1 if made.quality is None else made.quality

    def _hash_quickly(self, frame: VideoFrame, area: Area) -> tuple[bytes, int]:
        quality, _ = self._hash_planes(frame, area, in_rgb=False)
        if quality < POOR_QUALITY and frame.has_chroma:
            quality, _ = self._hash_planes(frame, area, in_rgb=True)
        return self._out[0].tobytes(), quality

    def _hash_planes(self, frame: VideoFrame, area: Area, *, in_rgb: bool) -> tuple[int, bool]:
        """Sample the planes as stored, and lay the samples as they are shown."""
        turn = frame.turn
        h, w = area.bottom - area.top, area.right - area.left
        y_weights = _weights(h, turn.reversed_rows)
        x_weights = _weights(w, turn.reversed_columns)
        luma = frame.luma()
        grid = self._grid
        where: Any = (area.top, area.left, *y_weights, *x_weights, grid)
        if in_rgb:
            kernels.yuv.sample_rgb(luma.rows, *frame.chroma(), luma.width, *where)
        else:
            kernels.yuv.sample_luma(luma.rows, luma.width, luma.low, luma.high, *where)
        if turn.transposed:
            grid = np.ascontiguousarray(grid.T)
        self._laid = grid
        margin = math.sqrt(max(h, w)) if self._exact else 0.0
        quality, certain = kernels.pdq.hash_grid(grid, kernels.pdq.DCT, False, margin, self._out)
        return int(quality), bool(certain)


@lru_cache(maxsize=512)
def _weights(n: int, is_reversed: bool) -> tuple[I64, I64, F32]:
    """Weights of PDQ's samples along a side that is shown forwards or backwards."""
    first, count, weights = kernels.pdq.sample_weights(n)
    if not is_reversed:
        return first, count, weights
    mirrored = np.zeros_like(weights)
    for i, k in enumerate(count):
        mirrored[i, :k] = weights[i, :k][::-1]
    return n - first - count, count, mirrored


def _shown(frame: VideoFrame, area: Area) -> tuple[slice, slice]:
    """Rows and columns of an area in the frame as it is shown."""
    h, w = frame.stored_shape
    rows = _span(area.top, area.bottom, h, frame.turn.reversed_rows)
    columns = _span(area.left, area.right, w, frame.turn.reversed_columns)
    return (columns, rows) if frame.turn.transposed else (rows, columns)


def _span(first: int, last: int, n: int, is_reversed: bool) -> slice:
    return slice(n - last, n - first) if is_reversed else slice(first, last)
