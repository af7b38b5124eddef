"""Pictures out of nothing that perceptual hashes take for photographs, by seed.

They stand in for photographs where none may be stored. What matters to a hash is there:
about as much contrast at every scale (a power spectrum of 1/f², Field 1987), things
that hide each other, light that falls off, horizons, plain grounds with one thing in
the middle. Two seeds have nothing in common; a seed shows the same scene at every size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fingerprint.typing import F32, F64, U8

__all__ = ["photo", "photos"]

GRAIN_LEVELS = 1.5
"""Camera noise: standard deviation in grey levels."""

SIZES_PX = (
    *((480, 640), (640, 480), (427, 640), (640, 427), (512, 512), (360, 640), (640, 512)),
    *((768, 1024), (300, 400), (400, 300)),
)
"""Heights and widths of `photos`."""

_OCTAVES = 8
_SHADOW = np.array([0.12, 0.16])
"""Where the shadow falls, in radii of the thing."""


def photo(seed: int, height_px: int = 480, width_px: int = 640) -> U8:
    """Return a generated picture; the same for the same arguments.

    Parameters
    ----------
    seed : int
        Which scene.
    height_px, width_px : int
        Its size.

    Returns
    -------
    ndarray of uint8, shape (height_px, width_px, 3), RGB
    """
    if height_px < 1 or width_px < 1:
        raise ValueError(f"expected sides of at least 1 pixel, got {height_px} and {width_px}")
    chance = np.random.default_rng([seed, 0x9407])
    kind = int(chance.choice(len(_SCENES), p=_SHARES))
    # Thin things are clearer when they are drawn larger.
    factor = 2 if max(height_px, width_px) < 200 else 1
    scene = _SCENES[kind](chance, factor * height_px, factor * width_px)
    if factor > 1:
        import cv2

        size = (width_px, height_px)
        scene = np.asarray(cv2.resize(scene, size, interpolation=cv2.INTER_AREA), np.float32)
    return _developed(scene, chance)


def photos(n: int, seed: int = 0) -> Iterator[U8]:
    """Yield generated pictures of various sizes.

    Parameters
    ----------
    n : int
        How many.
    seed : int
        Which; two seeds share no picture.
    """
    for number in range(n):
        chance = np.random.default_rng([seed, number, 0x512E])
        height, width = SIZES_PX[int(chance.integers(len(SIZES_PX)))]
        yield photo(int(chance.integers(1 << 48)), height, width)


def _developed(scene: F32, chance: np.random.Generator) -> U8:
    """Apply the light, the exposure and the grain of a camera."""
    h, w = scene.shape[:2]
    angle, fall = chance.uniform(0, 2 * math.pi), chance.uniform(0, 0.35)
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in (h, w))
    light = 1 + np.float32(fall) * (math.sin(angle) * y[:, None] + math.cos(angle) * x[None])
    exposed = scene * light[..., None].astype(np.float32)
    middle = float(np.median(exposed[::4, ::4]))
    exposed *= np.float32(chance.uniform(0.36, 0.56) / max(middle, 0.15))
    # A soft shoulder instead of clipped highlights.
    bright = exposed > 0.8
    exposed[bright] = 0.8 + 0.2 * np.tanh((exposed[bright] - 0.8) / 0.2)
    grain = chance.standard_normal(scene.shape, np.float32) * np.float32(GRAIN_LEVELS)
    return np.asarray(np.clip(255 * exposed + grain, 0, 255), np.uint8)


def _field(
    chance: np.random.Generator,
    h: int,
    w: int,
    roughness: float = 1.0,
    squeeze: float = 1.0,
    octaves: int = _OCTAVES,
) -> F32:
    """Return 1/f noise of mean 0 and deviation 1 from random grids, each twice as fine.

    ``roughness`` is the contrast of each grid against the one before; ``squeeze`` makes
    it finer from top to bottom than from left to right.
    """
    import cv2

    total = np.zeros((1, 1), np.float32)
    seeds = chance.integers(1 << 62, size=_OCTAVES)
    for octave in range(octaves):
        cells = 2 ** (octave + 1)
        if cells * squeeze > max(h, w):
            break
        # Coarse waves need few pixels; in fine ones nobody sees how they are interpolated.
        fine = cells >= 64
        factor = min(1.0, 4 * squeeze * cells / max(h, w))
        size = max(1, round(w * factor)), max(1, round(h * factor))
        total = np.asarray(cv2.resize(total, size, interpolation=cv2.INTER_CUBIC), np.float32)
        own = np.random.default_rng(int(seeds[octave]))
        turn = own.uniform(0, math.pi)  # No grid lies along the picture's sides.
        grid = own.standard_normal((cells + 4, cells + 4), np.float32)
        sine, cosine, pitch = math.sin(turn), math.cos(turn), cells / max(size)
        matrix = pitch * np.array([(cosine, -squeeze * sine, 0), (sine, squeeze * cosine, 0)])
        matrix[:, 2] = own.uniform(0, cells, 2)
        how = (cv2.INTER_LINEAR if fine else cv2.INTER_CUBIC) | cv2.WARP_INVERSE_MAP
        wave = cv2.warpAffine(grid, matrix, size, flags=how, borderMode=cv2.BORDER_WRAP)
        total += np.float32(roughness**octave) * np.asarray(wave, np.float32)
    total = np.asarray(cv2.resize(total, (w, h), interpolation=cv2.INTER_CUBIC), np.float32)
    total -= total.mean()
    return total / max(float(total.std()), 1e-6)


def _colour(chance: np.random.Generator, low: float = 0.08, high: float = 0.95) -> F32:
    """Return a colour; few in the world are strong."""
    grey = chance.uniform(low, high)
    hue = chance.uniform(0, 2 * math.pi)
    strength = chance.beta(1.5, 4) * 0.6
    wheel = np.cos(hue + np.arange(3) * 2 * math.pi / 3)
    return np.clip(grey * (1 + strength * wheel), 0, 1).astype(np.float32)


def _textured(
    chance: np.random.Generator,
    h: int,
    w: int,
    contrast: float,
    roughness: float = 1.0,
    squeeze: float = 1.0,
) -> F32:
    """Return a ground of two colours that shade into each other."""
    light = _field(chance, h, w, roughness, squeeze)
    share = _field(chance, h, w, 0.6, octaves=5)
    one, other = _colour(chance, 0.2, 0.8), _colour(chance, 0.2, 0.8)
    mix = (1 / (1 + np.exp(-2 * share)))[..., None]
    ground = one * mix + other * (1 - mix)
    return np.asarray(ground * np.clip(1 + contrast * light, 0.05, 3)[..., None], np.float32)


def _outline(chance: np.random.Generator) -> F64:
    """Return the outline of a thing around 0, about 1 in radius: (n, 2)."""
    kind = chance.random()
    if kind < 0.35:
        x, y = 1.0, chance.uniform(0.3, 1)
        points = np.array([(-x, -y), (x, -y), (x, y), (-x, y)])
        if chance.random() < 0.4:
            points *= 1 + chance.uniform(-0.35, 0.35, (4, 1))
    else:
        t = np.linspace(0, 2 * math.pi, 72, endpoint=False)
        radius = np.ones_like(t)
        for k in range(2, 7):
            radius += chance.normal(0, 0.35 / k) * np.cos(k * t + chance.uniform(0, 7))
        stretch = chance.uniform(0.45, 1)
        points = np.stack([radius * np.cos(t), stretch * radius * np.sin(t)], axis=1)
    turn = chance.normal(0, 0.4)
    sine, cosine = math.sin(turn), math.cos(turn)
    return np.asarray(points @ np.array([(cosine, sine), (-sine, cosine)]), np.float64)


def _put(
    scene: F32,
    outline: F64,
    place: tuple[float, float],
    radius: float,
    chance: np.random.Generator,
    shadow: float = 0.0,
) -> None:
    """Paint a thing, shaded and textured, at (x, y) in shares of the sides.

    The radius is a share of the longer side.
    """
    h, w = scene.shape[:2]
    size = radius * max(h, w)
    points = outline * size + (place[0] * w, place[1] * h)
    colour, contrast = _colour(chance), float(chance.uniform(0, 0.3))
    shine, roughness = float(chance.uniform(0.1, 0.5)), float(chance.uniform(0.6, 1))
    own = np.random.default_rng(int(chance.integers(1 << 62)))
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 2, (w, h))
    if (high <= low).any():
        return
    if shadow:
        _shade(scene, points + size * _SHADOW, shadow, 0.1 * size)
    (x0, y0), (x1, y1) = low.tolist(), high.tolist()
    mask = _mask(points - (x0, y0), y1 - y0, x1 - x0)[..., None]
    y = (np.arange(y0, y1, dtype=np.float32)[:, None] - place[1] * h) / size
    x = (np.arange(x0, x1, dtype=np.float32)[None] - place[0] * w) / size
    angle = own.uniform(0, 2 * math.pi)
    light = 1 + shine * (math.cos(angle) * x + math.sin(angle) * y) - 0.25 * shine * (x**2 + y**2)
    if contrast > 0.05:
        light = light * (1 + contrast * _field(own, y1 - y0, x1 - x0, roughness))
    part = scene[y0:y1, x0:x1]
    part += mask * (colour * np.clip(light, 0.1, 2)[..., None].astype(np.float32) - part)


def _mask(points: F64, h: int, w: int) -> F32:
    """Return what a polygon covers, 0 to 1."""
    import cv2

    mask: U8 = np.zeros((h, w), np.uint8)
    # 4 bits of the places are fractions of a pixel.
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(mask / np.float32(255), np.float32)


def _shade(scene: F32, points: F64, darkness: float, softness_px: float) -> None:
    import cv2

    margin = 3 * softness_px + 1
    low = np.maximum(np.floor(points.min(axis=0) - margin).astype(int), 0)
    high = np.minimum(np.ceil(points.max(axis=0) + margin).astype(int), scene.shape[1::-1])
    if (high <= low).any():
        return
    (x0, y0), (x1, y1) = low.tolist(), high.tolist()
    mask = _mask(points - (x0, y0), y1 - y0, x1 - x0)
    soft = cv2.GaussianBlur(mask, (0, 0), max(softness_px, 0.5))
    scene[y0:y1, x0:x1] *= 1 - np.float32(darkness) * np.asarray(soft, np.float32)[..., None]


def _place(chance: np.random.Generator) -> tuple[float, float]:
    x, y = chance.uniform(-0.05, 1.05, 2).tolist()
    return x, y


def _landscape(chance: np.random.Generator, h: int, w: int) -> F32:
    """A sky, hills, a ground that lies flat, and things that stand on it."""
    horizon = chance.uniform(0.25, 0.7)
    scene = _sky(chance, h, w)
    for depth in range(int(chance.integers(0, 3))):
        _hills(scene, chance, horizon - 0.12 + 0.06 * depth)
    ground = _textured(chance, h, w, chance.uniform(0.1, 0.3), roughness=0.95, squeeze=3)
    rows = np.arange(h)[:, None] / h - horizon
    slope = chance.normal(0, 0.02) * (np.arange(w)[None] / w - 0.5)
    below = np.clip((rows - slope) * h, 0, 1).astype(np.float32)[..., None]
    scene += below * (ground - scene)
    for at in np.sort(chance.uniform(0, 1, int(chance.integers(3, 12)))):
        radius = 0.03 + 0.16 * at * chance.uniform(0.4, 1.3)
        y = horizon + (1 - horizon) * at * 0.8 - radius * chance.uniform(0.3, 0.9)
        _put(scene, _outline(chance), (chance.uniform(0, 1), y), radius, chance, 0.25)
    return scene


def _sky(chance: np.random.Generator, h: int, w: int) -> F32:
    top, bottom = _colour(chance, 0.45, 0.9), _colour(chance, 0.7, 1)
    down = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    sky = np.broadcast_to(top * (1 - down) + bottom * down, (h, w, 3)).copy()
    clouds = _field(chance, h, w, 0.75, 1.8)
    if chance.random() < 0.6:
        cover = np.clip(chance.uniform(0.1, 0.5) * clouds + chance.uniform(-0.1, 0.3), 0, 1)
        sky += cover[..., None] * (np.float32(chance.uniform(0.85, 1)) - sky)
    return sky


def _hills(scene: F32, chance: np.random.Generator, height: float) -> None:
    h, w = scene.shape[:2]
    x = np.linspace(0, 1, 160)
    line = np.full_like(x, height)
    for k in range(1, 9):
        line += chance.normal(0, 0.06 / k) * np.cos(2 * math.pi * (k * 0.7 * x + chance.random()))
    points = np.stack([x * w, line * h], axis=1)
    whole = np.concatenate([points, [(w + 2, h + 2), (-2, h + 2)]])
    mask = _mask(whole, h, w)[..., None]
    scene += mask * (_textured(chance, h, w, 0.15) - scene)


def _studio(chance: np.random.Generator, h: int, w: int) -> F32:
    """A plain ground and one thing of a few parts in the middle."""
    ground = _colour(chance, 0.55, 0.98)
    down = np.linspace(-1, 1, h, dtype=np.float32)[:, None, None]
    scene = np.broadcast_to(ground * (1 + chance.uniform(-0.15, 0.15) * down), (h, w, 3)).copy()
    if chance.random() < 0.4:
        scene *= 1 + np.float32(0.05) * _field(chance, h, w, 0.9)[..., None]
    x, y = chance.normal(0.5, 0.03, 2)
    radius = chance.uniform(0.2, 0.34) * min(h, w) / max(h, w) * 1.2
    _put(scene, _outline(chance), (x, y), radius, chance, 0.45)
    for _ in range(int(chance.integers(2, 7))):
        near = chance.normal(0, 0.5 * radius, 2) * (max(h, w) / w, max(h, w) / h) + (x, y)
        part = radius * chance.uniform(0.15, 0.6)
        _put(scene, _outline(chance), (near[0], near[1]), part, chance)
    return scene


def _clutter(chance: np.random.Generator, h: int, w: int) -> F32:
    """Many things of all sizes that hide each other."""
    scene = _textured(chance, h, w, chance.uniform(0.1, 0.35))
    n = int(chance.integers(15, 45))
    # Sizes fall as 1/r³, which gives photographs' statistics (Lee, Mumford, Huang 2001).
    radii = 0.05 / np.sqrt(chance.uniform(0.03, 1, n))
    for radius in radii:
        _put(scene, _outline(chance), _place(chance), float(radius), chance, 0.2)
    return scene


def _close_up(chance: np.random.Generator, h: int, w: int) -> F32:
    """A surface that fills the picture, and a few large things before it."""
    scene = _textured(chance, h, w, chance.uniform(0.2, 0.45), roughness=chance.uniform(0.8, 1))
    for _ in range(int(chance.integers(1, 6))):
        radius = chance.uniform(0.1, 0.4)
        _put(scene, _outline(chance), _place(chance), radius, chance, 0.3)
    return scene


_SCENES: tuple[Callable[[np.random.Generator, int, int], F32], ...] = (
    _landscape,
    _studio,
    _clutter,
    _close_up,
)
_SHARES = (0.3, 0.2, 0.3, 0.2)
