"""What every hash algorithm declares and does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fingerprint.errors import UnknownAlgorithmError, UnsupportedOperationError
from fingerprint.hash_arrays import SegmentHashes
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = [
    "DIHEDRAL_NAMES",
    "Algorithm",
    "HashAlgorithm",
    "Radius",
    "SegmentAlgorithm",
    "parse_hash_size",
]

DIHEDRAL_NAMES = (
    "identity",
    "rotate90",
    "rotate180",
    "rotate270",
    "flip_x",
    "flip_y",
    "flip_plus1",
    "flip_minus1",
)
"""The eight ways to lay a square on itself, in the order of PDQ's reference.

``rotate*`` turns counter-clockwise, ``flip_x`` exchanges top and bottom,
``flip_y`` left and right; ``flip_plus1`` transposes, ``flip_minus1`` transposes
along the other diagonal.
"""


@dataclass(frozen=True, slots=True)
class Radius:
    """A starting radius and where it comes from.

    Parameters
    ----------
    bits : int
        Hamming distance, inclusive.
    source : str
        Who published it, and for what.
    """

    bits: int
    source: str


class Algorithm(ABC):
    """What all algorithms have in common.

    Attributes
    ----------
    name : str
        Name with its variant: ``"pdq"``, ``"phash:16"``.
    hash_name : str
        What its hashes are labelled with: the name, unless they belong with
        another's (``pdq:512`` makes ``pdq`` hashes, segments have ``dhash`` ones).
    version : int
        Raised when the same pixels give other bits.
    summary : str
        One line on what it is.
    bits : int
        Bits of a hash.
    radius : Radius
        Where to start.
    min_quality : int
        Below this, 0 to 100, distances mean little.
    fast_luma : bool
        May hash the luma plane of a JPEG when speed is asked for.
    fast_min_side_px : int or None
        Shortest side to which a JPEG may be scaled when speed is asked for.
    """

    name: str
    hash_name: str
    version: int = 1
    summary: str
    bits: int
    radius: Radius
    min_quality: int = 50
    fast_luma: bool = True
    fast_min_side_px: int | None = None
    dihedral: bool = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} bits={self.bits}>"


class HashAlgorithm(Algorithm):
    """An algorithm that makes one hash of a picture."""

    @abstractmethod
    def hash_pixels(self, pixels: U8) -> Hash:
        """Hash canonical pixels: uint8, (h, w, 3) RGB or (h, w) grey, C-contiguous."""

    def hash_dihedral(self, pixels: U8) -> dict[str, Hash]:
        """Hash the picture as it is, turned and mirrored.

        Returns
        -------
        dict of str to Hash
            Keys are `DIHEDRAL_NAMES`, in that order.

        Raises
        ------
        UnsupportedOperationError
            The algorithm has no cheap way to do it.
        """
        raise UnsupportedOperationError(
            f"{self.name} has no dihedral hashes; of the built-in algorithms pdq has"
        )


class SegmentAlgorithm(Algorithm):
    """An algorithm that makes one hash for each segment of a picture."""

    @abstractmethod
    def hash_segments(self, pixels: U8) -> SegmentHashes:
        """Hash canonical pixels: uint8, (h, w, 3) RGB or (h, w) grey, C-contiguous."""


def parse_hash_size(
    name: str,
    variant: str | None,
    *,
    smallest: int = 2,
    largest: int = 64,
    powers_of_two: bool = False,
) -> int:
    """Read the side of the grid from a variant such as ``"16"``; 8 by default.

    Raises
    ------
    UnknownAlgorithmError
        It is no whole number in the range, or not a power of two where it must be.
    """
    if variant is None:
        return 8
    size = int(variant) if variant.isascii() and variant.isdigit() else 0
    kind = "a power of two" if powers_of_two else "a whole number"
    wrong = powers_of_two and size & (size - 1)
    if not smallest <= size <= largest or wrong or variant != str(size) or size == 8:
        raise UnknownAlgorithmError(
            f"{name}:{variant}",
            [name, f"{name}:<size>"],
            f"expected {kind} from {smallest} to {largest} as the size, and {name} for 8",
        )
    return size
