"""Making an index on disk, and opening whatever is at a path."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fingerprint.algorithms import Algorithm, algorithm_names
from fingerprint.errors import IndexFormatError, UnknownAlgorithmError
from fingerprint.index import durable, format1
from fingerprint.index.disk_store import DiskStore
from fingerprint.index.entries import known_algorithm
from fingerprint.index.locking import locked
from fingerprint.index.memory_store import MemoryStore
from fingerprint.index.reading import sequence_number
from fingerprint.index.rows import INSERT_ENTRY, rows_of
from fingerprint.index.segments import SEGMENTS
from fingerprint.index.store import Batch
from fingerprint.index.tables import (
    CATALOG,
    SQLITE_ERRORS,
    Facts,
    create_catalog,
    format_of,
    typed_error,
    write_state,
)
from fingerprint.index.view import State

if TYPE_CHECKING:
    from fingerprint.index.disk_store import MaintenanceMode
    from fingerprint.index.rows import EntryRow
    from fingerprint.index.store import Store
    from fingerprint.typing import Residency

__all__ = ["create_index", "draft_beside", "facts_of", "fill_catalog", "open_store", "upgrade"]


def facts_of(
    algorithm: str | Algorithm,
    bits: int | None,
    version: int,
    backend: str,
    backend_options: Mapping[str, Any] | None,
) -> Facts:
    """Return what an index is to be, or raise."""
    name, known = known_algorithm(algorithm)
    if bits is None:
        if known is None:
            raise UnknownAlgorithmError(
                name,
                algorithm_names(),
                "to index hashes that are not computed here, say how many bits they have",
            )
        bits = known.bits
    for what, value in (("bits", bits), ("version", version)):
        if type(value) is not int or value < 1:
            raise ValueError(f"{what}: expected a whole number from 1, got {value!r}")
    if known is not None and bits != known.bits:
        raise ValueError(f"bits: {name} has {known.bits}, got {bits}")
    options = json.loads(json.dumps(dict(backend_options or {})))
    return Facts(name, version, bits, backend, options)


_NAME_SHOWN = 100
"""Characters of a name that a draft's name repeats: together they must not be too long."""


@contextmanager
def draft_beside(path: Path) -> Iterator[Path]:
    """Lend a private directory that becomes ``path`` at the end, or vanishes on an error.

    Raises
    ------
    IndexFormatError
        Something is at the path already.
    """
    path = Path(os.path.realpath(path))  # "." and links have no name of their own.
    is_fixed = _is_fixed(path)
    folder = path if is_fixed else path.parent
    prefix = f".{path.name[:_NAME_SHOWN]}-"
    if is_fixed:
        durable.remove_stale(path, prefix)
    if path.exists() and not (path.is_dir() and not _contents(path)):
        raise _in_the_way(path)
    folder.mkdir(parents=True, exist_ok=True)
    durable.remove_stale(folder, prefix)
    draft = folder / f"{prefix}{uuid.uuid4().hex}"
    durable.make_private(draft)
    try:
        with durable.held(draft):
            yield draft
        for file in sorted(p for p in draft.rglob("*") if p.is_file()):
            durable.sync_file(file)
        for folder in sorted((p for p in draft.rglob("*") if p.is_dir()), reverse=True):
            durable.sync_directory(folder)
        durable.sync_directory(draft)
        try:
            if is_fixed:
                _move_up(draft)
            else:
                durable.rename(draft, path)
        except (FileExistsError, NotADirectoryError) as error:
            raise _in_the_way(path) from error
        except OSError as error:
            if not is_fixed and path.exists() and any(path.iterdir()):
                raise _in_the_way(path) from error
            raise
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _is_fixed(path: Path) -> bool:
    """Say whether a folder must not be replaced: a mounted one, and the one we are in."""
    with suppress(OSError):
        return os.path.ismount(path) or path == Path(os.path.realpath(os.curdir))
    return False


def _contents(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != "lost+found"]


def _move_up(draft: Path) -> None:
    """Give a draft's content to its folder, which cannot be replaced: the catalog last."""
    for child in sorted(draft.iterdir(), key=lambda one: one.name == CATALOG):
        durable.rename(child, draft.parent / child.name)
    draft.rmdir()


def _in_the_way(path: Path) -> IndexFormatError:
    return IndexFormatError(str(path), "something there already", "a new path or an empty folder")


def create_index(path: Path, facts: Facts) -> None:
    """Make an index without entries."""
    with draft_beside(path) as draft:
        durable.make_private(draft / SEGMENTS)
        try:
            create_catalog(draft / CATALOG, facts).close()
        except SQLITE_ERRORS as error:
            raise typed_error(error, path) from error


def fill_catalog(path: Path, facts: Facts, entries: Iterable[EntryRow], next_seq: int) -> None:
    """Make a catalog file of entries that have their sequence numbers already."""
    try:
        with closing(create_catalog(path, facts)) as db:
            db.execute("BEGIN")
            db.executemany(INSERT_ENTRY, (row.with_crc() for row in entries))
            db.execute(
                "INSERT INTO names SELECT id, seq FROM entries WHERE id IS NOT NULL ORDER BY id"
            )
            (n,) = db.execute("SELECT COUNT(*) FROM entries").fetchone()
            write_state(db, State(version=1, entries=n, next_seq=next_seq))
            durable.commit(db)
    except SQLITE_ERRORS as error:
        raise typed_error(error, path.parent) from error


def upgrade(directory: Path) -> None:
    """Turn an index of format 1 into one of this format, in one step.

    The caller holds the writer's lock. The new catalog is on the disk before it takes
    the old one's name.
    """
    facts, entries = format1.read(directory)
    (directory / SEGMENTS).mkdir(mode=durable.PRIVATE_DIRECTORY, exist_ok=True)
    draft = directory / f".{CATALOG}-{uuid.uuid4().hex}"
    try:
        # Ids like "#5" were allowed: no number that one of them names is given to another.
        named = (sequence_number(row.name) or 0 for row in entries)
        fill_catalog(draft, facts, entries, next_seq=max([len(entries), *named]) + 1)
        durable.sync_file(draft)
        draft.replace(directory / CATALOG)
        durable.sync_directory(directory)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


_OF_VIDEOS = "video-index.json"
"""Marks an index of videos; what writes it is above this layer."""


def open_store(
    directory: Path,
    *,
    read_only: bool,
    residency: Residency,
    maintenance: MaintenanceMode,
) -> Store:
    """Open an index of any format that this version reads."""
    if (directory / _OF_VIDEOS).is_file() and not (directory / CATALOG).exists():
        raise IndexFormatError(
            str(directory),
            "an index of videos",
            "an index of hashes; open this one with VideoIndex, or `fingerprint video`",
        )
    if format_of(directory) == 1:
        if read_only:
            return _in_memory(directory)
        with locked(directory):
            if format_of(directory) == 1:  # Not if another writer was quicker.
                upgrade(directory)
    return DiskStore(directory, read_only=read_only, residency=residency, maintenance=maintenance)


def _in_memory(directory: Path) -> Store:
    """Return an index of format 1 as it is, to be read."""
    facts, entries = format1.read(directory)
    store = MemoryStore(facts)
    if entries:
        rows = rows_of(entries, facts.bits)
        ids, texts = [row.name for row in entries], [row.metadata for row in entries]
        with store.change() as change:
            change.insert(Batch(ids, rows.words, rows.quality, texts))
    store.read_only = True
    return store
