"""Cutting the bits of a hash into chunks that tell the hashes at hand apart.

Real hashes are not random: bits are constant or follow one another. A bit that is the
same in nearly all of them tells nothing and is left out; that is allowed, since a
distance over fewer bits is never larger. Of several cuts, that with the lowest cost
is taken, estimated from how often pairs of a sample agree.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.index.multi_index.plan import MAX_CHUNK_RADIUS, Planner

if TYPE_CHECKING:
    from fingerprint.typing import F64, I64, U64

__all__ = ["Chunks", "choose_chunks"]

MAX_CHUNK_BITS = 30
SAMPLE_ROWS = 2048
SAMPLE_QUERIES = 64
WORTH_DEALING = 0.95
LEAST_PAIRS = 16
"""Pairs of the sample from which their share is believed."""

CONSTANT_BELOW = 0.005
"""A bit that fewer rows than this share have, or lack, is left out."""

NBYTES_A_WORD = 16.5
"""Largest size of the tables, in bytes a word of a hash: 66 for 256 bits, 98 with the hash."""

SMALL_NBYTES = 24 << 20
"""Tables up to this size, a word of a hash, are taken whatever that is a hash."""


@dataclass(frozen=True)
class Chunks:
    """Which bits of a hash make up each chunk.

    Parameters
    ----------
    bits : tuple of tuple of int
        Positions, the first bit of a hash being 0; no bit stands twice.
    n_words : int
        64-bit words of a hash.
    """

    bits: tuple[tuple[int, ...], ...]
    n_words: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of each chunk."""
        return tuple(len(chunk) for chunk in self.bits)

    @cached_property
    def places(self) -> I64:
        """Where the bits stand in a hash's words: 64 * word + shift, chunk after chunk."""
        position = np.array([p for chunk in self.bits for p in chunk], np.int64)
        places: I64 = (position >> 6) * 64 + ((position >> 3) & 7) * 8 + 7 - (position & 7)
        return places

    @cached_property
    def masks(self) -> U64:
        """Each chunk as a mask of a hash's words, (m, w)."""
        masks = np.zeros((len(self.bits), self.n_words), np.uint64)
        chunk = np.repeat(np.arange(len(self.bits)), self.widths)
        one = np.uint64(1) << (self.places & 63).astype(np.uint64)
        np.bitwise_or.at(masks, (chunk, self.places >> 6), one)
        return masks

    @property
    def cut(self) -> I64:
        """Where each chunk begins in `places`, and where the last one ends."""
        return np.concatenate(([0], np.cumsum(self.widths))).astype(np.int64)


def choose_chunks(words: U64, bits: int, radius: int) -> tuple[Chunks, F64]:
    """Choose chunks for hashes like these, and estimate how alike theirs are.

    Parameters
    ----------
    words : ndarray of uint64, shape (n, w)
        The hashes; a sample of them is looked at.
    bits : int
        Bits of a hash.
    radius : int
        For which radius the search shall be cheapest, in bits.

    Returns
    -------
    chunks : Chunks
        None at all when no bit tells the hashes apart.
    shares : ndarray of float64, shape (m, MAX_CHUNK_RADIUS + 1)
        Share of the rows that are within so many bits of a query in a chunk.
    """
    n, w = words.shape
    sample = words[:: max(1, n // SAMPLE_ROWS)][:SAMPLE_ROWS].copy()
    telling = _telling_bits(sample, bits)
    best: tuple[float, Chunks, F64] | None = None
    for m in _counts(len(telling), n):
        runs = _estimated(_as_they_stand(telling, m), sample, n, radius)
        dealt = _estimated(_dealt(telling, m), sample, n, radius)
        # Runs are the faster to build: dealing has to gain something.
        cut = dealt if dealt[0] < WORTH_DEALING * runs[0] else runs
        small_enough = _nbytes(cut[1], n) <= max(w, 4) * max(NBYTES_A_WORD * n, SMALL_NBYTES)
        if small_enough and (best is None or cut[0] < best[0]):
            best = cut
    if best is None:
        return Chunks((), w), np.zeros((0, MAX_CHUNK_RADIUS + 1))
    return best[1:]


def _estimated(
    bits: tuple[tuple[int, ...], ...], sample: U64, n: int, radius: int
) -> tuple[float, Chunks, F64]:
    chunks = Chunks(bits, sample.shape[1])
    shares = _shares(sample, chunks, radius)
    cost = Planner(chunks.widths, shares, n, sample.shape[1]).plan(radius).cost_ns
    return cost, chunks, shares


def _telling_bits(sample: U64, bits: int) -> list[int]:
    if not len(sample):
        return []
    ones = np.unpackbits(sample.view(np.uint8), axis=1)[:, :bits].mean(axis=0)
    rare = np.minimum(ones, 1 - ones)
    return [int(p) for p in np.flatnonzero(rare >= CONSTANT_BELOW)]


def _counts(n_bits: int, n: int) -> list[int]:
    """Return how many chunks to try: about as many values a chunk as there are rows."""
    around = math.log2(max(n, 2))
    counts = set()
    for quarter in range(-8, 21):
        width = around + quarter / 4
        if width >= 4:
            m = round(n_bits / width)
            if m and math.ceil(n_bits / m) <= MAX_CHUNK_BITS:
                counts.add(m)
    return sorted(counts)


def _as_they_stand(telling: list[int], m: int) -> tuple[tuple[int, ...], ...]:
    """Cut into runs: right for bits that have nothing to do with each other."""
    cuts = [len(telling) * i // m for i in range(m + 1)]
    return tuple(tuple(telling[a:b]) for a, b in itertools.pairwise(cuts))


def _dealt(telling: list[int], m: int) -> tuple[tuple[int, ...], ...]:
    """Deal out like cards: bits that follow their neighbours come apart."""
    return tuple(tuple(telling[i::m]) for i in range(m))


def _shares(sample: U64, chunks: Chunks, radius: int) -> F64:
    """Estimate P(distance within a chunk <= r), for r = 0 ... `MAX_CHUNK_RADIUS`."""
    queries = sample[:: max(1, len(sample) // SAMPLE_QUERIES)][:SAMPLE_QUERIES]
    counts = np.zeros((len(chunks.bits), max(chunks.widths) + 1), np.int64)
    # Pairs within the radius are results, and candidates whatever the cut.
    pairs = kernels.mih_build.chunk_histogram(sample, queries, chunks.masks, radius, counts)
    shares = np.empty((len(chunks.bits), MAX_CHUNK_RADIUS + 1))
    for c, width in enumerate(chunks.widths):
        shares[c] = _extended(np.cumsum(counts[c]), pairs, width)
    return shares


def _extended(within: I64, pairs: int, width: int) -> F64:
    """Return shares, those too small for the sample in proportion to random bits'."""
    chance: F64 = np.cumsum([math.comb(width, r) for r in range(width + 1)]) / 2.0**width
    reach = np.arange(MAX_CHUNK_RADIUS + 1).clip(max=width)
    seen = np.flatnonzero(within[: width + 1] >= LEAST_PAIRS)
    if not pairs or not seen.size:
        return np.asarray(chance[reach])
    first = int(seen[0])
    share = within[: width + 1] / pairs
    share[:first] = share[first] * chance[:first] / chance[first]
    best: F64 = np.maximum(share, chance)[reach]
    return best


def _nbytes(chunks: Chunks, n: int) -> float:
    """Estimate the size of the tables, as for random hashes."""
    total = 0.0
    for width in chunks.widths:
        values = 2.0**width
        load = n / values
        occupied = values * -math.expm1(-load)
        singles = n * math.exp(-load)
        lists = (occupied - singles) + (n - singles)
        total += values / 4 + 4 * (occupied + lists)
    return total
