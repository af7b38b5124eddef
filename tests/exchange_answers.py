"""What the tests of exchanges' answers share: the answers, made-up hashes, and views of changes."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from fingerprint.lists.records import Change, Record, Rejected

NS = "https://hashsharing.ncmec.org/hashsharing/v2"


def some(digits: int, seed: int | str = 0) -> str:
    """A hash that no type refuses."""
    return hashlib.sha512(str(seed).encode()).hexdigest()[:digits]


def at(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0
) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def hashed_id(kind: str, value: str) -> str:
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()[:32]}"


def body(values: Any) -> bytes:
    return json.dumps(values).encode()


def record_of(change: Change) -> Record:
    assert isinstance(change, Record)
    return change


def rejected_of(change: Change) -> Rejected:
    assert isinstance(change, Rejected)
    return change


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
