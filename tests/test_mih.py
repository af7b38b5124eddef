"""Multi-index hashing against brute force, on hashes that are kind to it and not."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fingerprint.errors import CorruptIndexError
from fingerprint.hash_arrays import HashArray
from fingerprint.index import Index
from fingerprint.index.backends import RangeResult, get_backend
from fingerprint.index.backends.mih import MihBackend
from fingerprint.index.multi_index import chunks as chunks_module
from fingerprint.index.multi_index import plan as plan_module
from fingerprint.index.multi_index.plan import MAX_CHUNK_RADIUS, Planner
from fingerprint.testing import check_backend
from fingerprint.typing import Residency
from tests import naive

BITS = (9, 42, 64, 65, 128, 200, 256, 320, 512)
Rows = NDArray[np.uint8]


@pytest.fixture
def tables_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sets would be scanned: make scans look dear."""
    monkeypatch.setattr(plan_module, "SCAN_WORD_NS", 1e9)


def random_rows(n: int, bits: int, rng: np.random.Generator) -> Rows:
    return rng.integers(0, 2, (n, bits), dtype=np.uint8)


def constant_rows(n: int, bits: int, rng: np.random.Generator) -> Rows:
    """A third of the bits never change, another third hardly ever."""
    rows = random_rows(n, bits, rng)
    rows[:, : bits // 3] = 1
    rows[:, bits // 3 : 2 * bits // 3] = rng.random((n, 2 * bits // 3 - bits // 3)) < 0.01
    return rows


def running_rows(n: int, bits: int, rng: np.random.Generator) -> Rows:
    """Each bit mostly repeats the one before it."""
    rows = random_rows(n, bits, rng)
    repeats = rng.random((n, bits)) < 0.85
    for i in range(1, bits):
        rows[:, i] = np.where(repeats[:, i], rows[:, i - 1], rows[:, i])
    return rows


def balanced_rows(n: int, bits: int, rng: np.random.Generator) -> Rows:
    """Half of the bits are set, as in PDQ."""
    rows = np.zeros((n, bits), np.uint8)
    rows[:, : bits // 2] = 1
    return rng.permuted(rows, axis=1)


def crowded_rows(n: int, bits: int, rng: np.random.Generator) -> Rows:
    """Half of the rows are one frame of a film, give or take a few bits."""
    rows = random_rows(n, bits, rng)
    rows[: n // 2] = rows[0]
    for row in rows[: n // 2]:
        row[rng.integers(0, bits, rng.integers(0, 4))] ^= 1
    return rng.permutation(rows)


def equal_rows(n: int, bits: int, rng: np.random.Generator) -> Rows:
    return np.repeat(random_rows(1, bits, rng), n, axis=0)


MAKERS = {
    make.__name__.removesuffix("_rows"): make
    for make in (
        random_rows,
        constant_rows,
        running_rows,
        balanced_rows,
        crowded_rows,
        equal_rows,
    )
}


def hashes_of(rows: Rows) -> HashArray:
    return HashArray(np.packbits(rows, axis=1), "check", bits=rows.shape[1])


def queries_near(rows: Rows, n: int, rng: np.random.Generator) -> Rows:
    """Rows with 0, 1, 2, ... flips, and strangers."""
    bits = rows.shape[1]
    near = rows[rng.integers(0, len(rows), n)].copy()
    for i, row in enumerate(near):
        row[rng.choice(bits, min(2 * i, bits), replace=False)] ^= 1
    return np.concatenate([near, random_rows(3, bits, rng)])


def check_range(backend: MihBackend, rows: Rows, queries: Rows, radius: int) -> None:
    """Compare with a count of differing bits, row by row."""
    lims, found, distances = backend.range_search(hashes_of(queries), radius)
    for i, query in enumerate(queries):
        truth = (rows != query).sum(axis=1)
        expected = sorted((int(d), row) for row, d in enumerate(truth) if d <= radius)
        here = slice(lims[i], lims[i + 1])
        assert list(zip(distances[here].tolist(), found[here].tolist(), strict=True)) == expected


def same(a: RangeResult, b: RangeResult) -> bool:
    return (
        np.array_equal(a.lims, b.lims)
        and np.array_equal(a.rows, b.rows)
        and np.array_equal(a.distances, b.distances)
    )


def check_nearest(backend: MihBackend, rows: Rows, queries: Rows, k: int) -> None:
    found, distances = backend.nearest(hashes_of(queries), k)
    for i, query in enumerate(queries):
        truth = (rows != query).sum(axis=1)
        assert distances[i].tolist() == sorted(truth.tolist())[:k]
        assert truth[found[i]].tolist() == distances[i].tolist()
        assert len(set(found[i].tolist())) == k


@pytest.mark.usefixtures("tables_always")
def test_contract_with_tables() -> None:
    check_backend(get_backend("mih"))
    check_backend(get_backend("mih"), radius=3, workers=1)


@pytest.mark.usefixtures("tables_always")
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("bits", BITS)
def test_range_and_nearest(make: Any, bits: int) -> None:
    rng = np.random.default_rng(bits)
    rows = make(700, bits, rng)
    backend = MihBackend.build(hashes_of(rows))
    queries = queries_near(rows, 12, rng)
    for radius in sorted({0, 1, 5, bits // 16, bits // 8, bits // 6, bits // 4, bits // 2, bits}):
        check_range(backend, rows, queries, radius)
    for k in (1, 10, 700):
        check_nearest(backend, rows, queries, k)


@given(
    st.sampled_from(sorted(MAKERS)),
    st.integers(1, 512),
    st.integers(0, 300),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_any_set(make: str, bits: int, n: int, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    rows = MAKERS[make](max(n, 1), bits, rng)[:n]
    target = data.draw(st.integers(0, bits))
    radius = data.draw(st.integers(0, bits))
    queries = queries_near(rows, 3, rng) if n else random_rows(3, bits, rng)
    for scan_ns in (0.5, 1e9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan_module, "SCAN_WORD_NS", scan_ns)
            backend = MihBackend.build(hashes_of(rows), radius=target)
            check_range(backend, rows, queries, radius)
            if n:
                check_nearest(backend, rows, queries, data.draw(st.integers(1, n)))


@pytest.mark.usefixtures("tables_always")
@pytest.mark.parametrize("bits", [64, 256, 512])
@pytest.mark.parametrize("radius", [3, 10, 31])
def test_a_neighbour_that_only_one_chunk_finds(bits: int, radius: int) -> None:
    """Flips spread so that every other chunk is one bit out of reach."""
    rng = np.random.default_rng(radius)
    rows = random_rows(900, bits, rng)
    backend = MihBackend.build(hashes_of(rows), radius=radius)
    plan = backend._planner.plan(radius)
    assert not plan.scans
    chunks = backend._tables.chunks.bits
    seen = 0
    for only, reach in enumerate(plan.radii.tolist()):
        if reach < 0:
            continue
        flips: list[int] = []
        for c, other in enumerate(plan.radii.tolist()):
            flips += list(chunks[c][: other + 1]) if c != only else list(chunks[c][:reach])
        query = rows[only].copy()
        query[flips] ^= 1
        if len(flips) <= radius:
            seen += 1
            check_range(backend, rows, query[None], radius)
    assert seen >= 2 or (plan.radii >= 0).sum() < 2


@pytest.mark.usefixtures("tables_always")
def test_lists_longer_than_a_block_and_results_by_the_thousand() -> None:
    rng = np.random.default_rng(3)
    rows = np.concatenate([equal_rows(9000, 64, rng), random_rows(2000, 64, rng)])
    backend = MihBackend.build(hashes_of(rows))
    for radius in (0, 8, 40):
        check_range(backend, rows, rows[[0, 8999, 9500]], radius)


@pytest.mark.parametrize("budget", [0, 1, 5, 50])
def test_giving_up_finds_the_same(budget: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(budget)
    rows = crowded_rows(3000, 128, rng)
    monkeypatch.setattr(plan_module, "SCAN_WORD_NS", 1e9)
    backend = MihBackend.build(hashes_of(rows), radius=12)
    object.__setattr__(backend._planner.plan(12), "budget", budget)
    check_range(backend, rows, queries_near(rows, 10, rng), 12)


def test_a_scan_where_it_is_cheaper() -> None:
    rng = np.random.default_rng(1)
    rows = random_rows(5000, 256, rng)
    backend = MihBackend.build(hashes_of(rows))
    assert not backend._planner.plan(10).scans
    assert backend._planner.plan(120).scans
    assert "scan" in backend.explain(120)
    assert "chunks" in backend.explain(10)
    check_range(backend, rows, queries_near(rows, 6, rng), 120)
    check_range(backend, rows, queries_near(rows, 6, rng), 10)


def test_bits_that_tell_nothing_are_left_out() -> None:
    rng = np.random.default_rng(2)
    rows = random_rows(4000, 256, rng)
    rows[:, 40:140] = 1
    backend = MihBackend.build(hashes_of(rows))
    used = {bit for chunk in backend._tables.chunks.bits for bit in chunk}
    assert used == set(range(40)) | set(range(140, 256))


def test_bits_that_follow_their_neighbours_are_dealt_out() -> None:
    rng = np.random.default_rng(2)
    rows = running_rows(4000, 256, rng)
    assert MihBackend.build(hashes_of(rows))._tables.chunks.bits[0][1] > 1
    rows = random_rows(4000, 256, rng)
    assert MihBackend.build(hashes_of(rows))._tables.chunks.bits[0][:2] == (0, 1)


def test_many_queries_on_several_threads_as_one_by_one() -> None:
    rng = np.random.default_rng(5)
    rows = balanced_rows(20_000, 256, rng)
    backend = MihBackend.build(hashes_of(rows))
    queries = hashes_of(queries_near(rows, 1500, rng))
    alone = backend.range_search(queries, 31)
    shared = backend.range_search(queries, 31, workers=2)
    assert same(alone, shared)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: backend.range_search(queries, 31), range(8)):
            assert same(alone, result)


def test_an_index_shares_queries_among_threads_and_says_how_it_searches() -> None:
    rng = np.random.default_rng(5)
    rows = hashes_of(random_rows(40_000, 256, rng))
    hashes = HashArray(rows.packed, "pdq")
    index = Index("pdq")
    index.add(None, hashes)
    queries = hashes[:600]
    assert index.within_many(queries, 31, workers=2) == index.within_many(queries, 31)
    assert index.info()["backend"] == "mih"
    for radius, word in ((31, "chunks"), (250, "scans")):
        assert word in index.info(radius)["search"][0]
    assert "until there are 3" in index.info(k=3)["search"][0]
    with pytest.raises(ValueError, match="radius"):
        index.info(257)


def test_tables_are_built_for_the_radius_of_the_algorithm() -> None:
    """A dHash's radius, 10 of 64, is not an eighth of its bits."""
    rng = np.random.default_rng(5)
    hashes = HashArray(hashes_of(random_rows(30_000, 64, rng)).packed, "phash")
    index = Index("phash", backend="mih")
    index.add(None, hashes)
    index.within(hashes[0])
    built = index._store.latest()[0].segments[0].backend
    assert isinstance(built, MihBackend)
    assert index.default_radius is not None
    alike = MihBackend.build(hashes, radius=index.default_radius)
    assert built._tables.chunks == alike._tables.chunks


def test_residency(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    hashes = hashes_of(random_rows(30_000, 256, rng))
    backend = MihBackend.build(hashes)
    backend.save(tmp_path)
    expected = backend.range_search(hashes[:50], 31)
    both: tuple[Residency, ...] = ("mmap", "huge")
    for residency in both:
        loaded = MihBackend.load(tmp_path, hashes, residency=residency)
        assert loaded.nbytes == backend.nbytes
        found = loaded.range_search(hashes[:50], 31)
        assert same(found, expected)


@pytest.mark.parametrize("bits", [64, 128, 256, 512])
def test_a_million_hashes_of_any_size_get_tables(bits: int) -> None:
    """By their estimates: nothing is built."""
    rng = np.random.default_rng(bits)
    sample = rng.integers(0, 2**64, (4096, bits // 64), dtype=np.uint64)
    words = np.broadcast_to(sample[:, None], (4096, 256, bits // 64)).reshape(-1, bits // 64)
    chunks, shares = chunks_module.choose_chunks(words, bits, bits // 8)
    plan = Planner(chunks.widths, shares, len(words), bits // 64).plan(bits // 8)
    assert not plan.scans
    assert chunks_module._nbytes(chunks, len(words)) / len(words) <= 101 * max(1, bits / 256)


def test_size_is_what_was_estimated() -> None:
    rng = np.random.default_rng(7)
    backend = MihBackend.build(hashes_of(random_rows(100_000, 256, rng)))
    estimate = chunks_module._nbytes(backend._tables.chunks, 100_000)
    assert 0.97 < backend.nbytes / estimate < 1.03


@given(st.data())
def test_damaged_tables_never_invent_or_crash(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    rows = crowded_rows(3000, 64, rng)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "SCAN_WORD_NS", 1e9)
        backend = MihBackend.build(hashes_of(rows))
    for name in data.draw(st.sets(st.sampled_from(["groups", "slots", "lists"]), min_size=1)):
        array = getattr(backend._tables, name).view(np.uint8)
        column = ("groups", "slots", "lists").index(name)
        used = int(backend._tables.lengths[0, column]) * (8, 4, 4)[column]
        for _ in range(20):
            array[data.draw(st.integers(0, used - 1))] ^= 1 << data.draw(st.integers(0, 7))
    queries = queries_near(rows, 8, rng)
    try:
        lims, found, distances = backend.range_search(hashes_of(queries), 12)
    except CorruptIndexError:
        return
    for i, query in enumerate(queries):
        here = slice(lims[i], lims[i + 1])
        assert (rows[found[here]] != query).sum(axis=1).tolist() == distances[here].tolist()


def test_equal_hashes_are_kept_without_tables(tmp_path: Path) -> None:
    hashes = hashes_of(equal_rows(100, 64, np.random.default_rng(8)))
    MihBackend.build(hashes).save(tmp_path)
    loaded = MihBackend.load(tmp_path, hashes)
    assert loaded.nbytes == 0
    assert loaded.range_search(hashes[:1], 3).rows.tolist() == list(range(100))
    assert loaded.nearest(hashes[:1], 2).distances.tolist() == [[0, 0]]


def test_any_flip_in_a_file_is_an_error_or_finds_no_wrong_row(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    rows = random_rows(2000, 64, rng)
    hashes = hashes_of(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "SCAN_WORD_NS", 1e9)
        MihBackend.build(hashes).save(tmp_path)
        for path in sorted(tmp_path.iterdir()):
            whole = path.read_bytes()
            for at in (*range(0, 128, 3), *rng.integers(0, len(whole), 40).tolist()):
                flipped = bytearray(whole)
                flipped[at % len(whole)] ^= 1 << int(rng.integers(8))
                path.write_bytes(flipped)
                try:
                    loaded = MihBackend.load(tmp_path, hashes)
                    found = loaded.range_search(hashes[:5], 4)
                except CorruptIndexError:
                    continue
                owner = np.repeat(np.arange(5), np.diff(found.lims))
                true = (rows[found.rows] != rows[owner]).sum(axis=1)
                assert np.array_equal(true, found.distances), (path.name, at)
            path.write_bytes(whole)


def test_missing_and_short_files_are_damage(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    hashes = hashes_of(random_rows(3000, 64, rng))
    for name in ("groups.npy", "slots.npy", "lists.npy", "mih.json"):
        folder = tmp_path / name
        folder.mkdir()
        MihBackend.build(hashes).save(folder)
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(CorruptIndexError):
            MihBackend.load(folder, hashes)
        (folder / name).unlink()
        with pytest.raises(CorruptIndexError):
            MihBackend.load(folder, hashes)


@pytest.mark.parametrize(
    "change",
    [
        {"n_words": 2},
        {"n_words": "x"},
        {"bits": [[0, 1, 2]]},
        {"lengths": [[1, 2, 3]]},
        {"shares": []},
        {"speed": {"warp": 9}},
        {"speed": {"table_ratio": 0, "scan_ns": 1.0}},
        {"speed": {"table_ratio": 1.0, "scan_ns": float("nan")}},
        {"speed": {"table_ratio": [], "scan_ns": 1.0}},
        {"lengths": [[1e99, 1, 1]] * 3},
    ],
    ids=str,
)
def test_a_layout_that_does_not_fit_is_damage(tmp_path: Path, change: dict[str, Any]) -> None:
    hashes = hashes_of(random_rows(3000, 64, np.random.default_rng(8)))
    MihBackend.build(hashes).save(tmp_path)
    layout = json.loads((tmp_path / "mih.json").read_text())
    (tmp_path / "mih.json").write_text(json.dumps(layout | change))
    with pytest.raises(CorruptIndexError):
        MihBackend.load(tmp_path, hashes)
    for place in (64, -1, 10**6):
        layout["bits"][0][0] = place
        (tmp_path / "mih.json").write_text(json.dumps(layout))
        with pytest.raises(CorruptIndexError):
            MihBackend.load(tmp_path, hashes)


@pytest.mark.parametrize("radius", range(MAX_CHUNK_RADIUS + 1))
@pytest.mark.parametrize("width", [1, 5, 6, 11])
def test_masks_and_ball_reach_all_values_once(width: int, radius: int) -> None:
    masks = plan_module._group_masks(max(0, width - 5), radius)
    ball = plan_module.ball_table()
    value = 0b10110110101 & ((1 << width) - 1)
    reached = []
    for entry in masks.tolist():
        group = (value >> 5) ^ (entry & ((1 << 26) - 1))
        near = int(ball[entry >> 26, value & 31])
        reached += [(group << 5) | low for low in range(32) if near >> low & 1]
    expected = [v for v in range(1 << max(width, 5)) if (v ^ value).bit_count() <= radius]
    assert sorted(reached) == expected


def test_the_cheapest_radii_that_still_find_all() -> None:
    """Against every combination of radii."""
    rng = np.random.default_rng(9)
    for _ in range(20):
        costs = np.zeros((4, 4))
        costs[:, 1:] = np.cumsum(rng.random((4, 3)), axis=1)
        least, _ = plan_module._solve(costs)
        for total in range(13):
            every = [
                costs[range(4), steps].sum()
                for steps in np.ndindex(4, 4, 4, 4)
                if sum(steps) == total
            ]
            assert least[total] == pytest.approx(min(every))


def test_brute_force_agrees_with_the_oracle() -> None:
    rng = np.random.default_rng(10)
    rows = random_rows(50, 64, rng)
    packed = [row.tobytes() for row in np.packbits(rows, axis=1)]
    found = MihBackend.build(hashes_of(rows)).range_search(hashes_of(rows[:1]), 30)
    expected = naive.range_search(packed, packed[0], 30)
    assert list(zip(found.rows.tolist(), found.distances.tolist(), strict=True)) == expected
