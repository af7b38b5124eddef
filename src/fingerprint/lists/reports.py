"""What a hash list says of itself: what a change did, its versions, its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from fingerprint.lists.records import Record
    from fingerprint.typing import I32, I64

__all__ = [
    "Action",
    "ApplyReport",
    "Feed",
    "FrameHits",
    "Hit",
    "ListDiff",
    "ListEvent",
    "ListVersion",
    "RejectedRow",
]

Action = Literal["added", "updated", "retracted", "suspended", "resumed"]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What changes did to a list.

    Parameters
    ----------
    version : int
        Of the list afterwards.
    changed : bool
        Whether there is a new version.
    added, updated, unchanged, retracted : int
        Records.
    unknown_retractions : int
        Of records that the list does not have.
    outdated : int
        Changes that their source dates before what the list knows already (``by_time``).
    rejected, rejected_hashes : int
        Rows of which nothing could be used, and single hashes of others.
    withheld : int
        Records that the snapshot does not name and that are kept, because rows of it
        could not be told whose they are.
    digest : str
        Of the list's content, in hex.
    purged : bool
        Whether nothing of what was retracted is left in the files.
    """

    version: int
    changed: bool
    added: int
    updated: int
    unchanged: int
    retracted: int
    unknown_retractions: int
    outdated: int
    rejected: int
    rejected_hashes: int
    withheld: int
    digest: str
    purged: bool


@dataclass(frozen=True, slots=True)
class ListVersion:
    """A commit of a list: who brought what, and when (UTC)."""

    number: int
    at: datetime
    by: str
    feed: str
    note: str
    digest: str
    added: int
    updated: int
    retracted: int
    rejected: int
    entries: int


@dataclass(frozen=True, slots=True)
class ListEvent:
    """Something that happened to a record; ``detail`` names fields or a reason, never a hash."""

    version: int
    at: datetime
    by: str
    action: Action
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ListDiff:
    """Which records differ between two versions, as (source, record_id), sorted."""

    old: int
    new: int
    added: tuple[Key, ...]
    updated: tuple[Key, ...]
    retracted: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that could not be used, or one of its hashes; of a feed's last reading."""

    feed: str
    at: datetime
    row: int
    reason: str
    source: str
    record_id: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Feed:
    """Where records come from, how far it was read, and how long that is good for."""

    name: str
    refreshed_at: datetime | None
    expires_at: datetime | None
    stale_reason: str
    checkpoint: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that a look-up found: evidence, not a verdict.

    Parameters
    ----------
    record : Record
        As the list has it.
    type : str
        Of the hash that was found.
    distance : int
        In bits; 0 for those that only equal themselves.
    transform : str
        Which view of the query found it; after ``of``, which stored view of the record.
    list_name : str
        Of the list.
    list_version : int
        That was asked.
    """

    record: Record
    type: str
    distance: int
    transform: str
    list_name: str
    list_version: int


class FrameHits(NamedTuple):
    """Frames of listed videos that are near frames of a query, as arrays of one length.

    ``owners`` (int64): rows of the query; ``records`` (int64): places in ``keys``; ``rows``
    (int64): rows of the listed video; ``distances`` (int32): bits.
    """

    owners: I64
    records: I64
    rows: I64
    distances: I32
    keys: tuple[Key, ...]
