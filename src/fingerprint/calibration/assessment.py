"""Matches with probabilities; the calibrations that ship."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fingerprint.calibration import files
from fingerprint.calibration.calibration import DEFAULT_PRIOR, Calibration
from fingerprint.calibration.values import CalibrationRangeError
from fingerprint.errors import UnknownAlgorithmError

if TYPE_CHECKING:
    from fingerprint.results import Match

__all__ = ["assess", "calibration_of"]


def assess(
    matches: Iterable[Match],
    calibration: Calibration,
    database_size: int,
    *,
    prior: float = DEFAULT_PRIOR,
    views: int = 1,
    stratum: str | Mapping[str, float] | None = None,
) -> list[Match]:
    """Return matches with their probability of being a copy.

    Parameters
    ----------
    matches : iterable of Match
        What a search found.
    calibration : Calibration
        Of the algorithm that the index holds.
    database_size, prior, views, stratum
        As in `Calibration.probability`.

    Returns
    -------
    list of Match
        In the order of ``matches``; the probability is None where the quality is low and
        the calibration measured none so low.
    """
    assessed = []
    for match in matches:
        try:
            probability = calibration.probability(
                match.distance,
                database_size,
                match.quality,
                prior=prior,
                views=views,
                stratum=stratum,
            )
        except CalibrationRangeError:
            assessed.append(replace(match, probability=None))
        else:
            assessed.append(replace(match, probability=probability))
    return assessed


def calibration_of(algorithm: str = "pdq") -> Calibration:
    """Return the calibration that ships with this package.

    It was fitted to half of the project's photographs; `fingerprint.calibrate` on pictures
    of your own says more about your own.

    Raises
    ------
    UnknownAlgorithmError
        None ships for this algorithm.
    """
    shipped = files.shipped()
    if algorithm not in shipped:
        raise UnknownAlgorithmError(
            algorithm, sorted(shipped), "no calibration ships for it; `calibrate` makes one"
        )
    return Calibration.from_json(shipped[algorithm].read_bytes())
