"""How kernels are compiled: cached on disk, without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile with IEEE arithmetic: the same bits on every machine.

    Division follows numpy, not Python: a check for zero keeps loops from being
    vectorised.
    """
    return cast(F, njit(cache=True, nogil=True, error_model="numpy")(function))


def reassociating_kernel(function: F) -> F:
    """Compile a kernel whose floating sums may be taken in any order.

    Only for integer work, and for float results that the caller certifies or
    rounds before anybody sees them: they differ from machine to machine.
    """
    return cast(F, njit(cache=True, nogil=True, error_model="numpy", fastmath=True)(function))
