"""Pictures with corners everywhere, for the tests of local features."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from fingerprint.evaluate.synthesis import photo
from fingerprint.typing import U8

__all__ = ["HEIGHT", "WIDTH", "textured"]

HEIGHT, WIDTH = 360, 480


def textured(seed: int, height: int = HEIGHT, width: int = WIDTH) -> U8:
    """Make a picture with corners everywhere."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(np.ascontiguousarray(photo(seed, height, width)))
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(5, 30)
        colour = tuple(int(v) for v in rng.integers(20, 235, 3))
        sides, turn = int(rng.integers(3, 7)), float(rng.uniform(0, 360))
        draw.regular_polygon((x, y, r), sides, turn, fill=colour)
    noisy = np.asarray(picture) + rng.normal(0, 3, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)
