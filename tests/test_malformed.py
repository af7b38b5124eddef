"""Damaged, lying, huge and foreign input: pixels or a typed error, and nothing else."""

from __future__ import annotations

import faulthandler
import io
import os
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import GifImagePlugin, ImageFile, TiffImagePlugin

import fingerprint as fp
from fingerprint.media import Limits, decode, decode_frames
from tests import malformed

if TYPE_CHECKING:
    from fingerprint.typing import U8

# In production a Pillow warning is no error; see test_pillow_warnings_do_not_refuse.
pytestmark = pytest.mark.filterwarnings("ignore")

NAMES = sorted(malformed.healthy())
ANIMATED = [name for name in NAMES if name in {"apng", "gif-animated", "webp-animated"}]
HANG_S = 120


def outcome(data: bytes) -> U8 | fp.DecodeError:
    """Decode under a watchdog that ends the process, so that a hang is seen."""
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    try:
        return decode(data).array
    except fp.DecodeError as error:
        return error
    finally:
        faulthandler.cancel_dump_traceback_later()


def is_refused(data: bytes) -> bool:
    return isinstance(outcome(data), fp.DecodeError)


def is_canonical(pixels: U8) -> bool:
    shape_ok = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    right = shape_ok and pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    return bool(right and pixels.size > 0)


@pytest.mark.parametrize("name", NAMES)
def test_healthy_files_are_healthy_and_taken_apart_completely(name: str) -> None:
    data = malformed.healthy()[name]
    pixels = outcome(data)
    assert isinstance(pixels, np.ndarray)
    assert pixels.shape[:2] == malformed.SIZE[::-1]
    assert pixels.std() > 15
    parts = malformed.blocks(data)
    assert len(parts) >= 2
    assert all(0 <= start < end <= len(data) for start, end in parts)
    assert len(malformed.truncations(data)) >= 50


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_picture_is_whole_or_refused(name: str) -> None:
    data = malformed.healthy()[name]
    whole = decode(data).array
    refused, partial = 0, []
    for cut in malformed.truncations(data):
        got = outcome(data[:cut])
        if isinstance(got, fp.DecodeError):
            refused += 1
        elif not np.array_equal(got, whole):
            partial.append(cut)
    assert not partial, f"partial pixels from the first {partial} of {len(data)} bytes"
    assert refused >= 10


@pytest.mark.parametrize("name", ["tiff-pages", *ANIMATED])
def test_a_truncated_animation_is_whole_or_refused(name: str) -> None:
    data = malformed.healthy()[name]
    whole = [pixels.array for pixels in decode_frames(data)]
    assert len(whole) == 4
    partial = []
    for cut in malformed.truncations(data):
        try:
            got = [pixels.array for pixels in decode_frames(data[:cut])]
        except fp.DecodeError:
            continue
        same = len(got) == 4 and all(map(np.array_equal, got, whole))
        if not same:
            partial.append((cut, len(got)))
    assert not partial, f"(bytes, frames) of {len(data)} bytes and 4 frames: {partial}"


@pytest.mark.parametrize("name", NAMES)
def test_damage_gives_pixels_or_a_decode_error(name: str) -> None:
    refused = 0
    cases = malformed.damaged(name)
    for case in cases:
        try:
            got = outcome(case.data)
        except BaseException as error:
            error.add_note(case.name)
            raise
        if isinstance(got, fp.DecodeError):
            refused += 1
            assert got.source == f"<{len(case.data):,} bytes>", case.name
            assert got.reason, case.name
        else:
            assert is_canonical(got), case.name
    assert 0 < refused < len(cases)


@pytest.mark.parametrize("name", ["tiff-pages", *ANIMATED])
def test_damaged_animations_give_frames_or_a_decode_error(name: str) -> None:
    refused = 0
    limits = Limits(max_pixels=1_000_000, max_frames=100)
    for case in malformed.damaged(name):
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        try:
            frames = [pixels.array for pixels in decode_frames(case.data, limits=limits)]
        except fp.DecodeError:
            refused += 1
        else:
            assert frames, case.name
            assert all(map(is_canonical, frames)), case.name
        finally:
            faulthandler.cancel_dump_traceback_later()
    assert refused


@pytest.mark.parametrize("name", ["jpeg", "jpeg-grey", "progressive", "png", "bmp", "gif"])
def test_a_header_that_promises_more_rows_than_there_are_is_refused(name: str) -> None:
    assert is_refused(malformed.taller(name))


@pytest.mark.parametrize("name", ["jpeg", "jpeg-grey", "jpeg-restart", "jpeg-cmyk"])
def test_a_jpeg_cut_short_and_closed_again_is_refused(name: str) -> None:
    data = malformed.healthy()[name]
    for keep in (0.6, 0.75, 0.9):
        cut = int(len(data) * keep)
        cut -= data[cut - 1] == 0xFF
        closed = data[:cut] + b"\xff\xd9"
        assert is_refused(closed), f"{cut} of {len(data)} bytes"


def test_a_jpeg_with_thousands_of_scans_is_refused() -> None:
    # Each scan costs a pass over the picture: 1 MB of them keeps a worker for hours.
    # libjpeg-turbo's own programs stop at 500 ("-maxscans").
    assert not is_refused(malformed.jpeg_with_scans(100))
    assert is_refused(malformed.jpeg_with_scans(20_000))


@pytest.mark.parametrize("name", ["gif-animated", "tiff-pages", "apng", "webp-animated"])
def test_no_more_frames_are_looked_for_than_may_be_there(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pillow's count of TIFF pages takes quadratic time: 16 s for 3.6 MB of them.
    seeks = 0
    for plugin in (GifImagePlugin.GifImageFile, TiffImagePlugin.TiffImageFile):

        def counted(*args: Any, original: Any = plugin._seek) -> Any:
            nonlocal seeks
            seeks += 1
            return original(*args)

        monkeypatch.setattr(plugin, "_seek", counted)
    with pytest.raises(fp.LimitExceededError):
        next(decode_frames(malformed.film(name, 300), limits=Limits(max_frames=20)))
    assert seeks <= 100


@pytest.mark.parametrize(
    "case", malformed.lying_headers() + malformed.not_pictures(), ids=lambda case: case.name
)
def test_lies_and_foreign_files_are_refused(case: malformed.Case) -> None:
    got = outcome(case.data)
    if case.name == "gif 0x0" or case.name.endswith("x2 rows"):
        assert isinstance(got, fp.DecodeError) or is_canonical(got)  # A frame may be larger.
    else:
        assert isinstance(got, fp.DecodeError)
        assert not isinstance(got, fp.LimitExceededError)


BOMB_SCRIPT = """
import resource, sys, warnings
warnings.simplefilter("ignore")
from fingerprint.errors import DecodeError, LimitExceededError
from fingerprint.media import decode
from tests import malformed

cases = malformed.bombs()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (400 << 20),) * 2)
for case in cases:
    try:
        height, width = decode(case.data).array.shape[:2]
        result = f"{width}x{height}"
    except LimitExceededError as error:
        result = error.limit
    except DecodeError as error:
        result = "no memory" if "memory" in error.reason else "refused"
    print(case.name, result, sep="\\t", flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to know its size")
def test_bombs_are_refused_without_memory_for_them() -> None:
    # Decoded, most of these need gigabytes; the process has 400 MB of address space left.
    done = subprocess.run(
        [sys.executable, "-c", BOMB_SCRIPT],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = dict(line.split("\t") for line in done.stdout.splitlines())
    bombs = malformed.bombs()
    assert list(found) == [case.name for case in bombs]
    for case in bombs:
        if case.limit:
            assert found[case.name] == case.limit, case.name
    starved = [name for name, result in found.items() if result == "no memory"]
    # These two are within the limits of pixels, so memory for them may be asked for.
    assert set(starved) <= {"tiff lzw of nothing", "tiff strips of 0 rows"}
    assert found["png idat"] == "8x8"


def test_the_whole_corpus_in_one_batch() -> None:
    cases = [case for case in malformed.corpus() if case.name not in {"jpeg scans"}]
    assert len(cases) > 10_000
    good = malformed.healthy()["png"]
    right = fp.hash_image(good, "dhash")
    # A healthy picture after every hundred: the batch must go on, in order.
    sources: list[bytes] = []
    for i, case in enumerate(cases):
        sources += [case.data] if i % 100 else [case.data, good]
    faulthandler.dump_traceback_later(3 * HANG_S, exit=True)
    try:
        results = fp.hash_images(sources, "dhash", workers=2).collect()
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert len(results) == len(sources)
    for source, result in zip(sources, results, strict=True):
        assert result.source == f"<{len(source):,} bytes>"
        if isinstance(result, fp.Failure):
            assert isinstance(result.error, fp.DecodeError)
            assert source is not good
        elif source is good:
            assert result.hash == right
    assert len(results.failures) > len(cases) // 3
    refused = {case.data for case in malformed.not_pictures()}
    where = [i for i, source in enumerate(sources) if source in refused]
    assert len(where) >= len(refused)
    assert all(isinstance(results[i], fp.Failure) for i in where)


def test_every_cut_of_one_file_fails_in_its_place() -> None:
    data = malformed.healthy()["png"]
    cuts = [data[:n] for n in (0, 1, 8, 20, 40, len(data) // 2, len(data) - 40)]
    batch = fp.hash_images([*cuts, data], "dhash", workers=3).collect()
    assert [isinstance(result, fp.Failure) for result in batch] == [True] * len(cuts) + [False]
    assert [r.source for r in batch.failures] == [f"<{len(cut):,} bytes>" for cut in cuts]


@pytest.mark.parametrize("name", ["jpeg", "png", "gif", "bmp", "tiff-raw", "tiff-tiff_lzw"])
def test_a_global_switch_of_pillow_lets_no_truncated_file_through(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other code in the process, imagehash users often, may have set it.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = malformed.healthy()[name]
    assert is_refused(data[: len(data) * 2 // 3])


def test_pillow_warnings_do_not_refuse_a_picture_within_the_limits() -> None:
    # 81 megapixels: within the default limits, which end where Pillow begins to warn.
    data = malformed.png(9_000, 9_000, 1, 0, (b"\0" + bytes(1124) + b"\xff") * 9_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(data).array.shape == (9_000, 9_000)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {
        "missing": tmp_path / "missing.jpg",
        "folder": tmp_path,
        "empty": tmp_path / "empty.jpg",
        "dangling": tmp_path / "link.jpg",
        "text": tmp_path / "text.jpg",
        "nul": Path(f"{tmp_path}/a\0b.jpg"),
        "long": tmp_path / ("x" * 300),
    }
    made["empty"].touch()
    made["dangling"].symlink_to(tmp_path / "nowhere")
    made["text"].write_text("not a picture")
    return made


def test_paths_that_cannot_be_read_are_named(files: dict[str, Path]) -> None:
    for what, path in files.items():
        for source in (path, os.fspath(path)):
            with pytest.raises(fp.DecodeError) as caught:
                decode(source)
            assert caught.value.source == os.fspath(path), what
            assert caught.value.reason, what
    batch = fp.hash_images(files.values(), workers=2).collect()
    assert [result.source for result in batch.failures] == [str(p) for p in files.values()]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(malformed.healthy()["png"])
    path.chmod(0)
    if os.access(path, os.R_OK):  # The superuser reads everything, but not this.
        path = Path("/proc/self/mem")
        if not path.exists():
            pytest.skip("nothing here is unreadable for this user")
    with pytest.raises(fp.DecodeError, match="cannot be read") as caught:
        decode(path)
    assert caught.value.source == str(path)


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif"])
def test_the_extension_means_nothing(name: str, tmp_path: Path) -> None:
    right = decode(malformed.healthy()[name]).array
    for suffix in (".gif", ".txt", ".tiff", "", ".eps"):
        path = tmp_path / f"picture{suffix}"
        path.write_bytes(malformed.healthy()[name])
        assert np.array_equal(decode(path).array, right)


class Reader:
    """A file object that does what ``reads`` says, one after the other."""

    def __init__(self, *reads: object) -> None:
        self.reads = list(reads)

    def read(self, size: int = -1) -> bytes:
        got = self.reads.pop(0) if self.reads else b""
        if isinstance(got, BaseException):
            raise got
        return got  # type: ignore[return-value]


def test_a_file_object_that_gives_less_than_was_asked_is_read_to_its_end() -> None:
    # As pipes, sockets and raw files do.
    data = malformed.healthy()["png"]
    pieces = [data[i : i + 100] for i in range(0, len(data), 100)]
    got = decode(Reader(*pieces))  # type: ignore[arg-type]
    assert np.array_equal(got.array, decode(data).array)


@pytest.mark.parametrize("error", [EOFError("ended early"), zlib.error("bad block")], ids=str)
def test_a_file_object_of_a_damaged_archive_is_a_decode_error(error: Exception) -> None:
    # gzip and zipfile raise these when the archive that holds the picture is damaged.
    with pytest.raises(fp.DecodeError):
        decode(Reader(error))  # type: ignore[arg-type]
    sources: list[Any] = [Reader(error), malformed.healthy()["png"]]
    batch = fp.hash_images(sources, workers=1).collect()
    assert [isinstance(result, fp.Failure) for result in batch] == [True, False]


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("I/O operation on closed file")])
def test_a_file_object_that_fails_is_a_decode_error(error: Exception) -> None:
    with pytest.raises(fp.DecodeError, match=r"cannot be read: (gone|I/O)") as caught:
        decode(Reader(error))  # type: ignore[arg-type]
    assert caught.value.__cause__ is error


def test_text_files_and_other_things_are_type_errors() -> None:
    for source in (io.StringIO("x"), Reader(None), 7, None, ["a.jpg"], object()):
        with pytest.raises(TypeError, match="expected"):
            decode(source)  # type: ignore[arg-type]


def test_errors_never_show_content() -> None:
    secret = b"GIF89a top secret, never to be logged"
    with pytest.raises(fp.DecodeError) as caught:
        decode(secret)
    assert "secret" not in str(caught.value)
