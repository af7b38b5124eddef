"""Kernels of verification: which descriptors go together, and which of these agree on a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fingerprint.kernels._jit import kernel
from fingerprint.kernels.memory import popcount

if TYPE_CHECKING:
    from fingerprint.typing import F64, I32, I64, U8, U64, Bits

__all__ = ["agreeing", "best_similarity", "distinct", "nearest", "plainness"]

_FAR = np.int32(1 << 20)
_WHITE_SAMPLES, _BLACK_SAMPLES = 8, 4


@kernel
def nearest(
    query: U64, reference: U64, places: F64, apart: float, rows: I64, first: I32, second: I32
) -> None:
    """Find the nearest row of ``reference`` (m, 4) for each of ``query`` (n, 4).

    ``second`` receives the distance of the nearest one that is more than ``apart`` units
    (``places`` (m, 4): x, y, unit, angle) from it: one corner is found at several levels.
    """
    m = reference.shape[0]
    distances = np.empty(m, np.int32)
    for i in range(query.shape[0]):
        q0, q1, q2, q3 = query[i, 0], query[i, 1], query[i, 2], query[i, 3]
        least = _FAR
        for j in range(m):
            d = np.int32(
                popcount(reference[j, 0] ^ q0)
                + popcount(reference[j, 1] ^ q1)
                + popcount(reference[j, 2] ^ q2)
                + popcount(reference[j, 3] ^ q3)
            )
            distances[j] = d
            least = min(least, d)
        best = 0
        for j in range(m):
            if distances[j] == least:
                best = j
                break
        x, y, reach = places[best, 0], places[best, 1], apart * places[best, 2]
        other = _FAR
        for j in range(m):
            if distances[j] < other:
                dx, dy = places[j, 0] - x, places[j, 1] - y
                if dx * dx + dy * dy > reach * reach:
                    other = distances[j]
        rows[i], first[i], second[i] = best, least, other


@kernel
def agreeing(
    a: F64, b: F64, matrix: F64, tolerance: float, turn: float, stretch: float, out: Bits
) -> float:
    """Mark which matches ``a[i]`` to ``b[i]`` (n, 4) a matrix (2, 3) explains.

    Within ``tolerance`` units in place, ``turn`` radians in angle and a factor
    exp(``stretch``) in size. Returns a score: nearer ones count more.
    """
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    size = np.sqrt(abs(m00 * m11 - m01 * m10))
    angle = np.arctan2(m10 - m01, m00 + m11)
    score = 0.0
    for i in range(a.shape[0]):
        out[i] = False
        dx = m00 * a[i, 0] + m01 * a[i, 1] + m02 - b[i, 0]
        dy = m10 * a[i, 0] + m11 * a[i, 1] + m12 - b[i, 1]
        reach = tolerance * max(b[i, 2], size * a[i, 2])
        off = (dx * dx + dy * dy) / (reach * reach)
        if off > 1:
            continue
        d = b[i, 3] - a[i, 3] - angle
        d -= 2 * np.pi * np.round(d / (2 * np.pi))
        if abs(d) > turn or abs(np.log(b[i, 2] / (size * a[i, 2]))) > stretch:
            continue
        out[i] = True
        score += 1 - 0.5 * off
    return score


@kernel
def best_similarity(
    a: F64,
    b: F64,
    tolerance: float,
    turn: float,
    stretch: float,
    most_pairs: int,
    matrix: F64,
    marks: Bits,
) -> float:
    """Find the similarity that most matches agree on; random sample consensus, seeded.

    Pairs of matches whose own angles and sizes contradict the similarity that they
    state are passed over unscored. ``matrix`` (2, 3) receives the best. Returns its score.
    """
    n = a.shape[0]
    best = 0.0
    trial = np.zeros((2, 3))
    state = np.uint64(88172645463325252)
    needed = most_pairs
    done = 0
    every = n * (n - 1) // 2
    i, j = 0, 0
    while done < needed:
        if every <= most_pairs:  # All pairs, better matches first.
            i += 1
            if i >= j:
                i, j = 0, j + 1
            if j >= n:
                break
            one, two = i, j
        else:
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            first = np.int64((state >> np.uint64(8)) % np.uint64(n))
            second = np.int64((state >> np.uint64(36)) % np.uint64(n))
            one, two = int(first), int(second)
        done += 1
        ax, ay = a[two, 0] - a[one, 0], a[two, 1] - a[one, 1]
        bx, by = b[two, 0] - b[one, 0], b[two, 1] - b[one, 1]
        length = ax * ax + ay * ay
        least_a, least_b = 12 * a[one, 2], 12 * b[one, 2]
        if length < least_a * least_a or bx * bx + by * by < least_b * least_b:
            continue
        c, s = (ax * bx + ay * by) / length, (ax * by - ay * bx) / length
        size, angle = np.sqrt(c * c + s * s), np.arctan2(s, c)
        fits = True
        for k in (one, two):
            d = b[k, 3] - a[k, 3] - angle
            d -= 2 * np.pi * np.round(d / (2 * np.pi))
            if abs(d) > turn or abs(np.log(b[k, 2] / (size * a[k, 2]))) > stretch:
                fits = False
        if not fits:
            continue
        trial[0, 0], trial[0, 1], trial[1, 0], trial[1, 1] = c, -s, s, c
        trial[0, 2] = b[one, 0] - c * a[one, 0] + s * a[one, 1]
        trial[1, 2] = b[one, 1] - s * a[one, 0] - c * a[one, 1]
        score = agreeing(a, b, trial, tolerance, turn, stretch, marks)
        if score > best:
            best = score
            matrix[:] = trial
            share = min(0.9, score / n)
            # Certain to one in a million that a pair of agreeing ones was among them;
            # half of such pairs are too close together or too inexact to tell.
            enough = 28.0 / (share * share)
            if enough < needed:
                needed = max(done, int(enough))
    return best


@kernel
def distinct(a: F64, b: F64, marks: Bits, apart: float) -> int:
    """Keep only marks that are more than ``apart`` units from one another in both pictures.

    Earlier ones stay. Returns how many are left.
    """
    n = a.shape[0]
    kept = np.empty(n, np.int64)
    count = 0
    for i in range(n):
        if not marks[i]:
            continue
        near = False
        for k in range(count):
            j = kept[k]
            ax, ay, reach_a = a[i, 0] - a[j, 0], a[i, 1] - a[j, 1], apart * a[i, 2]
            bx, by, reach_b = b[i, 0] - b[j, 0], b[i, 1] - b[j, 1], apart * b[i, 2]
            if ax * ax + ay * ay < reach_a * reach_a or bx * bx + by * by < reach_b * reach_b:
                near = True
                break
        if near:
            marks[i] = False
        else:
            kept[count] = i
            count += 1
    return count


@kernel
def plainness(grey: U8, keypoints: F64, out: U8) -> None:
    """Write which share of a keypoint's surroundings has one grey, 0 to 255.

    ``keypoints`` (n, >= 3) hold x, y, diameter in pixels of ``grey``. One grey: the window of
    eight levels that holds most of 16 × 16 samples. Where pure white meets pure black it is
    255: letters over a picture are outlined, to be read on anything.
    """
    height, width = grey.shape
    counts = np.empty(65, np.int64)
    for i in range(keypoints.shape[0]):
        counts[:] = 0
        step = keypoints[i, 2] / 16
        for v in range(16):
            y = min(max(int(keypoints[i, 1] + (v - 7.5) * step + 0.5), 0), height - 1)
            for u in range(16):
                x = min(max(int(keypoints[i, 0] + (u - 7.5) * step + 0.5), 0), width - 1)
                counts[np.int64(grey[y, x]) >> 2] += 1
        most = 0
        for k in range(64):
            share = int(counts[k] + counts[k + 1])
            most = share if share > most else most
        if counts[62] + counts[63] >= _WHITE_SAMPLES and counts[0] + counts[1] >= _BLACK_SAMPLES:
            most = 255
        out[i] = np.uint8(255 if most > 255 else most)
