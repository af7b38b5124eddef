"""The pictures of an evaluation: which, under what names, in which half, and their pixels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from PIL import Image

from fingerprint import media

if TYPE_CHECKING:
    from fingerprint.typing import U8, ImageSource

__all__ = [
    "HALVES",
    "Half",
    "Original",
    "Sources",
    "bounded",
    "find_pictures",
    "half_of",
    "pixels_digest",
    "seed_of",
]

Half: TypeAlias = Literal["all", "tune", "report"]
HALVES = ("all", "tune", "report")
Sources: TypeAlias = "str | os.PathLike[str] | Iterable[ImageSource]"


@dataclass(frozen=True, slots=True)
class Original:
    """A picture under a name.

    Parameters
    ----------
    name : str
        Its path below the folder, with slashes; else what describes it.
    folder : str
        Where it lies, its whole path: pictures of one folder tend to be alike.
    source : source
        What it is decoded from.
    """

    name: str
    folder: str
    source: Any = field(repr=False)

    def pixels(self, max_side_px: int | None) -> U8:
        """Return (h, w, 3) uint8 RGB, the longer side within bounds.

        Raises
        ------
        DecodeError
            It cannot be read.
        """
        array = media.decode(self.source).array
        if array.ndim == 2:
            array = np.repeat(array[..., None], 3, axis=2)
        return bounded(array, max_side_px)


def find_pictures(
    sources: Sources, *, half: Half = "all", limit: int | None = None, seed: int = 0
) -> list[Original]:
    """Return pictures in the order of their names.

    Parameters
    ----------
    sources : folder or iterable of sources
        Of a folder, every file below it that is named like a picture.
    half : {"all", "tune", "report"}
        `half_of` the names.
    limit : int, optional
        At most so many, drawn by name and seed.
    seed : int
        Which are drawn.

    Raises
    ------
    NotADirectoryError
        A path that is no folder.
    ValueError
        Two sources have one name.
    """
    found = _in_folder(Path(sources)) if isinstance(sources, str | os.PathLike) else _each(sources)
    if half != "all":
        found = [one for one in found if half_of(one.name) == half]
    if limit is not None:
        found = sorted(found, key=lambda one: _digest(f"{seed}/{one.name}"))[:limit]
    found.sort(key=lambda one: one.name)
    return found


def half_of(name: str) -> Half:
    """Return the half that a name belongs to: the first bit of its digest, 0 for tuning.

    It depends on the name alone, so it stays when files are added.
    """
    return "report" if _digest(name)[0] & 0x80 else "tune"


def seed_of(seed: int, name: str) -> int:
    """Return the seed of a picture's edits: other pictures get other ones."""
    return int.from_bytes(_digest(f"{seed}:{name}")[:6], "big")


def pixels_digest(pixels: U8) -> str:
    """Return a digest of pixels and their shape."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def bounded(pixels: U8, max_side_px: int | None) -> U8:
    """Return pixels whose longer side is within bounds, averaging areas."""
    h, w = pixels.shape[:2]
    if max_side_px is None or max(h, w) <= max_side_px:
        return np.ascontiguousarray(pixels)
    import cv2

    factor = max_side_px / max(h, w)
    size = max(1, round(w * factor)), max(1, round(h * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).digest()


@lru_cache(maxsize=1)
def _suffixes() -> frozenset[str]:
    known = Image.registered_extensions()
    kinds = {*media.FORMATS, "MPO"}  # A JPEG with more pictures in it, read as JPEG.
    return frozenset(suffix for suffix, kind in known.items() if kind in kinds)


def _in_folder(folder: Path) -> list[Original]:
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: expected a folder of pictures")
    found: list[Original] = []

    def unlisted(error: OSError) -> None:
        # Fails as a picture, and is named with those: an unread folder is not an empty one.
        path = Path(error.filename)
        below = path.relative_to(folder)
        found.append(Original(below.as_posix(), str(path.parent), path))

    for where, subfolders, names in os.walk(folder, onerror=unlisted):
        subfolders.sort()
        below, here = Path(where).relative_to(folder).as_posix(), str(Path(where).resolve())
        for name in names:
            if Path(name).suffix.lower() in _suffixes():
                path = PurePosixPath(below, name)
                found.append(Original(str(path), here, Path(where, name)))
    return found


def _each(sources: Iterable[ImageSource]) -> list[Original]:
    if isinstance(sources, bytes | bytearray | memoryview | np.ndarray):
        raise TypeError(
            f"sources: expected a folder or an iterable of sources, got {type(sources).__name__}"
        )
    found: list[Original] = []
    for i, source in enumerate(sources):
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            found.append(Original(path.as_posix(), str(path.parent.resolve()), path))
        else:
            # A file object can be read once, and its picture is needed twice.
            kept = source.read() if hasattr(source, "read") else source
            found.append(Original(f"picture {i:06}", "", kept))
    _require_different([one.name for one in found])
    return found


def _require_different(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"sources: expected each picture once, got {name!r} twice")
        seen.add(name)
