"""Any source to canonical pixels."""

from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING, NamedTuple, cast

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from fingerprint.errors import DecodeError, FingerprintError, LimitExceededError
from fingerprint.media.canonical import WHITE, Alpha, canonical_array, check_options, upright
from fingerprint.media.jpeg import decode_jpeg, jpeg_complaint
from fingerprint.media.limits import DEFAULT_LIMITS, Limits
from fingerprint.media.pixels import Pixels
from fingerprint.media.source import describe, read_bytes
from fingerprint.media.structure import (
    MAX_JPEG_SCANS,
    gif_frames,
    is_harmless_jpeg_complaint,
    jpeg_scans,
    png_is_whole,
)

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
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_GREY_LEVELS = {"L;2": 3, "L;4": 15}
_LOADING = threading.Lock()


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
    check_options(orientation, alpha, background)
    rules = _Rules(alpha, background, limits)
    if isinstance(source, np.ndarray):
        return _from_array(source, rules)
    name = describe(source)
    if isinstance(source, Image.Image):
        pixels = _decode_pillow(source, b"", name, rules)
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
    check_options(orientation, alpha, background)
    rules = _Rules(alpha, background, limits)
    if isinstance(source, np.ndarray):
        yield _from_array(source, rules)
        return
    name = describe(source)
    if isinstance(source, Image.Image):
        yield from _frames(source, b"", name, orientation, rules)
        return
    data = read_bytes(_encoded(source), limits)
    with _open(data, name, limits) as image:
        yield from _frames(image, data, name, orientation, rules)


def _frames(
    image: Image.Image,
    data: bytes | bytearray | memoryview,
    name: str,
    orientation: Orientation,
    rules: _Rules,
) -> Iterator[Pixels]:
    n_frames = _count_frames(image, data, name, rules.limits)
    for number in range(n_frames):
        with _decoding(name, rules.limits):
            image.seek(number)
        yield _oriented(_decode_pillow(image, data, name, rules), orientation)


def _count_frames(
    image: Image.Image, data: bytes | bytearray | memoryview, name: str, limits: Limits
) -> int:
    most = limits.max_frames
    if image.format == "GIF" and data:
        found = gif_frames(data)
        if found.n_frames > most:
            raise LimitExceededError(name, "max_frames", found.n_frames, most)
        if not found.complete:
            raise DecodeError(name, "is damaged or truncated: the GIF has no end mark")
    with _decoding(name, limits):
        if image.format == "TIFF":
            n_frames = _count_pages(image, most)
        else:
            n_frames = int(getattr(image, "n_frames", 1))
    if n_frames > most:
        raise LimitExceededError(name, "max_frames", n_frames, most)
    return n_frames


def _count_pages(image: Image.Image, most: int) -> int:
    """Count the pages of a TIFF, to one beyond the limit: all take their number squared."""
    n_pages = 1
    while n_pages <= most:
        try:
            image.seek(n_pages)
        except EOFError:
            break
        n_pages += 1
    image.seek(0)
    return n_pages


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
        found, most = (int(n) for n in re.findall(r"\d+", str(error))[:2])
        allowed = limits.max_pixels if found > limits.max_pixels else most
        raise LimitExceededError(name, "max_pixels", found, allowed) from error
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
    if image.format not in {"JPEG", "MPO"}:
        return _decode_pillow(image, data, name, rules)
    if jpeg_scans(data) > MAX_JPEG_SCANS:
        raise DecodeError(name, f"has more than {MAX_JPEG_SCANS} JPEG scans")
    if image.mode in {"RGB", "L"}:
        grey = image.mode == "L" or luma_only
        try:
            array = decode_jpeg(data, grey=grey, min_side_px=min_side_px)
        except ValueError as error:
            complaint = str(error)
        else:
            with _decoding(name, rules.limits):
                tag = _orientation_tag(image)
            return Pixels(array, image.format, image.width, image.height, tag)
    else:
        complaint = jpeg_complaint(data)
    if complaint and not is_harmless_jpeg_complaint(complaint):
        raise DecodeError(name, f"is damaged or truncated: {complaint}")
    return _decode_pillow(image, data, name, rules)


def _decode_pillow(
    image: Image.Image, data: bytes | bytearray | memoryview, name: str, rules: _Rules
) -> Pixels:
    width, height = _stated_size(image)
    _check_size(width, height, name, rules.limits)
    with _decoding(name, rules.limits):
        _load(image, name, shared=not data)
        array = canonical_array(image, name, rules.alpha, rules.background)
        tag = _orientation_tag(image)
        # Rows that Pillow had no data for are black.
        if image.format == "PNG" and data and not np.asarray(image)[-2:].any(axis=None):
            whole = png_is_whole(data)
            if not whole:
                raise DecodeError(name, "is damaged or truncated: the PNG has too few rows")
    return Pixels(np.ascontiguousarray(array), image.format or "array", width, height, tag)


def _stated_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height as they are stored: Pillow states a TIFF's as turned."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(_TIFF_WIDTH, image.width), tags.get(_TIFF_HEIGHT, image.height)


def _load(image: Image.Image, name: str, *, shared: bool) -> None:
    """Load the pixels; ``shared`` when other threads may hold the same image."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        image.load()
        return
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise DecodeError(
            name,
            "is not decoded while PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set in this process: "
            "cut files would pass for whole ones",
        )
    raw_mode = tiles[0][3]
    raw_mode = raw_mode[0] if isinstance(raw_mode, tuple) and raw_mode else raw_mode
    clear = image.info.get("transparency")
    if image.format == "PNG" and clear is not None:
        if raw_mode in _GREY_LEVELS and isinstance(clear, int):
            # Pillow scales the pixels to 0..255, but not the transparent level.
            image.info["transparency"] = clear * 255 // _GREY_LEVELS[raw_mode]
        elif raw_mode == "RGB;16B":
            raise DecodeError(name, "16-bit RGB with a transparent colour is not supported")
    with _LOADING if shared else nullcontext():
        image.load()


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
