"""The audit log: what was screened, when, against what, and what was found; append-only."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from fingerprint.errors import AuditError
from fingerprint.index import durable
from fingerprint.lists.records import text_of_instant
from fingerprint.screening.audit_lines import (
    FORMAT,
    KEY_NBYTES,
    LONGEST_LINE_NBYTES,
    NO_LINE,
    AuditKey,
    entry_of,
    hash_of,
    is_torn,
    line_of,
)

if TYPE_CHECKING:
    from fingerprint.screening.evidence import ScreeningResult

__all__ = ["AuditHead", "AuditLog"]

MOST_RECORDS = 500
LONGEST_LABEL = 200
_OWN_NAMES = frozenset({"event", "format", "mac", "prev", "seq", "time"})


class AuditHead(NamedTuple):
    """The last line: note it elsewhere, and `verify_audit` sees if lines are cut off.

    Attributes
    ----------
    hash : str
        SHA-256 of its bytes, in hex.
    seq : int
        Its number; the first is 0.
    """

    hash: str
    seq: int


class AuditLog:
    """An audit log, open for appending; one at a time. `AuditLog.open` makes them.

    Attributes
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path, key: AuditKey, sync_every: int) -> None:
        self.path = path
        self._key = key
        self._sync_every = sync_every
        self._lock = threading.Lock()
        self._held = ExitStack()
        self._file = -1
        self._unsynced = 0
        self._doubtful = False
        self._process = os.getpid()
        self._nbytes = 0
        self._head = AuditHead(NO_LINE, -1)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        key: bytes | str | os.PathLike[str] | AuditKey,
        *,
        sync_every: int = 1,
    ) -> Self:
        """Open a log for appending, or begin one that its owner alone can read.

        What a crash left of a last line stays, and the chain goes on from it.

        Parameters
        ----------
        path : path
            The file.
        key : bytes, path of a key file, or AuditKey
            As `create_key` makes it. Who has it can tell which uploads are in the log.
        sync_every : int
            Wait for the disk after so many lines: 1 loses none to a power cut; 0 leaves it
            to the system.

        Raises
        ------
        AuditError
            Somebody else is writing it, the key is another one's, the file is no audit log, or it
            cannot be read or written.
        """
        if not isinstance(sync_every, int) or sync_every < 0:
            raise ValueError(f"sync_every: expected 0 or more lines, got {sync_every!r}")
        log = cls(Path(path), AuditKey.read(key), sync_every)
        with ExitStack() as held:
            held.enter_context(_locked(log.path))
            try:
                log._begin()
            except OSError as error:
                log._close_file()
                raise AuditError(
                    f"{log.path}: cannot be written: {error.strerror or error}"
                ) from error
            except BaseException:
                log._close_file()
                raise
            log._held = held.pop_all()
        return log

    @staticmethod
    def create_key(path: str | os.PathLike[str]) -> None:
        """Write a new random key to a file that its owner alone can read.

        Raises
        ------
        AuditError
            Something is there, or it cannot be written.
        """
        target = Path(path)
        try:
            durable.make_private_file(target)
            target.write_text(secrets.token_hex(KEY_NBYTES) + "\n")
            durable.sync_file(target)
            durable.sync_directory(target.absolute().parent)
        except OSError as error:
            raise AuditError(f"{target}: cannot be written: {error.strerror or error}") from error

    @property
    def head(self) -> AuditHead:
        """The last line."""
        with self._lock:
            return self._head

    def record(
        self,
        result: ScreeningResult,
        identity: str = "",
        hashes: Mapping[str, str] | None = None,
        label: str = "",
    ) -> AuditHead:
        """Append a result.

        Parameters
        ----------
        result : ScreeningResult
            What to record: of evidence the records' names, never a hash.
        identity : str
            SHA-256 of the upload; a keyed digest of it is written.
        hashes : mapping of str to str
            By type, whole; keyed digests of them are written.
        label : str
            What the caller wants to find it by.

        Raises
        ------
        AuditError
            It cannot be written.
        """
        if len(label) > LONGEST_LABEL:
            raise AuditError(f"label: expected {LONGEST_LABEL} characters at most")
        entry = _entry_of(result)
        if label:
            entry["label"] = label
        if identity:
            entry["upload"] = self._key.digest("sha256", identity)
        entry["hashes"] = {
            name: self._key.digest(name, value) for name, value in (hashes or {}).items()
        }
        return self.append("screened", entry)

    def append(self, event: str, entry: Mapping[str, Any]) -> AuditHead:
        """Append an event of one's own, such as a reviewer's decision; never a hash or content.

        Raises
        ------
        AuditError
            The log is closed, or cannot be written.
        """
        if taken := sorted(_OWN_NAMES & entry.keys()):
            raise AuditError(f"entry: expected other names than the log's own, got {taken[0]!r}")
        with self._lock:
            if self._file < 0:
                raise AuditError(f"{self.path}: the log is closed")
            try:
                self._check_file()
                if self._doubtful:
                    self._recover()
                self._append(event, entry)
            except (OSError, TypeError, ValueError) as error:
                self._doubtful |= isinstance(error, OSError)
                reason = getattr(error, "strerror", None) or error
                raise AuditError(f"{self.path}: cannot be written: {reason}") from error
            return self._head

    def close(self) -> None:
        """Wait for the disk, and let another process write."""
        with self._lock:
            try:
                if self._file >= 0 and self._unsynced and self._sync_every:
                    os.fsync(self._file)
            finally:
                self._close_file()
                self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AuditLog {self.path}>"

    def _begin(self) -> None:
        is_new = not self.path.exists()
        flags = os.O_RDWR | os.O_APPEND | (os.O_CREAT | os.O_EXCL if is_new else 0)
        self._file = os.open(self.path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
        self.path.chmod(0o600)
        if is_new:
            durable.sync_directory(self.path.absolute().parent)
        if os.fstat(self._file).st_size == 0:
            self._append("begin", self._facts())
            return
        self._check_key()
        self._recover()

    def _check_file(self) -> None:
        """Refuse to write where a line would be lost, or break the chain."""
        if os.getpid() != self._process:
            raise AuditError(
                f"{self.path}: was opened in another process: expected a log of its own"
            )
        found = os.fstat(self._file)
        if os.name != "nt" and not found.st_nlink:
            raise AuditError(f"{self.path}: was removed")
        if not self._doubtful and found.st_size != self._nbytes:
            raise AuditError(f"{self.path}: was changed by somebody else: verify it")

    def _facts(self) -> dict[str, Any]:
        return {"format": FORMAT, "key": self._key.id}

    def _check_key(self) -> None:
        """Refuse a file that is no log, or that another key began."""
        head = self._read(0, LONGEST_LINE_NBYTES + 1)
        first, end, _ = head.partition(b"\n")
        if not end:  # What a crash left of the first line.
            if not _may_begin(head):
                raise AuditError(f"{self.path}: expected an audit log")
            return
        try:
            entry = entry_of(first, None)
        except AuditError:
            if not _may_begin(first):
                raise AuditError(f"{self.path}: expected an audit log") from None
            return
        if entry.get("format", FORMAT) != FORMAT:
            raise AuditError(f"{self.path}: expected format {FORMAT}, got {entry.get('format')}")
        if entry.get("key", self._key.id) != self._key.id:
            raise AuditError(f"{self.path}: was begun with another key")

    def _recover(self) -> None:
        """Find the last whole line; keep all that follows it as it is, and chain over it."""
        size = os.fstat(self._file).st_size
        start = max(0, size - 2 * (LONGEST_LINE_NBYTES + 1))
        lines = self._read(start, size - start).split(b"\n")
        rest = lines.pop()
        if start:
            lines = lines[1:]  # It may be cut in front.
        if rest and _is_entry(rest, self._key):
            os.write(self._file, b"\n")
            lines, rest = [*lines, rest], b""
        torn = [rest] if rest else []
        while lines and is_torn(lines[-1]):  # A crash may cut what was to mend another one's.
            torn.insert(0, lines.pop())
        self._head = AuditHead(NO_LINE, -1)
        if lines or start:
            if not lines or not _is_entry(lines[-1], self._key):
                raise AuditError(f"{self.path}: its last line is not of this log: verify it")
            last = lines[-1]
            self._head = AuditHead(hash_of(last), entry_of(last, self._key)["seq"])
        if torn:
            self._chain_over(b"\n".join(torn), ended=not rest)
        self._nbytes = os.fstat(self._file).st_size
        self._doubtful = False

    def _chain_over(self, torn: bytes, *, ended: bool) -> None:
        if not ended:
            self._write(b"\n")
        after = self._head.hash
        self._head = AuditHead(hash_of(torn), self._head.seq)
        self._append("recovered", {**self._facts(), "after": after, "torn_nbytes": len(torn)})

    def _append(self, event: str, entry: Mapping[str, Any]) -> None:
        full = {
            **entry,
            "event": event,
            "prev": self._head.hash,
            "seq": self._head.seq + 1,
            "time": text_of_instant(datetime.now(UTC)),
        }
        line = line_of(full, self._key)
        self._write(line + b"\n")
        self._unsynced += 1
        if self._sync_every and self._unsynced >= self._sync_every:
            os.fsync(self._file)
            self._unsynced = 0
        self._head = AuditHead(hash_of(line), self._head.seq + 1)
        self._nbytes += len(line) + 1

    def _read(self, start: int, nbytes: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(nbytes)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _may_begin(line: bytes) -> bool:
    """Say whether a crash may have left this of a log's first line."""
    return bool(line) and line[:2] == b'{"'[: len(line)]


def _is_entry(line: bytes, key: AuditKey) -> bool:
    try:
        entry_of(line, key)
    except AuditError:
        return False
    return True


def _locked(path: Path) -> Any:
    """Return a context that holds the writer's lock of a log."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{path}.lock", timeout=0, mode=0o600, thread_local=False)
    try:
        return lock.acquire()
    except Timeout:
        raise AuditError(f"{path}: somebody else is writing it") from None
    except OSError as error:
        raise AuditError(f"{path}: cannot be written: {error.strerror or error}") from error


def _entry_of(result: ScreeningResult) -> dict[str, Any]:
    """Return what is recorded of a result: names and numbers, no hash and no path."""
    records = [[*one.key, one.algorithm, one.counts, *one.why_not] for one in result.evidence]
    entry: dict[str, Any] = {
        "reference": result.reference,
        "outcome": str(result.outcome),
        "media": result.media,
        "policy": result.policy_version,
        "screened_at": text_of_instant(result.screened_at),
        "lists": {
            name: {"version": used.version, "digest": used.digest}
            for name, used in result.lists.items()
        },
        "records": records[:MOST_RECORDS],
    }
    if len(records) > MOST_RECORDS:
        entry["records_left_out"] = len(records) - MOST_RECORDS
    if result.stale:
        entry["stale"] = [one.list_name for one in result.stale]
    if result.low_quality:
        entry["low_quality"] = True
    if result.failures:
        entry["failures"] = [[one.step, one.error, one.list_name] for one in result.failures][:100]
    if result.flood:
        entry["flood"] = [
            [one.list_name, one.source, one.record_id, one.matches, one.uploads, one.suspended]
            for one in result.flood
        ][:100]
    return entry
