"""The bytes of a video: read once, counted, and digested on the way to the decoder."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fingerprint.errors import DecodeError, LimitExceededError
from fingerprint.media.source import describe

if TYPE_CHECKING:
    from fingerprint.typing import VideoSource

__all__ = ["DIGESTS", "DigestingReader", "open_bytes"]

DIGESTS = ("md5", "sha1", "sha256")
_PIECE_NBYTES = 1 << 20


class DigestingReader:
    """A file for the decoder that digests what is read for the first time.

    Decoders jump about a little (an index at the end, a tail to tell the duration);
    digests need every byte in order. So bytes count when they come next in order, whoever
    reads them, and `digests` reads what nobody read.

    Parameters
    ----------
    file : binary file object
        Read from where it stands.
    name : str
        For errors.
    max_nbytes : int
        Most bytes that it may have.
    wanted : bool
        Whether `digests` will be asked for.
    """

    def __init__(self, file: IO[bytes], name: str, max_nbytes: int, *, wanted: bool) -> None:
        self._file = file
        self._name = name
        self._max_nbytes = max_nbytes
        self._hashes = [hashlib.new(d, usedforsecurity=False) for d in DIGESTS] if wanted else []
        self._hashed = 0
        self._at = 0
        self._nbytes = -1
        # PyAV looks for a seek attribute, and takes its absence for a pipe.
        if _is_seekable(file):
            self._start = file.tell()
            self._nbytes = file.seek(0, os.SEEK_END) - self._start
            file.seek(self._start)
            if self._nbytes > max_nbytes:
                raise LimitExceededError(name, "max_nbytes", self._nbytes, max_nbytes)
            self.seek = self._seek

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes."""
        data = self._file.read(size)
        if not isinstance(data, bytes | bytearray):
            raise TypeError(f"{self._name}: expected a file opened in binary mode")
        data = bytes(data)
        if 0 <= size < len(data):  # PyAV would copy them all, beyond its buffer.
            raise DecodeError(self._name, f"read({size}) of the file returned {len(data)} bytes")
        if self._at <= self._hashed < self._at + len(data):
            fresh = memoryview(data)[self._hashed - self._at :]
            for one in self._hashes:
                one.update(fresh)
            self._hashed += len(fresh)
        self._at += len(data)
        if self._at > self._max_nbytes:
            raise LimitExceededError(self._name, "max_nbytes", self._at, self._max_nbytes)
        return data

    def tell(self) -> int:
        """Return how many bytes are behind."""
        return self._at

    def _seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._at
        elif whence == os.SEEK_END:
            offset += self._nbytes
        self._file.seek(self._start + max(0, offset))
        self._at = max(0, offset)
        return self._at

    def digests(self) -> dict[str, str]:
        """Return MD5, SHA-1 and SHA-256 of all bytes as hex, reading those that are left."""
        if not self._hashes:
            raise ValueError("digests: expected digests=True when the video was opened")
        if self._at != self._hashed:
            self._seek(self._hashed)  # Only what can be sought gets out of order.
        while self.read(_PIECE_NBYTES):
            pass
        return {name: one.hexdigest() for name, one in zip(DIGESTS, self._hashes, strict=True)}

    def close(self) -> None:
        """Close nothing: `open_bytes` knows whose file it is."""


def _is_seekable(file: IO[bytes]) -> bool:
    try:
        return bool(file.seekable())
    except AttributeError:
        return hasattr(file, "seek") and hasattr(file, "tell")


def open_bytes(source: VideoSource) -> tuple[IO[bytes], bool]:
    """Return a file object for a source, and whether it is ours to close.

    Raises
    ------
    DecodeError
        It cannot be opened, or is no regular file.
    TypeError
        It is no path, bytes or binary file.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source), True
    if isinstance(source, str | os.PathLike):
        name = describe(source)
        try:
            if not stat.S_ISREG(Path(source).stat().st_mode):  # A pipe would block for ever.
                raise DecodeError(name, "is not a regular file")
            return Path(source).open("rb"), True
        except (OSError, ValueError) as error:
            if isinstance(error, DecodeError):
                raise
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DecodeError(name, f"cannot be read: {reason}") from error
    if not hasattr(source, "read"):
        raise TypeError(
            f"source: expected a path, bytes or a binary file, got {type(source).__name__}"
        )
    return source, False
