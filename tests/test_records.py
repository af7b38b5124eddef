"""Records: one text for equal ones, whatever the order they were told in; nothing guessed."""

from __future__ import annotations

import json
import pickle
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import FingerprintError, HashFormatError, ListFormatError
from fingerprint.lists import Opinion, Record, Rejected, Retraction, content_digest
from fingerprint.lists.content import body_of, record_of
from fingerprint.lists.records import instant_of, text_of_instant
from tests.record_strategies import digest, instants, json_values, records, texts

sources = st.sampled_from(["a", "a/b", "日本"])
ids = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=5)
MD5 = digest("md5", 1)


def shuffled(value: Any, generator: random.Random) -> Any:
    """The same, with the names of every object in another order."""
    if isinstance(value, dict):
        items = [(name, shuffled(one, generator)) for name, one in value.items()]
        generator.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return [shuffled(one, generator) for one in value]
    return value


@given(records(sources, ids))
def test_there_and_back(record: Record) -> None:
    values = record.to_dict()
    assert Record.from_dict(values) == record
    text = json.dumps(values, allow_nan=False)
    again = Record.from_dict(json.loads(text))
    assert again == record
    assert again.to_dict() == values
    assert record_of(*record.key, body_of(record)) == record
    assert pickle.loads(pickle.dumps(record)) == record  # noqa: S301


@given(records(sources, ids), st.randoms(use_true_random=False))
def test_equal_records_have_one_text(record: Record, generator: random.Random) -> None:
    values = shuffled(record.to_dict(), generator)
    for name in ("flags", "opinions"):
        if name in values:
            generator.shuffle(values[name])
    values.setdefault("flags", []).extend(values.get("flags", [])[:1])  # One of them twice.
    values["hashes"] = {
        name: value if name in ("vpdq", "tmk_pdqf") else value.upper()
        for name, value in values["hashes"].items()
    }
    again = Record.from_dict(values)
    assert again == record
    assert body_of(again) == body_of(record)
    assert content_digest([again]) == content_digest([record])


@given(records(sources, ids))
def test_the_text_is_json_with_sorted_names(record: Record) -> None:
    values = record.to_dict()
    del values["source"], values["record_id"]
    wanted = json.dumps(values, sort_keys=True, separators=(",", ":"))
    assert body_of(record) == wanted
    assert wanted.isascii()


@given(st.lists(records(sources, ids), max_size=5), st.randoms(use_true_random=False))
def test_the_digest_of_a_set(some: list[Record], generator: random.Random) -> None:
    other = list(some)
    generator.shuffle(other)
    assert content_digest(other) == content_digest(some)
    if some:
        assert content_digest(some[1:]) != content_digest(some)
        moved = Record.from_dict({**some[0].to_dict(), "source": "elsewhere"})
        assert content_digest([moved]) != content_digest([some[0]])


def test_what_stands_where_matters_to_the_digest() -> None:
    """Neighbouring fields do not run into each other."""
    pairs = [("a", "bc"), ("ab", "c"), ('a","b', "c"), ("a", 'b","c')]
    found = {content_digest([Record(s, i, {"md5": MD5})]) for s, i in pairs}
    assert len(found) == len(pairs)
    assert content_digest([]) == 64 * "0"


@given(json_values)
def test_raw_values_are_kept_as_json_has_them(value: Any) -> None:
    record = Record("s", "1", {"md5": MD5}, raw={"said": value})
    assert record.raw == json.loads(json.dumps({"said": value}))
    body = body_of(record)
    assert record_of("s", "1", body) == record
    assert body_of(record_of("s", "1", body)) == body


def test_raw_values_may_be_given_as_python_has_them() -> None:
    given: dict[Any, Any] = {"b": (1, 2), "3": None}
    record = Record("s", "1", {"md5": MD5}, raw=given)
    assert record.raw == {"3": None, "b": [1, 2]}


def deep(n: int) -> Any:
    value: Any = 1
    for _ in range(n):
        value = [value]
    return value


@pytest.mark.parametrize(
    "raw",
    [
        {"x": float("nan")},
        {"x": float("inf")},
        {"x": b"bytes"},
        {"x": "\ud800"},
        {"\udfff": 1},
        {"x": object()},
        {"x": deep(32)},
        {"x": deep(5000)},
        {"x": "y" * 70_000},
        {("a",): 1},
        {"a": 1, 3: 2},
    ],
    ids=lambda raw: repr(raw)[:20] if "x" not in raw else f"x{type(raw['x']).__name__}",
)
def test_raw_values_that_json_cannot_say(raw: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        Record("s", "1", {"md5": MD5}, raw=raw)


def test_raw_values_up_to_the_limit() -> None:
    assert Record("s", "1", {"md5": MD5}, raw={"x": deep(31)}).raw["x"]
    assert len(Record("s", "1", {"md5": MD5}, raw={"x": "y" * 65_000}).raw["x"]) == 65_000


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"source": ""}, ValueError, "source: expected 1 to 512 characters"),
    ({"source": "x" * 513}, ValueError, "source: expected 1 to 512 characters, got 513"),
    ({"source": 5}, TypeError, "source: expected text, got int"),
    ({"record_id": None}, TypeError, "record_id: expected text, got NoneType"),
    ({"record_id": "a\nb"}, ValueError, "record_id: expected printable"),
    ({"record_id": "a\x00"}, ValueError, "record_id: expected printable"),
    ({"record_id": "\ud800"}, ValueError, "record_id: expected text that UTF-8 can hold"),
    ({"record_id": "a\u202eb"}, ValueError, "record_id: expected printable"),
    ({"hashes": {}}, ValueError, "hashes: expected at least one"),
    ({"hashes": {"md4": MD5}}, HashFormatError, "hash type 'md4'"),
    ({"hashes": {"MD5": MD5}}, HashFormatError, "hash type 'MD5'"),
    ({"hashes": {"md5": MD5[:-1]}}, HashFormatError, "md5: expected 32 hex digits"),
    ({"hashes": {"md5": 5}}, HashFormatError, "md5: expected text, got int"),
    ({"views": {"x": MD5}}, HashFormatError, "pdq: expected 64 hex digits"),
    ({"views": {5: digest("pdq", 1)}}, TypeError, "view: expected text"),
    ({"media": "audio"}, ValueError, "media: expected one of image, unknown, video"),
    ({"category": None}, TypeError, "category: expected text"),
    ({"category": "x" * 70_000}, ValueError, "category: expected 65,536 characters at most"),
    ({"severity": 3}, TypeError, "severity: expected text"),
    ({"flags": "grid"}, TypeError, "flags: expected texts in a list, got str"),
    ({"flags": ["grid", 1]}, TypeError, "flags: expected text, got int"),
    ({"flags": 7}, TypeError, "flags: expected texts in a list"),
    ({"opinions": ["good"]}, TypeError, "opinions: expected Opinion, got str"),
    ({"opinions": 1}, TypeError, "opinions: expected Opinions"),
    ({"first_seen": datetime(2026, 1, 1)}, ValueError, "first_seen: expected a time with its zone"),
    ({"last_seen": "2026-01-01T00:00Z"}, TypeError, "last_seen: expected datetime, got str"),
    (
        {"first_seen": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))},
        ValueError,
        "range",
    ),
]


@pytest.mark.parametrize(("fields", "kind", "told"), BAD, ids=[told for _, _, told in BAD])
def test_what_is_no_record(fields: dict[str, Any], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told.replace("(", r"\(")) as found:
        Record(**{"source": "s", "record_id": "1", "hashes": {"md5": MD5}, **fields})
    assert MD5 not in str(found.value)
    assert digest("pdq", 1) not in str(found.value)


@pytest.mark.parametrize(
    ("fields", "kind", "told"),
    [
        ({"colour": "red"}, ValueError, "unknown fields colour"),
        ({5: "red"}, ValueError, "unknown fields 5"),
        ({"hashes": [MD5]}, TypeError, "hashes: expected an object"),
        ({"views": None}, TypeError, "views: expected an object"),
        ({"raw": []}, TypeError, "raw: expected an object"),
        ({"opinions": [{"by": "x", "score": 1}]}, TypeError, "opinions: expected objects of"),
        ({"opinions": ["x"]}, TypeError, "opinions: expected objects of"),
        ({"flags": "grid"}, TypeError, "flags"),
        ({"first_seen": "2026-01-01T00:00:00"}, ValueError, "with a zone"),
        ({"first_seen": "yesterday"}, ListFormatError, "ISO 8601 with a zone"),
    ],
)
def test_what_is_no_text_of_a_record(fields: Any, kind: type[Exception], told: str) -> None:
    values = {"source": "s", "record_id": "1", "hashes": {"md5": MD5}}
    with pytest.raises(kind, match=told):
        Record.from_dict({**values, **fields})
    for name in values:
        with pytest.raises(ValueError, match=f"expected {name}"):
            Record.from_dict({k: v for k, v in values.items() if k != name})


def test_nothing_whole_is_shown() -> None:
    one = Record("s", "1", {"md5": MD5}, views={"x": digest("pdq", 1)}, raw={"said": MD5})
    for text in (repr(one), str(one), f"{[one]}"):
        assert MD5 not in text
        assert digest("pdq", 1) not in text
    rejected = Rejected(1, f"expected 32 digits, got {MD5}0", "s", "1")
    assert MD5 not in rejected.reason
    assert rejected.reason.startswith("expected 32 digits, got ")


@given(texts, texts, st.integers())
def test_any_text_of_a_bad_row_can_be_stored(reason: str, name: str, row: int) -> None:
    rejected = Rejected(row, reason, name, name)
    assert "\ufffd" in rejected.source or rejected.source == name
    Rejected(row, f"{reason}\ud800", "\ud800", "\udfff").source.encode()


# Times.


@given(instants)
def test_instants_there_and_back(instant: datetime) -> None:
    text = text_of_instant(instant)
    assert text.endswith("Z")
    assert instant_of(text) == instant
    assert instant_of(text).utcoffset() == timedelta(0)
    assert instant_of(instant) == instant
    one = Record("s", "1", {"md5": MD5}, first_seen=instant)
    assert one.first_seen == instant
    assert one == Record("s", "1", {"md5": MD5}, first_seen=instant.astimezone(UTC))
    assert Retraction("s", "1", instant).at == instant


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (" 2026-03-01T12:00:00+02:00 ", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T12:00:00.123456-05:30", datetime(2026, 3, 1, 17, 30, 0, 123456, UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1_700_000_000.5, datetime(2023, 11, 14, 22, 13, 20, 500_000, UTC)),
    ],
)
def test_instants_of_what_others_write(value: object, expected: datetime) -> None:
    assert instant_of(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T12:00:00",
        "2026-03-01",
        "2026-03-01 12:00",
        "01/03/2026",
        "",
        "Z",
        None,
        True,
        [],
        b"2026-03-01T12:00:00Z",
        1e20,
        -1e20,
        float("nan"),
        float("inf"),
        datetime(2026, 3, 1),
        MD5,
    ],
    ids=repr,
)
def test_times_are_not_guessed(value: object) -> None:
    with pytest.raises((FingerprintError, ValueError)) as found:
        instant_of(value)
    assert MD5 not in str(found.value)


def test_local_time_is_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the machine stands, the same."""
    import time

    seen = set()
    for zone in ("UTC", "America/Los_Angeles", "Asia/Kathmandu"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        seen.add((text_of_instant(instant_of(1_700_000_000)), instant_of("2026-03-01T12:00Z")))
    monkeypatch.undo()
    time.tzset()
    assert len(seen) == 1


def test_opinions_and_retractions() -> None:
    with pytest.raises(TypeError, match="opinion by"):
        Opinion(None, "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="opinion tags"):
        Opinion("a", "x", "tag")  # type: ignore[arg-type]
    assert Opinion("a", "Undefined", ["t"]).tags == ("t",)  # type: ignore[arg-type]
    for bad in ({"source": ""}, {"record_id": "\n"}, {"reason": 5}, {"at": datetime(2026, 1, 1)}):
        with pytest.raises((TypeError, ValueError)):
            Retraction(**{"source": "s", "record_id": "1", **bad})  # type: ignore[arg-type]
    assert Retraction("s", "1").key == ("s", "1") == Record("s", "1", {"md5": MD5}).key
