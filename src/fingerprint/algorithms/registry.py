"""Algorithms by name.

An algorithm is a module of this package, or an entry point of the group
``fingerprint.algorithms`` in somebody else's, that has a function
``create(variant: str | None) -> Algorithm``. The name before the first colon is
the module's (or the entry point's), the rest is the variant.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from fingerprint.algorithms.base import Algorithm
from fingerprint.errors import UnknownAlgorithmError

__all__ = ["algorithm_names", "get_algorithm"]

_GROUP = "fingerprint.algorithms"
_LONGEST_NAME = 64
_NOT_ALGORITHMS = {"base", "registry", "grid"}


@lru_cache(maxsize=1)
def _outside() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}


@lru_cache(maxsize=1)
def algorithm_names() -> tuple[str, ...]:
    """Return the names of all algorithms, without variants, sorted."""
    package = importlib.import_module(__package__)
    built_in = {module.name for module in pkgutil.iter_modules(package.__path__)}
    return tuple(sorted((built_in - _NOT_ALGORITHMS) | set(_outside())))


@lru_cache(maxsize=256)
def get_algorithm(name: str) -> Algorithm:
    """Return an algorithm by name, with its variant after a colon.

    Parameters
    ----------
    name : str
        ``"pdq"``, ``"phash"``, ``"phash:16"``, ...

    Raises
    ------
    UnknownAlgorithmError
        There is none of this name, or it has no such variant.
    """
    if not isinstance(name, str):
        raise TypeError(f"algorithm: expected a name, got {type(name).__name__}")
    if len(name) > _LONGEST_NAME:
        raise UnknownAlgorithmError(name, algorithm_names())
    family, _, variant = name.partition(":")
    if family not in algorithm_names():
        raise UnknownAlgorithmError(name, algorithm_names())
    if family in _outside():
        module = _outside()[family].load()
    else:
        module = importlib.import_module(f"{__package__}.{family}")
    return cast("Algorithm", module.create(variant if ":" in name else None))
