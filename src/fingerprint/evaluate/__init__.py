"""Edits of pictures, and pictures of how hashes fare under them."""

from __future__ import annotations

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
    "Edit",
    "Transform",
    "default_edits",
    "photo",
    "photos",
    "transform_names",
    "transforms",
]
