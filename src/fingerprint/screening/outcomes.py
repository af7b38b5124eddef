"""What becomes of a screening, and which outcome stands when several apply."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Outcome", "outcome_of"]


class Outcome(StrEnum):
    """What a screening found out; never a verdict.

    Attributes
    ----------
    MATCH
        Some record matches by the policy of its list.
    NO_MATCH
        Every list was asked, with hashes that mean something, and none matches.
    LOW_QUALITY
        The picture or video has too little in it for its perceptual hashes to mean anything.
    UNDECODABLE
        Perceptual hashes were needed, and it cannot be decoded, or not to its end.
    LIST_STALE
        A list is older than its policy allows.
    ERROR
        Something was not asked that should have been.
    """

    MATCH = "MATCH"
    NO_MATCH = "NO_MATCH"
    LOW_QUALITY = "LOW_QUALITY"
    UNDECODABLE = "UNDECODABLE"
    LIST_STALE = "LIST_STALE"
    ERROR = "ERROR"


def outcome_of(
    *, matched: bool, failed: bool, undecodable: bool, stale: bool, low_quality: bool
) -> Outcome:
    """Return the outcome: a match first, then whatever keeps "no match" from being true."""
    if matched:
        return Outcome.MATCH
    if failed:
        return Outcome.ERROR
    if undecodable:
        return Outcome.UNDECODABLE
    if stale:
        return Outcome.LIST_STALE
    return Outcome.LOW_QUALITY if low_quality else Outcome.NO_MATCH
