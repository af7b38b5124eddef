"""One JSON object a line: this package's own form of a list, or objects of others.

An object with ``hashes`` is what `Record.to_dict` makes; one with ``"retracted": true`` is a
retraction: ``source``, ``record_id``, perhaps ``at`` and ``reason``. Of any other object, or
with ``columns``, the fields are told by name, as in the format csv.

It is written in canonical form: names sorted, no blanks, ASCII, a line feed after each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats.base import LimitedStream, ListFormat, ListLimits
from fingerprint.lists.formats.fields import FieldMap, map_fields
from fingerprint.lists.records import Change, Record, Rejected, Retraction, text_of_instant
from fingerprint.lists.rows import RETRACTED_VALUES, RowReader, native_changes
from fingerprint.lists.text import TextLines, json_value

__all__ = ["FORMAT", "line_of", "parse", "write"]

_MOST_SHAPES = 256
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def parse(
    stream: BinaryIO,
    *,
    name: str,
    source: str,
    limits: ListLimits,
    columns: Mapping[str, str | None] | None = None,
    ignored: Collection[str] = (),
    hash_type: str = "",
    retracted_values: Iterable[str] = RETRACTED_VALUES,
) -> Iterator[Change]:
    """Yield what the objects say; a line that is none, or too deep, is rejected.

    A name that looks like hashes and is not known is told of and left out of the record.

    Parameters
    ----------
    stream, name, source, limits
        As for every format; ``source`` is for objects that say none.
    columns : mapping of str to str, optional
        Names by field: then no object is read as this package's own.
    ignored, hash_type, retracted_values
        As in the format csv.
    """
    if isinstance(ignored, str):
        raise TypeError("ignored: expected names in a list, got str")
    reader = RowReader(name, source, hash_type, retracted_values)
    map_fields({}, columns or {}, (), name)

    def foreign(row: int, values: dict[str, Any]) -> Iterator[Change]:
        try:
            fields = _fields(tuple(values), shapes, columns or {}, ignored, name)
        except ListFormatError as error:
            yield Rejected(row, error.reason, source)
            return
        for one in fields.doubtful:
            yield Rejected(row, f"{one!r} looks like hashes and is left out", source, whole=False)
        yield from reader.changes(row, fields, values.get)

    shapes: dict[tuple[str, ...], FieldMap] = {}
    lines = TextLines(LimitedStream(stream, name, limits), name, limits)
    return _changes(lines, limits, source, foreign, columns is None)


def _changes(
    lines: TextLines,
    limits: ListLimits,
    source: str,
    foreign: Callable[[int, dict[str, Any]], Iterator[Change]],
    may_be_native: bool,
) -> Iterator[Change]:
    for row, line in enumerate(lines, 1):
        if not line or line.isspace():
            continue
        try:
            if lines.is_doubtful and not lines.is_usable(line):
                raise ValueError("expected UTF-8 text without NUL")
            values = json_value(line, limits)
            if not isinstance(values, dict):
                raise ValueError(f"expected an object, got {type(values).__name__}")
        except ValueError as error:
            yield Rejected(row, str(error), source)
            continue
        if may_be_native and ("hashes" in values or values.get("retracted") is True):
            yield from native_changes(row, values, source)
        else:
            yield from foreign(row, values)


def _fields(
    names: tuple[str, ...],
    shapes: dict[tuple[str, ...], FieldMap],
    columns: Mapping[str, str | None],
    ignored: Collection[str],
    name: str,
) -> FieldMap:
    """Return which field is which in objects of these names, which are few in a list."""
    found = shapes.get(names)
    if found is None:
        if len(shapes) >= _MOST_SHAPES:
            shapes.clear()
        found = map_fields({one: one for one in names}, columns, ignored, name)
        shapes[names] = found
    return found


def line_of(change: Record | Retraction) -> str:
    """Return a record or retraction as one line of canonical JSON, without its end."""
    if isinstance(change, Record):
        return _encode(change.to_dict())
    values = {"source": change.source, "record_id": change.record_id, "retracted": True}
    if change.at is not None:
        values["at"] = text_of_instant(change.at)
    if change.reason:
        values["reason"] = change.reason
    return _encode(values)


def write(changes: Iterable[Change], stream: BinaryIO) -> int:
    """Write records and retractions; return how many. Rejected rows are passed over."""
    n = 0
    for change in changes:
        if not isinstance(change, Rejected):
            stream.write(f"{line_of(change)}\n".encode("ascii"))
            n += 1
    return n


FORMAT = ListFormat("jsonl", "one JSON object a line", (".jsonl", ".ndjson"), parse, write)
