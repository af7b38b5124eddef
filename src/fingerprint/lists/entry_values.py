"""Values of entries that exchanges send: read as they mean, else kept as they came and told of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats.base import changes_of
from fingerprint.lists.records import LONGEST_NAME, Change, Opinion, Rejected, instant_of

__all__ = [
    "changes_with_raw",
    "id_of",
    "instant_or_fault",
    "name_of_hash",
    "opinion_or_fault",
    "text_of",
    "truth_of",
]

LARGEST_KEPT = 4096
"""Characters of one field of ``raw``, once all of them together are too many."""


def changes_with_raw(
    row: int,
    source: str,
    record_id: str,
    hashes: Mapping[str, Any],
    raw: Mapping[str, Any],
    faults: Iterable[str] = (),
    **fields: Any,
) -> Iterator[Change]:
    """Do what `changes_of` does, but let no oversized ``raw`` cost the record.

    Fields of it that are too large, too deep or no JSON are left out and told of.
    ``faults`` are told of too: what of the entry could not be read.
    """
    changes = list(changes_of(row, source, record_id, hashes, raw=raw, **fields))
    if raw and len(changes) == 1 and isinstance(changes[0], Rejected) and changes[0].whole:
        kept = {name: value for name, value in raw.items() if _is_small(name, value)}
        while len(json.dumps(kept)) > 8 * LARGEST_KEPT:
            kept.popitem()
        left_out = ", ".join(repr(name[:40]) for name in raw if name not in kept)
        again = list(changes_of(row, source, record_id, hashes, raw=kept, **fields))
        if left_out and not (isinstance(again[0], Rejected) and again[0].whole):
            changes = [
                Rejected(row, f"raw: left out {left_out}: expected less", source, record_id, False),
                *again,
            ]
    for fault in faults:
        yield Rejected(row, fault, source, record_id, whole=False)
    yield from changes


def _is_small(name: str, value: Any) -> bool:
    try:
        text = json.dumps({name: value}, allow_nan=False)
        text.encode()
        name.encode()
    except (ValueError, RecursionError):
        return False
    return len(text) <= LARGEST_KEPT and text.count("[") + text.count("{") <= 32


def id_of(field: str, value: Any) -> str:
    """Return an id as text.

    Raises
    ------
    ValueError
        It is neither text nor a whole number, or no printable id.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"{field}: expected text or a whole number, got {type(value).__name__}")
    text = value.strip()
    if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
        raise ValueError(f"{field}: expected 1 to {LONGEST_NAME} printable characters")
    return text


def name_of_hash(kind: str, value: str) -> str:
    """Return an id for a record that has none but its hash, without the hash in it."""
    text = value.strip()
    if all(one in "0123456789abcdefABCDEF" for one in text):
        text = text.lower()
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}:{digest[:32]}"


def instant_or_fault(field: str, value: Any, faults: list[str]) -> datetime | None:
    """Return a time with its zone, or None and the reason among the faults."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isdecimal() and value.isascii():
        value = int(value[:20])
    try:
        return instant_of(value)
    except ListFormatError as error:
        faults.append(f"{field}: {error.reason}")
        return None


def opinion_or_fault(by: str, value: str, tags: Iterable[str], faults: list[str]) -> list[Opinion]:
    """Return an opinion, or none and the reason among the faults."""
    try:
        return [Opinion(by, value, tuple(tags))]
    except (TypeError, ValueError) as error:
        faults.append(str(error))
        return []


def text_of(value: Any) -> str:
    """Return a value as text: verbatim where it is that, else as JSON; nothing for null."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, sort_keys=True)


def truth_of(field: str, value: Any) -> bool:
    """Return a boolean, also one in text or 0 or 1; nothing is false.

    Raises
    ------
    ValueError
        It is none of these.
    """
    plain = value.strip().lower() if isinstance(value, str) else value
    if plain in (True, "true", "1"):
        return True
    if plain in (False, None, "", "false", "0"):
        return False
    raise ValueError(f"{field}: expected true or false, got {text_of(value)[:40]!r}")
