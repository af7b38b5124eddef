"""A picture's views and their hashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from fingerprint import media
from fingerprint.algorithms import Algorithm
from fingerprint.hashes import Hash
from fingerprint.hashing import hash_algorithm
from fingerprint.media import DEFAULT_LIMITS, Limits
from fingerprint.views.families import QUERY_FAMILIES, REFERENCE_FAMILIES, ViewFamily
from fingerprint.views.picture import Picture

if TYPE_CHECKING:
    from fingerprint.typing import ImageSource, Orientation

__all__ = ["families_of", "hash_views", "picture_of"]

Side = Literal["query", "reference"]


def hash_views(
    source: ImageSource,
    families: Iterable[str] | None = None,
    algorithm: str | Algorithm = "pdq",
    *,
    side: Side = "query",
    orientation: Orientation = "upright",
    alpha: media.Alpha = "composite",
    background: tuple[int, int, int] = media.WHITE,
    limits: Limits = DEFAULT_LIMITS,
) -> dict[str, Hash]:
    """Hash a picture and views of it: what it may have been before somebody edited it.

    Parameters
    ----------
    source : path, bytes, binary file object, PIL image or ndarray
        As for `fingerprint.hash_image`.
    families : iterable of str, optional
        Names of families; all of the side by default. ``fingerprint views`` lists them.
    algorithm : str or Algorithm
        PDQ takes its views from one shrunken copy of the picture, some 0.1 ms a view; of
        any other algorithm they are drawn and hashed, which takes as long as for so
        many pictures.
    side : {"query", "reference"}
        Views of an upload undo what may have been done to it, and are looked up in lists
        with one hash a picture. Views of a picture that is added to an index of one's own
        do what may be done to it.
    orientation, alpha, background, limits
        As for `fingerprint.hash_image`.

    Returns
    -------
    dict of str to Hash
        By the names of the views, ``"identity"`` first. What most views show is not
        the picture's own pixels: their hashes differ by some two bits from those of the
        picture that they show, and may differ by a bit from machine to machine. The
        whole picture's hash and those of its positions are exact.

    Raises
    ------
    DecodeError, UnknownAlgorithmError, UnsupportedOperationError
        As for `fingerprint.hash_image`.
    ValueError
        There is no family of this name.

    Examples
    --------
    >>> import numpy as np, fingerprint as fp
    >>> picture = np.arange(64 * 80, dtype=np.uint8).reshape(64, 80)
    >>> list(fp.hash_views(picture, ["turned"]))[:3]
    ['identity', 'turn_2', 'turn_-2']
    """
    chosen = families_of(families, side)
    picture = picture_of(source, algorithm, orientation, alpha, background, limits)
    hashes = {"identity": picture.exact}
    for family in chosen:
        for name, view in family.hash(picture):
            hashes.setdefault(name, view)
    return hashes


def families_of(names: Iterable[str] | None, side: Side) -> list[ViewFamily]:
    """Return families by name, cheap ones first; ValueError when one is unknown."""
    if side not in ("query", "reference"):
        raise ValueError(f"side: expected 'query' or 'reference', got {side!r}")
    known: Mapping[str, ViewFamily] = QUERY_FAMILIES if side == "query" else REFERENCE_FAMILIES
    if names is None:
        return list(known.values())
    if isinstance(names, str):
        raise TypeError(f"families: expected names of families in a list, got {names!r}")
    wanted = set(names)
    for name in wanted:
        if name not in known:
            raise ValueError(
                f"families: there is no {side} family {name!r}; there are {', '.join(known)}"
            )
    return [family for name, family in known.items() if name in wanted]


def picture_of(
    source: ImageSource,
    algorithm: str | Algorithm,
    orientation: Orientation,
    alpha: media.Alpha,
    background: tuple[int, int, int],
    limits: Limits,
) -> Picture:
    """Decode a source for its views."""
    chosen = hash_algorithm(algorithm)
    pixels = media.decode(
        source, orientation=orientation, alpha=alpha, background=background, limits=limits
    )
    return Picture(pixels.array, chosen)
