"""How kernels are compiled: cached on disk, without the GIL."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def _compiled(function: F, **options: Any) -> F:
    try:
        return cast(F, njit(cache=True, nogil=True, error_model="numpy", **options)(function))
    except RuntimeError:  # Neither the package's nor the user's cache can be written.
        warnings.warn(
            "numba finds no folder to keep compiled kernels in: every process compiles its own; "
            "set NUMBA_CACHE_DIR to a writable folder",
            RuntimeWarning,
            stacklevel=3,
        )
        return cast(F, njit(nogil=True, error_model="numpy", **options)(function))


def kernel(function: F) -> F:
    """Compile with IEEE arithmetic: the same bits on every machine.

    Division follows numpy, not Python: a check for zero keeps loops from being
    vectorised.
    """
    return _compiled(function)


def reassociating_kernel(function: F) -> F:
    """Compile a kernel whose floating sums may be taken in any order.

    Only for integer work, and for float results that the caller certifies or
    rounds before anybody sees them: they differ from machine to machine.
    """
    return _compiled(function, fastmath=True)
