"""Keypoints and descriptors of one picture, and their form as bytes."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field

import numpy as np

from fingerprint.errors import HashFormatError
from fingerprint.hash_arrays import read_only
from fingerprint.typing import F32, U8

__all__ = ["DESCRIPTOR_NBYTES", "METHOD", "PLAIN", "VERSION", "LocalFeatures"]

METHOD = "orb"
VERSION = 1
DESCRIPTOR_NBYTES = 32
PLAIN = 115
"""Plainness from which on a keypoint is taken for a part of a letter, an icon or a drawing.

Of photographs 1 in 100 has it, of what stands in frames, captions and posts 99 (`benchmarks`)."""

_MAGIC = b"FPLF"
_FORMAT = 1
_HEAD = struct.Struct("<4sHHIIIB11s")
_CHECKSUM_NBYTES = 16
_MOST_KEYPOINTS = 10_000
_LARGEST_SIDE_PX = 1 << 28
_HAS_MIRRORED = 1
_COLUMNS = 4


@dataclass(frozen=True, slots=True, eq=False)
class LocalFeatures:
    """What `verify` needs of a picture.

    Descriptors can be partly turned back into the picture: store them only where the
    rules for the picture itself allow it, and as carefully.

    Parameters
    ----------
    keypoints : ndarray of float32, (n, 4)
        x, y and diameter in pixels of the upright picture; angle in degrees, 0 to 360.
    descriptors : ndarray of uint8, (n, 32)
        256 bits each, compared by Hamming distance.
    plainness : ndarray of uint8, (n,)
        Share of a keypoint's surroundings that has one grey, of 255: high for letters, icons
        and drawings.
    width_px, height_px : int
        Size of the upright picture.
    mirrored : ndarray of uint8, (n, 32), optional
        Descriptors of the same places in the mirror image. Of two pictures one needs
        them for a mirrored copy to be found.
    method : str
        What made them; ``"orb"``.
    version : int
        Features of different versions are not comparable.

    Raises
    ------
    ValueError
        Shapes, dtypes or values do not fit together.
    """

    keypoints: F32 = field(repr=False)
    descriptors: U8 = field(repr=False)
    plainness: U8 = field(repr=False)
    width_px: int
    height_px: int
    mirrored: U8 | None = field(default=None, repr=False)
    method: str = METHOD
    version: int = VERSION

    def __post_init__(self) -> None:
        _check_column("keypoints", self.keypoints, np.float32, (len(self.keypoints), _COLUMNS))
        shape = (len(self.keypoints), DESCRIPTOR_NBYTES)
        _check_column("descriptors", self.descriptors, np.uint8, shape)
        _check_column("plainness", self.plainness, np.uint8, shape[:1])
        if self.mirrored is not None:
            _check_column("mirrored", self.mirrored, np.uint8, shape)
        for name in ("width_px", "height_px"):
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name}: expected a whole number of pixels")
            if not 1 <= getattr(self, name) <= _LARGEST_SIDE_PX:
                raise ValueError(f"{name}: expected 1 to 2^28, got {getattr(self, name)}")
        if len(self.keypoints) > _MOST_KEYPOINTS:
            raise ValueError(
                f"keypoints: expected at most {_MOST_KEYPOINTS:,}, got {len(self.keypoints):,}"
            )
        if self.version != VERSION:
            raise ValueError(f"version: expected {VERSION}, got {self.version!r}")
        if self.method != METHOD:
            raise ValueError(f"method: expected {METHOD!r}, got {self.method[:20]!r}")
        _check_values(self.keypoints, self.width_px, self.height_px)
        for name in ("keypoints", "descriptors", "plainness", "mirrored"):
            if getattr(self, name) is not None:  # A view: the caller's own stay writable.
                object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.keypoints)

    def __repr__(self) -> str:
        size = f"{self.width_px}x{self.height_px}"
        also = ", mirrored too" if self.mirrored is not None else ""
        return f"LocalFeatures({len(self)} {self.method} v{self.version} of {size}{also})"

    def to_bytes(self) -> bytes:
        """Return a small binary form.

        Little-endian, without padding: ``FPLF``, format (u16), version
        (u16), number of keypoints n, width and height (u32 each), flags (u8; 1 when there
        are mirrored descriptors), method (11 bytes, ASCII, zero-padded); n × 4
        float32; n bytes of plainness; n × 32 bytes; with flag 1 another n × 32; and the first
        16 bytes of the SHA-256 of all before.
        """
        flags = 0 if self.mirrored is None else _HAS_MIRRORED
        head = _HEAD.pack(
            *(_MAGIC, _FORMAT, self.version, len(self), self.width_px, self.height_px),
            *(flags, self.method.encode()),
        )
        parts = [head, self.keypoints.astype("<f4").tobytes(), self.plainness.tobytes()]
        parts += [self.descriptors.tobytes()]
        parts += [] if self.mirrored is None else [self.mirrored.tobytes()]
        data = b"".join(parts)
        return data + _checksum(data)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> LocalFeatures:
        """Read what `to_bytes` wrote.

        Raises
        ------
        HashFormatError
            These bytes are not local features, are damaged, or of an unknown version.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data: expected bytes, got {type(data).__name__}")
        data = bytes(data)
        if len(data) < _HEAD.size + _CHECKSUM_NBYTES or data[:4] != _MAGIC:
            raise HashFormatError("local features: expected a header with FPLF, got other bytes")
        fields = _HEAD.unpack_from(data)
        _, layout, version, n, width_px, height_px, flags, method = fields
        if layout != _FORMAT or version != VERSION or flags > _HAS_MIRRORED:
            raise HashFormatError(
                f"local features: expected format {_FORMAT}, version {VERSION}, "
                f"got format {layout}, version {version}, flags {flags}"
            )
        blocks = 1 + flags
        row_nbytes = 4 * _COLUMNS + 1 + blocks * DESCRIPTOR_NBYTES
        expected = _HEAD.size + n * row_nbytes + _CHECKSUM_NBYTES
        if n > _MOST_KEYPOINTS or len(data) != expected:
            raise HashFormatError(
                f"local features: expected {expected:,} bytes for {n:,} keypoints, "
                f"got {len(data):,}"
            )
        if _checksum(data[:-_CHECKSUM_NBYTES]) != data[-_CHECKSUM_NBYTES:]:
            raise HashFormatError("local features: damaged, the checksum does not match")
        keypoints = np.frombuffer(data, "<f4", n * _COLUMNS, _HEAD.size)
        plainness = np.frombuffer(data, np.uint8, n, _HEAD.size + keypoints.nbytes)
        at = _HEAD.size + keypoints.nbytes + n
        bits = np.frombuffer(data, np.uint8, blocks * n * DESCRIPTOR_NBYTES, at)
        rows = bits.reshape(blocks, n, DESCRIPTOR_NBYTES)
        try:
            return cls(
                keypoints.astype(np.float32).reshape(n, _COLUMNS),
                rows[0],
                plainness,
                width_px,
                height_px,
                rows[1] if flags else None,
                method.rstrip(b"\0").decode("ascii"),
                version,
            )
        except ValueError as error:
            raise HashFormatError(f"local features: {error}") from error


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECKSUM_NBYTES]


def _check_column(name: str, array: object, dtype: type, shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array)
        raise ValueError(f"{name}: expected {np.dtype(dtype)} {shape}, got {got}")


def _check_values(keypoints: F32, width_px: int, height_px: int) -> None:
    x, y, size, angle = keypoints.T
    inside = (x >= 0) & (x <= width_px) & (y >= 0) & (y <= height_px)
    whole = (size > 0) & (size <= _LARGEST_SIDE_PX) & (angle >= 0) & (angle <= 360)
    if not (inside & whole).all():  # NaN is in no range.
        raise ValueError(
            "keypoints: expected x, y in the picture, a size above 0, 0 to 360 degrees"
        )
