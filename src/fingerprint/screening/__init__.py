"""Screening: hash lists and a policy to an outcome, with evidence for a reviewer."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fingerprint.screening.audit import AuditHead, AuditLog
    from fingerprint.screening.audit_lines import AuditKey
    from fingerprint.screening.audit_verification import AuditReport, verify_audit
    from fingerprint.screening.batch import ScreeningStream
    from fingerprint.screening.evidence import (
        Evidence,
        Flood,
        ListUsed,
        ScreeningFailure,
        ScreeningResult,
        StaleList,
        Suppression,
        VideoEvidence,
    )
    from fingerprint.screening.flood import FloodGuard
    from fingerprint.screening.outcomes import Outcome
    from fingerprint.screening.policy import (
        DEFAULT_POLICY,
        FloodPolicy,
        ListPolicy,
        Policy,
        TmkPolicy,
        UploaderPolicy,
        VideoPolicy,
        VpdqPolicy,
    )
    from fingerprint.screening.screener import Screener

_HOME = {
    "audit": ("AuditHead", "AuditLog"),
    "audit_lines": ("AuditKey",),
    "audit_verification": ("AuditReport", "verify_audit"),
    "batch": ("ScreeningStream",),
    "evidence": (
        "Evidence",
        "Flood",
        "ListUsed",
        "ScreeningFailure",
        "ScreeningResult",
        "StaleList",
        "Suppression",
        "VideoEvidence",
    ),
    "flood": ("FloodGuard",),
    "outcomes": ("Outcome",),
    "policy": (
        "DEFAULT_POLICY",
        "FloodPolicy",
        "ListPolicy",
        "Policy",
        "TmkPolicy",
        "UploaderPolicy",
        "VideoPolicy",
        "VpdqPolicy",
    ),
    "screener": ("Screener",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "DEFAULT_POLICY",
    "AuditHead",
    "AuditKey",
    "AuditLog",
    "AuditReport",
    "Evidence",
    "Flood",
    "FloodGuard",
    "FloodPolicy",
    "ListPolicy",
    "ListUsed",
    "Outcome",
    "Policy",
    "Screener",
    "ScreeningFailure",
    "ScreeningResult",
    "ScreeningStream",
    "StaleList",
    "Suppression",
    "TmkPolicy",
    "UploaderPolicy",
    "VideoEvidence",
    "VideoPolicy",
    "VpdqPolicy",
    "verify_audit",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
