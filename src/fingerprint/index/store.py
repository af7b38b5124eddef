"""What an index needs of the place where its entries are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from fingerprint.index.rows import EntryRow
    from fingerprint.index.tables import Facts
    from fingerprint.index.view import View
    from fingerprint.results import VerifyReport
    from fingerprint.typing import I8, U64

__all__ = ["Batch", "Change", "EntryGoneError", "Frozen", "Record", "Records", "Store"]


class EntryGoneError(Exception):
    """A view found an entry that was removed meanwhile: the search is to be done again."""


class Batch(NamedTuple):
    """New entries: without ids they are named after their sequence numbers.

    ``texts`` is each one's metadata as JSON, None for none; all None when it is None.
    """

    ids: Sequence[str] | None
    words: U64
    quality: I8
    texts: Sequence[str | None] | None


class Change(Protocol):
    """One change of a store: all that was asked of it, or nothing."""

    def insert(self, batch: Batch) -> range:
        """Add entries; return their sequence numbers. DuplicateIdError when one is known."""

    def discard(self, ids: Sequence[str], *, missing_ok: bool = False) -> None:
        """Remove entries; UnknownIdError when one is missing and must not be."""


class Record(NamedTuple):
    """What a match needs of an entry: its id and its metadata as JSON, None for none.

    ``packed`` is its hash where that is kept apart from what is searched.
    """

    name: str
    metadata: str | None
    packed: bytes | None = None


Records: TypeAlias = Callable[[Sequence[int]], dict[int, Record]]
"""Gives what a match needs of entries by their sequence numbers."""


class Frozen(Protocol):
    """A store as it was at one commit."""

    @property
    def view(self) -> View:
        """What a search sees."""

    def records(self, seqs: Sequence[int]) -> dict[int, Record]:
        """Return records of entries by their sequence numbers."""

    def rows(self) -> Iterator[EntryRow]:
        """Yield all entries, in order."""

    def named(self, after: int = 0) -> dict[int, str]:
        """Return the ids that entries were given, by sequence numbers beyond one, in order."""


class Store(ABC):
    """Entries in order of addition, and the view that a search sees of them.

    Reading never waits for a writer. Every change goes through `change`, alone or
    within a `transaction`; what is pending there is seen by `find`, `count` and `rows`
    in the same thread, and by no search.
    """

    facts: Facts
    where: str
    """What messages call it."""
    read_only: bool

    @abstractmethod
    def latest(self) -> tuple[View, Records]:
        """Return the view of the last commit, and the way to the entries it finds.

        That way raises EntryGoneError when an entry was removed meanwhile.
        """

    @abstractmethod
    def frozen(self) -> AbstractContextManager[Frozen]:
        """Hold on to the last commit."""

    @abstractmethod
    def rows(self) -> Iterator[EntryRow]:
        """Yield all entries, in order, as they are now."""

    @abstractmethod
    def find(self, name: str) -> EntryRow | None:
        """Return the entry with this id, if there is one."""

    @abstractmethod
    def count(self) -> int:
        """Return how many entries there are."""

    @abstractmethod
    def change(self) -> AbstractContextManager[Change]:
        """Change entries, all or nothing."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Make several changes one."""

    @abstractmethod
    def seal(self) -> None:
        """Move the tail into a segment."""

    @abstractmethod
    def compact(self) -> None:
        """Move everything into one segment, without what was removed."""

    @abstractmethod
    def verify(self, progress: Callable[[float], object] | None) -> VerifyReport:
        """Compare everything with its checksums."""

    @abstractmethod
    def snapshot(self, path: Path) -> None:
        """Write all of it to a new directory."""

    @abstractmethod
    def info(self) -> dict[str, Any]:
        """Say how it is kept, as plain values."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and locks."""
