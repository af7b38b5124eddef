"""How a list stands: its feeds, how fresh they are, and what they sent that could not be used."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from fingerprint.lists.records import instant_of
from fingerprint.lists.reports import Feed, RejectedRow
from fingerprint.lists.tables import instant, text

__all__ = [
    "CLOCK_SLACK",
    "checkpoint_of",
    "checkpoint_text",
    "feeds",
    "rejected",
    "stale_reasons",
    "write_feed",
]


_ALL = 1 << 62
CLOCK_SLACK = timedelta(days=1)
"""What is dated further in the future tells nothing of what was when: a clock is wrong."""


def checkpoint_text(checkpoint: object) -> str:
    """Return a checkpoint as JSON; TypeError when it is no mapping that JSON can say."""
    try:
        found = json.dumps(checkpoint, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"checkpoint: expected what JSON can say: {error}") from None
    if not isinstance(json.loads(found), dict):
        raise TypeError(f"checkpoint: expected a mapping, got {type(checkpoint).__name__}")
    return found


def write_feed(
    db: sqlite3.Connection,
    name: str,
    checkpoint: str | None,
    refreshed_at: datetime | None,
    expires_at: datetime | None,
) -> None:
    """Note how far a feed was read, and that it was; None leaves a checkpoint as it is."""
    db.execute("INSERT OR IGNORE INTO feeds VALUES (?, '{}', NULL, NULL, '')", (name,))
    if checkpoint is not None:
        db.execute("UPDATE feeds SET checkpoint = ? WHERE name = ?", (checkpoint, name))
    if expires_at is not None:
        db.execute("UPDATE feeds SET expires_at = ? WHERE name = ?", (text(expires_at), name))
    if refreshed_at is not None:
        db.execute(
            "UPDATE feeds SET refreshed_at = ?, expires_at = ?, stale = '' WHERE name = ?",
            (text(refreshed_at), text(expires_at), name),
        )


def checkpoint_of(db: sqlite3.Connection, feed: str) -> dict[str, Any]:
    """Return a feed's checkpoint; empty when it has none."""
    row = db.execute("SELECT checkpoint FROM feeds WHERE name = ?", (feed,)).fetchone()
    found: dict[str, Any] = json.loads(row[0]) if row else {}
    return found


def feeds(db: sqlite3.Connection) -> list[Feed]:
    """Return all feeds, by name."""
    rows = db.execute(
        "SELECT name, refreshed_at, expires_at, stale, checkpoint FROM feeds ORDER BY name"
    )
    return [
        Feed(name, instant(refreshed), instant(expires), stale, json.loads(checkpoint))
        for name, refreshed, expires, stale, checkpoint in rows
    ]


def stale_reasons(known: Sequence[Feed], now: datetime, max_age_s: float | None) -> list[str]:
    """Say of each feed why it cannot be relied on."""
    if max_age_s is not None and not max_age_s >= 0:
        raise ValueError(f"max_age_s: expected seconds from 0, got {max_age_s}")
    now = instant_of(now)
    reasons = []
    for feed in known:
        name = feed.name or "the list"
        if feed.stale_reason:
            reasons.append(f"{name}: {feed.stale_reason}")
        elif feed.refreshed_at is None:
            reasons.append(f"{name}: was never read to its end")
        elif feed.expires_at is not None and now >= feed.expires_at:
            reasons.append(f"{name}: expired at {text(feed.expires_at)}")
        elif feed.refreshed_at - now > CLOCK_SLACK:
            reasons.append(
                f"{name}: last read at {text(feed.refreshed_at)}, still to come: a clock is wrong"
            )
        elif max_age_s is not None and (now - feed.refreshed_at).total_seconds() > max_age_s:
            reasons.append(
                f"{name}: last read at {text(feed.refreshed_at)}, more than {max_age_s:,.0f} s ago"
            )
    if max_age_s is not None and not known:
        reasons.append("the list: no feed says when it was read to its end")
    return reasons


def rejected(db: sqlite3.Connection, limit: int) -> list[RejectedRow]:
    """Return rows that could not be used."""
    rows = db.execute(
        "SELECT feed, at, line, reason, source, id, whole FROM rejected ORDER BY feed, n LIMIT ?",
        (min(limit, _ALL),),
    )
    found = []
    for feed, at, line, reason, source, record_id, whole in rows:
        when = instant(at)
        if when is None:
            raise sqlite3.DatabaseError("a time is missing")
        found.append(RejectedRow(feed, when, line, reason, source, record_id, bool(whole)))
    return found
