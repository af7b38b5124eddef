"""Bundles that somebody made or changed to do harm: refused, and the list as it was."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tempfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import (
    BundleError,
    BundleExpiredError,
    BundleRollbackError,
    BundleSignatureError,
    BundleTamperedError,
    FingerprintError,
)
from fingerprint.lists import HashList, Record
from fingerprint.lists.bundles import (
    BundleInfo,
    PublicKey,
    TrustedKey,
    TrustedKeys,
    import_bundle,
    read_bundle,
    write_bundle,
)
from fingerprint.lists.bundles import reading as reading_module
from fingerprint.lists.bundles.keys import PrivateKey
from tests.bundle_files import canonical, manifest_of, signed, write_forged

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a key of these tests").digest())
PUBLIC = PublicKey(KEY.public_key().public_bytes_raw())
TRUSTED = TrustedKeys([TrustedKey(PUBLIC, "Hotline", ("a",))])
HEAD = 108


def md5(text: object) -> str:
    return hashlib.md5(str(text).encode(), usedforsecurity=False).hexdigest()


def row(n: object, source: str = "a", **fields: Any) -> dict[str, Any]:
    return {"source": source, "record_id": f"id {n}", "hashes": {"md5": md5((source, n))}} | fields


ROWS = [row(n) for n in range(5)]


def retraction(n: object, source: str = "a", **fields: Any) -> dict[str, Any]:
    values = {"source": source, "record_id": f"id {n}", "retracted": True, "at": None, "reason": ""}
    return values | fields


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(canonical(one) + b"\n" for one in rows)


@dataclass
class Target:
    """A list that holds a first snapshot, and the bundle it came in."""

    known: HashList
    folder: Path
    first: bytes

    def state(self) -> tuple[Any, ...]:
        one = self.known
        return one.version, one.digest, tuple(one.records()), one.feeds()

    def refused(
        self, data: bytes | Path, *kinds: type[FingerprintError], match: str = "."
    ) -> FingerprintError:
        """Neither read nor imported, by a reader and by an importer that looks alone."""
        path = data if isinstance(data, Path) else self.folder / "bad.fpb"
        if isinstance(data, bytes):
            path.write_bytes(data)
        before = self.state()
        with pytest.raises(kinds, match=match) as caught:
            import_bundle(self.known, path, TRUSTED, by="platform", now=NOW)
        assert type(caught.value) in kinds
        assert self.state() == before
        return caught.value

    def refused_by_both(
        self, data: bytes | Path, *kinds: type[FingerprintError], match: str = "."
    ) -> None:
        error = self.refused(data, *kinds, match=match)
        path = data if isinstance(data, Path) else self.folder / "bad.fpb"
        with pytest.raises(type(error), match=match):
            read_bundle(path, TRUSTED, now=NOW)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with HashList.create(folder / "known") as known:
            known.add(Record("own", "1", {"md5": md5("own")}), by="me")
            path = write_forged(folder / "first.fpb", KEY, ROWS)
            import_bundle(known, path, TRUSTED, by="platform", now=NOW)
            yield Target(known, folder, path.read_bytes())


def second(rows: bytes | None = None, packed: bytes | None = None, **facts: Any) -> bytes:
    """The next version, well signed."""
    data = lines(*ROWS, row(5)) if rows is None else rows
    facts = {"version": 2} | facts
    body = data if packed is None else packed
    return signed(KEY, canonical(manifest_of(KEY, data, packed, **facts)), body)


def packed_second() -> bytes:
    rows = lines(*ROWS, row(5))
    return second(rows, zstandard.compress(rows))


def test_the_next_version_would_be_taken(target: Target) -> None:
    """What all these tests change is good before they do."""
    for data in (second(), packed_second()):
        (target.folder / "good.fpb").write_bytes(data)
        bundle = read_bundle(target.folder / "good.fpb", TRUSTED, now=NOW)
        assert len(list(bundle.changes())) == 6


def expected_kinds(place: int, manifest_end: int) -> tuple[type[FingerprintError], ...]:
    if place < 8:
        return (BundleTamperedError,)
    if place < 104:
        return (BundleSignatureError,)
    if place < HEAD:
        return (BundleSignatureError, BundleTamperedError)
    return (BundleSignatureError,) if place < manifest_end else (BundleTamperedError,)


GOOD = {"none": second(), "zstd": packed_second()}


@pytest.mark.parametrize("packing", ["none", "zstd"])
def test_every_single_byte_counts(target: Target, packing: str) -> None:
    good = GOOD[packing]
    end = HEAD + struct.unpack_from("<I", good, 104)[0]
    path = target.folder / "flipped.fpb"
    for place in range(len(good)):
        data = bytearray(good)
        data[place] ^= 1 << place % 8
        path.write_bytes(data)
        with pytest.raises(BundleError) as caught:
            read_bundle(path, TRUSTED, now=NOW, contents=False)
        assert type(caught.value) in expected_kinds(place, end), place


@given(
    st.sampled_from(["none", "zstd"]),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), min_size=1, max_size=4),
)
def test_changed_bytes_are_refused(
    target: Target, packing: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(GOOD[packing])
    for place, change in changes:
        data[place % len(data)] ^= change
    if data != GOOD[packing]:
        target.refused(bytes(data), BundleSignatureError, BundleTamperedError)


@given(st.sampled_from(["none", "zstd"]), st.integers(0, 1 << 20))
def test_a_part_is_refused(target: Target, packing: str, place: int) -> None:
    good = GOOD[packing]
    target.refused(good[: place % len(good)], BundleTamperedError)


@given(
    st.sampled_from(["none", "zstd"]), st.binary(min_size=1, max_size=50), st.integers(0, 1 << 20)
)
def test_bytes_more_are_refused(target: Target, packing: str, more: bytes, place: int) -> None:
    good = GOOD[packing]
    target.refused(good + more, BundleTamperedError)
    place %= len(good)
    inserted = good[:place] + more + good[place:]
    if inserted != good:
        target.refused(inserted, BundleTamperedError, BundleSignatureError)


@given(st.binary(max_size=300))
def test_anything_is_refused(target: Target, data: bytes) -> None:
    target.refused(data, BundleTamperedError)
    target.refused(b"FPBUND01" + data, BundleTamperedError, BundleSignatureError)


def test_a_body_of_another_bundle_is_refused(target: Target) -> None:
    """Signed parts, put together anew."""
    one, other = GOOD["none"], second(lines(*ROWS, row(6)))
    length = struct.unpack_from("<I", one, 104)[0]
    assert struct.unpack_from("<I", other, 104)[0] == length
    target.refused(one[: HEAD + length] + other[HEAD + length :], BundleTamperedError)
    target.refused(one[:104] + other[104:], BundleSignatureError)


def test_a_strangers_key_is_refused(target: Target) -> None:
    stranger = Ed25519PrivateKey.generate()
    rows = lines(*ROWS)
    stolen = manifest_of(KEY, rows, version=2)
    target.refused(signed(stranger, canonical(stolen), rows), BundleSignatureError)
    # The trusted key before somebody else's signature.
    data = bytearray(signed(stranger, canonical(stolen), rows))
    data[8:40] = PUBLIC.raw
    target.refused(bytes(data), BundleSignatureError)


def test_another_use_of_the_key_is_no_bundle(target: Target) -> None:
    """A signature of the bare manifest, or under another name, is none of a bundle."""
    rows = lines(*ROWS)
    manifest = canonical(manifest_of(KEY, rows, version=2))
    for prefix in (b"", b"fingerprint bundle 2\0", b"fingerprint bundle 1"):
        signature = KEY.sign(prefix + manifest)
        head = struct.pack("<8s32s64sI", b"FPBUND01", PUBLIC.raw, signature, len(manifest))
        target.refused(head + manifest + rows, BundleSignatureError)


def test_nothing_is_parsed_before_it_is_believed(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("parsed too early")

    data = bytearray(GOOD["zstd"])
    data[-1] ^= 1
    monkeypatch.setattr(reading_module, "change_of_line", never)
    monkeypatch.setattr(zstandard, "ZstdDecompressor", never)
    target.refused(bytes(data), BundleTamperedError)
    monkeypatch.setattr(BundleInfo, "from_bytes", never)
    data[50] ^= 1
    target.refused(bytes(data), BundleSignatureError)


@pytest.mark.parametrize(
    "facts",
    [
        {"format": 2},
        {"format": True},
        {"format": "1"},
        {"name": ""},
        {"name": "a\u202eb"},
        {"name": "a\nb"},
        {"name": 7},
        {"name": "x" * 513},
        {"kind": "replace"},
        {"kind": None},
        {"kind": ["snapshot"]},
        {"version": 0},
        {"version": -1},
        {"version": True},
        {"version": 2.0},
        {"version": "2"},
        {"version": 1 << 53},
        {"base_version": 1},
        {"kind": "delta"},
        {"kind": "delta", "base_version": 2},
        {"kind": "delta", "base_version": True},
        {"retractions": 1},
        {"records": 5},
        {"records": 7},
        {"records": -6},
        {"content_digest": "0" * 64},
        {"content_digest": "0" * 63},
        {"content_digest": "G" * 64},
        {"key": "0" * 64},
        {"packing": "gzip"},
        {"packing": "zstd"},
        {"nbytes": 0},
        {"nbytes": 1 << 60},
        {"unpacked_nbytes": 1},
        {"sha256": "0" * 64},
        {"created_at": "2026-12-01T00:00:00Z"},
        {"created_at": "2026-11-01T00:00:00+00:00"},
        {"created_at": "2026-11-01T00:00:00"},
        {"created_at": 1793491200},
        {"expires_at": "9999-99-99"},
        {"expires_at": None},
        {"comment": "x" * 4097},
        {"comment": None},
        {"comment": "\x1b[2J"},
        {"comment": "\ud800"},
        {"more": 1},
        {"source": ""},
    ],
    ids=str,
)
def test_a_manifest_against_the_rules_is_refused(target: Target, facts: dict[str, Any]) -> None:
    target.refused_by_both(second(**facts), BundleTamperedError)


@pytest.mark.parametrize("name", sorted(manifest_of(KEY, b"")))
def test_a_manifest_that_lacks_something_is_refused(target: Target, name: str) -> None:
    rows = lines(*ROWS)
    manifest = manifest_of(KEY, rows, version=2)
    del manifest[name]
    target.refused(signed(KEY, canonical(manifest), rows), BundleTamperedError)


def test_a_manifest_written_otherwise_is_refused(target: Target) -> None:
    rows = lines(*ROWS)
    values = manifest_of(KEY, rows, version=2)
    good = canonical(values)
    for manifest in (
        json.dumps(values, sort_keys=True).encode(),
        json.dumps(values, separators=(",", ":")).encode(),
        good + b"\n",
        b" " + good,
        good.replace(b'"version":2', b'"version":2,"version":2'),
        good.replace(b'"version":2', b'"version":2e0'),
        good.replace(b'"stream"', b'"str\\u0065am"'),
        good.replace(b'"stream"', '"strëam"'.encode()),
        good.replace(b'"stream"', b'"str\\ud800"'),
        good.replace(b'"version":2', b'"version":NaN'),
        good.replace(b'"version":2', b'"version":' + b"9" * 5000),
        b"[" * 30_000,
        b"null",
        b"[]",
        b"{}",
        b"\xff",
    ):
        target.refused(signed(KEY, manifest, rows), BundleTamperedError)
    for manifest in (b"", good + b" " * 65_536):
        target.refused(signed(KEY, manifest, rows), BundleTamperedError, match="65,536")


def bad_rows() -> dict[str, bytes]:
    good = [canonical(one) + b"\n" for one in ROWS]
    return {
        "twice": good[0] * 2,
        "out of order": good[1] + good[0],
        "no line feed at the end": good[0] + good[1][:-1],
        "an empty line": good[0] + b"\n" + good[1],
        "carriage returns": good[0][:-1] + b"\r\n",
        "spaces": good[0].replace(b":", b": "),
        "no object": b"[]\n",
        "a number": b"1\n",
        "no JSON": b"{\n",
        "no UTF-8": b'{"a":"\xff"}\n',
        "deep": b"[" * 100_000 + b"\n",
        "no hashes": lines({"source": "a", "record_id": "1"}),
        "empty hashes": lines(row(1, hashes={})),
        "degenerate": lines(row(1, hashes={"md5": "0" * 32})),
        "upper case": lines(row(1, hashes={"md5": md5(1).upper()})),
        "unknown type": lines(row(1, hashes={"md9": md5(1)})),
        "unknown field": lines(row(1, surprise=1)),
        "an empty field": lines(row(1, category="")),
        "unsorted flags": lines(row(1, flags=["b", "a"])),
        "a time not in UTC": lines(row(1, first_seen="2026-01-01T00:00:00+02:00")),
        "a wrong type": lines(row(1, hashes=[])),
        "a name too long": lines(row("x" * 600)),
        "a name with a line feed": lines(row("x\ny")),
        "a name with half a character": lines(row("\ud800")),
        "infinity": good[0].replace(b"}\n", b',"raw":{"x":Infinity}}\n'),
        "a name twice": good[0].replace(b"}\n", b',"source":"a"}\n'),
        "a retraction in a snapshot": lines(retraction(1)),
        "another source of the signer": lines(row(1, "a/other")),
    }


@pytest.mark.parametrize("name", sorted(bad_rows()))
def test_rows_against_the_rules_are_refused(target: Target, name: str) -> None:
    rows = bad_rows()[name]
    facts: dict[str, Any] = {"name": name, "source": "a/part"} if "another source" in name else {}
    n = rows.count(b"\n")
    facts |= {"records": n, "retractions": 0, "content_digest": "0" * 64}
    manifest = manifest_of(KEY, b"") | {"version": 2}
    manifest |= {"nbytes": len(rows), "unpacked_nbytes": len(rows)}
    manifest |= {"sha256": hashlib.sha256(rows).hexdigest()} | facts
    if facts.get("source"):
        (target.folder / "bad.fpb").write_bytes(signed(KEY, canonical(manifest), rows))
        with pytest.raises(BundleTamperedError, match="row 1: is not of source"):
            read_bundle(target.folder / "bad.fpb", TRUSTED, now=NOW)
        return
    # Its numbers and digest may be wrong as well: the row has to be what is refused.
    where = r"row \d: |ending in a line feed"
    if name == "a retraction in a snapshot":
        where = "row 1: is a retraction in a snapshot"
    target.refused_by_both(signed(KEY, canonical(manifest), rows), BundleTamperedError, match=where)


@pytest.mark.parametrize(
    "fields",
    [{"at": "today"}, {"reason": None}, {"retracted": 1}, {"retracted": False}, {"more": 1}],
    ids=str,
)
def test_retractions_against_the_rules_are_refused(target: Target, fields: dict[str, Any]) -> None:
    rows = lines(retraction(1, **fields))
    target.refused_by_both(
        second(rows, kind="delta", base_version=1, records=0, retractions=1),
        BundleTamperedError,
        match="row 1: ",
    )


@pytest.mark.parametrize("source", ["b", "ab", "a-b", "", "own"])
def test_a_key_does_not_speak_for_others(target: Target, source: str) -> None:
    """Neither by what the manifest says nor by what rows say, neither adding nor retracting."""
    kind = BundleSignatureError if source else BundleTamperedError
    row_of_it = [*ROWS, row(1, source)] if source > "a" else [row(1, source), *ROWS]
    target.refused_by_both(second(lines(*row_of_it)), kind)
    if source:
        target.refused_by_both(second(lines(row(1, source)), source=source, name="new"), kind)
        rows = lines(retraction(1, source))
        target.refused_by_both(
            second(rows, kind="delta", base_version=1, records=0, retractions=1), kind
        )


def test_bombs_are_refused_in_little_memory(target: Target) -> None:
    """Kilobytes that unpack to a gigabyte, with and without saying so."""
    zeros = zstandard.ZstdCompressor(level=3)
    packed = b"".join(
        zeros.compress(bytes(1 << 24)) for _ in range(64)
    )  # Many frames: as one stream they unpack to a gigabyte.
    for unpacked in (1 << 30, 100, 1 << 50):
        data = second(b"", packed, unpacked_nbytes=unpacked, records=1)
        (target.folder / "bomb.fpb").write_bytes(data)
        tracemalloc.start()
        with pytest.raises(BundleTamperedError):
            read_bundle(target.folder / "bomb.fpb", TRUSTED, now=NOW)
        _, peak_nbytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_nbytes < 300 << 20


def test_a_large_window_is_refused(target: Target) -> None:
    rows = lines(*ROWS, row(5))
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=0)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = packer.compress(rows) + packer.flush()
    target.refused_by_both(second(rows, packed), BundleTamperedError, match="unpacked")


@pytest.mark.parametrize("change", ["cut", "more", "two frames", "rubbish", "not zstd"])
def test_rows_packed_otherwise_are_refused(target: Target, change: str) -> None:
    rows = lines(*ROWS, row(5))
    whole = zstandard.compress(rows)
    packed = {
        "cut": whole[:-10],
        "more": zstandard.compress(rows + lines(row(6))),
        "two frames": whole + zstandard.compress(b"x"),
        "rubbish": whole + b"rubbish",
        "not zstd": b"rubbish" * 10,
    }[change]
    target.refused_by_both(second(rows, packed), BundleTamperedError)


def test_deltas_that_lie_are_refused(target: Target) -> None:
    facts: dict[str, Any] = {"kind": "delta", "base_version": 1}
    target.refused(second(lines(row(5)), **facts), BundleRollbackError, match="does not lead")
    both = lines(retraction(1), row(1))
    target.refused_by_both(second(both, **facts), BundleTamperedError, match="twice")


def test_a_replay_with_another_body_is_refused(target: Target) -> None:
    target.refused(
        second(lines(*ROWS[:3]), version=1), BundleRollbackError, match="another content"
    )
    target.refused(second(version=1, expires_at="2026-11-23T12:00:00Z"), BundleExpiredError)


def test_a_file_changed_in_between_is_refused(target: Target) -> None:
    path = target.folder / "changing.fpb"
    path.write_bytes(second())
    bundle = read_bundle(path, TRUSTED, now=NOW)
    for data in (second(lines(*ROWS, row(6))), second() + b"x" * 5, b"", second()[:-1]):
        path.write_bytes(data)
        if data == second() + b"x" * 5:
            assert len(list(bundle.changes())) == 6, "what was verified is still there"
            continue
        with pytest.raises(BundleTamperedError, match="changed while"):
            list(bundle.changes())
    path.unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        list(bundle.changes())


def test_a_file_changed_while_it_is_imported_changes_nothing(target: Target) -> None:
    """Swapped between verifying and applying, behind the first mebibyte."""
    noise = [
        row(n, raw={"n": hashlib.sha512(str(n).encode()).hexdigest() * 100}) for n in range(99)
    ]
    rows = sorted(
        [*ROWS, *(one | {"record_id": f"z{i:03}"} for i, one in enumerate(noise))],
        key=lambda one: (one["source"], one["record_id"]),
    )
    path = target.folder / "changing.fpb"
    path.write_bytes(second(lines(*rows)))
    before = target.state()
    changes = read_bundle(path, TRUSTED, now=NOW).changes()
    for _ in range(3):
        next(changes)
    with path.open("r+b") as stream:
        stream.seek(-5, os.SEEK_END)
        stream.write(b"x")
    with pytest.raises(BundleTamperedError, match="changed while"):
        target.known.apply(changes, by="platform", snapshot_of="a")
    assert target.state() == before


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_what_is_no_file_is_refused(target: Target) -> None:
    folder = target.folder
    (folder / "folder").mkdir()
    (folder / "dangling").symlink_to(folder / "nothing")
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    for name in ("folder", "dangling", "loop", "pipe", "nothing"):
        target.refused_by_both(folder / name, BundleError)
    for path in ("/dev/zero", "x\0y"):
        target.refused(Path(path), BundleError)
    (folder / "good").write_bytes(second())
    (folder / "link").symlink_to(folder / "good")
    assert read_bundle(folder / "link", TRUSTED, now=NOW).info.version == 2


def test_no_hash_is_told(target: Target) -> None:
    secret = md5("secret")
    for rows in (
        lines(row(1, hashes={"md5": secret + "0"})),
        lines(row(secret), row(secret)),
        lines(row(1, category=secret, surprise=secret)),
        lines(row(1, secret)),
    ):
        error = target.refused(
            second(rows, records=rows.count(b"\n")), *BundleError.__subclasses__()
        )
        assert secret not in f"{error!r} {error}"
        assert error.__cause__ is None


def test_a_writer_that_fails_leaves_nothing(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fingerprint.lists.bundles.writing.shutil.copyfileobj", full)
    with pytest.raises(BundleError, match="No space left"):
        write_bundle(
            target.known,
            target.folder / "new.fpb",
            PrivateKey(KEY),
            name="s",
            source="a",
            expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        )
    assert not [one for one in target.folder.iterdir() if "new.fpb" in one.name]
