"""Policies as TOML: every key is known, or refused with the nearest that is."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fingerprint.errors import PolicyError
from fingerprint.media import describe
from fingerprint.screening.policy import (
    FloodPolicy,
    ListPolicy,
    Policy,
    TmkPolicy,
    UploaderPolicy,
    VideoPolicy,
    VpdqPolicy,
)
from fingerprint.screening.policy_checks import table, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["load", "parse"]

LARGEST_NBYTES = 1 << 20

P = TypeVar("P", bound=Policy)
T = TypeVar("T")

_INSIDE: Mapping[type, Mapping[str, type]] = {
    ListPolicy: {"vpdq": VpdqPolicy, "tmk": TmkPolicy},
}


def load(path: str | os.PathLike[str], kind: type[P]) -> P:
    """Read a policy file; PolicyError when it cannot be read or followed."""
    name = describe(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST_NBYTES + 1)
        if len(data) > LARGEST_NBYTES:
            raise PolicyError(f"{name}: expected {LARGEST_NBYTES:,} bytes at most")
        text = data.decode()
    except OSError as error:
        raise PolicyError(f"{name}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise PolicyError(f"{name}: expected UTF-8") from None
    return parse(text, name, kind)


def parse(text: str, name: str, kind: type[P]) -> P:
    """Read the text of a policy file."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{name}: expected TOML: {error}") from None
    try:
        return _policy(values, kind)
    except PolicyError as error:
        raise PolicyError(f"{name}: {error}") from None


def _policy(values: dict[str, Any], kind: type[P]) -> P:
    readers: dict[str, Callable[[Any], Any]] = {
        "lists": _lists,
        "default": lambda one: _part("default", one, ListPolicy),
        "video": lambda one: _part("video", one, VideoPolicy),
        "flood": lambda one: _part("flood", one, FloodPolicy),
        "uploader": lambda one: _part("uploader", {"told": one}, UploaderPolicy),
    }
    _require_known("policy", values, readers)
    # A file says what holds: lists that it does not name need a [default].
    parts: dict[str, Any] = {"default": None}
    parts |= {name: readers[name](one) for name, one in values.items()}
    return kind(**parts)


def _lists(values: Any) -> dict[str, ListPolicy]:
    table("lists", values)
    return {name: _part(f"lists.{name}", one, ListPolicy) for name, one in values.items()}


def _part(where: str, values: Any, kind: type[T]) -> T:
    table(where, values)
    fields: Iterable[str] = kind.__dataclass_fields__  # type: ignore[attr-defined]
    _require_known(where, values, fields)
    inside = _INSIDE.get(kind, {})
    parts: dict[str, Any] = {}
    for key, value in values.items():
        if key in inside:
            parts[key] = _part(f"{where}.{key}", value, inside[key])
        else:
            parts[key] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**parts)
    except PolicyError as error:
        raise PolicyError(f"{where}.{error}") from None


def _require_known(where: str, values: Mapping[str, Any], known: Iterable[str]) -> None:
    names = list(known)
    for key in values:
        if key not in names:
            raise unknown(where, key, names)
