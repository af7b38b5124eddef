"""Checking a list on disk: its tables, its digests, and that the shelves hold what they say."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.errors import CorruptIndexError, FingerprintError, UnknownIdError
from fingerprint.index import Index
from fingerprint.index.connections import connect_reader
from fingerprint.lists.content import combined, record_of, value_of
from fingerprint.lists.hash_types import HASH_TYPES
from fingerprint.lists.shelves import SHELVES, Shelf, hashes_of, places_of
from fingerprint.lists.tables import CATALOG, SQLITE_ERRORS, read_facts, read_state, typed_error
from fingerprint.results import VerifyReport

if TYPE_CHECKING:
    from fingerprint.typing import I64

__all__ = ["verify"]

PROBLEMS = 100
"""That are told; there may be more."""

_PAGE = 1024


def verify(directory: Path, progress: Callable[[float], object] | None) -> VerifyReport:
    """Compare everything with everything; see `HashList.verify`."""
    read_facts(directory)
    db = connect_reader(directory / CATALOG)
    try:
        db.execute("BEGIN")
        return _Check(db, directory, progress).run()
    except SQLITE_ERRORS as error:
        raise typed_error(error, directory) from error
    finally:
        db.close()


class _Check:
    def __init__(
        self,
        db: sqlite3.Connection,
        directory: Path,
        progress: Callable[[float], object] | None,
    ) -> None:
        self._db = db
        self._directory = directory
        self._progress = progress
        self._problems: list[str] = []
        self._segments = 0
        self._records_of: Counter[str] = Counter()
        self._state = read_state(db)

    def run(self) -> VerifyReport:
        for (message,) in self._db.execute("PRAGMA integrity_check(20)"):
            if message != "ok":
                self._tell(f"{CATALOG}: {message}")
        shelves: dict[int, Shelf] = {}
        try:
            self._open_shelves(shelves)
            n = self._records(shelves)
        finally:
            for shelf in shelves.values():
                shelf.index.close()
        self._compare_counts()
        if n != self._state.entries:
            self._tell(f"{CATALOG}: {n:,} records, but the state says {self._state.entries:,}")
        return VerifyReport(tuple(self._problems), n, self._segments)

    def _compare_counts(self) -> None:
        """Compare how many records have each type, by which screening knows what to compute."""
        counted: dict[str, int] = dict(self._db.execute("SELECT type, records FROM shelves"))
        for name in sorted(counted.keys() | self._records_of):
            found, said = self._records_of[name], counted.get(name, 0)
            if found != said:
                self._tell(f"{CATALOG}: {found:,} records with {name}, but {said:,} are counted")

    def _tell(self, problem: str) -> None:
        if len(self._problems) < PROBLEMS:
            self._problems.append(problem)

    def _open_shelves(self, found: dict[int, Shelf]) -> None:
        """Open and check all shelves."""
        for no, name, folder in self._db.execute("SELECT no, type, folder FROM shelves"):
            where = f"{SHELVES}/{folder}"
            if name not in HASH_TYPES:
                self._tell(f"{CATALOG}: a shelf of unknown type")
                continue
            try:
                index = Index.open(self._directory / where, read_only=True)
                found[no] = Shelf(no, HASH_TYPES[name], index)
                report = index.verify()
            except (FingerprintError, OSError) as error:
                self._tell(f"{where}: {error}; `fingerprint list verify --rebuild` mends it")
                continue
            self._segments += report.segments
            for problem in report.problems:
                self._tell(f"{where}: {problem}")

    def _records(self, shelves: dict[int, Shelf]) -> int:
        """Compare records with their source's digest, and with what is on the shelves."""
        done = 0
        sources = self._db.execute("SELECT no, name, entries, digest FROM sources").fetchall()
        for no, name, entries, digest in sources:
            total = n = 0
            rows = self._db.execute(
                "SELECT seq, id, body, places FROM records WHERE source = ? ORDER BY id", (no,)
            )
            while page := rows.fetchmany(_PAGE):
                for seq, record_id, body, places in page:
                    total = combined(total, value_of(name, record_id, body))
                    self._on_shelves(shelves, seq, name, record_id, body, places)
                n += len(page)
                if self._progress is not None:
                    self._progress(min(1.0, (done + n) / max(1, self._state.entries)))
            if n != entries:
                self._tell(f"source {name!r}: {n:,} records, but {entries:,} are counted")
            if total != int.from_bytes(digest):
                self._tell(f"source {name!r}: its records do not match its digest")
            done += n
        return done

    def _on_shelves(
        self,
        shelves: dict[int, Shelf],
        seq: int,
        source: str,
        record_id: str,
        body: str,
        places: bytes,
    ) -> None:
        who = f"record {record_id!r} of {source!r}"
        try:
            record = record_of(source, record_id, body)
            wanted = list(hashes_of(record))
            found = places_of(places)
        except SQLITE_ERRORS as error:
            self._tell(f"{who}: {error}")
            return
        self._records_of.update({kind.name for kind, _, _ in wanted})
        if [n for _, _, n in wanted] != [place.n for place in found]:
            self._tell(f"{who}: its places on the shelves are not those of its hashes")
            return
        for (kind, packed, n), place in zip(wanted, found, strict=True):
            shelf = shelves.get(place.shelf)
            if shelf is None:
                continue
            numbers = np.arange(place.first, place.first + n)
            if shelf.kind != kind or not self._are_of(shelf, numbers, seq):
                self._tell(f"{who}: its {kind.name} hash is another's by the table places")
                continue
            nbytes = len(packed) // n
            for i, number in enumerate(numbers.tolist()):
                fault = _fault(shelf, number, packed[i * nbytes : (i + 1) * nbytes])
                if fault and self._is_there_still(seq, places):
                    self._tell(f"{who}: {fault}")

    def _are_of(self, shelf: Shelf, numbers: I64, seq: int) -> bool:
        try:
            return bool((shelf.owners(self._db, numbers) == seq).all())
        except sqlite3.DatabaseError:
            return False

    def _is_there_still(self, seq: int, places: bytes) -> bool:
        """Say whether a record was not retracted meanwhile, which takes its hashes away."""
        with closing(connect_reader(self._directory / CATALOG)) as db:
            row = db.execute("SELECT places FROM records WHERE seq = ?", (seq,)).fetchone()
        return row is not None and row[0] == places


def _fault(shelf: Shelf, number: int, packed: bytes) -> str:
    try:
        on_shelf = shelf.index.get(f"#{number}").hash.packed
    except UnknownIdError:
        return f"a {shelf.kind.name} hash is missing on its shelf"
    except CorruptIndexError as error:
        return f"a {shelf.kind.name} hash on its shelf cannot be read: {error.detail}"
    return "" if on_shelf == packed else f"a {shelf.kind.name} hash on its shelf is another"
