"""Lists to files and back, a little at a time; what can only be written."""

from __future__ import annotations

import io
import json
import random
import re
import stat
import tracemalloc
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fingerprint.errors import ListFormatError
from fingerprint.lists import Change, Record, Rejected, Retraction
from fingerprint.lists.formats import format_of_path
from fingerprint.lists.reading import read_list, with_severities, write_list
from tests.plain_lists import (
    MD5,
    NATIVE,
    PDQ,
    PHASH,
    PHOTODNA,
    SHA1,
    SHA256,
    SHA512,
    read,
    record,
    written,
)

# --- STIX and CyberTip


STIX_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")


def stix_id(hashes: dict[str, str]) -> str:
    """Id of a file object by section 2.9 of STIX 2.1, of one hash in RFC 8785."""
    chosen = next(k for k in ("MD5", "SHA-1", "SHA-256", "SHA-512", *sorted(hashes)) if k in hashes)
    text = json.dumps({"hashes": {chosen: hashes[chosen]}}, separators=(",", ":"))
    return f"file--{uuid.uuid5(STIX_NAMESPACE, text)}"


def test_stix_is_a_bundle_by_the_rules_of_the_standard() -> None:
    given_ = [
        record("1", {"md5": MD5, "pdq": PDQ}, category="A1 \u2713", flags=("grid",), media="image"),
        record("2", {"pdq": PDQ, "phash": PHASH}, last_seen=datetime(2024, 1, 1, tzinfo=UTC)),
        record("3", {"md5": MD5}),
        record("4", {"sha1": SHA1, "sha256": SHA256, "sha512": SHA512, "photodna": PHOTODNA}),
    ]
    data = written(given_, "stix")
    bundle = json.loads(data)
    uuid_form = "[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert bundle.keys() == {"type", "id", "objects"}
    assert bundle["type"] == "bundle"
    assert re.fullmatch(f"bundle--{uuid_form}", bundle["id"])
    objects = bundle["objects"]
    for one in objects:
        assert {"type", "spec_version", "id", "hashes"} <= one.keys()
        assert (one["type"], one["spec_version"]) == ("file", "2.1")
        assert re.fullmatch(f"file--{uuid_form}", one["id"])
        assert all(re.fullmatch("[a-zA-Z0-9_-]{3,256}", key) for key in one["hashes"])
        for key, value in one.items():
            assert key in {"type", "spec_version", "id", "hashes"} or (
                re.fullmatch("x_[a-z0-9_]{1,248}", key) and value not in ("", [], {}, None)
            )
    assert [set(one["hashes"]) for one in objects] == [
        {"MD5", "PDQ"}, {"PDQ", "PHASH"}, {"MD5"}, {"SHA-1", "SHA-256", "SHA-512", "PHOTODNA"},
    ]  # fmt: skip
    ids = [one["id"] for one in objects]
    # The namespace and the canonical form, held against an id that the standard prints.
    printed = uuid.uuid5(STIX_NAMESPACE, '{"value":"198.51.100.3"}')
    assert str(printed) == "28bb3599-77cd-5a82-a950-b5bc3caf07c4"
    assert [ids[n] == stix_id(objects[n]["hashes"]) for n in range(4)] == [True, True, False, True]
    assert len(set(ids)) == 4
    assert objects[0]["x_fingerprint_category"] == "A1 \u2713"
    assert objects[1]["x_fingerprint_last_seen"] == "2024-01-01T00:00:00Z"
    assert written(given_, "stix") == data
    assert "objects" not in json.loads(written([], "stix"))


def test_a_report_fragment_is_well_formed() -> None:
    one = record("1", {"md5": MD5, "pdq": PDQ, "vpdq": f"0,80,{PDQ},0.000"})
    text = written([one, record("2", {"sha1": SHA1})], "cybertip").decode()
    root = ElementTree.fromstring(f"<fileDetails>{text}</fileDetails>")  # noqa: S314 - our own
    assert [(e.tag, e.attrib, e.text) for e in root] == [
        ("originalFileHash", {"hashType": "MD5"}, MD5),
        ("originalFileHash", {"hashType": "PDQ"}, PDQ),
        ("originalFileHash", {"hashType": "VPDQ"}, one.hashes["vpdq"]),
        ("originalFileHash", {"hashType": "SHA1"}, SHA1),
    ]


@pytest.mark.parametrize("kind", ["stix", "cybertip"])
def test_what_cannot_say_a_retraction_refuses_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    with pytest.raises(ListFormatError, match="retracted"):
        write_list([record("1", {"md5": MD5}), Retraction("s", "2")], path, kind)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ListFormatError, match="only be written"):
        read(b"", kind)


# --- files


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"])
def test_a_list_goes_to_a_private_file_and_comes_back(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"list{suffix}"
    path.write_bytes(b"what was there")
    some: list[Change] = [record(str(n), {"md5": f"{n + 2**100:032x}"}) for n in range(3000)]
    assert write_list([*some, Rejected(1, "bad")], path) == 3000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    told: list[int] = []
    assert list(read_list(path, list_source="s", progress=told.append)) == some
    assert told == [3000]
    with path.open("rb") as file:
        assert list(read_list(file, format_of_path(path.name).name, list_source="s")) == some
        assert not file.closed
    first = path.read_bytes()
    write_list(some, path)
    assert path.read_bytes() == first


def test_a_list_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    def failing() -> Iterator[Change]:
        yield record("1", {"md5": MD5})
        raise RuntimeError("gone")

    path = tmp_path / "list.jsonl.gz"
    path.write_bytes(b"what was there")
    with pytest.raises(RuntimeError, match="gone"):
        write_list(failing(), path)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"what was there"
    with pytest.raises(ListFormatError, match="only be read"):
        write_list([], tmp_path / "a.csv")


def test_reading_says_what_it_was_not_given(tmp_path: Path) -> None:
    with pytest.raises(ListFormatError, match="which format"):
        read_list(b"", list_source="s")
    with pytest.raises(ListFormatError, match="nothing"):
        read_list(b"", "nothing", list_source="s")
    with pytest.raises(ValueError, match="list_source"):
        read_list(b"", "csv", list_source="")
    with pytest.raises(TypeError, match="expected a path"):
        read_list(5, "csv", list_source="s")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        list(read_list(tmp_path / "a.csv", list_source="s"))
    with pytest.raises(TypeError, match="unexpected"):
        list(read_list(b"", "csv", list_source="s", colums={}))


def test_severities_are_the_users_by_category() -> None:
    some: list[Change] = [
        record("1", {"md5": MD5}, category="A1"),
        record("2", {"md5": MD5}, category="a1"),
        Retraction("s", "3"),
        Rejected(4, "bad"),
    ]
    severe = record("1", {"md5": MD5}, category="A1", severity="severe")
    assert list(with_severities(some, {"A1": "severe"})) == [severe, *some[1:]]
    with pytest.raises(TypeError, match="severities"):
        with_severities(some, {"A1": 5})  # type: ignore[dict-item]


class Endless(io.RawIOBase):
    """A list without end, that counts how much of it was read."""

    def __init__(self, row: bytes, first: bytes = b"") -> None:
        self._rest = first
        self._row = row
        self.nbytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while len(self._rest) < len(buffer):
            self._rest += self._row * 1000
        n = len(buffer)
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        self.nbytes += n
        return n


@pytest.mark.parametrize(
    ("kind", "first", "row"),
    [
        ("lines", "", MD5),
        ("csv", "id,md5,note", f"1,{MD5},a note"),
        ("tsv", "id\tmd5", f"1\t{MD5}"),
        ("jsonl", "", json.dumps(NATIVE)),
    ],
)
def test_lists_are_read_a_little_at_a_time(kind: str, first: str, row: str) -> None:
    stream = Endless(f"{row}\n".encode(), f"{first}\n".encode())
    changes = read_list(stream, kind, list_source="s")  # type: ignore[arg-type]
    assert isinstance(next(changes), Record)
    assert stream.nbytes < 1 << 20
    tracemalloc.start()
    try:
        for _ in range(10_000):
            next(changes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20
    assert stream.nbytes < 10_000 * (len(row) + 1) + (2 << 20)


def test_parquet_is_read_and_written_a_little_at_a_time() -> None:
    pytest.importorskip("pyarrow")

    def some() -> Iterator[Change]:
        rng = random.Random(5)
        for n in range(40_000):
            yield record(str(n), {"sha512": f"{rng.getrandbits(512):0128x}"})

    class Counting(io.BytesIO):
        nbytes = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.nbytes += len(data)
            return data

    from fingerprint.lists.formats.parquet import write

    stream = Counting()
    tracemalloc.start()
    try:
        assert write(some(), stream) == 40_000
        assert tracemalloc.get_traced_memory()[1] < 60 << 20
    finally:
        tracemalloc.stop()
    size = len(stream.getvalue())
    stream.seek(0)
    changes = read_list(stream, "parquet", list_source="s")
    assert isinstance(next(changes), Record)
    assert stream.nbytes < 0.7 * size
    assert sum(1 for _ in changes) == 39_999
