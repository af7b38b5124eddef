"""Packed lists: unpacked a little at a time, and never a part of one taken for the whole."""

from __future__ import annotations

import gzip
import io
import random
import tracemalloc
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats import ListLimits
from fingerprint.lists.formats.compression import packer, unpacked
from fingerprint.lists.reading import read_list

SKIPPED = bytes.fromhex("5a2a4d18 03000000") + b"abc"


def zstd(data: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True, **options).compress(data)


def unpack(data: bytes, limits: ListLimits | None = None) -> bytes:
    return unpacked(io.BytesIO(data), "name", limits or ListLimits()).read()


def text_of(nbytes: int) -> bytes:
    rng = random.Random(nbytes)
    return b"".join(b"%032x\n" % rng.getrandbits(128) for _ in range(nbytes // 33 + 1))[:nbytes]


class Slow(io.RawIOBase):
    """A stream that gives one byte at a time, and cannot be wound."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._inner.read(1)
        buffer[: len(data)] = data
        return len(data)


@given(
    st.lists(st.tuples(st.sampled_from(["gzip", "zstd"]), st.binary(max_size=300)), max_size=4),
    st.booleans(),
)
def test_members_of_one_kind_are_read_as_one(parts: list[tuple[str, bytes]], slow: bool) -> None:
    kind = parts[0][0] if parts else "gzip"
    pack = gzip.compress if kind == "gzip" else zstd
    data = b"".join(pack(one) for _, one in parts)
    stream = cast(BinaryIO, Slow(data)) if slow else io.BytesIO(data)
    assert unpacked(stream, "name").read() == b"".join(one for _, one in parts)


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
@pytest.mark.parametrize("nbytes", [0, 1, 70_000, 3_000_000])
def test_what_was_packed_comes_back(pack: Any, nbytes: int) -> None:
    data = text_of(nbytes)
    assert unpack(pack(data)) == data
    zeros = bytes(nbytes)
    assert unpack(pack(zeros), ListLimits(max_ratio=10**6)) == zeros


def test_frames_that_are_to_be_skipped_are() -> None:
    assert unpack(SKIPPED + zstd(b"one") + SKIPPED + zstd(b"two")) == b"onetwo"
    streamed = zstandard.ZstdCompressor().compressobj()  # A frame that does not say its size.
    assert unpack(streamed.compress(b"abc") + streamed.flush()) == b"abc"


@pytest.mark.parametrize("data", [b"", b"a", b"abc", b"md5\n", text_of(100_000)])
@pytest.mark.parametrize("slow", [False, True])
def test_what_is_not_packed_is_read_as_it_is(data: bytes, slow: bool) -> None:
    stream = cast(BinaryIO, Slow(data)) if slow else io.BytesIO(data)
    assert unpacked(stream, "name").read() == data


def test_a_stream_stays_open_and_wound_where_it_can_be() -> None:
    plain = io.BytesIO(b"md5 and more")
    assert unpacked(plain, "name") is plain
    packed = io.BytesIO(gzip.compress(b"abc"))
    unpacked(packed, "name").close()
    assert not packed.closed


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_one_cut_anywhere_is_never_read_as_a_whole(pack: Any) -> None:
    first, second = text_of(500), text_of(300)
    one, two = pack(first), pack(second)
    data = one + two
    assert unpack(data) == first + second
    for end in range(len(data)):
        if end < 2 or (pack is zstd and end < 4):
            continue  # Not yet told from what is not packed: see the next test.
        if end == len(one):  # A file of one member is as good as a file of two.
            assert unpack(data[:end]) == first
            continue
        with pytest.raises(ListFormatError, match=r"cut short|damaged|behind"):
            unpack(data[:end])


@pytest.mark.parametrize("suffix", [".csv.gz", ".jsonl.zst", ".txt.GZ", ".lst.zstd"])
@pytest.mark.parametrize("data", [b"", b"\x1f", b"md5\n", b"\x28\xb5\x2f"])
def test_a_file_named_as_packed_has_to_be(suffix: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"list{suffix}"
    path.write_bytes(data)
    with pytest.raises(ListFormatError, match="named as gzip or zstd"):
        list(read_list(path, list_source="s"))


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
@pytest.mark.parametrize("tail", [b"\0", b"x", b"\n\n\n\n\n\n", bytes(600), b"\x1f\x8b", b"PK\3\4"])
def test_something_behind_the_end_is_an_error(pack: Any, tail: bytes) -> None:
    with pytest.raises(ListFormatError, match=r"behind|cut short"):
        unpack(pack(text_of(500)) + tail)


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_changed_byte_is_an_error_or_changes_nothing(pack: Any) -> None:
    text = text_of(400)
    data = pack(text)
    raised = 0
    for position in range(4, len(data)):
        changed = bytearray(data)
        changed[position] ^= 0x41
        try:
            # The time and system in a gzip header may be anything.
            assert unpack(bytes(changed)) == text
        except ListFormatError:
            raised += 1
    assert raised > len(data) - 4 - 8


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"PK\3\4 and so on", "ZIP"), (b"\xfd7zXZ\0", "xz"), (b"7z\xbc\xaf\x27\x1c", "7z")],
)
def test_other_packings_are_named(data: bytes, name: str) -> None:
    with pytest.raises(ListFormatError, match=f"packed as {name}"):
        unpack(data)


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_bomb_is_refused_before_it_fills_anything(pack: Any) -> None:
    bomb = pack(bytes(100 << 20))
    assert len(bomb) < 200_000
    tracemalloc.start()
    try:
        for limits, match in (
            (ListLimits(max_ratio=500), "more than 500 times"),
            (ListLimits(max_nbytes=1 << 20), "more than 1,048,576 bytes"),
        ):
            stream = unpacked(io.BytesIO(bomb), "name", limits)
            with pytest.raises(ListFormatError, match=match):
                deque(iter(partial(stream.read, 1 << 16), b""), maxlen=0)
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()
    # Many small ones, one behind the other, are one file.
    with pytest.raises(ListFormatError, match="more than 99,999 bytes"):
        unpack(pack(bytes(1000)) * 200, ListLimits(max_nbytes=99_999))


def test_a_window_of_more_than_128_mebibytes_is_refused() -> None:
    header = bytes.fromhex("28b52ffd") + bytes([0x00, (28 - 10) << 3]) + b"\x01\0\0"
    with pytest.raises(ListFormatError, match="damaged"):
        unpack(header)


@given(st.binary(max_size=200), st.sampled_from([b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", SKIPPED]))
def test_any_bytes_are_unpacked_or_refused(data: bytes, magic: bytes) -> None:
    for one in (data, magic + data):
        try:
            unpack(one, ListLimits(max_nbytes=10_000_000))
        except ListFormatError:
            continue


def test_packed_bytes_are_the_same_each_time() -> None:
    def packed(path: str) -> bytes:
        stream = io.BytesIO()
        writer = packer(stream, path)
        assert writer is not None
        with writer:
            writer.write(text_of(5000))
        return stream.getvalue()

    for path in ("a.csv.gz", "a.csv.zst", "A.CSV.ZSTD"):
        assert packed(path) == packed(path)
        assert unpack(packed(path)) == text_of(5000)
    assert packer(io.BytesIO(), "a.csv") is None
