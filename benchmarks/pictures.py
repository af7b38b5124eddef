"""Where the pictures come from: real photographs where there are some, else made ones."""

from __future__ import annotations

import io
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.measurement import NotRunError

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.settings import Size
    from fingerprint.typing import U8

__all__ = [
    "LARGE_PX",
    "camera_files",
    "jpeg_folder",
    "jpeg_of",
    "noise",
    "photo_paths",
    "photograph",
    "shifted_until",
    "size_name",
]

MEDIA = "FINGERPRINT_MEDIA"
JPEG_QUALITY = 90
MAX_SHIFTS = 2000
LARGE_PX = 1_000_000
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})


def size_name(size: Size) -> str:
    return f"{size[0]}×{size[1]}"


def photo_paths(*, jpeg_only: bool = False, at_most: int | None = None) -> list[Path]:
    """Return the real photographs, evenly thinned out to ``at_most``.

    Raises
    ------
    NotRunError
        There are none on this machine.
    """
    folder = os.environ.get(MEDIA)
    if not folder:
        raise NotRunError(f"{MEDIA} is not set")
    photos = Path(folder) / "photos"
    suffixes = _JPEG_SUFFIXES | (frozenset() if jpeg_only else {".png", ".webp"})
    paths = sorted(p for p in photos.rglob("*") if p.suffix.lower() in suffixes)
    if not paths:
        raise NotRunError(f"there are no photographs in {photos}")
    if at_most is None or at_most >= len(paths):
        return paths
    return [paths[i] for i in np.linspace(0, len(paths) - 1, at_most).astype(int)]


def camera_files() -> list[Path]:
    """Return a camera's own files, of 12 megapixels and more, or raise NotRunError."""
    large = [p for p in photo_paths(jpeg_only=True) if p.parent.name == "large"]
    if not large:
        raise NotRunError(f"there are no camera files in ${MEDIA}/photos/large")
    return large


@lru_cache(maxsize=4)
def photograph(size: Size) -> tuple[U8, str]:
    """Return a photograph of this size, RGB, and what it is."""
    try:
        path = camera_files()[0]
    except NotRunError as reason:
        return natural(size), f"a generated 1/f picture ({reason})"
    with Image.open(path) as image:
        whole = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    return np.array(whole), f"photos/large/{path.name}, resized"


def natural(size: Size, seed: int = 0) -> U8:
    """Make a picture whose spectrum falls with the frequency, as a photograph's does."""
    width, height = size
    generator = np.random.default_rng(seed)
    fy = np.fft.fftfreq(height)[:, None]
    fx = np.fft.rfftfreq(width)[None, :]
    fall = np.maximum(np.hypot(fy, fx), 1 / max(size))
    planes = []
    for _ in range(3):
        phase = generator.uniform(0, 2 * np.pi, fall.shape)
        plane = np.fft.irfft2(np.exp(1j * phase) / fall, s=(height, width))
        low, high = np.percentile(plane, (1, 99))
        planes.append(np.clip((plane - low) / (high - low), 0, 1) * 255)
    # Most of a photograph's contrast is common to its three colours.
    common = planes[0]
    rgb = np.stack([0.7 * common + 0.3 * plane for plane in planes], axis=-1)
    return np.ascontiguousarray(rgb.astype(np.uint8))


def noise(size: Size, seed: int = 0) -> U8:
    width, height = size
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def shifted_until(array: U8, wanted: Callable[[U8], bool]) -> U8:
    """Shift a picture, wrapping around, until it is what is wanted, or raise NotRunError."""
    for step in range(MAX_SHIFTS):
        shifted = np.roll(array, (3 * step, 7 * step), axis=(0, 1))
        if wanted(shifted):
            return shifted
    raise NotRunError(f"none of {MAX_SHIFTS} shifts of the photo is such a picture")


def jpeg_of(array: U8) -> bytes:
    """Encode as cameras and sites mostly do: quality 90, chroma halved."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
    return buffer.getvalue()


def jpeg_folder(n: int, scratch: Path) -> tuple[list[Path], str]:
    """Return n JPEG files, real ones if there are enough, and what they are."""
    try:
        paths = photo_paths(jpeg_only=True, at_most=n)
    except NotRunError as reason:
        paths = []
        for seed in range(n):
            path = scratch / f"{seed:05d}.jpg"
            path.write_bytes(jpeg_of(natural((800, 600), seed)))
            paths.append(path)
        return paths, f"generated, 800×600 ({reason})"
    return paths, f"real photographs from ${MEDIA}/photos"
