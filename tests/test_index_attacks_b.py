"""What an attacker found in what an index on disk keeps, erases, checks and leaves behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fingerprint.errors import DuplicateIdError
from fingerprint.hash_arrays import HashArray
from fingerprint.index import Index, writer

BITS = 128
N = 60


def hashes(n: int, seed: int = 0) -> HashArray:
    packed = np.random.default_rng(seed).integers(0, 256, (n, BITS // 8), dtype=np.uint8)
    return HashArray(packed, "x", bits=BITS)


def names(n: int, prefix: str = "SECRET") -> list[str]:
    rng = np.random.default_rng(7)
    return [f"{prefix}{rng.bytes(6).hex()}" for _ in range(n)]


def made(path: Path, backend: str = "auto") -> Index:
    return Index.create(path, "x", bits=BITS, backend=backend, maintenance="manual")


def traces(directory: Path, needles: list[bytes]) -> int:
    content = b"".join(p.read_bytes() for p in directory.rglob("*") if p.is_file())
    return sum(one in content for one in needles)


# What was removed


@pytest.mark.parametrize("how", ["transaction", "upsert", "own", "blocks", "failed", "merged"])
def test_nothing_of_removed_entries_outlives_a_compaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(writer, "SEAL_ABOVE", 4000)
    old, new = hashes(3000), hashes(4500, seed=1)
    ids = names(3000)
    order = np.random.default_rng(3).permutation(3000)
    with made(tmp_path / "i") as index:
        if how == "blocks":
            index.add(None, old)
        else:
            for some in np.array_split(order, 30):
                index.add([ids[i] for i in some], old[some], [{"m": f"META{ids[i]}"} for i in some])
        removed = list(range(0, 3000, 3))
        if how == "transaction":
            with index.transaction():
                index.remove([ids[i] for i in removed])
                index.add(None, new)
        elif how == "upsert":
            index.upsert([ids[i] for i in removed] + names(3500, "n"), new)
        elif how == "own":
            with index.transaction():
                index.remove(ids)
                index.add(ids, old)
                index.remove([ids[i] for i in removed])
                index.add(None, new)
        elif how == "blocks":
            with index.transaction():
                index.remove([f"#{i + 1}" for i in removed])
                index.add(None, new)
        elif how == "failed":
            with index.transaction():
                index.remove([ids[i] for i in removed])
                with pytest.raises(DuplicateIdError):
                    index.add([*(f"gone{one}" for one in ids[:40]), ids[1]], old[:41])
                index.add(None, new)
        else:
            index.add(None, new)
            index.remove([ids[i] for i in removed])
            index.seal()
            index.compact()
            removed += range(1, 3000, 3)
            with index.transaction():
                index.remove([ids[i] for i in removed if i % 3])
                index.add(None, new)
        index.compact()
        needles = [old.packed[i].tobytes() for i in removed]
        if how != "blocks":
            needles += [f"META{ids[i]}".encode() for i in removed]
        if how not in ("blocks", "upsert"):
            needles += [ids[i].encode() for i in removed]
        if how == "failed":
            needles += [f"gone{one}".encode() for one in ids[:40]]
        assert not traces(tmp_path / "i", needles)
        assert index.verify().ok
    assert not traces(tmp_path / "i", needles)
