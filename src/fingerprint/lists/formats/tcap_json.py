"""Tech Against Terrorism's hash list (TCAP)."""

from __future__ import annotations

from typing import Any, NamedTuple

from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListFormat, ListLimits
from fingerprint.lists.records import Change

__all__ = ["FORMAT", "TcapPage", "parse_page"]


class TcapPage(NamedTuple):
    """One answer of the hash list.

    Attributes
    ----------
    changes : tuple of Change
        In the order of the answer.
    next : str or None
        The URL of the next page, verbatim; None on the last.
    checkpoint : object
        Where to go on from, as it came, usually text of ``{time},{id}``; None without one.
    count : int or None
        Entries that the answer says there are: of the whole list, not of the page.
    """

    changes: tuple[Change, ...]
    next: str | None
    checkpoint: Any
    count: int | None


def parse_page(
    body: bytes, *, name: str, source: str = "tcap", limits: ListLimits = DEFAULT_LIMITS
) -> TcapPage:
    """Read one answer of the hash list."""
    raise NotImplementedError


FORMAT = ListFormat("tcap-json", "Tech Against Terrorism's hash list", (), None)
