"""Whatever an exchange sends: changes or ListFormatError, and no hash in any message."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats import (
    ListLimits,
    ncmec_xml,
    stopncii_json,
    tcap_json,
    threatexchange_json,
    vics_json,
)
from fingerprint.lists.records import Record, Rejected, Retraction
from tests.exchange_answers import NCMEC_PAGE, STOPNCII, TCAP, THREATEXCHANGE, body, some

VICS = {
    "@odata.context": "http://github.com/V/DataModels/2.0.xml/US/$metadata#Cases",
    "value": [
        {
            "CaseID": "c",
            "Media": [
                {
                    "MediaID": 1,
                    "Category": 1,
                    "MD5": some(32),
                    "Series": None,
                    "IsDistributed": "true",
                    "DateUpdated": "2023-06-07T02:31:49Z",
                    "AlternativeHashes": [{"HashName": "PDQ", "HashValue": some(64)}],
                }
            ],
        }
    ],
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "stopncii": STOPNCII,
    "threatexchange": THREATEXCHANGE,
    "tcap": TCAP,
    "vics": VICS,
}
TEXTS = {name: body(values) for name, values in DOCUMENTS.items()} | {"ncmec": NCMEC_PAGE}
MODULES: dict[str, Any] = {
    "ncmec": ncmec_xml,
    "stopncii": stopncii_json,
    "threatexchange": threatexchange_json,
    "tcap": tcap_json,
    "vics": vics_json,
}
HASHES = [some(digits, seed) for digits in (32, 40, 64, 72, 128) for seed in (0, 1, 2, 3, 5, 9)]
LIMITS = ListLimits(max_nbytes=1 << 20, max_row_nbytes=1 << 18, max_depth=40)
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)

forms = st.sampled_from(sorted(MODULES))
odd_text = st.sampled_from(
    [some(32), some(64), some(64) * 3, "\ud800", "\x00", "", " ", "true", "2020-01-01", "x" * 600]
) | st.text(max_size=8)
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | odd_text,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "data", "key", "value", "text", "tags", "HashName", "HashValue"])
            | odd_text,
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def require_clean(message: str) -> None:
    lower = message.lower()
    assert not any(one in lower for one in HASHES)
    message.encode()


def read(form: str, text: bytes) -> list[Any]:
    """Read it both ways; nothing but ListFormatError comes out, and only clean messages."""
    module = MODULES[form]
    readers: list[Callable[[], Iterable[Any]]] = [
        lambda: module.parse(io.BytesIO(text), name="file", limits=LIMITS)
    ]
    if hasattr(module, "parse_page"):
        readers.append(lambda: module.parse_page(text, name="page", limits=LIMITS).changes)
    changes: list[Any] = []
    for reader in readers:
        try:
            changes = list(reader())
        except ListFormatError as error:
            require_clean(f"{error!r} {error.__context__!r}")
    for one in changes:
        assert isinstance(one, Record | Retraction | Rejected)
        f"{one.source}{one.record_id}".encode()
        if isinstance(one, Record):
            assert Record.from_dict(json.loads(json.dumps(one.to_dict()))) == one
        else:
            require_clean(one.reason)
    return changes


@FUZZ
@given(form=forms, text=st.binary(max_size=300))
def test_any_bytes(form: str, text: bytes) -> None:
    read(form, text)


@FUZZ
@given(form=forms, data=st.data())
def test_bytes_of_a_good_answer_changed(form: str, data: st.DataObject) -> None:
    text = TEXTS[form]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        end = min(len(text), at + data.draw(st.sampled_from([0, 1, 2, 7, 50])))
        new = data.draw(
            st.sampled_from([b"", b'"', b"{", b"]", b"<", b"&", b"/>", b"\xff", text[at:end] * 2])
            | st.binary(max_size=4)
        )
        text = text[:at] + new + text[end:]
    read(form, text)


def places(values: Any) -> list[tuple[Any, Any]]:
    """Every container in a document with each of its keys."""
    keys = values if isinstance(values, dict) else range(len(values))
    found: list[tuple[Any, Any]] = []
    for key in keys:
        found.append((values, key))
        if isinstance(values[key], dict | list):
            found += places(values[key])
    return found


@FUZZ
@given(form=st.sampled_from(sorted(DOCUMENTS)), data=st.data())
def test_values_of_a_good_answer_changed(form: str, data: st.DataObject) -> None:
    values = copy.deepcopy(DOCUMENTS[form])
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(values)))
        what = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if what == "remove":
            del container[key]
        elif what == "replace" or isinstance(container, list):
            container[key] = data.draw(odd)
        else:
            container[data.draw(odd_text)] = data.draw(odd)
        if not places(values):
            break
    # Some writers send numbers that are none; json does too unless told not to.
    read(form, json.dumps(values).encode())


@FUZZ
@given(data=st.data())
def test_elements_of_a_good_ncmec_answer_changed(data: st.DataObject) -> None:
    text = NCMEC_PAGE.decode()
    for _ in range(data.draw(st.integers(1, 3))):
        old = data.draw(
            st.sampled_from(
                [
                    "image>",
                    "<id>",
                    "</id>",
                    'id="42"',
                    "member",
                    "fingerprints",
                    "md5",
                    "feedback",
                    "timestamp",
                    "reason",
                    "type",
                    "2017-10-24T15:00:00.250Z",
                    some(40),
                    "same",
                ]
            )
        )
        new = data.draw(
            st.sampled_from(
                [
                    "",
                    "<id/>",
                    "<!-- -->",
                    "href",
                    some(64),
                    "x" * 600,
                    "<![CDATA[&]]>",
                    "image>",
                    "md5",
                    "feedback",
                    "member",
                    "paging",
                ]
            )
        )
        text = text.replace(old, new, data.draw(st.integers(1, 4)))
    read("ncmec", text.encode())


@pytest.mark.parametrize("form", sorted(MODULES))
def test_an_error_does_not_drag_the_document_along(form: str) -> None:
    text = TEXTS[form].replace(some(32).encode(), some(32).encode() + b'\x01"<&', 1)
    if text == TEXTS[form]:
        text = TEXTS[form][:-3]
    with pytest.raises(ListFormatError) as caught:
        list(MODULES[form].parse(io.BytesIO(text), name="file"))
    error: BaseException | None = caught.value
    while error is not None:
        require_clean(f"{error!r} {vars(error)}")
        error = error.__cause__ or error.__context__
