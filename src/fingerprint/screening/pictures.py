"""A picture's hashes, each computed once for all lists."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fingerprint import media
from fingerprint.algorithms import HashAlgorithm, get_algorithm
from fingerprint.errors import DecodeError
from fingerprint.hashes import Hash
from fingerprint.media.canonical import upright
from fingerprint.screening.media_kind import is_jpeg, may_move
from fingerprint.views.picture import Picture

if TYPE_CHECKING:
    from fingerprint.media import Limits, Pixels
    from fingerprint.typing import U8, ImageSource

__all__ = ["AS_STORED", "UPRIGHT", "HashedPicture", "hash_picture", "unjudged"]

UPRIGHT, AS_STORED = "identity", "stored"


@dataclass(slots=True)
class HashedPicture:
    """What screening knows of a picture.

    Attributes
    ----------
    hashes : dict
        By type, then by reading: ``"identity"`` (the first frame, upright), ``"stored"``
        where the orientation says otherwise, ``"frame_2"`` … where there are more.
    picture : Picture or None
        Of which views can be taken; with PDQ alone.
    damage : DecodeError or None
        Why not all frames could be decoded.
    """

    hashes: dict[str, dict[str, Hash]] = field(default_factory=dict)
    picture: Picture | None = None
    damage: DecodeError | None = None


def hash_picture(
    source: ImageSource,
    types: Collection[str],
    limits: Limits,
    *,
    all_frames: bool,
    stored: bool,
) -> HashedPicture:
    """Decode a picture once and hash it.

    Parameters
    ----------
    source : bytes, PIL image or ndarray
        The picture.
    types : collection of str
        Of ``pdq``, ``phash``, ``dhash``.
    limits : Limits
        Largest that is accepted.
    all_frames : bool
        Hash all frames and pages.
    stored : bool
        Hash it also as it is stored, where it has an orientation.

    Raises
    ------
    DecodeError
        Its first frame cannot be decoded.
    """
    moves = all_frames and (
        may_move(source)
        if isinstance(source, bytes | bytearray | memoryview)
        else getattr(source, "n_frames", 1) > 1
    )
    if not moves:
        pixels = media.decode(source, orientation="stored", limits=limits)
        return _first(pixels, types, stored=stored)
    frames = media.decode_frames(source, orientation="stored", limits=limits)
    if is_jpeg(source):  # Alone, it is decoded more strictly.
        first = media.decode(source, orientation="stored", limits=limits)
        hashed = _first(first, types, stored=stored)
        _add_others(hashed, frames, types, known=1)
    else:
        hashed = _first(next(frames), types, stored=stored)
        _add_others(hashed, frames, types)
    return hashed


def unjudged(views: Mapping[str, Hash]) -> dict[str, Hash]:
    """Return views to look up: an index warns of low quality, which is judged here."""
    return {name: replace(view, quality=None) for name, view in views.items()}


def _first(pixels: Pixels, types: Collection[str], *, stored: bool) -> HashedPicture:
    tag = pixels.orientation
    array = upright(pixels.array, tag)
    hashed = HashedPicture()
    for name in types:
        algorithm = _algorithm(name)
        if name == "pdq":
            hashed.picture = Picture(array, algorithm)
            readings = {UPRIGHT: hashed.picture.exact}
        else:
            readings = {UPRIGHT: algorithm.hash_pixels(array)}
        if stored and tag != 1:
            # PDQ's hashes of the eight positions are 12 bits off on average, and up to 44.
            readings[AS_STORED] = algorithm.hash_pixels(pixels.array)
        hashed.hashes[name] = readings
    return hashed


def _add_others(
    hashed: HashedPicture, frames: Iterator[Pixels], types: Collection[str], known: int = 0
) -> None:
    seen: dict[str, set[Hash]] = {name: set(hashed.hashes[name].values()) for name in types}
    number = 1
    try:
        for _ in range(known):
            next(frames)
        for pixels in frames:
            number += 1
            array = upright(pixels.array, pixels.orientation)
            for name in types:
                one = _hash(array, name)
                if one not in seen[name]:
                    seen[name].add(one)
                    hashed.hashes[name][f"frame_{number}"] = one
    except DecodeError as error:
        hashed.damage = error


def _hash(array: U8, name: str) -> Hash:
    return _algorithm(name).hash_pixels(array)


def _algorithm(name: str) -> HashAlgorithm:
    found = get_algorithm(name)
    if not isinstance(found, HashAlgorithm):
        raise TypeError(f"{name}: expected an algorithm of one hash a picture")
    return found
