"""Compressed or coded anew."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.evaluate.transforms.base import transform

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["jpeg_bytes", "webp_bytes"]

_PALETTE_SIDE_PX = 160


def jpeg_bytes(pixels: U8, quality: float) -> bytes:
    """Return a JPEG file of RGB pixels; quality is 0 to 100."""
    return _coded(pixels, ".jpg", quality)


def webp_bytes(pixels: U8, quality: float) -> bytes:
    """Return a lossy WebP file of RGB pixels; quality is 1 to 100."""
    return _coded(pixels, ".webp", quality)


def _coded(pixels: U8, suffix: str, quality: float) -> bytes:
    import cv2

    option = cv2.IMWRITE_JPEG_QUALITY if suffix == ".jpg" else cv2.IMWRITE_WEBP_QUALITY
    _, data = cv2.imencode(suffix, pixels[..., ::-1], [option, round(quality)])
    return data.tobytes()


def _decoded(data: bytes) -> U8:
    import cv2

    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(picture, np.uint8)[..., ::-1]


@transform("quality, 0 to 100", 95, 75, 50, 30, 20, 10, limits=(0, 100))
def jpeg(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Compress as JPEG and decode again."""
    return _decoded(jpeg_bytes(pixels, strength))


@transform("quality, 1 to 100", 95, 75, 50, 30, 20, 10, limits=(1, 100))
def webp(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Compress as WebP and decode again."""
    return _decoded(webp_bytes(pixels, strength))


@transform("quality, 0 to 100", 75, 50, 30, 10, limits=(0, 100))
def avif(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Compress as AVIF and decode again."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "AVIF", quality=round(strength), speed=9, max_threads=1)
    return np.asarray(Image.open(file).convert("RGB"))


@transform("colours", 256, 64, 16, 8, limits=(2, 256))
def quantise(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Keep a palette of few colours, as a PNG or GIF with a palette does."""
    return _with_palette(pixels, strength, spread=False)


@transform("colours", 64, 16, 8, 4, 2, limits=(2, 256))
def dither(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Keep a palette of few colours and spread the error (Floyd and Steinberg)."""
    return _with_palette(pixels, strength, spread=True)


def _with_palette(pixels: U8, colours: float, *, spread: bool) -> U8:
    from PIL import Image

    picture = Image.fromarray(pixels)
    # The colours of a small copy are those of the picture, and are counted faster.
    small = picture.copy()
    small.thumbnail((_PALETTE_SIDE_PX, _PALETTE_SIDE_PX), Image.Resampling.NEAREST)
    palette = small.quantize(round(colours), Image.Quantize.MEDIANCUT)
    how = Image.Dither.FLOYDSTEINBERG if spread else Image.Dither.NONE
    return np.asarray(picture.quantize(palette=palette, dither=how).convert("RGB"))
