"""Where videos come from, and those that nobody should read to their end."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import io
import os
import shutil
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

import fingerprint as fp
from fingerprint.media.video import open_video
from fingerprint.video.hashing import hash_video
from tests.video_files import (
    FIXTURES,
    MANIFEST,
    REFUSED,
    Bad,
    NoSeek,
    long_video,
    pictures,
    raw,
)

CONSTANT = FIXTURES / "constant.mp4"
DATA = CONSTANT.read_bytes()
ALGORITHMS = ("md5", "sha1", "sha256")


def piped(data: bytes) -> tuple[IO[bytes], threading.Thread]:
    out, into = os.pipe()

    def write() -> None:
        with os.fdopen(into, "wb") as file:
            file.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    return os.fdopen(out, "rb"), writer


@pytest.fixture(scope="module")
def expected() -> fp.HashArray:
    return hash_video(CONSTANT).hashes


@pytest.fixture(scope="module")
def long_one() -> bytes:
    return long_video(15_000)


@pytest.mark.parametrize(
    "wrap",
    [
        *(str, os.fsencode, bytearray, memoryview, io.BytesIO),
        *(lambda data: memoryview(np.repeat(np.frombuffer(data, np.uint8), 2).tobytes())[::2],),
    ],
    ids=["str", "fsencode", "bytearray", "memoryview", "BytesIO", "strided"],
)
def test_sources(wrap: Callable[[Any], Any], expected: fp.HashArray) -> None:
    if wrap is os.fsencode:  # Bytes are a video, never a path.
        with pytest.raises(fp.DecodeError, match=r"is not a video"):
            hash_video(wrap(CONSTANT))
        return
    assert hash_video(wrap(CONSTANT if wrap is str else DATA)).hashes == expected


def test_files_are_read_from_where_they_stand_and_left_open(expected: fp.HashArray) -> None:
    with CONSTANT.open("rb") as file:
        assert hash_video(file).hashes == expected
        assert not file.closed
    middle = io.BytesIO(b"1234567" + DATA)
    middle.seek(7)
    assert hash_video(middle).hashes == expected
    assert not middle.closed
    with pytest.raises(fp.DecodeError, match=r"is not a video"):
        hash_video(middle)  # It stands at its end.


@pytest.mark.parametrize("name", ["variable.mkv", "late-start.ts", "vp9.webm", "interlaced.mpg"])
def test_pipes(name: str) -> None:
    data = (FIXTURES / name).read_bytes()
    expected = hash_video(data, sample="every:0")
    file, writer = piped(data)
    with file:
        assert hash_video(file, sample="every:0").hashes == expected.hashes
    writer.join()
    source: Any = NoSeek(data)
    assert hash_video(source, sample="every:0").hashes == expected.hashes


def test_a_pipe_must_hold_what_can_be_read_in_order() -> None:
    """An MP4 with its index at the end cannot."""
    source: Any = NoSeek(DATA)
    with pytest.raises(fp.DecodeError):
        hash_video(source)


def test_odd_paths(tmp_path: Path, expected: fp.HashArray) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff-\n clip.mp4"))
    shutil.copy(CONSTANT, odd)
    assert hash_video(odd).hashes == expected
    link = tmp_path / "link"
    link.symlink_to(odd)
    assert hash_video(link).hashes == expected
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo, "/dev/zero"):
        with pytest.raises(fp.DecodeError, match=r"is not a regular file"):
            hash_video(path)
    addresses = (
        "http://localhost/a.mp4",
        "pipe:0",
        "-",
        f"file:{CONSTANT}",
        f"concat:{CONSTANT}|b",
    )
    for name in (tmp_path / "missing.mp4", "nul\0.mp4", "", *addresses):
        with pytest.raises(fp.DecodeError) as caught:
            hash_video(name)
        assert caught.value.source == os.fspath(name)


@pytest.mark.parametrize(
    "source",
    [None, 5, [DATA], object(), np.zeros(5, np.uint8)],
    ids=["none", "int", "list", "object", "array"],
)
def test_other_things_are_no_source(source: Any) -> None:
    with pytest.raises((TypeError, fp.DecodeError)):
        hash_video(source)


def test_text_is_no_video(tmp_path: Path) -> None:
    with CONSTANT.open(encoding="latin-1") as text, pytest.raises(TypeError, match=r"binary mode"):
        hash_video(text)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"binary mode"):
        hash_video(io.StringIO("abc"))  # type: ignore[arg-type]


def failing(error: BaseException) -> Callable[[bytes], Any]:
    def act(data: bytes) -> bytes:
        raise error

    return act


@pytest.mark.parametrize("after", [0, 1, 300_000])
@pytest.mark.parametrize(
    ("act", "error", "match"),
    [
        (failing(OSError(5, "Input/output error")), fp.DecodeError, "cannot be read: Input/output"),
        (failing(ZeroDivisionError("oops")), fp.DecodeError, "cannot be read: oops"),
        (failing(ValueError("I/O operation on closed")), fp.DecodeError, "cannot be read: I/O"),
        (failing(KeyboardInterrupt("now")), KeyboardInterrupt, "now"),
        (lambda data: data.decode("latin-1"), TypeError, "binary mode"),
        (lambda _: None, TypeError, "binary mode"),
        (lambda data: data * 100 + b"more", fp.DecodeError, r"of the file returned [0-9]+ bytes"),
    ],
    ids=["io", "bug", "closed", "interrupt", "text", "none", "too-much"],
)
def test_files_that_fail(
    after: int, act: Callable[[bytes], Any], error: type[BaseException], match: str, long_one: bytes
) -> None:
    """Also in the middle, where FFmpeg takes it for the end; and nothing is left for others."""
    for digests in (False, True):
        with pytest.raises(error, match=match):
            hash_video(Bad(long_one[:700_000], after, act), sample="keyframes", digests=digests)
        assert hash_video(CONSTANT).damage == ""
    unseekable: Any = NoSeek(long_one[:700_000])
    unseekable._file = Bad(long_one[:700_000], after, act)
    with pytest.raises(error, match=match):
        hash_video(unseekable, sample="keyframes")


def test_files_that_cannot_seek_although_they_say_so() -> None:
    class Stuck(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            raise OSError(29, "Illegal seek")

    with pytest.raises(fp.DecodeError, match=r"cannot be read: Illegal seek"):
        hash_video(Stuck(DATA))
    closed = io.BytesIO(DATA)
    closed.close()
    with pytest.raises(fp.DecodeError, match=r"cannot be read"):
        hash_video(closed)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_files(name: str) -> None:
    error = getattr(fp, MANIFEST[name]["error"])
    for source in (FIXTURES / name, (FIXTURES / name).read_bytes()):
        for sample in ("every:1", "keyframes"):
            with pytest.raises(error) as caught:
                hash_video(source, sample=sample)
            assert type(caught.value) is error
            described = str(source) if isinstance(source, Path) else f"<{len(source):,} bytes>"
            assert caught.value.source == described


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], set[str]]]:
    """What any code of this process opens in a folder, as Linux tells (inotify)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        pytest.skip("there is no inotify here")
    watch = libc.inotify_init1(os.O_NONBLOCK)
    if libc.inotify_add_watch(watch, os.fsencode(tmp_path), 0x20) < 0:  # IN_OPEN
        pytest.skip("inotify refuses")

    def names() -> set[str]:
        found, data = set(), b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(watch, 1 << 16)
        while data:
            length = struct.unpack_from("iIII", data)[3]
            found.add(data[16 : 16 + length].rstrip(b"\0").decode())
            data = data[16 + length :]
        return found

    yield names
    os.close(watch)


def test_no_file_makes_us_open_another(tmp_path: Path, opened: Callable[[], set[str]]) -> None:
    for name in ("constant.mp4", "late-start.ts"):
        shutil.copy(FIXTURES / name, tmp_path / name)
    clip, segment = tmp_path / "constant.mp4", tmp_path / "late-start.ts"
    texts = {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{segment}\n#EXT-X-ENDLIST\n",
        "b.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nlate-start.ts\n#EXT-X-ENDLIST\n",
        "c.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nfile://{segment}\n",
        "d.ffconcat": f"ffconcat version 1.0\nfile '{clip}'\n",
        "e.mp4": "ffconcat version 1.0\nfile 'constant.mp4'\n",
        "f.sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 0 RTP/AVP 96\na=control:{clip}\n",
        "g.mpd": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">'
        f"<Period><AdaptationSet><Representation><BaseURL>{clip}</BaseURL>"
        f"</Representation></AdaptationSet></Period></MPD>",
        "h.asx": f'<asx version="3.0"><entry><ref href="{clip}"/></entry></asx>',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    opened()
    assert len(hash_video(clip, sample="every:0")) == 60
    assert opened() == {"constant.mp4"}
    for name in texts:
        with pytest.raises(fp.DecodeError):
            hash_video(tmp_path / name)
        assert opened() == {name}


@pytest.mark.parametrize("name", ["constant.mp4", "variable.mkv", "broken-tail.mp4", "mpeg4.avi"])
@pytest.mark.parametrize("sample", ["every:0", "keyframes"])
def test_digests_are_those_of_the_whole_file(name: str, sample: str) -> None:
    data = (FIXTURES / name).read_bytes()
    sums = {one: hashlib.new(one, data).hexdigest() for one in ALGORITHMS}
    for source in (FIXTURES / name, data, data + bytes(3_000_000)):
        made = hash_video(source, sample=sample, digests=True)
        whole = data if isinstance(source, Path) else source
        assert made.digests == {one: hashlib.new(one, whole).hexdigest() for one in ALGORITHMS}
    if not name.endswith(("constant.mp4", ".avi")):
        file, writer = piped(data)
        with file:
            assert hash_video(file, sample=sample, digests=True).digests == sums
        writer.join()


def test_digests_of_a_file_whose_index_is_at_its_end(long_one: bytes) -> None:
    """The decoder seeks to it and back; bytes are digested once, in order."""
    shot = raw(pictures(9, 100, (640, 360)), "yuvj420p", "mp4", codec="mjpeg")
    assert shot.index(b"moov") > len(shot) // 2 > 300_000
    for sample in ("every:0", "keyframes"):
        made = hash_video(shot, sample=sample, digests=True)
        assert made.digests == {one: hashlib.new(one, shot).hexdigest() for one in ALGORITHMS}
    skipped = hash_video(long_one, sample="keyframes", digests=True)
    assert skipped.digests["sha256"] == hashlib.sha256(long_one).hexdigest()
    assert hash_video(shot).digests == {}
    with open_video(shot) as reader, pytest.raises(ValueError, match=r"expected digests=True"):
        reader.digests()
