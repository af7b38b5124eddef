"""What Pillow lets pass: files that end early and still decode, files that never end."""

from __future__ import annotations

import re
import struct
import zlib
from typing import NamedTuple

import numpy as np

from fingerprint import kernels

__all__ = [
    "MAX_JPEG_SCANS",
    "GifFrames",
    "gif_frames",
    "is_harmless_jpeg_complaint",
    "jpeg_scans",
    "png_is_whole",
]

MAX_JPEG_SCANS = 500
"""A progressive JPEG has about ten; each one costs a pass over the whole picture."""

# libjpeg-turbo's jerror.h; what is not here means that pixels were made up. A
# premature end of *file* may be no more than a missing end marker: Pillow's
# decoder, which stops where the data stops, tells one from the other.
_HARMLESS = re.compile(
    "extraneous bytes before marker|unknown JFIF revision|Unknown Adobe color transform"
    "|Invalid SOS parameters|Inconsistent progression sequence|Premature end of JPEG file",
    re.IGNORECASE,
)

_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
_ADAM7_LAST = (0, 1, 1, 2)
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def is_harmless_jpeg_complaint(message: str) -> bool:
    """Whether a libjpeg warning leaves every pixel as the file says it."""
    return _HARMLESS.search(message) is not None


def jpeg_scans(data: bytes | bytearray | memoryview) -> int:
    """Count start-of-scan markers; inside compressed data they cannot occur."""
    return int(kernels.markers.count_pairs(np.frombuffer(data, np.uint8), 0xFF, 0xDA))


def png_is_whole(data: bytes | bytearray | memoryview) -> bool:
    """Whether a PNG's first picture has as many bytes, inflated, as its header promises.

    Pillow leaves the rows black for which a well-formed stream has no data.
    """
    view = bytes(data)
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", view[16:29])
    bits = depth * _PNG_SAMPLES[colour]
    passes = (*_ADAM7, _ADAM7_LAST) if interlaced else ((0, 0, 1, 1),)
    missing = 0
    for x, y, dx, dy in passes:
        columns, rows = -(-(width - x) // dx), -(-(height - y) // dy)
        if columns > 0 and rows > 0:
            missing += rows * (1 + (columns * bits + 7) // 8)
    inflater = zlib.decompressobj()
    position = 8
    while position + 8 <= len(view) and missing > 0:
        length = int.from_bytes(view[position : position + 4], "big")
        if view[position + 4 : position + 8] == b"IDAT":
            chunk = view[position + 8 : position + 8 + length]
            while chunk and missing > 0:
                missing -= len(inflater.decompress(chunk, 1 << 20))
                chunk = inflater.unconsumed_tail
        position += length + 12
    return missing <= 0


class GifFrames(NamedTuple):
    """How many pictures a GIF has, and whether it reaches its end mark."""

    n_frames: int
    complete: bool


def gif_frames(data: bytes | bytearray | memoryview) -> GifFrames:
    """Walk the blocks of a GIF; Pillow takes a cut one for a short one."""
    view = bytes(data)
    count = 0
    try:
        flags = view[10]
        position = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
        while view[position] != 0x3B:
            if view[position] == 0x2C:
                count += 1
                flags = view[position + 9]
                position += 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
            elif view[position] == 0x21:
                position += 2
            else:
                return GifFrames(count, complete=False)
            while view[position]:
                position += view[position] + 1
            position += 1
    except IndexError:
        return GifFrames(count, complete=False)
    return GifFrames(count, complete=True)
