"""Indexes of format 1: one SQLite file, written whole, with a SHA-256 of it all.

``catalog.sqlite`` has the application id ``0x46505249`` ("FPRI") and 1 as its
``user_version``. Table ``facts`` holds name and value pairs (algorithm, version, bits,
backend, backend options as JSON, the number of entries, and a SHA-256 of all that).
Table ``entries`` holds one row an entry: ``seq``, ``id``, ``hash`` (the packed bytes),
``quality`` (0 to 100, or -1), ``metadata`` (JSON).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from fingerprint.errors import CorruptIndexError
from fingerprint.index.rows import EntryRow
from fingerprint.index.tables import CATALOG, Facts, told

__all__ = ["read"]


def read(directory: Path) -> tuple[Facts, list[EntryRow]]:
    """Read an index of format 1 and check it against its digest.

    Raises
    ------
    CorruptIndexError
        It is damaged.
    """
    try:
        # Never written in place, so whatever journal lies beside it is not its own.
        uri = f"{(directory / CATALOG).absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as db:
            return _read(db, directory)
    except CorruptIndexError:
        raise
    except (sqlite3.Error, ValueError, TypeError, KeyError, AttributeError) as error:
        # SQLite hands out damaged values as it finds them: NULLs, broken UTF-8.
        detail = told(error) or type(error).__name__
        raise CorruptIndexError(str(directory), detail) from error


def _read(db: sqlite3.Connection, directory: Path) -> tuple[Facts, list[EntryRow]]:
    values = dict(db.execute("SELECT name, value FROM facts"))
    facts = Facts(
        values["algorithm"],
        int(values["version"]),
        int(values["bits"]),
        values["backend"],
        json.loads(values["backend_options"]),
    )
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    entries = []
    rows = db.execute("SELECT id, hash, quality, metadata FROM entries ORDER BY seq")
    for seq, (name, packed, quality, metadata) in enumerate(rows, 1):
        for part in (name.encode(), packed, str(quality).encode(), metadata.encode()):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        text = None if metadata == "{}" else metadata
        entries.append(EntryRow(seq, name, packed, quality, text, 0))
    if int(values["count"]) != len(entries) or values["sha256"] != digest.hexdigest():
        raise CorruptIndexError(str(directory), "the contents do not match their checksum")
    return facts, entries
