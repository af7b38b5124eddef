"""A search structure as the look-up benchmarks see it, and this library's own."""

from __future__ import annotations

import ctypes
import gc
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

import fingerprint as fp
from benchmarks.lookup_data import Found, as_hashes, random_packed
from benchmarks.measurement import NotRunError
from fingerprint import HashArray
from fingerprint.errors import MissingExtraError
from fingerprint.index.backends.residency import hugepage_copy

if TYPE_CHECKING:
    from fingerprint.index import Backend
    from fingerprint.typing import U8, Residency

__all__ = [
    "MIH",
    "Cost",
    "EightCalls",
    "Ours",
    "Structure",
    "build",
    "build_backend",
    "loaded",
    "saved",
]

S = TypeVar("S", bound="Structure")

MIH = "mih"
COMPILE_N = 20_000
SMALL_N = 1_000_000
"""Below so many hashes a process's growth says little: serialised sizes are taken."""


@dataclass(frozen=True)
class Cost:
    """What building took.

    Parameters
    ----------
    seconds : float
        Wall clock, training included.
    nbytes_a_hash : float
        Memory, hashes included.
    counted_by : str
        How that was found.
    """

    seconds: float
    nbytes_a_hash: float
    counted_by: str


class Structure(ABC):
    """Something built over a set of hashes that answers queries one at a time.

    Attributes
    ----------
    name : str
        What it is called in tables and charts.
    exact : bool
        Whether it promises all rows within the radius.
    in_order : bool
        Whether answers stand nearest first, ties in row order.
    residency : str
        Where its memory is.
    cost : Cost
        Set when it was built.
    note : str
        What is asked of it.
    """

    name: str
    exact: bool
    in_order: bool = False
    residency: str = "private"
    cost: Cost
    note: str = ""
    is_ours: ClassVar[bool] = False

    def begin(self, radius: int, most_found: int) -> None:
        """Set up for a radius, or raise NotRunError; a query finds ``most_found`` at most."""
        self.note = ""

    @abstractmethod
    def prepared(self, packed: U8) -> Any:
        """Return a query of shape (views, nbytes) as `within` and `nearest` take it."""

    @abstractmethod
    def within(self, query: Any, radius: int) -> Any:
        """Search: what is timed."""

    @abstractmethod
    def read(self, answer: Any, radius: int) -> list[Found]:
        """Return what `within` found for each view, untimed."""

    def begin_nearest(self, k: int, radius: int, all_are_near: bool) -> None:
        """Set up for the k nearest, which may all lie within ``radius``, or raise NotRunError."""
        self.note = f"the {k} nearest"

    def nearest(self, query: Any, k: int) -> Any:
        """Search for the nearest: timed."""
        raise NotRunError("it does not promise the nearest")

    def read_nearest(self, answer: Any) -> Found:
        """Return what `nearest` found for a query of one view."""
        distances, rows = answer
        return Found(np.asarray(rows[0], np.int64), np.asarray(distances[0], np.int32))

    def serialised_nbytes(self) -> int | None:
        """Return the size of its own file format, without writing one; None if unknown."""
        return None


class Ours(Structure):
    """A backend of this library, called through its public methods."""

    is_ours = True
    in_order = True

    def __init__(self, backend: Backend, residency: str = "private", name: str = "") -> None:
        self.backend = backend
        self.name = name or backend.name
        self.exact = backend.exact
        self.residency = residency

    def begin(self, radius: int, most_found: int) -> None:
        """Ask the backend how it will search."""
        if radius > self.backend.max_radius:
            raise NotRunError(f"its largest radius is {self.backend.max_radius}")
        self.note = self.backend.explain(radius)

    def begin_nearest(self, k: int, radius: int, all_are_near: bool) -> None:
        """Ask the backend how it will search."""
        self.note = self.backend.explain(radius, k)

    def prepared(self, packed: U8) -> Any:
        """Return a `HashArray`."""
        return as_hashes(packed)

    def within(self, query: Any, radius: int) -> Any:
        """Call `range_search`."""
        return self.backend.range_search(query, radius)

    def read(self, answer: Any, radius: int) -> list[Found]:
        """Take the views apart."""
        lims, rows, distances = answer
        return [Found(rows[a:b], distances[a:b]) for a, b in pairwise(lims)]

    def nearest(self, query: Any, k: int) -> Any:
        """Call `nearest`."""
        return self.backend.nearest(query, k)

    def read_nearest(self, answer: Any) -> Found:
        """Return the rows of the only view."""
        return Found(answer.rows[0], answer.distances[0])


class EightCalls(Ours):
    """The same backend, asked for one view after the other."""

    def __init__(self, one: Ours) -> None:
        super().__init__(one.backend, one.residency, f"{one.name}, a call for each view")
        self.cost = one.cost

    def prepared(self, packed: U8) -> Any:
        """Return a `HashArray` for each view."""
        return [as_hashes(packed[i : i + 1]) for i in range(len(packed))]

    def within(self, query: Any, radius: int) -> Any:
        """Call `range_search` for each view."""
        return [self.backend.range_search(view, radius) for view in query]

    def read(self, answer: Any, radius: int) -> list[Found]:
        """Return what each call found."""
        return [Found(one.rows, one.distances) for one in answer]


def build(make: Callable[[], Sequence[S]], n: int) -> list[S]:
    """Build structures that share one index over n hashes, and note what that cost."""
    _give_back_memory()
    before = _rss_nbytes()
    started = perf_counter()
    made = list(make())
    seconds = perf_counter() - started
    grown = _rss_nbytes() - before
    serialised = made[0].serialised_nbytes() if n < SMALL_N else None
    if serialised is not None:
        cost = Cost(seconds, serialised / n, "file")
    elif n >= SMALL_N:
        cost = Cost(seconds, grown / n, "process")
    else:
        cost = Cost(seconds, math.nan, "")
    for one in made:
        one.cost = cost
    return made


def build_backend(
    name: str, hashes: HashArray, options: Mapping[str, Any], *, label: str = ""
) -> Ours:
    """Build one of our backends; NotRunError where it is not there."""
    if name not in fp.backend_names():
        raise NotRunError(f"there is no backend {name!r} in this version")
    kind: Any = fp.get_backend(name)
    try:
        _compile(name, hashes.bits)
        (made,) = build(lambda: [Ours(kind.build(hashes, **options), name=label)], len(hashes))
    except MissingExtraError as error:
        raise NotRunError(str(error)) from error
    made.cost = _own_cost(made.cost.seconds, made.backend, hashes)
    return made


@lru_cache(maxsize=16)
def _compile(name: str, bits: int) -> None:
    """Use a backend once, so that no kernel is compiled while its building is timed."""
    few = as_hashes(random_packed(COMPILE_N, bits, 0))
    fp.get_backend(name).build(few).range_search(few[:1], 1)


def saved(backend: Backend, hashes: HashArray, folder: Path) -> None:
    """Write a backend and its hashes."""
    np.save(folder / "hashes.npy", hashes.words)
    backend.save(folder)


def loaded(name: str, hashes: HashArray, folder: Path, residency: Residency) -> Ours:
    """Read what `saved` wrote, hashes included, with the files in the page cache.

    ``hashes`` says only of what kind they are.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass
    kind = fp.get_backend(name)
    _give_back_memory()
    started = perf_counter()
    words = np.load(folder / "hashes.npy", mmap_mode="r")
    if residency == "huge":
        words = hugepage_copy(words)
    own = HashArray.from_words(words, hashes.algorithm, bits=hashes.bits)
    one = Ours(kind.load(folder, own, residency=residency), residency)
    seconds = perf_counter() - started
    one.cost = _own_cost(seconds, one.backend, own)
    return one


def _own_cost(seconds: float, backend: Backend, hashes: HashArray) -> Cost:
    nbytes = backend.nbytes + hashes.words.nbytes
    return Cost(seconds, nbytes / max(1, len(hashes)), "its arrays")


def _rss_nbytes() -> int:
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _give_back_memory() -> None:
    """Make what is free really free, so that it does not hide what is built next."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return
