"""What stands on the disk: written whole or not at all, and never misread."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import CorruptIndexError, FingerprintError, IndexFormatError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index import Index
from fingerprint.index.catalog import CATALOG, FORMAT

N = 12


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
    entries = [index.get(one) for one in index]
    return (
        (index.algorithm, index.version, index.bits),
        [(e.id, e.hash.packed, e.hash.quality, e.metadata) for e in entries],
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    sample().save(tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.parametrize("backend", ["auto", "linear", "faiss-ivf"])
def test_everything_comes_back(tmp_path: Path, backend: str) -> None:
    index = sample(backend)
    if backend == "faiss-ivf":
        pytest.importorskip("faiss")
        index = Index("pdq", backend=backend, backend_options={"cells": 3, "probes": 3})
        index.add(list(sample()), HashArray.from_hashes(sample().get(i).hash for i in sample()))
    index.save(tmp_path / "a")
    again = Index.open(tmp_path / "a")
    assert content(again) == content(index)
    assert again.info()["backend"] == index.info()["backend"]
    again.save(str(tmp_path / "b"))
    assert content(Index.open(str(tmp_path / "b"))) == content(index)
    query = index.get("id 3 é").hash
    assert [m.id for m in Index.open(tmp_path / "b").nearest(query)] == ["id 3 é"]


def test_version_and_unknown_algorithm_come_back(tmp_path: Path) -> None:
    index = Index("house-hash", bits=42, version=3)
    index.add("a", Hash("house-hash", b"\1\2\3\4\5\0", 42, 7, version=3))
    index.save(tmp_path / "a")
    assert content(Index.open(tmp_path / "a")) == content(index)


def test_removed_entries_are_not_written(saved: Path) -> None:
    index = Index.open(saved)
    index.remove("id 5 é")
    index.save(saved)
    assert b"id 5 " not in (saved / CATALOG).read_bytes()
    assert len(Index.open(saved)) == N - 1


def test_an_empty_index_is_an_index(tmp_path: Path) -> None:
    Index("phash").save(tmp_path / "empty")
    again = Index.open(tmp_path / "empty")
    assert len(again) == 0
    assert again.within(Hash("phash", bytes(8), 64), 64) == []
    assert again.nearest(Hash("phash", bytes(8), 64), 3) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_only_the_owner_may_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        sample().save(tmp_path / "new" / "index")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new" / "index" / CATALOG).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new" / "index").stat().st_mode) == 0o700
    sample().save(tmp_path / "new" / "index")
    assert stat.S_IMODE((tmp_path / "new" / "index" / CATALOG).stat().st_mode) == 0o600


def test_what_is_no_index_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"mine")
    file = tmp_path / "file"
    file.write_text("mine")
    for path in (folder, file):
        with pytest.raises(IndexFormatError) as caught:
            sample().save(path)
        assert caught.value.path == str(path)
    assert [p.name for p in folder.iterdir()] == ["photo.jpg"]
    assert file.read_text() == "mine"
    (tmp_path / "empty").mkdir()
    sample().save(tmp_path / "empty")
    assert len(Index.open(tmp_path / "empty")) == N


def test_a_failed_save_leaves_the_old_index(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = content(Index.open(saved))
    bigger = Index.open(saved)
    bigger.add("more", bigger.get("id 0 é").hash)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    for module, name in ((os, "fsync"), (Path, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, full)
            with pytest.raises(OSError, match="No space"):
                bigger.save(saved)
        assert content(Index.open(saved)) == expected
        assert [p.name for p in saved.iterdir()] == [CATALOG]


def test_saving_keeps_the_rest_of_the_folder(saved: Path) -> None:
    (saved / "notes.txt").write_text("mine")
    sample().save(saved)
    assert (saved / "notes.txt").read_text() == "mine"


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "none", tmp_path / "empty"):
        with pytest.raises(IndexFormatError) as caught:
            Index.open(path)
        assert not isinstance(caught.value, CorruptIndexError)
    assert not (tmp_path / "none").exists()


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
    assert f"format {FORMAT}" in caught.value.supported


def test_truncated_files_are_damaged(saved: Path) -> None:
    whole = (saved / CATALOG).read_bytes()
    for size in (100, 1000, 4096, len(whole) // 2, len(whole) - 4096):
        (saved / CATALOG).write_bytes(whole[:size])
        with pytest.raises(CorruptIndexError):
            Index.open(saved)
    # The last page only repeats the ids: without its end, all entries may still be whole.
    (saved / CATALOG).write_bytes(whole[:-1])
    with suppress(CorruptIndexError):
        assert content(Index.open(saved)) == content(sample())
    (saved / CATALOG).write_bytes(whole[:50])  # Too short to say whose it was.
    with pytest.raises(IndexFormatError):
        Index.open(saved)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE facts",
        "DROP TABLE entries",
        "DELETE FROM entries WHERE seq = 3",
        "DELETE FROM entries",
        "UPDATE entries SET id = 'other' WHERE seq = 3",
        "UPDATE entries SET hash = zeroblob(32) WHERE seq = 3",
        "UPDATE entries SET hash = zeroblob(31) WHERE seq = 3",
        "UPDATE entries SET quality = 7 WHERE seq = 3",
        "UPDATE entries SET metadata = '{}' WHERE seq = 3",
        "UPDATE entries SET metadata = '{' WHERE seq = 3",
        "UPDATE entries SET id = CAST(x'ff' AS TEXT) WHERE seq = 3",
        "DELETE FROM facts WHERE name = 'bits'",
        "DELETE FROM facts WHERE name = 'sha256'",
        "UPDATE facts SET value = 'x' WHERE name = 'version'",
        "UPDATE facts SET value = '{' WHERE name = 'backend_options'",
        "UPDATE facts SET value = '[1]' WHERE name = 'backend_options'",
        "UPDATE facts SET value = '128' WHERE name = 'bits'",
        "UPDATE facts SET value = '255' WHERE name = 'bits'",
        "UPDATE facts SET value = '-8' WHERE name = 'bits'",
        "UPDATE facts SET value = 'none' WHERE name = 'backend'",
        "UPDATE facts SET value = 'pdp' WHERE name = 'algorithm'",
        "UPDATE facts SET value = '2' WHERE name = 'version'",
        "UPDATE facts SET value = '4' WHERE name = 'count'",
    ],
)
def test_changed_content_is_damage(saved: Path, statement: str) -> None:
    with closing(sqlite3.connect(saved / CATALOG)) as db, db:
        db.execute(statement)
    with pytest.raises(CorruptIndexError) as caught:
        Index.open(saved)
    assert caught.value.path == str(saved)
    assert caught.value.detail


@given(st.data())
def test_flipped_bits_are_noticed_or_do_no_harm(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    try:
        sample().save(folder / "index")
        expected = content(sample())
        whole = bytearray((folder / "index" / CATALOG).read_bytes())
        # Most of a small database is unused: aim at what is not zero.
        used = np.flatnonzero(np.frombuffer(bytes(whole), np.uint8)).tolist()
        for at in data.draw(st.lists(st.sampled_from(used), min_size=20, max_size=20)):
            damaged = whole.copy()
            damaged[at] ^= 1 << data.draw(st.integers(0, 7))
            (folder / "index" / CATALOG).write_bytes(damaged)
            try:
                found = content(Index.open(folder / "index"))
            except IndexFormatError:
                continue
            assert found == expected, f"byte {at}"
    finally:
        shutil.rmtree(folder)


@given(st.text(max_size=8), st.text(max_size=8))
def test_any_text_is_an_id(tmp_path_factory: pytest.TempPathFactory, name: str, value: str) -> None:
    folder = tmp_path_factory.mktemp("text")
    index = Index("pdq")
    index.add(name, Hash("pdq", bytes(32), 256), {value: value})
    index.save(folder / "index")
    assert content(Index.open(folder / "index")) == content(index)
    shutil.rmtree(folder)


def test_an_id_that_no_file_can_hold_is_refused_when_it_is_added(tmp_path: Path) -> None:
    index = Index("pdq")
    try:
        index.add("lone \ud800 surrogate", Hash("pdq", bytes(32), 256))
    except (ValueError, FingerprintError):
        assert len(index) == 0
    else:
        index.save(tmp_path / "index")
        assert content(Index.open(tmp_path / "index")) == content(index)
