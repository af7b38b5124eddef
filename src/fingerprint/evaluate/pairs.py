"""Pairs of pictures: which show the same, how near each is, and to what stratum it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint import kernels
from fingerprint.hash_arrays import HashArray
from fingerprint.hashing import hash_algorithm

if TYPE_CHECKING:
    from fingerprint.evaluate.contenders import ViewedHashes
    from fingerprint.typing import I32, I64, U8

__all__ = [
    "GROUP_RADIUS",
    "LEFT_OUT",
    "LOW_QUALITY",
    "N_STRATA",
    "OWN",
    "SAME_FOLDER",
    "References",
    "Scores",
    "Signature",
    "group_pictures",
    "pdq_quality",
    "signature",
]

GROUP_RADIUS = 64
"""Pictures whose PDQ hashes are this near in any position are taken to show the same."""

SAME_FOLDER, LOW_QUALITY = 1, 2
N_STRATA = 4
"""Different pictures: different folders or the same (1), quality sufficient or low (2)."""

LEFT_OUT, OWN = 4, 5
"""The other pictures of one's group; oneself."""

_MIN_QUALITY = 50
_THUMBNAIL_PX = 32
_ALIKE_LEVELS = 4.0


@dataclass(frozen=True, slots=True)
class Signature:
    """What tells whether two pictures show the same: PDQ in eight positions, and pixels."""

    positions: HashArray
    quality: int
    thumbnail: U8


def signature(pixels: U8) -> Signature:
    """Return what `group_pictures` compares of (h, w, 3) uint8 RGB pixels."""
    import cv2

    positions = HashArray.from_hashes(hash_algorithm("pdq").hash_dihedral(pixels).values())
    side = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    small = cv2.resize(pixels, side, interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    return Signature(positions, int(positions.quality[0]), grey)


def pdq_quality(pixels: U8) -> int:
    """Return PDQ's quality of (h, w, 3) uint8 RGB pixels, 0 to 100."""
    return hash_algorithm("pdq").hash_pixels(pixels).quality or 0


def group_pictures(signatures: Sequence[Signature]) -> I64:
    """Return the group of each picture: the number of its first member.

    Two pictures are in one group when PDQ is within `GROUP_RADIUS` in any position, or
    a chain of such pictures joins them. Of pictures with too little in them PDQ says
    nothing, and false matches are to be counted there: those must look alike, too, within
    4 grey levels (root mean square of 32 x 32).
    """
    n = len(signatures)
    parent = np.arange(n, dtype=np.int64)
    if n == 0:
        return parent
    upright = HashArray.concatenate([one.positions[:1] for one in signatures]).words
    low = np.array([one.quality < _MIN_QUALITY for one in signatures])
    distances = np.empty(n, np.int32)
    for i, one in enumerate(signatures):
        near = np.full(n, np.iinfo(np.int32).max, np.int32)
        for position in one.positions.words:
            kernels.bits.distances_to(upright, position, distances)
            np.minimum(near, distances, out=near)
        for j in np.flatnonzero(near[:i] <= GROUP_RADIUS).tolist():
            if (low[i] or low[j]) and not _look_alike(one.thumbnail, signatures[j].thumbnail):
                continue
            a, b = _root(parent, i), _root(parent, j)
            parent[max(a, b)] = min(a, b)
    return np.array([_root(parent, i) for i in range(n)], np.int64)


def _root(parent: I64, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = int(parent[i])
    return i


def _look_alike(a: U8, b: U8) -> bool:
    positions = [np.rot90(side, k) for side in (a, a.T) for k in range(4)]
    return any(
        float(np.sqrt(np.mean((one.astype(np.float64) - b) ** 2))) <= _ALIKE_LEVELS
        for one in positions
    )


class Scores(NamedTuple):
    """How near a query is to each picture, and through which of its views."""

    scores: I32
    views: I32


class References:
    """What one contender stores of all pictures, to be compared with queries.

    Parameters
    ----------
    stored : sequence of HashArray
        The rows of each picture.
    qualities : sequence of int
        Of each picture, 0 to 100.
    bits : int
        Scores beyond are counted as this.
    min_quality : int
        Below this a quality is low.
    folders, groups : ndarray of int64, shape (n,)
        To which each picture belongs.
    """

    def __init__(
        self,
        stored: Sequence[HashArray],
        qualities: Sequence[int],
        *,
        bits: int,
        min_quality: int,
        folders: I64,
        groups: I64,
    ) -> None:
        self.n = len(stored)
        self.bits = bits
        self.min_quality = min_quality
        self._words = HashArray.concatenate(stored).words
        self._kind = stored[0].kind
        lengths = np.array([len(one) for one in stored], np.int64)
        starts = np.concatenate(([0], np.cumsum(lengths)))[:-1]
        self._single = bool((lengths == 1).all())
        self._some = np.flatnonzero(lengths)  # A picture may have no segment at all.
        self._starts = starts[self._some]
        self._low = np.asarray(qualities) < min_quality
        self._folders, self._groups = folders, groups

    def compare(self, query: ViewedHashes) -> Scores:
        """Return the score of a query with each picture: the best view, the first of equals."""
        if query.hashes.kind != self._kind:
            (name, _, bits), (other, _, other_bits) = query.hashes.kind, self._kind
            raise ValueError(
                f"query: expected hashes like the references' ({other}, {other_bits} bits), "
                f"got {name}, {bits} bits"
            )
        best = np.full(self.n, self.bits, np.int32)
        views = np.zeros(self.n, np.int32)
        distances = np.empty(len(self._words), np.int32)
        for view, words in enumerate(query.hashes.words):
            kernels.bits.distances_to(self._words, words, distances)
            scores = self._of_pictures(distances) + query.handicaps[view]
            better = scores < best
            best[better] = scores[better]
            views[better] = view
        return Scores(best, views)

    def strata(self, i: int, *, low: bool) -> I64:
        """Return the stratum of each picture against picture ``i`` as the query."""
        strata = np.where(self._folders == self._folders[i], SAME_FOLDER, 0)
        strata += LOW_QUALITY * (self._low | low)
        strata[self._groups == self._groups[i]] = LEFT_OUT
        strata[i] = OWN
        return strata

    def _of_pictures(self, distances: I32) -> I32:
        if self._single:
            return distances
        if not len(self._some):
            return np.full(self.n, self.bits, np.int32)
        least = np.minimum.reduceat(distances, self._starts)
        if len(self._some) == self.n:
            return np.asarray(least, np.int32)
        filled = np.full(self.n, self.bits, np.int32)
        filled[self._some] = least
        return filled
