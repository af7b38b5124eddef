"""docs/index-format.md is right: an index read by it, without any of this package's code."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fingerprint.hash_arrays import HashArray
from fingerprint.index import Index

FIXTURE = Path(__file__).parent.parent / "data" / "fixtures" / "index-v2"


def int64(value: int) -> bytes:
    return value.to_bytes(8, "little", signed=True)


def int8(value: int) -> bytes:
    return value.to_bytes(1, "little", signed=True)


def check_facts(db: sqlite3.Connection) -> int:
    assert db.execute("PRAGMA application_id").fetchone() == (0x46505249,)
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    facts = dict(db.execute("SELECT name, value FROM facts"))
    names = ("algorithm", "version", "bits", "backend", "backend_options")
    text = json.dumps({name: facts[name] for name in names}, sort_keys=True)
    assert facts["crc"] == str(zlib.crc32(text.encode()))
    return int(facts["bits"])


def read_entries(db: sqlite3.Connection, nbytes: int) -> dict[int, tuple[str, bytes, int, str]]:
    entries = {}
    for seq, id_, packed, quality, metadata, crc in db.execute("SELECT * FROM entries"):
        data = int64(seq) + int8(quality) + packed
        if id_ is not None or metadata is not None:
            head = "-" if id_ is None else f"{len(id_)}:{id_}"
            data += f"{head}{metadata or ''}".encode()
        assert zlib.crc32(data) == crc
        name = f"#{seq}" if id_ is None else id_
        entries[seq] = (name, packed, quality, metadata or "{}")
    for first, n, hashes, qualities, crc in db.execute("SELECT * FROM blocks"):
        assert zlib.crc32(int64(first) + int64(n) + hashes + qualities) == crc
        assert (len(hashes), len(qualities)) == (n * nbytes, n)
        assert n <= 256
        for i in range(n):
            packed = hashes[i * nbytes : (i + 1) * nbytes]
            quality = int.from_bytes(qualities[i : i + 1], signed=True)
            assert first + i not in entries
            entries[first + i] = (f"#{first + i}", packed, quality, "{}")
    return dict(sorted(entries.items()))


def read_segments(path: Path, db: sqlite3.Connection, nbytes: int) -> dict[int, tuple[bytes, int]]:
    log = db.execute("SELECT seqs FROM removals").fetchall()
    removed = set(np.frombuffer(b"".join(seqs for (seqs,) in log), "<i8").tolist())
    found: dict[int, tuple[bytes, int]] = {}
    last = 0
    for row in db.execute("SELECT * FROM segments ORDER BY first_seq"):
        name, n, first_seq, last_seq, _, files = row
        folder = path / "segments" / name
        listed = json.loads(files)
        assert set(listed) == {p.name for p in folder.iterdir()}
        for file, (size, digest) in listed.items():
            data = (folder / file).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (size, digest)
        seqs, hashes, quality = (
            np.load(folder / f"{column}.npy") for column in ("seq", "hashes", "quality")
        )
        assert (hashes.dtype.str, hashes.shape) == ("<u8", (n, -(-nbytes // 8)))
        assert (seqs.dtype.str, seqs.shape, quality.dtype.str) == ("<i8", (n,), "|i1")
        assert (seqs[0], seqs[-1]) == (first_seq, last_seq)
        assert (np.diff(seqs) > 0).all()
        assert first_seq > last
        last = last_seq
        packed = hashes.view(np.uint8)[:, :nbytes]
        assert not hashes.view(np.uint8)[:, nbytes:].any()
        for seq, one, q in zip(seqs.tolist(), packed, quality.tolist(), strict=True):
            if seq not in removed:
                found[seq] = (one.tobytes(), q)
    return found


def read_by_the_document(path: Path) -> list[tuple[str, bytes, int | None, Any]]:
    uri = f"{(path / 'catalog.sqlite').as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        nbytes = -(-check_facts(db) // 8)
        entries = read_entries(db, nbytes)
        segments = read_segments(path, db, nbytes)
        _, _, _, n, next_seq, sealed, removals = db.execute("SELECT * FROM state").fetchone()
        assert n == len(entries)
        assert next_seq > max(entries, default=0)
        assert removals == (db.execute("SELECT MAX(n) FROM removals").fetchone()[0] or removals)
        assert segments == {s: (e[1], e[2]) for s, e in entries.items() if s <= sealed}
        names = dict(db.execute("SELECT id, seq FROM names"))
        assert names == {e[0]: s for s, e in entries.items() if e[0] != f"#{s}"}
    return [
        (name, packed, None if quality < 0 else quality, json.loads(metadata))
        for name, packed, quality, metadata in entries.values()
    ]


def test_the_fixture_reads_by_the_document() -> None:
    wanted = json.loads(FIXTURE.with_suffix(".json").read_text())["entries"]
    assert read_by_the_document(FIXTURE) == [
        (e["id"], bytes.fromhex(e["hash"]), e["quality"], e["metadata"]) for e in wanted
    ]


@pytest.mark.parametrize("bits", [42, 64, 256])
def test_what_is_written_now_reads_by_the_document(tmp_path: Path, bits: int) -> None:
    rows = np.random.default_rng(bits).integers(0, 2, (600, bits), dtype=np.uint8)
    hashes = HashArray(np.packbits(rows, axis=1), "house-hash", bits=bits, quality=[7] * 600)
    with Index.create(tmp_path / "a", "house-hash", bits=bits, maintenance="manual") as index:
        for i in range(0, 600, 200):
            index.add([f"ü{j}" for j in range(i, i + 60)], hashes[i : i + 60], [{"i": i}] * 60)
            index.add(None, hashes[i + 60 : i + 200])
            index.remove([f"ü{i + 3}", index.add(None, hashes[i])[0]])
            if i == 200:
                index.compact()
            elif not i:
                index.seal()
        expected = [(e.id, e.hash.packed, e.hash.quality, e.metadata) for e in index.entries()]
    assert read_by_the_document(tmp_path / "a") == expected
