"""What four exchanges hold and how they word it, as far as that is documented.

The clock is the model's own, so that no test waits in real time.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
USER, PASSWORD, TOKEN = "analyst", "correct horse battery", "123456789|s3cr3t-t0ken-of-ours"
SUBSCRIPTION, FETCH_KEY, FEEDBACK_KEY = "subscr1ption", "fetch-k3y-abc", "feedback-k3y-abc"
TOMBSTONES = timedelta(days=90)


@dataclass(frozen=True)
class Entry:
    key: str
    serial: int
    updated: datetime
    word: str = "A1"
    deleted: bool = False

    @property
    def md5(self) -> str:
        return hashlib.md5(self.key.encode(), usedforsecurity=False).hexdigest()

    @property
    def stamp(self) -> int:
        return int(self.updated.timestamp())


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Page:
    """An answer before anything was done to it."""

    entries: list[Entry]
    render: Callable[[list[Entry], int, str | None], bytes]
    next: str | None
    kind: str


class Exchange:
    """Entries that come, change and go by a clock of their own."""

    def __init__(self, seed: int = 0) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.entries: dict[str, Entry] = {}
        self.page_size = 3
        self.date_off_s: float | None = 0.0  # None: answers have no Date.
        self.faults: deque[str] = deque()
        self.requests: list[Request] = []
        self.taken: list[str] = []
        self.tokens: set[str] = set()
        self.random = random.Random(seed)
        self.released = threading.Event()
        self.url = ""
        self.tcap_reached = ""
        self._previous: list[Entry] = []
        self._serial = 0

    def put(self, key: str, word: str = "A1", *, ago_s: float = 0) -> None:
        old = self.entries.get(key)
        if old is None:
            self._serial += 1
        serial = self._serial if old is None else old.serial
        updated = self.now.replace(microsecond=0) - timedelta(seconds=ago_s)
        self.entries[key] = Entry(key, serial, updated, word)

    def delete(self, key: str) -> None:
        self.entries[key] = replace(self.entries[key], deleted=True, updated=self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def alive(self) -> dict[str, str]:
        """What a list that has read everything holds: what is said of each hash."""
        return {one.md5: one.word for one in self.entries.values() if not one.deleted}

    def change_something(self) -> None:
        """As another member would, while somebody is paging."""
        self.pass_time(1)
        if self.entries and self.random.random() < 0.7:
            key = self.random.choice(sorted(self.entries))
            if self.random.random() < 0.3:
                self.delete(key)
            else:
                self.put(key, self.random.choice(["A1", "A2", "B1", "B2"]))
        else:
            self.put(f"new{self._serial}", "B1")
        self.pass_time(2)

    def asked_for(self, part: str) -> list[Request]:
        return [one for one in self.requests if part in one.path]

    # What each exchange answers with. Times are the model's, cursors never shift.

    def ncmec(self, query: dict[str, str]) -> Page:
        begin, end = (datetime.fromisoformat(query[name]) for name in ("from", "to"))
        within = [one for one in self._by_serial() if begin <= one.updated <= end]
        first = int(query.get("start", "0"))
        left = [one for one in within if one.serial >= first]
        page, rest = left[: self.page_size], left[self.page_size :]
        following = None
        if rest:
            named = {"from": query["from"], "to": query["to"], "start": str(rest[0].serial)}
            named |= {"size": str(self.page_size), "max": str(rest[-1].serial)}
            following = "/v2/entries?" + urlencode(named)
        return Page(page, self._ncmec_xml, following, "application/xml")

    def _ncmec_xml(self, entries: list[Entry], count: int, following: str | None) -> bytes:
        rows = []
        for one in entries:
            inner = (
                f'<member id="42">Example</member><timestamp>{_iso(one.updated)}</timestamp>'
                f"<id>{escape(one.key)}</id>"
            )
            if one.deleted:
                rows.append(f"<deletedImage>{inner}</deletedImage>")
                continue
            rows.append(
                f"<image>{inner}<classification>{one.word}</classification>"
                f"<fingerprints><md5>{one.md5}</md5></fingerprints></image>"
            )
        latest = _iso(max((one.updated for one in entries), default=self.now))
        images = f'<images count="{count}" maxTimestamp="{latest}">{"".join(rows)}</images>'
        paging = f"<paging><next>{escape(following)}</next></paging>" if following else ""
        return (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
            f'<queryResult xmlns="{NAMESPACE}">{images}{paging}</queryResult>'
        ).encode()

    def stopncii(self, query: dict[str, str]) -> Page:
        start, first = int(query["startTimestamp"]), int(query.get("nextPageToken", "t0")[1:])
        left = [one for one in self._by_serial() if one.stamp >= start and one.serial >= first]
        page, rest = left[: self.page_size], left[self.page_size :]
        token = f"t{rest[0].serial}" if rest else None
        return Page(page, self._stopncii_json, token, "application/json")

    def _stopncii_json(self, entries: list[Entry], count: int, following: str | None) -> bytes:
        records: list[dict[str, Any]] = [
            {
                "lastModtimestamp": one.stamp,
                "signalType": "VideoMD5",
                "hashValue": one.md5,
                "hashStatus": "Withdrawn" if one.deleted else "Active",
                "caseNumbers": {},
                "CSPFeedbacks": [{"source": "x", "feedbackValue": one.word, "tags": []}],
            }
            for one in entries
        ]
        answer: dict[str, Any] = {
            "count": count,
            "nextPageToken": following or "",
            "hashRecords": records,
        }
        answer |= {"hasMoreRecords": bool(following), "nextSetTimestamp": int(self.now.timestamp())}
        return json.dumps(answer).encode()

    def threatexchange(self, query: dict[str, str]) -> Page:
        since = int(query.get("start_time", "0"))
        seen = [
            one
            for one in self._by_time()
            if one.stamp >= since and not (one.deleted and self.now - one.updated > TOMBSTONES)
        ]
        page, rest = self._after(seen, query.get("after", ""))
        following = None
        if rest:
            kept = {k: v for k, v in query.items() if k != "after"} | {"access_token": TOKEN}
            cursor = urlencode({**kept, "after": _cursor(page[-1])})
            following = f"{self.url}/graph/v9.0/77/threat_updates/?{cursor}"
        return Page(page, self._threatexchange_json, following, "application/json")

    def _threatexchange_json(self, entries: list[Entry], _: int, following: str | None) -> bytes:
        data: list[dict[str, Any]] = [
            {
                "indicator": one.md5,
                "type": "HASH_MD5",
                "last_updated": one.stamp,
                "should_delete": one.deleted,
                "descriptors": {"data": [{"id": "5", "owner": {"id": "9"}, "status": one.word}]},
            }
            for one in entries
        ]
        paging = {"paging": {"next": following}} if following else {}
        return json.dumps({"data": data, **paging}).encode()

    def tcap(self, query: dict[str, str]) -> Page:
        page, rest = self._after(self._by_time(), query["after"])
        following = None
        if rest:
            following = f"{self.url}/tcap/api/hash-list/v2/all?limit=3&offset=3"
        self.tcap_reached = _cursor(page[-1]) if page else query["after"]
        return Page(page, self._tcap_json, following, "application/json")

    def _tcap_json(self, entries: list[Entry], _: int, following: str | None) -> bytes:
        results = [
            {
                "id": one.serial,
                "hash_digest": one.md5,
                "algorithm": "MD5",
                "ideology": one.word,
                "file_type": "mp4",
                "deleted": one.deleted,
                "updated_on": one.stamp,
            }
            for one in entries
        ]
        answer: dict[str, Any] = {"count": len(self.entries), "next": following, "previous": None}
        answer |= {"checkpoint": self.tcap_reached, "results": results}
        return json.dumps(answer).encode()

    def _by_serial(self) -> list[Entry]:
        return sorted(self.entries.values(), key=lambda one: one.serial)

    def _by_time(self) -> list[Entry]:
        return sorted(self.entries.values(), key=lambda one: (one.stamp, one.serial))

    def _after(self, entries: list[Entry], cursor: str) -> tuple[list[Entry], list[Entry]]:
        if cursor:
            stamp, serial = cursor.split(",")
            where = float(stamp), int(serial)
            entries = [one for one in entries if (one.stamp, one.serial) > where]
        return entries[: self.page_size], entries[self.page_size :]

    def shown(self, page: Page, fault: str) -> list[Entry]:
        """Which entries a page shows under a fault."""
        entries = list(page.entries)
        if fault == "half-page":
            entries = entries[: len(entries) // 2]
        if fault == "duplicate":
            entries = [*self._previous, *entries, *entries]
        elif fault == "reorder":
            self.random.shuffle(entries)
        self._previous = list(page.entries)
        return entries


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cursor(entry: Entry) -> str:
    return f"{entry.stamp},{entry.serial}"
