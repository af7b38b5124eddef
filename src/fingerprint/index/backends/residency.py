"""Where an array lives: a file's pages, or private huge pages."""

from __future__ import annotations

import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["huge_array", "hugepage_copy", "mapped_array"]

HUGE_PAGE_NBYTES = 2 << 20
_MAGIC = b"\x93NUMPY\x01\x00"


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


def mapped_array(path: Path, dtype: str, shape: tuple[int, ...]) -> Any:
    """Map a ``.npy`` file that must hold just this array, or raise ValueError.

    The header is compared as text: numpy's reader guesses at what a damaged one may have
    meant, and evaluating it is not safe in threads (CPython 3.11, "AST constructor
    recursion depth mismatch").
    """
    with path.open("rb") as file:
        magic = file.read(len(_MAGIC))
        length = int.from_bytes(file.read(2), "little")
        text = file.read(length)
    expected = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape!r}, }}"
    if magic != _MAGIC or text.strip() != expected.encode():
        raise ValueError(f"{path.name} is not an array of {dtype}, shape {shape}")
    offset = len(_MAGIC) + 2 + length
    if path.stat().st_size != offset + math.prod(shape) * np.dtype(dtype).itemsize:
        raise ValueError(f"{path.name} is not as long as an array of shape {shape}")
    if not math.prod(shape):
        return np.empty(shape, dtype)
    return np.asarray(np.memmap(path, dtype, "r", offset, shape))
