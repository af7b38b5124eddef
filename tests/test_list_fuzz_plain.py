"""Plain lists that are anything at all: an answer or a ListFormatError, and no hash in words."""

from __future__ import annotations

import gzip
import json
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import HashFormatError, ListFormatError
from fingerprint.lists import Record, Rejected, Retraction
from fingerprint.lists.formats import ListLimits
from tests.plain_lists import MD5, NATIVE, PDQ, PHOTODNA, SHA1, read, record, records, written

LIMITS = ListLimits(max_nbytes=10_000_000, max_row_nbytes=1_000_000)
HEX = re.compile("[0-9a-f]{16,}", re.IGNORECASE)
VPDQ = f"0,80,{PDQ},0.000\n1,75,{PDQ},1.000"

TABLE = (
    "id,md5,sha1,pdq,category,flags,first_seen,last_seen,status,media,note\n"
    f'1,{MD5},{SHA1},{PDQ},A1,grid;x,2024-01-01T00:00:00Z,1700000000,live,image/png,"a ""b""\nc"\n'
    f"2,{MD5},,,\u00e9,,,,deleted,,\n"
    f",{MD5},,,,,2024-01-01,,,video,x\n"
).encode()
LINES = f"# list\n{MD5}\npdq:{PDQ}\r\n{SHA1}\nphotodna:{PHOTODNA}\n".encode()
OBJECTS = "\n".join(
    [
        json.dumps({**NATIVE, "raw": {"a": [{"b": 0}]}, "opinions": [{"by": "x", "value": "y"}]}),
        json.dumps({"source": "q", "record_id": "2", "retracted": True, "at": "2024-01-01T00:00Z"}),
        json.dumps({"id": 3, "md5": MD5, "vpdq": VPDQ, "created": 1700000000, "tags": ["a"]}),
        json.dumps({"id": "4", "hash": PDQ, "type": "pdq", "deleted": False, "flags": ["f"]}),
    ]
).encode()  # fmt: skip
TOKENS = [
    b'"', b",", b"\n", b"\r", b"\t", b"\0", b"{", b"}", b"[", b"]", b":", b"null", b"NaN", b"1e999",
    b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\\ud800", b"\\", b"-", b"9" * 400, b"hashes", b"#",
    b"true", b"id", b"md5", MD5.encode(), b"tmk_pdqf", b"photodna:", b"\xc2\xa0", b"2024-01-01T",
]  # fmt: skip


def check(data: bytes, kind: str, **options: Any) -> None:
    """Read anything to the end, or to a ListFormatError; rows only go up, nothing is leaked."""
    try:
        found = read(data, kind, limits=LIMITS, **options)
    except ListFormatError as error:
        found = [Rejected(0, error.reason)]
        told = str(error)
    else:
        told = ""
    assert not HEX.search(told)
    rows = [one.row for one in found if isinstance(one, Rejected)]
    assert rows == sorted(rows)
    for one in found:
        assert isinstance(one, Record | Retraction | Rejected)
        if isinstance(one, Rejected):
            assert not HEX.search(one.reason)
        elif isinstance(one, Record):
            assert Record.from_dict(one.to_dict()) == one
            assert not set(one.hashes.values()) & set(HEX.findall(str(one)))


@st.composite
def mutated(draw: st.DrawFn, seed: bytes) -> bytes:
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        deed = draw(st.sampled_from(["flip", "cut", "insert", "drop", "repeat"]))
        if deed == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif deed == "cut":
            del data[at:]
        elif deed == "insert":
            data[at:at] = draw(st.sampled_from(TOKENS))
        elif deed == "drop":
            del data[at : at + draw(st.integers(1, 40))]
        else:
            data[at:at] = data[max(0, at - draw(st.integers(1, 60))) : at]
    return bytes(data)


KINDS: list[tuple[str, bytes, dict[str, Any]]] = [
    ("lines", LINES, {}),
    ("lines", LINES, {"hash_type": "md5"}),
    ("csv", TABLE, {}),
    ("csv", TABLE, {"header": False, "columns": {"record_id": 1, "md5": 2, "pdq": 4, "sha1": 3}}),
    ("csv", TABLE, {"quotechar": ""}),
    ("csv", TABLE.decode().encode("utf-16"), {}),
    ("tsv", TABLE.replace(b",", b"\t"), {}),
    ("jsonl", OBJECTS, {}),
    ("jsonl", OBJECTS, {"columns": {"md5": "md5", "record_id": "id"}}),
]


@pytest.mark.parametrize(("kind", "seed", "options"), KINDS)
def test_mutated_lists_do_no_harm(kind: str, seed: bytes, options: dict[str, Any]) -> None:
    check(seed, kind, **options)

    @given(mutated(seed))
    def run(data: bytes) -> None:
        check(data, kind, **options)

    run()


@pytest.mark.parametrize("kind", ["lines", "csv", "tsv", "jsonl"])
@given(data=st.binary(max_size=300) | st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join))
def test_any_bytes_do_no_harm(kind: str, data: bytes) -> None:
    check(data, kind)
    check(gzip.compress(data), kind)
    if kind in ("csv", "tsv"):
        between = b"," if kind == "csv" else b"\t"
        check(between.join([b"id", b"md5", b"note"]) + b"\n" + data, kind)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([MD5, PDQ, VPDQ, "", "deleted", "2024-01-01T00:00:00Z", "video", "[", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)  # fmt: skip
names = st.sampled_from(
    [*Record.__dataclass_fields__, "retracted", "at", "reason", "id", "md5", "pdq", "vpdq", "hash",
     "tmk_pdqf", "type", "status", "deleted", "flags", "created", "updated", "media_type", "b3hash"]
)  # fmt: skip


@given(st.lists(st.dictionaries(names, values, max_size=6), max_size=4))
def test_objects_of_any_values_do_no_harm(objects: list[dict[str, Any]]) -> None:
    data = "\n".join(map(json.dumps, objects)).encode()
    check(data, "jsonl")
    check(data, "jsonl", columns={"severity": "at", "source": "reason"})
    found = read(data, "jsonl", hash_type="pdq")
    assert {one.row for one in found if isinstance(one, Rejected)} <= {1, 2, 3, 4}


@given(st.dictionaries(st.sampled_from(["md5", "tmk_pdqf", "vpdq", "photodna", "pdq"]), values))
def test_hashes_of_any_values_do_no_harm(hashes: dict[str, Any]) -> None:
    check(json.dumps({**NATIVE, "hashes": hashes}).encode(), "jsonl")
    check(json.dumps({**NATIVE, "views": hashes}).encode(), "jsonl")


@given(st.lists(records, min_size=1, max_size=3), st.data())
def test_damaged_parquet_does_no_harm(some: list[Record], data: st.DataObject) -> None:
    pytest.importorskip("pyarrow")
    good = written(some, "parquet")
    check(data.draw(mutated(good)), "parquet")
    # Behind the pages, which have checksums, is the footer, which has none.
    footer = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    changed = bytearray(good)
    for _ in range(3):
        changed[data.draw(st.integers(footer, len(good) - 9))] = data.draw(st.integers(0, 255))
    check(bytes(changed), "parquet")


def test_quotes_without_end_take_no_time_without_end() -> None:
    """Each line is read twice at most, whatever the quotes: or this would take hours."""
    rng = random.Random(7)
    rows = [f'{n},"{"x" * rng.randrange(50)}' if n % 3 else f'{n},""y' for n in range(30_000)]
    found = read("id,md5\n" + "\n".join(rows), "csv")
    assert all(isinstance(one, Rejected) for one in found)
    numbers = [one.row for one in found if isinstance(one, Rejected)]
    assert numbers == sorted(set(numbers))
    one_quote = read('id,md5\n1,"\n' + f"2,{MD5}\n" * 30_000, "csv")
    assert one_quote[1:] == [record("2", {"md5": MD5})] * 30_000


def test_depth_takes_no_time_and_no_stack() -> None:
    deep = ["[" * 900_000, '{"a":' * 150_000, '"' + "[" * 900_000, '"\\' * 400_000]
    data = "\n".join([*deep, json.dumps(NATIVE)])
    found = read(data, "jsonl", limits=LIMITS)
    assert [type(one).__name__ for one in found] == ["Rejected"] * 4 + ["Record"]


def test_a_wrong_type_is_the_callers_fault() -> None:
    with pytest.raises(HashFormatError, match="md6"):
        read(b"hash\n1\n", "csv", hash_type="md6")
