"""Formats of hash lists by name.

A format is a module of this package, or an entry point of the group
``fingerprint.list_formats`` in somebody else's, that has a `ListFormat` named ``FORMAT``.
The name is the module's with dashes, such as ``ncmec-xml`` for ``ncmec_xml``.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from fingerprint.errors import ListFormatError
from fingerprint.lists.formats.base import ListFormat

__all__ = ["format_names", "format_of_path", "get_format"]

_GROUP = "fingerprint.list_formats"
_NOT_FORMATS = {"base", "registry", "compression", "json_stream", "fields"}


@lru_cache(maxsize=1)
def _outside() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}


@lru_cache(maxsize=1)
def format_names() -> tuple[str, ...]:
    """Return the names of all formats, sorted."""
    package = importlib.import_module(__package__)
    built_in = {module.name for module in pkgutil.iter_modules(package.__path__)} - _NOT_FORMATS
    return tuple(sorted({name.replace("_", "-") for name in built_in} | set(_outside())))


@lru_cache(maxsize=64)
def get_format(name: str) -> ListFormat:
    """Return a format by name; ListFormatError when there is none."""
    if name not in format_names():
        raise ListFormatError("format", f"{name!r}: expected one of {', '.join(format_names())}")
    if name in _outside():
        found: ListFormat = _outside()[name].load()
        return found
    module = importlib.import_module(f"{__package__}.{name.replace('-', '_')}")
    found = module.FORMAT
    return found


def format_of_path(path: str) -> ListFormat:
    """Return the format that a file's suffix stands for, its compression's left off.

    Raises
    ------
    ListFormatError
        None, or more than one, goes by this suffix: it has to be named.
    """
    bare = path.lower()
    for packed in (".gz", ".zst", ".zstd"):
        bare = bare.removesuffix(packed)
    every = [get_format(name) for name in format_names()]
    fitting = [one for one in every if bare.endswith(one.suffixes) and one.suffixes]
    if len(fitting) != 1:
        names = ", ".join(one.name for one in fitting or every)
        raise ListFormatError(path, f"which format is it? Name one of {names}")
    return fitting[0]
