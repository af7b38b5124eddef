"""From counts to figures: radii, recalls, rates and their intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.evaluate.pairs import LEFT_OUT, LOW_QUALITY, N_STRATA, SAME_FOLDER
from fingerprint.evaluate.report import (
    ContenderResult,
    EditResult,
    Histogram,
    OperatingPoint,
    Recall,
    StratumRate,
    StratumResult,
    ViewHistogram,
)
from fingerprint.evaluate.statistics import (
    RULE_OF_THREE,
    largest_radius,
    pair_rate_interval,
    row_rate_interval,
    wilson,
)
from fingerprint.evaluate.tally import EDITED, UNEDITED

if TYPE_CHECKING:
    from fingerprint.evaluate.contenders import Contender
    from fingerprint.evaluate.tally import Kind, Totals
    from fingerprint.typing import I64

__all__ = ["ALL_PAIRS", "PRECISION", "STRATA", "EditName", "Wanted", "contender_result"]

PRECISION = 0.9999
"""Radii are also given for this share of true finds among all."""

_BOTH = (UNEDITED, EDITED)
ALL_PAIRS = "all"
STRATA: dict[str, tuple[Kind, ...]] = {
    "different folders": tuple((e, 0) for e in _BOTH),
    "same folder": tuple((e, SAME_FOLDER) for e in _BOTH),
    "different folders, low quality": tuple((e, LOW_QUALITY) for e in _BOTH),
    "same folder, low quality": tuple((e, SAME_FOLDER + LOW_QUALITY) for e in _BOTH),
    "unedited": tuple((UNEDITED, s) for s in range(N_STRATA)),
    "edited": tuple((EDITED, s) for s in range(N_STRATA)),
    ALL_PAIRS: tuple((e, s) for e in _BOTH for s in range(N_STRATA)),
}
"""Kinds of different pairs; the first two are those whose qualities suffice."""


@dataclass(frozen=True, slots=True)
class EditName:
    """An edit's text, its transform or chain, and the transform's strength."""

    edit: str
    transform: str
    strength: float | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which figures are wanted, and of how many pictures.

    Parameters
    ----------
    radii : tuple of int
        Chosen for this contender.
    rates : tuple of float
        False pairs a pair.
    n_pictures, n_references : int
        Pictures that were edited; those and distractors.
    n_pairs : int
        Different pairs of pictures, each counted once.
    seed : int
        Of the bootstrap.
    """

    radii: tuple[int, ...]
    rates: tuple[float, ...]
    n_pictures: int
    n_references: int
    n_pairs: int
    seed: int


def contender_result(
    contender: Contender, totals: Totals, edits: Sequence[EditName], wanted: Wanted
) -> ContenderResult:
    """Return the figures of one contender."""
    points = _Points(contender, totals, wanted).all()
    recalled = (_edit_result(name, totals, e, points, wanted) for e, name in enumerate(edits, 1))
    left_out = totals.by_picture([(e, LEFT_OUT) for e in _BOTH]).sum(axis=0)
    return ContenderResult(
        name=contender.name,
        bits=contender.bits,
        published=contender.radius.source if contender.radius else "",
        min_quality=contender.min_quality,
        false_up_to=totals.caps.by_edit,
        points=tuple(points),
        edits=tuple(recalled),
        strata=tuple(
            _stratum(name, kinds, totals, points, wanted) for name, kinds in STRATA.items()
        ),
        left_out=_histogram(left_out),
    )


class _Points:
    """The operating points of one contender."""

    def __init__(self, contender: Contender, totals: Totals, wanted: Wanted) -> None:
        self._contender, self._totals, self._wanted = contender, totals, wanted
        self._pairs = totals.by_picture(STRATA[ALL_PAIRS])
        self._false = self._pairs.sum(axis=0)
        self._false_finds = np.cumsum(totals.by_picture(STRATA["edited"]).sum(axis=0))
        own = np.zeros(contender.bits + 1, np.int64)
        for found in totals.own[1:]:
            for (_, score), n in found.items():
                own[score] += n
        self._true_finds = np.cumsum(own)
        self._n = int(own.sum()) + sum(totals.failed[1:])

    def all(self) -> list[OperatingPoint]:
        points = []
        if self._contender.radius is not None:
            points.append(self._point("published", self._contender.radius.bits))
        points += [self._point(f"radius {radius}", radius) for radius in self._wanted.radii]
        points += [self._at_rate(rate) for rate in self._wanted.rates]
        return [*points, self._at_precision()]

    def _at_rate(self, rate: float) -> OperatingPoint:
        name = f"rate {rate:g}"
        pairs = int(self._false.sum())
        shown = RULE_OF_THREE / max(self._wanted.n_pairs, 1)
        if rate >= shown:
            radius = largest_radius(self._false, pairs, rate)
            note = "" if radius >= 0 else f"even at 0 bits more than {rate:g} of the pairs"
            return self._point(name, radius, note)
        radius = largest_radius(self._false, pairs, 0)
        note = (
            f"{self._wanted.n_pairs:,} pairs of pictures cannot show {rate:g}: the largest radius "
            f"without a false pair, at which the rate is at most {shown:.1g}"
        )
        if radius < 0:
            note = f"{note}; even at 0 bits there are some"
        return self._point(name, radius, note, shown=False)

    def _at_precision(self) -> OperatingPoint:
        finds = self._true_finds + self._false_finds
        good = np.flatnonzero((self._true_finds >= PRECISION * finds) & (finds > 0))
        radius = int(good[-1]) if len(good) else -1
        finds_of = f"of {self._n:,} queries, each against {self._wanted.n_references - 1:,} others"
        return self._point(f"precision {PRECISION:g}", radius, finds_of)

    def _point(
        self, name: str, radius: int, note: str = "", *, shown: bool = True
    ) -> OperatingPoint:
        within = slice(0, radius + 1)
        false = int(self._false[within].sum())
        pairs = int(self._false.sum())
        low, high = _rate_interval(STRATA[ALL_PAIRS], self._totals, radius, self._wanted)
        true_finds = int(self._true_finds[radius]) if radius >= 0 else 0
        false_finds = int(self._false_finds[radius]) if radius >= 0 else 0
        finds = true_finds + false_finds
        return OperatingPoint(
            name=name,
            radius=radius,
            false=false,
            pairs=pairs,
            rate=false / max(pairs, 1),
            rate_low=low,
            rate_high=high,
            true_finds=true_finds,
            false_finds=false_finds,
            precision=true_finds / finds if finds else None,
            recall=true_finds / max(self._n, 1),
            note=note,
            shown=shown,
        )


def _rate_interval(
    kinds: Sequence[Kind], totals: Totals, radius: int, wanted: Wanted
) -> tuple[float, float]:
    """Return the interval of a rate; without a false pair that of the rule of three."""
    pairs = totals.by_picture(kinds)
    n_pairs = pairs.sum(axis=1)
    false = pairs[:, : radius + 1].sum(axis=1)
    if not n_pairs.sum():
        return 0.0, 1.0
    # A picture's edited copies are not further pairs: as many as there are different ones.
    edited = {e for e, _ in kinds}
    asked = totals.by_picture([k for k in STRATA[ALL_PAIRS] if k[0] in edited]).sum()
    distinct = wanted.n_pairs * int(n_pairs.sum()) / int(asked)
    most = min(1.0, RULE_OF_THREE / max(distinct, 1.0))
    if not false.sum():
        return 0.0, most
    if radius <= totals.caps.by_pair:
        near = totals.near(kinds, radius)
        low, high = pair_rate_interval(near, n_pairs, wanted.n_references, wanted.seed)
    else:
        low, high = row_rate_interval(false, n_pairs, wanted.seed)
    return low, max(high, most)


def _edit_result(
    name: EditName, totals: Totals, e: int, points: Iterable[OperatingPoint], wanted: Wanted
) -> EditResult:
    own, failed = totals.own[e], totals.failed[e]
    n = sum(own.values()) + failed
    recalls = []
    for point in points:
        found = sum(count for (_, score), count in own.items() if score <= point.radius)
        recalls.append(Recall(point.name, found, found / max(n, 1), *wilson(found, n)))
    return EditResult(
        edit=name.edit,
        transform=name.transform,
        strength=name.strength,
        n=n,
        failed=failed,
        low_quality=totals.low[e],
        recalls=tuple(recalls),
        scores=_view_histogram(own),
        false=_view_histogram(totals.false[e]),
    )


def _stratum(
    name: str,
    kinds: Sequence[Kind],
    totals: Totals,
    points: Iterable[OperatingPoint],
    wanted: Wanted,
) -> StratumResult:
    counted = totals.by_picture(kinds).sum(axis=0)
    pairs = int(counted.sum())
    rates = []
    for point in points:
        false = int(counted[: point.radius + 1].sum())
        interval = _rate_interval(kinds, totals, point.radius, wanted)
        rates.append(StratumRate(point.name, false, false / max(pairs, 1), *interval))
    return StratumResult(name, pairs, tuple(rates), _histogram(counted))


def _histogram(counts: I64) -> Histogram:
    return tuple((int(score), int(counts[score])) for score in np.flatnonzero(counts))


def _view_histogram(counts: Counter[tuple[str, int]]) -> ViewHistogram:
    return tuple((view, score, n) for (view, score), n in sorted(counts.items()))
