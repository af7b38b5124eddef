"""Looking a picture up by its views: cheap ones first, more while nothing was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fingerprint import media
from fingerprint.hashes import Hash
from fingerprint.index import Index
from fingerprint.media import DEFAULT_LIMITS, Limits
from fingerprint.results import Match
from fingerprint.views.families import ViewFamily
from fingerprint.views.hashing import families_of, picture_of
from fingerprint.views.picture import Picture

if TYPE_CHECKING:
    from fingerprint.index.queries import Where
    from fingerprint.typing import ImageSource, Orientation

__all__ = ["Searched", "match_image", "match_picture"]


class Searched(Protocol):
    """What is asked for views: an `Index`, or another's hashes that are searched like one."""

    min_quality: int

    def within(
        self, query: Mapping[str, Hash], radius: int, *, where: Where | None = None
    ) -> list[Match]:
        """Find every entry within a distance of any of the views."""


def match_image(
    index: Index,
    source: ImageSource,
    *,
    families: Iterable[str] | None = None,
    radius: int | None = None,
    radii: Mapping[str, int] | None = None,
    thorough: bool = False,
    where: Where | None = None,
    orientation: Orientation = "upright",
    alpha: media.Alpha = "composite",
    background: tuple[int, int, int] = media.WHITE,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Match]:
    """Find a picture in an index, also when it was cropped, turned, framed or mirrored.

    The picture is looked up by views of it, of which the first is the picture as it is, in up
    to three stages; the first that finds anything is the last, unless ``thorough``. The index
    may be a list that others made, with one hash a picture.

    Parameters
    ----------
    index : Index
        Where to look, with hashes of pictures.
    source : path, bytes, binary file object, PIL image or ndarray
        As for `fingerprint.hash_image`.
    families : iterable of str, optional
        Families of views to try; all by default (``fingerprint views`` lists them).
    radius : int, optional
        One radius in bits for every family, instead of each family's own.
    radii : mapping of str to int, optional
        Radius of some families, by name.
    thorough : bool
        Ask all stages, and so find all entries that any view finds.
    where : mapping or callable, optional
        As for `Index.within`.
    orientation, alpha, background, limits
        As for `fingerprint.hash_image`.

    Returns
    -------
    list of Match
        Each entry once, with the view that found it as ``transform``: first those that
        are furthest within their family's radius. Evidence, not a verdict: the more
        views are tried, the more pairs are compared.

    Warns
    -----
    LowQualityWarning
        The picture has less information than its algorithm asks for. Views with too
        little are not looked up.

    Raises
    ------
    DecodeError, UnknownAlgorithmError
        As for `fingerprint.hash_image`.
    ValueError
        A family is unknown, or a radius not within 0 to the number of bits.
    UnsupportedOperationError, CorruptIndexError
        As for `Index.within`.
    """
    if not isinstance(index, Index):
        raise TypeError(f"index: expected an open Index, got {type(index).__name__}")
    chosen = asked_families(families)
    reach = radii_of(chosen, index, radius, radii)
    picture = picture_of(source, index.algorithm, orientation, alpha, background, limits)
    return match_picture(index, picture, chosen, reach, thorough=thorough, where=where)


def asked_families(names: Iterable[str] | None) -> list[ViewFamily]:
    """Return families of query views; ValueError when there is none to ask."""
    chosen = families_of(names, "query")
    if not chosen:
        raise ValueError("families: expected at least one, got none")
    return chosen


def radii_of(
    families: Sequence[ViewFamily],
    index: Index,
    radius: int | None,
    radii: Mapping[str, int] | None,
    at_most: int | None = None,
) -> dict[str, int]:
    """Return the radius of each family, in bits of the index's algorithm.

    ``at_most`` bounds those that nobody gave.
    """
    own = dict(radii or {})
    known = {family.name for family in families}
    for name in own:
        if name not in known:
            raise ValueError(f"radii: {name!r} is no family that is asked")
    for family in families:
        if family.name in own:
            continue
        if radius is not None:
            own[family.name] = radius
        elif index.algorithm == "pdq":
            fitted = family.radius
            own[family.name] = fitted if at_most is None else min(fitted, at_most)
        elif index.default_radius is not None:
            own[family.name] = index.default_radius
        else:
            raise ValueError(f"radius: {index.algorithm} has no published one; pass it")
    for name, bits in own.items():  # Now, not when its stage comes.
        if not isinstance(bits, int | np.integer):
            raise TypeError(f"radius of {name!r}: expected a whole number of bits, got {bits!r}")
        if not 0 <= bits <= index.bits:
            raise ValueError(f"radius of {name!r}: expected 0 to {index.bits}, got {bits}")
    return own


def match_picture(
    index: Searched,
    picture: Picture,
    families: Sequence[ViewFamily],
    radii: Mapping[str, int],
    *,
    thorough: bool = False,
    where: Where | None = None,
    resolve: Callable[[Iterable[Match]], Iterable[Match]] | None = None,
) -> list[Match]:
    """Find a decoded picture; see `match_image`.

    ``resolve`` names the pictures that the entries found stand for.
    """
    best: dict[str, tuple[int, Match]] = {}
    for stage in sorted({family.stage for family in families}):
        asked = [family for family in families if family.stage == stage]
        for radius, views in _by_radius(picture, asked, radii, index.min_quality).items():
            found: Iterable[Match] = index.within(views, radius, where=where)
            for match in found if resolve is None else resolve(found):
                short = match.distance - radius
                if match.id not in best or short < best[match.id][0]:
                    best[match.id] = (short, match)
        if best and not thorough:
            break
    return [match for _, match in sorted(best.values(), key=lambda one: (one[0], one[1].id))]


def _by_radius(
    picture: Picture, families: Sequence[ViewFamily], radii: Mapping[str, int], min_quality: int
) -> dict[int, dict[str, Hash]]:
    """Return what is to be looked up, by radius: the picture itself always is."""
    groups: dict[int, dict[str, Hash]] = defaultdict(dict)
    for family in families:
        for name, view in family.hash(picture):
            low = view.quality is not None and view.quality < min_quality
            if not low or name == "identity":
                groups[radii[family.name]][name] = view
    return {radius: groups[radius] for radius in sorted(groups)}
