"""JPEG through libjpeg-turbo: the same pixels as Pillow, in less time.

Pillow and simplejpeg both carry libjpeg-turbo with the accurate inverse DCT and
smooth chroma upsampling, so their pixels are equal (tests/test_jpeg_pixels.py
compares them). simplejpeg can also decode the luma alone, and at a fraction of
the size, inside the DCT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["decode_jpeg", "jpeg_complaint"]


def decode_jpeg(
    data: bytes | bytearray | memoryview, *, grey: bool, min_side_px: int | None = None
) -> U8:
    """Decode to (h, w, 3) RGB, or (h, w) luma when ``grey``.

    Parameters
    ----------
    data : bytes-like
        A JPEG file.
    grey : bool
        Decode the luma only.
    min_side_px : int, optional
        Scale down by eighths inside the DCT while both sides keep this length.

    Raises
    ------
    ValueError
        libjpeg had something to complain about: the file is damaged, or merely
        odd. Pillow's decoder knows the difference.
    """
    import simplejpeg

    side = min_side_px or 0
    pixels = simplejpeg.decode_jpeg(
        data,
        colorspace="GRAY" if grey else "RGB",
        min_height=side,
        min_width=side,
        min_factor=1,
        strict=True,
    )
    return cast("U8", pixels[..., 0] if grey else np.asarray(pixels))


def jpeg_complaint(data: bytes | bytearray | memoryview) -> str:
    """Return what libjpeg has to say against a CMYK or YCCK file, or nothing."""
    import simplejpeg

    try:
        simplejpeg.decode_jpeg(data, colorspace="CMYK", strict=True)
    except ValueError as error:
        return str(error)
    return ""
