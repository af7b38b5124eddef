"""Tables of tab-separated values; all else is as in the format csv."""

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
    delimiter: str = "\t",
    quotechar: str = '"',
    header: bool = True,
    columns: Mapping[str, str | int | None] | None = None,
    ignored: Collection[str | int] = (),
    hash_type: str = "",
    retracted_values: Iterable[str] = RETRACTED_VALUES,
) -> Iterator[Change]:
    """Yield the changes of a table; see the format csv."""
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


FORMAT = ListFormat("tsv", "tab-separated values", (".tsv", ".tab"), parse)
