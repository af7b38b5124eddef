"""Writers killed at any point lose nothing that was acknowledged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fingerprint.hashes import Hash
from fingerprint.index import Index
from tests.torture import (
    StopsAtStep,
    Victim,
    Workload,
    fork,
    readers_beside_a_writer,
    small_segments,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")

KILLS = 210
GROUPS = 3


@pytest.fixture(autouse=True)
def _small_segments() -> Iterator[None]:
    with small_segments():
        yield


@pytest.mark.parametrize("seed", range(GROUPS))
def test_writers_killed_at_random_points(tmp_path: Path, seed: int) -> None:
    victim = Victim(tmp_path / "index", seed)
    for _ in range(KILLS // GROUPS):
        victim.kill_a_writer(longest_s=0.08)
    assert victim.changes > KILLS // GROUPS


SCENARIO = (
    *("add", "add_numbered", "transaction", "transaction", "remove", "seal", "upsert"),
    *("transaction", "transaction", "seal", "transaction", "seal", "remove", "merge"),
    *("add", "compact", "transaction", "remove", "seal", "remove", "compact"),
)


def run_scenario(path: Path, workload: Workload, pipe: int) -> None:
    with Index.open(path, maintenance="manual") as index:
        for kind in SCENARIO:
            workload.next_change(kind).do(index)
            os.write(pipe, b".")


def states_of(workload: Workload) -> list[list[tuple[str, bytes, object]]]:
    states = [list(workload.entries)]
    return states + [workload.next_change(kind).entries for kind in SCENARIO]


@pytest.mark.parametrize("before", [True, False])
def test_writers_stopped_at_each_durable_step(tmp_path: Path, before: bool) -> None:
    k = 0
    while True:
        k += 1
        path = tmp_path / f"{k}"
        Index.create(path, "pdq").close()
        read_end, write_end = os.pipe()
        stop = StopsAtStep(k, before=before)
        with stop.installed():
            child = fork(lambda: run_scenario(path, Workload(5, [], 1), write_end))  # noqa: B023
        os.close(write_end)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        done = len(b"".join(iter(lambda: os.read(read_end, 99), b"")))  # noqa: B023
        os.close(read_end)
        assert status in (0, 9)
        states = states_of(Workload(5, [], 1))
        for read_only in (True, False):
            with Index.open(path, read_only=read_only) as index:
                found = [(e.id, e.hash.packed, e.metadata) for e in index.entries()]
                assert found in states[done : done + 2], f"step {k}, after {done} changes"
                assert index.verify().problems == ()
                matches = index.within_many([e.hash for e in index.entries()], 0)
                assert [[m.id for m in some] for some in matches] == [[e[0]] for e in found]
                if not read_only:
                    index.add("after", Hash("pdq", bytes(32), 256))
        if status == 0:
            break
    assert k > 60, "there were more steps than that when this was written"


def test_reader_processes_beside_a_writer(tmp_path: Path) -> None:
    assert readers_beside_a_writer(tmp_path / "index", 6.0, 2, seed=1) > 0
