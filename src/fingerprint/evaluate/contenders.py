"""Who takes part in an evaluation: our algorithms, peers, and whatever a caller brings.

A contender says how a picture is stored and how it is asked for. The score of a pair of
pictures is the least, over the stored rows and the views of the query, of Hamming distance
plus the view's handicap: lower is nearer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from fingerprint.algorithms import Algorithm, HashAlgorithm, Radius, SegmentAlgorithm, get_algorithm
from fingerprint.evaluate import peers as peer_packages
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["AnyContender", "Contender", "ViewedHashes", "resolve_contenders"]

_PROBE_SHAPE = (96, 128, 3)


@dataclass(frozen=True, slots=True)
class ViewedHashes:
    """What a picture is asked for with.

    Parameters
    ----------
    hashes : HashArray
        One hash a view; the first is that of the picture as it is, and its quality counts.
    handicaps : ndarray of int, shape (m,)
        Bits that are added to every distance of a view: what it costs to look through it.
    names : tuple of str
        What each view is called; several may share a name.
    """

    hashes: HashArray
    handicaps: Any
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        m = len(self.hashes)
        handicaps = np.asarray(self.handicaps)
        if handicaps.shape != (m,) or handicaps.dtype.kind not in "iu" or (handicaps < 0).any():
            raise ValueError(
                f"handicaps: expected {m} whole numbers from 0, "
                f"got {handicaps.dtype} of shape {handicaps.shape}"
            )
        if len(self.names) != m:
            raise ValueError(f"names: expected {m}, one a view, got {len(self.names)}")
        object.__setattr__(self, "handicaps", handicaps.astype(np.int32))

    @classmethod
    def plain(cls, hashed: Hash) -> ViewedHashes:
        """Return one hash, without handicap."""
        return cls(HashArray.from_hashes([hashed]), np.zeros(1, np.int32), ("identity",))


class Contender(ABC):
    """A way to store pictures and to ask for them.

    `reference` and `query` may be called from several threads at once.

    Attributes
    ----------
    name : str
        What it is called in the report; no two in an evaluation share one.
    bits : int
        Bits of a hash; scores beyond are counted as this.
    radius : Radius or None
        The published radius, if there is one.
    min_quality : int
        Below this, 0 to 100, its distances mean little. Where its hashes have no quality,
        PDQ's of the same pixels counts.
    version : str or None
        Changes when the same pixels may score otherwise, settings included: results that
        were kept under another are not used. None: results are never kept.
    """

    name: str
    bits: int
    radius: Radius | None = None
    min_quality: int = 50
    version: str | None = None

    @abstractmethod
    def reference(self, pixels: U8) -> HashArray:
        """Return what is stored of a picture, (h, w, 3) uint8 RGB: one row or more."""

    @abstractmethod
    def query(self, pixels: U8) -> ViewedHashes:
        """Return what a picture, (h, w, 3) uint8 RGB, is asked for with."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} bits={self.bits}>"


AnyContender: TypeAlias = "str | Algorithm | Contender | Callable[[U8], Hash]"


class _OneHash(Contender):
    """One hash a picture, stored and asked for alike."""

    def __init__(
        self,
        name: str,
        hash_pixels: Callable[[U8], Hash],
        *,
        bits: int,
        radius: Radius | None,
        version: str | None,
        min_quality: int = 50,
    ) -> None:
        self.name, self.bits, self.radius = name, bits, radius
        self.version, self.min_quality = version, min_quality
        self._hash_pixels = hash_pixels

    def reference(self, pixels: U8) -> HashArray:
        return HashArray.from_hashes([self._hash_pixels(pixels)])

    def query(self, pixels: U8) -> ViewedHashes:
        return ViewedHashes.plain(self._hash_pixels(pixels))


class _Segments(Contender):
    """A hash a segment: the nearest pair of segments counts, as imagehash's rule has it."""

    def __init__(self, algorithm: SegmentAlgorithm) -> None:
        self.name, self.bits, self.radius = algorithm.name, algorithm.bits, algorithm.radius
        self.version, self.min_quality = str(algorithm.version), algorithm.min_quality
        self._algorithm = algorithm

    def reference(self, pixels: U8) -> HashArray:
        return self._algorithm.hash_segments(pixels).segments

    def query(self, pixels: U8) -> ViewedHashes:
        segments = self.reference(pixels)
        m = len(segments)
        return ViewedHashes(segments, np.zeros(m, np.int32), ("segment",) * m)


def resolve_contenders(
    algorithms: Sequence[AnyContender], *, peers: bool
) -> tuple[tuple[Contender, ...], tuple[str, ...]]:
    """Return the contenders, and a note for each peer that is not installed.

    Raises
    ------
    UnknownAlgorithmError
        There is no algorithm of a name.
    UnsupportedOperationError
        A peer was asked for by name, and its package is not installed.
    TypeError, ValueError
        Something cannot take part; none does; two are called alike.
    """
    if isinstance(algorithms, str) or not isinstance(algorithms, Sequence):
        raise TypeError(
            f"algorithms: expected a sequence of algorithms, got {type(algorithms).__name__}"
        )
    chosen = [_contender(one) for one in algorithms]
    notes: list[str] = []
    if peers:
        named = {one.name for one in chosen}
        for package, of_package in peer_packages.DEFAULT_PEERS.items():
            if not peer_packages.is_installed(package):
                notes.append(f"{package} is not installed: left out")
                continue
            try:
                chosen += [_peer(name) for name in of_package if name not in named]
            except ImportError as error:
                notes.append(f"{package} is installed and cannot be used: {error}")
    if not chosen:
        raise ValueError("algorithms: expected at least one")
    names = [one.name for one in chosen]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"algorithms: expected different names, got {name!r} twice")
    return tuple(chosen), tuple(notes)


def _contender(one: AnyContender) -> Contender:
    if isinstance(one, Contender):
        return one
    if isinstance(one, str):
        if peer_packages.is_peer(one):
            return _peer(one)
        if "+" in one:
            from fingerprint.evaluate.viewed import view_contender

            return view_contender(one)
        return _of_algorithm(get_algorithm(one))
    if isinstance(one, Algorithm):
        return _of_algorithm(one)
    if callable(one):
        return _of_callable(one)
    raise TypeError(
        "algorithms: expected names, algorithms, contenders or functions from pixels to a hash, "
        f"got {type(one).__name__}"
    )


def _of_algorithm(algorithm: Algorithm) -> Contender:
    if isinstance(algorithm, SegmentAlgorithm):
        return _Segments(algorithm)
    if not isinstance(algorithm, HashAlgorithm):
        raise TypeError(f"{algorithm.name}: expected an algorithm that makes hashes")
    return _OneHash(
        algorithm.name,
        algorithm.hash_pixels,
        bits=algorithm.bits,
        radius=algorithm.radius,
        version=str(algorithm.version),
        min_quality=algorithm.min_quality,
    )


def _of_callable(hash_pixels: Callable[[U8], Hash]) -> Contender:
    """Let a function take part; its bits are those of a probe."""
    name = str(getattr(hash_pixels, "__name__", type(hash_pixels).__name__))
    probe = np.random.default_rng(0).integers(0, 256, _PROBE_SHAPE, np.uint8)
    hashed = hash_pixels(probe)
    if not isinstance(hashed, Hash):
        raise TypeError(
            f"{name}: expected a function that returns Hash, got {type(hashed).__name__}"
        )
    return _OneHash(name, hash_pixels, bits=hashed.bits, radius=None, version=None)


def _peer(name: str) -> Contender:
    peer = peer_packages.load(name)
    return _OneHash(
        peer.name, peer.hash_pixels, bits=peer.bits, radius=peer.radius, version=peer.version
    )
