"""``.tmk`` files: the features of one video each.

Source: facebook/ThreatExchange ``tmk/cpp/io/tmkio.h`` and ``algo/tmkfv.cpp``. All
numbers are little-endian: ``TMK1`` ``FVEC`` ``PDQF``; int32 frames a second, P
periods, C Fourier coefficients, D floats a feature, frames; int32 periods (P,);
float32 coefficients (C,), average (D,), cosines (P, C, D), sines (P, C, D).
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fingerprint.errors import HashFormatError
from fingerprint.hash_arrays import read_only
from fingerprint.media.source import describe

if TYPE_CHECKING:
    from fingerprint.typing import F32, I32

__all__ = ["TMKFeature", "read_tmk", "write_tmk"]

_MAGIC = b"TMK1FVECPDQF"
_HEADER = struct.Struct("<12s5i")

# The reference has 15, 4, 32 and 256. Files come from strangers: a period is the length
# of a transform, and the counts multiply.
_MOST = {
    "frame_rate": 1_000,
    "periods": 16,
    "coefficients": 256,
    "dimension": 1_024,
    "frame_count": 2**31 - 1,
}
_LONGEST_PERIOD = 1_000_000
_SLACK = 1e-3
"""How much longer than its coefficient allows a float32 vector may be, relatively."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TMKFeature:
    """A video as TMK+PDQF sees it.

    Parameters
    ----------
    frame_count : int
        Frames that were summed, at ``frame_rate``.
    frame_rate : int
        Frames a second; 15.
    periods : ndarray of int32, shape (P,)
        Periods of the base waves, in frames.
    coefficients : ndarray of float32, shape (C,)
        Weights of their harmonics; 0 or more.
    average : ndarray of float32, shape (D,)
        Mean of the frames' features.
    cosines, sines : ndarray of float32, shape (P, C, D)
        Features times waves, each vector as long as the root of its coefficient, or 0.
    damage : str
        Why the video was not decoded to its end. Files do not keep it.

    Raises
    ------
    HashFormatError
        A shape, count or value cannot be that of a feature.
    """

    frame_count: int
    frame_rate: int
    periods: I32
    coefficients: F32
    average: F32
    cosines: F32
    sines: F32
    damage: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        wanted = {"periods": np.int32, "coefficients": np.float32, "average": np.float32}
        wanted |= {"cosines": np.float32, "sines": np.float32}
        for name, dtype in wanted.items():
            array = np.asarray(getattr(self, name))
            if array.dtype != dtype:
                raise HashFormatError(
                    f"{name}: expected dtype {np.dtype(dtype)}, got {array.dtype}"
                )
            object.__setattr__(self, name, read_only(np.ascontiguousarray(array)))
        _check_shapes(self)
        _check_values(self)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(frame_count={self.frame_count}, frame_rate={self.frame_rate})"
        )

    @property
    def duration_s(self) -> float:
        """Length of what was summed."""
        return self.frame_count / self.frame_rate

    def to_bytes(self) -> bytes:
        """Return the content of its ``.tmk`` file."""
        counts = (self.periods.size, self.coefficients.size, self.average.size)
        parts = [_HEADER.pack(_MAGIC, self.frame_rate, *counts, self.frame_count)]
        parts.append(self.periods.astype("<i4").tobytes())
        floats = (self.coefficients, self.average, self.cosines, self.sines)
        return b"".join(parts + [array.astype("<f4").tobytes() for array in floats])


def read_tmk(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> TMKFeature:
    """Read a ``.tmk`` file, from its path or its bytes.

    Raises
    ------
    HashFormatError
        It is not one; nothing larger than the file is set aside to find out.
    OSError
        The path cannot be opened.
    """
    name = describe(source)
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        header = _header_of(data[: _HEADER.size], len(data), name)
        return _parsed(data[_HEADER.size :], header, name)
    path = Path(source)
    if not stat.S_ISREG(path.stat().st_mode):  # A pipe would block for ever.
        raise HashFormatError(f"{name}: expected a regular file")
    with path.open("rb") as file:
        header = _header_of(file.read(_HEADER.size), os.fstat(file.fileno()).st_size, name)
        return _parsed(_read_exactly(file, header.nbytes - _HEADER.size, name), header, name)


def write_tmk(feature: TMKFeature, path: str | os.PathLike[str]) -> None:
    """Write a ``.tmk`` file that the reference's tools read."""
    Path(path).write_bytes(feature.to_bytes())


class _Header(NamedTuple):
    frame_rate: int
    periods: int
    coefficients: int
    dimension: int
    frame_count: int

    @property
    def nbytes(self) -> int:
        """Bytes of the whole file."""
        p, c, d = self.periods, self.coefficients, self.dimension
        return _HEADER.size + 4 * (p + c + d + 2 * p * c * d)


def _header_of(data: bytes, nbytes: int, name: str) -> _Header:
    if len(data) < _HEADER.size:
        raise HashFormatError(
            f"{name}: expected a header of {_HEADER.size} bytes, got {len(data)} bytes"
        )
    magic, *numbers = _HEADER.unpack(data)
    if magic != _MAGIC:
        raise HashFormatError(f"{name}: expected a file that begins with {_MAGIC!r}, got {magic!r}")
    header = _Header(*numbers)
    _check_counts(header, name)
    if nbytes != header.nbytes:
        raise HashFormatError(
            f"{name}: expected {header.nbytes:,} bytes by its header, got {nbytes:,}"
        )
    return header


def _read_exactly(file: IO[bytes], nbytes: int, name: str) -> bytes:
    data = file.read(nbytes)
    if len(data) != nbytes:
        raise HashFormatError(f"{name}: expected {nbytes:,} more bytes, got {len(data):,}")
    return data


def _parsed(body: bytes, header: _Header, name: str) -> TMKFeature:
    at = 0

    def take(kind: str, *shape: int) -> Any:
        nonlocal at
        n = int(np.prod(shape))
        array = np.frombuffer(body, kind, n, at).reshape(shape)
        at += array.nbytes
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    cube = (header.periods, header.coefficients, header.dimension)
    try:
        return TMKFeature(
            frame_count=header.frame_count,
            frame_rate=header.frame_rate,
            periods=take("<i4", header.periods),
            coefficients=take("<f4", header.coefficients),
            average=take("<f4", header.dimension),
            cosines=take("<f4", *cube),
            sines=take("<f4", *cube),
        )
    except HashFormatError as error:
        raise HashFormatError(f"{name}: {error}") from error


def _check_counts(header: _Header, name: str) -> None:
    for what, most in _MOST.items():
        value = getattr(header, what)
        if not 1 <= value <= most:
            raise HashFormatError(f"{name}: {what}: expected 1 to {most:,}, got {value:,}")


def _check_shapes(feature: TMKFeature) -> None:
    for name in ("periods", "coefficients", "average"):
        if getattr(feature, name).ndim != 1:
            raise HashFormatError(
                f"{name}: expected one dimension, got {getattr(feature, name).ndim}"
            )
    shape = (feature.periods.size, feature.coefficients.size, feature.average.size)
    for name in ("cosines", "sines"):
        if getattr(feature, name).shape != shape:
            raise HashFormatError(
                f"{name}: expected shape {shape}, got {getattr(feature, name).shape}"
            )
    _check_counts(_Header(feature.frame_rate, *shape, feature.frame_count), "TMKFeature")


def _check_values(feature: TMKFeature) -> None:
    shortest, longest = int(feature.periods.min()), int(feature.periods.max())
    if shortest < 1 or longest > _LONGEST_PERIOD:
        raise HashFormatError(
            f"periods: expected 1 to {_LONGEST_PERIOD:,} frames, got {shortest:,} to {longest:,}"
        )
    for name in ("coefficients", "average", "cosines", "sines"):
        if not np.isfinite(getattr(feature, name)).all():
            raise HashFormatError(f"{name}: expected finite numbers, got NaN or infinity")
    coefficients = feature.coefficients.astype(np.float64)
    if coefficients.min() < 0 or not coefficients.any():
        raise HashFormatError("coefficients: expected 0 or more, and one of them more")
    # A vector that is too long would score above 1 with everybody.
    for name in ("cosines", "sines"):
        vectors = getattr(feature, name)
        squares = np.einsum("pcd,pcd->pc", vectors, vectors, dtype=np.float64)
        if (squares > coefficients * (1 + _SLACK)).any():
            raise HashFormatError(f"{name}: expected vectors as long as the coefficients' roots")
