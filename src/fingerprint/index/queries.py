"""What is asked of an index, brought into the form that search structures take."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from fingerprint.errors import LowQualityWarning
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash, Kind
from fingerprint.index.entries import as_array, incompatible
from fingerprint.index.view import words_of

if TYPE_CHECKING:
    from fingerprint.typing import Metadata

__all__ = ["Queries", "Query", "Where", "filter_of", "queries_of"]

Query: TypeAlias = Hash | Mapping[str, Hash]
"""One hash, or several views of one picture by name."""

Where: TypeAlias = "Mapping[str, Any] | Callable[[Metadata], object]"
"""Values that metadata must have, or a function that says whether it will do."""


class Queries(NamedTuple):
    """Views of ``n`` queries: hashes, their qualities, whose they are, what they are called."""

    array: HashArray
    qualities: Sequence[int]
    owners: Sequence[int]
    names: Sequence[str]
    n: int


def queries_of(queries: HashArray | Sequence[Query], kind: Kind, min_quality: int) -> Queries:
    """Return queries as arrays; warn the caller's caller of those with too little in them."""
    n = len(queries)
    if isinstance(queries, HashArray):
        array = as_array(queries, kind)
        found = Queries(array, array.quality.tolist(), range(n), ["identity"] * n, n)
    else:
        found = _stacked(queries, kind)
    low = 0
    for quality in found.qualities:
        if 0 <= quality < min_quality:
            low += 1
    if low:
        warnings.warn(
            f"{low} of {len(found.qualities)} queries have a quality below {min_quality}: "
            "what they match, they may match by chance",
            LowQualityWarning,
            stacklevel=3,
        )
    return found


def _stacked(queries: Sequence[Query], kind: Kind) -> Queries:
    """Stack hashes that were checked when they were made: numpy is asked but once."""
    owners: list[int] = []
    names: list[str] = []
    qualities: list[int] = []
    padded: list[bytes] = []
    width = 8 * words_of(kind[2])
    for i, query in enumerate(queries):
        if not isinstance(query, Hash | Mapping):
            raise TypeError(
                f"query: expected a Hash or a mapping of views, got {type(query).__name__}"
            )
        views = {"identity": query} if isinstance(query, Hash) else query
        if not views:
            raise ValueError("query: expected at least one view of it, got none")
        for name, view in views.items():
            if not isinstance(view, Hash):
                raise TypeError(f"query: expected views that are hashes, got {type(view).__name__}")
            if view.kind != kind:
                raise incompatible(kind, view.kind)
            owners.append(i)
            names.append(name)
            qualities.append(-1 if view.quality is None else view.quality)
            padded.append(view.packed.ljust(width, b"\0"))
    # A bytearray, so that kernels see writable memory as they do elsewhere.
    words = np.frombuffer(bytearray(b"".join(padded)), np.uint64).reshape(-1, width // 8)
    algorithm, version, bits = kind
    array = HashArray.from_words(words, algorithm, bits=bits, version=version)
    return Queries(array, qualities, owners, names, len(queries))


def filter_of(where: Where | None) -> Callable[[Metadata], object] | None:
    """Return the function that says whether metadata will do."""
    if where is None:
        return None
    if isinstance(where, Mapping):
        wanted = dict(where)
        missing = object()
        return lambda metadata: all(
            metadata.get(key, missing) == value for key, value in wanted.items()
        )
    if not callable(where):
        raise TypeError(f"where: expected a mapping or a function, got {type(where).__name__}")
    return where
