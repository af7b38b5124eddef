"""Picture or video, by the first bytes: names of files are their uploader's."""

from __future__ import annotations

import struct
from typing import Literal

__all__ = [
    "HEAD_NBYTES",
    "MediaChoice",
    "MediaSort",
    "is_jpeg",
    "later_jpegs",
    "may_move",
    "may_show_through",
    "sort_of",
]

MediaChoice = Literal["auto", "image", "video"]
MediaSort = Literal["image", "video"]

HEAD_NBYTES = 4096

_IMAGES = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"II*\x00",  # TIFF, and BigTIFF below
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
    b"\x00\x00\x01\x00",  # ICO, which begins like MPEG, and CUR: refused, and not as videos.
    b"\x00\x00\x02\x00",
)
_VIDEOS = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"FLV",
    b"OggS",
    b"\x00\x00\x01",  # MPEG, H.264 and H.265 without a container
    b"\x00\x00\x00\x01",
    b"\x30\x26\xb2\x75",  # ASF
    b".RMF",
    b"DKIF",
    b"YUV4MPEG2",
    b"nut/multimedia container",
    b"\x06\x0e\x2b\x34",  # MXF
    b"\xb7\xd8\x00\x20",  # WTV
    b"\x1f\x07\x00",  # DV
)
_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"}
_STILL_BRANDS = {
    *(b"avif", b"avis", b"miaf", b"mif1", b"msf1"),
    *(b"heic", b"heix", b"heim", b"hevc", b"hevx"),
}
_LONGEST_SEGMENT = 1 << 16
_MP_ENTRIES = 0xB002
_TIFFS = _IMAGES[5:9]


def sort_of(head: bytes) -> MediaSort | None:
    """Say what bytes begin like; None for what is no known format of either."""
    if head.startswith(_IMAGES):
        return "image"
    if head[:4] == b"RIFF" and head[8:12] in (b"WEBP", b"AVI "):
        return "image" if head[8:12] == b"WEBP" else "video"
    if head[4:8] in _BOXES:
        return "image" if head[4:8] == b"ftyp" and _is_still(head) else "video"
    is_stream = any(head[at : at + 1] == head[at + 188 : at + 189] == b"G" for at in (0, 4))
    return "video" if head.startswith(_VIDEOS) or is_stream else None


def is_jpeg(source: object) -> bool:
    """Say whether a source is a JPEG's bytes."""
    return isinstance(source, bytes | bytearray | memoryview) and bytes(source[:3]) == _IMAGES[0]


def may_move(data: bytes | bytearray | memoryview) -> bool:
    """Say whether a picture may have more frames or pages than one."""
    head = bytes(data[:HEAD_NBYTES])
    if head[:3] == b"GIF" or head[:4] in _TIFFS:
        return True
    if is_jpeg(head):
        return bool(_mpf_start(data))
    if head[:4] == b"RIFF":  # The flags of VP8X.
        return head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)
    if head[4:8] == b"ftyp":
        return b"avis" in _brands(head)
    return head[:4] == b"\x89PNG" and b"acTL" in bytes(data)


def later_jpegs(data: bytes | bytearray | memoryview) -> list[int]:
    """Return where an MPO's pictures behind the first begin; ValueError if it does not say.

    What is said to lie behind the file's end is not there for anybody.
    """
    base = _mpf_start(data)
    index = bytes(data[base : base + _LONGEST_SEGMENT])
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(index[:4])
    try:
        if order is None:
            raise ValueError("has an index of pictures of no byte order")
        at = struct.unpack_from(f"{order}I", index, 4)[0]
        tags = struct.unpack_from(f"{order}H", index, at)[0]
        for tag, _, nbytes, start in struct.iter_unpack(
            f"{order}HHII", index[at + 2 : at + 2 + 12 * tags]
        ):
            if tag == _MP_ENTRIES:
                entries = index[start : start + nbytes]
                found = [one[2] for one in struct.iter_unpack(f"{order}IIII", entries)]
                return [base + one for one in found[1:] if base + one < len(data)]
    except struct.error:
        raise ValueError("is damaged or truncated: its index of pictures is cut") from None
    return []


def may_show_through(data: bytes | bytearray | memoryview) -> bool:
    """Say whether a picture may be transparent; only its pixels say whether it is."""
    head = bytes(data[:HEAD_NBYTES])
    if head[:4] == b"\x89PNG":
        whole = bytes(data)
        return head[25:26] in (b"\x04", b"\x06") or b"tRNS" in whole[: whole.find(b"IDAT")]
    if head[:4] == b"RIFF":
        return head[12:16] == b"VP8L" or (head[12:16] == b"VP8X" and bool(head[20] & 16))
    if head[4:8] == b"ftyp":
        return b"auxiliary:alpha" in bytes(data[: 1 << 20])
    if head[:2] == b"BM":
        return head[28:29] == b"\x20"  # Bits a pixel.
    return head[:3] == b"GIF" or head[:4] in _TIFFS


def _is_still(head: bytes) -> bool:
    """Say whether a file's brands name a picture: viewers go by any of them, not the first."""
    return not _STILL_BRANDS.isdisjoint(_brands(head))


def _brands(head: bytes) -> list[bytes]:
    """Return the brands of an ``ftyp`` box: the major one, and those that it is compatible with."""
    nbytes, at = int.from_bytes(head[:4]), 8
    if nbytes == 1:  # Its size is in the next eight bytes.
        nbytes, at = int.from_bytes(head[8:16]), 16
    end = min(nbytes or len(head), len(head))
    return [head[at : at + 4], *(head[i : i + 4] for i in range(at + 8, end - 3, 4))]


def _mpf_start(data: bytes | bytearray | memoryview) -> int:
    """Return where a JPEG begins to tell of further pictures behind it (MPO); 0 if it does not."""
    at = 2
    while at + 8 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # Filling.
            at += 1
            continue
        if marker in (0xD9, 0xDA):
            break
        if marker == 0xE2 and bytes(data[at + 4 : at + 8]) == b"MPF\x00":
            return at + 8
        at += 2 + int.from_bytes(bytes(data[at + 2 : at + 4]))
    return 0
