"""What an evaluation found: figures, and their JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from fingerprint.errors import redacted

__all__ = [
    "ContenderResult",
    "EditResult",
    "OperatingPoint",
    "Recall",
    "RobustnessReport",
    "StratumResult",
]

T = TypeVar("T")

FORMAT = "fingerprint robustness report"
FORMAT_VERSION = 1

Histogram: TypeAlias = tuple[tuple[int, int], ...]
"""Score and how many, by score."""

ViewHistogram: TypeAlias = tuple[tuple[str, int, int], ...]
"""View, score and how many, by view and score."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A radius, why it was taken, and what it costs.

    Parameters
    ----------
    name : str
        ``"published"``, ``"radius 50"``, ``"rate 1e-06"``, ``"precision 0.9999"``.
    radius : int
        Bits, inclusive; -1 when no radius does.
    false, pairs : int
        Different pairs within it, of those compared; a picture's edited copies count each.
    rate, rate_low, rate_high : float
        False pairs a pair, and the 95 % interval by picture; without any, at most 3 over the
        number of different pairs of pictures.
    true_finds, false_finds : int
        What edited queries found: their own picture, and other pictures.
    precision : float or None
        Share of true finds among all; None when nothing was found.
    recall : float
        Share of all edited queries that found their own picture.
    note : str
        What to know before it is used.
    shown : bool
        False where so few pictures cannot show the rate that was asked for: it is then the
        largest radius without a false pair.
    """

    name: str
    radius: int
    false: int
    pairs: int
    rate: float
    rate_low: float
    rate_high: float
    true_finds: int
    false_finds: int
    precision: float | None
    recall: float
    note: str = ""
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of pictures that are found at an operating point, with its Wilson interval."""

    point: str
    found: int
    recall: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EditResult:
    """How one contender fares under one edit.

    Parameters
    ----------
    edit : str
        As `Edit.parse` reads it.
    transform : str
        Name of the transform, or of the chain.
    strength : float or None
        Of the transform; None for a chain.
    n : int
        Queries, those that failed included: they find nothing.
    failed, low_quality : int
        Queries that could not be hashed, and of too low a quality.
    recalls : tuple of Recall
        At every operating point.
    scores : tuple of (view, score, n)
        Scores of queries with their own picture.
    false : tuple of (view, score, n)
        Of queries with different pictures, up to `ContenderResult.false_up_to`.
    """

    edit: str
    transform: str
    strength: float | None
    n: int
    failed: int
    low_quality: int
    recalls: tuple[Recall, ...]
    scores: ViewHistogram
    false: ViewHistogram

    def recall(self, point: str) -> Recall:
        """Return the recall at an operating point; KeyError when there is none."""
        return _named(self.recalls, "point", point)


@dataclass(frozen=True, slots=True)
class StratumRate:
    """False pairs of one stratum at an operating point, with the 95 % interval by picture."""

    point: str
    false: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class StratumResult:
    """Different pictures of one kind.

    Parameters
    ----------
    name : str
        Which.
    pairs : int
        Pairs that were compared; a picture's edited copies count each.
    rates : tuple of StratumRate
        At every operating point.
    scores : tuple of (score, n)
        All of them.
    """

    name: str
    pairs: int
    rates: tuple[StratumRate, ...]
    scores: Histogram

    def rate(self, point: str) -> StratumRate:
        """Return the rate at an operating point; KeyError when there is none."""
        return _named(self.rates, "point", point)


@dataclass(frozen=True, slots=True)
class ContenderResult:
    """How one contender fares.

    Parameters
    ----------
    name : str
        What it is called.
    bits : int
        Of its hashes.
    published : str
        Where the published radius comes from; empty without one.
    min_quality : int
        Below this a quality is low.
    false_up_to : int
        Up to which score false pairs are counted by edit and view.
    points : tuple of OperatingPoint
        The radii that were looked at.
    edits : tuple of EditResult
        One an edit, in the order of the evaluation.
    strata : tuple of StratumResult
        Different pictures, by kind; the last is all of them.
    left_out : tuple of (score, n)
        Pairs within groups of pictures that show the same: not counted as false.
    """

    name: str
    bits: int
    published: str
    min_quality: int
    false_up_to: int
    points: tuple[OperatingPoint, ...]
    edits: tuple[EditResult, ...]
    strata: tuple[StratumResult, ...]
    left_out: Histogram

    def point(self, name: str) -> OperatingPoint:
        """Return an operating point by name; KeyError when there is none."""
        return _named(self.points, "name", name)

    def edit(self, edit: str) -> EditResult:
        """Return the result of an edit; KeyError when there is none."""
        return _named(self.edits, "edit", edit)

    def stratum(self, name: str) -> StratumResult:
        """Return a stratum by name; KeyError when there is none."""
        return _named(self.strata, "name", name)

    def curve(self) -> tuple[tuple[int, float, float], ...]:
        """Return (radius, false-positive rate a pair, recall of edited queries) by radius."""
        everything = self.strata[-1]
        n = sum(one.n for one in self.edits)
        own: dict[int, int] = {}
        for one in self.edits:
            for _, score, count in one.scores:
                own[score] = own.get(score, 0) + count
        false, found, curve = 0, 0, []
        others = dict(everything.scores)
        for radius in range(self.bits + 1):
            false += others.get(radius, 0)
            found += own.get(radius, 0)
            curve.append((radius, false / max(everything.pairs, 1), found / max(n, 1)))
        return tuple(curve)


@dataclass(frozen=True, slots=True)
class RobustnessReport:
    """How far hashes survive editing, on some pictures.

    Parameters
    ----------
    source : str
        The folder, or ``"generated"``, or ``"pictures"`` of a caller.
    n_pictures, n_distractors : int
        Pictures that were edited, and that were only compared with.
    n_pairs : int
        Different pairs of pictures, each counted once: what rates can be shown.
    groups : tuple of tuple of str
        Pictures that show the same, by name: pairs within are left out.
    n_left_out : int
        How many such pairs there are.
    failures : tuple of (name, reason)
        What could not be read.
    notes : tuple of str
        What else to know.
    settings : mapping
        What was asked for.
    contenders : tuple of ContenderResult
        In the order in which they were asked for, then peers.
    made : mapping
        When, and with which versions: all that may differ when everything else is the same.
    """

    source: str
    n_pictures: int
    n_distractors: int
    n_pairs: int
    groups: tuple[tuple[str, ...], ...]
    n_left_out: int
    failures: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    contenders: tuple[ContenderResult, ...]
    made: Mapping[str, str] = field(default_factory=dict)

    def contender(self, name: str) -> ContenderResult:
        """Return the result of a contender; KeyError when there is none."""
        return _named(self.contenders, "name", name)

    @property
    def edits(self) -> tuple[str, ...]:
        """The edits, as `Edit.parse` reads them."""
        return tuple(one.edit for one in self.contenders[0].edits) if self.contenders else ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, texts and numbers."""
        return {"format": FORMAT, "version": FORMAT_VERSION, **json.loads(json.dumps(asdict(self)))}

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> RobustnessReport:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            It is no such report, or of another version.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"report: expected JSON, got {redacted(error)}") from None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"report: expected a {FORMAT}")
        if data.get("version") != FORMAT_VERSION:
            raise ValueError(
                f"report: expected version {FORMAT_VERSION}, got {redacted(data.get('version'))}"
            )
        try:
            return _report(data)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"report: expected a whole one: {redacted(error)}") from error

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write report.html, report.md, report.json and pictures; return the HTML's path.

        The folder is made if need be; its owner alone can read the files.

        Raises
        ------
        MissingExtraError
            matplotlib is not installed.
        """
        from fingerprint.evaluate.report_files import write_report

        return write_report(self, Path(folder))


def _named(items: Iterable[T], attribute: str, name: str) -> T:
    for one in items:
        if getattr(one, attribute) == name:
            return one
    known = ", ".join(str(getattr(one, attribute)) for one in items)
    raise KeyError(f"expected one of {known}; got {name!r}")


def _report(data: dict[str, Any]) -> RobustnessReport:
    fields = {k: v for k, v in data.items() if k not in {"format", "version"}}
    return RobustnessReport(
        **fields
        | {
            "groups": tuple(map(tuple, fields["groups"])),
            "failures": _rows(fields["failures"]),
            "notes": tuple(fields["notes"]),
            "contenders": tuple(map(_contender, fields["contenders"])),
        }
    )


def _contender(data: dict[str, Any]) -> ContenderResult:
    return ContenderResult(
        **data
        | {
            "points": tuple(OperatingPoint(**one) for one in data["points"]),
            "edits": tuple(map(_edit, data["edits"])),
            "strata": tuple(map(_stratum, data["strata"])),
            "left_out": _rows(data["left_out"]),
        }
    )


def _edit(data: dict[str, Any]) -> EditResult:
    return EditResult(
        **data
        | {
            "recalls": tuple(Recall(**one) for one in data["recalls"]),
            "scores": _rows(data["scores"]),
            "false": _rows(data["false"]),
        }
    )


def _stratum(data: dict[str, Any]) -> StratumResult:
    return StratumResult(
        **data
        | {
            "rates": tuple(StratumRate(**one) for one in data["rates"]),
            "scores": _rows(data["scores"]),
        }
    )


def _rows(rows: Any) -> Any:
    return tuple(map(tuple, rows))
