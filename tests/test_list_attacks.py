"""What was found by attacking hash lists: each of these lied, lost, leaked or hung once."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fingerprint as fp
from fingerprint.errors import UnsupportedOperationError
from fingerprint.hash_arrays import HashArray
from fingerprint.lists import (
    HashList,
    Record,
    Rejected,
    Retraction,
    applying,
    ncmec_entries,
    separated,
    tables,
    writing,
)
from fingerprint.lists.bundles import generate_key, write_bundle
from fingerprint.lists.formats import vics_json
from fingerprint.lists.formats.base import ListLimits
from fingerprint.lists.readers import Glance
from fingerprint.lists.reading import read_list, write_list
from tests.command_line import Run, runner
from tests.record_strategies import digest

MD5 = "b62519e2e29a38daff5d14eda5bb93a0"
MD5_B = "0f593ca6fae8560c8dc3c8f3f44b649e"
SHA1 = "ca39a3ee5e6b4b0d3255bfef95601890afd80701"
PDQ = "b01921399691cc1a45d7790511db66740232404aac15b5d59ef7b5fed2e63086"
T = datetime(2026, 1, 1, tzinfo=UTC)


def read(text: str, kind: str = "csv", **options: Any) -> list[Any]:
    return list(read_list(text.encode(), kind, list_source="s", **options))


def video(frame: str = PDQ) -> dict[str, str]:
    return {"vpdq": f"0,100,{frame},0.000\n"}


# --- Rows that withdraw.


@pytest.mark.parametrize(
    "table",
    [
        "id,hash,deleted\n17,REDACTED,true\n",  # Blanked out, as a careful source does.
        "id,hash,type,deleted\n17,x,URL,yes\n",
        f"id,hash,type,deleted\n17,{MD5},CRC,yes\n",
        f"id,md5,deleted\n17,{MD5},1.0\n",  # A table with gaps has numbers for booleans.
        f"id,md5,deleted\n17,{MD5},Y\n",
        f"id,md5,is_deleted\n17,{MD5}, x\n",
    ],
)
def test_a_row_that_withdraws_needs_no_good_hash_and_no_word_for_it(table: str) -> None:
    assert [one.key for one in read(table) if isinstance(one, Retraction)] == [("s", "17")]


def test_a_number_for_yes_withdraws_in_json() -> None:
    row = {"id": 17, "md5": MD5, "deleted": 1.0}
    assert read(json.dumps(row), "jsonl") == [Retraction("s", "17", None, "1.0")]


def test_what_is_short_for_yes_is_a_status_like_others_elsewhere() -> None:
    *_, kept = read(f"id,md5,status\n17,{MD5},y\n")
    assert kept.raw == {"status": "y"}
    *_, kept = read(f"id,md5,deleted\n17,{MD5},y\n", retracted_values=["gone"])
    assert kept.raw == {"deleted": "y"}


def test_a_retraction_stands_whatever_its_reason_is() -> None:
    row = {"source": "s", "record_id": "17", "retracted": True}
    assert read(json.dumps({**row, "reason": None}), "jsonl") == [Retraction("s", "17")]
    told, retraction = read(json.dumps({**row, "reason": 5}), "jsonl")
    assert (told.record_id, told.whole) == ("17", False)
    assert retraction == Retraction("s", "17")


def test_a_bad_hash_leaves_the_id_so_that_a_snapshot_knows_whose_it_is(tmp_path: Path) -> None:
    with HashList.create(tmp_path / "known") as known:
        known.add([Record("s", str(n), {"md5": f"{n:032x}1"[1:]}) for n in (70, 71)], by="x")
        changes = read("id,hash\n70,nonsense\n")
        assert [(one.record_id, one.whole) for one in changes] == [("70", True)]
        report = known.apply(changes, by="x", snapshot_of="s")
        assert (report.retracted, report.withheld) == (1, 0)
        assert [one.record_id for one in known.records()] == ["70"]


def test_a_second_hash_of_a_type_is_told_of() -> None:
    changes = read(f"id,hash\n1,{MD5}\n1,{MD5_B}\n1,{SHA1}\n1,{SHA1.upper()}\n")
    told = [one for one in changes if isinstance(one, Rejected)]
    assert [(one.row, one.record_id, one.whole) for one in told] == [(3, "1", False)]
    assert dict(changes[-1].hashes) == {"md5": MD5_B, "sha1": SHA1}


def entries(array: str, *values: dict[str, Any]) -> str:
    return json.dumps({array: values, "hasMoreRecords": False})


def test_a_type_in_another_case_or_with_blanks_withdraws_the_same_record() -> None:
    md5 = {"type": "HASH_MD5", "indicator": MD5}
    (added,) = read(entries("data", md5), "threatexchange-json")
    gone = {**md5, "type": " hash_md5", "should_delete": True}
    (retraction,) = read(entries("data", gone), "threatexchange-json")
    assert (type(retraction), retraction.key) == (Retraction, added.key)

    pdq = {"signalType": "ImagePDQ", "hashValue": PDQ, "hashStatus": "Active"}
    (added,) = read(entries("hashRecords", pdq), "stopncii-json")
    gone = {**pdq, "signalType": "imagepdq ", "hashStatus": "Withdrawn"}
    (retraction,) = read(entries("hashRecords", gone), "stopncii-json")
    assert (type(retraction), retraction.key) == (Retraction, added.key)


def test_vics_is_not_written_with_an_id_twice() -> None:
    records = [Record(source, "1", {"md5": MD5}) for source in "ab"]
    with pytest.raises(fp.ListFormatError, match="one source at a time"):
        vics_json.write(records, io.BytesIO())
    assert vics_json.write(records[1:], io.BytesIO()) == 1


# --- Quotes.


def test_quotes_without_an_end_are_an_error_before_they_are_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Each line ends within quotes, and the next one ends those and begins others.
    monkeypatch.setattr(separated, "MOST_READ_AGAIN", 10_000)
    with pytest.raises(fp.ListFormatError, match="quotes"):
        read("id,md5\n" + 'a","\n' * 10_000)


def test_a_row_of_many_lines_is_as_long_as_a_row_may_be() -> None:
    limits = ListLimits(max_row_nbytes=100)
    *broken, good = read("id,md5\n" + 'a","\n' * 100 + f"1,{MD5}\n", limits=limits)
    assert good == Record("s", "1", {"md5": MD5})
    assert {type(one) for one in broken} == {Rejected}
    assert [one.row for one in broken] == list(range(2, 102))


# --- Lists.


@pytest.mark.parametrize("at_once", [1, 100])
def test_by_time_what_has_no_date_counts_when_it_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(applying, "BATCH", at_once)
    dated = Record("s", "1", {"md5": MD5}, category="dated", last_seen=T)
    undated = Record("s", "1", {"md5": MD5_B}, category="undated")
    with HashList.create(tmp_path / "known") as known:
        known.apply([dated, undated], by="x", by_time=True)
        assert [one.category for one in known.records()] == ["undated"]


@pytest.mark.parametrize("at_once", [1, 100])
def test_by_time_a_date_to_come_does_not_outdate_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(applying, "BATCH", at_once)
    now, never = datetime.now(UTC), datetime(9999, 1, 1, tzinfo=UTC)
    with HashList.create(tmp_path / "known") as known:
        record = Record("s", "1", {"md5": MD5}, last_seen=never)
        known.apply([record], by="x", by_time=True)
        report = known.apply([Retraction("s", "1", now)], by="x", by_time=True)
        assert (report.retracted, report.outdated) == (1, 0)
        both: list[Any] = [
            Record("s", "2", {"md5": MD5}, last_seen=never),
            Retraction("s", "2", now),
        ]
        known.apply(both, by="x", by_time=True)
        for name in "34":  # Of one that is here, and of one that is not yet.
            known.apply([Record("s", "3", {"md5": MD5}, last_seen=T)], by="x", by_time=True)
            known.apply([Retraction("s", name, never)], by="x", by_time=True)
            late = Record("s", name, {"md5": MD5}, last_seen=now)
            assert known.apply([late], by="x", by_time=True).added == 1
        assert [one.record_id for one in known.records()] == ["3", "4"]


def _at_next_begin(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Do something once, after a look-up has looked at the list and before it reads records."""
    begin, left = Glance.begin, [do]

    def begin_later(self: Glance) -> bool:
        if left:
            left.pop()()
        return begin(self)

    monkeypatch.setattr(Glance, "begin", begin_later)


@pytest.mark.parametrize("what", ["frames", "within", "records_with"])
def test_shelves_made_anew_between_two_looks_hide_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path = tmp_path / "known"
    gone = Record("s", "0", {"md5": MD5_B, "pdq": "0f" * 32, **video("0f" * 32)})
    record = Record("s", "1", {"pdq": PDQ, **video()})
    with HashList.create(path) as known:
        known.add([gone, record], by="x")
        known.retract("s", "0", by="x")
    bits = bytes.fromhex(PDQ)
    asked = HashArray(np.frombuffer(bits, np.uint8).reshape(1, 32), "pdq", bits=256)
    with HashList.open(path, read_only=True) as known:
        _at_next_begin(monkeypatch, lambda: HashList.rebuild(path))
        if what == "frames":
            assert known.frames_within(asked, 20).keys == (record.key,)
        elif what == "within":
            assert [hit.record for hit in known.within(fp.Hash("pdq", bits, 256), 20)] == [record]
        else:
            assert list(known.records_with("vpdq")) == [record]


def test_records_of_a_type_are_read_though_somebody_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HashList.create(tmp_path / "known") as known:
        known.add(Record("s", "1", video()), by="x")
        more = Record("s", "2", video())
        _at_next_begin(monkeypatch, lambda: known.add(more, by="x"))
        assert [one.record_id for one in known.records_with("vpdq")] == ["1", "2"]


@pytest.mark.parametrize(("ahead", "reasons"), [(timedelta(hours=2), 0), (timedelta(days=9), 1)])
def test_a_feed_read_in_the_future_is_no_fresher_for_it(
    tmp_path: Path, ahead: timedelta, reasons: int
) -> None:
    with HashList.create(tmp_path / "known") as known:
        known.apply([], by="x", feed="f", refreshed_at=T + ahead)
        assert len(known.stale_reasons(T, max_age_s=3600)) == reasons
        with pytest.raises(ValueError, match="max_age_s"):
            known.stale_reasons(T, max_age_s=float("nan"))


# --- Command line.

IMPORT = ["import", "LIST", "FILE", "--source", "s", "--by", "x", "--feed", "f"]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch, "list")


@pytest.fixture
def known(tmp_path: Path) -> Path:
    with HashList.create(tmp_path / "known") as made:
        made.add(Record("s", "1", {"md5": MD5}), by="x")
    return tmp_path / "known"


def _killed_long_ago(path: Path) -> Path:
    path.mkdir(mode=0o700)
    (path / "list.sqlite").write_text(MD5)
    os.utime(path, (time.time() - 3600,) * 2)
    return path


def test_what_killed_dry_runs_left_goes_with_the_next_change(known: Path, call: Run) -> None:
    left = _killed_long_ago(known.with_name(f".known-{'5' * 32}"))
    other = _killed_long_ago(known.with_name(f".knownot-{'5' * 32}"))
    assert call("purge", known)[0] == 0
    assert not left.exists()
    assert other.exists()


def test_a_dry_run_leaves_nothing(known: Path, call: Run, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(f"id,md5\n2,{MD5_B}\n")
    before = sorted(tmp_path.iterdir())
    status, out, _ = call(
        "import", known, tmp_path / "more.csv", "--source", "s", "--by", "x", "--dry-run"
    )
    assert status == 0
    assert "it would be version 2" in out
    assert sorted(tmp_path.iterdir()) == before


def test_what_killed_writers_of_bundles_left_goes_with_the_next(known: Path) -> None:
    left = known.with_name(f".b.fpb-{'5' * 32}")
    left.write_text(MD5)
    os.utime(left, (time.time() - 3600,) * 2)
    expires = datetime.now(UTC) + timedelta(days=1)
    with HashList.open(known, read_only=True) as found:
        bundle = known.with_name("b.fpb")
        write_bundle(found, bundle, generate_key(), name="s", source="s", expires_at=expires)
    assert {one.name for one in known.parent.iterdir()} == {"known", "b.fpb"}


@pytest.mark.parametrize(
    "arguments",
    [
        [*IMPORT, "--expires", "999999w"],
        [*IMPORT, "--as-of", "999999w"],
        ["show", "LIST", "s", "\udcff"],
        ["history", "LIST", "\udcff", "1"],
        ["info", "LIST", "--max-age", "nan"],
    ],
)
def test_odd_arguments_are_told_without_a_traceback(
    known: Path, call: Run, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "more.csv").write_text(f"id,md5\n2,{MD5_B}\n")
    paths = {"LIST": str(known), "FILE": str(tmp_path / "more.csv")}
    status, _, err = call(*(paths.get(one, one) for one in arguments))
    assert status == 2
    assert "Traceback" not in err
    assert "Error: " in err


def test_a_limit_may_be_larger_than_a_list(known: Path, call: Run) -> None:
    assert call("rejected", known, "--limit", 10**30)[:2] == (0, "no rejected rows\n")


# --- What outlives, and what is checked.


@pytest.mark.parametrize("name", ["known", "o'known"])
def test_temporary_files_of_a_purge_lie_beside_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    said: list[str] = []
    connect = tables.connect_writer

    def connect_traced(path: Path) -> Any:
        db = connect(path)
        db.set_trace_callback(said.append)
        return db

    monkeypatch.setattr(writing, "connect_writer", connect_traced)
    with HashList.create(tmp_path / name) as known:
        known.add(Record("s", "1", {"md5": MD5}), by="x")
        known.retract("s", "1", by="x")
    at = said.index("VACUUM")
    quoted = str(tmp_path / name).replace("'", "''")
    assert said[at - 1] == f"PRAGMA temp_store_directory = '{quoted}'"
    with closing(sqlite3.connect(":memory:")) as db:
        assert db.execute("PRAGMA temp_store_directory").fetchone() in (None, ("",))


def test_the_history_keeps_no_hash_that_a_reason_quotes(tmp_path: Path) -> None:
    with HashList.create(tmp_path / "known") as known:
        known.add([Record("s", name, {"md5": MD5, "pdq": PDQ}) for name in "12"], by="x")
        known.suspend("s", "1", by="x", reason=f"like md5:{MD5.upper()}")
        for name in "12":
            known.retract("s", name, by="x", reason=f"same as {PDQ}, case 2026-11-23/17")
        told = [one.detail for one in known.history("s", "1")]
        assert told == ["", "like md5:B62519…", "same as b01921…, case 2026-11-23/17"]
    stored = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()).lower()
    for value in (MD5, PDQ):
        assert value.encode() not in stored
        assert bytes.fromhex(value) not in stored


def test_a_wrong_count_of_a_type_is_a_problem(tmp_path: Path) -> None:
    with HashList.create(tmp_path / "known") as known:
        views = {"flip_x": "0f" * 32}
        known.add([Record("s", "1", {"md5": MD5}, views=views), Record("s", "2", video())], by="x")
        assert known.verify().ok
    with closing(sqlite3.connect(tmp_path / "known" / "list.sqlite")) as db:
        db.execute("UPDATE shelves SET records = 0 WHERE type = 'pdq'")
        db.commit()
    with HashList.open(tmp_path / "known") as known:
        assert known.hash_types == {"md5", "vpdq"}  # Screening would compute no PDQ.
        assert known.verify().problems == ("list.sqlite: 1 records with pdq, but 0 are counted",)


def test_a_look_up_under_way_when_a_list_is_closed_leaves_it_unlocked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HashList.create(tmp_path / "known") as made:
        made.add(Record("s", "1", {"md5": MD5}), by="x")
    known, look = HashList.open(tmp_path / "known"), Glance.look
    known.close()
    known = HashList.open(tmp_path / "known")

    def look_then_close(self: Glance) -> Any:
        standing = look(self)
        known.close()
        return standing

    monkeypatch.setattr(Glance, "look", look_then_close)
    with pytest.raises(ValueError, match="closed"):
        known.find("md5", MD5)
    monkeypatch.undo()
    HashList.open(tmp_path / "known").close()


def test_a_long_tag_is_not_looked_at_anew_every_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    read, sizes = ncmec_entries._Pieces.read, list[int]()

    def counted(self: Any, size: int) -> bytes:
        data = read(self, size)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(ncmec_entries._Pieces, "read", counted)
    start = f'<queryResult xmlns="{ncmec_entries.NAMESPACE}"><images>'
    entry = f'<image a="{"x" * 4_000_000}"><member id="1"/><id>7</id></image>'
    (told,) = read_list(
        f"{start}{entry}</images></queryResult>".encode(), "ncmec-xml", list_source="s"
    )
    assert told.record_id == "7"
    assert sum(sizes) > 4_000_000
    assert len(sizes) < 20


def test_an_export_takes_no_place_of_what_is_no_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for path in (pipe, tmp_path / "link", tmp_path):
        with pytest.raises(fp.ListFormatError, match="expected a file"):
            write_list([Record("s", "1", {"md5": MD5})], path, "jsonl")
    assert pipe.is_fifo()
    assert {one.name for one in tmp_path.iterdir()} == {"pipe", "link"}


def test_an_export_does_not_write_over_the_list(known: Path, call: Run, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(known)
    for folder in (known, tmp_path / "link"):
        status, _, err = call("export", known, folder / "list.sqlite", "--format", "jsonl")
        assert status == 2
        assert "lies in LIST" in err
    assert call("verify", known)[0] == 0


def test_a_closed_list_needs_no_log_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "list"
    with (
        HashList.create(path) as known,
        HashList.open(path, read_only=True) as reader,
    ):
        known.add(Record("s", "1", {"md5": digest("md5", 1)}), by="me")
        assert len(reader.find("md5", digest("md5", 1))) == 1
        known.close()
        log = path / "list.sqlite-wal"
        assert not log.exists() or log.stat().st_size == 0
        assert len(reader.find("md5", digest("md5", 1))) == 1


def test_a_list_that_was_replaced_while_it_was_open_says_so(tmp_path: Path) -> None:
    path, other = tmp_path / "list", tmp_path / "other"
    HashList.create(path).close()
    HashList.create(other).close()
    with HashList.open(path, read_only=True) as reader:
        assert reader.find("md5", digest("md5", 1)) == []
        path.rename(tmp_path / "old")
        for there in (False, True):
            if there:
                other.rename(path)
            with pytest.raises(UnsupportedOperationError, match="removed or replaced"):
                reader.find("md5", digest("md5", 1))
