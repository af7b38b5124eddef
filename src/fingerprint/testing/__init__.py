"""Checks for people who write their own algorithm or backend.

`check_algorithm`, `check_backend` and `check_robust` raise AssertionError and say what is wrong.
Strategies for Hypothesis are in `fingerprint.testing.strategies`, which needs the
extra ``testing``.
"""

from __future__ import annotations

from fingerprint.testing.backend_check import check_backend
from fingerprint.testing.check import check_algorithm
from fingerprint.testing.robustness import Robustness, check_robust

__all__ = ["Robustness", "check_algorithm", "check_backend", "check_robust"]
