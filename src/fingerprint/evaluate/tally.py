"""Counting: what one picture's queries found, and what all of them did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fingerprint.evaluate.pairs import LEFT_OUT, N_STRATA, OWN, Scores
from fingerprint.evaluate.statistics import FalsePairs

if TYPE_CHECKING:
    from fingerprint.typing import I64

__all__ = ["EDITED", "UNEDITED", "Caps", "Kind", "PictureTally", "Totals"]

UNEDITED, EDITED = 0, 1
_ALL_STRATA = LEFT_OUT + 1
_NONE = np.zeros(0, np.int64)

Kind: TypeAlias = tuple[int, int]
"""Edited or not, and the stratum."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Up to which scores different pictures are counted in detail.

    Parameters
    ----------
    bits : int
        The greatest score.
    by_edit : int
        Counted for each edit and view.
    by_pair : int
        Counted for each pair of pictures.
    """

    bits: int
    by_edit: int
    by_pair: int

    @classmethod
    def of(cls, bits: int, radii: Sequence[int]) -> Caps:
        """Return caps that hold these radii."""
        most = max(radii, default=0)
        return cls(bits, max(most, 3 * bits // 8), max(most, bits // 4))


class PictureTally:
    """What the queries of one picture found, for one contender."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._width = caps.bits + 1
        self._names: dict[str, int] = {}
        self._edits: list[Any] = []
        self._totals = np.zeros((2, _ALL_STRATA, self._width), np.int64)
        self._near: list[I64] = []

    def add(
        self, scores: Scores, strata: I64, view_names: Sequence[str], *, low: bool, edited: bool
    ) -> None:
        """Count one query; those without an edit, then every edit in order."""
        codes = strata * self._width + scores.scores
        counted = np.bincount(codes, minlength=(OWN + 1) * self._width)
        counted = counted.reshape(OWN + 1, self._width)
        self._totals[int(edited)] += counted[:_ALL_STRATA]
        own = int(np.flatnonzero(strata == OWN)[0])
        name = view_names[scores.views[own]] if view_names else "none"
        false = np.flatnonzero((strata < N_STRATA) & (scores.scores <= self._caps.by_edit))
        self._edits.append(
            [
                int(scores.scores[own]),
                self._named(name),
                int(low),
                self._by_view(scores, false, view_names),
            ]
        )
        near = false[scores.scores[false] <= self._caps.by_pair]
        kinds = strata[near] + N_STRATA * int(edited)
        self._near.append((near * 2 * N_STRATA + kinds) * self._width + scores.scores[near])

    def failed(self, reason: str) -> None:
        """Count a query that could not be hashed."""
        self._edits.append(reason)

    def record(self) -> dict[str, Any]:
        """Return the counts as JSON has them."""
        where = np.nonzero(self._totals)
        keys, counts = np.unique(np.concatenate([*self._near, _NONE]), return_counts=True)
        keys, score = np.divmod(keys, self._width)
        reference, kind = np.divmod(keys, 2 * N_STRATA)
        return {
            "views": list(self._names),
            "edits": self._edits,
            "totals": np.stack([*where, self._totals[where]], axis=1).tolist(),
            "near": np.stack([reference, kind, score, counts], axis=1).tolist(),
        }

    def _by_view(self, scores: Scores, rows: I64, view_names: Sequence[str]) -> list[list[int]]:
        if not len(rows):
            return []
        views = np.array([self._named(name) for name in view_names])[scores.views[rows]]
        keys, counts = np.unique(views * self._width + scores.scores[rows], return_counts=True)
        return np.stack([*np.divmod(keys, self._width), counts], axis=1).tolist()  # type: ignore[no-any-return]

    def _named(self, name: str) -> int:
        return self._names.setdefault(name, len(self._names))


class Totals:
    """What all pictures' queries found, for one contender.

    Attributes
    ----------
    own : list of Counter
        Of each edit (the first is none): (view, score) to how many queries.
    false : list of Counter
        Of each edit: (view, score) to how many different pictures, up to `Caps.by_edit`.
    failed, low : list of int
        Of each edit: queries that could not be hashed, and of low quality.
    reasons : Counter
        Why they could not.
    """

    def __init__(self, caps: Caps, n_pictures: int, n_edits: int) -> None:
        self.caps = caps
        self.own: list[Counter[tuple[str, int]]] = [Counter() for _ in range(n_edits + 1)]
        self.false: list[Counter[tuple[str, int]]] = [Counter() for _ in range(n_edits + 1)]
        self.failed = [0] * (n_edits + 1)
        self.low = [0] * (n_edits + 1)
        self.reasons: Counter[str] = Counter()
        self._n_pictures = n_pictures
        self._totals: list[I64] = []
        self._near: list[I64] = []

    def add(self, picture: int, record: dict[str, Any]) -> None:
        """Add what one picture's queries found."""
        names = record["views"]
        for e, found in enumerate(record["edits"]):
            if isinstance(found, str):
                self.failed[e] += 1
                self.reasons[found] += 1
                continue
            score, view, low, false = found
            self.own[e][names[view], score] += 1
            self.low[e] += low
            for other, at, n in false:
                self.false[e][names[other], at] += n
        for kept, rows in ((self._totals, record["totals"]), (self._near, record["near"])):
            table = np.asarray(rows, np.int64).reshape(-1, 4)
            kept.append(np.hstack([np.full((len(table), 1), picture), table]))

    def by_picture(self, kinds: Sequence[Kind]) -> I64:
        """Return pairs of some kinds by query and score, (pictures, bits + 1)."""
        table = _join(self._totals)
        wanted = [edited * _ALL_STRATA + stratum for edited, stratum in kinds]
        table = table[np.isin(table[:, 1] * _ALL_STRATA + table[:, 2], wanted)]
        counted = np.zeros((self._n_pictures, self.caps.bits + 1), np.int64)
        np.add.at(counted, (table[:, 0], table[:, 3]), table[:, 4])
        return counted

    def near(self, kinds: Sequence[Kind], radius: int) -> FalsePairs:
        """Return the pairs within a radius, which is at most `Caps.by_pair`."""
        table = _join(self._near)
        wanted = [edited * N_STRATA + stratum for edited, stratum in kinds]
        table = table[np.isin(table[:, 2], wanted) & (table[:, 3] <= radius)]
        return FalsePairs(table[:, 0], table[:, 1], table[:, 4])


def _join(tables: list[I64]) -> I64:
    """Return tables as one, and keep them so."""
    if len(tables) != 1:
        tables[:] = [np.concatenate([*tables, np.zeros((0, 5), np.int64)])]
    return tables[0]
