"""A picture's hashes, each computed once for all lists."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import media
from fingerprint.algorithms import HashAlgorithm, get_algorithm
from fingerprint.errors import DecodeError, LimitExceededError
from fingerprint.hashes import Hash
from fingerprint.media.canonical import upright
from fingerprint.screening.media_kind import is_jpeg, later_jpegs, may_move, may_show_through
from fingerprint.views.picture import Picture

if TYPE_CHECKING:
    from fingerprint.media import Limits, Pixels
    from fingerprint.typing import U8, ImageSource

__all__ = [
    "AS_STORED",
    "ON_BLACK",
    "OPAQUE",
    "UPRIGHT",
    "HashedPicture",
    "hash_picture",
    "unjudged",
]

UPRIGHT, AS_STORED = "identity", "stored"
ON_BLACK, OPAQUE = "on_black", "opaque"
BLACK = (0, 0, 0)


@dataclass(slots=True)
class HashedPicture:
    """What screening knows of a picture.

    Attributes
    ----------
    hashes : dict
        By type, then by reading: ``"identity"`` (the first frame, upright), ``"stored"``
        where the orientation says otherwise, ``"on_black"`` and ``"opaque"`` where something
        shows through, ``"frame_2"``, ``"frame_2_on_black"`` … where there are more.
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
    still = not moves or is_jpeg(source)
    if still:
        pixels = media.decode(source, orientation="stored", limits=limits)
    else:
        frames = media.decode_frames(source, orientation="stored", limits=limits)
        pixels = next(frames)
    hashed = _first(pixels, types, stored=stored)
    try:
        see_through = _add_transparent(hashed, source, pixels, types, limits)
        if not still:
            on_black = media.decode_frames(
                source, orientation="stored", background=BLACK, limits=limits
            )
            _add_others(hashed, frames, on_black if see_through else None, types)
        elif moves and isinstance(source, bytes | bytearray | memoryview):
            _add_others(hashed, _later_jpegs(source, limits), None, types)
    except DecodeError as error:
        hashed.damage = error
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


def _add_transparent(
    hashed: HashedPicture,
    source: ImageSource,
    first: Pixels,
    types: Collection[str],
    limits: Limits,
) -> bool:
    """Add the first frame as it shows on black, and as who ignores transparency has it.

    On white alone, a picture that is drawn to be seen on a dark page is not there. Returns whether
    anything may show through.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        may = may_show_through(source)
    else:
        may = hasattr(source, "getexif") or getattr(source, "shape", ())[2:] == (4,)
    if not may:
        return False
    dark = media.decode(source, orientation="stored", background=BLACK, limits=limits)
    if not np.array_equal(dark.array, first.array):
        bare = media.decode(source, orientation="stored", alpha="drop", limits=limits)
        for reading, pixels in ((ON_BLACK, dark), (OPAQUE, bare)):
            array = upright(pixels.array, pixels.orientation)
            for name in types:
                hashed.hashes[name][reading] = _hash(array, name)
    return True


def _later_jpegs(data: bytes | bytearray | memoryview, limits: Limits) -> Iterator[Pixels]:
    """Decode the pictures of an MPO behind the first, each by itself, as it was."""
    name = media.describe(data)
    try:
        starts = later_jpegs(data)
    except ValueError as error:
        raise DecodeError(name, str(error)) from None
    if len(starts) >= limits.max_frames:
        raise LimitExceededError(name, "max_frames", len(starts) + 1, limits.max_frames)
    for start in starts:
        yield media.decode(bytes(data[start:]), orientation="stored", limits=limits)


def _add_others(
    hashed: HashedPicture,
    frames: Iterator[Pixels],
    on_black: Iterator[Pixels] | None,
    types: Collection[str],
) -> None:
    seen: dict[str, set[Hash]] = {name: set(hashed.hashes[name].values()) for name in types}
    if on_black is not None:
        next(on_black)
    for number, pixels in enumerate(frames, 2):
        shown = {f"frame_{number}": pixels}
        if on_black is not None:
            dark = next(on_black)
            if not np.array_equal(dark.array, pixels.array):
                shown[f"frame_{number}_{ON_BLACK}"] = dark
        for reading, one in shown.items():
            array = upright(one.array, one.orientation)
            for name in types:
                found = _hash(array, name)
                if found not in seen[name]:
                    seen[name].add(found)
                    hashed.hashes[name][reading] = found


def _hash(array: U8, name: str) -> Hash:
    return _algorithm(name).hash_pixels(array)


def _algorithm(name: str) -> HashAlgorithm:
    found = get_algorithm(name)
    if not isinstance(found, HashAlgorithm):
        raise TypeError(f"{name}: expected an algorithm of one hash a picture")
    return found
