"""`Index.within_numbers` beside a comparison of everything with everything."""

from __future__ import annotations

import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from fingerprint.errors import IncompatibleHashError, LowQualityWarning, UnsupportedOperationError
from fingerprint.hash_arrays import HashArray
from fingerprint.index import Index, NumberedHits, memory_store, writer

N = 900


def near_hashes(n: int, seed: int) -> HashArray:
    """Hashes in groups that are some bits apart."""
    centres = np.random.default_rng(0).integers(0, 256, (20, 32), dtype=np.uint8)
    rng = np.random.default_rng(seed)
    bits = np.unpackbits(centres[rng.integers(0, 20, n)], axis=1)
    bits ^= rng.random(bits.shape) < 0.06
    return HashArray(np.packbits(bits, axis=1), "pdq")


HASHES, QUERIES = near_hashes(N, 1), near_hashes(40, 2)


def expected(numbers: list[int], hashes: HashArray, radius: int) -> list[tuple[int, int, int]]:
    apart = np.unpackbits(QUERIES.packed[:, None] ^ hashes.packed[None], axis=2).sum(axis=2)
    found = []
    for query, distances in enumerate(apart.tolist()):
        row = [(query, d, n) for n, d in zip(numbers, distances, strict=True) if d <= radius]
        found += sorted(row)
    return [(query, number, distance) for query, distance, number in found]


def triples(hits: NumberedHits) -> list[tuple[int, int, int]]:
    assert [column.dtype.name for column in hits] == ["int64", "int64", "int32"]
    return list(zip(*(column.tolist() for column in hits), strict=True))


def filled(index: Index) -> list[int]:
    """Fill an index with ids, without, in segments and a tail; return the numbers left."""
    index.add([f"id-{i}" for i in range(300)], HASHES[:300])
    index.add(None, HASHES[300:700])
    index.seal()
    index.add(None, HASHES[700:])
    gone = [i for i in range(N) if i % 7 == 3]
    index.remove([f"id-{i}" if i < 300 else f"#{i + 1}" for i in gone])
    return [i + 1 for i in range(N) if i % 7 != 3]


@pytest.mark.parametrize("backend", ["auto", "linear", "mih"])
@pytest.mark.parametrize("where", ["memory", "disk", "reader"])
@pytest.mark.parametrize("radius", [0, 31, 60])
def test_finds_what_a_comparison_of_all_finds(
    tmp_path: Path, backend: str, where: str, radius: int
) -> None:
    with (
        mock.patch.object(memory_store, "SEAL_ABOVE", 50),
        mock.patch.object(writer, "SEAL_ABOVE", 250),
    ):
        if where == "memory":
            index = Index("pdq", backend=backend)
        else:
            index = Index.create(tmp_path / "i", "pdq", backend=backend)
        with index:
            left = filled(index)
            alive = HASHES[np.array(left) - 1]
            asked = index
            if where == "reader":
                asked = Index.open(tmp_path / "i", read_only=True)
            found = triples(asked.within_numbers(QUERIES, radius))
            assert found == expected(left, alive, radius)
            assert found == triples(asked.within_numbers(QUERIES, radius, workers=2))
            if radius == 31:
                assert len(found) > 500
                matches = asked.within_many(QUERIES, radius)
                numbers = {n: f"id-{n - 1}" if n <= 300 else f"#{n}" for n in left}
                assert [(numbers[n], d) for _, n, d in found] == [
                    (m.id, m.distance) for some in matches for m in some
                ]
            asked.close()


def test_nothing_is_found_in_nothing() -> None:
    index = Index("pdq")
    assert triples(index.within_numbers(QUERIES)) == []
    index.add(None, HASHES)
    assert triples(index.within_numbers(HASHES[:0])) == []


def test_bad_queries_are_refused() -> None:
    index = Index("pdq")
    with pytest.raises(TypeError, match="queries: expected HashArray, got Hash"):
        index.within_numbers(HASHES[0])  # type: ignore[arg-type]
    with pytest.raises(IncompatibleHashError):
        index.within_numbers(HashArray(np.zeros((1, 8), np.uint8), "phash"))
    with pytest.raises(ValueError, match="radius: expected 0 to 256"):
        index.within_numbers(QUERIES, 257)
    index.close()
    with pytest.raises(ValueError, match="closed"):
        index.within_numbers(QUERIES)


def test_queries_with_too_little_in_them_are_told_of() -> None:
    poor = HashArray(HASHES.packed[:3], "pdq", quality=[10, 49, 50])
    with pytest.warns(LowQualityWarning, match="2 of 3") as caught:
        Index("pdq").within_numbers(poor)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Index("pdq").within_numbers(poor[2:])


def test_what_a_backend_cannot_promise_is_refused_also_while_it_is_empty() -> None:
    pytest.importorskip("faiss")
    index = Index("pdq", backend="faiss-multihash")
    with pytest.raises(UnsupportedOperationError):
        index.within_numbers(QUERIES, 255)
