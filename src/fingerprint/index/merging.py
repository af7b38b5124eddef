"""Few segments out of many: which are merged, how, and in the background."""

from __future__ import annotations

import inspect
import math
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fingerprint.errors import MaintenanceWarning
from fingerprint.index.building import Built
from fingerprint.index.catalog import read_manifest
from fingerprint.index.segments import (
    SEGMENTS,
    Segment,
    damaged,
    sha256_of,
)
from fingerprint.index.writer import OvertakenError, Writer

if TYPE_CHECKING:
    from fingerprint.index.view import Part

__all__ = ["Background", "compact", "merge", "plan_merge"]

FAN_OUT = 4
"""Segments of about one size that become one: rewrites each entry log4(n) times."""

SMALLEST_TIER = 32_768
SPARSE_ABOVE = 0.2
"""Share of removed rows from which a segment is written anew."""

_COLUMN_FILES = ("hashes.npy", "quality.npy", "seq.npy")


def plan_merge(parts: Sequence[Part]) -> Sequence[Part]:
    """Return neighbours to be merged into one, or nothing to do.

    Sizes fall into tiers, each `FAN_OUT` times the one below; a small segment between
    larger ones counts as one of theirs. `FAN_OUT` neighbours in a tier are merged.
    """
    tiers = [_tier(part.n_alive) for part in parts]
    for i in range(len(tiers) - 2, -1, -1):
        tiers[i] = max(tiers[i], tiers[i + 1])
    for tier in sorted(set(tiers)):
        alike = [part for part, its in zip(parts, tiers, strict=True) if its == tier]
        if len(alike) >= FAN_OUT:
            return alike
    sparse = [part for part in parts if part.removed.size > SPARSE_ABOVE * len(part)]
    return sparse[:1]


def _tier(n: int) -> int:
    return max(0, math.ceil(math.log(max(n, 1) / SMALLEST_TIER, FAN_OUT)))


def merge(writer: Writer, parts: Sequence[Part]) -> None:
    """Write segments as one, without what was removed, and put it in their place.

    The new one is built beside the old ones, while the writer goes on writing.
    """
    listed = _listed(writer)
    try:
        for part in parts:
            _check_columns(writer, part, listed)
        chunks = (rows for part in parts for rows in part.alive_rows())
        built = Built(writer.catalog, chunks, sum(part.n_alive for part in parts))
        built.segment()  # Waited for here: the writer's turn is taken when it is done.
        writer.replace(parts, built)
    except (FileNotFoundError, OvertakenError):
        # A compaction was quicker; but whatever is listed must be there.
        if {part.name for part in parts} <= set(_listed(writer)):
            raise


def compact(writer: Writer) -> None:
    """Put all entries into one segment, and overwrite what was removed."""
    with writer.turn():
        writer.refuse_in_transaction("compact")
        view = writer.catalog.view()
        if len(view.segments) > 1 or view.tail.n or any(p.removed.size for p in view.segments):
            listed = _listed(writer)
            for part in view.segments:
                _check_columns(writer, part, listed)
            built = Built(writer.catalog, view.alive_rows(), view.state.entries)
            writer.replace(view.segments, built, sealed=view.state.next_seq - 1)
        writer.erase()


def _listed(writer: Writer) -> dict[str, Segment]:
    with writer.catalog.connection() as db:
        return {segment.name: segment for segment in read_manifest(db)}


def _check_columns(writer: Writer, part: Part, listed: dict[str, Segment]) -> None:
    """Refuse to copy damage, which would get a fresh checksum with the copy."""
    if part.name not in listed:
        raise OvertakenError
    for name in _COLUMN_FILES:
        path = writer.directory / SEGMENTS / part.name / name
        if sha256_of(path) != listed[part.name].files[name][1]:
            raise damaged(writer.directory, part.name, f"{name} does not match its checksum")


class Background:
    """Merges in a thread of its own while there is something to merge.

    What goes wrong there is kept and told by `report`.
    """

    def __init__(self, step: Callable[[], bool]) -> None:
        self._step = step
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._stopped = False

    def wake(self) -> None:
        """Begin to work, unless at it or stopped."""
        with self._lock:
            busy = self._thread is not None and self._thread.is_alive()
            if busy or self._stopped or self._error is not None:
                return
            self._thread = threading.Thread(
                target=self._work, name="fingerprint-merge", daemon=True
            )
            self._thread.start()

    def _work(self) -> None:
        try:
            while not self._stopped and self._step():
                pass
        except Exception as error:  # noqa: BLE001 - told by report
            self._error = error

    def wait(self) -> None:
        """Wait until there is nothing to do."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def stop(self) -> None:
        """Finish the merge at hand, and begin no other."""
        self._stopped = True
        self.wait()

    def report(self) -> None:
        """Warn of what went wrong since the last report, and be ready to try again."""
        error, self._error = self._error, None
        if error is not None:
            warnings.warn(
                f"segments could not be merged in the background: {error}",
                MaintenanceWarning,
                stacklevel=_level_of_caller(),
            )


def _level_of_caller() -> int:
    """Return the stack level, as `report` counts them, of whoever called this package."""
    level, frame = 1, inspect.currentframe()
    frame = None if frame is None else frame.f_back
    while frame is not None and frame.f_globals["__name__"].startswith(("fingerprint.", "context")):
        level, frame = level + 1, frame.f_back
    return level
