"""The forms of a video hash: bytes, JSON and files, healthy and not."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import HashFormatError
from fingerprint.index import durable
from fingerprint.video import VideoHash
from tests.video_hashes import DIGESTS, make, video_hashes

# -- bytes -------------------------------------------------------------------

FORMS = {"|u1": "B", "<u2": "H", "<u4": "I", "<i8": "q", "<f8": "d", "|i1": "b"}


def read_by_the_book(data: bytes) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Read the binary form as docs/video-hash-format.md has it, with struct alone."""
    magic, version, header_nbytes = struct.unpack("<4sII", data[:12])
    assert (magic, version) == (b"FPVH", 1)
    assert hashlib.sha256(data[:-32]).digest() == data[-32:]
    facts = json.loads(data[12 : 12 + header_nbytes].decode())
    n, at, columns = facts["rows"], 12 + header_nbytes, {}
    for name, form in facts["columns"]:
        letter = f"{(facts['bits'] + 7) // 8}s" if name in {"hashes", "trimmed"} else FORMS[form]
        values = [
            one
            for (one,) in struct.iter_unpack(
                f"<{letter}", data[at : at + n * struct.calcsize(f"<{letter}")]
            )
        ]
        at += n * struct.calcsize(f"<{letter}")
        columns[name] = values
    assert at == len(data) - 32
    return facts, columns


@given(video_hashes())
def test_bytes_come_back_and_are_as_documented(one: VideoHash) -> None:
    data = one.to_bytes()
    assert VideoHash.from_bytes(data) == one
    assert VideoHash.from_bytes(memoryview(bytearray(data))) == one
    facts, columns = read_by_the_book(data)
    assert columns["start_s"] == one.start_s.tolist()
    assert columns.get("end_s", columns["start_s"]) == one.end_s.tolist()
    if "numbers" in columns:
        numbers = [sum(columns["numbers"][: row + 1]) for row in range(len(one))]
    else:
        first, step = facts["numbers"]
        numbers = [first + step * row for row in range(len(one))]
    assert numbers == one.numbers.tolist()
    assert columns.get("counts", [1] * len(one)) == one.counts.tolist()
    assert columns["quality"] == one.qualities.tolist()
    assert columns["hashes"] == [h.packed for h in one.hashes]
    assert ("trimmed" in columns) == (one.trimmed is not None)
    if one.trimmed is not None:
        assert columns["trimmed_quality"] == one.trimmed.quality.tolist()
        assert columns["trimmed"] == [h.packed for h in one.trimmed]
    kind = (facts["algorithm"], facts["algorithm_version"], facts["bits"])
    assert kind == one.kind
    for name in ("duration_s", "width_px", "height_px", "frame_rate", "sample", "damage"):
        assert facts[name] == getattr(one, name)
    assert facts["digests"] == one.digests


def test_bytes_a_row() -> None:
    even = make(2000)
    assert 41 * 2000 < len(even.to_bytes()) < 41 * 2000 + 600
    uneven = make(2000, numbers=np.cumsum(np.arange(2000) % 2 + 29))
    assert 42 * 2000 < len(uneven.to_bytes()) < 42 * 2000 + 600
    for one in (even, uneven):
        assert VideoHash.from_bytes(one.to_bytes()) == one


def test_every_truncation_and_every_flipped_bit_is_noticed() -> None:
    small = make(2, trimmed=make(2).hashes, counts=[1, 2], numbers=[3, 3], digests=DIGESTS)
    data = small.to_bytes()
    for end in range(len(data)):
        with pytest.raises(HashFormatError):
            VideoHash.from_bytes(data[:end])
    for more in (b"\0", data):
        with pytest.raises(HashFormatError):
            VideoHash.from_bytes(data + more)
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(HashFormatError):
            VideoHash.from_bytes(changed)


@given(st.binary(max_size=200), st.booleans())
def test_bytes_that_are_none(data: bytes, begins_well: bool) -> None:
    if begins_well:
        data = struct.pack("<4sI", b"FPVH", 1) + data
    with pytest.raises(HashFormatError):
        VideoHash.from_bytes(data)


def signed(header: bytes, arrays: bytes, version: int = 1) -> bytes:
    body = struct.pack("<4sII", b"FPVH", version, len(header)) + header + arrays
    return body + hashlib.sha256(body).digest()


def parts_of(one: VideoHash) -> tuple[dict[str, Any], bytes]:
    data = one.to_bytes()
    (header_nbytes,) = struct.unpack_from("<I", data, 8)
    return json.loads(data[12 : 12 + header_nbytes]), data[12 + header_nbytes : -32]


HUGE = 10**30
COLUMNS = [["start_s", "<f8"], ["quality", "|i1"], ["hashes", "|u1"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": HUGE}, "rows: expected a whole number from 0"),
        ({"rows": 10_000}, "rows: expected a whole number from 0 to"),
        ({"rows": 500}, "expected 20,500 bytes for 500 rows, got 205"),
        ({"rows": -1}, "rows: expected"),
        ({"rows": 5.0}, "rows: expected"),
        ({"rows": True}, "rows: expected"),
        ({"rows": 4}, "expected 164 bytes for 4 rows, got 205"),
        ({"bits": HUGE}, "bits: expected a whole number from 1 to 65536"),
        ({"bits": 0}, "bits: expected"),
        ({"bits": 255}, "bits are set beyond the last of 255"),
        ({"algorithm": 7}, "expected algorithm as a text"),
        ({"algorithm_version": "1"}, "algorithm_version: expected a whole number"),
        ({"columns": {}}, "expected columns as pairs"),
        ({"columns": [["start_s"]]}, "expected columns as pairs"),
        ({"columns": [*COLUMNS, ["trimmed", "|u1"]]}, "columns"),
        ({"columns": COLUMNS[::-1]}, "columns"),
        ({"columns": [*COLUMNS, COLUMNS[0]]}, "columns"),
        ({"columns": COLUMNS[1:]}, "columns"),
        ({"columns": [*COLUMNS, ["mine", "|O8"]]}, "columns"),
        ({"columns": [["start_s", "|O8"], *COLUMNS[1:]]}, "column start_s of"),
        ({"columns": [["start_s", "<f8" * 1000], *COLUMNS[1:]]}, "column start_s of"),
        ({"numbers": None}, "expected numbers as a first one and a step"),
        ({"numbers": [0, 0.5]}, "expected numbers as a first one and a step"),
        ({"numbers": [0, HUGE]}, "expected numbers of 64 bits"),
        ({"numbers": [2**63 - 1, 1]}, "expected numbers of 64 bits"),
        ({"numbers": [3, -1]}, "expected numbers of 64 bits, from 0"),
        ({"duration_s": 10**400}, "duration_s: expected a finite number"),
        ({"duration_s": "1"}, "expected duration_s as float"),
        ({"width_px": -1}, "width_px: expected pixels from 0"),
        ({"width_px": True}, "expected width_px as int"),
        ({"sample": None}, "expected sample as str"),
        ({"digests": {"md5": 5}}, "digests: expected 32 lower-case hex digits"),
        ({"digests": {"sha256": ["a"]}}, "digests: expected 64 lower-case hex digits"),
        ({"damage": {}}, "expected damage as str"),
    ],
)
def test_headers_with_a_right_checksum_that_lie(changes: dict[str, Any], message: str) -> None:
    facts, arrays = parts_of(make())
    with pytest.raises(HashFormatError, match=message):
        VideoHash.from_bytes(signed(json.dumps(facts | changes).encode(), arrays))
    for name in changes:
        without = {key: value for key, value in facts.items() if key != name}
        with pytest.raises(HashFormatError):
            VideoHash.from_bytes(signed(json.dumps(without).encode(), arrays))


@pytest.mark.parametrize(
    "header",
    [b"", b"[]", b"{", b"null", b"\xff", b"[" * 100_000, b'{"rows":NaN}', b"9" * 5000],
)
def test_headers_that_are_no_object(header: bytes) -> None:
    with pytest.raises(HashFormatError):
        VideoHash.from_bytes(signed(header, b""))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
FACTS = sorted(parts_of(make())[0])


@given(st.dictionaries(st.sampled_from(FACTS), json_values, max_size=3), st.binary(max_size=50))
def test_whatever_a_signed_header_says(changes: dict[str, Any], more: bytes) -> None:
    facts, arrays = parts_of(make())
    data = signed(json.dumps(facts | changes).encode(), arrays + more)
    with suppress(HashFormatError):
        VideoHash.from_bytes(data)


@given(st.binary(min_size=16, max_size=16))
def test_times_that_are_wrong_under_a_right_checksum(times: bytes) -> None:
    facts, arrays = parts_of(make(2))
    first, second = struct.unpack("<dd", times)
    data = signed(json.dumps(facts).encode(), times + arrays[16:])
    if 0 <= first <= second <= 1e7:
        assert VideoHash.from_bytes(data).start_s.tolist() == [first, second]
    else:
        with pytest.raises(HashFormatError):
            VideoHash.from_bytes(data)


def test_other_formats_and_facts() -> None:
    facts, arrays = parts_of(make())
    header = json.dumps(facts | {"later": [1]}).encode()
    assert VideoHash.from_bytes(signed(header, arrays)) == make()
    with pytest.raises(HashFormatError, match="format 2; this version reads 1"):
        VideoHash.from_bytes(signed(header, arrays, version=2))
    with pytest.raises(TypeError, match="data: expected bytes, got str"):
        VideoHash.from_bytes("FPVH")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected texts of up to 1,048,576 bytes"):
        make(damage="x" * 2_000_000).to_bytes()


# -- JSON --------------------------------------------------------------------


@given(video_hashes())
def test_json_comes_back(one: VideoHash) -> None:
    text = one.to_json()
    assert VideoHash.from_json(text) == one
    frames = json.loads(text)["frames"]
    assert [frame["hash"] for frame in frames] == one.hashes.to_hex()
    assert [frame["number"] for frame in frames] == one.numbers.tolist()
    assert [frame.get("end_s", frame["start_s"]) for frame in frames] == one.end_s.tolist()


def test_json_cut_short() -> None:
    text = make(2, trimmed=make(2).hashes).to_json()
    for end in range(len(text)):
        with pytest.raises(HashFormatError):
            VideoHash.from_json(text[:end])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start_s": None}, "frame 1: start_s: expected seconds"),
        ({"start_s": 10**400}, "frame 1: start_s: expected seconds"),
        ({"start_s": True}, "frame 1: start_s: expected seconds"),
        ({"start_s": -1}, "start_s: expected 0 to"),
        ({"end_s": "1"}, "frame 1: end_s: expected seconds"),
        ({"end_s": 0}, "end_s: expected at least start_s"),
        ({"number": -1}, "frame 1: number: expected a whole number"),
        ({"number": 2**63}, "frame 1: number: expected a whole number"),
        ({"count": 0}, "frame 1: count: expected a whole number from 1"),
        ({"quality": 101}, "frame 1: quality: expected a whole number from 0 to 100"),
        ({"quality": "50"}, "frame 1: quality: expected a whole number"),
        ({"hash": "ab"}, "frame 1: hash: expected 64 hex digits"),
        ({"hash": "x" * 64}, "frame 1: hash: expected 64 hex digits"),
        ({"hash": {str(i): 0 for i in range(64)}}, "frame 1: hash: expected 64 hex digits"),
        ({"trimmed": {}}, "frame 1: expected an object, with trimmed in every frame or in none"),
    ],
)
def test_json_frames_that_are_wrong(changes: dict[str, Any], message: str) -> None:
    facts = json.loads(make().to_json())
    facts["frames"][1] |= changes
    with pytest.raises(HashFormatError, match=message):
        VideoHash.from_json(json.dumps(facts))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "not a video hash"),
        ({"format_version": 2}, "format 2; this version reads 1"),
        ({"format_version": None}, "format_version: expected"),
        ({"frames": {}}, "expected frames as a list"),
        ({"frames": [5]}, "frame 0: expected an object"),
        ({"bits": 2**40}, "bits: expected a whole number from 1 to 65536"),
        ({"sample": 5}, "expected sample as str"),
    ],
)
def test_json_facts_that_are_wrong(changes: dict[str, Any], message: str) -> None:
    facts = json.loads(make().to_json())
    with pytest.raises(HashFormatError, match=message):
        VideoHash.from_json(json.dumps(facts | changes))


@pytest.mark.parametrize("text", ["", "[]", "5", "[" * 100_000, '{"format": NaN}'])
def test_texts_that_are_no_video_hash(text: str) -> None:
    with pytest.raises(HashFormatError):
        VideoHash.from_json(text)
    with pytest.raises(TypeError, match="text: expected str"):
        VideoHash.from_json(text.encode())  # type: ignore[arg-type]


# -- files -------------------------------------------------------------------


@pytest.mark.parametrize("form", ["binary", "json"])
@pytest.mark.parametrize("name", ["a.fpv", "a.json", "a"])
def test_files_are_read_by_their_content(tmp_path: Path, form: Any, name: str) -> None:
    path = tmp_path / name
    path.write_text("something else")
    path.chmod(0o644)
    one = make(digests=DIGESTS)
    one.save(path, form)
    assert VideoHash.load(path) == VideoHash.load(str(path)) == one
    assert [p.name for p in tmp_path.iterdir()] == [name]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_saving_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    make().save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert VideoHash.load(tmp_path / "target") == make()


def test_a_save_that_fails_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    make().save(path)

    def full(_: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(durable, "sync_file", full)
    with pytest.raises(OSError, match="no space left"):
        make(9).save(path)
    assert VideoHash.load(path) == make()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f".a-{'0' * 32}"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    make().save(tmp_path / "a")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(b""), "a.fpv: holds no video hash"),
        (lambda path: path.write_bytes(b"0,100,ab,0.000\n"), "holds no video hash"),
        (lambda path: path.write_bytes(b"{\xff}"), "is no text in UTF-8"),
        (lambda path: path.write_bytes(make().to_bytes()[:-1]), "does not match"),
        (lambda path: path.write_text(make().to_json()[:-1]), "not JSON, or cut short"),
        (lambda path: path.mkdir(), "is not a regular file"),
    ],
)
def test_files_that_hold_none(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "a.fpv"
    spoil(path)
    with pytest.raises(HashFormatError, match=message):
        VideoHash.load(path)


@pytest.mark.skipif(os.name != "posix", reason="pipes have no name elsewhere")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HashFormatError, match="is not a regular file"):
        VideoHash.load(tmp_path / "pipe")


def test_paths_and_forms_that_are_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        VideoHash.load(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        make().save(tmp_path / "no" / "folder")
    with pytest.raises(ValueError, match="form: expected 'binary' or 'json'"):
        make().save(tmp_path / "a", "xml")  # type: ignore[arg-type]


def test_no_hash_is_told() -> None:
    one = make(digests=DIGESTS, sample=make().hashes.to_hex()[0])
    shown = repr(one)
    facts = json.loads(one.to_json())
    facts["frames"][2]["hash"] += "0"
    with pytest.raises(HashFormatError) as caught:
        VideoHash.from_json(json.dumps(facts))
    for secret in (*one.hashes.to_hex(), *DIGESTS.values()):
        assert secret[:12] not in shown
        assert secret[:12] not in str(caught.value)
