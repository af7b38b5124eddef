"""What can be asked of a hash list; `hash_list` has what changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fingerprint.errors import CorruptIndexError, IndexLockedError, UnknownIdError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index.disk_store import nbytes_of
from fingerprint.lists import history
from fingerprint.lists.content import DIGEST_NBYTES, combined, record_of
from fingerprint.lists.lookup import Commit, OvertakenError
from fingerprint.lists.readers import Glance, Readers, Standing
from fingerprint.lists.records import Record
from fingerprint.lists.reports import (
    Feed,
    FrameHits,
    Hit,
    ListDiff,
    ListEvent,
    ListVersion,
    RejectedRow,
)
from fingerprint.lists.shelves import Shelves
from fingerprint.lists.standing import checkpoint_of, rejected, stale_reasons
from fingerprint.lists.tables import SQLITE_ERRORS, read_state

if TYPE_CHECKING:
    from fingerprint.lists.lookup import Exclude
    from fingerprint.views.families import ViewFamily
    from fingerprint.views.picture import Picture

__all__ = ["AskedList", "unknown_record"]

Answer = TypeVar("Answer")

_ATTEMPTS = 100
"""Commits that may come between before an answer is given up; each waits for the disk."""


class AskedList:
    """The reading half of `HashList`."""

    path: Path
    name: str
    description: str
    read_only: bool

    _readers: Readers
    _shelves: Shelves

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
        raise unknown_record(source, record_id)

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
        with self._readers.glance() as glance:
            commit, seqs = self._begun(glance, lambda commit: commit.records_with(type))
            for first in range(0, len(seqs), 256):
                for record in commit.read(seqs[first : first + 256]):
                    if type in record.hashes:
                        yield record

    def suspended(self) -> list[tuple[str, str]]:
        """Return source and id of the records that are suspended, sorted."""
        with self._readers.snapshot() as db:
            rows = db.execute(
                "SELECT s.name, u.id FROM suspended AS u JOIN sources AS s ON s.no = u.source "
                "ORDER BY s.name, u.id"
            )
            return [(source, record_id) for source, record_id in rows]

    def versions(self) -> list[ListVersion]:
        """Return all commits, oldest first."""
        with self._readers.snapshot() as db:
            return history.versions(db)

    def history(self, source: str, record_id: str) -> list[ListEvent]:
        """Return what happened to a record, oldest first; nothing if it was never here."""
        with self._readers.snapshot() as db:
            return history.history(db, source, record_id)

    def diff(self, old: int, new: int | None = None) -> ListDiff:
        """Return which records differ between two versions; the last one by default.

        What was changed and changed back between them, or retracted and added again,
        counts as updated.
        """
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

    def info(self) -> dict[str, Any]:
        """Return what it holds and how it stands, as plain values."""
        with self._readers.snapshot() as db:
            state = read_state(db)
            types = dict(db.execute("SELECT type, records FROM shelves ORDER BY type"))
            sources = dict(db.execute("SELECT name, entries FROM sources ORDER BY name"))
            suspended = db.execute("SELECT COUNT(*) FROM suspended").fetchone()[0]
            last = history.versions(db)[-1:]
            total = 0
            for (digest,) in db.execute("SELECT digest FROM sources"):
                total = combined(total, int.from_bytes(digest))
        return {
            "name": self.name,
            "description": self.description,
            "path": str(self.path),
            "version": state.version,
            "changed_at": last[0].at.isoformat() if last else None,
            "digest": total.to_bytes(DIGEST_NBYTES).hex(),
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

    def _standing(self) -> Standing:
        with self._readers.glance() as glance:
            return glance.look()

    @contextmanager
    def _asked(self) -> Iterator[Commit]:
        with self._readers.glance() as glance:
            yield Commit(glance, self._shelves, self.name)

    def _begun(self, glance: Glance, ask: Callable[[Commit], Answer]) -> tuple[Commit, Answer]:
        """Ask one commit, and hold on to it: what follows is of the same."""
        for _ in range(_ATTEMPTS):
            commit = Commit(glance, self._shelves, self.name)
            try:
                answer = ask(commit)
            except (OvertakenError, CorruptIndexError, OSError):
                if commit.is_last():
                    raise
                continue
            return commit, answer
        raise self._too_busy()

    def _too_busy(self) -> IndexLockedError:
        return IndexLockedError(
            str(self.path), f"changed {_ATTEMPTS} times while it was asked: ask again"
        )

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
        raise self._too_busy()


_BODY = """
SELECT body FROM records
WHERE source = (SELECT no FROM sources WHERE name = ?) AND id = ?
"""


def unknown_record(source: str, record_id: str) -> UnknownIdError:
    """Return the error of a record that is not here."""
    return UnknownIdError(f"record {record_id!r} of {source!r} is not in the list")
