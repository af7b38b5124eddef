"""Structures answer queries in turns; what they say is checked, and how long it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from benchmarks.lookup_data import Found, Queries, Truth, nearest_by_count, sort_found
from benchmarks.measurement import NotRunError, tell_nobody
from benchmarks.paired import Paired, spread

if TYPE_CHECKING:
    from benchmarks.lookup_structures import Structure
    from fingerprint.typing import U8, U64, Bits

__all__ = ["Judged", "Nearest", "Question", "Timed", "Within", "paired", "take_turns"]

QUERIES_A_TURN = 10
"""Each structure answers so many, then the next one's turn, as in `benchmarks.paired`."""

LEAST_QUERIES = 40


class Judged(NamedTuple):
    """How many rows there were to find, how many were found, and whether it is wrong."""

    n_true: int
    n_found: int
    is_wrong: bool


class Question(Protocol):
    """Queries of one kind, how to ask them and how to judge an answer."""

    @property
    def packed(self) -> U8:
        """(n, views, nbytes)."""

    @property
    def is_hit(self) -> Bits:
        """(n,), whether there is something to find."""

    def begin(self, structure: Structure) -> None:
        """Set the structure up, or raise NotRunError."""

    def ask(self, structure: Structure, query: Any) -> Any:
        """Search; timed."""

    def judge(self, structure: Structure, i: int, answer: Any) -> Judged:
        """Compare the answer to query ``i`` with the count."""


@dataclass(frozen=True)
class Within:
    """All rows within a radius."""

    queries: Queries

    @property
    def packed(self) -> U8:
        """The queries' hashes."""
        return self.queries.packed

    @property
    def is_hit(self) -> Bits:
        """Whether there is anything to find."""
        return self.queries.is_hit

    def begin(self, structure: Structure) -> None:
        """Set the structure up for the radius or for k."""
        structure.begin(self.queries.radius, self.queries.most_found)

    def ask(self, structure: Structure, query: Any) -> Any:
        """Search."""
        return structure.within(query, self.queries.radius)

    def judge(self, structure: Structure, i: int, answer: Any) -> Judged:
        """Compare each view's rows and distances."""
        views = structure.read(answer, self.queries.radius)
        truths = self.queries.truths[i]
        if len(views) != len(truths):
            return Judged(0, 0, True)
        judged = [
            self._judged(structure, truth, found, self.queries.packed[i, v].view(np.uint64))
            for v, (truth, found) in enumerate(zip(truths, views, strict=True))
        ]
        n_true, n_found, wrong = zip(*judged, strict=True)
        return Judged(sum(n_true), sum(n_found), any(wrong))

    def _judged(self, structure: Structure, truth: Truth, found: Found, query: U64) -> Judged:
        given = found if structure.in_order else sort_found(*found)
        if truth.found is None:
            return self._uncounted(structure, truth, given, query)
        same = _same(given, truth.found)
        known = np.isin(truth.found.rows, given.rows)
        n_found = int(known.sum())
        # An approximate structure may leave out, but what it says must be true.
        kept = Found(truth.found.rows[known], truth.found.distances[known])
        wrong = not same if structure.exact else not _same(given, kept)
        return Judged(truth.found.rows.size, n_found, wrong)

    def _uncounted(self, structure: Structure, truth: Truth, given: Found, query: U64) -> Judged:
        words = self.queries.words[given.rows]
        counted = np.bitwise_count(words ^ query).sum(axis=1, dtype=np.int64)
        wrong = not np.array_equal(counted, given.distances)
        wrong |= bool((counted > self.queries.radius).any())
        wrong |= np.unique(given.rows).size != given.rows.size
        if truth.planted_row < 0:
            return Judged(0, 0, wrong)
        n_found = int(truth.planted_row in given.rows)
        return Judged(1, n_found, wrong or (structure.exact and not n_found))


class Nearest:
    """The k nearest rows; ties in any order."""

    def __init__(self, words: U64, packed: U8, k: int, radius: int) -> None:
        self.words, self.packed, self.k, self.radius = words, packed, k, radius
        asked = packed[:, 0].view(np.uint64)
        self.distances = nearest_by_count(words, np.ascontiguousarray(asked), k)
        self.is_hit = self.distances[:, -1] <= radius

    def begin(self, structure: Structure) -> None:
        """Set the structure up for the radius or for k."""
        structure.begin_nearest(self.k, self.radius, bool(self.is_hit.all()))

    def ask(self, structure: Structure, query: Any) -> Any:
        """Search."""
        return structure.nearest(query, self.k)

    def judge(self, structure: Structure, i: int, answer: Any) -> Judged:
        """Compare the distances, and count those of the rows that were named."""
        rows, distances = (np.asarray(column) for column in structure.read_nearest(answer))
        truth = self.distances[i]
        query = self.packed[i, 0].view(np.uint64)
        counted = np.bitwise_count(self.words[rows] ^ query).sum(axis=1, dtype=np.int64)
        honest = np.array_equal(counted, distances) and np.unique(rows).size == rows.size
        same = np.array_equal(distances, truth)
        n_found = int((np.sort(counted)[: truth.size] <= truth[: counted.size]).sum())
        return Judged(truth.size, n_found, not honest or (structure.exact and not same))


@dataclass
class Timed:
    """What a structure took and how good its answers were; or why it did not run."""

    structure: Structure
    note: str = ""
    not_run: str = ""
    turns: dict[int, list[float]] = field(default_factory=dict)
    hits: list[float] = field(default_factory=list)
    misses: list[float] = field(default_factory=list)
    n_true: int = 0
    n_found: int = 0
    n_wrong: int = 0

    @property
    def seconds(self) -> list[float]:
        """All times."""
        return self.hits + self.misses

    @property
    def recall(self) -> float:
        """Share of the rows to be found that were."""
        return self.n_found / self.n_true if self.n_true else 1.0


def take_turns(
    structures: Sequence[Structure],
    question: Question,
    budget_s: float,
    tell: Callable[[str], object] = tell_nobody,
) -> list[Timed]:
    """Ask all structures, ten queries each and then the next one's turn.

    Before its ten, each answers one that is not timed. A peer that has used up the budget
    drops out, after `LEAST_QUERIES` at the soonest; this library's own goes on.
    """
    entrants = [_entered(structure, question) for structure in structures]
    prepared = {
        id(t): [t.structure.prepared(one) for one in question.packed]
        for t in entrants
        if not t.not_run
    }
    n = len(question.packed)
    for first in range(0, n, QUERIES_A_TURN):
        tell(f"query {first + 1:,} of {n:,}")
        for timed in entrants:
            if not timed.not_run and _goes_on(timed, budget_s):
                _turn(timed, question, prepared[id(timed)], first)
    return entrants


def _entered(structure: Structure, question: Question) -> Timed:
    try:
        question.begin(structure)
        question.ask(structure, structure.prepared(question.packed[-1]))
    except NotRunError as reason:
        return Timed(structure, not_run=str(reason))
    return Timed(structure, structure.note)


def _goes_on(timed: Timed, budget_s: float) -> bool:
    if timed.structure.is_ours or len(timed.seconds) < LEAST_QUERIES:
        return True
    return sum(timed.seconds) < budget_s


def _turn(timed: Timed, question: Question, prepared: Sequence[Any], first: int) -> None:
    structure = timed.structure
    question.ask(structure, prepared[first - 1])
    answers, seconds = [], []
    chosen = range(first, min(first + QUERIES_A_TURN, len(prepared)))
    for i in chosen:
        query = prepared[i]
        before = perf_counter()
        answer = question.ask(structure, query)
        seconds.append(perf_counter() - before)
        answers.append(answer)
    timed.turns[first] = seconds
    for i, answer, took in zip(chosen, answers, seconds, strict=True):
        (timed.hits if question.is_hit[i] else timed.misses).append(took)
        judged = question.judge(structure, i, answer)
        timed.n_true += judged.n_true
        timed.n_found += judged.n_found
        timed.n_wrong += judged.is_wrong


def paired(ours: Timed, peer: Timed) -> Paired:
    """Compare two that took turns: the turns that both took are the pairs."""
    common = ours.turns.keys() & peer.turns.keys()
    ratios = [median(peer.turns[turn]) / median(ours.turns[turn]) for turn in sorted(common)]
    both = (spread(ours.seconds), spread(peer.seconds))
    speedup = both[1].median / both[0].median
    agrees = not ours.n_wrong and not peer.n_wrong
    return Paired(*both, speedup, spread(ratios), agrees)


def _same(a: Found, b: Found) -> bool:
    return np.array_equal(a.rows, b.rows) and np.array_equal(a.distances, b.distances)
