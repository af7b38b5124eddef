"""One hash a line, as most people have them.

Lines that are empty or begin with ``#`` are passed over. A hash may say its type before a
colon (``pdq:…``); else it is the option's, or told by its length where only one type has it.
Lists of this kind give no ids: a record's id is made from its hash and holds nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from fingerprint.errors import HashFormatError
from fingerprint.lists.formats.base import LimitedStream, ListFormat, ListLimits
from fingerprint.lists.formats.fields import id_of_hashes, type_of_length
from fingerprint.lists.hash_types import HASH_TYPES, HashType, canonical_hash
from fingerprint.lists.hash_types import hash_type as hash_type_of
from fingerprint.lists.records import Change, Record, Rejected
from fingerprint.lists.text import TextLines

__all__ = ["FORMAT", "parse"]


def parse(
    stream: BinaryIO, *, name: str, source: str, limits: ListLimits, hash_type: str = ""
) -> Iterator[Change]:
    """Yield a record for every line.

    Parameters
    ----------
    stream, name, source, limits
        As for every format.
    hash_type : str
        Of hashes that do not say it.

    Raises
    ------
    HashFormatError
        ``hash_type`` is no type.
    ListFormatError
        A hash may be of several types; or the list is longer than allowed.
    """
    expected = hash_type_of(hash_type) if hash_type else None
    return _changes(TextLines(LimitedStream(stream, name, limits), name, limits), source, expected)


def _changes(lines: TextLines, source: str, expected: HashType | None) -> Iterator[Change]:
    for row, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text[0] == "#":
            continue
        if lines.is_doubtful and not lines.is_usable(text):
            yield Rejected(row, "expected UTF-8 text without NUL", source)
            continue
        try:
            kind, value = _typed(text, expected, lines.name, row)
            value = canonical_hash(kind, value)
            hashes = {kind.name: value}
            yield Record(source, id_of_hashes(hashes), hashes)
        except HashFormatError as error:
            yield Rejected(row, str(error), source)


def _typed(text: str, expected: HashType | None, name: str, row: int) -> tuple[HashType, str]:
    prefix, colon, rest = text.partition(":")
    if colon:
        return hash_type_of(prefix.strip()), rest.strip()
    if expected is not None:
        return expected, text
    kind = type_of_length(text, name, row)
    if not kind:
        raise HashFormatError(f"expected a hash of a known length, got {len(text)} characters")
    return HASH_TYPES[kind], text


FORMAT = ListFormat("lines", "one hash a line", (".txt", ".lst"), parse)
