"""Slow and plain: what the fast code must agree with.

Nothing here uses the kernels. PDQ repeats the float32 operations of Meta's C++ in
their order; numpy only does many independent lanes of them at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

SIDE = 64
DIHEDRAL = (
    "identity",
    "rotate90",
    "rotate180",
    "rotate270",
    "flip_x",
    "flip_y",
    "flip_plus1",
    "flip_minus1",
)


def luma_float64(pixels: U8) -> F32:
    """Luma as PyPI pdqhash has it: weighed in float64, rounded to float32 at the end."""
    if pixels.ndim == 2:
        return pixels.astype(np.float32)
    red, green, blue = (pixels[..., i].astype(np.float64) for i in range(3))
    return (red * 0.299 + green * 0.587 + blue * 0.114).astype(np.float32)


def luma_float32(pixels: U8) -> F32:
    """Luma as the C++ file tool has it: all in float32."""
    if pixels.ndim == 2:
        return pixels.astype(np.float32)
    red, green, blue = (pixels[..., i].astype(np.float32) for i in range(3))
    weighed: F32 = (np.float32(0.299) * red + np.float32(0.587) * green) + np.float32(0.114) * blue
    return weighed


def nearest_512(pixels: U8) -> U8:
    """Squeeze a picture with a side over 512 to 512 x 512, as the C++ file tool does."""
    height, width = pixels.shape[:2]
    if height <= 512 and width <= 512:
        return pixels
    rows = [math.floor(i * height / 512) for i in range(512)]
    columns = [math.floor(j * width / 512) for j in range(512)]
    return pixels[rows][:, columns]


def _box_down(lines: F32, window: int) -> F32:
    """One box pass along axis 0, in the four phases of the reference."""
    n = len(lines)
    half = (window + 2) // 2
    out = np.empty_like(lines)
    total = np.zeros(lines.shape[1], np.float32)
    entering = leaving = written = count = 0
    for _ in range(half - 1):
        total = total + lines[entering]
        entering, count = entering + 1, count + 1
    for _ in range(window - half + 1):
        total = total + lines[entering]
        entering, count = entering + 1, count + 1
        out[written] = total / np.float32(count)
        written += 1
    for _ in range(n - window):
        total = total + lines[entering]
        total = total - lines[leaving]
        entering, leaving = entering + 1, leaving + 1
        out[written] = total / np.float32(count)
        written += 1
    for _ in range(half - 1):
        total = total - lines[leaving]
        leaving, count = leaving + 1, count - 1
        out[written] = total / np.float32(count)
        written += 1
    assert written == n
    return out


def _blurred(luma: F32) -> F32:
    height, width = luma.shape
    for _ in range(2):
        luma = _box_down(luma.T.copy(), (width + 127) // 128).T.copy()
        luma = _box_down(luma, (height + 127) // 128)
    return luma


def pdq_grid(luma: F32, *, skip_filter: bool) -> F32:
    """The 64 x 64 samples of the blurred luma."""
    height, width = luma.shape
    if skip_filter and (height, width) == (SIDE, SIDE):
        return luma
    blurred = _blurred(luma)
    rows = [int(((i + 0.5) * height) / SIDE) for i in range(SIDE)]
    columns = [int(((j + 0.5) * width) / SIDE) for j in range(SIDE)]
    return blurred[rows][:, columns]


def pdq_quality(grid: F32) -> int:
    """Sum of whole percents of neighbour differences, by 90, at most 100."""
    total = 0
    for differences in (grid[:-1] - grid[1:], grid[:, :-1] - grid[:, 1:]):
        percents = (differences * np.float32(100)) / np.float32(255)
        total += int(np.abs(percents.astype(np.int64)).sum())
    return min(100, total // 90)


def pdq_coefficients(grid: F32) -> F32:
    """16 x 16 low frequencies, each sum in float32 and in the reference's order."""
    scale = float(np.float32(math.sqrt(2.0 / SIDE)))
    dct = np.array(
        [
            [scale * math.cos((math.pi / 2.0 / SIDE) * (i + 1) * (2 * j + 1)) for j in range(SIDE)]
            for i in range(16)
        ]
    ).astype(np.float32)
    half = np.zeros((16, SIDE), np.float32)
    for k in range(SIDE):
        half = half + dct[:, k : k + 1] * grid[k]
    out = np.zeros((16, 16), np.float32)
    for k in range(SIDE):
        out = out + half[:, k : k + 1] * dct[:, k]
    return out


def _hex_above_median(coefficients: F32) -> str:
    flat = coefficients.ravel()
    median = np.sort(flat)[127]
    return f"{sum(1 << k for k in range(256) if flat[k] > median):064x}"


def turned(b: F32, name: str) -> F32:
    """Coefficients after a dihedral transform, by signs and transposition."""
    i, j = np.indices(b.shape)
    minus = {
        "identity": np.zeros(b.shape, bool),
        "rotate90": j % 2 == 0,
        "rotate180": (i + j) % 2 == 1,
        "rotate270": i % 2 == 0,
        "flip_x": i % 2 == 0,
        "flip_y": j % 2 == 0,
        "flip_plus1": np.zeros(b.shape, bool),
        "flip_minus1": (i + j) % 2 == 1,
    }[name]
    signed = np.where(minus, -b, b)
    transposed = name in {"rotate90", "rotate270", "flip_plus1", "flip_minus1"}
    return signed.T.copy() if transposed else signed


def _pdq_luma(pixels: U8, downsample: bool) -> F32 | None:
    pixels = nearest_512(pixels) if downsample else pixels
    if min(pixels.shape[:2]) < 5:
        return None
    return luma_float32(pixels) if downsample else luma_float64(pixels)


def pdq(pixels: U8, *, downsample: bool = False) -> tuple[str, int]:
    """PDQ of RGB or grey pixels: 64 hex digits and the quality."""
    luma = _pdq_luma(pixels, downsample)
    if luma is None:
        return "0" * 64, 0
    grid = pdq_grid(luma, skip_filter=True)
    return _hex_above_median(pdq_coefficients(grid)), pdq_quality(grid)


def pdq_dihedral(pixels: U8, *, downsample: bool = False) -> tuple[dict[str, str], int]:
    """PDQ of the picture in its eight positions, and the quality."""
    luma = _pdq_luma(pixels, downsample)
    if luma is None:
        return dict.fromkeys(DIHEDRAL, "0" * 64), 0
    grid = pdq_grid(luma, skip_filter=False)
    b = pdq_coefficients(grid)
    return {name: _hex_above_median(turned(b, name)) for name in DIHEDRAL}, pdq_quality(grid)


def hamming(a: bytes, b: bytes) -> int:
    """Differing bits of two equally long byte strings."""
    assert len(a) == len(b)
    return bin(int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).count("1")


def range_search(rows: Sequence[bytes], query: bytes, radius: int) -> list[tuple[int, int]]:
    """(row, distance) of every row within ``radius``, nearest first, ties by row."""
    return [hit for hit in nearest(rows, query, len(rows)) if hit[1] <= radius]


def nearest(rows: Sequence[bytes], query: bytes, k: int) -> list[tuple[int, int]]:
    """(row, distance) of the ``k`` nearest rows, ties by row."""
    hits = [(row, hamming(packed, query)) for row, packed in enumerate(rows)]
    return sorted(hits, key=lambda hit: (hit[1], hit[0]))[:k]


def clusters(rows: Sequence[bytes], radius: int) -> list[tuple[int, ...]]:
    """Connected components of two or more of the graph of pairs within ``radius``."""
    unseen = set(range(len(rows)))
    found = []
    for start in range(len(rows)):
        if start not in unseen:
            continue
        unseen.discard(start)
        group, queue = [start], deque([start])
        while queue:
            here = queue.popleft()
            near = [r for r in unseen if hamming(rows[here], rows[r]) <= radius]
            unseen.difference_update(near)
            group.extend(near)
            queue.extend(near)
        if len(group) > 1:
            found.append(tuple(sorted(group)))
    return sorted(found, key=lambda group: (-len(group), group[0]))
