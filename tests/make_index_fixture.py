"""Makes ``data/fixtures/index-v2``, an index of format 2 that later versions must open.

That of format 1 was made by the code of its time, which is gone.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from fingerprint.hash_arrays import HashArray
from fingerprint.index import Index

FIXTURES = Path(__file__).parent.parent / "data" / "fixtures"


def main() -> None:
    path = FIXTURES / "index-v2"
    shutil.rmtree(path, ignore_errors=True)
    packed = np.random.default_rng(2).integers(0, 256, (230, 32), dtype=np.uint8)
    packed[7] = packed[3]
    packed[7, 0] ^= 5
    quality = [-1, 0, 100, *(50 + i % 50 for i in range(227))]
    hashes = HashArray(packed, "pdq", quality=quality)
    ids = [f"case-{i}" for i in range(40)]
    ids[5], ids[6] = "é ü 中文", "line\nbreak"
    metadata: list[dict[str, Any]] = [
        {"row": i, "list": ["internal", "partner"][i % 2], "tags": ["a", None]} for i in range(40)
    ]
    metadata[9] = {}
    # Tables of mih in the segment; blocks, whole and broken up, in both parts.
    with Index.create(path, backend="mih", maintenance="manual") as index:
        index.add(ids, hashes[:40], metadata)
        index.add(None, hashes[40:80])
        index.add(None, hashes[80:140])
        index.add(None, hashes[140:145], [{"numbered": True}] * 5)
        index.seal()
        index.add([f"tail-{i}" for i in range(10)], hashes[145:155], [{"tail": 1}] * 10)
        index.add(None, hashes[155:190])
        index.add(None, hashes[190:230])
        index.remove(["case-20", "#90", "tail-3", "#160"])
        index.upsert(["case-21", "tail-4"], hashes[198:200], [{"new": 1}, {}])
        entries = [
            {"id": e.id, "hash": e.hash.hex, "quality": e.hash.quality, "metadata": e.metadata}
            for e in index.entries()
        ]
    (path / "writer.lock").unlink()
    kind = {"format": 2, "algorithm": "pdq", "version": 1, "bits": 256}
    text = json.dumps({**kind, "entries": entries}, separators=(",", ":"))
    (FIXTURES / "index-v2.json").write_text(text.replace('{"id"', '\n{"id"') + "\n")


if __name__ == "__main__":
    main()
