"""Lists under writers that are killed, disks that fail, readers beside, and damaged files."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import sqlite3
import stat
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from fingerprint.errors import (
    CorruptIndexError,
    FingerprintError,
    IndexFormatError,
    IndexLockedError,
    UnsupportedOperationError,
)
from fingerprint.hashes import Hash
from fingerprint.index import Index, durable
from fingerprint.lists import HashList, Record, Retraction, shelves, tables, writing
from tests.record_strategies import digest, near, vpdq
from tests.test_hash_list_machine import distances_of, within
from tests.test_hash_list_purge import small
from tests.torture import STEPS, StopsAtStep, fork

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")

KILLS = 12
Model = dict[tuple[str, str], Record]


class Step(NamedTuple):
    """A change, and what there is after it."""

    do: Callable[[HashList], object]
    model: Model
    checkpoint: dict[str, Any]


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: these tests wait for the disk thousands of times."""
    memory = Path("/dev/shm")  # noqa: S108
    folder = Path(tempfile.mkdtemp(dir=memory)) if os.access(memory, os.W_OK) else tmp_path
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with small(12, 8):
        yield


def record(n: int, version: int = 0, source: str = "s", *, videos: bool = True) -> Record:
    """A record whose hashes come again in others, and change with its version."""
    hashes = {"md5": digest("md5", n % 7), "pdq": near("pdq", n % 5, version)}
    if n % 3 == 0 and videos:
        hashes["vpdq"] = vpdq([near("pdq", n, version), digest("pdq", n + 50)])
    return Record(source, f"r{n}", hashes, category=f"c{version // 2}")


def steps(seed: int, kinds: Sequence[str] = (), *, videos: bool = True) -> Iterator[Step]:
    """Changes that follow from a seed, without end; the first ones of given kinds."""
    generator = random.Random(seed)
    model: Model = {}
    any_kind = ["delta", "delta", "delta", "snapshot", "retract"]
    for made in range(1, 1000):
        kind = kinds[made - 1] if made <= len(kinds) else generator.choice(any_kind)
        some = [
            record(
                generator.randrange(12),
                generator.randrange(4),
                generator.choice(["s", "s/t"]),
                videos=videos,
            )
            for _ in range(generator.choice([1, 6, 14]))
        ]
        options: dict[str, Any] = {"purge": kind == "retract"}
        changes: list[Any] = list(some)
        model = dict(model)
        if kind == "snapshot":
            options |= {"snapshot_of": "s/t", "max_retracted_share": 1}
            changes = some = [one for one in some if one.source == "s/t"]
            model = {key: one for key, one in model.items() if key[0] != "s/t"}
        model |= {one.key: one for one in some}
        if kind == "retract":
            gone = generator.sample(sorted(model), min(3, len(model)))
            changes += [Retraction(*key) for key in gone]
            model = {key: one for key, one in model.items() if key not in gone}
        checkpoint = {"made": made}

        def do(known: HashList, c: Any = changes, o: Any = options, p: Any = checkpoint) -> object:
            return known.apply(c, by="me", feed="f", checkpoint=p, **o)

        yield Step(do, model, checkpoint)


KINDS = ("delta", "delta", "snapshot", "retract")


def first(n: int, seed: int, *, videos: bool = True) -> list[Step]:
    return [step for _, step in zip(range(n), steps(seed, KINDS, videos=videos), strict=False)]


def state_of(known: HashList) -> tuple[Model, dict[str, Any]]:
    return {one.key: one for one in known.records()}, known.checkpoint("f")


def look_up(known: HashList, model: Model) -> None:
    """Whatever was ever on the list is found if it is there now, and else not."""
    for n in range(7):
        wanted = {k for k, r in model.items() if r.hashes["md5"] == digest("md5", n)}
        assert {hit.record.key for hit in known.find("md5", digest("md5", n))} == wanted
    for n in range(5):
        for radius in (0, 6):
            hits = known.within(Hash.parse(f"pdq:{near('pdq', n, 1)}"), radius)
            assert distances_of(hits) == within(model, ["pdq"], near("pdq", n, 1), radius)


def check(path: Path, allowed: list[Step], *, read_only: bool) -> None:
    """The list is as one of these steps left it."""
    states = [(step.model, step.checkpoint) for step in allowed]
    with HashList.open(path, read_only=read_only) as known:
        assert state_of(known) in states
        look_up(known, state_of(known)[0])
        assert known.verify().problems == ()


def go_on(path: Path, rest: list[Step]) -> None:
    """The same changes once more lead to the same end, and nothing else is left."""
    with HashList.open(path) as known:
        for step in rest:
            step.do(known)
        assert state_of(known) == (rest[-1].model, rest[-1].checkpoint)
        known.purge()
        look_up(known, rest[-1].model)
        assert known.verify().problems == ()
    assert on_shelves(path) == sum(map(n_hashes, rest[-1].model.values()))
    nothing_of_the_past(path, rest[-1].model)


def n_hashes(record: Record) -> int:
    return 2 + len(record.hashes.get("vpdq", "").splitlines())


def on_shelves(path: Path) -> int:
    """How many hashes there are on all shelves."""
    n = 0
    for folder in (path / "shelves").iterdir():
        with Index.open(folder, read_only=True) as index:
            n += len(index)
    return n


def nothing_of_the_past(path: Path, model: Model) -> None:
    content = b"".join(file.read_bytes() for file in path.rglob("*") if file.is_file())
    kept = "\n".join(value for one in model.values() for value in one.hashes.values())
    for n in range(12):
        values = [digest("md5", n % 7), *(near("pdq", n, version) for version in range(4))]
        for value in values:
            if value not in kept:
                assert bytes.fromhex(value) not in content
                assert value.encode() not in content


def told(pipe: int) -> int:
    found = len(b"".join(iter(lambda: os.read(pipe, 99), b"")))
    os.close(pipe)
    return found


N_STEPS = len(KINDS)
PARTS = 4
MOST_STEPS = 1000
SEED = 4
EMPTY = Step(lambda _: None, {}, {})


@forks
@pytest.mark.parametrize("part", range(PARTS))
def test_writers_stopped_at_each_durable_step(quick: Path, part: int) -> None:
    """Each part takes one step of four: they can be tried side by side."""
    HashList.create(quick / "empty").close()

    def run(path: Path, pipe: int) -> None:
        with HashList.open(path) as known:
            for step in first(N_STEPS, SEED, videos=False):
                step.do(known)
                os.write(pipe, b".")

    series = [EMPTY, *first(N_STEPS, SEED, videos=False)]
    for k in range(part + 1, MOST_STEPS, PARTS):
        path = quick / f"{k}"
        shutil.copytree(quick / "empty", path)
        read_end, write_end = os.pipe()
        with StopsAtStep(k, before=k // PARTS % 2 == 0).installed():
            child = fork(lambda: run(path, write_end))  # noqa: B023
        os.close(write_end)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        done = told(read_end)
        assert status in (0, 9)
        if status == 0:
            break
        check(path, series[done : done + 2], read_only=k % 3 == 0)
        if k % 5 == 0:
            go_on(path, series[done + 1 :] or series[-1:])
        shutil.rmtree(path)
    assert k > 40, "there were more steps than that when this was written"


@forks
def test_writers_killed_at_random_points(quick: Path) -> None:
    generator = random.Random(3)
    for i in range(KILLS):
        path = quick / f"{i}"
        HashList.create(path).close()
        read_end, write_end = os.pipe()

        def write(path: Path = path, pipe: int = write_end, seed: int = i) -> None:
            with HashList.open(path) as known:
                for n, step in enumerate(steps(seed, KINDS), 1):
                    step.do(known)
                    os.write(pipe, struct.pack("<i", n))

        child = fork(write)
        os.close(write_end)
        begun = os.read(read_end, 4)
        time.sleep(0.2 * generator.random())
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while some := os.read(read_end, 1 << 16):
            begun += some
        os.close(read_end)
        (done,) = struct.unpack("<i", begun[-4:])
        series = first(done + 2, i)
        check(path, series[done - 1 : done + 1], read_only=i % 2 == 0)
        go_on(path, series[done:])


class FailsAtStep:
    """Makes the k-th durable step fail as a full or broken disk does."""

    def __init__(self, k: int, number: int) -> None:
        self.left = k
        self.number = number

    def wrapped(self, step: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: Any) -> object:
            self.left -= 1
            if self.left == 0:
                raise OSError(self.number, os.strerror(self.number))
            return step(*arguments)

        return counted

    @contextmanager
    def installed(self) -> Iterator[None]:
        with ExitStack() as stack:
            for name in STEPS:
                if name != "remove_folder":  # It never fails.
                    wrapped = self.wrapped(getattr(durable, name))
                    stack.enter_context(mock.patch.object(durable, name, wrapped))
            yield


@pytest.mark.filterwarnings("ignore::fingerprint.MaintenanceWarning")
def test_disks_that_fail_at_each_step(quick: Path) -> None:
    """All or nothing, said rightly; the same list goes on when there is room again."""
    prepared, last = first(2, SEED, videos=False), first(4, SEED, videos=False)[2:]
    with HashList.create(quick / "before") as known:
        for step in prepared:
            step.do(known)
    k = failed = 0
    while True:
        k += 1
        path = quick / f"{k}"
        shutil.copytree(quick / "before", path)
        fails = FailsAtStep(k, errno.EIO if k % 2 else errno.ENOSPC)
        with HashList.open(path) as known:
            reached = prepared[-1]
            for step in last:
                try:
                    with fails.installed():
                        step.do(known)
                    reached = step
                except OSError:
                    failed += 1
                    break
            assert state_of(known) == (reached.model, reached.checkpoint), k
            look_up(known, reached.model)
            for step in last:
                step.do(known)
            assert state_of(known) == (last[-1].model, last[-1].checkpoint)
        if k % 4 == 0:
            go_on(path, last[-1:])
        shutil.rmtree(path)
        if fails.left > 0:
            break
    assert k > 10
    assert failed > 3


def test_a_full_disk(quick: Path) -> None:
    with HashList.create(quick / "l") as known:
        step = first(1, 1)[0]
        step.do(known)
        before = state_of(known)
        db = known._writing()._db
        assert db is not None
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        many = [
            Record("s", f"m{n}", {"md5": digest("md5", 100 + n)}, category=50 * "x")
            for n in range(200)
        ]
        with pytest.raises(OSError, match="disk is full; nothing was changed") as found:
            known.apply(many, by="me", feed="f", checkpoint={"lost": 1})
        assert found.value.errno == errno.ENOSPC
        assert state_of(known) == before
        look_up(known, step.model)
        db.execute("PRAGMA max_page_count = 1000000")
        assert known.apply(many, by="me").added == 200
        assert known.verify().problems == ()


def test_a_disk_that_is_full_when_it_comes_to_purging(tmp_path: Path) -> None:
    """The changes are committed: that is what is said, and that they are not purged."""
    with HashList.create(tmp_path / "l") as known:
        known.add([record(n) for n in range(8)], by="me")
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        with mock.patch.object(writing.ListWriter, "_purge", side_effect=full):
            report = known.retract("s", "r3", by="me")
            assert (report.retracted, report.purged) == (1, False)
            with pytest.raises(OSError, match="purge again"):
                known.purge()
        assert ("s", "r3") not in known
        assert known.info()["unpurged"] == 1
        known.purge()
        assert known.info()["unpurged"] == 0


# Readers beside a writer.


def pair(round_: int) -> list[Record]:
    """Two records that come and go together: one has the hash that the last one lost."""
    shared = {"md5": digest("md5", 1), "pdq": digest("pdq", 1)}
    odd = {"md5": digest("md5", 2), "pdq": near("pdq", 2, round_ % 9)}
    return [
        Record("s", "left" if round_ % 2 else "right", shared, category=f"{round_}"),
        Record("s", "both", odd, category=f"{round_}"),
        Record("s", "moved", {**shared, "sha1": digest("sha1", round_)}, category=f"{round_}"),
    ]


ROUNDS = 30
PATIENCE_S = 60


def write_rounds(path: Path) -> None:
    with HashList.open(path) as known:
        for round_ in range(1, ROUNDS + 1):
            report = known.apply(
                pair(round_), by="me", snapshot_of="s", purge=round_ % 5 == 0, note=f"{round_}"
            )
            assert report.version == round_ + 1


def read_rounds(reader: HashList) -> None:
    """Ask until the last round is seen: every answer is of one round."""
    last = 0
    query = Hash.parse(f"pdq:{digest('pdq', 1)}")
    until = time.monotonic() + PATIENCE_S
    while last < ROUNDS:
        for hits in (reader.find("md5", digest("md5", 1)), reader.within(query, 3)):
            names = sorted(hit.record.record_id for hit in hits)
            rounds = {int(hit.record.category) for hit in hits}
            assert len(rounds) == 1, f"an answer of rounds {rounds}"
            (seen,) = rounds
            assert names == sorted(["left" if seen % 2 else "right", "moved"]), names
            assert {hit.list_version for hit in hits} == {seen + 1}
            assert seen >= last, "an older state after a newer one"
            last = seen
        (both,) = reader.find("md5", digest("md5", 2))
        assert int(both.record.category) >= last
        stored = {one.category for one in reader.records()}
        assert len(stored) == 1
        assert time.monotonic() < until, "the writer's commits were never seen"


@forks
def test_reader_processes_beside_a_writer(quick: Path) -> None:
    path = quick / "l"
    with HashList.create(path) as known:
        known.add(pair(0), by="me")

    def read() -> None:
        with HashList.open(path, read_only=True) as reader:
            read_rounds(reader)

    children = [fork(read), fork(read), fork(lambda: write_rounds(path))]
    statuses = [os.waitpid(child, 0)[1] for child in children]
    assert statuses == [0, 0, 0], "a reader or the writer failed"
    with HashList.open(path) as known:
        assert known.verify().problems == ()


def test_threads_beside_a_writer(quick: Path) -> None:
    path = quick / "l"
    with HashList.create(path) as known:
        known.add(pair(0), by="me")
    errors: list[BaseException] = []

    def watched(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    with HashList.open(path, read_only=True) as reader:
        threads = [
            threading.Thread(target=watched, args=(work,))
            for work in (
                lambda: write_rounds(path),
                lambda: read_rounds(reader),
                lambda: read_rounds(reader),
            )
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


def test_checks_beside_a_writer(quick: Path) -> None:
    """What is retracted while a check goes on is no damage."""
    path = quick / "l"
    with HashList.create(path) as known:
        known.add([record(n) for n in range(40)], by="me")
        original = shelves.Shelf.owners
        gone = iter(range(40))

        def slowly(shelf: Any, *arguments: Any) -> Any:
            for n in [n for _, n in zip(range(3), gone, strict=False)]:
                known.retract("s", f"r{39 - n}", by="me", purge=False)
            return original(shelf, *arguments)

        with (
            HashList.open(path, read_only=True) as reader,
            mock.patch.object(shelves.Shelf, "owners", slowly),
        ):
            report = reader.verify()
        assert len(known) == 0
        assert (report.entries, report.problems) == (40, ())


@forks
def test_shelves_made_anew_beside_a_reader(quick: Path) -> None:
    path = quick / "l"
    with HashList.create(path) as known:
        known.add([record(n) for n in range(12)], by="me")
    model = {record(n).key: record(n) for n in range(12)}

    def rebuild() -> None:
        for _ in range(15):
            assert HashList.rebuild(path).ok

    with HashList.open(path, read_only=True) as reader:
        child = fork(rebuild)
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            look_up(reader, model)
            with HashList.open(path, read_only=True) as fresh:
                look_up(fresh, model)
        assert ended[1] == 0


@forks
def test_forks(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with HashList.create(path) as known:
        known.add([record(n) for n in range(5)], by="me")
        with HashList.open(path, read_only=True) as reader:
            model = {record(n).key: record(n) for n in range(5)}
            look_up(known, model)
            look_up(reader, model)

            def child() -> None:
                look_up(reader, model)
                assert len(known) == 5
                look_up(known, model)
                with pytest.raises(UnsupportedOperationError, match="fork"):
                    known.add(record(7), by="child")
                known.close()

            assert os.waitpid(fork(child), 0)[1] == 0
            known.add(record(7), by="parent")
            model[record(7).key] = record(7)
            look_up(known, model)
            look_up(reader, model)
    assert HashList.open(path, read_only=True).verify().problems == ()


# Damage, and what is no list.


@pytest.fixture
def sound(quick: Path) -> Path:
    path = quick / "sound"
    with HashList.create(path) as known:
        known.add([record(n) for n in range(12)], by="me")
        known.suspend("s", "r1", by="me", reason="flood")
        known.retract("s", "r11", by="me")
    return path


def ask_everything(path: Path, model: Model) -> None:
    """Ask a damaged list: right answers or typed errors, never a wrong match."""
    with HashList.open(path, read_only=True) as known:
        for n in range(7):
            try:
                hits = known.find("md5", digest("md5", n))
            except (FingerprintError, OSError):
                continue
            for hit in hits:
                assert hit.record.hashes["md5"] == digest("md5", n)
        query = near("pdq", 2, 1)
        hits = known.within(Hash.parse(f"pdq:{query}"), 6)
        for hit in hits:
            value = hit.record.hashes["pdq"]
            assert (int(value, 16) ^ int(query, 16)).bit_count() == hit.distance


FILES = ("list.sqlite", "catalog.sqlite", "hashes.npy", "seq.npy", "quality.npy")


@pytest.mark.parametrize("name", FILES)
def test_damaged_files(sound: Path, quick: Path, name: str) -> None:
    with HashList.open(sound, read_only=True) as known:
        model = {one.key: one for one in known.records()}
    generator = random.Random(name)
    unnoticed = 0
    for trial in range(8):
        path = quick / f"{trial}"
        shutil.copytree(sound, path)
        file = generator.choice(sorted(path.rglob(name)))
        data = bytearray(file.read_bytes())
        if trial % 4 == 3:
            data = data[: generator.randrange(len(data))]
        else:
            place = generator.randrange(len(data))
            data[place] ^= 1 << generator.randrange(8)
        file.write_bytes(data)
        noticed = False
        try:
            ask_everything(path, model)
        except (FingerprintError, OSError):
            noticed = True
        try:
            with HashList.open(path, read_only=True) as known:
                noticed |= not known.verify().ok
                held = {one.key: one for one in known.records()}
                noticed |= held != model
        except (FingerprintError, OSError):
            noticed = True
        unnoticed += not noticed
        if name != "list.sqlite":
            assert HashList.rebuild(path).problems == ()
            with HashList.open(path) as known:
                assert {one.key: one for one in known.records()} == model
                model_found = {key: one for key, one in model.items() if key != ("s", "r1")}
                look_up(known, model_found)
        shutil.rmtree(path)
    # A bit of a page's unused part means nothing; every one of an array does.
    assert unnoticed <= (8 if "sqlite" in name else 0)


def altered(path: Path, statement: str, *values: Any) -> None:
    db = sqlite3.connect(path / "list.sqlite")
    with db:
        db.execute(statement, values)
    db.close()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE records SET body = 'x' WHERE seq = 3", "a record is damaged"),
        ("UPDATE records SET body = '[]' WHERE seq = 3", "a record is damaged"),
        ("UPDATE records SET body = '{}' WHERE seq = 3", "a record is damaged"),
        ("UPDATE records SET body = replace(body, 'c0', 'c1') WHERE seq = 3", "digest"),
        ('UPDATE records SET body = replace(body, \'"md5":"\', \'"md5":"0\')', "damaged"),
        ("UPDATE records SET id = 'other' WHERE seq = 3", "digest"),
        ("UPDATE records SET places = x'00' WHERE seq = 3", "places"),
        ("UPDATE records SET places = x'' WHERE seq = 3", "places"),
        (
            "UPDATE records SET places = (SELECT places FROM records WHERE seq = 4) WHERE seq = 3",
            "",
        ),
        ("DELETE FROM records WHERE seq = 3", "records"),
        ("UPDATE places SET seqs = zeroblob(9)", "places"),
        ("UPDATE places SET first = first + 1", "places"),
        ("DELETE FROM places", "places"),
        ("UPDATE sources SET entries = entries + 1", "counted"),
        ("UPDATE sources SET digest = zeroblob(32)", "digest"),
        ("UPDATE state SET entries = 99", "state says 99"),
    ],
)
def test_damaged_tables(sound: Path, statement: str, told: str) -> None:
    altered(sound, statement)
    with HashList.open(sound, read_only=True) as known:
        problems = known.verify().problems
        assert any(told in problem for problem in problems), problems
    try:
        ask_everything(sound, {})
    except FingerprintError as error:
        assert isinstance(error, CorruptIndexError)  # noqa: PT017
    text = " ".join(problems)
    assert digest("md5", 3) not in text
    assert digest("pdq", 3) not in text


def test_another_records_place_is_no_match(sound: Path) -> None:
    """Were the tables believed, one record would be found in the place of another."""
    with HashList.open(sound, read_only=True) as known:
        (hit, _) = known.find("md5", digest("md5", 3))
        assert hit.record == record(3)
    db = sqlite3.connect(sound / "list.sqlite")
    with db:
        rows = db.execute("SELECT shelf, first, seqs FROM places").fetchall()
        for shelf, number, seqs in rows:
            others = b"".join(
                struct.pack("<q", seq % 11 + 1) for (seq,) in struct.iter_unpack("<q", seqs)
            )
            db.execute(
                "UPDATE places SET seqs = ? WHERE shelf = ? AND first = ?", (others, shelf, number)
            )
    db.close()
    with HashList.open(sound, read_only=True) as known:
        with pytest.raises(CorruptIndexError):
            known.find("md5", digest("md5", 3))
        with pytest.raises(CorruptIndexError):
            known.within(Hash.parse(f"pdq:{digest('pdq', 3)}"), 9)
        assert not known.verify().ok
    assert HashList.rebuild(sound).ok
    with HashList.open(sound, read_only=True) as known:
        assert known.find("md5", digest("md5", 3))[0].record == record(3)


def test_rebuild_refuses_damaged_records(sound: Path) -> None:
    for statement in (
        "UPDATE records SET body = replace(body, 'c0', 'c1') WHERE seq = 3",
        "UPDATE records SET body = '{' WHERE seq = 3",
    ):
        altered(sound, statement)
        before = sorted(p.name for p in (sound / "shelves").iterdir())
        with pytest.raises(CorruptIndexError):
            HashList.rebuild(sound)
        with HashList.open(sound) as known:  # As it was.
            assert known.find("md5", digest("md5", 4))
        assert sorted(p.name for p in (sound / "shelves").iterdir()) == before


def test_shelves_that_are_gone(sound: Path) -> None:
    with HashList.open(sound, read_only=True) as known:
        model = {one.key: one for one in known.records() if one.record_id != "r1"}
    shutil.rmtree(sound / "shelves")
    with pytest.raises(CorruptIndexError, match="rebuild"):
        HashList.open(sound)
    with HashList.open(sound, read_only=True) as known:
        assert len(known) == 11
        assert not known.verify().ok
        with pytest.raises(CorruptIndexError, match="rebuild"):
            known.find("md5", digest("md5", 4))
    assert HashList.rebuild(sound).ok
    with HashList.open(sound) as known:
        look_up(known, model)


def test_an_older_shelf_is_damage(sound: Path, tmp_path: Path) -> None:
    """A folder from a copy of yesterday lacks what the tables say is there."""
    folder = next(one for one in (sound / "shelves").iterdir() if one.name.startswith("md5"))
    shutil.copytree(folder, tmp_path / "old")
    with HashList.open(sound) as known:
        known.add(record(30), by="me")
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "old", folder)
    with pytest.raises(CorruptIndexError, match="too early"):
        HashList.open(sound)
    with HashList.open(sound, read_only=True) as known:
        assert any("missing" in problem for problem in known.verify().problems)
    assert HashList.rebuild(sound).ok
    with HashList.open(sound) as known:
        assert ("s", "r30") in {h.record.key for h in known.find("md5", digest("md5", 30 % 7))}


def test_modes_whatever_the_umask(tmp_path: Path) -> None:
    for mask in (0o000, 0o077, 0o027):
        before = os.umask(mask)
        try:
            path = tmp_path / f"{mask:o}"
            with HashList.create(path) as known:
                known.add([record(n) for n in range(9)], by="me")
                known.retract("s", "r1", by="me")
                known.snapshot(tmp_path / f"{mask:o}-copy")
                for folder in (path, tmp_path / f"{mask:o}-copy"):
                    for one in [folder, *folder.rglob("*")]:
                        wanted = 0o700 if one.is_dir() else 0o600
                        assert stat.S_IMODE(one.stat().st_mode) == wanted, one
        finally:
            os.umask(before)


def test_what_is_no_list(tmp_path: Path, sound: Path) -> None:
    with pytest.raises(IndexFormatError, match="nothing"):
        HashList.open(tmp_path / "missing")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IndexFormatError, match=r"no list\.sqlite"):
        HashList.open(tmp_path / "folder")
    Index.create(tmp_path / "index", "pdq").close()
    with pytest.raises(IndexFormatError):
        HashList.open(tmp_path / "index")
    shutil.copytree(tmp_path / "index", tmp_path / "renamed")
    (tmp_path / "renamed" / "catalog.sqlite").rename(tmp_path / "renamed" / "list.sqlite")
    with pytest.raises(IndexFormatError, match="another program"):
        HashList.open(tmp_path / "renamed")
    (tmp_path / "folder" / "list.sqlite").write_text("a,b,c\n")
    with pytest.raises(IndexFormatError, match="no SQLite"):
        HashList.open(tmp_path / "folder")
    altered(sound, f"PRAGMA user_version = {tables.FORMAT + 1}")
    with pytest.raises(IndexFormatError, match=f"format {tables.FORMAT + 1}"):
        HashList.open(sound)


def test_creating_and_locking(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with HashList.create(path, "known", description="of ours") as known:
        with pytest.raises(IndexFormatError, match="something there"):
            HashList.create(path)
        with pytest.raises(IndexLockedError):
            HashList.open(path)
        with HashList.open(path, read_only=True) as reader:
            assert (reader.name, reader.description) == ("known", "of ours")
            with pytest.raises(UnsupportedOperationError, match="read_only"):
                reader.add(record(1), by="me")
        known.add(record(1), by="me")
    for ask in (lambda: len(known), lambda: known.add(record(2), by="me"), known.versions):
        with pytest.raises(ValueError, match="closed"):
            ask()
