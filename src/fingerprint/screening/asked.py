"""What screening asks of a hash list; `fingerprint.lists.HashList` answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.hashes import Hash
    from fingerprint.lists import Record
    from fingerprint.views.families import ViewFamily
    from fingerprint.views.picture import Picture

__all__ = ["FoundFrames", "FoundRecord", "ScreenedList"]


class FoundRecord(Protocol):
    """A record that a look-up found."""

    @property
    def record(self) -> Record:
        """The record."""

    @property
    def distance(self) -> int:
        """Bits; 0 for digests."""

    @property
    def transform(self) -> str:
        """Which view of the query found it."""

    @property
    def list_version(self) -> int:
        """Of the list, when it was asked."""


class FoundFrames(Protocol):
    """Frames of records that are near frames of a query, as arrays of one length."""

    @property
    def owners(self) -> Any:
        """Row of the query, int64."""

    @property
    def records(self) -> Any:
        """Place in `keys`, int64."""

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        """Source and id of the records."""


class ScreenedList(Protocol):
    """A hash list, as far as screening needs it."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def version(self) -> int:
        """Number of its last commit."""

    @property
    def digest(self) -> str:
        """Hex, of its content."""

    @property
    def hash_types(self) -> frozenset[str]:
        """Types of which it has hashes."""

    def __len__(self) -> int: ...

    def count(self, type: str, /) -> int:  # noqa: A002 - what the list calls it
        """Return how many hashes of a type it has."""

    def get(self, source: str, record_id: str) -> Record:
        """Return a record."""

    def records_with(self, type: str, /) -> Iterator[Record]:  # noqa: A002
        """Iterate over records that have a hash of a type."""

    def find(self, type: str, value: str, /) -> Sequence[FoundRecord]:  # noqa: A002
        """Return the records that have this very value."""

    def within(
        self,
        query: Mapping[str, Hash],
        radius: int,
        *,
        exclude: Callable[[Record], bool] | None = None,
    ) -> Sequence[FoundRecord]:
        """Return records near any of the views, each with its nearest."""

    def match_picture(
        self,
        picture: Picture,
        families: Sequence[ViewFamily],
        radii: Mapping[str, int],
        *,
        thorough: bool = False,
        exclude: Callable[[Record], bool] | None = None,
    ) -> Sequence[FoundRecord]:
        """Return records near views of a picture, asked in stages."""

    def frames_within(self, hashes: HashArray, radius: int) -> FoundFrames:
        """Return frames of videos near frames of a query."""

    def stale_reasons(
        self, now: datetime | None = None, max_age_s: float | None = None
    ) -> list[str]:
        """Return why it is stale; nothing when it is fresh."""
