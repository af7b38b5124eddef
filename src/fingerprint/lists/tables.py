"""The tables of a hash list: one SQLite file, which is the truth about its records.

`docs/list-format.md` describes the format for other programs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from fingerprint.errors import CorruptIndexError, IndexFormatError
from fingerprint.index import durable
from fingerprint.index.connections import (
    SQLITE_ERRORS,
    connect_reader,
    connect_writer,
    typed_error,
)
from fingerprint.lists.records import instant_of, text_of_instant

__all__ = [
    "CATALOG",
    "FORMAT",
    "SQLITE_ERRORS",
    "State",
    "connect_writer",
    "create_tables",
    "instant",
    "read_facts",
    "read_state",
    "temporary_files_in",
    "text",
    "typed_error",
    "write_state",
]

CATALOG = "list.sqlite"
FORMAT = 1
APPLICATION_ID = 0x46504C53
SUPPORTED = f"a hash list of format {FORMAT} (HashList.create or `fingerprint list create`)"

_MAGIC = b"SQLite format 3\0"

_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    unpurged INTEGER NOT NULL
) STRICT;
CREATE TABLE sources (
    no INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    entries INTEGER NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    id TEXT NOT NULL,
    added INTEGER NOT NULL,
    body TEXT NOT NULL,
    places BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_by_key ON records (source, id);
CREATE TABLE shelves (
    no INTEGER PRIMARY KEY,
    type TEXT NOT NULL UNIQUE,
    folder TEXT NOT NULL,
    next_number INTEGER NOT NULL,
    records INTEGER NOT NULL
) STRICT;
CREATE TABLE places (
    shelf INTEGER NOT NULL,
    first INTEGER NOT NULL,
    seqs BLOB NOT NULL,
    PRIMARY KEY (shelf, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE leaving (
    shelf INTEGER NOT NULL,
    first INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (shelf, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE versions (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    by TEXT NOT NULL,
    feed TEXT NOT NULL,
    note TEXT NOT NULL,
    digest TEXT NOT NULL,
    added INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    retracted INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    first_seq INTEGER NOT NULL
) STRICT;
CREATE TABLE events (
    n INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    at TEXT NOT NULL,
    by TEXT NOT NULL,
    action TEXT NOT NULL,
    added INTEGER,
    happened TEXT,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_key ON events (source, id);
CREATE INDEX events_by_version ON events (version);
CREATE TABLE suspended (
    source INTEGER NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE feeds (
    name TEXT PRIMARY KEY,
    checkpoint TEXT NOT NULL,
    refreshed_at TEXT,
    expires_at TEXT,
    stale TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE rejected (
    feed TEXT NOT NULL,
    n INTEGER NOT NULL,
    at TEXT NOT NULL,
    line INTEGER NOT NULL,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    whole INTEGER NOT NULL,
    PRIMARY KEY (feed, n)
) STRICT, WITHOUT ROWID;
INSERT INTO state VALUES (1, 0, 0, 1, 0);
"""


class State(NamedTuple):
    """Where a list stands."""

    version: int
    entries: int
    next_seq: int
    unpurged: int


def create_tables(path: Path, name: str, description: str) -> None:
    """Make a list without records, readable by its owner alone."""
    durable.make_private_file(path)
    db = connect_writer(path)
    try:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        facts = [("name", name), ("description", description)]
        db.executemany("INSERT INTO facts VALUES (?, ?)", facts)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()


def read_facts(directory: Path) -> dict[str, str]:
    """Return what the list in a directory is.

    Raises
    ------
    IndexFormatError
        There is none, it is something else, or of a newer format.
    CorruptIndexError
        It is damaged.
    """
    path = directory / CATALOG
    if not path.is_file():
        found = "nothing" if not directory.exists() else f"no {CATALOG} in it"
        raise IndexFormatError(str(directory), found, SUPPORTED)
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise IndexFormatError(str(directory), "no SQLite file", SUPPORTED)
    try:
        db = connect_reader(path)
        try:
            application = db.execute("PRAGMA application_id").fetchone()[0]
            found_format = int(db.execute("PRAGMA user_version").fetchone()[0])
            if application != APPLICATION_ID:
                raise IndexFormatError(str(directory), "another program's database", SUPPORTED)
            if found_format != FORMAT:
                raise IndexFormatError(str(directory), f"format {found_format}", SUPPORTED)
            facts: dict[str, str] = dict(db.execute("SELECT name, value FROM facts"))
        finally:
            db.close()
    except SQLITE_ERRORS as error:
        raise typed_error(error, directory) from error
    if not {"name", "description"} <= facts.keys():
        raise CorruptIndexError(str(directory), "its facts are incomplete")
    return facts


def read_state(db: sqlite3.Connection) -> State:
    """Return where the list stands."""
    row = db.execute("SELECT version, entries, next_seq, unpurged FROM state").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("the table state does not hold what it should")
    return State(*row)


def write_state(db: sqlite3.Connection, state: State) -> None:
    """Set where the list stands."""
    db.execute("UPDATE state SET version = ?, entries = ?, next_seq = ?, unpurged = ?", state)


def instant(value: str | None) -> datetime | None:
    """Read a time that may be missing."""
    return None if value is None else instant_of(value)


def text(value: datetime | None) -> str | None:
    """Write a time that may be missing; ValueError when it has no zone."""
    return None if value is None else text_of_instant(instant_of(value))


@contextmanager
def temporary_files_in(directory: Path, db: sqlite3.Connection) -> Iterator[None]:
    """Let SQLite put the temporary files of long statements beside the list.

    They hold what the list holds, and would lie in ``/var/tmp``, which may be less private,
    not encrypted and too small. The setting is the process's; a SQLite without it ignores it.
    """
    found = db.execute("PRAGMA temp_store_directory").fetchone()
    _set_temporary(db, str(directory))
    try:
        yield
    finally:
        _set_temporary(db, found[0] if found else "")


def _set_temporary(db: sqlite3.Connection, directory: str) -> None:
    quoted = directory.replace("'", "''")
    db.execute(f"PRAGMA temp_store_directory = '{quoted}'")
