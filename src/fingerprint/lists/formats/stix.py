"""STIX 2.1, out only: a bundle of ``file`` objects, one a record.

The digests go under the keys of the hash algorithm vocabulary, the others under their own
names in capitals, which the standard allows (``^[a-zA-Z0-9_-]{3,256}$``). An object's id is
the UUIDv5 that the standard makes of one of its hashes, so that everybody's object of one
file has one id. Where a second record has the same, its id is a UUIDv5 of ours, of its
source and id: the records stay two.

What the standard has no place for stands in ``x_fingerprint_…`` properties; nothing here
says what a file means. A retraction cannot be said: it is an error.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import Any, BinaryIO

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats.base import ListFormat
from fingerprint.lists.records import Change, Record, Rejected, text_of_instant

__all__ = ["FORMAT", "write"]

_OBSERVABLES = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""The namespace of ids of cyber-observable objects: STIX 2.1, 2.9."""

_OURS = uuid.uuid5(uuid.NAMESPACE_URL, "https://fingerprint.invalid/stix")
"""Theirs is for ids of the hashes alone."""

_KEYS = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}


def write(changes: Iterable[Change], stream: BinaryIO) -> int:
    """Write records as a bundle; return how many. Rejected rows are passed over.

    The same records in the same order give the same bytes. The ids of all are held in memory.

    Raises
    ------
    ListFormatError
        There is a retraction among them.
    """
    seen: set[str] = set()
    contents = uuid.uuid5(_OURS, "bundle")
    stream.write(b'{"type":"bundle"')
    for change in changes:
        if isinstance(change, Rejected):
            continue
        if not isinstance(change, Record):
            raise ListFormatError("stix", "a file object cannot say that a record is retracted")
        values = object_of(change)
        if values["id"] in seen:
            values["id"] = f"file--{uuid.uuid5(_OURS, json.dumps(change.key))}"
        text = json.dumps(values, separators=(",", ":"), allow_nan=False)
        # The standard has no empty lists: without records there is none.
        before = "," if seen else ',"objects":['
        stream.write(f"{before}\n{text}".encode("ascii"))
        seen.add(values["id"])
        contents = uuid.uuid5(contents, text)
    # The bundle's id is made of what is in it, and so comes last.
    stream.write(f'{"]" if seen else ""},"id":"bundle--{contents}"}}\n'.encode("ascii"))
    return len(seen)


def object_of(record: Record) -> dict[str, Any]:
    """Return a record as a ``file`` object."""
    hashes = {_KEYS.get(kind, kind.upper()): value for kind, value in record.hashes.items()}
    values: dict[str, Any] = {
        "type": "file",
        "spec_version": "2.1",
        "id": f"file--{uuid.uuid5(_OBSERVABLES, _contributing(hashes))}",
        "hashes": hashes,
        "x_fingerprint_source": record.source,
        "x_fingerprint_record_id": record.record_id,
    }
    said = {
        "media": "" if record.media == "unknown" else record.media,
        "category": record.category,
        "severity": record.severity,
        "flags": list(record.flags),
        "first_seen": record.first_seen and text_of_instant(record.first_seen),
        "last_seen": record.last_seen and text_of_instant(record.last_seen),
    }
    values |= {f"x_fingerprint_{name}": value for name, value in said.items() if value}
    return values


def _contributing(hashes: dict[str, str]) -> str:
    """Return the canonical JSON of the one hash that the id is made of: STIX 2.1, 2.9."""
    chosen = next((key for key in _KEYS.values() if key in hashes), min(hashes))
    return json.dumps({"hashes": {chosen: hashes[chosen]}}, separators=(",", ":"))


FORMAT = ListFormat("stix", "STIX 2.1 bundle of file objects", (".stix",), None, write)
