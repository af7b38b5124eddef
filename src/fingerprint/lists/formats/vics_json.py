"""Project VIC's data model (VICS) in JSON, 1.2, 1.3 and 2.0.

Its specification is not public. The shape is the one that open parsers and writers share (IPED,
VIC-CatParser, NSRL converters); no file of a police force was seen.

``odata.metadata`` (1.x) or ``@odata.context`` (2.0) comes first and tells the version, the country
whose categories are meant, and whether media or cases follow. Booleans may be text. MediaID counts
within a case: a record of ``#Cases`` is ``{CaseID}/{MediaID}``, one of ``#Media`` is its MediaID.
Flags come from the fields that are true; all of them stay in ``raw`` as they came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from fingerprint.errors import HashFormatError, ListFormatError
from fingerprint.lists.entry_values import (
    changes_with_raw,
    id_of,
    instant_or_fault,
    text_of,
    truth_of,
)
from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListFormat, ListLimits
from fingerprint.lists.formats.json_stream import Entry, JsonDocument, changes_of_entries
from fingerprint.lists.hash_types import hash_type
from fingerprint.lists.records import Change, MediaKind, Record, Rejected, text_of_instant

__all__ = ["FORMAT", "parse", "write"]

_VERSIONS = {"odata.metadata": ("1.2", "1.3"), "@odata.context": ("2.0",)}
_CONTEXT = re.compile(
    r"/DataModels/(\d+\.\d+)\.xml(?:/([^/#]*))?[^#]*#(Media|Cases)$", re.IGNORECASE
)
_HASH_FIELDS = {"md5", "sha1", "sha256", "sha512", "photodna", "pdq"}
_FLAGS = {
    "VictimIdentified": "victim-identified",
    "OffenderIdentified": "offender-identified",
    "IsDistributed": "distributed",
    "IsPrecategorized": "precategorized",
    "IsSuspected": "suspected",
    "SelfGenerated": "self-generated",
}
_READ = {"MediaID", "Category", "DateUpdated"}
_FIELDS_OF_HASHES = {"md5": "MD5", "sha1": "SHA1", "photodna": "PhotoDNA"}


def parse(
    stream: BinaryIO, *, name: str, source: str = "vics", limits: ListLimits = DEFAULT_LIMITS
) -> Iterator[Change]:
    """Yield the records of a file, one by one.

    Raises
    ------
    ListFormatError
        It is not VICS of a known version, or is cut short.
    """
    country = ""

    def nested(around: Mapping[str, Any]) -> str:
        nonlocal country
        country, holds_cases = _context(name, around)
        return "Media" if holds_cases else ""

    def changes(entry: Entry, source: str) -> Iterator[Change]:
        return _changes(entry, source, country)

    document = JsonDocument(stream, name=name, limits=limits, array="value", nested=nested)
    yield from changes_of_entries(document.entries(), source, changes)


def _context(name: str, around: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the country, and whether cases follow rather than media."""
    for field, versions in _VERSIONS.items():
        if field in around:
            found = _CONTEXT.search(text_of(around[field]))
            if found is None or found[1] not in versions:
                version = found[1] if found else text_of(around[field])[:80]
                raise ListFormatError(
                    name, f"{field}: expected VICS {' or '.join(versions)}, got {version!r}"
                )
            return found[2] or "", found[3].lower() == "cases"
    raise ListFormatError(name, f"expected {' or '.join(_VERSIONS)} before the media")


def _changes(entry: Entry, source: str, country: str) -> Iterator[Change]:
    values = entry.value
    record_id = id_of("MediaID", values.get("MediaID"))
    if entry.within is not None:
        case = entry.within.get("CaseID")
        case_id = str(entry.parent) if case in (None, "") else id_of("CaseID", case)
        record_id = id_of("CaseID/MediaID", f"{case_id}/{record_id}")
    faults: list[str] = []
    hashes, more = _hashes(values)
    raw = {
        name: more.get(name, one)
        for name, one in values.items()
        if name not in _READ and more.get(name, one) != [] and not _is_hash(name, one, hashes)
    }
    updated = instant_or_fault("DateUpdated", values.get("DateUpdated"), faults)
    if faults:
        raw["DateUpdated"] = values["DateUpdated"]
    if country and country.lower() != "default":
        raw["country"] = country
    yield from changes_with_raw(
        entry.row,
        source,
        record_id,
        hashes,
        raw,
        faults,
        media=_media(text_of(values.get("MimeType"))),
        category=text_of(values.get("Category")),
        flags=_flags(values),
        last_seen=updated,
    )


def _hashes(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return hashes by type, and what is left of the fields they came from.

    They are fields of their own, or in arrays of ``{"HashName": …, "HashValue": …}``.
    """
    hashes: dict[str, Any] = {}
    for name, value in values.items():
        if name.lower() in _HASH_FIELDS and value not in (None, ""):
            hashes.setdefault(name.lower(), value)
    more: dict[str, Any] = {}
    for name, value in values.items():
        if not isinstance(value, list):
            continue
        left = []
        for one in value:
            kind = _type_of_pair(one)
            if not kind or hashes.setdefault(kind, one["HashValue"]) != one["HashValue"]:
                left.append(one)
        if len(left) < len(value):
            more[name] = left
    return hashes, more


def _is_hash(field: str, value: Any, hashes: Mapping[str, Any]) -> bool:
    kind = field.lower()
    return kind in _HASH_FIELDS and (value in (None, "") or hashes.get(kind) == value)


def _type_of_pair(one: Any) -> str:
    """Return the type of a name and value; nothing when that is unknown or they are none."""
    if not isinstance(one, dict) or not {"HashName", "HashValue"} <= one.keys():
        return ""
    try:
        return hash_type(text_of(one["HashName"]).strip()).name
    except HashFormatError:
        return ""


def _flags(values: Mapping[str, Any]) -> tuple[str, ...]:
    flags = []
    for field, flag in _FLAGS.items():
        try:
            if truth_of(field, values.get(field)):
                flags.append(flag)
        except ValueError:
            continue
    series = text_of(values.get("Series")).strip().lower()
    if series not in ("", "false", "0", "[]"):
        flags.append("series")
    return tuple(flags)


def _media(mime_type: str) -> MediaKind:
    kind = mime_type.strip().lower().partition("/")[0]
    if kind == "image":
        return "image"
    return "video" if kind == "video" else "unknown"


def write(changes: Iterable[Change], stream: BinaryIO, *, country: str = "Default") -> int:
    """Write records as VICS 2.0 media, and return how many.

    What VICS has no place for is left out: opinions, views, raw. Rejected rows are passed over.

    Parameters
    ----------
    changes : iterable of Change
        Records.
    stream : BinaryIO
        Where to.
    country : str
        Whose categories they are: ASCII letters.

    Raises
    ------
    ListFormatError
        There is a retraction among them, which VICS cannot tell; or two records have one id, as
        records of several sources may: their readers would keep one of them.
    ValueError
        ``country`` is no name.
    """
    if not country.isascii() or not country.isalpha():
        raise ValueError("country: expected ASCII letters")
    context = (
        f"http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/{country}/$metadata#Media"
    )
    stream.write(f'{{"@odata.context":{json.dumps(context)},"value":['.encode())
    ids: set[str] = set()
    for one in changes:
        if isinstance(one, Rejected):
            continue
        if not isinstance(one, Record):
            raise ListFormatError("vics-json", "retractions cannot be written in this format")
        if one.record_id in ids:
            raise ListFormatError(
                "vics-json",
                f"two records have the id {one.record_id!r}: write one source at a time",
            )
        text = json.dumps(_media_values(one), separators=(",", ":"))
        stream.write(f"{',' if ids else ''}\n{text}".encode())
        ids.add(one.record_id)
    stream.write(b"\n]}\n")
    return len(ids)


def _media_values(record: Record) -> dict[str, Any]:
    values: dict[str, Any] = {"MediaID": _whole(record.record_id)}
    if record.category:
        values["Category"] = _whole(record.category)
    pairs = []
    for kind, value in record.hashes.items():
        if kind in _FIELDS_OF_HASHES:
            values[_FIELDS_OF_HASHES[kind]] = value.upper()
        else:
            pairs.append({"HashName": kind.upper(), "HashValue": value})
    if pairs:
        values["AlternativeHashes"] = pairs
    if record.last_seen is not None:
        values["DateUpdated"] = text_of_instant(record.last_seen)
    values.update({field: True for field, flag in _FLAGS.items() if flag in record.flags})
    return values


def _whole(text: str) -> int | str:
    """Return a number where it reads back as the same text."""
    is_whole = text.isascii() and text.isdecimal() and len(text) < 19
    return int(text) if is_whole and str(int(text)) == text else text


FORMAT = ListFormat("vics-json", "Project VIC media, VICS 1.3 and 2.0", (), parse, write)
