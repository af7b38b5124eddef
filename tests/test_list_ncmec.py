"""NCMEC's answers, as documented, read to exactly these changes. No service was asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from defusedxml import ElementTree

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats import ncmec_xml
from fingerprint.lists.records import Opinion, Record, Rejected, Retraction
from tests.exchange_answers import NCMEC_PAGE, NS, at, image, ncmec, record_of, rejected_of, some

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


def test_an_ncmec_page_is_read_to_its_last_word() -> None:
    page = ncmec_xml.parse_page(NCMEC_PAGE, name="page")
    assert page.changes == NCMEC_CHANGES
    assert page.next == "/v2/entries?from=2017-10-20T00%3A00%3A00.000Z&start=2001"
    assert page.max_timestamp == at(2017, 10, 24, 15, 20)
    assert (page.count, page.entries) == (4, 4)
    told = json.dumps(record_of(page.changes[0]).to_dict())
    assert "secret" not in told
    assert some(32) not in repr(page)


def test_an_empty_ncmec_page_is_one_and_a_source_can_be_named() -> None:
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
def test_a_malformed_ncmec_entry_is_rejected_and_the_rest_goes_on(bad: str, reason: str) -> None:
    text = f"<images>{image('first')}{bad}{image('last')}</images>"
    first, rejected, last = ncmec_xml.parse_page(ncmec(text), name="page").changes
    assert (first.record_id, last.record_id) == ("first", "last")
    assert isinstance(rejected, Rejected)
    assert rejected.row == 2
    assert rejected.whole
    assert reason in rejected.reason


def test_what_is_new_in_ncmecs_answer_is_told_of_not_dropped() -> None:
    hashes = f"<md5>{some(32)}</md5><md5>{some(32, 1)}</md5>"
    text = ncmec(
        f"<images>{image(hashes=hashes)}</images><audios><audio/></audios><clock/>"
        f'<images><x:image xmlns:x="urn:x"/></images>'
    )
    first, *others = ncmec_xml.parse_page(text, name="page").changes
    record, told = record_of(first), [rejected_of(one) for one in others]
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
def test_what_is_no_ncmec_answer_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(ListFormatError, match=reason):
        ncmec_xml.parse_page(text, name="page")


def test_ncmecs_other_answers() -> None:
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
    available = ncmec_xml.parse_feedback_reasons(reasons.encode(), name="r")
    assert available == (ncmec_xml.NcmecReason("0-1", "R", "Sha1"),)
    for parse in (ncmec_xml.parse_status, ncmec_xml.parse_feedback_reasons):
        with pytest.raises(ListFormatError):
            parse(NCMEC_PAGE, name="x")
    with pytest.raises(ListFormatError, match="expected members"):
        ncmec_xml.parse_members(NCMEC_PAGE, name="x")


def test_feedback_reasons_may_stand_within_another_root() -> None:
    reason = '<reason guid="0-1" name="R" type="Sha1"/>'
    group = f"<availableFeedbackReasons>{reason}</availableFeedbackReasons>"
    expected = (ncmec_xml.NcmecReason("0-1", "R", "Sha1"),)
    for inner in (group, f"<ipAddress>::1</ipAddress>{group}"):
        assert ncmec_xml.parse_feedback_reasons(ncmec(inner), name="r") == expected
    assert ncmec_xml.parse_feedback_reasons(ncmec("<availableFeedbackReasons/>"), name="r") == ()


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        ("", "expected the element 'availa…', got 'queryResult'"),
        ('<reason guid="0-1"/>', "expected the element 'availa…'"),
        ("<availableFeedbackReasons/>" * 2, "expected one group of feedback reasons, got 2"),
        ("<availableFeedbackReasons><reason/></availableFeedbackReasons>", "a guid each"),
        ("<x><availableFeedbackReasons/></x>", "expected the element 'availa…'"),
        ('<availableFeedbackReasons xmlns="urn:x"/>', "expected the element 'availa…'"),
    ],
)
def test_what_is_no_answer_with_feedback_reasons_is_refused(inner: str, reason: str) -> None:
    with pytest.raises(ListFormatError, match=reason):
        ncmec_xml.parse_feedback_reasons(ncmec(inner), name="r")


def test_feedback_to_ncmec_is_as_documented() -> None:
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
