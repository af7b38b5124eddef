"""The steps by which files reach the disk for good.

Every write of an index goes through these few functions, so that the tests can
stop a process, or fill a disk, at each of them.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = [
    "commit",
    "held",
    "make_private",
    "make_private_file",
    "remove_folder",
    "remove_stale",
    "rename",
    "sync_directory",
    "sync_file",
]

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700

_YOUNG_S = 60
_OLD_S = 86_400


def make_private(directory: Path) -> None:
    """Make a directory that only its owner can enter, whatever the umask."""
    directory.mkdir(mode=PRIVATE_DIRECTORY)
    directory.chmod(PRIVATE_DIRECTORY)


def make_private_file(path: Path) -> None:
    """Make an empty file that only its owner can read, whatever the umask."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE))
    path.chmod(PRIVATE_FILE)


def sync_file(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_directory(directory: Path) -> None:
    """Wait until a directory's names are on the disk."""
    if os.name == "nt":  # Windows cannot open directories.
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename(source: Path, target: Path) -> None:
    """Give a finished file or directory its name, and wait until it is on the disk."""
    source.rename(target)
    sync_directory(target.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder that nobody needs any more; what cannot be removed, the next writer does."""
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def held(draft: Path) -> Iterator[None]:
    """Say that a draft is being written: till the end, or till the process is no more."""
    handle = os.open(draft, os.O_RDONLY) if sys.platform != "win32" else None
    try:
        if handle is not None:
            _try_lock(handle)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def remove_stale(folder: Path, prefix: str) -> None:
    """Remove drafts, named ``prefix`` and 32 hex digits, whose writers were killed."""
    is_draft = re.compile(re.escape(prefix) + "[0-9a-f]{32}").fullmatch
    with suppress(OSError):  # What cannot be read or removed stays.
        for path in [one for one in folder.iterdir() if is_draft(one.name)]:
            if _is_stale(path):
                remove_folder(path) if path.is_dir() else path.unlink()


def _is_stale(draft: Path) -> bool:
    age = time.time() - draft.stat().st_mtime
    if sys.platform == "win32":
        return age > _OLD_S
    if age < _YOUNG_S:  # Perhaps made, and not yet held.
        return False
    handle = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return _try_lock(handle)
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # Held, or of a file system that has no locks.
        return False
    return True


def commit(db: sqlite3.Connection) -> None:
    """Commit; SQLite waits for its log."""
    db.execute("COMMIT")
