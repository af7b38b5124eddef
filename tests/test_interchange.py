"""Entries out of an index and back, through Parquet and FAISS's own files."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import (
    DuplicateIdError,
    FingerprintError,
    IncompatibleHashError,
    IndexFormatError,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index import Index
from fingerprint.index import interchange as interchange_module
from fingerprint.index.entries import is_storable

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def hashes(n: int, bits: int = 256, algorithm: str = "pdq", seed: int = 0) -> HashArray:
    rng = np.random.default_rng(seed)
    packed = rng.integers(0, 256, (n, bits // 8), dtype=np.uint8)
    return HashArray(packed, algorithm, quality=rng.integers(-1, 101, n))


def sample(n: int = 30) -> Index:
    index = Index("pdq")
    index.add(
        [f"é {i}" for i in range(n)], hashes(n), [{"n": i} if i % 3 else {} for i in range(n)]
    )
    index.add(None, hashes(5, seed=1))
    index.remove("é 4")
    return index


def content(index: Index) -> list[tuple[Any, ...]]:
    """Everything but the numbers that the index gave."""
    return [
        (None if e.id.startswith("#") else e.id, e.hash, e.hash.quality, e.metadata)
        for e in index.entries()
    ]


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_parquet_there_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(interchange_module, "ROWS_AT_ONCE", batch)
    index = sample()
    told: list[int] = []
    assert index.export_parquet(tmp_path / "a.parquet", progress=told.append) == len(index)
    assert told[-1] == len(index)
    assert stat.S_IMODE((tmp_path / "a.parquet").stat().st_mode) == 0o600
    with Index.create(tmp_path / "disk") as disk:
        assert disk.import_parquet(tmp_path / "a.parquet") == len(index)
        assert content(disk) == content(index)
        disk.export_parquet(tmp_path / "a.parquet")
    again = Index("pdq")
    again.import_parquet(tmp_path / "a.parquet")
    assert content(again) == content(index)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


names = st.none() | st.text(max_size=5).filter(
    lambda text: is_storable(text) and not text.startswith("#")
)
values = st.dictionaries(
    st.text(max_size=3).filter(is_storable), st.integers() | st.booleans() | st.none()
)
qualities = st.none() | st.integers(0, 100)


@given(st.lists(st.tuples(names, st.binary(min_size=8, max_size=8), qualities, values)))
def test_any_entries(tmp_path_factory: pytest.TempPathFactory, entries: list[Any]) -> None:
    index = Index("phash")
    for name, packed, quality, metadata in entries:
        if name is None or name not in index:
            one = Hash("phash", packed, 64, quality)
            index.add(None if name is None else [name], [one], [metadata])
    path = tmp_path_factory.mktemp("any") / "a.parquet"
    index.export_parquet(path)
    again = Index("phash")
    again.import_parquet(path)
    assert content(again) == content(index)


def test_other_programs_parquet(tmp_path: Path) -> None:
    """Only the column `hash` is needed."""
    packed = hashes(4).packed
    column = pa.array([row.tobytes() for row in packed], pa.binary(32))
    parquet.write_table(pa.table({"hash": column}), tmp_path / "a.parquet")
    index = Index("pdq")
    assert index.import_parquet(tmp_path / "a.parquet") == 4
    assert [e.hash.packed for e in index.entries()] == [row.tobytes() for row in packed]


def test_the_wrong_kind_of_hash(tmp_path: Path) -> None:
    sample().export_parquet(tmp_path / "a.parquet")
    for other in (Index("phash"), Index("other", bits=256), Index("pdq", version=2)):
        with pytest.raises(IncompatibleHashError):
            other.import_parquet(tmp_path / "a.parquet")
        assert len(other) == 0


def test_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interchange_module, "ROWS_AT_ONCE", 4)
    sample().export_parquet(tmp_path / "a.parquet")
    with Index.create(tmp_path / "disk") as disk:
        for index in (Index("pdq"), disk):
            index.add("é 20", hashes(1)[0])
            with pytest.raises(DuplicateIdError):
                index.import_parquet(tmp_path / "a.parquet")
            assert list(index) == ["é 20"]


def _table(**columns: Any) -> Any:
    return pa.table({"hash": pa.array([bytes(32)] * 2, pa.binary(32)), **columns})


BAD: dict[str, Callable[[], Any]] = {
    "no hash": lambda: pa.table({"id": ["a"]}),
    "hash of text": lambda: pa.table({"hash": ["a" * 32]}),
    "hash too short": lambda: pa.table({"hash": pa.array([bytes(31)], pa.binary(31))}),
    "null hash": lambda: pa.table({"hash": pa.array([None, bytes(32)], pa.binary(32))}),
    "id of numbers": lambda: _table(id=[1, 2]),
    "quality of text": lambda: _table(quality=["a", "b"]),
    "quality too large": lambda: _table(quality=[1, 101]),
    "quality negative": lambda: _table(quality=[1, -2]),
    "metadata not JSON": lambda: _table(metadata=["{}", "{"]),
    "metadata NaN": lambda: _table(metadata=["{}", '{"a":NaN}']),
    "metadata no object": lambda: _table(metadata=["{}", "[1]"]),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_malformed_parquet(tmp_path: Path, make: Callable[[], Any]) -> None:
    parquet.write_table(make(), tmp_path / "a.parquet")
    index = Index("pdq")
    with pytest.raises(IndexFormatError) as caught:
        index.import_parquet(tmp_path / "a.parquet")
    assert caught.value.path == str(tmp_path / "a.parquet")
    assert len(index) == 0


def test_damaged_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    sample().export_parquet(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    pieces = [b"", b"PAR1", whole[: len(whole) // 2], b"not parquet at all"]
    for _ in range(60):
        flipped = bytearray(whole)
        flipped[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        pieces.append(bytes(flipped))
    for piece in pieces:
        path.write_bytes(piece)
        index = Index("pdq")
        try:
            index.import_parquet(path)
        except FingerprintError:
            assert len(index) == 0
        else:
            assert content(index) == content(sample())
    with pytest.raises(OSError, match="nowhere"):
        Index("pdq").import_parquet(tmp_path / "nowhere.parquet")


def _faiss_file(kind: str, packed: Any, path: Path) -> list[int]:
    """Write an index of FAISS; return the numbers of its rows."""
    faiss = pytest.importorskip("faiss")
    numbers = list(range(len(packed)))
    flat = faiss.IndexBinaryFlat(256)
    if kind == "hnsw":
        flat = faiss.IndexBinaryHNSW(256, 8)
    if kind == "hash":
        flat = faiss.IndexBinaryHash(256, 16)
    if kind == "ivf":
        index = faiss.IndexBinaryIVF(flat, 256, 4)
        index.cp.min_points_per_centroid = 1
        index.train(packed)
        index.add(packed)
    elif kind == "map":
        index = faiss.IndexBinaryIDMap(flat)
        numbers = [7 * n + 3 for n in numbers]
        index.add_with_ids(packed, np.array(numbers))
    else:
        index = flat
        index.add(packed)
    faiss.write_index_binary(index, str(path))
    return numbers


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf", "map"])
def test_faiss(tmp_path: Path, kind: str) -> None:
    packed = hashes(50).packed.copy()
    numbers = _faiss_file(kind, packed, tmp_path / "a.faiss")
    index = Index("pdq")
    assert index.import_faiss(tmp_path / "a.faiss", prefix="x") == 50
    assert [(e.id, e.hash.packed) for e in index.entries()] == [
        (f"x{n}", row.tobytes()) for n, row in zip(numbers, packed, strict=True)
    ]
    with pytest.raises(IncompatibleHashError):
        Index("phash").import_faiss(tmp_path / "a.faiss")


def test_what_faiss_cannot_give(tmp_path: Path) -> None:
    _faiss_file("hash", hashes(50).packed.copy(), tmp_path / "a.faiss")
    with pytest.raises(IndexFormatError, match="IndexBinaryHash"):
        Index("pdq").import_faiss(tmp_path / "a.faiss")
    (tmp_path / "b.faiss").write_bytes(b"PK\3\4 something else")
    with pytest.raises(IndexFormatError):
        Index("pdq").import_faiss(tmp_path / "b.faiss")
    with pytest.raises(FileNotFoundError):
        Index("pdq").import_faiss(tmp_path / "c.faiss")
