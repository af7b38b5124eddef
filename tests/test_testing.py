"""The checks that are shipped for others must notice what they are for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from fingerprint.errors import UnsupportedOperationError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index.backends import Neighbours, RangeResult
from fingerprint.index.backends.linear import LinearBackend
from fingerprint.testing import check_backend
from fingerprint.testing.strategies import hashes, images
from fingerprint.typing import Residency

U8 = NDArray[np.uint8]


class Honest(LinearBackend):
    """A linear scan that promises little; subclasses break one promise each."""

    name = "honest"

    def __init__(self, hashes: HashArray) -> None:
        super().__init__(hashes)
        self.max_radius = hashes.bits // 4

    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        if radius > self.max_radius:
            raise UnsupportedOperationError("too far")
        return super().range_search(queries, radius)


def without(found: RangeResult, keep: NDArray[np.bool_]) -> RangeResult:
    counts = np.concatenate([[0], np.cumsum(keep)])
    return RangeResult(counts[found.lims], found.rows[keep], found.distances[keep])


class ExclusiveRadius(Honest):
    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        found = super().range_search(queries, radius)
        return without(found, found.distances < radius)


class SilentLossBeyond(Honest):
    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        return super().range_search(queries, min(radius, self.max_radius))


class NoDuplicates(Honest):
    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        found = super().range_search(queries, radius)
        keep = np.ones(found.rows.size, bool)
        for a, b in zip(found.lims[:-1], found.lims[1:], strict=True):
            seen: set[bytes] = set()
            for i in range(a, b):
                packed = self._words[found.rows[i]].tobytes()
                keep[i] = packed not in seen
                seen.add(packed)
        return without(found, keep)


class RowOrder(Honest):
    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        found = super().range_search(queries, radius)
        query = np.repeat(np.arange(found.lims.size - 1), np.diff(found.lims))
        order = np.lexsort((found.rows, query))
        return RangeResult(found.lims, found.rows[order], found.distances[order])


class WrongDistance(Honest):
    exact = False

    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        lims, rows, distances = super().range_search(queries, radius)
        return RangeResult(lims, rows, np.minimum(distances, 3))


class SecondBest(Honest):
    def nearest(self, queries: HashArray, k: int) -> Neighbours:
        rows, distances = super().nearest(queries, min(k + 1, len(self)))
        return Neighbours(rows[:, -k:], distances[:, -k:])


class Misremembers(Honest):
    @classmethod
    def load(cls, directory: Path, hashes: HashArray, *, residency: Residency = "mmap") -> Self:
        return cls(hashes[::-1])


class ForgetsItsRadius(Honest):
    @classmethod
    def load(cls, directory: Path, hashes: HashArray, *, residency: Residency = "mmap") -> Self:
        loaded = cls(hashes)
        loaded.max_radius = hashes.bits
        return loaded


class LosesTheLims(Honest):
    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        found = super().range_search(queries, radius)
        return RangeResult(found.lims[1:], found.rows, found.distances)


class RefusesEverything(Honest):
    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        raise UnsupportedOperationError("no")

    def nearest(self, queries: HashArray, k: int) -> Neighbours:
        raise UnsupportedOperationError("no")


class RefusesSome(Honest):
    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        if radius > self.max_radius // 2:
            raise UnsupportedOperationError("too far, in spite of max_radius")
        return super().range_search(queries, radius)


class HalfBlind(Honest):
    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        found = super().range_search(queries, radius)
        return without(found, found.rows % 2 == 0)


def test_honest_backends_pass() -> None:
    check_backend(Honest)


def test_an_inexact_backend_may_miss_rows() -> None:
    class Blind(HalfBlind):
        exact = False

    check_backend(Blind)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (ExclusiveRadius, "misses a row"),
        (SilentLossBeyond, "misses a row"),
        (NoDuplicates, "misses a row"),
        (HalfBlind, "misses a row"),
        (RowOrder, "not in order"),
        (WrongDistance, "invents"),
        (SecondBest, "misses a nearer row"),
        (Misremembers, "after load"),
        (ForgetsItsRadius, "max_radius"),
        (LosesTheLims, "lims"),
        (RefusesEverything, "refuses every search"),
        (RefusesSome, "max_radius"),
    ],
)
def test_broken_backends_are_found_out(broken: type[Honest], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_backend(broken)


@given(images(min_side=3, max_side=9, channels=(1, 3, 4)))
def test_pictures_are_what_they_are_said_to_be(pixels: U8) -> None:
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert all(3 <= side <= 9 for side in pixels.shape[:2])
    assert pixels.ndim == 2 or pixels.shape[2] in {3, 4}


@given(hashes("colorhash"))
def test_hashes_are_of_their_algorithm(h: Hash) -> None:
    assert (h.algorithm, h.bits, len(h.packed)) == ("colorhash", 42, 6)
    assert h.packed[-1] & 0b111111 == 0


@pytest.mark.parametrize(
    "wrong", [{"min_side": 0}, {"min_side": 9, "max_side": 8}, {"channels": ()}, {"channels": (2,)}]
)
def test_impossible_pictures_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        images(**wrong)
