"""Edits of pictures, and pictures of how hashes fare under them."""

from __future__ import annotations

import sys
from types import ModuleType

from fingerprint.evaluate.contenders import Contender, ViewedHashes
from fingerprint.evaluate.report import RobustnessReport
from fingerprint.evaluate.robustness import evaluate
from fingerprint.evaluate.synthesis import photo, photos
from fingerprint.evaluate.transforms import (
    CHAINS,
    Edit,
    Transform,
    default_edits,
    transform_names,
    transforms,
)

__all__ = [
    "CHAINS",
    "Contender",
    "Edit",
    "RobustnessReport",
    "Transform",
    "ViewedHashes",
    "default_edits",
    "evaluate",
    "photo",
    "photos",
    "transform_names",
    "transforms",
]


class _Callable(ModuleType):
    """Lets ``fingerprint.evaluate(...)`` mean the function: package and function share a name."""

    __call__ = staticmethod(evaluate)


sys.modules[__name__].__class__ = _Callable
