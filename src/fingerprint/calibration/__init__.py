"""What a distance means: how often chance comes as near, and how likely a copy does.

A `Calibration` holds what `fingerprint.calibrate` measured of one algorithm: for several
*strata* of pairs of different pictures the share that lies within each radius, with a 95 %
interval, and how far edited copies are from their originals. This package only applies it;
it is fitted in `fingerprint.evaluate.calibrate`.
"""

from __future__ import annotations

from fingerprint.calibration.assessment import assess, calibration_of
from fingerprint.calibration.calibration import DEFAULT_PRIOR, Calibration
from fingerprint.calibration.values import (
    CalibrationFormatError,
    CalibrationRangeError,
    ChanceStratum,
    CopyDistances,
    Estimate,
    RadiusAdvice,
)

__all__ = [
    "DEFAULT_PRIOR",
    "Calibration",
    "CalibrationFormatError",
    "CalibrationRangeError",
    "ChanceStratum",
    "CopyDistances",
    "Estimate",
    "RadiusAdvice",
    "assess",
    "calibration_of",
]
