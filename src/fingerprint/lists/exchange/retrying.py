"""When a request is tried again, and how long to wait before."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["Retry", "http_date", "random_share", "retry_after_s"]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how patiently a request is repeated.

    Parameters
    ----------
    attempts : int
        Of one request, the first included.
    malformed_attempts : int
        Of one whose answers come whole but cannot be read: a proxy's error page, half a
        document.
    first_wait_s, longest_wait_s : float
        The wait doubles from the first to the longest; half of it is random, so that many
        clients do not come back together.
    total_wait_s : float
        Of one request, all its waits together; a ``Retry-After`` beyond it fails at once.
    """

    attempts: int = 6
    malformed_attempts: int = 3
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    total_wait_s: float = 300.0

    def __post_init__(self) -> None:
        for name in ("attempts", "malformed_attempts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        for name in ("first_wait_s", "longest_wait_s", "total_wait_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name)}")

    def wait_s(self, attempt: int, asked_s: float | None, share: Callable[[], float]) -> float:
        """Return how long to wait after an attempt, counted from 1.

        What the other side asked for is a minimum, and is not cut.
        """
        doubled = self.first_wait_s * float(1 << min(attempt - 1, 30))
        wait = min(self.longest_wait_s, doubled)
        if asked_s is not None:
            return asked_s + share() * min(wait, self.first_wait_s)
        return wait * (0.5 + 0.5 * share())


def random_share() -> float:
    """Return a random number from 0 to 1."""
    return secrets.randbelow(1001) / 1000


def http_date(text: str | None) -> datetime | None:
    """Return the time of a Date header in UTC; None where it has none that can be read."""
    try:
        found = parsedate_to_datetime(text) if text else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if found is None:
        return None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        return None


def retry_after_s(text: str | None, date: datetime | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, whether it counts them or dates.

    A date is measured from the same answer's Date, whatever the clock here says.
    """
    text = (text or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:12])
    until = http_date(text)
    if until is None:
        return None
    return max(0.0, (until - (date or now)).total_seconds())
