"""Edits of pictures, and pictures of how hashes fare under them."""

from __future__ import annotations

from fingerprint.evaluate.transforms import Transform, transform_names, transforms

__all__ = ["Transform", "transform_names", "transforms"]
