"""Families of views: what each undoes, how far it is looked up, and what it costs.

A radius is the largest at which no different picture was met in 1.3 billion comparisons
of the half of the photographs that the views were tuned on (benchmarks/results/
robustness.md), or less where the family's own copies do not need it. All are bits of PDQ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from fingerprint.hashes import Hash
from fingerprint.views.geometry import (
    cropped,
    each_side,
    named,
    turned,
    turned_in_larger,
    uncropped,
)
from fingerprint.views.panels import has_plain_corners, inside_bars, panels
from fingerprint.views.picture import Picture
from fingerprint.views.placements import WHOLE, Placement

__all__ = [
    "AMONG_VIEWS",
    "QUERY_FAMILIES",
    "REFERENCE_FAMILIES",
    "ViewFamily",
    "query_family_names",
]

Named: TypeAlias = "Iterator[tuple[str, Hash]]"

ALL_ROUND = (0.02, 0.035, 0.05, 0.066, 0.085, 0.1)
OPPOSITE = (0.05, 0.1)
ONE_SIDE = (0.025, 0.05, 0.1, 0.15)
UNSEEN_FRAMES = (0.02, 0.05, 0.1)
ANGLES = (2, 4, 6, 8, 10)
SIZES_PX = (256, 512, 1024, 4096)
MOST_PANELS = 32

AMONG_VIEWS = 39
"""Largest radius where pictures are stored with views: some 45 hashes each are 45 chances."""

MOST_INSIDE = 2
MIDDLE = (0.07, 0.14, 0.21, 0.28)
SIDES = (0.06, 0.12, 0.18, 0.24, 0.3, 0.36, 0.42)
CORNERS = (0.2, 0.4)
BANDS = (0.15, 0.3)


@dataclass(frozen=True, slots=True)
class ViewFamily:
    """Views of one kind.

    Parameters
    ----------
    name : str
        What it is called.
    stage : int
        1 to 3: cheap families are asked first, the others only while nothing was found.
    radius : int
        Bits of PDQ within which its views are looked up.
    summary : str
        What it undoes.
    hash : callable
        Yields name and hash of each view of a picture.
    """

    name: str
    stage: int
    radius: int
    summary: str
    hash: Callable[[Picture], Named]


def _placed(picture: Picture, views: Iterable[tuple[str, Placement]]) -> Named:
    names, placements = [], []
    for name, placement in views:
        names.append(name)
        placements.append(placement)
    yield from zip(names, picture.hash_placements(placements), strict=True)


def _positions(picture: Picture) -> Named:
    yield from picture.positions.items()


def _inverted(picture: Picture) -> Named:
    for name, known in picture.positions.items():
        spare = -known.bits % 8
        value = (1 << 8 * len(known.packed)) - (1 << spare)
        bits = (int.from_bytes(known.packed, "big") ^ value).to_bytes(len(known.packed), "big")
        yield _joined("inverted", name), replace(known, packed=bits)


def _joined(view: str, position: str) -> str:
    return view if position == "identity" else f"{view}+{position}"


def _as_is(picture: Picture) -> Named:
    for name in ("identity", "flip_y"):
        yield name, picture.positions[name]


def _sizes(picture: Picture) -> Named:
    """Hash the picture as if it were larger or smaller: PDQ's samples move with its size."""
    if picture.algorithm.hash_name != "pdq":
        return
    levels = picture.levels
    longest = max(levels.height_px, levels.width_px)
    for side_px in SIZES_PX:
        height_px = max(5, round(levels.height_px * side_px / longest))
        width_px = max(5, round(levels.width_px * side_px / longest))
        sized = replace(levels, height_px=height_px, width_px=width_px)
        yield f"size_{side_px}", picture.hash_levels(sized, [WHOLE])[0]


def _mirrored_too(picture: Picture, kind: str, placements: list[Placement]) -> Named:
    hashes = iter(picture.hash_placements(placements, mirrored=True))
    for i in range(len(placements)):
        yield f"{kind}_{i + 1}", next(hashes)
        yield f"{kind}_{i + 1}+flip_y", next(hashes)


def _bars(picture: Picture) -> Named:
    return _mirrored_too(picture, "inside", inside_bars(picture.levels))


def _panels(picture: Picture) -> Named:
    found = panels(picture.levels, MOST_PANELS)
    return _placed(picture, ((f"panel_{i + 1}", one) for i, one in enumerate(found)))


def _padded(picture: Picture) -> Named:
    def views() -> Iterator[tuple[str, Placement]]:
        for share in ALL_ROUND:
            yield f"uncrop_{named(share)}", uncropped(share, share, share, share)
        for share in OPPOSITE:
            yield f"uncrop_x_{named(share)}", uncropped(left=share, right=share)
            yield f"uncrop_y_{named(share)}", uncropped(top=share, bottom=share)

    return _placed(picture, views())


def _sides(picture: Picture) -> Named:
    views = ((f"uncrop_{name}", uncropped(**cut)) for name, cut in each_side(ONE_SIDE))
    return _placed(picture, views)


def _cut(picture: Picture) -> Named:
    views = ((f"cut_{named(s)}", cropped(s, s, s, s)) for s in UNSEEN_FRAMES)
    return _placed(picture, views)


def _signed() -> Iterator[int]:
    for angle in ANGLES:
        yield angle
        yield -angle


def _turned(picture: Picture) -> Named:
    return _placed(picture, ((f"turn_{angle}", turned(angle)) for angle in _signed()))


def _turned_in_larger(picture: Picture) -> Named:
    if not has_plain_corners(picture.levels):
        return iter(())
    h, w = picture.pixels.shape[:2]
    views = ((f"turn_larger_{a}", turned_in_larger(a, h, w)) for a in _signed())
    return _placed(picture, views)


def _crop_views() -> Iterator[tuple[str, Placement]]:
    for share in MIDDLE:
        yield f"crop_{named(share)}", cropped(share, share, share, share)
    for name, cut in each_side(SIDES):
        yield f"crop_{name}", cropped(**cut)
    for share in BANDS:
        yield f"crop_x_{named(share)}", cropped(left=share / 2, right=share / 2)
        yield f"crop_y_{named(share)}", cropped(top=share / 2, bottom=share / 2)


def _corner_views() -> Iterator[tuple[str, Placement]]:
    for share in CORNERS:
        for down in ("top", "bottom"):
            for across in ("left", "right"):
                name = f"crop_{down}_{across}_{named(share)}"
                yield name, cropped(**{down: share, across: share})


def reference_view_names() -> frozenset[str]:
    """Return every name that a view of a stored picture may have."""
    inside = (f"inside_{i + 1}" for i in range(MOST_INSIDE))
    return frozenset([*inside, *dict(_crop_views()), *dict(_corner_views())])


def _crops(picture: Picture) -> Named:
    return _placed(picture, _crop_views())


def _corners(picture: Picture) -> Named:
    return _placed(picture, _corner_views())


def _inside(picture: Picture) -> Named:
    found = inside_bars(picture.levels)[:MOST_INSIDE]
    return _placed(picture, ((f"inside_{i + 1}", one) for i, one in enumerate(found)))


_QUERY = (
    ViewFamily("positions", 1, 31, "turned by right angles, mirrored", _positions),
    ViewFamily("inverted", 2, 31, "colours inverted", _inverted),
    ViewFamily("inside", 2, 43, "border, letterbox, caption bar, telephone's screen", _bars),
    ViewFamily("panels", 2, 39, "collage, picture in picture, blurred bars", _panels),
    ViewFamily("sizes", 2, 39, "made smaller or larger", _sizes),
    ViewFamily("as_is", 3, 47, "written on, stickers, filters", _as_is),
    ViewFamily("uncropped", 3, 47, "cropped all round or on opposite sides", _padded),
    ViewFamily("sides", 3, 39, "cropped on one side", _sides),
    ViewFamily("turned", 3, 39, "turned by up to 11 degrees on the same canvas", _turned),
    ViewFamily("larger", 3, 39, "turned by up to 11 degrees on a larger canvas", _turned_in_larger),
    ViewFamily("cut", 3, 43, "a frame that was not seen, a photograph of a screen", _cut),
)
_REFERENCE = (
    ViewFamily("inside", 1, 43, "plain edges, which frames are taken off with", _inside),
    ViewFamily("crops", 1, 43, "cropped by 6 to 42 %, all round and by sides", _crops),
    ViewFamily("corners", 1, 43, "cropped by 20 and 40 % at a corner", _corners),
)

QUERY_FAMILIES = {family.name: family for family in _QUERY}
REFERENCE_FAMILIES = {family.name: family for family in _REFERENCE}


def query_family_names() -> tuple[str, ...]:
    """Return the names of the families of query views, cheap ones first."""
    return tuple(QUERY_FAMILIES)
