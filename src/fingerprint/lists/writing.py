"""Writing a list: each change one commit of its tables, shelves before it and behind it."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fingerprint.errors import (
    IndexLockedError,
    UnknownIdError,
    UnsupportedOperationError,
)
from fingerprint.index import durable
from fingerprint.index.connections import close_before_forks
from fingerprint.lists.applying import Applier, Tally
from fingerprint.lists.content import DIGEST_NBYTES, combined, record_of, value_of
from fingerprint.lists.record_tables import without_hashes
from fingerprint.lists.reports import ApplyReport
from fingerprint.lists.shelves import SHELVES, Place, Shelf, Shelves, hashes_of, places_text
from fingerprint.lists.standing import checkpoint_text, write_feed
from fingerprint.lists.tables import (
    CATALOG,
    SQLITE_ERRORS,
    State,
    connect_writer,
    read_state,
    temporary_files_in,
    text,
    typed_error,
    write_state,
)

if TYPE_CHECKING:
    from fingerprint.index.connections import Connection
    from fingerprint.lists.records import Change

__all__ = ["ListWriter"]

_MANY = 100_000
"""Added records from which it is worth while to join the segments of the shelves."""

PATIENCE_MS = 10_000
"""How long a purge waits for readers to let go of older states."""

_COMMITTED = "changes are committed, but what was retracted is still in the files: purge again"


class ListWriter:
    """The one writer of a list; threads take turns."""

    def __init__(self, directory: Path, shelves: Shelves, *, settle: bool = True) -> None:
        self._directory = directory
        self._shelves = shelves
        self._mutex = threading.RLock()
        self._pid = os.getpid()
        self._busy = False
        self._closed = False
        self._db: Connection | None = None
        if settle:
            with self._turn() as db:
                self._settle(db)
        close_before_forks(self)

    def apply(
        self,
        changes: Iterable[Change],
        *,
        by: str,
        feed: str,
        checkpoint: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None,
        snapshot_of: str | None,
        max_retracted_share: float,
        refreshed_at: datetime | None,
        expires_at: datetime | None,
        note: str,
        purge: bool,
        by_time: bool,
        progress: Callable[[int], object] | None,
    ) -> ApplyReport:
        """Apply changes; see `HashList.apply`."""
        now = datetime.now(UTC)
        for name, value in (("by", by), ("feed", feed), ("note", note)):
            if not isinstance(value, str):
                raise TypeError(f"{name}: expected text, got {type(value).__name__}")
        if not by:
            raise ValueError("by: expected who brings the changes, got nothing")
        if snapshot_of == "":
            raise ValueError("snapshot_of: expected a source, got nothing")
        if not 0 <= max_retracted_share <= 1:
            raise ValueError(f"max_retracted_share: expected 0 to 1, got {max_retracted_share}")
        with self._turn() as db:
            self._settle(db)
            with self._commit(db):
                state = read_state(db)
                # Its end waits for what is still going onto shelves, also on an error.
                with ThreadPoolExecutor(1, "fingerprint-shelves") as beside:
                    applier = Applier(db, self._shelves, state, text(now) or "", by, beside)
                    applier.by_time = by_time
                    if snapshot_of is not None:
                        applier.snapshot_of(snapshot_of)
                    applier.run(changes, progress)
                    applier.retract_unseen(max_retracted_share)
                    reached = applier.finish()
                tally = applier.tally
                unpurged = state.unpurged + tally.retracted + tally.replaced
                reached = reached._replace(unpurged=unpurged)
                write_state(db, reached)
                digest = _digest(db)
                if tally.changed:
                    _note_version(db, state, reached, tally, digest, (text(now), by, feed, note))
                _keep_rejections(db, feed, text(now) or "", tally, snapshot_of is not None)
                given = checkpoint() if callable(checkpoint) else checkpoint
                if feed or given is not None or refreshed_at or expires_at:
                    written = None if given is None else checkpoint_text(given)
                    write_feed(db, feed, written, refreshed_at or now, expires_at)
            purged = self._tidy(db, purge=purge and unpurged > 0) and (purge or not unpurged)
            if tally.added > max(_MANY, reached.entries // 2):
                self._join_segments(db)
        return ApplyReport(
            version=reached.version,
            changed=bool(tally.changed),
            added=tally.added,
            updated=tally.updated,
            unchanged=tally.unchanged,
            retracted=tally.retracted,
            unknown_retractions=tally.unknown_retractions,
            outdated=tally.outdated,
            rejected=tally.rejected,
            rejected_hashes=tally.rejected_hashes,
            withheld=tally.withheld,
            digest=digest,
            purged=purged,
        )

    def set_checkpoint(
        self,
        feed: str,
        checkpoint: Mapping[str, Any],
        refreshed_at: datetime | None,
        expires_at: datetime | None,
    ) -> None:
        """Note how far a feed was read."""
        written = checkpoint_text(checkpoint)
        with self._turn() as db, self._commit(db):
            write_feed(db, feed, written, refreshed_at, expires_at)

    def mark_stale(self, feed: str, reason: str) -> None:
        """Say that a feed cannot be relied on."""
        if not reason:
            raise ValueError("reason: expected why, got nothing")
        with self._turn() as db, self._commit(db):
            write_feed(db, feed, None, None, None)
            db.execute("UPDATE feeds SET stale = ? WHERE name = ?", (reason, feed))

    def suspend(
        self, source: str, record_id: str, by: str, reason: str, *, suspended: bool
    ) -> None:
        """Keep a record from being found, or let it be found again."""
        with self._turn() as db, self._commit(db):
            row = db.execute(
                "SELECT r.source FROM records AS r JOIN sources AS s ON s.no = r.source "
                "WHERE s.name = ? AND r.id = ?",
                (source, record_id),
            ).fetchone()
            if row is None:
                raise UnknownIdError(f"record {record_id!r} of {source!r} is not in the list")
            key = (row[0], record_id)
            if suspended:
                done = db.execute("INSERT OR IGNORE INTO suspended VALUES (?, ?)", key)
            else:
                done = db.execute("DELETE FROM suspended WHERE source = ? AND id = ?", key)
            if done.rowcount:
                action = "suspended" if suspended else "resumed"
                now = text(datetime.now(UTC))
                db.execute(
                    "INSERT INTO events (source, id, version, at, by, action, detail) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*key, read_state(db).version, now, by, action, without_hashes(reason)),
                )

    def purge(self, progress: Callable[[float], object] | None) -> None:
        """Overwrite everything that was retracted."""
        with self._turn() as db:
            self._settle(db)
            try:
                self._purge(db, progress)
            except SQLITE_ERRORS as error:
                raise typed_error(error, self._directory, _COMMITTED) from error

    def rebuild(self, progress: Callable[[int], object] | None) -> None:
        """Make all shelves anew."""
        with self._turn() as db:
            old = list(self._shelves.listed(db))
            with self._commit(db):
                for table in ("shelves", "places", "leaving"):
                    db.execute(f"DELETE FROM {table}")  # noqa: S608
                for name in old:
                    self._shelves.forget(name)
                self._fill(db, progress)
            self._settle(db)

    def copy(self, target: Path) -> None:
        """Copy everything into an empty folder; nothing changes meanwhile."""
        with self._turn() as db:
            self._settle(db)
            durable.make_private_file(target / CATALOG)
            copy = sqlite3.connect(target / CATALOG)
            try:
                db.backup(copy)
            finally:
                copy.close()
            durable.make_private(target / SHELVES)
            for name, (_, folder, _, _) in self._shelves.listed(db).items():
                shelf = self._shelves.get(db, name)
                if shelf is not None:
                    shelf.index.snapshot(target / SHELVES / folder)

    def close(self) -> None:
        """Close the connection when nobody changes anything."""
        if os.getpid() != self._pid:
            return
        with self._mutex:
            self._closed = True
            with suppress(*SQLITE_ERRORS, OSError, UnsupportedOperationError):
                # Readers may stay open, and the last to close could not: a list must not
                # be empty without the log beside it.
                if self._db is None:
                    self._db = connect_writer(self._directory / CATALOG)
                self._db.execute("PRAGMA busy_timeout = 0")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if self._db is not None:
                self._db.close()
                self._db = None

    def close_idle(self) -> None:
        """Close the connection unless it is in use: a fork is about to happen."""
        if os.getpid() == self._pid and self._mutex.acquire(blocking=False):
            try:
                if not self._busy and self._db is not None:
                    self._db.close()
                    self._db = None
            finally:
                self._mutex.release()

    @contextmanager
    def _turn(self) -> Iterator[Connection]:
        if os.getpid() != self._pid:
            raise UnsupportedOperationError(
                f"{self._directory}: opened for writing before a fork; open it anew in the child"
            )
        with self._mutex:
            if self._busy:
                raise UnsupportedOperationError(f"{self._directory}: a change within a change")
            if self._closed:
                raise ValueError(f"{self._directory}: the list is closed")
            self._busy = True
            try:
                if self._db is None:
                    self._db = connect_writer(self._directory / CATALOG)
                yield self._db
            except SQLITE_ERRORS as error:
                raise typed_error(error, self._directory) from error
            finally:
                self._busy = False

    @contextmanager
    def _commit(self, db: Connection) -> Iterator[None]:
        """Make what follows one commit; undone on an error."""
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            durable.commit(db)
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            listed = self._shelves.listed(db)
            for name in self._shelves.open_names():
                if name not in listed:
                    self._shelves.forget(name)
            raise

    def _settle(self, db: Connection) -> None:
        """Finish or undo what a killed or failed change left on the shelves."""
        self._shelves.remove_orphans(db)
        self._take_off(db)

    def _take_off(self, db: Connection) -> None:
        """Take off the shelves what the tables say is retracted."""
        for _, shelf in self._all(db):
            rows = db.execute("SELECT * FROM leaving WHERE shelf = ?", (shelf.no,)).fetchall()
            if rows:
                shelf.take_off([Place(*row) for row in rows])
                db.execute("DELETE FROM leaving WHERE shelf = ?", (shelf.no,))

    def _tidy(self, db: Connection, *, purge: bool) -> bool:
        """Take off and purge what is committed: what is in the way is told, and no failure."""
        try:
            self._take_off(db)
            if purge:
                self._purge(db, None)
        except (IndexLockedError, OSError):
            return False
        except SQLITE_ERRORS as error:
            found = typed_error(error, self._directory, _COMMITTED)
            if isinstance(found, IndexLockedError | OSError):
                return False
            raise found from error
        return True

    def _join_segments(self, db: Connection) -> None:
        """Put each shelf into one segment after a large addition: look-ups search them one by one.

        What stands in the way leaves them slower, and no less right.
        """
        for _, shelf in self._all(db):
            with suppress(IndexLockedError, OSError):
                shelf.index.compact()

    def _purge(self, db: Connection, progress: Callable[[float], object] | None) -> None:
        shelves = list(self._all(db))
        for done, (_, shelf) in enumerate(shelves):
            shelf.index.compact()
            if progress is not None:
                progress((done + 1) / (len(shelves) + 1))
        # Deleted cells are zeroed at once, but moving cells leaves copies behind.
        with temporary_files_in(self._directory, db):
            db.execute("VACUUM")
        # Said before the log is emptied, which may have to wait for another time.
        db.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise IndexLockedError(
                str(self._directory),
                "a reader looks at an older state: what was retracted is still in the log; "
                "purge again when it is done",
            )
        db.execute("UPDATE state SET unpurged = 0")
        if progress is not None:
            progress(1.0)

    def _all(self, db: Connection) -> Iterator[tuple[str, Shelf]]:
        for name in self._shelves.listed(db):
            shelf = self._shelves.get(db, name)
            if shelf is not None:
                yield name, shelf

    def _fill(self, db: Connection, progress: Callable[[int], object] | None) -> None:
        """Put all records onto new shelves."""
        shelves: dict[str, Shelf] = {}
        sources = {
            no: (name, d) for no, name, d in db.execute("SELECT no, name, digest FROM sources")
        }
        totals = dict.fromkeys(sources, 0)
        done = 0
        rows = db.execute("SELECT seq, source, id, body FROM records ORDER BY seq")
        while page := rows.fetchmany(1024):
            for seq, source, record_id, body in page:
                if source not in sources:
                    raise sqlite3.DatabaseError("a record is of no known source")
                name = sources[source][0]
                record = record_of(name, record_id, body)
                totals[source] = combined(totals[source], value_of(name, record_id, body))
                places = []
                shelved = set()
                for kind, packed, n in hashes_of(record):
                    if kind.name not in shelves:
                        shelves[kind.name] = self._shelves.create(db, kind.name)
                    places.append(shelves[kind.name].stage(packed, n, seq))
                    shelves[kind.name].records += kind.name not in shelved
                    shelved.add(kind.name)
                db.execute(
                    "UPDATE records SET places = ? WHERE seq = ?", (places_text(places), seq)
                )
            for shelf in shelves.values():
                if shelf.is_full:
                    shelf.flush(db)
            done += len(page)
            if progress is not None:
                progress(done)
        for no, (name, digest) in sources.items():
            if totals[no] != int.from_bytes(digest):
                raise sqlite3.DatabaseError(f"records of {name!r} do not match their digest")
        for name, shelf in shelves.items():
            shelf.flush(db)
            db.execute(
                "UPDATE shelves SET next_number = ?, records = ? WHERE type = ?",
                (shelf.next_number, shelf.records, name),
            )


def _digest(db: sqlite3.Connection) -> str:
    total = 0
    for (digest,) in db.execute("SELECT digest FROM sources"):
        total = combined(total, int.from_bytes(digest))
    return total.to_bytes(DIGEST_NBYTES).hex()


def _note_version(
    db: sqlite3.Connection,
    before: State,
    state: State,
    tally: Tally,
    digest: str,
    who: tuple[str | None, str, str, str],
) -> None:
    counts = (tally.added, tally.updated, tally.retracted, tally.rejected)
    db.execute(
        "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (state.version, *who, digest, *counts, state.entries, before.next_seq),
    )


def _keep_rejections(
    db: sqlite3.Connection, feed: str, at: str, tally: Tally, is_snapshot: bool
) -> None:
    if not tally.kept_rejections and not is_snapshot:
        return
    db.execute("DELETE FROM rejected WHERE feed = ?", (feed,))
    db.executemany(
        "INSERT INTO rejected VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (feed, n, at, one.row, one.reason, one.source, one.record_id, int(one.whole))
            for n, one in enumerate(tally.kept_rejections)
        ),
    )
