"""TCAP's answers, as documented, read to exactly these changes. No service was asked."""

from __future__ import annotations

from datetime import UTC, datetime

from fingerprint.lists.formats import tcap_json
from fingerprint.lists.records import Record, Rejected, Retraction
from tests.exchange_answers import TCAP, at, body, some


def test_a_tcap_page() -> None:
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
