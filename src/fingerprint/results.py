"""What look-ups and batches return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.errors import FingerprintError
    from fingerprint.typing import Metadata

__all__ = ["Failure", "HashBatch", "HashedImage", "Match", "VerifyReport"]


@dataclass(frozen=True, slots=True)
class Match:
    """A reference within reach of a query: evidence, not a verdict.

    Parameters
    ----------
    id : str
        Id of the reference in the index.
    distance : int
        Hamming distance in bits.
    quality : int or None
        The lower of the two hashes' qualities, 0 to 100; None when neither is
        known. Distances between low-quality hashes mean little.
    transform : str
        Which view of the query found it: ``"identity"``, or one of
        `fingerprint.DIHEDRAL_NAMES`.
    metadata : mapping
        What was stored with the reference.
    """

    id: str
    distance: int
    quality: int | None = None
    transform: str = "identity"
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check of an index on disk found.

    Parameters
    ----------
    problems : tuple of str
        Each names a file or an entry, and what is wrong with it; the first hundred.
    entries, segments : int
        How many were read.
    """

    problems: tuple[str, ...]
    entries: int
    segments: int

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class HashedImage:
    """One picture of a batch and its hash."""

    source: str
    hash: Hash


@dataclass(frozen=True, slots=True)
class Failure:
    """One source of a batch that could not be hashed, and why."""

    source: str
    error: FingerprintError


@dataclass(frozen=True, slots=True)
class HashBatch(Sequence[HashedImage | Failure]):
    """The results of a batch, in the order of its sources."""

    results: tuple[HashedImage | Failure, ...]

    @property
    def hashed(self) -> tuple[HashedImage, ...]:
        """Those that succeeded, in order."""
        return tuple(r for r in self.results if isinstance(r, HashedImage))

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Those that did not, in order."""
        return tuple(r for r in self.results if isinstance(r, Failure))

    @property
    def hashes(self) -> HashArray:
        """Hashes of those that succeeded, in order; ValueError when none did."""
        return HashArray.from_hashes(r.hash for r in self.hashed)

    def raise_for_failures(self) -> None:
        """Raise an ``ExceptionGroup`` of the failures' errors, if there are any."""
        if self.failures:
            raise ExceptionGroup(
                f"{len(self.failures)} of {len(self.results)} sources could not be hashed",
                [f.error for f in self.failures],
            )

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self.results[index]

    def __iter__(self) -> Iterator[HashedImage | Failure]:
        return iter(self.results)
