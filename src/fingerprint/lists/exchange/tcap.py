"""Tech Against Terrorism's hash list (TCAP).

Written from the client of facebook/ThreatExchange; no live service was contacted. Not public,
so guessed: whether deleted entries are told of for ever, and for how long a token is good.

Pages are read by the checkpoint of the page before, not by number: an entry that changes
meanwhile moves to the end, and by number its neighbour would be skipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Final, Unpack
from urllib.parse import urlencode

from fingerprint.errors import (
    ExchangeAuthError,
    ExchangeError,
    ExchangeProtocolError,
    ListFormatError,
)
from fingerprint.lists.exchange.base import (
    OVERLAP_S,
    Changes,
    Client,
    Clocks,
    Fetch,
    Progress,
)
from fingerprint.lists.exchange.credentials import Credentials
from fingerprint.lists.exchange.transport import Answer, TransportOptions
from fingerprint.lists.formats.tcap_json import TcapPage, parse_page
from fingerprint.lists.records import instant_of, text_of_instant

__all__ = ["TCAP_URL", "TcapClient"]

TCAP_URL: Final = "https://beta.terrorismanalytics.org"
LONGEST_CHECKPOINT = 200
LONGEST_TOKEN = 16_384


class TcapClient(Client):
    """A client of the hash list of one ideology, or of all.

    Records are of the source ``tcap/{ideology}``; the first reading is a snapshot.

    Parameters
    ----------
    base_url : str
        Such as `TCAP_URL`.
    credentials : Credentials
        ``user`` and ``password``, for which TCAP gives a token for a while.
    ideology : str
        ``"all"``, ``"islamist"`` or ``"far-right"``.
    page_size : int
        Entries a page, asked for; TCAP may give fewer.
    overlap_s : float
        How far readings overlap.
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
        ideology: str = "all",
        page_size: int = 1000,
        overlap_s: float = OVERLAP_S,
        max_pages: int = 100_000,
        **options: Unpack[TransportOptions],
    ) -> None:
        if not ideology or not ideology.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"ideology: expected a word such as 'all', got {ideology[:40]!r}")
        if page_size < 1:
            raise ValueError(f"page_size: expected 1 or more, got {page_size}")
        credentials.require("user", "password")
        super().__init__(
            f"tcap/{ideology}",
            base_url,
            credentials,
            overlap_s=overlap_s,
            max_pages=max_pages,
            **options,
        )
        self._ideology = ideology
        self._page_size = page_size
        self._token = ""

    def fetch(
        self,
        checkpoint: Mapping[str, Any],
        *,
        full: bool = False,
        now: datetime | None = None,
        progress: Progress | None = None,
    ) -> Fetch:
        """Begin to read what changed since a checkpoint; see `ExchangeClient.fetch`."""
        here = now or self._transport.now()
        whole = full or not checkpoint
        reached = "" if whole else checkpoint.get("after")
        if not isinstance(reached, str) or len(reached) > LONGEST_CHECKPOINT:
            raise ExchangeError(f"{self._name}: checkpoint: after: expected text")
        first = self._asked(_earlier(reached, self._overlap))
        return Fetch(
            self._changes(reached, first.value, progress),
            source=self.source,
            is_snapshot=whole,
            refreshed_at=Clocks(here, first.date).refreshed_at,
        )

    def _changes(self, reached: str, page: TcapPage, progress: Progress | None) -> Changes:
        guard = self._guard(progress)
        while True:
            guard.read(page.entries)
            yield from page.changes
            here = self._checkpoint_of(page)
            if page.next is None:
                break
            if not here:
                raise ExchangeProtocolError(
                    f"{self._name}: hash list: expected a checkpoint, since there is more"
                )
            guard.follow(here)
            reached = here
            page = self._asked(here).value
        return {"after": here or reached}

    def _checkpoint_of(self, page: TcapPage) -> str:
        found = "" if page.checkpoint is None else page.checkpoint
        if not isinstance(found, str) or len(found) > LONGEST_CHECKPOINT:
            raise ExchangeProtocolError(
                f"{self._name}: hash list: expected a checkpoint of text, "
                f"{LONGEST_CHECKPOINT} characters at most, got {type(found).__name__}"
            )
        return found

    def _asked(self, after: str) -> Answer[TcapPage]:
        params = {"limit": str(self._page_size), "order": "asc", "after": after}
        url = self._transport.url(f"api/hash-list/v2/{self._ideology}", params)
        if self._token:
            try:
                return self._transport.get("hash list", url, self._page, headers=self._headers())
            except ExchangeAuthError:
                self._token = ""
        self._token = self._new_token()
        return self._transport.get("hash list", url, self._page, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}

    def _page(self, body: bytes) -> TcapPage:
        return parse_page(body, name=self._name, source=self.source)

    def _new_token(self) -> str:
        user, password = self._credentials.require("user", "password")
        answer = self._transport.send(
            "token",
            "POST",
            self._transport.url("token-auth/tcap/"),
            urlencode({"username": user, "password": password, "resend": "False"}).encode(),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            repeatable=True,
            read=self._token_of,
        )
        self._credentials.also_hide([answer.value])
        return answer.value

    def _token_of(self, body: bytes) -> str:
        """Return the token of an answer; nothing of the answer is in the error."""
        try:
            found = json.loads(body).get("token")
        except (ValueError, AttributeError, RecursionError):
            found = None
        if (
            not isinstance(found, str)
            or not 0 < len(found) <= LONGEST_TOKEN
            or not (found.isascii() and found.isprintable())
        ):
            raise ListFormatError(self._name, "expected a token in the answer")
        return found


def _earlier(checkpoint: str, overlap: timedelta) -> str:
    """Return a checkpoint of ``{time},{id}`` a little earlier; as it is where it cannot be read."""
    time, comma, last = checkpoint.partition(",")
    if not comma:
        return checkpoint
    with suppress(ValueError, OverflowError):
        if time.isascii() and time.isdecimal():
            return f"{max(0, int(time) - int(overlap.total_seconds()))},{last}"
        seconds = float(time)
        if isfinite(seconds):
            return f"{max(0.0, seconds - overlap.total_seconds()):.6f},{last}"
    with suppress(ListFormatError, OverflowError):
        return f"{text_of_instant(instant_of(time) - overlap)},{last}"
    return checkpoint
