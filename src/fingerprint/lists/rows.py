"""Making records, and retractions, of rows of named fields."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final

from fingerprint.errors import FingerprintError, HashFormatError, ListFormatError, redacted
from fingerprint.lists.formats.base import changes_of
from fingerprint.lists.formats.fields import (
    FieldMap,
    Key,
    id_of_hashes,
    is_yes_or_no,
    looks_like_hash,
    type_of_length,
)
from fingerprint.lists.hash_types import HASH_TYPES, canonical_hash
from fingerprint.lists.hash_types import hash_type as hash_type_of
from fingerprint.lists.records import Change, Record, Rejected, Retraction, instant_of

__all__ = ["RETRACTED_VALUES", "RowReader", "native_changes"]

RETRACTED_VALUES: Final = (
    "true",
    "yes",
    "1",
    "deleted",
    "withdrawn",
    "retracted",
    "removed",
    "revoked",
)
"""What a status says, in any case, of a record that is no more."""

_FALSE = frozenset({"false", "no", "0", "n", "f", "off"})
_ALIVE = frozenset({"active", "live", "listed", "valid", "current", "ok"})
_YES = frozenset({"y", "t", "on", "x"})
"""As good as yes where the column is named after it: ``deleted`` rather than ``status``."""

_PLAIN = frozenset({"category", "severity"})
"""Fields that are kept as they are written."""

_MEDIA = {"image": "image", "picture": "image", "photo": "image", "video": "video"}


class RowReader:
    """Makes changes of rows.

    Parameters
    ----------
    name, source : str
        What messages call the list; whose records they are if no field says.
    hash_type : str
        Of a field that holds hashes of any type.
    retracted_values : iterable of str
        What a status says of a record that is no more.
    """

    def __init__(
        self, name: str, source: str, hash_type: str = "", retracted_values: Iterable[str] = ()
    ) -> None:
        if isinstance(retracted_values, str):
            raise TypeError("retracted_values: expected texts in a list, got str")
        self._name = name
        self._source = source
        self._hash_type = hash_type_of(hash_type).name if hash_type else ""
        self._retracted = frozenset(map(_plain_status, retracted_values))
        self._last: tuple[str, str] = ("", "")
        self._last_hashes: dict[str, Any] = {}

    def changes(self, row: int, fields: FieldMap, get: Callable[[Key], Any]) -> Sequence[Change]:
        """Return what a row says.

        Parameters
        ----------
        row : int
            Its number, from 1.
        fields : FieldMap
            Which field is which.
        get : callable
            Gives a field's value by its key; what is empty or None is not there.
        """
        hashes = {kind: value for kind, key in fields.hashes if (value := get(key))}
        fault = ""
        try:
            if fields.hash is not None and (value := get(fields.hash)):
                hashes.update(self._any_hash(row, value, fields, get))
        except ListFormatError:
            raise
        except (ValueError, TypeError) as error:  # A row that withdraws needs no good hash.
            fault = str(error)
        try:
            source, record_id = self._identity(fields, get, hashes)
        except (ValueError, TypeError) as error:
            return [Rejected(row, fault or str(error), self._source)]
        raw = {column: value for column, key in fields.raw if (value := get(key)) not in ("", None)}
        values, odd = self._values(fields, get, raw)
        for column in [name for name, value in raw.items() if looks_like_hash(value)]:
            del raw[column]
            odd.append(f"{column}: looks like a hash: left out; name it in columns or in ignored")
        notes: list[Change] = []
        if odd:
            notes += [Rejected(row, reason, source, record_id, whole=False) for reason in odd]
        if fields.statuses:
            status, at, unknown = self._status(fields, get, raw)
            if status:
                self._last = ("", "")
                values["last_seen"] = at or values.get("last_seen")
                return _retraction(row, source, record_id, values, status, notes)
            notes += [Rejected(row, reason, source, record_id, whole=False) for reason in unknown]
        if fault:
            notes.append(Rejected(row, fault, source, record_id, whole=not hashes))
            if not hashes:
                return notes
        if fields.hash is not None:
            hashes, others = self._joined(source, record_id, hashes)
            notes += [Rejected(row, reason, source, record_id, whole=False) for reason in others]
        try:
            notes.append(Record(source, record_id, hashes, raw=raw, **values))
        except (FingerprintError, ValueError, TypeError, AttributeError):
            notes += changes_of(row, source, record_id, hashes, raw=raw, **values)
        return notes

    def plainly(self, fields: FieldMap) -> Callable[[list[str]], Record | None]:
        """Return a function that makes a record of cells in which nothing is out of the ordinary.

        It returns None for others, and `changes` says what is wrong with them: nearly all
        rows of long lists are plain, and cost half as much so.
        """
        record_id, texts = fields.record_id, [one for one in fields.singles if one[0] in _PLAIN]
        if fields.hash is not None or fields.statuses or len(texts) < len(fields.singles):
            return lambda cells: None
        if record_id is None:
            return lambda cells: None
        source, id_place = self._source, int(record_id)
        hashes = [(kind, int(key)) for kind, key in fields.hashes]
        places = {field: int(key) for field, key, _ in texts}
        category, severity = places.get("category", -1), places.get("severity", -1)
        empty = [int(key) for _, key in fields.raw]

        def record_of(cells: list[str]) -> Record | None:
            name = cells[id_place]
            for place in empty:
                if cells[place]:
                    return None
            if not name or name[0] == " " or name[-1] == " ":
                return None
            try:
                return Record(
                    source,
                    name,
                    {kind: cells[place] for kind, place in hashes if cells[place]},
                    category=cells[category] if category >= 0 else "",
                    severity=cells[severity] if severity >= 0 else "",
                )
            except (FingerprintError, ValueError):
                return None

        return record_of

    def _any_hash(
        self, row: int, value: Any, fields: FieldMap, get: Callable[[Key], Any]
    ) -> dict[str, Any]:
        """Return a hash under its type."""
        if not isinstance(value, str):
            raise TypeError(f"hash: expected text, got {type(value).__name__}")
        value = value.strip()
        said = get(fields.hash_type) if fields.hash_type is not None else None
        prefix, colon, rest = value.partition(":")
        if said:
            kind = hash_type_of(str(said).strip()).name
        elif colon and len(prefix) < 16:
            kind, value = hash_type_of(prefix.strip()).name, rest.strip()
        else:
            kind = self._hash_type or type_of_length(value, self._name, row)
        if not kind:
            raise HashFormatError(
                f"hash: expected one of a known type, got {len(value)} characters"
            )
        return {kind: value}

    def _identity(
        self, fields: FieldMap, get: Callable[[Key], Any], hashes: Mapping[str, Any]
    ) -> tuple[str, str]:
        source = self._source
        for field, key, _ in fields.singles:
            if field == "source" and (said := get(key)):
                source = _text("source", said).strip() or source
        if fields.record_id is not None:
            record_id = _text("record_id", get(fields.record_id)).strip()
            if not record_id:
                raise ValueError("record_id: expected one, got none")
            return source, record_id
        good = {}
        for name, value in hashes.items():
            try:
                good[name] = canonical_hash(HASH_TYPES[name], _text(name, value).strip())
            except HashFormatError as error:
                if len(hashes) == 1:
                    raise HashFormatError(str(error)) from None
        if not good:
            raise HashFormatError("expected an id or a good hash, got none")
        return source, id_of_hashes(good)

    def _values(
        self, fields: FieldMap, get: Callable[[Key], Any], raw: dict[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the other fields, and why some are none: those go to raw, as they are."""
        values: dict[str, Any] = {}
        odd: list[str] = []
        for field, key, column in fields.singles:
            value = get(key)
            if value is None or value == "" or field == "source":
                continue
            read = None
            try:
                read = _READ[field](field, value)
            except (FingerprintError, ValueError, TypeError) as error:
                odd.append(f"{field}: {error}; kept in raw")
            if read is not None:
                values[field] = read
            if read is None or (field == "media" and read != value):
                raw[column] = value
        return values, odd

    def _status(
        self, fields: FieldMap, get: Callable[[Key], Any], raw: dict[str, Any]
    ) -> tuple[str, datetime | None, list[str]]:
        """Return the status that means a retraction, and its time if it is one.

        What is not known goes to raw and is told: nobody must think that it was followed.
        """
        unknown = []
        for column, key in fields.statuses:
            value = get(key)
            if value in ("", None):
                continue
            text = _shown(value)
            plain = _plain_status(text)
            if is_yes_or_no(column):
                if plain in _YES:
                    plain = "yes"
                elif (at := _date_of(text)) is not None:  # When it was withdrawn.
                    return text, at, []
            if plain in self._retracted:
                return text, None, []
            if plain in _FALSE:
                continue
            raw[column] = value
            if plain not in _ALIVE:
                unknown.append(
                    f"{column}: {redacted(text)!r} is not known to mean withdrawn: the record is "
                    "kept; name the word in retracted_values if it does"
                )
        return "", None, unknown

    def _joined(
        self, source: str, record_id: str, hashes: dict[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        """Return a row's hash with those of the rows just before it, if of the same record.

        Also which of those it takes the place of: a record has one hash of a type.
        """
        others = []
        if self._last == (source, record_id):
            others = [
                f"{kind}: another than in the rows before, which it takes the place of"
                for kind, value in hashes.items()
                if str(self._last_hashes.get(kind, value)).lower() != str(value).lower()
            ]
            hashes = {**self._last_hashes, **hashes}
        self._last, self._last_hashes = (source, record_id), hashes
        return hashes, others


def _retraction(
    row: int,
    source: str,
    record_id: str,
    values: Mapping[str, Any],
    status: str,
    notes: list[Change],
) -> list[Change]:
    try:
        return [*notes, Retraction(source, record_id, values.get("last_seen"), status)]
    except (ValueError, TypeError) as error:
        return [Rejected(row, str(error), source)]


def _date_of(text: str) -> datetime | None:
    """Return a date, or a time with its zone; None for anything else."""
    try:
        return datetime.combine(date.fromisoformat(text.strip()), time(), UTC)
    except ValueError:
        pass
    try:
        return instant_of(text)
    except ValueError:
        return None


def _plain_status(text: str) -> str:
    """Return a status as statuses are compared: 1.0 is 1, as tables with gaps have it."""
    return text.strip().casefold().removesuffix(".0")


def _shown(value: Hashable) -> str:
    """Return a value as text, true and false as JSON has them."""
    return value if isinstance(value, str) else str(value).lower()


def _text(field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{field}: expected text, got {type(value).__name__}")
    return str(value)


def _media(field: str, value: object) -> str | None:
    return _MEDIA.get(_text(field, value).strip().lower().partition("/")[0])


def _flags(field: str, value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else _text(field, value).split(";")
    return tuple(one for part in parts if (one := _text(field, part).strip()))


def _instant(field: str, value: object) -> Any:
    if isinstance(value, str) and value.strip().isdecimal() and 9 <= len(value.strip()) <= 11:
        return instant_of(int(value))
    return instant_of(value)


_READ: dict[str, Callable[[str, Any], Any]] = {
    "category": _text,
    "severity": _text,
    "media": _media,
    "flags": _flags,
    "first_seen": _instant,
    "last_seen": _instant,
}


_RETRACTION = frozenset({"source", "record_id", "retracted", "at", "reason"})
_RECORD = frozenset(Record.__dataclass_fields__)


def native_changes(row: int, values: Mapping[str, Any], source: str) -> Sequence[Change]:
    """Return what an object says that `Record.to_dict` made, or that tells of a retraction.

    Parameters
    ----------
    row : int
        Its number, from 1.
    values : mapping
        Fields of `Record`; or ``source``, ``record_id``, ``"retracted": true``, and perhaps
        ``at`` and ``reason``. Fields that nobody here knows are kept in ``raw``.
    source : str
        Whose it is where it does not say.
    """
    source = values.get("source", source)
    record_id = values.get("record_id")
    shown = (
        source if isinstance(source, str) else "",
        record_id if isinstance(record_id, str) else "",
    )
    retracted = values.get("retracted", False)
    if not isinstance(retracted, bool):
        return [Rejected(row, "retracted: expected true or false", *shown)]
    if retracted:
        return _native_retraction(row, source, record_id, values, shown)
    known = values if values.keys() <= _RECORD and "source" in values else _known(values, source)
    notes: list[Change] = []
    try:
        return [Record.from_dict(known)]
    except HashFormatError as error:
        if isinstance(known.get("hashes"), dict) and (good := _good_hashes(known["hashes"])):
            notes = [Rejected(row, str(error), *shown, whole=False)]
            known = {**known, "hashes": good}
        else:
            return [Rejected(row, str(error), *shown)]
    except (FingerprintError, ValueError, TypeError) as error:
        return [Rejected(row, str(error), *shown)]
    try:
        return [*notes, Record.from_dict(known)]
    except (FingerprintError, ValueError, TypeError) as error:
        return [Rejected(row, str(error), *shown)]


def _known(values: Mapping[str, Any], source: Any) -> dict[str, Any]:
    """Return the fields of a record; those of later versions of this package go to raw."""
    known = {"source": source, **{k: v for k, v in values.items() if k in _RECORD}}
    unknown = values.keys() - _RECORD - {"retracted"}
    if unknown and isinstance(raw := known.get("raw", {}), dict):
        known["raw"] = {**{name: values[name] for name in sorted(unknown)}, **raw}
    return known


def _good_hashes(hashes: Mapping[str, Any]) -> dict[str, str]:
    good = {}
    for name, value in hashes.items():
        try:
            good[name] = canonical_hash(HASH_TYPES[name], value)
        except (HashFormatError, KeyError):
            continue
    return good


def _native_retraction(
    row: int, source: Any, record_id: Any, values: Mapping[str, Any], shown: tuple[str, str]
) -> Sequence[Change]:
    at, notes = None, list[Change]()
    if values.get("at") is not None:
        try:
            at = instant_of(values["at"])
        except (FingerprintError, ValueError) as error:
            notes = [Rejected(row, f"at: {error}", *shown, whole=False)]
    reason = values.get("reason")
    try:
        return [*notes, Retraction(source, record_id, at, "" if reason is None else reason)]
    except (ValueError, TypeError) as error:
        fault = str(error)
    try:  # Why it was withdrawn does not decide whether it was.
        return [
            *notes,
            Rejected(row, fault, *shown, whole=False),
            Retraction(source, record_id, at),
        ]
    except (ValueError, TypeError):
        return [Rejected(row, fault, *shown)]
