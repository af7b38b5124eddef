"""Which of the evidence of a list counts, by its policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from fingerprint.lists.hash_types import HASH_TYPES
from fingerprint.screening.evidence import Evidence, Suppression

if TYPE_CHECKING:
    from fingerprint.screening.policy import ListPolicy

__all__ = ["frame_of", "judge", "nearest", "ordered", "suppressions_of", "without_suspended"]

_GROUPS = {"pdq": "pdq", "vpdq": "pdq", "tmk_pdqf": "pdq"}
"""Types that agree because they are made of the same numbers; digests are below."""


def independent(algorithms: Iterable[str]) -> int:
    """Return how many independent hashes there are among some types."""
    groups = {
        "digest" if HASH_TYPES[name].family == "digest" else _GROUPS.get(name, name)
        for name in algorithms
    }
    return len(groups)


def frame_of(transform: str) -> str:
    """Return the frame or page that something was found by; empty for the first, however laid.

    What a picture shows on black is another picture.
    """
    own = transform.partition(" of ")[0]
    return own if own.startswith("frame_") or own in ("on_black", "opaque") else ""


def nearest(found: Iterable[Evidence], *, by_frame: bool = False) -> list[Evidence]:
    """Return one piece of evidence for each record and type: that which is furthest within.

    ``by_frame``: one for each frame or page, since not all may count.
    """
    best: dict[tuple[object, ...], Evidence] = {}
    for one in found:
        key = (*one.key, one.algorithm, frame_of(one.transform) if by_frame else "")
        if key not in best or _rank(one) < _rank(best[key]):
            best[key] = one
    return list(best.values())


def _rank(one: Evidence) -> tuple[bool, int, int]:
    distance, radius = one.distance or 0, one.radius or 0
    return not one.counts, distance - radius, distance


class Denial(NamedTuple):
    """What a negative list says of an upload, and of which frame."""

    frame: str
    by: Suppression

    def holds_for(self, one: Evidence) -> bool:
        """Say whether it suppresses evidence: an equal digest is the upload, a frame is not."""
        if HASH_TYPES[self.by.algorithm].is_exact:
            return True
        return not HASH_TYPES[one.algorithm].is_exact and self.frame == frame_of(one.transform)


def suppressions_of(evidence: Iterable[Evidence]) -> tuple[Denial, ...]:
    """Return what a negative list says of an upload."""
    return tuple(
        Denial(
            frame_of(one.transform),
            Suppression(
                one.list_name,
                one.source,
                one.record_id,
                one.algorithm,
                one.distance or 0,
                one.radius or 0,
            ),
        )
        for one in evidence
        if one.counts
    )


def judge(
    policy: ListPolicy,
    evidence: Iterable[Evidence],
    negatives: Mapping[str, tuple[Denial, ...]],
) -> list[Evidence]:
    """Return the evidence of one list with what counts, and why the rest does not.

    A negative record that is near a frame of the upload suppresses perceptual matches of that frame
    alone, else an innocent first frame would hide what follows it; one with an equal digest
    suppresses all, since then it is the upload itself.
    """
    found = list(evidence)
    agreeing: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in found:
        if one.counts:
            agreeing[one.key].add(one.algorithm)
    said = tuple(by for name in policy.negative for by in negatives.get(name, ()))
    judged = [_judged(one, policy, independent(agreeing[one.key]), said) for one in found]
    return nearest(judged)


def _judged(one: Evidence, policy: ListPolicy, agreeing: int, said: tuple[Denial, ...]) -> Evidence:
    why_not = list(one.why_not)
    if one.counts and agreeing < policy.min_independent_hashes:
        why_not.append("single_hash")
    by = tuple(denial.by for denial in said if denial.holds_for(one))
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
