"""The rows of a bundle, and the digest of a set of records."""

from __future__ import annotations

import json
from typing import Any

from fingerprint.errors import BundleTamperedError, FingerprintError
from fingerprint.lists.content import DIGEST_NBYTES, body_of, combined, value_of
from fingerprint.lists.records import Record, Retraction, instant_of, text_of_instant

__all__ = ["ContentDigest", "canonical_json", "change_of_line", "line_of"]

_FIELDS_OF_RETRACTION = {"at", "reason", "record_id", "retracted", "source"}

_encode = json.JSONEncoder(
    allow_nan=False, sort_keys=True, check_circular=False, separators=(",", ":")
).encode


def canonical_json(value: Any) -> bytes:
    """Return the one way to write a value: sorted names, no spaces, ASCII."""
    return _encode(value).encode("ascii")


def line_of(change: Record | Retraction) -> bytes:
    """Return the row of a record or retraction, with its line feed."""
    if isinstance(change, Record):
        return canonical_json(change.to_dict()) + b"\n"
    at = None if change.at is None else text_of_instant(change.at)
    return (
        canonical_json(
            {
                "at": at,
                "reason": change.reason,
                "record_id": change.record_id,
                "retracted": True,
                "source": change.source,
            }
        )
        + b"\n"
    )


def change_of_line(line: bytes) -> Record | Retraction:
    """Read a row; BundleTamperedError unless `line_of` would have written it so."""
    try:
        values = json.loads(line)
        change = _change_of(values)
    except (FingerprintError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BundleTamperedError(f"is neither record nor retraction: {error}") from None
    if line_of(change) != line:
        raise BundleTamperedError("is not written in the canonical way")
    return change


def _change_of(values: Any) -> Record | Retraction:
    if not isinstance(values, dict):
        raise TypeError(f"expected an object, got {type(values).__name__}")
    if "retracted" not in values:
        return Record.from_dict(values)
    if values.keys() != _FIELDS_OF_RETRACTION or values["retracted"] is not True:
        raise ValueError(f"expected {', '.join(sorted(_FIELDS_OF_RETRACTION))}")
    at = None if values["at"] is None else instant_of(values["at"])
    return Retraction(values["source"], values["record_id"], at, values["reason"])


class ContentDigest:
    """The digest of a set of records (`fingerprint.lists.content`), kept up with changes of it.

    Parameters
    ----------
    hex_digest : str
        To go on from.
    """

    __slots__ = ("_total",)

    def __init__(self, hex_digest: str = "0") -> None:
        self._total = int(hex_digest, 16)

    def add(self, record: Record) -> None:
        """Take a record in."""
        self._total = combined(self._total, value_of(*record.key, body_of(record)))

    def remove(self, record: Record) -> None:
        """Take a record out."""
        self._total = combined(self._total, taken=value_of(*record.key, body_of(record)))

    @property
    def hex(self) -> str:
        """Lower-case hex digits, 64."""
        return self._total.to_bytes(DIGEST_NBYTES).hex()
