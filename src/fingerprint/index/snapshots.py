"""Copies of a whole index at one commit."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fingerprint.errors import CorruptIndexError
from fingerprint.index import durable
from fingerprint.index.catalog import read_manifest
from fingerprint.index.creation import draft_beside, fill_catalog
from fingerprint.index.disk_store import DiskStore
from fingerprint.index.locking import LOCK
from fingerprint.index.segments import SEGMENTS, damaged
from fingerprint.index.tables import CATALOG, SQLITE_ERRORS, connect_reader, typed_error
from fingerprint.index.writer import SEAL_ABOVE

if TYPE_CHECKING:
    from fingerprint.index.memory_store import MemoryStore

__all__ = ["copy_of_disk", "copy_of_memory"]

_ATTEMPTS = 10
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def copy_of_memory(store: MemoryStore, path: Path) -> None:
    """Write an index that is in memory to a new directory, with the same sequence numbers."""
    with _full_disk_names(path), draft_beside(path) as draft:
        durable.make_private(draft / SEGMENTS)
        with store.frozen() as frozen:
            next_seq = frozen.view.state.next_seq
            fill_catalog(draft / CATALOG, store.facts, frozen.rows(), next_seq)
        if store.count() > SEAL_ABOVE:
            with closing(
                DiskStore(draft, read_only=False, residency="mmap", maintenance="manual")
            ) as written:
                written.seal()
            (draft / LOCK).unlink()


def copy_of_disk(source: Path, path: Path) -> None:
    """Copy an index at one commit to a new directory, while others read and write it."""
    for _ in range(_ATTEMPTS):
        try:
            with _full_disk_names(path), draft_beside(path) as draft:
                _copy(source, draft)
            return
        except FileNotFoundError as error:
            # Merged away while it was copied; unless it is still listed.
            missing = Path(str(error.filename))
            with closing(connect_reader(source / CATALOG)) as db:
                listed = {segment.name for segment in read_manifest(db)}
            if missing.parent.name in listed:
                raise damaged(source, missing.parent.name, f"{missing.name} is missing") from error
    raise CorruptIndexError(str(source), "its segments keep vanishing")


@contextmanager
def _full_disk_names(path: Path) -> Iterator[None]:
    """Name the copy where there is no room for it, not its draft and not what is copied."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        what = f"{os.strerror(error.errno)}; nothing was written"
        raise OSError(error.errno, what, str(path)) from error


def _copy(source: Path, draft: Path) -> None:
    copy = draft / CATALOG
    durable.make_private_file(copy)
    try:
        with (
            closing(connect_reader(source / CATALOG)) as old,
            closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
            segments = read_manifest(new)
    except SQLITE_ERRORS as error:
        raise typed_error(error, source) from error
    durable.make_private(draft / SEGMENTS)
    for segment in segments:
        folder = draft / SEGMENTS / segment.name
        durable.make_private(folder)
        for name in segment.files:
            shutil.copyfile(source / SEGMENTS / segment.name / name, folder / name)
            (folder / name).chmod(durable.PRIVATE_FILE)
