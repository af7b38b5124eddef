"""Applying changes to a list's tables: batch by batch, within one commit."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import TypeAlias

from fingerprint.errors import ListRefusedError
from fingerprint.lists.content import DIGEST_NBYTES, body_of, combined, value_of
from fingerprint.lists.record_tables import RecordTables, Source, Stored, is_within
from fingerprint.lists.records import Change, Record, Rejected, Retraction, instant_of
from fingerprint.lists.shelves import Shelves
from fingerprint.lists.standing import CLOCK_SLACK
from fingerprint.lists.tables import State

__all__ = ["Applier", "Tally"]

BATCH = 10_000
"""Changes that are in memory at a time."""

FEW = 1
"""Records that a snapshot may leave out without being asked whether it is whole."""

KEPT_REJECTIONS = 1000

_INSERT = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)"

_Row: TypeAlias = tuple[int, int, str, int, str, bytes]


@dataclass
class Tally:
    """What was done so far."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    retracted: int = 0
    unknown_retractions: int = 0
    outdated: int = 0
    rejected: int = 0
    rejected_hashes: int = 0
    withheld: int = 0
    replaced: int = 0
    kept_rejections: list[Rejected] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """Records that are not as they were."""
        return self.added + self.updated + self.retracted


class Applier:
    """Changes of one commit, on their way into the tables and onto the shelves."""

    def __init__(
        self,
        db: sqlite3.Connection,
        shelves: Shelves,
        state: State,
        at: str,
        by: str,
        beside: Executor,
    ) -> None:
        self._db = db
        self._beside = beside
        self._version = state.version + 1
        self._tables = RecordTables(db, shelves, self._version, at, by)
        self._first_seq = self._next_seq = state.next_seq
        self._entries = state.entries
        self._seen: bytearray | None = None
        self._scope = ""
        self._scope_entries = 0
        self._unidentified = 0
        self._latest = _text_of(instant_of(at) + CLOCK_SLACK)
        self.by_time = False
        self.tally = Tally()

    def snapshot_of(self, source: str) -> None:
        """Say that the changes are all there is of a source and its parts."""
        self._scope = source
        self._seen = bytearray(self._first_seq // 8 + 1)
        self._scope_entries = sum(one.entries for one in self._tables.sources_within(self._scope))

    def run(
        self, changes: Iterable[Change], progress: Callable[[int], object] | None = None
    ) -> None:
        """Apply changes in their order."""
        done = 0
        batch: dict[tuple[str, str], Record | Retraction] = {}
        for change in changes:
            done += 1
            if type(change) is Record or isinstance(change, Record | Retraction):
                key = (change.source, change.record_id)
                if key in batch:  # The last one counts, in its own place.
                    batch[key] = self._later(batch.pop(key), change)
                else:
                    batch[key] = change
            elif isinstance(change, Rejected):
                self._reject(change)
            else:
                raise TypeError(
                    f"changes: expected Record, Retraction or Rejected, got {type(change).__name__}"
                )
            if len(batch) >= BATCH:
                self._flush(batch)
                if progress is not None:
                    progress(done)
        self._flush(batch)
        if progress is not None:
            progress(done)

    def retract_unseen(self, max_share: float) -> None:
        """Retract what a snapshot did not name."""
        if self._seen is None:
            return
        total = self._scope_entries  # As it was: what the snapshot adds does not make up for it.
        absent = list(self._unseen())
        if self._unidentified:
            self.tally.withheld = len(absent)
            return
        if len(absent) > FEW and len(absent) > max_share * max(1, total):
            raise ListRefusedError(
                f"the snapshot of {self._scope!r} leaves out {len(absent):,} of {total:,} records: "
                f"more than {max_share:.0%}, as a truncated one would; pass a larger "
                "max_retracted_share if it is right"
            )
        for source, name in absent:
            found = self._tables.stored(source, [name])[name]
            self._retract(source, name, found, "not in the snapshot")

    def finish(self) -> State:
        """Write what is kept in sums; the shelves hold everything afterwards."""
        for name, shelf in self._tables.begun.items():
            shelf.flush(self._db)
            shelf.settle()
            self._db.execute(
                "UPDATE shelves SET next_number = ?, records = ? WHERE type = ?",
                (shelf.next_number, shelf.records, name),
            )
        for source in self._tables.sources.values():
            self._db.execute(
                "UPDATE sources SET entries = ?, digest = ? WHERE no = ?",
                (source.entries, combined(source.digest).to_bytes(DIGEST_NBYTES), source.no),
            )
        version = self._version if self.tally.changed else self._version - 1
        return State(version, self._entries, self._next_seq, 0)

    def _reject(self, row: Rejected) -> None:
        tally = self.tally
        if row.whole:
            tally.rejected += 1
            self._keep_known(row)
        else:
            tally.rejected_hashes += 1
        if len(tally.kept_rejections) < KEPT_REJECTIONS:
            tally.kept_rejections.append(row)

    def _keep_known(self, row: Rejected) -> None:
        """Keep a record of which a snapshot has something that cannot be used."""
        if self._seen is None:
            return
        if not row.source or not row.record_id:
            self._unidentified += 1
            return
        source = self._tables.source(row.source, create=False)
        found = {} if source is None else self._tables.stored(source, [row.record_id])
        for stored in found.values():
            self._mark(stored.seq)

    def _flush(self, batch: dict[tuple[str, str], Record | Retraction]) -> None:
        by_source: dict[str, list[Record | Retraction]] = {}
        changes = list(batch.values())
        for name in dict.fromkeys(change.source for change in changes):
            by_source[name] = [change for change in changes if change.source == name]
        for name, changes in by_source.items():
            if self._seen is not None and not is_within(name, self._scope):
                raise ListRefusedError(
                    f"a snapshot of {self._scope!r} has a record of {name!r}: expected none but "
                    "its own and those of its parts"
                )
            self._apply(name, changes)
        batch.clear()

    def _apply(self, name: str, changes: list[Record | Retraction]) -> None:
        ends = {issubclass(kind, Retraction) for kind in set(map(type, changes))}
        # By time, also an end is kept: what it ends may come later.
        source = self._tables.source(name, create=self.by_time or False in ends)
        if source is None:
            self.tally.unknown_retractions += len(changes)
            return
        # Neighbours in the index by id are written to the same pages.
        changes.sort(key=attrgetter("record_id"))
        if source.fresh and True not in ends:
            self._add_new(source, changes)
        else:
            self._add_known(source, changes)
        for shelf in self._tables.begun.values():
            if shelf.is_full:
                shelf.flush(self._db, self._beside)

    def _add_new(self, source: Source, changes: Sequence[Record | Retraction]) -> None:
        """Add records to a source that had none: only what stands twice has to be looked for."""
        records = [change for change in changes if isinstance(change, Record)]
        n = len(records)
        bodies = list(map(body_of, records))
        seqs = range(self._next_seq, self._next_seq + n)
        self._next_seq = seqs.stop
        source.digest += sum(
            value_of(source.name, record.record_id, body)
            for record, body in zip(records, bodies, strict=True)
        )
        places = self._tables.put_all_on(records, seqs)
        self.tally.added += n
        source.entries += n
        self._entries += n
        rows = [
            (seq, source.no, record.record_id, self._version, body, place)
            for seq, record, body, place in zip(seqs, records, bodies, places, strict=True)
        ]
        self._db.execute("SAVEPOINT new")
        try:
            self._db.executemany(_INSERT, rows)
        except sqlite3.IntegrityError:
            self._db.execute("ROLLBACK TO new")
            self._db.executemany(_INSERT, self._undoubled(source, rows))
        self._db.execute("RELEASE new")

    def _undoubled(self, source: Source, rows: list[_Row]) -> Iterator[_Row]:
        """Yield new rows, after taking out those that they come in the place of."""
        stored = self._tables.stored(source, [row[2] for row in rows])
        for row in rows:
            old = stored.get(row[2])
            if old is None:
                yield row
                continue
            new = Stored(row[0], row[3], row[4], row[5])
            when = self._date_of_body(new.body)
            outdated = self.by_time and bool(when) and when < self._date_of_body(old.body)
            gone, kept = (new, old) if outdated else (old, new)
            self._tell_lost(source.name, row[2], _types_in(gone.body), _types_in(kept.body))
            self._tables.take_off(gone)
            source.digest = combined(source.digest, taken=value_of(source.name, row[2], gone.body))
            source.entries -= 1
            self._entries -= 1
            self.tally.added -= 1
            self.tally.replaced += 1
            self.tally.outdated += outdated
            if not outdated:
                self._db.execute("DELETE FROM records WHERE seq = ?", (old.seq,))
                yield row

    def _add_known(self, source: Source, changes: Sequence[Record | Retraction]) -> None:
        names = [change.record_id for change in changes]
        stored = self._tables.stored(source, names)
        ends = self._tables.ends(source, names) if self.by_time else {}
        rows = []
        for change in changes:
            old = stored.get(change.record_id)
            if self.by_time and self._is_outdated(change, old, ends.get(change.record_id, "")):
                self.tally.outdated += 1
                if old is not None:
                    self._mark(old.seq)
                continue
            if isinstance(change, Retraction):
                self._end(source, change, old)
                continue
            body = body_of(change)
            if old is not None:
                if old.body == body:
                    self.tally.unchanged += 1
                    self._mark(old.seq)
                    continue
                if old.added == self._version:
                    self._tell_lost(
                        source.name, change.record_id, _types_in(old.body), change.hashes
                    )
                if self._update(source, change, old, body):
                    continue
            rows.append(self._insert(source, change, body, old))
        self._db.executemany(_INSERT, rows)

    def _tell_lost(
        self, source: str, record_id: str, before: Iterable[str], after: Iterable[str]
    ) -> None:
        """Tell of hashes that one row had and a later row of the same record has not."""
        lost = sorted(set(before).difference(after))
        if lost:
            reason = (
                f"stands twice: {', '.join(lost)} of the earlier row is not kept; rows of one "
                "record with a hash each must be neighbours"
            )
            self._reject(Rejected(0, reason, source, record_id, whole=False))

    def _later(
        self, earlier: Record | Retraction, change: Record | Retraction
    ) -> Record | Retraction:
        """Return which of two states of a record counts."""
        if isinstance(earlier, Record) and isinstance(change, Record):
            self._tell_lost(change.source, change.record_id, earlier.hashes, change.hashes)
        if not self.by_time:
            return change
        first, second = self._date_of(earlier), self._date_of(change)
        if not first or not second:
            return change
        outdated = (second, isinstance(change, Retraction)) < (
            first,
            isinstance(earlier, Retraction),
        )
        self.tally.outdated += outdated
        return earlier if outdated else change

    def _is_outdated(self, change: Record | Retraction, old: Stored | None, ended: str) -> bool:
        """Return whether what is known was dated later; equal times go to the retraction."""
        when = self._date_of(change)
        if not when:
            return False
        if isinstance(change, Retraction):
            return old is not None and when < self._date_of_body(old.body)
        if old is not None:
            return when < self._date_of_body(old.body)
        return bool(ended) and when <= self._usable(ended)

    def _date_of(self, change: Record | Retraction) -> str:
        return self._usable(_time_of(change))

    def _date_of_body(self, body: str) -> str:
        return self._usable(_time_of_body(body))

    def _usable(self, date: str) -> str:
        """Return a date; nothing for one to come, which would outdate all that follows."""
        return "" if date > self._latest else date

    def _end(self, source: Source, change: Retraction, old: Stored | None) -> None:
        if old is not None:
            self._retract(source, change.record_id, old, change.reason, _time_of(change))
            return
        self.tally.unknown_retractions += 1
        if self.by_time and change.at is not None:  # What it ends may come later.
            known = self._tables.ends(source, [change.record_id]).get(change.record_id, "")
            if self._usable(known) < self._date_of(change):
                self._tables.note(
                    source, change.record_id, "retracted", change.reason, None, _time_of(change)
                )

    def _insert(self, source: Source, record: Record, body: str, old: Stored | None) -> _Row:
        """Return the row of a record that is new, or has other hashes than before."""
        added = self._version
        if old is None:
            self.tally.added += 1
            source.entries += 1
            self._entries += 1
        else:
            added = old.added
            self._tables.note(source, record.record_id, "updated", _changed_fields(old.body, body))
            self._tables.take_off(old)
            source.digest = combined(
                source.digest, taken=value_of(source.name, record.record_id, old.body)
            )
            self.tally.updated += 1
            self.tally.replaced += 1
            self._db.execute("DELETE FROM records WHERE seq = ?", (old.seq,))
        seq, self._next_seq = self._next_seq, self._next_seq + 1
        source.digest += value_of(source.name, record.record_id, body)
        places = self._tables.put_on(record, seq)
        return seq, source.no, record.record_id, added, body, places

    def _update(self, source: Source, record: Record, old: Stored, body: str) -> bool:
        """Change a record whose hashes stay as they are; return whether that was enough."""
        before = json.loads(old.body)
        if before["hashes"] != record.hashes or before.get("views", {}) != record.views:
            return False
        self._tables.note(source, record.record_id, "updated", _changed_fields(old.body, body))
        self._db.execute("UPDATE records SET body = ? WHERE seq = ?", (body, old.seq))
        source.digest = combined(
            source.digest,
            value_of(source.name, record.record_id, body),
            value_of(source.name, record.record_id, old.body),
        )
        self.tally.updated += 1
        self.tally.replaced += 1
        self._mark(old.seq)
        return True

    def _retract(
        self, source: Source, name: str, old: Stored, reason: str, happened: str = ""
    ) -> None:
        self._tables.take_off(old)
        self._db.execute("DELETE FROM records WHERE seq = ?", (old.seq,))
        self._db.execute("DELETE FROM suspended WHERE source = ? AND id = ?", (source.no, name))
        self._tables.note(source, name, "retracted", reason, old.added, happened)
        source.digest = combined(source.digest, taken=value_of(source.name, name, old.body))
        source.entries -= 1
        self._entries -= 1
        self.tally.retracted += 1

    def _mark(self, seq: int) -> None:
        if self._seen is not None and seq < self._first_seq:
            self._seen[seq >> 3] |= 1 << (seq & 7)

    def _unseen(self) -> Iterator[tuple[Source, str]]:
        seen = self._seen or bytearray()
        for source in self._tables.sources_within(self._scope):
            rows = self._db.execute(
                "SELECT seq, id FROM records WHERE source = ? AND seq < ?",
                (source.no, self._first_seq),
            )
            for seq, name in rows:
                if not seen[seq >> 3] >> (seq & 7) & 1:
                    yield source, name


def _changed_fields(old: str, new: str) -> str:
    """Return the names of the fields in which two bodies differ; of hashes, the types."""
    before, after = json.loads(old), json.loads(new)
    names = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        if name == "hashes":
            was, now = before[name], after[name]
            names += [f"hash {t}" for t in sorted(was | now) if was.get(t) != now.get(t)]
        else:
            names.append(name)
    return ", ".join(names)


def _time_of(change: Record | Retraction) -> str:
    """Return when the source dates a change, as text that sorts; empty for never."""
    at = change.at if isinstance(change, Retraction) else change.last_seen
    return "" if at is None else _text_of(at)


def _time_of_body(body: str) -> str:
    found = json.loads(body).get("last_seen")
    return "" if found is None else _text_of(instant_of(found))


def _text_of(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _types_in(body: str) -> list[str]:
    return list(json.loads(body)["hashes"])
