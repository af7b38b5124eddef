"""Checking an audit log: changed, removed, inserted, reordered and cut-off lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fingerprint.errors import AuditError
from fingerprint.screening.audit import AuditHead
from fingerprint.screening.audit_lines import (
    FORMAT,
    LONGEST_LINE_NBYTES,
    NO_LINE,
    AuditKey,
    entry_of,
    hash_of,
    is_torn,
)

__all__ = ["AuditReport", "verify_audit"]

MOST_PROBLEMS = 100
MOST_TORN_NBYTES = 2 * LONGEST_LINE_NBYTES
"""In lines that a crash cut short, one after the other: `AuditLog` looks back no further."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a check of an audit log found.

    Parameters
    ----------
    problems : tuple of str
        Each names a line, counted from 1, and what is wrong with it; the first hundred.
    lines : int
        How many there are.
    head : AuditHead
        The last line that is whole: note it elsewhere.
    recovered : int
        Lines that a crash cut short and that the chain goes on from.
    keyed : bool
        Whether signatures were checked. Without the key, somebody who can write the file
        can make a chain of their own.
    """

    problems: tuple[str, ...]
    lines: int
    head: AuditHead
    recovered: int
    keyed: bool

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_audit(
    path: str | os.PathLike[str],
    key: bytes | str | os.PathLike[str] | AuditKey | None = None,
    expected_head: str | None = None,
) -> AuditReport:
    """Read a log and check every line; it may be open for writing.

    Parameters
    ----------
    path : path
        The log.
    key : bytes, path of a key file, or AuditKey, optional
        To check signatures with.
    expected_head : str, optional
        Hash of a line that was the last one once (`AuditLog.head`): it must still be there. Without
        it, lines that were cut off the end are not missed.

    Raises
    ------
    AuditError
        The file or the key cannot be read.
    """
    check = _Check(None if key is None else AuditKey.read(key), expected_head)
    try:
        with Path(path).open("rb") as file:
            for line, ended in _lines(file):
                check.add(line, ended=ended)
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror or error}") from error
    return check.report()


def _lines(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield lines without their ends, and whether they had one; too long ones in pieces."""
    while line := file.readline(LONGEST_LINE_NBYTES + 1):
        yield line.removesuffix(b"\n"), line.endswith(b"\n")


class _Check:
    """What is known of the lines so far."""

    def __init__(self, key: AuditKey | None, expected_head: str | None) -> None:
        self._key = key
        self._expected_head = expected_head
        self._problems: list[str] = []
        self._lines = 0
        self._recovered = 0
        self._head = AuditHead(NO_LINE, -1)
        self._torn: list[bytes] = []
        self._head_seen = expected_head is None or expected_head == NO_LINE

    def add(self, line: bytes, *, ended: bool) -> None:
        self._lines += 1
        try:
            entry = entry_of(line, self._key)
        except AuditError as error:
            if ended and is_torn(line):  # A later line may go on from it.
                self._torn.append(line)
                if sum(map(len, self._torn)) > MOST_TORN_NBYTES:
                    self._note_torn(self._lines)
            else:
                self._note_torn(self._lines - 1)
                self._note(self._lines, str(error) if ended else "is cut short")
            return
        if not ended:
            self._note(self._lines, "is cut short: its end is missing")
        if self._torn and self._is_recovery(entry):
            self._recovered += len(self._torn)
        else:
            self._note_torn(self._lines - 1)
            if entry["prev"] != self._head.hash:
                self._note(self._lines, "does not follow the line before it")
        if entry["seq"] != self._head.seq + 1:
            self._note(self._lines, f"has number {entry['seq']}, expected {self._head.seq + 1}")
        if (self._head.seq < 0) != (entry["event"] == "begin") and entry["event"] != "recovered":
            self._note(self._lines, "is not what a log begins with, or begins it again")
        if entry.get("format", FORMAT) != FORMAT:
            self._note(self._lines, f"is of format {entry['format']!r}, expected {FORMAT}")
        self._torn = []
        self._head = AuditHead(hash_of(line), entry["seq"])
        self._head_seen |= self._head.hash == self._expected_head

    def report(self) -> AuditReport:
        self._note_torn(self._lines)
        if not self._lines:
            self._note(1, "is missing: the log is empty")
        if not self._head_seen:
            self._note(self._lines, "is the last: the expected head is not among the lines")
        return AuditReport(
            tuple(self._problems), self._lines, self._head, self._recovered, self._key is not None
        )

    def _note_torn(self, last: int) -> None:
        """Note that the lines before are no entries, and that nothing goes on from them."""
        for line in range(last - len(self._torn) + 1, last + 1):
            self._note(line, "is not an entry of an audit log")
        self._torn = []

    def _is_recovery(self, entry: dict[str, object]) -> bool:
        torn = b"\n".join(self._torn)
        return (
            entry["event"] == "recovered"
            and entry["prev"] == hash_of(torn)
            and entry.get("after") == self._head.hash
            and entry.get("torn_nbytes") == len(torn)
        )

    def _note(self, line: int, problem: str) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(f"line {line}: {problem}")
