"""One meaning for every pixel format: 8-bit RGB or grey, opaque, upright.

The rules, the same for every algorithm:

* Palette, CMYK, YCbCr, HSV and LAB become RGB; 1-bit becomes 0 and 255.
* 16-bit grey keeps its high byte, as libpng and OpenCV do. 32-bit integers are
  read as 16-bit samples when they fit and refused when they do not; float
  pictures are refused, since nothing says what their white is.
* Alpha, and a transparent palette entry or colour, is composited on the
  background, white unless asked, or dropped as the reference tools drop it.
* ICC profiles are ignored, as every reference tool ignores them.
* The EXIF orientation is applied, unless the stored one is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from fingerprint.errors import DecodeError

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["WHITE", "Alpha", "canonical_array", "check_options", "upright"]

Alpha = Literal["composite", "drop"]
WHITE = (255, 255, 255)
# EXIF orientation to OpenCV's codes: 90 clockwise, 180, 90 counter-clockwise; and
# the axis of a flip. 5 and 7 are transposed first.
_ROTATIONS = {6: 0, 3: 1, 7: 1, 8: 2}
_FLIPS = {2: 1, 4: 0}
_TIFF_PHOTOMETRIC = 262
_TIFF_WHITE_IS_ZERO = 0
_ALPHA_MODES = {"RGBA", "LA", "PA", "RGBa", "La"}


def check_options(orientation: object, alpha: object, background: object) -> None:
    """Raise ValueError for an option that has no meaning, naming it."""
    if orientation not in {"upright", "stored"}:
        raise ValueError(f"orientation: expected 'upright' or 'stored', got {orientation!r}")
    if alpha not in {"composite", "drop"}:
        raise ValueError(f"alpha: expected 'composite' or 'drop', got {alpha!r}")
    if (
        not isinstance(background, tuple)
        or len(background) != 3
        or not all(isinstance(v, int) and 0 <= v <= 255 for v in background)
    ):
        raise ValueError(f"background: expected three integers 0 to 255, got {background!r}")


def canonical_array(
    image: Image.Image, name: str, alpha: Alpha = "composite", background: tuple[int, ...] = WHITE
) -> U8:
    """Return the pixels of a loaded Pillow image: (h, w, 3) RGB or (h, w) grey.

    Raises
    ------
    DecodeError
        The pixel format has no defined 8-bit meaning.
    """
    mode = image.mode
    if mode.startswith("I;16") or mode == "I":
        return _sixteen_bit(image, name, alpha, background)
    if mode == "F":
        raise DecodeError(name, "float pixels are not supported: nothing says what white is")
    if mode in _ALPHA_MODES or "transparency" in image.info:
        return _without_alpha(image, alpha, background)
    if mode in {"1", "L"}:
        return np.asarray(image.convert("L"))
    if mode == "LAB":
        return np.asarray(_lab_to_rgb(image))
    return np.asarray(image if mode == "RGB" else image.convert("RGB"))


def upright(array: U8, orientation: int) -> U8:
    """Apply an EXIF orientation tag, 1 to 8, to (h, w) or (h, w, 3) pixels."""
    if orientation == 1:
        return array
    import cv2  # Turns a large picture five times as fast as numpy copies it.

    if orientation in {5, 7}:
        array = np.asarray(cv2.transpose(array), np.uint8)
    if orientation in _ROTATIONS:
        array = np.asarray(cv2.rotate(array, _ROTATIONS[orientation]), np.uint8)
    elif orientation in _FLIPS:
        array = np.asarray(cv2.flip(array, _FLIPS[orientation]), np.uint8)
    return np.ascontiguousarray(array)


def _sixteen_bit(image: Image.Image, name: str, alpha: Alpha, background: tuple[int, ...]) -> U8:
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 0xFFFF):
        raise DecodeError(name, "32-bit pixels that do not fit 16 bits are not supported")
    if getattr(image, "tag_v2", {}).get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO:
        raise DecodeError(name, "16-bit TIFF in which white is zero is not supported")
    grey = (values.astype(np.uint16) >> 8).astype(np.uint8)
    clear = image.info.get("transparency")
    if clear is None or alpha == "drop":
        return grey
    rgb = np.repeat(grey[..., None], 3, axis=2)
    rgb[values == clear] = background
    return rgb


def _without_alpha(image: Image.Image, alpha: Alpha, background: tuple[int, ...]) -> U8:
    if image.mode in {"La", "RGBa"}:
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    rgba = image.convert("RGBA")
    if alpha == "drop":
        return np.asarray(rgba)[..., :3].copy()
    canvas = Image.new("RGB", rgba.size, background)
    canvas.paste(rgba, mask=rgba.getchannel("A"))
    return np.asarray(canvas)


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise DecodeError("<LAB picture>", "cannot be converted to RGB")
    return converted
