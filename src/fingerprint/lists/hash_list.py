"""Hash lists on disk: made, changed, asked, checked."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from fingerprint.errors import (
    CorruptIndexError,
    IndexLockedError,
    UnknownIdError,
    UnsupportedOperationError,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index.creation import draft_beside
from fingerprint.index.disk_store import nbytes_of
from fingerprint.index.locking import locked
from fingerprint.lists import checking, history
from fingerprint.lists.content import DIGEST_NBYTES, combined, record_of
from fingerprint.lists.lookup import Commit, OvertakenError
from fingerprint.lists.readers import Readers, Standing
from fingerprint.lists.records import Change, Record, Retraction
from fingerprint.lists.reports import (
    ApplyReport,
    Feed,
    FrameHits,
    Hit,
    ListDiff,
    ListEvent,
    ListVersion,
    RejectedRow,
)
from fingerprint.lists.shelves import Shelves
from fingerprint.lists.standing import (
    checkpoint_of,
    rejected,
    stale_reasons,
)
from fingerprint.lists.tables import (
    CATALOG,
    SQLITE_ERRORS,
    create_tables,
    read_facts,
    read_state,
)
from fingerprint.lists.writing import ListWriter

if TYPE_CHECKING:
    from fingerprint.lists.lookup import Exclude
    from fingerprint.results import VerifyReport
    from fingerprint.typing import Residency
    from fingerprint.views.families import ViewFamily
    from fingerprint.views.picture import Picture

__all__ = ["HashList"]

Answer = TypeVar("Answer")

_ATTEMPTS = 100
"""Commits that may come between before an answer is given up; each waits for the disk."""


class HashList:
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

    path: Path
    name: str
    description: str
    read_only: bool

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

    _readers: Readers
    _shelves: Shelves
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
            ten records, is refused.
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
            date is missing, the one that comes later. For feeds that repeat themselves.
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
            raise _unknown(source, record_id)
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

    @property
    def version(self) -> int:
        """Number of the last commit that changed records; 0 for none."""
        return self._standing().version

    @property
    def digest(self) -> str:
        """Digest of all records, in hex; see `content_digest`."""
        return self.digest_of("")

    def digest_of(self, source: str) -> str:
        """Digest of the records of a source and its parts, in hex; of all for ``""``."""
        total = 0
        for name, _, digest in self._standing().sources:
            if not source or name == source or name.startswith(f"{source}/"):
                total = combined(total, digest)
        return total.to_bytes(DIGEST_NBYTES).hex()

    @property
    def hash_types(self) -> frozenset[str]:
        """Types of hashes that some record has."""
        return frozenset(name for name, row in self._standing().shelves.items() if row.records)

    def count(self, type: str) -> int:  # noqa: A002 - the field's own word
        """Return how many records have a hash of a type."""
        row = self._standing().shelves.get(type)
        return 0 if row is None else row.records

    def __len__(self) -> int:
        return self._standing().entries

    def __contains__(self, key: object) -> bool:
        if not (isinstance(key, tuple) and len(key) == 2 and all(isinstance(k, str) for k in key)):
            return False
        with self._readers.snapshot() as db:
            return db.execute(_BODY, key).fetchone() is not None

    def get(self, source: str, record_id: str) -> Record:
        """Return a record; UnknownIdError when it is not here."""
        with self._readers.snapshot() as db:
            row = db.execute(_BODY, (source, record_id)).fetchone()
            if row is not None:
                return record_of(source, record_id, row[0])
        raise _unknown(source, record_id)

    def records(self, source: str | None = None) -> Iterator[Record]:
        """Iterate over records by source and id, as one commit has them.

        Parameters
        ----------
        source : str, optional
            Only of this source and its parts.
        """
        with self._readers.snapshot() as db:
            for no, name in db.execute("SELECT no, name FROM sources ORDER BY name").fetchall():
                if source is not None and name != source and not name.startswith(f"{source}/"):
                    continue
                rows = db.execute(
                    "SELECT id, body FROM records WHERE source = ? ORDER BY id", (no,)
                )
                for record_id, body in rows:
                    yield record_of(name, record_id, body)

    def records_with(self, type: str) -> Iterator[Record]:  # noqa: A002
        """Iterate over the records that have a hash of a type and are not suspended."""
        with self._asked() as commit:
            seqs = commit.records_with(type)
            for first in range(0, len(seqs), 256):
                for record in commit.read(seqs[first : first + 256]):
                    if type in record.hashes:
                        yield record

    def versions(self) -> list[ListVersion]:
        """Return all commits, oldest first."""
        with self._readers.snapshot() as db:
            return history.versions(db)

    def history(self, source: str, record_id: str) -> list[ListEvent]:
        """Return what happened to a record, oldest first; nothing if it was never here."""
        with self._readers.snapshot() as db:
            return history.history(db, source, record_id)

    def diff(self, old: int, new: int | None = None) -> ListDiff:
        """Return which records differ between two versions; the last one by default."""
        with self._readers.snapshot() as db:
            return history.diff(db, old, new)

    def rejected(self, limit: int = 1000) -> list[RejectedRow]:
        """Return rows that could not be used, of each feed's last reading that had any."""
        with self._readers.snapshot() as db:
            return rejected(db, limit)

    def checkpoint(self, feed: str = "") -> dict[str, Any]:
        """Return how far a feed was read; empty if it never was."""
        with self._readers.snapshot() as db:
            return checkpoint_of(db, feed)

    def feeds(self) -> list[Feed]:
        """Return where records come from, and how fresh they are."""
        return list(self._standing().feeds)

    def stale_reasons(
        self, now: datetime | None = None, max_age_s: float | None = None
    ) -> list[str]:
        """Say why the list cannot be relied on to be complete; nothing when it can.

        Parameters
        ----------
        now : datetime, optional
            The time to judge by.
        max_age_s : float, optional
            Longest time since a feed was read to its end.
        """
        return stale_reasons(self._standing().feeds, now or datetime.now(UTC), max_age_s)

    def find(self, type: str, value: str) -> list[Hit]:  # noqa: A002
        """Find the records with an equal hash.

        Parameters
        ----------
        type : str
            Any of `HASH_TYPES` but ``"vpdq"``.
        value : str
            The hash, in any notation that records take.

        Returns
        -------
        list of Hit
            In the order of addition; suspended records are not found.

        Raises
        ------
        HashFormatError
            It is no such hash, or degenerate.
        """
        return self._asking(lambda commit: commit.find(type, value))

    def within(
        self,
        query: Hash | Mapping[str, Hash],
        radius: int,
        *,
        exclude: Exclude | None = None,
    ) -> list[Hit]:
        """Find the records near a picture.

        Parameters
        ----------
        query : Hash, or mapping of str to Hash
            Of ``pdq``, ``phash`` or ``dhash``: one, or several views of one picture.
        radius : int
            Largest Hamming distance in bits, inclusive.
        exclude : callable, optional
            Says of a record that it is to be passed over.

        Returns
        -------
        list of Hit
            Each record once with its nearest view, nearest first. Nothing within the
            radius is missed.
        """
        return self._asking(lambda commit: commit.within(query, radius, exclude))

    def match_picture(
        self,
        picture: Picture,
        families: Sequence[ViewFamily],
        radii: Mapping[str, int],
        *,
        thorough: bool = False,
        exclude: Exclude | None = None,
    ) -> list[Hit]:
        """Find the records near any view of a picture; as `fingerprint.match_image`."""
        return self._asking(
            lambda commit: commit.match_picture(
                picture, families, radii, thorough=thorough, exclude=exclude
            )
        )

    def frames_within(self, hashes: HashArray, radius: int) -> FrameHits:
        """Find the frames of listed videos (``vpdq``) near each of many frames (PDQ)."""
        return self._asking(lambda commit: commit.frames_within(hashes, radius))

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

    def info(self) -> dict[str, Any]:
        """Return what it holds and how it stands, as plain values."""
        with self._readers.snapshot() as db:
            state = read_state(db)
            types = dict(db.execute("SELECT type, records FROM shelves ORDER BY type"))
            sources = dict(db.execute("SELECT name, entries FROM sources ORDER BY name"))
            suspended = db.execute("SELECT COUNT(*) FROM suspended").fetchone()[0]
            last = history.versions(db)[-1:]
        return {
            "name": self.name,
            "description": self.description,
            "path": str(self.path),
            "version": state.version,
            "changed_at": last[0].at.isoformat() if last else None,
            "digest": self.digest,
            "records": state.entries,
            "hash_types": {name: n for name, n in types.items() if n},
            "sources": {name: n for name, n in sources.items() if n},
            "suspended": suspended,
            "unpurged": state.unpurged,
            "stale": self.stale_reasons(),
            "nbytes_on_disk": nbytes_of(self.path),
        }

    def __repr__(self) -> str:
        return f"<HashList {self.name} {self.path}>"

    def _writing(self) -> ListWriter:
        if self._writer is None:
            raise UnsupportedOperationError(f"{self.path}: opened with read_only=True")
        return self._writer

    def _standing(self) -> Standing:
        with self._readers.glance() as glance:
            return glance.look()

    @contextmanager
    def _asked(self) -> Iterator[Commit]:
        with self._readers.glance() as glance:
            yield Commit(glance, self._shelves, self.name)

    def _asking(self, ask: Callable[[Commit], Answer]) -> Answer:
        """Ask one commit, and again if what was retracted meanwhile may be missing."""
        for _ in range(_ATTEMPTS):
            with self._asked() as commit:
                try:
                    answer = ask(commit)
                except OvertakenError:
                    continue
                except (CorruptIndexError, OSError, *SQLITE_ERRORS):
                    if commit.folders() == commit.folders_now():
                        raise
                    continue  # The shelves were made anew meanwhile.
                if commit.is_last():
                    return answer
        raise IndexLockedError(
            str(self.path), f"changed {_ATTEMPTS} times while it was asked: ask again"
        )


_BODY = """
SELECT body FROM records
WHERE source = (SELECT no FROM sources WHERE name = ?) AND id = ?
"""


def _unknown(source: str, record_id: str) -> UnknownIdError:
    return UnknownIdError(f"record {record_id!r} of {source!r} is not in the list")
