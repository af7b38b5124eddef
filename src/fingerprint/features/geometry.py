"""From matches to a transformation, and how much of both pictures bears it out."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, lgamma, log, log2, pi
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from fingerprint.typing import F32, F64, Bits

__all__ = [
    "Agreement",
    "Placement",
    "Tolerances",
    "agreement",
    "as_points",
    "chance_bits",
    "match_shares",
    "place",
]

MOST_PAIRS = 60_000
REFINEMENTS = 4
FEWEST_FOR_AFFINE = 8
MOST_STRETCHED = 2.2
LARGEST_SCALE = 40.0
NARROWEST = 0.04
MATCHES_EXPECTED = 1.0
CELLS_PER_SIDE = 10
SIZE_SLACK = 1.25
_ORB_PATCH_PX = 31.0


class Tolerances(NamedTuple):
    """How exactly matches must agree on where the one picture lies in the other.

    Parameters
    ----------
    place : float
        Units, that is pixels of the coarser of the two keypoints' pyramid levels.
    turn : float
        Radians between the keypoints' own angles and the transformation.
    stretch : float
        The same of sizes, as a natural logarithm.
    apart : float
        Units between keypoints of different spots.
    """

    place: float = 3.0
    turn: float = np.pi / 6
    stretch: float = 0.6
    apart: float = 4.0


@dataclass(frozen=True, slots=True)
class Placement:
    """A transformation (2, 3), the matches that agree on it, and one of them a spot."""

    matrix: F64
    marks: Bits = field(repr=False)
    spots: Bits = field(repr=False)


class Agreement(NamedTuple):
    """How much of what both pictures show is the same, and how much of each that is."""

    share: float
    query_coverage: float
    reference_coverage: float


def as_points(keypoints: F32) -> F64:
    """Return x, y, unit (pixels of the picture per pixel of its level) and angle in radians."""
    points = keypoints.astype(np.float64)
    points[:, 2] /= _ORB_PATCH_PX
    points[:, 3] = np.radians(points[:, 3])
    return points


def place(a: F64, b: F64, tolerances: Tolerances) -> Placement | None:
    """Find where ``a`` lies in ``b``; both (n, 4): x, y, unit, angle. None when nowhere."""
    from fingerprint.features.consensus import agreeing, best_similarity, distinct

    if len(a) < 3:
        return None
    marks = np.zeros(len(a), np.bool_)
    matrix = np.zeros((2, 3))
    limits = tolerances.place, tolerances.turn, tolerances.stretch
    best = best_similarity(a, b, *limits, MOST_PAIRS, matrix, marks)
    if not best > 0:
        return None
    agreeing(a, b, matrix, *limits, marks)
    for _ in range(REFINEMENTS):
        trial = _fit(a[marks], b[marks])
        if trial is None:
            break
        again = np.zeros_like(marks)
        score = agreeing(a, b, trial, *limits, again)
        if score <= best:
            break
        best, matrix, marks = score, trial, again
    spots = marks.copy()
    distinct(a, b, spots, tolerances.apart)
    if not _sane(matrix) or _narrow(a[spots]) or _narrow(b[spots]):
        return None
    return Placement(matrix, marks, spots)


def _fit(a: F64, b: F64) -> F64 | None:
    """Return the transformation of least squares: affine, or a similarity for few points."""
    if len(a) < 3:
        return None
    weight = 1 / b[:, 2]
    one, zero = np.ones(len(a)), np.zeros(len(a))
    if len(a) >= FEWEST_FOR_AFFINE:
        rows = np.c_[a[:, :2], one] * weight[:, None]
        solution = np.linalg.lstsq(rows, b[:, :2] * weight[:, None], rcond=None)[0]
        matrix = np.ascontiguousarray(solution.T)
        if _sane(matrix):
            return matrix
    x, y = a[:, 0], a[:, 1]
    rows = np.concatenate([np.c_[x, -y, one, zero], np.c_[y, x, zero, one]])
    both = np.concatenate([weight, weight])
    target = np.concatenate([b[:, 0], b[:, 1]]) * both
    c, s, tx, ty = np.linalg.lstsq(rows * both[:, None], target, rcond=None)[0]
    return np.array([[c, -s, tx], [s, c, ty]])


def _sane(matrix: F64) -> bool:
    """Whether it neither collapses nor stretches one way by far, and does not mirror."""
    large, small = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if not np.linalg.det(matrix[:, :2]) > 0:
        return False
    return bool(small > 1 / LARGEST_SCALE and large < min(LARGEST_SCALE, MOST_STRETCHED * small))


def _narrow(points: F64) -> bool:
    """Whether all lie on a line: a line of text, a row of icons."""
    if len(points) < 3:
        return True
    large, small = np.linalg.svd(points[:, :2] - points[:, :2].mean(0), compute_uv=False)
    return bool(small < NARROWEST * large)


def chance_bits(n: int, k: int, shares: F64) -> float:
    """Return how unlikely it is that k of n chance matches agree, in bits; at least 0.

    ``shares`` (k,) are the chances of single matches. -log2 of (pairs that state a
    transformation × choices of k × chance of the k - 2 others), the "number of false
    alarms" of Moisan and Stival (2004).
    """
    if k < 3:
        return 0.0
    choices = (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / log(2)
    others = -float(np.log2(shares).mean()) * (k - 2)
    return max(0.0, others - choices - log2(n * (n - 1) / 2))


def match_shares(a: F64, b: F64, matrix: F64, area: float, tolerances: Tolerances) -> F64:
    """Return the chance of each match to agree with a transformation by accident.

    ``area`` is the reference's, in square pixels. Sizes are taken to agree anyway.
    """
    reach = tolerances.place * np.maximum(b[:, 2], _size(matrix) * a[:, 2])
    return np.minimum(0.5, pi * reach**2 / area * (tolerances.turn / pi))


def agreement(
    query: F64,
    reference: F64,
    matrix: F64,
    inliers: F64,
    query_px: tuple[int, int],
    reference_px: tuple[int, int],
    *,
    of_both: bool,
) -> Agreement:
    """Say how much of what both pictures show in their overlap the matches bear out.

    A feature is borne out when a match (``inliers`` (k, ≥ 2), in the reference) is among its
    neighbours, as many of them as hold one match if matches are spread as features are.
    Pictures in one frame or under one caption agree in that, and in nothing else. What was
    put over one of them takes nothing from the other, so the better side
    counts; both must agree with ``of_both``.
    """
    moved = query.copy()
    moved[:, :2] = query[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    moved[:, 2] *= _size(matrix)
    outline = _overlap(matrix, query_px, reference_px)
    if len(outline) < 3:
        return Agreement(0.0, 0.0, 0.0)
    home = (reference[:, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    sides = (
        moved[_inside(moved, reference_px) & _comparable(moved[:, 2], reference[:, 2])],
        reference[_inside(home, query_px) & _comparable(reference[:, 2], moved[:, 2])],
    )
    box = outline.min(0), outline.max(0)
    shares = [_borne_out(features, inliers, *box) for features in sides]
    area = _area(outline)
    return Agreement(
        min(shares) if of_both else max(shares),
        min(1.0, area / (query_px[0] * query_px[1] * _size(matrix) ** 2)),
        min(1.0, area / (reference_px[0] * reference_px[1])),
    )


def _borne_out(features: F64, inliers: F64, low: F64, high: F64) -> float:
    """Return the share of features with a match near, each cell of the overlap counting alike."""
    from scipy.spatial import cKDTree

    n, k = len(features), len(inliers)
    if n < 2 or not k:
        return float(k > 0)
    neighbours = min(n, int(np.ceil(MATCHES_EXPECTED * n / k)) + 1)
    reach = cKDTree(features[:, :2]).query(features[:, :2], neighbours)[0][:, -1]
    nearest = cKDTree(inliers[:, :2]).query(features[:, :2], 1)[0]
    place = (features[:, :2] - low) / np.maximum(high - low, 1e-9) * CELLS_PER_SIDE
    column, row = np.clip(place.astype(np.int64), 0, CELLS_PER_SIDE - 1).T
    cell = row * CELLS_PER_SIDE + column
    total = np.bincount(cell, minlength=CELLS_PER_SIDE**2)
    borne = np.bincount(cell, nearest <= reach, minlength=CELLS_PER_SIDE**2)
    share = float((borne[total > 0] / total[total > 0]).mean())
    # Matches that are spread by chance leave some neighbourhoods empty.
    return min(1.0, share / (1 - exp(-MATCHES_EXPECTED)))


def _size(matrix: F64) -> float:
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def _inside(points: F64, size_px: tuple[int, int]) -> Bits:
    return np.asarray(((points[:, :2] >= 0) & (points[:, :2] <= size_px)).all(1), np.bool_)


def _comparable(units: F64, others: F64) -> Bits:
    """Mark features of a size that the other picture has, too."""
    if not len(others):
        return np.zeros(len(units), np.bool_)
    low, high = others.min() / SIZE_SLACK, others.max() * SIZE_SLACK
    return np.asarray((units > low) & (units < high), np.bool_)


def _overlap(matrix: F64, query_px: tuple[int, int], reference_px: tuple[int, int]) -> F64:
    """Return the outline of the query within the reference, in the reference's pixels."""
    width, height = query_px
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    outline = corners @ matrix[:, :2].T + matrix[:, 2]
    for axis, end in enumerate(reference_px):
        for limit, sign in ((0, 1), (end, -1)):
            outline = _clipped(outline, sign * (outline[:, axis] - limit))
    return outline


def _clipped(outline: F64, inside: F64) -> F64:
    """Cut a convex polygon where ``inside`` falls below zero."""
    kept = []
    for i in range(len(outline)):
        before = inside[i - 1]
        if (inside[i] >= 0) != (before >= 0):
            t = before / (before - inside[i])
            kept.append(outline[i - 1] + t * (outline[i] - outline[i - 1]))
        if inside[i] >= 0:
            kept.append(outline[i])
    return np.array(kept, np.float64).reshape(-1, 2)


def _area(outline: F64) -> float:
    x, y = outline.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
