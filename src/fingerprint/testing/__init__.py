"""Checks for people who write their own algorithm or backend.

`check_algorithm` and `check_backend` raise AssertionError and say what is wrong.
Strategies for Hypothesis are in `fingerprint.testing.strategies`, which needs the
extra ``testing``.
"""

from __future__ import annotations

from fingerprint.testing.backend_check import check_backend
from fingerprint.testing.check import check_algorithm

__all__ = ["check_algorithm", "check_backend"]
