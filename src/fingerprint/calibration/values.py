"""The values of a calibration: estimates, strata, and its errors."""

from __future__ import annotations

from dataclasses import dataclass

from fingerprint.errors import FingerprintError

__all__ = [
    "CalibrationFormatError",
    "CalibrationRangeError",
    "ChanceStratum",
    "CopyDistances",
    "Estimate",
    "RadiusAdvice",
]


class CalibrationFormatError(FingerprintError, ValueError):
    """A text is no calibration, a damaged one, or one of a later version."""


class CalibrationRangeError(FingerprintError, ValueError):
    """What was asked lies farther out than the measurements of a calibration carry."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate or an expected number, with its 95 % interval.

    Parameters
    ----------
    value, low, high : float
        The estimate and the ends of its interval.
    measured : bool
        False when it is extrapolated: fewer than ten pairs lie as near.
    """

    value: float
    low: float
    high: float
    measured: bool

    def __str__(self) -> str:
        kind = "measured" if self.measured else "extrapolated"
        return f"{self.value:.2g} [{self.low:.2g}, {self.high:.2g}] ({kind})"


@dataclass(frozen=True, slots=True)
class RadiusAdvice:
    """A radius for a wanted rate of false matches.

    Parameters
    ----------
    radius : int
        Largest radius, in bits and inclusive, that keeps to the rate by the estimate.
    low, high : int
        By the upper and the lower end of the rate's 95 % interval. ``low`` is the careful
        choice; -1 when even distance 0 may be more frequent by chance.
    extrapolated : bool
        Whether the rate at ``radius`` is extrapolated.
    note : str
        What it rests on, in a sentence.
    """

    radius: int
    low: int
    high: int
    extrapolated: bool
    note: str


@dataclass(frozen=True, slots=True)
class ChanceStratum:
    """How near different pictures of one kind come.

    Parameters
    ----------
    pictures, pairs : int
        How many were compared.
    rate, low, high : tuple of float
        At index r: share of pairs within r bits, and its 95 % interval.
    measured_from : int
        From this radius on at least ten pairs were counted.
    nearest : int
        Smallest distance that was seen.
    quality : tuple of int or None
        The lower quality of a pair, from and to inclusive, for strata of low quality.
    generated : bool
        Whether pictures were drawn for it.
    threshold : int or None
        Up to it the rates are those of a generalised Pareto tail; None without one.
    scale, shape : float
        Of that tail; 0 without one.
    """

    pictures: int
    pairs: int
    rate: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    measured_from: int
    nearest: int
    quality: tuple[int, int] | None = None
    generated: bool = False
    threshold: int | None = None
    scale: float = 0.0
    shape: float = 0.0

    def __repr__(self) -> str:
        return f"<ChanceStratum {self.pairs} pairs of {self.pictures} pictures>"


@dataclass(frozen=True, slots=True)
class CopyDistances:
    """How far edited copies are from their originals.

    Parameters
    ----------
    pictures, copies : int
        How many originals, and copies of them.
    density : tuple of float
        At index d: share of copies at distance d (for PDQ at d - 1 or d). Every edit counts
        the same.
    quality : tuple of int or None
        As in `ChanceStratum`.
    """

    pictures: int
    copies: int
    density: tuple[float, ...]
    quality: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"<CopyDistances {self.copies} copies of {self.pictures} pictures>"
