"""What a screening found, complete enough for a reviewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fingerprint.errors import redacted
from fingerprint.lists.records import text_of_instant
from fingerprint.screening.outcomes import Outcome

if TYPE_CHECKING:
    from fingerprint.lists import Opinion, Record
    from fingerprint.screening.media_kind import MediaSort

__all__ = [
    "Evidence",
    "Flood",
    "ListUsed",
    "ScreeningFailure",
    "ScreeningResult",
    "StaleList",
    "Suppression",
    "VideoEvidence",
]


@dataclass(frozen=True, slots=True)
class Suppression:
    """A record of a negative list that the upload is, or is near.

    Parameters
    ----------
    list_name, source, record_id
        Which.
    algorithm : str
        By which hash.
    distance, radius : int
        Bits; 0 for digests.
    """

    list_name: str
    source: str
    record_id: str
    algorithm: str
    distance: int
    radius: int


@dataclass(frozen=True, slots=True)
class VideoEvidence:
    """How much of a video and of a record's are in each other.

    Parameters
    ----------
    query_percent, reference_percent : float
        Of frames, 0 to 100, by the rule of the policy; 0 for TMK+PDQF.
    matched_s : float
        Seconds of the upload for which matching frames stand.
    spans_s : tuple of (float, float)
        From when to when; the first hundred.
    level1, level2 : float or None
        Scores of TMK+PDQF.
    """

    query_percent: float = 0.0
    reference_percent: float = 0.0
    matched_s: float = 0.0
    spans_s: tuple[tuple[float, float], ...] = ()
    level1: float | None = None
    level2: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record that one hash of the upload is equal to or near.

    Parameters
    ----------
    list_name : str
        The list.
    list_version : int
        Its version when it was asked.
    source, record_id, media, category, severity, flags, opinions
        Of the record, verbatim.
    algorithm : str
        The type of the hash.
    distance, radius : int or None
        Bits, and as far as was looked; 0 for digests, None for videos.
    transform : str
        How the upload was laid to match.
    orientation : {"upright", "stored", ""}
        Which reading of a picture; empty for digests.
    quality : int or None
        Of the upload's hash, 0 to 100.
    views_asked : int
        Looks that this list had at the upload by this type: each had its chance.
    probability : float or None
        That it is a copy rather than chance (`fingerprint.Calibration.probability`), where
        a calibration ships.
    independent_hashes : int
        Of the record that agree.
    video : VideoEvidence or None
        For videos.
    counts : bool
        Whether it makes a MATCH by the policy.
    why_not : tuple of str
        Why it does not: ``"low_quality"``, ``"single_hash"`` (weak: fewer independent hashes
        than the policy asks), ``"negative"``, ``"suspended"``.
    suppressed_by : tuple of Suppression
        Of negative lists.
    """

    list_name: str
    list_version: int
    source: str
    record_id: str
    algorithm: str
    media: str = "unknown"
    category: str = ""
    severity: str = ""
    flags: tuple[str, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    distance: int | None = 0
    radius: int | None = 0
    transform: str = "identity"
    orientation: str = ""
    quality: int | None = None
    views_asked: int = 1
    probability: float | None = None
    independent_hashes: int = 1
    video: VideoEvidence | None = None
    counts: bool = True
    why_not: tuple[str, ...] = ()
    suppressed_by: tuple[Suppression, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """List, source and id of the record."""
        return self.list_name, self.source, self.record_id

    @classmethod
    def of(cls, list_name: str, version: int, record: Record, **fields: Any) -> Evidence:
        """Make evidence of a record."""
        return cls(
            list_name=list_name,
            list_version=version,
            source=record.source,
            record_id=record.record_id,
            media=record.media,
            category=record.category,
            severity=record.severity,
            flags=record.flags,
            opinions=record.opinions,
            **fields,
        )


@dataclass(frozen=True, slots=True)
class StaleList:
    """A list that is older than it should be, and why."""

    list_name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScreeningFailure:
    """Something that could not be done.

    Parameters
    ----------
    step : str
        ``"read"``, ``"digest"``, ``"decode"``, ``"hash"``, ``"list"``, ``"flood"``, ``"audit"``.
    error : str
        The type of the error.
    reason : str
        Its message, with anything like a hash cut short.
    list_name : str
        The list that was being asked; empty for none.
    undecodable : bool
        Whether the upload is at fault, rather than anything here.
    """

    step: str
    error: str
    reason: str
    list_name: str = ""
    undecodable: bool = False

    @classmethod
    def of(
        cls, step: str, error: BaseException, list_name: str = "", *, undecodable: bool = False
    ) -> ScreeningFailure:
        """Note an exception."""
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        return cls(step, type(error).__name__, redacted(reason), list_name, undecodable)


@dataclass(frozen=True, slots=True)
class ListUsed:
    """A list that was asked.

    Parameters
    ----------
    version : int
        When the screening began.
    digest : str
        Hex, of its content.
    asked : tuple of str
        Hash types that were looked up.
    notes : tuple of str
        What it could not be asked, and records that were left out.
    """

    version: int = 0
    digest: str = ""
    asked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flood:
    """A record that matches more different uploads than the policy expects of any.

    Parameters
    ----------
    matches : int
        Different uploads that it matched.
    uploads : int
        Different uploads that were looked back on.
    suspended : bool
        Whether its perceptual matches count no more.
    """

    list_name: str
    source: str
    record_id: str
    matches: int
    uploads: int
    suspended: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class ScreeningResult:
    """What became of one upload; evidence, not a verdict.

    Parameters
    ----------
    outcome : Outcome
        See `Outcome`.
    reference : str
        Random; says nothing, and names this screening to both sides.
    label : str
        The source: a path, or ``<n bytes>``.
    media : {"image", "video", ""}
        As what it was screened; empty when it could not be read.
    evidence : tuple of Evidence
        What was found, what counts first.
    stale : tuple of StaleList
        Lists that are too old.
    failures : tuple of ScreeningFailure
        What could not be done.
    lists : mapping of str to ListUsed
        Version, digest and types asked, by list.
    low_quality : bool
        Whether some list could not be asked in earnest for want of detail.
    quality : int or None
        PDQ's quality of the upload, where it was computed.
    flood : tuple of Flood
        Matched records that match suspiciously often.
    policy_version : str
        Of the policy.
    screened_at : datetime
        When, in UTC.
    timings_ms : mapping of str to float
        ``"read"``, ``"decode"`` (with hashing), ``"digest"`` (waiting for digests and what lists
        say of them, beside the decoding), ``"look_up"``, ``"total"``.
    told : str
        What the uploader's side is told.
    """

    outcome: Outcome
    reference: str
    label: str
    media: MediaSort | str
    screened_at: datetime
    policy_version: str
    evidence: tuple[Evidence, ...] = ()
    stale: tuple[StaleList, ...] = ()
    failures: tuple[ScreeningFailure, ...] = ()
    lists: Mapping[str, ListUsed] = field(default_factory=dict)
    low_quality: bool = False
    quality: int | None = None
    flood: tuple[Flood, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    told: str = "not screened"

    @property
    def matches(self) -> tuple[Evidence, ...]:
        """The evidence that counts."""
        return tuple(one for one in self.evidence if one.counts)

    @property
    def list_versions(self) -> dict[str, int]:
        """Version of each list when it was asked."""
        return {name: one.version for name, one in self.lists.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as values that JSON takes: for reviewers."""
        values: dict[str, Any] = {
            name: plain(getattr(self, name)) for name in self.__dataclass_fields__
        }
        return values

    def full(self) -> dict[str, Any]:
        """Return what a reviewer sees: everything, as `to_dict`."""
        return self.to_dict()

    def text(self) -> str:
        """Return what a reviewer sees, as lines of text."""
        from fingerprint.screening.rendering import text_of

        return text_of(self)

    def redacted(self) -> dict[str, str]:
        """Return what the uploader's side may see: a reference and what the policy tells.

        No distance, no record, no list and no time: each would let an uploader probe a list.
        """
        return {"reference": self.reference, "status": self.told}

    def __repr__(self) -> str:
        counting = len(self.matches)
        return (
            f"<ScreeningResult {self.outcome} {self.reference} "
            f"matches={counting} evidence={len(self.evidence)} failures={len(self.failures)}>"
        )


def plain(value: Any) -> Any:
    """Return a value as JSON takes it."""
    if isinstance(value, datetime):
        return text_of_instant(value)
    if isinstance(value, Outcome):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value
