"""Connections to a catalog: how they are made, what they raise, and what a fork does to them."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import weakref
from pathlib import Path
from typing import Any, Protocol

from fingerprint.errors import (
    CorruptIndexError,
    IndexLockedError,
    UnsupportedOperationError,
)

__all__ = [
    "SQLITE_ERRORS",
    "Connection",
    "close_before_forks",
    "closed",
    "connect_reader",
    "connect_writer",
    "left_by_fork",
    "told",
    "typed_error",
]

SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises: a message that quotes damage need not be text."""

_BUSY_TIMEOUT_S = 10.0
_WRITER_CACHE_KIB = 256 << 10
_READER_CACHE_KIB = 16 << 10
LOG_LIMIT_NBYTES = 64 << 20

# What a fork left in the child. Closing it there would disturb the parent's locks and
# log, and so would collecting it.
left_by_fork: list[object] = []

Identity = tuple[int, int]
Stamp = tuple[int, ...]


class _Owner(Protocol):
    def close_idle(self) -> None:
        """Close connections that nobody uses; they are made anew when they are needed."""


# SQLite keeps what it knows of a file, the memory that its readers share included, once
# a process. A child that inherited it would never see a commit again, without a word.
_gate = threading.RLock()
_open: weakref.WeakSet[Connection] = weakref.WeakSet()
_inherited: set[Identity] = set()
_owners: weakref.WeakSet[Any] = weakref.WeakSet()


class Connection(sqlite3.Connection):
    """A connection that a forked child leaves alone."""

    pid = 0
    files: frozenset[Identity] = frozenset()
    stamp: Stamp | None = None
    """What the files looked like, where nobody can be asked about later commits."""

    def close(self) -> None:
        """Close it; in the child of a fork, leave that to the parent."""
        if self.pid and self.pid != os.getpid():
            left_by_fork.append(self)
        else:
            super().close()
            _open.discard(self)


def close_before_forks(owner: _Owner) -> None:
    """Ask the owner to close idle connections before every fork."""
    _owners.add(owner)


def _before_fork() -> None:
    _gate.acquire()
    for owner in list(_owners):
        owner.close_idle()


def _after_fork_in_parent() -> None:
    _gate.release()


def _after_fork_in_child() -> None:
    global _gate
    _gate = threading.RLock()
    for connection in list(_open):
        _inherited.update(connection.files)
        left_by_fork.append(connection)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )


def _identity(path: Path) -> frozenset[Identity]:
    try:
        found = path.stat()
    except OSError:  # Connecting says why.
        return frozenset()
    return frozenset({(found.st_dev, found.st_ino)})


def _connect(path: Path, mode: str) -> Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    with _gate:
        before = _identity(path)
        if before & _inherited:
            raise UnsupportedOperationError(
                f"{path.parent}: opened before a fork and in use during it: open it after the "
                "fork, or start processes with spawn"
            )
        # One thread at a time uses a connection, but not always the same.
        db = sqlite3.connect(
            uri,
            uri=True,
            isolation_level=None,
            timeout=_BUSY_TIMEOUT_S,
            check_same_thread=False,
            factory=Connection,
        )
        db.pid = os.getpid()
        db.files = before | _identity(path)
        _open.add(db)
    return db


def connect_writer(path: Path) -> Connection:
    """Connect for reading and writing; every commit waits for the disk."""
    db = _connect(path, "mode=rw")
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        # What was removed is overwritten, not only unlinked.
        db.execute("PRAGMA secure_delete = ON")
        db.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        db.execute(f"PRAGMA journal_size_limit = {LOG_LIMIT_NBYTES}")
    except BaseException:
        db.close()
        raise
    return db


def connect_reader(path: Path) -> Connection:
    """Connect for reading, also where nothing can be written.

    Raises
    ------
    UnsupportedOperationError
        The directory cannot be written, but the log beside the catalog holds commits that
        cannot be read without.
    """
    db = _connect(path, "mode=ro")
    try:
        # The first read opens the log and the memory that its readers share.
        db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    except sqlite3.OperationalError as error:
        db.close()
        if _primary_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise typed_error(error, path.parent) from error
        db = _connect_as_it_is(path, error)
    except SQLITE_ERRORS as error:
        db.close()
        raise typed_error(error, path.parent) from error
    except BaseException:
        db.close()
        raise
    db.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    return db


def _connect_as_it_is(path: Path, error: Exception) -> Connection:
    try:
        stamp = stamp_of(path)
    except FileNotFoundError:
        raise typed_error(error, path.parent) from error
    if stamp[-1]:
        raise UnsupportedOperationError(
            f"{path.parent} cannot be written, and its last commits are still in {path.name}-wal: "
            "open it once where it can be written, or copy it to such a place"
        ) from error
    db = _connect(path, "mode=ro&immutable=1")
    db.stamp = stamp
    return db


def stamp_of(path: Path) -> Stamp:
    """Return what changes when a writer was there: of the catalog, and the size of its log."""
    found = path.stat()
    try:
        log = path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        log = 0
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, log


def is_stale(db: Connection, path: Path) -> bool:
    """Return whether a connection that sees no commits has missed one."""
    if db.stamp is None:
        return False
    try:
        return stamp_of(path) != db.stamp
    except FileNotFoundError:
        return True


def closed(where: object) -> ValueError:
    """Return the error for whatever is asked of an index after `close`."""
    return ValueError(f"{where}: the index is closed")


def _primary_code(error: Exception) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def told(error: Exception) -> str:
    """Return the message of SQLite's error without the value that it may quote.

    It is taken out of the error, too, which a traceback would show as the cause.
    """
    message, quoted, _ = str(error).partition(" with text ")
    if quoted:
        error.args = (message,)
    return message


def typed_error(
    error: Exception, directory: Path, outcome: str = "nothing was changed"
) -> Exception:
    """Return the error of this package, or of the system, that SQLite's stands for."""
    code, message = _primary_code(error), told(error)
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in message:
        return closed(directory)
    if "within a transaction" in message:
        return UnsupportedOperationError(f"{directory}: a change within a change")
    if code == sqlite3.SQLITE_FULL:
        return OSError(errno.ENOSPC, f"the disk is full; {outcome}", str(directory))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return IndexLockedError(str(directory), f"another program holds the catalog ({message})")
    if code == sqlite3.SQLITE_READONLY:
        return OSError(errno.EROFS, "the index cannot be written", str(directory))
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        return OSError(errno.EIO, f"the catalog: {message}; {outcome}", str(directory))
    if code == sqlite3.SQLITE_TOOBIG or isinstance(error, sqlite3.DataError):
        return ValueError(f"an id or metadata is longer than SQLite takes ({message})")
    if code in (sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT):
        return MemoryError(message)
    # Also what Python cannot make of damaged values: NULLs, broken UTF-8.
    return CorruptIndexError(str(directory), message)
