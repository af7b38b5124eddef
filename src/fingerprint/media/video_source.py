"""The bytes of a video: read once, counted, and digested on the way to the decoder."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from collections.abc import Generator
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING

from fingerprint.errors import DecodeError, FingerprintError, LimitExceededError, redacted
from fingerprint.media.source import describe

if TYPE_CHECKING:
    from fingerprint.media.limits import VideoLimits
    from fingerprint.typing import VideoSource

__all__ = ["DIGESTS", "DigestingReader", "open_bytes"]

DIGESTS = ("md5", "sha1", "sha256")
_PIECE_NBYTES = 1 << 20


class DigestingReader:
    """A file for the decoder that digests what is read for the first time.

    Decoders jump about a little (an index at the end, a tail to tell the duration);
    digests need every byte in order. So bytes count when they come next in order, whoever
    reads them, and `digests` reads what nobody read.

    Nothing is raised while FFmpeg reads: PyAV would lose it, or raise it in the middle of
    another video. The file seems to end, and `raise_failure` says why.

    Parameters
    ----------
    file : binary file object
        Read from where it stands.
    name : str
        For errors.
    limits : VideoLimits
        Most bytes that it may have, and the longest time.
    wanted : bool
        Whether `digests` will be asked for.

    Attributes
    ----------
    read : callable
        ``read(size)`` returns up to ``size`` bytes.
    stop : threading.Event or None
        Once it is set, reading fails.
    """

    def __init__(self, file: IO[bytes], name: str, limits: VideoLimits, *, wanted: bool) -> None:
        self._file = file
        self._name = name
        self._limits = limits
        self._hashes = [hashlib.new(d, usedforsecurity=False) for d in DIGESTS] if wanted else []
        self._hashed = 0
        self._at = 0
        self._nbytes = -1
        self._failure: BaseException | None = None
        self._started = monotonic()
        self.stop: threading.Event | None = None
        # A generator, for an interrupt is raised where Python code resumes: here within
        # the try, in a function before its first line.
        pieces = self._pieces()
        next(pieces)
        self.read = pieces.send
        try:
            self._measure()
        except Exception as error:  # noqa: BLE001 - a caller's file object may raise anything
            self._failure = error
        self.raise_failure()

    def _measure(self) -> None:
        # PyAV looks for a seek attribute, and takes its absence for a pipe.
        if not _is_seekable(self._file):
            return
        self._start = self._file.tell()
        self._nbytes = self._file.seek(0, os.SEEK_END) - self._start
        self._file.seek(self._start)
        self._check_size(self._nbytes)
        self.seek = self._seek

    def check_progress(self) -> None:
        """Raise DecodeError when it takes too long, or somebody gave it up."""
        if self.stop is not None and self.stop.is_set():
            raise DecodeError(self._name, "was given up")
        spent = monotonic() - self._started
        most = self._limits.max_time_s
        if spent > most:
            raise LimitExceededError(self._name, "max_time_s", round(spent, 3), most)

    def raise_failure(self) -> None:
        """Raise what went wrong while FFmpeg was reading, if anything did."""
        error = self._failure
        if error is None:
            return
        if isinstance(error, FingerprintError | TypeError) or not isinstance(error, Exception):
            raise error
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DecodeError(self._name, f"cannot be read: {redacted(reason)}") from error

    def _pieces(self) -> Generator[bytes, int, None]:
        data = b""
        while True:
            try:
                while True:  # Interrupts are raised where loops turn, too.
                    data = self._next((yield data))
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001 - raise_failure raises it
                self._failure = self._failure or error
                data = b""

    def _next(self, size: int) -> bytes:
        if self._failure is not None:
            return b""
        self.check_progress()
        data = self._file.read(size)
        if not isinstance(data, bytes | bytearray):
            raise TypeError(f"{self._name}: expected a file opened in binary mode")
        if len(data) > size:  # PyAV would copy them all, beyond its buffer.
            raise DecodeError(self._name, f"read({size}) of the file returned {len(data)} bytes")
        data = bytes(data)
        if self._at <= self._hashed < self._at + len(data):
            fresh = memoryview(data)[self._hashed - self._at :]
            for one in self._hashes:
                one.update(fresh)
            self._hashed += len(fresh)
        self._at += len(data)
        self._check_size(self._at)
        return data

    def _check_size(self, nbytes: int) -> None:
        most = self._limits.max_nbytes
        if nbytes > most:
            raise LimitExceededError(self._name, "max_nbytes", nbytes, most)

    def tell(self) -> int:
        """Return how many bytes are behind."""
        return self._at

    def _seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._at
        elif whence == os.SEEK_END:
            offset += self._nbytes
        if offset < 0:
            return -1
        try:
            self._file.seek(self._start + offset)
        except Exception as error:  # noqa: BLE001 - raise_failure raises it
            self._failure = self._failure or error
            return -1
        self._at = offset
        return offset

    def digests(self) -> dict[str, str]:
        """Return MD5, SHA-1 and SHA-256 of all bytes as hex, reading those that are left."""
        if not self._hashes:
            raise ValueError("digests: expected digests=True when the video was opened")
        if self._at != self._hashed:
            self._seek(self._hashed)  # Only what can be sought gets out of order.
        while self._failure is None and self._next(_PIECE_NBYTES):
            pass
        self.raise_failure()
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
        if isinstance(source, memoryview) and not source.c_contiguous:
            source = bytes(source)
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
