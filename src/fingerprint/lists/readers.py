"""Connections for reading a list, and how it stood when each of them looked last."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fingerprint.errors import UnsupportedOperationError
from fingerprint.index.connections import (
    SQLITE_ERRORS,
    Connection,
    close_before_forks,
    connect_reader,
    is_stale,
    left_by_fork,
    typed_error,
)
from fingerprint.lists.reports import Feed
from fingerprint.lists.standing import feeds
from fingerprint.lists.tables import CATALOG, read_state

__all__ = ["Glance", "Readers", "ShelfRow", "Standing", "read_shelves"]


class ShelfRow(NamedTuple):
    """A shelf as the tables list it."""

    no: int
    folder: str
    next_number: int
    records: int


def folders_of(shelves: dict[str, ShelfRow]) -> set[str]:
    """Return where shelves are."""
    return {row.folder for row in shelves.values()}


class Standing(NamedTuple):
    """What every look-up and every screening asks of a list, as one commit has it.

    ``sources``: name, number of records and digest of each.
    """

    version: int
    entries: int
    sources: tuple[tuple[str, int, int], ...]
    shelves: dict[str, ShelfRow]
    feeds: tuple[Feed, ...]

    @property
    def folders(self) -> set[str]:
        """Where the shelves are."""
        return folders_of(self.shelves)


def read_shelves(db: sqlite3.Connection) -> dict[str, ShelfRow]:
    """Return the shelves by type."""
    rows = db.execute("SELECT type, no, folder, next_number, records FROM shelves ORDER BY type")
    return {row[0]: ShelfRow(*row[1:]) for row in rows}


def _read_standing(db: sqlite3.Connection) -> Standing:
    db.execute("BEGIN")
    try:
        state = read_state(db)
        sources = tuple(
            (name, entries, int.from_bytes(digest))
            for name, entries, digest in db.execute("SELECT name, entries, digest FROM sources")
        )
        return Standing(state.version, state.entries, sources, read_shelves(db), tuple(feeds(db)))
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


class Glance:
    """A connection, and how the list stood when it was lent."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        self.seen = -1
        self.standing: Standing | None = None

    def look(self) -> Standing:
        """Return how the list stands, read anew only if anybody has committed."""
        seen = self._data_version()
        if seen != self.seen or self.standing is None:
            self.standing = _read_standing(self.db)
            self.seen = seen
        return self.standing

    def begin(self) -> bool:
        """Hold on to a commit; return whether it is the one that was looked at."""
        if self.standing is None:
            return False
        self.db.execute("BEGIN")
        if read_state(self.db).version != self.standing.version:
            return False
        if self._data_version() == self.seen:
            return True
        # Shelves that are made anew have other numbers, in the same version.
        return folders_of(read_shelves(self.db)) == self.standing.folders

    def is_last(self) -> bool:
        """Let go of the commit; return whether no other has changed records or shelves since."""
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
        before = self.standing
        if before is None:
            return False
        now = self.look()
        return now.version == before.version and now.folders == before.folders

    def _data_version(self) -> int:
        version: int = self.db.execute("PRAGMA data_version").fetchone()[0]
        return version


class Readers:
    """Connections for reading, for any number of threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / CATALOG
        self._pool: list[Glance] = []
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._closed = False
        self._identity = _identity(self._path)
        close_before_forks(self)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Lend a connection that sees one commit, whatever is written meanwhile."""
        with self.glance() as glance:
            glance.db.execute("BEGIN")
            yield glance.db

    @contextmanager
    def glance(self) -> Iterator[Glance]:
        """Lend a connection that knows how the list stands."""
        glance = self._take()
        try:
            glance.look()
            yield glance
            if is_stale(glance.db, self._path):
                raise UnsupportedOperationError(
                    f"{self._directory} was written while it was read where it cannot be "
                    "locked: ask again"
                )
        except SQLITE_ERRORS as error:
            raise typed_error(error, self._directory) from error
        finally:
            self._give(glance)

    def close(self) -> None:
        """Close all connections that nobody uses; the others when they are given back."""
        self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close all connections that nobody uses."""
        with self._lock:
            idle, self._pool = self._pool, []
        for glance in idle:
            glance.db.close()

    def _take(self) -> Glance:
        if self._closed:
            raise ValueError(f"{self._directory}: the list is closed")
        if _identity(self._path) != self._identity:
            # What is still open of the old one would answer as if nothing had been added since.
            raise UnsupportedOperationError(
                f"{self._directory} was removed or replaced while it was open: open it anew"
            )
        if os.getpid() != self._pid:
            left_by_fork.extend(self._pool)
            self._pool, self._lock, self._pid = [], threading.Lock(), os.getpid()
        while True:
            with self._lock:
                glance = self._pool.pop() if self._pool else None
            if glance is None:
                return Glance(connect_reader(self._path))
            if not is_stale(glance.db, self._path):
                return glance
            glance.db.close()

    def _give(self, glance: Glance) -> None:
        db = glance.db
        if db.pid != os.getpid():
            left_by_fork.append(glance)
            return
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except SQLITE_ERRORS:
            db.close()
            return
        with self._lock:
            if not self._closed:
                self._pool.append(glance)
                return
        db.close()


def _identity(path: Path) -> tuple[int, int]:
    """Return which file a path leads to; zeros for none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
