"""Taking entries out of an index and into one: Parquet, and the binary indexes of FAISS.

A Parquet file has the columns ``id`` (string; null for an entry that the index itself
numbered), ``hash`` (fixed_size_binary, the packed bytes), ``quality`` (int8; null where
nobody measured it) and ``metadata`` (string, JSON; null for none). What kind of hashes
they are stands in the schema's metadata: ``fingerprint.algorithm``,
``fingerprint.version``, ``fingerprint.bits``.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fingerprint.errors import (
    FingerprintError,
    IncompatibleHashError,
    IndexFormatError,
    MissingExtraError,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import packed_nbytes
from fingerprint.index.backends.faiss_common import load_faiss
from fingerprint.index.durable import (
    held,
    make_private_file,
    remove_stale,
    rename,
    sync_directory,
    sync_file,
)
from fingerprint.index.entries import is_numbered

if TYPE_CHECKING:
    from fingerprint.hashes import Kind
    from fingerprint.index.rows import EntryRow
    from fingerprint.typing import I64, U8, Metadata

__all__ = ["Imported", "faiss_batches", "parquet_batches", "write_parquet"]

ROWS_AT_ONCE = 65_536
_SUPPORTED = "Parquet with a column `hash` of fixed_size_binary, as Index.export_parquet writes it"
_FAISS = "a binary index of FAISS: IndexBinaryFlat, IVF, HNSW, or an IDMap of one"


class Imported(NamedTuple):
    """Entries as `Index.add` takes them."""

    ids: list[str] | None
    hashes: HashArray
    metadata: list[Metadata] | None


def write_parquet(
    path: Path, kind: Kind, rows: Iterator[EntryRow], progress: Callable[[int], object] | None
) -> int:
    """Write entries to a file, readable by its owner alone; return how many.

    The file is complete and on the disk before it has its name.
    """
    pa, parquet = _pyarrow()
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("hash", pa.binary(packed_nbytes(kind[2]))),
            ("quality", pa.int8()),
            ("metadata", pa.string()),
        ],
        metadata=_labels(kind),
    )
    remove_stale(path.parent, f".{path.name}-")
    draft = path.parent / f".{path.name}-{uuid.uuid4().hex}"
    make_private_file(draft)
    written = 0
    try:
        with (
            held(draft),
            parquet.ParquetWriter(
                draft, schema, compression="zstd", write_page_checksum=True
            ) as writer,
        ):
            while some := list(itertools.islice(rows, ROWS_AT_ONCE)):
                columns = {
                    "id": [row.id for row in some],
                    "hash": [row.packed for row in some],
                    "quality": [None if row.quality < 0 else row.quality for row in some],
                    "metadata": [row.metadata for row in some],
                }
                writer.write_table(pa.table(columns, schema=schema))
                written += len(some)
                if progress is not None:
                    progress(written)
        sync_file(draft)
        rename(draft, path)
        sync_directory(path.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return written


def _labels(kind: Kind) -> dict[str, str]:
    values = zip(("algorithm", "version", "bits"), kind, strict=True)
    return {f"fingerprint.{name}": str(value) for name, value in values}


def parquet_batches(path: Path, kind: Kind) -> Iterator[Imported]:
    """Yield the entries of a Parquet file.

    Raises
    ------
    IndexFormatError
        It is no Parquet, or has not the columns.
    IncompatibleHashError
        Its hashes are of another kind.
    """
    pa, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            _check_schema(path, file.schema_arrow, kind)
            for batch in file.iter_batches(ROWS_AT_ONCE):
                yield from _imported(path, batch, kind)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # The system's. Arrow raises its own without a number.
        raise IndexFormatError(str(path), f"no such Parquet ({error})", _SUPPORTED) from error


def _check_schema(path: Path, schema: Any, kind: Kind) -> None:
    for name, wanted in _labels(kind).items():
        found = (schema.metadata or {}).get(name.encode())
        if found is not None and found != wanted.encode():
            raise IncompatibleHashError(
                f"{path}: {name} is {found.decode(errors='replace')}, this index holds {wanted}"
            )
    names = set(schema.names)
    if "hash" not in names:
        raise IndexFormatError(str(path), "no column `hash`", _SUPPORTED)
    import pyarrow as pa

    width = packed_nbytes(kind[2])
    for name, is_right in (
        ("hash", lambda one: pa.types.is_fixed_size_binary(one) and one.byte_width == width),
        ("id", lambda one: pa.types.is_string(one) or pa.types.is_large_string(one)),
        ("quality", pa.types.is_integer),
        ("metadata", lambda one: pa.types.is_string(one) or pa.types.is_large_string(one)),
    ):
        if name in names and not is_right(schema.field(name).type):
            found_type = schema.field(name).type
            raise IndexFormatError(
                str(path), f"column `{name}` of {found_type}, {width} bytes a hash", _SUPPORTED
            )


def _imported(path: Path, batch: Any, kind: Kind) -> Iterator[Imported]:
    columns = {name: batch.column(name) for name in batch.schema.names}
    n = batch.num_rows
    try:
        quality = [-1] * n
        if "quality" in columns:
            quality = [-1 if q is None else q for q in columns["quality"].to_pylist()]
        algorithm, version, bits = kind
        packed = HashArray.from_arrow(columns["hash"], algorithm, bits=bits).packed
        hashes = HashArray(packed, algorithm, bits=bits, quality=quality, version=version)
        texts = columns["metadata"].to_pylist() if "metadata" in columns else [None] * n
        metadata = None if not any(texts) else [_metadata(text) for text in texts]
        ids: Sequence[str | None] = columns["id"].to_pylist() if "id" in columns else [None] * n
        for name in ids:
            if name is not None and is_numbered(name):
                raise ValueError(f"id {name!r}: such ids are given by the index alone")
    except (ValueError, TypeError, RecursionError) as error:
        if isinstance(error, FingerprintError):
            raise
        raise IndexFormatError(
            str(path), f"a row that is no entry ({error})", _SUPPORTED
        ) from error
    first = 0
    for named, run in itertools.groupby(ids, lambda one: one is not None):
        names = list(run)
        here = slice(first, first + len(names))
        first += len(names)
        yield Imported(
            [name for name in names if name is not None] if named else None,
            hashes[here],
            None if metadata is None else metadata[here],
        )


def _metadata(text: str | None) -> Metadata:
    found = {} if text is None else json.loads(text, parse_constant=_refuse_constant)
    if not isinstance(found, dict):
        raise TypeError(f"metadata: expected a JSON object, got {type(found).__name__}")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"metadata: {name} is not JSON")


def faiss_batches(path: Path, kind: Kind, prefix: str) -> Iterator[Imported]:
    """Yield the entries of a file that FAISS's ``write_index_binary`` wrote.

    Raises
    ------
    IndexFormatError
        It is none, or of a kind that keeps no hashes.
    IncompatibleHashError
        Its hashes have another size.
    """
    faiss = load_faiss()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        index = faiss.read_index_binary(str(path))
    except RuntimeError as error:
        raise IndexFormatError(str(path), "no index of FAISS", _FAISS) from error
    width = packed_nbytes(kind[2])
    if index.d != 8 * width:
        raise IncompatibleHashError(f"{path}: hashes of {index.d} bits, expected {8 * width}")
    numbers, packed = _faiss_codes(faiss, path, index)
    algorithm, version, bits = kind
    for first in range(0, len(packed), ROWS_AT_ONCE):
        here = slice(first, first + ROWS_AT_ONCE)
        hashes = HashArray(packed[here], algorithm, bits=bits, version=version)
        yield Imported([f"{prefix}{n}" for n in numbers[here].tolist()], hashes, None)


def _faiss_codes(faiss: Any, path: Path, index: Any) -> tuple[I64, U8]:
    """Return the numbers under which an index of FAISS keeps hashes, and the hashes."""
    kind = type(index).__name__
    if kind in {"IndexBinaryIDMap", "IndexBinaryIDMap2"}:
        own = faiss.vector_to_array(index.id_map)
        numbers, packed = _faiss_codes(faiss, path, faiss.downcast_IndexBinary(index.index))
        return own[numbers], packed
    if kind == "IndexBinaryHNSW":
        return _faiss_codes(faiss, path, faiss.downcast_IndexBinary(index.storage))
    if kind == "IndexBinaryFlat":
        packed = faiss.vector_to_array(index.xb).reshape(index.ntotal, index.code_size)
        return np.arange(index.ntotal), packed
    if kind != "IndexBinaryIVF":
        raise IndexFormatError(str(path), kind, _FAISS)
    numbers_of, codes_of = [np.empty(0, np.int64)], [np.empty((0, index.code_size), np.uint8)]
    for cell in range(index.nlist):
        size = index.invlists.list_size(cell)
        if size:
            ids = faiss.rev_swig_ptr(index.invlists.get_ids(cell), size)
            codes = faiss.rev_swig_ptr(index.invlists.get_codes(cell), size * index.code_size)
            numbers_of.append(ids.copy())
            codes_of.append(codes.reshape(size, index.code_size).copy())
    numbers = np.concatenate(numbers_of)
    order = np.argsort(numbers, kind="stable")
    return numbers[order], np.concatenate(codes_of)[order]


def _pyarrow() -> tuple[Any, Any]:
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError("pyarrow", "arrow")
    import pyarrow as pa
    from pyarrow import parquet

    return pa, parquet
