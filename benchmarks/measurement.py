"""What a group of benchmarks hands back."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

from benchmarks.paired import Paired, figures

__all__ = [
    "Group",
    "Measurement",
    "NotRunError",
    "Table",
    "Target",
    "attempt",
    "peer_module",
    "speedup_of",
    "tell_nobody",
]

Detail = float | int | str | bool
SPEEDUP = "×"


class NotRunError(Exception):
    """Something that this measurement needs is not there."""


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that a value should keep."""

    bound: float
    at_least: bool

    def is_met(self, value: float) -> bool:
        """Say whether a value keeps the bound."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True)
class Measurement:
    """One figure.

    Parameters
    ----------
    name : str
        What was measured, and against what.
    value : float or None
        None when it was not run.
    unit : str
        ``"×"`` for how many times faster than a peer.
    target : Target, optional
        What it should be.
    agrees : bool or None
        Whether both sides computed the same answer; None where that is no question.
    pair : Paired, optional
        The comparison behind it.
    details : dict
        Further figures.
    not_run : str
        Why there is no value.
    """

    name: str
    value: float | None
    unit: str
    target: Target | None = None
    agrees: bool | None = None
    pair: Paired | None = None
    details: dict[str, Detail] = field(default_factory=dict)
    not_run: str = ""

    @property
    def verdict(self) -> str:
        """What became of it, in a word or two."""
        if self.value is None:
            return "not run"
        if self.agrees is False:
            return "wrong answer"
        if self.target is None:
            return ""
        return "met" if self.target.is_met(self.value) else "not met"

    @property
    def value_text(self) -> str:
        """The value with its unit, or why there is none."""
        if self.value is None:
            return f"not run: {self.not_run}"
        return f"{figures(self.value)} {self.unit}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table for the report."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The results of one group and the conditions under which they were found."""

    name: str
    title: str
    conditions: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    tables: tuple[Table, ...] = ()


def tell_nobody(_: str) -> None:
    """Show no progress."""


def peer_module(name: str) -> ModuleType:
    """Import a peer, or say why it is not measured."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotRunError(f"{name} is not installed ({error})") from error


def attempt(
    name: str, unit: str, target: Target | None, make: Callable[[], Measurement]
) -> Measurement:
    """Return the measurement, or the reason why there is none."""
    try:
        return make()
    except NotRunError as reason:
        return Measurement(name, None, unit, target, not_run=str(reason))


def speedup_of(
    name: str, pair: Paired, target: Target | None = None, **details: Detail
) -> Measurement:
    """Return how many times faster than the peer our side was."""
    return Measurement(name, pair.speedup, SPEEDUP, target, pair.agrees, pair, details)
