"""Local features of a picture: ORB, spread evenly over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint import media
from fingerprint.features.stored import DESCRIPTOR_NBYTES, PLAIN, LocalFeatures
from fingerprint.media import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from fingerprint.typing import F64, I64, U8, Bits, ImageSource, Orientation

__all__ = ["local_features"]

WORKING_SIDE_PX = 1024
SMALLEST_SIDE_PX = 640
MOST_ENLARGED = 4.0
FADED_PERCENTILES = (0.5, 99.5)
STRETCHED_TO = (16, 239)
MOST_GAIN = 2.5
CANDIDATES_PER_FEATURE = 4
CELLS_PER_SIDE = 8
LEVELS = 12
LEVEL_FACTOR = 1.2
LEVEL_SHARE = 0.5
EDGE_PX = 20
FAST_THRESHOLD = 7
_ANGLES = 360.0


def local_features(
    source: ImageSource,
    *,
    max_features: int = 1000,
    mirrored: bool = True,
    orientation: Orientation = "upright",
    limits: Limits = DEFAULT_LIMITS,
) -> LocalFeatures:
    """Find the corners of a picture and describe their surroundings.

    The picture is brought to a working size first (longer side 640 to 1024 pixels, at most four
    times its own), so time and memory do not depend on the source once it is decoded. Of the
    candidates the best of every part of the picture are kept: letters and icons would take all
    places otherwise.

    Descriptors can be partly turned back into the picture: store them only where the rules for
    the picture itself allow it.

    Parameters
    ----------
    source : path, bytes, binary file object, PIL image or ndarray
        As in `fingerprint.hash_image`.
    max_features : int
        Most keypoints, 16 to 10,000.
    mirrored : bool
        Describe the mirror image, too; doubles what is stored. Of two pictures one needs it.
    orientation : {"upright", "stored"}
        Apply the EXIF orientation, or not.
    limits : Limits
        Largest source that is accepted.

    Returns
    -------
    LocalFeatures
        Without any keypoint when there is nothing in the picture.

    Raises
    ------
    DecodeError, LimitExceededError
        The source cannot be read, or is too large.
    ValueError
        ``max_features`` is out of range.
    """
    if not 16 <= max_features <= 10_000:
        raise ValueError(f"max_features: expected 16 to 10,000, got {max_features:,}")
    pixels = media.decode(source, orientation=orientation, limits=limits).array
    grey, factor = _working(pixels)
    rows, descriptors, plain = _detect(grey, max_features)
    flipped = _describe_mirrored(grey, rows) if mirrored else None
    height_px, width_px = pixels.shape[:2]
    keypoints = np.empty((len(rows), 4), np.float32)
    # Pixel centres: the middle of the first pixel is at a half.
    keypoints[:, :2] = np.clip((rows[:, :2] + 0.5) * factor, 0, (width_px, height_px))
    keypoints[:, 2] = rows[:, 2] * factor[0]
    keypoints[:, 3] = rows[:, 3] % _ANGLES
    return LocalFeatures(keypoints, descriptors, plain, width_px, height_px, flipped)


def _working(pixels: U8) -> tuple[U8, F64]:
    """Return grey pixels at the working size, and how many source pixels one is in x and y."""
    import cv2

    height, width = pixels.shape[:2]
    longer = max(height, width)
    wanted = min(max(longer, SMALLEST_SIDE_PX), WORKING_SIDE_PX, round(MOST_ENLARGED * longer))
    size = max(1, round(width * wanted / longer)), max(1, round(height * wanted / longer))
    if size != (width, height):
        how = cv2.INTER_AREA if wanted < longer else cv2.INTER_CUBIC
        # Shrink before taking the colour out: a twelfth of the bytes.
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)
    grey = pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))
    return _stretched(np.asarray(grey, np.uint8)), np.array([width / size[0], height / size[1]])


def _stretched(grey: U8) -> U8:
    """Give a faded picture its contrast back, short of pure black and white."""
    low, high = np.percentile(grey, FADED_PERCENTILES)
    gain = min((STRETCHED_TO[1] - STRETCHED_TO[0]) / max(high - low, 1.0), MOST_GAIN)
    if gain <= 1:
        return grey
    middle = (low + high) / 2
    table = np.clip((np.arange(256) - middle) * gain + sum(STRETCHED_TO) / 2, 0, 255)
    return np.asarray(table.round().astype(np.uint8)[grey], np.uint8)


def _orb(n: int) -> Any:
    import cv2

    create: Any = vars(cv2)["ORB_create"]  # OpenCV 5 leaves it out of its stubs.
    return create(n, LEVEL_FACTOR, LEVELS, EDGE_PX, fastThreshold=FAST_THRESHOLD)


def _detect(grey: U8, n: int) -> tuple[F64, U8, U8]:
    """Return x, y, size, angle, level of the keypoints (n, 5), descriptors and plainness."""
    from fingerprint.features.consensus import plainness

    nothing = np.empty((0, 5)), np.empty((0, DESCRIPTOR_NBYTES), np.uint8), np.empty(0, np.uint8)
    if min(grey.shape) < 2 * EDGE_PX + 2:
        return nothing
    found, descriptors = _orb(CANDIDATES_PER_FEATURE * n).detectAndCompute(grey, None)
    if not found:
        return nothing
    rows = np.array([(*k.pt, k.size, k.angle, k.octave, k.response) for k in found])
    plain = np.empty(len(rows), np.uint8)
    plainness(grey, rows, plain)
    kept = _spread(rows, plain >= PLAIN, grey.shape, n)
    return rows[kept, :5], np.ascontiguousarray(descriptors[kept]), plain[kept]


def _spread(rows: F64, plain: Bits, shape: tuple[int, ...], n: int) -> I64:
    """Choose n keypoints: in turn the best of each part and level; plain ones last."""
    height, width = shape
    cell = np.minimum(rows[:, 1] * CELLS_PER_SIDE // height, CELLS_PER_SIDE - 1) * CELLS_PER_SIDE
    cell += np.minimum(rows[:, 0] * CELLS_PER_SIDE // width, CELLS_PER_SIDE - 1)
    level = rows[:, 4]
    group = (cell * LEVELS + level) * 2 + plain
    order = np.lexsort((rows[:, 0], rows[:, 1], -rows[:, 5], group))
    starts = np.r_[True, np.diff(group[order]) != 0]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order)) - first
    # A coarser level has fewer places for corners.
    turn = (rank + 0.5) * LEVEL_FACTOR ** (LEVEL_SHARE * level)
    return np.sort(np.lexsort((-rows[:, 5], turn, plain))[:n])


def _describe_mirrored(grey: U8, rows: F64) -> U8:
    """Describe the same places in the mirror image, in the same order."""
    import cv2

    if not len(rows):
        return np.empty((0, DESCRIPTOR_NBYTES), np.uint8)
    right = grey.shape[1] - 1
    keypoints = [
        cv2.KeyPoint(right - x, y, size, (180 - angle) % _ANGLES, 0, int(level), number)
        for number, (x, y, size, angle, level) in enumerate(rows)
    ]
    flipped = np.ascontiguousarray(grey[:, ::-1])
    kept, descriptors = _orb(len(rows)).compute(flipped, keypoints)
    out = np.zeros((len(rows), DESCRIPTOR_NBYTES), np.uint8)
    out[[k.class_id for k in kept]] = descriptors
    return out
