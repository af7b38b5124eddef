"""Hashes distributed as those of pictures are, as many as are wanted.

The bits of a perceptual hash are not fair coins: neighbouring coefficients go together,
and a PDQ hash, whose bits say which coefficients lie above their median, has exactly
128 ones. So hashes are computed of generated pictures, whose spectra fall as those of
photographs do (1/f to a power that varies, steeper in one direction), and, where
``FINGERPRINT_MEDIA`` names some, of photographs and of six edits of each. Larger sets
are filled up from a Gaussian copula:

* the correlation phi of two bits, measured on those hashes, becomes the correlation
  sin(pi/2 phi) of two normal variables, which have the same phi once they are cut at
  their medians; the nearest matrix that is a correlation is taken;
* a variable's mean is such that its bit is as often 1 as measured;
* where the algorithm's hashes are balanced, a row's upper half is 1 and its lower half
  0, else what is above zero is 1.

What it leaves out are dependences of three and more bits, and near-duplicates, of which
there are only those among the real hashes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from scipy import fft
from scipy.special import ndtri

import fingerprint as fp
from benchmarks.lookup_data import ALGORITHMS, HashSet, as_hashes
from benchmarks.measurement import NotRunError
from benchmarks.pictures import photo_paths
from fingerprint.evaluate.transforms import transforms

if TYPE_CHECKING:
    from fingerprint.typing import F32, F64, U8

__all__ = ["Copula", "generated_pictures", "picture_hashes", "realistic_set"]

SIDE_PX = 128
PHOTO_PX = 512
EDITS = (
    ("jpeg", 30),
    ("scale", 0.5),
    ("brightness", 1.2),
    ("blur", 1),
    ("crop", 0.02),
    ("text", 0.06),
)
BATCH = 64
CONTRAST = 55.0
"""Standard deviation of a generated picture, in grey levels."""

CHUNK_ROWS = 16384
LEAST_EIGENVALUE = 1e-3
BALANCED_FROM = 0.9
"""Share of balanced hashes from which an algorithm's hashes are taken to be so."""


def realistic_set(n: int, n_generated: int, max_photos: int, bits: int = 256) -> HashSet:
    """Make n hashes: those of pictures, at most half, amid others distributed like them."""
    real, _ = picture_hashes(ALGORITHMS[bits], n_generated, max_photos)
    copula = _copula(ALGORITHMS[bits], n_generated, max_photos)
    packed = copula.sample(n, seed=0)
    n_real = min(len(real), n // 2)
    generator = np.random.default_rng(0)
    # Thinned out evenly: photographs and edits stand after the generated ones.
    chosen = np.linspace(0, len(real) - 1, n_real).astype(int)
    packed[generator.choice(n, n_real, replace=False)] = real[chosen]
    return HashSet("realistic", as_hashes(packed), copula.sample)


@lru_cache(maxsize=4)
def picture_hashes(algorithm: str, n_generated: int, max_photos: int) -> tuple[U8, str]:
    """Return the packed hashes of generated pictures and of photographs, and what they are."""
    made = _hashes_of(generated_pictures(n_generated), algorithm)
    about = f"{n_generated:,} generated 1/f pictures"
    try:
        paths = photo_paths(at_most=max_photos)
    except NotRunError as reason:
        return made, f"{about} ({reason})"
    photos = _hashes_of(_photographs_and_edits(paths), algorithm)
    about += f", {len(paths):,} photographs and {len(photos) - len(paths):,} edits of them"
    return np.concatenate((made, photos)), about


@lru_cache(maxsize=4)
def _copula(algorithm: str, n_generated: int, max_photos: int) -> Copula:
    return Copula(picture_hashes(algorithm, n_generated, max_photos)[0])


def _hashes_of(pictures: Iterator[U8], algorithm: str) -> U8:
    batch = fp.hash_images(pictures, algorithm).collect()
    batch.raise_for_failures()
    return fp.HashArray.from_hashes([one.hash for one in batch.hashed]).packed.copy()


def generated_pictures(n: int, seed: int = 0) -> Iterator[U8]:
    """Make small grey pictures with spectra of many slopes and directions."""
    fy = np.fft.fftfreq(SIDE_PX)[:, None]
    fx = np.fft.rfftfreq(SIDE_PX)[None, :]
    for first in range(0, n, BATCH):
        generator = np.random.default_rng((seed, first))
        size = (min(BATCH, n - first), 1, 1)
        slope = generator.uniform(0.6, 1.8, size)
        angle = generator.uniform(0, np.pi, size)
        squeeze = generator.uniform(1, 2, size)
        along = fx * np.cos(angle) + fy * np.sin(angle)
        across = (fy * np.cos(angle) - fx * np.sin(angle)) * squeeze
        fall = np.maximum(np.hypot(along, across), 1 / SIDE_PX) ** slope
        drawn = generator.standard_normal((2, *fall.shape), np.float32)
        planes = fft.irfft2((drawn[0] + 1j * drawn[1]) / fall.astype(np.float32), workers=-1)
        planes -= planes.mean(axis=(1, 2), keepdims=True)
        planes *= CONTRAST / planes.std(axis=(1, 2), keepdims=True)
        yield from np.clip(planes + 128, 0, 255).astype(np.uint8)


def _photographs_and_edits(paths: list[Any]) -> Iterator[U8]:
    for seed, path in enumerate(paths):
        with Image.open(path) as image:
            image.draft("RGB", (PHOTO_PX, PHOTO_PX))
            small = image.convert("RGB")
        small.thumbnail((PHOTO_PX, PHOTO_PX))
        pixels = np.array(small)
        yield pixels
        for name, strength in EDITS:
            yield transforms(name)(pixels, strength, seed)


class Copula:
    """Bits with the frequencies and the pairwise correlations of given hashes."""

    def __init__(self, packed: U8) -> None:
        bits = np.unpackbits(packed, axis=1)
        self.n_bits = bits.shape[1]
        balanced = bits.sum(axis=1, dtype=np.int64) == self.n_bits // 2
        self.is_balanced = bool(balanced.mean() >= BALANCED_FROM)
        # Half a hash of each kind more: no frequency is 0 or 1.
        often = (bits.sum(axis=0, dtype=np.int64) + 0.5) / (len(bits) + 1)
        self._mean: F32 = ndtri(often).astype(np.float32)
        self._factor: F32 = _factor(bits).astype(np.float32)

    def sample(self, n: int, seed: int = 0) -> U8:
        """Return n packed hashes, the same for the same seed."""
        packed = np.empty((n, self.n_bits // 8), np.uint8)

        def fill(first: int) -> None:
            part = packed[first : first + CHUNK_ROWS]
            generator = np.random.default_rng((seed, first))
            normal = generator.standard_normal((len(part), self.n_bits), np.float32)
            values = normal @ self._factor + self._mean
            part[:] = np.packbits(values > self._cut(values), axis=1)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(fill, range(0, n, CHUNK_ROWS)))
        return packed

    def _cut(self, values: F32) -> Any:
        if not self.is_balanced:
            return np.float32(0)
        half = self.n_bits // 2
        return np.partition(values, half - 1, axis=1)[:, half - 1 : half]


def _factor(bits: U8) -> F64:
    """Return a matrix that gives independent normal rows the correlations of the bits."""
    centred = bits - bits.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0))
    phi = (centred.T @ centred) / np.maximum(np.outer(spread, spread), 1e-9)
    latent = np.sin(np.pi / 2 * phi)
    np.fill_diagonal(latent, 1.0)
    values, vectors = np.linalg.eigh(latent)
    factor = (vectors * np.sqrt(np.maximum(values, LEAST_EIGENVALUE))).T
    unit: F64 = factor / np.linalg.norm(factor, axis=0)
    return unit
