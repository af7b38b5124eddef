"""What a transform is, and the list of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fingerprint.typing import U8

__all__ = [
    "Others",
    "Transform",
    "check_pixels",
    "to_u8",
    "transform",
    "transform_names",
    "transform_with_others",
    "transforms",
]

OTHER_SIDE_PX = 400
"""Other pictures that are made up are no larger than this; larger places stretch them."""


class Others:
    """The other pictures of a collage: those that are given, in turn, or made-up ones."""

    def __init__(self, given: Sequence[U8], chance: np.random.Generator) -> None:
        self._given = cycle(given) if given else None
        self._chance = chance

    def take(self, height_px: int, width_px: int) -> U8:
        """Return the next picture, cut and scaled to a size."""
        import cv2

        from fingerprint.evaluate.synthesis import photo

        if self._given is None:
            # Far from the seeds that a person would choose for originals.
            seed = int(self._chance.integers(1 << 32, 1 << 48))
            factor = min(1.0, OTHER_SIDE_PX / max(height_px, width_px))
            whole = photo(seed, max(1, round(height_px * factor)), max(1, round(width_px * factor)))
        else:
            whole = next(self._given)
        h, w = whole.shape[:2]
        height, width = (
            min(h, round(w * height_px / width_px)),
            min(w, round(h * width_px / height_px)),
        )
        top, left = (h - height) // 2, (w - width) // 2
        part = whole[top : top + max(1, height), left : left + max(1, width)]
        return np.asarray(
            cv2.resize(part, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8
        )


Plain: TypeAlias = "Callable[[U8, float, np.random.Generator], U8]"
WithOthers: TypeAlias = "Callable[[U8, float, np.random.Generator, Others], U8]"


@dataclass(frozen=True, slots=True)
class Transform:
    """One kind of edit.

    Parameters
    ----------
    name : str
        What it is called.
    family : str
        Which kind: ``coding``, ``geometry``, ``tone``, ``detail``, ``overlay``, ``frames``,
        ``screens`` or ``collages``.
    unit : str
        What its strength means.
    strengths : tuple of float
        Strengths worth measuring, mild to strong.
    limits : (float, float)
        Least and greatest strength that makes sense.
    summary : str
        What it does.
    """

    name: str
    family: str
    unit: str
    strengths: tuple[float, ...]
    limits: tuple[float, float]
    summary: str
    _edit: WithOthers

    def __call__(
        self,
        pixels: U8,
        strength: float | None = None,
        seed: int | Sequence[int] = 0,
        *,
        companions: Sequence[U8] = (),
    ) -> U8:
        """Return an edited copy; the same for the same seed.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (h, w, 3)
            RGB; not changed.
        strength : float, optional
            In this transform's unit; may be left out where there is one only.
        seed : int or sequence of int
            What chance decides: places, sides, words, colours.
        companions : sequence of ndarray of uint8, shape (h, w, 3)
            The other pictures of collages and of pictures within pictures; generated
            from the seed when there are none.

        Returns
        -------
        ndarray of uint8, shape (h', w', 3), C-contiguous

        Raises
        ------
        ValueError
            The pixels are of another shape, or the strength is beyond the limits.
        TypeError
            The pixels are not uint8.
        """
        check_pixels(pixels)
        for companion in companions:
            check_pixels(companion, "companions")
        chance = np.random.default_rng(seed)
        edited = self._edit(pixels, self.checked(strength), chance, Others(companions, chance))
        if np.shares_memory(edited, pixels):
            return edited.copy()
        return np.ascontiguousarray(edited)

    def __reduce__(self) -> tuple[Callable[[str], Transform], tuple[str]]:
        return transforms, (self.name,)

    @property
    def middle(self) -> float:
        """The strength in the middle of the grid."""
        return self.strengths[(len(self.strengths) - 1) // 2]

    def checked(self, strength: float | None) -> float:
        """Return a strength that makes sense, or raise ValueError."""
        low, high = self.limits
        if strength is None and len(self.strengths) == 1:
            return self.strengths[0]
        if strength is None or not low <= strength <= high:
            raise ValueError(
                f"{self.name}: expected a strength of {low:g} to {high:g} ({self.unit}), "
                f"got {strength}"
            )
        return float(strength)


_TRANSFORMS: dict[str, Transform] = {}


def transform_names() -> tuple[str, ...]:
    """Return the names of all transforms, family by family."""
    return tuple(_TRANSFORMS)


def transforms(name: str) -> Transform:
    """Return a transform by name; KeyError when there is none."""
    return _TRANSFORMS[name]


def transform(
    unit: str, *strengths: float, limits: tuple[float, float]
) -> Callable[[Plain], Plain]:
    """Enter a function into the list; its file is the family, its docstring the summary."""

    def register(edit: Plain) -> Plain:
        _enter(edit, unit, strengths, limits, lambda p, s, c, _: edit(p, s, c))
        return edit

    return register


def transform_with_others(
    unit: str, *strengths: float, limits: tuple[float, float]
) -> Callable[[WithOthers], WithOthers]:
    """Enter a function that shows other pictures, too."""

    def register(edit: WithOthers) -> WithOthers:
        _enter(edit, unit, strengths, limits, edit)
        return edit

    return register


def _enter(
    source: Plain | WithOthers,
    unit: str,
    strengths: tuple[float, ...],
    limits: tuple[float, float],
    edit: WithOthers,
) -> None:
    name, family = source.__name__, source.__module__.rpartition(".")[2]
    summary = (source.__doc__ or "").splitlines()[0].rstrip(".")
    if name in _TRANSFORMS:
        raise ValueError(f"{name}: there are two transforms of this name")
    grid = tuple(map(float, strengths))
    _TRANSFORMS[name] = Transform(name, family, unit, grid, limits, summary, edit)


def check_pixels(pixels: U8, name: str = "pixels") -> None:
    """Raise unless these are (h, w, 3) uint8 with something in them."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        got = getattr(pixels, "dtype", type(pixels).__name__)
        raise TypeError(f"{name}: expected an array of uint8, got {got}")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"{name}: expected the shape (h, w, 3), got {pixels.shape}")


def to_u8(values: NDArray[np.floating[Any]]) -> U8:
    """Return values rounded and cut to 0 to 255."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
