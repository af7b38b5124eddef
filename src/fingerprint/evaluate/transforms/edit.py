"""Edits: one transform after another, as a value that has a short name."""

from __future__ import annotations

import difflib
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.evaluate.transforms.base import (
    Transform,
    check_pixels,
    transform_names,
    transforms,
)
from fingerprint.evaluate.transforms.coding import jpeg_bytes, webp_bytes

if TYPE_CHECKING:
    from fingerprint.typing import U8, ImageSource

__all__ = ["CHAINS", "Edit", "default_edits"]

_UNEDITED = "unedited"
_KINDS = {".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".png": "png"}


@dataclass(frozen=True, slots=True)
class Edit:
    """Transforms with their strengths, one after another.

    ``str(edit)`` is like ``crop:0.05+jpeg:50``, and `Edit.parse` reads it; a strength is left
    out where the transform has one only. An edit without steps changes nothing.

    Parameters
    ----------
    steps : tuple of (str, float)
        Names of transforms, and their strengths.

    Raises
    ------
    ValueError
        A name is not known, or a strength is beyond the limits of its transform.
    """

    steps: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        steps = tuple((name, _known(name).checked(strength)) for name, strength in self.steps)
        object.__setattr__(self, "steps", steps)

    def __str__(self) -> str:
        return "+".join(_written(*step) for step in self.steps) or _UNEDITED

    @classmethod
    def parse(cls, text: str) -> Edit:
        """Read "crop:0.05+jpeg:50", "mirror", or the name of one of `CHAINS`.

        Raises
        ------
        ValueError
            It is not of this form, a name is not known, or a strength makes no sense.
        """
        if text.strip() == _UNEDITED:
            return cls(())
        if text.strip() in CHAINS:
            return CHAINS[text.strip()]
        return cls(tuple(_read(step.strip()) for step in text.split("+")))

    @property
    def label(self) -> str:
        """The name of the chain that this is, else its steps."""
        return next((name for name, chain in CHAINS.items() if chain == self), str(self))

    def __call__(self, pixels: U8, seed: int = 0, *, companions: Sequence[U8] = ()) -> U8:
        """Return an edited copy of (h, w, 3) uint8 RGB pixels; the same for the same seed.

        Every step has a stream of chance of its own: what is added at the end changes nothing
        before it, and an edit of one step does what the transform does with that seed.
        """
        check_pixels(pixels)
        edited = pixels
        for i, (name, strength) in enumerate(self.steps):
            own = seed if i == 0 else (seed, i)
            edited = transforms(name)(edited, strength, own, companions=companions)
        return edited if self.steps else pixels.copy(order="C")

    def apply_file(
        self,
        source: ImageSource,
        target: str | os.PathLike[str],
        seed: int = 0,
        *,
        quality: int = 95,
        companions: Sequence[U8] = (),
    ) -> Path:
        """Write an edited copy of a picture.

        Parameters
        ----------
        source : path, bytes, file, PIL image or array
            Any picture that can be decoded; it is laid upright.
        target : str or path
            Where to; ends in .jpg, .jpeg, .png or .webp.
        seed : int
            What chance decides.
        quality : int
            Of a JPEG or WebP file, unless the last step says it: then exactly what that step
            coded is written.
        companions : sequence of ndarray of uint8, shape (h, w, 3)
            As for a transform.

        Returns
        -------
        Path
            The target.
        """
        path = Path(target)
        kind = _KINDS.get(path.suffix.lower())
        if kind is None:
            known = ", ".join(_KINDS)
            raise ValueError(f"target: expected a name that ends in {known}, got {path.name!r}")
        edit = self
        if self.steps and self.steps[-1][0] == kind:
            edit, quality = Edit(self.steps[:-1]), round(self.steps[-1][1])
        pixels = edit(_decoded(source), seed, companions=companions)
        path.write_bytes(_file_bytes(pixels, kind, quality))
        return path


def _decoded(source: ImageSource) -> U8:
    from fingerprint.media import decode

    array = decode(source).array
    return array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2)


def _file_bytes(pixels: U8, kind: str, quality: int) -> bytes:
    if kind == "jpeg":
        return jpeg_bytes(pixels, quality)
    if kind == "webp":
        return webp_bytes(pixels, quality)
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _known(name: str) -> Transform:
    if name in CHAINS:
        raise ValueError(f"edit: {name!r} is a chain: it stands alone, not among steps")
    try:
        return transforms(name)
    except KeyError:
        known = (*transform_names(), *CHAINS)
        near = difflib.get_close_matches(name[:40], known, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(
            f"edit: got {name[:40]!r}{hint}, expected one of {', '.join(known)}"
        ) from None


def _read(step: str) -> tuple[str, float]:
    name, colon, strength = step.partition(":")
    known = _known(name)
    if not colon:
        return name, known.checked(None)
    try:
        value = float(strength)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ValueError(f"edit: expected a number after '{name}:', got {strength!r}")
    return name, value


def _written(name: str, strength: float) -> str:
    if transforms(name).strengths == (strength,):
        return name
    return f"{name}:{np.format_float_positional(strength, trim='-')}"


CHAINS: dict[str, Edit] = {}
CHAINS.update(
    {
        name: Edit.parse(steps)
        for name, steps in {
            "recompress": "jpeg:75+scale:0.7+jpeg:50",
            "repost": "crop:0.01+scale:0.6+jpeg:60+text:0.06",
            "messenger": "scale:0.5+jpeg:70+jpeg:60",
            "thumbnail": "scale:0.2+sharpen:1+webp:60",
            "filtered": "faded:0.5+vignette:0.3+crop:0.02+jpeg:75",
            "meme": "meme_caption:0.17+scale:0.5+jpeg:50",
            "story": "letterbox_9_16_blurred+text:0.06+jpeg:60",
            "mirrored_repost": "mirror+crop:0.02+jpeg:60",
            "framed_repost": "border_white:0.05+scale:0.5+jpeg:60",
            "tilted_crop": "rotate_crop:1.6+crop:0.013+jpeg:70",
            "stickered": "emoji:0.03+text:0.06+webp:50",
            "old_photo": "sepia:1+noise:10+scale:0.5+jpeg:40",
        }.items()
    }
)


def default_edits(quick: bool = False) -> tuple[Edit, ...]:
    """Return every transform at every strength of its grid, and the named chains.

    With ``quick`` every transform comes once, at a middle strength.
    """
    singles = [
        Edit(((name, strength),))
        for name in transform_names()
        for strength in ((transforms(name).middle,) if quick else transforms(name).strengths)
    ]
    return (*singles, *CHAINS.values())
