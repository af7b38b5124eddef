"""Lists that come packed as gzip or zstd, told by their first bytes, and unpacked as they are read.

What cannot be unpacked to its end is an error: a list cut short would otherwise pass for
a whole one, and everything behind the cut for withdrawn.
"""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO, cast

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListLimits

__all__ = ["is_packed", "packer", "unpacked"]

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = tuple(bytes([n]) + b"\x2a\x4d\x18" for n in range(0x50, 0x60))
_OTHERS = {b"PK\x03\x04": "ZIP", b"\xfd7zX": "xz", b"7z\xbc\xaf": "7z", b"Rar!": "RAR"}

_FREE_NBYTES = 64 << 20
"""So much is unpacked before the ratio is looked at: small lists of few words pack well."""

_GZIP_AT_ONCE = 1 << 16
_ZSTD_AT_ONCE = 1 << 10
"""Four bytes of zstd can say 128 KiB, and zstandard returns all that its input says."""

_ZSTD_WINDOW = 1 << 27
"""What `zstd` itself unpacks without being told to."""


def is_packed(start: bytes) -> bool:
    """Tell whether something that starts like this is gzip or zstd."""
    return start.startswith((_GZIP, _ZSTD, *_ZSTD_SKIPPED))


def unpacked(stream: BinaryIO, name: str, limits: ListLimits = DEFAULT_LIMITS) -> BinaryIO:
    """Return a stream of what is in a stream: unpacked, or as it is when it is not packed.

    Several gzip members or zstd frames, one after the other, are read as one.

    Parameters
    ----------
    stream : BinaryIO
        At its start. It is left open.
    name : str
        What messages call it.
    limits : ListLimits
        ``max_nbytes`` and ``max_ratio``, the latter beyond the first 64 MiB.

    Raises
    ------
    ListFormatError
        It is packed in another way; or later, while reading: it is damaged, cut short,
        goes on behind its end, or unpacks to more than the limits allow.
    """
    start = _read_fully(stream, 4)
    for magic, packing in _OTHERS.items():
        if start == magic:
            raise ListFormatError(name, f"is packed as {packing}: expected gzip, zstd or none")
    if not is_packed(start):
        return _put_back(stream, start)
    member = _GzipMember if start.startswith(_GZIP) else _ZstdFrame
    return io.BufferedReader(_Unpacked(stream, start, member, name, limits), _GZIP_AT_ONCE)


def _read_fully(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data


def _put_back(stream: BinaryIO, start: bytes) -> BinaryIO:
    """Return a stream as it was before its first bytes were read."""
    if _is_seekable(stream):
        stream.seek(-len(start), io.SEEK_CUR)
        return stream
    return io.BufferedReader(_Joined(start, stream), _GZIP_AT_ONCE)


def _is_seekable(stream: BinaryIO) -> bool:
    seekable = getattr(stream, "seekable", None)
    return bool(seekable and seekable())


class _Joined(io.RawIOBase):
    """A few bytes, and then a stream that cannot be wound back."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start = start
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._start[: len(buffer)]
        self._start = self._start[len(data) :]
        data = data or self._rest.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _GzipMember:
    """One member of a gzip file."""

    name = "gzip"
    nbytes_at_once = _GZIP_AT_ONCE
    error = zlib.error

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(wbits=31)

    def unpack(self, data: bytes) -> tuple[bytes, bytes]:
        """Return some of what it says, and what of it is to be given again."""
        out = self._inflater.decompress(data, 1 << 20)
        return out, self._inflater.unconsumed_tail or self._inflater.unused_data

    @property
    def is_whole(self) -> bool:
        return self._inflater.eof

    @staticmethod
    def can_start(data: bytes) -> bool:
        return data.startswith(_GZIP)


class _ZstdFrame:
    """One frame of a zstd file."""

    name = "zstd"
    nbytes_at_once = _ZSTD_AT_ONCE

    def __init__(self) -> None:
        import zstandard

        self.error = zstandard.ZstdError
        self._frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()

    def unpack(self, data: bytes) -> tuple[bytes, bytes]:
        """Return all that it says, and what is behind its end."""
        return self._frame.decompress(data), self._frame.unused_data

    @property
    def is_whole(self) -> bool:
        return self._frame.eof

    @staticmethod
    def can_start(data: bytes) -> bool:
        return data.startswith((_ZSTD, *_ZSTD_SKIPPED))


class _Unpacked(io.RawIOBase):
    """What is in a packed stream, a few bytes at a time."""

    def __init__(
        self,
        stream: BinaryIO,
        start: bytes,
        member: type[_GzipMember] | type[_ZstdFrame],
        name: str,
        limits: ListLimits,
    ) -> None:
        self._stream = stream
        self._packed = start
        self._member_class = member
        self._member = member()
        self._name = name
        self._limits = limits
        self._ready = memoryview(b"")
        self._read_nbytes = len(start)
        self._made_nbytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if self._member.is_whole and not self._start_next():
                return 0
            self._unpack_some()
        n = min(len(buffer), len(self._ready))
        buffer[:n] = self._ready[:n]
        self._ready = self._ready[n:]
        return n

    def _start_next(self) -> bool:
        """Begin the next member; False when there is none."""
        while len(self._packed) < 4 and self._fill():
            pass
        if not self._packed:
            return False
        self._member = self._member_class()
        if not self._member.can_start(self._packed):
            raise ListFormatError(self._name, f"there is something behind the {self._member.name}")
        return True

    def _unpack_some(self) -> None:
        is_end = not self._packed and not self._fill()
        try:
            # At the end of the input zlib may still hold a few bytes of output.
            out, self._packed = self._member.unpack(self._packed)
        except self._member.error as error:
            raise ListFormatError(
                self._name, f"the {self._member.name} is damaged: {error}"
            ) from None
        if is_end and not out and not self._member.is_whole:
            raise ListFormatError(self._name, f"the {self._member.name} is cut short")
        self._made_nbytes += len(out)
        self._check()
        self._ready = memoryview(out)

    def _fill(self) -> bool:
        more = self._stream.read(self._member.nbytes_at_once)
        self._packed += more
        self._read_nbytes += len(more)
        return bool(more)

    def _check(self) -> None:
        made, limits = self._made_nbytes, self._limits
        if made > limits.max_nbytes:
            raise ListFormatError(
                self._name, f"unpacks to more than {limits.max_nbytes:,} bytes, the limit"
            )
        if made > _FREE_NBYTES and made > limits.max_ratio * self._read_nbytes:
            raise ListFormatError(
                self._name,
                f"unpacks to more than {limits.max_ratio:,} times its size, the limit",
            )


def packer(stream: BinaryIO, path: str) -> BinaryIO | None:
    """Return a stream that packs into another as a path's suffix says; None for no packing.

    Closing it leaves the other open.
    """
    lower = path.lower()
    if lower.endswith(".gz"):
        import gzip

        # No name and no time in it: the same list gives the same bytes.
        return cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0))
    if lower.endswith((".zst", ".zstd")):
        import zstandard

        packed = zstandard.ZstdCompressor(write_checksum=True)
        return cast(BinaryIO, packed.stream_writer(stream, closefd=False))
    return None
