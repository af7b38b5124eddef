"""ThreatExchange's threat_updates answers."""

from __future__ import annotations

from typing import NamedTuple

from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListFormat, ListLimits
from fingerprint.lists.records import Change

__all__ = ["FORMAT", "ThreatExchangePage", "parse_page"]


class ThreatExchangePage(NamedTuple):
    """One answer of ``/{privacy_group}/threat_updates``.

    Attributes
    ----------
    changes : tuple of Change
        In the order of the answer.
    next : str or None
        The URL of the next page, verbatim: it may hold the access token. None on the last.
    last_updated : int or None
        The latest of its entries, in seconds since 1970.
    """

    changes: tuple[Change, ...]
    next: str | None
    last_updated: int | None


def parse_page(
    body: bytes, *, name: str, source: str = "threatexchange", limits: ListLimits = DEFAULT_LIMITS
) -> ThreatExchangePage:
    """Read one answer of threat_updates."""
    raise NotImplementedError


FORMAT = ListFormat("threatexchange-json", "ThreatExchange threat_updates answers", (), None)
