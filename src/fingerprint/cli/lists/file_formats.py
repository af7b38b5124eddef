"""Which format a file of the command line is read or written in."""

from __future__ import annotations

import click

from fingerprint.cli.common import printable
from fingerprint.errors import ListFormatError
from fingerprint.lists.formats import ListFormat, format_names, format_of_path, get_format

__all__ = ["format_to_read", "format_to_write"]


def format_to_read(file: str, chosen: str | None) -> ListFormat:
    """Return the format that was named, or that the suffix stands for; it can be read."""
    if file == "-" and chosen is None:
        raise click.UsageError("-: say --format")
    found = _format_of(file, chosen, "read", _names("read"))
    if found.parse is None:
        raise click.UsageError(
            f"{printable(file)}: the format {found.name} can only be written; those that "
            f"can be read: {_names('read')}"
        )
    return found


def format_to_write(file: str, chosen: str | None) -> ListFormat:
    """Return the format that was named, or that the suffix stands for; it can be written.

    On standard output it is JSONL, if none is named.
    """
    found = _format_of(
        file, "jsonl" if file == "-" and chosen is None else chosen, "write", _names("write")
    )
    if found.write is None:
        raise click.UsageError(
            f"{printable(file)}: the format {found.name} can only be read; those that "
            f"can be written: {_names('write')}"
        )
    return found


def _format_of(file: str, chosen: str | None, what: str, names: str) -> ListFormat:
    if chosen is not None:
        if chosen not in format_names():
            raise click.UsageError(f"--format: expected one of {names}, got {chosen!r}")
        return get_format(chosen)
    try:
        return format_of_path(file)
    except ListFormatError:
        raise click.UsageError(
            f"{printable(file)}: which format is it? {what} it with --format, one of {names}"
        ) from None


def _names(what: str) -> str:
    """Return the names of all formats that can be read, or written."""
    every = [get_format(name) for name in format_names()]
    return ", ".join(
        one.name for one in every if (one.parse if what == "read" else one.write) is not None
    )
