"""``fingerprint views``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.table import Table

import fingerprint as fp
from fingerprint.algorithms import HashAlgorithm
from fingerprint.cli.common import console, errors
from fingerprint.evaluate import photo
from fingerprint.evaluate.sheet import Row, Tile, thumbnail, write_png
from fingerprint.hashing import hash_algorithm
from fingerprint.views import QUERY_FAMILIES, REFERENCE_FAMILIES, ViewFamily
from fingerprint.views.picture import Picture

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["command"]

_SHEET = Path("views.png")
_SIDE_PX = 400
_COLUMNS = 12
_SIDES: dict[str, Mapping[str, ViewFamily]] = {
    "query": QUERY_FAMILIES,
    "reference": REFERENCE_FAMILIES,
}


@click.command()
@click.argument("picture", required=False, type=click.Path(path_type=Path))
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Draw all as one PNG; {_SHEET} where a PICTURE is given.",
)
def command(picture: Path | None, sheet: Path | None) -> int:
    """List the views that pictures are looked up and stored by, or draw them.

    With PICTURE or --sheet, draws every view of the picture (of a generated one without
    PICTURE) but sizes, which all look the same. The sheet holds small copies of the picture.
    """
    if picture is None and sheet is None:
        _print_all()
        return 0
    target = sheet or _SHEET
    if target.suffix.lower() != ".png":
        raise click.UsageError(f"--sheet: expected a name that ends in .png, got {target.name!r}")
    pixels = _sized(photo(0) if picture is None else fp.decode(picture).array)
    with errors.status("drawing"):
        rows = [Row("as it is", (Tile(thumbnail(pixels), ("identity",)),)), *_rows(pixels)]
        n = sum(len(row.tiles) for row in rows)
        write_png(target, f"{n} views of one picture", rows)
    click.echo(f"sheet: {target}")
    return 0


def _print_all() -> None:
    query = _table("Views of an upload: they undo what may have been done to it")
    for heading in ("stage", "radius"):
        query.add_column(heading, justify="right")
    for family in QUERY_FAMILIES.values():
        facts = str(family.stage), str(family.radius)
        query.add_row(family.name, family.summary, _count(family), *facts)
    stored = _table("Views of a picture that is added: they do what may be done to it")
    for family in REFERENCE_FAMILIES.values():
        stored.add_row(family.name, family.summary, _count(family))
    console.print(query)
    console.print(
        "Stages are asked in turn while nothing is found. A radius is in bits of PDQ; with\n"
        "another algorithm it is that algorithm's own.\n"
    )
    console.print(stored)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("family")
    table.add_column("what it is for")
    table.add_column("views", justify="right")
    return table


def _count(family: ViewFamily) -> str:
    """Return how many views a picture has; those that depend on it show in two plain ones."""
    flat = np.zeros((64, 64), np.uint8)
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1))
    pdq = hash_algorithm("pdq")
    counts = {len(list(family.hash(Picture(pixels, pdq)))) for pixels in (flat, ramp)}
    return "as found" if counts == {0} else " or ".join(map(str, sorted(counts)))


class _Album(HashAlgorithm):
    """Keeps the pictures that it is asked to hash; its hashes are their numbers."""

    name = hash_name = "album"
    bits = 32

    def __init__(self) -> None:
        self._kept: list[U8] = []

    def hash_pixels(self, pixels: U8) -> fp.Hash:
        self._kept.append(pixels)
        number = len(self._kept) - 1
        return fp.Hash(self.hash_name, number.to_bytes(4, "big"), self.bits)

    def kept(self, view: fp.Hash) -> U8:
        """Return the picture of a view; the opposite of a hash is that of the negative."""
        number = int.from_bytes(view.packed, "big")
        negative = number >= len(self._kept)
        pixels = self._kept[number ^ 0xFFFFFFFF if negative else number]
        return 255 - pixels if negative else pixels


def _rows(pixels: U8) -> Iterator[Row]:
    album = _Album()
    picture = Picture(pixels, album)
    for side, families in _SIDES.items():
        for family in families.values():
            drawn = {name: album.kept(view) for name, view in family.hash(picture)}
            tiles = [Tile(thumbnail(pixels), (name,)) for name, pixels in drawn.items()]
            for start in range(0, len(tiles), _COLUMNS):
                label = "" if start else f"{side}: {family.name}"
                yield Row(label, tuple(tiles[start : start + _COLUMNS]))


def _sized(pixels: U8) -> U8:
    import cv2

    factor = _SIDE_PX / max(pixels.shape[:2])
    if factor >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
