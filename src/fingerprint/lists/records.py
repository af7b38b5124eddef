"""Records of hash lists, and the changes that lists are sent as."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, get_args

from fingerprint.errors import FingerprintError, ListFormatError, redacted
from fingerprint.lists.hash_types import HASH_TYPES, canonical_hash, canonical_hashes

__all__ = [
    "Change",
    "MediaKind",
    "Opinion",
    "Record",
    "Rejected",
    "Retraction",
    "instant_of",
    "text_of_instant",
]

MediaKind = Literal["image", "video", "unknown"]

LONGEST_NAME = 512
LONGEST_RAW = 65_536
DEEPEST_RAW = 32

_KINDS = frozenset(get_args(MediaKind))


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one party thinks of a record, in its own words.

    Parameters
    ----------
    by : str
        Who.
    value : str
        What, verbatim: also words that nobody here knows.
    tags : tuple of str
        More of it.
    """

    by: str
    value: str
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_text("opinion by", self.by)
        _require_text("opinion value", self.value)
        object.__setattr__(self, "tags", _texts("opinion tags", self.tags))


@dataclass(frozen=True, slots=True)
class Record:
    """One picture or video on a list: hashes of it, and what its source says about it.

    Who a record is, is ``source`` and ``record_id``, never its hashes: two records with
    the same hash live and die apart.

    Parameters
    ----------
    source : str
        Whose record it is; a source may be part of another: ``"ncmec/1234"``.
    record_id : str
        Its id there.
    hashes : mapping of str to str
        By type (`fingerprint.lists.HASH_TYPES`): lower-case hex; frames or features as
        text for videos. Any notation that the types know is taken.
    media : {"image", "video", "unknown"}
        What was hashed.
    category : str
        Verbatim; its meaning is the source's.
    severity : str
        In the user's own scale, if the user mapped it; else empty.
    flags : tuple of str
        Such as ``"grid"`` or ``"self-generated"``; sorted.
    opinions : tuple of Opinion
        Of other parties.
    first_seen, last_seen : datetime or None
        As the source tells, in UTC.
    views : mapping of str to str
        PDQ hashes of views of the picture, by `fingerprint.hash_views`'s names, where the
        source had the picture and computed them.
    raw : mapping
        What else the source said, as it said it: unknown values are kept, not judged.

    Raises
    ------
    HashFormatError
        A hash is malformed or degenerate, or its type unknown.
    TypeError, ValueError
        Another value is not as above, or there is no hash.
    """

    source: str
    record_id: str
    hashes: Mapping[str, str] = field(repr=False)
    media: MediaKind = "unknown"
    category: str = ""
    severity: str = ""
    flags: tuple[str, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    views: Mapping[str, str] = field(default_factory=dict, repr=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        _require_name("source", self.source)
        _require_name("record_id", self.record_id)
        set_ = object.__setattr__
        if not self.hashes:
            raise ValueError("hashes: expected at least one, got none")
        set_(self, "hashes", canonical_hashes(self.hashes))
        if self.views:
            pdq = HASH_TYPES["pdq"]
            views = {
                _require_text("view", name): canonical_hash(pdq, value)
                for name, value in sorted(self.views.items())
            }
            set_(self, "views", views)
        if self.media not in _KINDS:
            raise ValueError(
                f"media: expected one of {', '.join(sorted(_KINDS))}, got {self.media!r}"
            )
        if self.category != "":
            _require_text("category", self.category)
        if self.severity != "":
            _require_text("severity", self.severity)
        if self.flags != ():
            set_(self, "flags", tuple(sorted(set(_texts("flags", self.flags)))))
        if self.opinions != ():
            set_(self, "opinions", _opinions(self.opinions))
        if self.first_seen is not None:
            set_(self, "first_seen", _utc("first_seen", self.first_seen))
        if self.last_seen is not None:
            set_(self, "last_seen", _utc("last_seen", self.last_seen))
        if self.raw:
            set_(self, "raw", _plain(self.raw))

    @property
    def key(self) -> tuple[str, str]:
        """Source and id: who the record is."""
        return self.source, self.record_id

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, without what is empty, by name; `from_dict` reads them."""
        values: dict[str, Any] = {}
        if self.category:
            values["category"] = self.category
        if self.first_seen is not None:
            values["first_seen"] = text_of_instant(self.first_seen)
        if self.flags:
            values["flags"] = list(self.flags)
        values["hashes"] = self.hashes
        if self.last_seen is not None:
            values["last_seen"] = text_of_instant(self.last_seen)
        if self.media != "unknown":
            values["media"] = self.media
        if self.opinions:
            values["opinions"] = [_opinion_values(one) for one in self.opinions]
        if self.raw:
            values["raw"] = self.raw
        values["record_id"] = self.record_id
        if self.severity:
            values["severity"] = self.severity
        values["source"] = self.source
        if self.views:
            values["views"] = self.views
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Record:
        """Read what `to_dict` wrote.

        Raises
        ------
        HashFormatError, TypeError, ValueError
            As for the class, also when a name is unknown.
        """
        known = {**values}
        if not known.keys() <= _FIELDS:
            unknown = sorted(map(str, known.keys() - _FIELDS))
            raise ValueError(f"record: unknown fields {', '.join(unknown)}")
        if not known.keys() >= _NEEDED:
            raise ValueError(f"record: expected {', '.join(sorted(_NEEDED - known.keys()))}")
        for name in _OBJECTS & known.keys():
            if not isinstance(known[name], Mapping):
                raise TypeError(f"{name}: expected an object")
        for name in _TIMES & known.keys():
            if known[name] is not None:
                known[name] = instant_of(known[name])
        if "opinions" in known:
            known["opinions"] = tuple(_opinion_of(one) for one in known["opinions"])
        if "flags" in known:
            known["flags"] = _texts("flags", known["flags"])
        return cls(**known)


_FIELDS = frozenset(Record.__dataclass_fields__)
_NEEDED = frozenset({"source", "record_id", "hashes"})
_OBJECTS = frozenset({"hashes", "views", "raw"})
_TIMES = frozenset({"first_seen", "last_seen"})


@dataclass(frozen=True, slots=True)
class Retraction:
    """A record is withdrawn by its source.

    Parameters
    ----------
    source, record_id : str
        Whose and which.
    at : datetime or None
        When the source withdrew it, in UTC.
    reason : str
        Verbatim, such as the status that means it.
    """

    source: str
    record_id: str
    at: datetime | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        _require_name("source", self.source)
        _require_name("record_id", self.record_id)
        _require_text("reason", self.reason)
        if self.at is not None:
            object.__setattr__(self, "at", _utc("at", self.at))

    @property
    def key(self) -> tuple[str, str]:
        """Source and id: who the record is."""
        return self.source, self.record_id


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of a list, or a hash in it, that cannot be used; it is counted and kept aside.

    Parameters
    ----------
    row : int
        Line or entry, counted from 1.
    reason : str
        What was expected; never the whole row.
    source, record_id : str
        Whose record it was, as far as that could be read.
    whole : bool
        Whether nothing of the record could be used, rather than one of its hashes.
    """

    row: int
    reason: str
    source: str = ""
    record_id: str = ""
    whole: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", _printable(redacted(self.reason)))
        object.__setattr__(self, "source", _printable(self.source))
        object.__setattr__(self, "record_id", _printable(self.record_id))


Change: TypeAlias = Record | Retraction | Rejected
"""What a format yields, and a list applies: a record as it is now, its end, or a bad row."""


def instant_of(value: object) -> datetime:
    """Read a time with its zone: ISO 8601, or seconds since 1970.

    Raises
    ------
    ListFormatError
        It is neither, or has no zone: local times are not guessed.
    """
    if isinstance(value, datetime):
        return _utc("time", value)
    try:
        if isinstance(value, bool):
            raise TypeError
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            return _utc("time", datetime.fromisoformat(value.strip()))
    except (ValueError, TypeError, OverflowError, OSError):
        pass
    shown = value if isinstance(value, str | int | float) else type(value).__name__
    raise ListFormatError(
        "time", f"expected ISO 8601 with a zone, or seconds since 1970, got {str(shown)[:40]!r}"
    )


def text_of_instant(instant: datetime) -> str:
    """Return a time in UTC as ISO 8601 with a Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _utc(name: str, value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"{name}: expected datetime, got {type(value).__name__}")
    if value.tzinfo is None:
        raise ValueError(f"{name}: expected a time with its zone, got one without")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{name}: {value.year} is out of range") from None


def _require_name(name: str, value: object) -> str:
    if (
        type(value) is str
        and 0 < len(value) <= LONGEST_NAME
        and value.isascii()
        and value.isprintable()
    ):
        return value
    text = _require_text(name, value)
    if not 0 < len(text) <= LONGEST_NAME:
        raise ValueError(f"{name}: expected 1 to {LONGEST_NAME} characters, got {len(text)}")
    if not text.isprintable():
        raise ValueError(f"{name}: expected printable characters, got {redacted(ascii(text))}")
    return text


def _printable(text: str) -> str:
    """Return a text of a bad row so that it can be stored: it must not stop the others."""
    return text[:LONGEST_NAME].encode("utf-8", "replace").decode()


def _require_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected text, got {type(value).__name__}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name}: expected text that UTF-8 can hold") from None
    if len(value) > LONGEST_RAW:
        raise ValueError(f"{name}: expected {LONGEST_RAW:,} characters at most, got {len(value):,}")
    return value


def _texts(name: str, values: object) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name}: expected texts in a list, got {type(values).__name__}")
    return tuple(_require_text(name, one) for one in values)


def _opinions(values: object) -> tuple[Opinion, ...]:
    if not isinstance(values, Iterable):
        raise TypeError(f"opinions: expected Opinions, got {type(values).__name__}")
    given = tuple(values)
    for one in given:
        if not isinstance(one, Opinion):
            raise TypeError(f"opinions: expected Opinion, got {type(one).__name__}")
    return tuple(sorted(given, key=lambda one: (one.by, one.value, one.tags)))


def _opinion_values(one: Opinion) -> dict[str, Any]:
    tags = {"tags": list(one.tags)} if one.tags else {}
    return {"by": one.by, **tags, "value": one.value}


def _opinion_of(values: object) -> Opinion:
    if not isinstance(values, Mapping) or not values.keys() <= {"by", "value", "tags"}:
        raise TypeError("opinions: expected objects of by, value, tags")
    return Opinion(values.get("by", ""), values.get("value", ""), values.get("tags", ()))


def _plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return raw values as JSON reads them back, so that equal records stay equal."""
    try:
        text = json.dumps(raw, allow_nan=False, sort_keys=True)
        if len(text) > LONGEST_RAW:
            raise ValueError(f"raw: expected {LONGEST_RAW:,} characters at most, got {len(text):,}")
        if text.count("{") + text.count("[") > DEEPEST_RAW and _depth(raw) > DEEPEST_RAW:
            raise ValueError(f"raw: expected {DEEPEST_RAW} levels at most")
        if "\\ud" in text:  # Half a character, perhaps.
            json.dumps(raw, ensure_ascii=False).encode()
        plain: dict[str, Any] = json.loads(text)
    except (RecursionError, UnicodeEncodeError):
        raise ValueError("raw: expected text and numbers, not nested too deep") from None
    except FingerprintError:
        raise
    if not isinstance(plain, dict):
        raise TypeError(f"raw: expected an object, got {type(raw).__name__}")
    return plain


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= DEEPEST_RAW:
        depth += 1
        inner: list[Any] = []
        for one in level:
            inner += one.values() if isinstance(one, Mapping) else one
        level = [one for one in inner if isinstance(one, Mapping | list | tuple)]
    return depth
