"""Results that outlast an interruption: scores and counts, no hash, no imagery.

A file of lines: digest, key, JSON. A line that was torn when the writer was stopped has the
wrong digest; what it held is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from fingerprint.errors import IndexLockedError

__all__ = ["Finished", "finished_in"]

_FILE, _LOCK = "finished.jsonl", "finished.lock"


class Finished:
    """What was finished, by key. Without a file it remembers nothing."""

    def __init__(self, file: IO[bytes] | None, records: dict[str, bytes]) -> None:
        self._file = file
        self._records = records

    def get(self, key: str) -> Any | None:
        """Return what was recorded under a key, or None."""
        text = self._records.get(key)
        return None if text is None else json.loads(text)

    def record(self, key: str, result: Any) -> None:
        """Keep a result; it is written before this returns."""
        if self._file is None:
            return
        line = f"{key} {json.dumps(result, separators=(',', ':'))}".encode()
        self._file.write(_digest(line) + b" " + line + b"\n")
        self._file.flush()


@contextmanager
def finished_in(folder: Path | None) -> Iterator[Finished]:
    """Open the results kept in a folder, which is made if need be.

    Raises
    ------
    IndexLockedError
        Another evaluation writes there.
    """
    if folder is None:
        yield Finished(None, {})
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise IndexLockedError(str(folder), "another evaluation writes there") from None
    try:
        path = folder / _FILE
        records, whole = _read(path)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            if not whole:
                file.write(b"\n")
            yield Finished(file, records)
    finally:
        lock.release()


def _read(path: Path) -> tuple[dict[str, bytes], bool]:
    """Return the records of a file, and whether its last line is whole."""
    records: dict[str, bytes] = {}
    whole = True
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                whole = line.endswith(b"\n")
                digest, _, rest = line.rstrip(b"\n").partition(b" ")
                if digest == _digest(rest):
                    key, _, text = rest.partition(b" ")
                    records[key.decode()] = text
    return records, whole


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).hexdigest().encode()
