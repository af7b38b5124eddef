"""The index: ids, hashes and metadata, and what lies near a query."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.algorithms import Algorithm, algorithm_names
from fingerprint.errors import (
    DuplicateIdError,
    IncompatibleHashError,
    UnknownAlgorithmError,
    UnknownIdError,
    redacted,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index.catalog import CatalogFacts, read_catalog, write_catalog
from fingerprint.index.entries import (
    Entry,
    Query,
    flattened,
    known_algorithm,
    metadata_texts,
    warn_of_low_quality,
)
from fingerprint.index.search import Table, nearest_rows, rows_within
from fingerprint.results import Match

if TYPE_CHECKING:
    from fingerprint.typing import Metadata

__all__ = ["Index"]


class Index:
    """Hashes of one algorithm under ids, searched by Hamming distance.

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
    Searching is safe from any number of threads while another one writes: a
    search sees the index as it was when it began. Nothing is on disk until
    `save`.

    Examples
    --------
    >>> import fingerprint as fp
    >>> index = fp.Index("pdq")
    >>> index.add("a", fp.Hash.parse("pdq:" + "0f" * 32, quality=100))
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
        self.algorithm, known = known_algorithm(algorithm)
        if bits is None and known is None:
            raise UnknownAlgorithmError(
                self.algorithm,
                algorithm_names(),
                "to index hashes that are not computed here, say how many bits they have",
            )
        self.bits = bits if bits is not None else known.bits  # type: ignore[union-attr]
        self.version = version
        for name in ("bits", "version"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ValueError(f"{name}: expected a whole number from 1, got {bits!r}")
        if known is not None and self.bits != known.bits:
            raise ValueError(f"bits: {self.algorithm} has {known.bits}, got {bits}")
        json.dumps(dict(backend_options or {}))  # A TypeError now, not when it is saved.
        self.default_radius = known.radius.bits if known else None
        self.min_quality = known.min_quality if known else 0
        self._rows: dict[str, int] = {}
        self._lock = threading.RLock()
        empty = HashArray(
            np.empty((0, (self.bits + 7) // 8), np.uint8),
            self.algorithm,
            bits=self.bits,
            version=version,
        )
        self._table = Table.empty(empty, backend, dict(backend_options or {}))

    def add(
        self,
        ids: str | Sequence[str],
        hashes: Hash | HashArray | Sequence[Hash],
        metadata: Metadata | Sequence[Metadata] | None = None,
    ) -> None:
        """Add one entry, or many in one go: all of them or, on an error, none.

        Parameters
        ----------
        ids : str or sequence of str
            New ids.
        hashes : Hash, HashArray or sequence of Hash
            One for each id.
        metadata : mapping or sequence of mappings, optional
            Anything that JSON can say, one for each id.

        Raises
        ------
        DuplicateIdError
            An id is there already, or stands twice.
        IncompatibleHashError
            A hash is of another algorithm, version or size.
        TypeError, ValueError
            The lengths differ, an id is no string, or metadata is not JSON.
        """
        if not isinstance(ids, Sequence):
            raise TypeError(f"ids: expected str or a sequence of str, got {type(ids).__name__}")
        new_ids = [ids] if isinstance(ids, str) else list(ids)
        array = self._as_array(hashes)
        texts = metadata_texts(metadata, len(new_ids))
        for what, found in (("hashes", len(array)), ("metadata", len(texts))):
            if found != len(new_ids):
                raise ValueError(
                    f"expected as many {what} as ids, got {len(new_ids)} ids and {found} {what}"
                )
        for new in new_ids:
            if not isinstance(new, str):
                raise TypeError(f"id: expected str, got {type(new).__name__}")
            if not new.isascii() and new != new.encode(errors="replace").decode():
                raise ValueError(f"id {redacted(new)!r}: expected text that UTF-8 can hold")
        with self._lock:
            if len(set(new_ids)) != len(new_ids):
                raise DuplicateIdError("an id stands twice in one call")
            for new in new_ids:
                if new in self._rows:
                    raise DuplicateIdError(f"id {new!r} is in the index already")
            before = self._table
            rows = range(before.n, before.n + len(new_ids))
            try:
                self._table = before.appended(new_ids, array, texts)
                self._rows.update(zip(new_ids, rows, strict=True))
            except BaseException:  # Also an interrupt: all of it or nothing.
                self._table = before
                for new in new_ids:
                    self._rows.pop(new, None)
                raise

    def remove(self, ids: str | Iterable[str]) -> None:
        """Remove one entry, or many in one go: all of them or, on an error, none.

        Raises
        ------
        UnknownIdError
            An id is not in the index.
        """
        gone = [ids] if isinstance(ids, str) else list(dict.fromkeys(ids))
        with self._lock:
            rows = [self._row(one) for one in gone]
            before, before_rows = self._table, self._rows
            table = before.without(rows)
            try:
                if table.is_sparse:
                    self._table = table.compacted()
                    self._rows = {one: row for row, one in enumerate(self._table.ids)}
                else:
                    self._table = table
                    for one in gone:
                        del self._rows[one]
            except BaseException:  # Also an interrupt: all of it or nothing.
                self._table, self._rows = before, before_rows
                self._rows.update(zip(gone, rows, strict=True))
                raise

    def get(self, id: str) -> Entry:  # noqa: A002 - the field's own name
        """Return the entry with this id, or raise UnknownIdError."""
        with self._lock:
            return self._table.entry(self._row(id))

    def within(self, query: Query, radius: int | None = None) -> list[Match]:
        """Find every entry within a distance of the query.

        Parameters
        ----------
        query : Hash, or mapping of str to Hash
            One hash, or several views of one picture, as `fingerprint.hash_dihedral`
            returns them; an entry is then reported once, with the nearest view.
        radius : int, optional
            Largest Hamming distance in bits, inclusive; the algorithm's
            published one by default.

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
        """
        return self._within_many([query], radius)[0]

    def within_many(
        self, queries: HashArray | Sequence[Query], radius: int | None = None
    ) -> list[list[Match]]:
        """Find what `within` finds for each of many queries, in their order."""
        return self._within_many(queries, radius)

    def nearest(self, query: Query, k: int = 1) -> list[Match]:
        """Find the ``k`` nearest entries, however far they are, nearest first.

        Parameters, warnings and errors are those of `within`; with fewer than
        ``k`` entries, all are returned.
        """
        return self._nearest_many([query], k)[0]

    def nearest_many(self, queries: HashArray | Sequence[Query], k: int = 1) -> list[list[Match]]:
        """Find what `nearest` finds for each of many queries, in their order."""
        return self._nearest_many(queries, k)

    def info(self) -> dict[str, Any]:
        """Return what it holds and how it searches, as plain values."""
        table = self._table
        return {
            "algorithm": self.algorithm,
            "version": self.version,
            "bits": self.bits,
            "entries": len(self),
            "removed_entries": table.n - len(self),
            **table.backend_info(),
            "default_radius": self.default_radius,
            "nbytes_hashes": table.nbytes_hashes,
        }

    def save(self, path: str | Path) -> None:
        """Write the index to a directory, replacing an index that is there.

        The directory and its file are readable by their owner alone. The new
        file is on the disk before it replaces the old one.

        Raises
        ------
        IndexFormatError
            Something that is no index is in the way.
        OSError
            It cannot be written.
        """
        with self._lock:
            table = self._table.compacted()
        facts = CatalogFacts(
            self.algorithm, self.version, self.bits, table.backend_name, table.backend_options
        )
        write_catalog(Path(path), facts, table.entry_rows())

    @classmethod
    def open(cls, path: str | Path) -> Index:
        """Read an index that `save` wrote.

        Raises
        ------
        IndexFormatError
            It is no index, or of a newer format.
        CorruptIndexError
            It is damaged.
        """
        facts, entries = read_catalog(Path(path))
        index = cls(
            facts.algorithm,
            bits=facts.bits,
            version=facts.version,
            backend=facts.backend,
            backend_options=facts.backend_options,
        )
        packed = np.frombuffer(b"".join(e.packed for e in entries), np.uint8)
        hashes = HashArray(
            packed.reshape(len(entries), (facts.bits + 7) // 8),
            facts.algorithm,
            bits=facts.bits,
            quality=[e.quality for e in entries],
            version=facts.version,
        )
        ids = [e.id for e in entries]
        index._table = index._table.appended(ids, hashes, [e.metadata for e in entries])
        index._rows = {one: row for row, one in enumerate(ids)}
        return index

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id: object) -> bool:  # noqa: A002
        return id in self._rows

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids in the order of addition, as they are now."""
        with self._lock:
            return iter(sorted(self._rows, key=self._rows.__getitem__))

    def __repr__(self) -> str:
        return f"<Index {self.algorithm} entries={len(self)} backend={self._table.backend_name}>"

    def _row(self, id: str) -> int:  # noqa: A002
        try:
            return self._rows[id]
        except KeyError:
            raise UnknownIdError(f"id {id!r} is not in the index") from None

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

    def _ready(self) -> Table:
        table = self._table
        if table.needs_build:
            with self._lock:
                if self._table.needs_build:
                    self._table = self._table.built()
                table = self._table
        return table

    def _as_array(self, hashes: Hash | HashArray | Iterable[Hash]) -> HashArray:
        if isinstance(hashes, Hash):
            hashes = [hashes]
        if not isinstance(hashes, HashArray):
            hashes = HashArray.from_hashes(hashes, like=self._table.blank_hash())
        if (hashes.algorithm, hashes.version, hashes.bits) != (
            self.algorithm,
            self.version,
            self.bits,
        ):
            raise IncompatibleHashError(
                f"this index holds {self.algorithm} v{self.version} ({self.bits} bits), "
                f"got {hashes.algorithm} v{hashes.version} ({hashes.bits} bits)"
            )
        return hashes

    def _within_many(
        self, queries: HashArray | Sequence[Query], radius: int | None
    ) -> list[list[Match]]:
        reach = self._radius(radius)
        table = self._ready()
        return self._search(queries, table, lambda array: rows_within(table, array, reach))

    def _nearest_many(self, queries: HashArray | Sequence[Query], k: int) -> list[list[Match]]:
        if not isinstance(k, int | np.integer):
            raise TypeError(f"k: expected a whole number, got {k!r}")
        if k < 1:
            raise ValueError(f"k: expected at least 1, got {k}")
        table = self._ready()
        found = self._search(queries, table, lambda array: nearest_rows(table, array, k))
        return [matches[:k] for matches in found]

    def _search(
        self,
        queries: HashArray | Sequence[Query],
        table: Table,
        search: Callable[[HashArray], list[list[tuple[int, int]]]],
    ) -> list[list[Match]]:
        views, owners, names = flattened(queries)
        array = views if isinstance(views, HashArray) else self._as_array(views)
        warn_of_low_quality(array, self.min_quality)
        best: list[dict[int, tuple[int, int]]] = [{} for _ in queries]
        for view, hits in enumerate(search(array)):
            mine = best[owners[view]]
            for row, distance in hits:
                if row not in mine or distance < mine[row][0]:
                    mine[row] = (distance, view)
        return [
            [
                self._match(table, row, distance, int(array.quality[view]), names[view])
                for row, (distance, view) in sorted(hits.items(), key=lambda h: (h[1][0], h[0]))
            ]
            for hits in best
        ]

    def _match(self, table: Table, row: int, distance: int, query_quality: int, view: str) -> Match:
        known = [q for q in (query_quality, int(table.quality[row])) if q >= 0]
        match = Match(table.ids[row], distance, quality=min(known, default=None), transform=view)
        text = table.metadata[row]
        return match if text == "{}" else replace(match, metadata=json.loads(text))
