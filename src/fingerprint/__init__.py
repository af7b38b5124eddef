"""Recognise known images and videos again: perceptual hashes and exact near-duplicate look-up.

The names below are the public API; each is loaded on first use, so that
``import fingerprint`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fingerprint.hashes import set_kind_resolver

if TYPE_CHECKING:
    from fingerprint.algorithms import (
        DIHEDRAL_NAMES,
        Algorithm,
        HashAlgorithm,
        Radius,
        SegmentAlgorithm,
        algorithm_names,
        get_algorithm,
    )
    from fingerprint.calibration import (
        Calibration,
        CalibrationFormatError,
        CalibrationRangeError,
        assess,
        calibration_of,
    )
    from fingerprint.errors import (
        AuditError,
        BundleError,
        BundleExpiredError,
        BundleRollbackError,
        BundleSignatureError,
        BundleTamperedError,
        CheckpointExpiredError,
        CorruptIndexError,
        DecodeError,
        DuplicateIdError,
        ExchangeAuthError,
        ExchangeError,
        ExchangeProtocolError,
        FingerprintError,
        HashFormatError,
        IncompatibleHashError,
        IndexFormatError,
        IndexLockedError,
        LimitExceededError,
        ListFormatError,
        ListRefusedError,
        LowQualityWarning,
        MaintenanceWarning,
        MissingExtraError,
        PolicyError,
        SparseSamplingWarning,
        TruncatedSearchWarning,
        UnknownAlgorithmError,
        UnknownIdError,
        UnsupportedOperationError,
    )
    from fingerprint.evaluate import Contender, Edit, RobustnessReport, ViewedHashes, default_edits
    from fingerprint.evaluate.calibrate import calibrate
    from fingerprint.evaluate.robustness import evaluate
    from fingerprint.features import (
        LocalFeatures,
        Verification,
        draw_verification,
        local_features,
        verify,
    )
    from fingerprint.hash_arrays import HashArray, SegmentHashes
    from fingerprint.hashes import Hash
    from fingerprint.hashing import (
        HashStream,
        hash_dihedral,
        hash_image,
        hash_images,
        hash_segments,
    )
    from fingerprint.index import (
        Backend,
        Cluster,
        Entry,
        Index,
        backend_names,
        cluster,
        get_backend,
    )
    from fingerprint.lists import HashList, Opinion, Record, Rejected, Retraction
    from fingerprint.lists.reading import read_list, write_list
    from fingerprint.media import (
        DEFAULT_LIMITS,
        DEFAULT_VIDEO_LIMITS,
        Limits,
        Pixels,
        VideoLimits,
        decode,
        decode_frames,
    )
    from fingerprint.results import (
        Failure,
        HashBatch,
        HashedImage,
        Match,
        VerifyReport,
        VideoMatch,
        VideoSegment,
    )
    from fingerprint.screening import (
        AuditKey,
        AuditLog,
        Evidence,
        ListPolicy,
        Outcome,
        Policy,
        Screener,
        ScreeningResult,
        verify_audit,
    )
    from fingerprint.video import (
        VideoHash,
        VideoIndex,
        hash_video,
        hash_videos,
        match_frames,
        match_videos,
    )
    from fingerprint.views import ImageIndex, SegmentIndex, hash_views, match_image
    from fingerprint.warming import warmup

__version__ = "0.5.0"

_HOME = {
    "algorithms": (
        "DIHEDRAL_NAMES",
        "Algorithm",
        "HashAlgorithm",
        "Radius",
        "SegmentAlgorithm",
        "algorithm_names",
        "get_algorithm",
    ),
    "calibration": (
        "Calibration",
        "CalibrationFormatError",
        "CalibrationRangeError",
        "assess",
        "calibration_of",
    ),
    "errors": (
        "AuditError",
        "BundleError",
        "BundleExpiredError",
        "BundleRollbackError",
        "BundleSignatureError",
        "BundleTamperedError",
        "CheckpointExpiredError",
        "CorruptIndexError",
        "DecodeError",
        "DuplicateIdError",
        "ExchangeAuthError",
        "ExchangeError",
        "ExchangeProtocolError",
        "FingerprintError",
        "HashFormatError",
        "IncompatibleHashError",
        "IndexFormatError",
        "IndexLockedError",
        "LimitExceededError",
        "ListFormatError",
        "ListRefusedError",
        "LowQualityWarning",
        "MaintenanceWarning",
        "MissingExtraError",
        "PolicyError",
        "SparseSamplingWarning",
        "TruncatedSearchWarning",
        "UnknownAlgorithmError",
        "UnknownIdError",
        "UnsupportedOperationError",
    ),
    "evaluate": ("Contender", "Edit", "RobustnessReport", "ViewedHashes", "default_edits"),
    "evaluate.calibrate": ("calibrate",),
    "evaluate.robustness": ("evaluate",),
    "features": (
        "LocalFeatures",
        "Verification",
        "draw_verification",
        "local_features",
        "verify",
    ),
    "hash_arrays": ("HashArray", "SegmentHashes"),
    "hashes": ("Hash",),
    "hashing": ("HashStream", "hash_dihedral", "hash_image", "hash_images", "hash_segments"),
    "index": (
        "Backend",
        "Cluster",
        "Entry",
        "Index",
        "backend_names",
        "cluster",
        "get_backend",
    ),
    "lists": ("HashList", "Opinion", "Record", "Rejected", "Retraction"),
    "lists.reading": ("read_list", "write_list"),
    "media": (
        "DEFAULT_LIMITS",
        "DEFAULT_VIDEO_LIMITS",
        "Limits",
        "Pixels",
        "VideoLimits",
        "decode",
        "decode_frames",
    ),
    "results": (
        "Failure",
        "HashBatch",
        "HashedImage",
        "Match",
        "VerifyReport",
        "VideoMatch",
        "VideoSegment",
    ),
    "screening": (
        "AuditKey",
        "AuditLog",
        "Evidence",
        "ListPolicy",
        "Outcome",
        "Policy",
        "Screener",
        "ScreeningResult",
        "verify_audit",
    ),
    "video": (
        "VideoHash",
        "VideoIndex",
        "hash_video",
        "hash_videos",
        "match_frames",
        "match_videos",
    ),
    "views": ("ImageIndex", "SegmentIndex", "hash_views", "match_image"),
    "warming": ("warmup",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [  # noqa: RUF022 - grouped by module
    "AuditError",
    "BundleError",
    "BundleExpiredError",
    "BundleRollbackError",
    "BundleSignatureError",
    "BundleTamperedError",
    "CheckpointExpiredError",
    "CorruptIndexError",
    "DecodeError",
    "DuplicateIdError",
    "ExchangeAuthError",
    "ExchangeError",
    "ExchangeProtocolError",
    "FingerprintError",
    "HashFormatError",
    "IncompatibleHashError",
    "IndexFormatError",
    "IndexLockedError",
    "LimitExceededError",
    "ListFormatError",
    "ListRefusedError",
    "LowQualityWarning",
    "MaintenanceWarning",
    "MissingExtraError",
    "PolicyError",
    "SparseSamplingWarning",
    "TruncatedSearchWarning",
    "UnknownAlgorithmError",
    "UnknownIdError",
    "UnsupportedOperationError",
    "DIHEDRAL_NAMES",
    "Algorithm",
    "HashAlgorithm",
    "Radius",
    "SegmentAlgorithm",
    "algorithm_names",
    "get_algorithm",
    "Hash",
    "HashArray",
    "SegmentHashes",
    "HashStream",
    "hash_dihedral",
    "hash_image",
    "hash_images",
    "hash_segments",
    "Backend",
    "Cluster",
    "Entry",
    "Index",
    "backend_names",
    "cluster",
    "get_backend",
    "DEFAULT_LIMITS",
    "DEFAULT_VIDEO_LIMITS",
    "Limits",
    "Pixels",
    "VideoLimits",
    "decode",
    "decode_frames",
    "Failure",
    "HashBatch",
    "HashedImage",
    "Match",
    "VerifyReport",
    "VideoMatch",
    "VideoSegment",
    "VideoHash",
    "VideoIndex",
    "hash_video",
    "hash_videos",
    "match_frames",
    "match_videos",
    "ImageIndex",
    "SegmentIndex",
    "hash_views",
    "match_image",
    "LocalFeatures",
    "Verification",
    "draw_verification",
    "local_features",
    "verify",
    "Calibration",
    "CalibrationFormatError",
    "CalibrationRangeError",
    "assess",
    "calibrate",
    "calibration_of",
    "Contender",
    "Edit",
    "RobustnessReport",
    "ViewedHashes",
    "default_edits",
    "evaluate",
    "HashList",
    "Opinion",
    "Record",
    "Rejected",
    "Retraction",
    "read_list",
    "write_list",
    "AuditKey",
    "AuditLog",
    "Evidence",
    "ListPolicy",
    "Outcome",
    "Policy",
    "Screener",
    "ScreeningResult",
    "verify_audit",
    "warmup",
]


def __getattr__(name: str) -> Any:
    if name == "evaluate":  # A package that can be called: `fingerprint.evaluate(...)`.
        return importlib.import_module(f"{__name__}.evaluate")
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def _kind_of(algorithm: str) -> tuple[str, int]:
    from fingerprint.algorithms import get_algorithm

    known = get_algorithm(algorithm)
    return known.hash_name, known.bits


set_kind_resolver(_kind_of)
