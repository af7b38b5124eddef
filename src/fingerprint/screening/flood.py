"""Noticing a record that suddenly matches everything."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection

from fingerprint.screening.evidence import Flood
from fingerprint.screening.policy import FloodPolicy

__all__ = ["FloodGuard"]

Key = tuple[str, str, str]


class FloodGuard:
    """Counts, over the last uploads, how many different ones each record matches.

    One degenerate hash on a list matches uploads without end. It is reported, and unless the
    policy says otherwise quarantined: its perceptual matches stay in the evidence and
    count no more; equal digests always count. A picture that truly goes round looks the same
    from here, so what a quarantined record matches never passes for no match. The state is
    this object's: nothing is written.

    Parameters
    ----------
    policy : FloodPolicy
        How many matches of how many uploads are too many.
    on_flood : callable, optional
        Called with a `Flood` when a record begins to match too much.
    """

    def __init__(
        self, policy: FloodPolicy | None = None, on_flood: Callable[[Flood], object] | None = None
    ) -> None:
        self.policy = policy or FloodPolicy()
        self._on_flood = on_flood
        self._uploads: deque[tuple[str, tuple[Key, ...]]] = deque()
        self._matches: Counter[Key] = Counter()
        self._known: set[str] = set()
        self._told: set[Key] = set()
        self._suspended: set[Key] = set()
        self._at_the_limit: set[Key] = set()
        self._lock = threading.Lock()

    @property
    def suspended(self) -> frozenset[Key]:
        """List, source and id of records whose perceptual matches count no more."""
        with self._lock:
            return frozenset(self._suspended)

    def may_suspend(self, list_name: str) -> bool:
        """Whether a record of a list is quarantined, or would be by one more match."""
        with self._lock:
            waiting = self._at_the_limit if self.policy.suspend else set()
            return any(key[0] == list_name for key in self._suspended | waiting)

    def resume(self, list_name: str, source: str, record_id: str) -> None:
        """Let a record count again, and count its matches from nothing."""
        key = (list_name, source, record_id)
        with self._lock:
            self._suspended.discard(key)
            self._told.discard(key)
            del self._matches[key]
            self._at_the_limit.discard(key)
            self._uploads = deque(
                (upload, tuple(one for one in keys if one != key)) for upload, keys in self._uploads
            )

    def note(self, upload: str, keys: Collection[Key]) -> tuple[Flood, ...]:
        """Note an upload and the records it matches by perceptual hashes.

        Parameters
        ----------
        upload : str
            What tells uploads apart, such as a digest: the same one again is not counted.
        keys : collection of (list, source, id)
            Records; each once.

        Returns
        -------
        tuple of Flood
            Those of the records that match too much, also if they did before.
        """
        with self._lock:
            if not (upload and upload in self._known):
                self._push(upload, tuple(sorted(keys)))
            return tuple(self._flood(key) for key in sorted(keys) if self._is_flood(key))

    def tell(self, floods: Collection[Flood]) -> None:
        """Call ``on_flood`` with those that it was not yet called with."""
        with self._lock:
            fresh = [one for one in floods if _key(one) not in self._told]
            self._told.update(map(_key, fresh))
        if self._on_flood is not None:
            for one in fresh:
                self._on_flood(one)

    def _push(self, upload: str, keys: tuple[Key, ...]) -> None:
        self._uploads.append((upload, keys))
        self._matches.update(keys)
        most = self.policy.max_matches
        self._at_the_limit.update(key for key in keys if self._matches[key] >= most)
        if upload:
            self._known.add(upload)
        while len(self._uploads) > self.policy.window:
            gone, left = self._uploads.popleft()
            self._known.discard(gone)
            for key in left:
                self._matches[key] -= 1
                if self._matches[key] < most:
                    self._at_the_limit.discard(key)
                if not self._matches[key]:
                    del self._matches[key]
                    self._told.discard(key)

    def _is_flood(self, key: Key) -> bool:
        too_many = self._matches[key] > self.policy.max_matches
        if too_many and self.policy.suspend:
            self._suspended.add(key)
        return too_many or key in self._suspended

    def _flood(self, key: Key) -> Flood:
        n, uploads = self._matches[key], len(self._uploads)
        return Flood(*key, matches=n, uploads=uploads, suspended=key in self._suspended)


def _key(flood: Flood) -> Key:
    return flood.list_name, flood.source, flood.record_id
