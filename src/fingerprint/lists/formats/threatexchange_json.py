"""ThreatExchange's threat_updates answers.

The shape is that of the public client in facebook/ThreatExchange (python-threatexchange,
``exchanges/clients/fb_threatexchange``); no live service was contacted.

A record's id is the indicator's where there is one, else its type and hash, without the hash in
it. Only ``should_delete`` retracts: entries without descriptors occur that are none
(facebook/ThreatExchange issue 834), and they are kept, without opinions.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from fingerprint.errors import ListFormatError
from fingerprint.lists.entry_values import (
    changes_with_raw,
    id_of,
    instant_or_fault,
    name_of_hash,
    opinion_or_fault,
    text_of,
    truth_of,
)
from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListFormat, ListLimits
from fingerprint.lists.formats.json_stream import Entry, JsonDocument, changes_of_entries
from fingerprint.lists.records import Change, MediaKind, Opinion, Rejected, Retraction

__all__ = ["FORMAT", "ThreatExchangePage", "parse", "parse_page"]

_TYPES: dict[str, tuple[str, MediaKind]] = {
    "HASH_MD5": ("md5", "unknown"),
    "HASH_SHA1": ("sha1", "unknown"),
    "HASH_SHA256": ("sha256", "unknown"),
    "HASH_SHA512": ("sha512", "unknown"),
    "HASH_PDQ": ("pdq", "image"),
    "HASH_VIDEO_MD5": ("md5", "video"),
    "HASH_TMK": ("tmk_pdqf", "video"),
}
_MEDIA_OF_TAG: dict[str, MediaKind] = {
    "media_type_video": "video",
    "media_type_long_hash_video": "video",
    "media_type_photo": "image",
}
_READ = {"indicator", "last_updated", "should_delete", "descriptors"}
_READ_OF_DESCRIPTOR = {"status", "tags", "reactions"}


@dataclass(frozen=True, slots=True)
class ThreatExchangePage:
    """One answer of ``/{privacy_group}/threat_updates``.

    Attributes
    ----------
    changes : tuple of Change
        In the order of the answer.
    next : str or None
        The URL of the next page, verbatim: it may hold the access token. None on the last.
    last_updated : int or None
        The latest of its entries, in seconds since 1970.
    entries : int
        Entries that it has.
    """

    changes: tuple[Change, ...] = field(repr=False)
    next: str | None = field(repr=False)
    last_updated: int | None
    entries: int


def parse_page(
    body: bytes, *, name: str, source: str = "threatexchange", limits: ListLimits = DEFAULT_LIMITS
) -> ThreatExchangePage:
    """Read one answer of threat_updates.

    Raises
    ------
    ListFormatError
        It is not one, or is cut short.
    """
    document = JsonDocument(io.BytesIO(body), name=name, limits=limits, array="data")
    times: list[int] = []

    def noted(entries: Iterator[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if isinstance(entry.value, dict):
                seen = instant_or_fault("last_updated", entry.value.get("last_updated"), [])
                times.extend([] if seen is None else [int(seen.timestamp())])
            yield entry

    changes = tuple(changes_of_entries(noted(document.entries()), source, _changes))
    paging = document.around.get("paging")
    if paging is not None and not isinstance(paging, dict):
        raise ListFormatError(name, "paging: expected an object")
    next_url = document.text_of("paging.next", (paging or {}).get("next"))
    return ThreatExchangePage(changes, next_url, max(times, default=None), document.rows)


def parse(
    stream: BinaryIO,
    *,
    name: str,
    source: str = "threatexchange",
    limits: ListLimits = DEFAULT_LIMITS,
) -> Iterator[Change]:
    """Yield the changes of one answer in a file, entry by entry."""
    document = JsonDocument(stream, name=name, limits=limits, array="data")
    yield from changes_of_entries(document.entries(), source, _changes)


def _changes(entry: Entry, source: str) -> Iterator[Change]:
    values = entry.value
    kind, indicator = values.get("type"), values.get("indicator")
    has_hash = isinstance(kind, str) and isinstance(indicator, str) and kind and indicator.strip()
    if values.get("id") not in (None, ""):
        record_id = id_of("id", values["id"])
    elif has_hash:
        record_id = id_of("type", name_of_hash(kind.strip().upper(), indicator))
    else:
        yield Rejected(entry.row, "expected an id, or text for type and indicator", source)
        return
    faults: list[str] = []
    seen = instant_or_fault("last_updated", values.get("last_updated"), faults)
    try:
        is_deleted = truth_of("should_delete", values.get("should_delete"))
    except ValueError as error:
        yield Rejected(entry.row, str(error), source, record_id)
        return
    if is_deleted:
        for fault in faults:
            yield Rejected(entry.row, fault, source, record_id, whole=False)
        yield Retraction(source, record_id, seen, "should_delete")
        return
    known = _TYPES.get(kind.strip().upper()) if has_hash else None
    if known is None:
        reason = f"type {text_of(kind)[:40]!r}: not a hash that is known here"
        yield Rejected(entry.row, reason, source, record_id)
        return
    raw = {name: one for name, one in values.items() if name not in _READ}
    if faults:
        raw["last_updated"] = values["last_updated"]
    opinions = _opinions(values.get("descriptors"), raw, faults)
    yield from changes_with_raw(
        entry.row,
        source,
        record_id,
        {known[0]: indicator},
        raw,
        faults,
        media=_media(known[1], opinions),
        opinions=opinions,
        last_seen=seen,
    )


def _media(kind: MediaKind, opinions: tuple[Opinion, ...]) -> MediaKind:
    """Return what was hashed; for types of any file, tags may tell."""
    told = {_MEDIA_OF_TAG[tag] for one in opinions for tag in one.tags if tag in _MEDIA_OF_TAG}
    return told.pop() if kind == "unknown" and len(told) == 1 else kind


def _opinions(descriptors: Any, raw: dict[str, Any], faults: list[str]) -> tuple[Opinion, ...]:
    """Return each owner's status and tags, and each reaction; what is more goes to raw."""
    listed = _listed(descriptors)
    if listed is None:
        raw["descriptors"] = descriptors
        return ()
    opinions: list[Opinion] = []
    more: list[Any] = []
    for one in listed:
        tags = _tags(one.get("tags")) if isinstance(one, dict) else None
        reactions = _reactions(one.get("reactions")) if isinstance(one, dict) else None
        if tags is None or reactions is None:
            more.append(one)
            continue
        owner = _owner(one.get("owner"))
        opinions += opinion_or_fault(owner, text_of(one.get("status")), tags, faults)
        for by, reaction in reactions:
            opinions += opinion_or_fault(by, reaction, (), faults)
        more.append({name: two for name, two in one.items() if name not in _READ_OF_DESCRIPTOR})
    if more:
        raw["descriptors"] = more
    return tuple(opinions)


def _listed(value: Any) -> list[Any] | None:
    """Return a list, also one in ``{"data": …}``; nothing is an empty one, None is neither."""
    if isinstance(value, dict) and "data" in value:
        value = value["data"]
    if value is None:
        return []
    return value if isinstance(value, list) else None


def _tags(value: Any) -> list[str] | None:
    listed = _listed(value)
    if listed is None:
        return None
    return [
        text_of(one["text"] if isinstance(one, dict) and "text" in one else one) for one in listed
    ]


def _reactions(value: Any) -> list[tuple[str, str]] | None:
    """Return who and what of ``[{"key": what, "value": "who,who"}]``."""
    listed = _listed(value)
    if listed is None:
        return None
    found = []
    for one in listed:
        if not isinstance(one, dict) or not {"key", "value"} <= one.keys():
            return None
        who = text_of(one["value"]).split(",")
        found += [(by.strip(), text_of(one["key"])) for by in who]
    return found


def _owner(value: Any) -> str:
    if isinstance(value, dict):
        return text_of(value.get("id") or value.get("name"))
    return text_of(value)


FORMAT = ListFormat("threatexchange-json", "ThreatExchange threat_updates answers", (), parse)
