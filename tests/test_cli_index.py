"""``fingerprint index``: what each command does, prints and returns."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import fingerprint as fp
from fingerprint.cli.index import adding
from tests.command_line import GOOD, Run, ids, make_index, photo_like, runner

FIXTURES = Path(__file__).parent.parent / "data" / "fixtures"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    call = runner(capsys, monkeypatch, "index")

    def checked(*arguments: object) -> tuple[int, str, str]:
        status, out, err = call(*arguments)
        assert "Traceback" not in err
        return status, out, err

    return checked


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(5):
        photo_like(i, 60, 80).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return make_index(tmp_path / "known.index")


def segment_file(path: Path, name: str = "hashes.npy") -> Path:
    (segment,) = (path / "segments").iterdir()
    return segment / name


def test_create_for_hashes_of_lists(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    status, out, _ = run("create", path, "-a", "photo", "--bits", 1152)
    assert (status, out) == (0, f"made {path}: photo, 1152 bits\n")
    for arguments in (("-a", "pdq", "--bits", 64), ("-a", "photo")):
        status, _, err = run("create", tmp_path / "y", *arguments)
        assert status == 2
        assert "bits" in err
    assert not (tmp_path / "y").exists()


def test_add_in_batches_with_metadata(
    run: Run, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adding, "BATCH", 2)
    sizes = []
    upsert = fp.Index.upsert

    def spied(self: fp.Index, ids: list[str], *rest: Any) -> None:
        sizes.append(len(ids))
        upsert(self, ids, *rest)

    monkeypatch.setattr(fp.Index, "upsert", spied)
    path = tmp_path / "x"
    run("create", path)
    metadata = ("--metadata", "list=a=b", "--metadata", "level=3", "--metadata", "nan=NaN")
    status, out, _ = run("add", path, pictures, pictures / "0.png", *metadata)
    assert status == 0
    assert sizes == [2, 2, 1]
    assert out == "added 5 pictures; 5 entries now\n"
    with fp.Index.open(path, read_only=True) as index:
        entry = index.get(str(pictures / "3.png"))
        assert entry.hash == fp.hash_image(pictures / "3.png")
        assert entry.metadata == {"list": "a=b", "level": 3, "nan": "NaN"}
    assert run("add", path, pictures, "--metadata", "list")[0] == 2


def test_add_says_what_to_do_with_those_that_are_there(
    run: Run, pictures: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x"
    run("create", path)
    run("add", path, pictures / "0.png", "--metadata", "old=1")
    status, out, err = run("add", path, pictures, "--existing", "error")
    assert (status, out) == (2, "")
    assert "1 paths are in the index already, nothing was added" in err
    assert str(pictures / "0.png") in err
    assert len(ids(path)) == 1
    status, out, _ = run("add", path, pictures, "--existing", "replace", "--metadata", "new=1")
    assert (status, out) == (0, "added 5 pictures; 5 entries now\n")
    with fp.Index.open(path, read_only=True) as index:
        assert {tuple(e.metadata) for e in index.entries()} == {("new",)}


def test_add_reports_the_first_of_many_failures(run: Run, pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "x"
    run("create", path)
    for i in range(25):
        (pictures / f"broken {i:02}.jpg").write_bytes(b"none")
    status, out, err = run("add", path, pictures)
    assert status == 2
    assert "added 5 pictures" in out
    assert "25 could not be hashed" in err
    assert "broken 19.jpg" in err
    assert "broken 20.jpg" not in err
    assert "and 5 more" in err


def test_add_keeps_what_it_added_before_an_error(
    run: Run, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adding, "BATCH", 2)
    upsert = fp.Index.upsert

    def upsert_until_full(self: fp.Index, ids: list[str], *rest: Any) -> None:
        if len(self) >= 4:
            raise OSError("the disk is full")
        upsert(self, ids, *rest)

    monkeypatch.setattr(fp.Index, "upsert", upsert_until_full)
    path = tmp_path / "x"
    run("create", path)
    status, out, err = run("add", path, pictures)
    assert (status, out) == (2, "added 4 pictures; 4 entries now\n")
    assert "the disk is full" in err
    assert len(ids(path)) == 4


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_interrupted_add_keeps_what_is_hashed(run: Run, tmp_path: Path) -> None:
    folder, path = tmp_path / "many", tmp_path / "x"
    folder.mkdir()
    photo_like(0, 1200, 1600).save(folder / "0000.jpg")
    for i in range(1, 1500):
        (folder / f"{i:04}.jpg").symlink_to(folder / "0000.jpg")
    run("create", path)
    script = (
        "from fingerprint.cli.index import adding; from fingerprint.cli.main import main; "
        "adding.BATCH = 7; main()"
    )
    command = [sys.executable, "-c", script, "index", "add", str(path), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        with fp.Index.open(path, read_only=True) as index:
            while not len(index) and process.poll() is None:
                time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    n = len(ids(path))
    assert process.returncode == 130
    assert out == f"added {n} pictures; {n} entries now\n"
    assert 7 <= n < 1500
    assert err.strip() == "interrupted"
    with fp.Index.open(path, read_only=True) as index:
        assert index.verify().ok


def test_remove(run: Run, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, _ = run("remove", index, "id 0", "tail 0", "id 0")
    assert (status, out) == (0, "removed 2 entries; 59 now\n")
    (tmp_path / "ids").write_text("\ufeffid 1\nid 2\r\n\nid 3")
    stdin = io.TextIOWrapper(io.BytesIO(b"id 4\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    status, out, _ = run("remove", index, "--from", tmp_path / "ids", "--from", "-")
    assert (status, out) == (0, "removed 4 entries; 55 now\n")
    assert not {f"id {i}" for i in range(5)} & set(ids(index))


def test_remove_of_unknown_ids_removes_nothing(run: Run, index: Path) -> None:
    a_hash = "ab" * 32
    status, out, err = run(
        "remove", index, "id 1", "/a/long/path/that/is/no/hash", a_hash, "x", "y"
    )
    assert (status, out) == (2, "")
    assert "4 of 5 ids are not in the index, nothing was removed" in err
    assert "/a/long/path/that/is/no/hash, ababab…, x, …" in err
    assert len(ids(index)) == 61
    status, out, _ = run("remove", index, "id 1", "x", "--missing-ok")
    assert (status, out) == (0, "removed 1 entries, 1 were not there; 60 now\n")
    assert run("remove", index)[0] == 2
    assert run("remove", index, "--from", "no-such-file")[0] == 2


def test_search_where_and_residency(run: Run, pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "x"
    run("create", path)
    run("add", path, pictures / "0.png", "--metadata", "level=3", "--metadata", "tag=a")
    for where, status in (("level=3", 0), ("level=4", 1), ('level="3"', 1), ("tag=a", 0)):
        assert run("search", path, pictures / "0.png", "--where", where)[0] == status
    both = ("--where", "level=3", "--where", "tag=b", "-k", 1)
    assert run("search", path, pictures / "0.png", *both)[0] == 1
    with fp.Index.open(path):  # Searching goes on while somebody writes.
        status, out, _ = run("search", path, pictures / "0.png", "--residency", "huge", "--json")
    assert status == 0
    assert json.loads(out)["matches"][0]["metadata"] == {"level": 3, "tag": "a"}


def test_info(run: Run, index: Path) -> None:
    status, out, _ = run("info", index)
    assert status == 0
    for text in ("61", "misses nothing", "compares all 60", "2 entries that", "1 entries, until"):
        assert text in out
    assert "never verified" in out
    assert "radius 31" in out
    _, out, _ = run("info", index, "-k", 3)
    assert "the 3 nearest" in out
    _, out, _ = run("info", index, "--json", "--radius", 12)
    facts = json.loads(out)
    assert (facts["entries"], facts["removed_entries"], facts["scanned_entries"]) == (61, 1, 2)
    assert len(facts["segments"]) == 1
    assert {"backend", "search", "nbytes_on_disk", "nbytes_hashes", "verified"} <= set(facts)
    assert run("info", index, "--radius", 300)[0] == 2
    assert run("info", index, "--radius", 3, "-k", 3)[0] == 2


def test_verify_notes_the_outcome(run: Run, index: Path) -> None:
    status, out, _ = run("verify", index)
    assert status == 0
    assert "checked 61 entries, 1 segment and the catalog: all is well" in out
    assert "all was well" in run("info", index)[1]
    with fp.Index.open(index):  # Not noted then, but verified.
        assert run("verify", index)[0] == 0


def test_verify_where_nothing_can_be_written(
    run: Run, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = fp.Index.open

    def open_for_reading(*arguments: Any, read_only: bool = False, **options: Any) -> fp.Index:
        if not read_only:
            raise OSError(errno.EROFS, "the index cannot be written")
        return opened(*arguments, read_only=True, **options)

    monkeypatch.setattr(fp.Index, "open", open_for_reading)
    assert run("verify", index)[0] == 0
    assert "never verified" in run("info", index)[1]


def test_verify_prints_the_problems_and_rebuilds(run: Run, index: Path) -> None:
    file = segment_file(index)
    data = bytearray(file.read_bytes())
    data[-5] ^= 4
    file.write_bytes(data)
    status, out, _ = run("verify", index)
    assert status == 2
    lines = out.splitlines()
    assert lines[-1].endswith(f"problems: {len(lines) - 1}")
    assert all(line.startswith("problem: ") for line in lines[:-1])
    assert any("hashes.npy" in line for line in lines)
    assert f"problems: {len(lines) - 1}" in run("info", index)[1]
    status, out, _ = run("verify", index, "--rebuild")
    assert status == 0
    assert out.splitlines()[-1].endswith("all is well")
    assert "all was well" in run("info", index)[1]
    status, out, _ = run("verify", index, "--rebuild")
    assert "rebuilt" not in out


def test_verify_rebuilds_what_cannot_be_opened(run: Run, index: Path) -> None:
    before = ids(index)
    segment_file(index).unlink()
    status, _, err = run("verify", index)
    assert status == 2
    assert "verify --rebuild" in err
    with pytest.raises(fp.CorruptIndexError):
        fp.Index.open(index)
    status, out, _ = run("verify", index, "--rebuild")
    assert status == 0
    assert out.startswith("problem: ")
    assert ids(index) == before
    assert run("verify", index, "--drop-damaged")[0] == 2


def test_verify_of_an_old_format_changes_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "old"
    shutil.copytree(FIXTURES / "index-v1", path)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert run("verify", path)[0] == 0
    status, out, _ = run("info", path)
    assert status == 0
    assert "an older one" in out
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_compact(run: Run, index: Path) -> None:
    status, out, _ = run("compact", index)
    assert status == 0
    before, after = out.splitlines()
    assert before.startswith("before: 1 segment, 2 scanned, 1 removed, ")
    assert after.startswith("after:  1 segment, 0 scanned, ")
    assert "removed" not in after
    with fp.Index.open(index, read_only=True) as compacted:
        assert compacted.info()["removed_entries"] == 0


@pytest.mark.parametrize("residency", ["mmap", "huge"])
def test_bench(run: Run, index: Path, residency: str) -> None:
    arguments = ("bench", index, "--queries", 41, "--residency", residency, "--seed", 3)
    status, out, _ = run(*arguments)
    assert status == 0
    assert "21 of 21" in out
    assert f"residency {residency}, 1 thread" in " ".join(out.split())
    status, out, _ = run(*arguments, "--radius", 12, "--json")
    facts = json.loads(out)
    assert status == 0
    assert (facts["entries"], facts["radius"], facts["threads"]) == (61, 12, 1)
    assert list(facts["queries"]) == ["entries, 0 to 12 bits flipped", "random", "both"]
    both = facts["queries"]["both"]
    assert (both["n"], both["entries"], both["entries_found"]) == (41, 21, 21)
    assert 0 < both["p50_ms"] <= both["p90_ms"] <= both["p99_ms"]


def test_bench_says_when_an_entry_is_missed(
    run: Run, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = fp.Index.within

    def without_one(self: fp.Index, *asked: Any) -> list[fp.Match]:
        return [match for match in within(self, *asked) if match.id != "id 30"]

    monkeypatch.setattr(fp.Index, "within", without_one)
    status, out, err = run("bench", index, "--queries", 1000)
    assert status == 2
    assert "were not found again" in err
    assert "500 of 500" not in out


def test_bench_needs_something_to_look_up(run: Run, index: Path, tmp_path: Path) -> None:
    run("create", tmp_path / "x")
    status, _, err = run("bench", tmp_path / "x")
    assert status == 2
    assert "the index is empty" in err
    assert run("bench", index, "--radius", 257)[0] == 2
    run("create", tmp_path / "y", "-a", "odd", "--bits", 77)
    (tmp_path / "y.txt").write_text("01" + "0f" * 9 + "\n" + "f" * 20 + "\n")
    status, _, err = run("import", tmp_path / "y", tmp_path / "y.txt")
    assert "line 2: odd: the hex has more than 77 bits" in err
    (tmp_path / "y.txt").write_text("01" + "0f" * 9 + "\n")
    assert run("import", tmp_path / "y", tmp_path / "y.txt")[0] == 0
    status, _, err = run("bench", tmp_path / "y")
    assert status == 2
    assert "say --radius" in err
    assert run("bench", tmp_path / "y", "--radius", 5, "--queries", 10)[0] == 0


def test_a_locked_index_is_an_error(run: Run, index: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(GOOD)
    with fp.Index.open(index):
        for command in (
            ("add", index, pictures),
            ("remove", index, "id 1"),
            ("compact", index),
            ("import", index, tmp_path / "list.txt"),
        ):
            status, out, err = run(*command)
            assert (status, out) == (2, ""), command
            assert "open for writing" in err
        for reading in (("info", index), ("bench", index), ("verify", index)):
            assert run(*reading)[0] == 0


@pytest.mark.parametrize(
    "command",
    [
        *("add PATH .", "remove PATH x", "search PATH .", "info PATH", "verify PATH"),
        *("compact PATH", "export PATH x.parquet", "import PATH x.txt", "bench PATH"),
        "verify PATH --rebuild",
    ],
)
def test_what_is_no_index_is_said_to_be_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.txt").write_text(GOOD)
    status, _, err = run(*command.replace("PATH", "nothing-here").split())
    assert status == 2
    assert "found nothing" in err
    assert not Path("nothing-here").exists()
