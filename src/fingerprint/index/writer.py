"""Writing an index on disk: one writer, whose every change is a commit of its catalog."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.errors import IndexLockedError, UnsupportedOperationError
from fingerprint.index import durable
from fingerprint.index.building import Built
from fingerprint.index.catalog import read_manifest, read_removals
from fingerprint.index.changes import Pending, TableChange
from fingerprint.index.connections import close_before_forks, closed
from fingerprint.index.segments import SEGMENTS, remove_orphans
from fingerprint.index.tables import (
    CATALOG,
    SQLITE_ERRORS,
    connect_writer,
    read_state,
    typed_error,
    write_fact,
    write_state,
)
from fingerprint.index.view import Part, Rows, State, View, is_among

if TYPE_CHECKING:
    from fingerprint.index.catalog import Catalog
    from fingerprint.index.connections import Connection
    from fingerprint.typing import I64

__all__ = ["INSERT_SEGMENT", "SEAL_ABOVE", "OvertakenError", "Writer"]

SEAL_ABOVE = 32_768
"""Entries that may be scanned: with more, the tail becomes a segment."""

REMOVAL_ROWS = 4096
"""Rows of the log of removals before they are written as one."""

PATIENCE_MS = 10_000
"""How long a compaction waits for readers to let go of older states."""

INSERT_SEGMENT = "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)"


class Writer:
    """The one writer of an index.

    Threads take turns. Several changes in a transaction are one commit, and so is the
    segment that a large addition makes: nobody ever sees half of it.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.directory = catalog.directory
        self.facts = catalog.facts
        self.mutex = threading.RLock()
        self._pid = os.getpid()
        self._pending: Pending | None = None
        self._in_transaction = False
        self._busy = False
        self._closed = False
        self._at_end: Callable[[], None] | None = None
        self._db: Connection | None = None
        try:
            remove_orphans(self.directory, {one.name for one in read_manifest(self.db)})
        except SQLITE_ERRORS as error:
            raise typed_error(error, self.directory) from error
        close_before_forks(self)

    @property
    def db(self) -> Connection:
        """The connection; it is made anew after a fork."""
        if self._db is None:
            if self._closed:
                raise closed(self.directory)
            self._db = connect_writer(self.directory / CATALOG)
        return self._db

    @property
    def in_own_transaction(self) -> bool:
        """Whether the calling thread has a transaction open."""
        if not self._in_transaction or os.getpid() != self._pid:
            return False
        if not self.mutex.acquire(blocking=False):
            return False
        try:
            return self._in_transaction
        finally:
            self.mutex.release()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes within one commit."""
        with self.turn():
            if self._in_transaction:
                raise UnsupportedOperationError("a transaction within a transaction")
            with self._commit_at_end():
                self._in_transaction = True
                yield

    @contextmanager
    def change(self) -> Iterator[TableChange]:
        """Make one change: a commit of its own, or a part of the open transaction."""
        with self.turn():
            if not self._in_transaction:
                with self._commit_at_end() as pending:
                    # Nothing follows it: a long tail's segment is built beside the inserts.
                    yield self._change(pending, lambda: self._build_if_long(pending))
                return
            self._refuse_when_given_up()
            pending = self._open
            mark = pending.mark()
            self.db.execute("SAVEPOINT change")
            try:
                yield self._change(pending, pending.own_last)
            except BaseException:
                pending.back_to(mark)
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK TO change")
                    self.db.execute("RELEASE change")
                raise
            self.db.execute("RELEASE change")

    def _change(self, pending: Pending, on_added: Callable[[], None]) -> TableChange:
        return TableChange(self.db, self.directory, self.facts.bits, pending, on_added)

    def _refuse_when_given_up(self) -> None:
        """Raise when SQLite ended the transaction by itself, as it may on a full disk."""
        if not self.db.in_transaction:
            raise UnsupportedOperationError(
                "an error has ended this transaction: nothing of it is kept, leave it"
            )

    def seal(self) -> None:
        """Move the tail into a segment."""
        with self.turn():
            self.refuse_in_transaction("seal")
            if self.catalog.view().tail.n:
                with self._commit_at_end() as pending:
                    pending.built = self._build(pending)

    def replace(self, parts: Sequence[Part], built: Built, *, sealed: int | None = None) -> None:
        """Put one segment in the place of several, and of the tail up to ``sealed``.

        What was removed since it was written stays removed. OvertakenError when the
        others are no longer all there.
        """
        names = {one.name for one in parts}
        with self.turn():
            self.refuse_in_transaction("compact")
            with self._commit_at_end() as pending:
                pending.built = built
                if not names <= {one.name for one in read_manifest(self.db)}:
                    raise OvertakenError
                pending.merged = tuple(names)
                gone = [one.removed_seqs for one in parts]
                if sealed is not None:
                    pending.state = pending.state._replace(sealed=sealed)
                    gone.append(read_removals(self.db))
                self._write_manifest(np.unique(np.concatenate([*gone, np.empty(0, np.int64)])))
        for name in names:
            durable.remove_folder(self.directory / SEGMENTS / name)

    def erase(self) -> None:
        """Overwrite what was removed: in the catalog, and in its log.

        Raises
        ------
        IndexLockedError
            A reader still looks at an older state, which the log has to keep.
        """
        with self.turn():
            self.refuse_in_transaction("compact")
            (erased,) = self.db.execute(
                "SELECT COALESCE(MAX(value), '0') FROM facts WHERE name = 'erased'"
            ).fetchone()
            removals = str(read_state(self.db).removals)
            if erased != removals:
                # Deleted cells are zeroed at once, but moving cells leaves copies behind.
                self._rewrite(removals)
            self.db.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
            (busy, _, _) = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise IndexLockedError(
                str(self.directory),
                "compacted, but a reader looks at an older state: what was removed is still in "
                "the log; compact again when it is done",
            )

    def _rewrite(self, removals: str) -> None:
        try:
            self.db.execute("VACUUM")
            write_fact(self.db, "erased", removals)
        except SQLITE_ERRORS as error:
            outcome = "segments are merged, but what was removed is still there: compact again"
            raise typed_error(error, self.directory, outcome) from error

    def note(self, name: str, value: str) -> None:
        """Write a fact that says nothing of the entries."""
        with self.turn():
            self.refuse_in_transaction("verify")
            write_fact(self.db, name, value)

    @property
    def pending_entries(self) -> int:
        """Number of entries as the open transaction has it."""
        return self._open.state.entries

    def finish_first(self, close: Callable[[], None]) -> bool:
        """Put closing off to the end of the change that the calling thread is in, if any.

        That change is given up: who closes in its middle, such as a signal handler, cannot
        wait for it.
        """
        if os.getpid() != self._pid or not self.mutex.acquire(blocking=False):
            return False
        try:
            if self._busy:
                self._closed = True
                self._at_end = close
            return self._busy
        finally:
            self.mutex.release()

    def close(self) -> None:
        """Close the catalog when nobody changes anything.

        SQLite moves its log into the catalog when the last connection is closed, which
        must be one that may write.
        """
        if os.getpid() != self._pid:
            self._closed = True
            return
        with self.mutex:
            if self._db is None and not self._closed:  # Since a fork.
                with suppress(*SQLITE_ERRORS):
                    self._db = connect_writer(self.directory / CATALOG)
            self._closed = True
            self.catalog.close()
            self._disconnect()

    def close_idle(self) -> None:
        """Close the connection, unless it is in use."""
        if os.getpid() == self._pid and self.mutex.acquire(blocking=False):
            try:
                if not self._busy:
                    self.catalog.close_idle()
                    self._disconnect()
            finally:
                self.mutex.release()

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def refuse_in_transaction(self, what: str) -> None:
        """Raise where a commit would end somebody's transaction."""
        if self._in_transaction:
            raise UnsupportedOperationError(f"{what} within a transaction")

    @property
    def _open(self) -> Pending:
        if self._pending is None:
            raise UnsupportedOperationError("no change is open")
        return self._pending

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let one thread at a time write; what it leaves undone at the end is undone."""
        if os.getpid() != self._pid:
            raise UnsupportedOperationError(
                f"{self.directory}: opened for writing before a fork; open it anew in the child"
            )
        outermost = False
        try:
            with self.mutex:
                if self._closed:
                    raise closed(self.directory)
                outermost = not self._busy
                try:
                    try:
                        self._busy = True
                        yield
                    finally:
                        if outermost:
                            self._settle()
                finally:  # Once more: an interrupt may have come in between.
                    if outermost:
                        self._settle()
        except SQLITE_ERRORS as error:
            raise typed_error(error, self.directory) from error
        except OverflowError as error:
            raise ValueError("an id or metadata is longer than SQLite takes") from error
        finally:
            if outermost and self._at_end is not None:
                self._at_end()

    def _settle(self) -> None:
        self._pending = None
        self._in_transaction = False
        if self._db is not None and self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._busy = False

    @contextmanager
    def _commit_at_end(self) -> Iterator[Pending]:
        if self._pending is not None:
            raise UnsupportedOperationError(f"{self.directory}: a change within a change")
        pending = Pending(State())
        try:
            self.db.execute("BEGIN IMMEDIATE")
            pending.state = read_state(self.db)
            self._pending = pending
            yield pending
            self._commit(pending)
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            if pending.built is not None:
                # Unless the interrupt came after its commit. What stays, the next writer removes.
                with suppress(*SQLITE_ERRORS):
                    pending.built.remove_unless({one.name for one in read_manifest(self.db)})
            raise
        finally:
            self._pending = None

    def _commit(self, pending: Pending) -> None:
        if self._closed:
            raise closed(self.directory)
        self._refuse_when_given_up()
        if not (pending.added or pending.removed or pending.built):
            self.db.execute("ROLLBACK")
            return
        if pending.is_listed:
            pass
        elif pending.built or self._is_long(pending):
            self._seal()
        elif pending.removed:
            self._log_removals(pending.removed_seqs)
        state = pending.state = pending.state._replace(version=pending.state.version + 1)
        write_state(self.db, state)
        durable.commit(self.db)
        self.catalog.publish(state, lambda view: self._advanced(view, pending))

    def _advanced(self, view: View, pending: Pending) -> View:
        segments = [part for part in view.segments if part.name not in pending.merged]
        new = None if pending.built is None else pending.built.part()
        if new is not None:
            segments.append(new)
            segments.sort(key=lambda part: int(part.rows.seqs[0]))
        removed = pending.removed_seqs
        if pending.merged:  # Rows that were removed while others were being merged.
            removed = read_removals(self.db)
        sealed = pending.state.sealed
        added = [rows for rows in pending.added if rows.seqs[-1] > sealed]
        segments = [part.without(removed) for part in segments]
        return view.advanced(pending.state, segments, removed, added)

    def _is_long(self, pending: Pending) -> bool:
        """Return whether the tail would be too long to be scanned."""
        n = sum(rows.seqs.size for rows in pending.added)
        return self.catalog.view().tail.n_alive + n > SEAL_ABOVE

    def _build_if_long(self, pending: Pending) -> None:
        if self._is_long(pending):
            pending.built = self._build(pending)

    def _build(self, pending: Pending) -> Built:
        """Begin to write the tail and what is pending as a segment."""
        removed = pending.removed_seqs
        tail = self.catalog.view().tail.without(removed)
        chunks = [*tail.alive_rows(), *(_without(rows, removed) for rows in pending.added)]
        n = sum(rows.seqs.size for rows in chunks)
        return Built(self.catalog, chunks, n)

    def _seal(self) -> None:
        """Put the tail and what is pending into a segment, within the open commit."""
        pending = self._open
        if pending.built is None:
            pending.built = self._build(pending)
        old_sealed = pending.state.sealed
        pending.state = pending.state._replace(sealed=pending.state.next_seq - 1)
        self._write_manifest(np.empty(0, np.int64), up_to=old_sealed)

    def _write_manifest(self, forgotten: I64, up_to: int | None = None) -> None:
        """Write the change of segments, and the log of removals anew.

        The log keeps what may still stand in a segment: nothing beyond ``up_to``, which
        was in the tail, and none of ``forgotten``.
        """
        pending = self._open
        for name in pending.merged:
            self.db.execute("DELETE FROM segments WHERE name = ?", (name,))
        pending.is_listed = True
        segment = None if pending.built is None else pending.built.segment()
        if segment is not None:
            self.db.execute(INSERT_SEGMENT, segment.as_row())
        removed = np.union1d(read_removals(self.db), pending.removed_seqs)
        if up_to is not None:
            removed = removed[removed <= up_to]
        self._rewrite_removals(removed[~is_among(forgotten, removed)])
        pending.state = pending.state._replace(manifest=pending.state.manifest + 1)

    def _log_removals(self, seqs: I64) -> None:
        (rows,) = self.db.execute("SELECT COUNT(*) FROM removals").fetchone()
        if rows >= REMOVAL_ROWS:
            self._rewrite_removals(np.union1d(read_removals(self.db), seqs))
        elif seqs.size:
            pending = self._open
            n = pending.state.removals + 1
            self.db.execute("INSERT INTO removals VALUES (?, ?)", (n, seqs.astype("<i8").tobytes()))
            pending.state = pending.state._replace(removals=n)

    def _rewrite_removals(self, seqs: I64) -> None:
        self.db.execute("DELETE FROM removals")
        self._log_removals(seqs)


class OvertakenError(Exception):
    """The segments that were merged are no longer there."""


def _without(rows: Rows, removed: I64) -> Rows:
    return rows.at(~is_among(removed, rows.seqs)) if removed.size else rows
