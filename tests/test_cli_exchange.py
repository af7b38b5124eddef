"""``fingerprint index export`` and ``import``."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

import fingerprint as fp
from fingerprint.cli.index import lists
from tests.command_line import GOOD, Run, ids, make_index, random_hashes, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    call = runner(capsys, monkeypatch, "index")

    def checked(*arguments: object) -> tuple[int, str, str]:
        status, out, err = call(*arguments)
        assert "Traceback" not in err
        return status, out, err

    return checked


@pytest.fixture
def index(tmp_path: Path) -> Path:
    return make_index(tmp_path / "known.index")


def test_export_and_import_parquet(run: Run, index: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file, other = tmp_path / "all.parquet", tmp_path / "other"
    with fp.Index.open(index):
        status, out, _ = run("export", index, file)
    assert (status, out) == (0, f"wrote 61 entries to {file}\n")
    run("create", other)
    status, out, _ = run("import", other, file)
    assert (status, out) == (0, f"added 61 entries of {file}; 61 now\n")
    with fp.Index.open(index) as one, fp.Index.open(other) as two:
        assert list(one.entries()) == list(two.entries())
    assert run("export", index, tmp_path / "all.csv")[0] == 2
    assert run("export", index, tmp_path / "nowhere" / "x.parquet")[0] == 2
    (tmp_path / "bad.parquet").write_bytes(b"no")
    assert run("import", other, tmp_path / "bad.parquet")[0] == 2
    run("create", tmp_path / "phash", "-a", "phash")
    status, _, err = run("import", tmp_path / "phash", file)
    assert status == 2
    assert "this index holds phash" in err


def test_import_faiss(run: Run, tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    hashes = random_hashes(9)
    flat = faiss.IndexBinaryFlat(256)
    flat.add(np.ascontiguousarray(hashes.packed))
    file, path = tmp_path / "flat.faiss", tmp_path / "x"
    faiss.write_index_binary(flat, str(file))
    run("create", path)
    assert run("import", path, file)[0] == 0
    assert run("import", path, file)[0] == 2
    status, out, _ = run("import", path, file, "--prefix", "theirs ")
    assert (status, out) == (0, f"added 9 entries of {file}; 18 now\n")
    with fp.Index.open(path, read_only=True) as index:
        assert index.get("faiss:3").hash == index.get("theirs 3").hash == hashes[3]


def test_import_hex_lists(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_BATCH", 4)
    hashes = random_hashes(10)
    plain, rated, named = (tmp_path / name for name in ("a.txt", "b.csv", "c"))
    plain.write_text("\n".join([hashes[0].hex, "", hashes[1].hex.upper(), f"pdq:{hashes[2].hex}"]))
    rated.write_text("\ufeff" + "\r\n".join(f"{h.hex}, {h.quality}" for h in hashes))
    with named.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ID", "hash", "quality"])
        writer.writerows([f'a "{i}",\n', h.hex, i or ""] for i, h in enumerate(hashes))
    path = tmp_path / "x"
    run("create", path)
    status, out, _ = run("import", path, plain, rated)
    assert status == 0
    assert out.splitlines() == [
        f"added 3 entries of {plain}; 3 now",
        f"added 10 entries of {rated}; 13 now",
    ]
    assert run("import", path, named)[0] == 2  # It has no suffix.
    assert run("import", path, named, "--format", "hex")[0] == 0
    assert run("import", path, plain, "--prefix", "again ")[0] == 0
    with fp.Index.open(path, read_only=True) as index:
        assert list(index)[:4] == ["a.txt:1", "a.txt:3", "a.txt:4", "b.csv:1"]
        assert list(index)[-1] == "again 4"
        assert index.get("a.txt:3").hash == hashes[1]
        assert index.get("a.txt:3").hash.quality is None
        assert index.get("b.csv:8").hash.quality == 7
        assert index.get('a "9",\n').hash == hashes[9]
        assert index.get('a "0",\n').hash.quality is None
        assert index.get('a "1",\n').hash.quality == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{GOOD}\n\n{GOOD[:-1]}\n", "line 3: pdq: expected 64 hex digits"),
        (f"{GOOD}\n{GOOD},101\n", "line 2: expected a quality from 0 to 100"),
        (f"{GOOD},1\n{GOOD},x\n", "line 2: expected a quality from 0 to 100"),
        (f"{GOOD[:-2]}  \n", "line 1: pdq: expected 64 hex digits"),
        (f"0f {GOOD[:-3]}\n", "line 1: pdq: expected 64 hex digits"),
        (f"{GOOD},1,2\n", "line 1: expected hash,quality or hash alone, got 3 fields"),
        (f"hash,id\n{GOOD}\n", "line 2: expected hash,id, got 1 fields"),
        (f"id,hash\n,{GOOD}\n", "line 2: an empty id"),
        (f"id,hash\n#5,{GOOD}\n", "line 2: id '#5': the index itself gives such ids"),
        (f"id,hash\na,{GOOD}\na,{GOOD}\n", "lines 2 to 3: an id stands twice"),
        (f"id,hash\nid 3,{GOOD}\n", "lines 2 to 2: id 'id 3' is in the index already"),
        (f'id,hash\n"a,{GOOD}\n', "line 2: "),
        (f"hash,score\n{GOOD}\n", "line 1: pdq: expected 64 hex digits"),
        (f"{GOOD}\n\udcff\n", "not UTF-8"),
    ],
)
@pytest.mark.parametrize("batch", [1, 10_000])
def test_a_bad_line_is_named_and_nothing_added(
    run: Run,
    index: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    message: str,
    batch: int,
) -> None:
    monkeypatch.setattr(lists, "_BATCH", batch)
    file = tmp_path / "bad.csv"
    file.write_bytes(text.encode(errors="surrogateescape"))
    status, out, err = run("import", index, file)
    assert (status, out) == (2, "")
    if batch == 1 and "twice" in message:
        message = "lines 3 to 3: id 'a' is in the index already"
    assert message in err
    assert str(file) in err
    assert "nothing of it was added" in err
    assert GOOD not in err
    assert len(ids(index)) == 61


@pytest.mark.skipif(sys.platform != "linux", reason="file names that are not UTF-8")
def test_ids_that_utf8_cannot_hold_are_refused(run: Run, index: Path, tmp_path: Path) -> None:
    file = tmp_path / "a\udcff.txt"
    file.write_text(GOOD)
    status, _, err = run("import", index, file)
    assert status == 2
    assert "--prefix" in err
    assert run("import", index, file, "--prefix", "x\udcff")[0] == 2
    assert run("import", index, file, "--prefix", "#")[0] == 2
    assert run("import", index, file, "--prefix", "x")[0] == 0
