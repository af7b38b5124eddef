"""Hash lists on disk: made, changed, asked, checked."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fingerprint.errors import (
    UnsupportedOperationError,
)
from fingerprint.index.creation import draft_beside
from fingerprint.index.locking import locked
from fingerprint.lists import checking
from fingerprint.lists.asked_list import AskedList, unknown_record
from fingerprint.lists.readers import Readers
from fingerprint.lists.records import Change, Record, Retraction
from fingerprint.lists.reports import (
    ApplyReport,
)
from fingerprint.lists.shelves import Shelves
from fingerprint.lists.tables import (
    CATALOG,
    create_tables,
    read_facts,
    read_state,
)
from fingerprint.lists.writing import ListWriter

if TYPE_CHECKING:
    from fingerprint.results import VerifyReport
    from fingerprint.typing import Residency

__all__ = ["HashList"]


class HashList(AskedList):
    """Records of hashes in a directory: applied as snapshots and changes, asked by hash.

    `create` makes one and `open` opens it. One process may write, any number may read
    beside it; each sees every commit without opening the list again, and each answer
    is that of one commit.

    Notes
    -----
    Who a record is, is its source and id: retracting one leaves another with the same
    hash alone. Nothing but hashes and what sources say is stored, in files that only
    their owner can read.

    Examples
    --------
    >>> from fingerprint.lists import HashList, Record
    >>> import tempfile
    >>> record = Record("us", "1", {"md5": "0123456789abcdef" * 2})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with HashList.create(f"{folder}/known", "known") as known:
    ...         report = known.add(record, by="me")
    ...         [hit.record.record_id for hit in known.find("md5", "0123456789ABCDEF" * 2)]
    ['1']
    >>> report.added, report.version
    (1, 1)
    """

    @classmethod
    def create(cls, path: str | Path, name: str = "", *, description: str = "") -> Self:
        """Make an empty list in a directory of its own, and open it for writing.

        Parameters
        ----------
        path : str or Path
            A new path, or an empty folder.
        name : str
            What evidence calls it; the folder's name by default.
        description : str
            For people.

        Raises
        ------
        IndexFormatError
            Something is there already.
        """
        with draft_beside(Path(path)) as draft:
            create_tables(draft / CATALOG, name or Path(path).absolute().name, description)
        return cls.open(path)

    @classmethod
    def open(
        cls, path: str | Path, *, read_only: bool = False, residency: Residency = "mmap"
    ) -> Self:
        """Open a list that `create` or `snapshot` made.

        Parameters
        ----------
        path : str or Path
            Its directory.
        read_only : bool
            Any number of readers may have it open, beside one writer.
        residency : {"mmap", "huge"}
            Where search structures live; as for `fingerprint.Index.open`.

        Raises
        ------
        IndexFormatError
            It is no list, or of a newer format.
        CorruptIndexError
            It is damaged.
        IndexLockedError
            It is open for writing already.
        """
        if residency not in ("mmap", "huge"):
            raise ValueError(f"residency: expected 'mmap' or 'huge', got {residency!r}")
        return cls._opened(path, read_only=read_only, residency=residency)

    @classmethod
    def _opened(
        cls,
        path: str | Path,
        *,
        read_only: bool = False,
        residency: Residency = "mmap",
        settle: bool = True,
    ) -> Self:
        """Open a list; where its shelves are damaged, without looking at them."""
        found = cls.__new__(cls)
        directory = Path(path).absolute()
        with ExitStack() as opened:
            facts = read_facts(directory)
            if not read_only:
                opened.enter_context(locked(directory))
            found._readers = Readers(directory)
            opened.callback(found._readers.close)
            found._shelves = Shelves(directory, read_only=read_only, residency=residency)
            opened.callback(found._shelves.close)
            found._writer = None
            if not read_only:
                found._writer = ListWriter(directory, found._shelves, settle=settle)
                opened.callback(found._writer.close)
            with found._readers.snapshot() as db:
                read_state(db)
            found._held = opened.pop_all()
        found.path, found.read_only = directory, read_only
        found.name, found.description = facts["name"], facts["description"]
        found._pid = os.getpid()
        found._closing = threading.Lock()
        return found

    _writer: ListWriter | None
    _held: ExitStack
    _pid: int
    _closing: threading.Lock

    def close(self) -> None:
        """Let go of files and the writer's lock; the list cannot be used any more."""
        with self._closing:
            held, self._held = self._held, ExitStack()
        if os.getpid() == self._pid:
            held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def apply(
        self,
        changes: Iterable[Change],
        *,
        by: str,
        feed: str = "",
        checkpoint: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        snapshot_of: str | None = None,
        max_retracted_share: float = 0.5,
        refreshed_at: datetime | None = None,
        expires_at: datetime | None = None,
        note: str = "",
        purge: bool = True,
        by_time: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> ApplyReport:
        """Apply changes in one commit, with the checkpoint they lead to: all or nothing.

        Applying the same again changes nothing.

        Parameters
        ----------
        changes : iterable of Record, Retraction or Rejected
            In order: of one record, the last counts. It is read as it comes, a few thousand
            at a time; what it raises undoes everything.
        by : str
            Who brings them, for the history.
        feed : str
            Where they come from; what ``checkpoint`` and freshness are kept under.
        checkpoint : mapping or callable, optional
            How far the feed was read, as JSON can say it; a callable is asked when all
            changes are read.
        snapshot_of : str, optional
            The changes are all there is of this source and its parts (``"a"`` has
            ``"a/b"``): other records of it are retracted. A record that is rejected keeps
            what is stored; if a rejected row cannot be told whose it is, nothing is
            retracted for want of mention.
        max_retracted_share : float
            A snapshot that leaves out a larger share of the source, 0 to 1, and more than
            one record, is refused.
        refreshed_at : datetime, optional
            When the feed was read to its end; now, if there is a feed.
        expires_at : datetime, optional
            After this, the feed is stale.
        note : str
            For the history.
        purge : bool
            Overwrite what was retracted in all files at once, which takes a while for large
            lists; otherwise `purge` has to be called.
        by_time : bool
            Of two states of a record, the one counts that its source dates later
            (``last_seen``, or a retraction's ``at``), in whatever order they come; where a
            date is missing, or more than a day ahead, the one that comes later. For feeds that
            repeat themselves.
        progress : callable, optional
            Called with the number of changes so far.

        Returns
        -------
        ApplyReport
            What became of them.

        Raises
        ------
        ListRefusedError
            A snapshot leaves out too much, or has records of other sources.
        UnsupportedOperationError
            The list was opened for reading only.
        OSError
            The disk is full, or cannot be written. Nothing was changed.
        """
        return self._writing().apply(
            changes,
            by=by,
            feed=feed,
            checkpoint=checkpoint,
            snapshot_of=snapshot_of,
            max_retracted_share=max_retracted_share,
            refreshed_at=refreshed_at,
            expires_at=expires_at,
            note=note,
            purge=purge,
            by_time=by_time,
            progress=progress,
        )

    def add(self, records: Record | Iterable[Record], *, by: str, note: str = "") -> ApplyReport:
        """Add records, in the place of those with the same source and id."""
        given = [records] if isinstance(records, Record) else records
        return self.apply(given, by=by, note=note)

    def retract(
        self, source: str, record_id: str, *, by: str, reason: str = "", purge: bool = True
    ) -> ApplyReport:
        """Retract a record; UnknownIdError when it is not here."""
        if (source, record_id) not in self:
            raise unknown_record(source, record_id)
        return self.apply([Retraction(source, record_id, None, reason)], by=by, purge=purge)

    def set_checkpoint(
        self,
        feed: str,
        checkpoint: Mapping[str, Any],
        *,
        refreshed_at: datetime | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        """Note how far a feed was read, without changes."""
        self._writing().set_checkpoint(feed, checkpoint, refreshed_at, expires_at)

    def mark_stale(self, feed: str, reason: str) -> None:
        """Say that a feed cannot be relied on until it is read to its end again."""
        self._writing().mark_stale(feed, reason)

    def suspend(self, source: str, record_id: str, *, by: str, reason: str) -> None:
        """Keep a record from being found until `resume`; UnknownIdError when it is not here."""
        self._writing().suspend(source, record_id, by, reason, suspended=True)

    def resume(self, source: str, record_id: str, *, by: str, reason: str = "") -> None:
        """Let a suspended record be found again."""
        self._writing().suspend(source, record_id, by, reason, suspended=False)

    def purge(self, progress: Callable[[float], object] | None = None) -> None:
        """Overwrite everything that was retracted, in all files.

        Parameters
        ----------
        progress : callable, optional
            Called with the share that is done, 0 to 1.

        Raises
        ------
        IndexLockedError
            A reader holds on to an older state, which therefore is still on the disk.
        """
        self._writing().purge(progress)

    def verify(self, progress: Callable[[float], object] | None = None) -> VerifyReport:
        """Read everything, and compare it with its digests and with each other."""
        return checking.verify(self.path, progress)

    @classmethod
    def rebuild(
        cls, path: str | Path, *, progress: Callable[[int], object] | None = None
    ) -> VerifyReport:
        """Make the shelves of a list anew from its records, and check it.

        Raises
        ------
        CorruptIndexError
            The records themselves are damaged; nothing was changed.
        IndexLockedError
            It is open for writing.
        """
        with cls._opened(path, settle=False) as found:
            found._writing().rebuild(progress)
            return found.verify()

    def snapshot(self, path: str | Path) -> None:
        """Write a copy of the list to a new directory; `open` reads it.

        Raises
        ------
        IndexFormatError
            Something is there already.
        UnsupportedOperationError
            The list was opened for reading only.
        """
        writer = self._writing()
        with draft_beside(Path(path)) as draft:
            writer.copy(draft)

    def _writing(self) -> ListWriter:
        if self._writer is None:
            raise UnsupportedOperationError(f"{self.path}: opened with read_only=True")
        return self._writer
