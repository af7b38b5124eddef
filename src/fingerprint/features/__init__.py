"""Local features: a second look at pictures that hashes bring together, or cannot."""

from __future__ import annotations

from fingerprint.features.drawing import draw_verification
from fingerprint.features.extraction import local_features
from fingerprint.features.stored import LocalFeatures
from fingerprint.features.verification import Verification, verify

__all__ = ["LocalFeatures", "Verification", "draw_verification", "local_features", "verify"]
