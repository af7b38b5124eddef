"""StopNCII's hashes, and what a partner thinks of them.

Written from the client of facebook/ThreatExchange; no live service was contacted. Not public,
so guessed or left out: whether ``startTimestamp`` is inclusive, how pages are ordered, what
SubmitFeedback answers. SubmitHashes is left out: its published client never worked, and what the
service takes is not documented.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Unpack

from fingerprint.errors import ExchangeProtocolError
from fingerprint.lists.exchange.base import (
    OVERLAP_S,
    Changes,
    Client,
    Clocks,
    Fetch,
    Progress,
    require_whole,
)
from fingerprint.lists.exchange.credentials import Credentials
from fingerprint.lists.exchange.transport import Answer, TransportOptions
from fingerprint.lists.formats.stopncii_json import StopNciiPage, parse_page

__all__ = ["STOPNCII_URL", "StopNciiClient", "StopNciiFeedback"]

STOPNCII_URL: Final = "https://api.stopncii.org/v1"
FIRST_TIMESTAMP = 10
"""Where the published client begins; whether 0 is taken is not known."""


class StopNciiFeedback(NamedTuple):
    """What a partner thinks of a hash, in StopNCII's words.

    Attributes
    ----------
    hash_value : str
        As StopNCII gave it.
    value : str
        Such as ``"Blocked"``, ``"NotBlocked"``, ``"PendingReview"`` or ``"None"``.
    tags : tuple of str
        Free words.
    """

    hash_value: str
    value: str
    tags: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"StopNciiFeedback({self.hash_value[:6]}…, {self.value!r}, {self.tags!r})"


class StopNciiClient(Client):
    """A client of StopNCII's partner API.

    Records are of the source ``stopncii``; the first reading is a snapshot.

    Parameters
    ----------
    base_url : str
        Such as `STOPNCII_URL`.
    credentials : Credentials
        ``subscription_key`` and ``fetch_key``; ``feedback_key`` for feedback.
    page_size : int
        Records a page.
    overlap_s : float
        How far readings overlap.
    check_counts : bool
        Whether a page with fewer records than its ``count`` is refused.
    max_pages : int
        Of one reading.
    **options
        See `TransportOptions`.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        page_size: int = 800,
        overlap_s: float = OVERLAP_S,
        check_counts: bool = True,
        max_pages: int = 100_000,
        **options: Unpack[TransportOptions],
    ) -> None:
        if page_size < 1:
            raise ValueError(f"page_size: expected 1 or more, got {page_size}")
        credentials.require("subscription_key", "fetch_key")
        super().__init__(
            "stopncii",
            base_url,
            credentials,
            overlap_s=overlap_s,
            max_pages=max_pages,
            **options,
        )
        self._page_size = page_size
        self._check_counts = check_counts

    def fetch(
        self,
        checkpoint: Mapping[str, Any],
        *,
        full: bool = False,
        now: datetime | None = None,
        progress: Progress | None = None,
    ) -> Fetch:
        """Begin to read what changed since a checkpoint; see `ExchangeClient.fetch`."""
        whole = full or not checkpoint
        start = FIRST_TIMESTAMP if whole else self._seconds(checkpoint, "next_set_timestamp")
        here = now or self._transport.now()
        first = self._asked(start, None)
        clocks = Clocks(here, first.date)
        settled = int(clocks.settled(self._overlap).timestamp())
        return Fetch(
            self._changes(start, first.value, settled, progress),
            source=self.source,
            is_snapshot=whole,
            refreshed_at=clocks.refreshed_at,
        )

    def _changes(
        self, start: int, page: StopNciiPage, settled: int, progress: Progress | None
    ) -> Changes:
        guard = self._guard(progress)
        while True:
            guard.read(page.entries)
            yield from page.changes
            if not page.has_more:
                break
            if not page.next_page_token:
                raise ExchangeProtocolError(
                    f"{self._name}: FetchHashes: expected a nextPageToken, since there is more"
                )
            guard.follow(page.next_page_token)
            page = self._asked(start, page.next_page_token).value
        # What changed while pages were read may be dated before the timestamp it offers.
        return {"next_set_timestamp": max(start, min(page.next_set_timestamp or 0, settled))}

    def _asked(self, start: int, token: str | None) -> Answer[StopNciiPage]:
        params = {"startTimestamp": str(start), "pageSize": str(self._page_size)}
        if token is not None:
            params["nextPageToken"] = token
        return self._transport.get(
            "FetchHashes",
            self._transport.url("FetchHashes", params),
            self._page,
            headers=self._headers("fetch_key"),
        )

    def _page(self, body: bytes) -> StopNciiPage:
        page = parse_page(body, name=self._name, source=self.source)
        if self._check_counts:
            require_whole(self._name, page.entries, page.count, self._page_size)
        return page

    def submit_feedback(self, feedbacks: Iterable[StopNciiFeedback]) -> None:
        """Tell what hashes proved to be.

        Repeated only where StopNCII cannot have taken it: whether twice is as good as once is
        not documented.
        """
        given = list(feedbacks)
        if not given:
            raise ValueError("feedbacks: expected one or more, got none")
        entries = [
            {"hashValue": one.hash_value, "feedbackValue": one.value, "tags": list(one.tags)}
            for one in given
        ]
        self._transport.send(
            "SubmitFeedback",
            "POST",
            self._transport.url("SubmitFeedback"),
            json.dumps({"count": len(entries), "hashFeedbacks": entries}).encode(),
            headers={**self._headers("feedback_key"), "Content-Type": "application/json"},
            repeatable=False,
            read=bytes,
        )

    def _headers(self, key: str) -> dict[str, str]:
        subscription, function = self._credentials.require("subscription_key", key)
        return {
            "Accept": "application/json",
            "Ocp-Apim-Subscription-Key": subscription,
            "x-functions-key": function,
        }
