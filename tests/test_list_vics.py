"""VICS files, as documented, read to exactly these changes, written and read back."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats import vics_json
from fingerprint.lists.records import Change, Record, Rejected, Retraction
from tests.exchange_answers import at, record_of, rejected_of, some

MODELS = "http://github.com/ICMEC/ProjectVic/DataModels/"
MODELS_2 = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/"


def vics(text: str | bytes) -> list[Change]:
    raw = text.encode() if isinstance(text, str) else text
    return list(vics_json.parse(io.BytesIO(raw), name="file"))


def test_vics_1_3_with_arrays_of_hashes_and_booleans_in_text() -> None:
    text = json.dumps(
        {
            "odata.metadata": MODELS + "1.3.xml#Media",
            "value": [
                {
                    "odata.id": "Media(1)",
                    "MediaID": 1,
                    "Category": 1,
                    "MD5": some(32).upper(),
                    "SHA1": "",
                    "VictimIdentified": "True",
                    "OffenderIdentified": "false",
                    "IsDistributed": "unknown",
                    "IsPrecategorized": True,
                    "Series": "Name",
                    "Tags": "a,b",
                    "MediaSize": "2835",
                    "DateUpdated": "2023-06-07T02:31:49.8300Z",
                    "AlternativeHashes": [
                        {"HashName": "PhotoDNA", "HashValue": some(72) * 4},
                        {"HashName": "F1", "HashValue": "0123"},
                        {"HashName": "MD5", "HashValue": some(32, 5)},
                    ],
                },
                {"MediaID": "2", "Category": None, "SHA1": some(40), "DateUpdated": "2020-01-01"},
                {"MediaID": 3, "MD5": "xyz"},
                {"Category": 2, "MD5": some(32)},
            ],
        }
    )
    record, half, second, bad, nameless = vics(text)
    assert record == Record(
        "vics",
        "1",
        {"md5": some(32), "photodna": some(72) * 4},
        category="1",
        flags=("precategorized", "series", "victim-identified"),
        last_seen=datetime(2023, 6, 7, 2, 31, 49, 830_000, tzinfo=UTC),
        raw={
            "odata.id": "Media(1)",
            "VictimIdentified": "True",
            "OffenderIdentified": "false",
            "IsDistributed": "unknown",
            "IsPrecategorized": True,
            "Series": "Name",
            "Tags": "a,b",
            "MediaSize": "2835",
            "AlternativeHashes": [
                {"HashName": "F1", "HashValue": "0123"},
                {"HashName": "MD5", "HashValue": some(32, 5)},
            ],
        },
    )
    half, bad, nameless = rejected_of(half), rejected_of(bad), rejected_of(nameless)
    assert (half.row, half.whole, half.record_id) == (2, False, "2")
    assert second == Record("vics", "2", {"sha1": some(40)}, raw={"DateUpdated": "2020-01-01"})
    assert (bad.row, bad.record_id, bad.whole) == (3, "3", True)
    assert (nameless.row, nameless.record_id) == (4, "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_vics_2_0_cases_keep_their_media_apart_in_any_encoding(encoding: str) -> None:
    text = json.dumps(
        {
            "@odata.context": MODELS_2 + "UK/$metadata#Cases",
            "value": [
                {
                    "CaseID": "c-1",
                    "Media": [
                        {"MediaID": 1, "Category": 2, "MD5": some(32), "MimeType": "image/png"},
                        {"MediaID": 2, "MD5": some(32, 1), "MimeType": "video/mp4"},
                    ],
                    "Notes": "é",
                },
                {"CaseID": "c-2", "Media": []},
                {"Media": [{"MediaID": 1, "MD5": some(32, 2)}], "CaseID": "too late"},
            ],
        },
        ensure_ascii=False,
    )
    records = [record_of(one) for one in vics(text.encode(encoding))]
    assert [(one.record_id, one.media, one.category) for one in records] == [
        ("c-1/1", "image", "2"),
        ("c-1/2", "video", ""),
        ("3/1", "unknown", ""),
    ]
    assert [one.hashes["md5"] for one in records] == [some(32), some(32, 1), some(32, 2)]
    assert records[0].raw["country"] == "UK"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f'{{"odata.metadata":"{MODELS}9.9.xml#Media","value":[]}}', "got '9.9'"),
        (f'{{"@odata.context":"{MODELS}1.3.xml#Media","value":[]}}', "got '1.3'"),
        (f'{{"@odata.context":"{MODELS_2}US/$metadata#Songs","value":[]}}', "expected VICS 2.0"),
        ('{"value":[]}', "expected odata.metadata or @odata.context before"),
        (f'{{"value":[],"@odata.context":"{MODELS_2}US/$metadata#Media"}}', "before the media"),
        (f'{{"@odata.context":"{MODELS_2}US/$metadata#Media"}}', "expected an array 'value'"),
    ],
)
def test_what_is_no_vics_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ListFormatError) as caught:
        vics(text)
    assert reason in str(caught.value)


def test_vics_is_written_and_read_back() -> None:
    records = [
        Record(
            "vics",
            "17",
            {"md5": some(32), "photodna": some(72) * 4, "pdq": some(64), "sha512": some(128)},
            category="1",
            flags=("self-generated", "victim-identified"),
            last_seen=at(2024, 2, 3, 4, 5, 6),
        ),
        Record("vics", "017", {"sha1": some(40)}, category="A1"),
    ]
    stream = io.BytesIO()
    assert vics_json.write([*records, Rejected(1, "bad")], stream) == 2
    assert [record_of(one).to_dict() | {"raw": {}} for one in vics(stream.getvalue())] == [
        one.to_dict() | {"raw": {}} for one in records
    ]
    stream = io.BytesIO()
    assert vics_json.write([], stream) == 0
    assert vics(stream.getvalue()) == []
    with pytest.raises(ListFormatError, match="retractions"):
        vics_json.write([Retraction("s", "1")], io.BytesIO())
    with pytest.raises(ValueError, match="country"):
        vics_json.write([], io.BytesIO(), country='"')
