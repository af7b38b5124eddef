"""What a bundle says of itself, and the bytes before its rows."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, Self

from fingerprint.errors import BundleTamperedError, FingerprintError
from fingerprint.lists.bundles.rows import canonical_json
from fingerprint.lists.records import instant_of, text_of_instant

__all__ = ["HEAD", "MAGIC", "BundleInfo", "signed_bytes"]

FORMAT = 1
MAGIC = b"FPBUND01"
HEAD = struct.Struct("<8s32s64sI")
"""Magic, public key, signature, length of the manifest."""

LONGEST_MANIFEST_NBYTES = 65_536
LARGEST_VERSION = (1 << 53) - 1
LONGEST_NAME = 512
LONGEST_COMMENT = 4_096

_DOMAIN = b"fingerprint bundle 1\0"
_HEX_256 = re.compile(r"[0-9a-f]{64}").fullmatch


def signed_bytes(manifest: bytes) -> bytes:
    """Return what is signed: the manifest, so marked that nothing else can be taken for it."""
    return _DOMAIN + manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleInfo:
    """The manifest of a bundle.

    Parameters
    ----------
    name : str
        Of the stream of bundles that follow each other.
    source : str
        Whose records these are: its own and its parts'.
    kind : {"snapshot", "delta"}
        All there is of the source, or what changed.
    version : int
        From 1; grows with every state of the list.
    base_version : int or None
        The version that a delta changes.
    records, retractions : int
        Rows of each.
    content_digest : str
        Of all records of the source afterwards, as `HashList.digest_of` tells it.
    created_at, expires_at : datetime
        When the list was read; from when on the bundle must not be used.
    comment : str
        For people; printable characters and line feeds.
    key : str
        SHA-256 of the public key in hex.
    packing : {"zstd", "none"}
        How the rows are packed.
    nbytes, unpacked_nbytes : int
        Of the rows, packed and as lines.
    sha256 : str
        Of the packed rows.
    """

    name: str
    source: str
    kind: Literal["snapshot", "delta"]
    version: int
    base_version: int | None
    records: int
    retractions: int
    content_digest: str = field(repr=False)
    created_at: datetime
    expires_at: datetime
    comment: str
    key: str = field(repr=False)
    packing: Literal["zstd", "none"]
    nbytes: int
    unpacked_nbytes: int
    sha256: str = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("name", "source"):
            text = _text(name, getattr(self, name), LONGEST_NAME)
            if not text or not text.isprintable():
                raise ValueError(f"{name}: expected 1 to {LONGEST_NAME} printable characters")
        if not _text("comment", self.comment, LONGEST_COMMENT).replace("\n", "").isprintable():
            raise ValueError("comment: expected printable characters and line feeds")
        for name in ("content_digest", "key", "sha256"):
            if _HEX_256(_text(name, getattr(self, name), 64)) is None:
                raise ValueError(f"{name}: expected 64 lower-case hex digits")
        for name in ("records", "retractions", "nbytes", "unpacked_nbytes"):
            _whole(name, getattr(self, name), 0)
        _whole("version", self.version, 1)
        if self.packing not in ("zstd", "none"):
            raise ValueError(f"packing: expected zstd or none, got {self.packing!r}")
        if self.packing == "none" and self.nbytes != self.unpacked_nbytes:
            raise ValueError("nbytes: expected unpacked_nbytes, since nothing is packed")
        if self.expires_at <= self.created_at:
            raise ValueError("expires_at: expected a time after created_at")
        self._check_kind()

    def _check_kind(self) -> None:
        if self.kind == "snapshot":
            if self.base_version is not None or self.retractions:
                raise ValueError("a snapshot has neither base_version nor retractions")
        elif self.kind == "delta":
            _whole("base_version", self.base_version, 1)
            if self.base_version is not None and self.base_version >= self.version:
                raise ValueError("base_version: expected one before version")
        else:
            raise ValueError(f"kind: expected snapshot or delta, got {self.kind!r}")

    def to_bytes(self) -> bytes:
        """Return the manifest as it is signed."""
        values: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        for name in ("created_at", "expires_at"):
            values[name] = text_of_instant(values[name])
        return canonical_json({**values, "format": FORMAT})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a manifest; BundleTamperedError unless it is complete, canonical and consistent."""
        try:
            values = json.loads(data)
            if not isinstance(values, dict) or values.get("format") != FORMAT:
                raise ValueError(f"format: expected {FORMAT}")
            del values["format"]
            for name in ("created_at", "expires_at"):
                values[name] = instant_of(values[name])
            info = cls(**values)
        except (FingerprintError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise BundleTamperedError(f"manifest: {error}") from None
        if info.to_bytes() != data:
            raise BundleTamperedError("manifest: is not written in the canonical way")
        return info


def _whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: expected a whole number, got {type(value).__name__}")
    if not least <= value <= LARGEST_VERSION:
        raise ValueError(f"{name}: expected {least} to 2^53 - 1")


def _text(name: str, value: object, longest: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected text, got {type(value).__name__}")
    if len(value) > longest:
        raise ValueError(f"{name}: expected {longest:,} characters at most, got {len(value):,}")
    return value
