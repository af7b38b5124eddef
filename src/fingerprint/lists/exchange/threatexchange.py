"""Meta's ThreatExchange: the updates of one privacy group.

Written from the client of facebook/ThreatExchange; no live service was contacted. The published
client sends the access token in addresses, which end up in logs; here it goes in the
``Authorization`` header, which the Graph API takes elsewhere; nobody tried it on
``threat_updates``. Left out: ``appsecret_proof``, and submitting of descriptors.

Deletions are told of for 90 days. A checkpoint that is nearly as old is refused with
CheckpointExpiredError, since what was deleted meanwhile would stay for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Unpack
from urllib.parse import quote, urlencode

from fingerprint.errors import CheckpointExpiredError
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
from fingerprint.lists.formats.threatexchange_json import ThreatExchangePage, parse_page
from fingerprint.lists.records import text_of_instant

__all__ = ["THREATEXCHANGE_URL", "ThreatExchangeClient"]

THREATEXCHANGE_URL: Final = "https://graph.facebook.com/v9.0"
"""As published in facebook/ThreatExchange; the version is old."""

TOMBSTONES_LAST = timedelta(days=85)
"""ThreatExchange says 90 days; as careful as its own client."""

FIELDS = "indicator,type,last_updated,should_delete,descriptors{id,reactions,owner{id},tags,status}"
_SECRET_PARAMS = ("access_token", "appsecret_proof", "appsecret_time")


class ThreatExchangeClient(Client):
    """A client of one privacy group.

    Records are of the source ``threatexchange/{privacy_group}``; the first reading is a snapshot.

    Parameters
    ----------
    base_url : str
        Such as `THREATEXCHANGE_URL`.
    credentials : Credentials
        ``token``.
    privacy_group : str
        Its id.
    types : iterable of str
        Of indicators, such as ``"HASH_PDQ"``; all by default. Other types need a new first
        reading, which `sync` does.
    page_size : int
        Updates a page.
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
        privacy_group: str,
        types: Iterable[str] = (),
        page_size: int = 100,
        overlap_s: float = OVERLAP_S,
        max_pages: int = 100_000,
        **options: Unpack[TransportOptions],
    ) -> None:
        group = str(privacy_group)
        if not (group.isascii() and group.isdecimal()):
            raise ValueError(f"privacy_group: expected digits, got {group[:40]!r}")
        if page_size < 1:
            raise ValueError(f"page_size: expected 1 or more, got {page_size}")
        (token,) = credentials.require("token")
        super().__init__(
            f"threatexchange/{group}",
            base_url,
            credentials,
            overlap_s=overlap_s,
            max_pages=max_pages,
            **options,
        )
        credentials.also_hide([quote(token, safe="")])
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._group = group
        self._types = sorted(set(types))
        self._page_size = page_size

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
        since = None
        if not whole:
            since = self._seconds(checkpoint, "since")
            self._require_fresh(checkpoint, here)
        first = self._asked(since)
        clocks = Clocks(here, first.date)
        if not whole:
            self._require_fresh(checkpoint, clocks.latest)
        return Fetch(
            self._changes(since, first.value, clocks, progress),
            source=self.source,
            is_snapshot=whole,
            refreshed_at=clocks.refreshed_at,
            expires_at=clocks.refreshed_at + TOMBSTONES_LAST,
        )

    def _require_fresh(self, checkpoint: Mapping[str, Any], now: datetime) -> None:
        if checkpoint.get("types") != self._types:
            raise CheckpointExpiredError(
                f"{self._name}: the checkpoint is of other types of indicators"
            )
        read_at = self._instant(checkpoint, "read_at")
        if now - read_at > TOMBSTONES_LAST:
            raise CheckpointExpiredError(
                f"{self._name}: last read {(now - read_at).days} days ago, and deletions are told "
                f"of for {TOMBSTONES_LAST.days}"
            )

    def _changes(
        self,
        since: int | None,
        page: ThreatExchangePage,
        clocks: Clocks,
        progress: Progress | None,
    ) -> Changes:
        guard = self._guard(progress)
        latest = since or 0
        while True:
            guard.read(page.entries)
            latest = max(latest, page.last_updated or 0)
            yield from page.changes
            if page.next is None:
                break
            url = self._transport.resolve(page.next)
            for name in _SECRET_PARAMS:
                url = url.copy_remove_param(name)
            guard.follow(str(url))
            page = self._transport.get(
                "threat_updates", url, self._page, headers=self._headers
            ).value
        settled = clocks.settled(self._overlap)
        if clocks.there is None:
            # Without the exchange's time only what was read tells how far that was.
            settled = min(settled, datetime.fromtimestamp(latest, UTC))
        return {
            "since": max(since or 0, int(settled.timestamp())),
            "read_at": text_of_instant(min(clocks.here, clocks.there or clocks.here)),
            "types": list(self._types),
        }

    def _asked(self, since: int | None) -> Answer[ThreatExchangePage]:
        params = {"limit": str(self._page_size), "fields": FIELDS}
        if since is not None:
            params["start_time"] = str(since)
        if self._types:
            params["types"] = ",".join(self._types)
        url = self._transport.url(f"{self._group}/threat_updates/", params)
        return self._transport.get("threat_updates", url, self._page, headers=self._headers)

    def _page(self, body: bytes) -> ThreatExchangePage:
        return parse_page(body, name=self._name, source=self.source)

    def react(self, descriptor_id: str, reaction: str, *, remove: bool = False) -> None:
        """Tell what a descriptor is worth, such as ``"HELPFUL"`` or ``"DISAGREE_WITH_TAGS"``.

        Repeated only where ThreatExchange cannot have taken it.
        """
        if not (descriptor_id.isascii() and descriptor_id.isdecimal()):
            raise ValueError("descriptor_id: expected digits")
        field = "reactions_to_remove" if remove else "reactions"
        self._transport.send(
            "reactions",
            "POST",
            self._transport.url(descriptor_id),
            urlencode({field: reaction}).encode(),
            headers={**self._headers, "Content-Type": "application/x-www-form-urlencoded"},
            repeatable=False,
            read=bytes,
        )
