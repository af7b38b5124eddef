"""What reports say of figures, the same on every page: names, shares, rows of tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fingerprint.evaluate.report import (
    ContenderResult,
    EditResult,
    OperatingPoint,
    RobustnessReport,
)
from fingerprint.evaluate.transforms import transforms

__all__ = [
    "CHAINS_FAMILY",
    "SCALE",
    "Share",
    "family_of",
    "headline",
    "point_words",
    "radius_words",
    "rate_words",
    "rows_by_family",
    "rows_by_transform",
    "share_words",
    "source_words",
    "transform_names_of",
    "unit_of",
    "views_of",
]

CHAINS_FAMILY = "chains"

SCALE = ((198, 81, 26), (246, 217, 198), (247, 247, 247), (196, 220, 236), (28, 104, 166))
"""Colours of a share, 0 to 1: orange to blue by way of white, for any colour vision."""


class Share(NamedTuple):
    """So many of so many."""

    found: int
    n: int

    @property
    def share(self) -> float:
        """0 to 1; 0 of none."""
        return self.found / self.n if self.n else 0.0


def headline(report: RobustnessReport) -> OperatingPoint:
    """Return the first contender's operating point at which contenders are put side by side."""
    points = report.contenders[0].points
    return next((point for point in points if point.name.startswith("rate ")), points[-1])


def point_words(point: OperatingPoint) -> str:
    """Return an operating point in words."""
    kind, _, value = point.name.partition(" ")
    if kind == "rate" and not point.shown:
        return f"largest radius without a false pair (too few pictures for {value})"
    return {
        "published": "published radius",
        "radius": f"radius {value}",
        "rate": f"false-positive rate ≤ {value} a pair",
        "precision": f"precision ≥ {100 * float(value):g} %" if kind == "precision" else "",
    }.get(kind, point.name)


def source_words(report: RobustnessReport) -> str:
    """Return what the pictures were."""
    if report.source == "generated":
        return f"{report.n_pictures:,} generated pictures (no photographs were given)"
    half = report.settings.get("half", "all")
    part = "" if half == "all" else f", {half} half"
    where = "given by the caller" if report.source == "pictures" else f"from {report.source}"
    return f"{report.n_pictures:,} pictures {where}{part}"


def share_words(share: float) -> str:
    """Return a share as per cent: "97.5", and "100" for all alone."""
    if share in {0, 1}:
        return f"{100 * share:.0f}"
    return f"{min(99.9, max(0.1, 100 * share)):.1f}"


def rate_words(rate: float, low: float, high: float) -> str:
    """Return a rate with its interval; without any, what it is at most."""
    if rate == 0:
        return f"0 (at most {high:.1e})"
    return f"{rate:.1e} ({low:.1e} to {high:.1e})"


def radius_words(point: OperatingPoint) -> str:
    """Return a radius, or that there is none."""
    return "none" if point.radius < 0 else str(point.radius)


def family_of(transform: str) -> str:
    """Return the family of a transform, or of chains."""
    try:
        return transforms(transform).family
    except KeyError:
        return CHAINS_FAMILY


def unit_of(transform: str) -> str:
    """Return what the strength of a transform means."""
    try:
        return transforms(transform).unit
    except KeyError:
        return ""


def transform_names_of(contender: ContenderResult) -> tuple[str, ...]:
    """Return the transforms and chains, in order."""
    return tuple(dict.fromkeys(edit.transform for edit in contender.edits))


def rows_by_transform(report: RobustnessReport, point: str) -> dict[str, tuple[Share, ...]]:
    """Return the share that each contender finds, by transform, over its strengths."""
    return {
        name: tuple(_share(c, point, lambda e, n=name: e.transform == n) for c in report.contenders)
        for name in transform_names_of(report.contenders[0])
    }


def rows_by_family(report: RobustnessReport, point: str) -> dict[str, tuple[Share, ...]]:
    """Return the share that each contender finds, by family of transforms."""
    families = dict.fromkeys(family_of(t) for t in transform_names_of(report.contenders[0]))
    return {
        family: tuple(
            _share(c, point, lambda e, f=family: family_of(e.transform) == f)
            for c in report.contenders
        )
        for family in families
    }


def views_of(contender: ContenderResult) -> tuple[str, ...]:
    """Return the views through which a contender found anything, when it has several."""
    names = {view for edit in contender.edits for view, _, _ in (*edit.scores, *edit.false)}
    return tuple(sorted(names, key=lambda v: (v != "identity", v))) if len(names) > 1 else ()


def _share(contender: ContenderResult, point: str, wanted: object) -> Share:
    edits = list(_wanted(contender, wanted))
    return Share(sum(e.recall(point).found for e in edits), sum(e.n for e in edits))


def _wanted(contender: ContenderResult, wanted: object) -> Iterator[EditResult]:
    if not callable(wanted):
        raise TypeError(f"wanted: expected a function, got {type(wanted).__name__}")
    return (edit for edit in contender.edits if wanted(edit))
