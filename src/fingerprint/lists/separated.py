"""Rows of a table in text: what the formats csv and tsv share."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import BinaryIO, TypeAlias

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats.base import LimitedStream, ListLimits
from fingerprint.lists.formats.fields import FieldMap, map_fields
from fingerprint.lists.records import Change, Rejected
from fingerprint.lists.rows import RETRACTED_VALUES, RowReader
from fingerprint.lists.text import TextLines

__all__ = ["read_separated"]

MOST_READ_AGAIN = 64 << 20
"""Characters in rows whose quotes have no end; each is read again from its second line."""

_Row: TypeAlias = tuple[int, list[str], str]
"""The line it begins at, its cells, and why it is none: empty if it is one."""


def read_separated(
    stream: BinaryIO,
    *,
    name: str,
    source: str,
    limits: ListLimits,
    delimiter: str,
    quotechar: str,
    header: bool,
    columns: Mapping[str, str | int | None] | None,
    ignored: Collection[str | int],
    hash_type: str,
    retracted_values: Iterable[str] = RETRACTED_VALUES,
) -> Iterator[Change]:
    """Yield the changes of a table; see the format csv."""
    for option, value, least in (("delimiter", delimiter, 1), ("quotechar", quotechar, 0)):
        if not isinstance(value, str) or not least <= len(value) <= 1 or set(value) & set("\r\n\0"):
            raise ValueError(f"{option}: expected one character, got {value!r}")
    if delimiter == quotechar:
        raise ValueError(f"quotechar: expected another than the delimiter, got {quotechar!r}")
    if isinstance(ignored, str):
        raise TypeError("ignored: expected names in a list, got str")
    reader = RowReader(name, source, hash_type, retracted_values)
    text = TextLines(LimitedStream(stream, name, limits), name, limits)
    rows = _rows(text, limits, delimiter, quotechar)
    return _changes(rows, reader, name, source, columns or {}, ignored, header)


def _changes(
    rows: Iterator[_Row],
    reader: RowReader,
    name: str,
    source: str,
    columns: Mapping[str, str | int | None],
    ignored: Collection[str | int],
    header: bool,
) -> Iterator[Change]:
    first = next(rows, None)
    if first is None:
        if header:
            raise ListFormatError(name, "is empty: expected a row of names")
        return
    number, cells, reason = first
    if reason:
        raise ListFormatError(name, f"the first row cannot be read: {reason}", number)
    fields = _fields_of(cells if header else [""] * len(cells), columns, ignored, name)
    width = len(cells)
    if not header:
        yield from reader.changes(number, fields, cells.__getitem__)
    plain = reader.plainly(fields)
    for number, cells, reason in rows:
        if reason:
            yield Rejected(number, reason, source)
        elif len(cells) == width:
            record = plain(cells)
            if record is not None:
                yield record
            else:
                yield from reader.changes(number, fields, cells.__getitem__)
        else:
            yield Rejected(number, f"expected {width} fields, got {len(cells)}", source)


def _fields_of(
    names: list[str],
    columns: Mapping[str, str | int | None],
    ignored: Collection[str | int],
    name: str,
) -> FieldMap:
    keys: dict[str, int] = {}
    for number, given in enumerate(names):
        column = given.strip() or f"column {number + 1}"
        if column in keys:
            raise ListFormatError(name, f"two columns are named {column!r}")
        keys[column] = number
    fields = map_fields(keys, columns, ignored, name, is_complete=True)
    if fields.doubtful:
        raise ListFormatError(
            name,
            f"column {fields.doubtful[0]!r} looks like hashes: name it in columns= or ignored=",
        )
    withdraws = bool(fields.statuses) and fields.record_id is not None
    if not fields.hashes and fields.hash is None and not withdraws:
        raise ListFormatError(
            name, "no column of hashes is known by its name: name it in columns= (or delimiter=)"
        )
    return fields


class _RowLines:
    """Lines for the csv module, which can be given the lines of a broken row again."""

    def __init__(self, lines: Iterator[str], longest: int) -> None:
        self._lines = lines
        self._longest = longest
        self._length = 0
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.n_read_again = 0
        """Characters."""

    def __iter__(self) -> _RowLines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines) + "\n"
        self.taken.append(line)
        self._length += len(line)
        if self._length > self._longest and len(self.taken) > 1:
            raise csv.Error(f"quotes without an end within {self._longest:,} characters")
        return line

    def start_row(self) -> int:
        """Forget the row before; return how many lines it had."""
        n = len(self.taken)
        self.taken.clear()
        self._length = 0
        return n

    def give_again(self) -> None:
        """Take back all but the first line of a row: its quotes do not tell where it ends."""
        self.n_read_again += self._length - len(self.taken[0])
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def _rows(text: TextLines, limits: ListLimits, delimiter: str, quotechar: str) -> Iterator[_Row]:
    """Yield rows that are not empty; a row with broken quotes is its first line alone."""
    lines = _RowLines(iter(text), limits.max_row_nbytes)
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quotechar or None,
        quoting=csv.QUOTE_MINIMAL if quotechar else csv.QUOTE_NONE,
        strict=True,
    )
    number = 1
    while True:
        number += lines.start_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.give_again()
            if lines.n_read_again > MOST_READ_AGAIN:  # Each line could begin one.
                raise ListFormatError(
                    text.name,
                    "its quotes do not tell where rows end: name another quotechar=",
                    number,
                ) from None
            yield number, [], str(error)
            continue
        if text.is_doubtful and not all(map(text.is_usable, cells)):
            yield number, [], "expected UTF-8 text without NUL"
        elif any(cells):
            yield number, cells, ""
