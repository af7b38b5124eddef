"""StopNCII's FetchHashes answers."""

from __future__ import annotations

from typing import NamedTuple

from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListFormat, ListLimits
from fingerprint.lists.records import Change

__all__ = ["FORMAT", "StopNciiPage", "parse_page"]


class StopNciiPage(NamedTuple):
    """One answer of FetchHashes.

    Attributes
    ----------
    changes : tuple of Change
        In the order of the answer.
    next_page_token : str or None
        For the next page, verbatim; None where the answer has none.
    next_set_timestamp : int or None
        Where to start from next time, in seconds since 1970.
    has_more : bool
        Whether another page follows.
    count : int or None
        Records that the answer says it has.
    """

    changes: tuple[Change, ...]
    next_page_token: str | None
    next_set_timestamp: int | None
    has_more: bool
    count: int | None


def parse_page(
    body: bytes, *, name: str, source: str = "stopncii", limits: ListLimits = DEFAULT_LIMITS
) -> StopNciiPage:
    """Read one answer of FetchHashes."""
    raise NotImplementedError


FORMAT = ListFormat("stopncii-json", "StopNCII FetchHashes answers", (), None)
