"""Signed bundles: a list, or what changed of it, handed from one party to another in a file.

The format is that of ``docs/bundle-format.md``.
"""

from __future__ import annotations

from fingerprint.lists.bundles.importing import import_bundle
from fingerprint.lists.bundles.keys import PrivateKey, PublicKey, generate_key
from fingerprint.lists.bundles.manifest import BundleInfo
from fingerprint.lists.bundles.reading import Bundle, read_bundle
from fingerprint.lists.bundles.trust import TrustedKey, TrustedKeys
from fingerprint.lists.bundles.writing import write_bundle

__all__ = [
    "Bundle",
    "BundleInfo",
    "PrivateKey",
    "PublicKey",
    "TrustedKey",
    "TrustedKeys",
    "generate_key",
    "import_bundle",
    "read_bundle",
    "write_bundle",
]
