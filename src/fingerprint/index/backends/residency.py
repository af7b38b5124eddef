"""Where an array lives: a file's pages, or private huge pages."""

from __future__ import annotations

import math
import mmap
from typing import Any

import numpy as np

__all__ = ["huge_array", "hugepage_copy"]

HUGE_PAGE_NBYTES = 2 << 20


def huge_array(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return zeroed private memory on huge pages, where the system has them.

    A random read costs about half as much as on 4 KiB pages: the address is found
    without walking the page table. Pages that are never touched cost nothing.
    """
    dtype = np.dtype(dtype)
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes < HUGE_PAGE_NBYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.zeros(shape, dtype)
    # One huge page more: the kernel starts them at multiples of their size only.
    memory = mmap.mmap(-1, nbytes + HUGE_PAGE_NBYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    start = -whole.ctypes.data % HUGE_PAGE_NBYTES
    return whole[start : start + nbytes].view(dtype).reshape(shape)


def hugepage_copy(array: Any) -> Any:
    """Return a private copy of an array on huge pages."""
    copy = huge_array(array.shape, array.dtype)
    copy[...] = array
    return copy
