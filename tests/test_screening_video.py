"""Videos: told by content, read once, compared by vPDQ, TMK+PDQF, digests and single frames."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fingerprint as fp
from fingerprint.lists import Record
from fingerprint.screening import (
    ListPolicy,
    Outcome,
    Policy,
    Screener,
    TmkPolicy,
    VideoPolicy,
    VpdqPolicy,
)
from fingerprint.screening.digests import DIGEST_TYPES, DigestedFile, digests_of
from fingerprint.screening.media_kind import may_move, sort_of
from fingerprint.video import hash_tmk, hash_video, vpdq_match, write_vpdq_text
from tests.fake_list import FakeList
from tests.screening_lists import KINDS, list_maker, picture, record_of, screened
from tests.video_files import FIXTURES, Bad, NoSeek, long_video, pictures, raw

SIZE = (160, 120)
FRAMES = pictures(21, 150, SIZE)
CLIP = raw(FRAMES, "yuv420p", "mp4", codec="libx264", rate=30)
PART = raw(FRAMES[60:], "yuv420p", "mp4", codec="libx264", rate=30)
OTHER = raw(pictures(22, 90, SIZE), "yuv420p", "matroska", codec="libx264", rate=30)


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with list_maker(request.param, tmp_path) as made:
        yield made


def vpdq_of(data: Any, **options: Any) -> str:
    return write_vpdq_text(hash_video(data, sample="vpdq:1", trim=False, **options))


def test_a_video_matches_by_its_frames(make: Any) -> None:
    listed = make(
        "a",
        Record("us", "clip", {"vpdq": vpdq_of(CLIP)}, media="video", category="B1"),
        Record("us", "other", {"vpdq": vpdq_of(OTHER)}),
    )
    result = screened([listed], CLIP)
    (one,) = result.matches
    assert result.media == "video"
    assert (one.record_id, one.category, one.algorithm) == ("clip", "B1", "vpdq")
    assert (one.distance, one.radius) == (None, 31)
    assert one.video is not None
    assert one.video.query_percent == one.video.reference_percent == 100
    assert one.video.matched_s == pytest.approx(5.0, abs=0.1)
    ((start_s, end_s),) = one.video.spans_s
    assert start_s == 0.0
    assert end_s == pytest.approx(5.0, abs=0.1)
    assert "100.0 % of the upload's frames" in result.text()
    assert screened([listed], raw(pictures(23, 60, SIZE))).outcome is Outcome.NO_MATCH


@pytest.mark.parametrize("rule", ["python", "readme", "cpp"])
def test_thresholds_are_those_of_vpdq_match(make: Any, rule: str) -> None:
    listed = make("a", Record("us", "clip", {"vpdq": vpdq_of(CLIP)}))
    for percent in (None, 0.0, 50.0, 100.0):
        policy = VpdqPolicy(rule=rule, query_percent=percent, reference_percent=percent)
        expected = vpdq_match(
            hash_video(PART, sample="vpdq:1"),
            hash_video(CLIP, sample="vpdq:1"),
            rule=rule,
            query_percent=percent,
            reference_percent=percent,
        )
        result = screened([listed], PART, ListPolicy(vpdq=policy))
        assert (result.outcome is Outcome.MATCH) == expected.is_match
        for one in result.matches:
            assert one.video is not None
            assert one.video.query_percent == expected.query_percent
            assert one.video.reference_percent == expected.reference_percent


def test_digests_of_videos(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "upload.jpg"  # Names say nothing.
    path.write_bytes(CLIP)
    sums = digests_of(CLIP, DIGEST_TYPES)
    listed = make(
        "a",
        *(Record("us", name, {name: value}) for name, value in sums.items()),
        Record("us", "frames", {"vpdq": vpdq_of(CLIP)}),
    )
    for source in (path, CLIP, io.BytesIO(CLIP), path.open("rb"), bytearray(CLIP)):
        result = screened([listed], source)
        assert {one.record_id for one in result.matches} == {*DIGEST_TYPES, "frames"}, source
        if hasattr(source, "close"):
            source.close()
    digests = make("b", Record("us", "1", {"sha512": sums["sha512"]}))
    assert screened([digests], CLIP).outcome is Outcome.MATCH, "without decoding"
    pipe = screened([listed], NoSeek(raw(FRAMES[:60], "yuv420p", "matroska", codec="libx264")))
    assert pipe.outcome in (Outcome.MATCH, Outcome.NO_MATCH)
    assert any("can be read only once" in note for note in pipe.lists["a"].notes)


@pytest.mark.parametrize("turn", ["90", "180", "270"])
def test_turned_videos_are_looked_up_both_ways(make: Any, turn: str, tmp_path: Path) -> None:
    path = FIXTURES / f"rotated-{turn}.mp4"
    low = VpdqPolicy(min_quality=0)
    upright, stored = vpdq_of(path), vpdq_of(path, orientation="stored")
    listed = make(
        "a", Record("us", "upright", {"vpdq": upright}), Record("us", "stored", {"vpdq": stored})
    )
    with path.open("rb") as file:
        for source in (path, path.read_bytes(), file):
            both = screened([listed], source, ListPolicy(vpdq=low))
            assert {(e.record_id, e.orientation) for e in both.matches} == {
                ("upright", "upright"),
                ("stored", "stored"),
            }
    orientations: tuple[Any, ...] = ("upright", "stored")
    for name in orientations:
        policy = ListPolicy(vpdq=low, orientation=name)
        assert {e.record_id for e in screened([listed], path, policy).matches} == {name}


def test_mirrored_videos_need_views(make: Any) -> None:
    frames = pictures(25, 60, (640, 480))  # PDQ's mirrored hashes of small ones are far off.
    clip = raw(frames, "yuv420p", "mp4", codec="libx264")
    mirrored = raw([one[:, ::-1].copy() for one in frames], "yuv420p", "mp4", codec="libx264")
    listed = make("a", Record("us", "clip", {"vpdq": vpdq_of(clip)}))
    assert screened([listed], mirrored).outcome is Outcome.NO_MATCH
    result = screened([listed], mirrored, ListPolicy(views=True))
    assert [(one.transform, one.views_asked) for one in result.matches] == [("flip_y", 2)]


def test_frames_among_pictures(make: Any) -> None:
    frame = Image.fromarray(FRAMES[90])
    listed = make("a", Record("us", "still", {"pdq": fp.hash_image(frame).hex}))
    assert screened([listed], CLIP).outcome is Outcome.ERROR, "nothing was compared"
    result = screened([listed], CLIP, ListPolicy(video_frames=True))
    (one,) = result.matches
    assert one.algorithm == "pdq"
    assert one.transform.startswith("frame@")
    assert (one.distance or 0) <= 31
    assert one.views_asked == len(set(hash_video(CLIP, sample="vpdq:1").hashes))
    assert one.probability is not None


def test_tmk(make: Any) -> None:
    feature = hash_tmk(CLIP)
    value = base64.b64encode(feature.to_bytes()).decode()
    other = base64.b64encode(hash_tmk(OTHER).to_bytes()).decode()
    listed = make(
        "a", Record("us", "clip", {"tmk_pdqf": value}), Record("us", "other", {"tmk_pdqf": other})
    )
    screener = Screener([listed], Policy(default=ListPolicy(tmk=TmkPolicy(0.9, 0.9))))
    for source in (CLIP, io.BytesIO(CLIP)):
        result = screener.screen(source)
        (one,) = result.matches
        assert (one.record_id, one.algorithm) == ("clip", "tmk_pdqf")
        assert one.video is not None
        assert one.video.level1 == pytest.approx(1.0, abs=1e-5)
        assert one.video.level2 == pytest.approx(1.0, abs=1e-3)
    listed.suspend("us", "clip", by="me", reason="fault")
    assert screener.screen(CLIP).outcome is Outcome.NO_MATCH


def test_vpdq_and_tmk_read_a_file_object_twice(make: Any) -> None:
    value = base64.b64encode(hash_tmk(CLIP).to_bytes()).decode()
    hashes = {"vpdq": vpdq_of(CLIP), "tmk_pdqf": value, "md5": digests_of(CLIP, ["md5"])["md5"]}
    listed = make("a", Record("us", "clip", hashes))
    result = screened([listed], io.BytesIO(CLIP), ListPolicy(min_independent_hashes=2))
    assert {one.algorithm for one in result.matches} == {"md5", "vpdq", "tmk_pdqf"}
    assert {one.independent_hashes for one in result.matches} == {2}, "PDQ's are one"


def test_dark_videos_are_low_quality(make: Any) -> None:
    listed = make("a", Record("us", "clip", {"vpdq": vpdq_of(CLIP)}))
    assert screened([listed], FIXTURES / "black.mp4").outcome is Outcome.LOW_QUALITY


def test_broken_videos_are_undecodable_and_what_is_whole_still_matches(make: Any) -> None:
    listed = make("a", Record("us", "clip", {"vpdq": vpdq_of(OTHER)}))
    for name in (
        "broken-tail.mkv",
        "broken-tail.mp4",
        "garbage.mp4",
        "empty.mp4",
        "sound-only.mp4",
    ):
        result = screened([listed], FIXTURES / name)
        assert result.outcome in (Outcome.UNDECODABLE, Outcome.ERROR), (name, result.text())
        assert any(one.undecodable for one in result.failures), name
    garbage = (FIXTURES / "garbage.mp4").read_bytes()
    known = make("b", record_of(garbage, "1", "sha1"), Record("us", "v", {"vpdq": vpdq_of(OTHER)}))
    assert screened([known], FIXTURES / "garbage.mp4").outcome is Outcome.MATCH
    cut = OTHER[: len(OTHER) * 2 // 3]
    found = screened([listed], cut)
    assert found.outcome is Outcome.MATCH
    assert any(one.undecodable for one in found.failures)


def test_a_file_that_cannot_be_read_on_is_an_error_or_undecodable(make: Any) -> None:
    listed = make("a", Record("us", "1", {"vpdq": vpdq_of(OTHER), "md5": "ab" * 16}))

    def fail(data: bytes) -> bytes:
        raise OSError(5, "Input/output error")

    result = screened([listed], Bad(CLIP, 9000, fail))
    assert result.outcome is Outcome.ERROR, result.text()


@pytest.mark.parametrize("part", ["frames_within", "get", "find"])
def test_lists_that_fail(part: str) -> None:
    value = base64.b64encode(hash_tmk(CLIP).to_bytes()).decode()
    record = Record("us", "1", {"vpdq": vpdq_of(CLIP), "tmk_pdqf": value})
    hash_list = FakeList("a", [record, Record("us", "2", {"md5": "ab" * 16})])
    hash_list.broken[part] = RuntimeError("gone")
    result = screened([hash_list], CLIP)
    assert result.outcome in (Outcome.MATCH, Outcome.ERROR)
    assert result.failures
    hash_list.broken = {"frames_within": RuntimeError("gone"), "records_with": OSError("gone")}
    assert screened([hash_list], OTHER).outcome is Outcome.ERROR


def test_a_retraction_between_two_looks_is_no_failure() -> None:
    class Retracting(FakeList):
        def frames_within(self, hashes: Any, radius: int) -> Any:
            found = super().frames_within(hashes, radius)
            self._records.clear()
            return found

    hash_list = Retracting("a", [Record("us", "1", {"vpdq": vpdq_of(CLIP)})])
    result = screened([hash_list], CLIP)
    assert (result.outcome, result.failures) == (Outcome.NO_MATCH, ())


def test_large_videos_are_not_read_whole(make: Any) -> None:
    class Counting(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            type(self).largest = max(
                self.largest, len(self.getbuffer()) if size in (-1, None) else size or 0
            )
            return super().read(size)

    listed = make("a", Record("us", "1", {"md5": digests_of(CLIP, ["md5"])["md5"]}))
    big = CLIP + b"\0" * (5 << 20)
    assert screened([listed], Counting(big)).outcome is Outcome.NO_MATCH
    assert Counting.largest <= 1 << 20
    small = fp.VideoLimits(max_nbytes=1 << 20)
    over = screened([listed], big, video_limits=small)
    assert over.outcome is Outcome.UNDECODABLE, "its digest is not known"


def test_videos_and_pictures_are_told_apart_by_content() -> None:
    assert sort_of(picture(1)[:64]) == "image"
    for name in FIXTURES.glob("*.*"):
        if name.suffix in {".mp4", ".mkv", ".ts", ".webm", ".avi", ".mpg", ".gif"}:
            wanted = "image" if name.suffix == ".gif" else "video"
            found = sort_of(name.read_bytes()[:4096])
            if name.stem not in {"garbage", "empty", "playlist", "script"}:
                assert found == wanted, name
    for form in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"):
        data = picture(1, format=form)
        assert sort_of(data[:4096]) == "image", form
        assert may_move(data) == (form in {"GIF", "TIFF"}), form
    assert sort_of(b"hello") is None
    assert sort_of(b"") is None


def test_what_nobody_knows_is_undecodable(make: Any) -> None:
    pictures_only = make("a", record_of(picture(1), "1", "pdq", "md5"))
    videos_only = make("b", Record("us", "1", {"vpdq": vpdq_of(CLIP)}))
    for lists in ([pictures_only], [videos_only], [pictures_only, videos_only]):
        assert screened(lists, b"\x00\x99 nothing" * 50).outcome is Outcome.UNDECODABLE
    assert screened([pictures_only], CLIP).outcome is Outcome.NO_MATCH, "its digest was asked"


@pytest.mark.parametrize("animations", ["all", "first"])
def test_animated_gifs_are_pictures(make: Any, animations: Any) -> None:
    listed = make("a", record_of(picture(1), "1", "pdq"))
    policy = Policy(video=VideoPolicy(animations=animations))
    result = Screener([listed], policy).screen(FIXTURES / "animation.gif")
    assert result.media == "image"
    assert result.outcome in (Outcome.NO_MATCH, Outcome.LOW_QUALITY)


def test_digests_of_a_file_that_is_read_in_pieces_out_of_order() -> None:
    data = np.random.default_rng(1).bytes(100_000)
    expected = hashlib.sha256(data).hexdigest()
    rng = np.random.default_rng(2)
    for _ in range(20):
        file = DigestedFile(io.BytesIO(b"skipped" + data), "x", ["sha256"], max_nbytes=1 << 20)
        file._file.seek(7)
        file = DigestedFile(file._file, "x", ["sha256"], max_nbytes=1 << 20)
        for _ in range(rng.integers(0, 12)):
            place = int(rng.integers(0, 100_000))
            assert file.seek(place) == place
            size = int(rng.integers(0, 40_000))
            assert file.read(size) == data[place : place + size]
        assert file.digests() == {"sha256": expected}
        assert file.digests() == {"sha256": expected}
    pipe = DigestedFile(NoSeek(data[50:]), "x", ["sha256"], head=data[:50], max_nbytes=1 << 20)  # type: ignore[arg-type]
    assert not hasattr(pipe, "seek")
    assert pipe.read(70) == data[:50]
    assert pipe.digests() == {"sha256": expected}


def test_a_long_video_has_spans(make: Any) -> None:
    data = long_video(600)
    listed = make("a", Record("us", "1", {"vpdq": vpdq_of(data)}))
    (one,) = screened([listed], data).matches
    assert one.video is not None
    assert one.video.matched_s == pytest.approx(20.0, abs=1.5)
