"""What is retracted is in no file any more, byte by byte."""

from __future__ import annotations

import base64
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from fingerprint.errors import IndexLockedError
from fingerprint.index import merging, writer
from fingerprint.lists import HashList, Record, Retraction, applying, shelves, writing
from fingerprint.lists.hash_types import HASH_TYPES
from tests.record_strategies import digest, tmk, vpdq
from tests.torture import fork

WORD = "Kategorie-B1-zephyr"
DETAIL = "case-detail-quixotic"


def hashes(n: int) -> dict[str, str]:
    fixed = {name: digest(name, n) for name, kind in HASH_TYPES.items() if kind.family != "video"}
    frames = [digest("pdq", 1000 * n + i) for i in range(3)]
    return {**fixed, "vpdq": vpdq(frames), "tmk_pdqf": tmk(n)}


def views(n: int) -> dict[str, str]:
    return {"rotate90": digest("pdq", 1000 * n + 7), "crop": digest("pdq", 1000 * n + 8)}


def record(n: int, **fields: Any) -> Record:
    given: dict[str, Any] = {"hashes": hashes(n), "views": views(n), **fields}
    return Record("s", f"r{n}", **given)


def traces(hashes: Mapping[str, str], views: Mapping[str, str]) -> Iterator[bytes]:
    """Yield every form in which hashes might be lying about."""
    digits = list(views.values())
    for name, value in hashes.items():
        if name == "vpdq":
            digits += [line.split(",")[2] for line in value.splitlines()]
        elif name == "tmk_pdqf":
            data = base64.b64decode(value)
            features = data[-256:-192] + data[44:76]  # Of the average, whose floats differ.
            yield data[36:68]
            yield base64.b64encode(data)[48:88]
            yield features[-32:]
        else:
            digits.append(value)
    for value in digits:
        packed = bytes.fromhex(value)
        yield packed
        yield value.encode()
        yield value.upper().encode()
        yield base64.b64encode(packed)[:-4]
        if len(packed) % 8 == 0:
            yield np.frombuffer(packed, "<u8").byteswap().tobytes()
        yield packed[::-1]
        if len(packed) >= 32:  # Parts of it, too: a page may end within.
            yield packed[:16]
            yield packed[16:32]


def where(path: Path, wanted: Iterator[bytes] | list[bytes]) -> set[str]:
    """Return the files below a path that hold any of some byte strings."""
    needles = list(wanted)
    found = set()
    for folder, _, names in os.walk(path):
        for file in (Path(folder, name) for name in names):
            with suppress(FileNotFoundError):  # Merged away in the background meanwhile.
                content = file.read_bytes()
                if any(needle in content for needle in needles):
                    found.add(str(file.relative_to(path)))
    return found


def all_traces(n: int) -> list[bytes]:
    return [*traces(hashes(n), views(n)), WORD.encode(), DETAIL.encode()]


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: nothing here depends on the disk."""
    memory = Path("/dev/shm")  # noqa: S108
    folder = Path(tempfile.mkdtemp(dir=memory)) if os.access(memory, os.W_OK) else tmp_path
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def known(tmp_path: Path) -> Iterator[HashList]:
    with HashList.create(tmp_path / "known") as opened:
        opened.add([record(n) for n in range(1, 4)], by="me")
        opened.add([record(9, category=WORD, raw={"said": DETAIL})], by="me")
        yield opened


def test_the_search_finds_what_is_there(known: HashList) -> None:
    for name in HASH_TYPES:
        one = {name: hashes(9)[name]}
        assert where(known.path, traces(one, {})), name
    for view in views(9).items():
        assert where(known.path, traces({}, dict([view])))
    assert where(known.path, [WORD.encode()])
    assert where(known.path, [DETAIL.encode()])


@pytest.mark.parametrize("at_once", [True, False])
def test_retracted(known: HashList, at_once: bool) -> None:
    report = known.retract("s", "r9", by="me", reason="withdrawn", purge=at_once)
    assert report.purged == at_once
    if not at_once:
        assert known.info()["unpurged"] == 1
        known.purge()
    assert known.info()["unpurged"] == 0
    assert where(known.path, all_traces(9)) == set()
    for n in range(1, 4):  # The others are all there.
        assert known.get("s", f"r{n}") == record(n)
        assert known.find("md5", digest("md5", n))
    assert known.verify().problems == ()


def test_retracted_by_absence(known: HashList) -> None:
    report = known.apply([record(n) for n in range(1, 4)], by="me", snapshot_of="s")
    assert (report.retracted, report.purged) == (1, True)
    assert where(known.path, all_traces(9)) == set()


@pytest.mark.parametrize("name", HASH_TYPES)
def test_replaced(known: HashList, name: str) -> None:
    new = {**hashes(9), name: hashes(5)[name]}
    known.add(record(9, hashes=new, category=WORD), by="me")
    assert where(known.path, traces({name: hashes(9)[name]}, {})) == set()
    assert where(known.path, [WORD.encode()])
    assert known.get("s", "r9").hashes[name] == hashes(5)[name]


def test_replaced_views_and_words(known: HashList) -> None:
    known.add(record(9, views={"rotate90": views(5)["rotate90"]}), by="me")
    assert where(known.path, [WORD.encode(), DETAIL.encode()]) == set()
    assert where(known.path, traces({}, views(9))) == set()
    assert known.get("s", "r9").views == {"rotate90": views(5)["rotate90"]}


def test_a_type_that_goes_altogether(known: HashList) -> None:
    for n in (1, 2, 3, 9):
        known.add(record(n, hashes={"md5": digest("md5", n)}, views={}), by="me")
    assert known.hash_types == {"md5"}
    for n in (1, 2, 3, 9):
        rest = {name: one for name, one in hashes(n).items() if name != "md5"}
        assert where(known.path, traces(rest, views(n))) == set()


def test_another_record_with_the_same_hashes_keeps_them(known: HashList) -> None:
    known.add(Record("other", "x", hashes(9), views=views(9)), by="you")
    assert known.retract("s", "r9", by="me").purged
    assert where(known.path, [WORD.encode()]) == set()
    for name in ("md5", "sha1", "sha256", "sha512", "photodna", "tmk_pdqf", "pdq"):
        assert [hit.record.source for hit in known.find(name, hashes(9)[name])] == ["other"]
    assert known.retract("other", "x", by="you").purged
    assert where(known.path, all_traces(9)) == set()


@contextmanager
def small(seal: int, added: int) -> Iterator[None]:
    with (
        mock.patch.object(writer, "SEAL_ABOVE", seal),
        mock.patch.object(merging, "SMALLEST_TIER", seal),
        mock.patch.object(shelves, "_ADDED_AT_ONCE", added),
        mock.patch.object(applying, "BATCH", added),
    ):
        yield


class BrokenOffError(Exception):
    """Ends an iterable in its middle."""


def test_what_was_rolled_back(tmp_path: Path) -> None:
    def broken() -> Iterator[Record]:
        for n in range(10, 30):
            yield record(n, category=WORD)
        raise BrokenOffError

    with small(4, 3), HashList.create(tmp_path / "l") as known:
        known.add(record(1), by="me")
        for _ in range(2):
            with pytest.raises(BrokenOffError):
                known.apply(broken(), by="me")
        assert known.version == 1
        pdq = [n for n in range(10, 30) if where(known.path, traces({"pdq": hashes(n)["pdq"]}, {}))]
        assert pdq, "nothing had come onto the shelf: this tests nothing"
        # Nothing is retracted, and yet there is something to purge.
        assert known.add(record(2), by="me").purged
        for n in range(10, 30):
            assert where(known.path, all_traces(n)) == set(), n
        assert known.verify().problems == ()


def test_segments_of_many_merged_and_sealed(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    many = [generator.bytes(32).hex() for _ in range(33_500)]
    with HashList.create(tmp_path / "l") as known:
        records = [Record("s", f"{i}", {"pdq": one}) for i, one in enumerate(many)]
        known.add(records[:33_000], by="me")
        known.add(records[33_000:33_400], by="me")
        known.add(records[33_400:], by="me")
        names = [p.name for p in known.path.rglob("*.npy")]
        assert "hashes.npy" in names, "no segment was made: this tests nothing"
        gone = [5, 17_000, 32_999, 33_100, 33_450]
        needles = [list(traces({"pdq": many[i]}, {})) for i in gone]
        assert all(where(known.path, some) for some in needles)
        assert any("segments" in name for some in needles for name in where(known.path, some))
        report = known.apply([Retraction("s", f"{i}") for i in gone], by="me")
        assert report.purged
        assert where(known.path, [needle for some in needles for needle in some]) == set()
        assert [hit.record.record_id for hit in known.find("pdq", many[6])] == ["6"]
        known.add([Record("s", "17000", {"pdq": many[17_000]})], by="me")  # And in again.
        assert where(known.path, iter(needles[1]))


def test_copies_that_moving_cells_leaves_behind(tmp_path: Path) -> None:
    """SQLite overwrites what is deleted, but not what it copied before: all has to be rewritten."""
    generator = random.Random(1)

    def said(n: int) -> str:
        return f"<{n}:"

    def sized(n: int) -> Record:
        raw = {"said": f"{said(n)}{generator.choice([5, 50, 300, 900]) * 'x'}>"}
        return Record("s", f"{n * 7919 % 1000}-{n}", {"md5": digest("md5", n)}, raw=raw)

    with HashList.create(tmp_path / "l") as known:
        for _ in range(6):
            some = [sized(generator.randrange(900)) for _ in range(300)]
            known.apply(some, by="me", purge=False)
        numbers = {int(one.record_id.split("-")[1]): one for one in known.records()}
        gone = generator.sample(sorted(numbers), 150)
        known.apply([Retraction(*numbers[n].key) for n in gone], by="me")
        traces = [said(n).encode() for n in gone] + [digest("md5", n).encode() for n in gone]
        assert where(known.path, traces) == set()
        assert where(known.path, [said(min(numbers.keys() - gone)).encode()])


def test_after_a_change_that_was_not_followed_by_a_purge(tmp_path: Path) -> None:
    """The next change purges what an earlier one, or a killed one, left."""
    with small(4, 3):
        with HashList.create(tmp_path / "l") as known:
            known.add([record(n) for n in range(1, 9)], by="me")
            known.retract("s", "r5", by="me", purge=False)
        with HashList.open(tmp_path / "l") as known:
            assert known.info()["unpurged"] == 1
            assert known.add(record(20), by="me", note="nothing is retracted here").purged
            assert where(known.path, all_traces(5)) == set()


def test_a_reader_in_the_way(known: HashList) -> None:
    with (
        mock.patch.object(writing, "PATIENCE_MS", 50),
        mock.patch.object(writer, "PATIENCE_MS", 50),
        HashList.open(known.path, read_only=True) as reader,
    ):
        held = reader.records()
        first = next(held)
        report = known.retract("s", "r9", by="me")
        assert (report.retracted, report.purged) == (1, False)
        assert known.info()["unpurged"] == 1
        assert not known.find("md5", digest("md5", 9))
        assert not reader.find("md5", digest("md5", 9))
        with pytest.raises(IndexLockedError, match="purge again"):
            known.purge()
        # The one who holds it sees the old state to its end.
        assert [first, *held] == [record(1), record(2), record(3), record(9, **words())]
        known.purge()
        assert known.info()["unpurged"] == 0
        assert where(known.path, all_traces(9)) == set()
        assert len(list(reader.records())) == 3


def words() -> dict[str, Any]:
    return {"category": WORD, "raw": {"said": DETAIL}}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_reader_in_another_process(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with HashList.create(path) as known:
        known.add([record(n) for n in (1, 2)], by="me")
    ready, told = os.pipe()
    wait, go = os.pipe()

    def read() -> None:
        with HashList.open(path, read_only=True) as reader:
            held = reader.records()
            next(held)
            os.write(told, b".")
            os.read(wait, 1)
            assert len(list(held)) == 1

    child = fork(read)
    with (
        mock.patch.object(writing, "PATIENCE_MS", 50),
        mock.patch.object(writer, "PATIENCE_MS", 50),
        HashList.open(path) as known,
    ):
        assert os.read(ready, 1) == b"."
        assert not known.retract("s", "r1", by="me").purged
        os.write(go, b".")
        assert os.waitpid(child, 0)[1] == 0
        known.purge()
        assert where(path, all_traces(1)) == set()
    for pipe in (ready, told, wait, go):
        os.close(pipe)


def test_a_copy_of_a_purged_list(known: HashList, tmp_path: Path) -> None:
    known.retract("s", "r9", by="me")
    known.snapshot(tmp_path / "copy")
    assert where(tmp_path / "copy", all_traces(9)) == set()
    with HashList.open(tmp_path / "copy") as copy:
        assert copy.digest == known.digest


def test_rebuilding_leaves_nothing(known: HashList) -> None:
    path = known.path
    known.retract("s", "r9", by="me", purge=False)
    known.close()
    assert HashList.rebuild(path).ok
    with HashList.open(path) as again:
        assert again.info()["unpurged"] == 1
        again.purge()
        assert where(path, all_traces(9)) == set()


def test_history_tells_of_it_without_hashes(known: HashList) -> None:
    known.add(record(9, hashes=hashes(5), category="x"), by="me")
    known.retract("s", "r9", by="me", reason="withdrawn")
    actions = [(event.action, event.detail) for event in known.history("s", "r9")]
    assert [action for action, _ in actions] == ["added", "updated", "retracted"]
    types = ", ".join(f"hash {name}" for name in sorted(HASH_TYPES))
    assert actions[1][1] == f"category, {types}, raw"
    with sqlite3.connect(known.path / "list.sqlite") as db:
        text = "\n".join(db.iterdump())
    db.close()
    for n in (5, 9):
        for trace in traces(hashes(n), {}):
            assert trace.decode("latin-1") not in text
