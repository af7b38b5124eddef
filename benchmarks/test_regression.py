"""For developers: ``pytest benchmarks --benchmark-autosave``, change, ``--benchmark-compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import fingerprint as fp
from benchmarks.pictures import jpeg_of, natural
from benchmarks.planted import RADIUS, plant

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from fingerprint.typing import U8, Fidelity

SIZE = (1920, 1080)


@pytest.fixture(scope="module")
def picture() -> U8:
    return natural(SIZE)


@pytest.fixture(scope="module")
def jpeg(picture: U8) -> bytes:
    return jpeg_of(picture)


@pytest.mark.parametrize("algorithm", ["pdq", "phash", "dhash", "ahash", "whash"])
def test_hash_of_array(benchmark: BenchmarkFixture, picture: U8, algorithm: str) -> None:
    found = benchmark(fp.hash_image, picture, algorithm)
    assert found.bits == fp.get_algorithm(algorithm).bits


@pytest.mark.parametrize("fidelity", ["exact", "fast"])
def test_pdq_of_jpeg(benchmark: BenchmarkFixture, jpeg: bytes, fidelity: Fidelity) -> None:
    found = benchmark(fp.hash_image, jpeg, fidelity=fidelity)
    assert found.bits == 256


def test_crop_resistant(benchmark: BenchmarkFixture, picture: U8) -> None:
    found = benchmark(fp.hash_segments, picture)
    assert len(found.segments) >= 1


def test_range_search(benchmark: BenchmarkFixture) -> None:
    planted = plant(100_000, 1)
    index = fp.Index("pdq")
    index.add([str(i) for i in range(len(planted.hashes))], planted.hashes)
    query = planted.queries[0][0]
    found = benchmark(index.within, query, RADIUS)
    assert [int(match.id) for match in found] == planted.true_rows[0].tolist()
