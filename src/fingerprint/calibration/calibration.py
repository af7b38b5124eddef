"""What a distance means: how often chance comes as near, and how likely a copy does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.calibration import files
from fingerprint.calibration.mixtures import evidence, mixed_curves, shares_of
from fingerprint.calibration.values import (
    CalibrationRangeError,
    ChanceStratum,
    CopyDistances,
    Estimate,
    RadiusAdvice,
)

if TYPE_CHECKING:
    import os

    from fingerprint.typing import F64

__all__ = ["DEFAULT_PRIOR", "SAME_DOMAIN_SHARE", "Calibration"]

DEFAULT_PRIOR = 1e-3
"""Probability that an upload is a copy of some entry, before anything is compared: one in a
thousand. It is an assumption. A service knows its own share better than we do (matches that
reviewers confirmed, by uploads); ten times the prior is ten times the odds."""

FARTHEST = 1e5
"""A tail is not followed farther than so many times below 3/N, the rate that N pairs can show."""

SAME_DOMAIN_SHARE = 0.01
"""Share of the entries of a database that are taken to be of the query's own domain, when
probabilities are asked and nothing else is said: an assumption, too."""

LARGEST = 10**15
"""Most hashes, queries or views that anything is asked for."""

WIDEST_INTERVAL = 0.2
"""A radius is refused when its 95 % interval is wider than this share of the bits."""

DIVERSE, SAME_DOMAIN = "diverse", "same-domain"


@dataclass(frozen=True)
class Calibration:
    """What distances of one algorithm mean; `fingerprint.calibrate` makes it.

    Parameters
    ----------
    algorithm, algorithm_version, bits, min_quality
        As the algorithm declares them.
    step : int
        Distances are multiples of it: 2 for PDQ.
    made_on, made_from : str
        Date, ``YYYY-MM-DD``, and which pictures, in words.
    seed : int
        Of everything drawn.
    pictures, unreadable, set_aside : int
        Photographs that were compared; sources that could not be read; near-duplicates of
        others, left out.
    pairs_set_aside : int
        Pairs that were near-duplicates.
    blind_radius : int
        Pairs of ordinary quality within it count as near-duplicates, so that nothing was
        measured there; -1 when the groups were given.
    edits : tuple of str
        What the copies were edited by, each with the same weight.
    strata : mapping of str to ChanceStratum
        Different pictures: ``"diverse"`` (of different folders), ``"same-domain"`` (of one),
        ``"templated"`` (drawn messages and logos of ordinary quality), ``"mixed-quality"`` (one
        below the algorithm's ``min_quality``), and one for each range of low quality (both are).
    copies : mapping of str to CopyDistances
        Copies: ``"ordinary"``, and one for each range of low quality.
    notes : tuple of str
        What could not be measured, and how sensitive the tail is to ``blind_radius``.
    """

    algorithm: str
    algorithm_version: int
    bits: int
    min_quality: int
    step: int
    made_on: str
    made_from: str
    seed: int
    pictures: int
    unreadable: int
    set_aside: int
    pairs_set_aside: int
    blind_radius: int
    edits: tuple[str, ...]
    strata: Mapping[str, ChanceStratum]
    copies: Mapping[str, CopyDistances]
    notes: tuple[str, ...] = ()
    _evidence: dict[object, F64] = field(
        default_factory=dict, repr=False, compare=False, init=False
    )

    def __repr__(self) -> str:
        strata = ", ".join(self.strata)
        return f"<Calibration {self.algorithm} {self.pictures} pictures strata: {strata}>"

    @property
    def careful_stratum(self) -> str:
        """``"same-domain"`` where that was measured, else ``"diverse"``."""
        return SAME_DOMAIN if SAME_DOMAIN in self.strata else DIVERSE

    @property
    def usual_mixture(self) -> dict[str, float]:
        """One entry in a hundred of the query's domain, the rest diverse, if both were measured."""
        if {SAME_DOMAIN, DIVERSE} <= set(self.strata):
            return {SAME_DOMAIN: SAME_DOMAIN_SHARE, DIVERSE: 1 - SAME_DOMAIN_SHARE}
        return {self.careful_stratum: 1.0}

    def false_positive_rate(
        self, radius: int, *, stratum: str | Mapping[str, float] | None = None
    ) -> Estimate:
        """Return the share of different pairs that lie within a radius.

        Parameters
        ----------
        radius : int
            Bits, inclusive.
        stratum : str or mapping of str to float, optional
            One of `strata`, or several with their shares in the database, such as
            ``{"same-domain": 0.1, "diverse": 0.9}``; `careful_stratum` by default.
        """
        if not isinstance(radius, int | np.integer):
            raise TypeError(f"radius: expected whole bits, got {type(radius).__name__}")
        if not 0 <= radius <= self.bits:
            raise ValueError(f"radius: expected 0 to {self.bits} bits, got {radius}")
        shares = self._shares(stratum)
        rate, low, high = (curve[radius] for curve in self._curves(shares))
        measured = all(radius >= self.strata[name].measured_from for name in shares)
        return Estimate(float(rate), float(low), float(high), measured)

    def expected_false(
        self,
        radius: int,
        database_size: int,
        *,
        queries: int = 1,
        stratum: str | Mapping[str, float] | None = None,
    ) -> Estimate:
        """Return how many entries queries match by chance, on average.

        Parameters
        ----------
        radius : int
            Bits, inclusive.
        database_size : int
            Hashes that each query is compared with.
        queries : int
            Pictures that have no copy in the database; each view of one counts as a query.
        stratum : str or mapping of str to float, optional
            As in `false_positive_rate`.
        """
        _at_least_one("database_size", database_size)
        _at_least_one("queries", queries)
        one = self.false_positive_rate(radius, stratum=stratum)
        n = database_size * queries
        return Estimate(one.value * n, one.low * n, one.high * n, one.measured)

    def radius(
        self,
        false_positives_per_query: float = 1e-3,
        database_size: int = 1_000_000,
        *,
        stratum: str | Mapping[str, float] | None = None,
    ) -> RadiusAdvice:
        """Return the radius that keeps to a rate of false matches.

        Parameters
        ----------
        false_positives_per_query : float
            Entries that a query without a copy may match by chance, on average.
        database_size : int
            Hashes that each query is compared with.
        stratum : str or mapping of str to float, optional
            As in `false_positive_rate`. The default, pictures of one domain, is the
            careful one: as though every entry were taken like the query.

        Raises
        ------
        CalibrationRangeError
            No radius keeps to it, its interval is wider than a fifth of the bits or reaches
            below 0, or the rate is `FARTHEST` times below what the pairs can show themselves.
        """
        _at_least_one("database_size", database_size)
        if not 0 < false_positives_per_query <= database_size:
            raise ValueError(
                "false_positives_per_query: expected more than 0 and at most the size of the "
                f"database, got {false_positives_per_query}"
            )
        wanted = false_positives_per_query / database_size
        shares = self._shares(stratum)
        rate, lower, upper = self._curves(shares)
        at, low, high = (self._largest_within(c, wanted) for c in (rate, upper, lower))
        names, used = " and ".join(shares), [self.strata[name] for name in shares]
        pairs, measured_from = min(s.pairs for s in used), max(s.measured_from for s in used)
        asked = f"{wanted:.1e} false matches a pair ({names})"
        if at < 0:
            raise CalibrationRangeError(
                f"radius: no radius of {self.algorithm} keeps to {asked}: at distance 0 the "
                f"estimate is {rate[0]:.1e}. Allow more false matches, calibrate on more pictures "
                "of your own, or confirm matches by another means"
            )
        farthest = 3 / pairs / FARTHEST
        if wanted < farthest or low < 0 or high - low > WIDEST_INTERVAL * self.bits:
            raise CalibrationRangeError(
                f"radius: for {asked} the 95 % interval of {self.algorithm}'s radius is {low} to "
                f"{high} of {self.bits} bits, from {pairs:,} pairs, which say nothing below "
                f"{farthest:.0e}: too far out. Calibrate on more pictures, or allow more false "
                "matches"
            )
        extrapolated = at < measured_from
        note = f"{names}: {pairs:,} pairs, ten or more of them at {measured_from} bits or nearer"
        if extrapolated:
            note += (
                f"; below that a fitted tail (by itself, none of {pairs:,} pairs says only "
                f"that the rate is at most {3 / pairs:.1e})"
            )
        return RadiusAdvice(at, low, high, extrapolated, note)

    def likelihood_ratio(
        self,
        distance: int,
        quality: int | None = None,
        *,
        stratum: str | Mapping[str, float] | None = None,
    ) -> float:
        """Return how much likelier a distance is of a copy than of chance, in bits.

        Parameters
        ----------
        distance : int
            Bits.
        quality : int, optional
            The lower quality of the two, 0 to 100. Below `min_quality` the stratum of that
            quality is asked, whatever ``stratum`` says.
        stratum : str or mapping of str to float, optional
            As in `false_positive_rate`, but `usual_mixture` by default.

        Returns
        -------
        float
            log2 of ``P(distance | copy) / P(distance | chance)``. Made to fall with the
            distance, and never to be more at a lower quality than at a higher.

        Raises
        ------
        CalibrationRangeError
            The quality is low, and low qualities were not measured.
        """
        if not isinstance(distance, int | np.integer):
            raise TypeError(f"distance: expected whole bits, got {type(distance).__name__}")
        if not 0 <= distance <= self.bits:
            raise ValueError(f"distance: expected 0 to {self.bits} bits, got {distance}")
        if quality is not None and not 0 <= quality <= 100:
            raise ValueError(f"quality: expected 0 to 100, got {quality}")
        shares = self._shares(self.usual_mixture if stratum is None else stratum)
        found = float(self._evidence_of("ordinary", shares)[distance])
        if quality is not None and quality < self.min_quality:
            for name in self._low_strata(quality):
                found = min(found, float(self._evidence_of(name, {name: 1.0})[distance]))
        return found

    def probability(
        self,
        distance: int,
        database_size: int | None = None,
        quality: int | None = None,
        *,
        prior: float = DEFAULT_PRIOR,
        views: int = 1,
        stratum: str | Mapping[str, float] | None = None,
    ) -> float:
        """Return the probability that a match is a copy rather than chance, 0 to 1.

        With N entries, v views of the query, and probability π that the query is a copy of
        some entry, any one of them being as likely, an entry at distance d is the one with odds ::

            (π / N) / (1 - π / N)  ·  P(d | copy) / (v · P(d | chance))

        so that for large N it is weighed against ``N · v · P(d | chance)``, the number of
        entries expected at that distance by chance.

        ``P(d | copy)`` is a mixture over `edits`, each with the same weight; ``P(d | chance)`` is
        that of the stratum. What the calibration's own uncertainty does to the number is in
        `probability_interval`.

        Parameters
        ----------
        distance : int
            Bits.
        database_size : int, optional
            Hashes that the query was compared with; 1 by default, for a pair that
            somebody put side by side.
        quality : int, optional
            As in `likelihood_ratio`.
        prior : float
            Probability, before anything is compared, that the query is a copy of some
            entry; see `DEFAULT_PRIOR`.
        views : int
            Views of the query that were looked up: each had its chance to match.
        stratum : str or mapping of str to float, optional
            As in `likelihood_ratio`.
        """
        if not 0 < prior < 1:
            raise ValueError(f"prior: expected more than 0 and less than 1, got {prior}")
        _at_least_one("views", views)
        size = 1 if database_size is None else database_size
        _at_least_one("database_size", size)
        each = prior / size
        bits = self.likelihood_ratio(distance, quality, stratum=stratum) - math.log2(views)
        bits += math.log2(each) - math.log2(1 - each)
        return 1 / (1 + math.pow(2, min(-bits, 1000)))

    def probability_interval(
        self,
        distance: int,
        database_size: int | None = None,
        quality: int | None = None,
        *,
        prior: float = DEFAULT_PRIOR,
        views: int = 1,
        stratum: str | Mapping[str, float] | None = None,
    ) -> tuple[float, float]:
        """Return `probability` at the ends of the 95 % interval of the rate of chance.

        The prior and the mixture of edits are taken as they are. Parameters are those of
        `probability`; where the tail is extrapolated far, the interval says so.
        """
        middle = self.probability(
            distance, database_size, quality, prior=prior, views=views, stratum=stratum
        )
        used: str | Mapping[str, float] = self.usual_mixture if stratum is None else stratum
        if quality is not None and quality < self.min_quality:
            used = self._low_strata(quality)[0]
        rate, low, high = (float(c[distance]) for c in self._curves(self._shares(used)))
        odds = middle / max(1 - middle, 1e-300)
        ends = (odds * rate / max(end, 1e-300) for end in (high, low))
        below, above = (end / (1 + end) for end in ends)
        return min(below, middle), max(above, middle)

    def to_json(self) -> str:
        """Return it as JSON with a digest; `from_json` reads it."""
        return files.write(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Calibration:
        """Read what `to_json` wrote.

        Raises
        ------
        CalibrationFormatError
            It is damaged, or no calibration, or one of a later version.
        """
        return files.read(text, cls)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Calibration:
        """Read a file that `save` wrote; errors are those of `from_json`, and OSError."""
        from pathlib import Path

        return cls.from_json(Path(path).read_bytes())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON to a file."""
        from pathlib import Path

        Path(path).write_text(self.to_json(), encoding="utf-8")

    def _shares(self, stratum: str | Mapping[str, float] | None) -> dict[str, float]:
        return shares_of(self.strata, self.careful_stratum if stratum is None else stratum)

    def _curves(self, shares: Mapping[str, float]) -> F64:
        return mixed_curves(self.strata, shares)

    def _largest_within(self, curve: F64, wanted: float) -> int:
        within = np.flatnonzero(curve[:: self.step] <= wanted)
        return int(within[-1]) * self.step if len(within) else -1

    def _low_strata(self, quality: int) -> list[str]:
        """Return the strata of a low quality and of the low ones above it, the lowest first."""
        known = [(s.quality, n) for n, s in self.strata.items() if s.quality and n in self.copies]
        names = [name for (_, last), name in sorted(known) if last >= quality]
        if not names or (self.strata[names[0]].quality or (0, 0))[0] > quality:
            raise CalibrationRangeError(
                f"quality: {quality} is below {self.min_quality}, and this calibration "
                "measured no pictures like it"
            )
        return names

    def _evidence_of(self, copies: str, shares: Mapping[str, float]) -> F64:
        key = (copies, tuple(sorted(shares.items())))
        if key not in self._evidence:
            density = self.copies[copies].density
            self._evidence[key] = evidence(density, self._curves(shares)[0], self.step)
        return self._evidence[key]


def _at_least_one(name: str, number: int) -> None:
    if not isinstance(number, int | np.integer):
        raise TypeError(f"{name}: expected a whole number, got {type(number).__name__}")
    if number > LARGEST:
        raise ValueError(f"{name}: expected at most {LARGEST:,}, got more")
    if number < 1:
        raise ValueError(f"{name}: expected at least 1, got {number}")
