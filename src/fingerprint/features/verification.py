"""Whether one picture lies in another, by local features: evidence for a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import atan2, degrees
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.features.extraction import local_features
from fingerprint.features.geometry import (
    Tolerances,
    agreement,
    as_points,
    chance_bits,
    match_shares,
    place,
)
from fingerprint.features.stored import PLAIN, LocalFeatures
from fingerprint.media import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from fingerprint.typing import F64, I64, U8, U64, Bits, ImageSource

__all__ = ["CONVINCING_AGREEMENT", "CONVINCING_BITS", "Verification", "verify"]

# Measured by benchmarks/features.py, which says what they cost and what they let through.
CONVINCING_BITS = 40.0
CONVINCING_AGREEMENT = 0.45
BEYOND_DOUBT_BITS = 150.0
"""From which on the mirror image is not tried: many things are symmetric, but not so exactly."""
FEWEST_INLIERS = 6
QUERY_FEATURES, REFERENCE_FEATURES = 3000, 2000

LARGEST_DISTANCE = 80
LARGEST_RATIO = 0.88
FEWEST_NOT_PLAIN = 32
_TOLERANCES = Tolerances()


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """What the local features of two pictures say: evidence, never a verdict.

    Places are pixels from the top left corner of the upright pictures.

    Parameters
    ----------
    inliers : int
        Matches that agree on one transformation and lie at different spots of both.
    matches : int
        Features of the query with a likely partner in the reference.
    matrix : ndarray of float64, (2, 3), or None
        Takes places in the query to places in the reference; mirrors, too, when
        ``mirrored``. None when nothing agrees.
    mirrored : bool
        The query is the mirror image.
    agreement : float
        Of what both show where they overlap, the share that matches bear out, 0 to 1. Low
        for different pictures in one frame, or under one caption, logo or watermark.
    evidence : float
        Bits against chance: -log2 of the expected number of chance transformations
        that as many matches agree on (Moisan and Stival, 2004). Features are not
        independent, so it is a score: of different pictures it rarely exceeds 30.
    query_coverage, reference_coverage : float
        Share of each picture's area that lies in the other, 0 to 1.
    query_px, reference_px : tuple of int
        Width and height.
    points : ndarray of float64, (inliers, 4)
        x and y in the query, x and y in the reference.
    min_inliers : int
        Fewest that are convincing.
    """

    inliers: int
    matches: int
    matrix: F64 | None
    mirrored: bool
    agreement: float
    evidence: float
    query_coverage: float
    reference_coverage: float
    query_px: tuple[int, int]
    reference_px: tuple[int, int]
    points: F64 = field(repr=False)
    min_inliers: int = FEWEST_INLIERS

    @property
    def convincing(self) -> bool:
        """Whether different pictures practically never get as far (``benchmarks/features.py``).

        Two photographs of one object or scene do: that they are copies is for a person to say.
        """
        return (
            self.evidence >= CONVINCING_BITS
            and self.agreement >= CONVINCING_AGREEMENT
            and self.inliers >= self.min_inliers
        )

    @property
    def scale(self) -> float:
        """Pixels of the reference per pixel of the query; NaN without a transformation."""
        if self.matrix is None:
            return float("nan")
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    @property
    def rotation_deg(self) -> float:
        """How far the query must be turned clockwise (after mirroring), -180 to 180; or NaN."""
        if self.matrix is None:
            return float("nan")
        (a, b), (c, d) = self.matrix[:, :2]
        if self.mirrored:  # The mirror turns the x of the query.
            a, c = -a, -c
        return degrees(atan2(c - b, a + d))

    @property
    def outline(self) -> F64:
        """Corners of the query in the reference, (4, 2), from the top left one on; or (0, 2)."""
        if self.matrix is None:
            return np.empty((0, 2))
        width, height = self.query_px
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
        return np.asarray(corners @ self.matrix[:, :2].T + self.matrix[:, 2], np.float64)

    def __str__(self) -> str:
        if self.matrix is None:
            return f"no transformation that features agree on ({self.matches} matches)"
        how = ["mirrored"] if self.mirrored else []
        how += [f"scaled by {self.scale:.3g}", f"turned by {round(self.rotation_deg)}°"]
        return (
            f"{self.inliers} of {self.matches} matches agree, {self.evidence:.0f} bits against "
            f"chance: {self.query_coverage:.0%} of the query lies on "
            f"{self.reference_coverage:.0%} of the reference ({', '.join(how)}); "
            f"{self.agreement:.0%} of that is borne out"
        )


def verify(
    query: ImageSource | LocalFeatures,
    reference: ImageSource | LocalFeatures,
    *,
    mirrored: bool = True,
    min_inliers: int = FEWEST_INLIERS,
    max_features: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Verification:
    """Look for one picture in another by local features.

    Finds what hashes cannot: screenshots, pictures in pictures, collages, strong crops, large
    stickers, photographs of a screen. Letters, icons and drawings on a plain ground are left
    out where both pictures have enough else, since different pictures share them.

    Parameters
    ----------
    query, reference : source or LocalFeatures
        Pictures, as in `fingerprint.hash_image`, or what `local_features` made of them.
    mirrored : bool
        Try the mirror image of the query, too, unless the query as it is
        matches beyond doubt.
    min_inliers : int
        Fewest matches that are convincing, at least 4.
    max_features : int
        Of pictures; see `local_features`. By default 3,000 of the query, since what is looked
        for may be a small part of it, and 2,000 of the reference.
    limits : Limits
        Largest source that is accepted.

    Returns
    -------
    Verification
        The same for the same input; without features in a picture its evidence is 0.

    Raises
    ------
    DecodeError, LimitExceededError
        A source cannot be read, or is too large.
    ValueError
        ``min_inliers`` or ``max_features`` is out of range; or ``mirrored`` and both are
        stored features without descriptors of the mirror image.
    """
    if min_inliers < 4:
        raise ValueError(f"min_inliers: expected at least 4, got {min_inliers}")
    stored = isinstance(reference, LocalFeatures) and reference.mirrored is not None
    if not isinstance(query, LocalFeatures):
        query = local_features(
            query,
            max_features=QUERY_FEATURES if max_features is None else max_features,
            mirrored=mirrored and not stored,
            limits=limits,
        )
    if not isinstance(reference, LocalFeatures):
        wanted = mirrored and query.mirrored is None
        reference = local_features(
            reference,
            max_features=REFERENCE_FEATURES if max_features is None else max_features,
            mirrored=wanted,
            limits=limits,
        )
    if mirrored and query.mirrored is None and reference.mirrored is None:
        raise ValueError(
            "mirrored: expected descriptors of the mirror image in one of the two (see "
            "local_features), got none; pass mirrored=False to compare without"
        )
    a, b = _chosen(query, reference)
    best = _compare(a, b, min_inliers)
    if mirrored and not (best.convincing and best.evidence >= BEYOND_DOUBT_BITS):
        flipped = _compare_mirrored(a, b, min_inliers)
        if flipped.evidence > best.evidence:
            best = flipped
    return best


class _Side(NamedTuple):
    """Features of one picture as the kernels take them; ``telling``: those that must agree."""

    points: F64
    words: U64
    mirrored: U64 | None
    size_px: tuple[int, int]
    telling: Bits
    of_both: bool


def _chosen(query: LocalFeatures, reference: LocalFeatures) -> tuple[_Side, _Side]:
    """Leave out features on plain ground if both pictures have enough others."""
    rich = [side.plainness < PLAIN for side in (query, reference)]
    enough = [bool(marks.sum() >= FEWEST_NOT_PLAIN) for marks in rich]
    # What has other features must be borne out by these, even where they have no counterpart.
    telling = [marks | (not some) for marks, some in zip(rich, enough, strict=True)]
    of_both = not all(enough)
    a, b = (_side(*side, of_both) for side in zip((query, reference), telling, strict=True))
    return a, b


def _side(features: LocalFeatures, telling: Bits, of_both: bool) -> _Side:
    marks = telling | of_both
    other = None if features.mirrored is None else _words(features.mirrored[marks])
    return _Side(
        as_points(features.keypoints[marks]),
        _words(features.descriptors[marks]),
        other,
        (features.width_px, features.height_px),
        telling[marks],
        of_both,
    )


def _words(descriptors: U8) -> U64:
    return np.ascontiguousarray(descriptors).view(np.uint64)


def _compare_mirrored(a: _Side, b: _Side, min_inliers: int) -> Verification:
    """Compare the mirror image of whichever side has its descriptors with the other."""
    side = a if a.mirrored is not None else b
    width = side.size_px[0]
    points = side.points.copy()
    points[:, 0] = width - points[:, 0]
    points[:, 3] = np.pi - points[:, 3]
    words = side.mirrored if side.mirrored is not None else side.words
    turned = side._replace(points=points, words=words)
    flip = np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]])
    if side is a:
        return _compare(turned, b, min_inliers, flip_query=flip)
    return _compare(a, turned, min_inliers, flip_reference=flip)


def _compare(
    a: _Side,
    b: _Side,
    min_inliers: int,
    flip_query: F64 | None = None,
    flip_reference: F64 | None = None,
) -> Verification:
    rows, partners = _match(a, b)
    first, second = a.points[rows], b.points[partners]
    found = place(first, second, _TOLERANCES)
    if found is None:
        return Verification(
            inliers=0,
            matches=len(rows),
            matrix=None,
            mirrored=False,
            agreement=0.0,
            evidence=0.0,
            query_coverage=0.0,
            reference_coverage=0.0,
            query_px=a.size_px,
            reference_px=b.size_px,
            points=np.empty((0, 4)),
            min_inliers=min_inliers,
        )
    marks, spots, matrix = found.marks, found.spots, found.matrix
    area = float(b.size_px[0]) * b.size_px[1]
    shares = match_shares(first[spots], second[spots], matrix, area, _TOLERANCES)
    bits = chance_bits(len(rows), int(spots.sum()), shares)
    # A flat picture in a frame has nothing but the frame: then both sides must agree.
    shared = agreement(
        a.points[a.telling],
        b.points[b.telling],
        matrix,
        second[marks],
        a.size_px,
        b.size_px,
        of_both=a.of_both,
    )
    points = np.c_[first[spots, :2], second[spots, :2]]
    whole = np.vstack([matrix, [0, 0, 1]])
    if flip_query is not None:
        whole = whole @ flip_query
        points[:, 0] = a.size_px[0] - points[:, 0]
    if flip_reference is not None:
        whole = flip_reference @ whole
        points[:, 2] = b.size_px[0] - points[:, 2]
    return Verification(
        inliers=int(spots.sum()),
        matches=len(rows),
        matrix=whole[:2],
        mirrored=flip_query is not None or flip_reference is not None,
        agreement=shared.share,
        evidence=bits,
        query_coverage=shared.query_coverage,
        reference_coverage=shared.reference_coverage,
        query_px=a.size_px,
        reference_px=b.size_px,
        points=points,
        min_inliers=min_inliers,
    )


def _match(a: _Side, b: _Side) -> tuple[I64, I64]:
    """Return the features of ``a`` with a likely partner in ``b``, likelier ones first."""
    from fingerprint.features.consensus import nearest

    n = len(a.words)
    if not n or not len(b.words):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rows, first, second = np.empty(n, np.int64), np.empty(n, np.int32), np.empty(n, np.int32)
    nearest(a.words, b.words, b.points, _TOLERANCES.apart, rows, first, second)
    likely = np.flatnonzero((first <= LARGEST_DISTANCE) & (first < LARGEST_RATIO * second))
    order = likely[np.lexsort((likely, first[likely]))]
    _, earliest = np.unique(rows[order], return_index=True)  # A partner is taken once.
    order = order[np.sort(earliest)]
    return order, rows[order]
