"""The contract between the index and its search structures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import numpy as np

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.typing import I32, I64, Residency

__all__ = ["Backend", "Neighbours", "RangeResult", "shared_range_search", "sorted_by_distance"]


_ROW_BITS = 40
_QUERIES_A_TASK = 256


class RangeResult(NamedTuple):
    """Rows within reach of each query.

    Those of query i are ``rows[lims[i]:lims[i + 1]]``, nearest first, ties in
    row order, with their ``distances`` alongside.
    """

    lims: I64
    rows: I64
    distances: I32


def sorted_by_distance(lims: I64, rows: I64, distances: I32) -> RangeResult:
    """Order each query's rows by distance, then row."""
    if lims.size == 2:
        # One sort of numbers is several times faster than a sort by two keys.
        both = (distances.astype(np.int64) << _ROW_BITS) | rows
        both.sort()
        return RangeResult(
            lims, both & ((1 << _ROW_BITS) - 1), (both >> _ROW_BITS).astype(np.int32)
        )
    query = np.repeat(np.arange(lims.size - 1), np.diff(lims))
    order = np.lexsort((rows, distances, query))
    return RangeResult(lims, rows[order], distances[order])


class Neighbours(NamedTuple):
    """The k nearest rows of each query, (queries, k), nearest first.

    Ties stand in any order. Where a backend finds fewer than k, ``rows`` is
    filled up with -1.
    """

    rows: I64
    distances: I32


class Backend(ABC):
    """An immutable search structure over an array of hashes.

    A backend knows rows and bits, never ids. Searching does not change it and may
    be done from several threads at once.

    Attributes
    ----------
    name : str
        Its name in the registry.
    exact : bool
        Within `max_radius` nothing is ever missed, and `nearest` is exact where
        it is supported.
    max_radius : int
        Largest radius that `range_search` takes, in bits.
    """

    name: ClassVar[str]
    exact: ClassVar[bool]
    max_radius: int

    @classmethod
    @abstractmethod
    def build(cls, hashes: HashArray) -> Self:
        """Build over ``hashes``, which may be empty.

        A backend may take keyword options of its own.

        Raises
        ------
        MissingExtraError
            The library behind it is not installed.
        TypeError, ValueError
            It has no such option, or not with this value.
        """

    @abstractmethod
    def range_search(self, queries: HashArray, radius: int) -> RangeResult:
        """Find all rows within ``radius`` bits, inclusive.

        Raises
        ------
        UnsupportedOperationError
            The radius is beyond `max_radius`, or the backend has no range search.
        """

    @abstractmethod
    def nearest(self, queries: HashArray, k: int) -> Neighbours:
        """Find the ``k`` nearest rows, 1 <= k <= len(self).

        Raises
        ------
        UnsupportedOperationError
            The backend has no such search.
        """

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write what `load` needs, beyond the hashes, into an existing directory."""

    @classmethod
    @abstractmethod
    def load(cls, directory: Path, hashes: HashArray, *, residency: Residency = "mmap") -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        directory : Path
            Where `save` wrote.
        hashes : HashArray
            Those it was built over; already where ``residency`` wants them.
        residency : {"mmap", "huge"}
            ``"mmap"``: map the files, shared by processes. ``"huge"``: copy them into
            private huge pages, for the lowest latency. A backend whose library
            reads files only one way does that.
        """

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of its own structures, without the hashes it was given."""

    @abstractmethod
    def explain(self, radius: int, k: int | None = None) -> str:
        """Say in a few words how such a search is done, and what it is thought to cost."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many hashes it was built over."""


def shared_range_search(
    search: Callable[[HashArray], RangeResult], queries: HashArray, workers: int
) -> RangeResult:
    """Share many queries among threads; the answer is that of one call."""
    if workers < 2 or len(queries) < 2 * _QUERIES_A_TASK:
        return search(queries)
    parts = [queries[i : i + _QUERIES_A_TASK] for i in range(0, len(queries), _QUERIES_A_TASK)]
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(search, parts))
    counts = np.concatenate([np.diff(one.lims) for one in found])
    return RangeResult(
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        np.concatenate([one.rows for one in found]),
        np.concatenate([one.distances for one in found]),
    )
