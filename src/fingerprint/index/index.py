"""The index: made, opened, changed, checked, copied. `searchable` has what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fingerprint.algorithms import Algorithm
from fingerprint.errors import UnknownIdError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index.creation import create_index, facts_of, open_store
from fingerprint.index.entries import (
    NumberedIds,
    batch_of,
    is_storable,
)
from fingerprint.index.interchange import (
    Imported,
    faiss_batches,
    parquet_batches,
    write_parquet,
)
from fingerprint.index.memory_store import MemoryStore
from fingerprint.index.rebuilding import rebuild
from fingerprint.index.searchable import Searchable
from fingerprint.results import VerifyReport

if TYPE_CHECKING:
    from fingerprint.index.disk_store import MaintenanceMode
    from fingerprint.typing import Metadata, Residency

__all__ = ["Index"]


class Index(Searchable):
    """Hashes of one algorithm under ids, searched by Hamming distance.

    ``Index(...)`` is in memory; `create` and `open` keep it in a directory.

    Parameters
    ----------
    algorithm : str or Algorithm
        Whose hashes it holds.
    bits : int, optional
        Bits of a hash; needed for an algorithm that this installation does not
        know, such as one whose hashes only come from lists.
    version : int
        Version of the algorithm.
    backend : str
        Name of the search structure (`fingerprint.backend_names`), or ``"auto"``.
        ``"auto"`` never gives up exactness.
    backend_options : mapping, optional
        Options of the backend's ``build``.

    Notes
    -----
    Searching is safe from any number of threads and, on disk, processes while one
    writes: an answer is that of one commit. On disk a change is durable when its
    call returns.

    Examples
    --------
    >>> import fingerprint as fp
    >>> index = fp.Index("pdq")
    >>> index.add("a", fp.Hash.parse("pdq:" + "0f" * 32, quality=100))
    ['a']
    >>> [(m.id, m.distance) for m in index.within(fp.Hash.parse("pdq:" + "0e" * 32), 32)]
    [('a', 32)]
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
        facts = facts_of(algorithm, bits, version, backend, backend_options)
        self._begin(MemoryStore(facts))

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

        The directory is readable by its owner alone.

        Parameters
        ----------
        path : str or Path
            A new path, or an empty folder.
        algorithm, bits, version, backend, backend_options
            As for the class.
        maintenance : {"background", "manual"}
            ``"background"``: segments are merged beside the writing; ``"manual"``: by
            `compact` alone.

        Raises
        ------
        IndexFormatError
            Something is there already.
        """
        create_index(Path(path), facts_of(algorithm, bits, version, backend, backend_options))
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

        Parameters
        ----------
        path : str or Path
            Its directory.
        read_only : bool
            Any number of readers may have it open, beside one writer whose commits
            they see without opening it again.
        residency : {"mmap", "huge"}
            ``"mmap"``: hashes and search structures are mapped, shared by processes,
            and there at once. ``"huge"``: copied into private huge pages, for the lowest
            latency.
        maintenance : {"background", "manual"}
            As for `create`.

        Raises
        ------
        IndexFormatError
            It is no index, or of a newer format.
        CorruptIndexError
            It is damaged.
        IndexLockedError
            It is open for writing already.
        """
        for name, value, known in (
            ("residency", residency, ("mmap", "huge")),
            ("maintenance", maintenance, ("background", "manual")),
        ):
            if value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        index = cls.__new__(cls)
        store = open_store(
            Path(path), read_only=read_only, residency=residency, maintenance=maintenance
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
        ids: str | Sequence[str] | None,
        hashes: Hash | HashArray | Sequence[Hash],
        metadata: Metadata | Sequence[Metadata] | None = None,
    ) -> Sequence[str]:
        """Add one entry, or many in one go: all of them or, on an error, none.

        Parameters
        ----------
        ids : str or sequence of str, or None
            New ids. None: the index names them ``#1``, ``#2``, …; less to store.
        hashes : Hash, HashArray or sequence of Hash
            One for each id.
        metadata : mapping or sequence of mappings, optional
            Anything that JSON can say, one for each hash.

        Returns
        -------
        sequence of str
            The ids.

        Raises
        ------
        DuplicateIdError
            An id is there already, or stands twice.
        IncompatibleHashError
            A hash is of another algorithm, version or size.
        TypeError, ValueError
            The lengths differ, an id is no string or a number with ``#``, or metadata is
            not JSON.
        UnsupportedOperationError
            It was opened for reading only.
        OSError
            The disk is full, or cannot be written. Nothing was changed.
        """
        batch = batch_of(self._store.facts.kind, ids, hashes, metadata)
        with self._store.change() as change:
            seqs = change.insert(batch)
        return NumberedIds(seqs) if batch.ids is None else batch.ids

    def upsert(
        self,
        ids: str | Sequence[str],
        hashes: Hash | HashArray | Sequence[Hash],
        metadata: Metadata | Sequence[Metadata] | None = None,
    ) -> None:
        """Add entries, in the place of those that have the same ids.

        A replaced entry moves to the end of the order. Parameters and errors are those
        of `add`.
        """
        batch = batch_of(self._store.facts.kind, ids, hashes, metadata)
        if batch.ids is None:
            raise TypeError("ids: expected str or a sequence of str, got NoneType")
        with self._store.change() as change:
            change.discard(batch.ids, missing_ok=True)
            change.insert(batch)

    def remove(self, ids: str | Iterable[str], *, missing_ok: bool = False) -> None:
        """Remove one entry, or many in one go: all of them or, on an error, none.

        Searches stop finding them at once; `compact` takes them off the disk.

        Parameters
        ----------
        ids : str or iterable of str
            Which entries.
        missing_ok : bool
            Pass over ids that are not in the index.

        Raises
        ------
        UnknownIdError
            An id is not in the index.
        """
        gone = [ids] if isinstance(ids, str) else list(dict.fromkeys(ids))
        for one in gone:
            if not isinstance(one, str) or not is_storable(one):
                raise UnknownIdError(f"id {one!r} is not in the index")
        with self._store.change() as change:
            change.discard(gone, missing_ok=missing_ok)

    def transaction(self) -> AbstractContextManager[None]:
        """Make several changes one: all of them at the end, or none on an exception.

        Within, `get`, `len`, ``in`` and iteration of the same thread see what is pending;
        searches, and other threads, see the last commit. Another thread's changes wait.
        """
        return self._store.transaction()

    def seal(self) -> None:
        """Move what was added last from the tail, which is scanned, into a segment.

        This happens by itself when the tail grows long.
        """
        self._store.seal()

    def compact(self) -> None:
        """Put all entries into one segment, and overwrite what was removed.

        Afterwards nothing of removed entries is in any file of the index. Searches go
        on meanwhile; changes wait.

        Raises
        ------
        IndexLockedError
            It is compact, but a reader holds on to an older state, which therefore is
            still on the disk.
        """
        self._store.compact()

    def verify(self, progress: Callable[[float], object] | None = None) -> VerifyReport:
        """Read all files and compare them with their checksums, and with each other.

        Parameters
        ----------
        progress : callable, optional
            Called with the share that is done, 0 to 1.

        Returns
        -------
        VerifyReport
            What is wrong, if anything. `info` tells of the last check.
        """
        return self._store.verify(progress)

    @classmethod
    def rebuild(
        cls,
        path: str | Path,
        *,
        drop_damaged: bool = False,
        progress: Callable[[float], object] | None = None,
    ) -> VerifyReport:
        """Write the segments of an index anew from its catalog, which holds every entry.

        Parameters
        ----------
        path : str or Path
            Its directory. It must not be open for writing.
        drop_damaged : bool
            Go on without entries of the catalog that do not match their checksums.
        progress : callable, optional
            Called with the share of the check that follows, 0 to 1.

        Returns
        -------
        VerifyReport
            Of the index as it is now.

        Raises
        ------
        CorruptIndexError
            The catalog itself is damaged; nothing was changed.
        IndexLockedError
            It is open for writing.
        """
        return rebuild(Path(path), drop_damaged=drop_damaged, progress=progress)

    def snapshot(self, path: str | Path) -> None:
        """Write the index as it is now to a new directory; `open` reads it.

        The copy is complete and on the disk before it has its name. An index on disk
        may be written meanwhile.

        Parameters
        ----------
        path : str or Path
            A new path, or an empty folder.

        Raises
        ------
        IndexFormatError
            Something is there already.
        OSError
            It cannot be written.
        """
        self._store.snapshot(Path(path))

    def export_parquet(
        self, path: str | Path, *, progress: Callable[[int], object] | None = None
    ) -> int:
        """Write all entries to a Parquet file, replacing one that is there.

        Parameters
        ----------
        path : str or Path
            The file; readable by its owner alone.
        progress : callable, optional
            Called with the number of entries that are written.

        Returns
        -------
        int
            How many were written, all of one commit. Entries that the index numbered
            itself have no id there, and get a new one where they are imported.

        Raises
        ------
        MissingExtraError
            pyarrow is not installed.
        OSError
            It cannot be written.
        """
        return write_parquet(Path(path), self._store.facts.kind, self._store.rows(), progress)

    def import_parquet(
        self, path: str | Path, *, progress: Callable[[int], object] | None = None
    ) -> int:
        """Add the entries of a Parquet file: all of them or, on an error, none.

        Parameters
        ----------
        path : str or Path
            A file with a column ``hash`` (fixed_size_binary) and perhaps ``id``,
            ``quality`` and ``metadata``, as `export_parquet` writes it.
        progress : callable, optional
            Called with the number of entries so far.

        Returns
        -------
        int
            How many were added.

        Raises
        ------
        MissingExtraError
            pyarrow is not installed.
        IndexFormatError
            It is no Parquet, or has not these columns.
        DuplicateIdError, IncompatibleHashError, UnsupportedOperationError, OSError
            As for `add`.
        """
        return self._import(parquet_batches(Path(path), self._store.facts.kind), progress)

    def import_faiss(
        self,
        path: str | Path,
        *,
        prefix: str = "faiss:",
        progress: Callable[[int], object] | None = None,
    ) -> int:
        """Add the hashes of a binary index of FAISS: all of them or, on an error, none.

        Parameters
        ----------
        path : str or Path
            What ``faiss.write_index_binary`` wrote: a flat, IVF or HNSW index, or an
            ID map of one. FAISS reads it, and trusts it: do not open files of strangers.
        prefix : str
            An id is this and the number under which FAISS keeps the hash.
        progress : callable, optional
            Called with the number of entries so far.

        Returns
        -------
        int
            How many were added.

        Raises
        ------
        MissingExtraError
            faiss is not installed.
        IndexFormatError
            It is no such file.
        DuplicateIdError, IncompatibleHashError, UnsupportedOperationError, OSError
            As for `add`.
        """
        return self._import(faiss_batches(Path(path), self._store.facts.kind, prefix), progress)

    def _import(self, batches: Iterable[Imported], progress: Callable[[int], object] | None) -> int:
        added = 0
        with self.transaction():
            for batch in batches:
                self.add(*batch)
                added += len(batch.hashes)
                if progress is not None:
                    progress(added)
        return added
