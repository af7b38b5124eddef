"""Everything this package raises on purpose.

::

    FingerprintError
    ├ DecodeError(ValueError)
    │ └ LimitExceededError
    ├ UnknownAlgorithmError(LookupError)
    ├ IncompatibleHashError(ValueError)
    ├ HashFormatError(ValueError)
    ├ DuplicateIdError(ValueError)
    ├ UnknownIdError(KeyError)
    ├ IndexFormatError(ValueError)
    │ └ CorruptIndexError
    ├ IndexLockedError
    ├ ListFormatError(ValueError)
    ├ ListRefusedError
    ├ BundleError
    │ ├ BundleSignatureError
    │ ├ BundleTamperedError
    │ ├ BundleExpiredError
    │ └ BundleRollbackError
    ├ ExchangeError
    │ ├ ExchangeAuthError
    │ ├ ExchangeProtocolError
    │ └ CheckpointExpiredError
    ├ PolicyError(ValueError)
    ├ AuditError
    ├ UnsupportedOperationError(NotImplementedError)
    └ MissingExtraError(ImportError)

A wrong shape or dtype is a plain ``ValueError`` or ``TypeError`` that says what
was expected and what came. No message contains a whole hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
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
]


_HASH_LIKE = re.compile(r"[0-9A-Fa-f]{9,}|[A-Za-z0-9+/=]{20,}")
_LONGEST_MESSAGE = 400


def redacted(text: object) -> str:
    """Return a text for a message, with anything in it that may be a hash cut short."""
    short = _HASH_LIKE.sub(lambda found: f"{found.group()[:6]}…", str(text))
    return short if len(short) <= _LONGEST_MESSAGE else f"{short[:_LONGEST_MESSAGE]}…"


class FingerprintError(Exception):
    """Base of every error this package raises on purpose."""


class _RedactedError(FingerprintError):
    """An error whose message may quote a name, an id or a text that holds a hash."""

    def __init__(self, message: str = "") -> None:
        super().__init__(redacted(message))


class DecodeError(FingerprintError, ValueError):
    """A source could not be read as a picture or video.

    Attributes
    ----------
    source : str
        What was asked for: a path, or a short description such as
        ``<512 bytes>``.
    reason : str
        Why it failed.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.source, self.reason)


class LimitExceededError(DecodeError):
    """A source is larger than the limits that the caller set.

    Attributes
    ----------
    limit : str
        Which limit: ``"max_nbytes"``, ``"max_pixels"``, ``"max_frames"`` or ``"max_time_s"``.
    value : float
        What the source has; at least this many when it was not read to the end.
    maximum : float
        What was allowed.
    """

    def __init__(self, source: str, limit: str, value: float, maximum: float) -> None:
        super().__init__(source, f"{limit} exceeded: {value:,} > {maximum:,}")
        self.limit = limit
        self.value = value
        self.maximum = maximum

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.source, self.limit, self.value, self.maximum)


class UnknownAlgorithmError(FingerprintError, LookupError):
    """No algorithm of this name, or the algorithm has no such variant.

    Attributes
    ----------
    name : str
        The name that was asked for.
    known : tuple of str
        The names that exist.
    """

    def __init__(self, name: str, known: Iterable[str], detail: str = "") -> None:
        self.name = name = redacted(name)
        self.known = tuple(known)
        self.detail = detail
        why = f": {detail}" if detail else ""
        super().__init__(f"unknown algorithm {name!r}{why}; known: {', '.join(self.known)}")

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.name, self.known, self.detail)


class IncompatibleHashError(_RedactedError, ValueError):
    """Hashes of different algorithms, versions or sizes were put together."""


class HashFormatError(_RedactedError, ValueError):
    """A text, byte string or array is not a hash of the algorithm it is said to be."""


class DuplicateIdError(_RedactedError, ValueError):
    """An id is already in the index, or stands twice in one call."""


class UnknownIdError(_RedactedError, KeyError):
    """An id is not in the index."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class IndexFormatError(FingerprintError, ValueError):
    """A path is not an index that this version reads.

    Attributes
    ----------
    path : str
        The path that was opened.
    found, supported : str
        What is there, and what this version reads.
    """

    def __init__(self, path: str, found: str, supported: str) -> None:
        super().__init__(f"{path}: found {found}; expected {supported}")
        self.path = path
        self.found = found
        self.supported = supported

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.path, self.found, self.supported)


class CorruptIndexError(IndexFormatError):
    """An index is damaged.

    Attributes
    ----------
    detail : str
        What is wrong with it.
    """

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(path, f"a damaged index: {detail}", "one that matches its checksum")
        self.detail = detail

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.path, self.detail)


class IndexLockedError(FingerprintError):
    """Somebody else holds what this call needs of an index.

    Attributes
    ----------
    path : str
        The index.
    detail : str
        Who holds what.
    """

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path
        self.detail = detail

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.path, self.detail)


class ListFormatError(FingerprintError, ValueError):
    """A hash list, or something in it, cannot be read.

    Attributes
    ----------
    source : str
        What was read: a path, or a short description.
    line : int or None
        The line or entry, counted from 1; None when it is the whole.
    reason : str
        What was expected.
    """

    def __init__(self, source: str, reason: str, line: int | None = None) -> None:
        self.source = source
        self.reason = reason = redacted(reason)
        self.line = line
        super().__init__(f"{source}{'' if line is None else f':{line}'}: {reason}")

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.source, self.reason, self.line)


class ListRefusedError(_RedactedError):
    """Changes of a hash list that are more likely a fault than meant; nothing was changed."""


class BundleError(_RedactedError):
    """A signed bundle that must not be used; nothing of it was read into a list."""


class BundleSignatureError(BundleError):
    """Its signature is not one of a trusted key."""


class BundleTamperedError(BundleError):
    """Its content is not what was signed."""


class BundleExpiredError(BundleError):
    """It was to be used until a time that is past."""


class BundleRollbackError(BundleError):
    """It is older than what the list holds, or does not follow it."""


class ExchangeError(_RedactedError):
    """A hash exchange did not answer as it should; the list is as it was."""


class ExchangeAuthError(ExchangeError):
    """It does not accept the credentials."""


class ExchangeProtocolError(ExchangeError):
    """Its answer is not what is documented."""


class CheckpointExpiredError(ExchangeError):
    """Retractions since the checkpoint are no longer served: everything must be fetched anew."""


class PolicyError(_RedactedError, ValueError):
    """A screening policy that cannot be followed."""


class AuditError(_RedactedError):
    """An audit log that was changed, or cannot be written."""


class UnsupportedOperationError(_RedactedError, NotImplementedError):
    """This algorithm or backend cannot do what was asked."""


class MissingExtraError(FingerprintError, ImportError):
    """An optional dependency is not installed.

    Attributes
    ----------
    extra : str
        The extra of this package that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed: pip install {package} (the extra {extra!r} brings it)"
        )
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.package, self.extra)


class LowQualityWarning(UserWarning):
    """A hash carries too little information for its distances to mean anything."""


class SparseSamplingWarning(UserWarning):
    """Two videos were compared that are both sampled too far apart to be sure of a match."""


class TruncatedSearchWarning(UserWarning):
    """More candidates were found than were to be looked at: there may be further matches."""


class MaintenanceWarning(UserWarning):
    """Segments of an index could not be merged in the background.

    Nothing is lost and every answer stays right; searches stay slower than they could be.
    """
