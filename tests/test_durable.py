"""The index on disk over time: merged, compacted, checked, mended, copied, forked, filled up."""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fingerprint.errors import (
    CorruptIndexError,
    IndexLockedError,
    MaintenanceWarning,
    UnsupportedOperationError,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index import Index, building, durable, merging, writer
from fingerprint.index.tables import CATALOG

N = 300


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seal and merge after a few entries instead of thousands."""
    monkeypatch.setattr(writer, "SEAL_ABOVE", 8)
    monkeypatch.setattr(merging, "SMALLEST_TIER", 8)


HASHES = HashArray(np.random.default_rng(5).integers(0, 256, (N, 32), dtype=np.uint8), "pdq")


def filled(path: Path, n: int = N, **options: Any) -> Index:
    """Make an index of named entries with metadata, and of numbered ones, some removed."""
    index = Index.create(path, **options)
    for i in range(0, n, 15):
        some = range(i, i + 10)
        index.add([f"id-{j}" for j in some], HASHES[i : i + 10], [{"row": j} for j in some])
        index.add(None, HASHES[i + 10 : i + 15])
    index.remove([f"id-{j}" for j in range(0, n, 30)])
    return index


def content(index: Index) -> list[Any]:
    return [(e.id, e.hash, e.hash.quality, e.metadata) for e in index.entries()]


def assert_finds_everything(index: Index) -> None:
    entries = list(index.entries())
    found = index.within_many([e.hash for e in entries], 0)
    assert [[m.id for m in matches] for matches in found] == [[e.id] for e in entries]


def all_bytes(path: Path) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file())


def test_background_merges_keep_few_segments(tmp_path: Path) -> None:
    with filled(tmp_path / "a") as index, Index.open(tmp_path / "a", read_only=True) as reader:
        expected = content(index)
        background = index._store._background  # type: ignore[attr-defined]
        background.wait()
        segments = index.info()["segments"]
        assert 1 < len(segments) <= 3 * (merging.FAN_OUT - 1)
        assert content(index) == expected == content(reader)
        assert_finds_everything(index)
        assert_finds_everything(reader)
        listed = {s["name"] for s in segments}
        assert {p.name for p in (tmp_path / "a" / "segments").iterdir()} == listed
        assert index.verify().ok


def test_plan_merge_keeps_the_number_of_segments_logarithmic() -> None:
    class Segment:
        removed = np.empty(0, np.int64)

        def __init__(self, n: int) -> None:
            self.n_alive = n

        def __len__(self) -> int:
            return self.n_alive

    generator = random.Random(1)
    segments: list[Any] = []
    rewritten = total = 0
    for _ in range(2000):
        n = generator.choice([9, 9, 9, 20, 100])
        segments.append(Segment(n))
        total += n
        while plan := list(merging.plan_merge(segments)):
            first = segments.index(plan[0])
            assert segments[first : first + len(plan)] == plan  # Neighbours.
            merged = sum(s.n_alive for s in plan)
            segments[first : first + len(plan)] = [Segment(merged)]
            rewritten += merged
        assert len(segments) <= 3 * 8
    assert rewritten <= 8 * total
    segments[0].removed = np.arange(len(segments[0]) // 2)
    assert list(merging.plan_merge(segments)) == [segments[0]]


@pytest.mark.parametrize("residency", ["mmap", "huge"])
def test_compact_leaves_one_segment_and_nothing_of_what_was_removed(
    tmp_path: Path, residency: Any
) -> None:
    path = tmp_path / "a"
    generator = random.Random(7)
    secrets: list[bytes] = []
    with filled(path, maintenance="manual") as index:
        for round_ in range(6):
            some = [
                (f"secret-{round_}-{i}-{generator.random()}", generator.randbytes(32))
                for i in range(120)
            ]
            index.add(
                [name for name, _ in some],
                [Hash("pdq", packed, 256) for _, packed in some],
                [{"memo": f"private {name[::-1]}"} for name, _ in some],
            )
            numbered = [Hash("pdq", generator.randbytes(32), 256) for _ in range(40)]
            ids = list(index.add(None, numbered))
            secrets += [h.packed for h in numbered]
            generator.shuffle(some)
            for name, packed in some:
                secrets += [name.encode(), packed, f"private {name[::-1]}".encode()]
            names = [name for name, _ in some]
            index.remove(names[:40])
            index.upsert(names[40:80], HASHES[:40])
            index.remove([*names[40:], *ids])
    with Index.open(path, residency=residency) as index:
        expected = content(index)
        index.compact()
        data = all_bytes(path)
        assert [secret for secret in secrets if secret in data] == []
        assert (path / f"{CATALOG}-wal").stat().st_size == 0
        (segment,) = index.info()["segments"]
        assert (segment["entries"], segment["removed"]) == (len(expected), 0)
        assert index.info()["scanned_entries"] == 0
        assert content(index) == expected
        assert_finds_everything(index)
        assert index.verify().ok
        before = all_bytes(path / "segments")
        index.compact()
        assert all_bytes(path / "segments") == before
        index.remove([e.id for e in index.entries()])
        index.compact()
        assert (len(index), index.info()["segments"]) == (0, [])
        assert HASHES[3].packed not in all_bytes(path)


def test_compact_beside_a_reader_that_holds_on(tmp_path: Path) -> None:
    with filled(tmp_path / "a") as index, Index.open(tmp_path / "a", read_only=True) as reader:
        expected = content(reader)
        entries = reader.entries()
        next(entries)
        index.remove("id-1")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "PATIENCE_MS", 50)
            with pytest.raises(IndexLockedError, match="reader"):
                index.compact()
        assert len(list(entries)) == len(expected) - 1
        assert "id-1" not in reader
        index.compact()
        assert b"id-1\0" not in all_bytes(tmp_path / "a")
        assert_finds_everything(reader)


def test_searches_go_on_while_segments_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "a"
    done = threading.Event()
    kept = {f"id-{j}" for j in range(N) if j % 15 < 10 and j % 30}

    def write(index: Index) -> None:
        try:
            for i in range(25):
                with index.transaction():
                    index.add([f"x{i}-{j}" for j in range(12)], HASHES[:12])
                    index.remove([f"x{i}-{j}" for j in range(0, 12, 2)])
                if i % 6 == 0:
                    index.compact()
        finally:
            done.set()

    def read(index: Index, seed: int) -> int:
        generator = random.Random(seed)
        rounds = 0
        while not done.is_set() or rounds < 5:
            one = generator.choice(sorted(kept))
            h = HASHES[int(one.removeprefix("id-"))]
            found = [m.id for m in index.within(h, 0)]
            assert found.count(one) == 1
            # A transaction adds twelve and takes six: nothing in between is ever seen.
            for i in {m.split("-")[0] for m in found if m.startswith("x")}:
                everything = [m.id for m in index.within(HASHES[1], 256)]
                assert sum(m.startswith(f"{i}-") for m in everything) == 6
            assert one in index
            rounds += 1
        return rounds

    with (
        filled(path) as index,
        Index.open(path, read_only=True) as reader,
        ThreadPoolExecutor(4) as pool,
    ):
        readers = [pool.submit(read, one, i) for i, one in enumerate([index, reader, reader])]
        pool.submit(write, index).result()
        assert all(r.result() >= 5 for r in readers)
        assert index.verify().ok


def problems_after(path: Path, file: Path, at: int, bit: int) -> bool:
    """Return whether a flipped bit is noticed, by `verify` or by opening."""
    data = bytearray(file.read_bytes())
    data[at] ^= 1 << bit
    file.write_bytes(data)
    try:
        with Index.open(path, read_only=True) as index:
            return not index.verify().ok
    except CorruptIndexError:
        return True
    finally:
        data[at] ^= 1 << bit
        file.write_bytes(data)
        for log in path.glob(f"{CATALOG}-*"):
            log.unlink()


def test_verify_finds_every_flipped_bit_of_a_segment(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with filled(path, backend="mih", maintenance="manual", n=60) as index:
        index.compact()
        assert index.verify().ok
        assert index.info()["verified"]["ok"]
    generator = random.Random(3)
    files = sorted(p for p in (path / "segments").rglob("*") if p.is_file())
    assert len(files) > 3
    for file in files:
        size = file.stat().st_size
        for at in {0, size - 1, *(generator.randrange(size) for _ in range(12))}:
            assert problems_after(path, file, at, generator.randrange(8)), (file.name, at)


def test_verify_finds_every_flipped_bit_of_an_entry(tmp_path: Path) -> None:
    path = tmp_path / "a"
    index = Index.create(path, maintenance="manual")
    packed = [random.Random(i).randbytes(32) for i in range(50)]
    with index:
        for i in range(40):
            h = Hash("pdq", packed[i], 256, 50 + i % 2)
            index.add(f"name-{i:03}", h, {"memo": f"text-{i:03}"})
        index.add(None, HashArray.from_hashes([Hash("pdq", p, 256, 77) for p in packed[40:]] * 4))
        index.seal()
        index.compact()
    data = (path / CATALOG).read_bytes()
    generator = random.Random(4)
    planted = []
    for i in (0, 7, 21, 39):
        for text in (f"name-{i:03}".encode(), packed[i], f'{{"memo":"text-{i:03}"}}'.encode()):
            at = data.index(text)
            planted += [at + generator.randrange(len(text)) for _ in range(3)]
            # Lengths and numbers stand before, qualities and checksums behind.
            planted += [at - 1, at - 2, at + len(text)]
        name = f"name-{i:03}".encode()
        planted += [data.rindex(name) + generator.randrange(len(name))]
    block = data.index(packed[40])
    planted += [block - 2, block - 1, *(block + generator.randrange(32) for _ in range(5))]
    for at in planted:
        assert problems_after(path, path / CATALOG, at, generator.randrange(8)), at
    with Index.open(path) as index:
        assert index.verify().ok


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM entries WHERE seq = 2", "which the catalog does not"),
        ("DELETE FROM names WHERE id = 'id-3'", "names for"),
        ("UPDATE names SET seq = 5 WHERE id = 'id-3'", "a name stands for"),
        ("UPDATE state SET entries = entries + 1", "entries, not"),
        ("UPDATE state SET next_seq = 3", "given again"),
        ("DELETE FROM removals", "which the catalog does not"),
        ("INSERT INTO removals VALUES (99, x'0200000000000000')", "counts as removed"),
        ("DELETE FROM segments", "is in no segment"),
    ],
)
def test_verify_compares_tables_with_each_other(
    tmp_path: Path, statement: str, problem: str
) -> None:
    with filled(tmp_path / "a", n=60, maintenance="manual") as index:
        expected = content(index)
    with closing(sqlite3.connect(tmp_path / "a" / CATALOG)) as db, db:
        db.execute(statement)
    with Index.open(tmp_path / "a", maintenance="manual") as index:
        report = index.verify()
        assert any(problem in p for p in report.problems), report.problems
        assert index.info()["verified"]["ok"] is False
    assert Index.rebuild(tmp_path / "a").ok
    with Index.open(tmp_path / "a") as index:
        assert_finds_everything(index)
        if "entries WHERE" not in statement:
            assert content(index) == expected


def test_rebuild_recovers_all_that_the_catalog_holds(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with filled(path) as index:
        expected = content(index)
        with pytest.raises(IndexLockedError):
            Index.rebuild(path)
    damages: list[Callable[[], object]] = [
        lambda: shutil.rmtree(path / "segments"),
        lambda: shutil.rmtree(next((path / "segments").iterdir())),
        lambda: next((path / "segments").glob("*/hashes.npy")).write_bytes(b"x"),
        lambda: next((path / "segments").glob("*/seq.npy")).unlink(),
        lambda: None,
    ]
    for damage in damages:
        damage()
        report = Index.rebuild(path)
        assert (report.ok, report.entries, report.segments) == (True, len(expected), 1)
        with Index.open(path) as index:
            assert content(index) == expected
            assert_finds_everything(index)
            assert index.add(None, HASHES[0]) != index.add(None, HASHES[0])
            index.remove([one for one in index if one.startswith("#") and int(one[1:]) > N])
            assert content(index) == expected


def test_rebuild_without_damaged_entries_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with filled(path, n=60) as index:
        expected = content(index)
    with closing(sqlite3.connect(path / CATALOG)) as db, db:
        db.execute("UPDATE entries SET quality = 99 WHERE id = 'id-4'")
    with pytest.raises(CorruptIndexError, match="drop_damaged"):
        Index.rebuild(path)
    with pytest.raises(CorruptIndexError, match="checksum"), Index.open(path) as index:
        content(index)
    assert Index.rebuild(path, drop_damaged=True).ok
    with Index.open(path) as index:
        assert content(index) == [entry for entry in expected if entry[0] != "id-4"]


def test_a_snapshot_of_an_index_that_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with filled(path) as index:
        stop = threading.Event()

        def write() -> None:
            i = 0
            while not stop.is_set():
                with index.transaction():
                    index.add([f"new-{i}-{j}" for j in range(9)], HASHES[:9])
                    if i:
                        index.remove([f"new-{i - 1}-{j}" for j in range(9)])
                i += 1

        expected = content(index)
        thread = threading.Thread(target=write)
        thread.start()
        try:
            for k in range(4):
                index.snapshot(tmp_path / f"copy-{k}")
        finally:
            stop.set()
            thread.join()
    for k in range(4):
        with Index.open(tmp_path / f"copy-{k}") as copy:
            assert copy.verify().ok
            found = content(copy)
            assert [e for e in found if not e[0].startswith("new")] == expected
            assert len(found) - len(expected) in (0, 9)
            copy.compact()
            assert copy.verify().ok


def in_child(work: Callable[[], None]) -> int:
    """Run in a forked child; return its exit status, 0 when nothing was raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Threads and forks.
        child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException as error:  # noqa: BLE001
            print(f"in the child: {error!r}", file=sys.stderr)  # noqa: T201
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")


@needs_fork
def test_a_forked_child_reads_and_does_not_write(tmp_path: Path) -> None:
    # A merge that a fork interrupts would be in use: what the child then refuses.
    with filled(tmp_path / "a", maintenance="manual") as index:
        expected = content(index)

        def child() -> None:
            assert content(index) == expected
            assert_finds_everything(index)
            for call in (lambda: index.add("x", HASHES[0]), index.compact, index.seal):
                with pytest.raises(UnsupportedOperationError, match="fork"):
                    call()
            with pytest.raises(IndexLockedError):
                Index.open(tmp_path / "a")
            with Index.open(tmp_path / "a", read_only=True) as own:
                assert content(own) == expected
            index.close()

        assert in_child(child) == 0
        index.add("after", HASHES[0])
        with pytest.raises(IndexLockedError):
            Index.open(tmp_path / "a")
        assert content(index)[:-1] == expected
    with Index.open(tmp_path / "a") as index:
        assert index.verify().ok


@needs_fork
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no users here")
def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with filled(path) as index:
        index.compact()
        index.add("in the log", HASHES[0])
        expected = content(index)
        shutil.copytree(path, tmp_path / "with log")  # As a crash would leave it.
    shutil.copytree(path, tmp_path / "rehearsal")
    with Index.open(tmp_path / "rehearsal", read_only=True) as index:
        # Loads what nobody else may read: the interpreter may be root's alone.
        assert_finds_everything(index)
        assert index.verify().ok
    nobody = 65534
    for folder in (path, tmp_path / "with log"):
        for file in [folder, *folder.rglob("*")]:
            file.chmod(0o500 if file.is_dir() else 0o400)
            if os.geteuid() == 0:
                os.chown(file, nobody, nobody)
    for parent in (tmp_path, *tmp_path.parents):
        if "pytest" in str(parent):  # pytest keeps its folders to itself.
            parent.chmod(0o755)

    def child() -> None:
        if os.geteuid() == 0:
            os.setuid(nobody)
        with Index.open(path, read_only=True) as index:
            assert content(index) == expected
            assert_finds_everything(index)
            assert index.verify().ok
        with pytest.raises(OSError) as caught:
            Index.open(path)
        assert caught.value.errno in (errno.EROFS, errno.EACCES)
        with pytest.raises(UnsupportedOperationError, match="copy it"):
            Index.open(tmp_path / "with log", read_only=True)

    try:
        log = tmp_path / "with log" / f"{CATALOG}-wal"
        assert log.stat().st_size
        (tmp_path / "with log").chmod(0o700)
        (tmp_path / "with log" / f"{CATALOG}-shm").unlink()
        (tmp_path / "with log").chmod(0o500)
        assert in_child(child) == 0
    finally:
        for folder in (path, tmp_path / "with log"):
            for file in [folder, *folder.rglob("*")]:
                file.chmod(0o700)


@pytest.mark.parametrize("step", ["sync_file", "sync_directory", "rename"])
def test_a_disk_that_fills_up_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with filled(tmp_path / "a", maintenance="manual") as index:
        expected = content(index)

        def full(*_: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(durable, step, full)
            calls: list[Callable[[], object]] = [
                lambda: index.add(None, HASHES[:20]),
                lambda: index.upsert(["id-1", "x"] + [f"y{i}" for i in range(9)], HASHES[:11]),
                index.seal,
                index.compact,
                lambda: index.snapshot(tmp_path / "copy"),
            ]
            for call in calls:
                with pytest.raises(OSError, match="No space"):
                    call()
        assert content(index) == expected
        assert_finds_everything(index)
        assert not (tmp_path / "copy").exists()
        assert index.verify().ok
        listed = {s["name"] for s in index.info()["segments"]}
        assert {p.name for p in (tmp_path / "a" / "segments").iterdir()} == listed
        index.add(None, HASHES[:20])


FULL = """
import resource, signal, sys, numpy as np, errno
import fingerprint as fp
from fingerprint.index import writer
path, limit = sys.argv[1], int(sys.argv[2])
index = fp.Index.open(path, maintenance="manual")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
packed = np.random.default_rng(0).integers(0, 256, (5000, 32), dtype=np.uint8)
before = list(index)
try:
    index.add([str(i) for i in range(5000)], fp.HashArray(packed, "pdq"), [{"x": "y" * 50}] * 5000)
except OSError as error:
    assert path in str(error) or error.filename, error
    print(error.errno, flush=True)
else:
    print("added", flush=True)
assert list(index) == before, "changed"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
index.add("after", fp.HashArray(packed, "pdq")[0])
assert index.verify().ok
index.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="file size limits as Linux has them")
@pytest.mark.parametrize("limit", [100_000, 400_000])
def test_a_file_that_cannot_grow_changes_nothing(tmp_path: Path, limit: int) -> None:
    filled(tmp_path / "a").close()
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "a"), str(limit)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) in (errno.ENOSPC, errno.EFBIG, errno.EIO)
    with Index.open(tmp_path / "a") as index:
        assert "after" in index
        assert "17" not in index


def test_what_goes_wrong_in_the_background_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "a broken disk")

    index = Index.create(tmp_path / "a")
    background: Any = index._store._background  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(merging, "sha256_of", broken)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for i in range(10):
                index.add(None, HASHES[i * 10 : i * 10 + 10])
                background.wait()
        assert caught
        assert {(w.category, w.filename) for w in caught} == {(MaintenanceWarning, __file__)}
        assert "a broken disk" in str(caught[0].message)
        background._error = None
    index.add(None, HASHES[:10])
    background.wait()
    assert_finds_everything_but_copies(index)
    assert len(index.info()["segments"]) < merging.FAN_OUT * 2
    background._error = OSError("at the end")
    with pytest.warns(MaintenanceWarning, match="at the end"):
        index.close()
    with Index.open(tmp_path / "a") as index:
        assert index.verify().ok


def assert_finds_everything_but_copies(index: Index) -> None:
    for entry in index.entries():
        assert entry.id in {m.id for m in index.within(entry.hash, 0)}


def test_damage_is_not_copied_into_a_merged_segment(tmp_path: Path) -> None:
    with filled(tmp_path / "a", maintenance="manual") as index:
        expected = content(index)
        file = next((tmp_path / "a" / "segments").glob("*/hashes.npy"))
        data = bytearray(file.read_bytes())
        data[-5] ^= 4
        file.write_bytes(data)
        with pytest.raises(CorruptIndexError, match="rebuild"):
            index.compact()
        assert not index.verify().ok
    assert Index.rebuild(tmp_path / "a").ok
    with Index.open(tmp_path / "a") as index:
        assert content(index) == expected
        assert_finds_everything(index)


def test_orphans_go_when_the_next_writer_comes(tmp_path: Path) -> None:
    filled(tmp_path / "a").close()
    for name in (".tmp-0123", "0123"):
        (tmp_path / "a" / "segments" / name).mkdir()
        (tmp_path / "a" / "segments" / name / "hashes.npy").write_bytes(b"x")
    with Index.open(tmp_path / "a", read_only=True) as index:
        assert index.verify().ok
    with Index.open(tmp_path / "a") as index:
        listed = {s["name"] for s in index.info()["segments"]}
        assert {p.name for p in (tmp_path / "a" / "segments").iterdir()} == listed


def test_many_small_removals_stay_few_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "REMOVAL_ROWS", 5)
    with (
        filled(tmp_path / "a", maintenance="manual") as index,
        Index.open(tmp_path / "a", read_only=True) as reader,
    ):
        gone = set()
        for j in range(1, 30):
            index.remove(f"id-{15 * (j % 20) + j // 20 + 1}")
            gone.add(f"id-{15 * (j % 20) + j // 20 + 1}")
            if j % 7 == 0:
                assert not gone & set(reader)
        with closing(sqlite3.connect(tmp_path / "a" / CATALOG)) as db:
            (rows,) = db.execute("SELECT COUNT(*) FROM removals").fetchone()
        assert rows <= 6
        assert_finds_everything(reader)
    with Index.open(tmp_path / "a") as index:
        assert not gone & set(index)
        assert index.verify().ok


def test_a_damaged_structure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with filled(tmp_path / "a", maintenance="manual") as index:
        part = index._store.latest()[0].segments[0]

        def broken(*_: Any) -> Iterator[Any]:
            raise CorruptIndexError("", "a slot beyond the hashes")

        monkeypatch.setattr(type(part.backend), "range_search", broken)
        with pytest.raises(CorruptIndexError, match="a slot beyond") as caught:
            index.within(HASHES[0])
        assert caught.value.path.startswith(str(tmp_path / "a" / "segments"))


def test_building_stops_for_an_error_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled(tmp_path / "a", maintenance="manual") as index:
        expected = content(index)

        def broken(*_: Any) -> None:
            raise MemoryError

        with monkeypatch.context() as patch:
            patch.setattr(building, "open_segment", broken)
            with pytest.raises(MemoryError):
                index.add(None, HASHES[:30])
        assert content(index) == expected
        listed = {s["name"] for s in index.info()["segments"]}
        assert {p.name for p in (tmp_path / "a" / "segments").iterdir()} == listed
