"""What an index holds and how it searches, in plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fingerprint.index.backends import get_backend
from fingerprint.index.backends.choice import choose

if TYPE_CHECKING:
    from fingerprint.index.backends import Backend
    from fingerprint.index.tables import Facts
    from fingerprint.index.view import Part, View

__all__ = ["describe"]


def describe(
    facts: Facts, view: View, promise: Backend | None, radius: int | None, k: int | None
) -> dict[str, Any]:
    """Return the entries, the segments and the search structures of a view.

    ``nbytes_hashes`` and ``nbytes_structures`` are what a search has in memory, or
    mapped.
    """
    parts = view.parts
    largest = max(view.segments, key=len, default=None)
    return {
        **_backend(facts, view, largest, promise),
        "search": _search(parts, radius, k),
        "removed_entries": sum(part.removed.size for part in parts),
        "scanned_entries": view.tail.n_alive,
        "segments": [_segment(part) for part in view.segments],
        "nbytes_hashes": sum(part.rows.words.nbytes for part in parts),
        "nbytes_structures": sum(part.backend.nbytes for part in parts),
    }


def _backend(
    facts: Facts, view: View, largest: Part | None, promise: Backend | None
) -> dict[str, Any]:
    if promise is not None:
        name, why = facts.backend, "asked for"
    else:
        name, why = choose(view.state.entries if largest is None else len(largest), facts.bits)
        if largest is not None and largest.backend.name != name:
            name, why = largest.backend.name, "auto: chosen when the segment was built"
    built = largest.backend if largest is not None else promise
    return {
        "backend": name,
        "backend_why": why,
        "backend_options": facts.backend_options,
        "exact": get_backend(name).exact,
        "max_radius": facts.bits if built is None else built.max_radius,
    }


def _search(parts: tuple[Part, ...], radius: int | None, k: int | None) -> list[str]:
    reach = 0 if radius is None else radius
    return [part.backend.explain(reach, k) for part in parts]


def _segment(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "backend": part.backend.name,
        "entries": part.n_alive,
        "removed": part.removed.size,
        "nbytes_on_disk": part.nbytes_on_disk,
        "nbytes_structures": part.backend.nbytes,
    }
