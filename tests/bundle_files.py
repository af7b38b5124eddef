"""Bundles made and read by docs/bundle-format.md alone: nothing of the package's own is used."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TIMES = {"created_at": "2026-11-01T00:00:00Z", "expires_at": "2026-12-01T00:00:00Z"}


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def content_digest(records: Sequence[dict[str, Any]]) -> str:
    total = 0
    for one in records:
        who = json.dumps([one["source"], one["record_id"]], separators=(",", ":"))
        rest = {name: one[name] for name in one if name not in ("source", "record_id")}
        text = who + canonical(rest).decode()
        total += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    return f"{total % 2**256:064x}"


def read_by_the_document(data: bytes, public: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    magic, raw, signature, length = struct.unpack_from("<8s32s64sI", data)
    assert magic == b"FPBUND01"
    assert raw == public
    manifest, packed = data[108 : 108 + length], data[108 + length :]
    Ed25519PublicKey.from_public_bytes(raw).verify(signature, b"fingerprint bundle 1\0" + manifest)
    facts: dict[str, Any] = json.loads(manifest)
    assert canonical(facts) == manifest
    assert facts["format"] == 1
    assert facts["key"] == hashlib.sha256(raw).hexdigest()
    assert (len(packed), hashlib.sha256(packed).hexdigest()) == (facts["nbytes"], facts["sha256"])
    rows = packed
    if facts["packing"] == "zstd":
        rows = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    assert len(rows) == facts["unpacked_nbytes"]
    assert not rows or rows.endswith(b"\n")
    changes = [json.loads(line) for line in rows.splitlines()]
    assert b"".join(canonical(one) + b"\n" for one in changes) == rows
    keys = [(one["source"], one["record_id"]) for one in changes]
    assert keys == sorted(set(keys))
    retractions = sum("retracted" in one for one in changes)
    assert (facts["records"], facts["retractions"]) == (
        len(rows.splitlines()) - retractions,
        retractions,
    )
    return facts, changes


def signed(key: Ed25519PrivateKey, manifest: bytes, packed: bytes) -> bytes:
    signature = key.sign(b"fingerprint bundle 1\0" + manifest)
    public = key.public_key().public_bytes_raw()
    return (
        struct.pack("<8s32s64sI", b"FPBUND01", public, signature, len(manifest)) + manifest + packed
    )


def manifest_of(
    key: Ed25519PrivateKey, rows: bytes, packed: bytes | None = None, /, **facts: Any
) -> dict[str, Any]:
    """A right manifest for rows, but for the facts that are given."""
    lines = [json.loads(line) for line in rows.splitlines() if line.startswith(b"{")]
    records = [one for one in lines if "retracted" not in one and "hashes" in one]
    packed = rows if packed is None else packed
    values = {
        "format": 1,
        "name": "stream",
        "source": "a",
        "kind": "snapshot",
        "version": 1,
        "base_version": None,
        "records": len(records),
        "retractions": len(lines) - len(records),
        "content_digest": content_digest(records),
        **TIMES,
        "comment": "",
        "key": hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest(),
        "packing": "none" if packed is rows else "zstd",
        "nbytes": len(packed),
        "unpacked_nbytes": len(rows),
        "sha256": hashlib.sha256(packed).hexdigest(),
    }
    return {**values, **facts}


def write_forged(
    path: Path, key: Ed25519PrivateKey, changes: Sequence[dict[str, Any]], **facts: Any
) -> Path:
    """Write a bundle, well signed, whatever it says."""
    rows = b"".join(canonical(one) + b"\n" for one in changes)
    path.write_bytes(signed(key, canonical(manifest_of(key, rows, **facts)), rows))
    return path
