"""One hash: its bits, its texts, its distance to another."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from fingerprint.errors import HashFormatError, IncompatibleHashError

if TYPE_CHECKING:
    from fingerprint.typing import U8, Bits

__all__ = [
    "Hash",
    "Kind",
    "kind_of",
    "packed_nbytes",
    "require_same_kind",
    "set_kind_resolver",
]

Kind: TypeAlias = tuple[str, int, int]
"""Algorithm, version and bits: what two hashes must share to be compared."""

_HEX = re.compile(r"[0-9a-fA-F]+")
_REVERSED_BYTE = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


def _unknown_kind(algorithm: str) -> tuple[str, int]:
    raise HashFormatError(f"nothing here knows how many bits a {algorithm!r} hash has; pass bits=")


_kind_of: Callable[[str], tuple[str, int]] = _unknown_kind


def set_kind_resolver(resolver: Callable[[str], tuple[str, int]]) -> None:
    """Tell this module how to find the label and the bits of an algorithm's hashes.

    The values lie below the algorithms and cannot ask them; the package installs
    the registry's answer when it is imported.
    """
    global _kind_of
    _kind_of = resolver


def kind_of(algorithm: str) -> tuple[str, int]:
    """Return the label and the number of bits of an algorithm's hashes."""
    return _kind_of(algorithm)


class _HasKind(Protocol):
    @property
    def kind(self) -> Kind: ...


def require_same_kind(a: _HasKind, b: _HasKind) -> None:
    """Raise IncompatibleHashError unless the two can be compared."""
    if a.kind != b.kind:
        (name, version, bits), (other_name, other_version, other_bits) = a.kind, b.kind
        raise IncompatibleHashError(
            f"cannot compare {name} v{version} ({bits} bits) "
            f"with {other_name} v{other_version} ({other_bits} bits)"
        )


def _excerpt(text: str) -> str:
    shown = min(8, len(text) // 4)
    return f"{text[:shown]}…"


def packed_nbytes(bits: int) -> int:
    """Return how many bytes hold so many bits."""
    return (bits + 7) // 8


@dataclass(frozen=True, slots=True, eq=False)
class Hash:
    """One perceptual hash.

    Parameters
    ----------
    algorithm : str
        Name of the algorithm, with its variant: ``"pdq"``, ``"phash:16"``.
    packed : bytes
        The bits, first bit in the most significant place of the first byte; the
        last byte is filled up with zeros.
    bits : int
        How many bits there are.
    quality : int, optional
        How much information the picture had for this algorithm, 0 to 100; None
        when nobody measured it, as for a hash that was read from a list.
    version : int
        Version of the algorithm; hashes of different versions do not compare.

    Notes
    -----
    Two hashes are equal when algorithm, version and bits are; the quality does
    not count. ``a - b`` is their Hamming distance in bits. ``str`` gives the
    whole hash in hex; ``repr``, which ends up in logs, does not.
    """

    algorithm: str
    packed: bytes = field(repr=False)
    bits: int
    quality: int | None = None
    version: int = 1

    def __post_init__(self) -> None:
        for name, kind in (("algorithm", str), ("packed", bytes), ("bits", int), ("version", int)):
            if type(getattr(self, name)) is not kind:
                found = type(getattr(self, name)).__name__
                raise TypeError(f"{name}: expected {kind.__name__}, got {found}")
        if self.quality is not None and type(self.quality) is not int:
            raise TypeError(f"quality: expected int or None, got {type(self.quality).__name__}")
        nbytes = packed_nbytes(self.bits)
        if self.bits < 1 or len(self.packed) != nbytes:
            raise HashFormatError(
                f"{self.algorithm}: expected {nbytes} bytes for {self.bits} bits, "
                f"got {len(self.packed)}"
            )
        spare = -self.bits % 8
        if spare and self.packed[-1] & ((1 << spare) - 1):
            raise HashFormatError(f"{self.algorithm}: bits are set beyond the last of {self.bits}")
        if self.quality is not None and not 0 <= self.quality <= 100:
            raise ValueError(f"quality: expected 0 to 100 or None, got {self.quality}")

    @classmethod
    def parse(cls, text: str, algorithm: str | None = None, *, quality: int | None = None) -> Hash:
        """Read ``"pdq:<hex>"``, or bare hex or base64 of a named algorithm.

        Parameters
        ----------
        text : str
            ``name:hex`` or ``name:variant:hex``; without a name when
            ``algorithm`` is given.
        algorithm : str, optional
            Name of the algorithm of a bare hash. When the text names one too,
            they must be the same.
        quality : int, optional
            Quality to attach, 0 to 100.

        Raises
        ------
        HashFormatError
            The text is not a hash of that algorithm.
        UnknownAlgorithmError
            No such algorithm.
        """
        if not isinstance(text, str):
            raise TypeError(f"text: expected str, got {type(text).__name__}")
        name, _, digits = text.strip().rpartition(":")
        if name and algorithm and name != algorithm:
            raise HashFormatError(f"expected a {algorithm} hash, got one of {name}")
        name = name or algorithm or ""
        if not name:
            raise HashFormatError(
                f"{_excerpt(digits)!r} does not name its algorithm: expected 'pdq:<hex>', "
                "or pass algorithm="
            )
        name, bits = kind_of(name)
        is_hex_long = len(digits) == (bits + 3) // 4
        is_base64_long = len(digits) == 4 * ((packed_nbytes(bits) + 2) // 3)
        # From 13 to 16 bits both are four characters long: hex, if it can be.
        if is_hex_long and (not is_base64_long or _HEX.fullmatch(digits)):
            return cls.from_hex(digits, name, bits=bits, quality=quality)
        if is_base64_long:
            return cls.from_base64(digits, name, bits=bits, quality=quality)
        raise HashFormatError(
            f"{name}: expected {(bits + 3) // 4} hex digits or "
            f"{4 * ((packed_nbytes(bits) + 2) // 3)} of base64, got {len(digits)} characters"
        )

    @classmethod
    def from_hex(
        cls,
        digits: str,
        algorithm: str,
        *,
        bits: int | None = None,
        quality: int | None = None,
        legacy: bool = False,
    ) -> Hash:
        """Read hex as PDQ's tools and imagehash write it.

        Parameters
        ----------
        digits : str
            ``ceil(bits / 4)`` hex digits of the bits as one big-endian integer.
        algorithm : str
            Name of the algorithm.
        bits : int, optional
            How many bits; the algorithm's own number by default.
        quality : int, optional
            Quality to attach, 0 to 100.
        legacy : bool
            The hex of imagehash 3.7 and older, whose bytes run backwards.
        """
        if bits is None:
            algorithm, bits = kind_of(algorithm)
        if len(digits) != (bits + 3) // 4 or not _HEX.fullmatch(digits):
            raise HashFormatError(
                f"{algorithm}: expected {(bits + 3) // 4} hex digits, "
                f"got {_excerpt(digits)!r} ({len(digits)} characters)"
            )
        value = int(digits, 16)
        if value >> bits:
            raise HashFormatError(f"{algorithm}: the hex has more than {bits} bits")
        packed = (value << (-bits % 8)).to_bytes(packed_nbytes(bits), "big")
        if legacy:
            if bits % 8:
                raise HashFormatError(f"{algorithm}: old hex has whole bytes, not {bits} bits")
            packed = packed.translate(_REVERSED_BYTE)
        return cls(algorithm, packed, bits, quality)

    @classmethod
    def from_base64(
        cls, text: str, algorithm: str, *, bits: int | None = None, quality: int | None = None
    ) -> Hash:
        """Read base64 of the packed bytes, as Thorn's perception writes it."""
        if bits is None:
            algorithm, bits = kind_of(algorithm)
        try:
            packed = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise HashFormatError(f"{algorithm}: {_excerpt(text)!r} is not base64") from error
        return cls(algorithm, packed, bits, quality)

    @classmethod
    def from_bits(
        cls, array: Bits | Sequence[bool], algorithm: str, *, quality: int | None = None
    ) -> Hash:
        """Pack an array of truth values, any shape, row by row."""
        values = np.asarray(array)
        if values.dtype.kind not in "biu":
            raise TypeError(f"bits: expected truth values, got {values.dtype}")
        flat = values.astype(bool).ravel()
        return cls(algorithm, np.packbits(flat).tobytes(), flat.size, quality)

    @property
    def kind(self) -> Kind:
        """Algorithm, version and bits."""
        return self.algorithm, self.version, self.bits

    @property
    def hex(self) -> str:
        """The bits as hex: 64 lower-case digits for PDQ."""
        value = int.from_bytes(self.packed, "big") >> (-self.bits % 8)
        return f"{value:0{(self.bits + 3) // 4}x}"

    @property
    def legacy_hex(self) -> str:
        """The hex of imagehash 3.7 and older, whose bytes run backwards."""
        if self.bits % 8:
            raise HashFormatError(
                f"{self.algorithm}: old hex has whole bytes, not {self.bits} bits"
            )
        return self.packed.translate(_REVERSED_BYTE).hex()

    @property
    def base64(self) -> str:
        """The packed bytes as base64."""
        return base64.b64encode(self.packed).decode()

    @property
    def tagged(self) -> str:
        """The hash with its algorithm, ``"pdq:<hex>"``; `parse` reads it back."""
        return f"{self.algorithm}:{self.hex}"

    def to_bits(self) -> Bits:
        """Return the bits as a flat boolean array, (bits,)."""
        return np.unpackbits(np.frombuffer(self.packed, np.uint8), count=self.bits).astype(bool)

    def to_numpy(self) -> U8:
        """Return a read-only view of the packed bytes, (nbytes,) uint8."""
        return np.frombuffer(self.packed, np.uint8)

    def __sub__(self, other: object) -> int:
        if not isinstance(other, Hash):
            return NotImplemented
        require_same_kind(self, other)
        return (
            int.from_bytes(self.packed, "big") ^ int.from_bytes(other.packed, "big")
        ).bit_count()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hash):
            return NotImplemented
        return self.kind == other.kind and self.packed == other.packed

    def __hash__(self) -> int:
        return hash((*self.kind, self.packed))

    def __str__(self) -> str:
        return self.hex

    def __repr__(self) -> str:
        return f"<Hash {self.algorithm}:{_excerpt(self.hex)} quality={self.quality}>"
