"""What was when: versions of a list, events of a record, differences between versions."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from datetime import datetime

from fingerprint.lists.reports import ListDiff, ListEvent, ListVersion
from fingerprint.lists.tables import instant, read_state

__all__ = ["diff", "history", "versions"]

_FOREVER = 1 << 62

_VERSIONS = """
SELECT number, at, by, feed, note, digest, added, updated, retracted, rejected, entries
FROM versions ORDER BY number
"""


def versions(db: sqlite3.Connection) -> list[ListVersion]:
    """Return all commits, oldest first."""
    return [ListVersion(row[0], _at(row[1]), *row[2:]) for row in db.execute(_VERSIONS)]


def history(db: sqlite3.Connection, source: str, record_id: str) -> list[ListEvent]:
    """Return what happened to a record, oldest first; nothing when it was never here."""
    row = db.execute("SELECT no FROM sources WHERE name = ?", (source,)).fetchone()
    if row is None:
        return []
    rows = db.execute(
        "SELECT version, at, by, action, added, detail FROM events "
        "WHERE source = ? AND id = ? ORDER BY n",
        (row[0], record_id),
    ).fetchall()
    alive = db.execute(
        "SELECT added FROM records WHERE source = ? AND id = ?", (row[0], record_id)
    ).fetchone()
    # A life is told when it ends, or by the record itself: its beginning goes before its events.
    lives = [added for *_, action, added, _ in rows if action == "retracted" and added is not None]
    lives += [alive[0]] if alive else []
    events: list[ListEvent] = []
    begun = False
    for version, at, by, action, added, detail in rows:
        ends_nothing = action == "retracted" and added is None
        if not begun and not ends_nothing and lives:
            events += _added(db, lives.pop(0))
            begun = True
        events.append(ListEvent(version, _at(at), by, action, detail))
        begun = begun and action != "retracted"
    if not begun and lives:
        events += _added(db, lives.pop(0))
    return events


def _added(db: sqlite3.Connection, version: int | None) -> list[ListEvent]:
    row = db.execute("SELECT at, by, note FROM versions WHERE number = ?", (version,)).fetchone()
    if version is None or row is None:
        return []
    return [ListEvent(version, _at(row[0]), row[1], "added", row[2])]


def diff(db: sqlite3.Connection, old: int, new: int | None) -> ListDiff:
    """Return which records differ between two versions.

    Raises
    ------
    ValueError
        There is no such version, or they are in the wrong order.
    """
    last = read_state(db).version
    new = last if new is None else new
    for name, value in (("old", old), ("new", new)):
        if type(value) is not int or not 0 <= value <= last:
            raise ValueError(f"{name}: expected a version from 0 to {last}, got {value!r}")
    if old > new:
        raise ValueError(f"old: expected at most {new}, got {old}")
    lives: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    updated: set[tuple[int, str]] = set()
    for source, name, version, action, added in db.execute(
        "SELECT source, id, version, action, added FROM events "
        "WHERE version > ? AND action IN ('updated', 'retracted') ORDER BY n",
        (old,),
    ):
        if action == "updated" and version <= new:
            updated.add((source, name))
        elif action == "retracted" and added is not None:
            lives[source, name].append((added, version))
    for source, name, added in _lives_since(db, old):
        lives[source, name].append((added, _FOREVER))
    return _compared(db, lives, updated, old, new)


def _lives_since(db: sqlite3.Connection, old: int) -> sqlite3.Cursor:
    """Return the records that were added after a version, without looking at all of them."""
    row = db.execute(
        "SELECT first_seq FROM versions WHERE number > ? ORDER BY number LIMIT 1", (old,)
    ).fetchone()
    first = row[0] if row else _FOREVER
    return db.execute(
        "SELECT source, id, added FROM records WHERE seq >= ? AND added > ?", (first, old)
    )


def _compared(
    db: sqlite3.Connection,
    lives: dict[tuple[int, str], list[tuple[int, int]]],
    updated: set[tuple[int, str]],
    old: int,
    new: int,
) -> ListDiff:
    """Sort records out by which of their lives they were in at both versions.

    A record of which no life began or ended since the older one was there at both.
    """
    names: dict[int, str] = dict(db.execute("SELECT no, name FROM sources"))
    sorted_out: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for source, name in lives.keys() | updated:
        its = lives.get((source, name)) or [(0, _FOREVER)]
        before = next((life for life in its if life[0] <= old < life[1]), None)
        after = next((life for life in its if life[0] <= new < life[1]), None)
        if before is not None and after is not None:
            if before != after or (source, name) in updated:
                sorted_out["updated"].append((names[source], name))
        elif after is not None:
            sorted_out["added"].append((names[source], name))
        elif before is not None:
            sorted_out["retracted"].append((names[source], name))
    return ListDiff(
        old,
        new,
        *(tuple(sorted(sorted_out[outcome])) for outcome in ("added", "updated", "retracted")),
    )


def _at(text: str) -> datetime:
    found = instant(text)
    if found is None:
        raise sqlite3.DatabaseError("a time is missing")
    return found
