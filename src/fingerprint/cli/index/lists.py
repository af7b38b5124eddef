"""Lists of hashes as text: hex, one a line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import click
import numpy as np

from fingerprint.cli.common import few
from fingerprint.errors import HashFormatError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash

__all__ = ["ListBatch", "read_list"]

_BATCH = 10_000
_KNOWN = {"id", "hash", "quality"}
_NUMBERED = re.compile(r"#[0-9]+")
_QUALITY = re.compile(r"[0-9]{1,3}")


class ListBatch(NamedTuple):
    """Some entries of a list, and the lines that they are from."""

    ids: list[str]
    hashes: HashArray
    first: int
    last: int


class _Columns(NamedTuple):
    """Names, how many a line has at least, and where they are."""

    names: tuple[str, ...]
    least: int
    id: int | None
    hash: int
    quality: int


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
    hashes = HashArray(
        packed.reshape(len(lines), -1),
        algorithm,
        bits=bits,
        quality=[line.quality for line in lines],
        version=version,
    )
    return ListBatch([line.id for line in lines], hashes, lines[0].number, lines[-1].number)


def _lines(path: Path, kind: tuple[str, int, int], prefix: str) -> Iterator[_Line]:
    columns: _Columns | None = None
    for number, fields in _rows(path):
        if columns is None:
            columns, is_header = _columns(fields)
            if is_header:
                continue
        if not columns.least <= len(fields) <= len(columns.names):
            expected = ",".join(columns.names)
            expected += " or hash alone" if columns.least < len(columns.names) else ""
            _refuse(path, number, f"expected {expected}, got {len(fields)} fields")
        yield _line(path, number, fields, columns, kind, prefix)


def _columns(fields: list[str]) -> tuple[_Columns, bool]:
    """Return what is where, by the first line, and whether that is a header."""
    heads = [field.strip().lower() for field in fields]
    if "hash" not in heads or not set(heads) <= _KNOWN or len(set(heads)) < len(heads):
        return _Columns(("hash", "quality"), 1, None, 0, 1), False
    at = {name: i for i, name in enumerate(heads)}
    return _Columns(
        tuple(heads), len(heads), at.get("id"), at["hash"], at.get("quality", len(heads))
    ), True


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


def _line(
    path: Path,
    number: int,
    fields: list[str],
    columns: _Columns,
    kind: tuple[str, int, int],
    prefix: str,
) -> _Line:
    name = f"{prefix}{number}" if columns.id is None else fields[columns.id]
    if not name:
        _refuse(path, number, "an empty id")
    if name[0] == "#" and _NUMBERED.fullmatch(name):
        _refuse(path, number, f"id {name!r}: the index itself gives such ids")
    try:
        packed = _packed(fields[columns.hash].strip(), kind)
    except HashFormatError as error:
        _refuse(path, number, str(error))
    text = fields[columns.quality].strip() if columns.quality < len(fields) else ""
    if not text:
        return _Line(number, name, packed, -1)
    if not _QUALITY.fullmatch(text) or int(text) > 100:
        _refuse(path, number, f"expected a quality from 0 to 100, got {few([text])!r}")
    return _Line(number, name, packed, int(text))


def _packed(digits: str, kind: tuple[str, int, int]) -> bytes:
    algorithm, _, bits = kind
    digits = digits.removeprefix(f"{algorithm}:")
    if len(digits) * 4 == bits:
        try:
            packed = bytes.fromhex(digits)  # A fifth of the time; it passes over spaces.
        except ValueError:
            packed = b""
        if len(packed) * 8 == bits:
            return packed
    return Hash.from_hex(digits, algorithm, bits=bits).packed


def _refuse(path: Path, number: int, what: str) -> NoReturn:
    raise click.ClickException(f"{path}, line {number}: {what}; nothing of it was added")
