"""A picture of which views are taken: what several families need is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.algorithms import DIHEDRAL_NAMES, HashAlgorithm
from fingerprint.hashes import Hash
from fingerprint.views.placements import Levels, Placement, hash_placements, levels_of
from fingerprint.views.rendering import render

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["Picture"]

DRAWN_FROM_PX = 512
"""Longest sides of what views are drawn from, each way for itself."""

MIRRORED = DIHEDRAL_NAMES.index("flip_y")


class Picture:
    """Canonical pixels and an algorithm, and what is known of them so far.

    Parameters
    ----------
    pixels : ndarray of uint8
        (h, w, 3) RGB or (h, w) grey.
    algorithm : HashAlgorithm
        PDQ takes its views from one shrunken copy of the picture; for any other the
        views are drawn and hashed as pictures.
    """

    def __init__(self, pixels: U8, algorithm: HashAlgorithm) -> None:
        self.pixels = np.ascontiguousarray(pixels)
        self.algorithm = algorithm
        self._sampled = algorithm.hash_name == "pdq"

    @cached_property
    def levels(self) -> Levels:
        """The luma at two sizes."""
        return levels_of(self.pixels)

    @cached_property
    def positions(self) -> dict[str, Hash]:
        """Hashes of the picture in its eight positions, by `fingerprint.DIHEDRAL_NAMES`."""
        if self.algorithm.dihedral:
            return self.algorithm.hash_dihedral(self.pixels)
        return {
            name: self.algorithm.hash_pixels(np.ascontiguousarray(turned))
            for name, turned in zip(DIHEDRAL_NAMES, _eight(self.pixels), strict=True)
        }

    @cached_property
    def exact(self) -> Hash:
        """The picture's own hash."""
        if "positions" in self.__dict__:
            return self.positions["identity"]
        return self.algorithm.hash_pixels(self.pixels)

    def hash_placements(
        self, placements: Sequence[Placement], *, mirrored: bool = False
    ) -> list[Hash]:
        """Hash views of the picture; with ``mirrored`` each is followed by its mirror image."""
        if not self._sampled:
            return self._hash_drawn(placements, mirrored)
        return self.hash_levels(self.levels, placements, mirrored=mirrored)

    def hash_levels(
        self, levels: Levels, placements: Sequence[Placement], *, mirrored: bool = False
    ) -> list[Hash]:
        """Hash views of levels by PDQ."""
        packed, quality = hash_placements(levels, placements, dihedral=mirrored)
        name, bits = self.algorithm.hash_name, self.algorithm.bits
        positions = (0, MIRRORED) if mirrored else (0,)
        return [
            Hash(name, packed[i, k].tobytes(), bits, quality[i])
            for i in range(len(placements))
            for k in positions
        ]

    @cached_property
    def _shrunk(self) -> U8:
        """The picture, small enough to be drawn many times."""
        import cv2

        h, w = self.pixels.shape[:2]
        size = (min(w, DRAWN_FROM_PX), min(h, DRAWN_FROM_PX))
        if size == (w, h):
            return self.pixels
        small = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(small, np.uint8)

    def _hash_drawn(self, placements: Sequence[Placement], mirrored: bool) -> list[Hash]:
        hashes = []
        for placement in placements:
            drawn = render(self._shrunk, placement)
            hashes.append(self.algorithm.hash_pixels(drawn))
            if mirrored:
                hashes.append(self.algorithm.hash_pixels(np.ascontiguousarray(drawn[:, ::-1])))
        return hashes


def _eight(pixels: U8) -> tuple[U8, ...]:
    """Return the picture in the positions of DIHEDRAL_NAMES."""
    turned = pixels.swapaxes(0, 1)
    return (
        pixels,
        np.rot90(pixels),
        np.rot90(pixels, 2),
        np.rot90(pixels, 3),
        pixels[::-1],
        pixels[:, ::-1],
        turned,
        turned[::-1, ::-1],
    )
