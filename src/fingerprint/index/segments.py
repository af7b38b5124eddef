"""Segments: immutable directories of hashes under a search structure, mapped into memory."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from fingerprint.errors import CorruptIndexError
from fingerprint.index import durable
from fingerprint.index.backends import Backend, get_backend
from fingerprint.index.backends.choice import choose
from fingerprint.index.backends.residency import hugepage_copy, mapped_array
from fingerprint.index.entries import known_algorithm
from fingerprint.index.tables import CATALOG, REBUILD
from fingerprint.index.view import Part, Rows, array_of, words_of

if TYPE_CHECKING:
    from fingerprint.index.tables import Facts
    from fingerprint.typing import Residency

__all__ = [
    "SEGMENTS",
    "Segment",
    "mapped_rows",
    "open_segment",
    "remove_orphans",
    "sha256_of",
    "write_segment",
]

SEGMENTS = "segments"
_DRAFT = ".tmp-"
_COLUMNS = {"hashes.npy": "<u8", "seq.npy": "<i8", "quality.npy": "|i1"}
_MAGIC = b"\x93NUMPY\x01\x00"
_READ_NBYTES = 1 << 20


class Segment(NamedTuple):
    """A segment as the manifest lists it: ``files`` maps names to [nbytes, sha256]."""

    name: str
    n: int
    first_seq: int
    last_seq: int
    backend: str
    files: dict[str, list[Any]]

    @classmethod
    def from_row(cls, row: tuple[str, int, int, int, str, str]) -> Segment:
        """Read a row of the manifest."""
        name, n, first_seq, last_seq, backend, files = row
        return cls(name, n, first_seq, last_seq, backend, json.loads(files))

    def as_row(self) -> tuple[Any, ...]:
        """Return it as a row of the manifest."""
        return (*self[:5], json.dumps(self.files, sort_keys=True))

    @property
    def nbytes(self) -> int:
        """Bytes of all its files."""
        return sum(nbytes for nbytes, _ in self.files.values())


def backend_for(facts: Facts, n: int) -> str:
    """Return the name of the backend for a segment of n hashes."""
    return choose(n, facts.bits).name if facts.backend == "auto" else facts.backend


def build_backend(facts: Facts, name: str, hashes: Any) -> Backend:
    """Build a search structure with the options that the index was made with."""
    options = facts.backend_options if facts.backend != "auto" else {}
    if name == "mih":  # Fastest where it is asked most.
        _, known = known_algorithm(facts.algorithm)
        options = {"radius": known.radius.bits if known else None, **options}
    return cast("Callable[..., Backend]", get_backend(name).build)(hashes, **options)


def write_segment(index: Path, facts: Facts, chunks: Iterable[Rows], n: int) -> Segment:
    """Write a segment of n rows, in ascending order of their sequence numbers.

    The hashes go to the file chunk by chunk and are built over from there, so memory
    holds the search structure and no more. The segment is complete and on the disk
    before it has its name; it counts once the manifest lists it.
    """
    folder = index / SEGMENTS
    draft = folder / f"{_DRAFT}{uuid.uuid4().hex}"
    durable.make_private(draft)
    try:
        first, last = _write_columns(draft, facts, chunks, n)
        backend = backend_for(facts, n)
        hashes = array_of(facts.kind, mapped_rows(draft, n, facts.bits))
        build_backend(facts, backend, hashes).save(draft)
        files = {}
        for path in sorted(draft.iterdir()):
            path.chmod(durable.PRIVATE_FILE)
            durable.sync_file(path)
            files[path.name] = [path.stat().st_size, sha256_of(path)]
        durable.sync_directory(draft)
        name = uuid.uuid4().hex
        durable.rename(draft, folder / name)
    except BaseException as error:
        durable.remove_folder(draft)
        if isinstance(error, OSError) and error.filename is None:  # Of a write: it names no file.
            what = f"{error.strerror or error}; nothing was changed"
            raise OSError(error.errno, what, str(index)) from error
        raise
    return Segment(name, n, first, last, backend, files)


def _write_columns(draft: Path, facts: Facts, chunks: Iterable[Rows], n: int) -> tuple[int, int]:
    shapes = {"hashes.npy": (n, words_of(facts.bits)), "seq.npy": (n,), "quality.npy": (n,)}
    files = [(draft / name).open("wb") for name in shapes]
    first = last = None
    written = 0
    try:
        for file, (name, shape) in zip(files, shapes.items(), strict=True):
            header = {"descr": _COLUMNS[name], "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
        for rows in chunks:
            if not rows.seqs.size:
                continue
            for file, dtype, column in zip(
                files, _COLUMNS.values(), (rows.words, rows.seqs, rows.quality), strict=True
            ):
                file.write(np.ascontiguousarray(column, dtype).data)
            first = int(rows.seqs[0]) if first is None else first
            last = int(rows.seqs[-1])
            written += rows.seqs.size
    finally:
        for file in files:
            file.close()
    if first is None or last is None or written != n:
        raise ValueError(f"a segment of {n} rows was given {written}")
    return first, last


def mapped_rows(folder: Path, n: int, bits: int) -> Rows:
    """Map a segment's rows into memory.

    Raises
    ------
    ValueError
        A file is not the array that it should be.
    """
    return Rows(
        _mapped(folder / "seq.npy", (n,)),
        _mapped(folder / "hashes.npy", (n, words_of(bits))),
        _mapped(folder / "quality.npy", (n,)),
    )


def _mapped(path: Path, shape: tuple[int, ...]) -> Any:
    return mapped_array(path, _COLUMNS[path.name], shape)


def open_segment(index: Path, facts: Facts, segment: Segment, residency: Residency) -> Part:
    """Map a segment after comparing names, sizes and shapes; contents are for `verify`.

    Raises
    ------
    FileNotFoundError
        A file is not there: a writer may have merged the segment away.
    CorruptIndexError
        A file has not the size or shape that it should have.
    """
    folder = index / SEGMENTS / segment.name
    for name, (nbytes, _) in segment.files.items():
        found = (folder / name).stat().st_size
        if found != nbytes:
            raise damaged(index, segment.name, f"{name} has {found:,} bytes, not {nbytes:,}")
    try:
        rows = mapped_rows(folder, segment.n, facts.bits)
        if residency == "huge":
            rows = rows._replace(words=hugepage_copy(rows.words))
        backend = get_backend(segment.backend).load(
            folder, array_of(facts.kind, rows), residency=residency
        )
    except (CorruptIndexError, FileNotFoundError):
        raise
    except (ValueError, EOFError, RuntimeError, KeyError, OSError) as error:
        raise damaged(index, segment.name, str(error)) from error
    return Part(backend, rows, name=segment.name, where=str(folder), nbytes_on_disk=segment.nbytes)


def damaged(index: Path, name: str, what: str) -> CorruptIndexError:
    """Return the error of a segment that is not as the manifest says."""
    return CorruptIndexError(str(index), f"{SEGMENTS}/{name}: {what}; {REBUILD}")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_READ_NBYTES):
            digest.update(block)
    return digest.hexdigest()


def remove_orphans(index: Path, known: set[str]) -> None:
    """Remove segments that no manifest lists: a killed writer left them, or a merge."""
    for path in (index / SEGMENTS).iterdir():
        if path.name not in known:
            durable.remove_folder(path)
    for path in index.glob(f".{CATALOG}-*"):  # Of a killed upgrade: the caller has the lock.
        path.unlink(missing_ok=True)
