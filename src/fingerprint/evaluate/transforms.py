"""What people do to a picture before they post it again; one function each.

A transform takes (h, w, 3) uint8 RGB, a strength and a seeded generator, and
returns such an array. Add one by writing a function under `_transform`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fingerprint.typing import U8

    Edit = Callable[[U8, float, np.random.Generator], U8]

__all__ = ["Transform", "transform_names", "transforms"]


@dataclass(frozen=True, slots=True)
class Transform:
    """One kind of edit.

    Parameters
    ----------
    name : str
        What it is called.
    unit : str
        What its strength means.
    strengths : tuple of float
        Strengths worth measuring, mild to strong.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    _edit: Edit

    def __call__(self, pixels: U8, strength: float, seed: int = 0) -> U8:
        """Return an edited copy of (h, w, 3) uint8 RGB pixels; the same for the same seed."""
        edited = self._edit(pixels, strength, np.random.default_rng(seed))
        return np.ascontiguousarray(edited)


_TRANSFORMS: dict[str, Transform] = {}


def transform_names() -> tuple[str, ...]:
    """Return the names of all transforms, in the order of the file."""
    return tuple(_TRANSFORMS)


def transforms(name: str) -> Transform:
    """Return a transform by name; KeyError when there is none."""
    return _TRANSFORMS[name]


def _transform(unit: str, *strengths: float) -> Callable[[Edit], Edit]:
    def register(edit: Edit) -> Edit:
        name = edit.__name__
        _TRANSFORMS[name] = Transform(name, unit, strengths, edit)
        return edit

    return register


def _to_u8(values: NDArray[np.floating[Any]]) -> U8:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


@_transform("quality, 0 to 95", 95, 75, 50, 30, 20, 10)
def jpeg(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Compress as JPEG and decode again."""
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, int(strength)]
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], options)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


@_transform("factor of both sides", 0.75, 0.5, 0.25, 0.1)
def scale(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Make smaller (or larger), averaging areas."""
    import cv2

    size = [max(1, round(side * strength)) for side in (pixels.shape[1], pixels.shape[0])]
    how = cv2.INTER_AREA if strength < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


@_transform("factor", 0.8, 1.2, 0.6, 1.5)
def brightness(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Multiply every value."""
    return _to_u8(pixels * float(strength))


@_transform("factor around the middle", 0.75, 1.25, 0.5, 2.0)
def contrast(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Stretch values away from the middle grey."""
    return _to_u8(128 + (pixels - 128.0) * strength)


@_transform("1", 1)
def grayscale(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Take the colour out."""
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)


@_transform("sigma in pixels at 512", 1, 3, 6)
def blur(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Blur with a Gaussian."""
    import cv2

    sigma = strength * max(pixels.shape[:2]) / 512
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


@_transform("sigma in grey levels", 10, 25, 50)
def noise(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Add Gaussian noise."""
    return _to_u8(pixels + generator.normal(0, strength, pixels.shape))


@_transform("share of each side cut off", 0.01, 0.02, 0.05, 0.1)
def crop(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Cut all four sides."""
    h, w = pixels.shape[:2]
    dy, dx = round(h * strength), round(w * strength)
    return pixels[dy : max(h - dy, dy + 1), dx : max(w - dx, dx + 1)]


@_transform("share of the side added all round", 0.02, 0.05, 0.1, 0.2)
def border(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Put a black frame around it."""
    h, w = pixels.shape[:2]
    dy, dx = round(h * strength), round(w * strength)
    return np.pad(pixels, ((dy, dy), (dx, dx), (0, 0)))


@_transform("1", 1)
def mirror(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Exchange left and right."""
    return pixels[:, ::-1]


@_transform("degrees counter-clockwise", 90, 180, 270)
def turn(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Turn by right angles."""
    return np.rot90(pixels, round(strength / 90))


@_transform("degrees counter-clockwise", 1, 2, 4, 10)
def rotate(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Turn by a small angle; black corners."""
    import cv2

    h, w = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), strength, 1)
    return np.asarray(cv2.warpAffine(pixels, matrix, (w, h)), np.uint8)


@_transform("height of the letters as a share of the picture's", 0.06, 0.12)
def text(pixels: U8, strength: float, generator: np.random.Generator) -> U8:
    """Write a line across the lower part."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(pixels)
    size = max(8, round(pixels.shape[0] * strength))
    draw = ImageDraw.Draw(picture)
    words = "posted again"
    where = (pixels.shape[1] / 2, pixels.shape[0] * 0.85)
    draw.text(
        where,
        words,
        (255, 255, 255),
        ImageFont.load_default(size),
        anchor="mm",
        stroke_width=max(1, size // 12),
        stroke_fill=(0, 0, 0),
    )
    return np.asarray(picture)
