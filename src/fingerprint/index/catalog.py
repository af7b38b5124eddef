"""Reading an index on disk: connections to its catalog, and the view of its last commit."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.errors import CorruptIndexError, UnsupportedOperationError
from fingerprint.index.connections import close_before_forks, closed, is_stale, left_by_fork
from fingerprint.index.reading import (
    find_row,
    iterate_hashes,
    iterate_rows,
    read_names,
    read_records,
)
from fingerprint.index.segments import Segment, damaged, open_segment
from fingerprint.index.store import EntryGoneError
from fingerprint.index.tables import (
    CATALOG,
    SQLITE_ERRORS,
    connect_reader,
    read_facts,
    read_state,
    typed_error,
)
from fingerprint.index.view import View

if TYPE_CHECKING:
    from fingerprint.index.rows import EntryRow
    from fingerprint.index.store import Record
    from fingerprint.index.view import Part, State
    from fingerprint.typing import I64, Residency

__all__ = [
    "Catalog",
    "Snapshot",
    "read_manifest",
    "read_removals",
]

_ATTEMPTS = 20


class _Connection:
    """A connection for reading, and what it knew of the last commit."""

    def __init__(self, path: Path) -> None:
        self.db = connect_reader(path)
        self.seen = -1

    def data_version(self) -> int:
        """Return a number that changes when anybody commits."""
        version: int = self.db.execute("PRAGMA data_version").fetchone()[0]
        return version


class Snapshot:
    """The index as one read transaction sees it."""

    def __init__(self, db: sqlite3.Connection, directory: Path, view: Callable[[], View]) -> None:
        self._db = db
        self._directory = directory
        self._view = view

    @cached_property
    def view(self) -> View:
        """What a search sees; EntryGoneError when a segment was merged away just now."""
        return self._view()

    def records(self, seqs: Sequence[int]) -> dict[int, Record]:
        """Return id and metadata of entries by their sequence numbers."""
        return read_records(self._db, self._directory, seqs)

    def rows(self) -> Iterator[EntryRow]:
        """Yield all entries, in order."""
        begun_in = os.getpid()
        for row in iterate_rows(self._db, self._directory):
            if os.getpid() != begun_in:
                raise UnsupportedOperationError(
                    f"{self._directory}: this iteration began before a fork; begin it anew after it"
                )
            yield row

    def named(self, after: int = 0) -> dict[int, str]:
        """Return the ids that entries were given, by sequence numbers beyond one, in order."""
        return read_names(self._db, after)


class Catalog:
    """The reading side of an index on disk, for any number of threads.

    Connections are kept in a pool; a call takes one for itself. Whether somebody has
    committed since is asked of SQLite in microseconds; only then is the view brought
    up to date, by what was added and removed since.
    """

    def __init__(self, directory: Path, residency: Residency) -> None:
        self.directory = directory
        self.residency: Residency = residency
        self._path = directory / CATALOG
        self._pool: list[_Connection] = []
        self._closed = False
        self._pid = os.getpid()
        self._advancing = threading.RLock()
        first = _Connection(self._path)
        try:
            self.facts = read_facts(first.db, directory)
            self._view = View.empty(self.facts.kind)
        except BaseException:
            first.db.close()
            raise
        self._pool.append(first)
        close_before_forks(self)

    @property
    def published(self) -> View:
        """The newest view that anybody has asked for, or committed."""
        return self._view

    def view(self) -> View:
        """Return the view of the last commit."""
        connection = self._take()
        try:
            seen = connection.data_version()
            if seen != connection.seen:
                self._catch_up(connection.db)
                connection.seen = seen
            view = self._view
            self._refuse_torn(connection)
        except SQLITE_ERRORS as error:
            self._refuse_torn(connection)
            raise typed_error(error, self.directory) from error
        finally:
            self._give(connection)
        # `close` empties the view after it says so: this one is what was asked for.
        if self._closed:
            raise closed(self.directory)
        return view

    def records(self, seqs: Sequence[int]) -> dict[int, Record]:
        """Return id and metadata by sequence number, or raise EntryGoneError."""
        with self.connection() as db:
            return read_records(db, self.directory, seqs)

    def find(self, name: str) -> EntryRow | None:
        """Return the entry with this id, if there is one."""
        with self.connection() as db:
            return find_row(db, self.directory, name)

    @contextmanager
    def frozen(self) -> Iterator[Snapshot]:
        """Hold on to one commit: nothing that is read within can change."""
        with self.connection() as db:
            db.execute("BEGIN")  # Ended when it is given back.
            read_state(db)  # The first read says which commit it is.
            yield Snapshot(db, self.directory, lambda: self._view_within(db))

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to one thread."""
        connection = self._take()
        try:
            yield connection.db
            self._refuse_torn(connection)
        except SQLITE_ERRORS as error:
            self._refuse_torn(connection)
            raise typed_error(error, self.directory) from error
        finally:
            self._give(connection)

    def publish(self, state: State, advance: Callable[[View], View]) -> None:
        """Show the view of a commit to all searches, unless one of them has found it."""
        with self._advancing:
            if not self._closed and state.version > self._view.state.version:
                self._view = advance(self._view)

    def segments_of(self, segments: Iterable[Segment], known: Iterable[Part]) -> list[Part]:
        """Open those segments that are not open already."""
        parts = {part.name: part for part in known}
        return [
            parts[segment.name]
            if segment.name in parts
            else open_segment(self.directory, self.facts, segment, self.residency)
            for segment in segments
        ]

    def close(self) -> None:
        """Close all connections that nobody uses; the others when they are given back."""
        self._closed = True
        self._view = View.empty(self.facts.kind)
        self.close_idle()

    def close_idle(self) -> None:
        """Close all connections that nobody uses."""
        while self._pool:
            with suppress(IndexError):
                self._pool.pop().db.close()

    def _take(self) -> _Connection:
        if self._closed:
            raise closed(self.directory)
        if os.getpid() != self._pid:
            self._start_again_after_fork()
        while True:
            try:
                connection = self._pool.pop()
            except IndexError:
                return _Connection(self._path)
            if not is_stale(connection.db, self._path):
                return connection
            connection.db.close()

    def _give(self, connection: _Connection) -> None:
        """Take a connection back, without the transaction that an interrupt may have left."""
        db = connection.db
        if db.pid != os.getpid():
            left_by_fork.append(connection)
            return
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except SQLITE_ERRORS:
            db.close()
            return
        self._pool.append(connection)
        if self._closed:
            self.close_idle()

    def _refuse_torn(self, connection: _Connection) -> None:
        """Raise when a writer came where it could not be locked out."""
        if is_stale(connection.db, self._path):
            raise UnsupportedOperationError(
                f"{self.directory} was written while it was read where it cannot be locked: "
                "ask again"
            )

    def _start_again_after_fork(self) -> None:
        left_by_fork.extend([*self._pool, self._advancing])
        self._pool = []
        self._advancing = threading.RLock()
        self._pid = os.getpid()

    def _catch_up(self, db: sqlite3.Connection) -> None:
        """Bring the view to the last commit, or a later one."""
        with self._advancing:
            manifest = None
            for _ in range(_ATTEMPTS):
                db.execute("BEGIN")
                try:
                    state = read_state(db)
                    if state.version > self._view.state.version:
                        self._view = self._advanced(db, state)
                    return
                except FileNotFoundError as error:
                    # Merged away between our reading of the manifest and of the files;
                    # unless the manifest still says the same.
                    if state.manifest == manifest:
                        raise self._missing(error) from error
                    manifest = state.manifest
                finally:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
        raise CorruptIndexError(str(self.directory), "its segments keep vanishing")

    def _view_within(self, db: sqlite3.Connection) -> View:
        """Return the view of the commit that an open read transaction sees."""
        with self._advancing:
            state = read_state(db)
            try:
                if state.version > self._view.state.version:
                    self._view = self._advanced(db, state)
            except FileNotFoundError:
                raise EntryGoneError from None
            if state.version != self._view.state.version:
                raise EntryGoneError  # Another thread is ahead already.
            view = self._view
        if self._closed:
            raise closed(self.directory)
        return view

    def _missing(self, error: FileNotFoundError) -> CorruptIndexError:
        missing = Path(str(error.filename))
        return damaged(self.directory, missing.parent.name, f"{missing.name} is missing")

    def _advanced(self, db: sqlite3.Connection, state: State) -> View:
        view = self._view
        new = read_removals(db, after=view.state.removals)
        if state.manifest == view.state.manifest:
            segments = [part.without(new) for part in view.segments]
        else:
            every = read_removals(db)
            opened = self.segments_of(read_manifest(db), view.segments)
            segments = [part.without(every) for part in opened]
        last = max(view.state.next_seq - 1, state.sealed)
        added = iterate_hashes(db, self.directory, self.facts.bits, last)
        return view.advanced(state, segments, new, added)


def read_manifest(db: sqlite3.Connection) -> list[Segment]:
    """Return the segments in order."""
    rows = db.execute(
        "SELECT name, n, first_seq, last_seq, backend, files FROM segments ORDER BY first_seq"
    )
    try:
        return [Segment.from_row(row) for row in rows]
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError("the table segments does not hold what it should") from error


def read_removals(db: sqlite3.Connection, after: int = -1) -> I64:
    """Return the sequence numbers that were removed since a removal, ascending."""
    blobs = db.execute("SELECT seqs FROM removals WHERE n > ?", (after,)).fetchall()
    try:
        return np.unique(np.frombuffer(b"".join(blob for (blob,) in blobs), "<i8"))
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError("the table removals does not hold what it should") from error
