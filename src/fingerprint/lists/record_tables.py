"""The tables and shelves of records, as one change finds and changes them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fingerprint.lists.content import DIGEST_NBYTES
from fingerprint.lists.records import Record
from fingerprint.lists.shelves import (
    Shelf,
    Shelves,
    hashes_of,
    packed_value,
    places_in_turn,
    places_of,
    places_text,
)

__all__ = ["RecordTables", "Source", "Stored", "is_within", "without_hashes"]

_FIND = """
SELECT id, seq, added, body, places FROM records
WHERE source = ? AND id IN (SELECT value FROM json_each(?))
"""
_ENDS = """
SELECT id, MAX(happened) FROM events
WHERE source = ? AND id IN (SELECT value FROM json_each(?)) AND happened IS NOT NULL GROUP BY id
"""
_ANY_EVENT = "SELECT 1 FROM events WHERE source = ? LIMIT 1"


_HASH = re.compile("[0-9A-Fa-f]{16,}|[0-9A-Za-z+/]{64,}")


def without_hashes(reason: str) -> str:
    """Return a reason as the history keeps it, which outlives the hashes of a record."""
    return _HASH.sub(lambda found: f"{found.group()[:6]}…", reason)


class Stored(NamedTuple):
    """A record as the tables have it."""

    seq: int
    added: int
    body: str
    places: bytes


@dataclass
class Source:
    """A source, and what its records add up to."""

    no: int
    name: str
    entries: int
    digest: int
    fresh: bool
    """Without records and history when the change began."""


class RecordTables:
    """What a change needs of the tables, and the shelves that it has begun to fill."""

    def __init__(
        self, db: sqlite3.Connection, shelves: Shelves, version: int, at: str, by: str
    ) -> None:
        self._db = db
        self._shelves = shelves
        self._listed = shelves.listed(db)
        self._version = version
        self._at, self._by = at, by
        self.sources: dict[str, Source] = {}
        self.begun: dict[str, Shelf] = {}

    def ends(self, source: Source, names: list[str]) -> dict[str, str]:
        """Return when records were retracted last, as their source dates it."""
        return dict(self._db.execute(_ENDS, (source.no, json.dumps(names))))

    def note(
        self,
        source: Source,
        name: str,
        action: str,
        detail: str,
        added: int | None = None,
        happened: str = "",
    ) -> None:
        """Add to the history of a record; ``happened`` is when its source dates it."""
        self._db.execute(
            "INSERT INTO events (source, id, version, at, by, action, added, happened, detail) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(source.no, name, self._version, self._at, self._by, action, added),
                *(happened or None, without_hashes(detail)),
            ),
        )
        source.fresh = False

    def put_on(self, record: Record, seq: int) -> bytes:
        """Take a record's hashes to their shelves; return their places as they are stored."""
        if record.views or "vpdq" in record.hashes:
            return self._put_many_on(record, seq)
        places = b""
        for name, value in record.hashes.items():
            shelf = self.begun.get(name) or self.shelf(name)
            packed = bytes.fromhex(value) if shelf.is_hex else packed_value(shelf.kind, value)
            places += shelf.stage_one(packed, seq)
        return places

    def put_all_on(self, records: Sequence[Record], seqs: range) -> list[bytes]:
        """Do the same for many new records; for those of one kind at a third of the cost."""
        types = tuple(records[0].hashes)
        shelves = [self.shelf(name) for name in types]
        plain = all(shelf.is_hex for shelf in shelves)
        if not plain or any(tuple(one.hashes) != types or one.views for one in records):
            return [self.put_on(one, seq) for one, seq in zip(records, seqs, strict=True)]
        firsts = [
            (shelf.no, shelf.stage_many([one.hashes[name] for one in records], seqs))
            for name, shelf in zip(types, shelves, strict=True)
        ]
        return places_in_turn(firsts, len(records))

    def _put_many_on(self, record: Record, seq: int) -> bytes:
        places = []
        shelved = set()
        for kind, packed, n in hashes_of(record):
            shelf = self.shelf(kind.name)
            places.append(shelf.stage(packed, n, seq))
            if kind.name not in shelved:
                shelf.records += 1
                shelved.add(kind.name)
        return places_text(places)

    def take_off(self, old: Stored) -> None:
        """Note that a record's hashes leave their shelves with this commit."""
        by_no = {no: name for name, (no, _, _, _) in self._listed.items()}
        by_no |= {shelf.no: name for name, shelf in self.begun.items()}
        places = places_of(old.places)
        self._db.executemany("INSERT OR REPLACE INTO leaving VALUES (?, ?, ?)", places)
        for no in {place.shelf for place in places}:
            self.shelf(by_no[no]).records -= 1

    def shelf(self, name: str) -> Shelf:
        """Return the shelf of a type, begun to be filled; made if there is none."""
        shelf = self.begun.get(name)
        if shelf is None:
            shelf = self._shelves.get(self._db, name)
            if shelf is None:
                shelf = self._shelves.create(self._db, name)
            else:
                _, _, next_number, records = self._listed[name]
                shelf.begin(next_number, records)
            self.begun[name] = shelf
        return shelf

    def source(self, name: str, *, create: bool) -> Source | None:
        """Return a source, if it is known or to be made."""
        found = self.sources.get(name)
        if found is not None:
            return found
        row = self._db.execute(
            "SELECT no, entries, digest FROM sources WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            if not create:
                return None
            cursor = self._db.execute(
                "INSERT INTO sources (name, entries, digest) VALUES (?, 0, ?)",
                (name, bytes(DIGEST_NBYTES)),
            )
            row = (cursor.lastrowid, 0, bytes(DIGEST_NBYTES))
        fresh = not row[1] and not self._db.execute(_ANY_EVENT, (row[0],)).fetchone()
        found = Source(row[0], name, row[1], int.from_bytes(row[2]), fresh)
        self.sources[name] = found
        return found

    def sources_within(self, scope: str) -> list[Source]:
        """Return a source and its parts, as far as they are known."""
        names = [name for (name,) in self._db.execute("SELECT name FROM sources ORDER BY no")]
        sources = [self.source(one, create=False) for one in names if is_within(one, scope)]
        return [one for one in sources if one is not None]

    def stored(self, source: Source, names: list[str]) -> dict[str, Stored]:
        """Return those of some records that are there, by id."""
        if not source.entries:
            return {}
        rows = self._db.execute(_FIND, (source.no, json.dumps(names)))
        return {name: Stored(*rest) for name, *rest in rows}


def is_within(source: str, scope: str) -> bool:
    """Return whether a source is another, or a part of it."""
    return source == scope or source.startswith(f"{scope}/")
