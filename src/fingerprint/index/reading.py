"""Reading entries from a catalog: single ones, in blocks, and all of them in order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fingerprint.errors import CorruptIndexError
from fingerprint.index.rows import Block, EntryRow, rows_of
from fingerprint.index.store import EntryGoneError, Record

if TYPE_CHECKING:
    from fingerprint.index.view import Rows

__all__ = [
    "block_of",
    "find_row",
    "iterate_hashes",
    "iterate_rows",
    "iterate_stored",
    "read_names",
    "read_records",
    "sequence_number",
]

Stored = TypeVar("Stored", EntryRow, Block, EntryRow | Block)

_ROWS_AT_ONCE = 1024
_BY_SEQ = "SELECT * FROM entries WHERE seq = ?"
_BY_SEQS = "SELECT * FROM entries WHERE seq IN (SELECT value FROM json_each(?))"
_BY_NAME = "SELECT * FROM entries WHERE seq = (SELECT seq FROM names WHERE id = ?)"
_BLOCK = "SELECT * FROM blocks WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 1"
_IN_BLOCK = """
SELECT first_seq + n,
    substr(hashes, 1 + (?1 - first_seq) * (length(hashes) / n), length(hashes) / n)
FROM blocks WHERE first_seq <= ?1 ORDER BY first_seq DESC LIMIT 1
"""
_NAMES = "SELECT seq, id FROM names"
_NAMES_AFTER = "SELECT seq, id FROM entries WHERE seq > ? AND id IS NOT NULL"
_AFTER = """
SELECT seq, id, hash, quality, metadata, crc, 0 FROM entries WHERE seq > ?1
UNION ALL
SELECT first_seq, NULL, hashes, quality, NULL, crc, n FROM blocks WHERE first_seq > ?1
ORDER BY 1 LIMIT ?2
"""


def read_records(db: sqlite3.Connection, directory: Path, seqs: Sequence[int]) -> dict[int, Record]:
    """Return records by sequence number, or raise EntryGoneError."""
    if len(seqs) == 1:
        found = db.execute(_BY_SEQ, (seqs[0],))
    else:
        found = db.execute(_BY_SEQS, (json.dumps(seqs),))
    records: dict[int, Record] = {}
    for row in found:
        entry = _checked(EntryRow(*row), directory)
        records[entry.seq] = Record(entry.name, entry.metadata, entry.packed)
    if len(records) < len(seqs):
        for seq in set(seqs).difference(records):
            end, packed = db.execute(_IN_BLOCK, (seq,)).fetchone() or (0, b"")
            if end <= seq:
                raise EntryGoneError
            # Not compared with the block's checksum: a search compares it with what it found.
            records[seq] = Record(f"#{seq}", None, packed)
    return records


def find_row(db: sqlite3.Connection, directory: Path, name: str) -> EntryRow | None:
    """Return the entry with this id, if there is one."""
    row = db.execute(_BY_NAME, (name,)).fetchone()
    if row is not None:
        return _checked(EntryRow(*row), directory)
    seq = sequence_number(name)
    if seq is None:
        return None
    row = db.execute(f"{_BY_SEQ} AND id IS NULL", (seq,)).fetchone()
    if row is not None:
        return _checked(EntryRow(*row), directory)
    block = block_of(db, directory, seq)
    return None if block is None else block.entry(seq - block.first_seq)


def read_names(db: sqlite3.Connection, after: int = 0) -> dict[int, str]:
    """Return the ids that entries were given, by sequence numbers beyond one, in order."""
    # All names are in a table of their own: their entries need not be passed over.
    statement = db.execute(_NAMES_AFTER, (after,)) if after else db.execute(_NAMES)
    found = statement.fetchall()
    if any(type(seq) is not int or type(name) is not str for seq, name in found):
        raise sqlite3.DatabaseError("the table names does not hold what it should")
    return dict(sorted(found))


def block_of(db: sqlite3.Connection, directory: Path, seq: int) -> Block | None:
    """Return the block that holds a sequence number, if one does."""
    row = db.execute(_BLOCK, (seq,)).fetchone()
    if row is None or row[0] + row[1] <= seq:
        return None
    return _checked(Block(*row), directory)


def sequence_number(name: str) -> int | None:
    """Return n of an id ``#n``, or None."""
    digits = name[1:]
    # No other way of writing the same number is an id, and SQLite's numbers end.
    if name[:1] != "#" or not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        return None
    return int(digits) if digits[0] != "0" else None


def iterate_rows(db: sqlite3.Connection, directory: Path, after: int = 0) -> Iterator[EntryRow]:
    """Yield entries in order, a page in memory at a time."""
    for one in _iterate(db, directory, after):
        if isinstance(one, EntryRow):
            yield one
        else:
            yield from map(one.entry, range(one.n))


def iterate_hashes(
    db: sqlite3.Connection, directory: Path, bits: int, after: int = 0
) -> Iterator[Rows]:
    """Yield the hashes of entries in order, as arrays."""
    for kind, some in groupby(_iterate(db, directory, after), type):
        if kind is Block:
            yield from (block.rows(bits) for block in some if isinstance(block, Block))
            continue
        page: list[EntryRow] = []
        for entry in some:
            if isinstance(entry, EntryRow):
                page.append(entry)
            if len(page) == _ROWS_AT_ONCE:
                yield rows_of(page, bits)
                page = []
        if page:
            yield rows_of(page, bits)


def iterate_stored(db: sqlite3.Connection, after: int = 0) -> Iterator[EntryRow | Block]:
    """Yield entries and blocks in order as they are stored, whole or not."""
    last = after
    while True:
        rows = db.execute(_AFTER, (last, _ROWS_AT_ONCE)).fetchall()
        for seq, name, packed, quality, metadata, crc, n in rows:
            if type(seq) is not int or type(n) is not int or n < 0:
                raise sqlite3.DatabaseError("the table blocks does not hold what it should")
            if n:
                last = seq + n - 1
                yield Block(seq, n, packed, quality, crc)
            else:
                last = seq
                yield EntryRow(seq, name, packed, quality, metadata, crc)
        if len(rows) < _ROWS_AT_ONCE:
            return


def _iterate(db: sqlite3.Connection, directory: Path, after: int) -> Iterator[EntryRow | Block]:
    return (_checked(one, directory) for one in iterate_stored(db, after))


def _checked(one: Stored, where: Path) -> Stored:
    if not one.is_whole:
        what = "block" if isinstance(one, Block) else "entry"
        raise CorruptIndexError(
            str(where), f"{what} {one[0]} of the catalog does not match its checksum"
        )
    return one
