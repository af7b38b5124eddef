"""Where in a picture another picture lies: between straight seams, or amid one colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.kernels._jit import kernel

if TYPE_CHECKING:
    from fingerprint.typing import F32, F64, I64

BLOCK = 8
"""Samples along a seam that are judged as one: texture averages out, a seam does not."""

STEP = 5.0
"""Grey levels by which the mean of a block must change across a seam."""

STANDS_OUT = 2.5
"""Times the changes around it, which texture makes, too."""

REACH = 8
"""Rows on either side that are around a step."""

MOST_SEAMS = 10
SPACING = 5
"""Seams are at least so many samples apart: the two sides of a thin line count as two."""

WEAKEST = 0.4
"""Least share of each seam's blocks that must step."""

WIDEST_GUTTER = 20
"""Samples: a wider plain edge is rather the picture's own."""

SMALLEST_SIDE = 0.18
"""Of the whole's side: smaller panels are not looked for."""

COLOUR_TOLERANCE = 12.0
"""Grey levels by which a bar's samples stray from its colour."""


@kernel
def steps(base: F32, across: I64) -> None:
    """Write, for each row and block, how many of the blocks before it show a step.

    ``across`` has a row more than ``base`` and a column more than it has blocks;
    ``across[y, b]`` counts the steps between rows y - 1 and y in the blocks before b. A
    step is a change of the block's mean that stands out among those of the rows around it.
    """
    h, w = base.shape
    blocks = across.shape[1] - 1
    change = np.zeros((h + 1, blocks), np.float32)
    for y in range(1, h):
        for b in range(blocks):
            start, stop = b * w // blocks, (b + 1) * w // blocks
            total = np.float32(0)
            for x in range(start, stop):
                total += base[y, x] - base[y - 1, x]
            change[y, b] = abs(total) / np.float32(stop - start)
    below = np.zeros((h + 2, blocks), np.float32)
    for y in range(h + 1):
        for b in range(blocks):
            below[y + 1, b] = below[y, b] + change[y, b]
    for y in range(h + 1):
        across[y, 0] = 0
        low, high = max(1, y - REACH), min(h, y + REACH + 1)
        near_low, near_high = max(1, y - 1), min(h, y + 2)
        n = max(1, (high - low) - (near_high - near_low))
        for b in range(blocks):
            near = below[near_high, b] - below[near_low, b]
            around = (below[high, b] - below[low, b] - near) / np.float32(n)
            step = change[y, b] > STEP and change[y, b] > STANDS_OUT * around
            across[y, b + 1] = across[y, b] + np.int64(step)


@kernel
def _share(across: I64, at: int, first: int, last: int) -> Any:
    """Return the share of blocks ``first`` to ``last`` that step at ``at``, or just before.

    A seam that scaling has smeared over two rows shows its step in either.
    """
    n = across.shape[0] - 1
    if at <= 0 or at >= n or last <= first:
        return 0.0
    most = across[at, last] - across[at, first]
    before = across[at - 1, last] - across[at - 1, first]
    after = across[at + 1, last] - across[at + 1, first]
    return min(1.0, (most + 0.5 * max(before, after)) / (last - first))


@kernel
def _longest(across: I64, at: int, first: int, last: int) -> float:
    """Return how long the longest seam at ``at`` is, in shares of the blocks.

    It is the stretch with the most blocks that step, less those that do not: a picture
    that lies within another has seams that are shorter than the whole.
    """
    n = across.shape[0] - 1
    if at <= 1 or at >= n - 1 or last <= first:
        return 0.0
    most = running = 0.0
    for b in range(first, last):
        step = 0
        for y in (at - 1, at, at + 1):
            step = max(step, across[y, b + 1] - across[y, b])
        here = across[at, b + 1] - across[at, b]
        running += 0.5 * (here + step) if step else -1.5
        running = max(running, 0.0)
        most = max(most, running)
    return most / (last - first)


@kernel
def _seams(across: I64, low: int, high: int, first: int, last: int, whole: bool, out: I64) -> int:
    """Write where the strongest seams between ``low`` and ``high`` are, and return how many.

    ``whole`` asks for seams from ``first`` to ``last``; else they may be shorter.
    """
    n = high - low + 1
    strength = np.zeros(n, np.float64)
    for i in range(1, n - 1):
        if whole:
            strength[i] = _share(across, low + i, first, last)
        else:
            strength[i] = _longest(across, low + i, first, last)
    found = 0
    least = 0.4 if whole else 0.14
    while found < out.size:
        best, at = least, -1
        for i in range(n):
            if strength[i] > best:
                best, at = strength[i], i
        if at < 0:
            break
        out[found] = low + at
        found += 1
        for i in range(max(0, at - SPACING + 1), min(n, at + SPACING)):
            strength[i] = 0.0
    return found


@kernel
def _inner(across: I64, low: int, high: int, first: int, last: int) -> float:
    """Return the strongest seam well inside."""
    margin = SPACING + (high - low) // 20
    most = 0.0
    for at in range(low + margin, high - margin):
        most = max(most, _share(across, at, first, last))
    return most


@kernel
def _gutter(lines: Any) -> int:
    """Return how many lines of one colour there are before a picture; 0 if there is no end."""
    colour = _usual(lines[0])
    most = min(WIDEST_GUTTER, lines.shape[0] // 8)
    for y in range(most + 1):
        if _plain_share(lines[y], colour) < 0.97:
            return y
    return 0


@kernel
def without_gutters(base: F32, panels: F64) -> None:
    """Move the sides of panels past the plain gutters between them."""
    for i in range(panels.shape[0]):
        top, bottom = int(panels[i, 0]), int(panels[i, 1])
        left, right = int(panels[i, 2]), int(panels[i, 3])
        inner = base[top:bottom, left:right]
        panels[i, 0] += _gutter(inner)
        panels[i, 1] -= _gutter(inner[::-1])
        panels[i, 2] += _gutter(inner.T)
        panels[i, 3] -= _gutter(inner.T[::-1])


@kernel
def find_panels(rows: I64, columns: I64, out: F64) -> int:
    """Write the likeliest panels, best first, and return how many.

    Parameters
    ----------
    rows, columns : ndarray of int64
        What `steps` wrote of the base and of its transpose.
    out : ndarray of float64, shape (n, 5)
        Top, bottom, left and right in samples, and a score.
    """
    h, w = rows.shape[0] - 1, columns.shape[0] - 1
    row_blocks, column_blocks = rows.shape[1] - 1, columns.shape[1] - 1
    ys, xs = np.empty(MOST_SEAMS + 2, np.int64), np.empty(MOST_SEAMS + 2, np.int64)
    n_y = _seams(rows, 0, h, 0, row_blocks, False, ys[:MOST_SEAMS])
    ys[n_y], ys[n_y + 1] = 0, h
    found = 0
    for a in range(n_y + 2):
        for b in range(n_y + 2):
            top, bottom = ys[a], ys[b]
            if bottom - top < SMALLEST_SIDE * h:
                continue
            first, last = _blocks(top, bottom, h, column_blocks)
            n_x = _seams(columns, 0, w, first, last, True, xs[:MOST_SEAMS])
            xs[n_x], xs[n_x + 1] = 0, w
            for c in range(n_x + 2):
                for d in range(n_x + 2):
                    left, right = xs[c], xs[d]
                    if right - left < SMALLEST_SIDE * w:
                        continue
                    if right - left == w and bottom - top == h:
                        continue
                    score = _score(rows, columns, top, bottom, left, right)
                    if score > 0.0:
                        found = _insert(out, found, top, bottom, left, right, score)
    return found


@kernel
def _blocks(low: int, high: int, n: int, blocks: int) -> tuple[int, int]:
    """Return the blocks that lie wholly between two samples."""
    return (low * blocks + n - 1) // n, high * blocks // n


@kernel
def _score(rows: I64, columns: I64, top: int, bottom: int, left: int, right: int) -> float:
    """Return how much the weakest of a panel's seams is stronger than those inside of it."""
    h, w = rows.shape[0] - 1, columns.shape[0] - 1
    first_x, last_x = _blocks(left, right, w, rows.shape[1] - 1)
    first_y, last_y = _blocks(top, bottom, h, columns.shape[1] - 1)
    weakest = 1.0
    if top > 0:
        weakest = min(weakest, _share(rows, top, first_x, last_x))
    if bottom < h:
        weakest = min(weakest, _share(rows, bottom, first_x, last_x))
    if left > 0:
        weakest = min(weakest, _share(columns, left, first_y, last_y))
    if right < w:
        weakest = min(weakest, _share(columns, right, first_y, last_y))
    if weakest < WEAKEST:
        return -1.0
    inner = max(
        _inner(rows, top, bottom, first_x, last_x), _inner(columns, left, right, first_y, last_y)
    )
    return weakest - 0.5 * inner


@kernel
def _insert(
    out: F64, found: int, top: int, bottom: int, left: int, right: int, score: float
) -> Any:
    """Keep the list sorted by score, and of panels that nearly coincide only the better."""
    for i in range(found):
        near = (
            abs(out[i, 0] - top)
            + abs(out[i, 1] - bottom)
            + abs(out[i, 2] - left)
            + abs(out[i, 3] - right)
        )
        if near <= 2 * SPACING:
            if out[i, 4] >= score:
                return found
            for k in range(i, found - 1):
                out[k] = out[k + 1]
            found -= 1
            break
    at = found
    while at > 0 and out[at - 1, 4] < score:
        at -= 1
    if at >= out.shape[0]:
        return found
    last = min(found, out.shape[0] - 1)
    for k in range(last, at, -1):
        out[k] = out[k - 1]
    out[at, 0], out[at, 1], out[at, 2], out[at, 3] = top, bottom, left, right
    out[at, 4] = score
    return min(found + 1, out.shape[0])


@kernel
def _plain_share(line: Any, colour: float) -> Any:
    n = 0
    for x in range(line.size):
        if abs(line[x] - colour) <= COLOUR_TOLERANCE:
            n += 1
    return n / line.size


@kernel
def _plain_lines(lines: Any, share: float) -> Any:
    """Return how many lines belong to bars: rows of one colour but for writing and signs.

    The colour is that of the outermost line; it may change where a whole line has
    another. A bar ends with its last line of which ``share`` has its colour, and is
    followed by lines that have not.
    """
    n = lines.shape[0]
    gap = max(2, n // 12)
    colour = _usual(lines[0])
    if _plain_share(lines[0], colour) < max(share, 0.6):
        return 0
    width, since = 1, 0
    for y in range(1, n):
        if _plain_share(lines[y], colour) >= share:
            width, since = y + 1, 0
            continue
        other = _usual(lines[y])
        if _plain_share(lines[y], other) >= 0.97:
            colour, width, since = other, y + 1, 0
            continue
        since += 1
        if since > gap:
            break
    return width


@kernel
def _usual(line: Any) -> Any:
    """Return the middle of the fullest of 32 bins of eight levels; the base is centred on 0."""
    counts = np.zeros(66, np.int64)
    for x in range(line.size):
        counts[min(65, max(0, int((line[x] + 264.0) / 8.0)))] += 1
    best = 0
    for i in range(66):
        if counts[i] > counts[best]:
            best = i
    total, n = 0.0, 0
    for x in range(line.size):
        if min(65, max(0, int((line[x] + 264.0) / 8.0))) == best:
            total += line[x]
            n += 1
    return total / n


@kernel
def inside_bars(base: F32, share: float) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of what bars on any side enclose.

    A line belongs to a bar if ``share`` of it has the bar's colour: nearly 1 for plain
    bars, less for captions, and for what telephones draw around a picture. All are 0 if
    nothing is left.
    """
    h, w = base.shape
    top = _plain_lines(base, share)
    if top == h:
        return 0, 0, 0, 0
    bottom = h - _plain_lines(base[top:][::-1], share)
    middle = base[top:bottom].T
    if middle.shape[1] == 0:
        return 0, 0, 0, 0
    left = _plain_lines(middle, share)
    if left == w:
        return 0, 0, 0, 0
    right = w - _plain_lines(middle[left:][::-1], share)
    return top, bottom, left, right
