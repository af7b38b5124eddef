"""Looking through encoded files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.kernels._jit import kernel

if TYPE_CHECKING:
    from fingerprint.typing import U8


@kernel
def count_pairs(data: U8, first: int, second: int) -> Any:
    """Count the places where byte ``first`` is followed by byte ``second``."""
    found = np.int64(0)
    for i in range(data.size - 1):
        found += np.int64((data[i] == first) & (data[i + 1] == second))
    return found
