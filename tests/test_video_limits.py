"""Videos that nobody should read to their end: limits, interrupts, memory, closed files."""

from __future__ import annotations

import gc
import io
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import fingerprint as fp
from fingerprint.media import VideoLimits
from fingerprint.media.video import open_video
from fingerprint.video.hashing import hash_video
from tests.video_files import (
    FIXTURES,
    Bad,
    NoSeek,
    frames_of,
    long_video,
    pictures,
    raw,
)

CONSTANT = FIXTURES / "constant.mp4"
DATA = CONSTANT.read_bytes()


@pytest.fixture(scope="module")
def long_one() -> bytes:
    return long_video(15_000)


def test_largest_file(tmp_path: Path) -> None:
    most = VideoLimits(max_nbytes=len(DATA) - 1)
    unseekable: Any = NoSeek((FIXTURES / "variable.mkv").read_bytes())
    sources: list[tuple[Any, VideoLimits]] = [
        (CONSTANT, most),
        (DATA, most),
        (io.BytesIO(DATA), most),
        (unseekable, VideoLimits(max_nbytes=4000)),
    ]
    for source, limits in sources:
        with pytest.raises(fp.LimitExceededError, match=r"max_nbytes") as caught:
            hash_video(source, limits=limits)
        assert caught.value.limit == "max_nbytes"
    assert len(hash_video(DATA, limits=VideoLimits(max_nbytes=len(DATA)), digests=True)) > 1


@pytest.mark.parametrize("threads", [0, 1])
def test_largest_frame(threads: int) -> None:
    limits = VideoLimits(max_pixels=128 * 72)
    assert len(hash_video(DATA, limits=limits, threads=threads)) > 1
    for name in ("huge.avi", "huge-claim.gif"):
        with pytest.raises(fp.LimitExceededError, match=r"max_pixels"):
            hash_video(FIXTURES / name, threads=threads)
    smaller = VideoLimits(max_pixels=128 * 72 - 1)
    with pytest.raises(fp.LimitExceededError, match=r"max_pixels"):
        hash_video(DATA, limits=smaller, threads=threads)
    # One that grows in the middle.
    for container, codec in (("mpegts", "libx264"), ("h264", "libx264"), ("mpegts", "mpeg2video")):
        parts = [
            raw(pictures(1, 20, size), "yuv420p", container, codec=codec)
            for size in ((128, 72), (256, 144))
        ]
        with pytest.raises(fp.LimitExceededError, match=r"max_pixels"):
            hash_video(b"".join(parts), limits=limits, threads=threads)
        shrinking = b"".join(reversed(parts))
        assert len(hash_video(shrinking, sample="every:0", threads=threads)) >= 39


def test_most_frames() -> None:
    assert len(hash_video(DATA, sample="every:0", limits=VideoLimits(max_frames=60))) == 60
    with pytest.raises(fp.LimitExceededError, match=r"max_frames exceeded: 60 > 59"):
        hash_video(DATA, limits=VideoLimits(max_frames=59))
    # Those that nobody asks for are not decoded.
    limits = VideoLimits(max_frames=59)
    assert len(hash_video(DATA, sample="keyframes", limits=limits)) >= 1


def test_longest_time(long_one: bytes) -> None:
    with pytest.raises(fp.LimitExceededError, match=r"max_time_s"):
        hash_video(DATA, limits=VideoLimits(max_time_s=1e-9))
    with pytest.raises(fp.LimitExceededError, match=r"max_time_s") as caught:
        hash_video(long_one, limits=VideoLimits(max_time_s=0.2))
    assert caught.value.value < 60

    def slowly(data: bytes) -> bytes:
        time.sleep(0.02)
        return data

    slow: Any = NoSeek(long_one, 50)
    slow._file = Bad(long_one, 0, slowly)
    with pytest.raises(fp.LimitExceededError, match=r"max_time_s"):
        hash_video(slow, limits=VideoLimits(max_time_s=0.2))


def test_progress_rises_to_one(long_one: bytes) -> None:
    sources: list[Any] = [long_one, *(FIXTURES / n for n in ("variable.mkv", "late-start.ts"))]
    sources += [FIXTURES / n for n in ("one-frame.mp4", "broken-tail.mkv", "animation.gif")]
    for source in sources:
        for sample in ("every:1", "keyframes", "vpdq:1"):
            told: list[float] = []
            hash_video(source, sample=sample, progress=told.append)
            assert told == sorted(told)
            assert told[0] >= 0
            assert told[-1] == 1.0
    assert len(told) <= 205


def tasks() -> tuple[int, int]:
    """Threads and open files of this process."""
    gc.collect()
    return len(list(Path("/proc/self/task").iterdir())), len(list(Path("/proc/self/fd").iterdir()))


def settled(before: tuple[int, int]) -> bool:
    for _ in range(100):
        if tasks() <= before:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads as Linux does")
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_of_progress_leaves_nothing_behind(
    error: type[BaseException], tmp_path: Path, long_one: bytes
) -> None:
    path = tmp_path / "long.mkv"
    path.write_bytes(long_one)
    hash_video(CONSTANT)  # numba, and whatever else begins threads.

    def stop(share: float) -> None:
        if share > 0.01:
            raise error("enough")

    def attempt() -> None:
        with pytest.raises(error, match=r"enough"):
            hash_video(path, progress=stop, threads=4)

    before = tasks()
    attempt()
    assert settled(before)


def much_sound() -> bytes:
    """A second of video, and ten minutes of sound: FFmpeg reads on and on."""
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as file:
        video = file.add_stream("libx264", 30)
        sound = file.add_stream("pcm_s16le", 48000)
        video.width, video.height, video.pix_fmt = 128, 72, "yuv420p"
        for pixels in pictures(1, 30, (128, 72)):
            file.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        file.mux(video.encode())
        for second in range(600):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.int16), "s16", "mono")
            samples.sample_rate, samples.pts = 48000, second * 48000
            file.mux(sound.encode(samples))
    return out.getvalue()


def test_an_interrupt_is_never_lost() -> None:
    """It may come while FFmpeg reads, where PyAV ignores what Python raises."""

    class Interrupt(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupt

    data = much_sound()
    hash_video(data, sample="keyframes")  # What is loaded once is.
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for attempt in range(100):
            source: Any = NoSeek(data, 1000)
            with pytest.raises(Interrupt):  # noqa: PT012
                signal.setitimer(signal.ITIMER_REAL, 0.005 + 0.0002 * attempt)
                hash_video(source, sample="keyframes")
                time.sleep(1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_stop_from_another_thread(long_one: bytes) -> None:
    stop = threading.Event()
    told: list[float] = []

    def progress(share: float) -> None:
        told.append(share)
        stop.set()

    with pytest.raises(fp.DecodeError, match=r"was given up"):
        hash_video(long_one, progress=progress, stop=stop, digests=True)
    assert len(told) == 1
    with pytest.raises(fp.DecodeError, match=r"was given up"):
        hash_video(long_one, stop=stop)


def test_a_closed_video_is_not_read() -> None:
    """FFmpeg would read memory that it gave back."""
    with open_video(DATA, digests=True) as begun:
        frames = begun.frames()
        first = next(frames)
    with open_video(DATA) as untouched:
        pass
    for _ in range(2):
        with pytest.raises(ValueError, match=r"expected an open video, got a closed one"):
            next(untouched.frames())
    with pytest.raises((ValueError, StopIteration)):
        next(frames)
    with pytest.raises(ValueError, match=r"expected an open video"):
        begun.digests()
    # What was decoded stays.
    assert np.array_equal(first.rgb(), frames_of(DATA)[0].rgb())
    with open_video(DATA) as late:
        unstarted = late.frames()
    with pytest.raises(ValueError, match=r"expected an open video"):
        next(unstarted)


def test_frames_are_read_once() -> None:
    with open_video(DATA) as reader:
        assert len(list(reader.frames())) == 60
        with pytest.raises(ValueError, match=r"expected to be read once"):
            next(reader.frames())


@pytest.mark.parametrize(
    ("option", "match"),
    [
        ({"orientation": "sideways"}, "orientation: expected"),
        ({"threads": -1}, "threads: expected 0 or more, got -1"),
        ({"fidelity": "best"}, "fidelity: expected"),
        ({"damaged": "ignore"}, "damaged: expected"),
        ({"sample": "all"}, "sample: expected"),
    ],
    ids=str,
)
def test_options_without_meaning(option: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match) as caught:
        hash_video(DATA, **option)
    assert not isinstance(caught.value, fp.DecodeError)


# ru_maxrss would be that of the process that ran the tests, as far as that was larger.
MEMORY = """
import sys
from pathlib import Path
from fingerprint.video.hashing import hash_video
made = hash_video(sys.argv[1], sample=sys.argv[2])
print(len(made), Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")
def test_memory_does_not_grow_with_length(tmp_path: Path, long_one: bytes) -> None:
    peaks = []
    for count, data in ((1_500, long_video(1_500)), (15_000, long_one)):
        path = tmp_path / f"{count}.mkv"
        path.write_bytes(data)
        command = [sys.executable, "-c", MEMORY, str(path), "every:0"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows, peak_kib = map(int, done.stdout.split())
        assert rows == count
        peaks.append(peak_kib - rows * 0.4)  # What a row may cost, with its hashes.
    assert peaks[1] - peaks[0] < 24 * 1024
