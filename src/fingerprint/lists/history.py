"""What was when: versions of a list, events of a record, differences between versions."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from datetime import datetime

from fingerprint.lists.reports import Action, ListDiff, ListEvent, ListVersion
from fingerprint.lists.tables import instant, read_state

__all__ = ["diff", "history", "versions"]

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
    events: list[ListEvent] = []
    begun = None
    rows = db.execute(
        "SELECT version, at, by, action, added, detail FROM events "
        "WHERE source = ? AND id = ? ORDER BY n",
        (row[0], record_id),
    ).fetchall()
    alive = db.execute(
        "SELECT added FROM records WHERE source = ? AND id = ?", (row[0], record_id)
    ).fetchone()
    # A life is told when it ends, or by the record itself: `added` stands before its events.
    begins = [added for _, _, _, action, added, _ in rows if action == "retracted"]
    begins += [alive[0]] if alive else []
    lives = iter(begins)
    for version, at, by, action, _, detail in rows:
        if begun is None:
            begun = next(lives, None)
            events += _added(db, begun)
        events.append(ListEvent(version, _at(at), by, action, detail))
        if action == "retracted":
            begun = None
    if begun is None:
        events += _added(db, next(lives, None))
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
    what: dict[tuple[int, str], list[tuple[int, Action]]] = defaultdict(list)
    for source, name, version, action, added in db.execute(
        "SELECT source, id, version, action, added FROM events "
        "WHERE version > ? AND action IN ('updated', 'retracted') ORDER BY n",
        (old,),
    ):
        if added is not None and old < added <= new:
            _begin_life(what[source, name], added)
        if version <= new:
            what[source, name].append((version, action))
    for source, name, added in _lives_since(db, old):
        if added <= new:
            _begin_life(what[source, name], added)
    return _compared(db, what, old, new)


def _begin_life(actions: list[tuple[int, Action]], added: int) -> None:
    """Put the beginning of a life before all that is known of it."""
    ends = [place for place, (_, action) in enumerate(actions, 1) if action == "retracted"]
    actions.insert(ends[-1] if ends else 0, (added, "added"))


def _lives_since(db: sqlite3.Connection, old: int) -> sqlite3.Cursor:
    """Return the records that were added after a version, without looking at all of them."""
    row = db.execute(
        "SELECT first_seq FROM versions WHERE number > ? ORDER BY number LIMIT 1", (old,)
    ).fetchone()
    first = row[0] if row else 1 << 62
    return db.execute(
        "SELECT source, id, added FROM records WHERE seq >= ? AND added > ?", (first, old)
    )


def _compared(
    db: sqlite3.Connection,
    what: dict[tuple[int, str], list[tuple[int, Action]]],
    old: int,
    new: int,
) -> ListDiff:
    names: dict[int, str] = dict(db.execute("SELECT no, name FROM sources"))
    sorted_out: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for (source, name), actions in what.items():
        if not actions:
            continue
        was_there = actions[0][1] != "added"
        is_there = actions[-1][1] != "retracted"
        if was_there or is_there:
            outcome = {(False, True): "added", (True, False): "retracted"}
            sorted_out[outcome.get((was_there, is_there), "updated")].append((names[source], name))
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
