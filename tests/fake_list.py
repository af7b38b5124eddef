"""A hash list in memory that compares everything with everything, and can be made to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from fingerprint.errors import UnknownIdError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.lists import HASH_TYPES, Record, canonical_hash
from fingerprint.video import read_vpdq_text
from fingerprint.views.families import ViewFamily
from fingerprint.views.picture import Picture


class FakeHit(NamedTuple):
    record: Record
    type: str
    distance: int
    transform: str
    list_name: str
    list_version: int


class FakeFrames(NamedTuple):
    owners: Any
    records: Any
    rows: Any
    distances: Any
    keys: Sequence[tuple[str, str]]


def bits_apart(a: str, b: str) -> int:
    return (int(a, 16) ^ int(b, 16)).bit_count()


class FakeList:
    """What `fingerprint.lists.HashList` promises, slowly.

    ``broken`` maps a method or property to what it raises.
    """

    def __init__(self, name: str, records: Iterable[Record] = (), version: int = 1) -> None:
        self.name = name
        self._records = {one.key: one for one in records}
        self.version_number = version if self._records else 0
        self.stale: list[str] = []
        self.suspended: set[tuple[str, str]] = set()
        self.broken: dict[str, BaseException] = {}
        self.calls: list[str] = []

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.broken:
            raise self.broken[name]

    @property
    def version(self) -> int:
        self._called("version")
        return self.version_number

    @property
    def digest(self) -> str:
        self._called("digest")
        return f"{abs(hash(frozenset(self._records))):064x}"

    @property
    def hash_types(self) -> frozenset[str]:
        self._called("hash_types")
        types = {name for one in self._records.values() for name in one.hashes}
        return frozenset(types | {"pdq" for one in self._records.values() if one.views})

    def __len__(self) -> int:
        return len(self._records)

    def count(self, kind: str) -> int:
        self._called("count")
        return sum(kind in one.hashes for one in self._records.values())

    def get(self, source: str, record_id: str) -> Record:
        self._called("get")
        if (source, record_id) not in self._records:
            raise UnknownIdError("no such record")
        return self._records[source, record_id]

    def records_with(self, kind: str) -> Iterator[Record]:
        self._called("records_with")
        yield from [one for one in self._live() if kind in one.hashes]

    def find(self, kind: str, value: str) -> list[FakeHit]:
        self._called("find")
        wanted = canonical_hash(HASH_TYPES[kind], value)
        return [
            FakeHit(one, kind, 0, "identity", self.name, self.version_number)
            for one in self._live()
            if one.hashes.get(kind) == wanted
        ]

    def within(
        self,
        query: Mapping[str, Hash],
        radius: int,
        *,
        exclude: Callable[[Record], bool] | None = None,
    ) -> list[FakeHit]:
        self._called("within")
        kind = next(iter(query.values())).algorithm
        hits = []
        for one in self._live():
            stored = {"": one.hashes[kind]} if kind in one.hashes else {}
            stored |= one.views if kind == "pdq" else {}
            near = sorted(
                (bits_apart(view.hex, value), f"{name} of {other}" if other else name)
                for name, view in query.items()
                for other, value in stored.items()
            )
            if near and near[0][0] <= radius and not (exclude is not None and exclude(one)):
                hits.append(FakeHit(one, kind, *near[0], self.name, self.version_number))
        return sorted(hits, key=lambda hit: hit.distance)

    def match_picture(
        self,
        picture: Picture,
        families: Sequence[ViewFamily],
        radii: Mapping[str, int],
        *,
        thorough: bool = False,
        exclude: Callable[[Record], bool] | None = None,
    ) -> list[FakeHit]:
        self._called("match_picture")
        best: dict[tuple[str, str], FakeHit] = {}
        for stage in sorted({one.stage for one in families}):
            for family in (one for one in families if one.stage == stage):
                views = {
                    name: one
                    for name, one in family.hash(picture)
                    if name == "identity" or one.quality is None or one.quality >= 50
                }
                for hit in self.within(views, radii[family.name], exclude=exclude) if views else ():
                    known = best.get(hit.record.key)
                    if known is None or hit.distance < known.distance:
                        best[hit.record.key] = hit
            if best and not thorough:
                break
        return list(best.values())

    def frames_within(self, hashes: HashArray, radius: int) -> FakeFrames:
        self._called("frames_within")
        keys = sorted(one.key for one in self._live() if "vpdq" in one.hashes)
        rows = []
        for place, key in enumerate(keys):
            reference = read_vpdq_text(self._records[key].hashes["vpdq"])
            for owner, query in enumerate(hashes):
                for row, frame in enumerate(reference.hashes):
                    if (distance := query - frame) <= radius:
                        rows.append((owner, place, row, distance))
        table = np.array(rows, np.int64).reshape(-1, 4)
        return FakeFrames(table[:, 0], table[:, 1], table[:, 2], table[:, 3], keys)

    def stale_reasons(
        self, now: datetime | None = None, max_age_s: float | None = None
    ) -> list[str]:
        self._called("stale_reasons")
        return list(self.stale)

    def suspend(self, source: str, record_id: str, *, by: str, reason: str) -> None:
        self.suspended.add((source, record_id))

    def _live(self) -> list[Record]:
        return [one for key, one in self._records.items() if key not in self.suspended]
