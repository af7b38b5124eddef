"""Clients of the local server, and a list in memory that keeps what `HashList` promises."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from fingerprint.errors import ListRefusedError
from fingerprint.lists import Change, Record, Rejected, Retraction
from fingerprint.lists.exchange import (
    Credentials,
    NcmecClient,
    Retry,
    StopNciiClient,
    TcapClient,
    ThreatExchangeClient,
)
from fingerprint.lists.reports import ApplyReport
from tests.exchange_model import (
    FEEDBACK_KEY,
    FETCH_KEY,
    PASSWORD,
    SUBSCRIPTION,
    TOKEN,
    USER,
    Exchange,
)

_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Loading them takes a while.

EXCHANGES = ("ncmec", "stopncii", "threatexchange", "tcap")
AnyClient = NcmecClient | StopNciiClient | ThreatExchangeClient | TcapClient


def credentials() -> Credentials:
    return Credentials(
        {
            "user": USER,
            "password": PASSWORD,
            "token": TOKEN,
            "subscription_key": SUBSCRIPTION,
            "fetch_key": FETCH_KEY,
            "feedback_key": FEEDBACK_KEY,
        }
    )


def client_of(
    which: str,
    exchange: Exchange,
    *,
    skew_s: float = 0,
    waits: list[float] | None = None,
    **more: Any,
) -> AnyClient:
    """Return a client whose waits pass on the server's clock, which its own is ``skew_s`` off."""
    waited = [] if waits is None else waits

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        exchange.pass_time(seconds)

    options: dict[str, Any] = {
        "sleep": sleep,
        "clock": lambda: exchange.now + timedelta(seconds=skew_s),
        "share": lambda: 0.5,
        "timeout_s": 5.0,
        "retry": Retry(attempts=5),
        "transport": httpx.HTTPTransport(verify=_NO_CERTIFICATES),
        **more,
    }
    if which == "ncmec":
        return NcmecClient(f"{exchange.url}/hashsharing", credentials(), **options)
    if which == "stopncii":
        options = {"page_size": exchange.page_size, **options}
        return StopNciiClient(f"{exchange.url}/stopncii", credentials(), **options)
    if which == "threatexchange":
        options = {"privacy_group": "77", **options}
        return ThreatExchangeClient(f"{exchange.url}/graph/v9.0", credentials(), **options)
    return TcapClient(f"{exchange.url}/tcap", credentials(), **options)


def held(records: Iterable[Record]) -> dict[str, str]:
    """What a list says of each hash, in the words of `Exchange.alive`."""
    found = {}
    for record in records:
        word = record.category or record.opinions[0].value
        found[record.hashes["md5"]] = word
    return found


class MemoryList:
    """All or nothing, with the checkpoint; nothing of it is on a disk."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Record] = {}
        self.checkpoints: dict[str, dict[str, Any]] = {}
        self.stale: dict[str, str] = {}
        self.refreshed: list[datetime | None] = []
        self.expires: list[datetime | None] = []
        self.snapshots: list[str | None] = []

    def records(self) -> Iterable[Record]:
        return self.kept.values()

    def checkpoint(self, feed: str = "") -> dict[str, Any]:
        return dict(self.checkpoints.get(feed, {}))

    def mark_stale(self, feed: str, reason: str) -> None:
        self.stale[feed] = reason

    def apply(
        self,
        changes: Iterable[Change],
        *,
        by: str,
        feed: str = "",
        checkpoint: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
        snapshot_of: str | None = None,
        max_retracted_share: float = 0.5,
        refreshed_at: datetime | None = None,
        expires_at: datetime | None = None,
        note: str = "",
        purge: bool = True,
        by_time: bool = False,
    ) -> ApplyReport:
        kept, named, rejected = dict(self.kept), set(), 0
        for one in changes:
            if isinstance(one, Rejected):
                rejected += one.whole
            elif isinstance(one, Retraction):
                kept.pop(one.key, None)
            else:
                kept[one.key] = one
                named.add(one.key)
        if snapshot_of is not None:
            of_source = [
                key for key in kept if key[0] == snapshot_of or key[0].startswith(f"{snapshot_of}/")
            ]
            gone = [key for key in of_source if key not in named]
            if len(gone) > 10 and len(gone) > max_retracted_share * len(of_source):
                raise ListRefusedError("too much is gone")
            for key in gone:
                del kept[key]
        reached = checkpoint() if callable(checkpoint) else checkpoint
        added, retracted = len(kept.keys() - self.kept), len(self.kept.keys() - kept)
        updated = sum(self.kept.get(key, one) != one for key, one in kept.items())
        self.kept = kept
        if reached is not None:
            self.checkpoints[feed] = dict(reached)
        self.stale.pop(feed, None)
        self.refreshed.append(refreshed_at)
        self.expires.append(expires_at)
        self.snapshots.append(snapshot_of)
        changed = bool(added or retracted or updated)
        return ApplyReport(
            1, changed, added, updated, 0, retracted, 0, 0, rejected, 0, 0, "", purge
        )
