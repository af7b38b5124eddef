"""Colour hash as imagehash computes it: shares of black, grey and six hues twice.

Source: imagehash 4.3 ``colorhash``. Fourteen shares of ``b`` bits each: black,
grey, six hues of faint colour, six of bright colour. Its way of writing a share
in bits makes some shares look alike (with 3 bits, 4 and 6, and 5 and 7); it is
kept, since that is what stored hashes have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from fingerprint.algorithms.base import Algorithm, HashAlgorithm, Radius
from fingerprint.algorithms.grid import MIN_SIDE_PX
from fingerprint.errors import UnknownAlgorithmError
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.typing import U8, Bits

__all__ = ["ColorHash", "create"]

BLACK_BELOW = 256 // 8
GREY_BELOW = 256 // 3
BRIGHT_ABOVE = 256 * 2 // 3
N_HUES = 6


class ColorHash(HashAlgorithm):
    """Colour hash of ``14 * share_bits`` bits."""

    summary = "shares of black, grey and hues (imagehash); a filter, not a proof"
    fast_luma = False
    min_quality = 1

    def __init__(self, share_bits: int = 3) -> None:
        self.share_bits = share_bits
        self.name = self.hash_name = "colorhash" if share_bits == 3 else f"colorhash:{share_bits}"
        self.bits = (2 + 2 * N_HUES) * share_bits
        self.radius = Radius(0, "none published; equal shares only")

    def hash_pixels(self, pixels: U8) -> Hash:
        """Hash canonical pixels, (h, w, 3) RGB or (h, w) grey uint8."""
        picture = Image.fromarray(pixels)
        intensity = np.asarray(picture.convert("L"))
        if pixels.ndim == 2:
            picture = picture.convert("RGB")
        hue, saturation, _ = (np.asarray(c) for c in picture.convert("HSV").split())
        black = intensity < BLACK_BELOW
        grey = ~black & (saturation < GREY_BELOW)
        coloured = ~black & ~grey
        faint = coloured & (saturation < BRIGHT_ABOVE)
        bright = coloured & (saturation > BRIGHT_ABOVE)
        edges = np.linspace(0, 255, N_HUES + 1)
        hues = np.concatenate([np.histogram(hue[mask], bins=edges)[0] for mask in (faint, bright)])
        n_coloured = int(coloured.sum())
        levels = 1 << self.share_bits
        values = [int(black.mean() * levels), int(grey.mean() * levels)]
        values += [int(n * levels * 1.0 / max(1, n_coloured)) for n in hues]
        strip = min(intensity.shape) < MIN_SIDE_PX
        quality = 0 if strip else round(100 * n_coloured / intensity.size)
        return Hash.from_bits(self._share_bits(values), self.hash_name, quality=quality)

    def _share_bits(self, values: list[int]) -> Bits:
        capped = np.minimum(values, (1 << self.share_bits) - 1)[:, None]
        place = np.arange(self.share_bits)
        shifted = capped // (1 << (self.share_bits - 1 - place))
        return np.asarray(shifted % (1 << (self.share_bits - place)) > 0)


def create(variant: str | None) -> Algorithm:
    """Return ``colorhash`` (42 bits) or ``colorhash:<bits a share>``."""
    if variant is None:
        return ColorHash()
    size = int(variant) if variant.isascii() and variant.isdigit() else 0
    if not 1 <= size <= 16 or size == 3 or variant != str(size):
        raise UnknownAlgorithmError(
            f"colorhash:{variant}",
            ["colorhash", "colorhash:<bits>"],
            "expected 1 to 16 bits a share, and colorhash for 3",
        )
    return ColorHash(size)
