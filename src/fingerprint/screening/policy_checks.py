"""Values of a policy: of the right type and in range, or a PolicyError that names them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from fingerprint.errors import PolicyError

__all__ = [
    "instance",
    "names",
    "number",
    "one_of",
    "sampling",
    "table",
    "text",
    "truth",
    "unknown",
    "views",
    "whole",
]

LONGEST = 200


def unknown(name: str, found: str, known: Iterable[str]) -> PolicyError:
    """Return the error for a name that nobody knows, with the nearest that is known."""
    choices = sorted(known)
    near = get_close_matches(found, choices, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return PolicyError(f"{name}: expected one of {', '.join(choices)}, got {found!r}{hint}")


def one_of(name: str, value: object, choices: Collection[str]) -> None:
    """Require one of some words."""
    if not isinstance(value, str):
        raise PolicyError(f"{name}: expected text, got {type(value).__name__}")
    if value not in choices:
        raise unknown(name, value, choices)


def whole(name: str, value: object, least: int, most: int) -> None:
    """Require a whole number in a range."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise PolicyError(f"{name}: expected a whole number, got {type(value).__name__}")
    if not least <= value <= most:
        raise PolicyError(f"{name}: expected {least} to {most}, got {value}")


def number(name: str, value: object, least: float, most: float) -> None:
    """Require a number in a range."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise PolicyError(f"{name}: expected a number, got {type(value).__name__}")
    if not least <= value <= most:  # Not a number is not either.
        raise PolicyError(f"{name}: expected {least} to {most}, got {value}")


def truth(name: str, value: object) -> None:
    """Require true or false."""
    if not isinstance(value, bool):
        raise PolicyError(f"{name}: expected true or false, got {type(value).__name__}")


def text(name: str, value: object, most: int = LONGEST) -> None:
    """Require some printable text."""
    if not isinstance(value, str):
        raise PolicyError(f"{name}: expected text, got {type(value).__name__}")
    if not 0 < len(value) <= most or not value.isprintable():
        raise PolicyError(f"{name}: expected 1 to {most} printable characters")


def names(name: str, value: object, known: Collection[str] | None = None) -> None:
    """Require a tuple of different names."""
    if not isinstance(value, tuple):
        raise PolicyError(f"{name}: expected a list of names, got {type(value).__name__}")
    for one in value:
        text(name, one)
        if known is not None and one not in known:
            raise unknown(name, one, known)
    if len(set(value)) != len(value):
        raise PolicyError(f"{name}: expected each name once")


def table(name: str, value: object, known: Collection[str] | None = None) -> None:
    """Require a mapping with names as keys."""
    if not isinstance(value, Mapping):
        raise PolicyError(f"{name}: expected a table, got {type(value).__name__}")
    for key in value:
        text(name, key)
        if known is not None and key not in known:
            raise unknown(name, key, known)


def instance(name: str, value: object, kind: type[Any]) -> None:
    """Require a part of a policy."""
    if not isinstance(value, kind):
        raise PolicyError(f"{name}: expected {kind.__name__}, got {type(value).__name__}")


def views(value: object, radius: object) -> None:
    """Require true, false or names of families, and bits by family."""
    from fingerprint.views.families import QUERY_FAMILIES

    if not isinstance(value, bool):
        names("views", value, known=QUERY_FAMILIES)
        if not value:
            raise PolicyError("views: expected at least one family, or false")
    table("view_radius", radius, known=QUERY_FAMILIES)
    if isinstance(radius, Mapping):
        for family, bits in radius.items():
            whole(f"view_radius.{family}", bits, 0, 256)


def sampling(name: str, value: object) -> None:
    """Require a rule of sampling as text."""
    from fingerprint.video import parse_sampling

    text(name, value)
    try:
        parse_sampling(str(value))
    except ValueError as error:
        raise PolicyError(f"{name}: {error}") from None
