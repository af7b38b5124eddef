"""Lists as this package writes them, and what it reads of JSON lines and Parquet of others."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from fingerprint.errors import ListFormatError
from fingerprint.lists import Record, Rejected, Retraction
from fingerprint.lists.formats import ListLimits
from fingerprint.lists.reading import read_list
from tests.plain_lists import (
    MD5,
    MD5_B,
    NATIVE,
    PDQ,
    PHOTODNA,
    SHA1,
    change_lists,
    id_of,
    read,
    record,
    rows_and_ids,
    written,
)

# --- JSON lines


@given(change_lists)
def test_json_lines_come_back_as_they_were(changes: list[Any]) -> None:
    data = written(changes, "jsonl")
    assert read(data, "jsonl") == changes
    assert written(read(data, "jsonl"), "jsonl") == data
    lines = data.decode("ascii").splitlines()
    assert len(lines) == len(changes)
    for line in lines:
        assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"))


def test_objects_of_others_are_read_by_their_names() -> None:
    foreign = {
        "ID": 12, "SHA1": SHA1, "pdna": PHOTODNA, "category": 2, "tags": ["a", {"b": 1}],
        "flags": ["grid"], "created_on": 1700000000, "deleted": False, "none": None,
        "content_type": "video/mp4",
    }  # fmt: skip
    gone = {"ID": "13", "deleted": True, "updated_on": "2024-01-01T00:00:00Z"}
    data = "\n".join(map(json.dumps, [foreign, gone]))
    assert read(data, "jsonl") == [
        record(
            "12",
            {"sha1": SHA1, "photodna": PHOTODNA},
            category="2",
            flags=("grid",),
            media="video",
            first_seen=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
            raw={"tags": ["a", {"b": 1}], "content_type": "video/mp4"},
        ),
        Retraction("s", "13", datetime(2024, 1, 1, tzinfo=UTC), "true"),
    ]
    mapped = {"nr": 5, "wert": MD5, "hashes": 1}
    found = read(json.dumps(mapped), "jsonl", columns={"record_id": "nr", "md5": "wert"})
    assert rows_and_ids(found) == [(1, False), ("Record", "5")]
    assert found[1] == record("5", {"md5": MD5})


BAD_LINES: list[tuple[Any, list[tuple[Any, ...]]]] = [
    ("{", [(1, True)]),
    ("[]", [(1, True)]),
    ("7", [(1, True)]),
    ('{"a":1}}', [(1, True)]),
    ('{"a":1,"a":2}', [(1, True)]),
    (f'{{"md5":"{MD5}","raw":NaN}}', [(1, True)]),
    (f'{{"md5":"{MD5}","x":-Infinity}}', [(1, True)]),
    (f'{{"md5":"{MD5}","x":1e999}}', [(1, True)]),
    (f'{{"md5":"{MD5}","x":{"9" * 5000}}}', [(1, True)]),
    (f'{{"md5":"{MD5}","x":{"[" * 65}{"]" * 65}}}', [(1, True)]),
    (f'{{"md5":"{MD5}","x":{"[" * 100_000}', [(1, True)]),
    (f'{{"md5":"{MD5}","x":{"[" * 40}{"]" * 40}}}', [(1, True)]),
    (f'{{"md5":"{MD5}","x":"{"[" * 100}"}}', [("Record", id_of(f"md5:{MD5}"))]),
    (f'{{"md5":"{MD5}","x":[{"0," * (1 << 20)}0]}}', [(1, True)]),
    (b'{"md5":"' + MD5.encode() + b'","x":"\xff"}', [(1, True)]),
    (f'{{"md5":"{MD5}","x":"\0"}}', [(1, True)]),
    ('{"id":1}', [(1, True)]),
    ('{"id":1,"md5":5}', [(1, True)]),
    (f'{{"id":1.5,"md5":"{MD5}"}}', [(1, True)]),
    (f'{{"md5":"{MD5}","MD5":"{MD5}"}}', [(1, True)]),
    (f'{{"id":1,"md5":"{MD5}","sha1":["x"]}}', [(1, False), ("Record", "1")]),
    (f'{{"id":1,"md5":"{MD5}","category":["x"]}}', [(1, False), ("Record", "1")]),
    (f'{{"id":1,"md5":"{MD5}","b3hash":"x"}}', [(1, False), ("Record", "1")]),
    ({**NATIVE, "hashes": {}}, [(1, True)]),
    ({**NATIVE, "hashes": [MD5]}, [(1, True)]),
    ({**NATIVE, "hashes": {"md5": MD5[1:]}}, [(1, True)]),
    ({**NATIVE, "hashes": {"md5": MD5, "sha1": "1"}}, [(1, False), ("Record", "1")]),
    ({**NATIVE, "hashes": {"md5": MD5, "new": "1"}}, [(1, False), ("Record", "1")]),
    ({**NATIVE, "media": "sound"}, [(1, True)]),
    ({**NATIVE, "media": []}, [(1, True)]),
    ({**NATIVE, "first_seen": "2024-01-01"}, [(1, True)]),
    ({**NATIVE, "opinions": [5]}, [(1, True)]),
    ({**NATIVE, "raw": 5}, [(1, True)]),
    ({**NATIVE, "record_id": ""}, [(1, True)]),
    ({**NATIVE, "source": None}, [(1, True)]),
    ({**NATIVE, "retracted": "yes"}, [(1, True)]),
    ({"retracted": True}, [(1, True)]),
    ({"retracted": True, "record_id": 5}, [(1, True)]),
    ({"retracted": True, "record_id": "5", "at": "now"}, [(1, False), ("Retraction", "5")]),
]  # fmt: skip
BAD_LINES = [(json.dumps(b) if isinstance(b, dict) else b, e) for b, e in BAD_LINES]


@pytest.mark.parametrize(("bad", "expected"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_is_rejected_and_the_rest_is_read(
    bad: str | bytes, expected: list[tuple[Any, ...]]
) -> None:
    data = bad.encode() if isinstance(bad, str) else bad
    found = read(data + b"\n\n" + json.dumps({**NATIVE, "record_id": "2"}).encode(), "jsonl")
    assert rows_and_ids(found) == [*expected, ("Record", "2")]
    for one in found:
        assert MD5[1:] not in repr(one)


def test_what_later_versions_say_is_kept() -> None:
    later = {**NATIVE, "region": [1, 2], "retracted": False, "raw": {"a": 1}}
    assert read(json.dumps(later), "jsonl") == [
        Record("q", "1", {"md5": MD5}, raw={"a": 1, "region": [1, 2]})
    ]
    without = {"record_id": "1", "hashes": {"md5": MD5}}
    assert read(json.dumps(without), "jsonl") == [record("1", {"md5": MD5})]


# --- Parquet


@given(change_lists)
def test_parquet_comes_back_as_it_was(changes: list[Any]) -> None:
    pytest.importorskip("pyarrow")
    assert read(written(changes, "parquet"), "parquet") == changes


def table_of(columns: dict[str, Any], **options: Any) -> bytes:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    stream = io.BytesIO()
    parquet.write_table(pa.table(columns), stream, **options)
    return stream.getvalue()


def test_parquet_has_columns_that_others_can_read() -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    one = record("1", {"md5": MD5, "pdq": PDQ}, flags=("f",), raw={"a": [1]})
    table = parquet.read_table(io.BytesIO(written([one, Retraction("s", "2")], "parquet")))
    assert str(table.schema.field("pdq").type) == "fixed_size_binary[32]"
    assert str(table.schema.field("first_seen").type) == "timestamp[us, tz=UTC]"
    rows = table.to_pylist()
    assert rows[0]["md5"] == bytes.fromhex(MD5)
    assert rows[0]["flags"] == ["f"]
    assert json.loads(rows[0]["raw"]) == {"a": [1]}
    assert [row["retracted"] for row in rows] == [False, True]


def test_parquet_of_others_is_read_by_its_names() -> None:
    pa = pytest.importorskip("pyarrow")
    naive = datetime(2024, 1, 1)
    data = table_of(
        {
            "Id": [1, 2, 3],
            "MD5": [bytes.fromhex(MD5), None, bytes.fromhex(MD5_B)],
            "sha1": [SHA1.upper(), "", None],
            "created": pa.array([naive, None, None], pa.timestamp("ns", "Europe/Berlin")),
            "updated": pa.array([naive, None, None], pa.timestamp("ms")),
            "deleted": [False, True, None],
            "size": [1.5, float("nan"), float("nan")],
        }
    )
    found = read(data, "parquet")
    assert rows_and_ids(found[:1]) == [(1, False)]
    assert found[1:] == [
        record(
            "1",
            {"md5": MD5, "sha1": SHA1},
            first_seen=datetime(2024, 1, 1, tzinfo=UTC),
            raw={"updated": "2024-01-01 00:00:00", "size": 1.5},
        ),
        Retraction("s", "2", None, "true"),
        record("3", {"md5": MD5_B}),
    ]


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"id": ["1"]}, "no column of hashes"),
        ({"md5": [5]}, "cannot read int64"),
        ({"md5": [[MD5]]}, "cannot read list"),
        ({"md5": [MD5], "blake_hash": ["x"]}, "looks like hashes"),
        ({"md5": [MD5], "x": [{"a": 1}]}, "cannot read struct"),
        ({"md5": [MD5], "MD5": [MD5]}, "both seem to be md5"),
        ({"md5": [MD5], "x": [b"1"]}, "cannot read binary"),
    ],
)  # fmt: skip
def test_parquet_of_wrong_columns_is_refused(columns: dict[str, Any], match: str) -> None:
    with pytest.raises(ListFormatError, match=match):
        read(table_of(columns), "parquet")


def test_parquet_rows_that_cannot_be_used_are_rejected() -> None:
    pa = pytest.importorskip("pyarrow")
    data = table_of({"id": ["1", None, "3", "4"], "md5": [MD5, MD5, MD5[1:], "0" * 32]})
    assert rows_and_ids(read(data, "parquet")) == [("Record", "1"), (2, True), (3, True), (4, True)]
    ours = pa.schema(
        [
            ("source", pa.string()),
            ("record_id", pa.string()),
            ("md5", pa.binary(16)),
            ("raw", pa.string()),
            ("vpdq", pa.binary()),
        ],
        metadata={"fingerprint.list": "1"},
    )  # fmt: skip
    good = bytes.fromhex(MD5)
    rows = [
        ("s", "1", good, '{"a":1}', None), (None, "2", good, None, None),
        ("s", None, good, "", None), ("s", "4", None, None, None),
        ("s", "5", bytes(16), None, None), ("s", "6", good, "{", None),
        ("s", "7", good, "[]", None), ("s", "8", good, '{"a":1,"a":2}', None),
        ("s", "9", good, None, b"\xff"), ("s", "10", good, None, b"nothing"),
    ]  # fmt: skip
    found = read(_table(pa, ours, rows), "parquet")
    assert rows_and_ids(found) == [
        ("Record", "1"), ("Record", "2"), (3, True), (4, True), (5, True), (6, True), (7, True),
        (8, True), (9, True), (10, False), ("Record", "10"),
    ]  # fmt: skip


def _table(pa: Any, schema: Any, rows: list[tuple[Any, ...]]) -> bytes:
    from pyarrow import parquet

    stream = io.BytesIO()
    named = [dict(zip(schema.names, row, strict=True)) for row in rows]
    parquet.write_table(pa.Table.from_pylist(named, schema), stream)
    return stream.getvalue()


def test_parquet_that_is_damaged_or_too_long_is_refused() -> None:
    pytest.importorskip("pyarrow")
    many = [f"{(1 << 60) + n:032x}" for n in range(5000)]
    data = table_of({"md5": many}, write_page_checksum=True)
    assert len(read(data, "parquet")) == 5000
    for broken in (b"", b"PAR1", data[:-1], data[100:], data[:1000] + b"!" + data[1001:]):
        with pytest.raises(ListFormatError):
            read(broken, "parquet")
    with pytest.raises(ListFormatError, match="longer than 9,999"):
        read(data, "parquet", limits=ListLimits(max_nbytes=9999))
    # It cannot be wound back inside gzip: a private copy is made.
    assert len(read(gzip.compress(data), "parquet")) == 5000
    with pytest.raises(ListFormatError, match="unpacks to more than 9,999"):
        read(gzip.compress(data), "parquet", limits=ListLimits(max_nbytes=9999))


def test_parquet_of_few_bytes_does_not_fill_the_memory() -> None:
    pa = pytest.importorskip("pyarrow")
    rows = 50_000
    note = pa.DictionaryArray.from_arrays([0] * rows, ["n" * 500_000])
    data = table_of({"md5": [MD5] * rows, "id": [str(n) for n in range(rows)], "note": note})
    assert len(data) < 2_000_000
    before = pa.total_allocated_bytes()
    changes = read_list(data, "parquet", list_source="s")
    # Longer than a record's raw may be; and more of them than are read at once.
    assert all(isinstance(one, Rejected) for one in itertools.islice(changes, 1100))
    assert pa.total_allocated_bytes() - before < 64 << 20
