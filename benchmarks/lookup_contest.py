"""All structures over one set, each built once, and what they did with several questions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.lookup_peers import PEERS, Peer
from benchmarks.lookup_structures import MIH, Ours, Structure, build, build_backend
from benchmarks.lookup_tables import Conditions, measured, missing
from benchmarks.lookup_turns import Question, Timed, take_turns
from benchmarks.measurement import Measurement, NotRunError

if TYPE_CHECKING:
    from benchmarks.settings import Lookup
    from fingerprint import HashArray

__all__ = ["Contest", "Outcome", "build_ours", "hold"]

SCAN = "linear"


@dataclass(frozen=True)
class Contest:
    """A question to all structures.

    Parameters
    ----------
    where : Conditions
        For its rows.
    question : Question
        What is asked.
    budget_s : float
        For each peer.
    extra : callable, optional
        Builds one more of our structures, for this question alone.
    """

    where: Conditions
    question: Question
    budget_s: float
    extra: Callable[[], Structure] | None = None


@dataclass
class Outcome:
    """What came of a contest.

    Parameters
    ----------
    contest : Contest
        Which.
    ours : dict of str to Timed
        This library's structures by name.
    peers : list of Timed
        The others.
    not_built : dict of str to str
        Why what is missing was not built.
    """

    contest: Contest
    ours: dict[str, Timed] = field(default_factory=dict)
    peers: list[Timed] = field(default_factory=list)
    not_built: dict[str, str] = field(default_factory=dict)

    def rows(self) -> list[Measurement]:
        """Return a row for each structure."""
        where = self.contest.where
        mih = self.ours.get(MIH)
        rows = [measured(where, timed, mih) for timed in (*self.ours.values(), *self.peers)]
        return rows + [
            missing(where, name, reason, ours=name in {MIH, SCAN})
            for name, reason in self.not_built.items()
        ]


def build_ours(
    hashes: HashArray, names: Sequence[str] = (MIH, SCAN), **options: int
) -> tuple[list[Ours], dict[str, str]]:
    """Build our backends; the options are those of `mih`. Also return what is not there."""
    made, not_built = [], {}
    for name in names:
        try:
            made.append(build_backend(name, hashes, options if name == MIH else {}))
        except NotRunError as reason:
            not_built[name] = str(reason)
    return made, not_built


def hold(
    hashes: HashArray,
    contests: Sequence[Contest],
    lookup: Lookup,
    tell: Callable[[str], object],
    *,
    radius: int,
    peers: Sequence[Peer] = PEERS,
) -> list[Outcome]:
    """Build ours for ``radius`` and the peers, and let all answer each contest."""
    outcomes = [Outcome(contest) for contest in contests]
    n = len(hashes)
    tell(f"building ours over {n:,}")
    ours, not_built = build_ours(hashes, radius=radius)
    built, not_built_peers = _build_peers(peers, hashes, lookup, tell)
    for outcome in outcomes:
        outcome.not_built |= not_built | not_built_peers
        _compete(outcome, [*ours, *built], tell)
    return outcomes


def _build_peers(
    peers: Sequence[Peer], hashes: HashArray, lookup: Lookup, tell: Callable[[str], object]
) -> tuple[list[Structure], dict[str, str]]:
    made: list[Structure] = []
    not_built: dict[str, str] = {}
    n = len(hashes)
    packed = np.ascontiguousarray(hashes.packed)
    for peer in peers:
        tell(f"building {peer.names[0]} over {n:,}")
        try:
            if n > (lookup.graph_max_n if peer.max_n is None else peer.max_n):
                raise NotRunError(f"building it over {n:,} takes too long or too much memory")
            made += build(partial(peer.make, packed), n)
        except NotRunError as reason:
            not_built |= dict.fromkeys(peer.names, str(reason))
    return made, not_built


def _compete(
    outcome: Outcome, structures: Sequence[Structure], tell: Callable[[str], object]
) -> None:
    contest = outcome.contest
    entrants = [*structures]
    if contest.extra is not None:
        # Where it is missing, so is `mih`, whose row says why.
        with contextlib.suppress(NotRunError):
            entrants.append(contest.extra())
    here = f"{contest.where.n:,} {contest.where.data}, radius {contest.where.radius}"
    timed = take_turns(
        entrants, contest.question, contest.budget_s, lambda text: tell(f"{here}: {text}")
    )
    outcome.ours |= {t.structure.name: t for t in timed if t.structure.is_ours}
    outcome.peers += [t for t in timed if not t.structure.is_ours]
