"""An index on disk: one SQLite file in a directory of its own.

Format 1. ``catalog.sqlite`` has the application id ``0x46505249`` ("FPRI") and
the format as ``user_version``. Table ``facts`` holds name and value pairs
(algorithm, version, bits, backend, backend options as JSON, the number of entries,
and a SHA-256 of all that). Table ``entries`` holds one row an entry: ``seq``, ``id``,
``hash`` (the packed bytes), ``quality`` (0 to 100, or -1), ``metadata`` (JSON).

Both are readable by their owner alone: a list of hashes is sensitive.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from fingerprint.errors import CorruptIndexError, IndexFormatError

__all__ = ["CATALOG", "FORMAT", "CatalogFacts", "EntryRow", "read_catalog", "write_catalog"]

CATALOG = "catalog.sqlite"
FORMAT = 1
_APPLICATION_ID = 0x46505249
_SQLITE_MAGIC = b"SQLite format 3\0"
_DRAFT = ".catalog-"
_STALE_AFTER_S = 3600.0
_SUPPORTED = f"an index of format {FORMAT} (Index.save or `fingerprint index create` makes one)"

_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL,
    quality INTEGER NOT NULL,
    metadata TEXT NOT NULL
) STRICT;
"""


class CatalogFacts(NamedTuple):
    """What an index is, beside its entries."""

    algorithm: str
    version: int
    bits: int
    backend: str
    backend_options: dict[str, Any]


class EntryRow(NamedTuple):
    """One entry as it is stored; ``metadata`` is JSON text."""

    id: str
    packed: bytes
    quality: int
    metadata: str


def write_catalog(directory: Path, facts: CatalogFacts, entries: Iterable[EntryRow]) -> None:
    """Write a catalog into ``directory``, replacing the one that is there.

    The new file is complete and on the disk before it takes the old one's name:
    whenever the machine stops, one of the two is there and whole.

    Raises
    ------
    IndexFormatError
        Something that is no index is in the way.
    OSError
        The disk is full, or the directory cannot be written.
    """
    if directory.exists() and not _replaceable(directory):
        raise IndexFormatError(
            str(directory), "something that is no index", "a new path, or an index to replace"
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_stale_drafts(directory)
    # Made by mkstemp, so readable by the owner alone from the start.
    handle, name = tempfile.mkstemp(prefix=_DRAFT, dir=directory)
    draft = Path(name)
    try:
        _fill(draft, facts, entries)
        os.fsync(handle)
        draft.replace(directory / CATALOG)
    except sqlite3.Error as error:
        draft.unlink(missing_ok=True)
        raise OSError(errno.EIO, f"the index cannot be written: {error}", str(directory)) from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    _sync_directory(directory)


def _replaceable(directory: Path) -> bool:
    if not directory.is_dir():
        return False
    catalog = directory / CATALOG
    if catalog.exists():
        with catalog.open("rb") as file:
            header = file.read(72)
        ours = header[68:72] == _APPLICATION_ID.to_bytes(4, "big")
        return not header or (header.startswith(_SQLITE_MAGIC) and ours)
    return all(path.name.startswith(_DRAFT) for path in directory.iterdir())


def _remove_stale_drafts(directory: Path) -> None:
    """Remove what a killed writer left: it holds as much of the list as it got to."""
    for path in directory.glob(f"{_DRAFT}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_AFTER_S:
                path.unlink()


def _fill(path: Path, facts: CatalogFacts, entries: Iterable[EntryRow]) -> None:
    digest = _digest_of_facts(facts)
    count = 0

    def digested() -> Iterator[EntryRow]:
        nonlocal count
        for entry in entries:
            _digest_entry(digest, entry)
            count += 1
            yield entry

    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        # The file is private until it is renamed: no journal is needed.
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
        db.executescript(_SCHEMA)
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO entries (id, hash, quality, metadata) VALUES (?, ?, ?, ?)", digested()
        )
        values = {
            "algorithm": facts.algorithm,
            "version": str(facts.version),
            "bits": str(facts.bits),
            "backend": facts.backend,
            "backend_options": json.dumps(facts.backend_options, sort_keys=True),
            "count": str(count),
            "sha256": digest.hexdigest(),
        }
        db.executemany("INSERT INTO facts VALUES (?, ?)", values.items())
        db.execute("COMMIT")


def read_catalog(directory: Path) -> tuple[CatalogFacts, list[EntryRow]]:
    """Read a catalog and check it against its digest.

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
        raise IndexFormatError(str(directory), found, _SUPPORTED)
    with path.open("rb") as file:
        if file.read(16) != _SQLITE_MAGIC:
            raise IndexFormatError(str(directory), "no SQLite file", _SUPPORTED)
    try:
        # Never written in place, so whatever journal lies beside it is not its own.
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            return _read(db, directory)
    except IndexFormatError:
        raise
    except (sqlite3.Error, ValueError, TypeError, KeyError, AttributeError) as error:
        # SQLite hands out damaged values as it finds them: NULLs, broken UTF-8.
        detail = str(error) or type(error).__name__
        raise CorruptIndexError(str(directory), detail) from error


def _read(db: sqlite3.Connection, directory: Path) -> tuple[CatalogFacts, list[EntryRow]]:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if application != _APPLICATION_ID:
        raise IndexFormatError(str(directory), "another program's database", _SUPPORTED)
    if found != FORMAT:
        raise IndexFormatError(str(directory), f"format {found}", _SUPPORTED)
    values = dict(db.execute("SELECT name, value FROM facts"))
    facts = CatalogFacts(
        values["algorithm"],
        int(values["version"]),
        int(values["bits"]),
        values["backend"],
        json.loads(values["backend_options"]),
    )
    rows = db.execute("SELECT id, hash, quality, metadata FROM entries ORDER BY seq")
    entries = [EntryRow(*row) for row in rows]
    digest = _digest_of_facts(facts)
    for entry in entries:
        _digest_entry(digest, entry)
    if int(values["count"]) != len(entries) or values["sha256"] != digest.hexdigest():
        raise CorruptIndexError(str(directory), "the contents do not match their checksum")
    return facts, entries


def _digest_of_facts(facts: CatalogFacts) -> Any:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode())


def _digest_entry(digest: Any, entry: EntryRow) -> None:
    for part in (entry.id.encode(), entry.packed, str(entry.quality).encode()):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    text = entry.metadata.encode()
    digest.update(len(text).to_bytes(8, "big"))
    digest.update(text)


def _sync_directory(directory: Path) -> None:
    if os.name == "nt":  # Windows cannot open directories.
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
