"""NCMEC's Hash Sharing API, version 2: entries, members, status and feedback in XML."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListFormat, ListLimits
from fingerprint.lists.records import Change

__all__ = [
    "FORMAT",
    "NcmecMember",
    "NcmecPage",
    "NcmecReason",
    "NcmecStatus",
    "feedback_body",
    "parse_feedback_reasons",
    "parse_members",
    "parse_page",
    "parse_status",
]


class NcmecPage(NamedTuple):
    """One answer of ``/v2/entries``.

    Attributes
    ----------
    changes : tuple of Change
        Images first, in the order of the answer.
    next : str or None
        The relative URL of the next page, verbatim; None on the last.
    max_timestamp : datetime or None
        The latest that images or videos name, in UTC.
    count : int or None
        Entries that the answer says it has; None where it does not.
    """

    changes: tuple[Change, ...]
    next: str | None
    max_timestamp: datetime | None
    count: int | None


class NcmecMember(NamedTuple):
    """A member of the exchange: its id, and its name, which may be empty."""

    member_id: str
    name: str


class NcmecStatus(NamedTuple):
    """Who the caller is to the exchange."""

    member: NcmecMember
    username: str
    ip_address: str


class NcmecReason(NamedTuple):
    """A reason for negative feedback: what the exchange calls it, and for which fingerprints."""

    guid: str
    name: str
    type: str


def parse_page(
    body: bytes, *, name: str, source: str = "ncmec", limits: ListLimits = DEFAULT_LIMITS
) -> NcmecPage:
    """Read one answer of ``/v2/entries``."""
    raise NotImplementedError


def parse_status(body: bytes, *, name: str, limits: ListLimits = DEFAULT_LIMITS) -> NcmecStatus:
    """Read the answer of ``/v2/status``."""
    raise NotImplementedError


def parse_members(
    body: bytes, *, name: str, limits: ListLimits = DEFAULT_LIMITS
) -> tuple[NcmecMember, ...]:
    """Read the answer of ``/v2/members``."""
    raise NotImplementedError


def parse_feedback_reasons(
    body: bytes, *, name: str, limits: ListLimits = DEFAULT_LIMITS
) -> tuple[NcmecReason, ...]:
    """Read the answer of ``/v2/feedback/{TYPE}/reasons``."""
    raise NotImplementedError


def feedback_body(*, affirmative: bool, reasons: Sequence[str] = ()) -> bytes:
    """Return what to ``PUT`` to ``/v2/entries/{member}/{entry}/{TYPE}/feedback``.

    ``reasons`` are guids of `parse_feedback_reasons`; a negative one needs at least one.
    """
    raise NotImplementedError


FORMAT = ListFormat("ncmec-xml", "NCMEC Hash Sharing v2 entries", (".xml",), None)
