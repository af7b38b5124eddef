"""Crop-resistant hash as imagehash computes it: a dHash for each bright or dark segment.

Source: imagehash 4.3 ``crop_resistant_hash`` after Steinebach, Liu and Yannikos,
"Efficient Cropping-Resistant Robust Image Hashing" (ARES 2014). The picture is
thresholded at 300 x 300; connected regions above ("hills") and below ("valleys")
the threshold are cut out of the original and hashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from fingerprint.algorithms.base import (
    Algorithm,
    HashAlgorithm,
    Radius,
    SegmentAlgorithm,
)
from fingerprint.algorithms.dhash import DHash
from fingerprint.algorithms.grid import GridHash, grey, grey_grid
from fingerprint.algorithms.registry import get_algorithm
from fingerprint.errors import UnknownAlgorithmError
from fingerprint.hash_arrays import HashArray, SegmentHashes
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.typing import U8, Bits

__all__ = ["CropResistant", "create"]

SIDE = 300
THRESHOLD = 128
MIN_SEGMENT_PX = 500
MAX_BIT_ERROR = 0.25

_Box = tuple[int, int, int, int]


class CropResistant(SegmentAlgorithm):
    """dHashes of the bright and dark segments of a picture."""

    summary = "a dHash for each bright or dark segment (imagehash)"
    dihedral = False

    def __init__(self, segment_hash: HashAlgorithm | None = None) -> None:
        self.segment_hash = segment_hash or DHash()
        suffix = "" if segment_hash is None else f":{segment_hash.name}"
        self.name = f"crop_resistant{suffix}"
        self.hash_name = self.segment_hash.hash_name
        self.bits = self.segment_hash.bits
        self.radius = Radius(
            int(MAX_BIT_ERROR * self.bits), "imagehash's default: a quarter of a segment's bits"
        )
        self.min_quality = self.segment_hash.min_quality

    def hash_segments(self, pixels: U8) -> SegmentHashes:
        """Hash canonical pixels, (h, w, 3) RGB or (h, w) grey uint8."""
        if isinstance(self.segment_hash, GridHash):  # Sees grey alone: convert once.
            pixels = grey(pixels)
        boxes = [self._scaled(box, pixels.shape) for box in _segments(pixels)]
        hashes = [self._hash_box(pixels, box) for box in boxes]
        return SegmentHashes(self.name, HashArray.from_hashes(hashes), tuple(boxes))

    def _hash_box(self, pixels: U8, box: _Box) -> Hash:
        left, top, right, bottom = box
        crop = np.ascontiguousarray(pixels[top:bottom, left:right])
        if not crop.size:  # In a picture of a few pixels; Pillow resizes nothing to black.
            bits = np.zeros(self.bits, bool)
            return Hash.from_bits(bits, self.segment_hash.hash_name, quality=0)
        return self.segment_hash.hash_pixels(crop)

    @staticmethod
    def _scaled(box: _Box, shape: tuple[int, ...]) -> _Box:
        x, y = shape[1] / SIDE, shape[0] / SIDE
        left, top, right, bottom = box
        return round(left * x), round(top * y), round(right * x), round(bottom * y)


def _segments(pixels: U8) -> list[_Box]:
    """Return bounding boxes on the 300 x 300 grid: hills, then valleys."""
    small = Image.fromarray(grey_grid(pixels, SIDE, SIDE))
    smooth = small.filter(ImageFilter.GaussianBlur()).filter(ImageFilter.MedianFilter())
    bright = np.asarray(smooth) > THRESHOLD
    hills, assigned = _regions(bright, assigned=4 * SIDE, stop=False)
    valleys, _ = _regions(~bright, assigned=assigned, stop=True)
    return hills + valleys or [(0, 0, SIDE, SIDE)]


def _regions(mask: Bits, *, assigned: int, stop: bool) -> tuple[list[_Box], int]:
    """Find 4-connected regions in the order of their first pixels.

    imagehash looks for valleys until as many pixels are assigned as the picture
    has, counting a border of 4 * 300 pixels from the start and never counting
    regions of one pixel; ``assigned`` carries that count.
    """
    from scipy import ndimage

    labels, n = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    boxes = []
    for (rows, columns), size in zip(ndimage.find_objects(labels), sizes, strict=True):
        if stop and assigned >= SIDE * SIDE:
            break
        if size > 1:
            assigned += int(size)
        if size > MIN_SEGMENT_PX:
            boxes.append((columns.start, rows.start, columns.stop, rows.stop))
    return boxes, assigned


def create(variant: str | None) -> Algorithm:
    """Return ``crop_resistant`` or ``crop_resistant:<hash of the segments>``."""
    if variant is None:
        return CropResistant()
    inner = get_algorithm(variant)
    if not isinstance(inner, HashAlgorithm):
        raise UnknownAlgorithmError(
            f"crop_resistant:{variant}", ["crop_resistant"], "segments need a plain hash"
        )
    return CropResistant(inner)
