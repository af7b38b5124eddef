"""The index against a dictionary, the backends against brute force."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from fingerprint.algorithms import DIHEDRAL_NAMES
from fingerprint.algorithms.pdq import PDQ
from fingerprint.errors import (
    DuplicateIdError,
    IncompatibleHashError,
    LowQualityWarning,
    UnknownAlgorithmError,
    UnknownIdError,
    UnsupportedOperationError,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index import Index, backend_names, memory_store
from fingerprint.index.backends import get_backend
from fingerprint.testing import check_backend
from fingerprint.testing.strategies import photo_like
from tests import naive

EXACT = ("linear", "faiss-flat")
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "equal": [{}],
    "linear": [{}],
    "mih": [{}, {"radius": 3, "workers": 1}],
    "faiss-flat": [{}],
    "faiss-ivf": [{}, {"cells": 8, "probes": 2}],
    "faiss-hnsw": [{}, {"links": 8, "ef_search": 16}],
    "faiss-multihash": [{}, {"flips": 0}],
}


def need(backend: str) -> None:
    if backend.startswith("faiss"):
        pytest.importorskip("faiss")


def random_hashes(n: int, bits: int = 256, seed: int = 0, algorithm: str = "pdq") -> HashArray:
    rows = np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)
    return HashArray(np.packbits(rows, axis=1), algorithm, bits=bits)


def names(n: int, start: int = 0) -> list[str]:
    return [f"id-{i}" for i in range(start, start + n)]


def flipped(h: Hash, *places: int, quality: int | None = None) -> Hash:
    bits = h.to_bits().copy()
    bits[list(places)] ^= True
    return Hash.from_bits(bits, h.algorithm, quality=quality)


def hits(matches: Any) -> list[tuple[str, int]]:
    return [(m.id, m.distance) for m in matches]


@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name in OPTIONS for options in OPTIONS[name]]
)
def test_backends_against_brute_force(name: str, options: dict[str, Any]) -> None:
    need(name)
    check_backend(get_backend(name), **options)


def test_every_backend_is_checked_here() -> None:
    assert set(OPTIONS) == set(backend_names())
    with pytest.raises(UnsupportedOperationError):
        get_backend("faiss-none")


@pytest.mark.parametrize("backend", ["auto", *EXACT])
def test_hashes_of_42_bits(backend: str) -> None:
    need(backend)
    hashes = random_hashes(200, 42, algorithm="colorhash")
    rows = [h.packed for h in hashes]
    index = Index("colorhash", backend=backend)
    index.add(names(200), hashes)
    for radius in (0, 12, 42):
        expected = naive.range_search(rows, hashes[3].packed, radius)
        with warnings.catch_warnings(record=True):
            found = index.within(hashes[3], radius)
        assert hits(found) == [(f"id-{row}", d) for row, d in expected]


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebuild and compact after a few entries instead of thousands."""
    monkeypatch.setattr(memory_store, "SEAL_ABOVE", 8)


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("backend", ["linear", "faiss-flat", "faiss-multihash"])
def test_rebuilds_and_compaction_lose_nothing(backend: str) -> None:
    need(backend)
    generator = np.random.default_rng(1)
    hashes = random_hashes(300)
    index = Index("pdq", backend=backend)
    model: dict[str, Hash] = {}
    for step in range(30):
        new = names(10, 10 * step)
        index.add(new, hashes[10 * step : 10 * step + 10])
        model.update(zip(new, hashes[10 * step : 10 * step + 10], strict=True))
        gone = generator.choice(sorted(model), len(model) // 3, replace=False).tolist()
        index.remove(gone)
        for one in gone:
            del model[one]
        assert list(index) == list(model)
        query = flipped(hashes[10 * step + 4], 3, 77)
        expected = naive.range_search([h.packed for h in model.values()], query.packed, 31)
        assert hits(index.within(query, 31)) == [(list(model)[row], d) for row, d in expected]
        if backend != "faiss-multihash":
            nearest = naive.nearest([h.packed for h in model.values()], query.packed, 9)
            assert [m.distance for m in index.nearest(query, 9)] == [d for _, d in nearest]
    assert index.info()["removed_entries"] <= 8


def test_dihedral_views_report_an_entry_once_by_its_nearest_view() -> None:
    generator = np.random.default_rng(4)
    pictures = [photo_like(generator, (64, 64, 3)) for _ in range(6)]
    index = Index("pdq")
    index.add(names(6), [PDQ().hash_pixels(p) for p in pictures])
    turned = PDQ().hash_dihedral(np.ascontiguousarray(np.rot90(pictures[2], -1)))
    found = index.within(turned, 31)
    assert [(m.id, m.transform) for m in found] == [("id-2", "rotate90")]
    assert found[0].distance <= 2
    everything = index.within(turned, 256)
    assert sorted(m.id for m in everything) == names(6)
    for match in everything:
        reference = index.get(match.id).hash
        distances = {name: turned[name] - reference for name in DIHEDRAL_NAMES}
        assert match.distance == min(distances.values()) == distances[match.transform]
    assert hits(index.nearest(turned, 3)) == hits(everything[:3])
    both = index.within_many([turned, turned["identity"]], 31)
    assert [hits(b) for b in both] == [hits(found), hits(index.within(turned["identity"], 31))]


def test_batches_equal_single_queries() -> None:
    hashes = random_hashes(50)
    index = Index("pdq")
    index.add(names(50), hashes)
    assert index.within_many(hashes, 110) == [index.within(h, 110) for h in hashes]
    assert index.within_many(list(hashes), 110) == index.within_many(hashes, 110)
    assert index.nearest_many(hashes[:7], 3) == [index.nearest(h, 3) for h in hashes[:7]]
    assert index.within_many([], 31) == []
    assert [len(m) for m in index.nearest_many(hashes, 60)] == [50] * 50


def test_failed_calls_change_nothing() -> None:
    index = Index("pdq")
    hashes = random_hashes(4)
    index.add(["a", "b"], hashes[:2], [{"n": 1}, {"n": 2}])
    wrong: list[tuple[type[Exception], Any]] = [
        (DuplicateIdError, lambda: index.add(["c", "a"], hashes[2:])),
        (DuplicateIdError, lambda: index.add(["c", "c"], hashes[2:])),
        (ValueError, lambda: index.add(["c"], hashes[2:])),
        (ValueError, lambda: index.add(["c", "d"], hashes[2:], [{}])),
        (ValueError, lambda: index.add(["c", "d"], hashes[2:], {"one": "for both"})),
        (ValueError, lambda: index.add("c", hashes[2], {"x": float("nan")})),
        (TypeError, lambda: index.add("c", hashes[2], {"x": object()})),
        (TypeError, lambda: index.add(["c", 4], hashes[2:])),  # type: ignore[list-item]
        (IncompatibleHashError, lambda: index.add("c", Hash("phash:16", bytes(32), 256))),
        (IncompatibleHashError, lambda: index.add("c", Hash("pdq", bytes(32), 256, version=2))),
        (IncompatibleHashError, lambda: index.within(Hash("phash:16", bytes(32), 256))),
        (UnknownIdError, lambda: index.remove(["a", "zz"])),
        (UnknownIdError, lambda: index.get("zz")),
        (ValueError, lambda: index.within(hashes[0], 257)),
        (ValueError, lambda: index.within(hashes[0], -1)),
        (ValueError, lambda: index.nearest(hashes[0], 0)),
    ]
    for error, call in wrong:
        with pytest.raises(error):
            call()
        assert list(index) == ["a", "b"]
        assert hits(index.within(hashes[0], 256))[0] == ("a", 0)
        assert len(index.within(hashes[0], 256)) == 2
    index.add(["c", "d"], hashes[2:])
    assert hits(index.within(hashes[3], 0)) == [("d", 0)]


def test_unknown_algorithms_need_their_bits() -> None:
    with pytest.raises(UnknownAlgorithmError):
        Index("house-hash")
    with pytest.raises(UnsupportedOperationError):
        Index("pdq", backend="none")
    index = Index("house-hash", bits=96)
    index.add("a", Hash("house-hash", bytes(12), 96))
    with pytest.raises(ValueError, match="radius"):
        index.within(Hash("house-hash", bytes(12), 96))
    assert hits(index.within(Hash("house-hash", bytes(11) + b"\3", 96), 2)) == [("a", 2)]


def test_low_quality_queries_are_warned_of_at_the_call() -> None:
    index = Index("pdq")
    h = random_hashes(1)[0]
    index.add("a", flipped(h, quality=90))
    poor, good = flipped(h, quality=49), flipped(h, quality=50)
    calls = ("within(poor)", "within_many([poor])", "nearest(poor)", "nearest_many([poor])")
    for call in calls:
        code = compile(f"index.{call}", "the-caller.py", "exec")
        with pytest.warns(LowQualityWarning, match="below 50") as caught:
            exec(code, {"index": index, "poor": poor})
        assert [w.filename for w in caught] == ["the-caller.py"], call
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert index.within(good)[0].quality == 50
        assert index.within(h)[0].quality == 90


def test_backends_say_what_they_cannot_do() -> None:
    pytest.importorskip("faiss")
    hashes = random_hashes(40)
    tree = Index("pdq", backend="faiss-hnsw")
    tree.add(names(40), hashes)
    with pytest.raises(UnsupportedOperationError):
        tree.within(hashes[0], 31)
    tables = Index("pdq", backend="faiss-multihash")
    tables.add(names(40), hashes)
    with pytest.raises(UnsupportedOperationError):
        tables.nearest(hashes[0])
    with pytest.raises(UnsupportedOperationError):
        tables.within(hashes[0], 32)
    assert hits(tables.within(flipped(hashes[0], *range(31)), 31)) == [("id-0", 31)]


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("backend", EXACT)
def test_searches_beside_a_writer_see_no_wrong_answer(backend: str) -> None:
    need(backend)
    hashes = random_hashes(600)
    index = Index("pdq", backend=backend)
    index.add(names(100), hashes[:100])
    done = threading.Event()

    def write() -> None:
        try:
            for i in range(100, 600, 5):
                index.add(names(5, i), hashes[i : i + 5])
                index.remove(names(3, i))
        finally:
            done.set()

    def read(seed: int) -> int:
        generator = np.random.default_rng(seed)
        rounds = 0
        while not done.is_set() or rounds < 5:
            i = int(generator.integers(100))
            # The first hundred are never touched: they must always be found.
            assert hits(index.within(hashes[i], 31)) == [(f"id-{i}", 0)]
            everything = index.within(hashes[i], 256)
            assert {f"id-{j}" for j in range(100)} <= {m.id for m in everything}
            for match in everything[:20]:
                row = int(match.id.removeprefix("id-"))
                assert match.distance == hashes[row] - hashes[i]
            rounds += 1
        return rounds

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read, seed) for seed in range(2)]
        pool.submit(write).result()
        assert all(r.result() >= 5 for r in readers)
    expected = [i for i in range(600) if i < 100 or (i - 100) % 5 >= 3]
    assert list(index) == [f"id-{i}" for i in expected]
