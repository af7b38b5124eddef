"""Entries in memory: gone when the process is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.errors import DuplicateIdError, UnknownIdError, UnsupportedOperationError
from fingerprint.index.reading import sequence_number
from fingerprint.index.rows import EntryRow
from fingerprint.index.segments import backend_for, build_backend
from fingerprint.index.store import Batch, Record, Records, Store
from fingerprint.index.view import Part, Rows, State, View, array_of, is_among
from fingerprint.results import VerifyReport

if TYPE_CHECKING:
    from pathlib import Path

    from fingerprint.index.tables import Facts

__all__ = ["MemoryStore"]

SEAL_ABOVE = 4096
"""Entries that are scanned rather than built over: a build costs more than a scan."""

SPARSE_ABOVE = 0.25
"""Share of removed rows from which the rest is built over anew."""


@dataclass
class _Texts:
    """Ids and metadata by sequence number: of what a view holds, and perhaps more."""

    names: dict[int, str] = field(default_factory=dict)
    metadata: dict[int, str] = field(default_factory=dict)

    def records(self, seqs: Sequence[int]) -> dict[int, Record]:
        """Return id and metadata by sequence number."""
        named, metadata = self.names, self.metadata
        return {seq: Record(named.get(seq, f"#{seq}"), metadata.get(seq)) for seq in seqs}


@dataclass
class _Pending:
    state: State
    added: list[Rows] = field(default_factory=list)
    removed: set[int] = field(default_factory=set)
    seqs: dict[str, int] = field(default_factory=dict)
    texts: _Texts = field(default_factory=_Texts)


@dataclass(frozen=True)
class _Committed:
    """A view with the texts of its entries: what one search works on."""

    view: View
    texts: _Texts

    def records(self, seqs: Sequence[int]) -> dict[int, Record]:
        """Return id and metadata by sequence number."""
        return self.texts.records(seqs)

    def rows(self) -> Iterator[EntryRow]:
        """Yield all entries, in order."""
        for rows in self.view.alive_rows():
            yield from _entry_rows(rows, self.texts, self.view.kind[2])

    def named(self, after: int = 0) -> dict[int, str]:
        """Return the ids that entries were given, by sequence numbers beyond one, in order."""
        names = self.texts.names
        seqs = np.array([seq for seq in list(names) if seq > after], np.int64)
        alive = np.zeros(seqs.size, bool)
        for part in self.view.parts:
            alive |= is_among(part.rows.seqs, seqs) & ~is_among(part.removed_seqs, seqs)
        return {seq: names[seq] for seq in np.sort(seqs[alive]).tolist()}


def _entry_rows(rows: Rows, texts: _Texts, bits: int) -> Iterator[EntryRow]:
    packed = rows.words.view(np.uint8)[:, : (bits + 7) // 8]
    for seq, one, quality in zip(rows.seqs.tolist(), packed, rows.quality.tolist(), strict=True):
        name, metadata = texts.names.get(seq), texts.metadata.get(seq)
        yield EntryRow(seq, name, one.tobytes(), quality, metadata, 0)


class MemoryStore(Store):
    """Entries in memory, searched like those on disk.

    Changes gather beside the committed state and replace it in one step, so a search
    in another thread sees all of a change or nothing.
    """

    where = "in memory"

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.read_only = False
        self._mutex = threading.RLock()
        self._publishing = threading.RLock()
        self._committed = _Committed(View.empty(facts.kind), _Texts())
        self._seqs: dict[str, int] = {}
        self._pending: _Pending | None = None
        self._in_transaction = False
        self._closed = False

    def latest(self) -> tuple[View, Records]:
        """Return the view of the last commit, and the way to the entries it finds."""
        self._refuse_closed()
        if self._needs_build(self._committed.view):
            with self._mutex, self._publishing:
                if self._needs_build(self._committed.view):
                    self._rebuild()
        committed = self._committed
        return committed.view, committed.records

    @contextmanager
    def frozen(self) -> Iterator[_Committed]:
        """Hold on to the last commit."""
        self._refuse_closed()
        yield self._committed

    def rows(self) -> Iterator[EntryRow]:
        """Yield all entries, in order, as they are now."""
        self._refuse_closed()
        pending = self._own_pending()
        if pending is None:
            return self._committed.rows()
        return self._pending_rows(pending)

    def _pending_rows(self, pending: _Pending) -> Iterator[EntryRow]:
        removed = frozenset(pending.removed)
        for row in self._committed.rows():
            if row.seq not in removed:
                yield row
        for rows in tuple(pending.added):
            for row in _entry_rows(rows, pending.texts, self.facts.bits):
                if row.seq not in removed:
                    yield row

    def find(self, name: str) -> EntryRow | None:
        """Return the entry with this id, if there is one."""
        self._refuse_closed()
        pending = self._own_pending()
        with self._publishing:
            committed = self._committed
            seq = self._seq_of(name, pending)
        if seq is None:
            return None
        rows, texts = _row_at(committed.view, seq), committed.texts
        if rows is None and pending is not None:
            added = (chunk.at(chunk.seqs == seq) for chunk in pending.added)
            rows, texts = next(chunk for chunk in added if chunk.seqs.size), pending.texts
        return None if rows is None else next(_entry_rows(rows, texts, self.facts.bits))

    def _seq_of(self, name: str, pending: _Pending | None) -> int | None:
        if pending is not None and name in pending.seqs:
            return pending.seqs[name]
        seq = self._seqs.get(name)
        if seq is None:
            seq = self._numbered(name, pending)
        return None if seq is None or (pending is not None and seq in pending.removed) else seq

    def _numbered(self, name: str, pending: _Pending | None) -> int | None:
        """Return n of an id ``#n``, if that is an entry without another id."""
        seq = sequence_number(name)
        if seq is None:
            return None
        if _row_at(self._committed.view, seq) is not None:
            return None if seq in self._committed.texts.names else seq
        chunks = () if pending is None else pending.added
        is_pending = any(chunk.seqs[0] <= seq <= chunk.seqs[-1] for chunk in chunks)
        return seq if is_pending and pending and seq not in pending.texts.names else None

    def count(self) -> int:
        """Return how many entries there are."""
        self._refuse_closed()
        pending = self._own_pending()
        return (pending.state if pending else self._committed.view.state).entries

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all changes within one commit."""
        with self._turn():
            if self._in_transaction:
                raise UnsupportedOperationError("a transaction within a transaction")
            self._in_transaction = True
            try:
                with self._commit_at_end():
                    yield
            finally:
                self._in_transaction = False

    @contextmanager
    def change(self) -> Iterator[MemoryStore]:
        """Make one change: a commit of its own, or a part of the open transaction."""
        with self._turn():
            if self._in_transaction:
                yield self
            else:
                with self._commit_at_end():
                    yield self

    def insert(self, batch: Batch) -> range:
        """Add entries; return their sequence numbers."""
        pending = self._open
        n = len(batch.words)
        first = pending.state.next_seq
        seqs = range(first, first + n)
        for name in batch.ids or ():
            old = self._seqs.get(name)
            if name in pending.seqs or not (old is None or old in pending.removed):
                raise DuplicateIdError(f"id {name!r} is in the index already")
        if not n:
            return seqs
        # Copied: the caller may go on to use his array for something else.
        rows = Rows(np.arange(first, seqs.stop), batch.words.copy(), batch.quality.copy())
        if batch.ids is not None:
            pending.seqs.update(zip(batch.ids, seqs, strict=True))
            pending.texts.names.update(zip(seqs, batch.ids, strict=True))
        if batch.texts is not None:
            texts = zip(seqs, batch.texts, strict=True)
            pending.texts.metadata.update((seq, text) for seq, text in texts if text is not None)
        pending.added.append(rows)
        pending.state = pending.state._replace(
            entries=pending.state.entries + n, next_seq=seqs.stop
        )
        return seqs

    def discard(self, ids: Sequence[str], *, missing_ok: bool = False) -> None:
        """Remove entries."""
        pending = self._open
        found = {one: self._seq_of(one, pending) for one in ids}
        for one, seq in found.items():
            if seq is None and not missing_ok:
                raise UnknownIdError(f"id {one!r} is not in the index")
        seqs = {seq for seq in found.values() if seq is not None}
        for one in found:
            pending.seqs.pop(one, None)
        pending.removed |= seqs
        pending.state = pending.state._replace(entries=pending.state.entries - len(seqs))

    def seal(self) -> None:
        """Build over all entries."""
        self._refuse_closed()
        self._refuse_in_transaction("seal")
        with self._mutex, self._publishing:
            self._rebuild()

    def compact(self) -> None:
        """Build over all entries, and forget what was removed."""
        self._refuse_closed()
        self._refuse_in_transaction("compact")
        with self._mutex, self._publishing:
            self._rebuild()

    def verify(self, progress: Callable[[float], object] | None) -> VerifyReport:
        """Say that all is well: nothing is on a disk."""
        return VerifyReport((), self.count(), 0)

    def snapshot(self, path: Path) -> None:
        """Write all of it to a new directory."""
        from fingerprint.index.snapshots import copy_of_memory  # It opens stores itself.

        copy_of_memory(self, path)

    def info(self) -> dict[str, Any]:
        """Say how it is kept, as plain values."""
        return {"path": None, "read_only": self.read_only}

    def close(self) -> None:
        """Refuse everything from now on; the memory goes with the index."""
        self._closed = True

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ValueError("in memory: the index is closed")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._refuse_closed()
        if self.read_only:
            raise UnsupportedOperationError("opened with read_only=True")
        with self._mutex:
            yield

    @property
    def _open(self) -> _Pending:
        if self._pending is None:
            raise UnsupportedOperationError("no change is open")
        return self._pending

    def _own_pending(self) -> _Pending | None:
        """Return what the calling thread's transaction has changed so far."""
        if not self._in_transaction or not self._mutex.acquire(blocking=False):
            return None
        try:
            return self._pending
        finally:
            self._mutex.release()

    def _refuse_in_transaction(self, what: str) -> None:
        if self._own_pending() is not None:
            raise UnsupportedOperationError(f"{what} within a transaction")

    @contextmanager
    def _commit_at_end(self) -> Iterator[None]:
        self._pending = pending = _Pending(self._committed.view.state)
        try:
            yield
            if pending.added or pending.removed:
                self._commit(pending)
        finally:
            self._pending = None

    def _commit(self, pending: _Pending) -> None:
        before = self._committed
        removed = np.array(sorted(pending.removed), np.int64)
        state = pending.state._replace(version=before.view.state.version + 1)
        segments = [part.without(removed) for part in before.view.segments]
        view = before.view.advanced(state, segments, removed, pending.added)
        names, metadata = before.texts.names, before.texts.metadata
        gone = [names[seq] for seq in pending.removed if seq in names]
        old = {name: self._seqs[name] for name in gone if name in self._seqs}
        with self._publishing:
            try:
                # No view knows the new sequence numbers yet; the old ones keep their texts.
                names.update(pending.texts.names)
                metadata.update(pending.texts.metadata)
                for name in old:
                    del self._seqs[name]
                self._seqs.update(pending.seqs)
                self._committed = _Committed(view, before.texts)
            except BaseException:  # An interrupt: all of it or nothing.
                for name in pending.seqs:
                    self._seqs.pop(name, None)
                self._seqs.update(old)
                self._committed = before
                # The numbers will be given again, to others.
                for seq in pending.texts.names:
                    names.pop(seq, None)
                for seq in pending.texts.metadata:
                    metadata.pop(seq, None)
                raise

    def _needs_build(self, view: View) -> bool:
        n_built = sum(len(part) for part in view.segments)
        n_removed = sum(part.removed.size for part in view.segments) + view.tail.removed.size
        if n_removed > max(SEAL_ABOVE, SPARSE_ABOVE * (n_built + view.tail.n)):
            return True
        if view.tail.n <= max(SEAL_ABOVE, n_built // 2):
            return False
        # A scan needs nothing built.
        return bool(n_built) or backend_for(self.facts, view.tail.n) != "linear"

    def _rebuild(self) -> None:
        """Put everything into one part, and forget the texts of what was removed."""
        before = self._committed
        chunks = list(before.view.alive_rows())
        state = before.view.state._replace(version=before.view.state.version + 1)
        segments = []
        if sum(chunk.seqs.size for chunk in chunks):
            rows = Rows.concatenate(chunks)
            state = state._replace(sealed=int(rows.seqs[-1]))
            name = backend_for(self.facts, rows.seqs.size)
            backend = build_backend(self.facts, name, array_of(self.facts.kind, rows))
            segments = [Part(backend, rows, name=str(state.version))]
        texts = _Texts(
            {seq: name for name, seq in self._seqs.items()},
            dict(before.texts.metadata),
        )
        if len(texts.metadata) > before.view.state.entries:
            alive = {seq for part in segments for seq in part.rows.seqs.tolist()}
            texts.metadata = {s: text for s, text in texts.metadata.items() if s in alive}
        view = View.empty(self.facts.kind)
        self._committed = _Committed(
            view.advanced(state, segments, np.empty(0, np.int64), ()), texts
        )


def _row_at(view: View, seq: int) -> Rows | None:
    """Return the row of an entry that is alive, if the view has it."""
    wanted = np.array([seq])
    for part in view.parts:
        at = np.searchsorted(part.rows.seqs, wanted)
        if at[0] == len(part) or part.rows.seqs[at[0]] != seq:
            continue
        return None if is_among(part.removed, at)[0] else part.rows.at(at)
    return None
