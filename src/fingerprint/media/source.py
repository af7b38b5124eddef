"""Where pictures come from: paths, bytes, file objects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

from PIL import Image

from fingerprint.errors import DecodeError, LimitExceededError

if TYPE_CHECKING:
    from fingerprint.media.limits import Limits
    from fingerprint.typing import ImageSource

__all__ = ["describe", "read_bytes"]


def describe(source: ImageSource) -> str:
    """Return a short name of a source for errors and reports: never its content."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return f"<{len(source):,} bytes>"
    if isinstance(source, Image.Image):
        name = getattr(source, "filename", "")
        return name or f"<{source.mode} picture {source.width}x{source.height}>"
    shape = getattr(source, "shape", None)
    if shape is not None:
        return f"<array {getattr(source, 'dtype', '?')} {tuple(shape)}>"
    return str(getattr(source, "name", f"<{type(source).__name__}>"))


def read_bytes(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes], limits: Limits
) -> bytes | bytearray | memoryview:
    """Return the encoded bytes of ``source``, having checked how many there are.

    Raises
    ------
    LimitExceededError
        There are more than ``limits.max_nbytes``.
    DecodeError
        The file cannot be read, or there is nothing in it.
    """
    name = describe(source)
    if isinstance(source, bytes | bytearray | memoryview):
        data: bytes | bytearray | memoryview = source
    else:
        try:
            if isinstance(source, str | os.PathLike):
                with Path(source).open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    if size > limits.max_nbytes:
                        raise LimitExceededError(name, "max_nbytes", size, limits.max_nbytes)
                    data = file.read(limits.max_nbytes + 1)
            else:
                data = source.read(limits.max_nbytes + 1)
        except (OSError, ValueError) as error:
            if isinstance(error, DecodeError):
                raise
            reason = getattr(error, "strerror", None) or str(error)
            raise DecodeError(name, f"cannot be read: {reason}") from error
        if not isinstance(data, bytes):
            raise TypeError(f"{name}: expected a file opened in binary mode")
    nbytes = data.nbytes if isinstance(data, memoryview) else len(data)
    if nbytes > limits.max_nbytes:
        raise LimitExceededError(name, "max_nbytes", nbytes, limits.max_nbytes)
    if not nbytes:
        raise DecodeError(name, "is empty")
    return data
