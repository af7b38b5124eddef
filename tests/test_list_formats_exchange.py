"""What holds of every exchange's documents: cut short, past a limit, malformed, or very long."""

from __future__ import annotations

import io
import itertools
import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats import (
    ListLimits,
    format_of_path,
    get_format,
    ncmec_xml,
    stopncii_json,
    tcap_json,
    threatexchange_json,
    vics_json,
)
from fingerprint.lists.records import Change, Record
from tests.exchange_answers import (
    NCMEC_PAGE,
    NS,
    STOPNCII,
    TCAP,
    THREATEXCHANGE,
    body,
    image,
    record_of,
    rejected_of,
    some,
)

Parse: TypeAlias = Callable[..., Iterator[Change]]

MODELS_2 = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/"

VICS = {
    "@odata.context": MODELS_2 + "US/$metadata#Cases",
    "value": [{"CaseID": "c", "Media": [{"MediaID": 1, "MD5": some(32)}]}],
}
WHOLE: dict[str, tuple[Parse, bytes, int]] = {
    "ncmec": (ncmec_xml.parse, NCMEC_PAGE, 5),
    "stopncii": (stopncii_json.parse, body(STOPNCII), 10),
    "threatexchange": (threatexchange_json.parse, body(THREATEXCHANGE), 8),
    "tcap": (tcap_json.parse, body(TCAP), 7),
    "vics": (vics_json.parse, body(VICS), 1),
}


class Bytewise(io.RawIOBase):
    """A stream that gives a byte at a time."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(1) if size else b""


@pytest.mark.parametrize("form", WHOLE)
def test_a_document_cut_short_anywhere_is_refused(form: str) -> None:
    parse, text, count = WHOLE[form]
    whole = list(parse(io.BytesIO(text), name="file"))
    assert len(whole) == count
    assert list(parse(Bytewise(text), name="file")) == whole
    for length in range(len(text)):
        with pytest.raises(ListFormatError):
            list(parse(io.BytesIO(text[:length]), name="file"))
    with pytest.raises(ListFormatError):
        list(parse(io.BytesIO(text + text), name="file"))


@pytest.mark.parametrize("form", WHOLE)
def test_limits_hold(form: str) -> None:
    parse, text, _ = WHOLE[form]
    with pytest.raises(ListFormatError, match="is longer than"):
        list(parse(io.BytesIO(text), name="file", limits=ListLimits(max_nbytes=len(text) - 1)))
    with pytest.raises(ListFormatError, match="deeper than 2 level"):
        list(parse(io.BytesIO(text), name="file", limits=ListLimits(max_depth=2)))


JSON: dict[str, tuple[Parse, str, str]] = {
    "stopncii": (stopncii_json.parse, '{"hasMoreRecords":false,"hashRecords":[', "]}"),
    "tcap": (tcap_json.parse, '{"results":[', "]}"),
    "vics": (
        vics_json.parse,
        f'{{"@odata.context":"{MODELS_2}US/$metadata#Media","value":[',
        "]}",
    ),
}
ENTRIES: dict[str, Callable[[int], dict[str, Any]]] = {
    "stopncii": lambda n: {"signalType": "ImagePDQ", "hashValue": some(64, n)},
    "tcap": lambda n: {"id": n, "algorithm": "PDQ", "hash_digest": some(64, n)},
    "vics": lambda n: {"MediaID": n, "MD5": some(32, n)},
}


@pytest.mark.parametrize("form", JSON)
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("5", "expected an object"),
        ("null", "expected an object"),
        ("[[]]", "expected an object"),
        ('{"a":1,"a":2}', "'a' stands twice in an object"),
        ('{"x":{"b":NaN}}', "NaN is not JSON"),
        ('{"x":-Infinity}', "-Infinity is not JSON"),
    ],
)
def test_a_malformed_entry_is_rejected_and_the_rest_goes_on(
    form: str, bad: str, reason: str
) -> None:
    parse, before, after = JSON[form]
    one, two = (json.dumps(ENTRIES[form](n)) for n in (1, 2))
    text = f"{before}{one},{bad} , {two}{after}".encode()
    first, middle, last = parse(io.BytesIO(text), name="file")
    rejected = rejected_of(middle)
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert (rejected.row, rejected.whole, rejected.record_id) == (2, True, "")
    assert rejected.reason == reason


@pytest.mark.parametrize("form", JSON)
@pytest.mark.parametrize(
    "bad",
    [
        "{'a':1}",
        "{a:1}",
        '{"a":1,}',
        '{"a" 1}',
        '{"a":01}',
        '{"a":tru}',
        '{"a":"\t"}',
        '{"a":' + "9" * 5000 + "}",
        '{"a":' + "[" * 65 + "]" * 65 + "}",
        '{"a":' + "[" * 100_000,
        '{"a":[' + "[]," * 120_000 + "[]]}",
        '{"a":"\udcff"}',
        "{}{}",
        "{},,{}",
        "{},",
    ],
)
def test_what_is_no_json_is_refused_whole(form: str, bad: str) -> None:
    parse, before, after = JSON[form]
    text = f"{before}{bad}{after}".encode("utf-8", "surrogateescape")
    with pytest.raises(ListFormatError):
        list(parse(io.BytesIO(text), name="file"))


@pytest.mark.parametrize("form", JSON)
def test_a_name_that_stands_twice_around_the_entries_is_refused(form: str) -> None:
    parse, before, after = JSON[form]
    for more in (',"count":1,"count":2}', ',"x":{"y":1,"y":2}}', "," + before[1:] + "]}"):
        with pytest.raises(ListFormatError, match="stands twice"):
            list(parse(io.BytesIO((before + after[:-1] + more).encode()), name="file"))


@pytest.mark.parametrize("form", JSON)
def test_too_much_raw_is_left_out_and_told_of_and_costs_no_record(form: str) -> None:
    parse, before, after = JSON[form]
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    more = {"long": "x" * 70_000, "deep": deep, "much": 0, "\ud800": 1, "short": 1}
    text = json.dumps(ENTRIES[form](1) | more).replace('"much": 0', '"much": 1e999')
    told, kept = parse(io.BytesIO((before + text + after).encode()), name="file")
    rejected, record = rejected_of(told), record_of(kept)
    assert not rejected.whole
    assert rejected.reason == r"raw: left out 'long', 'deep', 'much', '\ud800': expected less"
    assert record.raw["short"] == 1
    assert not {"long", "deep", "much"} & record.raw.keys()


class Streamed(io.RawIOBase):
    """A stream of parts that are made when they are asked for."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._left = b""
        self.nbytes = 0

    def read(self, size: int = -1) -> bytes:
        while len(self._left) < size and (part := next(self._parts, b"")):
            self._left += part
        data, self._left = self._left[:size], self._left[size:]
        self.nbytes += len(data)
        return data


NOTE = "x" * 1000


def many(form: str, count: int) -> Iterator[bytes]:
    if form == "ncmec":
        yield f'<queryResult xmlns="{NS}"><images>'.encode()
        for n in range(count):
            yield image(f"i{n}", f"<md5>{some(32, n)}</md5>", f"<note>{NOTE}</note>").encode()
        yield b"</images></queryResult>"
        return
    _, before, after = JSON[form]
    yield before.encode()
    for n in range(count):
        yield (b"," if n else b"") + body(ENTRIES[form](n) | {"note": NOTE})
    yield after.encode()


@pytest.mark.parametrize("form", ["ncmec", "vics", "stopncii"])
def test_files_are_read_entry_by_entry_in_bounded_memory(form: str) -> None:
    parse = WHOLE[form][0]
    stream = Streamed(many(form, 3000))
    changes = parse(stream, name="file")
    next(changes)
    assert stream.nbytes <= 3 << 16
    tracemalloc.start()
    try:
        assert sum(1 for _ in changes) == 2999
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stream.nbytes > 3_000_000
    assert peak < 1_500_000


@pytest.mark.parametrize("form", ["ncmec", "vics", "stopncii"])
def test_an_entry_without_end_is_refused_before_it_fills_the_memory(form: str) -> None:
    start = b"".join(many(form, 1))[:-30]
    text = itertools.chain([start, b'"' * (form != "ncmec")], itertools.repeat(b"abcd" * 1000))
    stream = Streamed(iter(text))
    limits = ListLimits(max_row_nbytes=1 << 18)
    with pytest.raises(ListFormatError):
        list(WHOLE[form][0](stream, name="file", limits=limits))
    assert stream.nbytes < 1 << 19


def test_the_formats_are_found_by_name_and_only_xml_by_suffix() -> None:
    names = ("ncmec-xml", "stopncii-json", "threatexchange-json", "tcap-json", "vics-json")
    assert [get_format(name).name for name in names] == list(names)
    assert format_of_path("list.xml.gz").name == "ncmec-xml"
    with pytest.raises(ListFormatError):
        format_of_path("list.json")
