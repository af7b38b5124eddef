"""Videos under ids, found by what their frames have in common with a query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from fingerprint.algorithms import Algorithm
from fingerprint.index.creation import facts_of, open_store
from fingerprint.index.entries import incompatible, is_numbered
from fingerprint.index.memory_store import MemoryStore
from fingerprint.index.rebuilding import rebuild
from fingerprint.results import VerifyReport
from fingerprint.video.index_files import create_files, frames_of, write_copy
from fingerprint.video.index_records import VideoEntry, batches_of, names_of
from fingerprint.video.index_searchable import VideoSearchable
from fingerprint.video.index_verification import mend, verify
from fingerprint.video.video_hash import VideoHash

if TYPE_CHECKING:
    from fingerprint.hashes import Kind
    from fingerprint.index.disk_store import MaintenanceMode
    from fingerprint.index.store import Change
    from fingerprint.typing import Metadata, Residency

__all__ = ["Collapse", "VideoIndex"]

Collapse: TypeAlias = "int | Literal['auto'] | None"
"""Bits within which neighbouring frames become one row; None leaves them as they are."""


class VideoIndex(VideoSearchable):
    """Videos under ids: which of them, and which seconds, a query has in common with them.

    All frames are in one `fingerprint.Index`; a video's record is an entry there, too, so
    that each change is one commit. ``VideoIndex(...)`` is in memory; `create` and `open`
    keep it in a directory.

    Parameters
    ----------
    algorithm, bits, version, backend, backend_options
        As for `fingerprint.Index`: the hashes of frames and how they are searched.

    Notes
    -----
    As an `Index` it may be searched from any number of threads and, on disk, processes
    while one writes: an answer is that of one commit, which has all of a video or nothing.
    On disk a change is durable when its call returns.
    """

    def __init__(
        self,
        algorithm: str | Algorithm = "pdq",
        *,
        bits: int | None = None,
        version: int = 1,
        backend: str = "auto",
        backend_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._begin(MemoryStore(facts_of(algorithm, bits, version, backend, backend_options)))

    @classmethod
    def create(
        cls,
        path: str | Path,
        algorithm: str | Algorithm = "pdq",
        *,
        bits: int | None = None,
        version: int = 1,
        backend: str = "auto",
        backend_options: Mapping[str, Any] | None = None,
        maintenance: MaintenanceMode = "background",
    ) -> Self:
        """Make an empty index in a directory of its own, and open it for writing.

        Parameters and errors are those of `fingerprint.Index.create`.
        """
        create_files(Path(path), facts_of(algorithm, bits, version, backend, backend_options))
        return cls.open(path, maintenance=maintenance)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        read_only: bool = False,
        residency: Residency = "mmap",
        maintenance: MaintenanceMode = "background",
    ) -> Self:
        """Open an index that `create` or `snapshot` made.

        Parameters and errors are those of `fingerprint.Index.open`.
        """
        for name, value, known in (
            ("residency", residency, ("mmap", "huge")),
            ("maintenance", maintenance, ("background", "manual")),
        ):
            if value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        index = cls.__new__(cls)
        store = open_store(
            frames_of(Path(path)),
            read_only=read_only,
            residency=residency,
            maintenance=maintenance,
        )
        try:
            index._begin(store)
        except BaseException:
            store.close()
            raise
        return index

    def close(self) -> None:
        """Let go of files and the writer's lock; the index cannot be used any more."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add(
        self,
        id: str,  # noqa: A002 - the field's own name
        video_hash: VideoHash,
        metadata: Metadata | None = None,
        *,
        collapse: Collapse = "auto",
    ) -> None:
        """Add a video.

        Parameters
        ----------
        id : str
            A new id; not one like ``#7``.
        video_hash : VideoHash
            Its frames. Those with too little in them, by the algorithm's
            ``min_quality``, are kept but not looked up: they match by chance. Frames
            without their black bars are looked up as well.
        metadata : mapping, optional
            Anything that JSON can say.
        collapse : int, "auto" or None
            Bits within which neighbouring frames become one row
            (`VideoHash.collapsed`, and ``"auto"`` its default); None: none do.

        Raises
        ------
        DuplicateIdError
            The id is there already.
        IncompatibleHashError
            The hashes are of another algorithm, version or size.
        TypeError, ValueError
            The id is no string or looks like ``#7``, or metadata is not JSON.
        UnsupportedOperationError
            It was opened for reading only.
        OSError
            The disk is full, or cannot be written. Nothing was changed.
        """
        self._put(_one(id, video_hash, metadata), collapse, replacing=False)

    def add_many(
        self,
        ids: Sequence[str],
        video_hashes: Iterable[VideoHash],
        metadata: Iterable[Metadata] | None = None,
        *,
        collapse: Collapse = "auto",
    ) -> None:
        """Add many videos in one go: all of them or, on an error, none.

        Parameters and errors are those of `add`; there must be as many of each.
        """
        if isinstance(ids, str):
            raise TypeError("ids: expected a sequence of str, got str")
        texts = [{}] * len(ids) if metadata is None else metadata
        self._put(_entries(ids, video_hashes, texts), collapse, replacing=False)

    def upsert(
        self,
        id: str,  # noqa: A002
        video_hash: VideoHash,
        metadata: Metadata | None = None,
        *,
        collapse: Collapse = "auto",
    ) -> None:
        """Add a video, in the place of the one with the same id if there is one.

        It moves to the end of the order. Parameters and errors are those of `add`.
        """
        self._put(_one(id, video_hash, metadata), collapse, replacing=True)

    def _put(self, videos: Iterable[VideoEntry], collapse: Collapse, *, replacing: bool) -> None:
        kind = self._frames.kind
        with self._store.transaction():
            for video in videos:
                _check(video, kind)
                short = _collapsed(video.video_hash, collapse)
                whole = VideoEntry(video.id, short, video.metadata)
                batches = batches_of(kind, whole, self.min_quality)
                with self._store.change() as change:
                    if replacing and self._frames.has(video.id):
                        self._discard(change, video.id)
                    for batch in batches:
                        change.insert(batch)

    def remove(self, ids: str | Iterable[str]) -> None:
        """Remove one video, or many in one go: all of them or, on an error, none.

        Searches stop finding them at once; `compact` takes them off the disk.

        Raises
        ------
        UnknownIdError
            An id is not in the index.
        """
        gone = [ids] if isinstance(ids, str) else list(dict.fromkeys(ids))
        with self._store.transaction():
            for one in gone:
                with self._store.change() as change:
                    self._discard(change, one)

    def _discard(self, change: Change, id: str) -> None:  # noqa: A002
        change.discard(names_of(*self._frames.stored(id)))

    def compact(self) -> None:
        """Put all frames into one segment, and overwrite what was removed.

        Afterwards nothing of removed videos is in any file of the index. Searches go on
        meanwhile; changes wait.

        Raises
        ------
        IndexLockedError
            It is compact, but a reader holds on to an older state, which therefore is
            still on the disk.
        """
        self._store.compact()

    def verify(self, progress: Callable[[float], object] | None = None) -> VerifyReport:
        """Read all files and compare them with their checksums, and frames with their records.

        Parameters
        ----------
        progress : callable, optional
            Called with the share of the files that is done, 0 to 1.

        Returns
        -------
        VerifyReport
            What is wrong, if anything.
        """
        return verify(self._store, progress)

    @classmethod
    def rebuild(
        cls,
        path: str | Path,
        *,
        drop_damaged: bool = False,
        progress: Callable[[float], object] | None = None,
    ) -> VerifyReport:
        """Write the segments of an index anew from its catalog, which holds every video.

        With ``drop_damaged``, videos whose records do not match their checksums are
        dropped, and damaged frames of others are restored. Other parameters, and errors,
        are those of `fingerprint.Index.rebuild`.
        """
        frames = frames_of(Path(path))
        report = rebuild(frames, drop_damaged=drop_damaged, progress=progress)
        if not drop_damaged:
            return report
        with cls.open(path, maintenance="manual") as index:
            mend(index._store)
            return index.verify()

    def snapshot(self, path: str | Path) -> None:
        """Write the index as it is now to a new directory; `open` reads it.

        The copy is complete and on the disk before it has its name. An index on disk
        may be written meanwhile.

        Raises
        ------
        IndexFormatError
            Something is there already.
        OSError
            It cannot be written.
        """
        write_copy(self._store, Path(path))


def _one(id: str, video_hash: VideoHash, metadata: Metadata | None) -> list[VideoEntry]:  # noqa: A002
    return [VideoEntry(id, video_hash, {} if metadata is None else metadata)]


def _entries(
    ids: Sequence[str], video_hashes: Iterable[VideoHash], metadata: Iterable[Metadata]
) -> Iterator[VideoEntry]:
    missing: Any = object()
    for parts in zip_longest(ids, video_hashes, metadata, fillvalue=missing):
        if any(part is missing for part in parts):
            raise ValueError("expected as many ids, video hashes and metadata")
        yield VideoEntry(*parts)


def _check(video: VideoEntry, kind: Kind) -> None:
    for name, value, expected in (
        ("id", video.id, str),
        ("video_hash", video.video_hash, VideoHash),
        ("metadata", video.metadata, Mapping),
    ):
        if not isinstance(value, expected):
            found = type(value).__name__
            raise TypeError(f"{name}: expected {expected.__name__}, got {found}")
    if is_numbered(video.id):
        raise ValueError(f"id {video.id!r}: expected another than # and a number")
    if video.video_hash.kind != kind:
        raise incompatible(kind, video.video_hash.kind)


def _collapsed(video_hash: VideoHash, collapse: Collapse) -> VideoHash:
    if collapse is None:
        return video_hash
    return video_hash.collapsed(None if collapse == "auto" else collapse)
