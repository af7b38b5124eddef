"""Writers of videos killed at any point: all of a change is there, or nothing of it."""

from __future__ import annotations

import os
import random
import signal
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fingerprint.video import VideoHash
from fingerprint.video.index import VideoIndex
from tests.torture import StopsAtStep, fork, small_segments
from tests.video_lists import compared, video

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here"),
    # Its videos have a frame a second.
    pytest.mark.filterwarnings("ignore::fingerprint.SparseSamplingWarning"),
]

Model = dict[str, tuple[VideoHash, dict[str, Any]]]
Step = tuple[Callable[[VideoIndex], None], Model]

KILLS = 15


@pytest.fixture(autouse=True)
def _small_segments() -> Iterator[None]:
    with small_segments(40):
        yield


def steps(seed: int) -> Iterator[Step]:
    """Changes that follow from a seed, each with the videos that there are after it."""
    generator = random.Random(seed)
    model: Model = {}
    made = 0
    while True:
        kind = generator.choice(["add", "add", "add_many", "upsert", "remove", "remove_two"])
        known = sorted(model)
        fresh = [
            video(
                generator.choices(range(10), k=generator.choice([1, 2, 5])), noise=4, seed=made + i
            )
            for i in range(3)
        ]
        names = [f"{made + i}" for i in range(3)]
        made += 3
        if kind == "add_many":
            model = {**model, **{n: (v, {}) for n, v in zip(names, fresh, strict=True)}}
            yield lambda index, n=names, v=fresh: index.add_many(n, v), model  # type: ignore[misc]
        elif kind == "add" or not known:
            model = {**model, names[0]: (fresh[0], {"seed": made})}
            metadata = {"seed": made}
            yield (
                lambda index, n=names[0], v=fresh[0], m=metadata: index.add(n, v, m),  # type: ignore[misc]
                model,
            )
        elif kind == "upsert":
            name = generator.choice(known)
            model = {n: entry for n, entry in model.items() if n != name}
            model = {**model, name: (fresh[0], {})}
            yield lambda index, n=name, v=fresh[0]: index.upsert(n, v), model  # type: ignore[misc]
        else:
            gone = generator.sample(known, min(len(known), 1 + (kind == "remove_two")))
            model = {n: entry for n, entry in model.items() if n not in gone}
            yield lambda index, n=gone: index.remove(n), model  # type: ignore[misc]


def check(path: Path, states: list[Model], *, read_only: bool = False) -> None:
    """The index is one of these states, as a whole."""
    with VideoIndex.open(path, read_only=read_only, maintenance="manual") as index:
        found = {name: index.get(name) for name in index}
        content = [(name, one.video_hash, one.metadata) for name, one in found.items()]
        assert content in [[(n, v, m) for n, (v, m) in state.items()] for state in states]
        assert index.verify().problems == ()
        model = {name: (v, m) for name, v, m in content}
        for shots in ([1, 2], [7]):
            assert index.search(video(shots)) == compared(video(shots), model)


def test_writers_stopped_at_each_durable_step(tmp_path: Path) -> None:
    n_steps = 5

    def run(path: Path, pipe: int) -> None:
        with VideoIndex.open(path, maintenance="manual") as index:
            for _, (change, _) in zip(range(n_steps), steps(7), strict=False):
                change(index)
                os.write(pipe, b".")
            index.compact()
            os.write(pipe, b".")

    states: list[Model] = [{}]
    states += [model for _, (_, model) in zip(range(n_steps), steps(7), strict=False)]
    states.append(states[-1])
    k = 0
    while True:
        k += 1
        path = tmp_path / f"{k}"
        VideoIndex.create(path).close()
        read_end, write_end = os.pipe()
        stop = StopsAtStep(k, before=k % 2 == 0)
        with stop.installed():
            child = fork(lambda: run(path, write_end))  # noqa: B023
        os.close(write_end)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        done = len(b"".join(iter(lambda: os.read(read_end, 99), b"")))  # noqa: B023
        os.close(read_end)
        assert status in (0, 9)
        check(path, states[done : done + 2], read_only=k % 3 == 0)
        if status == 0:
            break
    assert k > 10, "there were more steps than that when this was written"


def test_writers_killed_at_random_points(tmp_path: Path) -> None:
    generator = random.Random(7)
    for i in range(KILLS):
        path = tmp_path / f"{i}"
        VideoIndex.create(path).close()
        read_end, write_end = os.pipe()

        def write(path: Path = path, pipe: int = write_end, seed: int = i) -> None:
            with VideoIndex.open(path) as index:
                for n, (change, _) in enumerate(steps(seed)):
                    change(index)
                    os.write(pipe, struct.pack("<i", n + 1))

        child = fork(write)
        os.close(write_end)
        told = os.read(read_end, 4)
        time.sleep(0.05 * generator.random())
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while some := os.read(read_end, 1 << 16):
            told += some
        os.close(read_end)
        (done,) = struct.unpack("<i", told[-4:])
        states = [model for _, (_, model) in zip(range(done + 1), steps(i), strict=False)]
        check(path, states[done - 1 :])


def test_a_reader_sees_each_video_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "i"
    query = video([1, 2, 3])
    # One video, replaced again and again: what is asked for is now here, now there in it.
    forms = [video([1, 2, 3, 9, 9], noise=3, seed=1), video([9, 8, 1, 2, 3], noise=3, seed=2)]
    expected = [compared(query, {"it": (form, {"form": i})}) for i, form in enumerate(forms)]
    with VideoIndex.create(path) as index:
        index.add("it", forms[0], {"form": 0})
    until = time.monotonic() + 2.0

    def write() -> None:
        with VideoIndex.open(path) as index:
            n = 0
            while time.monotonic() < until:
                n += 1
                index.upsert("it", forms[n % 2], {"form": n % 2})
                index.add(f"{n}", video([n % 5 + 4]))
                if n % 3 == 0:
                    index.remove([f"{n}", f"{n - 1}"])
                if n % 50 == 0:
                    index.compact()
            assert n > 10

    writer = fork(write)
    seen = set()
    with VideoIndex.open(path, read_only=True) as reader:
        while time.monotonic() < until:
            found = [match for match in reader.search(query) if match.id == "it"]
            assert found in expected
            seen.add(expected.index(found))
            spans = [m.spans[0] for m in reader.search_image(query.hashes[0]) if m.id == "it"]
            assert [span.start_s for span in spans] in ([0.0], [16.0])
            assert reader.get("it").metadata["form"] in (0, 1)
    assert os.waitpid(writer, 0)[1] == 0
    assert seen == {0, 1}
