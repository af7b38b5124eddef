"""What the commands of ``fingerprint index`` share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.filesize import decimal

import fingerprint as fp

__all__ = [
    "check_radius",
    "index_argument",
    "is_utf8",
    "json_option",
    "key_value_option",
    "nbytes_text",
    "residency_option",
    "segments_text",
    "view_ids",
    "without_fidelity",
]

F = TypeVar("F", bound=Callable[..., object])

index_argument = click.argument("index_path", metavar="INDEX", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
residency_option = click.option(
    "--residency",
    type=click.Choice(["mmap", "huge"]),
    default="mmap",
    show_default=True,
    help="huge: copied into huge pages first; slower to open, faster to search.",
)


def key_value_option(name: str, help_text: str) -> Callable[[F], F]:
    """Return a repeatable option ``KEY=VALUE``, whose value the command gets as a dict.

    A VALUE that is JSON stands for what it says, another for its text.
    """
    return click.option(
        name,
        metavar="KEY=VALUE",
        multiple=True,
        callback=_pairs,
        help=f"{help_text} A VALUE may be JSON. Repeatable.",
    )


def _pairs(_: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
    pairs = {}
    for one in texts:
        key, equals, text = one.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"expected KEY=VALUE, got {one!r}", param=option)
        pairs[key] = _value(text)
    return pairs


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)  # Python reads NaN, and 1e999 as infinity.
    except (ValueError, RecursionError):
        return text
    return value


def is_utf8(text: str) -> bool:
    """Return whether a text can be an id: names of files need not be UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_radius(index: fp.Index, radius: int | None) -> None:
    """Refuse a radius of more bits than there are."""
    if radius is not None and radius > index.bits:
        raise click.UsageError(f"--radius: {index.algorithm} has {index.bits} bits")


def nbytes_text(nbytes: int) -> str:
    """Return a size for people."""
    return decimal(nbytes)


def segments_text(n: int) -> str:
    """Return "1 segment", "2 segments"."""
    return f"{n} segment{'' if n == 1 else 's'}"


def view_ids(index: fp.Index, ids: Iterable[str]) -> list[str]:
    """Return the ids of the views that are stored with pictures, of those that are there."""
    pictures = fp.ImageIndex.over(index)
    found: list[str] = []
    for one in ids:
        try:
            found += [entry for entry in pictures.entry_ids(one) if entry != one]
        except fp.UnknownIdError:
            continue
    return found


def without_fidelity(options: dict[str, Any]) -> dict[str, Any]:
    """Return the hashing options that views know: they are hashed one after another, exactly."""
    if options["fidelity"] != "exact":
        raise click.UsageError("--views: expected --fidelity exact, got fast")
    return {name: options[name] for name in ("orientation", "alpha")}
