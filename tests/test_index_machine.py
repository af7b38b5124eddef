"""Every kind of index through every kind of change, beside a dict that does the same slowly."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from fingerprint.errors import (
    DuplicateIdError,
    LowQualityWarning,
    UnknownIdError,
    UnsupportedOperationError,
)
from fingerprint.hashes import Hash
from fingerprint.index import Index, backend_names, memory_store, merging, writer
from fingerprint.index.backends import get_backend
from tests import naive

# Bits from a few bytes: near and equal hashes must be common.
hash_of = st.builds(
    lambda a, b, quality: Hash("dhash", bytes([a] * 6 + [b] * 2), 64, quality),
    st.integers(0, 3),
    st.sampled_from([0, 1, 255]),
    st.none() | st.integers(0, 100),
)
metadata_of = st.dictionaries(
    st.sampled_from("abc") | st.text(max_size=3),
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    max_size=3,
)
entries_of = st.lists(st.tuples(hash_of, metadata_of), max_size=6)
Model = dict[str, tuple[Hash, dict[str, Any]]]


class RolledBackError(Exception):
    """Ends a transaction."""


class IndexMachine(RuleBasedStateMachine):
    backend = "auto"
    on_disk = False
    ids = Bundle("ids")

    @initialize()
    def start(self) -> None:
        self.stack = ExitStack()
        for module, name in (
            (writer, "SEAL_ABOVE"),
            (memory_store, "SEAL_ABOVE"),
            (merging, "SMALLEST_TIER"),
        ):
            self.stack.enter_context(mock.patch.object(module, name, 6))
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.stack.callback(shutil.rmtree, self.folder)
        self.copies = 0
        if self.on_disk:
            self.index = Index.create(self.folder / "index", "dhash", backend=self.backend)
            self.reader: Index | None = Index.open(self.folder / "index", read_only=True)
        else:
            self.index = Index("dhash", backend=self.backend)
            self.reader = None
        self.model: Model = {}
        self.made = 0

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            if self.reader is not None:
                self.reader.close()
            self.index.close()
            self.stack.close()

    def both(self) -> list[Index]:
        return [self.index] if self.reader is None else [self.index, self.reader]

    # What changes it.

    @rule(target=ids, entries=entries_of)
    def add(self, entries: list[tuple[Hash, dict[str, Any]]]) -> Any:
        new = [f"n{self.made + i}" for i in range(len(entries))]
        self.made += len(entries)
        given = self.index.add(new, [h for h, _ in entries], [m for _, m in entries])
        assert list(given) == new
        self.model.update(zip(new, entries, strict=True))
        return multiple(*new)

    @rule(target=ids, hashes=st.lists(hash_of, max_size=6), repeated=st.sampled_from([1, 1, 9]))
    def add_without_ids(self, hashes: list[Hash], repeated: int) -> Any:
        hashes = hashes * repeated
        new = list(self.index.add(None, hashes))
        assert len(set(new)) == len(new) == len(hashes)
        assert not set(new) & set(self.model)
        self.model.update(zip(new, ((h, {}) for h in hashes), strict=True))
        return multiple(*new[:6])

    @rule(old=ids, h=hash_of)
    def add_a_known_id(self, old: str, h: Hash) -> None:
        if old in self.model or old.startswith("#"):
            with pytest.raises((DuplicateIdError, ValueError)):
                self.index.add(["fresh", old], [h, h])
            assert "fresh" not in self.index
        else:
            self.index.add(old, h)
            self.model[old] = (h, {})

    @rule(olds=st.lists(ids, max_size=4, unique=True), entries=entries_of)
    def upsert(self, olds: list[str], entries: list[tuple[Hash, dict[str, Any]]]) -> None:
        names = [old for old in olds if not old.startswith("#")][: len(entries)]
        entries = entries[: len(names)]
        self.index.upsert(names, [h for h, _ in entries], [m for _, m in entries])
        self.put(self.model, names, entries)

    def put(self, model: Model, names: list[str], entries: Any) -> None:
        for name, entry in zip(names, entries, strict=True):
            model.pop(name, None)
            model[name] = entry

    @rule(some=st.lists(ids, max_size=4))
    def remove(self, some: list[str]) -> None:
        if set(some) <= set(self.model):
            self.index.remove(some)
            for one in set(some):
                del self.model[one]
        else:
            with pytest.raises(UnknownIdError):
                self.index.remove(some)

    @rule(
        gone=st.lists(ids, max_size=3, unique=True),
        olds=st.lists(ids, max_size=3, unique=True),
        entries=entries_of,
        rolled_back=st.booleans(),
    )
    def transaction(
        self,
        gone: list[str],
        olds: list[str],
        entries: list[tuple[Hash, dict[str, Any]]],
        rolled_back: bool,
    ) -> None:
        model = dict(self.model)
        before = list(self.model)
        try:
            with self.index.transaction():
                present = [one for one in gone if one in model]
                self.index.remove(present)
                for one in present:
                    del model[one]
                numbered = list(self.index.add(None, [h for h, _ in entries]))
                model.update(zip(numbered, ((h, {}) for h, _ in entries), strict=True))
                names = [old for old in olds if not old.startswith("#")][: len(entries)]
                entries = entries[: len(names)]
                self.index.upsert(names, [h for h, _ in entries], [m for _, m in entries])
                self.put(model, names, entries)
                with pytest.raises(UnknownIdError):
                    self.index.remove([*names, "nobody"])
                if names:
                    with pytest.raises(DuplicateIdError):
                        self.index.add(["fresh", names[0]], [entries[0][0]] * 2)
                    assert self.index.get(names[0]).metadata == entries[0][1]
                assert (len(self.index), list(self.index)) == (len(model), list(model))
                if self.reader is not None:
                    assert list(self.reader) == before
                if rolled_back:
                    raise RolledBackError
        except RolledBackError:
            return
        self.model = model

    @rule()
    def seal(self) -> None:
        self.index.seal()
        assert self.index.info()["scanned_entries"] == 0

    @rule()
    def compact(self) -> None:
        self.index.compact()
        info = self.index.info()
        assert (info["scanned_entries"], info["removed_entries"]) == (0, 0)
        assert len(info["segments"]) == (1 if self.model else 0)

    @precondition(lambda self: self.on_disk)
    @rule(maintenance=st.sampled_from(["background", "manual"]))
    def reopen(self, maintenance: Any) -> None:
        self.index.close()
        self.index = Index.open(self.folder / "index", maintenance=maintenance)

    @precondition(lambda self: self.on_disk)
    @rule(residency=st.sampled_from(["mmap", "huge"]))
    def reopen_the_reader(self, residency: Any) -> None:
        assert self.reader is not None
        self.reader.close()
        self.reader = Index.open(self.folder / "index", read_only=True, residency=residency)

    @rule()
    def snapshot(self) -> None:
        path = self.folder / f"copy-{self.copies}"
        self.copies += 1
        self.index.snapshot(path)
        with Index.open(path, read_only=True) as copy:
            assert list(copy.entries()) == list(self.index.entries())
            assert copy.verify().ok
        shutil.rmtree(path)

    @rule()
    def verify(self) -> None:
        assert self.index.verify().problems == ()

    # What is asked of it.

    def expected(self, query: Hash, radius: int, accepted: Model) -> list[tuple[str, int]]:
        ids = list(accepted)
        rows = [h.packed for h, _ in accepted.values()]
        return [(ids[row], d) for row, d in naive.range_search(rows, query.packed, radius)]

    def accepted(self, where: Any) -> Model:
        if where is None:
            return self.model
        (key, value), *_ = where.items()
        return {
            one: (h, metadata)
            for one, (h, metadata) in self.model.items()
            if key in metadata and metadata[key] == value
        }

    @rule(
        query=hash_of,
        radius=st.integers(0, 64),
        where=st.none() | st.builds(dict, a=st.none() | st.booleans() | st.integers(0, 1)),
    )
    def within(self, query: Hash, radius: int, where: Any) -> None:
        expected = self.expected(query, radius, self.accepted(where))
        for index in self.both():
            try:
                found = self.asked(index.within, query, radius, where)
            except UnsupportedOperationError:
                assert self.backend == "faiss-hnsw" or radius > index.info()["max_radius"]
                continue
            hits = [(m.id, m.distance) for m in found]
            if get_backend(index.info()["backend"]).exact:
                assert hits == expected
            else:
                assert set(hits) <= set(expected)
                assert [d for _, d in hits] == sorted(d for _, d in hits)
            for match in found:
                reference, metadata = self.model[match.id]
                known = [q for q in (query.quality, reference.quality) if q is not None]
                assert match.quality == min(known, default=None)
                assert match.metadata == metadata

    @rule(
        query=hash_of,
        k=st.integers(1, 9),
        where=st.none() | st.builds(dict, a=st.none() | st.booleans() | st.integers(0, 1)),
    )
    def nearest(self, query: Hash, k: int, where: Any) -> None:
        accepted = self.accepted(where)
        expected = self.expected(query, 64, accepted)[:k]
        for index in self.both():
            try:
                found = self.asked(index.nearest, query, k, where)
            except UnsupportedOperationError:
                assert self.backend in ("faiss-multihash", "equal")
                continue
            # Which of several equally far ones is last may differ.
            distances = [m.distance for m in found]
            if get_backend(index.info()["backend"]).exact:
                assert distances == [d for _, d in expected]
            assert distances == sorted(distances)
            assert len({m.id for m in found}) == len(found) <= k
            for match in found:
                assert match.distance == accepted[match.id][0] - query

    def asked(self, search: Callable[..., Any], query: Hash, reach: int, where: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LowQualityWarning)
            return search(query, reach, where=where)

    @invariant()
    def holds_the_same(self) -> None:
        if not hasattr(self, "model"):
            return
        for index in self.both():
            assert len(index) == len(self.model)
            assert list(index) == list(self.model)
            entries = [(e.id, e.hash, e.hash.quality, e.metadata) for e in index.entries()]
            assert entries == [(i, h, h.quality, m) for i, (h, m) in self.model.items()]
        for one in list(self.model)[-3:]:
            assert one in self.index
            assert self.index.get(one).hash == self.model[one][0]
        assert "nobody" not in self.index


def machine_test(backend: str, *, on_disk: bool) -> Any:
    class Machine(IndexMachine):
        pass

    Machine.backend = backend
    Machine.on_disk = on_disk
    Machine.__qualname__ = f"Machine_{backend}_{'disk' if on_disk else 'memory'}"
    case = Machine.TestCase
    # Those that matter most are given most examples.
    few = backend.startswith("faiss")
    case.settings = settings(
        stateful_step_count=20, max_examples=max(5, settings().max_examples // (3 if few else 1))
    )
    if few and find_spec("faiss") is None:
        return pytest.mark.skip("faiss is missing")(case)
    return case


for _name in ("auto", *backend_names()):
    for _on_disk in (False, True):
        _where = "OnDisk" if _on_disk else "InMemory"
        _title = "".join(part.title() for part in _name.split("-"))
        globals()[f"Test{_title}{_where}"] = machine_test(_name, on_disk=_on_disk)
