"""What look-ups and batches return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.errors import FingerprintError
    from fingerprint.typing import Metadata

__all__ = [
    "Batch",
    "Failure",
    "HashBatch",
    "HashedImage",
    "Match",
    "VerifyReport",
    "VideoMatch",
    "VideoSegment",
]

T = TypeVar("T")


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
        Which view of the query found it: ``"identity"``, one of
        `fingerprint.DIHEDRAL_NAMES`, or a name of `fingerprint.hash_views`; after
        ``of``, the view of the reference (`fingerprint.ImageIndex`).
    metadata : mapping
        What was stored with the reference.
    probability : float or None
        That it is a copy rather than chance, 0 to 1, once a
        `fingerprint.Calibration` has been asked (`fingerprint.assess`).
    """

    id: str
    distance: int
    quality: int | None = None
    transform: str = "identity"
    metadata: Metadata = field(default_factory=dict)
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class VideoSegment:
    """A stretch of one video that is found in another.

    Parameters
    ----------
    query_start_s, query_end_s : float
        Where it is in the query.
    reference_start_s, reference_end_s : float
        Where it is in the reference.
    speed : float
        Seconds of the reference in a second of the query.
    score : float
        0 to 1: the share of the frames in it that match, of the video that has fewer,
        times how alike they are.
    evidence : float
        Bits of likelihood that it is a copy, rather than a similar scene; see
        `fingerprint.match_videos`. More than a few tens are beyond doubt.
    frames : int
        Distinct frames that match, of the video that has fewer of them there.
    mean_distance : float
        Of those, in bits.
    transform : str
        How the query was laid to match: ``"identity"``, ``"flip_y"`` (mirrored),
        ``"trimmed"`` (without its bars), ``"trimmed+flip_y"``.
    """

    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    speed: float
    score: float
    evidence: float
    frames: int
    mean_distance: float
    transform: str = "identity"

    def __str__(self) -> str:
        query = f"{self.query_start_s:.1f}–{self.query_end_s:.1f} s of the query"
        reference = f"{self.reference_start_s:.1f}–{self.reference_end_s:.1f} s of the reference"
        how = [] if self.transform == "identity" else [self.transform]
        how += [] if abs(self.speed - 1) < 0.02 else [f"at {self.speed:.2f} of its speed"]
        return f"{query} is {reference}" + (f" ({', '.join(how)})" if how else "")


@dataclass(frozen=True, slots=True)
class VideoMatch:
    """What a query has in common with one reference: evidence, not a verdict.

    Parameters
    ----------
    id : str
        Id of the reference.
    score : float
        Of its best segment, 0 to 1; 0 without any.
    segments : tuple of VideoSegment
        In the order of the query; empty when nothing matches.
    query_coverage, reference_coverage : float
        Share of each video that lies in the segments, 0 to 1.
    metadata : mapping
        What was stored with the reference.
    """

    id: str
    score: float
    segments: tuple[VideoSegment, ...]
    query_coverage: float
    reference_coverage: float
    metadata: Metadata = field(default_factory=dict)

    @property
    def evidence(self) -> float:
        """Of its likeliest segment, in bits; 0 without any."""
        return max((one.evidence for one in self.segments), default=0.0)

    def __bool__(self) -> bool:
        """Whether anything matches."""
        return bool(self.segments)

    def __str__(self) -> str:
        return "; ".join(map(str, self.segments)) or "nothing in common"


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
class Batch(Sequence[T | Failure]):
    """What became of each source of a batch, in their order."""

    results: tuple[T | Failure, ...]

    @property
    def hashed(self) -> tuple[T, ...]:
        """Those that succeeded, in order."""
        return tuple(r for r in self.results if not isinstance(r, Failure))

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Those that did not, in order."""
        return tuple(r for r in self.results if isinstance(r, Failure))

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

    def __iter__(self) -> Iterator[T | Failure]:
        return iter(self.results)


@dataclass(frozen=True, slots=True)
class HashBatch(Batch[HashedImage]):
    """The results of a batch of pictures, in the order of its sources."""

    @property
    def hashes(self) -> HashArray:
        """Hashes of those that succeeded, in order; ValueError when none did."""
        return HashArray.from_hashes(r.hash for r in self.hashed)
