"""Lists of lines and tables: what is read of good rows and of bad ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fingerprint.errors import HashFormatError, ListFormatError
from fingerprint.lists import Record, Rejected, Retraction
from fingerprint.lists.formats import ListLimits, format_names, format_of_path
from tests.plain_lists import (
    MD5,
    MD5_B,
    PDQ,
    PHASH,
    PHOTODNA,
    SHA1,
    SHA256,
    SHA512,
    id_of,
    read,
    record,
    rows_and_ids,
)

HEADER = "id,md5,sha1,category,flags,first_seen,status,note\n"


def test_formats_are_found_by_name_and_by_suffix() -> None:
    plain = {"csv", "tsv", "jsonl", "lines", "parquet", "stix", "cybertip"}
    assert plain <= set(format_names())
    for path, name in {
        "a.CSV": "csv", "a.tsv.gz": "tsv", "a.jsonl.zst": "jsonl", "a.ndjson": "jsonl",
        "a.txt": "lines", "b/a.lst.gz": "lines", "a.parquet": "parquet", "a.stix": "stix",
    }.items():  # fmt: skip
        assert format_of_path(path).name == name
    with pytest.raises(ListFormatError, match="which format"):
        format_of_path("a.dat")


# --- lines


def test_lines_are_typed_by_length_prefix_or_option() -> None:
    text = (
        f"\ufeff# a list\r\n{MD5.upper()}\r\n\r\n  {SHA1}  \r\npdq:{PDQ}\r\nSHA-256: {SHA256}\r\n"
    )
    assert read(text, "lines") == [
        record(id_of(f"md5:{MD5}"), {"md5": MD5}),
        record(id_of(f"sha1:{SHA1}"), {"sha1": SHA1}),
        record(id_of(f"pdq:{PDQ}"), {"pdq": PDQ}),
        record(id_of(f"sha256:{SHA256}"), {"sha256": SHA256}),
    ]
    assert read(f"{PDQ}\nmd5:{MD5}", "lines", hash_type="pdq") == [
        record(id_of(f"pdq:{PDQ}"), {"pdq": PDQ}),
        record(id_of(f"md5:{MD5}"), {"md5": MD5}),
    ]
    found = read(f"{SHA512}\n{PHOTODNA}\n", "lines")
    assert [list(one.hashes) for one in found if isinstance(one, Record)] == [
        ["sha512"], ["photodna"],
    ]  # fmt: skip


@pytest.mark.parametrize(("value", "types"), [(PDQ, "sha256 or pdq"), (PHASH, "phash or dhash")])
def test_lines_of_several_types_ask_which(value: str, types: str) -> None:
    with pytest.raises(ListFormatError, match=f"{types}.*hash_type") as caught:
        read(f"#\n{value}\n", "lines")
    assert caught.value.line == 2
    assert value not in str(caught.value)


def test_lines_that_are_no_hashes_are_rejected_and_the_rest_is_read() -> None:
    bad = [
        b"x", MD5[:-1].encode(), MD5[:-1].encode() + b"g", b"/a/path" * 8 + b"12345678",
        f"{MD5} x.jpg".encode(), b"0" * 32,
        b"d41d8cd98f00b204e9800998ecf8427e", b"f" * 128, f"md6:{MD5}".encode(),
        f"md5:{SHA1}".encode(), b"md5:", b":" + MD5.encode(), b"\xff" * 32, MD5.encode() + b"\0",
        ("pdq:" + "0" * 64).encode(), b"0x" + MD5.encode(), f"{MD5},{MD5_B}".encode(),
        "٠١٢٣٤٥٦٧٨٩abcdef٠١٢٣٤٥٦٧٨٩abcdef".encode(),
    ]  # fmt: skip
    data = b"\n".join([MD5.encode(), *bad, MD5_B.encode()])
    found = read(data, "lines")
    assert rows_and_ids(found) == [
        ("Record", id_of(f"md5:{MD5}")),
        *[(row, True) for row in range(2, 2 + len(bad))],
        ("Record", id_of(f"md5:{MD5_B}")),
    ]
    assert all(one.source == "s" for one in found)


def test_lines_in_utf16_and_without_anything() -> None:
    for codec, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        data = mark + f"{MD5}\r\nsha1:{SHA1}".encode(codec)
        assert [list(one.hashes) for one in read(data, "lines") if isinstance(one, Record)] == [
            ["md5"], ["sha1"],
        ]  # fmt: skip
        with pytest.raises(ListFormatError, match="UTF-16"):
            read(data[:-1], "lines")
    assert read(b"", "lines") == []
    with pytest.raises(ListFormatError, match="UTF-32"):
        read(b"\xff\xfe\0\0" + MD5.encode("utf-32-le"), "lines")
    with pytest.raises(HashFormatError, match="md6"):
        read(MD5, "lines", hash_type="md6")


# --- tables


def test_a_table_is_read_by_the_names_of_its_columns() -> None:
    table = (
        "ID,SHA-1 Hash,md5_hash,Category,Flags,First Seen,Updated At,Media Type,Deleted,Note\n"
        f"7,{SHA1},{MD5},A1,grid;self-generated; ,2024-03-01T12:00:00+02:00,1700000000,"
        "image/jpeg,no,kept as it is \n"
        f"8,,{MD5_B},\u00e9 2,,,,VIDEO,Withdrawn?,\n"
        ",,,,,,,,,\n"
        "9,,,,,,2024-03-02T00:00:00Z,,WITHDRAWN,\n"
    )
    expected = [
        record(
            "7",
            {"sha1": SHA1, "md5": MD5},
            category="A1",
            flags=("grid", "self-generated"),
            first_seen=datetime(2024, 3, 1, 10, tzinfo=UTC),
            last_seen=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
            media="image",
            raw={"Note": "kept as it is ", "Media Type": "image/jpeg"},
        ),
        record(
            "8",
            {"md5": MD5_B},
            category="\u00e9 2",
            media="video",
            raw={"Deleted": "Withdrawn?", "Media Type": "VIDEO"},
        ),
        Retraction("s", "9", datetime(2024, 3, 2, tzinfo=UTC), "WITHDRAWN"),
    ]
    for data, name, *delimiter in (
        (table, "csv"),
        ("\ufeff" + table.replace("\n", "\r\n"), "csv"),
        (table.encode("utf-16"), "csv"),
        (table.replace(",", "\t"), "tsv"),
        (table.replace(",", "|"), "csv", "|"),
    ):
        found = read(data, name, **({"delimiter": delimiter[0]} if delimiter else {}))
        told = found.pop(1)
        assert isinstance(told, Rejected)
        assert (told.row, told.record_id, told.whole) == (3, "8", False)
        assert "'Withdrawn?' is not known" in told.reason
        assert found == expected


def test_columns_can_be_named_numbered_or_left_alone() -> None:
    table = f"Fall,Wert,Quelle,Stufe,id\n1,{MD5},bka,hoch,99\n2,{MD5_B},,,98\n"
    columns = {"record_id": "fall", "md5": 2, "source": "Quelle", "severity": "Stufe"}
    assert read(table, "csv", columns=columns) == [
        Record("bka", "1", {"md5": MD5}, severity="hoch", raw={"id": "99"}),
        Record("s", "2", {"md5": MD5_B}, raw={"id": "98"}),
    ]
    assert read(f"1,{MD5},x\n", "csv", header=False, columns={"md5": 2, "record_id": 1}) == [
        record("1", {"md5": MD5}, raw={"column 3": "x"})
    ]
    # A status that nobody wants read, and a source that nobody mapped, are only kept.
    assert read(f"md5,status,source\n{MD5},deleted,x\n", "csv", columns={"status": None}) == [
        record(id_of(f"md5:{MD5}"), {"md5": MD5}, raw={"status": "deleted", "source": "x"})
    ]
    told = {"columns": {"status": "state"}, "retracted_values": ["Fort"]}
    assert read(f"md5,state\n{MD5},fort\n", "csv", **told) == [
        Retraction("s", id_of(f"md5:{MD5}"), None, "fort")
    ]
    assert read(f"md5,blake_hash\n{MD5},zz\n", "csv", ignored=["blake_hash"]) == [
        record(id_of(f"md5:{MD5}"), {"md5": MD5})
    ]


def test_a_column_may_hold_hashes_of_any_type() -> None:
    table = (
        f"id,hash,type\nx,{MD5},MD5\nx,{PDQ},pdq\ny,{SHA1},sha-1\nx,{SHA256},sha256\nz,{MD5},md6\n"
    )
    found = read(table, "csv")
    assert found[:4] == [
        record("x", {"md5": MD5}),
        record("x", {"md5": MD5, "pdq": PDQ}),
        record("y", {"sha1": SHA1}),
        record("x", {"sha256": SHA256}),
    ]
    assert rows_and_ids(found[4:]) == [(6, True)]
    assert read(f"hash\n{PDQ}\npdq:{PDQ}\n", "csv", hash_type="pdq") == 2 * [
        record(id_of(f"pdq:{PDQ}"), {"pdq": PDQ})
    ]
    with pytest.raises(ListFormatError, match="hash_type="):
        read(f"hash\n{PDQ}\n", "csv")
    # Beside a column of one type, "type" is just a word.
    assert read(f"md5,type\n{MD5},old\n", "csv") == [
        record(id_of(f"md5:{MD5}"), {"md5": MD5}, raw={"type": "old"})
    ]


def test_an_id_made_of_hashes_is_of_the_good_ones_and_as_in_lines() -> None:
    found = read(f"md5,pdq\n{MD5},{PDQ}\n{MD5},\n{MD5},{PDQ[1:]}\n", "csv")
    both, one = id_of(f"md5:{MD5}", f"pdq:{PDQ}"), id_of(f"md5:{MD5}")
    assert rows_and_ids(found) == [
        ("Record", both), ("Record", one), (4, False), ("Record", one),
    ]  # fmt: skip
    lines = read(MD5, "lines")
    assert isinstance(lines[0], Record)
    assert lines[0].record_id == one
    assert MD5 not in one


BAD_ROWS: list[tuple[bytes, list[tuple[Any, ...]]]] = [
    (f'1,"{MD5}"x,,,,,,'.encode(), [(2, True)]),
    (f"1,{MD5}".encode(), [(2, True)]),
    (f"1,{MD5},,,,,,,".encode(), [(2, True)]),
    (f"1,{MD5},,,,,,\0".encode(), [(2, True)]),
    (f"1,{MD5},,\xff,,,,".encode("latin-1"), [(2, True)]),
    (f",{MD5},,,,,,".encode(), [(2, True)]),
    (b"1,,,,,,,", [(2, True)]),
    (f"1,{MD5[1:]},,,,,,".encode(), [(2, True)]),
    (b"1," + b"0" * 32 + b",,,,,,", [(2, True)]),
    (f"1,{MD5}\xa0x,,,,,,".encode(), [(2, True)]),
    (f"1,{MD5[1:]},{SHA1},,,,,".encode(), [(2, False), ("Record", "1")]),
    (f"1,{MD5},{SHA1}zz,,,,,".encode(), [(2, False), ("Record", "1")]),
    (f"1,{MD5},,,,2024-01-01T00:00:00,,".encode(), [(2, False), ("Record", "1")]),
    (f"1,{MD5},,,,yesterday,,".encode(), [(2, False), ("Record", "1")]),
    (f"1,{MD5},,,,99999999999999999999,,".encode(), [(2, False), ("Record", "1")]),
    (f"{'i' * 513},{MD5},,,,,,".encode(), [(2, True)]),
    (f'"a\nb",{MD5},,,,,,'.encode(), [(2, True)]),
    (f"1,{MD5},,,,,,{'n' * 70_000}".encode(), [(2, True)]),
    (f"1,{MD5},,,,,,{'n' * 140_000}".encode(), [(2, True)]),
    (f'1,{MD5},,,,,,"a\rb\nc'.encode(), [(2, True), (3, True)]),
]


@pytest.mark.parametrize(("bad", "expected"), BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_a_bad_row_is_rejected_and_the_rest_is_read(
    bad: bytes, expected: list[tuple[Any, ...]]
) -> None:
    data = HEADER.encode() + bad + f"\n2,{MD5_B},,,,,,\n3,,,,,,deleted,\n".encode()
    found = read(data, "csv")
    assert rows_and_ids(found) == [*expected, ("Record", "2"), ("Retraction", "3")]
    for one in found:
        assert MD5[1:] not in repr(one)
    as_tabs = read(data.replace(b",", b"\t"), "tsv")
    assert rows_and_ids(as_tabs) == rows_and_ids(found)


def test_what_a_bad_field_said_is_kept() -> None:
    found = read(HEADER + f"1,{MD5},,,,2024-01-01 10:00,active,\n", "csv")
    assert found[1:] == [
        record("1", {"md5": MD5}, raw={"first_seen": "2024-01-01 10:00", "status": "active"})
    ]
    assert isinstance(found[0], Rejected)
    assert (found[0].record_id, found[0].whole) == ("1", False)
    assert "zone" in found[0].reason


def test_rows_are_numbered_by_lines_and_an_open_quote_swallows_nothing() -> None:
    table = (
        HEADER
        + f'1,{MD5},,,,,,"two\nlines, and ""more"""\n\n'
        + f'2,"{MD5}\n'
        + "".join(f"{n},{MD5_B},,,,,,\n" for n in range(3, 6000))
        + f"x,{MD5_B},,\n"
    )
    found = read(table, "csv")
    assert found[0] == record("1", {"md5": MD5}, raw={"note": 'two\nlines, and "more"'})
    assert isinstance(found[1], Rejected)
    assert found[1].row == 5
    assert rows_and_ids(found[2:-1]) == [("Record", str(n)) for n in range(3, 6000)]
    assert rows_and_ids(found[-1:]) == [(5 + 5997 + 1, True)]


@pytest.mark.parametrize(
    ("table", "options", "match"),
    [
        ("", {}, "empty"),
        ("a,b\n1,2\n", {}, "no column of hashes"),
        (f"id;md5\n1;{MD5}\n", {}, "looks like hashes"),
        ("id,md5,md5\n", {}, "two columns"),
        ("id,md5,MD5 hash\n", {}, "both seem to be md5"),
        ("id,uuid,md5\n", {}, "both seem to be record_id"),
        ("id,md5,blake3_hash\n", {}, "looks like hashes"),
        ("id,md5,Checksum\n", {}, "looks like hashes"),
        ('"id,md5\n', {}, "first row"),
        (f"id\rmd5\r1\r{MD5}\r", {}, "first row"),
        ("id,\0md5\n", {}, "first row"),
        ("id,md5\n", {"columns": {"sha1": "nowhere"}}, "no column 'nowhere'"),
        ("id,md5\n", {"columns": {"sha1": 3}}, "no column 3"),
        ("id,md5\n", {"columns": {"md6": "md5"}}, "no field 'md6'"),
        ("id,md5\n", {"columns": {"record_id": "md5", "md5": "md5"}}, "is record_id and md5"),
        ("id,md5\n", {"ignored": ["nowhere"]}, "no column 'nowhere'"),
        (f"1,{MD5}\n", {"header": False}, "no column of hashes"),
        (f"md5\n{MD5}\n{MD5}\n", {"limits": ListLimits(max_nbytes=50)}, "longer than 50"),
        (f"md5\n{MD5}{' ' * 99}\n", {"limits": ListLimits(max_row_nbytes=99)}, "longer than 99"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_told_is_refused(
    table: str, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(ListFormatError, match=match):
        read(table, "csv", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ",,"},
        {"delimiter": ""},
        {"delimiter": "\n"},
        {"quotechar": "ab"},
        {"quotechar": ","},
    ],
)
def test_a_wrong_option_is_told(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected (one character|another)"):
        read(f"md5\n{MD5}\n", "csv", **options)


@pytest.mark.parametrize(
    ("column", "value", "ends"),
    [
        ("Deleted", "t", True),
        ("Deleted", "X", True),
        ("Status", "revoked", True),
        ("Withdrawn", "2026-01-02", True),
        ("Status", "2026-01-02", None),
        ("Status", "Active", False),
        ("Deleted", "off", False),
        ("Deleted", "ja", None),
        ("Status", "Retired", None),
    ],
)
def test_what_a_status_says_is_followed_or_told(column: str, value: str, ends: bool | None) -> None:
    found = read(f"ID,MD5,{column}\n1,{MD5},{value}\n", "csv")
    kinds = [type(one) for one in found]
    assert kinds == ([Retraction] if ends else [Record] if ends is False else [Rejected, Record])
    if value == "2026-01-02" and ends:
        assert isinstance(found[0], Retraction)
        assert found[0].at == datetime(2026, 1, 2, tzinfo=UTC)


def test_ids_alone_can_be_withdrawn() -> None:
    found = read("ID,Deleted\n1,yes\n2,no\n", "csv")
    assert isinstance(found[0], Retraction)
    assert isinstance(found[1], Rejected)
    assert found[1].whole


def test_hashes_do_not_get_among_the_remarks_under_any_name() -> None:
    record_, told = sorted(
        read(f"ID,MD5,Notes\n1,{MD5},{SHA1.upper()}\n", "csv"), key=lambda one: type(one).__name__
    )
    assert isinstance(record_, Record)
    assert not record_.raw
    assert isinstance(told, Rejected)
    assert "Notes: looks like a hash" in told.reason
    assert SHA1.upper() not in told.reason
