"""Which field of a row is which, by what the user says or by names that are usual.

Names are compared without case, spaces and signs: ``SHA-1 Hash`` is ``sha1hash``. These are
known without being told (``<type>`` stands for each of `fingerprint.lists.HASH_TYPES`):

============  =======================================================================
hashes        ``<type>``, ``<type>hash``, ``hash<type>``, ``<type>sum``, ``<type>digest``,
              ``<type>hex``, ``<type>value``; pdna for photodna, tmk for tmk_pdqf
hash          hash, hashvalue, hashdigest, fingerprint: of the type in the next, of the
              option ``hash_type``, of its prefix, or of its length where that tells
hash_type     hashtype, hashalgorithm, algorithm, signaltype, type (beside a ``hash`` only)
record_id     recordid, id, entryid, mediaid, uuid, guid
category      category, classification
media         media, mediakind, mediatype, mimetype, contenttype, filetype
flags         flags, flag
first_seen    firstseen, createdat, createdon, created, dateadded, datecreated
last_seen     lastseen, updatedat, updatedon, updated, lastupdated, lastmodified, modified,
              dateupdated, datemodified, timestamp
status        status, hashstatus, deleted, isdeleted, retracted, isretracted, withdrawn,
              removed, revoked: every one that is there
============  =======================================================================

``source`` and ``severity`` are never guessed, only mapped: the one says whose records they
are, the other is the user's own scale. A field with another name is kept in `Record.raw`;
one that looks like hashes is not: it has to be mapped, or ignored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, TypeAlias

from fingerprint.errors import ListFormatError
from fingerprint.lists.hash_types import HASH_TYPES

__all__ = [
    "FieldMap",
    "Key",
    "id_of_hashes",
    "is_yes_or_no",
    "looks_like_hash",
    "map_fields",
    "type_of_length",
]

Key: TypeAlias = Any
"""What a row is asked by: the number of a column, or the name of a field."""

_KNOWN: dict[str, str] = {
    name: field
    for field, names in {
        "record_id": "recordid id entryid mediaid uuid guid",
        "hash": "hash hashvalue hashdigest fingerprint",
        "hash_type": "hashtype hashalgorithm algorithm signaltype type",
        "category": "category classification",
        "media": "media mediakind mediatype mimetype contenttype filetype",
        "flags": "flags flag",
        "first_seen": "firstseen createdat createdon created dateadded datecreated",
        "last_seen": "lastseen updatedat updatedon updated lastupdated lastmodified modified "
        "dateupdated datemodified timestamp",
        "status": "status hashstatus deleted isdeleted retracted isretracted withdrawn removed "
        "revoked deletedat deletedon datedeleted withdrawnat withdrawnon "
        "retractedat retractedon removedat removedon revokedat revokedon",
    }.items()
    for name in names.split()
}
_TYPE_NAMES = {re.sub(r"[^a-z0-9]", "", one): one for one in HASH_TYPES}
_TYPE_NAMES |= {"pdna": "photodna", "tmk": "tmk_pdqf"}
for _name, _type in _TYPE_NAMES.items():
    for _form in ("{}", "{}hash", "hash{}", "{}sum", "{}digest", "{}hex", "{}value"):
        _KNOWN[_form.format(_name)] = _type

_FIELDS = frozenset(_KNOWN.values()) | {"source", "severity"}
_SINGLE = frozenset({"source", "category", "severity", "media", "flags", "first_seen", "last_seen"})
_LIKE_HASHES = re.compile("|".join([*_TYPE_NAMES, "hash", "digest", "checksum", "fingerprint"]))

_OF_LENGTH = {32: "md5", 40: "sha1", 128: "sha512", 192: "photodna", 288: "photodna"}
_IS_HEX = re.compile("[0-9a-fA-F]+").fullmatch
_HEX_LENGTHS = frozenset(one.bits // 4 for one in HASH_TYPES.values() if one.bits > 64)
_MANY_OF_LENGTH = {64: "sha256 or pdq", 16: "phash or dhash"}


class FieldMap(NamedTuple):
    """Which field is which.

    Attributes
    ----------
    hashes : tuple of (type, key)
        A field for each type.
    hash, hash_type, record_id : key or None
        A hash of any type, what type it is, and the record's id.
    singles : tuple of (field, key, name)
        Other fields of `Record`.
    statuses, raw : tuple of (name, key)
        What tells retractions, and what is kept as it is.
    doubtful : tuple of str
        Names that look like hashes and are not mapped.
    """

    hashes: tuple[tuple[str, Key], ...] = ()
    hash: Key | None = None
    hash_type: Key | None = None
    record_id: Key | None = None
    singles: tuple[tuple[str, Key, str], ...] = ()
    statuses: tuple[tuple[str, Key], ...] = ()
    raw: tuple[tuple[str, Key], ...] = ()
    doubtful: tuple[str, ...] = ()


def looks_like_hash(value: object) -> bool:
    """Whether a value is as long as a hash and hex, whatever its column is called."""
    return (
        isinstance(value, str)
        and len(value.strip()) in _HEX_LENGTHS
        and _IS_HEX(value.strip()) is not None
    )


def _bare(name: object) -> str:
    """Return a name as names are compared."""
    return re.sub(r"[\W_]", "", str(name).lower())


def is_yes_or_no(column: str) -> bool:
    """Whether a column of this name says yes or no of a withdrawal, rather than a status."""
    bare = _bare(column)
    return _KNOWN.get(bare) == "status" and not bare.endswith("status")


def map_fields(
    keys: Mapping[str, Key],
    columns: Mapping[str, str | int | None],
    ignored: Collection[str | int],
    name: str,
    *,
    is_complete: bool = False,
) -> FieldMap:
    """Tell which field is which.

    Parameters
    ----------
    keys : mapping of str to key
        The row's fields by name.
    columns : mapping of str to str or int
        The user's word: names or keys by field; None leaves the field unmapped.
    ignored : collection of str or int
        Names or keys to pass over.
    name : str
        What messages call the list.
    is_complete : bool
        Whether every row has these fields, so that what ``columns`` and ``ignored`` name has
        to be there.

    Raises
    ------
    ListFormatError
        Two fields are the same thing, or a named one is not there.
    """
    if unknown := columns.keys() - _FIELDS:
        raise ListFormatError(
            name,
            f"columns: no field {sorted(map(str, unknown))[0]!r}; "
            f"expected of {', '.join(sorted(_FIELDS))}",
        )
    named = [one for one in columns.values() if one is not None]
    for one in [*named, *ignored] if is_complete else ():
        if _find(keys, one) is None:
            raise ListFormatError(name, f"no column {one!r} in it, or several")
    said: dict[Key, str] = {}
    for field, wanted in columns.items():
        key = _find(keys, wanted)
        if key in said:
            raise ListFormatError(name, f"columns: {wanted!r} is {said[key]} and {field}")
        if key is not None:
            said[key] = field
    passed = {_find(keys, one) for one in ignored}
    found: dict[str, list[tuple[str, Key]]] = {}
    for column, key in keys.items():
        if key in passed:
            continue
        field = said.get(key) or _KNOWN.get(_bare(column), "raw")
        if key not in said and field in columns:
            field = "raw"  # The user said which one it is, or that none is.
        if field == "raw" and _LIKE_HASHES.search(_bare(column)):
            field = "doubtful"
        found.setdefault(field, []).append((column, key))
    return _map_of(found, said, name)


def _find(keys: Mapping[str, Key], wanted: str | int | None) -> Key | None:
    if wanted is None:
        return None
    if isinstance(wanted, int):
        return wanted - 1 if wanted - 1 in keys.values() else None
    if wanted in keys:
        return keys[wanted]
    alike = [key for column, key in keys.items() if _bare(column) == _bare(wanted)]
    return alike[0] if len(alike) == 1 else None


def _map_of(
    found: dict[str, list[tuple[str, Key]]], said: Mapping[Key, str], name: str
) -> FieldMap:
    if "hash" not in found:  # Then "type" is something else's.
        found.setdefault("raw", []).extend(found.pop("hash_type", []))
    for field in found.keys() - _SINGLE - {"status", "raw", "doubtful"}:
        if len(found[field]) > 1:
            names = " and ".join(repr(column) for column, _ in found[field])
            raise ListFormatError(name, f"{names} both seem to be {field}: name one in columns=")
    singles = []
    for field in _SINGLE & found.keys():
        first, *others = sorted(found[field], key=lambda one: one[1] not in said)
        singles.append((field, first[1], first[0]))
        found.setdefault("raw", []).extend(others)

    def only(field: str) -> Key | None:
        return found[field][0][1] if field in found else None

    return FieldMap(
        tuple((kind, found[kind][0][1]) for kind in HASH_TYPES if kind in found),
        only("hash"),
        only("hash_type"),
        only("record_id"),
        tuple(sorted(singles)),
        tuple(found.get("status", ())),
        tuple(found.get("raw", ())),
        tuple(column for column, _ in found.get("doubtful", ())),
    )


def type_of_length(value: str, name: str, row: int) -> str:
    """Return the type of a hash of this length; empty where there is none.

    Raises
    ------
    ListFormatError
        There are several.
    """
    several = _MANY_OF_LENGTH.get(len(value))
    if several and _IS_HEX(value):
        raise ListFormatError(
            name, f"{len(value)} hex digits may be {several}: say which with hash_type=", row
        )
    return _OF_LENGTH.get(len(value), "")


def id_of_hashes(hashes: Mapping[str, str]) -> str:
    """Return an id for a record that came without: from its canonical hashes, and holding none."""
    text = ",".join(f"{kind}:{value}" for kind, value in sorted(hashes.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
