"""What a change does to the tables of a catalog, within SQLite's transaction."""

from __future__ import annotations

import bisect
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.errors import DuplicateIdError, UnknownIdError
from fingerprint.index.reading import block_of, find_row, sequence_number
from fingerprint.index.rows import INSERT_BLOCK, INSERT_ENTRY, encoded, encoded_blocks
from fingerprint.index.view import Rows, State

if TYPE_CHECKING:
    from fingerprint.index.building import Built
    from fingerprint.index.store import Batch
    from fingerprint.typing import I64

__all__ = ["Pending", "TableChange"]

_IDS_AT_ONCE = 512
_BLOCKS_FROM = 32
_BY_NAMES = f"SELECT id, seq FROM names WHERE id IN (?{', ?' * (_IDS_AT_ONCE - 1)})"  # noqa: S608


@dataclass
class Pending:
    """What a change has done so far, beside what is in SQLite's transaction."""

    state: State
    added: list[Rows] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    merged: tuple[str, ...] = ()
    built: Built | None = None
    is_listed: bool = False

    def mark(self) -> tuple[State, int, int]:
        """Return where it stands, for `back_to`."""
        return self.state, len(self.added), len(self.removed)

    def back_to(self, mark: tuple[State, int, int]) -> None:
        """Forget what came after a mark."""
        self.state = mark[0]
        del self.added[mark[1] :]
        del self.removed[mark[2] :]

    def own_last(self) -> None:
        """Copy what was added last: its array may be used for something else till the commit."""
        rows = self.added[-1]
        self.added[-1] = rows._replace(words=rows.words.copy(), quality=rows.quality.copy())

    @property
    def removed_seqs(self) -> I64:
        """What was removed, ascending."""
        return np.sort(np.array(self.removed, np.int64))


class TableChange:
    """One change: rows in and out of the tables, and the same in what is pending.

    ``on_added`` is called before rows are written: what can be done beside that.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        directory: Path,
        bits: int,
        pending: Pending,
        on_added: Callable[[], None],
    ) -> None:
        self._db = db
        self._directory = directory
        self._nbytes = (bits + 7) // 8
        self._pending = pending
        self._on_added = on_added

    def insert(self, batch: Batch) -> range:
        """Add entries; return their sequence numbers."""
        pending = self._pending
        n = len(batch.words)
        if not n:
            return range(0)
        seqs = range(pending.state.next_seq, pending.state.next_seq + n)
        rows = Rows(np.arange(seqs.start, seqs.stop), batch.words, batch.quality)
        pending.added.append(rows)
        self._on_added()
        if batch.ids is None and batch.texts is None and n >= _BLOCKS_FROM:
            self._db.executemany(INSERT_BLOCK, encoded_blocks(rows, self._nbytes))
        else:
            none: list[str | None] = [None] * n
            values = encoded(rows, self._nbytes, batch.ids or none, batch.texts or none)
            self._db.executemany(INSERT_ENTRY, values)
        if batch.ids is not None:
            self._insert_names(batch.ids, seqs)
        pending.state = pending.state._replace(
            entries=pending.state.entries + n, next_seq=seqs.stop
        )
        return seqs

    def _insert_names(self, ids: Sequence[str], seqs: range) -> None:
        # In the order of the tree: neighbours are written to the same page.
        order = sorted(range(len(ids)), key=ids.__getitem__)
        rows = zip(map(ids.__getitem__, order), map(seqs.start.__add__, order), strict=True)
        try:
            self._db.executemany("INSERT INTO names VALUES (?, ?)", rows)
        except sqlite3.IntegrityError:
            known = self._seqs_of(ids)
            old = next((one for one in ids if known.get(one, seqs.start) < seqs.start), ids[0])
            raise DuplicateIdError(f"id {old!r} is in the index already") from None

    def discard(self, ids: Sequence[str], *, missing_ok: bool = False) -> None:
        """Remove entries."""
        pending = self._pending
        known = self._seqs_of(ids)
        if not missing_ok and len(known) < len(ids):
            missing = next(one for one in ids if one not in known)
            raise UnknownIdError(f"id {missing!r} is not in the index")
        seqs = list(known.values())
        self._break_up(known)
        self._db.executemany("DELETE FROM entries WHERE seq = ?", ((seq,) for seq in sorted(seqs)))
        self._db.executemany("DELETE FROM names WHERE id = ?", ((one,) for one in sorted(known)))
        if not seqs:
            return
        pending.removed += seqs
        # Counted here and not where it is logged: a commit that seals forgets what it removed
        # of the tail, and still has to be erased.
        pending.state = pending.state._replace(
            entries=pending.state.entries - len(seqs), removals=pending.state.removals + 1
        )

    def _break_up(self, known: Mapping[str, int]) -> None:
        """Cut entries out of their blocks: what stands between them stays in smaller ones."""
        numbered = sorted(seq for name, seq in known.items() if name == f"#{seq}")
        done = 0
        while done < len(numbered):
            block = block_of(self._db, self._directory, numbered[done])
            end = numbered[done] + 1 if block is None else block.first_seq + block.n
            cut = bisect.bisect_left(numbered, end, done)
            if block is not None:
                self._db.execute("DELETE FROM blocks WHERE first_seq = ?", (block.first_seq,))
                self._db.executemany(INSERT_BLOCK, block.without(numbered[done:cut]))
            done = cut

    def _seqs_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the sequence numbers of those ids that are there."""
        found: dict[str, int] = {}
        for first in range(0, len(ids), _IDS_AT_ONCE):
            some = ids[first : first + _IDS_AT_ONCE]
            numbers = [n for n in map(sequence_number, some) if n is not None]
            if len(some) == 1:
                found.update(self._db.execute("SELECT id, seq FROM names WHERE id = ?", some))
            else:  # One statement for any number of them: NULL is no id.
                filled = [*some, *[None] * (_IDS_AT_ONCE - len(some))]
                found.update(self._db.execute(_BY_NAMES, filled))
            for seq in numbers:
                if f"#{seq}" not in found and find_row(self._db, self._directory, f"#{seq}"):
                    found[f"#{seq}"] = seq
        return found
