"""Lists of hashes as text: hex, one a line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import click
import numpy as np

import fingerprint as fp
from fingerprint.cli.common import few

__all__ = ["ListBatch", "read_list"]

_BATCH = 10_000
_COLUMNS = {"id", "hash", "quality"}
_NUMBERED = re.compile(r"#[0-9]+")
_QUALITY = re.compile(r"[0-9]{1,3}")


class ListBatch(NamedTuple):
    """Some entries of a list, and the lines that they are from."""

    ids: list[str]
    hashes: fp.HashArray
    first: int
    last: int


class _Line(NamedTuple):
    number: int
    id: str
    packed: bytes
    quality: int


def read_list(path: Path, kind: tuple[str, int, int], prefix: str) -> Iterator[ListBatch]:
    """Yield the entries of a list, some thousands at a time.

    Parameters
    ----------
    path : Path
        Lines of ``hash`` or ``hash,quality``; or CSV with a header of ``hash`` and perhaps
        ``id`` and ``quality``. Empty lines are passed over.
    kind : tuple
        Algorithm, version and bits of the hashes.
    prefix : str
        An id is this and the line's number, where the list has none.

    Raises
    ------
    click.ClickException
        A line is wrong: the message names it.
    """
    batch: list[_Line] = []
    for line in _lines(path, kind, prefix):
        batch.append(line)
        if len(batch) == _BATCH:
            yield _batch_of(batch, kind)
            batch = []
    if batch:
        yield _batch_of(batch, kind)


def _batch_of(lines: list[_Line], kind: tuple[str, int, int]) -> ListBatch:
    algorithm, version, bits = kind
    packed = np.frombuffer(b"".join(line.packed for line in lines), np.uint8)
    hashes = fp.HashArray(
        packed.reshape(len(lines), -1),
        algorithm,
        bits=bits,
        quality=[line.quality for line in lines],
        version=version,
    )
    return ListBatch([line.id for line in lines], hashes, lines[0].number, lines[-1].number)


def _lines(path: Path, kind: tuple[str, int, int], prefix: str) -> Iterator[_Line]:
    columns: Sequence[str] | None = None
    for number, fields in _rows(path):
        if columns is None:
            heads = [field.strip().lower() for field in fields]
            if "hash" in heads and set(heads) <= _COLUMNS and len(set(heads)) == len(heads):
                columns = heads
                continue
            columns = ()
        yield _line(path, number, _named(path, number, fields, columns), kind, prefix)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line that is not empty, and its fields."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            for fields in reader:
                if fields and (len(fields) > 1 or fields[0].strip()):
                    yield reader.line_num, fields
        except csv.Error as error:
            _refuse(path, reader.line_num, str(error))
        except UnicodeDecodeError as error:
            raise click.ClickException(
                f"{path}, after line {reader.line_num}: not UTF-8 text; nothing of it was added"
            ) from error


def _named(path: Path, number: int, fields: list[str], columns: Sequence[str]) -> dict[str, str]:
    if columns:
        if len(fields) != len(columns):
            _refuse(path, number, f"expected {','.join(columns)}, got {len(fields)} fields")
        return dict(zip(columns, fields, strict=True))
    if len(fields) > 2:
        _refuse(path, number, f"expected hash or hash,quality, got {len(fields)} fields")
    return dict(zip(("hash", "quality"), fields, strict=False))


def _line(
    path: Path, number: int, fields: dict[str, str], kind: tuple[str, int, int], prefix: str
) -> _Line:
    algorithm, _, bits = kind
    name = fields.get("id", f"{prefix}{number}")
    if not name:
        _refuse(path, number, "an empty id")
    if _NUMBERED.fullmatch(name):
        _refuse(path, number, f"id {name!r}: the index itself gives such ids")
    digits = fields["hash"].strip().removeprefix(f"{algorithm}:")
    try:
        packed = fp.Hash.from_hex(digits, algorithm, bits=bits).packed
    except fp.HashFormatError as error:
        _refuse(path, number, str(error))
    text = fields.get("quality", "").strip()
    if text and not (_QUALITY.fullmatch(text) and int(text) <= 100):
        _refuse(path, number, f"expected a quality from 0 to 100, got {few([text])!r}")
    return _Line(number, name, packed, int(text) if text else -1)


def _refuse(path: Path, number: int, what: str) -> NoReturn:
    raise click.ClickException(f"{path}, line {number}: {what}; nothing of it was added")
