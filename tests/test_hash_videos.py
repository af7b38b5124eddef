"""hash_videos: order, failures, what a stop leaves behind."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fingerprint as fp
from fingerprint.hashing import PENDING_PER_WORKER
from fingerprint.media import VideoLimits
from fingerprint.video.batch import HashedVideo, hash_videos
from fingerprint.video.hashing import hash_video
from tests.video_files import FIXTURES, MANIFEST, REFUSED, WHOLE, Bad, long_video

PROC = Path("/proc/self")
needs_proc = pytest.mark.skipif(not (PROC / "task").is_dir(), reason="counts as Linux does")


def threads() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name.startswith("fingerprint")}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = threads()
    yield
    assert not threads() - before


@pytest.fixture(scope="module")
def long_one() -> bytes:
    """Some ten seconds of decoding."""
    return long_video(60_000)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_stand_in_the_order_of_the_sources(workers: int) -> None:
    names = [name for pair in itertools.zip_longest(WHOLE, REFUSED) for name in pair if name]
    told: list[int] = []
    stream = hash_videos(
        (FIXTURES / name for name in names),
        sample="every:0.5",
        digests=True,
        workers=workers,
        progress=told.append,
    )
    batch = stream.collect()
    assert told == list(range(1, len(names) + 1))
    assert [r.source for r in batch] == [str(FIXTURES / name) for name in names]
    for name, result in zip(names, batch, strict=True):
        if name in REFUSED:
            assert isinstance(result, fp.Failure)
            assert type(result.error).__name__ == MANIFEST[name]["error"]
            with pytest.raises(type(result.error)) as caught:
                hash_video(FIXTURES / name)
            assert str(caught.value) == str(result.error)
        else:
            assert isinstance(result, HashedVideo)
            expected = hash_video(FIXTURES / name, sample="every:0.5", digests=True)
            assert result.video_hash == expected
    assert len(batch.hashed) + len(batch.failures) == len(batch) == len(names)
    assert batch[0] is batch.results[0]
    with pytest.raises(ExceptionGroup, match=f"{len(batch.failures)} of {len(names)} sources"):
        batch.raise_for_failures()


def test_options_are_those_of_hash_video() -> None:
    options: dict[str, Any] = {
        "sample": "vpdq:0.2",
        "fidelity": "fast",
        "orientation": "stored",
        "trim": False,
        "digests": True,
    }
    for algorithm in ("pdq", "phash:16"):
        for name in ("letterboxed.mp4", "rotated-90.mp4"):
            (made,) = hash_videos([FIXTURES / name], algorithm, **options).collect().hashed
            assert made.video_hash == hash_video(FIXTURES / name, algorithm, **options)
    (failed,) = hash_videos([FIXTURES / "broken-tail.mp4"], damaged="raise").collect().failures
    assert isinstance(failed.error, fp.DecodeError)
    limits = VideoLimits(max_frames=59)
    (failed,) = hash_videos([FIXTURES / "constant.mp4"], limits=limits).collect().failures
    assert isinstance(failed.error, fp.LimitExceededError)
    (second,) = hash_videos([FIXTURES / "two-videos.mp4"], stream=1).collect().hashed
    assert second.video_hash.width_px == 96


def test_other_things_are_failures() -> None:
    sources: list[Any] = [None, 5, np.zeros(3), b"", "missing.mp4", FIXTURES / "constant.mp4"]
    batch = hash_videos(sources, workers=2).collect()
    assert [isinstance(r, fp.Failure) for r in batch] == [True] * 5 + [False]
    assert all(isinstance(f.error, fp.DecodeError) for f in batch.failures)
    assert not hash_videos([]).collect().results


@pytest.mark.parametrize(
    "option",
    [
        *({"workers": 0}, {"workers": -1}, {"threads": -1}, {"stream": -1}, {"sample": "all"}),
        *({"fidelity": "best"}, {"orientation": "sideways"}, {"damaged": "ignore"}),
        {"algorithm": "none"},
    ],
    ids=str,
)
def test_wrong_options_are_told_at_once(option: dict[str, Any]) -> None:
    def never() -> Iterator[str]:
        yield str(1 // 0)

    with pytest.raises((ValueError, fp.UnknownAlgorithmError)) as caught:
        hash_videos(never(), **option)
    assert not isinstance(caught.value, fp.DecodeError)


def test_one_source_is_not_many() -> None:
    for source in ("a.mp4", b"data", Path("a.mp4")):
        with pytest.raises(TypeError, match=r"sources: expected an iterable of sources"):
            hash_videos(source)  # type: ignore[arg-type]


def test_sources_are_read_as_they_are_needed() -> None:
    read = 0

    def endless() -> Iterator[Path]:
        nonlocal read
        while True:
            read += 1
            yield FIXTURES / "one-frame.mp4"

    with hash_videos(endless(), workers=2) as stream:
        assert read == 0
        for done in range(1, 30):
            assert isinstance(next(stream), HashedVideo)
            assert read - done <= 2 * PENDING_PER_WORKER + 1


def telling(data: bytes, begun: threading.Semaphore) -> Bad:
    """A video that says when some of it was decoded, long before its end."""

    def act(more: bytes) -> bytes:
        begun.release()
        return more

    return Bad(data, 200_000, act)


def test_close_stops_videos_that_are_being_decoded(long_one: bytes) -> None:
    """By counting frames, not seconds: none of them comes to its end."""
    begun = threading.Semaphore(0)
    sources: list[Any] = [FIXTURES / "one-frame.mp4", *(telling(long_one, begun) for _ in range(6))]
    stream = hash_videos(sources, sample="every:0", workers=2)
    next(stream)
    assert begun.acquire(timeout=60)
    stream.close()
    assert all(source.tell() < len(long_one) for source in sources[1:])
    assert [s for s in sources[1:] if s.tell() == 0]  # What had not begun never did.
    assert list(stream) == []


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_of_progress_stops_the_rest(
    workers: int, error: type[BaseException], long_one: bytes
) -> None:
    begun = threading.Semaphore(0)
    sources: list[Any] = [FIXTURES / "one-frame.mp4", *(telling(long_one, begun) for _ in range(4))]

    def progress(done: int) -> None:
        raise error

    with pytest.raises(error):
        hash_videos(sources, sample="every:0", workers=workers, progress=progress).collect()
    assert all(source.tell() < len(long_one) for source in sources[1:])


def test_ctrl_c_stops_the_decoders(long_one: bytes) -> None:
    begun = threading.Semaphore(0)
    sources = [telling(long_one, begun) for _ in range(4)]

    def interrupt() -> None:
        assert begun.acquire(timeout=60)
        os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=interrupt)
    sender.start()
    with pytest.raises(KeyboardInterrupt):
        hash_videos(sources, sample="every:0", workers=2).collect()
    sender.join()
    assert all(source.tell() < len(long_one) for source in sources)


def test_an_error_of_the_source_generator_is_raised() -> None:
    def sources() -> Iterator[Path]:
        yield FIXTURES / "one-frame.mp4"
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError, match=r"the database went away"):
        hash_videos(sources(), workers=2).collect()


def open_things() -> tuple[int, int]:
    gc.collect()
    return len(list((PROC / "task").iterdir())), len(list((PROC / "fd").iterdir()))


@needs_proc
def test_failures_hold_no_decoder_and_no_file(tmp_path: Path) -> None:
    """An error knows the frames of the calls that failed, and these what they had open."""
    data = (FIXTURES / "constant.mp4").read_bytes()
    paths = [tmp_path / f"{n}.mp4" for n in range(30)]
    for path in paths:
        path.write_bytes(data)
    limits = VideoLimits(max_frames=20)
    hash_videos(paths, limits=limits, workers=2).collect()
    before = open_things()
    batch = hash_videos(paths, limits=limits, workers=1, threads=4).collect()
    assert len(batch.failures) == 30
    for _ in range(100):
        if open_things() <= before:
            break
        time.sleep(0.02)
    assert open_things() <= before
    # Where it happened is still told.
    assert "hash_video" in "".join(traceback.format_exception(batch.failures[0].error))


def test_names_in_results_are_short() -> None:
    data = (FIXTURES / "constant.mp4").read_bytes()
    batch = hash_videos([data, b"junk", FIXTURES / "constant.mp4"]).collect()
    assert [r.source for r in batch][:2] == [f"<{len(data):,} bytes>", "<4 bytes>"]
    made = batch.hashed[0].video_hash
    assert made.hashes[0].hex not in repr(batch)
