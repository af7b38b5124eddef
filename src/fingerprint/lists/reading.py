"""Lists from files and into files, in any format."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from fingerprint.errors import ListFormatError
from fingerprint.index.durable import held, make_private_file, remove_stale, rename, sync_file
from fingerprint.lists.formats import (
    DEFAULT_LIMITS,
    ListFormat,
    ListLimits,
    format_of_path,
    get_format,
)
from fingerprint.lists.formats.compression import is_packed, packer, unpacked
from fingerprint.lists.records import Change, Record

__all__ = ["read_list", "with_severities", "write_list"]

_PROGRESS_EVERY = 4096


def read_list(
    source: str | Path | bytes | BinaryIO,
    format: str | None = None,  # noqa: A002 - as users say it
    *,
    list_source: str,
    limits: ListLimits = DEFAULT_LIMITS,
    progress: Callable[[int], object] | None = None,
    **options: Any,
) -> Iterator[Change]:
    """Yield the changes of a list, in order, as they are read.

    Parameters
    ----------
    source : str, Path, bytes or binary file
        The list, or where it is; gzip and zstd are unpacked. A file is left open.
    format : str, optional
        By name (`fingerprint.lists.formats.format_names`); by default what the path's suffix
        stands for.
    list_source : str
        Whose records they are where the list does not say.
    limits : ListLimits
        What the list may ask.
    progress : callable, optional
        Called now and then, and at the end, with the number of changes so far.
    **options
        Of the format.

    Yields
    ------
    Record, Retraction or Rejected
        What cannot be used is rejected and counted, never passed over.

    Raises
    ------
    ListFormatError
        The list cannot be read on; what came before is then not the whole list.
    FileNotFoundError
        There is none.
    """
    name = _name_of(source)
    if format is None and not isinstance(source, str | Path):
        raise ListFormatError(name, "which format is it? Name it")
    chosen = format_of_path(str(source)) if format is None else get_format(format)
    if chosen.parse is None:
        raise ListFormatError(name, f"the format {chosen.name} can only be written")
    if not isinstance(list_source, str) or not list_source:
        raise ValueError(f"list_source: expected a name, got {list_source!r}")
    return _counted(_read(source, chosen, name, list_source, limits, options), progress)


def _read(
    source: str | Path | bytes | BinaryIO,
    chosen: ListFormat,
    name: str,
    list_source: str,
    limits: ListLimits,
    options: Mapping[str, Any],
) -> Iterator[Change]:
    with _opened(source) as stream:
        if isinstance(source, str | Path):
            _check_suffix(stream, str(source))
        text = unpacked(stream, name, limits)
        if chosen.parse is not None:
            yield from chosen.parse(text, name=name, source=list_source, limits=limits, **options)


@contextmanager
def _opened(source: str | Path | bytes | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            yield file
    elif isinstance(source, bytes):
        yield io.BytesIO(source)
    else:
        yield source


def _check_suffix(stream: BinaryIO, path: str) -> None:
    """Refuse what is named as packed and is not: an empty file may be a download that failed."""
    if not stream.seekable() or not path.lower().endswith((".gz", ".zst", ".zstd")):
        return
    start = stream.read(4)
    stream.seek(0)
    if not is_packed(start):
        raise ListFormatError(path, "is named as gzip or zstd, and is not")


def _name_of(source: object) -> str:
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, bytes):
        return f"<{len(source):,} bytes>"
    if not callable(getattr(source, "read", None)):
        raise TypeError(f"list: expected a path, bytes or binary file, got {type(source).__name__}")
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stream>"


def _counted(
    changes: Iterator[Change], progress: Callable[[int], object] | None
) -> Iterator[Change]:
    if progress is None:
        yield from changes
        return
    n = 0
    for n, change in enumerate(changes, 1):
        if n % _PROGRESS_EVERY == 0:
            progress(n)
        yield change
    progress(n)


def write_list(
    changes: Iterable[Change],
    path: str | Path,
    format: str | None = None,  # noqa: A002 - as users say it
    **options: Any,
) -> int:
    """Write a list to a file that its owner alone can read; return how many changes.

    The file is complete and on the disk before it has its name; one that was there is replaced.

    Parameters
    ----------
    changes : iterable of Record and Retraction
        `Rejected` rows among them are passed over.
    path : str or Path
        ``.gz``, ``.zst``: packed so.
    format : str, optional
        By name; by default what the path's suffix stands for.
    **options
        Of the format.

    Raises
    ------
    ListFormatError
        The format is not known, can only be read, or cannot say one of the changes; or what is
        at the path is no file.
    """
    path = Path(path)
    chosen = format_of_path(str(path)) if format is None else get_format(format)
    if chosen.write is None:
        raise ListFormatError(str(path), f"the format {chosen.name} can only be read")
    if path.exists() and not path.is_file():  # A file would come in the place of /dev/stdout.
        raise ListFormatError(str(path), "expected a file or nothing there, got something else")
    remove_stale(path.parent, f".{path.name}-")
    draft = path.parent / f".{path.name}-{uuid.uuid4().hex}"
    make_private_file(draft)
    try:
        with held(draft), draft.open("wb") as file:
            packed = packer(file, str(path))
            if packed is None:
                n = chosen.write(changes, file, **options)
            else:
                with packed:
                    n = chosen.write(changes, packed, **options)
        sync_file(draft)
        rename(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return n


def with_severities(changes: Iterable[Change], severities: Mapping[str, str]) -> Iterator[Change]:
    """Yield changes, with the severity of each record set by its category.

    Parameters
    ----------
    changes : iterable of Record, Retraction and Rejected
        As they are read.
    severities : mapping of str to str
        The user's own scale by category, verbatim. Records of other categories stay as they
        are.
    """
    for category, severity in severities.items():
        if not isinstance(category, str) or not isinstance(severity, str):
            raise TypeError("severities: expected texts by texts")
    return (_with_severity(change, severities) for change in changes)


def _with_severity(change: Change, severities: Mapping[str, str]) -> Change:
    if isinstance(change, Record) and change.category in severities:
        return replace(change, severity=severities[change.category])
    return change
