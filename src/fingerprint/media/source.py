"""Where pictures come from: paths, bytes, file objects."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING

from PIL import Image

from fingerprint.errors import DecodeError, FingerprintError, LimitExceededError

if TYPE_CHECKING:
    from fingerprint.media.limits import Limits
    from fingerprint.typing import ImageSource

__all__ = ["describe", "read_bytes"]

_PIECE_NBYTES = 64 * 1024


def describe(source: ImageSource) -> str:
    """Return a short name of a source for errors and reports: never its content."""
    try:
        return _description(source)
    except Exception:  # noqa: BLE001 - a source that cannot even be described
        return f"<{type(source).__name__}>"


def _description(source: ImageSource) -> str:
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return f"<{len(source):,} bytes>"
    if isinstance(source, Image.Image):
        name = getattr(source, "filename", "")
        return str(name) or f"<{source.mode} picture {source.width}x{source.height}>"
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
                if not stat.S_ISREG(Path(source).stat().st_mode):  # A pipe would block for ever.
                    raise DecodeError(name, "is not a regular file")
                with Path(source).open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    if size > limits.max_nbytes:
                        raise LimitExceededError(name, "max_nbytes", size, limits.max_nbytes)
                    data = _read_all(file, name, limits.max_nbytes, expected=size)
            else:
                data = _read_all(source, name, limits.max_nbytes)
        except (FingerprintError, TypeError):
            raise
        except Exception as error:  # A caller's file object may raise anything.
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DecodeError(name, f"cannot be read: {reason}") from error
    nbytes = data.nbytes if isinstance(data, memoryview) else len(data)
    if nbytes > limits.max_nbytes:
        raise LimitExceededError(name, "max_nbytes", nbytes, limits.max_nbytes)
    if not nbytes:
        at_end = " from where it stands" if hasattr(source, "read") else ""
        raise DecodeError(name, f"is empty{at_end}")
    return data


def _read_all(file: IO[bytes], name: str, most: int, expected: int = 0) -> bytes:
    """Read to the end, or one byte beyond the limit: pipes hand out what they have.

    Asks for pieces, since Python sets aside as much memory as it is asked for.
    """
    parts = []
    left = most + 1
    while left > 0:
        part = file.read(min(left, max(expected + 1, _PIECE_NBYTES)))
        if not isinstance(part, bytes | bytearray):
            raise TypeError(f"{name}: expected a file opened in binary mode")
        if not part:
            break
        parts.append(part)
        left -= len(part)
        expected = max(0, expected - len(part))
    return parts[0] if len(parts) == 1 and isinstance(parts[0], bytes) else b"".join(parts)
