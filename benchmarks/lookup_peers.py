"""The search structures of others, each called as its documentation does."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.lookup_data import Found
from benchmarks.lookup_structures import Structure
from benchmarks.measurement import NotRunError, peer_module

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["PEERS", "Peer"]

BITS_A_TABLE = 16
MAX_FLIPS = 4
CELLS = 1024
PROBES = (16, 64)
LINKS = 32
EF_SEARCH = 256
LEAST_CANDIDATES = 16
MOST_CANDIDATES = 1024


class Faiss(Structure):
    """A FAISS binary index, through FAISS's own Python class."""

    name = "FAISS Flat"
    exact = True

    def __init__(self, index: Any) -> None:
        self.index = index

    def prepared(self, packed: U8) -> Any:
        return np.ascontiguousarray(packed)

    def within(self, query: Any, radius: int) -> Any:
        return self.index.range_search(query, radius + 1)  # FAISS leaves the bound out.

    def read(self, answer: Any, radius: int) -> list[Found]:
        lims, distances, rows = answer
        limits = lims.astype(np.int64)
        return [Found(rows[a:b], distances[a:b].astype(np.int32)) for a, b in pairwise(limits)]

    def nearest(self, query: Any, k: int) -> Any:
        return self.index.search(query, k)

    def serialised_nbytes(self) -> int:
        written = 0

        def count(data: bytes) -> int:
            nonlocal written
            written += len(data)
            return len(data)

        faiss = peer_module("faiss")
        faiss.write_index_binary(self.index, faiss.PyCallbackIOWriter(count))
        return written


class FaissIvf(Faiss):
    """The nearest of 1024 cells."""

    exact = False

    def __init__(self, index: Any, probes: int) -> None:
        super().__init__(index)
        self.probes = min(probes, index.nlist)
        self.name = f"FAISS IVF{index.nlist}, nprobe {probes}"

    def begin(self, radius: int, most_found: int) -> None:
        self.note = f"{self.probes} of {self.index.nlist} cells"

    def within(self, query: Any, radius: int) -> Any:
        self.index.nprobe = self.probes
        return super().within(query, radius)

    def nearest(self, query: Any, k: int) -> Any:
        return Structure.nearest(self, query, k)


class FaissMultiHash(Faiss):
    """Tables of 16 bits each, and as many flips as the radius takes to be exact."""

    def __init__(self, index: Any) -> None:
        super().__init__(index)
        self.name = f"FAISS MultiHash {index.nhash}×{index.b}"

    def begin(self, radius: int, most_found: int) -> None:
        flips = math.ceil((radius + 1) / self.index.nhash) - 1
        if flips > MAX_FLIPS:
            raise NotRunError(f"{flips} flips in each of {self.index.nhash} tables")
        self.index.nflip = flips
        self.note = f"nflip {flips}: exact to {self.index.nhash * (flips + 1) - 1}"

    def nearest(self, query: Any, k: int) -> Any:
        return Structure.nearest(self, query, k)


class Candidates(Structure):
    """What can only be asked for the k nearest, of which those within the radius count."""

    def begin(self, radius: int, most_found: int) -> None:
        self.k = max(LEAST_CANDIDATES, 1 << most_found.bit_length())
        self.note = f"the {self.k} nearest, of which those within the radius count"
        if self.k > MOST_CANDIDATES:
            raise NotRunError(f"it has no range search, and a query has {most_found:,} answers")

    def read_within(self, rows: Any, distances: Any, radius: int) -> Found:
        keep = (np.asarray(rows) >= 0) & (np.asarray(distances) <= radius)
        return Found(
            np.asarray(rows)[keep].astype(np.int64), np.asarray(distances)[keep].astype(np.int32)
        )


class FaissHnsw(Candidates, Faiss):
    """A graph; without range search."""

    name = "FAISS HNSW"
    exact = False

    def within(self, query: Any, radius: int) -> Any:
        return self.index.search(query, self.k)

    def read(self, answer: Any, radius: int) -> list[Found]:
        distances, rows = answer
        return [self.read_within(*one, radius) for one in zip(rows, distances, strict=True)]


class PyNear(Candidates):
    """PyNear's multi-index hashing: the k nearest, complete within a radius."""

    exact = True

    def __init__(self, index: Any) -> None:
        self.index = index
        self.name = f"PyNear MIH({index.m()})"
        self.radius = 0

    def begin(self, radius: int, most_found: int) -> None:
        super().begin(radius, most_found)
        self.radius = radius
        self.note = f"searchKNN_arrays(k={self.k}, radius={radius}): complete within the radius"

    def begin_nearest(self, k: int, radius: int, all_are_near: bool) -> None:
        if not all_are_near:
            raise NotRunError("it promises only those within a radius")
        self.radius = radius
        self.note = f"searchKNN_arrays(k={k}, radius={radius})"

    def prepared(self, packed: U8) -> Any:
        return packed.tolist()  # Which it takes faster than an array.

    def within(self, query: Any, radius: int) -> Any:
        return self.index.searchKNN_arrays(query, self.k, radius)

    def read(self, answer: Any, radius: int) -> list[Found]:
        rows, distances = answer
        return [self.read_within(*one, radius) for one in zip(rows, distances, strict=True)]

    def nearest(self, query: Any, k: int) -> Any:
        return self.index.searchKNN_arrays(query, k, self.radius)

    def read_nearest(self, answer: Any) -> Found:
        rows, distances = answer
        return Found(rows[0], distances[0])


class USearch(Candidates):
    """usearch's graph over bits."""

    name = "usearch HNSW"
    exact = False

    def __init__(self, index: Any) -> None:
        self.index = index

    def prepared(self, packed: U8) -> Any:
        return np.ascontiguousarray(packed[0] if len(packed) == 1 else packed)

    def within(self, query: Any, radius: int) -> Any:
        return self.index.search(query, self.k, threads=1)

    def read(self, answer: Any, radius: int) -> list[Found]:
        rows = np.atleast_2d(np.asarray(answer.keys).astype(np.int64))
        distances = np.atleast_2d(np.asarray(answer.distances))
        return [self.read_within(*one, radius) for one in zip(rows, distances, strict=True)]

    def serialised_nbytes(self) -> int:
        return int(self.index.serialized_length)


@dataclass(frozen=True)
class Peer:
    """How to build a peer.

    Parameters
    ----------
    names : tuple of str
        What its structures are called where it is not built.
    make : callable
        Takes packed hashes and returns the structures, which share one index.
    max_n : int or None
        Largest set that it is built over; None: what the settings say for graphs.
    """

    names: tuple[str, ...]
    make: Callable[[U8], Sequence[Structure]]
    max_n: int | None


def _flat(packed: U8) -> list[Structure]:
    index = peer_module("faiss").IndexBinaryFlat(8 * packed.shape[1])
    index.add(packed)
    return [Faiss(index)]


def _ivf(packed: U8) -> list[Structure]:
    faiss = peer_module("faiss")
    bits = 8 * packed.shape[1]
    quantizer = faiss.IndexBinaryFlat(bits)
    cells = max(1, min(CELLS, len(packed) // 39))  # FAISS warns of fewer rows to train on.
    index = faiss.IndexBinaryIVF(quantizer, bits, cells)
    index.own_fields = True
    quantizer.this.disown()
    index.train(packed)
    index.add(packed)
    return [FaissIvf(index, probes) for probes in PROBES]


def _multihash(packed: U8) -> list[Structure]:
    bits = 8 * packed.shape[1]
    index = peer_module("faiss").IndexBinaryMultiHash(bits, bits // BITS_A_TABLE, BITS_A_TABLE)
    index.add(packed)
    return [FaissMultiHash(index)]


def _hnsw(packed: U8) -> list[Structure]:
    index = peer_module("faiss").IndexBinaryHNSW(8 * packed.shape[1], LINKS)
    index.hnsw.efSearch = EF_SEARCH
    index.add(packed)
    return [FaissHnsw(index)]


def _pynear(packed: U8) -> list[Structure]:
    index = peer_module("pynear").MIHBinaryIndex(8 * packed.shape[1] // BITS_A_TABLE)
    index.set(packed)
    return [PyNear(index)]


def _usearch(packed: U8) -> list[Structure]:
    module = peer_module("usearch.index")
    index = module.Index(
        ndim=8 * packed.shape[1], metric="hamming", dtype="b1", expansion_search=EF_SEARCH
    )
    index.add(np.arange(len(packed), dtype=np.uint64), packed, threads=1)
    return [USearch(index)]


PEERS = (
    Peer(("FAISS Flat",), _flat, 100_000_000),
    Peer(tuple(f"FAISS IVF{CELLS}, nprobe {probes}" for probes in PROBES), _ivf, 10_000_000),
    Peer(("FAISS HNSW",), _hnsw, None),
    Peer(("usearch HNSW",), _usearch, None),
    Peer(("FAISS MultiHash",), _multihash, 10_000_000),
    Peer(("PyNear MIH",), _pynear, 10_000_000),
)
