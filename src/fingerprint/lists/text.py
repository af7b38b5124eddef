"""Text that others wrote: lines a few at a time, and JSON with its limits."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats.base import LimitedStream, ListLimits

__all__ = ["TextLines", "json_value"]

CHUNK_NBYTES = 1 << 18

MOST_JSON_VALUES = 1 << 20
"""In one object. A value takes some hundred bytes of memory, and may be written with two."""

_UNUSABLE = re.compile("[\x00\ud800-\udfff]").search
_SURROGATE = re.compile("[\ud800-\udfff]").search
_JSON_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])', re.DOTALL)
_BOMS = {b"\xff\xfe\x00\x00": "", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


class TextLines:
    """Lines of a stream of UTF-8, or of UTF-16 with its byte order mark.

    Iterating yields them without their line feeds. Bytes that are no text do not end it:
    they make `is_doubtful` true, and `is_usable` false for the lines that hold them.
    """

    def __init__(self, stream: LimitedStream, name: str, limits: ListLimits) -> None:
        self._stream = stream
        self.name = name
        self._longest = limits.max_row_nbytes
        self.is_doubtful = False

    @staticmethod
    def is_usable(text: str) -> bool:
        """Whether there is no NUL in it and nothing that was no text."""
        return _UNUSABLE(text) is None

    def __iter__(self) -> Iterator[str]:
        number = 0
        parts: list[str] = []
        length = 0
        for text in self._texts():
            if "\0" in text or (not text.isascii() and _SURROGATE(text)):
                self.is_doubtful = True
            if "\n" in text:
                lines = text.split("\n")
                lines[0] = "".join(parts) + lines[0]
                parts = [lines.pop()]
                self._check(max(map(len, lines)), number)
                yield from lines
                number += len(lines)
                length = len(parts[0])
            else:
                parts.append(text)
                length += len(text)
            self._check(length, number)
        if length:
            yield "".join(parts)

    def _check(self, length: int, number: int) -> None:
        if length > self._longest:
            raise ListFormatError(
                self.name, f"a line behind this is longer than {self._longest:,} bytes", number + 1
            )

    def _texts(self) -> Iterator[str]:
        data = b""
        while len(data) < 4 and (more := self._stream.read(CHUNK_NBYTES)):
            data += more
        mark = next((mark for mark in _BOMS if data.startswith(mark)), b"")
        encoding = _BOMS.get(mark, "utf-8-sig")
        if not encoding:
            raise ListFormatError(self.name, "is UTF-32: expected UTF-8 or UTF-16")
        errors = "surrogatepass" if mark else "surrogateescape"
        decoder = codecs.getincrementaldecoder(encoding)(errors)
        data = data[len(mark) :]
        try:
            while data:
                yield decoder.decode(data)
                data = self._stream.read(CHUNK_NBYTES)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise ListFormatError(self.name, "is not the UTF-16 that it begins as") from None


def json_value(text: str, limits: ListLimits) -> Any:
    """Read JSON; ValueError where it is none, has a name twice, or is larger than allowed."""
    opened = text.count("{") + text.count("[")
    if opened > limits.max_depth and _depth(text) > limits.max_depth:
        raise ValueError(f"expected {limits.max_depth} levels of nesting at most")
    if opened + text.count(",") > MOST_JSON_VALUES:
        raise ValueError(f"expected {MOST_JSON_VALUES:,} values at most")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError("expected JSON that is not nested so deep") from None


def _depth(text: str) -> int:
    depth = deepest = 0
    for found in _JSON_BRACKET.finditer(text):
        if found.group(1):
            depth += 1
            deepest = max(deepest, depth)
        elif found.group(2):
            depth -= 1
    return deepest


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("expected every name once in an object")
    return values


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object_of, parse_constant=_refuse_constant)
