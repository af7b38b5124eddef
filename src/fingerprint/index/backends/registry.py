"""Backends by name: the name of their file, with dashes."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from fingerprint.errors import UnsupportedOperationError
from fingerprint.index.backends.base import Backend

__all__ = ["backend_names", "get_backend"]

_GROUP = "fingerprint.backends"
_NOT_BACKENDS = {"base", "choice", "faiss_common", "registry", "residency", "scan"}


@lru_cache(maxsize=1)
def _outside() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}


@lru_cache(maxsize=1)
def backend_names() -> tuple[str, ...]:
    """Return the names of all backends, sorted, whether or not their extra is installed."""
    package = importlib.import_module(__package__)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    built_in = {name.replace("_", "-") for name in modules - _NOT_BACKENDS}
    return tuple(sorted(built_in | set(_outside())))


def get_backend(name: str) -> type[Backend]:
    """Return a backend class by name.

    Raises
    ------
    UnsupportedOperationError
        There is none of this name.
    """
    if name not in backend_names():
        raise UnsupportedOperationError(
            f"unknown backend {name!r}; known: {', '.join(backend_names())}"
        )
    if name in _outside():
        return cast("type[Backend]", _outside()[name].load())
    module = importlib.import_module(f"{__package__}.{name.replace('-', '_')}")
    return cast("type[Backend]", module.BACKEND)
