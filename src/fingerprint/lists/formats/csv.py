"""Tables of comma-separated values, with a row of names or without.

Which column is which is told by the names in `fingerprint.lists.formats.fields`, or by
``columns``. Cells are kept as they are; flags are separated by semicolons.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import BinaryIO

from fingerprint.lists.formats.base import ListFormat, ListLimits
from fingerprint.lists.records import Change
from fingerprint.lists.rows import RETRACTED_VALUES
from fingerprint.lists.separated import read_separated

__all__ = ["FORMAT", "parse"]


def parse(
    stream: BinaryIO,
    *,
    name: str,
    source: str,
    limits: ListLimits,
    delimiter: str = ",",
    quotechar: str = '"',
    header: bool = True,
    columns: Mapping[str, str | int | None] | None = None,
    ignored: Collection[str | int] = (),
    hash_type: str = "",
    retracted_values: Iterable[str] = RETRACTED_VALUES,
) -> Iterator[Change]:
    """Yield the changes of a table, in UTF-8 or in UTF-16 with its byte order mark.

    A row that cannot be read, or has a cell longer than `csv.field_size_limit` (128 KiB unless
    changed), is rejected under the line it begins at, and the next line is read. Rows that
    follow each other, and have one id and a hash of any type each, are one record. A row
    without a column of ids gets one made from its hashes.

    Parameters
    ----------
    stream, name, source, limits
        As for every format.
    delimiter, quotechar : str
        One character each; no quotes if empty.
    header : bool
        Whether the first row holds names.
    columns : mapping of str to str or int, optional
        The name of a column, or its number from 1, by field: a type of hashes, record_id,
        hash, hash_type, source, category, severity, media, flags, first_seen, last_seen,
        status. None: no column is that.
    ignored : collection of str or int
        Columns to pass over.
    hash_type : str
        Of a column ``hash`` that says no type.
    retracted_values : iterable of str
        What the status says, in any case, of a record that is no more.

    Raises
    ------
    ListFormatError
        There is no row of names, no column of hashes, one that is not known to be hashes or
        not, or a longer row or list than allowed.
    """
    return read_separated(
        stream,
        name=name,
        source=source,
        limits=limits,
        delimiter=delimiter,
        quotechar=quotechar,
        header=header,
        columns=columns,
        ignored=ignored,
        hash_type=hash_type,
        retracted_values=retracted_values,
    )


FORMAT = ListFormat("csv", "comma-separated values", (".csv",), parse)
