"""Fragments of a CyberTipline report, out only: the elements that tell a file's hashes.

One ``originalFileHash`` a line, a blank line behind each record; they are to be put into a
report's ``fileDetails``. The shape follows public descriptions of that element; it was checked
against neither NCMEC's documentation nor its service. A retraction cannot be said: it is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats.base import ListFormat
from fingerprint.lists.records import Change, Record, Rejected

__all__ = ["FORMAT", "write"]


def write(changes: Iterable[Change], stream: BinaryIO) -> int:
    """Write the hashes of records; return how many records. Rejected rows are passed over.

    Raises
    ------
    ListFormatError
        There is a retraction among them.
    """
    n = 0
    for change in changes:
        if isinstance(change, Rejected):
            continue
        if not isinstance(change, Record):
            raise ListFormatError("cybertip", "a report cannot say that a record is retracted")
        lines = [
            f"<originalFileHash hashType={quoteattr(kind.upper())}>{escape(value)}"
            "</originalFileHash>\n"
            for kind, value in change.hashes.items()
        ]
        stream.write("".join([*lines, "\n"]).encode())
        n += 1
    return n


FORMAT = ListFormat("cybertip", "hashes in a CyberTipline report", (".cybertip",), None, write)
