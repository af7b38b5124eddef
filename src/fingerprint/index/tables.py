"""The tables of a catalog: their layout, and what damage looks like.

`docs/index-format.md` describes the format for other programs.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fingerprint.errors import (
    CorruptIndexError,
    FingerprintError,
    IndexFormatError,
)
from fingerprint.index import durable
from fingerprint.index.connections import (
    SQLITE_ERRORS,
    connect_reader,
    connect_writer,
    told,
    typed_error,
)
from fingerprint.index.view import State

__all__ = [
    "CATALOG",
    "FORMAT",
    "SQLITE_ERRORS",
    "Facts",
    "connect_reader",
    "connect_writer",
    "create_catalog",
    "format_of",
    "read_facts",
    "read_state",
    "told",
    "typed_error",
    "write_fact",
    "write_state",
]

CATALOG = "catalog.sqlite"
FORMAT = 2
APPLICATION_ID = 0x46505249
SUPPORTED = f"an index of format 1 or {FORMAT} (Index.create or `fingerprint index create`)"
REBUILD = "Index.rebuild, or `fingerprint index verify --rebuild`, mends it"

_MAGIC = b"SQLite format 3\0"

_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    manifest INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    next_seq INTEGER NOT NULL,
    sealed INTEGER NOT NULL,
    removals INTEGER NOT NULL
) STRICT;
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    id TEXT,
    hash BLOB NOT NULL,
    quality INTEGER NOT NULL,
    metadata TEXT,
    crc INTEGER NOT NULL
) STRICT;
CREATE TABLE blocks (
    first_seq INTEGER PRIMARY KEY,
    n INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    quality BLOB NOT NULL,
    crc INTEGER NOT NULL
) STRICT;
CREATE TABLE names (id TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE segments (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    backend TEXT NOT NULL,
    files TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE removals (n INTEGER PRIMARY KEY, seqs BLOB NOT NULL) STRICT;
INSERT INTO state VALUES (1, 0, 0, 0, 1, 0, 0);
"""


class Facts(NamedTuple):
    """What an index is, beside its entries."""

    algorithm: str
    version: int
    bits: int
    backend: str
    backend_options: dict[str, Any]

    @property
    def kind(self) -> tuple[str, int, int]:
        """Algorithm, version and bits."""
        return self.algorithm, self.version, self.bits

    def as_texts(self) -> dict[str, str]:
        """Return them as they are stored."""
        return {
            "algorithm": self.algorithm,
            "version": str(self.version),
            "bits": str(self.bits),
            "backend": self.backend,
            "backend_options": json.dumps(self.backend_options, sort_keys=True),
        }


def _crc_of_facts(texts: Mapping[str, str]) -> str:
    return str(zlib.crc32(json.dumps(texts, sort_keys=True).encode()))


def format_of(directory: Path) -> int:
    """Return the format of the index in a directory, 1 or 2.

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
        if file.read(16) != _MAGIC:
            raise IndexFormatError(str(directory), "no SQLite file", SUPPORTED)
    db = connect_reader(path)
    try:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        found_format = int(db.execute("PRAGMA user_version").fetchone()[0])
    except SQLITE_ERRORS as error:
        raise typed_error(error, directory) from error
    finally:
        db.close()
    if application != APPLICATION_ID:
        raise IndexFormatError(str(directory), "another program's database", SUPPORTED)
    if found_format not in (1, FORMAT):
        raise IndexFormatError(str(directory), f"format {found_format}", SUPPORTED)
    return found_format


def create_catalog(path: Path, facts: Facts) -> sqlite3.Connection:
    """Make a catalog without entries, readable by its owner alone, and connect to it."""
    durable.make_private_file(path)
    db = connect_writer(path)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {FORMAT}")
    db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
    texts = facts.as_texts()
    rows = [*texts.items(), ("crc", _crc_of_facts(texts))]
    db.executemany("INSERT INTO facts VALUES (?, ?)", rows)
    return db


def read_facts(db: sqlite3.Connection, directory: Path) -> Facts:
    """Read what the index is.

    Raises
    ------
    CorruptIndexError
        It does not match its checksum.
    """
    try:
        texts: dict[str, str] = dict(db.execute("SELECT name, value FROM facts"))
        facts = Facts(
            texts["algorithm"],
            int(texts["version"]),
            int(texts["bits"]),
            texts["backend"],
            json.loads(texts["backend_options"]),
        )
        if texts["crc"] != _crc_of_facts({name: texts[name] for name in facts.as_texts()}):
            raise CorruptIndexError(str(directory), "its facts do not match their checksum")
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, FingerprintError):
            raise
        raise CorruptIndexError(str(directory), f"its facts: {error!r}") from error
    except SQLITE_ERRORS as error:
        raise typed_error(error, directory) from error
    return facts


def write_fact(db: sqlite3.Connection, name: str, value: str) -> None:
    """Set a fact that may change."""
    db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def read_state(db: sqlite3.Connection) -> State:
    """Read the counters."""
    row = db.execute(
        "SELECT version, manifest, entries, next_seq, sealed, removals FROM state"
    ).fetchone()
    if row is None or any(type(value) is not int for value in row):
        raise sqlite3.DatabaseError("the table state does not hold what it should")
    return State(*row)


def write_state(db: sqlite3.Connection, state: State) -> None:
    """Write the counters."""
    db.execute(
        "UPDATE state SET version = ?, manifest = ?, entries = ?, next_seq = ?, sealed = ?, "
        "removals = ?",
        state,
    )
