"""What an attack on the index found, kept from coming back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fingerprint.errors import IndexFormatError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index import Index
from fingerprint.index import memory_store as memory_module
from fingerprint.index import verification as verification_module
from fingerprint.index.backends import backend_names
from fingerprint.index.catalog import read_manifest
from fingerprint.index.disk_store import DiskStore
from fingerprint.index.merging import merge


def random_hashes(n: int, seed: int = 0) -> HashArray:
    packed = np.random.default_rng(seed).integers(0, 256, (n, 8), dtype=np.uint8)
    return HashArray(packed, "dhash")


def flipped(h: Hash, n: int) -> Hash:
    bits = h.to_bits().copy()
    bits[:n] ^= True
    return Hash.from_bits(bits, h.algorithm)


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_a_filtered_nearest_looks_into_every_part(tmp_path: Path, kind: str) -> None:
    """A far entry of one part is no answer while a nearer one of another was not seen."""
    hashes = random_hashes(400)
    query = hashes[0]
    index = Index("dhash") if kind == "memory" else Index.create(tmp_path / "a", "dhash")
    with index:
        wanted: dict[str, Hash] = {}
        for first in range(0, 400, 100):
            some = [flipped(query, i % 20) for i in range(3)] + list(hashes[first : first + 97])
            for i, h in enumerate(some):
                is_wanted = (first + i) % 3 == 0 and not (first < 300 and i < 3)
                index.add(f"{first}-{i}", h, {"list": "a" if is_wanted else "b"})
                if is_wanted:
                    wanted[f"{first}-{i}"] = h
            if first < 300:
                index.seal()
        for k in (1, 3, 10):
            for one in hashes[::20]:
                found = index.nearest(one, k, where={"list": "a"})
                truth = sorted(one - h for h in wanted.values())[:k]
                assert [match.distance for match in found] == truth
                assert all(match.id in wanted for match in found)


def test_an_interrupted_addition_leaves_no_name_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashes = random_hashes(3)
    index = Index("dhash")
    index.add("first", hashes[0])

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(memory_module, "_Committed", interrupt)
        with pytest.raises(KeyboardInterrupt):
            index.add("second", hashes[1], {"secret": 1})
    index.add(None, hashes[2])
    assert [(e.id, e.metadata) for e in index.entries()] == [("first", {}), ("#2", {})]
    (match,) = index.within(hashes[2], 0)
    assert (match.id, match.metadata) == ("#2", {})
    assert "second" not in index


def test_verify_does_not_mistake_a_merge_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Index.create(tmp_path / "a", "dhash", maintenance="manual") as index:
        for i in range(3):
            index.add(None, random_hashes(20, seed=i))
            index.seal()
        merged: list[str] = []

        def merge_meanwhile(db: Any) -> Any:
            found = read_manifest(db)
            if not merged:
                store = index._store
                assert isinstance(store, DiskStore)
                assert store._writer is not None
                parts = store.latest()[0].segments
                merged.extend(part.name for part in parts)
                merge(store._writer, parts)
            return found

        monkeypatch.setattr(verification_module, "read_manifest", merge_meanwhile)
        report = index.verify()
        assert merged
        assert not (tmp_path / "a" / "segments" / merged[0]).exists()
        assert report.ok, report.problems
        assert (report.entries, report.segments) == (60, 1)


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_a_closed_index_refuses(tmp_path: Path, kind: str) -> None:
    h = random_hashes(1)[0]
    index = Index("dhash") if kind == "memory" else Index.create(tmp_path / "a", "dhash")
    index.add("a", h)
    index.close()
    index.close()
    for use in (
        lambda: index.within(h),
        lambda: index.nearest(h),
        lambda: index.get("a"),
        lambda: index.add("b", h),
        lambda: index.remove("a"),
        lambda: "a" in index,
        lambda: len(index),
        lambda: list(index),
        lambda: index.seal(),
        lambda: index.compact(),
    ):
        with pytest.raises(ValueError, match="closed"):
            use()


@pytest.mark.parametrize("backend", ["auto", *backend_names()])
def test_a_crowd_of_equal_hashes_can_be_kept(tmp_path: Path, backend: str) -> None:
    """Blank frames by the thousand: no chunk tells them apart."""
    if backend.startswith("faiss"):
        pytest.importorskip("faiss")
    if backend == "faiss-hnsw":
        pytest.skip("a graph of equal hashes takes minutes")
    n = 40_000 if backend in {"auto", "mih"} else 2000
    h = random_hashes(1)[0]
    packed = np.repeat(np.frombuffer(h.packed, np.uint8)[None], n, axis=0)
    with Index.create(tmp_path / "a", "dhash", backend=backend) as index:
        index.add(None, HashArray(packed, "dhash"))
        index.seal()
        assert len(index.within(h, 0)) == n
        assert index.verify().ok
    assert Index.rebuild(tmp_path / "a").ok
    with Index.open(tmp_path / "a", read_only=True) as index:
        assert len(index.within(h, 0)) == n


def test_create_where_a_folder_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty volume, as a container has it; the folder one is in; a link; a long name."""
    volume, here, real = tmp_path / "volume", tmp_path / "here", tmp_path / "real"
    for folder in (volume, here, real):
        folder.mkdir()
    (volume / "lost+found").mkdir()
    (tmp_path / "link").symlink_to(real)
    monkeypatch.setattr(os.path, "ismount", lambda p: Path(p) == volume)
    monkeypatch.chdir(here)
    h = random_hashes(1)[0]
    for path in (volume, Path(), tmp_path / "link", tmp_path / ("n" * 250)):
        with Index.create(path, "dhash") as index:
            index.add("a", h)
        with Index.open(path, read_only=True) as index:
            assert list(index) == ["a"]
        with pytest.raises(IndexFormatError):
            Index.create(path, "dhash")
        assert not [p.name for p in path.iterdir() if p.name.startswith(".")]
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]
