"""``examples/report_remove.py``: each thing that it claims, and its README."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from fingerprint.errors import BundleRollbackError, BundleSignatureError
from fingerprint.lists import HashList
from fingerprint.screening import Outcome, verify_audit
from tests.command_line import photo_like

EXAMPLE = Path(__file__).parent.parent / "examples" / "report_remove.py"
UPLOADS = 1000


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report_remove", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["report_remove"] = module  # Its dataclasses look their types up there.
    spec.loader.exec_module(module)
    return module


class _Pictures:
    """The example's reported pictures, and innocents that are made in no time."""

    def __init__(self, pictures: Any, reported: int) -> None:
        self._pictures = pictures
        self._reported = reported

    def file(self, number: int) -> bytes:
        data: bytes = self._pictures.file(number)
        return data

    def edited(self, number: int, edit: str) -> bytes:
        if number >= self._reported:
            file = io.BytesIO()
            photo_like(number, 120, 160).save(file, "JPEG")
            return file.getvalue()
        data: bytes = self._pictures.edited(number, edit)
        return data


@pytest.fixture(scope="module")
def played(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Play the story up to the screening, on generated pictures."""
    folder = tmp_path_factory.mktemp("story")
    for name in ("hotline", "platform"):
        (folder / name).mkdir()
    story = SimpleNamespace()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FINGERPRINT_MEDIA", raising=False)
        story.pictures = _Pictures(example.Pictures(), example.REPORTED)
    story.hotline = example.Hotline(folder / "hotline")
    story.platform = example.Platform(folder / "platform")
    story.version = story.hotline.list_reported(story.pictures)
    story.bundle = story.hotline.sign("monday.fpb")
    with pytest.raises(BundleSignatureError):
        story.platform.take(story.bundle, example.generate_key().public)
    story.refused = story.platform.records()
    story.platform.take(story.bundle, story.hotline.key.public)
    story.uploads = example.make_uploads(UPLOADS)
    story.screened = story.platform.screen(story.uploads, story.pictures, show=False)
    return story


def test_the_wrong_key_changes_nothing_and_the_right_one_brings_the_list(
    example: ModuleType, played: Any
) -> None:
    assert played.refused == 0
    with (
        HashList.open(played.hotline.folder / "list", read_only=True) as theirs,
        HashList.open(played.platform.folder / "list", read_only=True) as ours,
    ):
        assert ours.digest_of(example.SOURCE) == theirs.digest_of(example.SOURCE)
        assert {one.category for one in ours.records()} == {"A"}


def test_copies_are_found_and_innocents_are_not(example: ModuleType, played: Any) -> None:
    screened = played.screened
    assert len(screened.results) == UPLOADS
    assert screened.outcomes.total() == UPLOADS
    copies = [one for one in played.uploads if one.of is not None]
    assert len(copies) == UPLOADS // 5
    assert {one.edit for one in copies} == set(example.EDITS)
    missed = Counter(one.edit for one in screened.missed)
    assert missed.total() <= len(copies) // 10, missed
    assert not missed.keys() & {"unedited", "recompress", "messenger"}
    assert not screened.wrong
    for _, result in screened.found:
        assert {one.category for one in result.matches} == {"A"}
        assert {one.list_name for one in result.matches} == {"hotline"}


def test_the_uploaders_side_is_told_nothing_of_the_list(played: Any) -> None:
    for _, result in played.screened.found:
        redacted = result.redacted()
        assert redacted.keys() == {"reference", "status"}
        assert redacted["status"] == "held for review"
        text = result.text()
        assert "case-" in text
        assert "case-" not in str(redacted)


def test_a_withdrawn_record_matches_no_more(played: Any) -> None:
    upload, before = played.screened.found[0]
    with HashList.open(played.platform.folder / "list", read_only=True) as known:
        hashes = dict(known.get("hotline", upload.of).hashes)
    assert played.platform.holds(hashes["pdq"])
    played.hotline.withdraw(upload.of)
    change = played.hotline.sign("tuesday.fpb", since=played.version)
    played.platform.take(change, played.hotline.key.public)
    (after,) = played.platform.screen([upload], played.pictures, show=False).results
    assert (before.outcome, after.outcome) == (Outcome.MATCH, Outcome.NO_MATCH)
    assert not any(played.platform.holds(value) for value in hashes.values())
    other, _ = played.screened.found[1]  # Another record still matches.
    (still,) = played.platform.screen([other], played.pictures, show=False).results
    assert still.outcome is Outcome.MATCH
    with pytest.raises(BundleRollbackError):
        played.platform.take(played.bundle, played.hotline.key.public)


def test_the_log_verifies_and_what_was_tampered_with_does_not(
    example: ModuleType, played: Any
) -> None:
    log, key = played.platform.log, played.platform.folder / "audit.key"
    report = verify_audit(log, key)
    assert report.ok
    assert report.lines > UPLOADS
    for copy in (example.tampered(log), example.shortened(log)):
        assert not verify_audit(copy, key, expected_head=report.head.hash).ok
    assert verify_audit(log, key, expected_head=report.head.hash).ok


def test_it_runs_as_it_stands(
    example: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FINGERPRINT_MEDIA", raising=False)
    console = example.console
    monkeypatch.setattr(example, "console", type(console)(highlight=False, width=200))
    monkeypatch.setattr(example, "REPORTED", 5)
    example.main(60, tmp_path)
    out = capsys.readouterr().out
    assert "with another key: refused" in out
    assert "of 48 innocents 0 matched" in out
    assert "the same upload: MATCH, now NO_MATCH" in out
    assert "its hash is not in a file of the list" in out
    assert "all is well" in out
    assert "a match turned into none: line" in out
    assert "the last line cut off: line" in out
