"""Looking hashes up in a list: shelves find them, the tables say whose they are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.errors import UnsupportedOperationError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.lists.content import record_of
from fingerprint.lists.hash_types import HASH_TYPES, canonical_hash, hash_type
from fingerprint.lists.reports import FrameHits, Hit
from fingerprint.lists.shelves import Place, packed_value, places_of, seqs_of
from fingerprint.results import Match

if TYPE_CHECKING:
    from fingerprint.index.connections import Connection
    from fingerprint.index.queries import Query, Where
    from fingerprint.lists.readers import Glance
    from fingerprint.lists.records import Record
    from fingerprint.lists.shelves import Shelf, Shelves
    from fingerprint.typing import I64
    from fingerprint.views.families import ViewFamily
    from fingerprint.views.picture import Picture

__all__ = ["Commit", "Exclude", "OvertakenError"]

Exclude = Callable[["Record"], bool]
"""Says which records a look-up passes over."""

_BY_SEQ = """
SELECT r.seq, s.name, r.id, r.body, r.places FROM records AS r
JOIN sources AS s ON s.no = r.source
WHERE r.seq IN (SELECT value FROM json_each(?))
AND NOT EXISTS (SELECT 1 FROM suspended AS u WHERE u.source = r.source AND u.id = r.id)
"""
_KEYS = """
SELECT r.seq, s.name, r.id, r.places FROM records AS r
JOIN sources AS s ON s.no = r.source
WHERE r.seq IN (SELECT value FROM json_each(?))
AND NOT EXISTS (SELECT 1 FROM suspended AS u WHERE u.source = r.source AND u.id = r.id)
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """A number on a shelf, and the record it belongs to."""

    number: int
    record: Record
    view: str
    """Which stored view of the record it is; empty for the picture itself."""


class OvertakenError(Exception):
    """Somebody committed between two looks at the list: it has to be asked again."""


class Commit:
    """A list as one commit has it, to be asked."""

    def __init__(self, glance: Glance, shelves: Shelves, name: str) -> None:
        self._glance = glance
        self._standing = glance.look()
        self._shelves = shelves
        self._name = name
        self.version = self._standing.version

    def folders(self) -> set[str]:
        """Return where the shelves were when they were asked."""
        return self._standing.folders

    def folders_now(self) -> set[str]:
        """Return where they are."""
        self._glance.is_last()
        return self._glance.look().folders

    def is_last(self) -> bool:
        """Let go; return whether no other commit has changed records since."""
        return self._glance.is_last()

    @property
    def _db(self) -> Connection:
        """The tables as this commit has them; most look-ups find nothing and need none."""
        db = self._glance.db
        if not db.in_transaction and not self._glance.begin():
            raise OvertakenError
        return db

    def _shelf(self, name: str) -> Shelf | None:
        row = self._standing.shelves.get(name)
        return None if row is None else self._shelves.at(name, row)

    def find(self, type_name: str, value: str) -> list[Hit]:
        """Find records with an equal hash, in the order of addition."""
        kind = hash_type(type_name)
        if kind.name == "vpdq":
            raise UnsupportedOperationError("vpdq: frames are looked up, not whole videos")
        packed = packed_value(kind, canonical_hash(kind, value))
        shelf = self._shelf(kind.name)
        if shelf is None:
            return []
        query = Hash(shelf.index.algorithm, packed, shelf.index.bits)
        found = self._found(shelf, query, shelf.index.within(query, 0))
        return self._hits(shelf, ((0, "identity", one) for one in found))

    def within(self, query: Query, radius: int, exclude: Exclude | None) -> list[Hit]:
        """Find records near a picture, or near views of it."""
        views = list(query.values()) if isinstance(query, Mapping) else [query]
        if not all(isinstance(view, Hash) for view in views):
            raise TypeError("query: expected a Hash, or a mapping of views that are hashes")
        if not views:
            raise ValueError("query: expected at least one view of it, got none")
        if type(radius) is not int or radius < 0:
            raise ValueError(f"radius: expected a whole number from 0, got {radius!r}")
        search = self._search(views[0].algorithm, exclude)
        return [] if search is None else search.hits(search.within(query, radius))

    def match_picture(
        self,
        picture: Picture,
        families: Sequence[ViewFamily],
        radii: Mapping[str, int],
        *,
        thorough: bool,
        exclude: Exclude | None,
    ) -> list[Hit]:
        """Find records near any view of a picture, in stages."""
        from fingerprint.views.search import match_picture

        search = self._search(picture.algorithm.hash_name, exclude)
        if search is None:
            return []
        return search.hits(match_picture(search, picture, families, radii, thorough=thorough))

    def frames_within(self, hashes: HashArray, radius: int) -> FrameHits:
        """Find frames of listed videos near each of many frames."""
        none = np.empty(0, np.int64)
        shelf = self._shelf("vpdq")
        if shelf is None:
            return FrameHits(none, none, none, none.astype(np.int32), ())
        owners, numbers, distances = shelf.index.within_numbers(hashes, radius)
        if not numbers.size:
            return FrameHits(none, none, none, none.astype(np.int32), ())
        unique, back = np.unique(numbers, return_inverse=True)
        seqs = shelf.owners(self._db, unique)
        keys, of_seq, place_of = self._keys(shelf, seqs)
        records = np.array([of_seq.get(seq, -1) for seq in seqs.tolist()], np.int64)
        nowhere = Place(shelf.no, 0, 1 << 62)
        places = [place_of.get(seq, nowhere) for seq in seqs.tolist()]
        rows = unique - np.array([place.first for place in places], np.int64)
        if not all(0 <= row < place.n for row, place in zip(rows.tolist(), places, strict=True)):
            raise sqlite3.DatabaseError("a frame on a shelf is not one of its record")
        alive = records[back] >= 0 if numbers.size else np.empty(0, bool)
        return FrameHits(
            owners[alive], records[back][alive], rows[back][alive], distances[alive], tuple(keys)
        )

    def records_with(self, type_name: str) -> list[int]:
        """Return the sequence numbers of records that have a type of hashes."""
        shelf = self._shelf(hash_type(type_name).name)
        if shelf is None:
            return []
        blobs = self._db.execute("SELECT seqs FROM places WHERE shelf = ?", (shelf.no,))
        every = [seqs_of(blob) for (blob,) in blobs]
        seqs: list[int] = np.unique(np.concatenate([np.empty(0, np.int64), *every])).tolist()
        return seqs

    def read(self, seqs: Sequence[int]) -> list[Record]:
        """Return those of some records that are there and not suspended."""
        rows = self._db.execute(_BY_SEQ, (json.dumps(seqs),))
        return [record_of(source, name, body) for _, source, name, body, _ in rows]

    def _search(self, algorithm: str, exclude: Exclude | None) -> _Search | None:
        kind = HASH_TYPES.get(algorithm)
        if kind is None or kind.family != "perceptual":
            known = [one.name for one in HASH_TYPES.values() if one.family == "perceptual"]
            raise UnsupportedOperationError(
                f"lists hold no hashes of {algorithm!r}: expected one of {', '.join(known)}"
            )
        shelf = self._shelf(kind.name)
        return None if shelf is None else _Search(self, shelf, exclude)

    def _found(self, shelf: Shelf, query: Query, matches: Sequence[Match]) -> list[_Found]:
        """Return whose the numbers are that a shelf found, without what is not in this commit.

        A record whose own hash is not as far from the query as the shelf's was is not the one:
        the tables are damaged, and no evidence.
        """
        numbers = [int(match.id[1:]) for match in matches]
        if not numbers:
            return []
        seqs = shelf.owners(self._db, np.array(numbers, np.int64)).tolist()
        rows = {row[0]: row for row in self._db.execute(_BY_SEQ, (json.dumps(sorted(set(seqs))),))}
        known: dict[int, tuple[Record, dict[int, tuple[str, bytes]]]] = {}
        found = []
        for match, number, seq in zip(matches, numbers, seqs, strict=True):
            if seq not in rows:
                continue
            if seq not in known:
                _, source, name, body, places = rows[seq]
                record = record_of(source, name, body)
                known[seq] = record, _hashes_at(shelf, places, record)
            record, hashes = known[seq]
            view, packed = hashes.get(number, ("", b""))
            if not packed or _bits_apart(query, match, packed) != match.distance:
                raise sqlite3.DatabaseError("a hash on a shelf is not that of its record")
            found.append(_Found(number, record, view))
        return found

    def _hits(self, shelf: Shelf, found: Iterable[tuple[int, str, _Found]]) -> list[Hit]:
        best: dict[tuple[str, str], Hit] = {}
        for distance, transform, one in found:
            how = f"{transform} of {one.view}" if one.view else transform
            known = best.get(one.record.key)
            if known is None or distance < known.distance:
                best[one.record.key] = Hit(
                    one.record, shelf.kind.name, distance, how, self._name, self.version
                )
        return list(best.values())

    def _keys(
        self, shelf: Shelf, seqs: I64
    ) -> tuple[list[tuple[str, str]], dict[int, int], dict[int, Place]]:
        """Return keys of records, which of them each is, and where its frames are."""
        keys: list[tuple[str, str]] = []
        of_seq: dict[int, int] = {}
        place_of: dict[int, Place] = {}
        for seq, source, name, places in self._db.execute(_KEYS, (json.dumps(_unique(seqs)),)):
            of_seq[seq] = len(keys)
            keys.append((source, name))
            nothing = Place(shelf.no, 0, 0)
            place_of[seq] = next((p for p in places_of(places) if p.shelf == shelf.no), nothing)
        return keys, of_seq, place_of


class _Search:
    """A shelf as `match_picture` asks an index, which finds what lives and is not excluded."""

    def __init__(self, commit: Commit, shelf: Shelf, exclude: Exclude | None) -> None:
        self._commit = commit
        self._shelf = shelf
        self._exclude = exclude
        self._known: dict[str, _Found] = {}
        self.algorithm = shelf.index.algorithm
        self.bits = shelf.index.bits
        self.default_radius = shelf.index.default_radius
        self.min_quality = shelf.index.min_quality

    def within(self, query: Query, radius: int, *, where: Where | None = None) -> list[Match]:
        """Find numbers on the shelf."""
        matches = self._shelf.index.within(query, radius, where=where)
        found = {f"#{one.number}": one for one in self._commit._found(self._shelf, query, matches)}
        if self._exclude is not None:
            found = {name: one for name, one in found.items() if not self._exclude(one.record)}
        self._known |= found
        return [match for match in matches if match.id in found]

    def hits(self, matches: Iterable[Match]) -> list[Hit]:
        """Return the records behind matches, each once with its nearest view."""
        return self._commit._hits(
            self._shelf,
            ((match.distance, match.transform, self._known[match.id]) for match in matches),
        )


def _hashes_at(shelf: Shelf, places: bytes, record: Record) -> dict[int, tuple[str, bytes]]:
    """Return a record's hashes by their numbers on a shelf: the view's name, or "", and bits."""
    kind = shelf.kind
    named = [("", record.hashes[kind.name])] if kind.name in record.hashes else []
    if kind.name == "pdq":
        named += record.views.items()
    own = [place for place in places_of(places) if place.shelf == shelf.no]
    if sum(place.n for place in own) != len(named):
        raise sqlite3.DatabaseError("places of a record are damaged")
    numbers = (place.first + i for place in own for i in range(place.n))
    return {
        number: (view, packed_value(kind, value))
        for number, (view, value) in zip(numbers, named, strict=True)
    }


def _bits_apart(query: Query, match: Match, packed: bytes) -> int:
    asked = query if isinstance(query, Hash) else query[match.transform]
    return (int.from_bytes(asked.packed) ^ int.from_bytes(packed)).bit_count()


def _unique(seqs: I64) -> list[int]:
    return [seq for seq in np.unique(seqs).tolist() if seq >= 0]
