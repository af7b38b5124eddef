"""What the parts of a video hash must be."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from fingerprint.errors import redacted
from fingerprint.hash_arrays import read_only

__all__ = ["DIGEST_NBYTES", "amount", "checked_digests", "column", "size"]

DIGEST_NBYTES = {"md5": 16, "sha1": 20, "sha256": 32}
"""Digests that a video hash may carry, and how long they are."""

_HEX = re.compile(r"[0-9a-f]*")


def column(name: str, values: Any, n: int, dtype: np.dtype[Any]) -> Any:
    """Return a read-only copy of a column, having checked what it is."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(f"{name}: expected shape ({n},), got {array.shape}")
    if array.size and not np.can_cast(array.dtype, dtype, "safe"):
        raise TypeError(f"{name}: expected {dtype}, got {array.dtype}")
    return read_only(array.astype(dtype))


def amount(name: str, value: Any) -> float:
    """Return a finite number from 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name}: expected float, got {type(value).__name__}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not (math.isfinite(found) and found >= 0):
        raise ValueError(f"{name}: expected a finite number from 0, got {found}")
    return found


def size(name: str, value: Any) -> int:
    """Return a whole number from 0."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}: expected int, got {type(value).__name__}")
    found = operator.index(value)
    if found < 0:
        raise ValueError(f"{name}: expected pixels from 0, got {found}")
    return found


def checked_digests(digests: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of digests by name, in lower-case hex."""
    if not isinstance(digests, Mapping):
        raise TypeError(f"digests: expected a mapping, got {type(digests).__name__}")
    for name, value in digests.items():
        if name not in DIGEST_NBYTES:
            known = ", ".join(DIGEST_NBYTES)
            raise ValueError(f"digests: expected some of {known}, got {redacted(name)!r}")
        length = 2 * DIGEST_NBYTES[name]
        if not isinstance(value, str) or len(value) != length or not _HEX.fullmatch(value):
            raise ValueError(f"digests: expected {length} lower-case hex digits for {name}")
    return dict(digests)
