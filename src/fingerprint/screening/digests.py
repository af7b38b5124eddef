"""Digests of an upload's bytes, in the one pass in which they are read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from typing import IO, Any

from fingerprint.errors import LimitExceededError
from fingerprint.lists.hash_types import HASH_TYPES

__all__ = ["DIGEST_TYPES", "DigestedFile", "digests_of"]

DIGEST_TYPES = tuple(name for name, one in HASH_TYPES.items() if one.family == "digest")

_PIECE_NBYTES = 1 << 20


def digests_of(data: bytes | bytearray | memoryview, names: Iterable[str]) -> dict[str, str]:
    """Return digests of bytes as hex, by name."""
    return {name: hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in names}


class DigestedFile:
    """A binary file that is digested while somebody else reads it.

    Bytes count when they come next in order, as in `fingerprint.media.video_source`: a
    decoder that jumps about leaves the rest to `digests`.

    Parameters
    ----------
    file : binary file object
        Read from where it stands.
    name : str
        For errors.
    names : collection of str
        Which digests.
    head : bytes
        What was already read of a file that cannot be sought.
    max_nbytes : int
        Most bytes that are read.
    """

    def __init__(
        self,
        file: IO[bytes],
        name: str,
        names: Collection[str],
        *,
        head: bytes = b"",
        max_nbytes: int,
    ) -> None:
        self.name = name
        self._file = file
        self._head = head
        self._max_nbytes = max_nbytes
        self._sums: dict[str, Any] = {one: hashlib.new(one, usedforsecurity=False) for one in names}
        self._found: dict[str, str] | None = None
        self._at = 0
        self._digested = 0
        self._nbytes = -1
        self._start = 0
        if not head and is_seekable(file):
            self._start = file.tell()
            self._nbytes = file.seek(0, os.SEEK_END) - self._start
            file.seek(self._start)
            self.seek = self._seek  # Its absence says that this is a pipe.

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes."""
        if self._head:
            size = len(self._head) if size < 0 else size
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._file.read(size)
        if not isinstance(data, bytes | bytearray):
            raise TypeError(f"{self.name}: expected a file opened in binary mode")
        data = bytes(data)
        if self._sums and self._at <= self._digested < self._at + len(data):
            fresh = memoryview(data)[self._digested - self._at :]
            for one in self._sums.values():
                one.update(fresh)
            self._digested += len(fresh)
        self._at += len(data)
        if self._at > self._max_nbytes:
            raise LimitExceededError(self.name, "max_nbytes", self._at, self._max_nbytes)
        return data

    def tell(self) -> int:
        """Return how many bytes are behind."""
        return self._at

    def _seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._at
        elif whence == os.SEEK_END:
            offset += self._nbytes
        self._file.seek(self._start + offset)
        self._at = offset
        return offset

    def digests(self) -> dict[str, str]:
        """Return the digests of all bytes as hex, reading those that nobody read.

        Raises
        ------
        LimitExceededError
            There are more bytes than allowed.
        OSError
            They cannot be read.
        """
        if self._found is not None:
            return self._found
        if self._sums and self._at != self._digested:
            self._seek(self._digested)  # Only what can be sought gets out of order.
        while self._sums and self.read(_PIECE_NBYTES):
            pass
        self._found = {name: one.hexdigest() for name, one in self._sums.items()}
        return self._found


def is_seekable(file: IO[bytes]) -> bool:
    """Say whether a file can be read from elsewhere."""
    try:
        return bool(file.seekable())
    except AttributeError:
        return hasattr(file, "seek") and hasattr(file, "tell")
