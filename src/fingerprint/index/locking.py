"""One writer at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from fingerprint.errors import IndexLockedError

__all__ = ["LOCK", "locked"]

LOCK = "writer.lock"


@contextmanager
def locked(directory: os.PathLike[str]) -> Iterator[None]:
    """Hold the writer's lock of an index.

    Raises
    ------
    IndexLockedError
        Another process has it, or another Index of this one.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(os.path.join(directory, LOCK), timeout=0, mode=0o600, thread_local=False)  # noqa: PTH118
    try:
        lock.acquire()
    except Timeout:
        raise IndexLockedError(
            str(directory),
            "another Index has it open for writing; open it with read_only=True, or close that",
        ) from None
    try:
        yield
    finally:
        lock.release()
