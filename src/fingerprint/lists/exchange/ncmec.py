"""NCMEC's Hash Sharing API, version 2: windows of time, each read whole before it counts.

Written from NCMEC's documentation as far as it is public and from the client of
facebook/ThreatExchange; no live service was contacted. Not public, so guessed or left out: the
answer to feedback, how exact ``from`` and ``to`` are at their ends (windows overlap), and
whether deleted entries are told of for ever (`fetch` with ``full`` does without that).

Entries show only their latest state and come in no order of time. So the checkpoint moves to
a window's end only after all its pages, and never beyond what both clocks call past.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar, Unpack
from urllib.parse import quote

import httpx

from fingerprint.errors import ExchangeProtocolError, ListFormatError
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
from fingerprint.lists.formats.ncmec_xml import (
    NcmecMember,
    NcmecPage,
    NcmecReason,
    NcmecStatus,
    feedback_body,
    parse_feedback_reasons,
    parse_members,
    parse_page,
    parse_status,
)
from fingerprint.lists.records import instant_of

__all__ = ["ENVIRONMENTS", "NcmecClient"]

T = TypeVar("T")

ENVIRONMENTS: Final[Mapping[str, str]] = {
    "industry": "https://report.cybertip.org/hashsharing",
    "ngo": "https://hashsharing.ncmec.org/npo",
    "exploitative": "https://hashsharing.ncmec.org/exploitative",
    "test-industry": "https://exttest.cybertip.org/hashsharing",
    "test-ngo": "https://hashsharing-test.ncmec.org/npo",
    "test-exploitative": "https://hashsharing-test.ncmec.org/exploitative",
}
"""Addresses as published in facebook/ThreatExchange."""

PAGE_SIZE = 1000
SHORTEST_WINDOW = timedelta(minutes=1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


class _Window(NamedTuple):
    start: datetime
    end: datetime
    first: NcmecPage
    length: timedelta  # Of the next one.


class NcmecClient(Client):
    """A client of one environment of the Hash Sharing API.

    Records are of the source ``ncmec/{environment}/{member}``.

    Parameters
    ----------
    base_url : str
        One of `ENVIRONMENTS`, or another.
    credentials : Credentials
        ``user`` and ``password``.
    environment : str
        What to call it; environments hold different lists.
    overlap_s : float
        How far windows overlap.
    max_window_entries : int
        A window with more is cut, so that a long first reading is committed bit by bit.
    check_counts : bool
        Whether a page with fewer entries than its ``count`` is refused.
    max_pages : int
        Of one window.
    **options
        See `TransportOptions`.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        environment: str = "industry",
        overlap_s: float = OVERLAP_S,
        max_window_entries: int = 200_000,
        check_counts: bool = True,
        max_pages: int = 100_000,
        **options: Unpack[TransportOptions],
    ) -> None:
        if not environment or not environment.isprintable() or "/" in environment:
            raise ValueError(f"environment: expected a name without a slash, got {environment!r}")
        user, password = credentials.require("user", "password")
        super().__init__(
            f"ncmec/{environment}",
            base_url,
            credentials,
            overlap_s=overlap_s,
            max_pages=max_pages,
            **options,
        )
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        credentials.also_hide([basic])
        self._headers = {"Authorization": f"Basic {basic}", "Accept": "application/xml"}
        self._max_entries = max_window_entries
        self._check_counts = check_counts

    def fetch(
        self,
        checkpoint: Mapping[str, Any],
        *,
        full: bool = False,
        now: datetime | None = None,
        progress: Progress | None = None,
    ) -> Fetch:
        """Begin to read the window after a checkpoint; see `ExchangeClient.fetch`.

        Without a checkpoint the first window begins in 1970. ``full`` reads all windows as one
        snapshot.
        """
        begin, length = _BEGINNING, None
        if checkpoint and not full:
            begin = self._instant(checkpoint, "to") - self._overlap
            if "window_s" in checkpoint:
                length = timedelta(seconds=self._seconds(checkpoint, "window_s"))
        here = now or self._transport.now()
        clocks = Clocks(here, self._asked("status", "v2/status", parse_status).date)
        end = _whole_second(clocks.latest)
        window = self._window(max(_BEGINNING, min(begin, end - _SECOND)), end, length)
        settled = clocks.settled(self._overlap)
        # Beyond what is settled a checkpoint does not move: the rest is read in one go.
        more = window.end < min(end, settled) and not full
        return Fetch(
            self._changes(window, end, settled, progress, on_and_on=not more),
            source=self.source,
            is_snapshot=full,
            refreshed_at=window.end if more else clocks.refreshed_at,
            more=more,
        )

    def _changes(
        self,
        window: _Window,
        end: datetime,
        settled: datetime,
        progress: Progress | None,
        *,
        on_and_on: bool,
    ) -> Changes:
        guard = self._guard(progress)
        while True:
            page = window.first
            while True:
                guard.read(page.entries)
                yield from page.changes
                if page.next is None:
                    break
                guard.follow(page.next)
                url = self._following(page.next, window)
                page = self._entries(url)
            if window.end >= end or not on_and_on:
                break
            window = self._window(window.end - self._overlap, end, window.length + self._overlap)
        reached = min(window.end, settled)
        checkpoint: dict[str, Any] = {"to": _text(reached)}
        if window.end < end:
            checkpoint["window_s"] = int(window.length.total_seconds())
        return checkpoint

    def _window(self, start: datetime, end: datetime, length: timedelta | None) -> _Window:
        """Return a window that begins at ``start``, with its first page: small enough."""
        length = end - start if length is None else max(length, SHORTEST_WINDOW)
        shortest = SHORTEST_WINDOW + self._overlap
        while True:
            length = max(length, shortest)
            until = min(end, _whole_second(start + length))
            ends = {"from": _text(start), "to": _text(until)}
            first = self._entries(self._transport.url("v2/entries", ends))
            expected = _expected_entries(first)
            if expected <= self._max_entries or until - start <= shortest:
                growth = min(4.0, max(1.0, self._max_entries / (2 * max(1, expected))))
                return _Window(start, until, first, min(length, end - _BEGINNING) * growth)
            # Not in proportion: before the first entries that would be ever shorter steps.
            length = (until - start) / 2

    def _entries(self, url: httpx.URL) -> NcmecPage:
        return self._transport.get("entries", url, self._page, headers=self._headers).value

    def _page(self, body: bytes) -> NcmecPage:
        page = parse_page(body, name=self._name, source=self.source)
        if self._check_counts:
            require_whole(self._name, page.entries, page.count, PAGE_SIZE)
        return page

    def _following(self, link: str, window: _Window) -> httpx.URL:
        """Return a next page's address; it belongs to its window and to no other."""
        url = self._transport.resolve(link)
        for name, expected in (("from", window.start), ("to", window.end)):
            given = url.params.get(name)
            if given is not None and not _same(given, expected):
                raise ExchangeProtocolError(
                    f"{self._name}: entries: the next page is of another window: "
                    f"expected {name}={_text(expected)}, got {given[:40]!r}"
                )
        return url

    def status(self) -> NcmecStatus:
        """Return who the credentials belong to."""
        return self._asked("status", "v2/status", parse_status).value

    def members(self) -> tuple[NcmecMember, ...]:
        """Return the members whose entries there are."""
        return self._asked("members", "v2/members", parse_members).value

    def feedback_reasons(self, fingerprint_type: str) -> tuple[NcmecReason, ...]:
        """Return what negative feedback may say of a type of fingerprints, such as ``"MD5"``."""
        path = f"v2/feedback/{quote(fingerprint_type, safe='')}/reasons"
        return self._asked("feedback reasons", path, parse_feedback_reasons).value

    def submit_feedback(
        self,
        member_id: str,
        entry_id: str,
        fingerprint_type: str,
        *,
        affirmative: bool,
        reasons: Iterable[str] = (),
    ) -> None:
        """Tell what a fingerprint of an entry proved to be.

        Parameters
        ----------
        member_id, entry_id : str
            Whose entry, and which.
        fingerprint_type : str
            Such as ``"MD5"``, ``"SHA1"``, ``"PDNA"`` or ``"PDQ"``.
        affirmative : bool
            Whether it is what it was listed as.
        reasons : iterable of str
            Guids of `feedback_reasons`; at least one if not affirmative.
        """
        body = feedback_body(affirmative=affirmative, reasons=tuple(reasons))
        parts = (quote(one, safe="") for one in (member_id, entry_id, fingerprint_type))
        self._transport.send(
            "feedback",
            "PUT",
            self._transport.url("v2/entries/{}/{}/{}/feedback".format(*parts)),
            body,
            headers={**self._headers, "Content-Type": "application/xml; charset=utf-8"},
            repeatable=True,
            read=bytes,
        )

    def _asked(self, label: str, path: str, read: Callable[..., T]) -> Answer[T]:
        return self._transport.get(
            label,
            self._transport.url(path),
            lambda body: read(body, name=f"{self._name} {label}"),
            headers=self._headers,
        )


def _text(instant: datetime) -> str:
    """Return a time in UTC, whatever the machine's zone."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _whole_second(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)


def _same(given: str, expected: datetime) -> bool:
    try:
        return instant_of(given.replace(" ", "+")) == expected
    except ListFormatError:
        return False


def _expected_entries(page: NcmecPage) -> int:
    """Return about how many entries a window has, by its first page's link to the next."""
    found = page.entries
    if page.next is None:
        return found
    try:
        params = httpx.URL(page.next).params
        return found + max(1, int(params["max"]) - int(params["start"]) + 1)
    except (httpx.InvalidURL, KeyError, ValueError):
        return found + 1
