"""Which of the evidence of a list counts, by its policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fingerprint.lists.hash_types import HASH_TYPES
from fingerprint.screening.evidence import Evidence, Suppression

if TYPE_CHECKING:
    from fingerprint.screening.policy import ListPolicy

__all__ = ["judge", "ordered", "suppressions_of", "without_suspended"]

_GROUPS = {"pdq": "pdq", "vpdq": "pdq", "tmk_pdqf": "pdq"}
"""Types that agree because they are made of the same numbers; digests are below."""


def independent(algorithms: Iterable[str]) -> int:
    """Return how many independent hashes there are among some types."""
    groups = {
        "digest" if HASH_TYPES[name].family == "digest" else _GROUPS.get(name, name)
        for name in algorithms
    }
    return len(groups)


def suppressions_of(evidence: Iterable[Evidence]) -> tuple[Suppression, ...]:
    """Return what a negative list says of an upload."""
    return tuple(
        Suppression(
            one.list_name,
            one.source,
            one.record_id,
            one.algorithm,
            one.distance or 0,
            one.radius or 0,
        )
        for one in evidence
        if one.counts
    )


def judge(
    policy: ListPolicy,
    evidence: Iterable[Evidence],
    negatives: Mapping[str, tuple[Suppression, ...]],
) -> list[Evidence]:
    """Return the evidence of one list with what counts, and why the rest does not.

    A negative record that is near the upload suppresses perceptual matches alone; one with
    an equal digest suppresses all, since then it is the upload itself.
    """
    found = list(evidence)
    agreeing: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in found:
        if one.counts:
            agreeing[one.key].add(one.algorithm)
    said = tuple(by for name in policy.negative for by in negatives.get(name, ()))
    return [_judged(one, policy, independent(agreeing[one.key]), said) for one in found]


def _judged(
    one: Evidence, policy: ListPolicy, agreeing: int, said: tuple[Suppression, ...]
) -> Evidence:
    why_not = list(one.why_not)
    if one.counts and agreeing < policy.min_independent_hashes:
        why_not.append("single_hash")
    is_exact = HASH_TYPES[one.algorithm].is_exact
    by = tuple(s for s in said if not is_exact or HASH_TYPES[s.algorithm].is_exact)
    if by:
        why_not.append("negative")
    return replace(
        one,
        independent_hashes=agreeing,
        suppressed_by=by,
        why_not=tuple(why_not),
        counts=not why_not,
    )


def without_suspended(
    evidence: Iterable[Evidence], suspended: Collection[tuple[str, str, str]]
) -> tuple[Evidence, ...]:
    """Return evidence in which perceptual matches of suspended records do not count."""
    return tuple(
        replace(one, counts=False, why_not=(*one.why_not, "suspended"))
        if one.key in suspended and not HASH_TYPES[one.algorithm].is_exact
        else one
        for one in evidence
    )


def ordered(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Return evidence in the order of reading: what counts, equal hashes first, then nearest."""
    return tuple(
        sorted(
            evidence,
            key=lambda one: (
                not one.counts,
                not HASH_TYPES[one.algorithm].is_exact,
                one.distance or 0,
                one.key,
                one.algorithm,
            ),
        )
    )
