"""The index: ids, hashes and metadata, and what lies near a query."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fingerprint.algorithms import Algorithm, algorithm_names
from fingerprint.errors import UnknownAlgorithmError, UnknownIdError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index.creation import create_index, open_store
from fingerprint.index.description import describe
from fingerprint.index.entries import (
    Entry,
    NumberedIds,
    batch_of,
    entry_of,
    is_storable,
    known_algorithm,
)
from fingerprint.index.interchange import (
    Imported,
    faiss_batches,
    parquet_batches,
    write_parquet,
)
from fingerprint.index.memory_store import MemoryStore
from fingerprint.index.queries import Query, Where, filter_of, queries_of
from fingerprint.index.rebuilding import rebuild
from fingerprint.index.search import nearest, within
from fingerprint.index.segments import build_backend
from fingerprint.index.tables import Facts
from fingerprint.index.view import Rows, array_of
from fingerprint.results import Match, VerifyReport

if TYPE_CHECKING:
    from fingerprint.index.disk_store import MaintenanceMode
    from fingerprint.index.store import Store
    from fingerprint.typing import Metadata, Residency

__all__ = ["Index"]


class Index:
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
        facts = _facts_of(algorithm, bits, version, backend, backend_options)
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
        create_index(Path(path), _facts_of(algorithm, bits, version, backend, backend_options))
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

    def _begin(self, store: Store) -> None:
        facts = store.facts
        _, known = known_algorithm(facts.algorithm)
        self.algorithm, self.version, self.bits = facts.kind
        self.default_radius = known.radius.bits if known else None
        self.min_quality = known.min_quality if known else 0
        self._store = store
        empty = array_of(facts.kind, Rows.empty(facts.bits))
        # Says what the backend refuses, also while nothing is built; a missing library
        # or a wrong option shows now, not later.
        self._promise = (
            None if facts.backend == "auto" else build_backend(facts, facts.backend, empty)
        )

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

    def remove(self, ids: str | Iterable[str]) -> None:
        """Remove one entry, or many in one go: all of them or, on an error, none.

        Searches stop finding them at once; `compact` takes them off the disk.

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
            change.discard(gone)

    def get(self, id: str) -> Entry:  # noqa: A002 - the field's own name
        """Return the entry with this id, or raise UnknownIdError."""
        row = self._store.find(id) if isinstance(id, str) and is_storable(id) else None
        if row is None:
            raise UnknownIdError(f"id {id!r} is not in the index")
        return entry_of(row, self._store.facts.kind)

    def within(
        self, query: Query, radius: int | None = None, *, where: Where | None = None
    ) -> list[Match]:
        """Find every entry within a distance of the query.

        Parameters
        ----------
        query : Hash, or mapping of str to Hash
            One hash, or several views of one picture, as `fingerprint.hash_dihedral`
            returns them; an entry is then reported once, with the nearest view.
        radius : int, optional
            Largest Hamming distance in bits, inclusive; the algorithm's
            published one by default.
        where : mapping or callable, optional
            Values that an entry's metadata must have, or a function of the metadata
            that says whether it is wanted.

        Returns
        -------
        list of Match
            Nearest first, then in the order of addition.

        Warns
        -----
        LowQualityWarning
            The query has less information than its algorithm asks for: what it
            matches, it may match by chance.

        Raises
        ------
        IncompatibleHashError
            The query is of another algorithm, version or size.
        UnsupportedOperationError
            The backend cannot promise this radius.
        CorruptIndexError
            Damage stands in the way of an answer.
        """
        queries = queries_of([query], self._store.facts.kind, self.min_quality)
        return within(self._store, self._promise, queries, self._radius(radius), filter_of(where))[
            0
        ]

    def within_many(
        self,
        queries: HashArray | Sequence[Query],
        radius: int | None = None,
        *,
        where: Where | None = None,
        workers: int = 1,
    ) -> list[list[Match]]:
        """Find what `within` finds for each of many queries, in their order.

        With ``workers``, so many threads share the queries among them.
        """
        asked = queries_of(queries, self._store.facts.kind, self.min_quality)
        reach, accepts = self._radius(radius), filter_of(where)
        return within(self._store, self._promise, asked, reach, accepts, workers)

    def nearest(self, query: Query, k: int = 1, *, where: Where | None = None) -> list[Match]:
        """Find the ``k`` nearest entries, however far they are, nearest first.

        Parameters, warnings and errors are those of `within`; with fewer than
        ``k`` entries, all are returned.
        """
        queries = queries_of([query], self._store.facts.kind, self.min_quality)
        return nearest(self._store, self._promise, queries, _count(k), filter_of(where))[0]

    def nearest_many(
        self, queries: HashArray | Sequence[Query], k: int = 1, *, where: Where | None = None
    ) -> list[list[Match]]:
        """Find what `nearest` finds for each of many queries, in their order."""
        asked = queries_of(queries, self._store.facts.kind, self.min_quality)
        return nearest(self._store, self._promise, asked, _count(k), filter_of(where))

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

    def entries(self) -> Iterator[Entry]:
        """Iterate over the entries in the order of addition, as they are now.

        Only a few thousand are in memory at a time.
        """
        kind = self._store.facts.kind
        return (entry_of(row, kind) for row in self._store.rows())

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

    def info(self, radius: int | None = None, k: int | None = None) -> dict[str, Any]:
        """Return what it holds and how it searches, as plain values.

        Parameters
        ----------
        radius : int, optional
            The search that ``"search"`` tells about: within so many bits, the
            algorithm's published radius by default.
        k : int, optional
            Or for the ``k`` nearest.
        """
        reach = self.default_radius if radius is None else self._radius(radius)
        wanted = None if k is None else _count(k)
        view, _ = self._store.latest()
        return {
            "algorithm": self.algorithm,
            "version": self.version,
            "bits": self.bits,
            "default_radius": self.default_radius,
            "entries": view.state.entries,
            **describe(self._store.facts, view, self._promise, reach, wanted),
            **self._store.info(),
        }

    def __len__(self) -> int:
        return self._store.count()

    def __contains__(self, id: object) -> bool:  # noqa: A002
        return isinstance(id, str) and is_storable(id) and self._store.find(id) is not None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids in the order of addition, as they are now."""
        return (row.name for row in self._store.rows())

    def __repr__(self) -> str:
        backend = self._store.facts.backend
        return f"<Index {self.algorithm} {self._store.where} backend={backend}>"

    def _radius(self, radius: int | None) -> int:
        if radius is None:
            radius = self.default_radius
        if radius is None:
            raise ValueError(f"radius: {self.algorithm} has no published one; pass it")
        if not isinstance(radius, int | np.integer):
            raise TypeError(f"radius: expected a whole number of bits, got {radius!r}")
        if not 0 <= radius <= self.bits:
            raise ValueError(f"radius: expected 0 to {self.bits}, got {radius}")
        return int(radius)


def _count(k: int) -> int:
    if not isinstance(k, int | np.integer):
        raise TypeError(f"k: expected a whole number, got {k!r}")
    if k < 1:
        raise ValueError(f"k: expected at least 1, got {k}")
    return int(k)


def _facts_of(
    algorithm: str | Algorithm,
    bits: int | None,
    version: int,
    backend: str,
    backend_options: Mapping[str, Any] | None,
) -> Facts:
    """Return what an index is to be, or raise."""
    name, known = known_algorithm(algorithm)
    if bits is None:
        if known is None:
            raise UnknownAlgorithmError(
                name,
                algorithm_names(),
                "to index hashes that are not computed here, say how many bits they have",
            )
        bits = known.bits
    for what, value in (("bits", bits), ("version", version)):
        if type(value) is not int or value < 1:
            raise ValueError(f"{what}: expected a whole number from 1, got {value!r}")
    if known is not None and bits != known.bits:
        raise ValueError(f"bits: {name} has {known.bits}, got {bits}")
    options = json.loads(json.dumps(dict(backend_options or {})))
    return Facts(name, version, bits, backend, options)
