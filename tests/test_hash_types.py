"""Types of hashes: every notation that is taken, and everything that is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import HashFormatError
from fingerprint.hash_arrays import HashArray
from fingerprint.lists import HASH_TYPES, HashType, Record, canonical_hash, hash_type
from fingerprint.lists.hash_types import LONGEST_VIDEO_VALUE
from tests.record_strategies import digest, near, tmk, vpdq

FIXED = [kind for kind in HASH_TYPES.values() if kind.family != "video"]
PERCEPTUAL = [kind for kind in FIXED if kind.family == "perceptual"]
NAMES = [kind.name for kind in FIXED]


def refused(kind: HashType, value: str, told: str | None = None) -> None:
    """A value is refused alone and in a record, and is not shown."""
    with pytest.raises(HashFormatError, match=told) as found:
        canonical_hash(kind, value)
    with pytest.raises(HashFormatError) as again:
        Record("s", "1", {kind.name: value})
    for error in (found, again):
        assert len(value) < 16 or value not in str(error.value)
        assert kind.name in str(error.value)


def test_the_types_there_are() -> None:
    bits = {kind.name: kind.bits for kind in HASH_TYPES.values()}
    wanted = {"md5": 128, "sha1": 160, "sha256": 256, "sha512": 512, "pdq": 256, "phash": 64}
    assert bits == {**wanted, "dhash": 64, "photodna": 1152, "vpdq": 256, "tmk_pdqf": 0}
    exact = {name for name, kind in HASH_TYPES.items() if kind.is_exact}
    assert exact == {"md5", "sha1", "sha256", "sha512", "photodna"}
    for name, size in (("md5", 16), ("sha1", 20), ("sha256", 32), ("sha512", 64)):
        assert hashlib.new(name).digest_size == size == HASH_TYPES[name].bits // 8
    with pytest.raises(TypeError):
        HASH_TYPES["md4"] = HASH_TYPES["md5"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("MD5", "md5"),
        ("Sha-1", "sha1"),
        ("SHA-256", "sha256"),
        ("sha-512", "sha512"),
        ("PDNA", "photodna"),
        ("PhotoDNA", "photodna"),
        ("PDQ", "pdq"),
    ],
)
def test_names_in_any_case(text: str, name: str) -> None:
    assert hash_type(text) == HASH_TYPES[name]


@pytest.mark.parametrize("text", ["", "md4", " md5", "sha", "pdq:512", digest("sha256", 1)])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(HashFormatError, match="expected one of md5") as found:
        hash_type(text)
    assert digest("sha256", 1) not in str(found.value)


@pytest.mark.parametrize("kind", FIXED, ids=NAMES)
def test_hex_in_any_case(kind: HashType) -> None:
    value = digest(kind.name, 1)
    mixed = "".join(random.Random(1).choice([c, c.upper()]) for c in value)
    for form in (value, value.upper(), mixed):
        assert canonical_hash(kind, form) == value
        assert Record("s", "1", {kind.name: form}).hashes == {kind.name: value}


@pytest.mark.parametrize("kind", FIXED, ids=NAMES)
def test_other_lengths_and_characters(kind: HashType) -> None:
    value = digest(kind.name, 1)
    n = kind.bits // 4
    for bad in (
        "",
        value[:-1],
        value[:-2],
        f"{value}0",
        f"{value}00",
        f"{value}\n",
        f"{value} ",
        f" {value}",
        f" {value[1:]}",
        f"{value[:-1]}\n",
        f"{value[:4]} {value[5:]}",
        f"{value[:4]}  {value[6:]}",
        f"0x{value}",
        f"0x{value[2:]}",
        f"{value[:-1]}g",
        f"+{value[1:]}",
        f"-{value[1:]}",
        f"{value[:8]}_{value[9:]}",
        f"{value[:-1]}٣",
        "\uff10" * n,
        f"{value},{value}",
        "\0" * n,
    ):
        refused(kind, bad)
    for odd in (5, None, b"\x00" * n, ["a"]):
        with pytest.raises(HashFormatError, match="expected text, got"):
            canonical_hash(kind, odd)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", FIXED, ids=NAMES)
def test_degenerate_ones(kind: HashType) -> None:
    n = kind.bits // 4
    refused(kind, n * "0", "degenerate")
    refused(kind, n * "f", "degenerate")
    refused(kind, n * "F", "degenerate")
    if kind.family == "digest":
        refused(kind, hashlib.new(kind.name).hexdigest(), "degenerate: the digest of an empty file")
        refused(kind, hashlib.new(kind.name).hexdigest().upper(), "degenerate")
        other = hashlib.new(kind.name, b"x").hexdigest()
        assert canonical_hash(kind, other) == other
        assert canonical_hash(kind, f"{1:0{n}x}") == f"{1:0{n}x}", "few bits are chance in a digest"


def with_ones(bits: int, ones: int) -> str:
    value = sum(1 << place for place in random.Random(ones).sample(range(bits), ones))
    return f"{value:0{bits // 4}x}"


@pytest.mark.parametrize("kind", PERCEPTUAL, ids=[kind.name for kind in PERCEPTUAL])
def test_an_eighth_of_the_bits_must_be_set_and_unset(kind: HashType) -> None:
    """256 bits: 32 to 224. 64 bits: 8 to 56."""
    least = {256: 32, 64: 8}[kind.bits]
    for ones in (least, kind.bits // 2, kind.bits - least):
        assert canonical_hash(kind, with_ones(kind.bits, ones)) == with_ones(kind.bits, ones)
    for ones in (1, least - 1, kind.bits - least + 1, kind.bits - 1):
        refused(kind, with_ones(kind.bits, ones), f"{ones} of {kind.bits} bits are set")


@given(st.integers(0, 2**256 - 1), st.sampled_from(FIXED))
def test_any_number(value: int, kind: HashType) -> None:
    """What is taken is the number that came; what is refused is one of the degenerate ones."""
    value %= 1 << kind.bits
    text = f"{value:0{kind.bits // 4}x}"
    ones = bin(value).count("1")
    share = ones / kind.bits
    fine = 1 / 8 <= share <= 7 / 8 if kind.family == "perceptual" else 0 < share < 1
    if fine:
        assert canonical_hash(kind, text) == text
        assert Record("s", "1", {kind.name: text}).hashes == {kind.name: text}
    else:
        refused(kind, text)


@given(st.text(max_size=70) | st.text("0123456789abcdefABCDEF \n", min_size=30, max_size=66))
def test_any_text(text: str) -> None:
    """Both ways of reading agree; nothing but the typed error comes out."""
    for kind in HASH_TYPES.values():
        try:
            alone = canonical_hash(kind, text)
        except HashFormatError:
            with pytest.raises(HashFormatError):
                Record("s", "1", {kind.name: text})
        else:
            assert Record("s", "1", {kind.name: text}).hashes == {kind.name: alone}
            assert alone == text.lower()


def test_photodna_in_base64() -> None:
    kind = HASH_TYPES["photodna"]
    data = bytes.fromhex(digest("photodna", 1))
    assert len(data) == 144
    text = base64.b64encode(data).decode()
    assert len(text) == 192
    assert canonical_hash(kind, text) == data.hex()
    for bad in (text[:-1], f"{text}\n", f" {text[1:]}", f"{text[:-1]}=", "A" * 192, "/" * 192):
        refused(kind, bad)
    refused(kind, text[:50] + "\n" + text[51:])
    for name in ("md5", "pdq", "sha512"):
        refused(HASH_TYPES[name], base64.b64encode(bytes.fromhex(digest(name, 1))).decode())


def test_vpdq_in_both_notations() -> None:
    kind = HASH_TYPES["vpdq"]
    frames = [digest("pdq", n) for n in range(3)]
    text = vpdq(frames)
    assert canonical_hash(kind, text) == text
    assert canonical_hash(kind, f"\n{text.upper()}\n") == text
    assert canonical_hash(kind, text.replace("\n", "\r\n")) == text
    signal = json.dumps([f"{frame},{90 - i},{i:.2f}" for i, frame in enumerate(frames)])
    lines = [line.split(",") for line in canonical_hash(kind, signal).splitlines()]
    assert [line[2] for line in lines] == frames
    assert [line[1] for line in lines] == ["90", "89", "88"]
    assert canonical_hash(kind, canonical_hash(kind, signal)) == canonical_hash(kind, signal)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "\n",
        "[]",
        "[",
        "{}",
        '["x"]',
        "[1]",
        "nonsense",
        digest("pdq", 1),
        f"0,50,{digest('pdq', 1)[:-1]},0.0\n",
        f"0,101,{digest('pdq', 1)},0.0\n",
        f"0,50,{digest('pdq', 1)},0.0,5\n",
        f"0,50,{digest('pdq', 1)},nan\n",
    ],
    ids=lambda value: value[:12],
)
def test_what_is_no_vpdq(value: str) -> None:
    with pytest.raises(HashFormatError) as found:
        Record("s", "1", {"vpdq": value})
    assert digest("pdq", 1) not in str(found.value)


def test_a_video_of_nothing_but_black_is_degenerate() -> None:
    """Frames without detail are in many videos; a video of them alone would match most of those."""
    kind = HASH_TYPES["vpdq"]
    refused(kind, vpdq([64 * "0", 64 * "f", f"{1:064x}"]), "degenerate")
    mixed = vpdq([64 * "0", digest("pdq", 1)])
    assert canonical_hash(kind, mixed) == mixed


def test_tmk_is_read_before_it_is_kept() -> None:
    kind = HASH_TYPES["tmk_pdqf"]
    text = tmk(1)
    assert canonical_hash(kind, text) == text
    data = base64.b64decode(text)
    for bad in (
        text[:-4],
        f"{text}AAAA",
        text.replace("=", ""),
        "not base64!",
        "AAAA",
        base64.b64encode(b"X" + data[1:]).decode(),
        base64.b64encode(data[:-1]).decode(),
        base64.b64encode(data[:12] + b"\xff" * 4 + data[16:]).decode(),
    ):
        if bad != text:
            refused(kind, bad)


def test_a_video_has_a_longest_value() -> None:
    line = f"0,50,{digest('pdq', 1)},0.000\n"
    many = line * (LONGEST_VIDEO_VALUE // len(line) + 1)
    for name in ("vpdq", "tmk_pdqf"):
        with pytest.raises(HashFormatError, match="expected 1 to 16,777,216 characters"):
            canonical_hash(HASH_TYPES[name], many)


def test_bits_come_in_the_order_of_other_tools() -> None:
    """The first hex digit is the first bits of `HashArray`'s packed rows."""
    value = near("pdq", 4, 0)
    packed = HashArray.from_hex([canonical_hash(HASH_TYPES["pdq"], value)], "pdq")
    assert np.unpackbits(packed.packed[0])[:4].tolist() == [
        int(c) for c in f"{int(value[0], 16):04b}"
    ]
