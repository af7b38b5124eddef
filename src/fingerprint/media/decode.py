"""Any source to canonical pixels."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple, cast

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageSequence,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from fingerprint.errors import DecodeError, FingerprintError, LimitExceededError
from fingerprint.media.canonical import WHITE, Alpha, canonical_array, upright
from fingerprint.media.jpeg import decode_jpeg
from fingerprint.media.limits import DEFAULT_LIMITS, Limits
from fingerprint.media.pixels import Pixels
from fingerprint.media.source import describe, read_bytes

if TYPE_CHECKING:
    from fingerprint.typing import U8, ImageSource, Orientation

__all__ = ["FORMATS", "decode", "decode_frames"]

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
"""File formats that are opened; everything else is refused unread."""

_PLUGINS = (  # Imported so that they register before `Image.open` names them.
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

_ORIENTATION_TAG = 0x0112


def decode(
    source: ImageSource,
    *,
    luma_only: bool = False,
    min_side_px: int | None = None,
    orientation: Orientation = "upright",
    alpha: Alpha = "composite",
    background: tuple[int, int, int] = WHITE,
    limits: Limits = DEFAULT_LIMITS,
) -> Pixels:
    """Decode one picture; of an animation, its first frame.

    Parameters
    ----------
    source : path, bytes, binary file object, PIL image or ndarray
        An array is uint8 RGB(A) or grey: (h, w), (h, w, 3) or (h, w, 4).
    luma_only : bool
        Allow the luma plane of a JPEG instead of RGB; other formats ignore it.
    min_side_px : int, optional
        Allow a JPEG to be decoded at a fraction of its size as long as both
        sides keep this length; other formats ignore it.
    orientation : {"upright", "stored"}
        Apply the EXIF orientation, or leave the pixels as they are stored. TIFF
        is always upright: Pillow turns it while loading.
    alpha : {"composite", "drop"}
        What to do with transparency.
    background : tuple of int
        RGB that transparent pixels are composited on.
    limits : Limits
        Largest source that is accepted.

    Returns
    -------
    Pixels

    Raises
    ------
    DecodeError
        The source is missing, empty, truncated, damaged, not a picture, or of a
        format or pixel type that is not supported.
    LimitExceededError
        The source is larger than ``limits``.
    TypeError, ValueError
        The source is of no supported type, or an array of a wrong dtype or shape.
    """
    if orientation not in {"upright", "stored"}:
        raise ValueError(f"orientation: expected 'upright' or 'stored', got {orientation!r}")
    rules = _Rules(alpha, background, limits)
    if isinstance(source, np.ndarray):
        return _from_array(source, rules)
    name = describe(source)
    if isinstance(source, Image.Image):
        pixels = _decode_pillow(source, name, rules)
    else:
        data = read_bytes(_encoded(source), limits)
        with _open(data, name, limits) as image:
            pixels = _decode_opened(image, data, name, luma_only, min_side_px, rules)
    return _oriented(pixels, orientation)


def decode_frames(
    source: ImageSource,
    *,
    orientation: Orientation = "upright",
    alpha: Alpha = "composite",
    background: tuple[int, int, int] = WHITE,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Pixels]:
    """Decode every frame of an animation, in order; of a still picture, the one.

    Parameters and errors are those of `decode`; ``limits.max_frames`` is checked
    before the first frame is decoded.
    """
    rules = _Rules(alpha, background, limits)
    if isinstance(source, np.ndarray):
        yield _from_array(source, rules)
        return
    name = describe(source)
    image = (
        source
        if isinstance(source, Image.Image)
        else _open(read_bytes(_encoded(source), limits), name, limits)
    )
    with _decoding(name, limits):
        n_frames = getattr(image, "n_frames", 1)
    if n_frames > limits.max_frames:
        raise LimitExceededError(name, "max_frames", n_frames, limits.max_frames)
    frames = iter(ImageSequence.Iterator(image))
    for _ in range(n_frames):
        with _decoding(name, limits):
            frame = next(frames)
        yield _oriented(_decode_pillow(frame, name, rules), orientation)


def _encoded(
    source: object,
) -> str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]:
    if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview):
        return source
    if hasattr(source, "read"):
        return cast("IO[bytes]", source)
    raise TypeError(
        "source: expected a path, bytes, a binary file object, a PIL image or a uint8 array, "
        f"got {type(source).__name__}"
    )


class _Rules(NamedTuple):
    alpha: Alpha
    background: tuple[int, int, int]
    limits: Limits


@contextmanager
def _decoding(name: str, limits: Limits) -> Iterator[None]:
    """Turn whatever a decoder throws at damaged input into a typed error."""
    try:
        yield
    except FingerprintError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        most = limits.max_pixels
        raise LimitExceededError(name, "max_pixels", most + 1, most) from error
    except MemoryError as error:
        raise DecodeError(name, "there is not enough memory to decode it") from error
    except UnidentifiedImageError as error:
        known = ", ".join(FORMATS)
        raise DecodeError(name, f"is not a picture in a supported format ({known})") from error
    except Exception as error:  # Pillow's plugins raise anything on damaged input.
        raise DecodeError(name, f"is damaged or truncated: {error}") from error


def _open(data: bytes | bytearray | memoryview, name: str, limits: Limits) -> Image.Image:
    with _decoding(name, limits):
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    _check_size(image.width, image.height, name, limits)
    return image


def _check_size(width: int, height: int, name: str, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise DecodeError(name, f"has no pixels ({width}x{height})")
    if width * height > limits.max_pixels:
        raise LimitExceededError(name, "max_pixels", width * height, limits.max_pixels)


def _decode_opened(
    image: Image.Image,
    data: bytes | bytearray | memoryview,
    name: str,
    luma_only: bool,
    min_side_px: int | None,
    rules: _Rules,
) -> Pixels:
    if image.format in {"JPEG", "MPO"} and image.mode in {"RGB", "L"}:
        grey = image.mode == "L" or luma_only
        try:
            array = decode_jpeg(data, grey=grey, min_side_px=min_side_px)
        except ValueError:
            pass  # Pillow says whether the file is truncated or merely odd.
        else:
            with _decoding(name, rules.limits):
                tag = _orientation_tag(image)
            return Pixels(array, image.format, image.width, image.height, tag)
    return _decode_pillow(image, name, rules)


def _decode_pillow(image: Image.Image, name: str, rules: _Rules) -> Pixels:
    _check_size(image.width, image.height, name, rules.limits)
    with _decoding(name, rules.limits):
        image.load()
        array = canonical_array(image, name, rules.alpha, rules.background)
        tag = _orientation_tag(image)
    return Pixels(
        np.ascontiguousarray(array), image.format or "array", image.width, image.height, tag
    )


def _orientation_tag(image: Image.Image) -> int:
    tag = image.getexif().get(_ORIENTATION_TAG, 1)
    return tag if isinstance(tag, int) and 1 <= tag <= 8 else 1


def _oriented(pixels: Pixels, orientation: Orientation) -> Pixels:
    if orientation == "stored" or pixels.orientation == 1:
        return pixels
    return Pixels(
        upright(pixels.array, pixels.orientation),
        pixels.format,
        pixels.width_px,
        pixels.height_px,
        pixels.orientation,
    )


def _from_array(array: U8, rules: _Rules) -> Pixels:
    name = describe(array)
    if array.dtype != np.uint8:
        raise TypeError(f"array: expected uint8, got {array.dtype}")
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in {3, 4}):
        raise ValueError(f"array: expected (h, w), (h, w, 3) or (h, w, 4), got {array.shape}")
    height, width = array.shape[:2]
    _check_size(width, height, name, rules.limits)
    if array.ndim == 3 and array.shape[2] == 4:
        array = canonical_array(Image.fromarray(array), name, rules.alpha, rules.background)
    return Pixels(np.ascontiguousarray(array), "array", width, height)
