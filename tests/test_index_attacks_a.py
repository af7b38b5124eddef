"""What an attacker found in the index on disk: forks, closing, interrupts, other directories."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from fingerprint.errors import (
    CorruptIndexError,
    UnsupportedOperationError,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.index import Index, catalog
from fingerprint.index.tables import CATALOG, typed_error

N = 20
HASHES = HashArray(
    np.random.default_rng(1).integers(0, 256, (2 * N, 32), dtype=np.uint8), "own", bits=256
)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")


def make(path: Path) -> Index:
    index = Index.create(path, "own", bits=256, maintenance="manual")
    index.add([f"o{i}" for i in range(N)], HASHES[:N], [{"at": i} for i in range(N)])
    return index


def found(index: Index, i: int) -> list[str]:
    return [match.id for match in index.within(HASHES[i], 0)]


@contextmanager
def child(work: Callable[[], None]) -> Iterator[None]:
    """Run in a forked child, beside what the block does; it must raise nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(status)
    try:
        yield
    finally:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == 0


@needs_fork
@pytest.mark.parametrize("read_only", [True, False])
def test_a_child_sees_what_is_committed_after_the_fork(tmp_path: Path, read_only: bool) -> None:
    index = make(tmp_path / "a")
    if read_only:
        index.close()
        index = Index.open(tmp_path / "a", read_only=True)
    assert found(index, 0) == ["o0"]
    read_end, write_end = os.pipe()

    def work() -> None:
        os.close(write_end)
        assert found(index, 0) == ["o0"]
        os.read(read_end, 1)
        assert found(index, N) == ["new"]
        assert len(index) == N + 1
        with Index.open(tmp_path / "a", read_only=True) as own:
            assert found(own, N) == ["new"]

    with child(work):
        os.close(read_end)
        index.close()
        with Index.open(tmp_path / "a", maintenance="manual") as other:
            other.add("new", HASHES[N])
            os.close(write_end)
            assert found(other, N) == ["new"]


@needs_fork
def test_a_writer_goes_on_after_a_fork(tmp_path: Path) -> None:
    with make(tmp_path / "a") as index:
        with child(lambda: None):
            index.add("new", HASHES[N])
        assert found(index, N) == ["new"]
        assert index.verify().ok


def test_a_closed_index_keeps_no_log(tmp_path: Path) -> None:
    index = make(tmp_path / "a")
    assert found(index, 0) == ["o0"]
    index.close()
    assert not list((tmp_path / "a").glob(f"{CATALOG}-*"))


@needs_fork
def test_a_closed_index_keeps_no_log_after_a_fork(tmp_path: Path) -> None:
    index = make(tmp_path / "a")
    entries = index.entries()
    next(entries)  # Keeps the log open while the writer lets go of it.
    with child(lambda: None):
        pass
    list(entries)
    index.close()
    assert not list((tmp_path / "a").glob(f"{CATALOG}-*"))


@needs_fork
def test_what_was_in_use_during_a_fork_is_refused_in_the_child(tmp_path: Path) -> None:
    with make(tmp_path / "a") as index:
        entries = index.entries()
        next(entries)

        def work() -> None:
            for call in (
                lambda: found(index, 0),
                lambda: len(index),
                lambda: next(entries),
                lambda: Index.open(tmp_path / "a", read_only=True),
            ):
                with pytest.raises(UnsupportedOperationError, match="fork"):
                    call()

        with child(work):
            pass
        assert len(list(entries)) == N - 1
        with index.transaction():
            index.add("pending", HASHES[N])
            with child(lambda: refused_after_a_fork(tmp_path / "a")):
                pass
        assert found(index, N) == ["pending"]


def refused_after_a_fork(path: Path) -> None:
    with pytest.raises(UnsupportedOperationError, match="before a fork"):
        Index.open(path, read_only=True)


def test_a_search_that_meets_close_finds_nothing_in_no_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "a").close()
    index = Index.open(tmp_path / "a", read_only=True)
    give = catalog.Catalog._give

    def close_first(self: Any, connection: Any) -> None:
        monkeypatch.setattr(catalog.Catalog, "_give", give)
        index.close()
        give(self, connection)

    monkeypatch.setattr(catalog.Catalog, "_give", close_first)
    with pytest.raises(ValueError, match="is closed"):
        found(index, 0)


def test_close_waits_for_the_change_of_another_thread(tmp_path: Path) -> None:
    index = make(tmp_path / "a")
    closer = threading.Thread(target=index.close)
    with index.transaction():
        index.add("new", HASHES[N])
        closer.start()
        closer.join(0.05)
        assert closer.is_alive()
    closer.join()
    with Index.open(tmp_path / "a", read_only=True) as again:
        assert found(again, N) == ["new"]


def assert_closed(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="is closed") as caught:
        call()
    assert not isinstance(caught.value, CorruptIndexError)


def test_close_within_a_transaction_gives_it_up(tmp_path: Path) -> None:
    index = make(tmp_path / "a")

    def close_midway() -> None:
        with index.transaction():
            index.add("new", HASHES[N])
            index.close()
            for call in (lambda: len(index), lambda: list(index), lambda: index.get("o1")):
                assert_closed(call)
            assert_closed(index.verify)

    assert_closed(close_midway)
    with Index.open(tmp_path / "a") as again:  # The lock is free.
        assert "new" not in again
        assert again.verify().ok


def test_everything_after_close_says_so(tmp_path: Path) -> None:
    index = make(tmp_path / "a")
    index.close()
    calls: list[Callable[[], object]] = [
        lambda: found(index, 0),
        lambda: len(index),
        lambda: list(index),
        lambda: index.add("x", HASHES[N]),
        lambda: index.snapshot(tmp_path / "b"),
        index.verify,
        index.compact,
        index.seal,
        index.info,
    ]
    for call in calls:
        assert_closed(call)
    index.close()


def test_a_change_within_a_change_is_refused(tmp_path: Path) -> None:
    with make(tmp_path / "a") as index:
        store: Any = index._store
        with store._writer.change(), pytest.raises(UnsupportedOperationError):  # noqa: SIM117
            with store._writer.change():
                pass
        index.add("new", HASHES[N])


def test_the_working_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    make(tmp_path / "a" / "index").close()
    with Index.create(tmp_path / "b" / "index", "own", bits=256) as other:
        other.add("of another index", HASHES[0])
    monkeypatch.chdir(tmp_path / "a")
    with Index.open("index") as index:
        entries = index.entries()
        next(entries)
        monkeypatch.chdir(tmp_path / "b")
        assert found(index, 0) == ["o0"]
        assert len(index) == N
        assert len(list(entries)) == N - 1
        index.add("new", HASHES[N])
        index.seal()
        assert found(index, N) == ["new"]


def interrupted(call: Callable[[], object], n: int) -> bool:
    """Raise KeyboardInterrupt at the n-th line of the index; return whether it got so far."""
    count = 0
    hit = False

    def lines(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count, hit
        if event == "line":
            count += 1
            if count == n:
                hit = True
                sys.settrace(None)
                raise KeyboardInterrupt
        return lines

    def calls(frame: FrameType, _: str, __: object) -> Any:
        file = frame.f_code.co_filename
        return lines if file.endswith(("index/catalog.py", "index/writer.py")) else None

    before = sys.gettrace()
    sys.settrace(calls)
    try:
        with suppress(KeyboardInterrupt):
            call()
    finally:
        sys.settrace(before)
    return hit


@pytest.mark.parametrize("what", ["iterate", "search", "add"])
def test_an_interrupt_at_any_line_leaves_a_usable_index(tmp_path: Path, what: str) -> None:
    with make(tmp_path / "a") as index:
        reader = Index.open(tmp_path / "a", read_only=True)
        with reader:
            for n in range(1, 400):
                call: Callable[[], object] = {
                    "iterate": lambda: list(reader),
                    "search": lambda: reader.within(HASHES[0], 0),
                    "add": lambda n=n: index.add(f"i{n}", HASHES[0]),  # type: ignore[misc]
                }[what]
                hit = interrupted(call, n)
                index.upsert("new", HASHES[N + n % N])
                assert found(reader, N + n % N) == ["new"]
                if not hit:
                    break
            else:
                pytest.fail("it never came to its end")
            assert index.verify().ok


def test_metadata_that_cannot_be_decoded_is_not_quoted(tmp_path: Path) -> None:
    with make(tmp_path / "a") as index:
        index.seal()  # What is in the tail is read at once.
    with closing(sqlite3.connect(tmp_path / "a" / CATALOG)) as db:
        db.execute("UPDATE entries SET metadata = CAST(X'7B22736563726574FF' AS TEXT)")
        db.commit()
    with Index.open(tmp_path / "a", read_only=True) as index:
        for call in (lambda: list(index.entries()), lambda: index.get("o1")):
            with pytest.raises(CorruptIndexError) as caught:
                call()
            assert "secret" not in "".join(traceback.format_exception(caught.value))
        assert not index.verify().ok
        assert "secret" not in str(index.verify())


def test_a_value_too_long_for_sqlite_changes_nothing(tmp_path: Path) -> None:
    with make(tmp_path / "a") as index:
        store: Any = index._store
        store._writer.db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
        with pytest.raises(ValueError, match="longer than SQLite takes") as caught:
            index.add(["a", "b"], HASHES[N : N + 2], [{}, {"x": "y" * 20_000}])
        assert not isinstance(caught.value, CorruptIndexError)
        assert len(index) == N
        index.add("a", HASHES[N])
        assert found(index, N) == ["a"]


def test_sqlite_misused_is_not_damage(tmp_path: Path) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("BEGIN")
    for expected in (UnsupportedOperationError, ValueError):
        with pytest.raises(sqlite3.Error) as caught:
            db.execute("BEGIN")
        error = typed_error(caught.value, tmp_path)
        assert type(error) is expected
        db.close()
