"""The audit log: what is in it, what is not, and every way to tamper with it."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fingerprint as fp
from fingerprint.errors import AuditError
from fingerprint.lists import Record
from fingerprint.screening import AuditKey, AuditLog, Screener, verify_audit
from fingerprint.screening.digests import digests_of
from tests.command_line import photo_like
from tests.fake_list import FakeList

KEY = bytes(range(32))
Lines = list[bytes]


def log_of(folder: Path, n: int = 5) -> tuple[Path, str]:
    """A log of n events of one's own, and the hash of its last line."""
    path = folder / "audit.jsonl"
    with AuditLog.open(path, KEY) as log:
        for i in range(n):
            log.append("note", {"n": i})
        return path, log.head.hash


def test_a_log_is_chained_signed_and_private(tmp_path: Path) -> None:
    path, head = log_of(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    entries = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [one["seq"] for one in entries] == list(range(6))
    assert [one["event"] for one in entries] == ["begin"] + ["note"] * 5
    assert all(one["time"].endswith("Z") for one in entries)
    report = verify_audit(path, KEY, head)
    assert report.ok
    assert report.keyed
    assert (report.lines, report.recovered, report.head.hash) == (6, 0, head)
    assert verify_audit(path).ok
    assert not verify_audit(path).keyed


def test_it_goes_on_when_opened_again(tmp_path: Path) -> None:
    path, head = log_of(tmp_path)
    with AuditLog.open(path, KEY) as log:
        assert log.head.hash == head
        log.append("note", {})
    report = verify_audit(path, KEY, head)
    assert report.ok, report.problems
    assert report.lines == 7


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path, _ = log_of(tmp_path)
    with AuditLog.open(path, KEY):
        with pytest.raises(AuditError, match="somebody else"):
            AuditLog.open(path, KEY)
        assert verify_audit(path, KEY).ok
    with AuditLog.open(path, KEY) as log:
        pass
    with pytest.raises(AuditError, match="closed"):
        log.append("note", {})


def test_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.key"
    AuditLog.create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(AuditError, match="cannot be written"):
        AuditLog.create_key(path)
    key = AuditKey.read(path)
    monkeypatch.setenv("FINGERPRINT_AUDIT_KEY", path.read_text())
    assert AuditKey.from_environment().id == key.id
    assert path.read_text().strip() not in repr(key)
    path.chmod(0o640)
    with pytest.raises(AuditError, match="owner alone"):
        AuditKey.read(path)
    with pytest.raises(AuditError, match="at least 32"):
        AuditKey.read(b"short")
    with pytest.raises(AuditError, match="cannot be read"):
        AuditKey.read(tmp_path / "none")
    (tmp_path / "bad").write_text("no hex")
    (tmp_path / "bad").chmod(0o600)
    with pytest.raises(AuditError, match="in hex"):
        AuditKey.read(tmp_path / "bad")
    monkeypatch.delenv("FINGERPRINT_AUDIT_KEY")
    with pytest.raises(AuditError, match="FINGERPRINT_AUDIT_KEY"):
        AuditKey.from_environment()


def test_another_key_is_refused_and_noticed(tmp_path: Path) -> None:
    path, _ = log_of(tmp_path)
    with pytest.raises(AuditError, match="another key"):
        AuditLog.open(path, bytes(32))
    report = verify_audit(path, bytes(32))
    assert not report.ok
    assert "signed" in report.problems[0]


def test_what_is_no_log_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    for content in (b"dear diary\n", b"dear diary", b"\x00\x01\n\n", b"\n"):
        path.write_bytes(content)
        with pytest.raises(AuditError):
            AuditLog.open(path, KEY)
        assert path.read_bytes() == content
    with pytest.raises(AuditError):
        verify_audit(tmp_path / "none")
    (tmp_path / "empty").touch()
    assert not verify_audit(tmp_path / "empty").ok


TAMPERED: dict[str, Callable[[Lines], Lines]] = {
    "changed": lambda a: [*a[:2], a[2].replace(b'"n":1', b'"n":9'), *a[3:]],
    "changed at the end": lambda a: [*a[:-1], a[-1].replace(b'"n":4', b'"n":9')],
    "removed": lambda a: [*a[:2], *a[3:]],
    "removed in front": lambda a: a[1:],
    "inserted": lambda a: [*a[:3], a[2], *a[3:]],
    "repeated at the end": lambda a: [*a, a[-1]],
    "reordered": lambda a: [*a[:2], a[3], a[2], *a[4:]],
    "spaces": lambda a: [a[0], a[1].replace(b",", b", "), *a[2:]],
    "rubbish": lambda a: [*a[:2], b"rubbish", *a[3:]],
    "rubbish between": lambda a: [*a[:2], b"rubbish", *a[2:]],
    "rubbish at the end": lambda a: [*a, b"rubbish"],
    "cut in the middle": lambda a: [*a[:2], a[2][:30], *a[3:]],
    "an empty line": lambda a: [*a[:2], b"", *a[2:]],
    "another list of values": lambda a: [*a[:2], b"[1]", *a[3:]],
    "a very long line": lambda a: [*a[:2], b"x" * (3 << 20), *a[3:]],
}


@pytest.mark.parametrize("how", TAMPERED)
@pytest.mark.parametrize("key", [KEY, None], ids=["key", "no key"])
def test_tampering_is_noticed(tmp_path: Path, how: str, key: bytes | None) -> None:
    path, head = log_of(tmp_path)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"".join(line + b"\n" for line in TAMPERED[how](lines)))
    report = verify_audit(path, key, head)
    assert not report.ok
    assert len(report.problems) <= 100
    if how != "changed at the end":  # For that, either the key or the head is needed.
        assert not verify_audit(path, key).ok
    else:
        assert verify_audit(path, key).ok == (key is None)


@pytest.mark.parametrize("left", [0, 1, 3, 5])
def test_a_cut_off_end_needs_the_head(tmp_path: Path, left: int) -> None:
    path, head = log_of(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:left]))
    assert not verify_audit(path, KEY, head).ok
    assert verify_audit(path, KEY).ok == (left > 0)


def test_a_chain_of_ones_own_needs_the_key(tmp_path: Path) -> None:
    path, head = log_of(tmp_path)
    (tmp_path / "other").mkdir()
    forged, _ = log_of(tmp_path / "other", 7)
    with AuditLog.open(tmp_path / "forged.jsonl", b"F" * 32) as log:
        log.append("note", {"n": 1})
    assert verify_audit(tmp_path / "forged.jsonl").ok
    assert not verify_audit(tmp_path / "forged.jsonl", KEY).ok
    assert not verify_audit(forged, KEY, head).ok
    assert verify_audit(path, KEY, head).ok


@given(cut=st.integers(1, 900), again=st.booleans())
def test_a_torn_line_is_kept_and_chained_over(
    tmp_path_factory: pytest.TempPathFactory, cut: int, again: bool
) -> None:
    path, _ = log_of(tmp_path_factory.mktemp("log"), 2)
    whole = path.read_bytes()
    kept = whole[:-cut] if cut < len(whole) else whole[:1]
    path.write_bytes(kept)
    for _ in range(1 + again):
        with AuditLog.open(path, KEY) as log:
            log.append("note", {"after": "a crash"})
    assert path.read_bytes().startswith(kept), "nothing is cut silently"
    report = verify_audit(path, KEY)
    assert report.ok, report.problems
    ended = kept.endswith(b"\n") or kept + b"\n" in whole
    assert report.recovered == (0 if ended else 1)


def test_a_crash_while_recovering(tmp_path: Path) -> None:
    path, _ = log_of(tmp_path, 2)
    torn = path.read_bytes()[:-40] + b"\n"  # Ended, and no more.
    path.write_bytes(torn)
    with AuditLog.open(path, KEY) as log:
        log.append("note", {})
    assert path.read_bytes().startswith(torn)
    report = verify_audit(path, KEY)
    assert (report.ok, report.recovered) == (True, 1), report.problems


def test_a_changed_last_line_is_no_torn_one(tmp_path: Path) -> None:
    path, _ = log_of(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"n":4', b'"n":9'))
    with pytest.raises(AuditError, match="verify it"):
        AuditLog.open(path, KEY)


@pytest.mark.parametrize("n_bytes", [0, 1, 60])
def test_a_full_disk_tears_a_line_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_bytes: int
) -> None:
    path = tmp_path / "audit.jsonl"
    write = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 1 and n_bytes:
            write(file, data[:n_bytes])
        raise OSError(errno.ENOSPC, "No space left on device")

    with AuditLog.open(path, KEY) as log:
        log.append("note", {"n": 0})
        monkeypatch.setattr(os, "write", full)
        for _ in range(2 if not n_bytes else 1):
            with pytest.raises(AuditError, match="No space left"):
                log.append("note", {"n": 1})
        monkeypatch.setattr(os, "write", write)
        log.append("note", {"n": 2})
    report = verify_audit(path, KEY)
    assert report.ok, report.problems
    assert report.recovered == (1 if n_bytes else 0)


def test_an_unsynced_line_is_not_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"

    def broken(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with AuditLog.open(path, KEY) as log:
        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(AuditError, match="Input/output"):
            log.append("note", {"n": 1})
        monkeypatch.undo()
        log.append("note", {"n": 2})
    report = verify_audit(path, KEY)
    assert report.ok, report.problems
    assert report.lines == 3


def test_a_line_of_a_result_has_names_and_no_hash_path_or_content(tmp_path: Path) -> None:
    upload = tmp_path / "secret-name.png"
    photo_like(1).save(upload)
    data = upload.read_bytes()
    sums = digests_of(data, ["md5", "sha256"])
    pdq = fp.hash_image(upload).hex
    listed = FakeList("iwf", [Record("us", "r-17", {"md5": sums["md5"], "pdq": pdq})])
    path = tmp_path / "audit.jsonl"
    with AuditLog.open(path, KEY) as log:
        screener = Screener([listed], audit=log)
        result = screener.screen(upload)
        again = screener.screen(data, label="ticket 4")
    text = path.read_text()
    for secret in (sums["md5"], sums["sha256"], pdq, "secret-name", str(tmp_path), "\\u0089PNG"):
        assert secret not in text
    first, second = (json.loads(line) for line in text.splitlines()[1:])
    assert first["outcome"] == "MATCH"
    assert first["reference"] == result.reference
    assert first["policy"] == result.policy_version
    assert first["lists"] == {"iwf": {"version": 1, "digest": listed.digest}}
    assert ["iwf", "us", "r-17", "md5", True] in first["records"]
    key = AuditKey(KEY)
    assert first["upload"] == second["upload"] == key.digest("sha256", sums["sha256"])
    assert first["hashes"]["pdq"] == key.digest("pdq", pdq)
    assert (first.get("label"), second["label"]) == (None, "ticket 4")
    assert second["reference"] == again.reference
    assert verify_audit(path, KEY).ok


def test_what_cannot_be_written_down_is_an_error_and_no_gap(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog.open(path, KEY) as log:
        with pytest.raises(AuditError):
            log.append("note", {"bytes": b""})
        with pytest.raises(AuditError, match="bytes"):
            log.append("note", {"long": "x" * (1 << 20)})
        log.append("note", {})
    report = verify_audit(path, KEY)
    assert report.ok, report.problems
    assert report.lines == 2


def test_lines_are_on_the_disk_as_often_as_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(file))
    for every, wanted in ((1, 11), (4, 2), (0, 0)):
        with AuditLog.open(tmp_path / f"{every}.jsonl", KEY, sync_every=every) as log:
            synced.clear()
            for _ in range(10 if every == 1 else 9):
                log.append("note", {})
            n = len(synced) + (every == 1)
            assert n == wanted
    with pytest.raises(ValueError, match="sync_every"):
        AuditLog.open(tmp_path / "x", KEY, sync_every=-1)
