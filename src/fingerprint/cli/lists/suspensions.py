"""Which records of a list are suspended."""

from __future__ import annotations

from itertools import islice

from fingerprint.lists import HashList

__all__ = ["FEW", "is_suspended", "suspended_keys"]

FEW = 10
_MOST_READ = 10_000
"""Records of a list that is read through for those that are suspended."""


def is_suspended(found: HashList, source: str, record_id: str) -> bool:
    """Return whether a record is suspended; it has to be on the list."""
    for event in reversed(found.history(source, record_id)):
        if event.action != "updated":
            return event.action == "suspended"
    return False


def suspended_keys(found: HashList, n: int) -> list[tuple[str, str]]:
    """Return the suspended records, ``n`` of them; none where they are many, or the list long."""
    if not 0 < n <= FEW or len(found) > _MOST_READ:
        return []
    in_force = {one.key for kind in found.hash_types for one in found.records_with(kind)}
    # Whatever was committed between the two readings is told by the history.
    missing = (one.key for one in found.records() if one.key not in in_force)
    return list(islice((key for key in missing if is_suspended(found, *key)), n))
