"""A HashList on disk through every kind of change, beside a dict that does the same slowly."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fingerprint.errors import ListRefusedError, UnknownIdError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index import merging, writer
from fingerprint.lists import (
    Change,
    HashList,
    Hit,
    Record,
    Rejected,
    Retraction,
    applying,
    content_digest,
    shelves,
)
from tests.record_strategies import digest, near, records

TYPES = ("md5", "pdq", "phash", "photodna", "vpdq")
SOURCES = ("a", "a/b", "ab")
FEW = 2
Key = tuple[str, str]
Model = dict[Key, Record]

sources = st.sampled_from(SOURCES)
ids = st.sampled_from("12345")
one_record = records(sources, ids, types=TYPES, numbers=st.integers(0, 3))
retraction = st.builds(Retraction, sources, ids)
rejected = st.builds(
    Rejected, st.integers(1, 9), st.just("bad"), sources, ids | st.just(""), st.booleans()
)
changes_of = st.lists(one_record | one_record | retraction | rejected, max_size=6)


class BrokenOffError(Exception):
    """Ends an iterable in its middle."""


def within(model: Model, types: Iterable[str], query: str, radius: int) -> dict[Key, int]:
    """Slow look-up: the least distance of each record's hashes and views."""
    found: dict[Key, int] = {}
    for key, record in model.items():
        values = [record.hashes[name] for name in types if name in record.hashes]
        if "pdq" in types:
            values += record.views.values()
        distances = [(int(one, 16) ^ int(query, 16)).bit_count() for one in values]
        if distances and min(distances) <= radius:
            found[key] = min(distances)
    return found


def distances_of(hits: list[Hit]) -> dict[Key, int]:
    found = {hit.record.key: hit.distance for hit in hits}
    assert len(found) == len(hits), "a record came twice"
    assert [h.distance for h in hits] == sorted(h.distance for h in hits)
    return found


class Lists(RuleBasedStateMachine):
    """A HashList on disk, and a reader of it, beside dicts."""

    @initialize()
    def start(self) -> None:
        self.stack = ExitStack()
        for module, name, value in (
            (applying, "BATCH", 3),
            (applying, "FEW", FEW),
            (shelves, "_ADDED_AT_ONCE", 4),
            (writer, "SEAL_ABOVE", 6),
            (merging, "SMALLEST_TIER", 6),
        ):
            self.stack.enter_context(mock.patch.object(module, name, value))
        self.folder = Path(tempfile.mkdtemp(prefix="lists-"))
        self.stack.callback(shutil.rmtree, self.folder)
        self.path = self.folder / "list"
        self.list = HashList.create(self.path)
        self.reader = HashList.open(self.path, read_only=True)
        self.model: Model = {}
        self.suspended: set[Key] = set()
        self.states: list[Model] = [{}]
        self.log: list[tuple[list[Change], str | None]] = []
        self.applied = self.looked_up = 0

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.reader.close()
            self.list.close()
            if self.path.exists():
                with HashList.open(self.path) as found:
                    assert found.verify().problems == ()
                    assert list(found.records()) == [self.model[key] for key in sorted(self.model)]
            self.stack.close()

    # What changes it, and the same in dicts.

    def after(self, changes: list[Change], scope: str | None, share: float) -> Model | None:
        """Return what is there after changes; None when they are to be refused."""
        model = dict(self.model)
        named: set[Key] = set()
        withheld = False
        for change in changes:
            if isinstance(change, Rejected):
                if change.whole and change.record_id:
                    named.add((change.source, change.record_id))
                elif change.whole:
                    withheld = True
            elif scope is not None and not is_within(change.source, scope):
                return None
            elif isinstance(change, Record):
                model[change.key] = change
                named.add(change.key)
            else:
                model.pop(change.key, None)
        if scope is None or withheld:
            return model
        before = [key for key in self.model if is_within(key[0], scope)]
        absent = [key for key in before if key in model and key not in named]
        if len(absent) > FEW and len(absent) > share * len(before):
            return None
        return {key: record for key, record in model.items() if key not in absent}

    def apply(
        self, changes: list[Change], scope: str | None, share: float, **options: Any
    ) -> Model | None:
        """Apply in both, and compare; return what there is, or None when it was refused."""
        after = self.after(changes, scope, share)
        given: dict[str, Any] = {"by": "me", "feed": "f", "snapshot_of": scope, **options}
        given["max_retracted_share"] = share
        if after is None:
            before = self.list.checkpoint("f")
            with pytest.raises(ListRefusedError):
                self.list.apply(changes, checkpoint={"lost": 1}, **given)
            assert self.list.checkpoint("f") == before
            return None
        self.applied += 1
        checkpoint = {"n": self.applied}
        report = self.list.apply(iter(changes), checkpoint=lambda: checkpoint, **given)
        assert self.list.checkpoint("f") == checkpoint
        assert report.rejected == sum(isinstance(c, Rejected) and c.whole for c in changes)
        assert report.changed or after == self.model
        version = self.list.version
        assert report.version == version == len(self.states) - 1 + report.changed
        if report.changed:
            self.states.append(after)
        for key in self.model.keys() - after.keys():
            self.suspended.discard(key)
        # Retracted and added again in one go: it is no longer suspended.
        for key in list(self.suspended):
            actions = [e.action for e in self.list.history(*key) if e.version == version]
            if "retracted" in actions and report.changed:
                self.suspended.discard(key)
        self.model = after
        return after

    @rule(changes=changes_of, purge=st.sampled_from([False, False, False, True]))
    def delta(self, changes: list[Change], purge: bool) -> None:
        assert self.apply(changes, None, 0.5, purge=purge) is not None
        self.log.append((changes, None))

    @rule(
        changes=changes_of,
        scope=sources,
        share=st.sampled_from([0.0, 0.5, 1.0]),
        anyone=st.booleans(),
        keeps=st.booleans(),
    )
    def snapshot(
        self, changes: list[Change], scope: str, share: float, anyone: bool, keeps: bool
    ) -> None:
        if not anyone:
            changes = [c for c in changes if is_within(c.source, scope)]
        if keeps:
            changes = [*changes, *(r for k, r in self.model.items() if is_within(k[0], scope))]
        if self.apply(changes, scope, share, purge=False) is not None:
            self.log.append((changes, scope))

    @rule(back=st.integers(1, 4))
    def replay(self, back: int) -> None:
        """What came last comes once more, in order."""
        before = self.model
        for changes, scope in self.log[-back:]:
            assert self.apply(changes, scope, 1.0, purge=False) is not None
        assert self.model == before

    @rule(changes=changes_of, scope=st.none() | sources)
    def break_off(self, changes: list[Change], scope: str | None) -> None:
        def broken() -> Iterator[Change]:
            for change in changes:
                if scope is None or is_within(change.source, scope):
                    yield change
            raise BrokenOffError

        before = self.list.checkpoint("f")
        with pytest.raises(BrokenOffError):
            self.list.apply(broken(), by="me", feed="f", checkpoint={"lost": 1}, snapshot_of=scope)
        assert self.list.checkpoint("f") == before

    @rule(source=sources, name=ids, purge=st.booleans())
    def retract(self, source: str, name: str, purge: bool) -> None:
        if (source, name) not in self.model:
            with pytest.raises(UnknownIdError):
                self.list.retract(source, name, by="me")
            return
        self.list.retract(source, name, by="me", reason="withdrawn", purge=purge)
        self.model = {k: r for k, r in self.model.items() if k != (source, name)}
        self.suspended.discard((source, name))
        self.states.append(self.model)
        self.log.append(([Retraction(source, name)], None))

    @rule(source=sources, name=ids, any_one=st.booleans(), suspended=st.booleans())
    def suspend(self, source: str, name: str, any_one: bool, suspended: bool) -> None:
        if not any_one and self.model:
            source, name = min(self.model)
        if (source, name) not in self.model:
            with pytest.raises(UnknownIdError):
                self.list.suspend(source, name, by="me", reason="flood")
        elif suspended:
            self.list.suspend(source, name, by="me", reason="flood")
            self.suspended.add((source, name))
        else:
            self.list.resume(source, name, by="me")
            self.suspended.discard((source, name))

    @rule()
    def purge(self) -> None:
        self.list.purge()
        assert self.list.info()["unpurged"] == 0
        content = b"".join(p.read_bytes() for p in self.path.rglob("*") if p.is_file())
        kept = "\n".join(
            value for r in self.model.values() for value in [*r.hashes.values(), *r.views.values()]
        )
        for n in range(4):
            for value in (digest("md5", n), digest("photodna", n), near("pdq", n, 9)):
                if value not in kept:
                    assert bytes.fromhex(value) not in content
                    assert value.encode() not in content

    @rule(readers_too=st.booleans())
    def reopen(self, readers_too: bool) -> None:
        self.list.close()
        self.list = HashList.open(self.path)
        if readers_too:
            self.reader.close()
            self.reader = HashList.open(self.path, read_only=True)

    @rule()
    def rebuild(self) -> None:
        self.list.close()
        assert HashList.rebuild(self.path).problems == ()
        self.list = HashList.open(self.path)

    @rule()
    def copy(self) -> None:
        target = self.folder / "copy"
        self.list.snapshot(target)
        with HashList.open(target) as copy:
            assert copy.verify().problems == ()
            assert copy.digest == self.list.digest
            assert copy.versions() == self.list.versions()
        shutil.rmtree(target)

    # What is asked of it.

    @rule(n=st.integers(0, 3), flipped=st.sampled_from([0, 1, 5]), radius=st.integers(0, 20))
    def look_up(self, n: int, flipped: int, radius: int) -> None:
        self.compare_answers(n, flipped, radius)

    def compare_answers(self, n: int, flipped: int, radius: int) -> None:
        alive = {key: r for key, r in self.model.items() if key not in self.suspended}
        for asked in (self.list, self.reader):
            for name in ("md5", "photodna"):
                hits = asked.find(name, digest(name, n))
                wanted = {k: 0 for k, r in alive.items() if r.hashes.get(name) == digest(name, n)}
                assert distances_of(hits) == wanted
                assert all(hit.record == alive[hit.record.key] for hit in hits)
            for name in ("pdq", "phash"):
                query = near(name, n, flipped)
                hits = asked.within(Hash.parse(f"{name}:{query}"), radius)
                assert distances_of(hits) == within(alive, [name], query, radius)
                self.explained(hits, query)
            views = {"identity": near("pdq", n, flipped), "rotate90": digest("pdq", 3 - n)}
            both = [within(alive, ["pdq"], view, radius) for view in views.values()]
            nearest = dict(both[1])
            for key, distance in both[0].items():
                nearest[key] = min(distance, nearest.get(key, distance))
            hits = asked.within({k: Hash.parse(f"pdq:{v}") for k, v in views.items()}, radius)
            assert distances_of(hits) == nearest
            excluded = asked.within(
                Hash.parse(f"pdq:{digest('pdq', n)}"), radius, exclude=lambda r: r.source == "a"
            )
            judged = {k: r for k, r in alive.items() if r.source != "a"}
            assert distances_of(excluded) == within(judged, ["pdq"], digest("pdq", n), radius)
            self.look_frames_up(asked, alive, n, radius)

    def explained(self, hits: list[Hit], query: str) -> None:
        """The transform names a hash of the record that is as far as it says."""
        for hit in hits:
            how, _, view = hit.transform.partition(" of ")
            value = hit.record.views[view] if view else hit.record.hashes[hit.type]
            assert how == "identity"
            assert (int(value, 16) ^ int(query, 16)).bit_count() == hit.distance
            assert (hit.list_name, hit.list_version) == ("list", len(self.states) - 1)

    def look_frames_up(self, asked: HashList, alive: Model, n: int, radius: int) -> None:
        queries = [near("pdq", n, 1), digest("pdq", 3 - n)]
        found = asked.frames_within(HashArray.from_hex(queries, "pdq"), radius)
        keys = [found.keys[i] for i in found.records.tolist()]
        columns = (found.owners.tolist(), keys, found.rows.tolist(), found.distances.tolist())
        wanted = set()
        for key, record in alive.items():
            lines = record.hashes.get("vpdq", "").splitlines()
            for row, line in enumerate(lines):
                for owner, query in enumerate(queries):
                    distance = (int(line.split(",")[2], 16) ^ int(query, 16)).bit_count()
                    if distance <= radius:
                        wanted.add((owner, key, row, distance))
        assert set(zip(*columns, strict=True)) == wanted
        assert found.owners.size == len(wanted)

    @rule(data=st.data())
    def compare_versions(self, data: Any) -> None:
        new = data.draw(st.integers(0, len(self.states) - 1))
        old = data.draw(st.integers(0, new))
        was, now = self.states[old], self.states[new]
        found = self.reader.diff(old, new)
        assert found.added == tuple(sorted(now.keys() - was.keys()))
        assert found.retracted == tuple(sorted(was.keys() - now.keys()))
        # What was changed there and back is told, too: old content is not kept.
        different = {key for key in was.keys() & now.keys() if was[key] != now[key]}
        assert different <= set(found.updated) <= was.keys() & now.keys()
        assert list(found.updated) == sorted(found.updated)
        if new == old:
            assert not found.updated

    @invariant()
    def holds_the_same(self) -> None:
        if not hasattr(self, "stack"):
            return
        wanted = [self.model[key] for key in sorted(self.model)]
        for asked in (self.list, self.reader):
            assert list(asked.records()) == wanted
            assert asked.digest == content_digest(wanted)
            assert asked.version == len(self.states) - 1
        assert len(self.list) == len(wanted)
        for source in SOURCES:
            own = [r for r in wanted if is_within(r.source, source)]
            assert list(self.list.records(source)) == own
            assert self.list.digest_of(source) == content_digest(own)
        for key in [(source, name) for source in SOURCES for name in "12"]:
            assert (key in self.list) == (key in self.model)
        for name in TYPES:
            n = sum(name in r.hashes or (name == "pdq" and bool(r.views)) for r in wanted)
            assert self.list.count(name) == n
            assert (name in self.list.hash_types) == (n > 0)

    @invariant()
    def finds_what_it_holds(self) -> None:
        if hasattr(self, "stack"):
            self.looked_up += 1
            self.compare_answers(self.looked_up % 4, 5 * (self.looked_up // 4 % 2), 12)

    @invariant()
    def remembers(self) -> None:
        if not hasattr(self, "stack"):
            return
        versions = self.list.versions()
        assert [v.number for v in versions] == list(range(1, len(self.states)))
        for version, state in zip(versions, self.states[1:], strict=True):
            assert version.entries == len(state)
            assert version.digest == content_digest(state.values())
        ever = {key for state in self.states for key in state}
        for key in ever:
            self.check_history(key)

    def check_history(self, key: Key) -> None:
        """The events tell at each version whether the record was there."""
        events = self.list.history(*key)
        numbers = [event.version for event in events]
        assert numbers == sorted(numbers)
        alive = False
        at: dict[int, bool] = {}
        for event in events:
            if event.action in ("added", "retracted"):
                assert alive != (event.action == "added"), "a life within a life"
                alive = event.action == "added"
            else:
                assert alive, "something happened to what was not there"
            at[event.version] = alive
        there = False
        for number, state in enumerate(self.states):
            there = at.get(number, there)
            assert there == (key in state)
            if number and key in state and self.states[number - 1].get(key) != state[key]:
                assert number in numbers, "a change that nobody is told of"


def is_within(source: str, scope: str) -> bool:
    return source == scope or source.startswith(f"{scope}/")


TestLists = Lists.TestCase
TestLists.settings = settings(stateful_step_count=12)
