"""Do probabilities hold? Predicted beside observed, on pictures that were not fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.evaluate.calibration_pictures import (
    Hashed,
    Progress,
    choose,
    hash_all,
    read_edits,
    representatives,
)
from fingerprint.evaluate.statistics import wilson
from fingerprint.hash_arrays import HashArray
from fingerprint.hashing import hash_algorithm

if TYPE_CHECKING:
    from fingerprint.calibration import Calibration
    from fingerprint.evaluate.originals import Half, Sources
    from fingerprint.evaluate.transforms import Edit
    from fingerprint.typing import F64, I64, Bits

__all__ = ["JudgedPairs", "Reliability", "ReliabilityBin", "judge", "judged_pairs", "reliability"]

EDGES = (0, 1e-4, 1e-3, 0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99, 0.999, 1)
"""Bins of predicted probability: finer where decisions are made."""
CANDIDATE = 0.01
"""Pairs that are predicted less are too many to be in a mean error: nearly all are far apart."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pairs with about one predicted probability.

    Parameters
    ----------
    pairs : int
        How many pairs were compared.
    predicted, observed : float
        Mean prediction, and share of copies, weighted.
    low, high : float
        95 % Wilson interval of the share, for the effective number of pairs. Pairs of one
        picture depend on each other, so it is rather too narrow.
    weight : float
        Pairs that it stands for.
    """

    pairs: int
    predicted: float
    observed: float
    low: float
    high: float
    weight: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well predicted probabilities agree with what was found.

    Parameters
    ----------
    bins : tuple of ReliabilityBin
        Those that hold pairs, from low to high.
    expected_calibration_error : float
        Mean absolute difference of predicted and observed over the bins, among pairs that
        were predicted at least 0.01, weighted.
    brier : float
        Mean squared error of these predictions.
    brier_of_base_rate : float
        The same when each is predicted the share of copies among them.
    """

    bins: tuple[ReliabilityBin, ...]
    expected_calibration_error: float
    brier: float
    brier_of_base_rate: float


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """Edited copies compared with originals.

    Parameters
    ----------
    distance, quality : ndarray of int64, shape (n,)
        Of each pair; quality is the lower of the two.
    copy : ndarray of bool, shape (n,)
        Whether it is a copy and its own original.
    count : ndarray of int64, shape (n,)
        How many such pairs there were.
    entries : int
        Originals that each copy was compared with, its own among them.
    same_domain : float
        Share of the other originals that lie in the folder of a copy's own.
    """

    distance: I64
    quality: I64
    copy: Bits
    count: I64
    entries: int
    same_domain: float


def judged_pairs(
    sources: Sources | None,
    algorithm: str = "pdq",
    *,
    edits: Iterable[Edit | str] | None = None,
    groups: Mapping[str, object] | None = None,
    half: Half = "report",
    seed: int = 1,
    limit: int | None = None,
    n_edited: int = 150,
    workers: int | None = None,
    progress: Progress | None = None,
) -> JudgedPairs:
    """Edit pictures, and compare the copies with all originals.

    Parameters are those of `fingerprint.calibrate`. Near-duplicates are set aside alike, so
    that a pair is a copy or chance and nothing between.
    """
    chosen = hash_algorithm(algorithm)
    tasks = choose(sources, half, limit, seed, n_edited)
    photographs = [task for task in tasks if task.kind == "photo"]
    chain = read_edits(edits)
    hashed, _ = hash_all(photographs, chosen, chain, groups is None, workers, progress)
    kept, _ = representatives(hashed, groups)
    return _compared(kept)


def judge(
    calibration: Calibration,
    pairs: JudgedPairs,
    *,
    database_size: int | None = None,
    prior: float = 0.5,
    stratum: str | Mapping[str, float] | None = None,
) -> Reliability:
    """Compare predicted probabilities with what pairs are.

    Each copy stands for a query that has its original in the database with probability
    ``prior``; the other originals are entries that match by chance.

    Parameters
    ----------
    calibration : Calibration
        Fitted to other pictures.
    pairs : JudgedPairs
        What was compared.
    database_size : int, optional
        Chance pairs are weighted as though there were so many entries; as many as there
        are by default.
    prior : float
        Share of queries that are copies of an entry.
    stratum : str or mapping of str to float, optional
        As in `Calibration.probability`; by default the pairs' own shares of the same and of
        different folders.
    """
    size = pairs.entries if database_size is None else database_size
    if stratum is None and {"same-domain", "diverse"} <= set(calibration.strata):
        stratum = {"same-domain": pairs.same_domain, "diverse": 1 - pairs.same_domain}
    predicted = np.array(
        [
            calibration.probability(int(d), size, int(q), prior=prior, stratum=stratum)
            for d, q in zip(pairs.distance, pairs.quality, strict=True)
        ]
    )
    others = (size - prior) / (pairs.entries - 1)
    weights = np.asarray(pairs.count * np.where(pairs.copy, prior, others), np.float64)
    return reliability(predicted, pairs.copy, weights, pairs.count)


def reliability(
    predicted: F64, truths: Bits, weights: F64 | None = None, counts: I64 | None = None
) -> Reliability:
    """Return how predicted probabilities agree with truths.

    Parameters
    ----------
    predicted : ndarray of float64, shape (n,)
        0 to 1.
    truths : ndarray of bool, shape (n,)
        What happened.
    weights : ndarray of float64, shape (n,), optional
        What each stands for; 1 by default.
    counts : ndarray of int64, shape (n,), optional
        Of how many observations its weight is made; 1 each by default.
    """
    counts = np.ones(len(predicted), np.int64) if counts is None else counts
    weights = counts.astype(np.float64) if weights is None else weights
    if not len(predicted) or predicted.min() < 0 or predicted.max() > 1:
        raise ValueError("predicted: expected one probability or more, from 0 to 1")
    bins = []
    places = np.clip(np.searchsorted(EDGES, predicted, side="right") - 1, 0, len(EDGES) - 2)
    for place in np.unique(places):
        inside = places == place
        weight = float(weights[inside].sum())
        observed = float(weights[inside & truths].sum()) / weight
        squares = float((weights[inside] ** 2 / counts[inside]).sum())
        n = max(1, round(weight**2 / squares))  # Kish's effective number.
        low, high = wilson(min(n, round(observed * n)), n)
        bins.append(
            ReliabilityBin(
                pairs=int(counts[inside].sum()),
                predicted=float(predicted[inside] @ weights[inside]) / weight,
                observed=observed,
                low=min(low, observed),
                high=max(high, observed),
                weight=weight,
            )
        )
    likely = predicted >= CANDIDATE
    total = float(weights[likely].sum())
    if not total:
        return Reliability(tuple(bins), 0.0, 0.0, 0.0)
    base = float(weights[likely & truths].sum()) / total
    shown = [one for one in bins if one.predicted >= CANDIDATE]
    errors = sum(one.weight * abs(one.predicted - one.observed) for one in shown)
    return Reliability(
        tuple(bins),
        errors / sum(one.weight for one in shown),
        float(weights[likely] @ (predicted[likely] - truths[likely]) ** 2) / total,
        base * (1 - base),
    )


def _compared(hashed: list[Hashed]) -> JudgedPairs:
    originals = HashArray.from_hashes(h.hash for h in hashed)
    folders = np.array([h.task.original.folder for h in hashed])
    width = originals.bits + 1
    # Distance, quality, copy or not: a table of counts, since pairs are millions.
    counts = np.zeros(width * 101 * 2, np.int64)
    distances = np.empty(len(originals), np.int32)
    same = total = 0
    known = np.where(originals.quality < 0, 100, originals.quality).astype(np.int64)
    for i, one in enumerate(hashed):
        mine = np.arange(len(hashed)) == i
        for copy in one.copies:
            words = HashArray.from_hashes([copy]).words
            kernels.bits.distances_to(originals.words, words[0], distances)
            quality = np.minimum(known, 100 if copy.quality is None else copy.quality)
            place = (distances.astype(np.int64) * 101 + quality) * 2 + mine
            counts += np.bincount(place, minlength=len(counts))
            same += int((folders == folders[i]).sum()) - 1
            total += len(hashed) - 1
    if not total:
        raise ValueError("sources: expected two different pictures or more, and copies of them")
    place = np.flatnonzero(counts)
    return JudgedPairs(
        distance=place // 202,
        quality=place // 2 % 101,
        copy=place % 2 == 1,
        count=counts[place],
        entries=len(hashed),
        same_domain=same / total,
    )
