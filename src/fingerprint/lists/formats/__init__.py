"""One file a format of hash lists, found by the name of the file."""

from __future__ import annotations

from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListFormat, ListLimits
from fingerprint.lists.formats.registry import format_names, format_of_path, get_format

__all__ = [
    "DEFAULT_LIMITS",
    "ListFormat",
    "ListLimits",
    "format_names",
    "format_of_path",
    "get_format",
]
