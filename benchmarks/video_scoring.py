"""How well a matcher found edited videos: recall, false matches, seconds.

Times are compared as sets of seconds, so that one segment or three for the same part
score the same; whether the right seconds were put side by side is a figure of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import nan, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.video_originals import Original

__all__ = [
    "Copy",
    "EditRow",
    "Outcome",
    "Span",
    "judge",
    "overlap",
    "summarise",
    "wilson",
]

Span = tuple[float, float, float, float]
"""Query start and end, reference start and end, in seconds."""

SAMPLE_S = 0.1
Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Copy:
    """An edited video and what is true of it.

    Parameters
    ----------
    original : Original or None
        None: it shows nothing of any reference.
    edit : str
        Name of the edit.
    strength : float
        In the edit's unit.
    spans : tuple of Span
        What it shows of the original.
    prepared : object
        What the matcher is asked for: the path, or what was made of it.
    """

    original: Original | None
    edit: str
    strength: float
    spans: tuple[Span, ...]
    prepared: object


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a matcher said about one copy.

    Parameters
    ----------
    edit, strength, original, kind
        Of the copy; ``kind`` is ``"real"``, ``"generated"`` or ``"unrelated"``.
    found : bool
        The original was among the matches.
    false_ids, hard_false_ids : tuple of str
        Matches that show something else; the hard ones were filmed in the same studio.
    n_unrelated : int
        References that would have been false.
    query_iou, reference_iou : float
        Seconds in common of those in either; nan when not found or no times were given.
    start_error_s, end_error_s : float
        First and last second of the copy that is said to show the original.
    offset_error_s : float
        Median distance between the second of the original that is said to be shown and
        the one that is.
    """

    edit: str
    strength: float
    original: str
    kind: str
    found: bool
    false_ids: tuple[str, ...]
    hard_false_ids: tuple[str, ...]
    n_unrelated: int
    query_iou: float = nan
    reference_iou: float = nan
    start_error_s: float = nan
    end_error_s: float = nan
    offset_error_s: float = nan


@dataclass(frozen=True, slots=True)
class EditRow:
    """Outcomes of one kind together.

    Parameters
    ----------
    name : str
        What they have in common.
    n, n_found : int
        Copies; those whose original was found.
    recall_low, recall_high : float
        Wilson's interval of 95 %.
    n_false, n_hard_false, n_pairs : int
        False matches, those of one studio, and the pairs that could have been false.
    query_iou, reference_iou : float
        Medians over what was found.
    error_s, error_p95_s : float
        Of starts and ends together, median and 95th percentile.
    offset_error_s : float
        Median.
    """

    name: str
    n: int
    n_found: int
    recall_low: float
    recall_high: float
    n_false: int
    n_hard_false: int
    n_pairs: int
    query_iou: float
    reference_iou: float
    error_s: float
    error_p95_s: float
    offset_error_s: float

    @property
    def recall(self) -> float:
        """Share of the copies whose original was found; nan when none shows one."""
        return self.n_found / self.n if self.n else nan


def judge(
    copy: Copy, matches: Iterable[tuple[str, Sequence[Span]]], references: Sequence[Original]
) -> Outcome:
    """Compare what a matcher said of a copy with what is true."""
    said = {name: list(spans) for name, spans in matches}
    by_id = {one.id: one for one in references}
    unknown = said.keys() - by_id.keys()
    if unknown:
        raise ValueError(f"matches: expected ids of references, got {sorted(unknown)}")
    own = copy.original
    unrelated = [r for r in references if own is None or r.scene != own.scene]
    false = [r for r in unrelated if r.id in said]
    hard = [r.id for r in false if own is not None and r.studio and r.studio == own.studio]
    outcome = Outcome(
        copy.edit,
        copy.strength,
        own.id if own else "",
        own.kind if own else "unrelated",
        own is not None and own.id in said,
        tuple(r.id for r in false if r.id not in hard),
        tuple(hard),
        len(unrelated),
    )
    spans = said.get(own.id, []) if own else []
    return _with_times(outcome, copy.spans, spans) if spans else outcome


def _with_times(outcome: Outcome, true: Sequence[Span], said: Sequence[Span]) -> Outcome:
    return replace(
        outcome,
        query_iou=overlap([s[:2] for s in true], [s[:2] for s in said]),
        reference_iou=overlap([s[2:] for s in true], [s[2:] for s in said]),
        start_error_s=abs(min(s[0] for s in said) - min(s[0] for s in true)),
        end_error_s=abs(max(s[1] for s in said) - max(s[1] for s in true)),
        offset_error_s=_offset_error_s(true, said),
    )


def overlap(one: Iterable[tuple[float, float]], other: Iterable[tuple[float, float]]) -> float:
    """Return the seconds that two sets of intervals share, of those in either."""
    first, second = _united(one), _united(other)
    shared = sum(max(0.0, min(b, d) - max(a, c)) for a, b in first for c, d in second)
    either = sum(b - a for a, b in first) + sum(d - c for c, d in second) - shared
    return shared / either if either > 0 else 0.0


def _united(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    united: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if united and start <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], end)
        else:
            united.append((start, end))
    return united


def _offset_error_s(true: Sequence[Span], said: Sequence[Span]) -> float:
    """Sample the copy's seconds; where several segments cover one, the best counts."""
    errors = []
    for at_s in np.arange(min(s[0] for s in true), max(s[1] for s in true), SAMPLE_S).tolist():
        wanted, got = _shown_at(true, at_s), _shown_at(said, at_s)
        if wanted and got:
            errors.append(min(abs(w - g) for w in wanted for g in got))
    return float(np.median(errors)) if errors else nan


def _shown_at(spans: Sequence[Span], at_s: float) -> list[float]:
    return [c + (at_s - a) / (b - a) * (d - c) for a, b, c, d in spans if a <= at_s < b]


def wilson(n_found: int, n: int) -> tuple[float, float]:
    """Return the interval of 95 % for a share (Wilson 1927); (0, 1) of nothing."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = n_found / n, Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def summarise(outcomes: Iterable[Outcome], name_of: Callable[[Outcome], str]) -> list[EditRow]:
    """Return one row for each name, in the order of their first outcomes."""
    groups: dict[str, list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault(name_of(one), []).append(one)
    return [_row(name, group) for name, group in groups.items()]


def _row(name: str, outcomes: Sequence[Outcome]) -> EditRow:
    with_original = [one for one in outcomes if one.original]
    n_found = sum(one.found for one in with_original)
    errors = [e for one in outcomes for e in (one.start_error_s, one.end_error_s)]
    return EditRow(
        name,
        len(with_original),
        n_found,
        *wilson(n_found, len(with_original)),
        sum(len(one.false_ids) for one in outcomes),
        sum(len(one.hard_false_ids) for one in outcomes),
        sum(one.n_unrelated for one in outcomes),
        _quantile([one.query_iou for one in outcomes], 0.5),
        _quantile([one.reference_iou for one in outcomes], 0.5),
        _quantile(errors, 0.5),
        _quantile(errors, 0.95),
        _quantile([one.offset_error_s for one in outcomes], 0.5),
    )


def _quantile(values: Sequence[float], share: float) -> float:
    known = [v for v in values if v == v]
    return float(np.quantile(known, share)) if known else nan
