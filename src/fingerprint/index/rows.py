"""Entries as rows of the catalog, each with a checksum."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from fingerprint.index.view import Rows

__all__ = ["INSERT_ENTRY", "INSERT_PLAIN", "EntryRow", "encoded", "encoded_plain"]

INSERT_ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)"
INSERT_PLAIN = "INSERT INTO entries (seq, hash, quality, crc) VALUES (?, ?, ?, ?)"

_ROWS_AT_ONCE = 16_384


class EntryRow(NamedTuple):
    """One entry as it is stored; None stands for the id ``#seq`` and for no metadata."""

    seq: int
    id: str | None
    packed: bytes
    quality: int
    metadata: str | None
    crc: int

    @property
    def name(self) -> str:
        """Its id."""
        return f"#{self.seq}" if self.id is None else self.id

    @property
    def is_whole(self) -> bool:
        """Whether it matches its checksum."""
        try:
            return self._checksum() == self.crc
        except (AttributeError, TypeError, OverflowError):  # Not even the types are right.
            return False

    def with_crc(self) -> EntryRow:
        """Return it with its checksum."""
        return self._replace(crc=self._checksum())

    def _checksum(self) -> int:
        seq = self.seq.to_bytes(8, "little", signed=True)
        fixed = seq + self.quality.to_bytes(1, "little", signed=True) + self.packed
        return _with_texts(zlib.crc32(fixed), self.id, self.metadata)


def _with_texts(crc: int, name: str | None, metadata: str | None) -> int:
    """Carry a checksum on over the texts: the id's length and the id, then the metadata."""
    if name is None and metadata is None:
        return crc
    head = "-" if name is None else f"{len(name)}:{name}"
    return zlib.crc32(f"{head}{metadata or ''}".encode(), crc)


def encoded_plain(rows: Rows, nbytes: int) -> Iterator[tuple[Any, ...]]:
    """Yield the values of `INSERT_PLAIN` for entries without id and metadata."""
    for seqs, blobs, quality, crcs in _columns(rows, nbytes):
        yield from zip(seqs, blobs, quality, crcs, strict=True)


def encoded(
    rows: Rows, nbytes: int, ids: Sequence[str | None], texts: Sequence[str | None]
) -> Iterator[tuple[Any, ...]]:
    """Yield the values of `INSERT_ENTRY`."""
    first = 0
    for seqs, blobs, quality, crcs in _columns(rows, nbytes):
        names = ids[first : first + len(seqs)]
        metadata = texts[first : first + len(seqs)]
        first += len(seqs)
        whole = map(_with_texts, crcs, names, metadata)
        yield from zip(seqs, names, blobs, quality, metadata, whole, strict=True)


def _columns(
    rows: Rows, nbytes: int
) -> Iterator[tuple[list[int], list[bytes], Any, Iterator[int]]]:
    """Yield sequence numbers, hashes, qualities and checksums of a few thousand rows at a time.

    A list a column, made by numpy in one go: anything done row by row in Python costs
    more than SQLite's own work.
    """
    packed = rows.words.view(np.uint8)[:, :nbytes]
    for first in range(0, len(packed), _ROWS_AT_ONCE):
        here = slice(first, first + _ROWS_AT_ONCE)
        seqs = rows.seqs[here].astype("<i8")
        fixed = np.empty((seqs.size, 9 + nbytes), np.uint8)
        fixed[:, :8] = seqs.view(np.uint8).reshape(-1, 8)
        fixed[:, 8] = rows.quality[here].astype(np.int8).view(np.uint8)
        fixed[:, 9:] = packed[here]
        yield (
            seqs.tolist(),
            _as_bytes(fixed[:, 9:]),
            rows.quality[here].tolist(),
            map(zlib.crc32, _as_bytes(fixed)),
        )


def _as_bytes(matrix: Any) -> list[bytes]:
    """Return each row of bytes as a bytes object."""
    values: list[bytes] = np.ascontiguousarray(matrix).view(f"V{matrix.shape[1]}").ravel().tolist()
    return values
