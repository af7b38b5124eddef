"""``fingerprint screen`` and ``fingerprint audit``: outcomes, status, who is shown what."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

import fingerprint as fp
from fingerprint.cli.common import errors
from fingerprint.evaluate.video_synthesis import generate_video
from fingerprint.lists import HashList, Opinion, Record
from fingerprint.video import write_vpdq_text
from tests.command_line import Run, photo_like, runner

NASTY = "\x1b[31mred[bold]\x07\u202e"
HEX = re.compile(r"[0-9a-f]{32,}")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call ``fingerprint``."""
    plain = runner(capsys, monkeypatch)
    monkeypatch.setattr(errors, "_width", 200)
    monkeypatch.delenv("FINGERPRINT_AUDIT_KEY", raising=False)

    def checked(*arguments: object) -> tuple[int, str, str]:
        status, out, err = plain(*arguments)
        assert "Traceback" not in err
        assert not set("\x1b\x07\u202e") & set(out + err)
        return status, out, err

    return checked


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """A copy, an equal file, an innocent, one without detail, one that is broken, and a text."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    photo_like(1).save(folder / f"copy{NASTY}.jpg", quality=60)
    photo_like(2).save(folder / "equal.png")
    photo_like(3).save(folder / "innocent.png")
    Image.new("RGB", (99, 99), (9, 99, 9)).save(folder / "flat.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff none")
    (folder / "notes.txt").write_text("none")
    return folder


@pytest.fixture
def known(tmp_path: Path) -> Path:
    path = tmp_path / "known"
    with HashList.create(path, "known") as made:
        made.add([_record(i, tmp_path) for i in (1, 2)], by="test")
    return path


def _record(i: int, folder: Path) -> Record:
    file = folder / "original.png"
    photo_like(i).save(file)
    hashes = {
        "pdq": fp.hash_image(file).hex,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    more = {"opinions": (Opinion(NASTY, NASTY),), "flags": (NASTY,)} if i == 1 else {}
    return Record("hotline", f"r{i}", hashes, category=f"A{i}{NASTY}", **more)  # type: ignore[arg-type]


def test_a_table_for_each_match_and_a_count_of_the_rest(
    call: Run, uploads: Path, known: Path
) -> None:
    status, out, _ = call("screen", uploads, "--list", known)
    assert status == 1
    lines = out.splitlines()
    assert sum(line.startswith("MATCH ") for line in lines) == 2
    assert rf"MATCH {uploads}/copy\x1b[31mred[bold]\x07\u202e.jpg" in out
    assert re.search(r"pdq: \d+ of 31 bits", out)
    assert "sha256: equal" in out
    assert "2 independent hashes agree" in out
    assert r"A1\x1b[31mred[bold]" in out
    assert "hotline r1" in out
    assert "UNDECODABLE" in out
    assert f"LOW_QUALITY {uploads}/flat.png" in out
    assert "6 uploads: 2 MATCH, 1 NO_MATCH, 1 LOW_QUALITY, 2 UNDECODABLE" in out
    assert "asked known (version 1); policy " in out
    assert "innocent.png" not in out
    assert not HEX.search(out)
    assert "innocent.png" in call("screen", uploads, "--list", known, "--all")[1]


def test_what_a_list_could_not_be_asked_is_said_below_no_match(
    call: Run, uploads: Path, known: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        '[lists.known]\nalgorithms = ["sha1", "sha256", "pdq"]\nexclude_flags = { grid = "all" }\n'
    )
    with HashList.open(known) as found:
        found.add(replace(found.get("hotline", "r2"), flags=("grid",)), by="test")
    how = ("--list", known, "--policy", policy)
    _, out, err = call("screen", uploads / "equal.png", *how, "--all")
    assert (out[:9], err) == ("NO_MATCH ", "")
    assert "  known: 1 record was left out by flag or category\n" in out
    assert re.search(r"  known: .* sha1\n", out)
    assert "left out" not in call("screen", uploads / "equal.png", *how)[1]


def test_evidence_fits_eighty_columns(uploads: Path, known: Path, tmp_path: Path) -> None:
    name = hashlib.md5(b"id", usedforsecurity=False).hexdigest()
    with HashList.open(known) as found:
        hashes = found.get("hotline", "r2").hashes
        more = {"category": "A1", "flags": ("self-generated",)}
        found.add(Record("hotline-of-somewhere", name, hashes, **more), by="test")  # type: ignore[arg-type]
    done = subprocess.run(
        (sys.executable, "-m", "fingerprint", "screen", uploads / "equal.png", "--list", known),
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    rows = [line for line in done.stdout.splitlines() if line.startswith(("│", "┃"))]
    assert max(map(len, rows)) <= 80
    for word in (name, "hotline-of-somewhere", "self-generated", "on known", "quality 100"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (("innocent.png",), 0),
        (("equal.png",), 1),
        (("equal.png", "broken.jpg"), 1),
        (("innocent.png", "equal.png"), 1),
        (("innocent.png", "flat.png"), 3),
        (("innocent.png", "broken.jpg"), 3),
        (("notes.txt",), 3),
        (("nowhere.png",), 3),
    ],
)
def test_the_exit_status_tells_matches_from_what_could_not_be_screened(
    call: Run, uploads: Path, known: Path, names: tuple[str, ...], status: int
) -> None:
    for more in ((), ("--json",), ("--redacted",), ("--all", "--workers", "1")):
        got, out, _ = call("screen", *(uploads / name for name in names), "--list", known, *more)
        assert got == status
        assert bool(out)


def test_a_stale_list_is_no_answer(call: Run, uploads: Path, known: Path) -> None:
    with HashList.open(known) as found:
        found.set_checkpoint(
            "feed", {}, refreshed_at=datetime(2020, 1, 1, tzinfo=UTC), expires_at=None
        )
        found.mark_stale("feed", f"tombstones{NASTY}")
    status, out, _ = call("screen", uploads / "innocent.png", "--list", known)
    assert status == 3
    assert "LIST_STALE" in out
    assert r"stale: known: feed: tombstones\x1b[31m" in out
    status, out, _ = call("screen", uploads / "equal.png", "--list", known)
    assert status == 1
    assert "stale: known" in out


def test_evidence_as_json(call: Run, uploads: Path, known: Path) -> None:
    _, out, _ = call("screen", uploads, "--list", f"ours={known}", "--json")
    found = {Path(one["source"]).name: one for one in map(json.loads, out.splitlines())}
    assert list(found) == sorted(found)
    assert found["equal.png"]["outcome"] == "MATCH"
    (first, *_) = found["equal.png"]["evidence"]
    assert (first["list_name"], first["source"], first["record_id"]) == ("ours", "hotline", "r2")
    assert first["category"] == f"A2{NASTY}"  # Verbatim: JSON writes it out.
    assert found["innocent.png"]["outcome"] == "NO_MATCH"
    assert found["innocent.png"]["evidence"] == []
    hashes = [fp.hash_image(photo_like(i)).hex for i in (1, 2)]
    assert not any(one in out for one in hashes)


def test_the_uploaders_side_learns_nothing(call: Run, uploads: Path, known: Path) -> None:
    status, out, err = call("screen", uploads, "--list", known, "--redacted")
    assert status == 1
    assert err == ""
    told = {Path(line.split("\t")[0]).name: line.split("\t")[2] for line in out.splitlines()}
    assert told == {
        r"copy\x1b[31mred[bold]\x07\u202e.jpg": "held for review",
        "equal.png": "held for review",
        "innocent.png": "accepted",
        **dict.fromkeys(("flat.png", "broken.jpg", "notes.txt"), "not screened"),
    }
    for word in ("hotline", "known", "r1", "A1", "pdq", "MATCH", "bits"):
        assert word not in out
    status, out, _ = call("screen", uploads, "--list", known, "--redacted", "--json")
    assert all(
        set(json.loads(line)) == {"source", "reference", "status"} for line in out.splitlines()
    )


def test_a_policy_decides(call: Run, uploads: Path, known: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[lists.ours]\nalgorithms = ["sha256"]\n[uploader]\nMATCH = "wait"\n')
    how = ("--list", f"ours={known}", "--policy", policy)
    status, out, _ = call("screen", uploads, *how)
    assert status == 1
    assert "1 MATCH, 5 NO_MATCH" in out
    assert "wait" in call("screen", uploads / "equal.png", *how, "--redacted")[1]
    policy.write_text("[lists.ours]\nmin_independent_hashes = 2\n")
    status, out, _ = call("screen", uploads, *how)
    assert "1 upload of NO_MATCH with evidence that does not count" in out
    assert "too few independent hashes" in call("screen", uploads, *how, "--all")[1]
    for text in ("[lists.others]\n", "[lists.ours]\nradii = 3\n", "not toml"):
        policy.write_text(text)
        status, out, err = call("screen", uploads, *how)
        assert (status, out) == (2, "")
        assert err.startswith("fingerprint:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("equal.png",), "--list"),
        (("equal.png", "--list", "nowhere"), "found nothing"),
        (("empty", "--list", "known"), "no files found"),
        (("equal.png", "--list", "known", "--list", "known"), "two are called 'known'"),
        (("equal.png", "--list", "known", "--audit", "log"), "FINGERPRINT_AUDIT_KEY"),
        (("equal.png", "--list", "known", "--audit-key", "equal.png"), "needs --audit"),
        (("equal.png", "--list", "known", "--audit", "l", "--audit-key", "equal.png"), "equal.png"),
        (("equal.png", "--list", "known", "--policy", "nowhere"), "does not exist"),
        (("--list", "known"), "PATHS"),
    ],
)
def test_wrong_screenings(
    call: Run,
    uploads: Path,
    known: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(known.parent)
    shutil.copy(uploads / "equal.png", "equal.png")
    Path("equal.png").chmod(0o600)
    Path("empty").mkdir()
    status, out, err = call("screen", *arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_by_suffix_says_what_was_not_screened(call: Run, uploads: Path, known: Path) -> None:
    _, out, err = call("screen", uploads, "--list", known, "--by-suffix")
    assert "5 uploads" in out
    assert "1 file passed over by suffix (.txt 1); they were not screened" in err


def test_videos_are_screened(call: Run, tmp_path: Path) -> None:
    video = tmp_path / "v.mp4"
    generate_video(video, 5, 4.0, (160, 120))
    found = fp.hash_video(video, sample="vpdq:1", trim=False)
    with HashList.create(tmp_path / "known") as made:
        made.add(Record("s", "v", {"vpdq": write_vpdq_text(found)}, media="video"), by="test")
    status, out, _ = call("screen", video, "--list", tmp_path / "known")
    assert status == 1
    assert "(video" in out
    assert re.search(r"vpdq: \d+\.\d s; 100 % of it", out)


def test_floods_are_told_of(call: Run, uploads: Path, known: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("[default]\n[flood]\nmax_matches = 1\nwindow = 10\n")
    photo_like(2).save(uploads / "more.jpg")
    how = ("--list", known, "--policy", policy)
    status, _, err = call("screen", uploads, *how)
    assert status == 1
    assert "flood: known hotline r2 matched 2 of the last" in err
    assert call("screen", uploads, *how, "--redacted")[2] == ""


def test_the_audit_log_of_screenings(call: Run, uploads: Path, known: Path, tmp_path: Path) -> None:
    key, log = tmp_path / "audit.key", tmp_path / "audit.jsonl"
    assert call("audit", "key", key)[0] == 0
    assert call("audit", "key", key)[0] == 2  # Not written over.
    how = ("--list", known, "--audit", log, "--audit-key", key)
    status, out, _ = call("screen", uploads, *how, "--json")
    references = [json.loads(line)["reference"] for line in out.splitlines()]
    assert {stat.S_IMODE(one.stat().st_mode) for one in (key, log)} == {0o600}
    status, out, err = call("audit", "verify", log, "--key", key)
    assert status == 0
    assert "checked 7 lines: all is well" in out
    (head,) = re.findall(r"^head: ([0-9a-f]{64})$", out, re.MULTILINE)
    assert "would not be missed" in err
    assert call("audit", "verify", log, "--key", key, "--head", head)[2] == ""
    status, out, _ = call("audit", "show", log)
    assert status == 0
    assert all(reference in out for reference in references)
    assert re.search(r" \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", out)
    status, out, _ = call("audit", "show", log, "--reference", references[0], "--json")
    assert json.loads(out)["reference"] == references[0]
    assert call("audit", "show", log, "--reference", "none")[0] == 1
    call("screen", uploads / "innocent.png", *how)  # It goes on.
    status, out, _ = call("audit", "verify", log, "--key", key, "--head", head, "--json")
    told = json.loads(out)
    assert (status, told["ok"], told["lines"], told["keyed"]) == (0, True, 8, True)
    assert "uploads" not in log.read_text()  # No paths.


def test_the_key_of_the_environment(
    call: Run, uploads: Path, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINGERPRINT_AUDIT_KEY", "ab" * 32)
    log = tmp_path / "audit.jsonl"
    assert call("screen", uploads / "innocent.png", "--list", known, "--audit", log)[0] == 0
    assert call("audit", "verify", log)[0] == 0
    monkeypatch.setenv("FINGERPRINT_AUDIT_KEY", "cd" * 32)
    status, out, _ = call("audit", "verify", log)
    assert status == 2
    assert (
        out == "problem: the log is not signed with this key, none of its 2 lines: another key?\n"
    )
    assert call("screen", uploads / "innocent.png", "--list", known, "--audit", log)[0] == 2


@pytest.mark.parametrize("how", ["change", "remove", "swap", "cut"])
def test_an_audit_log_that_was_tampered_with(
    call: Run, uploads: Path, known: Path, tmp_path: Path, how: str
) -> None:
    key, log = tmp_path / "audit.key", tmp_path / "audit.jsonl"
    call("audit", "key", key)
    call("screen", uploads, "--list", known, "--audit", log, "--audit-key", key)
    head = json.loads(call("audit", "verify", log, "--json")[1])["head"]
    lines = log.read_bytes().splitlines(keepends=True)
    if how == "change":
        lines = [line.replace(b'"NO_MATCH"', b'"MATCH"') for line in lines]
    elif how == "remove":
        del lines[3]
    elif how == "swap":
        lines[3], lines[4] = lines[4], lines[3]
    else:
        del lines[-1]
    log.write_bytes(b"".join(lines))
    status, out, _ = call("audit", "verify", log, "--key", key, "--head", head)
    assert status == 2
    assert out.startswith("problem: line ")
    assert "problems: " in out


def test_audit_logs_that_are_none(call: Run, tmp_path: Path) -> None:
    log = tmp_path / "x.jsonl"
    log.write_bytes(b'{"event": 1}\nnone' + NASTY.encode() + b'\n[]\n{"records": [1, [1]]}\n')
    assert call("audit", "verify", log)[0] == 2
    assert call("audit", "show", log)[0] == 0
    assert call("audit", "verify", tmp_path / "nowhere")[0] == 2
    assert call("audit", "verify", log, "--key", log)[0] == 2


@pytest.mark.parametrize("more", [(), ("--json",), ("--redacted",)])
def test_a_closed_output_is_no_answer(uploads: Path, known: Path, more: tuple[str, ...]) -> None:
    command = (sys.executable, "-m", "fingerprint", "screen", uploads, "--all", "--list", known)
    readable, writable = os.pipe()
    os.close(readable)
    try:
        done = subprocess.run((*command, *more), stdout=writable, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writable)
    assert done.returncode == 2
    assert "the output was closed" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_tells_the_exit_status(call: Run) -> None:
    status, out, _ = call("screen", "--help")
    assert status == 0
    for code in (
        "0  nothing matched",
        "1  something matched",
        "2  an error",
        "3  nothing matched",
    ):
        assert code in out
    for name in ("key", "verify", "show"):
        assert call("audit", name, "--help")[0] == 0


def test_a_long_log_of_another_key_is_one_line(call: Run, tmp_path: Path) -> None:
    from fingerprint.screening import AuditLog

    log, key, other = (tmp_path / name for name in ("log.jsonl", "a.key", "b.key"))
    call("audit", "key", key)
    call("audit", "key", other)
    with AuditLog.open(log, key) as audit:
        head = audit.head
    assert call("audit", "verify", log, "--key", key, "--head", head.hash)[0] == 0
    status, out, _ = call("audit", "verify", log, "--key", other)
    assert (status, out.count("\n")) == (2, 1)
    line = log.read_bytes()
    log.write_bytes(line * 150)
    status, out, _ = call("audit", "verify", log, "--key", other)
    assert (status, out.count("\n")) == (2, 1)
    log.write_bytes(line + b"none\n")  # Something else is wrong, too.
    status, out, _ = call("audit", "verify", log, "--key", other)
    assert status == 2
    assert "problem: line 2: is not an entry" in out
