"""What the clients of the exchanges share: one reading of a feed, paging, and two clocks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, Unpack

from fingerprint.errors import ExchangeError, ExchangeProtocolError, ListFormatError
from fingerprint.lists.exchange.credentials import Credentials
from fingerprint.lists.exchange.transport import Transport, TransportOptions
from fingerprint.lists.records import Change, instant_of

__all__ = [
    "Client",
    "Clocks",
    "ExchangeClient",
    "Fetch",
    "PageGuard",
    "require_whole",
]

Changes = Generator[Change, None, Mapping[str, Any]]
Progress = Callable[[int], object]

OVERLAP_S = 300.0
"""What is read twice, for entries that were dated before they could be seen."""

UNKNOWN_CLOCK_S = 86_400.0
"""How far a clock is trusted where the exchange does not tell its own."""


class Fetch:
    """One reading of a feed: iterate it once, to its end, and then ask for its checkpoint.

    Attributes
    ----------
    source : str
        Whose records these are: theirs, or begins theirs before a slash.
    is_snapshot : bool
        Whether this is all that the source has, so that what is not in it is gone.
    refreshed_at : datetime
        Up to when the feed is complete after this, in UTC.
    expires_at : datetime or None
        After this the checkpoint is of no use.
    more : bool
        Whether the feed goes on: fetch again from the checkpoint.
    """

    def __init__(
        self,
        changes: Changes,
        *,
        source: str,
        is_snapshot: bool,
        refreshed_at: datetime,
        expires_at: datetime | None = None,
        more: bool = False,
    ) -> None:
        self.source = source
        self.is_snapshot = is_snapshot
        self.refreshed_at = refreshed_at
        self.expires_at = expires_at
        self.more = more
        self._changes: Changes | None = changes
        self._checkpoint: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[Change]:
        changes, self._changes = self._changes, None
        if changes is None:
            raise ExchangeError("a fetch can be read once: fetch again")
        self._checkpoint = dict((yield from changes))

    @property
    def checkpoint(self) -> dict[str, Any]:
        """Where to go on from; ExchangeError before the last page was read."""
        if self._checkpoint is None:
            raise ExchangeError("a fetch has no checkpoint before it was read to its end")
        return dict(self._checkpoint)


class ExchangeClient(Protocol):
    """What `sync` needs of a client.

    Attributes
    ----------
    feed : str
        What a list calls its records, its checkpoint and how fresh it is.
    """

    @property
    def feed(self) -> str:
        """Name of what it reads."""

    def fetch(
        self,
        checkpoint: Mapping[str, Any],
        *,
        full: bool = False,
        now: datetime | None = None,
        progress: Progress | None = None,
    ) -> Fetch:
        """Begin to read what changed since a checkpoint; everything without one.

        Parameters
        ----------
        checkpoint : mapping
            Of an earlier fetch; empty for the first.
        full : bool
            Read everything, whatever the checkpoint, as a snapshot.
        now : datetime, optional
            The time here; the clock's by default.
        progress : callable, optional
            Called with the number of entries read so far, after each page.

        Raises
        ------
        CheckpointExpiredError
            Withdrawals since the checkpoint are no longer told: fetch in full.
        ExchangeError
            And its children: the exchange does not answer as documented.
        """


class Client:
    """A client's name, transport and manners; see `TransportOptions` for the options."""

    def __init__(
        self,
        feed: str,
        base_url: str,
        credentials: Credentials,
        *,
        overlap_s: float = OVERLAP_S,
        max_pages: int = 100_000,
        **options: Unpack[TransportOptions],
    ) -> None:
        if not overlap_s >= 0:
            raise ValueError(f"overlap_s: expected 0 or more, got {overlap_s}")
        if max_pages < 1:
            raise ValueError(f"max_pages: expected 1 or more, got {max_pages}")
        self.feed = feed
        self.source = feed
        self._name = feed.replace("/", " ")
        self._credentials = credentials
        self._overlap = timedelta(seconds=overlap_s)
        self._max_pages = max_pages
        self._transport = Transport(self._name, base_url, credentials, **options)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.feed!r}, {str(self._transport.base)!r})"

    def _guard(self, progress: Progress | None) -> PageGuard:
        return PageGuard(self._name, self._max_pages, progress)

    def _instant(self, checkpoint: Mapping[str, Any], name: str) -> datetime:
        """Return a time of a checkpoint that this client wrote."""
        try:
            return instant_of(checkpoint[name])
        except (KeyError, ListFormatError):
            pass
        raise ExchangeError(f"{self._name}: checkpoint: {name}: expected a time with its zone")

    def _seconds(self, checkpoint: Mapping[str, Any], name: str) -> int:
        """Return seconds since 1970 of a checkpoint that this client wrote."""
        value = checkpoint.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 40:
            raise ExchangeError(f"{self._name}: checkpoint: {name}: expected seconds since 1970")
        return value


class Clocks(NamedTuple):
    """The time here and the time there, when a fetch began.

    Attributes
    ----------
    here : datetime
        By this machine's clock.
    there : datetime or None
        By the exchange's; None where it does not tell.
    """

    here: datetime
    there: datetime | None

    @property
    def latest(self) -> datetime:
        """The later of both: nothing that can be seen is dated after it."""
        return self.here if self.there is None else max(self.here, self.there)

    def settled(self, overlap: timedelta) -> datetime:
        """Return a time before which nothing new appears, by whichever clock is right.

        A clock that is fast would let a checkpoint pass entries that are yet to come; so the
        slower one counts. One that is slow only costs reading twice.
        """
        if self.there is None:
            return self.here - max(overlap, timedelta(seconds=UNKNOWN_CLOCK_S))
        return min(self.here, self.there) - overlap

    @property
    def refreshed_at(self) -> datetime:
        """The time here, to the second."""
        return self.here.astimezone(UTC).replace(microsecond=0)


class PageGuard:
    """Counts pages and entries, and stops when paging does not end."""

    def __init__(self, name: str, max_pages: int, progress: Progress | None) -> None:
        self._name = name
        self._max_pages = max_pages
        self._progress = progress
        self._seen: set[bytes] = set()
        self._pages = 0
        self._entries = 0

    def read(self, entries: int) -> None:
        """Count a page that was read."""
        self._pages += 1
        self._entries += entries
        if self._progress is not None:
            self._progress(self._entries)

    def follow(self, link: str) -> None:
        """Refuse a next page that was read before, or one too many."""
        mark = hashlib.sha256(link.encode("utf-8", "surrogatepass")).digest()[:16]
        if mark in self._seen:
            raise ExchangeProtocolError(f"{self._name}: paging goes round in circles")
        self._seen.add(mark)
        if self._pages >= self._max_pages:
            raise ExchangeProtocolError(
                f"{self._name}: paging has not ended after {self._pages:,} pages"
            )


def require_whole(name: str, found: int, count: int | None, size: int) -> None:
    """Refuse a page that has fewer entries than it says.

    A number beyond the size of a page is not the page's own.

    Raises
    ------
    ListFormatError
        It is half a page; asked again, the exchange may send it whole.
    """
    if count is not None and found < count <= size:
        raise ListFormatError(
            name, f"expected the {count:,} entries that it tells of, got {found:,}"
        )
