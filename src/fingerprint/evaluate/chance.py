"""Pairs of different pictures: to which stratum each belongs, how near, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.calibration import ChanceStratum
from fingerprint.evaluate.tails import Tail, tail_of

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.typing import F64, I32, I64

__all__ = ["Pool", "Stratum", "distance_step", "measure_strata", "quality_ranges"]

ORDINARY, LOW, TEMPLATED = range(3)
"""Classes of pictures: a photograph, one of low quality, one drawn after a template."""

DRAWS = 400
_LEAST_TAIL_PAIRS = 4_000
_LARGEST_TAIL_SHARE = 0.01
_MOST_TAIL_PAIRS = 400_000


@dataclass(frozen=True)
class Pool:
    """Pictures to be compared with each other.

    Parameters
    ----------
    hashes : HashArray
        One of each, with its quality.
    folders : ndarray of int64, shape (n,)
        Where each lies.
    owners : ndarray of int64, shape (n,)
        What each was made from: pictures of one owner are not compared, and a bootstrap
        draws owners.
    classes : ndarray of int64, shape (n,)
        `ORDINARY`, `LOW` or `TEMPLATED`.
    ranges : tuple of (int, int)
        Ranges of low quality, from and to inclusive.
    """

    hashes: HashArray
    folders: I64
    owners: I64
    classes: I64
    ranges: tuple[tuple[int, int], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The strata, in the order of their numbers."""
        low = tuple(f"quality {a}" if a == b else f"quality {a}-{b}" for a, b in self.ranges)
        return ("same-domain", "diverse", "mixed-quality", "templated", *low)

    def strata(self, i: int) -> I64:
        """Return the number of the stratum of picture i with each later one, -1 for none."""
        mine, theirs = self.classes[i], self.classes[i + 1 :]
        strata = np.full(len(theirs), -1, np.int64)
        ordinary = (theirs == ORDINARY) & (mine == ORDINARY)
        same = self.folders[i + 1 :] == self.folders[i]
        strata[ordinary & same] = 0
        strata[ordinary & ~same] = 1
        strata[(theirs == LOW) & (mine == ORDINARY) | (theirs == ORDINARY) & (mine == LOW)] = 2
        strata[(theirs == TEMPLATED) & (mine == TEMPLATED)] = 3
        quality = self.hashes.quality
        lower = np.minimum(quality[i + 1 :], quality[i])
        for number, (first, last) in enumerate(self.ranges):
            inside = (lower >= first) & (lower <= last)
            strata[(theirs == LOW) & (mine == LOW) & inside] = 4 + number
        strata[self.owners[i + 1 :] == self.owners[i]] = -1
        return strata


@dataclass(frozen=True, slots=True)
class Stratum:
    """What was counted of a stratum, and the tail that was fitted.

    Parameters
    ----------
    pictures : int
        How many are in it.
    counts : ndarray of float64, shape (bits + 1,)
        Pairs at each distance.
    tail : Tail
        Rates with their intervals.
    """

    pictures: int
    counts: F64
    tail: Tail

    def stored(self, quality: tuple[int, int] | None, *, generated: bool) -> ChanceStratum:
        """Return what a calibration keeps of it."""
        tail, fit = self.tail, self.tail.fit
        return ChanceStratum(
            pictures=self.pictures,
            pairs=int(self.counts.sum()),
            rate=tuple(map(float, tail.rate)),
            low=tuple(map(float, tail.low)),
            high=tuple(map(float, tail.high)),
            measured_from=tail.measured_from,
            nearest=int(np.flatnonzero(self.counts)[0]),
            quality=quality,
            generated=generated,
            threshold=fit.threshold if fit else None,
            scale=fit.scale if fit else 0.0,
            shape=fit.shape if fit else 0.0,
        )


def quality_ranges(min_quality: int) -> tuple[tuple[int, int], ...]:
    """Return the ranges of low quality that are told apart: none at all, little, too little."""
    middle = (min_quality + 1) // 2
    ranges = ((0, 0), (1, middle - 1), (middle, min_quality - 1))
    return tuple((first, last) for first, last in ranges if first <= last)


def distance_step(pool: Pool) -> int:
    """Return 2 where distances are even, as those of hashes with half of the bits set are."""
    ones = np.bitwise_count(pool.hashes.words).sum(axis=1)
    ordinary = ones[pool.classes == ORDINARY]
    return 2 if len(ordinary) and float(np.mean(ordinary % 2 == ordinary[0] % 2)) > 0.98 else 1


def measure_strata(pool: Pool, *, step: int, blind: int, seed: int) -> dict[str, Stratum | str]:
    """Compare all pairs.

    Parameters
    ----------
    pool : Pool
        The pictures.
    step : int
        `distance_step`.
    blind : int
        Pairs of ordinary pictures within it were set aside as near-duplicates, or -1.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to Stratum or str
        For each stratum what was found, or why it could not be measured.
    """
    counts = _counts(pool)
    if blind >= 0:
        counts[:2, : blind + 1] = 0
    caps = np.array([_cap(one) for one in counts])
    pairs = _tail_pairs(pool, caps, blind)
    draws, pictures = _draws(pool, counts, caps, pairs, seed)
    found: dict[str, Stratum | str] = {}
    for number, name in enumerate(pool.names):
        hidden = blind if number < 2 else -1
        try:
            tail = tail_of(
                counts[number], counts[number].sum(), draws[number], step=step, blind=hidden
            )
        except ValueError as error:
            found[name] = f"{int(counts[number].sum()):,} pairs: {error}"
        else:
            found[name] = Stratum(int(pictures[number]), counts[number], tail)
    return found


def _distances(pool: Pool, i: int, buffer: I32) -> I32:
    out = buffer[: len(pool.hashes) - i - 1]
    kernels.bits.distances_to(pool.hashes.words[i + 1 :], pool.hashes.words[i], out)
    return out


def _counts(pool: Pool) -> F64:
    width = pool.hashes.bits + 1
    counts = np.zeros(len(pool.names) * width, np.int64)
    buffer = np.empty(len(pool.hashes), np.int32)
    for i in range(len(pool.hashes) - 1):
        strata, distances = pool.strata(i), _distances(pool, i, buffer)
        used = strata >= 0
        counts += np.bincount(strata[used] * width + distances[used], minlength=len(counts))
    return counts.reshape(-1, width).astype(np.float64)


def _cap(counts: F64) -> int:
    """Return the distance up to which pairs are kept one by one, for the bootstrap."""
    wanted = max(_LEAST_TAIL_PAIRS, _LARGEST_TAIL_SHARE * counts.sum())
    below = np.cumsum(counts)
    return int(np.searchsorted(below, min(wanted, _MOST_TAIL_PAIRS), side="right"))


def _tail_pairs(pool: Pool, caps: I64, blind: int) -> tuple[I64, I64, I64, I64]:
    """Return stratum, distance and both pictures of every pair up to the caps."""
    parts = []
    buffer = np.empty(len(pool.hashes), np.int32)
    for i in range(len(pool.hashes) - 1):
        strata, distances = pool.strata(i), _distances(pool, i, buffer)
        near = (strata >= 0) & (distances <= caps[strata])
        near &= (strata > 1) | (distances > blind)
        rows = np.flatnonzero(near)
        parts.append(np.stack([strata[rows], distances[rows], np.full(len(rows), i), rows + i + 1]))
    stratum, distance, one, other = np.concatenate(parts, axis=1).astype(np.int64)
    return stratum, distance, one, other


def _draws(
    pool: Pool, counts: F64, caps: I64, pairs: tuple[I64, I64, I64, I64], seed: int
) -> tuple[list[F64], I64]:
    """Return shares of pairs at each distance in bootstrap samples of owners."""
    stratum, distance, one, other = pairs
    width = counts.shape[1]
    owners, of_owner = np.unique(pool.owners, return_inverse=True)
    chance = np.random.default_rng(seed)
    even = np.full(len(owners), 1 / len(owners))
    all_once, pictures = _pair_weights(pool, np.ones(len(pool.hashes)))
    draws = np.zeros((len(counts), DRAWS, width))
    for number in range(DRAWS):
        weights = chance.multinomial(len(owners), even)[of_owner].astype(np.float64)
        total, _ = _pair_weights(pool, weights)
        tails = np.bincount(
            stratum * width + distance,
            weights=weights[one] * weights[other],
            minlength=counts.size,
        ).reshape(counts.shape)
        for row in range(len(counts)):
            if total[row] <= 0 or all_once[row] <= 0:
                continue
            cap = caps[row] + 1
            draws[row, number, :cap] = tails[row, :cap] / total[row]
            # Beyond the cap pairs were not kept: they go with the last that were.
            before = counts[row, :cap].sum() / all_once[row]
            factor = draws[row, number, :cap].sum() / before if before else 1.0
            draws[row, number, cap:] = factor * counts[row, cap:] / all_once[row]
    return list(draws), pictures


def _pair_weights(pool: Pool, weights: F64) -> tuple[F64, I64]:
    """Return the summed weight of the pairs of each stratum, and its number of pictures."""
    quality = pool.hashes.quality
    masks = [pool.classes == kind for kind in (ORDINARY, LOW, TEMPLATED)]
    by_folder = np.bincount(pool.folders, weights=weights * masks[0])
    squares = float((weights**2 * masks[0]).sum())
    same = (float((by_folder**2).sum()) - squares) / 2
    everything = (by_folder.sum() ** 2 - squares) / 2
    own = np.bincount(pool.owners, weights * masks[0]) * np.bincount(
        pool.owners, weights * masks[1]
    )
    mixed = by_folder.sum() * float((weights * masks[1]).sum()) - own.sum()
    totals = [same, everything - same, mixed, _among(weights[masks[2]])]
    pictures = [masks[0].sum(), masks[0].sum(), masks[0].sum() + masks[1].sum(), masks[2].sum()]
    for first, last in pool.ranges:
        from_here = masks[1] & (quality >= first)
        above = masks[1] & (quality > last)
        totals.append(_among(weights[from_here]) - _among(weights[above]))
        pictures.append((from_here & ~above).sum())
    return np.array(totals, np.float64), np.array(pictures, np.int64)


def _among(weights: F64) -> float:
    return float((weights.sum() ** 2 - (weights**2).sum()) / 2)
