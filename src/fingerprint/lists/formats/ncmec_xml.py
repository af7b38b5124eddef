"""NCMEC's Hash Sharing API, version 2: entries, members, status and feedback in XML.

The shape is that of the public client in facebook/ThreatExchange (python-threatexchange,
``exchanges/clients/ncmec``) and its test documents; no live service was contacted.

A record's source is ``{source}/{member id}`` and its id the entry's: an entry is unique within
its member. Entries show only their latest state and come in no order of time. Where a fingerprint
is only linked to, ``raw`` says so; the link, which is good for one session, is never kept.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, NamedTuple
from xml.etree.ElementTree import Element

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListFormat, ListLimits
from fingerprint.lists.ncmec_entries import NAMESPACE, EntryReader, elements_of, local_name
from fingerprint.lists.records import Change

__all__ = [
    "FORMAT",
    "NcmecMember",
    "NcmecPage",
    "NcmecReason",
    "NcmecStatus",
    "feedback_body",
    "parse",
    "parse_feedback_reasons",
    "parse_members",
    "parse_page",
    "parse_status",
]

_REASONS = "availableFeedbackReasons"
_GUID = re.compile(r"[0-9A-Za-z-]{1,64}").fullmatch


@dataclass(frozen=True, slots=True)
class NcmecPage:
    """One answer of ``/v2/entries``.

    Attributes
    ----------
    changes : tuple of Change
        In the order of the answer.
    next : str or None
        The relative URL of the next page, verbatim; None on the last.
    max_timestamp : datetime or None
        The latest that images or videos name, in UTC.
    count : int or None
        Entries that the answer says it has; None where it does not.
    entries : int
        Entries that it has.
    """

    changes: tuple[Change, ...] = field(repr=False)
    next: str | None
    max_timestamp: datetime | None
    count: int | None
    entries: int


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
    """Read one answer of ``/v2/entries``.

    Raises
    ------
    ListFormatError
        It is not one, is of another version, is cut short, or has a DTD.
    """
    reader = EntryReader(io.BytesIO(body), name=name, source=source, limits=limits)
    changes = tuple(reader.changes())
    return NcmecPage(changes, reader.next, reader.max_timestamp, reader.count, reader.rows)


def parse(
    stream: BinaryIO, *, name: str, source: str = "ncmec", limits: ListLimits = DEFAULT_LIMITS
) -> Iterator[Change]:
    """Yield the changes of one answer in a file, entry by entry."""
    yield from EntryReader(stream, name=name, source=source, limits=limits).changes()


def parse_status(body: bytes, *, name: str, limits: ListLimits = DEFAULT_LIMITS) -> NcmecStatus:
    """Read the answer of ``/v2/status``.

    Raises
    ------
    ListFormatError
        It is not one, or does not name the member.
    """
    elements = _elements(body, "status", name, limits)
    members = [_member(one, name) for one in elements if local_name(one) == "member"]
    if len(members) != 1:
        raise ListFormatError(name, f"expected one member, got {len(members)}")
    texts = {local_name(one): (one.text or "").strip() for one in elements}
    return NcmecStatus(members[0], texts.get("username", ""), texts.get("ipAddress", ""))


def parse_members(
    body: bytes, *, name: str, limits: ListLimits = DEFAULT_LIMITS
) -> tuple[NcmecMember, ...]:
    """Read the answer of ``/v2/members``.

    Raises
    ------
    ListFormatError
        It is not one. (What its root is called is not public: any name will do.)
    """
    members = []
    for one in _elements(body, None, name, limits):
        if local_name(one) != "member":
            raise ListFormatError(name, f"expected members, got {local_name(one)[:40]!r}")
        members.append(_member(one, name))
    return tuple(members)


def parse_feedback_reasons(
    body: bytes, *, name: str, limits: ListLimits = DEFAULT_LIMITS
) -> tuple[NcmecReason, ...]:
    """Read the answer of ``/v2/feedback/{TYPE}/reasons``.

    The public client looks for ``availableFeedbackReasons`` within the root, its test documents
    have it as the root: either is taken.

    Raises
    ------
    ListFormatError
        It is not one.
    """
    elements = _elements(body, None, name, limits)
    groups = [one for one in elements if local_name(one) == _REASONS]
    if len(groups) > 1:
        raise ListFormatError(name, f"expected one group of feedback reasons, got {len(groups)}")
    reasons = []
    for one in groups[0] if groups else _elements(body, _REASONS, name, limits):
        guid = one.get("guid", "")
        if local_name(one) != "reason" or not _GUID(guid):
            raise ListFormatError(name, "expected reasons with a guid each")
        reasons.append(NcmecReason(guid, one.get("name", ""), one.get("type", "")))
    return tuple(reasons)


def feedback_body(*, affirmative: bool, reasons: Sequence[str] = ()) -> bytes:
    """Return what to ``PUT`` to ``/v2/entries/{member}/{entry}/{TYPE}/feedback``.

    Parameters
    ----------
    affirmative : bool
        Whether the entry is agreed with.
    reasons : sequence of str
        Guids of `parse_feedback_reasons`: at least one where it is not, none where it is.

    Raises
    ------
    ValueError
        ``reasons`` are not as above.
    """
    if isinstance(reasons, str) or not all(_GUID(one) for one in reasons):
        raise ValueError("reasons: expected guids in a list")
    if affirmative == bool(reasons):
        raise ValueError("reasons: expected at least one for negative feedback, and else none")
    guids = "".join(f"<guid>{one}</guid>" for one in reasons)
    inner = (
        "<affirmative/>" if affirmative else f"<negative><reasonIds>{guids}</reasonIds></negative>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<feedbackSubmission xmlns="{NAMESPACE}">{inner}</feedbackSubmission>\n'
    ).encode()


def _elements(body: bytes, root: str | None, name: str, limits: ListLimits) -> list[Element]:
    return elements_of(io.BytesIO(body), root, name=name, limits=limits)


def _member(element: Element, name: str) -> NcmecMember:
    member_id = element.get("id", "").strip()
    if not member_id:
        raise ListFormatError(name, "member: expected an id")
    return NcmecMember(member_id, (element.text or "").strip())


FORMAT = ListFormat("ncmec-xml", "NCMEC Hash Sharing v2 entries", (".xml",), parse)
