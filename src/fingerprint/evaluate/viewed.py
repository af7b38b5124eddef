"""Views in an evaluation: an upload asked for by its views, of whole pictures or their views."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.algorithms import HashAlgorithm, Radius, get_algorithm
from fingerprint.errors import UnknownAlgorithmError
from fingerprint.evaluate.contenders import Contender, ViewedHashes
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.views.families import AMONG_VIEWS, QUERY_FAMILIES, REFERENCE_FAMILIES
from fingerprint.views.picture import Picture

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["REFERENCE_VIEWS", "VIEWS", "ViewContender"]

VIEWS = "+views"
REFERENCE_VIEWS = "+reference-views"


class ViewContender(Contender):
    """What `fingerprint.match_image` finds with all stages asked.

    A view's handicap is what its family's radius is less than the largest: so a score
    within the largest radius is a distance within the family's own.

    Parameters
    ----------
    algorithm : HashAlgorithm
        The hash; families' radii are PDQ's, of any other its published one.
    reference_views : bool
        Store views of pictures, too, as `fingerprint.ImageIndex` does.
    """

    def __init__(self, algorithm: HashAlgorithm, *, reference_views: bool = False) -> None:
        self.name = algorithm.name + (REFERENCE_VIEWS if reference_views else VIEWS)
        self.bits, self.min_quality = algorithm.bits, algorithm.min_quality
        self._algorithm, self._reference_views = algorithm, reference_views
        fitted = algorithm.hash_name == "pdq"
        most = AMONG_VIEWS if reference_views else self.bits
        own = {f.name: min(f.radius, most) for f in QUERY_FAMILIES.values()}
        self._radii = own if fitted else dict.fromkeys(own, algorithm.radius.bits)
        most = max(self._radii.values())
        self.radius = Radius(most, "the families' own" if fitted else algorithm.radius.source)
        settings = f"{sorted(self._radii.items())} {sorted(REFERENCE_FAMILIES)}"
        digest = hashlib.blake2b(settings.encode(), digest_size=8).hexdigest()
        self.version = f"{algorithm.version} {digest}"

    def reference(self, pixels: U8) -> HashArray:
        """Return the picture's hash and, if asked for, those of its views."""
        picture = Picture(pixels, self._algorithm)
        hashes = [picture.exact]
        if self._reference_views:
            for family in REFERENCE_FAMILIES.values():
                hashes += [h for _, h in family.hash(picture) if self._tells(h)]
        return HashArray.from_hashes(hashes)

    def query(self, pixels: U8) -> ViewedHashes:
        """Return the picture's hash and those of its views, named after their families."""
        picture = Picture(pixels, self._algorithm)
        most = max(self._radii.values())
        hashes, handicaps, names = [], [], []
        for family in QUERY_FAMILIES.values():
            for name, view in family.hash(picture):
                if name == "identity" or self._tells(view):
                    hashes.append(view)
                    handicaps.append(most - self._radii[family.name])
                    names.append(family.name)
        return ViewedHashes(HashArray.from_hashes(hashes), np.array(handicaps), tuple(names))

    def _tells(self, view: Hash) -> bool:
        return view.quality is None or view.quality >= self.min_quality


def view_contender(name: str) -> ViewContender:
    """Return the contender that ``pdq+views`` or ``pdq+reference-views`` names."""
    base, plus, kind = name.partition("+")
    suffix = plus + kind
    if suffix not in (VIEWS, REFERENCE_VIEWS):
        raise UnknownAlgorithmError(name, [base + VIEWS, base + REFERENCE_VIEWS])
    algorithm = get_algorithm(base)
    if not isinstance(algorithm, HashAlgorithm):
        raise TypeError(f"{name}: expected an algorithm that makes one hash of a picture")
    return ViewContender(algorithm, reference_views=suffix == REFERENCE_VIEWS)
