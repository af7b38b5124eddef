"""What stands on the disk: written whole or not at all, and never misread."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import (
    CorruptIndexError,
    DuplicateIdError,
    FingerprintError,
    IndexFormatError,
    IndexLockedError,
    UnknownIdError,
    UnsupportedOperationError,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index import Index, writer
from fingerprint.index.tables import CATALOG, FORMAT

N = 12
FIXTURES = Path(__file__).parent.parent / "data" / "fixtures"


def sample(backend: str = "auto") -> Index:
    packed = np.random.default_rng(0).integers(0, 256, (N, 32), dtype=np.uint8)
    quality = [-1, 0, 100, *range(50, 50 + N - 3)]
    index = Index("pdq", backend=backend)
    index.add(
        [f"id {i} é" for i in range(N)],
        HashArray(packed, "pdq", quality=quality),
        [{"row": i, "tags": ["a", None], "name": "ü"} for i in range(N)],
    )
    return index


def content(index: Index) -> Any:
    return (
        (index.algorithm, index.version, index.bits),
        [(e.id, e.hash.packed, e.hash.quality, e.metadata) for e in index.entries()],
    )


def content_at(path: Path) -> Any:
    with Index.open(path, read_only=True) as index:
        return content(index)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    sample().snapshot(tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture
def sealed(saved: Path) -> Path:
    """One with a segment, a tail and a removal of each."""
    with Index.open(saved, maintenance="manual") as index:
        index.seal()
        index.add(["tail 1", "tail 2"], [Hash("pdq", bytes([i] * 32), 256, 7) for i in (1, 2)])
        index.remove(["id 4 é", "tail 1"])
    return saved


@pytest.fixture
def small_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a segment of a few entries instead of thousands."""
    monkeypatch.setattr(writer, "SEAL_ABOVE", 8)


@pytest.mark.parametrize("backend", ["auto", "linear", "faiss-ivf"])
def test_everything_comes_back(tmp_path: Path, backend: str) -> None:
    index = sample("auto" if backend == "faiss-ivf" else backend)
    if backend == "faiss-ivf":
        pytest.importorskip("faiss")
        index = Index("pdq", backend=backend, backend_options={"cells": 3, "probes": 3})
        index.add(list(sample()), HashArray.from_hashes(e.hash for e in sample().entries()))
    index.snapshot(tmp_path / "a")
    with Index.open(tmp_path / "a") as again:
        assert content(again) == content(index)
        again.seal()
        assert content(again) == content(index)
        assert again.info()["backend"] == index.info()["backend"]
        again.snapshot(str(tmp_path / "b"))
    query = index.get("id 3 é").hash
    with Index.open(str(tmp_path / "b")) as last:
        assert content(last) == content(index)
        assert [m.id for m in last.nearest(query)] == ["id 3 é"]


def test_version_and_unknown_algorithm_come_back(tmp_path: Path) -> None:
    h = Hash("house-hash", b"\1\2\3\4\5\0", 42, 7, version=3)
    with Index.create(tmp_path / "a", "house-hash", bits=42, version=3) as index:
        index.add("a", h)
        index.seal()
        expected = content(index)
    assert content_at(tmp_path / "a") == expected
    with Index.open(tmp_path / "a") as index:
        assert [m.id for m in index.within(h, 0)] == ["a"]


def test_an_empty_index_is_an_index(tmp_path: Path) -> None:
    Index("phash").snapshot(tmp_path / "empty")
    Index.create(tmp_path / "made", "phash").close()
    for path in (tmp_path / "empty", tmp_path / "made"):
        with Index.open(path) as again:
            assert len(again) == 0
            again.seal()
            again.compact()
            assert again.within(Hash("phash", bytes(8), 64), 64) == []
            assert again.nearest(Hash("phash", bytes(8), 64), 3) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
@pytest.mark.parametrize("umask", [0, 0o277])
def test_only_the_owner_may_read(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        sample().snapshot(tmp_path / "copied")
        with Index.create(tmp_path / "made") as index:
            index.add("a", Hash("pdq", bytes(32), 256))
            index.seal()
            seen = sorted((tmp_path / "made").rglob("*"))
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in seen}
            kinds = {p.name: p.is_dir() for p in seen}
            index.snapshot(tmp_path / "copied again")
    finally:
        os.umask(before)
    assert {"hashes.npy", "catalog.sqlite", "catalog.sqlite-wal", "writer.lock"} <= set(modes)
    for name, mode in modes.items():
        assert mode == (0o700 if kinds[name] else 0o600), name
    for path in [*tmp_path.glob("*"), *tmp_path.glob("copied*/**/*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"mine")
    file = tmp_path / "file"
    file.write_text("mine")
    sample().snapshot(tmp_path / "index")
    for path in (folder, file, tmp_path / "index"):
        for call in (sample().snapshot, Index.create):
            with pytest.raises(IndexFormatError) as caught:
                call(path)
            assert caught.value.path == str(path)
    assert [p.name for p in folder.iterdir()] == ["photo.jpg"]
    assert file.read_text() == "mine"
    assert len(content_at(tmp_path / "index")[1]) == N
    (tmp_path / "empty").mkdir()
    sample().snapshot(tmp_path / "empty")
    assert len(content_at(tmp_path / "empty")[1]) == N
    assert not list(tmp_path.glob(".*"))


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "none", tmp_path / "empty"):
        for read_only in (False, True):
            with pytest.raises(IndexFormatError) as caught:
                Index.open(path, read_only=read_only)
            assert not isinstance(caught.value, CorruptIndexError)
    assert not (tmp_path / "none").exists()
    assert not list((tmp_path / "empty").iterdir())


def test_other_files_are_told_from_damaged_ones(saved: Path) -> None:
    catalog = saved / CATALOG
    for data in (b"", b"not a database", bytes(4096), b"PK\3\4" * 1000):
        catalog.write_bytes(data)
        with pytest.raises(IndexFormatError) as caught:
            Index.open(saved)
        assert not isinstance(caught.value, CorruptIndexError)
        assert catalog.read_bytes() == data
    catalog.unlink()
    with closing(sqlite3.connect(catalog)) as db:
        db.execute("CREATE TABLE entries (id TEXT)")
    with pytest.raises(IndexFormatError, match="another program"):
        Index.open(saved)


def test_a_newer_format_is_named(saved: Path) -> None:
    with closing(sqlite3.connect(saved / CATALOG)) as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(IndexFormatError) as caught:
        Index.open(saved)
    assert not isinstance(caught.value, CorruptIndexError)
    assert caught.value.found == f"format {FORMAT + 1}"
    assert str(FORMAT) in caught.value.supported


def test_truncated_catalogs_are_damaged(saved: Path) -> None:
    whole = (saved / CATALOG).read_bytes()
    for size in (100, 1000, 4096, len(whole) // 2, len(whole) - 4096):
        (saved / CATALOG).write_bytes(whole[:size])
        with pytest.raises(CorruptIndexError):
            content_at(saved)
    (saved / CATALOG).write_bytes(whole[:50])  # Too short to say whose it was.
    with pytest.raises(IndexFormatError):
        content_at(saved)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE facts",
        "DROP TABLE entries",
        "DROP TABLE state",
        "DELETE FROM state",
        "UPDATE entries SET id = 'other' WHERE seq = 3",
        "UPDATE entries SET hash = zeroblob(32) WHERE seq = 3",
        "UPDATE entries SET hash = zeroblob(31) WHERE seq = 3",
        "UPDATE entries SET quality = 7 WHERE seq = 3",
        "UPDATE entries SET metadata = NULL WHERE seq = 3",
        "UPDATE entries SET metadata = '{' WHERE seq = 3",
        "UPDATE entries SET id = CAST(x'ff' AS TEXT) WHERE seq = 3",
        "UPDATE entries SET seq = 99 WHERE seq = 3",
        "DELETE FROM facts WHERE name = 'bits'",
        "DELETE FROM facts WHERE name = 'crc'",
        "UPDATE facts SET value = 'x' WHERE name = 'version'",
        "UPDATE facts SET value = '{' WHERE name = 'backend_options'",
        "UPDATE facts SET value = '[1]' WHERE name = 'backend_options'",
        "UPDATE facts SET value = '128' WHERE name = 'bits'",
        "UPDATE facts SET value = '-8' WHERE name = 'bits'",
        "UPDATE facts SET value = 'none' WHERE name = 'backend'",
        "UPDATE facts SET value = 'pdp' WHERE name = 'algorithm'",
        "UPDATE facts SET value = '2' WHERE name = 'version'",
    ],
)
def test_changed_content_is_damage(saved: Path, statement: str) -> None:
    with closing(sqlite3.connect(saved / CATALOG)) as db, db:
        db.execute(statement)
    with pytest.raises(CorruptIndexError) as caught:
        content_at(saved)
    assert caught.value.path == str(saved)
    assert caught.value.detail


@given(st.data())
def test_flipped_bits_are_noticed_or_do_no_harm(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    try:
        sample().snapshot(folder / "index")
        expected = content(sample())
        whole = bytearray((folder / "index" / CATALOG).read_bytes())
        # Most of a small database is unused: aim at what is not zero.
        used = np.flatnonzero(np.frombuffer(bytes(whole), np.uint8)).tolist()
        for at in data.draw(st.lists(st.sampled_from(used), min_size=20, max_size=20)):
            damaged = whole.copy()
            damaged[at] ^= 1 << data.draw(st.integers(0, 7))
            (folder / "index" / CATALOG).write_bytes(damaged)
            for log in (folder / "index").glob(f"{CATALOG}-*"):
                log.unlink()
            try:
                found = content_at(folder / "index")
            except (FingerprintError, OSError):
                continue
            # Entries may vanish with a pointer between pages: that is for `verify`.
            assert set(map(str, found[1])) <= set(map(str, expected[1])), f"byte {at}"
    finally:
        shutil.rmtree(folder)


@given(st.text(max_size=8), st.text(max_size=8))
def test_any_text_is_an_id(tmp_path_factory: pytest.TempPathFactory, name: str, value: str) -> None:
    folder = tmp_path_factory.mktemp("text")
    index = Index("pdq")
    index.add(name, Hash("pdq", bytes(32), 256), {value: value})
    index.snapshot(folder / "index")
    with Index.open(folder / "index") as again:
        assert content(again) == content(index)
        assert name in again
        again.upsert(name, Hash("pdq", bytes(32), 256))
        assert list(again) == [name]
        again.remove(name)
        assert name not in again
    shutil.rmtree(folder)


def test_ids_that_no_index_can_hold(tmp_path: Path) -> None:
    h = Hash("pdq", bytes(32), 256)
    with Index.create(tmp_path / "a") as disk:
        for index in (disk, Index("pdq")):
            for wrong in ("lone \ud800 surrogate", "#1", "#0012"):
                with pytest.raises(ValueError, match="id"):
                    index.add(wrong, h)
                assert wrong not in index
                with pytest.raises(UnknownIdError):
                    index.get(wrong)
                with pytest.raises(UnknownIdError):
                    index.remove(wrong)
            index.add(["#", "#x", "1#1", "# 1"], [h] * 4)
            assert list(index) == ["#", "#x", "1#1", "# 1"]


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_entries_without_ids_are_numbered(tmp_path: Path, where: str) -> None:
    hashes = HashArray(np.arange(320, dtype=np.uint8).reshape(10, 32), "pdq")
    index = Index("pdq") if where == "memory" else Index.create(tmp_path / "a")
    with index:
        ids = index.add(None, hashes[:4])
        assert (len(ids), list(ids), ids[1], ids[-1]) == (4, ["#1", "#2", "#3", "#4"], "#2", "#4")
        index.add("named", hashes[4])
        assert index.add(None, hashes[5]) == ["#6"]
        assert index.get("#3").hash == hashes[2]
        assert [m.id for m in index.within(hashes[5], 0)] == ["#6"]
        for wrong in ("#5", "#05", "#7", "#0", "#", "#-1", "#99999999999999999999"):
            assert wrong not in index, wrong
        index.remove(["#2", "named"])
        with pytest.raises(UnknownIdError):
            index.remove("#2")
        assert list(index) == ["#1", "#3", "#4", "#6"]
        index.seal()
        index.upsert(["x"], hashes[7])
        assert index.add(None, [hashes[8]], [{"with": "metadata"}]) == ["#8"]
        assert index.get("#8").metadata == {"with": "metadata"}
        assert list(index) == ["#1", "#3", "#4", "#6", "x", "#8"]
        index.snapshot(tmp_path / "copy")
        expected = content(index)
    with Index.open(tmp_path / "copy") as again:
        assert content(again) == expected
        assert again.add(None, hashes[9]) == ["#9"]


@pytest.mark.usefixtures("small_tail")
def test_readers_see_commits_without_opening_again(tmp_path: Path) -> None:
    hashes = HashArray(np.random.default_rng(2).integers(0, 256, (60, 32), dtype=np.uint8), "pdq")
    with (
        Index.create(tmp_path / "a", maintenance="manual") as index,
        Index.open(tmp_path / "a", read_only=True) as reader,
        Index.open(tmp_path / "a", read_only=True, residency="huge") as other,
    ):
        for i in range(0, 60, 3):
            index.add([f"{i}", f"{i + 1}", f"{i + 2}"], hashes[i : i + 3])
            index.remove(f"{i + 1}")
            if i % 12 == 0:
                index.compact()
            for one in (reader, other):
                assert [m.id for m in one.within(hashes[i], 0)] == [f"{i}"]
                assert one.within(hashes[i + 1], 0) == []
                assert (len(one), list(one)) == (len(index), list(index))
                assert f"{i + 1}" not in one
        assert reader.info()["segments"]
        with pytest.raises(UnsupportedOperationError):
            reader.add("x", hashes[0])
        with pytest.raises(UnsupportedOperationError), reader.transaction():
            pass


def test_one_writer_at_a_time(saved: Path) -> None:
    with Index.open(saved) as index:
        with pytest.raises(IndexLockedError) as caught:
            Index.open(saved)
        assert caught.value.path == str(saved)
        assert "read_only" in str(caught.value)
        assert len(content_at(saved)[1]) == N
        index.remove("id 1 é")
    with Index.open(saved) as index:
        index.close()
        index.close()
        with pytest.raises(ValueError, match="closed"):
            index.add("x", Hash("pdq", bytes(32), 256))
    with Index.open(saved, read_only=True) as reader:
        reader.close()
        for call in (lambda: len(reader), lambda: list(reader), lambda: reader.get("id 2 é")):
            with pytest.raises(ValueError, match="closed"):
                call()


@pytest.mark.usefixtures("small_tail")
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_transactions(tmp_path: Path, where: str) -> None:
    h = [Hash("pdq", bytes([i] * 32), 256) for i in range(40)]
    index = Index("pdq") if where == "memory" else Index.create(tmp_path / "a")
    with index:
        index.add(["a", "b"], h[:2])
        before = content(index)
        with index.transaction():
            index.add([f"t{i}" for i in range(20)], h[2:22])
            index.remove(["a", "t3"])
            index.upsert(["b", "t4"], [h[30], h[31]], [{"n": 1}, {"n": 2}])
            index.upsert(["c"], h[3])
            with pytest.raises(DuplicateIdError):
                index.add(["d", "t5"], h[4:6])
            assert "d" not in index
            assert (len(index), "a" in index, "t3" in index) == (21, False, False)
            assert index.get("b").metadata == {"n": 1}
            assert list(index)[-3:] == ["b", "t4", "c"]
            assert [m.id for m in index.within(h[0], 0)] == ["a"]
            assert index.within(h[30], 0) == []
            for refused in (index.seal, index.compact, index.transaction().__enter__):
                with pytest.raises(UnsupportedOperationError):
                    refused()
        after = content(index)
        assert after != before
        assert index.within(h[0], 0) == []
        assert [(m.id, m.metadata) for m in index.within(h[30], 0)] == [("b", {"n": 1})]
        with suppress(ZeroDivisionError), index.transaction():
            index.add([f"u{i}" for i in range(20)], h[2:22])
            index.remove(["b", "c"])
            _ = 1 / 0
        assert content(index) == after
        assert [m.id for m in index.within(h[30], 0)] == ["b"]
        index.add("u0", h[2])
    if where == "disk":
        assert [row[0] for row in content_at(tmp_path / "a")[1]] == [
            *(e[0] for e in after[1]),
            "u0",
        ]


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_filters_on_metadata(tmp_path: Path, where: str) -> None:
    hashes = HashArray(np.random.default_rng(3).integers(0, 256, (90, 32), dtype=np.uint8), "pdq")
    index = Index("pdq") if where == "memory" else Index.create(tmp_path / "a")
    with index:
        metadata = [{"list": "ab"[i % 2], "n": i, "deep": {"x": [i % 3]}} for i in range(89)]
        index.add([str(i) for i in range(89)], hashes[:89], metadata)
        index.add("bare", hashes[89])
        query = hashes[4]
        every = index.within(query, 256)
        assert len(every) == 90
        cases: list[tuple[Any, Any]] = [
            ({"list": "a"}, lambda m: m.get("list") == "a"),
            ({"list": "b", "deep": {"x": [2]}}, lambda m: m.get("n", 0) % 6 == 5),
            ({"list": None}, lambda m: False),
            ({}, lambda m: True),
            (lambda m: m.get("n", 0) > 80, lambda m: m.get("n", 0) > 80),
        ]
        for where_, accepts in cases:
            expected = [m for m in every if accepts(m.metadata)]
            assert index.within(query, 256, where=where_) == expected
            for k in (1, 5, 90):
                found = index.nearest(query, k, where=where_)
                assert [m.distance for m in found] == [m.distance for m in expected[:k]]
            assert index.within_many([query, query], 256, where=where_) == [expected] * 2
            assert [len(m) for m in index.nearest_many(hashes[:3], 7, where=where_)] == [
                min(7, len(expected))
            ] * 3
        views = {"identity": hashes[1], "flip_x": hashes[5]}
        expected = [m for m in index.within(views, 256) if m.metadata.get("list") == "a"]
        found = index.nearest(views, 3, where={"list": "a"})
        assert [m.distance for m in found] == [m.distance for m in expected[:3]]
        with pytest.raises(TypeError, match="where"):
            index.within(query, where=["list"])  # type: ignore[arg-type]


def fixture_content(name: str) -> Any:
    wanted = json.loads((FIXTURES / f"{name}.json").read_text())
    return (
        (wanted["algorithm"], wanted["version"], wanted["bits"]),
        [
            (e["id"], bytes.fromhex(e["hash"]), e["quality"], e["metadata"])
            for e in wanted["entries"]
        ],
    )


@pytest.mark.parametrize("name", ["index-v1", "index-v2"])
def test_every_format_is_read_and_written(tmp_path: Path, name: str) -> None:
    expected = fixture_content(name)
    path = tmp_path / "old"
    shutil.copytree(FIXTURES / name, path)
    before = (path / CATALOG).read_bytes()
    with Index.open(path, read_only=True) as index:
        assert content(index) == expected
        assert index.verify().ok
        query = index.get("case-3").hash
        assert [(m.id, m.distance) for m in index.within(query)] == [("case-3", 0), ("case-7", 2)]
        for entry in index.entries():
            found = index.within(Hash("pdq", entry.hash.packed, 256), 0)
            assert entry.id in [m.id for m in found]
        with pytest.raises(UnsupportedOperationError):
            index.remove("case-3")
    assert (path / CATALOG).read_bytes() == before
    with Index.open(path) as index:
        assert content(index) == expected
        assert index.info()["format"] == FORMAT
        index.remove("case-3")
        assert [m.id for m in index.within(query)] == ["case-7"]
        index.compact()
        assert index.verify().ok
    assert [e for e in expected[1] if e[0] != "case-3"] == content_at(path)[1]


def test_the_index_of_format_2_has_all_that_the_format_knows() -> None:
    uri = f"{(FIXTURES / 'index-v2' / CATALOG).as_uri()}?immutable=1"
    statements = [
        "SELECT 1 FROM names",
        "SELECT 1 FROM removals",
        "SELECT 1 FROM segments WHERE backend = 'mih'",
        *(
            f"SELECT 1 FROM {table}, state WHERE {key} {sign} sealed"  # noqa: S608
            for table, key in (("entries", "seq"), ("blocks", "first_seq"))
            for sign in ("<=", ">")
        ),
    ]
    with closing(sqlite3.connect(uri, uri=True)) as db:
        for statement in statements:
            assert db.execute(statement).fetchone(), statement


def test_damaged_format_1_is_damage(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "index-v1", tmp_path / "old")
    with closing(sqlite3.connect(tmp_path / "old" / CATALOG)) as db, db:
        db.execute("UPDATE entries SET quality = 7 WHERE id = 'case-9'")
    before = (tmp_path / "old" / CATALOG).read_bytes()
    for read_only in (True, False):
        with pytest.raises(CorruptIndexError):
            Index.open(tmp_path / "old", read_only=read_only)
    assert (tmp_path / "old" / CATALOG).read_bytes() == before


def segment_files(path: Path) -> Iterator[Path]:
    return (path / "segments").glob("*/*")


@pytest.mark.parametrize("read_only", [True, False])
def test_segments_that_are_not_as_listed(sealed: Path, read_only: bool) -> None:
    files = sorted(segment_files(sealed))
    assert len(files) >= 3
    for file in files:
        whole = file.read_bytes()
        for damage in (whole[:-1], whole + b"\0", None):
            file.unlink()
            if damage is not None:
                file.write_bytes(damage)
            with pytest.raises(CorruptIndexError, match="rebuild"):
                Index.open(sealed, read_only=read_only)
            file.write_bytes(whole)
    shutil.rmtree(files[0].parent)
    with pytest.raises(CorruptIndexError, match="is missing"):
        Index.open(sealed, read_only=read_only)


def test_an_iteration_sees_one_commit(sealed: Path) -> None:
    with Index.open(sealed) as index:
        expected = list(index)
        seen = []
        for one in index:
            seen.append(one)
            index.remove(one)
            index.add(f"new {one}", Hash("pdq", bytes(32), 256))
        assert seen == expected
        assert list(index) == [f"new {one}" for one in expected]
        half = iter(index)
        next(half)
    with suppress(ValueError):  # Closed in between: it says so, or ends.
        list(half)
