"""One picture of all that people do to a picture."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.evaluate.sheet import Row, Tile, thumbnail, write_png
from fingerprint.evaluate.transforms import CHAINS, Edit, transform_names, transforms

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["contact_sheet"]

SIDE_PX = 640
"""Larger pictures are made smaller first, or noise could not be seen in a tile."""

_COLUMNS = 14
_CHAINS = "chains"


def contact_sheet(
    pixels: U8,
    path: str | os.PathLike[str],
    *,
    seed: int = 0,
    edits: Iterable[Edit | str] | None = None,
) -> Path:
    """Draw a picture under every transform as one PNG that its owner alone can read.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
        RGB.
    path : str or path
        Where to; ends in .png.
    seed : int
        What chance decides in the edits.
    edits : iterable of Edit or str, optional
        Which; every transform at its mildest and its strongest, and the chains, by default.
        There is a row for each family of transforms, and one for edits of several steps.

    Returns
    -------
    Path
        Where it is.
    """
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise ValueError(f"path: expected a name that ends in .png, got {target.name!r}")
    chosen = _mild_and_strong() if edits is None else [_edit(edit) for edit in edits]
    shown = _sized(pixels)
    rows = [Row("as it is", (Tile(thumbnail(shown), ("original",)),))]
    families = dict.fromkeys((*(transforms(n).family for n in transform_names()), _CHAINS))
    order = {family: i for i, family in enumerate(families)}
    by_family = groupby(sorted(chosen, key=lambda e: order[_family(e)]), _family)
    for family, some in by_family:
        rows.extend(_rows(family, [_tile(edit, shown, seed) for edit in some]))
    write_png(target, f"{len(chosen)} edits of one picture", rows)
    return target


def _edit(edit: Edit | str) -> Edit:
    return Edit.parse(edit) if isinstance(edit, str) else edit


def _mild_and_strong() -> list[Edit]:
    grids = ((name, transforms(name).strengths) for name in transform_names())
    singles = [
        Edit(((name, strength),))
        for name, grid in grids
        for strength in dict.fromkeys((grid[0], grid[-1]))
    ]
    return [*singles, *CHAINS.values()]


def _family(edit: Edit) -> str:
    return transforms(edit.steps[0][0]).family if len(edit.steps) == 1 else _CHAINS


def _sized(pixels: U8) -> U8:
    import cv2

    factor = SIDE_PX / max(pixels.shape[:2])
    if factor >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _tile(edit: Edit, pixels: U8, seed: int) -> Tile:
    name, _, strength = edit.label.partition(":")
    lines = (name, strength) if len(edit.steps) == 1 else (edit.label,)
    return Tile(thumbnail(edit(pixels, seed)), lines)


def _rows(label: str, tiles: list[Tile]) -> Iterator[Row]:
    for start in range(0, len(tiles), _COLUMNS):
        yield Row("" if start else label, tuple(tiles[start : start + _COLUMNS]))
