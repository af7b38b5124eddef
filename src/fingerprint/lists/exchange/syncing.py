"""A list is brought up to date with an exchange: what was read and how far, in one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fingerprint.errors import CheckpointExpiredError, ExchangeProtocolError
from fingerprint.lists.exchange.base import ExchangeClient, Fetch, Progress
from fingerprint.lists.records import Change
from fingerprint.lists.reports import ApplyReport

__all__ = ["SyncReport", "SyncedList", "sync"]

MOST_FETCHES = 100_000


class SyncedList(Protocol):
    """What `sync` needs of a list; `fingerprint.lists.HashList` is one."""

    def checkpoint(self, feed: str = "") -> Mapping[str, Any]:
        """Return the feed's checkpoint; empty without one."""

    def mark_stale(self, feed: str, reason: str) -> None:
        """Say that the feed's records may be out of date."""

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
        """Commit changes and checkpoint, all or nothing."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a synchronisation did; see `ApplyReport` for each commit.

    Parameters
    ----------
    feed : str
        Of the client.
    commits : tuple of ApplyReport
        One for each part of the feed, in order.
    refetched : str
        Why everything was read anew; empty when it was not.
    """

    feed: str
    commits: tuple[ApplyReport, ...]
    refetched: str = ""

    @property
    def version(self) -> int:
        """Version of the list afterwards."""
        return self.commits[-1].version

    @property
    def digest(self) -> str:
        """Digest of the list's content afterwards."""
        return self.commits[-1].digest

    @property
    def changed(self) -> bool:
        """Whether there is a new version."""
        return any(one.changed for one in self.commits)

    @property
    def added(self) -> int:
        """Records that were not on the list."""
        return sum(one.added for one in self.commits)

    @property
    def updated(self) -> int:
        """Records that changed."""
        return sum(one.updated for one in self.commits)

    @property
    def retracted(self) -> int:
        """Records that were withdrawn."""
        return sum(one.retracted for one in self.commits)

    @property
    def rejected(self) -> int:
        """Rows of which nothing could be used."""
        return sum(one.rejected for one in self.commits)

    @property
    def rejected_hashes(self) -> int:
        """Single hashes that could not be used."""
        return sum(one.rejected_hashes for one in self.commits)

    @property
    def withheld(self) -> int:
        """Records kept though a snapshot does not name them."""
        return sum(one.withheld for one in self.commits)

    @property
    def purged(self) -> bool:
        """Whether nothing of what was retracted is left in the files."""
        return all(one.purged for one in self.commits)


def sync(
    client: ExchangeClient,
    hash_list: SyncedList,
    *,
    by: str,
    full: bool = False,
    max_retracted_share: float = 0.5,
    purge: bool = True,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> SyncReport:
    """Bring a list up to date with an exchange.

    Each part that was read whole is committed with its checkpoint, so that an
    interrupted first reading goes on where it was. Where withdrawals since the checkpoint
    are no longer told, the list is marked stale and everything is read as a snapshot.

    Parameters
    ----------
    client : ExchangeClient
        Of the exchange.
    hash_list : HashList
        To be changed.
    by : str
        Who answers for it, for the list's history.
    full : bool
        Read everything as a snapshot, whatever the checkpoint: finds what an
        exchange forgot to withdraw.
    max_retracted_share : float
        A snapshot that would withdraw a larger share is refused.
    purge : bool
        Overwrite what is withdrawn.
    progress : callable, optional
        Called with the number of entries read so far.
    now : datetime, optional
        The time here; the clock's by default.

    Raises
    ------
    ExchangeError
        And its children. What was not committed before leaves the list as it was.
    ListRefusedError
        See ``max_retracted_share``.
    """
    commits: list[ApplyReport] = []
    counted = _Counted(progress)

    def commit(fetch: Fetch) -> ApplyReport:
        return hash_list.apply(
            fetch,
            by=by,
            feed=client.feed,
            checkpoint=lambda: fetch.checkpoint,
            snapshot_of=fetch.source if fetch.is_snapshot else None,
            max_retracted_share=max_retracted_share,
            refreshed_at=fetch.refreshed_at,
            expires_at=fetch.expires_at,
            note="everything" if fetch.is_snapshot else "",
            purge=purge,
            by_time=True,
        )

    refetched = ""
    for _ in range(MOST_FETCHES):
        before = dict(hash_list.checkpoint(client.feed))
        try:
            fetch = client.fetch(before, full=full, now=now, progress=counted.progress)
        except CheckpointExpiredError as error:
            if full or refetched:
                raise
            refetched = str(error)
            hash_list.mark_stale(client.feed, refetched)
            full = True
            continue
        commits.append(commit(fetch))
        if not fetch.more:
            return SyncReport(client.feed, tuple(commits), refetched)
        if fetch.checkpoint == before:
            break
        counted.next()
    raise ExchangeProtocolError(f"{client.feed.replace('/', ' ')}: the feed does not end")


class _Counted:
    """Adds up the entries of several fetches."""

    def __init__(self, progress: Progress | None) -> None:
        self._report = progress
        self._before = 0
        self._now = 0
        self.progress: Progress | None = None if progress is None else self._count

    def _count(self, entries: int) -> None:
        self._now = entries
        if self._report is not None:
            self._report(self._before + entries)

    def next(self) -> None:
        """Begin the next fetch."""
        self._before += self._now
        self._now = 0
