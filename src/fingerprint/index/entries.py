"""What goes into an index, and what is asked of it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fingerprint.algorithms import Algorithm, SegmentAlgorithm, get_algorithm
from fingerprint.errors import (
    LowQualityWarning,
    UnknownAlgorithmError,
    UnsupportedOperationError,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.typing import Metadata

__all__ = [
    "Entry",
    "Query",
    "flattened",
    "known_algorithm",
    "metadata_texts",
    "warn_of_low_quality",
]

Query: TypeAlias = Hash | Mapping[str, Hash]
"""One hash, or several views of one picture by name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an index holds under one id."""

    id: str
    hash: Hash
    metadata: Metadata


def metadata_texts(metadata: Metadata | Sequence[Metadata] | None, n: int) -> list[str]:
    """Return the JSON of each entry's metadata; ValueError or TypeError if it has none."""
    if metadata is None:
        return ["{}"] * n
    many = [metadata] if isinstance(metadata, Mapping) else list(metadata)
    try:
        return [_metadata_text(m) for m in many]
    except RecursionError:
        raise ValueError("metadata: is nested too deep") from None


def _metadata_text(metadata: Metadata) -> str:
    return json.dumps(dict(metadata), sort_keys=True, separators=(",", ":"), allow_nan=False)


def flattened(
    queries: HashArray | Sequence[Query],
) -> tuple[HashArray | list[Hash], Sequence[int], Sequence[str]]:
    """Return all views, the query that each belongs to, and their names."""
    if isinstance(queries, HashArray):
        return queries, range(len(queries)), ["identity"] * len(queries)
    views: list[Hash] = []
    owners: list[int] = []
    names: list[str] = []
    for i, query in enumerate(queries):
        if not isinstance(query, Hash | Mapping):
            raise TypeError(
                f"query: expected a Hash or a mapping of views, got {type(query).__name__}"
            )
        for name, view in {"identity": query}.items() if isinstance(query, Hash) else query.items():
            views.append(view)
            owners.append(i)
            names.append(name)
    return views, owners, names


def known_algorithm(algorithm: str | Algorithm) -> tuple[str, Algorithm | None]:
    """Return the label of an algorithm's hashes, and the algorithm if it is known here."""
    if isinstance(algorithm, str):
        try:
            known = get_algorithm(algorithm)
        except UnknownAlgorithmError:
            return algorithm, None
    else:
        known = algorithm
    if isinstance(known, SegmentAlgorithm):
        raise UnsupportedOperationError(
            f"{known.name} makes a hash for each segment: index those as {known.hash_name}, "
            "an id for each"
        )
    return known.hash_name, known


def warn_of_low_quality(queries: HashArray, min_quality: int) -> None:
    """Warn the caller of a search, four frames up, of queries with too little in them."""
    low = int(((queries.quality >= 0) & (queries.quality < min_quality)).sum())
    if low:
        warnings.warn(
            f"{low} of {len(queries)} queries have a quality below {min_quality}: "
            "what they match, they may match by chance",
            LowQualityWarning,
            stacklevel=5,
        )
