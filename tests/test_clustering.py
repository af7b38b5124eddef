"""Clusters against a search through the graph of near pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.hash_arrays import HashArray
from fingerprint.index import clustering
from fingerprint.index.clustering import cluster
from tests import naive


def array_of(rows: list[bytes], quality: list[int] | None = None) -> HashArray:
    packed = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
    return HashArray(packed, "check", quality=quality)


# Few bits set, so that chains of near rows are common.
sparse = st.sets(st.integers(0, 63), max_size=4).map(
    lambda places: sum(1 << p for p in places).to_bytes(8, "big")
)


@given(st.lists(sparse, max_size=30), st.integers(0, 64), st.integers(1, 4))
def test_clusters_are_connected_components(rows: list[bytes], radius: int, workers: int) -> None:
    found = cluster(array_of(rows) if rows else empty(), radius, workers=workers)
    assert [c.rows for c in found] == naive.clusters(rows, radius)
    for c in found:
        assert c.widest == max(naive.hamming(rows[c.rows[0]], rows[r]) for r in c.rows)


def empty() -> HashArray:
    return HashArray(np.empty((0, 8), np.uint8), "check")


@pytest.mark.parametrize("bits", [64, 128, 256])
def test_planted_groups_across_tasks_and_threads(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small tasks, so that groups reach across them.
    monkeypatch.setattr(clustering, "_ROWS_PER_TASK", 16)
    generator = np.random.default_rng(bits)
    centres = generator.integers(0, 2, (12, bits), dtype=np.uint8)
    member = generator.integers(0, 12, 300)
    rows = centres[member]
    for row in rows:
        row[generator.choice(bits, 2, replace=False)] ^= 1
    hashes = HashArray(np.packbits(rows, axis=1), "check")
    expected = naive.clusters([h.packed for h in hashes], 4)
    assert len(expected) == 12
    for workers in (1, 2, 4):
        found = cluster(hashes, 4, workers=workers)
        assert [c.rows for c in found] == expected
    assert [c.rows for c in cluster(hashes, bits)] == [tuple(range(300))]


def test_a_chain_is_one_cluster_wider_than_the_radius() -> None:
    rows = [((1 << i) - 1).to_bytes(8, "big") for i in range(0, 60, 3)]
    (chain,) = cluster(array_of(rows), 3)
    assert chain.rows == tuple(range(20))
    assert chain.widest == 57
    assert cluster(array_of(rows), 2) == []


def test_many_copies_are_one_cluster() -> None:
    rows = [b"\x11" * 8, b"\xee" * 8] * 3000
    first, second = cluster(array_of(rows), 0)
    assert first.rows == tuple(range(0, 6000, 2))
    assert second.rows == tuple(range(1, 6000, 2))
    assert first.widest == second.widest == 0


def test_low_quality_joins_nothing_and_unknown_quality_does() -> None:
    hashes = array_of([bytes(8)] * 5, quality=[90, 10, -1, 50, 49])
    assert [c.rows for c in cluster(hashes, 0, min_quality=50)] == [(0, 2, 3)]
    assert [c.rows for c in cluster(hashes, 0)] == [(0, 1, 2, 3, 4)]
    assert cluster(array_of([bytes(8)] * 3, quality=[1, 2, 90]), 0, min_quality=50) == []


def test_progress_rises_to_one() -> None:
    told: list[float] = []
    rows = [i.to_bytes(8, "big") for i in range(2000)]
    cluster(array_of(rows), 0, workers=2, progress=told.append)
    assert told == sorted(told)
    assert len(told) > 1
    assert told[-1] == 1
    assert all(0 <= share <= 1 for share in told)


def test_one_row_and_wrong_radius() -> None:
    assert cluster(array_of([bytes(8)]), 64) == []
    with pytest.raises(ValueError, match="radius"):
        cluster(empty(), -1)
