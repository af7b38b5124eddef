"""``fingerprint list``: what each command does, prints and returns."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

import fingerprint as fp
from fingerprint.cli import audit, screen
from fingerprint.cli.common import errors
from fingerprint.evaluate.video_synthesis import generate_video
from fingerprint.lists import HashList, Opinion, Record
from fingerprint.video import read_vpdq_text
from tests.command_line import Run, photo_like, random_hashes, runner
from tests.exchange_model import FETCH_KEY, PASSWORD, SUBSCRIPTION, TOKEN, USER, Exchange
from tests.exchange_server import serving

NASTY = "\x1b[31mred[bold]\x07\u202e"
HEX = re.compile(r"[0-9a-f]{32,}")


def md5(i: int) -> str:
    return hashlib.md5(str(i).encode(), usedforsecurity=False).hexdigest()


PDQS = [one.hex for one in random_hashes(40)]


def record(i: int, source: str = "hotline", **fields: object) -> Record:
    return Record(source, f"r{i}", {"md5": md5(i), "pdq": PDQS[i]}, **fields)  # type: ignore[arg-type]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    call = runner(capsys, monkeypatch, "list")
    monkeypatch.setenv("FINGERPRINT_BY", "ana")
    monkeypatch.setattr(errors, "_width", 200)

    def checked(*arguments: object) -> tuple[int, str, str]:
        status, out, err = call(*arguments)
        assert "Traceback" not in err
        assert "\x1b" not in out + err
        return status, out, err

    return checked


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A list of ten records, one of them hostile to terminals, and one retracted."""
    path = tmp_path / "known"
    with HashList.create(path, "known", description="for tests") as made:
        made.add([record(i, category="A1") for i in range(10)], by="bo", note="first")
        nasty = record(
            10,
            category=NASTY,
            severity=NASTY,
            flags=(NASTY,),
            opinions=(Opinion(NASTY, NASTY),),
            raw={NASTY: {"unknown hash": PDQS[11]}},
        )
        made.add(nasty, by=f"cy{NASTY}")
        made.retract("hotline", "r9", by="bo", reason=NASTY)
    return path


def keys(path: Path) -> set[str]:
    with HashList.open(path, read_only=True) as found:
        return {one.record_id for one in found.records()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write_csv(path: Path, rows: range, bad: int = 0) -> Path:
    lines = ["Ref,MD5 Hash,PDQ,Category"]
    lines += [f"r{i},{md5(i)},{PDQS[i]},A{i % 2}" for i in rows]
    lines += [f"bad{i},xyz,,A1" for i in range(bad)]
    path.write_text("\n".join(lines) + "\n")
    return path


IMPORT = ("--source", "hotline", "--columns", "record_id=Ref", "--columns", "md5=MD5 Hash")


def test_create_is_private(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "new"
    assert run("create", path, "--name", NASTY, "--description", "x")[0] == 0
    assert mode(path) == 0o700
    assert {mode(file) for file in path.rglob("*") if file.is_file()} == {0o600}
    status, _, err = run("create", path)
    assert status == 2
    assert "fingerprint:" in err
    with HashList.open(path, read_only=True) as found:
        assert (found.name, found.description) == (NASTY, "x")
    assert run("info", path)[0] == 0


def test_import_says_what_became_of_every_row(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    run("create", path)
    file = write_csv(tmp_path / "a.csv", range(6), bad=12)
    status, out, err = run("import", path, file, *IMPORT, "--severity", "A1=severe")
    assert status == 0
    assert re.search(r"added\s+│\s+6", out)
    assert re.search(r"rejected rows\s+│\s+12", out)
    assert "version 1, 6 records" in out
    assert "a.csv:8 " in err
    assert "hotline bad0" in err
    assert "md5: expected 32 hex digits, got 3 characters" in err
    assert "bad9" in err
    assert "bad10" not in err
    assert "and 2 more" in err
    assert not HEX.search(out + err)
    with HashList.open(path, read_only=True) as found:
        assert [one.severity for one in found.records()] == ["", "severe"] * 3
        assert found.versions()[0].by == "ana"
        assert found.versions()[0].note == "a.csv"
    status, out, _ = run("import", path, file, *IMPORT, "--severity", "A1=severe", "--json")
    told = json.loads(out)
    assert (told["changed"], told["unchanged"], told["rejected"]) == (False, 6, 12)
    assert told["rejected_rows"][0]["row"] == 8
    status, out, _ = run("rejected", path)
    assert status == 1
    assert out.count("bad") == 12


def test_strict_changes_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    run("create", path)
    good, bad = write_csv(tmp_path / "a.csv", range(6)), write_csv(tmp_path / "b.csv", range(1), 1)
    status, out, err = run("import", path, good, bad, *IMPORT, "--strict")
    assert (status, out) == (1, "")
    assert "nothing was changed" in err
    assert "b.csv:3" in err
    assert not keys(path)
    status, out, _ = run("import", path, bad, *IMPORT, "--strict", "--json")
    assert (status, json.loads(out)["changed"]) == (1, False)
    assert run("import", path, good, *IMPORT, "--strict")[0] == 0
    assert len(keys(path)) == 6


def test_a_dry_run_says_the_same_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    run("create", path)
    run("import", path, write_csv(tmp_path / "a.csv", range(8)), *IMPORT)
    file = write_csv(tmp_path / "b.csv", range(4, 9))
    before = sorted(one.name for one in tmp_path.iterdir())
    status, dry, _ = run("import", path, file, *IMPORT, "--snapshot", "--dry-run", "--json")
    assert status == 0
    assert len(keys(path)) == 8
    assert sorted(one.name for one in tmp_path.iterdir()) == before
    _, wet, _ = run("import", path, file, *IMPORT, "--snapshot", "--json")
    expected, got = json.loads(dry), json.loads(wet)
    assert expected.pop("dry_run")
    assert not got.pop("dry_run")
    assert expected == got
    assert (got["added"], got["unchanged"], got["retracted"]) == (1, 4, 4)
    assert keys(path) == {"r4", "r5", "r6", "r7", "r8"}


def test_half_a_snapshot_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    run("create", path)
    run("import", path, write_csv(tmp_path / "a.csv", range(40)), *IMPORT)
    few = write_csv(tmp_path / "b.csv", range(5))
    status, _, err = run("import", path, few, *IMPORT, "--snapshot")
    assert status == 2
    assert "leaves out 35 of 40 records" in err
    assert len(keys(path)) == 40
    assert run("import", path, few, *IMPORT, "--snapshot", "--max-retracted-share", "1")[0] == 0
    assert len(keys(path)) == 5


def test_import_by_feed_is_fresh_until_it_expires(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    run("create", path)
    file = write_csv(tmp_path / "a.csv", range(2))
    status, out, _ = run("info", path)
    assert status == 0
    assert "nothing says how fresh" in out
    run("import", path, file, *IMPORT, "--feed", NASTY, "--expires", "2d", "--as-of", "3h")
    status, out, _ = run("info", path)
    assert status == 0
    assert "3 hours ago" in out
    assert "fresh" in out
    status, out, _ = run("info", path, "--max-age", "2h")
    assert status == 1
    assert "STALE" in out
    for age in ("2", "nan", "-1h"):
        status, _, err = run("info", path, "--max-age", age)
        assert status == 2
        assert "expected a span" in err
    run("import", path, file, *IMPORT, "--feed", "b", "--expires", "2020-01-01T00:00Z")
    status, out, _ = run("info", path, "--json")
    facts = json.loads(out)
    assert status == 1
    assert facts["stale"] == ["b: expired at 2020-01-01T00:00:00Z"]
    assert [one["name"] for one in facts["feeds"]] == [NASTY, "b"]
    assert facts["records"] == 2


def jsonl(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def dated(i: int, day: int, **more: object) -> dict[str, object]:
    values = record(i, last_seen=datetime(2026, 1, day, tzinfo=UTC)).to_dict()
    return {**values, **more}


def test_of_two_states_of_a_record_the_one_dated_later_counts(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    run("create", path)
    gone = {"source": "hotline", "record_id": "r1", "retracted": True, "at": "2026-01-03T00:00Z"}
    old = jsonl(tmp_path / "old.jsonl", dated(1, 2), dated(2, 2, category="old"))
    new = jsonl(tmp_path / "new.jsonl", gone, dated(2, 3, category="new"))
    assert run("import", path, new)[0] == 0
    status, out, _ = run("import", path, old)
    assert status == 0
    assert re.search(r"older than what is known\s+│\s+2", out)
    assert keys(path) == {"r2"}
    with HashList.open(path, read_only=True) as found:
        assert found.get("hotline", "r2").category == "new"
    told = json.loads(run("import", path, old, "--by-order", "--json")[1])
    assert (told["outdated"], told["added"], told["updated"]) == (0, 1, 1)
    assert keys(path) == {"r1", "r2"}


def test_files_older_than_the_feed_are_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    run("create", path)
    new, old = write_csv(tmp_path / "new.csv", range(4)), write_csv(tmp_path / "old.csv", range(5))
    how = (*IMPORT, "--snapshot", "--feed", "f")
    assert run("import", path, new, *how, "--as-of", "2026-11-02")[0] == 0
    for more in ((), ("--dry-run",)):
        status, out, err = run("import", path, old, *how, "--as-of", "2026-11-01", *more)
        assert (status, out) == (2, "")
        assert "of 2026-11-01T00:00:00Z" in err
        assert "last read at 2026-11-02T00:00:00Z" in err
        assert "--older" in err
    assert len(keys(path)) == 4
    assert run("import", path, new, *how, "--as-of", "2026-11-02")[0] == 0  # The same again.
    assert run("import", path, old, *IMPORT, "--feed", "g", "--as-of", "2026-11-01")[0] == 0
    assert run("import", path, new, *how, "--as-of", "2026-11-01", "--older")[0] == 0
    with HashList.open(path) as found:
        ahead = datetime.now(UTC) + timedelta(hours=1)
        found.set_checkpoint("f", {}, refreshed_at=ahead)
    assert run("import", path, new, *how)[0] == 2  # Now is older, too.


def test_sources_may_stand_in_the_rows(run: Run, known: Path, tmp_path: Path) -> None:
    path, file = tmp_path / "x", tmp_path / "all.jsonl"
    run("create", path)
    run("export", known, file)
    status, _, err = run("import", path, file)
    assert (status, err) == (0, "")
    assert run("diff", known, path)[0] == 0
    _, _, err = run("import", path, file, "--source", "other")
    assert "--source other had no effect" in err
    assert run("import", path, file, "--source", "hotline")[2] == ""
    more = jsonl(tmp_path / "b.jsonl", dated(12, 1), {"record_id": "z", "hashes": {"md5": md5(20)}})
    status, _, err = run("import", path, more)
    assert status == 2
    assert "--source: say whose records" in err
    assert "r12" not in keys(path)  # Nothing was changed.
    status, _, err = run("import", path, file, "--snapshot")
    assert status == 2
    assert "--snapshot: say with --source" in err
    bad = jsonl(tmp_path / "c.jsonl", dated(12, 1), {"record_id": "z", "hashes": {"md5": "x"}})
    assert json.loads(run("import", path, bad, "--json")[1])["rejected_rows"][0]["source"] == ""


def test_tables_with_another_delimiter(run: Run, tmp_path: Path) -> None:
    path, file = tmp_path / "x", tmp_path / "a.csv"
    run("create", path)
    file.write_text(f"id;md5\nr1;{md5(1)}\n")
    status, _, err = run("import", path, file, "--source", "s")
    assert status == 2
    assert "name it in --columns or --ignore" in err
    assert run("import", path, file, "--source", "s", "--delimiter", ";")[0] == 0
    file.write_text(f"id\tmd5\nr2\t{md5(2)}\n")
    assert run("import", path, file, "--source", "s", "--delimiter", r"\t")[0] == 0
    assert keys(path) == {"r1", "r2"}
    status, _, err = run("import", path, file, "--source", "s", "--delimiter", ";;")
    assert status == 2
    assert "--delimiter: expected one character" in err
    status, _, err = run("import", path, jsonl(tmp_path / "a.jsonl"), "--delimiter", ";")
    assert "--delimiter: the format jsonl has no use for it" in err


def test_words_for_withdrawn_are_told(run: Run, tmp_path: Path) -> None:
    path, file = tmp_path / "x", tmp_path / "a.csv"
    run("create", path)
    file.write_text(f"id,md5,status\n1,{md5(1)},void\n2,{md5(2)},removed\n")
    status, _, err = run("import", path, file, "--source", "s")
    assert status == 0
    assert "name the word in --withdrawn if it does" in err
    assert "retracted_values" not in err + run("rejected", path)[1]
    assert keys(path) == {"1"}
    assert run("import", path, file, "--source", "s", "--withdrawn", "VOID")[2] == ""
    assert not keys(path)


def test_errors_speak_of_options(run: Run, known: Path, tmp_path: Path) -> None:
    path, file = tmp_path / "x", tmp_path / "a.csv"
    run("create", path)
    run("import", path, write_csv(file, range(40)), *IMPORT)
    few = write_csv(tmp_path / "b.csv", range(5))
    said = [run("import", path, few, *IMPORT, "--snapshot")[2]]
    assert "pass a larger --max-retracted-share" in said[-1]
    file.write_text(f"id,MD5,digest of old\n1,{md5(1)},{md5(2)}\n")
    said += [run("import", path, file, "--source", "s")[2]]
    assert "name it in --columns or --ignore" in said[-1]
    file.write_text(f"id,MD5,md5_hash\n1,{md5(1)},{md5(2)}\n")
    said += [run("import", path, file, "--source", "s")[2]]
    assert "name one in --columns" in said[-1]
    file.write_text(f"id,hash\n1,{PDQS[0]}\n")
    said += [run("import", path, file, "--source", "s")[2]]
    assert "say which with --hash-type" in said[-1]
    said += [run("import", path, file, "--source", "s", "--columns", "x=id")[2]]
    assert "--columns: no field 'x'" in said[-1]
    keygen(run, tmp_path)
    key = ("--key", tmp_path / "key.pem", "--source", "hotline", "--expires", "8w")
    said += [run("sign", known, tmp_path / "1.fpb", *key, "--since", 3)[2]]
    assert "--since: expected one before version" in said[-1]
    said += [run("diff", known, 9)[2]]
    assert "OLD: expected a version from 0 to 3" in said[-1]
    with HashList.open(known):
        said += [run("retract", known, "hotline", "r1")[2]]
    assert "another process has this list open for writing" in said[-1]
    for text in said:
        for word in ("max_retracted_share", "columns=", "ignored=", "_type=", "_version", "only="):
            assert word not in text


def test_import_from_standard_input_and_packed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    run("create", path)
    lines = "".join(f"{md5(i)}\n" for i in range(3)).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
    assert run("import", path, "-", "--format", "lines", "--source", "s")[0] == 0
    packed = tmp_path / "b.txt.gz"
    packed.write_bytes(gzip.compress(f"{PDQS[0]}\n".encode()))
    status, _, err = run("import", path, packed, "--source", "s")
    assert status == 2
    assert "sha256 or pdq" in err
    assert run("import", path, packed, "--source", "s", "--hash-type", "pdq")[0] == 0
    with HashList.open(path, read_only=True) as found:
        assert (found.count("md5"), found.count("pdq")) == (3, 1)


def test_tables_without_names(run: Run, tmp_path: Path) -> None:
    path, file = tmp_path / "x", tmp_path / "a.csv"
    run("create", path)
    file.write_text(f"{md5(1)},a,?\n{md5(2)},b,{PDQS[0]}\n")
    how = ("--source", "s", "--no-header", "--columns", "md5=1", "--columns", "record_id=2")
    assert run("import", path, file, *how, "--ignore", 3)[0] == 0
    assert keys(path) == {"a", "b"}
    status, _, err = run("import", path, file, *how, "--ignore", "x")
    assert status == 2
    assert "expected a number from 1" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.csv",), "--source: say whose records"),
        (("a.csv", "--source", "s", "--expires", "2d"), "need --feed"),
        (("a.csv", "--source", "s", "--feed", "f", "--expires", "soon"), "expected a span"),
        (("a.csv", "--source", "s", "--feed", "f", "--expires", "2027-01-01"), "expected a span"),
        (("a.csv", "--source", "s", "--feed", "f", "--as-of", "2999-01-01T00:00Z"), "past"),
        (("a.csv", "--source", "s", "--columns", "md5"), "expected FIELD="),
        (("a.csv", "--source", "s", "--columns", "a=b", "--columns", "a=c"), "stands twice"),
        (("a.csv", "--source", "s", "--columns", "nonsense=MD5 Hash"), "nonsense"),
        (("a.csv", "--source", "s", "--format", "nonsense"), "expected one of csv"),
        (("a.csv", "--source", "s", "--format", "stix"), "can only be written"),
        (("a.csv", "--source", "s", "--format", "stix"), "read: csv, jsonl, lines, ncmec-xml,"),
        (("a.csv", "--source", "s", "--format", "xml"), "expected one of csv, jsonl, lines,"),
        (("a.csv", "--source", "s", "--trusted", "a.csv"), "is for signed bundles"),
        (("a.json", "--source", "s"), "which format is it"),
        (("a.txt", "--source", "s", "--columns", "md5=1"), "--columns: the format lines"),
        (("a.txt", "--source", "s", "--no-header"), "--no-header: the format lines"),
        (("-", "--source", "s"), "say --format"),
        (("-", "-", "--source", "s", "--format", "lines"), "can be read once"),
        (("nowhere.csv", "--source", "s"), "does not exist"),
    ],
)
def test_wrong_imports(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "a.csv", range(2))
    for name in ("a.json", "a.txt"):
        (tmp_path / name).write_text("{}")
    run("create", "x")
    status, out, err = run("import", "x", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert not keys(tmp_path / "x")


def test_who_has_to_be_said(
    run: Run, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FINGERPRINT_BY")
    file = write_csv(tmp_path / "a.csv", range(2))
    for arguments in (
        ("import", known, file, "--source", "s"),
        ("retract", known, "hotline", "r1"),
    ):
        status, _, err = run(*arguments)
        assert status == 2
        assert "--by" in err
    assert run("retract", known, "hotline", "r1", "--by", "bo")[0] == 0


def test_add_hashes_pictures_and_videos_and_stores_neither(run: Run, tmp_path: Path) -> None:
    folder, path = tmp_path / "new", tmp_path / "x"
    folder.mkdir()
    for i in range(2):
        photo_like(i).save(folder / f"{i}.png")
    generate_video(folder / "v.mp4", 3, 2.0, (160, 120))
    (folder / "flat.png").write_bytes(_flat())
    (folder / "broken.jpg").write_bytes(b"none")
    (folder / "notes.doc").write_bytes(b"none")
    run("create", path)
    how = ("--source", "hotline", "--category", "A", "--flag", "grid", "--flag", "b")
    status, out, err = run("add", path, folder, *how)
    assert status == 2  # One cannot be read; the others are added.
    assert "version 1, 4 records" in out
    assert "broken.jpg" in err
    assert ".doc 1" in err
    assert "flat.png: PDQ left out: its quality is 0, expected 50" in err
    with HashList.open(path, read_only=True) as found:
        every = {one.hashes["sha256"]: one for one in found.records()}
    for file in folder.iterdir():
        data = file.read_bytes()
        one = every.get(hashlib.sha256(data).hexdigest())
        if one is None:
            assert file.name in ("broken.jpg", "notes.doc")
            continue
        assert one.hashes["md5"] == hashlib.md5(data, usedforsecurity=False).hexdigest()
        assert one.hashes["sha1"] == hashlib.sha1(data, usedforsecurity=False).hexdigest()
        assert (one.category, one.flags) == ("A", ("b", "grid"))
        assert not set(one.hashes.values()) & {one.record_id}
        if file.suffix == ".mp4":
            assert one.media == "video"
            frames = read_vpdq_text(one.hashes["vpdq"])
            assert frames.hashes[0].hex == fp.hash_video(file, sample="vpdq:1").hashes[0].hex
        elif file.name != "flat.png":
            assert one.media == "image"
            assert one.hashes["pdq"] == fp.hash_image(file).hex
    contents = b"".join(one.read_bytes() for one in path.rglob("*") if one.is_file())
    assert b"0.png" not in contents
    assert all(f"hotline {one.record_id}  {folder}" in out for one in every.values())
    status, out, _ = run("add", path, folder / "0.png", *how)  # The same again.
    assert (status, "nothing new" in out) == (0, True)
    told = json.loads(run("add", path, folder / "0.png", *how, "--json")[1])
    own = every[hashlib.sha256((folder / "0.png").read_bytes()).hexdigest()].record_id
    assert told["source"] == "hotline"
    assert told["ids"] == [{"file": str(folder / "0.png"), "record_id": own}]


def _flat() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (99, 99), (9, 99, 9)).save(file, "PNG")
    return file.getvalue()


def test_add_with_views_and_an_id(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x"
    for i in range(2):
        photo_like(i).save(tmp_path / f"{i}.png")
    run("create", path)
    how = ("--source", "s", "--id", "case 1")
    assert run("add", path, tmp_path / "0.png", *how, "--views")[0] == 0
    expected = fp.hash_views(tmp_path / "0.png", side="reference")
    with HashList.open(path, read_only=True) as found:
        one = found.get("s", "case 1")
    assert len(one.views) > 30
    assert {name: expected[name].hex for name in one.views} == dict(one.views)
    status, _, err = run("add", path, tmp_path / "0.png", tmp_path / "1.png", *how)
    assert status == 2
    assert "--id: is for one file, got 2" in err
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    status, _, err = run("add", path, tmp_path / "pipe.png", "--source", "s")
    assert status == 2
    assert "not a regular file" in err
    assert run("add", path, tmp_path / "empty", "--source", "s")[0] == 2


def test_retract_suspend_resume_purge(run: Run, known: Path) -> None:
    status, out, _ = run("retract", known, "hotline", "r1", "r2", "--reason", NASTY)
    assert status == 0
    assert re.search(r"retracted\s+│\s+2", out)
    status, _, err = run("retract", known, "hotline", "r3", "nope", "r2")
    assert status == 2
    assert "2 records of 'hotline' not in the list, nothing was changed: nope, r2" in err
    assert "r3" in keys(known)
    assert run("suspend", known, "hotline", "r3")[0] == 2  # No reason.
    assert run("suspend", known, "hotline", "r3", "--reason", "flood")[0] == 0
    with HashList.open(known, read_only=True) as found:
        assert not found.find("md5", md5(3))
    assert "suspended" in run("info", known)[1]
    assert run("resume", known, "hotline", "r3")[0] == 0
    with HashList.open(known, read_only=True) as found:
        assert [hit.record.record_id for hit in found.find("md5", md5(3))] == ["r3"]
    assert run("resume", known, "hotline", "nope")[0] == 2
    _, out, err = run("resume", known, "hotline", "r3")
    assert (out, err) == ("", "r3 is not suspended: nothing to do\n")
    run("retract", known, "hotline", "r4", "--no-purge")
    status, out, _ = run("info", known)
    assert "to purge" in out
    status, out, _ = run("purge", known)
    assert (status, out) == (0, "overwrote 1 retracted or replaced record\n")
    assert "to purge" not in run("info", known)[1]


def test_suspensions_are_shown(run: Run, known: Path) -> None:
    assert run("suspend", known, "hotline", "r3", "r10", "--reason", "x")[0] == 0
    _, out, err = run("suspend", known, "hotline", "r3", "r4", "--reason", "x")
    assert err == "r3 is suspended already: nothing to do\n"
    assert "suspended 1 record" in out
    with HashList.open(known) as found:
        found.add(record(3, category="A2"), by="x")  # An update leaves it suspended.
        found.add(Record("hotline", "r12", {"sha1": "0123456789" * 4}), by="x")
    assert "yes: it is not found" in run("show", known, "hotline", "r3")[1]
    assert "suspended" not in run("show", known, "hotline", "r5")[1]
    assert re.search(r"3: hotline r10, hotline r3, hotline r4\s", run("info", known)[1])
    assert "suspended" not in run("history", known, "hotline", "r9")[1]
    told = [json.loads(line) for line in run("records", known, "--json")[1].splitlines()]
    assert {one["record_id"] for one in told if one["suspended"]} == {"r3", "r4", "r10"}


def test_records_are_listed_without_hashes(run: Run, known: Path) -> None:
    status, out, _ = run("records", known)
    assert status == 0
    assert not HEX.search(out)
    assert all(f"hotline r{i} " in out for i in (*range(9), 10))
    assert "md5, pdq" in out
    status, out, _ = run("records", known, "--limit", 3)
    assert "the first 3 records" in out
    assert out.count("hotline r") == 3
    assert run("records", known, "--source", "nobody")[1] == "no records of nobody\n"
    assert "more" not in run("records", known, "--limit", 10)[1]
    (first, *_) = run("records", known, "--json")[1].splitlines()
    assert json.loads(first) == {
        **{"source": "hotline", "record_id": "r0", "media": "unknown", "category": "A1"},
        **{"flags": [], "hash_types": ["md5", "pdq"], "views": 0, "suspended": False},
    }


def test_tables_of_eighty_columns_break_no_ids(known: Path) -> None:
    name = hashlib.md5(b"id", usedforsecurity=False).hexdigest()
    with HashList.open(known) as found:
        one = Record("hotline-of-somewhere", name, {"md5": md5(30)}, category="A", flags=("grid",))
        found.apply([one], by="the nightly job", feed="bundle:hotline-of-somewhere", note="a.csv")
    for command in ("records", "versions"):
        done = subprocess.run(
            (sys.executable, "-m", "fingerprint", "list", command, known),
            env={**os.environ, "COLUMNS": "80"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert max(map(len, done.stdout.splitlines())) <= 80
        for word in (name, "hotline-of-somewhere") if command == "records" else ("nightly job",):
            assert word in done.stdout


def test_a_record_that_a_feed_brought_is_not_yours_to_retract(
    run: Run, known: Path, tmp_path: Path
) -> None:
    trusted, other = keygen(run, tmp_path), tmp_path / "other"
    key = ("--key", tmp_path / "key.pem", "--source", "hotline", "--expires", "8w")
    run("sign", known, tmp_path / "1.fpb", *key)
    run("create", other)
    run("import", other, tmp_path / "1.fpb", "--trusted", trusted)
    status, _, err = run("retract", other, "hotline", "r1")
    assert status == 0
    assert "the signed stream 'hotline' brought it" in err
    assert "suspend" in err
    assert run("retract", known, "hotline", "r1")[2] == ""  # Nobody's feed.
    run("import", known, write_csv(tmp_path / "a.csv", range(20, 22)), *IMPORT, "--feed", "f")
    assert "the feed 'f' brought it" in run("retract", known, "hotline", "r20")[2]


def test_looking_into_a_list_shows_no_hash_and_no_escape_codes(run: Run, known: Path) -> None:
    for arguments in (
        ("info", known),
        ("versions", known),
        ("show", known, "hotline", "r10"),
        ("show", known, "hotline", "r10", "--json"),
        ("history", known, "hotline", "r9"),
        ("diff", known, "0"),
        ("formats",),
    ):
        status, out, _ = run(*arguments)
        assert status == (1 if arguments[0] == "diff" else 0)
        whole = {one for i in range(12) for one in (md5(i), PDQS[i]) if one in out}
        assert not whole, arguments
        assert "\x07" not in out
        assert "\u202e" not in out
    status, out, _ = run("show", known, "hotline", "r10")
    assert r"\x1b[31mred[bold]\x07\u202e" in out
    assert f"{PDQS[10][:6]}… (64 digits)" in out
    status, out, _ = run("show", known, "hotline", "r10", "--reveal")
    assert md5(10) in out
    assert PDQS[10] in out
    status, out, _ = run("show", known, "hotline", "r10", "--reveal", "--json")
    with HashList.open(known, read_only=True) as found:
        assert Record.from_dict(json.loads(out)) == found.get("hotline", "r10")
    status, _, err = run("show", known, "hotline", "gone")
    assert status == 2
    assert "'gone' of 'hotline'" in err


def test_history_and_versions(run: Run, known: Path) -> None:
    status, out, _ = run("history", known, "hotline", "r9", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert [(one["action"], one["by"]) for one in events] == [("added", "bo"), ("retracted", "bo")]
    assert events[1]["detail"] == NASTY
    status, out, _ = run("history", known, "hotline", "never")
    assert (status, out) == (1, "hotline never was never on this list\n")
    file = jsonl(known.parent / "a.jsonl", {"id": "r8", "md5": md5(8), "deleted": True})
    assert run("import", known, file, "--source", "hotline")[0] == 0
    _, out, _ = run("history", known, "hotline", "r8")
    assert "retracted" in out
    assert "true" not in out
    _, out, _ = run("versions", known, "--json")
    counts = [
        (one["number"], one["added"], one["retracted"]) for one in map(json.loads, out.splitlines())
    ]
    assert counts == [(1, 10, 0), (2, 1, 0), (3, 0, 1), (4, 0, 1)]
    assert "10 added" in run("versions", known)[1]


def test_diff_of_versions_and_of_lists(run: Run, known: Path, tmp_path: Path) -> None:
    status, out, _ = run("diff", known, 1, "--json")
    assert status == 1
    assert json.loads(out) == {
        "added": [["hotline", "r10"]],
        "updated": [],
        "retracted": [["hotline", "r9"]],
    }
    assert run("diff", known, 1, 1)[0] == 0
    for arguments in ((9,), (2, 1), (tmp_path / "other", 1), (tmp_path / "nowhere",)):
        assert run("diff", known, *arguments)[0] == 2
    with HashList.create(tmp_path / "other") as other:
        other.add([record(i, category="A2" if i == 4 else "A1") for i in range(3, 9)], by="x")
        other.add([record(0, "a"), record(0, "z")], by="x")
    status, out, _ = run("diff", known, tmp_path / "other", "--json")
    assert status == 1
    assert json.loads(out) == {
        "added": [["a", "r0"], ["z", "r0"]],
        "updated": [["hotline", "r4"]],
        "retracted": [["hotline", f"r{i}"] for i in (0, 1, 10, 2)],
    }
    status, out, _ = run("diff", known, tmp_path / "other")
    assert "2 added, 1 updated, 4 retracted" in out
    status, out, _ = run("diff", known, known)
    assert status == 0
    assert "nothing differs" in out


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz", "all.ndjson.zst", "all.parquet"])
def test_export_is_private_and_comes_back(run: Run, known: Path, tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    file, other = tmp_path / name, tmp_path / "other"
    file.touch(0o644)
    status, out, _ = run("export", known, file)
    assert (status, out) == (0, f"wrote 10 records to {file}\n")
    assert mode(file) == 0o600
    run("create", other)
    assert run("import", other, file, "--source", "x")[0] == 0
    assert run("diff", known, other)[0] == 0


def test_export_to_standard_output(run: Run, known: Path) -> None:
    for more, start in (((), b"{"), (("--format", "stix"), b"{"), (("--format", "cybertip"), b"<")):
        done = subprocess.run(
            (sys.executable, "-m", "fingerprint", "list", "export", known, "-", *more),
            capture_output=True,
            check=True,
        )
        assert done.stdout.startswith(start)
        assert b"wrote" not in done.stdout
        assert b"wrote 10 records to standard output" in done.stderr
        if not more:
            assert len(list(map(json.loads, done.stdout.splitlines()))) == 10
    status, out, err = run("export", known, "-", "--format", "parquet")
    assert (status, out) == (2, "")
    assert "parquet is no text" in err
    status, _, err = run("export", known, "x.csv")
    assert status == 2
    assert "written: cybertip, jsonl, parquet, stix, vics-json" in err


def test_export_of_some_in_other_formats(run: Run, known: Path, tmp_path: Path) -> None:
    file = tmp_path / "x.stix"
    assert run("export", known, file, "--source", "hotline", "--id", "r1", "--id", "r2")[0] == 0
    objects = json.loads(file.read_text())["objects"]
    assert [one["hashes"]["MD5"] for one in objects] == [md5(1), md5(2)]
    assert run("export", known, tmp_path / "x.cybertip", "--source", "hotline")[0] == 0
    assert 'hashType="PDQ"' in (tmp_path / "x.cybertip").read_text()
    assert run("export", known, tmp_path / "none.jsonl", "--source", "nobody")[1].startswith(
        "wrote 0 records"
    )
    for arguments in (
        (tmp_path / "y.stix", "--id", "r1"),
        (tmp_path / "y.stix", "--source", "hotline", "--id", "nope"),
        (tmp_path / "y.json",),
        (tmp_path / "y.csv",),
        (tmp_path / "nowhere" / "y.jsonl",),
    ):
        assert run("export", known, *arguments)[0] == 2
    assert not (tmp_path / "y.stix").exists()


def keygen(run: Run, tmp_path: Path, name: str = "key.pem", source: str = "hotline") -> Path:
    """Make a key, and return the file in which it is trusted."""
    status, public, err = run("keygen", tmp_path / name)
    assert status == 0
    assert mode(tmp_path / name) == 0o600
    assert (tmp_path / name).read_text().splitlines()[1] not in public + err
    trusted = tmp_path / f"{name}.toml"
    trusted.write_text(
        f'[[key]]\nname = "H"\npublic = "{public.strip()}"\nsources = ["{source}"]\n'
    )
    assert public.strip() in err
    return trusted


def test_sign_verify_import_a_chain_of_bundles(run: Run, known: Path, tmp_path: Path) -> None:
    trusted, other = keygen(run, tmp_path), tmp_path / "other"
    key = ("--key", tmp_path / "key.pem", "--source", "hotline", "--expires", "8w")
    assert run("sign", known, tmp_path / "1.fpb", *key, "--comment", NASTY)[0] == 2
    status, out, _ = run("sign", known, tmp_path / "1.fpb", *key, "--comment", "of Monday")
    assert status == 0
    assert "snapshot hotline, version 3, 10 records, 0 retractions" in out
    assert mode(tmp_path / "1.fpb") == 0o600
    status, out, _ = run("verify", tmp_path / "1.fpb", "--trusted", trusted)
    assert status == 0
    assert "signed by" in out
    run("retract", known, "hotline", "r1")
    status, out, _ = run("sign", known, tmp_path / "2.fpb", *key, "--since", 3, "--json")
    facts = json.loads(out)
    assert (facts["kind"], facts["retractions"]) == ("delta", 1)
    run("create", other)
    bundles = (tmp_path / "1.fpb", tmp_path / "2.fpb")
    status, _, err = run("import", other, bundles[0])
    assert status == 2
    assert "say --trusted" in err
    status, out, _ = run("import", other, *bundles, "--trusted", trusted, "--json")
    assert status == 0
    assert [json.loads(line)["version"] for line in out.splitlines()] == [1, 2]
    assert run("diff", known, other)[0] == 0
    status, _, err = run("import", other, bundles[0], "--trusted", trusted)
    assert status == 2
    assert "older than version 4" in err
    assert run("import", other, bundles[1], "--trusted", trusted)[0] == 0  # No news.
    for more in (("--source", "x"), ("--strict",), ("--feed", "f")):
        status, _, err = run("import", other, bundles[1], "--trusted", trusted, *more)
        assert status == 2
        assert "a signed bundle says all of itself" in err
    file = write_csv(tmp_path / "a.csv", range(2))
    assert run("import", other, bundles[1], file, "--trusted", trusted)[0] == 2


def test_bundles_that_are_refused(run: Run, known: Path, tmp_path: Path) -> None:
    trusted = keygen(run, tmp_path)
    stranger, narrow = keygen(run, tmp_path, "other.pem"), tmp_path / "narrow.toml"
    narrow.write_text(trusted.read_text().replace('"hotline"', '"another"'))
    key = ("--key", tmp_path / "key.pem", "--source", "hotline")
    run("sign", known, tmp_path / "1.fpb", *key, "--expires", "8w")
    changed = tmp_path / "changed.fpb"
    data = bytearray((tmp_path / "1.fpb").read_bytes())
    data[-9] ^= 1
    changed.write_bytes(data)
    other = tmp_path / "other"
    run("create", other)
    for bundle, keys_file, message in (
        (tmp_path / "1.fpb", stranger, "not among the 1 trusted keys"),
        (tmp_path / "1.fpb", narrow, "may not speak for"),
        (changed, trusted, "not those that were signed"),
    ):
        for command in (
            ("verify", bundle),
            ("import", other, bundle),
            ("import", other, bundle, "--dry-run"),
        ):
            status, _, err = run(*command, "--trusted", keys_file)
            assert status == 2
            assert message in err
    assert not keys(other)
    past = ("--expires", "2020-01-01T00:00Z")
    status, _, err = run("sign", known, tmp_path / "2.fpb", *key, *past)
    assert status == 2
    assert "--expires: expected a time after now" in err
    for arguments in (
        ("--key", tmp_path / "key.pem", "--source", "nobody", "--expires", "8w"),
        (*key, "--expires", "8w", "--since", "99"),
        ("--key", trusted, "--source", "hotline", "--expires", "8w"),
    ):
        assert run("sign", known, tmp_path / "3.fpb", *arguments)[0] == 2
    assert run("sign", known, tmp_path / "1.fpb", *key, "--expires", "8w")[0] == 2  # It is there.


def test_keys_are_kept(
    run: Run, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINGERPRINT_KEY_PASSPHRASE", "")
    status, out, err = run("keygen", tmp_path / "key.pem")
    assert (status, out) == (2, "")
    assert "FINGERPRINT_KEY_PASSPHRASE: is set, and empty" in err
    monkeypatch.delenv("FINGERPRINT_KEY_PASSPHRASE")
    assert "the key is not encrypted" in run("keygen", tmp_path / "open.pem")[2]
    monkeypatch.setenv("FINGERPRINT_KEY_PASSPHRASE", "correct horse")
    keygen(run, tmp_path)
    assert "not encrypted" not in run("keygen", tmp_path / "other.pem")[2]
    status, _, err = run("keygen", tmp_path / "key.pem")
    assert status == 2
    assert "keys are not written over" in err
    assert b"ENCRYPTED" in (tmp_path / "key.pem").read_bytes()
    how = ("--key", tmp_path / "key.pem", "--source", "hotline", "--expires", "8w")
    assert run("sign", known, tmp_path / "1.fpb", *how)[0] == 0
    monkeypatch.setenv("FINGERPRINT_KEY_PASSPHRASE", "wrong")
    status, _, err = run("sign", known, tmp_path / "2.fpb", *how)
    assert status == 2
    assert "the passphrase is wrong" in err
    (tmp_path / "key.pem").chmod(0o644)
    status, _, err = run("sign", known, tmp_path / "2.fpb", *how)
    assert "others can read this private key" in err


def test_verify_and_rebuild(run: Run, known: Path, tmp_path: Path) -> None:
    assert run("verify", known)[:2] == (0, "checked 10 records: all is well\n")
    assert run("verify", known, "--trusted", write_csv(tmp_path / "a.csv", range(1)))[0] == 2
    assert run("verify", tmp_path / "a.csv")[0] == 2
    assert run("verify", tmp_path / "a.csv", "--rebuild")[0] == 2
    assert run("verify", tmp_path / "nowhere")[0] == 2
    shelf = next(one for one in known.rglob("*.sqlite") if one.parent != known)
    shelf.write_bytes(os.urandom(4096))
    assert run("verify", known)[0] == 2
    status, out, _ = run("verify", known, "--rebuild")
    assert status == 0
    assert out.endswith("made anew from the records\nchecked 10 records: all is well\n")
    with HashList.open(known, read_only=True) as found:
        assert [hit.record.record_id for hit in found.find("md5", md5(3))] == ["r3"]


def test_sync_with_an_exchange(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    run("create", path)
    for name, value in (
        *(("NCMEC_USER", USER), ("NCMEC_PASSWORD", PASSWORD)),
        *(("TCAP_USER", USER), ("TCAP_PASSWORD", PASSWORD), ("THREATEXCHANGE_TOKEN", TOKEN)),
        *(("STOPNCII_SUBSCRIPTION_KEY", SUBSCRIPTION), ("STOPNCII_FETCH_KEY", FETCH_KEY)),
    ):
        monkeypatch.setenv(f"FINGERPRINT_{name}", value)
    with serving(Exchange()) as exchange:
        exchange.now = datetime.now(UTC)
        for i in range(7):
            exchange.put(f"e{i}", ago_s=10**6)
        url = f"{exchange.url}/tcap"
        status, out, _ = run("sync", path, "tcap", "--url", url, "--json")
        assert status == 0
        told = json.loads(out)
        assert told["feed"] == "tcap/all"
        assert sum(one["added"] for one in told["commits"]) == 7
        exchange.now += timedelta(seconds=1)
        exchange.delete("e3")
        status, out, _ = run("sync", path, "tcap", "--url", url)
        assert status == 0
        assert re.search(r"retracted\s+│\s+1", out)
        assert len(keys(path)) == 6
        assert "tcap/all" in run("info", path)[1]
        monkeypatch.setenv("FINGERPRINT_TCAP_PASSWORD", "not this one")
        status, out, err = run("sync", path, "tcap", "--url", url)
        assert status == 2
        assert "not this one" not in out + err
        assert len(keys(path)) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody",), "Invalid value"),
        (("ncmec",), "ncmec: FINGERPRINT_NCMEC_USER and FINGERPRINT_NCMEC_PASSWORD are not set;"),
        (("threatexchange", "--privacy-group", "1"), "FINGERPRINT_THREATEXCHANGE_TOKEN is not set"),
        (("threatexchange",), "--privacy-group"),
        (("tcap", "--environment", "ngo"), "--environment: is for ncmec"),
        (("ncmec", "--password", "x"), "No such option"),
    ],
)
def test_wrong_syncs(
    run: Run,
    known: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    starts = ("FINGERPRINT_NCMEC", "FINGERPRINT_THREATEXCHANGE")
    for name in [name for name in os.environ if name.startswith(starts)]:
        monkeypatch.delenv(name)
    status, _, err = run("sync", known, *arguments)
    assert status == 2
    assert message in err


def test_formats_are_those_there_are(run: Run) -> None:
    from fingerprint.lists.formats import format_names

    status, out, _ = run("formats", "--json")
    assert status == 0
    assert [one["name"] for one in json.loads(out)] == list(format_names())


def test_every_command_explains_itself(run: Run) -> None:
    from fingerprint.cli.list import command

    assert len(command.commands) == 20
    for name in command.commands:
        status, out, _ = run(name, "--help")
        assert status == 0
        assert len(out.splitlines()) > 6


def test_the_examples_of_the_guide_are_read(run: Run, tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent / "docs" / "lists.md").read_text()
    (xml,) = re.findall(r"```xml\n(.*?)```", text, re.DOTALL)
    (lines,) = re.findall(r"```\n(\{.*?)```", text, re.DOTALL)
    (tmp_path / "a.xml").write_text(xml)
    (tmp_path / "a.jsonl").write_text(lines)
    for name, more in (("a.xml", ("--source", "ncmec")), ("a.jsonl", ())):
        path = tmp_path / name.removeprefix("a.")
        run("create", path)
        told = json.loads(run("import", path, tmp_path / name, *more, "--json")[1])
        assert (told["added"], told["unknown_retractions"], told["rejected"]) == (1, 1, 0)
    with HashList.open(tmp_path / "xml", read_only=True) as found:
        assert found.get("ncmec/42", "image1").category == "A1"
    table = json.loads(run("formats", "--json")[1])
    rows = [
        f"| `{one['name']}` | {one['description']} | "
        + (", ".join(f"`{suffix}`" for suffix in one["suffixes"]) or "say `--format`")
        + f" | {'yes ' if one['reads'] else ''}| {'yes ' if one['writes'] else ''}|"
        for one in table
    ]
    assert "\n".join(rows) in text


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.parquet", "a.json"])
def test_files_that_are_cut_short_are_told_where_that_can_be(
    run: Run, known: Path, tmp_path: Path, name: str
) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    file, path = tmp_path / name, tmp_path / "x"
    form = ("--format", "vics-json") if name.endswith("json") else ()
    run("create", path)
    assert run("export", known, file, *form)[0] == 0
    file.write_bytes(file.read_bytes()[:-20])
    status, _, err = run("import", path, file, "--source", "s", *form)
    assert status == 2
    assert "a.json" in err or "a.parquet" in err
    assert not keys(path)


def test_the_guide_names_commands_and_options_that_exist() -> None:
    from fingerprint.cli.list import command

    text = (Path(__file__).parent.parent / "docs" / "lists.md").read_text()
    for name in set(re.findall(r"fingerprint list ([a-z]+)", text)):
        assert name in command.commands
    known = {
        option
        for one in (*command.commands.values(), screen.command, *audit.command.commands.values())
        for parameter in one.params
        for option in parameter.opts
    }
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known


def test_what_is_no_list(run: Run, tmp_path: Path) -> None:
    for command in ("info", "versions", "purge", "rejected"):
        status, _, err = run(command, tmp_path / "nowhere")
        assert status == 2
        assert err.startswith("fingerprint:")
    (tmp_path / "file").touch()
    assert run("info", tmp_path / "file")[0] == 2


def test_a_list_that_somebody_changes(run: Run, known: Path) -> None:
    with HashList.open(known):
        status, _, err = run("retract", known, "hotline", "r1")
        assert status == 2
        assert "fingerprint:" in err
        assert run("info", known)[0] == 0
