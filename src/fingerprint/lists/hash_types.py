"""The types of hashes that lists carry: what each looks like, and which are refused."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from fingerprint.errors import HashFormatError

__all__ = ["HASH_TYPES", "HashType", "canonical_hash", "canonical_hashes", "hash_type"]

Family = Literal["digest", "perceptual", "supplied", "video"]

LONGEST_VIDEO_VALUE = 16 << 20
"""Characters of a video's hash: a day of frames, or forty TMK files."""

POPCOUNT_SHARE = 1 / 8
"""A perceptual hash with fewer bits set, or fewer unset, is refused as degenerate."""


class HashType(NamedTuple):
    """A type of hashes.

    Attributes
    ----------
    name : str
        As records and policies name it.
    family : {"digest", "perceptual", "supplied", "video"}
        ``"digest"``: of the file's bytes, compared for equality. ``"perceptual"``: of
        pixels, compared by Hamming distance. ``"supplied"``: never computed here,
        compared for equality. ``"video"``: of many frames.
    bits : int
        Of one hash; 0 where the length varies.
    """

    name: str
    family: Family
    bits: int

    @property
    def is_exact(self) -> bool:
        """Whether only equal values match."""
        return self.family in ("digest", "supplied")


HASH_TYPES: Mapping[str, HashType] = MappingProxyType(
    {
        one.name: one
        for one in (
            HashType("md5", "digest", 128),
            HashType("sha1", "digest", 160),
            HashType("sha256", "digest", 256),
            HashType("sha512", "digest", 512),
            HashType("pdq", "perceptual", 256),
            HashType("phash", "perceptual", 64),
            HashType("dhash", "perceptual", 64),
            HashType("photodna", "supplied", 1152),
            HashType("vpdq", "video", 256),
            HashType("tmk_pdqf", "video", 0),
        )
    }
)

_OF_NOTHING = frozenset(
    hashlib.new(name, b"", usedforsecurity=False).hexdigest()
    for name in ("md5", "sha1", "sha256", "sha512")
)
_POPCOUNTS = {
    one.name: (
        (int(one.bits * POPCOUNT_SHARE), one.bits - int(one.bits * POPCOUNT_SHARE))
        if one.family == "perceptual"
        else (1, one.bits - 1)
    )
    for one in HASH_TYPES.values()
}
_PLAIN = {
    one.name: (one.bits // 4, one.bits // 8, *_POPCOUNTS[one.name])
    for one in HASH_TYPES.values()
    if one.family != "video"
}
_OTHER_NAMES = {"sha-1": "sha1", "sha-256": "sha256", "sha-512": "sha512", "pdna": "photodna"}


def hash_type(name: str) -> HashType:
    """Return a type by its name, in any case; HashFormatError when there is none."""
    lower = name.lower()
    found = HASH_TYPES.get(_OTHER_NAMES.get(lower, lower))
    if found is None:
        raise HashFormatError(f"hash type {name!r}: expected one of {', '.join(HASH_TYPES)}")
    return found


def canonical_hash(kind: HashType, value: str) -> str:
    """Return a hash as it is stored: lower-case hex, or the text of a video's hash.

    Parameters
    ----------
    kind : HashType
        What it should be.
    value : str
        Hex, or for PhotoDNA also base64.

    Raises
    ------
    HashFormatError
        It has another length or other characters, or is degenerate: all zeros or ones, the
        digest of an empty file, or with hardly any bits set or unset. One such
        entry would match uploads without end.
    """
    if not isinstance(value, str):
        raise HashFormatError(f"{kind.name}: expected text, got {type(value).__name__}")
    if kind.family == "video":
        return _video_value(kind, value)
    text = value.lower()
    packed = _unhexed(kind, text)
    if packed is None:
        text = _from_base64(kind, value)
        packed = _unhexed(kind, text)
    if packed is None:
        raise HashFormatError(
            f"{kind.name}: expected {kind.bits // 4} hex digits, got {len(value)} characters"
        )
    least, most = _POPCOUNTS[kind.name]
    if not least <= int.from_bytes(packed).bit_count() <= most or text in _OF_NOTHING:
        raise _degenerate(kind, text)
    return text


def canonical_hashes(hashes: Mapping[str, str]) -> dict[str, str]:
    """Return hashes as they are stored, by type; HashFormatError as `canonical_hash` raises it.

    What is plain hex is looked at here: calling a function for each would take as long again.
    """
    canonical = {}
    for name in sorted(hashes) if len(hashes) > 1 else hashes:
        value = hashes[name]
        plain = _PLAIN.get(name)
        if plain is not None and type(value) is str and len(value) == plain[0]:
            text = value.lower()
            try:
                packed = bytes.fromhex(text)
            except ValueError:
                packed = b""
            if (
                len(packed) == plain[1]
                and plain[2] <= int.from_bytes(packed).bit_count() <= plain[3]
                and text not in _OF_NOTHING
            ):
                canonical[name] = text
                continue
        kind = HASH_TYPES.get(name)
        if kind is None:
            raise HashFormatError(f"hash type {name!r}: expected one of {', '.join(HASH_TYPES)}")
        canonical[name] = canonical_hash(kind, value)
    return canonical


def _unhexed(kind: HashType, text: str) -> bytes | None:
    """Return the bytes of a hash in hex; None when it is not that."""
    if len(text) != kind.bits // 4:
        return None
    try:
        packed = bytes.fromhex(text)
    except ValueError:
        return None
    return packed if 8 * len(packed) == kind.bits else None  # Python reads past blanks.


def _from_base64(kind: HashType, value: str) -> str:
    """Return PhotoDNA's other notation in hex; empty when it is not that."""
    if kind.name != "photodna" or len(value) != 192:
        return ""
    try:
        return base64.b64decode(value, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""


def _degenerate(kind: HashType, text: str) -> HashFormatError:
    if text in _OF_NOTHING:
        return HashFormatError(f"{kind.name}: degenerate: the digest of an empty file")
    least, most = _POPCOUNTS[kind.name]
    return HashFormatError(
        f"{kind.name}: degenerate: {int(text, 16).bit_count()} of {kind.bits} bits are set, "
        f"expected {least} to {most}"
    )


def _video_value(kind: HashType, value: str) -> str:
    if not 0 < len(value) <= LONGEST_VIDEO_VALUE:
        raise HashFormatError(
            f"{kind.name}: expected 1 to {LONGEST_VIDEO_VALUE:,} characters, got {len(value):,}"
        )
    return _tmk_value(value) if kind.name == "tmk_pdqf" else _vpdq_value(value)


def _vpdq_value(value: str) -> str:
    """Return frames as Meta's tools write them, a line each, in whichever notation they came."""
    import numpy as np

    from fingerprint.video import read_vpdq_json, read_vpdq_text, write_vpdq_text

    read = read_vpdq_json if value.lstrip().startswith("[") else read_vpdq_text
    video = read(value)
    if not len(video.hashes):
        raise HashFormatError("vpdq: expected frames, got none")
    ones = np.bitwise_count(video.hashes.packed).sum(axis=1, dtype=np.int64)
    least, most = _POPCOUNTS["pdq"]
    if not ((least <= ones) & (ones <= most)).any():  # Some black frames many videos have.
        raise HashFormatError(f"vpdq: degenerate: no frame has {least} to {most} bits set")
    return write_vpdq_text(video)


def _tmk_value(value: str) -> str:
    """Return base64 of a .tmk file, after reading it."""
    from fingerprint.video import read_tmk

    try:
        read_tmk(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError) as error:
        raise HashFormatError(f"tmk_pdqf: expected base64 of a .tmk file: {error}") from None
    return value
