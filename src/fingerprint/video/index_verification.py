"""Whether a video index holds of each video its record and its frames, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from fingerprint.errors import CorruptIndexError
from fingerprint.results import VerifyReport
from fingerprint.video.index_records import StoredVideo, batches_of, names_of, read_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from fingerprint.index.rows import EntryRow
    from fingerprint.index.store import Store

__all__ = ["mend", "verify"]

_MOST_PROBLEMS = 100


class _Fault(NamedTuple):
    """Something wrong: with the frames of a video whose record is whole, or with an entry."""

    problem: str
    seq: int
    name: str
    video: StoredVideo | None


def verify(store: Store, progress: Callable[[float], object] | None) -> VerifyReport:
    """Check the index of frames, and then that its entries make up videos."""
    report = store.verify(progress)
    problems = list(report.problems)
    if not problems:
        for fault in _faults(store):
            problems.append(fault.problem)
            if len(problems) == _MOST_PROBLEMS:
                break
    return VerifyReport(tuple(problems), report.entries, report.segments)


def mend(store: Store) -> None:
    """Write the frames of videos anew where they differ from the record; drop those of none."""
    faults = list(_faults(store))
    kind = store.facts.kind
    with store.transaction():
        for fault in faults:
            with store.change() as change:
                if fault.video is None:
                    change.discard([fault.name])
                    continue
                change.discard(names_of(fault.seq, fault.video), missing_ok=True)
                for batch in batches_of(kind, fault.video.entry, fault.video.min_quality):
                    change.insert(batch)


def _faults(store: Store) -> Iterator[_Fault]:
    """Yield what is wrong with the entries, in their order."""
    for rows in _by_record(store.rows()):
        first, video = rows[0], None
        if first.id is not None:
            try:
                video = read_record(first.id, first.metadata, store.facts.kind, store.where)
            except CorruptIndexError as error:
                yield _Fault(error.detail, first.seq, first.name, None)
        end = first.seq + (0 if video is None else video.n_entries)
        for row in rows:
            if row.seq >= end and row.id is None:
                yield _Fault(f"entry {row.seq}: belongs to no video", row.seq, row.name, None)
        if video is not None and not _is_whole(rows, first.seq, video):
            what = f"video {first.name!r}: its frames are not those of its record"
            yield _Fault(what, first.seq, first.name, video)


def _by_record(rows: Iterable[EntryRow]) -> Iterator[list[EntryRow]]:
    """Yield each entry that has an id with those after it that have none."""
    some: list[EntryRow] = []
    for row in rows:
        if row.id is not None and some:
            yield some
            some = []
        some.append(row)
    if some:
        yield some


def _is_whole(rows: list[EntryRow], first: int, video: StoredVideo) -> bool:
    hashes = video.frames.hashes
    if not len(hashes):
        return True
    expected = [
        (first + k, packed.tobytes(), quality)
        for k, (packed, quality) in enumerate(
            zip(hashes.packed, hashes.quality.tolist(), strict=True)
        )
    ]
    end = first + len(hashes)
    return [(row.seq, row.packed, row.quality) for row in rows if row.seq < end] == expected
