"""Malformed pictures, made deterministically from healthy ones."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

SIZE = (40, 28)


@dataclass(frozen=True, slots=True)
class Case:
    """One malformed source; ``limit`` names the limit that must refuse it."""

    name: str
    data: bytes
    limit: str = ""


def picture(size: tuple[int, int] = SIZE, seed: int = 7) -> Image.Image:
    """Gradients with noise on top: every part of it differs from every other."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = [x / width * 255, y / height * 255, (x + y) / (width + height) * 255]
    noise = np.random.default_rng(seed).normal(0, 12, (height, width, 3))
    return Image.fromarray((np.stack(planes, 2) + noise).clip(0, 255).astype(np.uint8))


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    """Encode with Pillow."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One PNG chunk with its right CRC."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, depth: int, colour: int, rows: bytes, *extra: tuple[bytes, bytes]
) -> bytes:
    """A PNG of raw rows, filter bytes included, with chunks before its IDAT."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


def tiff(
    width: int,
    height: int,
    bits: tuple[int, ...],
    photometric: int,
    samples: bytes,
    order: str = "<",
    **tags: int,
) -> bytes:
    """An uncompressed TIFF of one strip; extra tags as ``t<number>=value``."""
    values: dict[int, tuple[int, ...]] = {256: (width,), 257: (height,), 258: bits, 259: (1,)}
    values |= {262: (photometric,), 273: (0,), 277: (len(bits),), 278: (height,)}
    values |= {279: (len(samples),)} | {int(name[1:]): (value,) for name, value in tags.items()}
    entries, tail = b"", b""
    start = 8 + 2 + 12 * len(values) + 4
    end = start + sum(2 * len(v) for v in values.values() if len(v) > 2)
    values[273] = (end,)
    for tag, value in sorted(values.items()):
        long = len(value) == 1 and (tag in {256, 257, 273, 278, 279})
        raw = struct.pack(f"{order}{len(value)}{'I' if long else 'H'}", *value)
        if len(raw) > 4:
            raw, tail = struct.pack(f"{order}I", start + len(tail)), tail + raw
        entries += struct.pack(f"{order}HHI", tag, 4 if long else 3, len(value))
        entries += raw.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(values))
    return head + entries + bytes(4) + tail + samples


@lru_cache(maxsize=1)
def healthy() -> dict[str, bytes]:
    """One small file of every kind that is damaged below."""
    rgb = picture()
    frames = [picture(seed=seed) for seed in (8, 9, 10)]
    film: dict[str, object] = {"save_all": True, "append_images": frames, "duration": 40}
    rgba = Image.merge("RGBA", [*rgb.split(), frames[0].convert("L")])
    made = {
        "jpeg": encode(rgb, "JPEG"),
        "jpeg-grey": encode(rgb.convert("L"), "JPEG", quality=90),
        "jpeg-restart": encode(rgb, "JPEG", restart_marker_blocks=2, subsampling=0),
        "jpeg-cmyk": encode(rgb.convert("CMYK"), "JPEG"),
        "jpeg-exif": encode(rgb, "JPEG", exif=b"Exif\0\0" + encode(rgb, "TIFF")[:8] + bytes(8)),
        "progressive": encode(rgb, "JPEG", progressive=True),
        "png": encode(rgb, "PNG"),
        "png-palette": encode(rgb.quantize(50), "PNG", transparency=3),
        "png-grey16": encode(Image.fromarray(np.asarray(rgb)[..., 0].astype("<u2") * 257), "PNG"),
        "apng": encode(rgb, "PNG", **film),
        "gif": encode(rgb, "GIF"),
        "gif-animated": encode(rgb, "GIF", **film),
        "webp": encode(rgb, "WEBP"),
        "webp-alpha": encode(rgba, "WEBP"),
        "webp-lossless": encode(rgb, "WEBP", lossless=True),
        "webp-animated": encode(rgb, "WEBP", **film),
        "bmp": encode(rgb, "BMP"),
        "bmp-palette": encode(rgb.quantize(50), "BMP"),
        "avif": encode(rgb, "AVIF"),
        "tiff-g4": encode(rgb.convert("1"), "TIFF", compression="group4"),
        "tiff-pages": encode(rgb, "TIFF", save_all=True, append_images=frames),
    }
    for kind in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd"):
        made[f"tiff-{kind}"] = encode(rgb, "TIFF", compression=kind)
    return made


def film(name: str, count: int) -> bytes:
    """An animation of many small frames."""
    frames = [Image.new("L", (2, 2), k % 251) for k in range(count)]
    form = {"gif": "GIF", "tiff": "TIFF", "apng": "PNG", "webp": "WEBP"}[name.split("-")[0]]
    return encode(frames[0], form, save_all=True, append_images=frames[1:])


def blocks(data: bytes) -> list[tuple[int, int]]:
    """Start and end of every segment, chunk, box, entry or strip of a healthy file."""
    if data.startswith(b"\xff\xd8"):
        return list(_jpeg_blocks(data))
    if data.startswith(b"\x89PNG"):
        return [(0, 8), *_sized(data, 8, len(data), ">I", 12)]
    if data.startswith(b"GIF8"):
        return list(_gif_blocks(data))
    if data.startswith(b"RIFF"):
        return [(0, 12), *_riff_blocks(data, 12, len(data))]
    if data.startswith(b"BM"):
        start = struct.unpack_from("<I", data, 10)[0]
        row = (len(data) - start) // SIZE[1]
        rows = ((at, at + row) for at in range(start, len(data) - row + 1, row))
        return [(0, 14), (14, start), *rows]
    if data.startswith(b"II"):
        return list(_tiff_blocks(data))
    return list(_boxes(data, 0, len(data)))


def _sized(
    data: bytes, at: int, end: int, form: str, overhead: int, even: int = 0
) -> Iterator[tuple[int, int]]:
    while at < end:
        size = struct.unpack_from(form, data, at + even)[0] + overhead
        size += size % 2 if even else 0
        yield at, min(at + size, end)
        at += size


def _riff_blocks(data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    for start, stop in _sized(data, at, end, "<I", 8, even=4):
        yield start, stop
        if data[start : start + 4] == b"ANMF":
            yield from _riff_blocks(data, start + 24, stop)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    skips = {b"meta": 12, b"iprp": 8, b"ipco": 8, b"iinf": 14}
    for start, stop in _sized(data, at, end, ">I", 0):
        yield start, stop
        if inner := skips.get(data[start + 4 : start + 8]):
            yield from _boxes(data, start + inner, stop)


def _jpeg_blocks(data: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(data):
        marker = data[at + 1]
        end = at + 2
        if marker not in {0xD8, 0xD9, *range(0xD0, 0xD8)}:
            end += struct.unpack_from(">H", data, at + 2)[0]
        yield at, end
        if marker == 0xDA or 0xD0 <= marker <= 0xD7:
            start = end
            while data[end] != 0xFF or data[end + 1] == 0:
                end += 1
            yield start, end
        at = end


def _gif_blocks(data: bytes) -> Iterator[tuple[int, int]]:
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 128 else 0)
    yield from ((0, 6), (6, 13), (13, at))
    while data[at : at + 1] in {b"!", b","}:
        end = at + 2
        if data[at] == ord(","):
            end = at + 10 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 128 else 0) + 1
        yield at, end
        while data[end]:
            yield end, end + data[end] + 1
            end += data[end] + 1
        at = end + 1
    yield at, at + 1


def _tiff_blocks(data: bytes) -> Iterator[tuple[int, int]]:
    yield 0, 8
    ifd = struct.unpack_from("<I", data, 4)[0]
    while ifd:
        count = struct.unpack_from("<H", data, ifd)[0]
        after = ifd + 2 + 12 * count
        yield ifd, after + 4
        tags = {}
        for at in range(ifd + 2, after, 12):
            yield at, at + 12
            tag, form, n, value = struct.unpack_from("<HHII", data, at)
            tags[tag] = (value & 0xFFFF if form == 3 and n == 1 else value, n)
        if tags[273][1] == 1:
            yield tags[273][0], tags[273][0] + tags[279][0]
        ifd = struct.unpack_from("<I", data, after)[0]


def truncations(data: bytes) -> list[int]:
    """Lengths to cut at: every class of place, and the last 16 bytes."""
    marks = {0, len(data)}
    for start, end in blocks(data):
        marks |= {start, start + 2, start + 4, start + 8, end}
        if end - start > 64:
            marks |= {start + (end - start) * k // 9 for k in range(1, 9)}
    cuts = {mark + by for mark in marks for by in (-1, 0, 1)}
    cuts |= set(range(1, 13)) | set(range(len(data) - 16, len(data)))
    return sorted(cut for cut in cuts if 0 < cut < len(data))


def damaged(name: str) -> list[Case]:
    """Flips, splices, moved and missing chunks, and lying lengths of one file."""
    data = healthy()[name]
    dice = random.Random(name)
    found = []
    for k in range(24):
        mutant = bytearray(data)
        head = min(len(data), 200) if k % 2 else len(data)
        for _ in range(1 << k % 5):
            mutant[dice.randrange(head)] ^= 1 << dice.randrange(8)
        found.append(Case(f"{name}: flip {k}", bytes(mutant)))
    for k in range(16):
        a, b = sorted(dice.randrange(len(data)) for _ in range(2))
        at = dice.randrange(len(data))
        piece = dice.randbytes(b - a) if k % 2 else data[a:b]
        found.append(Case(f"{name}: overwrite {k}", data[:at] + piece + data[at + b - a :]))
        found.append(Case(f"{name}: insert {k}", data[:at] + piece[:99] + data[at:]))
        found.append(Case(f"{name}: cut out {k}", data[:a] + data[b:]))
    parts = blocks(data)
    step = max(1, len(parts) // 25)
    for k, (a, b) in enumerate(parts[::step]):
        found += [
            Case(f"{name}: without block {k}", data[:a] + data[b:]),
            Case(f"{name}: twice block {k}", data[:b] + data[a:b] + data[b:]),
            Case(f"{name}: zeroed block {k}", data[:a] + bytes(b - a) + data[b:]),
            Case(f"{name}: block {k} last", data[:a] + data[b:] + data[a:b]),
        ]
        for at in (a, a + 2, a + 4, a + 8):
            found += [
                Case(f"{name}: lie at {at}", data[:at] + lie + data[at + 4 :])
                for lie in (b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\1\0\0\0")
            ]
    return found


def _patched(data: bytes, at: int, form: str, *values: int) -> bytes:
    size = struct.calcsize(form)
    return data[:at] + struct.pack(form, *values) + data[at + size :]


def _ifd_bomb(entries: int, nbytes: int) -> bytes:
    """Thousands of tags that all point at the same bytes."""
    where = 8 + 2 + 12 * entries + 4
    tags = [struct.pack("<HHII", 30000 + i, 1, nbytes, where) for i in range(entries)]
    return b"II*\0\x08\0\0\0" + struct.pack("<H", entries) + b"".join(tags) + bytes(4 + nbytes)


def jpeg_with_scans(count: int) -> bytes:
    """A progressive JPEG whose last refinement scan stands there ``count`` times more."""
    data = encode(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
    end = len(data) - 2
    start = data.rindex(b"\xff\xda")
    return data[:end] + data[start:end] * count + data[end:]


def jpeg_of_size(width: int, height: int, name: str = "jpeg") -> bytes:
    """A healthy JPEG whose header says another size."""
    data = healthy()[name]
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return _patched(data, at + 5, ">HH", height, width)


def bombs() -> list[Case]:
    """Small files that ask for gigabytes, or for hours."""
    good = healthy()
    gif, bmp = good["gif"], good["bmp"]
    anmf = bytes(6) + b"\x27\0\0\x1b\0\0" + bytes(4) + good["webp-lossless"][12:]
    vp8x = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + b"\xff\xff\0\xff\xff\0"
    vp8x += b"ANIM\6" + bytes(9) + b"ANMF" + struct.pack("<I", len(anmf)) + anmf
    webp = b"RIFF" + struct.pack("<I", len(vp8x) + 4) + b"WEBP" + vp8x
    ispe = good["avif"].index(b"ispe") + 8
    vp8 = good["webp"].index(b"\x9d\x01\x2a") + 3
    text, row = zlib.compress(bytes(1 << 26), 9), bytes(4)
    loop = good["tiff-raw"]
    ifd = struct.unpack_from("<I", loop, 4)[0]
    after = ifd + 2 + 12 * struct.unpack_from("<H", loop, ifd)[0]
    apng = good["apng"].index(b"acTL") + 4
    return [
        Case("png 50000x50000", png(50_000, 50_000, 8, 2, bytes(99)), "max_pixels"),
        Case("png 2^31", png(2**31 - 1, 2**31 - 1, 16, 6, bytes(99)), "max_pixels"),
        Case("jpeg 65500x65500", jpeg_of_size(65500, 65500), "max_pixels"),
        Case("progressive 65500", jpeg_of_size(65500, 65500, "progressive"), "max_pixels"),
        Case("gif screen", _patched(gif, 6, "<HH", 65535, 65535), "max_pixels"),
        Case("gif frame", _patched(gif, gif.index(b",", 13 + 768) + 5, "<HH", 65535, 65535)),
        Case("bmp 50000x50000", _patched(bmp, 18, "<ii", 50_000, 50_000), "max_pixels"),
        Case("bmp top-down", _patched(bmp, 18, "<ii", 50_000, -50_000), "max_pixels"),
        Case("bmp most negative", _patched(bmp, 18, "<ii", 50_000, -(2**31))),
        Case("webp canvas 65536", webp, "max_pixels"),
        Case("webp 16383", _patched(good["webp"], vp8, "<HH", 16383, 16383), "max_pixels"),
        Case("avif ispe", _patched(good["avif"], ispe, ">II", 60_000, 60_000)),
        Case("tiff 10^10", tiff(10**5, 10**5, (8, 8, 8), 2, row), "max_pixels"),
        Case("tiff strip of 4 GB", tiff(9, 9, (8,), 1, row, t279=2**32 - 1)),
        Case("tiff strips of 0 rows", tiff(9000, 9000, (8,), 1, row, t278=0)),
        Case("tiff 65535 samples", tiff(99, 99, (8,), 1, row, t277=65535)),
        Case("tiff lzw of nothing", tiff(10_000, 10_000, (8,), 1, row, t259=5)),
        Case("tiff tags", _ifd_bomb(4000, 1 << 20)),
        Case("tiff ifd loop", _patched(loop, after, "<I", ifd)),
        Case("png exif tags", png(1, 1, 8, 0, b"\0\0", (b"eXIf", _ifd_bomb(4000, 1 << 20)))),
        Case("png iccp", png(1, 1, 8, 0, b"\0\0", (b"iCCP", b"x\0\0" + text))),
        Case("png ztxt", png(1, 1, 8, 0, b"\0\0", (b"zTXt", b"x\0\0" + text))),
        Case("png itxt", png(1, 1, 8, 0, b"\0\0", (b"iTXt", b"x\0\1\0\0\0" + text))),
        Case("png idat", png(8, 8, 8, 0, bytes(1 << 26))),
        Case("apng frames", _patched(good["apng"], apng, ">I", 2**31 - 1)),
        Case("jpeg scans", jpeg_with_scans(20_000)),
    ]


def lying_headers() -> list[Case]:
    """Sizes of zero, and sizes that are larger than what follows."""
    good = healthy()
    found = [
        Case("png 0x9", png(0, 9, 8, 0, bytes(99))),
        Case("png 9x0", png(9, 0, 8, 0, bytes(99))),
        Case("tiff 0x0", tiff(0, 0, (8,), 1, b"")),
        Case("tiff 0 bits", tiff(4, 4, (0,), 1, bytes(16))),
        Case("jpeg 0x0", jpeg_of_size(0, 0)),
        Case("gif 0x0", _patched(good["gif"], 6, "<HH", 0, 0)),
        Case("bmp 0x0", _patched(good["bmp"], 18, "<ii", 0, 0)),
        Case("bmp offset", _patched(good["bmp"], 10, "<I", 2**32 - 1)),
        Case("bmp header 2 GB", _patched(good["bmp"], 14, "<I", 2**31)),
        Case("png without idat", b"\x89PNG\r\n\x1a\n" + good["png"][8:33] + good["png"][-12:]),
    ]
    found += [Case(f"{k} x2 rows", taller(k)) for k in ("jpeg", "progressive", "png", "bmp", "gif")]
    return found


def taller(name: str) -> bytes:
    """A healthy file whose header promises twice the rows that it holds."""
    data, (width, height) = healthy()[name], SIZE
    if name == "png":
        header = png_chunk(b"IHDR", struct.pack(">II", width, 2 * height) + data[24:29])
        return data[:8] + header + data[33:]
    if name == "bmp":
        return _patched(data, 22, "<i", 2 * height)
    if name == "gif":
        return _patched(data, data.index(b",", 13 + 768) + 7, "<H", 2 * height)
    return jpeg_of_size(width, 2 * height, name)


def not_pictures() -> list[Case]:
    """What people upload instead of a picture."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(zipfile.ZipInfo("picture.jpg"), healthy()["jpeg"])
    return [
        Case("zeros", bytes(4096)),
        Case("text", b"This is not a picture.\n" * 40),
        Case("html", b"<!DOCTYPE html><html><body><img src='x.jpg'></body></html>"),
        Case("svg", b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"),
        Case("pdf", b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"),
        Case("zip", archive.getvalue()),
        Case("sqlite", b"SQLite format 3\0\x10\0\x01\x01\0@  ".ljust(4096, b"\0")),
        Case("ppm", b"P6 2 2 255\n" + bytes(12)),
        Case("noise", random.Random(1).randbytes(5000)),
    ]


def corpus() -> list[Case]:
    """All of it, truncations included."""
    cuts = [
        Case(f"{name}: first {cut} bytes", data[:cut])
        for name, data in healthy().items()
        for cut in truncations(data)
    ]
    cuts += [case for name in healthy() for case in damaged(name)]
    return cuts + bombs() + lying_headers() + not_pictures()
