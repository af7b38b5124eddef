"""Entries on disk: a catalog that is the truth, and segments that make it fast to search."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from fingerprint.errors import IndexLockedError, UnsupportedOperationError
from fingerprint.index.catalog import Catalog, Snapshot
from fingerprint.index.connections import closed, left_by_fork
from fingerprint.index.locking import locked
from fingerprint.index.merging import Background, compact, merge, plan_merge
from fingerprint.index.reading import find_row, iterate_rows
from fingerprint.index.store import Change, Records, Store
from fingerprint.index.tables import CATALOG, FORMAT
from fingerprint.index.verification import verify
from fingerprint.index.writer import Writer

if TYPE_CHECKING:
    from fingerprint.index.rows import EntryRow
    from fingerprint.index.view import View
    from fingerprint.results import VerifyReport
    from fingerprint.typing import Residency

__all__ = ["DiskStore", "MaintenanceMode", "nbytes_of"]

MaintenanceMode: TypeAlias = Literal["background", "manual"]


class DiskStore(Store):
    """An index in a directory, read by many and written by one.

    Opening maps the segments and reads the tail; nothing in it grows with the size of
    the segments.
    """

    def __init__(
        self,
        directory: Path,
        *,
        read_only: bool,
        residency: Residency,
        maintenance: MaintenanceMode,
    ) -> None:
        # The working directory may change, and a relative path would lead elsewhere.
        self.directory = directory = directory.absolute()
        self.where = str(directory)
        self.read_only = read_only
        self._pid = os.getpid()
        self._closed = False
        self._writer: Writer | None = None
        self._background: Background | None = None
        with ExitStack() as opened:
            if not read_only:
                opened.enter_context(locked(directory))
            self._catalog = Catalog(directory, residency)
            opened.callback(self._catalog.close)
            self.facts = self._catalog.facts
            if not read_only:
                self._writer = Writer(self._catalog)
                opened.callback(self._writer.close)
                if maintenance == "background":
                    self._background = Background(self._merge_once)
            self._catalog.view()
            self._held = opened.pop_all()

    def latest(self) -> tuple[View, Records]:
        """Return the view of the last commit, and the way to the entries it finds."""
        return self._catalog.view(), self._catalog.records

    def frozen(self) -> AbstractContextManager[Snapshot]:
        """Hold on to the last commit."""
        return self._catalog.frozen()

    def rows(self) -> Iterator[EntryRow]:
        """Yield all entries, in order, as they are now."""
        writer = self._with_pending()
        if writer is not None:
            yield from iterate_rows(writer.db, self.directory)
            return
        with self._catalog.frozen() as frozen:
            yield from frozen.rows()

    def find(self, name: str) -> EntryRow | None:
        """Return the entry with this id, if there is one."""
        writer = self._with_pending()
        if writer is not None:
            return find_row(writer.db, self.directory, name)
        return self._catalog.find(name)

    def count(self) -> int:
        """Return how many entries there are."""
        writer = self._with_pending()
        if writer is not None:
            return writer.pending_entries
        return self._catalog.view().state.entries

    @contextmanager
    def change(self) -> Iterator[Change]:
        """Change entries, all or nothing."""
        writer = self._writing()
        with writer.change() as change:
            yield change
        self._after_commit()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several changes one."""
        with self._writing().transaction():
            yield
        self._after_commit()

    def seal(self) -> None:
        """Move the tail into a segment."""
        self._writing().seal()
        self._after_commit()

    def compact(self) -> None:
        """Move everything into one segment, and overwrite what was removed."""
        writer = self._writing()
        if self._background is not None:
            self._background.wait()
        compact(writer)

    def verify(self, progress: Callable[[float], object] | None) -> VerifyReport:
        """Compare everything with its checksums; a writer notes the outcome."""
        self._refuse_closed()
        report = verify(self.directory, progress)
        if self._writer is not None:
            when = datetime.now(UTC).isoformat(timespec="seconds")
            outcome = {"when": when, "ok": report.ok, "problems": len(report.problems)}
            # What was found matters more than that it is noted.
            with suppress(OSError, IndexLockedError):
                self._writer.note("verified", json.dumps(outcome))
        return report

    def snapshot(self, path: Path) -> None:
        """Write all of it to a new directory."""
        self._refuse_closed()
        from fingerprint.index.snapshots import copy_of_disk  # It opens stores itself.

        copy_of_disk(self.directory, path)

    def info(self) -> dict[str, Any]:
        """Say how it is kept, as plain values."""
        with self._catalog.connection() as db:
            facts = dict(db.execute("SELECT name, value FROM facts"))
        verified = facts.get("verified")
        return {
            "path": self.where,
            "format": FORMAT,
            "read_only": self.read_only,
            "residency": self._catalog.residency,
            "nbytes_catalog": sum(
                file.stat().st_size for file in self.directory.glob(f"{CATALOG}*")
            ),
            "nbytes_on_disk": nbytes_of(self.directory),
            "verified": None if verified is None else json.loads(verified),
        }

    def close(self) -> None:
        """Finish the merge at hand, close the files, let go of the lock.

        In the child of a fork everything is left to the parent.
        """
        self._closed = True
        if os.getpid() != self._pid:
            self._catalog.close()
            left_by_fork.append(self._held.pop_all())
        elif self._writer is None or not self._writer.finish_first(self._finish):
            self._finish()

    def _finish(self) -> None:
        if self._background is not None:
            self._background.stop()
        self._held.close()
        if self._background is not None:
            self._background.report()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise closed(self.where)

    def _with_pending(self) -> Writer | None:
        """Return the writer when the calling thread has a transaction open."""
        self._refuse_closed()
        writer = self._writer
        return writer if writer is not None and writer.in_own_transaction else None

    def _writing(self) -> Writer:
        self._refuse_closed()
        if self._writer is None:
            raise UnsupportedOperationError(f"{self.where}: opened with read_only=True")
        if self._background is not None:
            self._background.report()
        return self._writer

    def _after_commit(self) -> None:
        if self._background is not None and self._worth_merging():
            self._background.wake()

    def _worth_merging(self) -> bool:
        return bool(plan_merge(self._catalog.published.segments))

    def _merge_once(self) -> bool:
        writer = self._writer
        if writer is None:
            return False
        try:
            parts = plan_merge(self._catalog.view().segments)
            if parts:
                merge(writer, parts)
        except ValueError:
            if self._closed:  # In the middle of a change: nothing is to be told.
                return False
            raise
        return bool(parts)


def nbytes_of(directory: Path) -> int:
    """Return the size of all files below a directory; some may vanish meanwhile."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(folder, name).stat().st_size
    return total
