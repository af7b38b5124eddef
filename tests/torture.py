"""Writers killed at random points, readers beside them: ``python -m tests.torture --minutes 10``.

A child makes changes that follow from a seed, and tells when each begins and is done.
The parent kills it, makes the same changes to a list, and compares: all that was done
is there, what was begun is there as a whole or not at all, and every file is sound.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index import Index, durable, merging, writer

Entry = tuple[str, bytes, Any]
_BEGUN, _DONE = 0, 1


class Change(NamedTuple):
    """One thing to do: to an index, and to a list of entries."""

    do: Callable[[Index], object]
    entries: list[Entry]
    next_seq: int


class Workload:
    """Changes that follow from a seed and the entries that there are."""

    def __init__(self, seed: int, entries: list[Entry], next_seq: int) -> None:
        self.random = random.Random(seed)
        self.entries = list(entries)
        self.next_seq = next_seq
        self.seed = seed
        self.made = 0

    def __iter__(self) -> Iterator[Change]:
        kinds = (
            *(self.add, self.add, self.add_numbered, self.upsert, self.remove, self.remove),
            *(self.transaction, self.nothing("seal"), self.nothing("compact")),
        )
        while True:
            yield self.random.choice(kinds)()

    def next_change(self, kind: str) -> Change:
        """Return a change of one kind."""
        found = getattr(self, kind, None)
        change: Change = (found or self.nothing(kind))()
        return change

    def _new(self, n: int) -> tuple[list[str], list[bytes], list[dict[str, Any]]]:
        ids = [f"{self.seed}-{self.made + i}" for i in range(n)]
        self.made += n
        packed = [self.random.randbytes(32) for _ in ids]
        return ids, packed, [{"of": one, "n": self.random.randrange(99)} for one in ids]

    def _changed(self, do: Callable[[Index], object]) -> Change:
        return Change(do, list(self.entries), self.next_seq)

    def add(self) -> Change:
        ids, packed, metadata = self._new(self.random.choice([1, 1, 3, 25]))
        self.entries += zip(ids, packed, metadata, strict=True)
        self.next_seq += len(ids)
        return self._changed(lambda index: index.add(ids, _hashes(packed), metadata))

    def add_numbered(self) -> Change:
        _, packed, _ = self._new(self.random.choice([1, 5, 60]))
        seqs = range(self.next_seq, self.next_seq + len(packed))
        self.entries += [(f"#{seq}", one, {}) for seq, one in zip(seqs, packed, strict=True)]
        self.next_seq = seqs.stop
        return self._changed(lambda index: index.add(None, _hashes(packed)))

    def upsert(self) -> Change:
        ids, packed, metadata = self._new(self.random.choice([1, 4]))
        named = [entry[0] for entry in self.entries if entry[0][0] != "#"]
        known = self.random.sample(named, min(len(named), len(ids)))
        ids[: len(known)] = known
        gone = set(known)
        self.entries = [entry for entry in self.entries if entry[0] not in gone]
        self.entries += zip(ids, packed, metadata, strict=True)
        self.next_seq += len(ids)
        return self._changed(lambda index: index.upsert(ids, _hashes(packed), metadata))

    def remove(self) -> Change:
        n = min(self.random.choice([1, 2, 20]), (len(self.entries) + 2) // 3)
        gone = {entry[0] for entry in self.random.sample(self.entries, n)}
        self.entries = [entry for entry in self.entries if entry[0] not in gone]
        return self._changed(lambda index: index.remove(gone))

    def transaction(self) -> Change:
        parts = [self.add(), self.remove(), self.upsert(), self.add_numbered(), self.remove()]

        def do(index: Index) -> None:
            with index.transaction():
                for part in parts:
                    part.do(index)

        return self._changed(do)

    def merge(self) -> Change:
        def do(index: Index) -> None:
            store: Any = index._store
            while store._merge_once():
                pass

        return self._changed(do)

    def nothing(self, method: str) -> Callable[[], Change]:
        """Return what changes the files alone."""
        return lambda: self._changed(lambda index: getattr(index, method)())


def _hashes(packed: list[bytes]) -> HashArray:
    return HashArray.from_hashes(Hash("pdq", one, 256, 60) for one in packed)


def content(index: Index) -> list[Entry]:
    return [(e.id, e.hash.packed, e.metadata) for e in index.entries()]


@contextmanager
def small_segments(n: int = 24) -> Iterator[None]:
    """Seal and merge after a few entries instead of thousands."""
    with (
        mock.patch.object(writer, "SEAL_ABOVE", n),
        mock.patch.object(merging, "SMALLEST_TIER", n),
    ):
        yield


def fork(work: Callable[[], None]) -> int:
    """Run in a child, which ends with status 0 when nothing was raised."""
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Threads and forks.
        child = os.fork()
    if child:
        return child
    gc.freeze()  # A decoder that the parent left would wait for threads that are not here.
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        work()
        status = 0
    except BaseException as error:  # noqa: BLE001
        print(f"in the child: {error!r}", file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(status)


def write_and_tell(path: Path, workload: Workload, pipe: int, **options: Any) -> None:
    """Make changes until killed; tell when each begins and when it is done."""
    index = Index.open(path, **options)
    for step, change in enumerate(workload):
        os.write(pipe, struct.pack("<iB", step, _BEGUN))
        change.do(index)
        os.write(pipe, struct.pack("<iB", step, _DONE))


class Victim:
    """An index whose writers are killed, and what must be in it."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.random = random.Random(seed)
        self.entries: list[Entry] = []
        self.next_seq = 1
        self.changes = 0
        Index.create(path, "pdq").close()

    def kill_a_writer(self, longest_s: float) -> None:
        """Let a child write for a random time, kill it, and look at what it left."""
        seed = self.random.randrange(2**31)
        workload = Workload(seed, self.entries, self.next_seq)
        read_end, write_end = os.pipe()
        child = fork(lambda: write_and_tell(self.path, workload, write_end))
        os.close(write_end)
        first = os.read(read_end, 5)  # It has opened the index and begins.
        time.sleep(longest_s * self.random.random() ** 2)
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        told = first
        while some := os.read(read_end, 1 << 16):
            told += some
        os.close(read_end)
        assert os.WIFSIGNALED(status), "the writer gave up by itself"
        step, state = struct.unpack("<iB", told[-5:])
        self.check(Workload(seed, self.entries, self.next_seq), step + (state == _DONE), state)

    def check(self, workload: Workload, done: int, state: int) -> None:
        """Compare with the list after ``done`` changes, and perhaps one more."""
        self.changes += done
        allowed = [(self.entries, self.next_seq)]
        for _, change in zip(range(done + (state == _BEGUN)), workload, strict=False):
            allowed.append((change.entries, change.next_seq))
        with Index.open(self.path, read_only=self.random.random() < 0.5) as index:
            found = content(index)
            last = [one for one in allowed[done:] if one[0] == found]
            assert last, f"{len(found)} entries, none of what was told of"
            self.entries = found
            self.next_seq = index._store.latest()[0].state.next_seq
            assert len(index) == len(found)
            problems = index.verify().problems
            assert problems == (), problems
            self.search(index)

    def search(self, index: Index) -> None:
        """Look some entries up: those that are there are found, those that were are not."""
        some = self.random.sample(self.entries, min(20, len(self.entries)))
        matches = index.within_many([Hash("pdq", one[1], 256) for one in some], 0)
        for entry, found in zip(some, matches, strict=True):
            assert [(m.id, m.metadata) for m in found] == [(entry[0], entry[2])]


STEPS = ("sync_file", "sync_directory", "rename", "commit", "remove_folder", "make_private")


class StopsAtStep:
    """Ends the process before or after its k-th durable step."""

    def __init__(self, k: int, *, before: bool) -> None:
        self.left = k
        self.before = before

    def wrapped(self, step: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: Any) -> object:
            self.left -= 1
            is_last = self.left == 0
            if is_last and self.before:
                os._exit(9)
            found = step(*arguments)
            if is_last:
                os._exit(9)
            return found

        return counted

    @contextmanager
    def installed(self) -> Iterator[None]:
        with ExitStack() as stack:
            for name in STEPS:
                wrapped = self.wrapped(getattr(durable, name))
                stack.enter_context(mock.patch.object(durable, name, wrapped))
            yield


SLOTS = 6


def readers_beside_a_writer(path: Path, seconds: float, n_readers: int, seed: int) -> int:
    """Let processes search while one writes; return how many answers were checked.

    A few entries share one hash and are replaced together, again and again, with the
    number of the round as metadata: an answer of several rounds is no committed state.
    Others are always there and must always be found.
    """
    rng = np.random.default_rng(seed)
    fixed = HashArray(rng.integers(0, 256, (200, 32), dtype=np.uint8), "pdq")
    shared = Hash("pdq", rng.bytes(32), 256)
    slots = [f"slot-{i}" for i in range(SLOTS)]
    with Index.create(path, "pdq") as index:
        index.add([f"fixed-{i}" for i in range(200)], fixed)
        index.add(slots, [shared] * SLOTS, [{"round": 0}] * SLOTS)
    until = time.monotonic() + seconds

    def write() -> None:
        index = Index.open(path)
        workload = Workload(seed, [], 0)
        for round_ in range(1, sys.maxsize):
            with index.transaction():
                index.upsert(slots, [shared] * SLOTS, [{"round": round_}] * SLOTS)
                ids, packed, metadata = workload._new(9)
                index.add(ids, _hashes(packed), metadata)
            index.remove(ids[:7])
            if round_ % 40 == 0:
                index.compact()
            if time.monotonic() > until:
                index.close()
                return

    def read(counter: int, which: int) -> None:
        generator = random.Random(which)
        index = Index.open(path, read_only=True, residency="huge" if which % 2 else "mmap")
        last = n = 0
        while time.monotonic() < until:
            matches = index.within(shared, 0)
            assert sorted(m.id for m in matches) == slots, [m.id for m in matches]
            rounds = {m.metadata["round"] for m in matches}
            assert len(rounds) == 1, f"an answer of rounds {rounds}"
            assert last <= min(rounds), "an older state after a newer one"
            last = min(rounds)
            some = generator.sample(range(200), 5)
            for i, found in zip(some, index.within_many([fixed[i] for i in some], 31), strict=True):
                assert f"fixed-{i}" in [m.id for m in found]
            assert index.get("fixed-3").hash == fixed[3]
            n += SLOTS
        assert last > 0, "the writer's commits were never seen"
        os.write(counter, struct.pack("<i", n))
        index.close()

    read_end, write_end = os.pipe()
    children = [fork(lambda i=i: read(write_end, i)) for i in range(n_readers)]  # type: ignore[misc]
    children.append(fork(write))
    os.close(write_end)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    counts = b"".join(iter(lambda: os.read(read_end, 1 << 16), b""))
    os.close(read_end)
    assert statuses == [0] * len(children), "a reader or the writer failed"
    with Index.open(path) as index:
        assert index.verify().ok
    return sum(n for (n,) in struct.iter_unpack("<i", counts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)  # noqa: T201
    generator = random.Random(options.seed)
    until = time.monotonic() + 60 * options.minutes
    kills = changes = answers = 0
    while time.monotonic() < until:
        folder = Path(tempfile.mkdtemp(prefix="torture-"))
        seed, size = generator.randrange(2**31), generator.choice([8, 24, 200])
        with small_segments(size):
            victim = Victim(folder / "killed", seed)
            for _ in range(200):
                victim.kill_a_writer(generator.choice([0.02, 0.1, 0.5]))
            share_s = min(60.0, 6 * options.minutes)
            answers += readers_beside_a_writer(folder / "read", share_s, 3, seed)
        kills, changes = kills + 200, changes + victim.changes
        shutil.rmtree(folder)
        print(  # noqa: T201
            f"{kills:,} kills, {changes:,} acknowledged changes, {answers:,} answers: all well",
            flush=True,
        )


if __name__ == "__main__":
    main()
