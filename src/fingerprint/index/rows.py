"""Entries as rows of the catalog, each with a checksum."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fingerprint.index.view import Rows, words_of

if TYPE_CHECKING:
    from fingerprint.typing import U64

__all__ = [
    "INSERT_BLOCK",
    "INSERT_ENTRY",
    "Block",
    "EntryRow",
    "encoded",
    "encoded_blocks",
    "rows_of",
]

INSERT_ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)"
INSERT_BLOCK = "INSERT INTO blocks VALUES (?, ?, ?, ?, ?)"

BLOCK = 256
"""Entries of a block, at most: the price of the first removal from it."""

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


class Block(NamedTuple):
    """Consecutive entries without ids and metadata, stored as one: a tenth of the work."""

    first_seq: int
    n: int
    hashes: bytes
    quality: bytes
    crc: int

    @property
    def is_whole(self) -> bool:
        """Whether it matches its checksum."""
        try:
            return self._checksum() == self.crc
        except (AttributeError, TypeError, OverflowError):
            return False

    def with_crc(self) -> Block:
        """Return it with its checksum."""
        return self._replace(crc=self._checksum())

    def _checksum(self) -> int:
        head = b"".join(x.to_bytes(8, "little", signed=True) for x in (self.first_seq, self.n))
        return zlib.crc32(self.quality, zlib.crc32(self.hashes, zlib.crc32(head)))

    def entry(self, i: int) -> EntryRow:
        """Return one of its entries."""
        nbytes = len(self.hashes) // self.n
        packed = self.hashes[i * nbytes : (i + 1) * nbytes]
        quality = int.from_bytes(self.quality[i : i + 1], "little", signed=True)
        return EntryRow(self.first_seq + i, None, packed, quality, None, 0)

    def without(self, seqs: Sequence[int]) -> Iterator[Block]:
        """Yield the blocks that are left when some entries, ascending, are cut out."""
        nbytes = len(self.hashes) // self.n
        begin = 0
        for end in [*(seq - self.first_seq for seq in seqs), self.n]:
            if begin < end:
                hashes = self.hashes[begin * nbytes : end * nbytes]
                quality = self.quality[begin:end]
                yield Block(self.first_seq + begin, end - begin, hashes, quality, 0).with_crc()
            begin = end + 1

    def rows(self, bits: int) -> Rows:
        """Return all of them as arrays."""
        seqs = np.arange(self.first_seq, self.first_seq + self.n)
        return Rows(seqs, _words(self.hashes, bits), np.frombuffer(self.quality, np.int8))


def rows_of(entries: Sequence[EntryRow], bits: int) -> Rows:
    """Return entries as arrays."""
    return Rows(
        np.array([entry.seq for entry in entries], np.int64),
        _words(b"".join(entry.packed for entry in entries), bits),
        np.array([entry.quality for entry in entries], np.int8),
    )


def _words(hashes: bytes, bits: int) -> U64:
    nbytes = (bits + 7) // 8
    packed = np.frombuffer(hashes, np.uint8).reshape(-1, nbytes)
    words = np.zeros((len(packed), words_of(bits)), np.uint64)
    words.view(np.uint8)[:, :nbytes] = packed
    return words


def encoded_blocks(rows: Rows, nbytes: int) -> Iterator[Block]:
    """Yield consecutive entries as blocks, values of `INSERT_BLOCK`."""
    packed = rows.words.view(np.uint8)[:, :nbytes]
    for first in range(0, len(packed), BLOCK):
        here = slice(first, first + BLOCK)
        hashes, quality = packed[here].tobytes(), rows.quality[here].tobytes()
        yield Block(int(rows.seqs[first]), len(quality), hashes, quality, 0).with_crc()


def _with_texts(crc: int, name: str | None, metadata: str | None) -> int:
    """Carry a checksum on over the texts: the id's length and the id, then the metadata."""
    if name is None and metadata is None:
        return crc
    head = "-" if name is None else f"{len(name)}:{name}"
    return zlib.crc32(f"{head}{metadata or ''}".encode(), crc)


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
