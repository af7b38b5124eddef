"""hash_images: order, failures, laziness, interruption, threads."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import fingerprint as fp
from fingerprint.algorithms import HashAlgorithm
from fingerprint.algorithms.base import Radius
from fingerprint.hashing import PENDING_PER_WORKER
from tests.malformed import encode, healthy, picture

if TYPE_CHECKING:
    from fingerprint.typing import U8, ImageSource


class FirstPixel(HashAlgorithm):
    """The first pixel as an eight-bit hash, after a pause that depends on it."""

    name = hash_name = "firstpixel"
    summary = "for tests"
    bits = 8
    radius = Radius(0, "tests")

    def __init__(self, seed: int | None = None, gate: threading.Event | None = None) -> None:
        self.dice = None if seed is None else random.Random(seed)
        self.gate = gate
        self.started = 0

    def hash_pixels(self, pixels: U8) -> fp.Hash:
        self.started += 1
        if self.gate is not None:
            assert self.gate.wait(60)
        if self.dice is not None:
            time.sleep(self.dice.random() / 200)
        return fp.Hash("firstpixel", bytes([pixels.flat[0]]), 8)


def grey(value: int) -> U8:
    return np.full((6, 6), value % 256, np.uint8)


def value_of(result: fp.HashedImage | fp.Failure) -> int:
    assert isinstance(result, fp.HashedImage), result
    return bytes.fromhex(result.hash.hex)[0]


def threads() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name.startswith("fingerprint")}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = threads()
    yield
    assert not threads() - before


@pytest.mark.parametrize("workers", [1, 2, 4, 16])
def test_order_is_kept_whatever_each_picture_takes(workers: int) -> None:
    sources = [grey(i) for i in range(200)]
    batch = fp.hash_images(sources, FirstPixel(seed=3), workers=workers).collect()
    assert [value_of(result) for result in batch] == list(range(200))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_failures_stand_in_their_places(workers: int) -> None:
    bad: list[ImageSource] = [b"", b"not a picture", "missing.png", np.zeros((2, 2), np.int32)]
    sources = [bad[i // 3 % 4] if i % 3 == 1 else grey(i) for i in range(90)]
    batch = fp.hash_images(sources, FirstPixel(seed=4), workers=workers).collect()
    assert [i for i, r in enumerate(batch) if isinstance(r, fp.Failure)] == list(range(1, 90, 3))
    assert [value_of(r) for r in batch.hashed] == [i for i in range(90) if i % 3 != 1]
    assert all(isinstance(failure.error, fp.DecodeError) for failure in batch.failures)
    assert batch[1].source == "<0 bytes>"
    assert batch[7].source == "missing.png"


def test_any_number_of_workers_gives_the_same_results() -> None:
    pictures: list[ImageSource] = [encode(picture((90, 70), seed), "JPEG") for seed in range(12)]
    pictures += [b"junk", encode(picture((90, 70), 3), "PNG")]
    for algorithm in ("pdq", "phash", "colorhash"):
        batches = [fp.hash_images(pictures, algorithm, workers=n).collect() for n in (1, 2, 4)]
        hashes = [[h.hex for h in batch.hashes] for batch in batches]
        assert hashes[0] == hashes[1] == hashes[2]
        one_by_one = [fp.hash_image(p, algorithm).hex for p in pictures if p != b"junk"]
        assert hashes[0] == one_by_one
        assert [str(f.error) for f in batches[0].failures] == [
            str(f.error) for f in batches[2].failures
        ]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_sources_are_read_as_they_are_needed(workers: int) -> None:
    read = 0

    def endless() -> Iterator[U8]:
        nonlocal read
        while True:
            read += 1
            yield grey(read)

    stream = fp.hash_images(endless(), FirstPixel(), workers=workers)
    assert read == 0
    for done in range(1, 61):
        assert value_of(next(stream)) == done
        assert read - done <= workers * PENDING_PER_WORKER + 1
    del stream
    assert read <= 60 + workers * PENDING_PER_WORKER + 1


def test_stopping_early_cancels_what_has_not_begun() -> None:
    before = threads()
    gate = threading.Event()
    algorithm = FirstPixel(gate=gate)
    gate.set()
    sources = (grey(i) for i in range(10_000))
    for taken, _ in enumerate(fp.hash_images(sources, algorithm, workers=2), 1):
        if taken == 5:
            gate.clear()
            threading.Timer(0.2, gate.set).start()
            break
    assert not threads() - before
    assert algorithm.started <= 5 + 2 * PENDING_PER_WORKER
    after = algorithm.started
    time.sleep(0.05)
    assert algorithm.started == after


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_of_the_source_generator_is_raised(workers: int) -> None:
    def sources() -> Iterator[U8]:
        yield from (grey(i) for i in range(20))
        raise RuntimeError("the database went away")

    seen: list[int] = []
    stream = fp.hash_images(sources(), FirstPixel(), workers=workers)
    with pytest.raises(RuntimeError, match="the database went away"):
        seen.extend(map(value_of, stream))
    assert seen == list(range(len(seen)))
    assert len(seen) >= 20 - workers * PENDING_PER_WORKER


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_of_the_algorithm_itself_is_raised(workers: int) -> None:
    class Broken(FirstPixel):
        def hash_pixels(self, pixels: U8) -> fp.Hash:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fp.hash_images([grey(1)], Broken(), workers=workers).collect()


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("keep", [False, True], ids=["temporary", "kept"])
def test_an_interrupt_in_progress_leaves_no_threads(workers: int, keep: bool) -> None:
    calls = []

    def progress(done: int) -> None:
        calls.append(done)
        if done == 7:
            raise KeyboardInterrupt

    before = threads()
    stream = fp.hash_images(map(grey, range(500)), FirstPixel(), workers=workers, progress=progress)
    kept = [stream] if keep else []
    try:
        for _ in stream:
            pass
    except KeyboardInterrupt:
        pass
    else:
        pytest.fail("the interrupt was swallowed")
    del stream
    assert calls == list(range(1, 8))
    # Also for who still holds the stream, as a frame of a traceback does.
    assert not threads() - before
    assert len(kept) == keep


def test_progress_counts_every_source_in_the_thread_that_iterates() -> None:
    seen = []

    def progress(done: int) -> None:
        assert threading.current_thread() is threading.main_thread()
        seen.append(done)

    sources: list[ImageSource] = [grey(1), b"junk", grey(2), "missing.jpg"] * 6
    stream = fp.hash_images(sources, FirstPixel(), workers=3, progress=progress)
    assert not seen
    next(stream)
    assert seen == [1]
    assert len(stream.collect()) == 23
    assert seen == list(range(1, 25))


INTERRUPTED = """
import sys, threading, time
import numpy as np
import fingerprint as fp
from fingerprint.algorithms import HashAlgorithm
from fingerprint.algorithms.base import Radius

class Slow(HashAlgorithm):
    name = hash_name = "slow"
    summary, bits, radius = "for tests", 8, Radius(0, "tests")
    def hash_pixels(self, pixels):
        time.sleep(0.05)
        return fp.Hash("slow", b"x", 8)

def endless():
    while True:
        yield np.zeros((6, 6), np.uint8)

try:
    fp.hash_images(endless(), Slow(), workers=int(sys.argv[1]),
                   progress=lambda done: print(done, flush=True)).collect()
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr, flush=True)
    raise
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("workers", ["1", "4"])
def test_ctrl_c_ends_the_process(workers: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, workers],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "1\n"
            process.send_signal(signal.SIGINT)
            # Ends by itself, or this raises: a batch without an end would go on for ever.
            _, errors = process.communicate(timeout=120)
        finally:
            process.kill()
    assert "interrupted" in errors
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode in {-signal.SIGINT, 130}


def test_raise_for_failures_raises_all_of_them() -> None:
    batch = fp.hash_images(
        [grey(1), b"junk", "missing.jpg", b""], FirstPixel(), workers=2
    ).collect()
    with pytest.raises(ExceptionGroup, match="3 of 4 sources could not be hashed") as caught:
        batch.raise_for_failures()
    assert [error.source for error in caught.value.exceptions] == [  # type: ignore[union-attr]
        "<4 bytes>",
        "missing.jpg",
        "<0 bytes>",
    ]
    with pytest.raises(ExceptionGroup) as group:
        raise group_of(batch)
    assert group.group_contains(fp.DecodeError)
    fp.hash_images([grey(1)], FirstPixel()).collect().raise_for_failures()


def group_of(batch: fp.HashBatch) -> ExceptionGroup[Exception]:
    return ExceptionGroup("all", [failure.error for failure in batch.failures])


def test_a_batch_is_a_sequence() -> None:
    sources: list[ImageSource] = [grey(5), b"junk", grey(7)]
    batch = fp.hash_images(sources, FirstPixel(), workers=2).collect()
    assert isinstance(batch, fp.HashBatch)
    assert len(batch) == 3
    assert batch[-1] is batch.results[2]
    assert list(batch) == list(batch.results)
    assert batch[:2] == batch.results[:2]
    assert list(reversed(batch)) == list(batch.results[::-1])
    assert batch[1] in batch
    assert batch.index(batch[2]) == 2
    with pytest.raises(IndexError):
        batch[3]
    assert [value_of(r) for r in batch.hashed] == [5, 7]
    assert [h.hex for h in batch.hashes] == ["05", "07"]
    assert [f.source for f in batch.failures] == ["<4 bytes>"]


def test_empty_batches() -> None:
    for workers in (1, 4):
        batch = fp.hash_images([], workers=workers).collect()
        assert len(batch) == 0
        assert not batch.failures
    with pytest.raises(ValueError, match="hash"):
        _ = batch.hashes
    only_failures = fp.hash_images([b"junk"], workers=1).collect()
    with pytest.raises(ValueError, match="hash"):
        _ = only_failures.hashes


def test_collect_returns_what_is_left_and_a_stream_is_iterated_once() -> None:
    stream = fp.hash_images([grey(i) for i in range(10)], FirstPixel(), workers=2)
    assert iter(stream) is stream
    assert [value_of(next(stream)) for _ in range(3)] == [0, 1, 2]
    assert [value_of(r) for r in stream.collect()] == list(range(3, 10))
    assert len(stream.collect()) == 0


def test_what_is_no_picture_at_all_is_a_failure() -> None:
    strange: list[Any] = [None, 7, object(), ["a.jpg"], np.zeros((2, 2)), np.zeros(3, np.uint8)]
    sources: list[Any] = [*strange, grey(1)]
    batch = fp.hash_images(sources, FirstPixel(), workers=2).collect()
    assert len(batch.failures) == len(strange)
    for failure in batch.failures:
        assert isinstance(failure.error, fp.DecodeError)
        assert isinstance(failure.error.__cause__, TypeError | ValueError)
        assert "expected" in str(failure.error)
    assert value_of(batch[-1]) == 1


def test_wrong_arguments_are_refused_at_once() -> None:
    def never() -> Iterator[bytes]:
        yield pytest.fail("a source was read")

    with pytest.raises(fp.UnknownAlgorithmError) as caught:
        fp.hash_images(never(), "nonsense")
    assert "pdq" in caught.value.known
    with pytest.raises(fp.UnsupportedOperationError, match="hash_segments"):
        fp.hash_images(never(), "crop_resistant")
    for workers in (0, -1):
        with pytest.raises(ValueError, match=f"workers: expected at least 1, got {workers}"):
            fp.hash_images(never(), workers=workers)


@pytest.mark.parametrize(
    "option",
    [{"fidelity": "best"}, {"orientation": "sideways"}, {"alpha": "blend"}, {"background": (0, 0)}],
    ids=str,
)
def test_wrong_options_are_the_callers_error_and_no_failure_of_a_picture(
    option: dict[str, object],
) -> None:
    data = healthy()["png-palette"]
    with pytest.raises((ValueError, TypeError), match=next(iter(option))) as caught:
        fp.hash_image(data, "dhash", **option)  # type: ignore[arg-type]
    assert not isinstance(caught.value, fp.DecodeError)
    with pytest.raises((ValueError, TypeError), match=next(iter(option))) as caught:
        fp.hash_images([data], "dhash", workers=1, **option).collect()  # type: ignore[arg-type]
    assert not isinstance(caught.value, fp.DecodeError)
