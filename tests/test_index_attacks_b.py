"""What an attacker found in what an index on disk keeps, erases, checks and leaves behind."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from fingerprint.errors import CorruptIndexError, DuplicateIdError, IndexFormatError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index import Index, durable, writer
from fingerprint.index.backends.mih import MihBackend
from fingerprint.index.queries import Where
from fingerprint.index.rows import EntryRow

BITS = 128
N = 60


def hashes(n: int, seed: int = 0) -> HashArray:
    packed = np.random.default_rng(seed).integers(0, 256, (n, BITS // 8), dtype=np.uint8)
    return HashArray(packed, "x", bits=BITS)


def names(n: int, prefix: str = "SECRET") -> list[str]:
    rng = np.random.default_rng(7)
    return [f"{prefix}{rng.bytes(6).hex()}" for _ in range(n)]


def made(path: Path, backend: str = "auto") -> Index:
    return Index.create(path, "x", bits=BITS, backend=backend, maintenance="manual")


def traces(directory: Path, needles: list[bytes]) -> int:
    content = b"".join(p.read_bytes() for p in directory.rglob("*") if p.is_file())
    return sum(one in content for one in needles)


# What was removed


@pytest.mark.parametrize("how", ["transaction", "upsert", "own", "blocks", "failed", "merged"])
def test_nothing_of_removed_entries_outlives_a_compaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(writer, "SEAL_ABOVE", 4000)
    old, new = hashes(3000), hashes(4500, seed=1)
    ids = names(3000)
    order = np.random.default_rng(3).permutation(3000)
    with made(tmp_path / "i") as index:
        if how == "blocks":
            index.add(None, old)
        else:
            for some in np.array_split(order, 30):
                index.add([ids[i] for i in some], old[some], [{"m": f"META{ids[i]}"} for i in some])
        removed = list(range(0, 3000, 3))
        if how == "transaction":
            with index.transaction():
                index.remove([ids[i] for i in removed])
                index.add(None, new)
        elif how == "upsert":
            index.upsert([ids[i] for i in removed] + names(3500, "n"), new)
        elif how == "own":
            with index.transaction():
                index.remove(ids)
                index.add(ids, old)
                index.remove([ids[i] for i in removed])
                index.add(None, new)
        elif how == "blocks":
            with index.transaction():
                index.remove([f"#{i + 1}" for i in removed])
                index.add(None, new)
        elif how == "failed":
            with index.transaction():
                index.remove([ids[i] for i in removed])
                with pytest.raises(DuplicateIdError):
                    index.add([*(f"gone{one}" for one in ids[:40]), ids[1]], old[:41])
                index.add(None, new)
        else:
            index.add(None, new)
            index.remove([ids[i] for i in removed])
            index.seal()
            index.compact()
            removed += range(1, 3000, 3)
            with index.transaction():
                index.remove([ids[i] for i in removed if i % 3])
                index.add(None, new)
        index.compact()
        needles = [old.packed[i].tobytes() for i in removed]
        if how != "blocks":
            needles += [f"META{ids[i]}".encode() for i in removed]
        if how not in ("blocks", "upsert"):
            needles += [ids[i].encode() for i in removed]
        if how == "failed":
            needles += [f"gone{one}".encode() for one in ids[:40]]
        assert not traces(tmp_path / "i", needles)
        assert index.verify().ok
    assert not traces(tmp_path / "i", needles)


# Segments that say something else than the catalog


def flip(path: Path, offset: int, bit: int = 1) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= bit
    path.write_bytes(data)


def column(directory: Path, name: str) -> Path:
    (found,) = directory.glob(f"segments/*/{name}")
    return found


@pytest.mark.parametrize("backend", ["linear", "mih"])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("name", ["seq.npy", "hashes.npy"])
def test_a_damaged_column_is_no_false_match(
    tmp_path: Path, backend: str, named: bool, name: str
) -> None:
    array = hashes(N)
    with made(tmp_path / "i", backend) as index:
        index.add(names(N) if named else None, array)
        index.seal()
    size = {"seq.npy": 8, "hashes.npy": BITS // 8}[name]
    path = column(tmp_path / "i", name)
    # Entry 21 calls itself 23; or it moves a bit nearer to what is asked.
    flip(path, path.stat().st_size - size * (N - 20), 2 if name == "seq.npy" else 1)
    with Index.open(tmp_path / "i", read_only=True) as index:
        asked = array[20] if name == "seq.npy" else nearer(array[20])
        refused: list[Where | None] = [None, lambda _: False]
        for where in refused:
            with pytest.raises(CorruptIndexError, match=r"rebuild") as caught:
                index.within(asked, 0, where=where)
            with pytest.raises(CorruptIndexError, match=r"rebuild"):
                index.nearest(asked, 1, where=where)
            assert str(tmp_path / "i") in str(caught.value)
            assert array[20].packed.hex()[:8] not in str(caught.value)
        for i in (0, N - 1):
            (match,) = index.within(array[i], 0)
            assert match.id == (names(N)[i] if named else f"#{i + 1}")
    assert Index.rebuild(tmp_path / "i").ok
    with Index.open(tmp_path / "i", read_only=True) as index:
        assert len(index.within(array[20], 0)) == 1


def nearer(one: Hash) -> Hash:
    packed = bytes([one.packed[0] ^ 1]) + one.packed[1:]
    return Hash("x", packed, BITS)


def test_matches_in_many_blocks_are_checked_and_right(tmp_path: Path) -> None:
    array = hashes(700)
    with made(tmp_path / "i") as index:
        index.add(None, array)
        index.add(names(5), hashes(5, seed=2))
        index.remove(["#3", "#300"])
        index.seal()
        found = index.within_many(array, 0)
        assert [[m.id for m in some] for some in found] == [
            [] if i in (2, 299) else [f"#{i + 1}"] for i in range(700)
        ]
        assert len(index.within(array[0], BITS)) == 703


# Metadata


def nested(levels: int, kind: type = list) -> dict[str, object]:
    value: object = 0
    for _ in range(levels - 1):
        value = [value] if kind is list else {"deep": value}
    return {"deep": value}


@pytest.mark.parametrize("kind", [list, dict])
def test_metadata_that_could_not_be_read_again_is_refused(tmp_path: Path, kind: type) -> None:
    array = hashes(3)
    with made(tmp_path / "i") as disk:
        for index in (Index("x", bits=BITS), disk):
            for levels in (65, 200, 991, 5000):
                with pytest.raises(ValueError, match="nested too deep"):
                    index.add("poison", array[0], nested(levels, kind))
            many = {f"{i}": [i, {"a": "[[{{"}] for i in range(100)}
            index.add(["deep", "wide"], array[:2], [nested(64, kind), many])
            assert [m.metadata for m in index.within(array[0], 0)] == [nested(64, kind)]
            assert index.get("wide").metadata == many


def test_metadata_that_nests_too_deep_on_the_disk_is_damage(tmp_path: Path) -> None:
    with made(tmp_path / "i") as index:
        index.add(["a", "b"], hashes(2), [{"a": 1}, {}])
    text = '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"
    with closing(sqlite3.connect(tmp_path / "i" / "catalog.sqlite")) as db, db:
        row = EntryRow(*db.execute("SELECT * FROM entries WHERE seq = 1").fetchone())
        row = row._replace(metadata=text).with_crc()
        db.execute("REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)", row)
    with Index.open(tmp_path / "i", read_only=True) as index:
        for ask in (
            lambda: index.within(hashes(1)[0], 0),
            lambda: index.get("a"),
            lambda: list(index.entries()),
        ):
            with pytest.raises(CorruptIndexError, match="nested") as caught:
                ask()
            assert str(tmp_path / "i") in str(caught.value)
        assert index.get("b").metadata == {}


@pytest.mark.parametrize("key", [1, None, True, 1.5])
def test_keys_of_metadata_are_texts(key: object) -> None:
    index = Index("x", bits=BITS)
    with pytest.raises(TypeError, match="str"):
        index.add("a", hashes(1), {key: "a", "1": "b"})  # type: ignore[dict-item]
    assert len(index) == 0


@pytest.mark.parametrize("what", ["id", "metadata"])
def test_an_import_of_what_add_refuses_names_the_file(tmp_path: Path, what: str) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "bad.parquet"
    columns = {
        "id": ["#5" if what == "id" else "a"],
        "hash": pa.array([hashes(1)[0].packed], pa.binary(BITS // 8)),
        "metadata": ['{"a":' + "[" * 100_000 + "]" * 100_000 + "}" if what == "metadata" else None],
    }
    parquet.write_table(pa.table(columns), path)
    index = Index("x", bits=BITS)
    with pytest.raises(IndexFormatError) as caught:
        index.import_parquet(path)
    assert caught.value.path == str(path)
    assert len(index) == 0


def test_a_query_without_views_is_refused() -> None:
    index = Index("x", bits=BITS)
    index.add("a", hashes(1))
    for ask in (
        lambda: index.within({}, 3),
        lambda: index.nearest({}),
        lambda: index.within_many([{}], 3),
    ):
        with pytest.raises(ValueError, match="view"):
            ask()
    assert index.within_many([], 3) == []


# Segments that cannot be opened


def refuse(*_: object, **__: object) -> None:
    raise ValueError("tables that nobody can read")


def test_verify_opens_what_a_search_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with made(tmp_path / "i", "mih") as index:
        index.add(names(N), hashes(N))
        index.seal()
        assert index.verify().ok
        monkeypatch.setattr(MihBackend, "load", refuse)
        (problem,) = index.verify().problems
        assert "tables that nobody can read" in problem


def test_rebuild_lists_nothing_that_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = hashes(N)
    with made(tmp_path / "i", "mih") as index:
        index.add(names(N), array)
        index.seal()
    before = sorted(p.name for p in (tmp_path / "i" / "segments").iterdir())
    with monkeypatch.context() as broken:
        broken.setattr(MihBackend, "load", refuse)
        with pytest.raises(CorruptIndexError, match="nobody can read"):
            Index.rebuild(tmp_path / "i")
    assert sorted(p.name for p in (tmp_path / "i" / "segments").iterdir()) == before
    with Index.open(tmp_path / "i") as index:
        assert len(index.within(array[3], 0)) == 1


def test_a_reader_follows_a_rebuild_that_drops_the_last_entries(tmp_path: Path) -> None:
    array = hashes(N)
    with made(tmp_path / "i") as index:
        index.add(names(N), array)
    with Index.open(tmp_path / "i", read_only=True) as reader:
        assert len(reader.within(array[N - 1], 0)) == 1
        with closing(sqlite3.connect(tmp_path / "i" / "catalog.sqlite")) as db, db:
            db.execute("UPDATE entries SET quality = 3 WHERE seq = ?", (N,))
        assert Index.rebuild(tmp_path / "i", drop_damaged=True).ok
        assert reader.within(array[N - 1], 0) == []
        assert len(reader.within(array[0], 0)) == 1
    with Index.open(tmp_path / "i") as index:
        index.add("last", array[N - 1])
        assert [m.id for m in index.within(array[N - 1], 0)] == ["last"]
        assert index.verify().ok


def test_a_rebuild_that_drops_everything_leaves_an_empty_index(tmp_path: Path) -> None:
    with made(tmp_path / "i") as index:
        index.add(names(2), hashes(2))
    with closing(sqlite3.connect(tmp_path / "i" / "catalog.sqlite")) as db, db:
        db.execute("UPDATE entries SET quality = 3")
    assert Index.rebuild(tmp_path / "i", drop_damaged=True).ok
    with Index.open(tmp_path / "i") as index:
        assert len(index) == 0
        index.add("new", hashes(1))
        assert len(index.within(hashes(1)[0], 0)) == 1


# What killed processes left


def left_behind(path: Path) -> Path:
    draft = path.parent / f".{path.name}-{'0a' * 16}"
    draft.mkdir()
    (draft / "catalog.sqlite").write_bytes(b"x")
    return draft


@pytest.mark.parametrize("how", ["create", "snapshot", "memory"])
def test_the_next_one_removes_the_draft_of_a_killed_one(tmp_path: Path, how: str) -> None:
    source = Index("x", bits=BITS) if how == "memory" else made(tmp_path / "source")
    with source:
        source.add("a", hashes(1))
        target = tmp_path / "target"
        stale, held, young, other = (left_behind(tmp_path / f"{i}") for i in "1234")
        drafts = []
        for i, one in enumerate((stale, held, young)):
            drafts.append(one.rename(tmp_path / f".target-{f'{i}a' * 16}"))
        for one in (*drafts[:2], other):
            os.utime(one, (1, 1))
        with durable.held(drafts[1]):
            if how == "create":
                made(target).close()
            else:
                source.snapshot(target)
        left = sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("."))
        assert left == sorted([drafts[1].name, drafts[2].name, other.name])
    Index.open(target).close()


def test_the_next_export_removes_the_draft_of_a_killed_one(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    index = Index("x", bits=BITS)
    index.add("a", hashes(1))
    draft = tmp_path / f".out.parquet-{'0a' * 16}"
    draft.write_bytes(b"x")
    os.utime(draft, (1, 1))
    index.export_parquet(tmp_path / "out.parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["out.parquet"]
    assert (tmp_path / "out.parquet").stat().st_mode & 0o777 == 0o600


def test_a_writer_removes_the_catalog_of_a_killed_upgrade(tmp_path: Path) -> None:
    made(tmp_path / "i").close()
    for end in ("", "-wal", "-shm"):
        (tmp_path / "i" / f".catalog.sqlite-{'0a' * 16}{end}").write_bytes(b"x")
    Index.open(tmp_path / "i", read_only=True).close()
    assert len(list((tmp_path / "i").glob(".cat*"))) == 3
    Index.open(tmp_path / "i").close()
    assert not list((tmp_path / "i").glob(".cat*"))


# A full disk


@pytest.mark.parametrize("how", ["disk", "catalog", "memory"])
def test_a_copy_that_has_no_room_names_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "source"))

    with Index("x", bits=BITS) if how == "memory" else made(tmp_path / "source", "mih") as source:
        source.add(names(N), hashes(N))
        source.seal()
        if how == "disk":
            monkeypatch.setattr("shutil.copyfile", full)
        elif how == "catalog":
            monkeypatch.setattr(durable, "make_private_file", full)
        else:
            monkeypatch.setattr(durable, "sync_file", full)
        with pytest.raises(OSError, match="nothing was written") as caught:
            source.snapshot(tmp_path / "target")
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename == str(tmp_path / "target")
    assert [p.name for p in tmp_path.iterdir()] == ([] if how == "memory" else ["source"])
