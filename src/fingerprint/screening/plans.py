"""Which hashes a list is asked for, of one upload."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from fingerprint.errors import UnsupportedOperationError
from fingerprint.lists.hash_types import HASH_TYPES
from fingerprint.screening.digests import DIGEST_TYPES
from fingerprint.screening.evidence import ScreeningFailure, StaleList

if TYPE_CHECKING:
    from fingerprint.screening.asked import ScreenedList
    from fingerprint.screening.media_kind import MediaSort
    from fingerprint.screening.policy import ListPolicy

__all__ = ["PERCEPTUAL_TYPES", "ListPlan", "begin", "wanted"]

PERCEPTUAL_TYPES = tuple(n for n, one in HASH_TYPES.items() if one.family == "perceptual")
VIDEO_TYPES = tuple(n for n, one in HASH_TYPES.items() if one.family == "video")
SUPPLIED_TYPES = tuple(n for n, one in HASH_TYPES.items() if one.family == "supplied")


@dataclass(slots=True)
class ListPlan:
    """One list, and what it is asked of one upload.

    Attributes
    ----------
    types : frozenset of str
        Hash types that it has and the policy asks; after `narrow`, those of them
        that this upload has.
    has : frozenset of str
        Hash types that the list has.
    version, digest, stale
        Of the list, when the screening began.
    thorough : bool
        Ask all stages of views, whatever is found first: it may not count in the end.
    notes, failures : list
        For the result.
    """

    name: str
    hash_list: ScreenedList
    policy: ListPolicy
    thorough: bool = False
    types: frozenset[str] = frozenset()
    has: frozenset[str] = frozenset()
    version: int = 0
    digest: str = ""
    stale: StaleList | None = None
    notes: list[str] = field(default_factory=list)
    failures: list[ScreeningFailure] = field(default_factory=list)

    @property
    def is_negative(self) -> bool:
        """Whether its records suppress matches instead of making them."""
        return self.policy.role == "negative"

    @property
    def wants_decoding(self) -> bool:
        """Whether it has hashes of pixels that its policy asks for."""
        decoded = {*PERCEPTUAL_TYPES, *VIDEO_TYPES}
        return any(name in decoded and self.policy.asks(name) for name in self.has)

    def look(self, now: datetime) -> None:
        """Ask the list what it is and has; what goes wrong is noted."""
        try:
            self.version, self.digest = self.hash_list.version, self.hash_list.digest
            has = self.has = frozenset(self.hash_list.hash_types)
            reasons = self.hash_list.stale_reasons(now, self.policy.max_age_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, the list was not asked
            self.fail(error)
            return
        if reasons:
            self.stale = StaleList(self.name, tuple(reasons))
        if not has:
            self.notes.append("it has no hashes")
        asked = self.policy.algorithms
        if asked is not None:
            self._note("it has no hashes of", set(asked) - has)
            self._note("its policy does not ask for", has - set(asked))
        self.types = frozenset(name for name in has if self.policy.asks(name))

    def narrow(self, media: MediaSort, *, has_bytes: bool, supplied: Collection[str]) -> None:
        """Keep the types that this upload has; fail where that leaves out what must be asked."""
        fits = {name for name in self.types if self._fits(name, media)}
        if self.types and not fits:
            self._note(f"it has nothing to compare {media}s with but", self.types)
        else:
            self._note(f"{media}s are not compared with its", self.types - fits)
        missing = {name for name in fits if name in SUPPLIED_TYPES and name not in supplied}
        if not has_bytes:
            missing |= fits & set(DIGEST_TYPES)
        self._note("not known of this upload:", missing)
        self.types = frozenset(fits - missing)
        named = self.policy.algorithms is not None
        if missing and (named or not self.types):
            what = ", ".join(sorted(missing))
            self.fail(UnsupportedOperationError(f"this upload came without {what}"))

    def fail(self, error: Exception) -> None:
        """Note that the list could not be asked."""
        self.failures.append(ScreeningFailure.of("list", error, self.name))

    def _fits(self, name: str, media: MediaSort) -> bool:
        if name in DIGEST_TYPES or name in SUPPLIED_TYPES:
            return True
        if media == "image":
            return name in PERCEPTUAL_TYPES
        if self.is_negative:
            return False
        return name in VIDEO_TYPES or (name == "pdq" and self.policy.video_frames)

    def _note(self, text: str, names: Iterable[str]) -> None:
        if listed := ", ".join(sorted(names)):
            self.notes.append(f"{text} {listed}")


def begin(lists: Iterable[tuple[str, ScreenedList, ListPolicy]], now: datetime) -> list[ListPlan]:
    """Look at each list, as it is now."""
    plans = [ListPlan(name, hash_list, policy) for name, hash_list, policy in lists]
    for plan in plans:
        plan.look(now)
    return plans


def wanted(plans: Iterable[ListPlan], names: Collection[str]) -> list[str]:
    """Return which of some types any list is asked for, in their order."""
    asked = frozenset[str]().union(*(plan.types for plan in plans))
    return [name for name in names if name in asked]
