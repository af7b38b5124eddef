"""Numba kernels: arrays in, arrays out.

Nothing here validates, allocates objects or does I/O, and everything releases
the GIL. Importing this package loads nothing; a kernel module (and numba with
it) is loaded the first time one is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fingerprint.kernels import (
        alignment,
        bits,
        borders,
        frames,
        haar,
        markers,
        mih,
        mih_build,
        panels,
        pdq,
        pdq_reference,
        resample,
        tmk,
        views,
        yuv,
    )

__all__ = [
    "alignment",
    "bits",
    "borders",
    "frames",
    "haar",
    "markers",
    "mih",
    "mih_build",
    "panels",
    "pdq",
    "pdq_reference",
    "resample",
    "tmk",
    "views",
    "yuv",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
