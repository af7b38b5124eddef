"""JSON of other parties, entry by entry: one array of objects in an object, and what is around it.

The standard library decodes each entry; this finds where they begin, holds the limits, and
leaves nothing to chance that JSON leaves open: a name twice, no end, more after the end, numbers
that are none. (The C backend of `ijson` 3.6 crashes the process on an integer of 5,000 digits,
which anybody may send and its Python backend decodes in Python.)
"""

from __future__ import annotations

import codecs
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from fingerprint.errors import FingerprintError, ListFormatError
from fingerprint.lists.formats.base import LimitedStream, ListLimits
from fingerprint.lists.records import Change, Rejected

__all__ = ["Entry", "EntryStream", "JsonDocument", "changes_of_entries"]

MOST_CONTAINERS = 100_000
"""Objects and arrays in one entry; empty ones take 40 times their bytes in memory."""
_TOO_MANY = f"more than {MOST_CONTAINERS:,} objects and arrays in one entry"

_BLOCK_NBYTES = 1 << 16
_WHITESPACE = " \t\n\r"


class EntryStream:
    """A stream that is refused when it gives too many bytes without an entry coming to its end."""

    def __init__(self, stream: BinaryIO, name: str, limits: ListLimits) -> None:
        self._stream = LimitedStream(stream, name, limits)
        self._name = name
        self._most = limits.max_row_nbytes + _BLOCK_NBYTES
        self._marked = 0

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes, and never more than a block."""
        data = self._stream.read(_BLOCK_NBYTES if size < 0 else min(size, _BLOCK_NBYTES))
        if self._stream.nbytes - self._marked > self._most:
            raise ListFormatError(
                self._name, f"an entry is longer than {self._most - _BLOCK_NBYTES:,} bytes"
            )
        return data

    def mark(self) -> None:
        """Note that an entry has come to its end."""
        self._marked = self._stream.nbytes


class _Text:
    """Values of a JSON text, one after the other, in whichever Unicode encoding it came."""

    def __init__(self, stream: EntryStream, name: str, max_depth: int) -> None:
        self._stream = stream
        self._name = name
        self._max_depth = max_depth
        self._decode: codecs.IncrementalDecoder | None = None
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant
        )
        self._text = ""
        self._at = 0
        self._is_whole = False
        self.fault = ""
        """What JSON leaves open about the last value, such as a name that stands twice."""
        self.row: int | None = None
        """Which entry is being read; None before the first."""

    def peek(self) -> str:
        """Return the next character that is no whitespace; nothing at the end."""
        while True:
            while self._at < len(self._text):
                one = self._text[self._at]
                if one not in _WHITESPACE:
                    return one
                self._at += 1
            if not self._more():
                return ""

    def take(self, expected: str) -> str:
        """Return the next character and go past it, if it is one of these."""
        one = self.peek()
        if not one or one not in expected:
            raise self.error(f"expected {' or '.join(expected)}")
        self._at += 1
        return one

    def value(self, level: int = 0) -> Any:
        """Return the next value, whole, so many levels deep in the document."""
        self.peek()
        while True:
            self.fault = ""
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                end = -1
            except (ValueError, RecursionError):
                raise self.error("a number too long, or nested too deep") from None
            # A number may go on in what was not read yet.
            if end >= 0 and (end < len(self._text) or self._is_whole or value.__class__ in _ENDED):
                self._require_shallow(self._at, end, self._max_depth - level)
                self._at = end
                return value
            self._read_more()

    def error(self, reason: str) -> ListFormatError:
        """Return the error for what is at this place."""
        if self._is_whole and self._at >= len(self._text):
            return ListFormatError(self._name, f"cut short: {reason}", self.row)
        return ListFormatError(self._name, f"not JSON: {reason}", self.row)

    def _read_more(self) -> None:
        """Double what is there of a value that has not come to its end."""
        pending = len(self._text) - self._at
        brackets = self._text.count("{", self._at) + self._text.count("[", self._at)
        if brackets > MOST_CONTAINERS:
            raise self.error(_TOO_MANY)
        if self._is_whole:
            raise ListFormatError(self._name, "not JSON, or cut short", self.row)
        while len(self._text) - self._at < max(2 * pending, 1) and self._more():
            pass

    def _more(self) -> bool:
        if self._is_whole:
            return False
        data = self._stream.read()
        if self._decode is None:
            # Four bytes tell the encoding; a stream may give fewer at a time.
            while len(data) < 4 and (more := self._stream.read()):
                data += more
            self._decode = codecs.getincrementaldecoder(json.detect_encoding(data))("strict")
        reason, text = "", ""
        try:
            text = self._decode.decode(data, final=not data)
        except UnicodeDecodeError as error:
            reason = f"not {error.encoding}: {error.reason}"
        # Not inside the handler: that error holds the bytes.
        if reason:
            raise ListFormatError(self._name, reason, self.row)
        self._is_whole = not data
        self._text = self._text[self._at :] + text
        self._at = 0
        return True

    def _require_shallow(self, start: int, end: int, most: int) -> None:
        brackets = self._text.count("{", start, end) + self._text.count("[", start, end)
        if brackets > MOST_CONTAINERS:
            raise self.error(_TOO_MANY)
        if brackets > most:
            depth = 0
            for one in _BRACKETS.findall(self._text, start, end):
                depth += one in "{["
                depth -= one in "}]"
                if depth > most:
                    raise self.error(f"nested deeper than {self._max_depth} levels")

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            self.fault = f"{twice[:40]!r} stands twice in an object"
        return values

    def _constant(self, text: str) -> None:
        self.fault = f"{text} is not JSON"


_ENDED = frozenset({dict, list, str})
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')


class Entry(NamedTuple):
    """One element of the array.

    Attributes
    ----------
    row : int
        Counted from 1.
    value : object
        An object, where there is no fault.
    fault : str
        Why it cannot be used.
    within : mapping or None
        The object whose nested array it is in, as far as that was read.
    parent : int
        Which of the outer array's objects that is, counted from 1.
    """

    row: int
    value: Any
    fault: str = ""
    within: Mapping[str, Any] | None = None
    parent: int = 0


class JsonDocument:
    """An object with an array of entries, read once, entry by entry.

    Parameters
    ----------
    stream : BinaryIO
        UTF-8, or UTF-16 or UTF-32 with or without a BOM.
    name : str
        What messages call it.
    limits : ListLimits
        What it may ask for.
    array : str
        The array's name in the object.
    nested : callable, optional
        Given what was read before the array, names an array in each object of that array;
        the entries are its elements then. Nothing for none.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        name: str,
        limits: ListLimits,
        array: str,
        nested: Callable[[Mapping[str, Any]], str] | None = None,
    ) -> None:
        self.name = name
        self.around: dict[str, Any] = {}
        """What stands beside the array, as far as it was read."""
        self.rows = 0
        """Entries so far."""
        self._array = array
        self._nested = nested
        self._stream = EntryStream(stream, name, limits)
        self._text = _Text(self._stream, name, limits.max_depth)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in order.

        Raises
        ------
        ListFormatError
            It is not JSON, is cut short or goes on, is past a limit, or has no such array.
        """
        text = self._text
        if text.peek() != "{":
            raise text.error("expected an object")
        has_array = False
        for name in self._names(self.around):
            if name == self._array and text.peek() == "[":
                nested = self._nested(self.around) if self._nested else ""
                self.around[name] = None
                has_array = True
                yield from self._elements(nested)
            else:
                self.around[name] = self._plain_value(1)
        if text.peek():
            raise ListFormatError(self.name, "not JSON: goes on after its end")
        if not has_array:
            raise ListFormatError(self.name, f"expected an array {self._array!r} in an object")

    def count(self, field: str) -> int | None:
        """Return a whole number beside the array, or None where there is none.

        Raises
        ------
        ListFormatError
            It is something else.
        """
        value = self.around.get(field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise ListFormatError(self.name, f"{field}: expected a whole number")
        return value

    def text(self, field: str) -> str | None:
        """Return a text beside the array, or None where there is none or it is empty.

        Raises
        ------
        ListFormatError
            It is something else.
        """
        return self.text_of(field, self.around.get(field))

    def text_of(self, field: str, value: object) -> str | None:
        """Return the same for a value of another object."""
        if value is not None and not isinstance(value, str):
            raise ListFormatError(self.name, f"{field}: expected text")
        return value or None

    def _names(self, into: Mapping[str, Any]) -> Iterator[str]:
        """Yield the names of an object; the caller reads the value after each."""
        text = self._text
        text.take("{")
        if text.peek() == "}":
            text.take("}")
            return
        while True:
            if text.peek() != '"':
                raise text.error("expected a name")
            name = text.value()
            if name in into:
                raise text.error(f"{name[:40]!r} stands twice in an object")
            text.take(":")
            yield name
            if text.take(",}") == "}":
                return

    def _plain_value(self, level: int) -> Any:
        value = self._text.value(level)
        if self._text.fault:
            raise ListFormatError(self.name, self._text.fault)
        return value

    def _elements(
        self, nested: str, within: Mapping[str, Any] | None = None, parent: int = 0
    ) -> Iterator[Entry]:
        text = self._text
        text.take("[")
        if text.peek() == "]":
            text.take("]")
            return
        for outer in itertools.count(1):
            if nested and text.peek() == "{":
                yield from self._nested_elements(nested, outer)
            else:
                text.row = self.rows + 1
                value = text.value(2 if within is None else 4)
                self.rows += 1
                fault = text.fault
                if value.__class__ is not dict:
                    fault = fault or "expected an object"
                self._stream.mark()
                yield Entry(self.rows, value, fault, within, parent)
            if text.take(",]") == "]":
                return

    def _nested_elements(self, nested: str, parent: int) -> Iterator[Entry]:
        around: dict[str, Any] = {}
        for name in self._names(around):
            if name == nested and self._text.peek() == "[":
                around[name] = None
                yield from self._elements("", around, parent)
            else:
                around[name] = self._plain_value(3)
        self._stream.mark()


def changes_of_entries(
    entries: Iterable[Entry],
    source: str,
    changes_of_one: Callable[[Entry, str], Iterator[Change]],
) -> Iterator[Change]:
    """Yield each entry's changes; one that cannot be used is rejected, and the rest goes on."""
    for entry in entries:
        if entry.fault:
            yield Rejected(entry.row, entry.fault, source)
            continue
        try:
            changes = list(changes_of_one(entry, source))
        except (FingerprintError, ValueError) as error:
            yield Rejected(entry.row, str(error), source)
            continue
        yield from changes
