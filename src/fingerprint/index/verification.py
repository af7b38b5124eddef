"""Whether an index on disk is what it was when it was written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.errors import CorruptIndexError, MissingExtraError
from fingerprint.index.catalog import read_manifest, read_removals
from fingerprint.index.reading import iterate_stored
from fingerprint.index.rows import Block, EntryRow, rows_of
from fingerprint.index.segments import SEGMENTS, Segment, mapped_rows, open_segment, sha256_of
from fingerprint.index.tables import (
    CATALOG,
    SQLITE_ERRORS,
    connect_reader,
    read_facts,
    read_state,
    told,
)
from fingerprint.index.view import Rows, is_among
from fingerprint.results import VerifyReport

if TYPE_CHECKING:
    from fingerprint.index.tables import Facts
    from fingerprint.typing import I64, Bits

__all__ = ["verify"]

_ROWS_AT_ONCE = 16_384
_ATTEMPTS = 5
_PROBLEMS_OF_A_KIND = 100


def verify(directory: Path, progress: Callable[[float], object] | None = None) -> VerifyReport:
    """Read everything and compare it with its checksums, and segments with the catalog."""
    for _ in range(_ATTEMPTS):
        report, manifest = _verified_once(directory, progress or (lambda _: None))
        if report.ok or manifest == _manifest_now(directory):
            break  # Else a merge took away segments that were being read.
    return report


def _verified_once(
    directory: Path, progress: Callable[[float], object]
) -> tuple[VerifyReport, int | None]:
    """Check one commit; return the report and the number of its manifest."""
    manifest = None
    with closing(connect_reader(directory / CATALOG)) as db:
        db.execute("BEGIN")
        check = _Verification(db, directory, progress)
        try:
            manifest = read_state(db).manifest
            check.run()
        except SQLITE_ERRORS as error:
            check.tell(f"{CATALOG}: {told(error)}")
        except CorruptIndexError as error:
            check.tell(error.detail)
        except FileNotFoundError as error:
            check.tell(f"{error.filename}: is missing")
    return VerifyReport(tuple(check.problems), check.entries, check.segments), manifest


def _manifest_now(directory: Path) -> int | None:
    with closing(connect_reader(directory / CATALOG)) as db:
        try:
            return read_state(db).manifest
        except SQLITE_ERRORS:
            return None


class _Verification:
    def __init__(
        self, db: sqlite3.Connection, directory: Path, progress: Callable[[float], object]
    ) -> None:
        self.db = db
        self.directory = directory
        self.progress = progress
        self.problems: list[str] = []
        self.entries = 0
        self.segments = 0

    def tell(self, problem: str) -> None:
        """Note a problem, unless there are too many already to be of use."""
        if len(self.problems) < _PROBLEMS_OF_A_KIND:
            self.problems.append(problem)

    def run(self) -> None:
        """Make all checks."""
        facts = read_facts(self.db, self.directory)
        for (found,) in self.db.execute(f"PRAGMA integrity_check({_PROBLEMS_OF_A_KIND})"):
            if found != "ok":
                self.tell(f"{CATALOG}: {found}")
        copies = self._segments(facts)
        self._entries(facts, copies)
        for copy in copies:
            for seq in copy.surplus():
                self.tell(f"{copy.where}: holds entry {seq}, which the catalog does not")
        self._names()
        self.progress(1.0)

    def _segments(self, facts: Facts) -> list[_Copy]:
        """Compare files with their checksums; return the segments that can be read."""
        removed = read_removals(self.db)
        manifest = read_manifest(self.db)
        copies = []
        for segment in manifest:
            self.segments += 1
            folder = self.directory / SEGMENTS / segment.name
            whole = matches = True
            for name, (nbytes, digest) in segment.files.items():
                path = folder / name
                where = f"{SEGMENTS}/{segment.name}/{name}"
                if not path.is_file():
                    self.tell(f"{where}: is missing")
                    whole = False
                elif path.stat().st_size != nbytes:
                    self.tell(f"{where}: has {path.stat().st_size:,} bytes, not {nbytes:,}")
                    whole = False
                elif sha256_of(path) != digest:
                    self.tell(f"{where}: does not match its checksum")
                    matches = False
            self.progress(0.5 * self.segments / len(manifest))
            if whole:
                copies += self._copy(segment, folder, facts.bits, removed)
            if whole and matches:  # Damage is for no backend's reader.
                self._open(facts, segment)
        return copies

    def _open(self, facts: Facts, segment: Segment) -> None:
        try:
            open_segment(self.directory, facts, segment, "mmap")
        except CorruptIndexError as error:
            self.tell(error.detail)
        except OSError as error:
            self.tell(f"{SEGMENTS}/{segment.name}: {error}")
        except MissingExtraError:
            pass  # Another installation may be able to.

    def _copy(self, segment: Segment, folder: Path, bits: int, removed: I64) -> list[_Copy]:
        where = f"{SEGMENTS}/{segment.name}"
        try:
            rows = mapped_rows(folder, segment.n, bits)
        except (ValueError, OSError) as error:
            self.tell(f"{where}: {error}")
            return []
        ends = (segment.first_seq, segment.last_seq)
        if (int(rows.seqs[0]), int(rows.seqs[-1])) != ends:
            self.tell(f"{where}: holds other entries than the manifest says")
        return [_Copy(where, rows, removed)]

    def _entries(self, facts: Facts, copies: list[_Copy]) -> None:
        state = read_state(self.db)
        last = 0
        for rows in self._readable(facts.bits):
            if rows.seqs[0] <= last or (np.diff(rows.seqs) <= 0).any():
                self.tell(f"{CATALOG}: two entries have the number {rows.seqs[0]}")
            last = int(rows.seqs[-1])
            expected = rows.seqs <= state.sealed
            for copy in copies:
                expected &= ~copy.compare(rows, self.tell)
            if len(copies) == self.segments:  # What is missing otherwise was told of.
                for seq in rows.seqs[expected][:_PROBLEMS_OF_A_KIND].tolist():
                    self.tell(f"entry {seq}: is in no segment, or counts as removed there")
            self.progress(0.5 + 0.4 * min(1.0, self.entries / max(1, state.entries)))
        if self.entries != state.entries:
            self.tell(f"{CATALOG}: {self.entries:,} entries, not {state.entries:,}")
        if last >= state.next_seq:
            self.tell(f"{CATALOG}: the number {state.next_seq} is to be given again")

    def _readable(self, bits: int) -> Iterator[Rows]:
        """Yield the entries that match their checksums; tell of the others."""
        page: list[EntryRow] = []
        for one in iterate_stored(self.db):
            if isinstance(one, Block):
                if page:
                    yield rows_of(page, bits)
                    page = []
                self.entries += one.n
                if one.is_whole:
                    yield one.rows(bits)
                else:
                    self.tell(f"block {one.first_seq}: does not match its checksum")
                continue
            self.entries += 1
            if one.is_whole:
                page.append(one)
            else:
                self.tell(f"entry {one.seq}: does not match its checksum")
            if len(page) == _ROWS_AT_ONCE:
                yield rows_of(page, bits)
                page = []
        if page:
            yield rows_of(page, bits)

    def _names(self) -> None:
        """Check that names and entries agree: each name's entry has it, and there are as many."""
        wrong = self.db.execute(
            "SELECT names.seq FROM names LEFT JOIN entries ON entries.seq = names.seq "
            "WHERE entries.id IS NOT names.id LIMIT ?",
            (_PROBLEMS_OF_A_KIND,),
        )
        for (seq,) in wrong:
            self.tell(f"{CATALOG}: a name stands for entry {seq}, which has another")
        n_names, n_named = (
            self.db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("names", "entries WHERE id IS NOT NULL")
        )
        if n_names != n_named:
            self.tell(f"{CATALOG}: {n_names:,} names for {n_named:,} entries that have one")


class _Copy:
    """A segment, compared with the catalog row by row."""

    def __init__(self, where: str, rows: Rows, removed: I64) -> None:
        self.where = where
        self._rows = rows
        self._alive = ~is_among(removed, rows.seqs)
        self._seen = np.zeros(rows.seqs.size, bool)

    def compare(self, entries: Rows, tell: Callable[[str], None]) -> Bits:
        """Tell of entries that are different here; return which are here and alive."""
        own = self._rows.seqs
        at = np.searchsorted(own, entries.seqs)
        at[at == own.size] = 0
        here: Bits = (own[at] == entries.seqs) & self._alive[at]
        self._seen[at[here]] = True
        same = (self._rows.words[at] == entries.words).all(axis=1)
        same &= self._rows.quality[at] == entries.quality
        for seq in entries.seqs[here & ~same][:_PROBLEMS_OF_A_KIND].tolist():
            tell(f"{self.where}: entry {seq} differs from the catalog's")
        return here

    def surplus(self) -> list[int]:
        """Return entries that a search would find here and not in the catalog."""
        found: list[int] = self._rows.seqs[self._alive & ~self._seen][:_PROBLEMS_OF_A_KIND].tolist()
        return found
