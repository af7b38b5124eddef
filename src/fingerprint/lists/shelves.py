"""Shelves: for each type of hashes an `Index` of all of them, made from the records.

The list's tables are the truth. Hashes come onto a shelf before the commit of their records,
and leave it after the commit that retracts them: whatever a reader's commit holds is
therefore on the shelf, and what is on the shelf beyond it is told by the tables.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import struct
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.errors import CorruptIndexError, IndexFormatError
from fingerprint.hash_arrays import HashArray
from fingerprint.index import Index, durable
from fingerprint.lists.hash_types import HASH_TYPES, HashType
from fingerprint.lists.readers import ShelfRow, read_shelves

if TYPE_CHECKING:
    from fingerprint.lists.records import Record
    from fingerprint.typing import I64, Residency

__all__ = [
    "SHELVES",
    "Place",
    "Shelf",
    "Shelves",
    "hashes_of",
    "packed_value",
    "places_in_turn",
    "places_of",
    "places_text",
    "seqs_of",
]

SHELVES = "shelves"

_PLACE = struct.Struct("<BqI")
_SEQS_A_ROW = 512
_ADDED_AT_ONCE = 1 << 18
_TMK_BITS = 256


class Place(NamedTuple):
    """Consecutive numbers on a shelf that belong to one record."""

    shelf: int
    first: int
    n: int


def places_text(places: Iterable[Place]) -> bytes:
    """Return places as they are stored."""
    return b"".join(_PLACE.pack(*place) for place in places)


def places_in_turn(firsts: Sequence[tuple[int, int]], n: int) -> list[bytes]:
    """Return the places of n records that lie in turn on the same shelves, as they are stored.

    Parameters
    ----------
    firsts : sequence of (int, int)
        Shelf and first number.
    n : int
        Records; each has one hash on each shelf.
    """
    every = np.zeros((n, len(firsts)), np.dtype([("shelf", "u1"), ("first", "<i8"), ("n", "<u4")]))
    for i, (shelf, first) in enumerate(firsts):
        every["shelf"][:, i] = shelf
        every["first"][:, i] = np.arange(first, first + n)
    every["n"] = 1
    blob = every.tobytes()
    width = _PLACE.size * len(firsts)
    return [blob[i : i + width] for i in range(0, len(blob), width)]


def places_of(blob: bytes) -> list[Place]:
    """Read places; sqlite3.DatabaseError when they are damaged."""
    try:
        return [Place(*values) for values in _PLACE.iter_unpack(blob)]
    except struct.error:
        raise sqlite3.DatabaseError("places of a record are damaged") from None


def seqs_of(blob: bytes) -> I64:
    """Read a row of the table places; sqlite3.DatabaseError when it is damaged."""
    if len(blob) % 8:
        raise sqlite3.DatabaseError("places of records are damaged")
    return np.frombuffer(blob, "<i8").astype(np.int64, copy=False)


def hashes_of(record: Record) -> Iterator[tuple[HashType, bytes, int]]:
    """Yield what of a record goes onto shelves: the type, packed hashes, and how many.

    A picture's views are PDQ hashes beside its own.
    """
    for name, value in record.hashes.items():
        kind = HASH_TYPES[name]
        if kind.name == "vpdq":
            yield kind, *_frames(value)
        else:
            yield kind, packed_value(kind, value), 1
    if record.views:
        packed = b"".join(map(bytes.fromhex, record.views.values()))
        yield HASH_TYPES["pdq"], packed, len(record.views)


def packed_value(kind: HashType, value: str) -> bytes:
    """Return the bits under which a canonical value is looked up."""
    if kind.name == "tmk_pdqf":  # Features are long: equal ones have equal digests.
        return hashlib.sha256(base64.b64decode(value)).digest()
    return bytes.fromhex(value)


def _frames(value: str) -> tuple[bytes, int]:
    rows = [line.split(",")[2] for line in value.splitlines()]
    return bytes.fromhex("".join(rows)), len(rows)


def algorithm_of(kind: HashType) -> tuple[str, int, bool]:
    """Return algorithm and bits of a shelf, and whether only equal hashes are looked for."""
    if kind.name == "vpdq":
        return "pdq", kind.bits, False
    if kind.name == "tmk_pdqf":
        return kind.name, _TMK_BITS, True
    return kind.name, kind.bits, kind.is_exact


class Shelf:
    """The hashes of one type, by number; and what is about to be added to them."""

    def __init__(self, no: int, kind: HashType, index: Index) -> None:
        self.no = no
        self.kind = kind
        self.is_hex = kind.family != "video"
        self.index = index
        self.next_number = 0
        self.records = 0
        self._packed = bytearray()
        self._seqs: list[int] = []
        self._first = 0
        self._adding: Future[None] | None = None

    def begin(self, next_number: int, records: int) -> None:
        """Begin a change, at what the tables say."""
        self.next_number = self._first = next_number
        self.records = records
        self._adding = None
        self._packed.clear()
        self._seqs.clear()

    def stage_one(self, packed: bytes, seq: int) -> bytes:
        """Take one hash of a record in; return its place as it is stored."""
        number = self.next_number
        self.next_number = number + 1
        self.records += 1
        self._packed += packed
        self._seqs.append(seq)
        return _PLACE.pack(self.no, number, 1)

    def stage_many(self, values: Iterable[str], seqs: range) -> int:
        """Take one hash in hex of each of many records in; return the first one's number."""
        first = self.next_number
        self.next_number += len(seqs)
        self.records += len(seqs)
        self._packed += bytes.fromhex("".join(values))
        self._seqs.extend(seqs)
        return first

    def stage(self, packed: bytes, n: int, seq: int) -> Place:
        """Take hashes of a record in; `flush` puts them onto the shelf."""
        place = Place(self.no, self.next_number, n)
        self._packed += packed
        if n == 1:
            self._seqs.append(seq)
        else:
            self._seqs.extend([seq] * n)
        self.next_number += n
        return place

    @property
    def is_full(self) -> bool:
        """Whether so many hashes wait that they should be flushed."""
        return len(self._seqs) >= _ADDED_AT_ONCE

    def flush(self, db: sqlite3.Connection, beside: Executor | None = None) -> None:
        """Put what waits onto the shelf for good, and note whose it is.

        With ``beside``, that goes on while more is staged; `settle` waits for it.
        """
        self.settle()
        if not self._seqs:
            return
        nbytes = self.index.bits // 8
        packed = np.frombuffer(bytes(self._packed), np.uint8).reshape(-1, nbytes)
        hashes = HashArray(packed, self.index.algorithm, bits=self.index.bits)
        first, self._first = self._first, self.next_number
        if beside is None:
            self._add(hashes, first)
        else:
            self._adding = beside.submit(self._add, hashes, first)
        seqs = np.array(self._seqs, "<i8")
        rows = (
            (self.no, first + i, seqs[i : i + _SEQS_A_ROW].tobytes())
            for i in range(0, len(seqs), _SEQS_A_ROW)
        )
        db.executemany("INSERT INTO places VALUES (?, ?, ?)", rows)
        self._packed.clear()
        self._seqs.clear()

    def settle(self) -> None:
        """Wait for what is being added, and raise what it raised."""
        adding, self._adding = self._adding, None
        if adding is not None:
            adding.result()

    def _add(self, hashes: HashArray, first: int) -> None:
        names = self.index.add(None, hashes)
        if names[0] != f"#{first}":
            raise CorruptIndexError(
                str(self.index), f"expected to add #{first} next, added {names[0]}"
            )

    def owners(self, db: sqlite3.Connection, numbers: I64) -> I64:
        """Return the records' sequence numbers of numbers on the shelf; -1 for none."""
        found = np.full(len(numbers), -1, np.int64)
        order = np.argsort(numbers, kind="stable")
        first, seqs = 0, np.empty(0, np.int64)
        for i in order.tolist():
            number = int(numbers[i])
            if not first <= number < first + len(seqs):
                row = db.execute(
                    "SELECT first, seqs FROM places WHERE shelf = ? AND first <= ? "
                    "ORDER BY first DESC LIMIT 1",
                    (self.no, number),
                ).fetchone()
                if row is None:
                    continue
                first, seqs = row[0], seqs_of(row[1])
            if number < first + len(seqs):
                found[i] = seqs[number - first]
        return found

    def take_off(self, places: Iterable[Place]) -> None:
        """Remove hashes; those that are gone already do not matter."""
        ids = [f"#{number}" for _, first, n in places for number in range(first, first + n)]
        if ids:
            self.index.remove(ids, missing_ok=True)


class Shelves:
    """The open shelves of a list, by type."""

    def __init__(self, directory: Path, *, read_only: bool, residency: Residency) -> None:
        self._directory = directory / SHELVES
        self._read_only = read_only
        self._residency: Residency = residency
        self._open: dict[str, Shelf] = {}
        self._folders: dict[str, str] = {}
        self._retired: list[Shelf] = []
        self._closed = False
        self._lock = threading.RLock()

    def listed(self, db: sqlite3.Connection) -> dict[str, ShelfRow]:
        """Return each type's shelf as the tables list it."""
        found = read_shelves(db)
        if not found.keys() <= HASH_TYPES.keys():
            raise sqlite3.DatabaseError("the table shelves does not hold what it should")
        return found

    def get(self, db: sqlite3.Connection, name: str) -> Shelf | None:
        """Return the shelf of a type, if the commit at hand has one."""
        row = self.listed(db).get(name)
        return None if row is None else self.at(name, row)

    def at(self, name: str, row: ShelfRow) -> Shelf:
        """Return the shelf of a type, open."""
        with self._lock:
            if self._closed:  # A look-up that is under way must not leave it open, and locked.
                raise ValueError(f"{self._directory.parent}: the list is closed")
            shelf = self._open.get(name)
            if shelf is None or self._folders[name] != row.folder:
                if shelf is not None:  # Rebuilt meanwhile; another thread may be searching it.
                    self._retired.append(shelf)
                shelf = Shelf(row.no, HASH_TYPES[name], self._index(row.folder))
                self._open[name], self._folders[name] = shelf, row.folder
        return shelf

    def create(self, db: sqlite3.Connection, name: str) -> Shelf:
        """Make an empty shelf within the open change."""
        algorithm, bits, exact = algorithm_of(HASH_TYPES[name])
        self._directory.mkdir(mode=durable.PRIVATE_DIRECTORY, exist_ok=True)
        folder = f"{name}-{uuid.uuid4().hex}"
        backend = "equal" if exact else "auto"
        Index.create(self._directory / folder, algorithm, bits=bits, backend=backend).close()
        (no,) = db.execute("SELECT COALESCE(MAX(no), -1) + 1 FROM shelves").fetchone()
        index = self._index(folder)
        db.execute(
            "INSERT INTO shelves VALUES (?, ?, ?, ?, 0)", (no, name, folder, index.next_number)
        )
        shelf = Shelf(no, HASH_TYPES[name], index)
        shelf.begin(index.next_number, 0)
        with self._lock:
            self._open[name], self._folders[name] = shelf, folder
        return shelf

    def forget(self, name: str) -> None:
        """Close a shelf, such as one whose making was not committed."""
        with self._lock:
            shelf = self._open.pop(name, None)
            self._folders.pop(name, None)
        if shelf is not None:
            shelf.index.close()

    def open_names(self) -> list[str]:
        """Return the types whose shelves are open."""
        with self._lock:
            return list(self._open)

    def remove_orphans(self, db: sqlite3.Connection) -> None:
        """Remove what a change left that was not committed: whole shelves, and hashes on them."""
        listed = self.listed(db)
        folders = {folder for _, folder, _, _ in listed.values()}
        for name in self.open_names():
            if name not in listed:
                self.forget(name)
        if self._directory.is_dir():
            for path in self._directory.iterdir():
                if path.name not in folders:
                    durable.remove_folder(path)
        for name, (no, _, next_number, _) in listed.items():
            shelf = self.get(db, name)
            if shelf is None or shelf.index.next_number == next_number:
                continue
            orphans = shelf.index.next_number - next_number
            if orphans < 0:
                raise CorruptIndexError(
                    str(shelf.index), f"ends {-orphans} hashes too early; `rebuild` makes it anew"
                )
            shelf.take_off([Place(no, next_number, orphans)])
            db.execute("UPDATE state SET unpurged = unpurged + ?", (orphans,))
            db.execute(
                "UPDATE shelves SET next_number = ? WHERE no = ?", (shelf.index.next_number, no)
            )

    def close(self) -> None:
        """Close all."""
        with self._lock:
            self._closed = True
        for name in self.open_names():
            self.forget(name)
        for shelf in self._retired:
            shelf.index.close()

    def _index(self, folder: str) -> Index:
        path = self._directory / folder
        try:
            return Index.open(path, read_only=self._read_only, residency=self._residency)
        except CorruptIndexError:
            raise
        except IndexFormatError as error:
            detail = f"found {error.found}; `rebuild` makes it from the records"
            raise CorruptIndexError(str(path), detail) from error
