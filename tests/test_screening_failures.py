"""Whatever goes wrong is never NO_MATCH; what each side is told; many at once."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fingerprint as fp
from fingerprint import media
from fingerprint.errors import PolicyError
from fingerprint.lists import Record
from fingerprint.screening import (
    AuditLog,
    ListPolicy,
    Outcome,
    Policy,
    Screener,
    ScreeningResult,
    UploaderPolicy,
)
from fingerprint.screening.upload import Upload
from tests.fake_list import FakeList
from tests.screening_lists import (
    KINDS,
    list_maker,
    list_of,
    picture,
    record_of,
    screened,
)

KNOWN, OTHER = picture(1), picture(2)


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with list_maker(request.param, tmp_path) as made:
        yield made


# What goes wrong


@pytest.mark.parametrize(
    "part",
    [
        "version",
        "digest",
        "hash_types",
        "stale_reasons",
        "find",
        "within",
        "count",
        "match_picture",
    ],
)
@pytest.mark.parametrize("error", [RuntimeError("gone"), OSError(5, "I/O error"), MemoryError()])
def test_a_list_that_fails_is_never_no_match(part: str, error: Exception) -> None:
    good = FakeList("good", [record_of(OTHER, "1", "md5", "pdq")])
    bad = FakeList("bad", [record_of(KNOWN, "2", "md5", "pdq")])
    bad.broken[part] = error
    policy = ListPolicy(views=True)
    result = screened([good, bad], KNOWN, policy)
    assert result.outcome in (Outcome.MATCH, Outcome.ERROR)
    assert any(one.list_name == "bad" and one.step == "list" for one in result.failures)
    assert type(error).__name__ in {one.error for one in result.failures}
    other = screened([good, bad], picture(9), policy)
    assert other.outcome is (Outcome.NO_MATCH if part == "count" else Outcome.ERROR)
    assert screened([good, bad], OTHER, policy).outcome is Outcome.MATCH
    assert result.told != "accepted"


def test_a_closed_list_is_an_error(tmp_path: Path) -> None:
    hash_list = list_of("real", tmp_path, "a", [record_of(OTHER, "1", "pdq")])
    screener = Screener([hash_list])
    assert screener.screen(KNOWN).outcome is Outcome.NO_MATCH
    hash_list.close()
    result = screener.screen(KNOWN)
    assert result.outcome is Outcome.ERROR
    assert "closed" in result.failures[0].reason


def test_a_negative_list_that_fails_suppresses_nothing() -> None:
    lists = {
        "a": FakeList("a", [record_of(KNOWN, "1", "pdq")]),
        "n": FakeList("n", [record_of(KNOWN, "2", "pdq")]),
    }
    lists["n"].broken["within"] = RuntimeError("gone")
    policy = Policy({"a": ListPolicy(negative=("n",)), "n": ListPolicy(role="negative")})
    assert Screener(lists, policy).screen(KNOWN).outcome is Outcome.MATCH
    assert Screener(lists, policy).screen(OTHER).outcome is Outcome.ERROR


UNDECODABLE: dict[str, bytes] = {
    "rubbish": b"\x00\x01\x02" * 100,
    "text": b"hello",
    "a cut PNG": KNOWN[: len(KNOWN) // 2],
    "a cut JPEG": picture(1, format="JPEG")[:2000],
    "empty": b"",
}


@pytest.mark.parametrize("name", UNDECODABLE)
def test_undecodable(make: Any, name: str) -> None:
    data = UNDECODABLE[name]
    lists = [make("a", record_of(KNOWN, "1", "pdq"), Record("s", "2", {"md5": "ab" * 16}))]
    result = screened(lists, data, media="image")
    assert result.outcome is Outcome.UNDECODABLE, result.text()
    assert result.failures[0].undecodable
    assert screened(lists, data).outcome in (Outcome.UNDECODABLE, Outcome.ERROR)
    if data:
        listed = [make("b", record_of(data, "3", "md5"), record_of(KNOWN, "1", "pdq"))]
        matched = screened(listed, data)
        assert matched.outcome is Outcome.MATCH
        assert matched.failures


def test_too_large_is_undecodable_after_its_digests(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(KNOWN)
    lists = [make("a", record_of(KNOWN, "1", "sha512"), record_of(OTHER, "2", "pdq"))]
    small = fp.Limits(max_nbytes=1000)
    for source in (KNOWN, path, io.BytesIO(KNOWN), _Pipe(KNOWN)):
        result = Screener(lists, limits=small).screen(source)  # type: ignore[arg-type]
        assert result.outcome is Outcome.MATCH, result.text()
        assert result.failures[0].error == "LimitExceededError"
        unknown = Screener([lists[0]], limits=small).screen(OTHER)
        assert unknown.outcome is Outcome.UNDECODABLE
    pixels = Screener(lists, limits=fp.Limits(max_pixels=100)).screen(OTHER)
    assert pixels.outcome is Outcome.UNDECODABLE


class _Pipe:
    """A file that can be read but once."""

    def __init__(self, data: bytes, fails: bool = False) -> None:
        self._file = io.BytesIO(data)
        self._fails = fails

    def read(self, size: int = -1) -> bytes:
        if self._fails and self._file.tell() > 5000:
            raise OSError(5, "Input/output error")
        return self._file.read(min(size, 3000) if size > 0 else size)


def test_pipes(make: Any) -> None:
    lists = [make("a", record_of(KNOWN, "1", "md5", "pdq"))]
    assert len(KNOWN) > 5000
    result = screened(lists, _Pipe(KNOWN))
    assert [one.algorithm for one in result.matches] == ["md5", "pdq"]
    failed = screened(lists, _Pipe(KNOWN, fails=True))
    assert failed.outcome is Outcome.ERROR
    assert failed.failures[0].step == "read"


@pytest.mark.parametrize("source", ["/no/such/file", "/tmp", 17, None, io.StringIO("text")])  # noqa: S108
def test_what_cannot_be_read_is_an_error(make: Any, source: Any) -> None:
    result = screened([make("a", record_of(KNOWN, "1", "md5"))], source)
    assert result.outcome is Outcome.ERROR
    assert result.failures[0].step == "read"


@pytest.mark.parametrize("where", ["decode", "digest", "hash"])
@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("broken"), ValueError("odd")])
def test_anything_else_is_an_error(
    monkeypatch: pytest.MonkeyPatch, where: str, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    lists = [FakeList("a", [record_of(OTHER, "1", "md5", "pdq", "phash")])]
    if where == "decode":
        monkeypatch.setattr(media, "decode", fail)
    elif where == "digest":
        monkeypatch.setattr(Upload, "digests", fail)
    else:
        monkeypatch.setattr(type(fp.get_algorithm("phash")), "hash_pixels", fail)
    result = screened(lists, KNOWN)
    assert result.outcome is Outcome.ERROR
    assert result.failures[0].error == type(error).__name__
    if where != "hash":  # What did not fail is still looked up.
        assert screened(lists, OTHER).outcome is Outcome.MATCH


LISTED = record_of(KNOWN, "1", "md5", "pdq")
STARTS = [KNOWN[:64], picture(1, format="JPEG")[:300], b"GIF89a", b"RIFF\0\0\0\0WEBP"]
WHOLE = [picture(5, format=form) for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")]


@given(st.data())
def test_damaged_files_are_no_match_only_if_they_decode(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    upload = bytes(whole[: data.draw(st.integers(0, len(whole)) | st.just(len(whole)))])
    upload = data.draw(st.just(upload) | st.sampled_from(STARTS).map(lambda start: start + upload))
    result = screened([FakeList("a", [LISTED])], upload)
    try:
        quality = fp.hash_image(upload).quality or 0
    except fp.FingerprintError:
        assert result.outcome is Outcome.UNDECODABLE, result.text()
    else:
        wanted = Outcome.NO_MATCH if quality >= 50 else Outcome.LOW_QUALITY
        # Later frames of animations may be damaged where the first is not.
        assert result.outcome in (wanted, Outcome.UNDECODABLE), result.text()


def test_changes_of_a_list_meanwhile_lose_no_match(tmp_path: Path) -> None:
    hash_list = list_of("real", tmp_path, "a", [record_of(KNOWN, "stays", "pdq", "md5")])
    screener = Screener([hash_list])
    stop = threading.Event()
    found: list[ScreeningResult] = []

    def screen() -> None:
        while not stop.is_set():
            found.append(screener.screen(KNOWN))

    threads = [threading.Thread(target=screen) for _ in range(2)]
    with hash_list:
        for one in threads:
            one.start()
        for n in range(6):
            hash_list.add([record_of(picture(4), f"r{n}", "pdq", "md5")], by="me")
            hash_list.retract("us", f"r{n}", by="me")
        stop.set()
        for one in threads:
            one.join()
    assert len(found) > 4
    for result in found:
        assert {(e.record_id, e.algorithm) for e in result.matches} == {
            ("stays", "pdq"),
            ("stays", "md5"),
        }, result.text()
        assert not result.failures


def test_interrupts_are_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(media, "decode", interrupt)
    with pytest.raises(KeyboardInterrupt):
        screened([FakeList("a", [record_of(OTHER, "1", "pdq")])], KNOWN)


def test_a_list_with_nothing_to_compare_is_no_no_match(make: Any) -> None:
    frames = "0,100," + fp.hash_image(OTHER).hex + ",0.000\n"
    videos = make("videos", Record("us", "1", {"vpdq": frames}))
    result = screened([videos], KNOWN)
    assert result.outcome is Outcome.ERROR
    assert "nothing to compare images with" in result.lists["videos"].notes[0]
    pictures = make("pictures", record_of(OTHER, "2", "pdq"))
    assert screened([videos, pictures], KNOWN).outcome is Outcome.NO_MATCH
    empty = make("empty")
    never_filled = empty.version == 0
    outcome = screened([empty], KNOWN).outcome
    assert outcome is (Outcome.ERROR if never_filled else Outcome.NO_MATCH)


def test_a_type_that_the_list_has_not_is_a_note(make: Any) -> None:
    result = screened(
        [make("a", record_of(OTHER, "1", "pdq", "sha1"))],
        KNOWN,
        ListPolicy(algorithms=("pdq", "md5")),
    )
    assert result.outcome is Outcome.NO_MATCH
    assert result.lists["a"].notes == (
        "it has no hashes of md5",
        "its policy does not ask for sha1",
    )


def test_lists_and_policies_must_fit() -> None:
    a = FakeList("a")
    with pytest.raises(PolicyError, match=r"lists\.b: expected a list of this name"):
        Screener([a], Policy({"b": ListPolicy()}))
    with pytest.raises(PolicyError, match="no default"):
        Screener([a], Policy(default=None))
    with pytest.raises(ValueError, match="twice"):
        Screener([a, FakeList("a")])
    with pytest.raises(ValueError, match="at least one list"):
        Screener([])
    with pytest.raises(ValueError, match="media: expected"):
        Screener([a]).screen(KNOWN, media="picture")  # type: ignore[arg-type]


def test_an_audit_log_that_fails_is_an_error(tmp_path: Path) -> None:
    lists = [FakeList("a", [record_of(KNOWN, "1", "pdq")])]
    log = AuditLog.open(tmp_path / "audit.jsonl", bytes(32))
    log.close()
    screener = Screener(lists, audit=log)
    unknown, known = screener.screen(OTHER), screener.screen(KNOWN)
    assert (unknown.outcome, known.outcome) == (Outcome.ERROR, Outcome.MATCH)
    assert unknown.told == "not screened"
    assert unknown.failures[-1].step == known.failures[-1].step == "audit"


# Who is told what


def test_the_uploader_learns_nothing_but_a_sentence(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hash_list = make("secret-list", record_of(KNOWN, "record-17", "pdq", "md5", category="A1"))
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    screener = Screener([hash_list])
    results = [screener.screen(KNOWN) for _ in range(2)]
    for result in results:
        shown = result.redacted()
        assert shown == {"reference": result.reference, "status": "held for review"}
        assert len(result.reference) == 16
    assert results[0].reference != results[1].reference
    assert Screener([hash_list]).screen(OTHER).redacted()["status"] == "accepted"
    assert Screener([hash_list]).screen(b"junk").redacted()["status"] == "not screened"
    hashes = list(record_of(KNOWN, "x", "md5", "pdq").hashes.values())
    for secret in ("record-17", "secret-list", "A1", *hashes):
        assert secret not in str(results[0].redacted())
        assert secret not in repr(results[0])
        assert secret not in caplog.text
    for value in hashes:
        assert value not in json.dumps(results[0].full())
        assert value not in results[0].text()
        assert value not in repr(results[0].evidence)


def test_the_same_sentence_for_all() -> None:
    same = UploaderPolicy(dict.fromkeys(Outcome.__members__, "received"))
    lists = [FakeList("a", [record_of(KNOWN, "1", "pdq")])]
    screener = Screener(lists, Policy(uploader=same))
    told = {screener.screen(one).redacted()["status"] for one in (KNOWN, OTHER, b"junk")}
    assert told == {"received"}


def _same(a: ScreeningResult, b: ScreeningResult) -> bool:
    def told(one: ScreeningResult) -> dict[str, Any]:
        values = one.to_dict()
        for name in ("reference", "screened_at", "timings_ms"):
            del values[name]
        return values

    return told(a) == told(b)


@pytest.mark.parametrize("workers", [1, 3])
def test_many_are_as_one_by_one_and_in_order(make: Any, workers: int, tmp_path: Path) -> None:
    hash_list = make("a", *(record_of(picture(n), str(n), "pdq", "md5") for n in range(0, 12, 2)))
    sources: list[Any] = [picture(n) for n in range(12)]
    sources[3] = b"junk"
    sources[5] = "/no/such/file"
    sources[7] = None
    sources.append(sources[0])
    done: list[int] = []
    alone = [Screener([hash_list]).screen(one) for one in sources]
    with AuditLog.open(tmp_path / "audit.jsonl", bytes(32)) as log:
        screener = Screener([hash_list], audit=log)
        stream = screener.screen_many(iter(sources), workers=workers, progress=done.append)
        many = list(stream)
    assert len(many) == len(sources)
    assert all(_same(a, b) for a, b in zip(alone, many, strict=True))
    assert done == list(range(1, len(sources) + 1))
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [one["reference"] for one in lines[1:]] == [one.reference for one in many]
    assert [one.outcome for one in many[:8:2]] == [Outcome.MATCH] * 4
    assert {many[n].outcome for n in (5, 7)} == {Outcome.ERROR}


def test_many_can_be_left_early() -> None:
    asked: list[int] = []

    def sources() -> Iterator[bytes]:
        for n in range(1000):
            asked.append(n)
            yield KNOWN

    screener = Screener([FakeList("a", [record_of(KNOWN, "1", "pdq")])])
    with screener.screen_many(sources(), workers=2) as stream:
        assert next(stream).outcome is Outcome.MATCH
    assert len(asked) < 20

    def refuse(done: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        list(screener.screen_many([KNOWN] * 50, workers=2, progress=refuse))
    with pytest.raises(TypeError, match="iterable of sources"):
        screener.screen_many(KNOWN)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="workers"):
        screener.screen_many([KNOWN], workers=0)
