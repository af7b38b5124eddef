"""Answers of the exchanges, as documented, read to exactly these changes. No service was asked."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from defusedxml import ElementTree

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
from fingerprint.lists.records import Opinion, Record, Rejected, Retraction

NS = "https://hashsharing.ncmec.org/hashsharing/v2"


def some(digits: int, seed: int | str = 0) -> str:
    """A hash that no type refuses."""
    return hashlib.sha512(str(seed).encode()).hexdigest()[:digits]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def hashed_id(kind: str, value: str) -> str:
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()[:32]}"


def body(values: Any) -> bytes:
    return json.dumps(values).encode()


# --- NCMEC -----------------------------------------------------------------------------------


def ncmec(inner: str, paging: str = "", namespace: str = NS) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<queryResult xmlns="{namespace}">{inner}{paging}</queryResult>'
    ).encode()


def image(entry_id: str = "i1", hashes: str = "", more: str = "", member: int = 42) -> str:
    return (
        f'<image><member id="{member}">M</member><timestamp>2017-10-24T15:00:00Z</timestamp>'
        f"<id>{entry_id}</id><fingerprints>{hashes or f'<md5>{some(32)}</md5>'}</fingerprints>"
        f"{more}</image>"
    )


NCMEC_PAGE = ncmec(
    f"""
 <images count="2" maxTimestamp="2017-10-24T15:10:00Z">
  <image>
   <member id="42">Example Member</member>
   <timestamp>2017-10-24T15:00:00.250Z</timestamp>
   <id>same</id>
   <classification>C7</classification>
   <fingerprints>
    <md5>{some(32).upper()}</md5><sha1>{some(40)}</sha1><pdna>{some(72) * 4}</pdna>
    <pdq>{some(64)}</pdq><netclean>{some(40, 9)}</netclean>
    <tmk-pdqf rel="self" href="/v2/entries/1/fingerprints/TMK_PDQF?secret"/>
   </fingerprints>
   <feedback lastUpdateTimestamp="2023-06-01T12:48:14Z">
    <affirmativeFeedback type="Md5" lastUpdateTimestamp="2023-06-01T12:48:14Z">
     <members timestamp="2023-06-01T12:48:14Z"><member id="7">Seven</member></members>
    </affirmativeFeedback>
    <negativeFeedback type="SHA1">
     <reasons>
      <reason guid="0-1" name="Not it" type="Sha1"/>
      <members><member id="8">Eight</member><member id="9">Nine</member></members>
      <reason guid="0-2" type="Sha1"/>
      <members><member id="8">Eight</member></members>
     </reasons>
    </negativeFeedback>
    <novelFeedback type="Pdq"/>
   </feedback>
   <novelty kind="k">words</novelty>
  </image>
  <deletedImage>
   <member id="43">Other</member><id>gone</id><timestamp>2017-10-24T15:10:00Z</timestamp>
  </deletedImage>
 </images>
 <videos count="2" maxTimestamp="2017-10-24T15:20:00Z">
  <video>
   <member id="42">Example Member</member><timestamp>2017-10-24T20:30:00</timestamp>
   <id>same</id><fingerprints><md5>{some(32, 1)}</md5></fingerprints>
  </video>
  <deletedVideo>
   <member id="42"/><timestamp>2017-10-24T15:20:00Z</timestamp><id>video4</id>
  </deletedVideo>
 </videos>""",
    "<paging><next>/v2/entries?from=2017-10-20T00%3A00%3A00.000Z&amp;start=2001</next></paging>",
)

NCMEC_CHANGES = (
    Record(
        "ncmec/42",
        "same",
        {"md5": some(32), "sha1": some(40), "photodna": some(72) * 4, "pdq": some(64)},
        media="image",
        category="C7",
        opinions=(
            Opinion("7", "affirmative", ("Md5",)),
            Opinion("8", "negative", ("SHA1", "Not it")),
            Opinion("9", "negative", ("SHA1", "Not it")),
            Opinion("8", "negative", ("SHA1", "0-2")),
            Opinion("", "novel", ("Pdq",)),
        ),
        last_seen=datetime(2017, 10, 24, 15, 0, 0, 250_000, tzinfo=UTC),
        raw={
            "member": "Example Member",
            "other_fingerprints": {"netclean": [some(40, 9)]},
            "linked_fingerprints": ["tmk-pdqf"],
            "feedback_updated": "2023-06-01T12:48:14Z",
            "elements": {"novelty": [{"@kind": "k", "text": "words"}]},
        },
    ),
    Retraction("ncmec/43", "gone", at(2017, 10, 24, 15, 10), "deletedImage"),
    Rejected(
        3,
        "timestamp: expected ISO 8601 with a zone, or seconds since 1970, "
        "got '2017-10-24T20:30:00'",
        "ncmec/42",
        "same",
        whole=False,
    ),
    Record(
        "ncmec/42",
        "same",
        {"md5": some(32, 1)},
        media="video",
        raw={"member": "Example Member", "timestamp": "2017-10-24T20:30:00"},
    ),
    Retraction("ncmec/42", "video4", at(2017, 10, 24, 15, 20), "deletedVideo"),
)


def test_an_ncmec_page_is_read_to_its_last_word():
    page = ncmec_xml.parse_page(NCMEC_PAGE, name="page")
    assert page.changes == NCMEC_CHANGES
    assert page.next == "/v2/entries?from=2017-10-20T00%3A00%3A00.000Z&start=2001"
    assert page.max_timestamp == at(2017, 10, 24, 15, 20)
    assert (page.count, page.entries) == (4, 4)
    told = json.dumps(page.changes[0].to_dict())
    assert "secret" not in told
    assert some(32) not in repr(page)


def test_an_empty_ncmec_page_is_one_and_a_source_can_be_named():
    page = ncmec_xml.parse_page(ncmec(""), name="page")
    assert page == ncmec_xml.NcmecPage((), None, None, None, 0)
    page = ncmec_xml.parse_page(ncmec(f"<images>{image()}</images>"), name="p", source="ncmec-ngo")
    assert page.changes[0].source == "ncmec-ngo/42"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("<image><id>x</id></image>", "expected a member"),
        ('<image><member id=""/><id>x</id></image>', "member id: expected 1 to 512"),
        ('<image><member id="4"/></image>', "id: expected text"),
        ('<image><member id="4"/><id>x</id></image>', "no hash in it"),
        (image("x", '<tmk-pdqf href="/u"/>'), "no hash in it"),
        (image("x", f"<md5>{some(31)}</md5>"), "md5: expected 32 hex digits"),
        (image("x", f"<pdq>{'0' * 64}</pdq>"), "degenerate"),
        (image("x").replace("image>", "hologram>"), "element 'hologram': not known here"),
    ],
)
def test_a_malformed_ncmec_entry_is_rejected_and_the_rest_goes_on(bad, reason):
    text = f"<images>{image('first')}{bad}{image('last')}</images>"
    first, rejected, last = ncmec_xml.parse_page(ncmec(text), name="page").changes
    assert (first.record_id, last.record_id) == ("first", "last")
    assert isinstance(rejected, Rejected)
    assert rejected.row == 2
    assert rejected.whole
    assert reason in rejected.reason


def test_what_is_new_in_ncmecs_answer_is_told_of_not_dropped():
    hashes = f"<md5>{some(32)}</md5><md5>{some(32, 1)}</md5>"
    text = ncmec(
        f"<images>{image(hashes=hashes)}</images><audios><audio/></audios><clock/>"
        f'<images><x:image xmlns:x="urn:x"/></images>'
    )
    record, *told = ncmec_xml.parse_page(text, name="page").changes
    assert record.hashes == {"md5": some(32)}
    assert record.raw["other_fingerprints"] == {"md5": [some(32, 1)]}
    assert [one.whole for one in told] == [True, False, False, True]
    assert "audios" in told[1].reason
    assert "clock" in told[2].reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ncmec("").replace(b"/v2", b"/v3"), "expected the namespace"),
        (b"<queryResult/>", "got none"),
        (f'<status xmlns="{NS}"/>'.encode(), "expected the element 'queryResult'"),
        (b"<html><body>Down for maintenance</body></html>", "expected the namespace"),
        (b'<!DOCTYPE q SYSTEM "file:///etc/passwd"><q/>', "DTDForbidden"),
        (b"<!DOCTYPE q [<!ENTITY a 'b'>]><q>&a;</q>", "DTDForbidden"),
        (ncmec("&a;"), "not XML"),
        (ncmec("<paging><next>a</next><next>b</next></paging>"), "expected one next"),
        (ncmec('<images count="two"/>'), "count: expected a whole number"),
        (ncmec("<images>" + "<a>" * 70 + "</a>" * 70 + "</images>"), "deeper than 64"),
        (NCMEC_PAGE + b"<x/>", "junk"),
    ],
)
def test_what_is_no_ncmec_answer_is_refused(text, reason):
    with pytest.raises(ListFormatError, match=reason):
        ncmec_xml.parse_page(text, name="page")


def test_ncmecs_other_answers():
    status = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>
        <status xmlns="{NS}"><ipAddress>127.0.0.1</ipAddress><username>u</username>
        <member id="1">Sir</member></status>"""
    member = ncmec_xml.NcmecMember("1", "Sir")
    assert ncmec_xml.parse_status(status.encode(), name="s") == (member, "u", "127.0.0.1")
    members = f'<members xmlns="{NS}"><member id="1">Sir</member><member id="2"/></members>'
    read = ncmec_xml.parse_members(members.encode(), name="m")
    assert read == (member, ncmec_xml.NcmecMember("2", ""))
    reason = '<reason guid="0-1" name="R" type="Sha1"/>'
    reasons = f'<availableFeedbackReasons xmlns="{NS}">{reason}</availableFeedbackReasons>'
    read = ncmec_xml.parse_feedback_reasons(reasons.encode(), name="r")
    assert read == (ncmec_xml.NcmecReason("0-1", "R", "Sha1"),)
    for parse in (ncmec_xml.parse_status, ncmec_xml.parse_feedback_reasons):
        with pytest.raises(ListFormatError):
            parse(NCMEC_PAGE, name="x")
    with pytest.raises(ListFormatError, match="expected members"):
        ncmec_xml.parse_members(NCMEC_PAGE, name="x")


def test_feedback_to_ncmec_is_as_documented():
    tree = ElementTree.fromstring(ncmec_xml.feedback_body(affirmative=True))
    assert [one.tag for one in tree.iter()] == [
        f"{{{NS}}}feedbackSubmission",
        f"{{{NS}}}affirmative",
    ]
    tree = ElementTree.fromstring(ncmec_xml.feedback_body(affirmative=False, reasons=["0-1", "2"]))
    guids = tree.findall(f"{{{NS}}}negative/{{{NS}}}reasonIds/{{{NS}}}guid")
    assert [one.text for one in guids] == ["0-1", "2"]
    for affirmative, reasons in ((True, ["1"]), (False, []), (False, ["<"]), (False, "12")):
        with pytest.raises(ValueError, match="reasons: expected"):
            ncmec_xml.feedback_body(affirmative=affirmative, reasons=reasons)


# --- StopNCII --------------------------------------------------------------------------------

STOPNCII = {
    "count": 9,
    "nextSetTimestamp": 1625175071,
    "nextPageToken": "W3siY29t/+==",
    "hasMoreRecords": True,
    "hashRecords": [
        {
            "lastModtimestamp": 1625167804,
            "signalType": "ImagePDQ",
            "hashValue": some(64).upper(),
            "hashStatus": "Active",
            "caseNumbers": {"27664732-76e1": "Active", "a2696edf": "Withdrawn"},
            "hashRegions": ["UK"],
            "novelty": 1.5,
            "CSPFeedbacks": [
                {"source": "P", "feedbackValue": "Undefined", "tags": ["Nude", "Tag-eight"]},
                {"source": "Q", "feedbackValue": "Deleted"},
            ],
        },
        {
            "signalType": "VideoMD5",
            "hashValue": some(32),
            "hashStatus": "NoSuch",
            "caseNumbers": [],
        },
        {"signalType": "ImageMD5", "hashValue": some(32, 1), "lastModtimestamp": "yesterday"},
        {
            "lastModtimestamp": 1625167844,
            "signalType": "ImagePDQ",
            "hashValue": some(64),
            "hashStatus": "Withdrawn",
        },
        {"signalType": "VideoTMK", "hashValue": "QUJD/w==", "hashStatus": "deleted"},
        {"signalType": "Text", "hashValue": "words", "hashStatus": "Active"},
        {"signalType": "ImageNovel", "hashValue": some(40), "hashStatus": "Active"},
        {"signalType": "ImagePDQ", "hashStatus": "Active"},
        {"signalType": "VideoTMK", "hashValue": "QUJD/w==", "hashStatus": "Active"},
    ],
}


def test_a_stopncii_page_keeps_what_pytx_loses():
    page = stopncii_json.parse_page(body(STOPNCII), name="page")
    assert page.changes == (
        Record(
            "stopncii",
            hashed_id("ImagePDQ", some(64)),
            {"pdq": some(64)},
            media="image",
            opinions=(
                Opinion("P", "Undefined", ("Nude", "Tag-eight")),
                Opinion("Q", "Deleted"),
            ),
            last_seen=at(2021, 7, 1, 19, 30, 4),
            raw={
                "signalType": "ImagePDQ",
                "hashStatus": "Active",
                "caseNumbers": {"27664732-76e1": "Active", "a2696edf": "Withdrawn"},
                "hashRegions": ["UK"],
                "novelty": 1.5,
            },
        ),
        Record(
            "stopncii",
            hashed_id("VideoMD5", some(32)),
            {"md5": some(32)},
            media="video",
            raw={"signalType": "VideoMD5", "hashStatus": "NoSuch", "caseNumbers": []},
        ),
        Rejected(
            3,
            "lastModtimestamp: expected ISO 8601 with a zone, or seconds since 1970, "
            "got 'yesterday'",
            "stopncii",
            hashed_id("ImageMD5", some(32, 1)),
            whole=False,
        ),
        Record(
            "stopncii",
            hashed_id("ImageMD5", some(32, 1)),
            {"md5": some(32, 1)},
            media="image",
            raw={"signalType": "ImageMD5", "lastModtimestamp": "yesterday"},
        ),
        Retraction(
            "stopncii", hashed_id("ImagePDQ", some(64)), at(2021, 7, 1, 19, 30, 44), "Withdrawn"
        ),
        Retraction("stopncii", hashed_id("VideoTMK", "QUJD/w=="), None, "deleted"),
        Rejected(6, "signalType 'Text': not a media hash", "stopncii", hashed_id("Text", "words")),
        Rejected(
            7,
            "signalType 'ImageNovel': not known here",
            "stopncii",
            hashed_id("ImageNovel", some(40)),
        ),
        Rejected(8, "signalType and hashValue: expected text", "stopncii"),
        Rejected(
            9,
            page.changes[-1].reason,
            "stopncii",
            hashed_id("VideoTMK", "QUJD/w=="),
        ),
    )
    assert page.changes[-1].reason.startswith("tmk_pdqf: ")
    assert (page.next_page_token, page.next_set_timestamp) == ("W3siY29t/+==", 1625175071)
    assert (page.has_more, page.count, page.entries) == (True, 9, 9)
    assert some(64) not in repr(page)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hasMoreRecords": None}, "hasMoreRecords: expected true or false"),
        ({"hasMoreRecords": "true"}, "hasMoreRecords: expected true or false"),
        ({"nextPageToken": ""}, "nextPageToken: expected text"),
        ({"nextPageToken": 5}, "nextPageToken: expected text"),
        ({"nextSetTimestamp": "soon"}, "nextSetTimestamp: expected a whole number"),
        ({"count": True}, "count: expected a whole number"),
        ({"hashRecords": {}}, "expected an array"),
        ({"hashRecords": None}, "expected an array"),
    ],
)
def test_a_stopncii_page_that_cannot_be_gone_on_from_is_refused(change, reason):
    with pytest.raises(ListFormatError, match=reason):
        stopncii_json.parse_page(body(STOPNCII | change), name="page")
    assert (
        stopncii_json.parse_page(
            body(STOPNCII | {"nextPageToken": None, "hasMoreRecords": False}), name="p"
        ).next_page_token
        is None
    )


# --- ThreatExchange --------------------------------------------------------------------------

THREATEXCHANGE = {
    "data": [
        {
            "id": "4169895076385542",
            "indicator": some(64),
            "type": "HASH_PDQ",
            "last_updated": 1625167804,
            "should_delete": False,
            "descriptors": {
                "data": [
                    {
                        "id": "901",
                        "owner": {"id": "11", "name": "Owner"},
                        "status": "NO_SUCH_STATUS",
                        "tags": {"data": [{"id": "5", "text": "media_type_video"}]},
                        "reactions": [{"key": "HELPFUL", "value": "12,13"}],
                    },
                    {"id": "902", "owner": {"id": "14"}, "status": "MALICIOUS", "tags": ["a"]},
                ]
            },
        },
        {
            "indicator": some(32).upper(),
            "type": "HASH_MD5",
            "last_updated": "1625167805",
            "descriptors": [{"owner": {"id": 15}, "status": "", "tags": ["media_type_video"]}],
        },
        {"id": 77, "indicator": some(64, 2), "type": "HASH_PDQ", "should_delete": True},
        {"indicator": some(32), "type": "HASH_MD5", "should_delete": "true", "last_updated": 1},
        {"id": "78", "indicator": "http://example.org", "type": "URI"},
        {"id": "79", "indicator": some(64, 3), "type": "HASH_PDQ", "should_delete": "perhaps"},
        {"type": "HASH_PDQ", "should_delete": True},
        {"id": "80", "indicator": some(40), "type": "HASH_SHA1", "descriptors": "hidden"},
    ],
    "paging": {"cursors": {"after": "x"}, "next": "https://graph.example/v9/1?access_token=s3"},
}


def test_a_threatexchange_page_keeps_opinions_and_deletions():
    page = threatexchange_json.parse_page(body(THREATEXCHANGE), name="page")
    md5_id = hashed_id("HASH_MD5", some(32))
    assert page.changes == (
        Record(
            "threatexchange",
            "4169895076385542",
            {"pdq": some(64)},
            media="image",
            opinions=(
                Opinion("11", "NO_SUCH_STATUS", ("media_type_video",)),
                Opinion("12", "HELPFUL"),
                Opinion("13", "HELPFUL"),
                Opinion("14", "MALICIOUS", ("a",)),
            ),
            last_seen=at(2021, 7, 1, 19, 30, 4),
            raw={
                "id": "4169895076385542",
                "type": "HASH_PDQ",
                "descriptors": [
                    {"id": "901", "owner": {"id": "11", "name": "Owner"}},
                    {"id": "902", "owner": {"id": "14"}},
                ],
            },
        ),
        Record(
            "threatexchange",
            md5_id,
            {"md5": some(32)},
            media="video",
            opinions=(Opinion("15", "", ("media_type_video",)),),
            last_seen=at(2021, 7, 1, 19, 30, 5),
            raw={"type": "HASH_MD5", "descriptors": [{"owner": {"id": 15}}]},
        ),
        Retraction("threatexchange", "77", None, "should_delete"),
        Retraction("threatexchange", md5_id, at(1970, 1, 1, 0, 0, 1), "should_delete"),
        Rejected(5, "type 'URI': not a hash that is known here", "threatexchange", "78"),
        Rejected(6, "should_delete: expected true or false, got 'perhaps'", "threatexchange", "79"),
        Rejected(7, "expected an id, or text for type and indicator", "threatexchange"),
        Record(
            "threatexchange",
            "80",
            {"sha1": some(40)},
            raw={"id": "80", "type": "HASH_SHA1", "descriptors": "hidden"},
        ),
    )
    assert page.next == "https://graph.example/v9/1?access_token=s3"
    assert (page.last_updated, page.entries) == (1625167805, 8)
    assert "s3" not in repr(page)


@pytest.mark.parametrize(
    "text",
    [
        body({"error": {"message": "no", "code": 190}}),
        body({"data": [], "paging": []}),
        body({"data": [], "paging": {"next": 5}}),
        body([]),
    ],
)
def test_an_error_is_no_empty_threatexchange_page(text):
    with pytest.raises(ListFormatError):
        threatexchange_json.parse_page(text, name="page")


# --- TCAP ------------------------------------------------------------------------------------

TCAP = {
    "count": 100,
    "next": "https://example.org/api?after=1724856487.7,10594",
    "previous": None,
    "checkpoint": "1724856487.709035,10594",
    "results": [
        {
            "id": 2819,
            "hash_digest": some(32),
            "algorithm": "md5",
            "ideology": "no-such",
            "file_type": "mp4",
            "deleted": False,
            "created_on": "2025-03-03 23:05:22,587",
            "updated_on": 1704901040.25,
        },
        {
            "id": "2820",
            "hash_digest": some(64),
            "algorithm": "PDQ",
            "ideology": None,
            "file_type": "image/png",
            "created_on": "2025-03-03T23:05:22Z",
            "updated_on": "2025-03-03T23:05:22",
        },
        {"id": 2821, "hash_digest": "", "algorithm": "MD5", "deleted": True, "updated_on": 2},
        {"id": 2822, "hash_digest": some(64), "algorithm": "Blurhash", "deleted": False},
        {"hash_digest": some(64), "algorithm": "SHA256"},
        {"id": 2823, "hash_digest": some(128), "algorithm": "SHA-512", "file_type": "pdf"},
    ],
}


def test_a_tcap_page():
    page = tcap_json.parse_page(body(TCAP), name="page")
    assert page.changes == (
        Record(
            "tcap",
            "2819",
            {"md5": some(32)},
            media="video",
            category="no-such",
            last_seen=datetime(2024, 1, 10, 15, 37, 20, 250_000, tzinfo=UTC),
            raw={
                "algorithm": "md5",
                "file_type": "mp4",
                "created_on": "2025-03-03 23:05:22,587",
            },
        ),
        Rejected(
            2,
            "updated_on: expected ISO 8601 with a zone, or seconds since 1970, "
            "got '2025-03-03T23:05:22'",
            "tcap",
            "2820",
            whole=False,
        ),
        Record(
            "tcap",
            "2820",
            {"pdq": some(64)},
            media="image",
            first_seen=at(2025, 3, 3, 23, 5, 22),
            raw={
                "algorithm": "PDQ",
                "file_type": "image/png",
                "updated_on": "2025-03-03T23:05:22",
            },
        ),
        Retraction("tcap", "2821", at(1970, 1, 1, 0, 0, 2), "deleted"),
        Rejected(
            4,
            "algorithm 'Blurhash': expected one of md5, sha256, sha512, sha1, pdq",
            "tcap",
            "2822",
        ),
        Rejected(5, "id: expected text or a whole number, got NoneType", "tcap"),
        Record(
            "tcap",
            "2823",
            {"sha512": some(128)},
            raw={"algorithm": "SHA-512", "file_type": "pdf"},
        ),
    )
    assert page.next == "https://example.org/api?after=1724856487.7,10594"
    assert (page.checkpoint, page.count, page.entries) == ("1724856487.709035,10594", 100, 6)


# --- VICS ------------------------------------------------------------------------------------

MODELS = "http://github.com/ICMEC/ProjectVic/DataModels/"
MODELS_2 = "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/"


def vics(text: str | bytes, **options: Any) -> list[Any]:
    raw = text.encode() if isinstance(text, str) else text
    return list(vics_json.parse(io.BytesIO(raw), name="file", **options))


def test_vics_1_3_with_arrays_of_hashes_and_booleans_in_text():
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
    assert (half.row, half.whole, half.record_id) == (2, False, "2")
    assert second == Record("vics", "2", {"sha1": some(40)}, raw={"DateUpdated": "2020-01-01"})
    assert (bad.row, bad.record_id, bad.whole) == (3, "3", True)
    assert (nameless.row, nameless.record_id) == (4, "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_vics_2_0_cases_keep_their_media_apart_in_any_encoding(encoding):
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
    records = vics(text.encode(encoding))
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
def test_what_is_no_vics_is_refused(text, reason):
    with pytest.raises(ListFormatError) as caught:
        vics(text)
    assert reason in str(caught.value)


def test_vics_is_written_and_read_back():
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
    assert [one.to_dict() | {"raw": {}} for one in vics(stream.getvalue())] == [
        one.to_dict() | {"raw": {}} for one in records
    ]
    stream = io.BytesIO()
    assert vics_json.write([], stream) == 0
    assert vics(stream.getvalue()) == []
    with pytest.raises(ListFormatError, match="retractions"):
        vics_json.write([Retraction("s", "1")], io.BytesIO())
    with pytest.raises(ValueError, match="country"):
        vics_json.write([], io.BytesIO(), country='"')


# --- all of them -----------------------------------------------------------------------------

VICS = {
    "@odata.context": MODELS_2 + "US/$metadata#Cases",
    "value": [{"CaseID": "c", "Media": [{"MediaID": 1, "MD5": some(32)}]}],
}
WHOLE: dict[str, tuple[Callable[..., Iterator[Any]], bytes, int]] = {
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
def test_a_document_cut_short_anywhere_is_refused(form):
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
def test_limits_hold(form):
    parse, text, _ = WHOLE[form]
    with pytest.raises(ListFormatError, match="is longer than"):
        list(parse(io.BytesIO(text), name="file", limits=ListLimits(max_nbytes=len(text) - 1)))
    with pytest.raises(ListFormatError, match="deeper than 2 level"):
        list(parse(io.BytesIO(text), name="file", limits=ListLimits(max_depth=2)))


JSON = {
    "stopncii": (stopncii_json.parse, '{"hasMoreRecords":false,"hashRecords":[', "]}"),
    "tcap": (tcap_json.parse, '{"results":[', "]}"),
    "vics": (
        vics_json.parse,
        f'{{"@odata.context":"{MODELS_2}US/$metadata#Media","value":[',
        "]}",
    ),
}
ENTRIES = {
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
def test_a_malformed_entry_is_rejected_and_the_rest_goes_on(form, bad, reason):
    parse, before, after = JSON[form]
    one, two = (json.dumps(ENTRIES[form](n)) for n in (1, 2))
    text = f"{before}{one},{bad} , {two}{after}".encode()
    first, rejected, last = parse(io.BytesIO(text), name="file")
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
def test_what_is_no_json_is_refused_whole(form, bad):
    parse, before, after = JSON[form]
    text = f"{before}{bad}{after}".encode("utf-8", "surrogateescape")
    with pytest.raises(ListFormatError):
        list(parse(io.BytesIO(text), name="file"))


@pytest.mark.parametrize("form", JSON)
def test_a_name_that_stands_twice_around_the_entries_is_refused(form):
    parse, before, after = JSON[form]
    for more in (',"count":1,"count":2}', ',"x":{"y":1,"y":2}}', "," + before[1:] + "]}"):
        with pytest.raises(ListFormatError, match="stands twice"):
            list(parse(io.BytesIO((before + after[:-1] + more).encode()), name="file"))


@pytest.mark.parametrize("form", JSON)
def test_too_much_raw_is_left_out_and_told_of_and_costs_no_record(form):
    parse, before, after = JSON[form]
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    more = {"long": "x" * 70_000, "deep": deep, "much": 0, "\ud800": 1, "short": 1}
    text = json.dumps(ENTRIES[form](1) | more).replace('"much": 0', '"much": 1e999')
    rejected, record = parse(io.BytesIO((before + text + after).encode()), name="file")
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
def test_files_are_read_entry_by_entry_in_bounded_memory(form):
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
def test_an_entry_without_end_is_refused_before_it_fills_the_memory(form):
    start = b"".join(many(form, 1))[:-30]
    text = itertools.chain([start, b'"' * (form != "ncmec")], itertools.repeat(b"abcd" * 1000))
    stream = Streamed(iter(text))
    limits = ListLimits(max_row_nbytes=1 << 18)
    with pytest.raises(ListFormatError):
        list(WHOLE[form][0](stream, name="file", limits=limits))
    assert stream.nbytes < 1 << 19


def test_the_formats_are_found_by_name_and_only_xml_by_suffix():
    names = ("ncmec-xml", "stopncii-json", "threatexchange-json", "tcap-json", "vics-json")
    assert [get_format(name).name for name in names] == list(names)
    assert format_of_path("list.xml.gz").name == "ncmec-xml"
    with pytest.raises(ListFormatError):
        format_of_path("list.json")
