"""StopNCII's answers, as documented, read to exactly these changes. No service was asked."""

from __future__ import annotations

from typing import Any

import pytest

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats import stopncii_json
from fingerprint.lists.records import Opinion, Record, Rejected, Retraction
from tests.exchange_answers import STOPNCII, at, body, hashed_id, rejected_of, some


def test_a_stopncii_page_keeps_what_pytx_loses() -> None:
    page = stopncii_json.parse_page(body(STOPNCII), name="page")
    last = rejected_of(page.changes[-1])
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
            last.reason,
            "stopncii",
            hashed_id("VideoTMK", "QUJD/w=="),
        ),
    )
    assert last.reason.startswith("tmk_pdqf: ")
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
def test_a_stopncii_page_that_cannot_be_gone_on_from_is_refused(
    change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ListFormatError, match=reason):
        stopncii_json.parse_page(body(STOPNCII | change), name="page")
    assert (
        stopncii_json.parse_page(
            body(STOPNCII | {"nextPageToken": None, "hasMoreRecords": False}), name="p"
        ).next_page_token
        is None
    )
