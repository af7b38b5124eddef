"""An index made whole from its catalog, whatever became of its segments."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from fingerprint.errors import CorruptIndexError
from fingerprint.index import durable
from fingerprint.index.creation import upgrade
from fingerprint.index.locking import locked
from fingerprint.index.reading import iterate_hashes, iterate_stored
from fingerprint.index.rows import Block
from fingerprint.index.segments import SEGMENTS, open_segment, remove_orphans, write_segment
from fingerprint.index.tables import (
    CATALOG,
    SQLITE_ERRORS,
    connect_writer,
    format_of,
    read_facts,
    read_state,
    typed_error,
    write_state,
)
from fingerprint.index.verification import verify
from fingerprint.index.writer import INSERT_SEGMENT

if TYPE_CHECKING:
    from fingerprint.index.tables import Facts
    from fingerprint.results import VerifyReport

__all__ = ["rebuild"]

_NAMED = 10


def rebuild(
    directory: Path, *, drop_damaged: bool, progress: Callable[[float], object] | None
) -> VerifyReport:
    """Write the segments anew from the catalog, in one step, and verify the result."""
    with locked(directory):
        if format_of(directory) == 1:
            upgrade(directory)
        if not (directory / SEGMENTS).is_dir():
            durable.make_private(directory / SEGMENTS)
        try:
            with closing(connect_writer(directory / CATALOG)) as db:
                facts = read_facts(db, directory)
                db.execute("BEGIN IMMEDIATE")
                try:
                    known = _rewrite(db, directory, facts, drop_damaged=drop_damaged)
                    durable.commit(db)
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
                remove_orphans(directory, known)
        except SQLITE_ERRORS as error:
            raise typed_error(error, directory) from error
    return verify(directory, progress)


def _rewrite(
    db: sqlite3.Connection, directory: Path, facts: Facts, *, drop_damaged: bool
) -> set[str]:
    """Make names, counters and manifest follow from the entries; return the segments."""
    damaged = [one for one in iterate_stored(db) if not one.is_whole]
    if damaged and not drop_damaged:
        some = ", ".join(str(one[0]) for one in damaged[:_NAMED])
        raise CorruptIndexError(
            str(directory),
            f"{len(damaged)} entries or blocks of the catalog do not match their checksums "
            f"({some}{', …' if len(damaged) > _NAMED else ''}); "
            "Index.rebuild(drop_damaged=True) goes on without them",
        )
    for one in damaged:
        table, key = ("blocks", "first_seq") if isinstance(one, Block) else ("entries", "seq")
        db.execute(f"DELETE FROM {table} WHERE {key} = ?", (one[0],))  # noqa: S608
    for table in ("names", "segments", "removals"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608
    db.execute("INSERT INTO names SELECT id, seq FROM entries WHERE id IS NOT NULL ORDER BY id")
    (n,) = db.execute(
        "SELECT (SELECT COUNT(*) FROM entries) + (SELECT COALESCE(SUM(n), 0) FROM blocks)"
    ).fetchone()
    known, last = set(), 0
    if n:
        segment = write_segment(directory, facts, iterate_hashes(db, directory, facts.bits), n)
        try:  # What cannot be opened must never be listed.
            open_segment(directory, facts, segment, "mmap")
        except BaseException:
            durable.remove_folder(directory / SEGMENTS / segment.name)
            raise
        db.execute(INSERT_SEGMENT, segment.as_row())
        known, last = {segment.name}, segment.last_seq
    state = read_state(db)
    next_seq = max(state.next_seq, last + 1)
    write_state(
        db,
        state._replace(
            version=state.version + 1,
            manifest=state.manifest + 1,
            entries=n,
            next_seq=next_seq,
            sealed=next_seq - 1,  # Beyond what was dropped: open readers forget it.
            removals=state.removals + 1,
        ),
    )
    return known
