"""Videos out of nothing: shots of textured places with things that move, by seed.

They stand in for filmed videos where none may be stored. Natural pictures have
about as much contrast at every scale (a power spectrum of 1/f², Field 1987; a little
steeper here), and on that lie sharp-edged things. Two seeds have nothing in common.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.evaluate.video_clips import Clip, write_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fingerprint.typing import F32, U8

__all__ = ["generate_video", "moving_frames", "moving_scene"]

SHOT_S = (1.5, 4.5)
"""How long a shot lasts, uniformly."""

NOISE_LEVELS = 1.5
"""Camera noise: standard deviation in grey levels."""

_MARGIN = 1.6
"""How much larger a place is than what the camera sees."""


@dataclass(frozen=True, slots=True)
class _Thing:
    pixels: U8
    mask: F32
    start: tuple[float, float]
    velocity: tuple[float, float]
    sway: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Shot:
    place: U8
    things: tuple[_Thing, ...]
    pan: tuple[tuple[float, float], tuple[float, float]]
    zoom: tuple[float, float]
    count: int


def generate_video(
    path: str | os.PathLike[str],
    seed: int,
    duration_s: float = 12.0,
    size: tuple[int, int] = (480, 270),
    frame_rate: Fraction | int = 30,
    *,
    shot_s: tuple[float, float] = SHOT_S,
    crf: float = 20,
) -> None:
    """Write a generated video (H.264); the same bytes for the same arguments.

    Parameters
    ----------
    path : str or path
        Where to; the suffix says which container.
    seed : int
        Which video.
    duration_s : float
        Length, rounded to frames.
    size : (int, int)
        Width and height in pixels, both even.
    frame_rate : Fraction or int
        Frames a second.
    shot_s : (float, float)
        Shortest and longest shot.
    crf : float
        x264's constant rate factor.
    """
    clip = moving_scene(seed, duration_s, size, frame_rate, shot_s=shot_s, crf=crf)
    write_clip(path, clip)


def moving_frames(
    seed: int,
    duration_s: float = 12.0,
    size: tuple[int, int] = (480, 270),
    frame_rate: Fraction | int = 30,
    *,
    shot_s: tuple[float, float] = SHOT_S,
) -> Iterator[U8]:
    """Yield the frames of a generated video as (height, width, 3) uint8 RGB arrays."""
    clip = moving_scene(seed, duration_s, size, frame_rate, shot_s=shot_s)
    return clip.frames(0, clip.count)


def moving_scene(
    seed: int,
    duration_s: float = 12.0,
    size: tuple[int, int] = (480, 270),
    frame_rate: Fraction | int = 30,
    *,
    shot_s: tuple[float, float] = SHOT_S,
    crf: float = 20,
) -> Clip:
    """Return a generated video as a clip; see `generate_video`."""
    width_px, height_px = size
    if width_px < 2 or height_px < 2 or width_px % 2 or height_px % 2:
        raise ValueError(f"size: expected two even numbers of at least 2, got {size}")
    if duration_s <= 0:
        raise ValueError(f"duration_s: expected more than 0, got {duration_s}")
    rate = Fraction(frame_rate)
    count = max(1, round(duration_s * rate))
    chance = np.random.default_rng(np.random.SeedSequence([seed, 0x5CE2E]))
    starts = [0]
    while starts[-1] < count:
        starts.append(starts[-1] + max(1, round(chance.uniform(*shot_s) * rate)))

    def frames(start: int, stop: int) -> Iterator[U8]:
        for number, (first, after) in enumerate(pairwise(starts)):
            begin, end = max(start, first), min(stop, after, count)
            if begin < end:
                shot = _shot(seed, number, size, after - first)
                for at in range(begin, end):
                    yield _frame(shot, at - first, size, seed=seed, number=at)

    return Clip(width_px, height_px, rate, count, frames, crf=crf)


def _shot(seed: int, number: int, size: tuple[int, int], count: int) -> _Shot:
    chance = np.random.default_rng([seed, number])
    width, height = (round(side * _MARGIN) for side in size)
    place = _texture(chance, height, width)
    for _ in range(chance.integers(4, 9)):
        _stand(chance, place)
    things = tuple(_thing(chance, size) for _ in range(chance.integers(1, 4)))
    (x0, x1), (y0, y1) = chance.uniform(0.25, 0.75, (2, 2))
    zoom = chance.uniform(0.75, 1.25, 2)
    return _Shot(place, things, ((x0, y0), (x1, y1)), (zoom[0], zoom[1]), count)


def _texture(chance: np.random.Generator, height: int, width: int) -> U8:
    """Return 1/f noise in two colours that shade into each other."""
    import scipy.fft

    white = chance.standard_normal((2, height, width), np.float32)
    y, x = scipy.fft.fftfreq(height)[:, None], scipy.fft.rfftfreq(width)[None]
    steepness = chance.uniform(1.2, 1.6)
    falloff = np.hypot(y, x)
    falloff[0, 0] = 1
    spectrum = scipy.fft.rfft2(white) / falloff.astype(np.float32) ** steepness
    spectrum[:, 0, 0] = 0
    smooth = scipy.fft.irfft2(spectrum, (height, width)).astype(np.float32)
    light, hue = smooth / smooth.std(axis=(1, 2), keepdims=True)
    one, other = chance.uniform(0.65, 1.35, (2, 3)).astype(np.float32)
    share = 1 / (1 + np.exp(-2 * hue))[..., None]
    colour = one * share + other * (1 - share)
    levels = (chance.uniform(90, 150) + chance.uniform(35, 55) * light)[..., None] * colour
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def _stand(chance: np.random.Generator, place: U8) -> None:
    """Paint a box, a disc or a leaning board, shaded, into the place."""
    import cv2

    height, width = place.shape[:2]
    centre = chance.uniform(0, 1, 2) * (width, height)
    side = chance.uniform(0.06, 0.3, 2) * min(width, height)
    corners = cv2.boxPoints((centre.tolist(), side.tolist(), float(chance.uniform(-45, 45))))
    colour = chance.integers(0, 256, 3).tolist()
    mask = np.zeros((height, width), np.uint8)
    if chance.random() < 0.35:
        middle = (round(centre[0]), round(centre[1]))
        cv2.circle(mask, middle, max(1, round(side[0] / 2)), 255, -1, cv2.LINE_AA)
    else:
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 255, cv2.LINE_AA)
    share = (mask / np.float32(255 / 0.85))[..., None]
    place[...] = place * (1 - share) + np.array(colour, np.float32) * share


def _thing(chance: np.random.Generator, size: tuple[int, int]) -> _Thing:
    side = max(4, round(min(size) * chance.uniform(0.15, 0.4)))
    pixels = _texture(chance, side, side)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    power = chance.uniform(1.5, 5)
    inside = 1 - (np.abs(x) ** power + np.abs(y) ** power)
    mask = np.clip(inside * side / 4, 0, 1).astype(np.float32)[..., None]
    start, velocity = chance.uniform(0, 1, 2), chance.uniform(-0.35, 0.35, 2)
    sway = chance.uniform(0, 0.08), chance.uniform(1, 4)
    return _Thing(pixels, mask, (start[0], start[1]), (velocity[0], velocity[1]), sway)


def _frame(shot: _Shot, at: int, size: tuple[int, int], *, seed: int, number: int) -> U8:
    """Return what the camera sees: part of the place, what moves before it, and noise."""
    import cv2

    width, height = size
    t = at / max(1, shot.count - 1)
    zoom = 1 / (shot.zoom[0] + (shot.zoom[1] - shot.zoom[0]) * t)
    (x0, y0), (x1, y1) = shot.pan
    room_x, room_y = shot.place.shape[1] - width / zoom, shot.place.shape[0] - height / zoom
    left, top = (x0 + (x1 - x0) * t) * room_x, (y0 + (y1 - y0) * t) * room_y
    view = np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]], np.float32)
    frame = np.asarray(
        cv2.warpAffine(shot.place, view, size, borderMode=cv2.BORDER_REFLECT), np.uint8
    )
    for thing in shot.things:
        _put(frame, thing, t)
    # A new noise for every frame costs more than all the rest: one field, rolled.
    noise = _noise(height, width)
    shift = (number * 7919 + seed * 104729) % (height * width)
    noisy = frame.astype(np.int16) + np.roll(noise, shift)[..., None]
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


@lru_cache(maxsize=4)
def _noise(height: int, width: int) -> NDArray[np.int16]:
    chance = np.random.default_rng(0)
    return np.rint(chance.normal(0, NOISE_LEVELS, (height, width))).astype(np.int16)


def _put(frame: U8, thing: _Thing, t: float) -> None:
    height, width = frame.shape[:2]
    side = thing.mask.shape[0]
    reach, turns = thing.sway
    x = (thing.start[0] + thing.velocity[0] * t) * width - side / 2
    y = thing.start[1] + thing.velocity[1] * t + reach * np.sin(2 * np.pi * turns * t)
    left, top = round(x), round(float(y) * height - side / 2)
    across = slice(max(left, 0), min(left + side, width))
    down = slice(max(top, 0), min(top + side, height))
    if across.start >= across.stop or down.start >= down.stop:
        return
    cut = slice(down.start - top, down.stop - top), slice(across.start - left, across.stop - left)
    mask = thing.mask[cut]
    frame[down, across] = frame[down, across] * (1 - mask) + thing.pixels[cut] * mask
