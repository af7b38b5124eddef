"""Lines of an audit log: how they are written, chained and told from damage.

A line is JSON with sorted keys and no spaces, in ASCII. ``prev`` is the SHA-256 of the exact
bytes of the line before; ``mac``, an HMAC-SHA256 of the line without it, is what somebody who can
write the file but has not the key cannot make.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from pathlib import Path
from typing import Any

from fingerprint.errors import AuditError

__all__ = [
    "FORMAT",
    "LONGEST_LINE_NBYTES",
    "NO_LINE",
    "AuditKey",
    "entry_of",
    "hash_of",
    "is_torn",
    "line_of",
]

FORMAT = 1
NO_LINE = "0" * 64
"""What the first line follows."""

LONGEST_LINE_NBYTES = 1 << 20
KEY_NBYTES = 32
_LONGEST_KEY_TEXT = 4096


class AuditKey:
    """The secret of an audit log: what hashes are replaced by, and what lines are signed with.

    Parameters
    ----------
    secret : bytes
        At least 32, from a random source.

    Raises
    ------
    AuditError
        It is shorter.
    """

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes) or len(secret) < KEY_NBYTES:
            raise AuditError(f"key: expected at least {KEY_NBYTES} bytes")
        self._lines = _derived(secret, "lines")
        self._values = _derived(secret, "values")
        self.id = _derived(secret, "id").hex()[:16]

    @classmethod
    def read(cls, source: str | os.PathLike[str] | bytes | AuditKey) -> AuditKey:
        """Return a key: from its bytes, or from a file that only its owner can read.

        Raises
        ------
        AuditError
            The file cannot be read, others can read it, or it is no key.
        """
        if isinstance(source, AuditKey):
            return source
        if isinstance(source, bytes):
            return cls(source)
        path = Path(source)
        try:
            mode = path.stat().st_mode
            if os.name != "nt" and stat.S_IMODE(mode) & 0o077:
                raise AuditError(f"{path}: expected a key that its owner alone can read (0600)")
            with path.open("rb") as file:
                text = file.read(_LONGEST_KEY_TEXT)
        except OSError as error:
            raise AuditError(f"{path}: cannot be read: {error.strerror or error}") from error
        return cls(_from_hex(text, str(path)))

    @classmethod
    def from_environment(cls, name: str = "FINGERPRINT_AUDIT_KEY") -> AuditKey:
        """Return the key that an environment variable holds in hex; AuditError without."""
        text = os.environ.get(name, "")
        if not text:
            raise AuditError(f"{name}: expected a key in hex in the environment, got nothing")
        return cls(_from_hex(text.encode(), name))

    def digest(self, name: str, value: str) -> str:
        """Return what stands for a hash in the log: equal for equal ones, and no way back."""
        message = f"{name}:{value}".encode()
        return hmac.new(self._values, message, hashlib.sha256).hexdigest()

    def mac(self, text: bytes) -> str:
        """Return the signature of a line."""
        return hmac.new(self._lines, text, hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return f"<AuditKey {self.id}>"


def _derived(secret: bytes, purpose: str) -> bytes:
    return hmac.new(secret, f"fingerprint audit {purpose}".encode(), hashlib.sha256).digest()


def _from_hex(text: bytes, name: str) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        raise AuditError(f"{name}: expected a key in hex") from None


def hash_of(line: bytes) -> str:
    """Return what the next line has as ``prev``; ``line`` is without its end."""
    return hashlib.sha256(line).hexdigest()


def line_of(entry: dict[str, Any], key: AuditKey) -> bytes:
    """Return an entry as a line, signed, without its end; AuditError when it is too long."""
    line = _canonical({**entry, "mac": key.mac(_canonical(entry))})
    if len(line) > LONGEST_LINE_NBYTES:
        raise AuditError(
            f"a line has {len(line):,} bytes; expected {LONGEST_LINE_NBYTES:,} at most"
        )
    return line


def entry_of(line: bytes, key: AuditKey | None) -> dict[str, Any]:
    """Read a line; ``mac`` is checked with the key, if there is one.

    Raises
    ------
    AuditError
        It is no line of a log, or not signed with this key.
    """
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        raise AuditError("is not an entry of an audit log") from None
    if not isinstance(entry, dict) or not _has_shape(entry) or _canonical(entry) != line:
        raise AuditError("is not an entry of an audit log")
    mac = entry.pop("mac")
    if key is not None and not hmac.compare_digest(mac, key.mac(_canonical(entry))):
        raise AuditError("is not signed with this key")
    return entry


def is_torn(line: bytes) -> bool:
    """Say whether a line can be what a crash left of one: the beginning of an object is none."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return bool(line)
    return False


def _has_shape(entry: dict[str, Any]) -> bool:
    texts = all(isinstance(entry.get(name), str) for name in ("prev", "mac", "event", "time"))
    number = entry.get("seq")
    return texts and isinstance(number, int) and not isinstance(number, bool)


def _canonical(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
