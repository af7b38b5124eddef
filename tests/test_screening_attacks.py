"""What uploaders, templates, floods and forks tried on screening, and must not get by with."""

from __future__ import annotations

import io
import os
import signal
import struct
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import fingerprint as fp
from fingerprint.errors import AuditError, ExchangeProtocolError
from fingerprint.lists import Record
from fingerprint.lists.exchange import Credentials
from fingerprint.lists.exchange.transport import Transport
from fingerprint.screening import (
    AuditLog,
    FloodPolicy,
    ListPolicy,
    Outcome,
    Policy,
    Screener,
    verify_audit,
)
from fingerprint.screening.media_kind import later_jpegs, may_move, may_show_through, sort_of
from tests.command_line import photo_like
from tests.fake_list import FakeList, bits_apart
from tests.screening_lists import KINDS, flat_picture, list_maker, picture, record_of, turned_bits

KNOWN, INNOCENT = picture(1), picture(2)
KEY = bytes(32)


def encoded(images: list[Image.Image], form: str) -> bytes:
    out = io.BytesIO()
    first, *others = [one.convert("RGB") for one in images]
    first.save(out, form, save_all=True, append_images=others)
    return out.getvalue()


# Pictures that pass for something else


def test_the_second_picture_of_an_mpo_is_looked_up() -> None:
    lists = [FakeList("a", [record_of(KNOWN, "1", "pdq", "md5")])]
    upload = encoded([photo_like(2), photo_like(1)], "MPO")
    assert may_move(upload)
    assert may_move(memoryview(upload))
    assert not may_move(picture(2, format="JPEG"))
    result = Screener(lists).screen(upload)
    assert result.outcome is Outcome.MATCH, result.text()
    assert [one.transform for one in result.matches] == ["frame_2"]
    other = encoded([photo_like(2), photo_like(3)], "MPO")
    assert Screener(lists).screen(other).outcome is Outcome.NO_MATCH
    cut = Screener(lists).screen(upload[: len(upload) - 400])
    assert cut.outcome is Outcome.UNDECODABLE, cut.text()


MPO = encoded([photo_like(2), photo_like(3)], "MPO")
INDEX = MPO.index(b"MPF\0")


@given(
    st.lists(st.tuples(st.integers(-4, 90), st.integers(0, 255)), max_size=6),
    st.none() | st.integers(INDEX, len(MPO)),
)
def test_an_index_of_pictures_that_is_damaged_is_no_error(
    changes: list[tuple[int, int]], end: int | None
) -> None:
    upload = bytearray(MPO)
    for place, value in changes:
        upload[INDEX + place] = value
    del upload[end if end is not None else len(upload) :]
    with suppress(ValueError):
        assert all(0 < start < len(upload) for start in later_jpegs(upload))
    result = Screener([FakeList("a", [record_of(KNOWN, "1", "pdq")])]).screen(bytes(upload))
    assert result.outcome in (Outcome.NO_MATCH, Outcome.UNDECODABLE), result.text()


def ftyp(major: bytes, *others: bytes, long: bool = False) -> bytes:
    brands = major + bytes(4) + b"".join(others)
    if long:
        return struct.pack(">I4sQ", 1, b"ftyp", 16 + len(brands)) + brands
    return struct.pack(">I4s", 8 + len(brands), b"ftyp") + brands


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (ftyp(b"avif"), "image"),
        (ftyp(b"isom", b"iso8", b"avif"), "image"),
        (ftyp(b"mp42", b"mif1", long=True), "image"),
        (ftyp(b"qt  ", b"qt  "), "video"),
        (ftyp(b"isom", b"iso2", b"avc1", b"mp41"), "video"),
        (ftyp(b"isom", b"iso2") + b"avif", "video"),
        (b"\x00\x00\x01\x00\x01\x00\x10\x10", "image"),
        (b"\x00\x00\x02\x00\x01\x00\x10\x10", "image"),
        (b"\x00\x00\x01\xba\x44\x00", "video"),
        (b"\x00\x00\x01\xb3\x44\x00", "video"),
        (b"\x00\x00\x00\x01\x67", "video"),
    ],
)
def test_a_picture_is_no_video_by_its_first_brand(head: bytes, wanted: str) -> None:
    assert sort_of(head + bytes(300)) == wanted


def test_a_picture_that_cannot_be_decoded_is_no_video_without_a_match() -> None:
    """The list has digests, so that something is asked; it is not all that should be."""
    lists = [FakeList("a", [record_of(KNOWN, "1", "pdq", "md5")])]
    image = photo_like(1).convert("RGB")
    icon, still = io.BytesIO(), io.BytesIO()
    image.resize((256, 256)).save(icon, "ICO", sizes=[(256, 256)])
    image.save(still, "AVIF")
    renamed = still.getvalue()[:8] + b"isom" + still.getvalue()[12:]
    for upload in (icon.getvalue(), renamed):
        result = Screener(lists).screen(upload)
        assert result.outcome is Outcome.UNDECODABLE, result.text()


def test_types_that_a_video_is_not_compared_by_are_noted(tmp_path: Path) -> None:
    lists = [FakeList("a", [record_of(KNOWN, "1", "pdq", "md5")])]
    result = Screener(lists).screen(b"FLV" + bytes(1000))
    assert result.lists["a"].notes == ("videos are not compared with its pdq",)


# Negative lists


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["WEBP", "PNG", "TIFF", "MPO"])
def test_an_innocent_frame_suppresses_no_other(tmp_path: Path, kind: str, form: str) -> None:
    policy = Policy({"a": ListPolicy(negative=("n",)), "n": ListPolicy(role="negative")})
    with list_maker(kind, tmp_path) as make:
        lists = {
            "a": make("a", record_of(KNOWN, "1", "pdq"), record_of(INNOCENT, "2", "pdq")),
            "n": make("n", record_of(INNOCENT, "3", "pdq")),
        }
        screener = Screener(lists, policy)
        frames = [photo_like(seed) for seed in (2, 3, 1)]
        result = screener.screen(encoded(frames, form))
        assert result.outcome is Outcome.MATCH, result.text()
        assert [one.record_id for one in result.matches] == ["1"]
        assert [(one.record_id, one.why_not) for one in result.evidence[1:]] == [
            ("2", ("negative",))
        ]
        behind = screener.screen(encoded(frames[::-1], form))
        assert [one.record_id for one in behind.matches] == ["1"]
        alone = screener.screen(encoded(frames[:2], form))
        assert alone.outcome is Outcome.NO_MATCH, alone.text()
        assert screener.screen(INNOCENT).outcome is Outcome.NO_MATCH


def test_a_record_near_two_frames_is_suppressed_only_if_both_are() -> None:
    """The nearer of both frames is the innocent's; the other one counts all the same."""
    hashes = [fp.hash_image(data) for data in (KNOWN, INNOCENT)]
    apart = bits_apart(hashes[0].hex, hashes[1].hex)
    listed = FakeList("a", [Record("us", "1", {"pdq": turned_bits(hashes[1].hex, 3)})])
    negative = FakeList("n", [record_of(INNOCENT, "2", "pdq")])
    policy = Policy(
        {
            "a": ListPolicy(radius={"pdq": min(256, apart + 3)}, negative=("n",)),
            "n": ListPolicy(role="negative", radius={"pdq": 10}),
        }
    )
    upload = encoded([photo_like(2), photo_like(1)], "PNG")
    result = Screener({"a": listed, "n": negative}, policy).screen(upload)
    assert result.outcome is Outcome.MATCH, result.text()
    assert [one.transform for one in result.evidence] == ["frame_2"]


# Transparency


def of_two_faces(on_white: Image.Image, on_black: Image.Image) -> Image.Image:
    """A picture that is one on a white page, and the other one on a black page."""
    bright, dark = (np.asarray(one.convert("L")) / 510 for one in (on_white, on_black))
    alpha = 1 - (bright + 0.5 - dark)
    grey = np.where(alpha > 0, dark / np.maximum(alpha, 1e-6), 0).clip(0, 1)
    layers = np.dstack([grey, grey, grey, alpha])
    return Image.fromarray((layers * 255).round().astype(np.uint8), "RGBA")


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "image", "array"])
def test_what_shows_on_black_is_looked_up(form: str) -> None:
    image = of_two_faces(photo_like(2), photo_like(1))
    upload: bytes | Image.Image | np.ndarray = image
    if form == "array":
        upload = np.asarray(image)
    elif form != "image":
        out = io.BytesIO()
        image.save(out, form, **({"lossless": True} if form == "WEBP" else {}))
        upload = out.getvalue()
    for seed, reading in ((1, "on_black"), (2, "identity")):
        listed = record_of(picture(seed), "1", "pdq", "phash")
        result = Screener([FakeList("a", [listed])]).screen(upload)
        assert result.outcome is Outcome.MATCH, result.text()
        assert {one.transform for one in result.matches} == {reading}
    other = Screener([FakeList("a", [record_of(picture(3), "1", "pdq")])]).screen(upload)
    assert other.outcome is Outcome.NO_MATCH
    # An innocent on white says nothing of what shows on black.
    lists = {"a": FakeList("a", [record_of(KNOWN, "1", "pdq")])}
    lists["n"] = FakeList("n", [record_of(INNOCENT, "2", "pdq")])
    policy = Policy({"a": ListPolicy(negative=("n",)), "n": ListPolicy(role="negative")})
    assert Screener(lists, policy).screen(upload).outcome is Outcome.MATCH


def test_frames_that_show_on_black_are_looked_up() -> None:
    out = io.BytesIO()
    frames = [of_two_faces(photo_like(a), photo_like(b)) for a, b in ((2, 3), (4, 1))]
    frames[0].save(out, "TIFF", save_all=True, append_images=frames[1:])
    result = Screener([FakeList("a", [record_of(KNOWN, "1", "pdq")])]).screen(out.getvalue())
    assert [one.transform for one in result.matches] == ["frame_2_on_black"], result.text()


def test_a_hash_that_was_made_without_transparency_is_found() -> None:
    """Reference tools drop it, so lists hold what is under it."""
    known = photo_like(1).convert("RGBA")
    shade = Image.fromarray(
        np.tile(np.linspace(0, 255, known.width, dtype=np.uint8), (known.height, 1))
    )
    known.putalpha(shade.point(lambda value: 255 if value > 160 else 0))
    out = io.BytesIO()
    known.save(out, "PNG")
    result = Screener([FakeList("a", [record_of(KNOWN, "1", "pdq")])]).screen(out.getvalue())
    assert [one.transform for one in result.matches] == ["opaque"], result.text()


@pytest.mark.parametrize(
    ("form", "mode", "may"),
    [
        ("PNG", "RGB", False),
        ("PNG", "RGBA", True),
        ("PNG", "LA", True),
        ("WEBP", "RGB", False),
        ("WEBP", "RGBA", True),
        ("AVIF", "RGB", False),
        ("AVIF", "RGBA", True),
        ("BMP", "RGB", False),
        ("GIF", "P", True),
        ("TIFF", "RGBA", True),
        ("JPEG", "RGB", False),
    ],
)
def test_which_files_may_be_transparent(form: str, mode: str, may: bool) -> None:
    image = photo_like(1).convert(mode)
    if mode.endswith("A"):
        image.putalpha(100)
    out = io.BytesIO()
    image.save(out, form)
    assert may_show_through(out.getvalue()) is may
    assert may_show_through(memoryview(out.getvalue())) is may


def test_a_transparent_colour_counts_as_transparency() -> None:
    out = io.BytesIO()
    photo_like(1).convert("RGB").save(out, "PNG", transparency=(1, 2, 3))
    assert may_show_through(out.getvalue())


# Look-ups


def test_a_dull_upload_near_a_view_of_a_record_does_not_count() -> None:
    flat = flat_picture()
    dull = turned_bits(fp.hash_image(flat).hex, 3)
    views = {"rotate90": dull}
    record = Record("us", "1", {"pdq": fp.hash_image(KNOWN).hex}, views=views)
    result = Screener([FakeList("a", [record])]).screen(flat)
    assert result.outcome is Outcome.LOW_QUALITY, result.text()
    assert [one.why_not for one in result.evidence] == [("low_quality",)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_suspended_record_hides_no_later_view(tmp_path: Path, kind: str) -> None:
    """It is found as the whole picture; the known one is a quarter of the upload."""
    panel = photo_like(1).convert("RGB")
    width, height = panel.size
    sheet = photo_like(2).convert("RGB").resize((2 * width, 2 * height))
    sheet.paste(panel, (0, 0))
    uploads = []
    for n in range(4):
        sheet.putpixel((5 + n, 5), (n, n, n))
        uploads.append(encoded([sheet], "PNG"))
    degenerate = Record("us", "floods", {"pdq": turned_bits(fp.hash_image(uploads[0]).hex, 6)})
    known = record_of(encoded([panel], "PNG"), "known", "pdq")
    policy = Policy(
        default=ListPolicy(views=True),
        flood=FloodPolicy(max_matches=3, window=10, suspend=True),
    )
    with list_maker(kind, tmp_path) as make:
        screener = Screener([make("a", degenerate, known)], policy)
        screener.flood.note("", [("a", "us", "floods")])  # So it is one ahead.
        last = [screener.screen(one) for one in uploads[:3]][-1]
    assert screener.flood.suspended == {("a", "us", "floods")}
    assert last.outcome is Outcome.MATCH, last.text()
    assert [one.record_id for one in last.matches] == ["known"]


# Processes and files


def in_a_child(work: object) -> str:
    """Return what a forked process makes of a task; empty if it hangs."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        try:
            signal.alarm(20)
            os.write(writing, str(work()).encode())  # type: ignore[operator]
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as file:
        return file.read()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_screener_digests_in_threads_of_its_own(tmp_path: Path) -> None:
    """Servers that fork their workers: a thread of the parent is not there in the child."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    large = encoded([Image.fromarray(noise)], "PNG")
    assert len(large) > 256 * 1024
    with (
        Screener([FakeList("a", [record_of(large, "1", "md5", "pdq")])]) as screener,
        AuditLog.open(tmp_path / "log", KEY) as log,
    ):
        assert screener.screen(large).outcome is Outcome.MATCH
        assert in_a_child(lambda: screener.screen(large).outcome) == "MATCH"
        audited = Screener([FakeList("a", [record_of(KNOWN, "1", "pdq")])], audit=log)
        assert in_a_child(lambda: audited.screen(INNOCENT).outcome) == "ERROR"
        assert audited.screen(INNOCENT).outcome is Outcome.NO_MATCH
    assert verify_audit(tmp_path / "log", KEY).ok


@pytest.mark.parametrize("what", ["removed", "cut", "added to"])
def test_a_log_that_somebody_meddles_with_is_an_error(tmp_path: Path, what: str) -> None:
    path = tmp_path / "log"
    lists = [FakeList("a", [record_of(KNOWN, "1", "pdq")])]
    with AuditLog.open(path, KEY) as log:
        screener = Screener(lists, audit=log)
        assert screener.screen(INNOCENT).outcome is Outcome.NO_MATCH
        if what == "removed":
            path.unlink()
        elif what == "cut":
            os.truncate(path, path.stat().st_size - 1)
        else:
            with path.open("ab") as file:
                file.write(b"a line of somebody else\n")
        results = [screener.screen(one) for one in (INNOCENT, KNOWN)]
        assert [one.outcome for one in results] == [Outcome.ERROR, Outcome.MATCH]
        assert all(one.failures[-1].step == "audit" for one in results)
        with pytest.raises(AuditError, match="was"):
            log.append("reviewed", {})


def test_crashes_while_a_crash_is_mended(tmp_path: Path) -> None:
    """Each cuts the line that was to go on from the one before, as a full disk does."""
    path = tmp_path / "log"
    with AuditLog.open(path, KEY) as log:
        log.append("reviewed", {"n": 1})
    for n in range(2, 40, 3):
        os.truncate(path, path.stat().st_size - n)
        before = path.read_bytes()
        AuditLog.open(path, KEY).close()
        assert path.read_bytes().startswith(before), "nothing of it is written over"
    report = verify_audit(path, KEY)
    assert report.ok, report.problems
    assert report.recovered == len(range(2, 40, 3))
    lines = path.read_bytes().splitlines(keepends=True)
    for n in range(1, len(lines) - 1):
        path.write_bytes(b"".join(lines[:n] + lines[n + 1 :]))
        assert not verify_audit(path, KEY).ok, "a cut line is missing"
    path.write_bytes(b"".join([*lines, b"{rubbish\n", b"{more\n"]))
    assert verify_audit(path, KEY).problems == tuple(
        f"line {len(lines) + n}: is not an entry of an audit log" for n in (1, 2)
    )


def test_a_disk_that_stays_full_ends_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = [10**6]
    write = os.write

    def cut(file: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        done = write(file, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr(os, "write", cut)
    with AuditLog.open(tmp_path / "log", KEY) as log:
        log.append("reviewed", {"n": 0})
        for left in (30, 0, 1, 50, 70):
            room[0] = left
            with pytest.raises(AuditError, match="cannot be written"):
                log.append("reviewed", {"n": left})
        room[0] = 10**6
        log.append("reviewed", {"n": 1})
    report = verify_audit(tmp_path / "log", KEY)
    assert report.ok, report.problems
    text = (tmp_path / "log").read_text()
    assert [text.count(f'"n":{n},') for n in (0, 30, 50, 70, 1)] == [1, 0, 0, 0, 1]


@pytest.mark.parametrize("name", ["mac", "seq", "prev", "event", "time", "format"])
def test_an_entry_says_nothing_in_the_name_of_the_log(tmp_path: Path, name: str) -> None:
    with AuditLog.open(tmp_path / "log", KEY) as log:
        with pytest.raises(AuditError, match=f"names than the log's own, got '{name}'"):
            log.append("reviewed", {name: "0"})
        log.append("reviewed", {"note": "fine"})
    assert verify_audit(tmp_path / "log", KEY).ok


# Exchanges


@pytest.mark.parametrize(
    "headers",
    [
        {"Location": "https://HOST.test/page?access_token=Hidden%20Word"},
        {"Location": "https://hidden word.elsewhere.test/"},
        {"Location": "https://hidden%20word.elsewhere.test/"},
        {"Content-Encoding": "Hidden Word"},
    ],
)
def test_a_secret_that_an_exchange_sends_back_is_told_to_nobody(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Hosts and codings come back in small letters, and httpx logs every address it asks."""
    caplog.set_level("INFO")
    status = 302 if "Location" in headers else 200
    transport = Transport(
        "some",
        "https://host.test",
        Credentials({"token": "Hidden Word"}),
        transport=httpx.MockTransport(lambda _: httpx.Response(status, headers=headers)),
        sleep=lambda _: None,
    )
    with pytest.raises(ExchangeProtocolError) as caught:
        transport.get("page", transport.url("page"), bytes, headers={})
    with pytest.raises(ExchangeProtocolError, match="a link leads to") as led:
        transport.resolve("https://hidden%20word.elsewhere.test/")
    for told in (str(caught.value), str(led.value), caplog.text):
        assert "hidden" not in told.lower().replace("%20", " ")
