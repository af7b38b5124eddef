"""ThreatExchange's answers, as documented, read to exactly these changes. No service was asked."""

from __future__ import annotations

import pytest

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats import threatexchange_json
from fingerprint.lists.records import Opinion, Record, Rejected, Retraction
from tests.exchange_answers import THREATEXCHANGE, at, body, hashed_id, some


def test_a_threatexchange_page_keeps_opinions_and_deletions() -> None:
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
def test_an_error_is_no_empty_threatexchange_page(text: bytes) -> None:
    with pytest.raises(ListFormatError):
        threatexchange_json.parse_page(text, name="page")
