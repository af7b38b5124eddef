"""What people do to a picture before they post it again; one function each.

A transform takes (h, w, 3) uint8 RGB, a strength and a seeded generator, and
returns such an array. Add one by writing a function under `transform` in the
file of its family. An `Edit` is one transform after another.
"""

from __future__ import annotations

from fingerprint.evaluate.transforms import (  # isort: skip - the order of the list
    coding as _coding,
    geometry as _geometry,
    tone as _tone,
    detail as _detail,
    overlay as _overlay,
    frames as _frames,
    screens as _screens,
    collages as _collages,
)
from fingerprint.evaluate.transforms.base import Transform, transform_names, transforms
from fingerprint.evaluate.transforms.edit import CHAINS, Edit, default_edits

__all__ = ["CHAINS", "Edit", "Transform", "default_edits", "transform_names", "transforms"]

_FAMILIES = (_coding, _geometry, _tone, _detail, _overlay, _frames, _screens, _collages)
