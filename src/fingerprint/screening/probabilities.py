"""How likely a distance is that of a copy, where a calibration ships."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from fingerprint.calibration import Calibration, CalibrationRangeError, calibration_of
from fingerprint.errors import UnknownAlgorithmError

if TYPE_CHECKING:
    from fingerprint.screening.asked import ScreenedList
    from fingerprint.screening.evidence import Evidence

__all__ = ["with_probability"]


@lru_cache(maxsize=8)
def _calibration(algorithm: str) -> Calibration | None:
    try:
        return calibration_of(algorithm)
    except UnknownAlgorithmError:
        return None


def with_probability(one: Evidence, hash_list: ScreenedList) -> Evidence:
    """Return evidence with the probability that it is a copy rather than chance.

    As `fingerprint.assess`: the list's hashes of this type are what it was compared with, and
    each view of the upload had its chance.
    """
    calibration = _calibration(one.algorithm)
    if calibration is None or one.distance is None:
        return one
    try:
        probability = calibration.probability(
            one.distance,
            max(1, hash_list.count(one.algorithm)),
            one.quality,
            views=max(1, one.views_asked),
        )
    except CalibrationRangeError:  # None was measured at so low a quality.
        return one
    return replace(one, probability=probability)
