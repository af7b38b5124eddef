"""Other people's hashes of the same pixels: imagehash, PyPI's pdqhash, perception."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fingerprint.algorithms import Radius, get_algorithm
from fingerprint.errors import UnknownAlgorithmError, UnsupportedOperationError
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["DEFAULT_PEERS", "Peer", "is_installed", "is_peer", "load"]

DEFAULT_PEERS = {
    "imagehash": (
        *("imagehash.phash", "imagehash.dhash", "imagehash.whash", "imagehash.ahash"),
        "imagehash.phash:16",
    ),
    "pdqhash": ("pdqhash",),
    "perception": ("perception.phash", "perception.dhash", "perception.phash:16"),
}
"""Those beside which algorithms are put, by package."""

_IMAGEHASH = {
    "phash": "phash",
    "dhash": "dhash",
    "whash": "whash",
    "ahash": "average_hash",
}
_PERCEPTION = {
    "phash": "PHash",
    "dhash": "DHash",
    "ahash": "AverageHash",
    "whash": "WaveletHash",
}


class Peer(NamedTuple):
    """A hash of another package."""

    name: str
    hash_pixels: Callable[[U8], Hash]
    bits: int
    radius: Radius | None
    version: str


def is_installed(package: str) -> bool:
    """Return whether a package is there; it is not imported."""
    return importlib.util.find_spec(package) is not None


def is_peer(name: str) -> bool:
    """Return whether a name is one of a peer: ``imagehash.phash:16``, ``pdqhash``."""
    return name.partition(".")[0] in DEFAULT_PEERS


def load(name: str) -> Peer:
    """Return a peer by name.

    Raises
    ------
    UnsupportedOperationError
        Its package is not installed.
    UnknownAlgorithmError
        The package has no such hash.
    """
    package, _, hash_name = name.partition(".")
    if not is_installed(package):
        raise UnsupportedOperationError(
            f"{name}: {package} is not installed: pip install {package}"
        )
    family, _, variant = hash_name.partition(":")
    if package == "pdqhash" and not hash_name:
        return _pdqhash()
    if package == "imagehash" and family in _IMAGEHASH:
        return _imagehash(name, family, variant)
    if package == "perception" and family in _PERCEPTION:
        return _perception(name, family, variant)
    raise UnknownAlgorithmError(name, _known())


def _known() -> tuple[str, ...]:
    some = [f"imagehash.{family}" for family in _IMAGEHASH]
    others = [f"perception.{family}" for family in _PERCEPTION]
    return (*some, "imagehash.phash:16", "pdqhash", *others, "perception.phash:16")


def _packed(name: str, bits: Any, quality: int | None = None) -> Hash:
    flat = np.asarray(bits).astype(bool).ravel()
    return Hash(name, np.packbits(flat).tobytes(), flat.size, quality)


def _pdqhash() -> Peer:
    pdqhash: Any = importlib.import_module("pdqhash")

    def hash_pixels(pixels: U8) -> Hash:
        bits, quality = pdqhash.compute(pixels)
        return _packed("pdqhash", bits, int(quality))

    radius = get_algorithm("pdq").radius
    return Peer("pdqhash", hash_pixels, 256, radius, importlib.metadata.version("pdqhash"))


def _imagehash(name: str, family: str, variant: str) -> Peer:
    # Ours are the same hashes: they know which sizes make sense, and what is published.
    ours = get_algorithm(f"{family}:{variant}" if variant else family)
    imagehash: Any = importlib.import_module("imagehash")
    function = getattr(imagehash, _IMAGEHASH[family])
    size = int(variant) if variant else 8

    def hash_pixels(pixels: U8) -> Hash:
        from PIL import Image

        return _packed(name, function(Image.fromarray(pixels), hash_size=size).hash)

    version = importlib.metadata.version("imagehash")
    return Peer(name, hash_pixels, ours.bits, ours.radius, version)


def _perception(name: str, family: str, variant: str) -> Peer:
    bits = get_algorithm(f"{family}:{variant}" if variant else family).bits
    hashers: Any = importlib.import_module("perception.hashers")
    hasher = getattr(hashers, _PERCEPTION[family])(hash_size=int(variant) if variant else 8)

    def hash_pixels(pixels: U8) -> Hash:
        return _packed(name, hasher.compute(pixels, hash_format="vector"))

    return Peer(name, hash_pixels, bits, None, importlib.metadata.version("perception"))
