"""Which backend ``auto`` stands for."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Choice", "choose"]


class Choice(NamedTuple):
    """The name of a backend, and why it was chosen."""

    name: str
    why: str


def choose(n: int, bits: int) -> Choice:
    """Choose the exact backend for ``n`` hashes of ``bits`` bits."""
    return Choice("linear", f"auto: a scan of {n:,} hashes is cheapest")
