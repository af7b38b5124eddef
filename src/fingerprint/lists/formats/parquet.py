"""Parquet, in and out; the package pyarrow (extra ``arrow``) reads and writes it.

Written are the columns ``source``, ``record_id``, ``media``, ``category``, ``severity``
(string); one for each type of hashes (fixed_size_binary; binary with the text of a video's
hash); ``flags`` (list of string); ``opinions``, ``views``, ``raw`` (string, JSON);
``first_seen``, ``last_seen`` (timestamp[us, UTC]); ``retracted`` (bool), ``retracted_at``,
``reason``. The schema's metadata says ``fingerprint.list``. In any other file the columns are
told by name, as in the format csv, hashes being binary or hex.

A file of a few bytes can say a list of very many values, and pyarrow has no limit for it: read
only Parquet of those you know, or that a signed bundle brings. The other formats have no such
gap.

Parquet is read from its end: a stream that cannot be wound is first copied to a temporary
file that has no name and goes when it is closed.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, BinaryIO, cast

from fingerprint.errors import ListFormatError, MissingExtraError
from fingerprint.lists.formats.base import LimitedStream, ListFormat, ListLimits
from fingerprint.lists.formats.fields import map_fields
from fingerprint.lists.hash_types import HASH_TYPES
from fingerprint.lists.records import Change, Record, Rejected, Retraction
from fingerprint.lists.rows import RETRACTED_VALUES, RowReader, native_changes
from fingerprint.lists.text import json_value

__all__ = ["FORMAT", "parse", "write"]

FORMAT_VERSION = "1"
_LABEL = b"fingerprint.list"
_ROWS_READ = 1024
_ROWS_WRITTEN = 16_384
_NBYTES_WRITTEN = 32 << 20
_JSON = ("opinions", "views", "raw")
_TEXTS = ("source", "record_id", "media", "category", "severity", *_JSON, "reason")
_TIMES = ("first_seen", "last_seen", "retracted_at")
_FOOTER_NBYTES = 64 << 20


def parse(
    stream: BinaryIO,
    *,
    name: str,
    source: str,
    limits: ListLimits,
    columns: Mapping[str, str | None] | None = None,
    ignored: Collection[str] = (),
    hash_type: str = "",
    retracted_values: Iterable[str] = RETRACTED_VALUES,
) -> Iterator[Change]:
    """Yield what the rows say, a thousand at a time.

    Parameters
    ----------
    stream, name, source, limits
        As for every format.
    columns, ignored, hash_type, retracted_values
        As in the format csv; of other files than this package's own.

    Raises
    ------
    ListFormatError
        It is no Parquet, is damaged, or a column has a type that it cannot have.
    MissingExtraError
        pyarrow is not installed.
    """
    if isinstance(ignored, str):
        raise TypeError("ignored: expected names in a list, got str")
    _pyarrow()
    reader = RowReader(name, source, hash_type, retracted_values)
    return _changes(stream, name, source, limits, reader, columns, ignored)


def _changes(
    stream: BinaryIO,
    name: str,
    source: str,
    limits: ListLimits,
    reader: RowReader,
    columns: Mapping[str, str | None] | None,
    ignored: Collection[str],
) -> Iterator[Change]:
    pa, parquet = _pyarrow()
    try:
        with _seekable(stream, name, limits) as file, _opened(parquet, file) as table:
            _check_size(table, name, limits)
            schema = table.schema_arrow
            if columns is None and (schema.metadata or {}).get(_LABEL) is not None:
                changes = _native(pa, schema, name, source, limits)
            else:
                changes = _foreign(pa, schema, name, reader, columns or {}, ignored)
            row = nbytes = 0
            for batch in table.iter_batches(_ROWS_READ, use_threads=False):
                nbytes += batch.nbytes
                if nbytes > limits.max_nbytes:
                    raise ListFormatError(
                        name, f"is longer than {limits.max_nbytes:,} bytes, the limit"
                    )
                columns_of = dict(zip(batch.schema.names, batch.columns, strict=True))
                there = {
                    one: _values(pa, values, name, limits)
                    for one, values in columns_of.items()
                    if values.null_count < len(values)
                }
                for n in range(batch.num_rows):
                    row += 1
                    yield from changes(row, {one: values[n] for one, values in there.items()})
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # The system's. Arrow raises its own without a number.
        raise ListFormatError(name, f"is no Parquet that can be read: {error}") from None


@contextmanager
def _seekable(stream: BinaryIO, name: str, limits: ListLimits) -> Iterator[BinaryIO]:
    seekable = getattr(stream, "seekable", None)
    if seekable and seekable():
        yield stream
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(cast(BinaryIO, LimitedStream(stream, name, limits)), copy)
        copy.seek(0)
        yield cast(BinaryIO, copy)


def _opened(parquet: Any, file: BinaryIO) -> Any:
    """Open a file so that a text that stands in many rows stays one text in memory."""
    limits = {
        "thrift_string_size_limit": _FOOTER_NBYTES,
        "thrift_container_size_limit": 1 << 20,
        "page_checksum_verification": True,
    }
    with parquet.ParquetFile(file, **limits) as table:
        leaves = [table.schema.column(n) for n in range(len(table.schema))]
        texts = [one.path for one in leaves if one.physical_type == "BYTE_ARRAY"]
    file.seek(0)
    return parquet.ParquetFile(
        file, read_dictionary=texts, pre_buffer=False, buffer_size=1 << 20, **limits
    )


def _check_size(table: Any, name: str, limits: ListLimits) -> None:
    """Refuse what says that it is too long.

    The footer's columns are not looked at: where it is damaged, asking for one ends the
    process (pyarrow 26); reading them through batches raises.
    """
    if max(table.metadata.num_rows, 0) > limits.max_nbytes:
        raise ListFormatError(name, f"has more than {limits.max_nbytes:,} rows")


def _values(pa: Any, column: Any, name: str, limits: ListLimits) -> list[Any]:
    """Return a column as plain values; times without a zone as text."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        texts = column.dictionary.to_pylist()
        if max(map(len, (one for one in texts if one is not None)), default=0) > (
            limits.max_row_nbytes
        ):
            raise ListFormatError(
                name, f"a value is longer than {limits.max_row_nbytes:,} bytes, the limit"
            )
        return [None if n is None else texts[n] for n in column.indices.to_pylist()]
    if pa.types.is_timestamp(kind):
        scale = {"s": 1_000_000, "ms": 1000, "us": 1, "ns": 1 / 1000}[kind.unit]
        zone = "" if kind.tz is None else "+00:00"
        ticks = column.cast(pa.int64()).to_pylist()
        return [None if one is None else _time_text(one * scale, zone) for one in ticks]
    return cast(list[Any], column.to_pylist())


def _time_text(microseconds: float, zone: str) -> str:
    try:
        return f"{datetime(1970, 1, 1) + timedelta(microseconds=microseconds)}{zone}"
    except OverflowError:
        return f"{microseconds} microseconds"


def _native(
    pa: Any, schema: Any, name: str, source: str, limits: ListLimits
) -> Callable[[int, dict[str, Any]], Iterable[Change]]:
    """Return what reads rows of this package's own files."""
    for one in schema:
        wanted = _native_type(pa, one.name)
        if wanted is None or not _is_alike(pa, one.type, wanted):
            raise ListFormatError(name, f"column {one.name!r} of {one.type} is not as written here")
    names = set(schema.names)
    if len(names) != len(schema.names) or not {"source", "record_id"} <= names:
        raise ListFormatError(name, "expected each column once, and source and record_id")
    return lambda row, cells: _native_row(row, cells, source, limits)


def _native_type(pa: Any, name: str) -> Any:
    if name in HASH_TYPES:
        bits = HASH_TYPES[name].bits
        is_fixed = bits and HASH_TYPES[name].family != "video"
        return pa.binary(bits // 8) if is_fixed else pa.binary()
    if name in _TEXTS:
        return pa.string()
    if name in _TIMES:
        return pa.timestamp("us", "UTC")
    return {"flags": pa.list_(pa.string()), "retracted": pa.bool_()}.get(name)


def _is_alike(pa: Any, found: Any, wanted: Any) -> bool:
    """Whether a type is the one wanted, but for how Arrow holds it in memory."""
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_list(wanted) and pa.types.is_list(found):
        return _is_alike(pa, found.value_type, wanted.value_type)
    return bool(found == wanted)


def _native_row(
    row: int, cells: dict[str, Any], source: str, limits: ListLimits
) -> Iterable[Change]:
    there = {name: value for name, value in cells.items() if value not in (None, "", [])}
    hashes = {
        kind: there.pop(kind).hex() if HASH_TYPES[kind].family != "video" else there.pop(kind)
        for kind in HASH_TYPES
        if kind in there
    }
    if there.get("retracted"):
        there["at"] = there.pop("retracted_at", None)
        return native_changes(row, there, source)
    try:
        for name in _JSON:
            if name in there:
                there[name] = json_value(there[name], limits)
        hashes = {k: v if isinstance(v, str) else v.decode() for k, v in hashes.items()}
    except ValueError as error:
        record_id = str(there.get("record_id", ""))
        return [Rejected(row, str(error), str(there.get("source", source)), record_id)]
    return native_changes(row, {**there, "hashes": hashes}, source)


def _foreign(
    pa: Any,
    schema: Any,
    name: str,
    reader: RowReader,
    columns: Mapping[str, str | None],
    ignored: Collection[str],
) -> Callable[[int, dict[str, Any]], Iterable[Change]]:
    """Return what reads rows of others' files."""
    keys = {one: one for one in schema.names}
    if len(keys) != len(schema.names):
        raise ListFormatError(name, "expected each column once")
    fields = map_fields(keys, columns, ignored, name, is_complete=True)
    if fields.doubtful:
        raise ListFormatError(
            name,
            f"column {fields.doubtful[0]!r} looks like hashes: name it in columns= or ignored=",
        )
    hash_keys = {key for _, key in fields.hashes} | {fields.hash} - {None}
    if not hash_keys:
        raise ListFormatError(name, "no column of hashes is known by its name: name it in columns=")
    used = hash_keys | {fields.hash_type, fields.record_id}
    used |= {key for _, key, _ in fields.singles}
    used |= {key for _, key in (*fields.statuses, *fields.raw)}
    for one in schema:
        kind = one.type.value_type if pa.types.is_dictionary(one.type) else one.type
        if one.name in used and not _is_readable(pa, kind, one.name in hash_keys):
            raise ListFormatError(name, f"column {one.name!r}: cannot read {kind}")

    def changes(row: int, cells: dict[str, Any]) -> Iterable[Change]:
        for one, value in cells.items():
            if isinstance(value, bytes):
                cells[one] = value.hex()
            elif value != value:
                cells[one] = None
        return reader.changes(row, fields, cells.get)

    return changes


def _is_readable(pa: Any, kind: Any, is_hash: bool) -> bool:
    types = pa.types
    if types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind):
        return True
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return is_hash
    if is_hash:
        return False
    if types.is_list(kind):
        return _is_readable(pa, kind.value_type, is_hash=False) and not types.is_timestamp(
            kind.value_type
        )
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_timestamp(kind)
    )


def write(changes: Iterable[Change], stream: BinaryIO) -> int:
    """Write records and retractions; return how many. Rejected rows are passed over."""
    pa, parquet = _pyarrow()
    names = [*_TEXTS, *HASH_TYPES, *_TIMES, "flags", "retracted"]
    schema = pa.schema(
        [(name, _native_type(pa, name)) for name in names],
        metadata={_LABEL.decode(): FORMAT_VERSION},
    )
    n = 0
    with parquet.ParquetWriter(
        stream, schema, compression="zstd", write_page_checksum=True
    ) as writer:
        for rows in _batches(one for one in changes if not isinstance(one, Rejected)):
            columns = {name: [row.get(name) for row in rows] for name in names}
            writer.write_table(pa.table(columns, schema=schema))
            n += len(rows)
    return n


def _batches(changes: Iterable[Record | Retraction]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    nbytes = 0
    for row in map(_row_of, changes):
        rows.append(row)
        nbytes += sum(len(one) for one in row.values() if isinstance(one, str | bytes))
        if len(rows) >= _ROWS_WRITTEN or nbytes >= _NBYTES_WRITTEN:
            yield rows
            rows, nbytes = [], 0
    if rows:
        yield rows


def _row_of(change: Record | Retraction) -> dict[str, Any]:
    if isinstance(change, Retraction):
        return {
            "source": change.source,
            "record_id": change.record_id,
            "retracted": True,
            "retracted_at": change.at,
            "reason": change.reason or None,
        }
    values = change.to_dict()
    row = {name: values.get(name) for name in ("source", "record_id", "media", "flags")}
    row |= {name: values.get(name) for name in ("category", "severity")}
    row |= {name: json.dumps(values[name], sort_keys=True) for name in _JSON if name in values}
    for kind, value in change.hashes.items():
        is_video = HASH_TYPES[kind].family == "video"
        row[kind] = value.encode() if is_video else bytes.fromhex(value)
    return row | {
        "first_seen": change.first_seen,
        "last_seen": change.last_seen,
        "retracted": False,
    }


def _pyarrow() -> tuple[Any, Any]:
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError("pyarrow", "arrow")
    import pyarrow as pa
    from pyarrow import parquet

    return pa, parquet


FORMAT = ListFormat("parquet", "Parquet, through pyarrow", (".parquet",), parse, write)
