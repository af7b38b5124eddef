"""Hypothesis strategies: pictures that algorithms trip over, photographs, edits, and hashes.

Needs the extra ``testing``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.algorithms import get_algorithm
from fingerprint.errors import MissingExtraError
from fingerprint.evaluate import Edit, photo, transform_names, transforms
from fingerprint.hashes import Hash

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingExtraError("hypothesis", "testing") from error

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["edits", "hashes", "images", "photo_like", "photographs"]


def photo_like(generator: np.random.Generator, shape: tuple[int, ...]) -> U8:
    """Make noise whose spectrum falls as that of photographs does.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the randomness comes from.
    shape : tuple of int
        (h, w) or (h, w, channels).

    Returns
    -------
    ndarray of uint8, of that shape
    """
    h, w = shape[:2]
    frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None, :])
    frequency[0, 0] = 1.0
    noise = generator.standard_normal(shape)
    spectrum = np.fft.rfft2(noise, axes=(0, 1))
    spectrum /= frequency.reshape(frequency.shape + (1,) * (len(shape) - 2))
    smooth = np.fft.irfft2(spectrum, s=(h, w), axes=(0, 1))
    low, high = smooth.min(), smooth.max()
    span = high - low if high > low else 1.0
    return np.asarray((smooth - low) * (255.0 / span)).astype(np.uint8)


def _constant(generator: np.random.Generator, shape: tuple[int, ...]) -> U8:
    colour = generator.integers(0, 256, shape[2:], dtype=np.uint8)
    return np.broadcast_to(colour, shape).copy()


def _noise(generator: np.random.Generator, shape: tuple[int, ...]) -> U8:
    return generator.integers(0, 256, shape, dtype=np.uint8)


def _gradient(generator: np.random.Generator, shape: tuple[int, ...]) -> U8:
    slope = generator.integers(-255, 256, (2, *shape[2:])) / 255.0
    down = np.linspace(0, 255, shape[0]).reshape(-1, *(1,) * (len(shape) - 1))
    right = np.linspace(0, 255, shape[1]).reshape(-1, *(1,) * (len(shape) - 2))
    return np.asarray(np.abs(down * slope[0] + right * slope[1]) % 256).astype(np.uint8)


def _single_pixel(generator: np.random.Generator, shape: tuple[int, ...]) -> U8:
    picture = _constant(generator, shape)
    y, x = generator.integers(shape[0]), generator.integers(shape[1])
    picture[y, x] = generator.integers(0, 256, shape[2:], dtype=np.uint8)
    return picture


def _two_tone(generator: np.random.Generator, mask: U8, shape: tuple[int, ...]) -> U8:
    a, b = _constant(generator, shape), _constant(generator, shape)
    chosen = mask.astype(bool).reshape(mask.shape + (1,) * (len(shape) - 2))
    return np.where(chosen, a, b)


def _stripes(generator: np.random.Generator, shape: tuple[int, ...]) -> U8:
    position = np.indices(shape[:2])[generator.integers(2)]
    band = (position // generator.integers(1, 9)) % 2
    return _two_tone(generator, band.astype(np.uint8), shape)


def _checkerboard(generator: np.random.Generator, shape: tuple[int, ...]) -> U8:
    y, x = np.indices(shape[:2]) // generator.integers(1, 9)
    return _two_tone(generator, ((y + x) % 2).astype(np.uint8), shape)


def _halves(generator: np.random.Generator, shape: tuple[int, ...]) -> U8:
    axis = int(generator.integers(2))
    half = np.indices(shape[:2])[axis] < generator.integers(1, shape[axis] + 1)
    return _two_tone(generator, half.astype(np.uint8), shape)


_KINDS: tuple[Callable[[np.random.Generator, tuple[int, ...]], U8], ...] = (
    photo_like,  # First: the kind that Hypothesis shrinks towards.
    _constant,
    _noise,
    _gradient,
    _single_pixel,
    _stripes,
    _checkerboard,
    _halves,
)


@st.composite
def _images(draw: st.DrawFn, min_side: int, max_side: int, channels: tuple[int, ...]) -> U8:
    side = st.integers(min_side, max_side)
    if draw(st.integers(0, 7)) == 7:
        # Long and thin, where windows and weights are at their oddest.
        sides = [min_side, max_side]
        height, width = sides if draw(st.booleans()) else sides[::-1]
    else:
        height, width = draw(side), draw(side)
    colours = draw(st.sampled_from(channels))
    shape = (height, width) if colours == 1 else (height, width, colours)
    make = draw(st.sampled_from(_KINDS))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.ascontiguousarray(make(np.random.default_rng(seed), shape))


def images(
    min_side: int = 5, max_side: int = 96, channels: tuple[int, ...] = (1, 3)
) -> st.SearchStrategy[U8]:
    """Pictures: like photographs, and like nothing that anybody photographs.

    Parameters
    ----------
    min_side, max_side : int
        Shortest and longest side in pixels.
    channels : tuple of int
        1 gives (h, w) grey, 3 gives (h, w, 3) RGB, 4 gives (h, w, 4) RGBA.

    Returns
    -------
    SearchStrategy
        Of C-contiguous uint8 arrays: 1/f noise, one colour, white noise,
        gradients, a single pixel, stripes, checkerboards, halves; some of
        extreme aspect ratio.
    """
    if not 1 <= min_side <= max_side:
        raise ValueError(f"expected 1 <= min_side <= max_side, got {min_side} and {max_side}")
    if not channels or not set(channels) <= {1, 3, 4}:
        raise ValueError(f"channels: expected some of 1, 3 and 4, got {channels}")
    return _images(min_side, max_side, channels)


def photographs(min_side_px: int = 64, max_side_px: int = 320) -> st.SearchStrategy[U8]:
    """Generated pictures that hashes take for photographs; see `fingerprint.evaluate.photo`.

    Parameters
    ----------
    min_side_px, max_side_px : int
        Shortest and longest side.

    Returns
    -------
    SearchStrategy
        Of (h, w, 3) uint8 RGB arrays; shrinks to a small seed and a small picture.
    """
    if not 1 <= min_side_px <= max_side_px:
        raise ValueError(
            f"expected 1 <= min_side_px <= max_side_px, got {min_side_px} and {max_side_px}"
        )
    side = st.integers(min_side_px, max_side_px)
    return st.builds(photo, st.integers(0, (1 << 32) - 1), side, side)


def edits(names: Iterable[str] | None = None, max_steps: int = 2) -> st.SearchStrategy[Edit]:
    """Edits of one step or more, at strengths along their grids, mostly between the points.

    Parameters
    ----------
    names : iterable of str, optional
        Transforms to take; all by default.
    max_steps : int
        Most steps.

    Returns
    -------
    SearchStrategy
        Of `fingerprint.evaluate.Edit`; shrinks to one step of the first name, mild.
    """
    chosen = tuple(transform_names() if names is None else names)
    unknown = [name for name in chosen if name not in transform_names()]
    if unknown or not chosen:
        known = ", ".join(transform_names())
        raise ValueError(f"names: expected some of {known}; got {unknown}")
    if max_steps < 1:
        raise ValueError(f"max_steps: expected at least 1, got {max_steps}")
    step = st.tuples(st.sampled_from(chosen), st.floats(0, 1)).map(_step)
    return st.lists(step, min_size=1, max_size=max_steps).map(lambda some: Edit(tuple(some)))


def _step(drawn: tuple[str, float]) -> tuple[str, float]:
    """Return a transform and the strength that is this share of the way along its grid."""
    name, share = drawn
    grid = transforms(name).strengths
    strength = np.interp(share * (len(grid) - 1), np.arange(len(grid)), grid)
    return name, float(f"{strength:.4g}")


def hashes(algorithm: str = "pdq", bits: int | None = None) -> st.SearchStrategy[Hash]:
    """Hashes of an algorithm, with and without a quality.

    Parameters
    ----------
    algorithm : str
        Name of the algorithm.
    bits : int, optional
        How many bits; the algorithm's own number by default.
    """
    size = get_algorithm(algorithm).bits if bits is None else bits
    spare = -size % 8

    def build(value: int, quality: int | None) -> Hash:
        return Hash(algorithm, (value << spare).to_bytes((size + 7) // 8, "big"), size, quality)

    values = st.integers(0, (1 << size) - 1)
    return st.builds(build, values, st.none() | st.integers(0, 100))
