"""What the formats of hash lists share: limits, and making records out of what was read.

A format is one file with a `ListFormat` named ``FORMAT``. Parsers are pure: bytes in,
changes out, in order, a few at a time; they open no file and no connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from fingerprint.errors import FingerprintError, HashFormatError, ListFormatError
from fingerprint.lists.hash_types import canonical_hash, hash_type
from fingerprint.lists.records import Change, Record, Rejected

__all__ = ["DEFAULT_LIMITS", "LimitedStream", "ListFormat", "ListLimits", "changes_of"]


@dataclass(frozen=True, slots=True)
class ListLimits:
    """What a list may ask of its reader; files come from other parties.

    Parameters
    ----------
    max_nbytes : int
        Of the whole, after unpacking.
    max_row_nbytes : int
        Of one row, element or object.
    max_depth : int
        Levels of nesting.
    max_ratio : int
        Unpacked bytes for a packed one, beyond the first mebibytes.
    """

    max_nbytes: int = 64 << 30
    max_row_nbytes: int = 32 << 20
    max_depth: int = 64
    max_ratio: int = 1000


DEFAULT_LIMITS = ListLimits()


class ListFormat(NamedTuple):
    """A format of hash lists.

    Attributes
    ----------
    name : str
        What users type.
    description : str
        In a few words.
    suffixes : tuple of str
        Of file names, the compression's left off.
    parse : callable
        ``parse(stream, *, name, source, limits, **options)`` yields changes. ``stream`` is
        binary and unpacked; ``name`` is what messages call it; ``source`` is whose records
        they are where the format does not say. ListFormatError when it cannot go on.
    write : callable or None
        ``write(changes, stream, **options)``, where the format can be written.
    """

    name: str
    description: str
    suffixes: tuple[str, ...]
    parse: Callable[..., Iterator[Change]] | None
    write: Callable[..., int] | None = None


class LimitedStream:
    """A binary stream that is refused once it is longer than allowed."""

    def __init__(self, stream: BinaryIO, name: str, limits: ListLimits) -> None:
        self._stream = stream
        self._name = name
        self._limits = limits
        self.nbytes = 0

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes; all that is allowed by default."""
        if size is None or size < 0:
            size = self._limits.max_nbytes - self.nbytes + 1
        data = self._stream.read(size)
        self._count(data)
        return data

    def lines(self) -> Iterator[bytes]:
        """Yield lines without their ends; ListFormatError when one is too long."""
        number = 0
        while line := self._stream.readline(self._limits.max_row_nbytes + 1):
            number += 1
            self._count(line)
            if len(line) > self._limits.max_row_nbytes:
                raise ListFormatError(
                    self._name,
                    f"a line is longer than {self._limits.max_row_nbytes:,} bytes",
                    number,
                )
            yield line.rstrip(b"\r\n")

    def _count(self, data: bytes) -> None:
        self.nbytes += len(data)
        if self.nbytes > self._limits.max_nbytes:
            raise ListFormatError(
                self._name, f"is longer than {self._limits.max_nbytes:,} bytes, the limit"
            )


def changes_of(
    row: int, source: str, record_id: str, hashes: Mapping[str, Any], **fields: Any
) -> Iterator[Change]:
    """Yield a record and what had to be left out of it.

    A hash that is malformed, degenerate or of an unknown type is left out and told of; without
    any good hash, or with a field that cannot be kept, the whole record is rejected.

    Parameters
    ----------
    row : int
        Line or entry, counted from 1.
    source, record_id : str
        Who the record is.
    hashes : mapping of str to str
        By type, in any notation and case; empty values are passed over.
    **fields
        Of `Record`.
    """
    good: dict[str, str] = {}
    bad: list[str] = []
    for name, value in hashes.items():
        if value is None or value == "":
            continue
        try:
            kind = hash_type(str(name))
            good[kind.name] = canonical_hash(
                kind, value.strip() if isinstance(value, str) else value
            )
        except HashFormatError as error:
            bad.append(str(error))
    if not good:
        reason = "; ".join(bad) or "no hash in it"
        yield Rejected(row, reason, str(source), str(record_id))
        return
    try:
        record = Record(source, record_id, good, **fields)
    except (FingerprintError, ValueError, TypeError) as error:
        yield Rejected(row, str(error), str(source), str(record_id))
        return
    for reason in bad:
        yield Rejected(row, reason, source, record_id, whole=False)
    yield record
