"""Which records of a list are suspended."""

from __future__ import annotations

from fingerprint.lists import HashList

__all__ = ["FEW", "is_suspended", "suspended_keys"]

FEW = 10


def is_suspended(found: HashList, source: str, record_id: str) -> bool:
    """Return whether a record is suspended."""
    return (source, record_id) in found.suspended()


def suspended_keys(found: HashList, n: int) -> list[tuple[str, str]]:
    """Return the suspended records, if they are few."""
    return found.suspended() if 0 < n <= FEW else []
