"""The steps by which files reach the disk for good.

Every write of an index goes through these few functions, so that the tests can
stop a process, or fill a disk, at each of them.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

__all__ = [
    "commit",
    "make_private",
    "make_private_file",
    "remove_folder",
    "rename",
    "sync_directory",
    "sync_file",
]

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700


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


def commit(db: sqlite3.Connection) -> None:
    """Commit; SQLite waits for its log."""
    db.execute("COMMIT")
