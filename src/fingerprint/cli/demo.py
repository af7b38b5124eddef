"""``fingerprint demo``."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import (
    console,
    errors,
    find_pictures,
    progress_bar,
    report_failures,
    shown,
)
from fingerprint.evaluate import transforms
from fingerprint.evaluate.sheet import Row, Tile, thumbnail, write_html, write_png

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["command"]

EDITS = (
    ("jpeg", 30.0),
    ("scale", 0.5),
    ("brightness", 1.2),
    ("grayscale", 1.0),
    ("blur", 1.0),
    ("noise", 10.0),
    ("text", 0.06),
    ("crop", 0.01),
    ("crop", 0.05),
    ("mirror", 1.0),
    ("turn", 90.0),
    ("rotate", 4.0),
)
"""Edits that a plain hash survives, some that turned views find, and some that beat it."""

# Public domain or CC0, each as its function in skimage.data documents.
_LISTED = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg")
_UNLISTED = ("brick.png", "gravel.png", "retina.jpg", "hubble_deep_field.jpg")

_ROWS_PRINTED = 80


@dataclass(frozen=True, slots=True)
class _Lookup:
    original: str
    edit: str
    picture: U8
    distance: int
    found: fp.Match | None
    by_views: fp.Match | None
    hash_ms: float
    search_ms: float

    @property
    def right(self) -> bool:
        return self.found is not None and self.found.id == self.original

    @property
    def right_by_views(self) -> bool:
        return self.by_views is not None and self.by_views.id == self.original


@click.command()
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-report"),
    show_default=True,
    help="Folder for the picture report.",
)
@click.option("--originals", type=click.IntRange(1), default=12, show_default=True)
def command(folder: Path | None, report: Path, originals: int) -> int:
    """Index photographs, make edited copies, and find them again.

    Takes the pictures of FOLDER, every other one of which stays out of the index
    to play the innocent upload; without FOLDER, public-domain photographs from
    scikit-image. The report holds small copies of the pictures.
    """
    listed, unlisted = _split(folder, originals)
    with errors.status("compiling kernels, once on this machine"):
        fp.warmup()
    index = fp.Index("pdq")
    pixels, failures = _add_originals(index, listed)
    if not pixels:
        report_failures(failures)
        raise click.ClickException("none of the pictures could be read")
    lookups = list(_look_up_edits(index, pixels))
    innocents = list(_look_up_innocents(index, unlisted, failures))
    _print_lookups(lookups)
    _print_summary(lookups, innocents)
    report.mkdir(parents=True, exist_ok=True)
    _write_report(report, pixels, lookups, innocents)
    click.echo(f"report: {report / 'index.html'} and {report / 'report.png'}")
    report_failures(failures)
    return 2 if failures else 0


def _split(folder: Path | None, originals: int) -> tuple[list[str], list[str]]:
    if folder is not None:
        pictures = list(find_pictures([folder]))[: 2 * originals]
        if not pictures:
            raise click.ClickException(f"no pictures below {folder}")
        return (pictures[::2], pictures[1::2]) if len(pictures) > 1 else (pictures, [])
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise fp.MissingExtraError("scikit-image", "demo")
    data = Path(spec.submodule_search_locations[0], "data")
    listed = [str(data / name) for name in _LISTED]
    return listed, [str(data / name) for name in _UNLISTED]


def _add_originals(index: fp.Index, listed: list[str]) -> tuple[dict[str, U8], list[fp.Failure]]:
    pixels: dict[str, U8] = {}
    failures = []
    for result in fp.hash_images(listed):
        if isinstance(result, fp.Failure):
            failures.append(result)
        elif (result.hash.quality or 0) < index.min_quality:
            errors.print(f"left out, too little in it: {result.source}", markup=False)
        else:
            index.add(result.source, result.hash)
            array = fp.decode(result.source).array
            pixels[result.source] = array if array.ndim == 3 else np.repeat(array[..., None], 3, 2)
    return pixels, failures


def _look_up_edits(index: fp.Index, pixels: dict[str, U8]) -> Iterator[_Lookup]:
    with progress_bar() as bar:
        task = bar.add_task("looking up", total=len(pixels) * len(EDITS))
        for name, original in pixels.items():
            for edit, strength in EDITS:
                edited = transforms(edit)(original, strength)
                label = edit if strength == 1 else f"{edit} {strength:g}"
                yield _look_up(index, name, label, edited, index.get(name).hash)
                bar.advance(task)


def _look_up_innocents(
    index: fp.Index, unlisted: list[str], failures: list[fp.Failure]
) -> Iterator[_Lookup]:
    for name in unlisted:
        try:
            picture = fp.decode(name).array
        except fp.DecodeError as error:
            failures.append(fp.Failure(name, error))
        else:
            yield _look_up(index, name, "not in the index", picture, None)


def _look_up(
    index: fp.Index, name: str, edit: str, picture: U8, original: fp.Hash | None
) -> _Lookup:
    start = time.perf_counter()
    views = fp.hash_dihedral(picture)
    hashed = time.perf_counter()
    matches = index.within(views)
    done = time.perf_counter()
    if original is None:
        nearest = index.nearest(views)
        distance = nearest[0].distance
    else:
        distance = min(original - view for view in views.values())
    by_views = [] if matches else fp.match_image(index, picture)
    return _Lookup(
        name,
        edit,
        picture,
        distance,
        matches[0] if matches else None,
        by_views[0] if by_views else None,
        1e3 * (hashed - start),
        1e3 * (done - hashed),
    )


def _print_lookups(lookups: list[_Lookup]) -> None:
    table = Table(title="Edited copies against the index (PDQ, radius 31 of 256 bits)")
    for heading in ("original", "edit", "distance", "found", "hash ms", "look-up ms"):
        right = heading in {"distance", "hash ms", "look-up ms"}
        table.add_column(heading, justify="right" if right else "left")
    for i, lookup in enumerate(lookups[:_ROWS_PRINTED]):
        last = (i + 1) % len(EDITS) == 0
        table.add_row(
            shown(Path(lookup.original).name),
            lookup.edit,
            str(lookup.distance),
            _found_text(lookup),
            f"{lookup.hash_ms:.2f}",
            f"{lookup.search_ms:.3f}",
            end_section=last,
        )
    console.print(table)
    if len(lookups) > _ROWS_PRINTED:
        console.print(f"… and {len(lookups) - _ROWS_PRINTED} more, in the report")


def _found_text(lookup: _Lookup) -> str:
    if lookup.found is None and lookup.right_by_views and lookup.by_views is not None:
        return f"[green]by a view: {lookup.by_views.transform}[/green]"
    if lookup.found is None:
        return "[red]no[/red]"
    if not lookup.right:
        return f"[red]another: {shown(Path(lookup.found.id).name)}[/red]"
    view = lookup.found.transform
    return "[green]yes[/green]" if view == "identity" else f"[green]yes, {view}[/green]"


def _print_summary(lookups: list[_Lookup], innocents: list[_Lookup]) -> None:
    right = sum(lookup.right for lookup in lookups)
    with_views = right + sum(lookup.right_by_views for lookup in lookups if not lookup.right)
    wrong = sum((lookup.found or lookup.by_views) is not None for lookup in innocents)
    console.print(
        f"{right} of {len(lookups)} edited copies found; with views {with_views}; "
        f"{wrong} of {len(innocents)} pictures that are not in the index matched"
        + (f" (nearest: {min(i.distance for i in innocents)} bits)" if innocents else ""),
        soft_wrap=True,
    )
    console.print(
        f"median {median(x.hash_ms for x in lookups):.2f} ms to hash in eight positions, "
        f"{median(x.search_ms for x in lookups):.3f} ms to look up"
    )
    console.print(
        "What plain PDQ misses here (crops, small rotations) views find: fp.match_image, "
        '`fingerprint index search --views`; see the README, "What survives editing".'
    )


def _write_report(
    folder: Path, pixels: dict[str, U8], lookups: list[_Lookup], innocents: list[_Lookup]
) -> None:
    rows = []
    for name, original in pixels.items():
        tiles = [Tile(thumbnail(original), ("original", "in the index"))]
        tiles += [_tile(x) for x in lookups if x.original == name]
        rows.append(Row(Path(name).name, tuple(tiles)))
    if innocents:
        rows.append(Row("not in the index", tuple(_tile(x) for x in innocents[:13])))
    title = "Edited copies looked up in an index of PDQ hashes"
    note = (
        "Green: found at or below 31 of 256 bits or by a view, or rightly not found. Red: missed. "
        "The report holds small copies of the pictures; the index holds none."
    )
    write_png(folder / "report.png", title, rows)
    write_html(folder / "index.html", title, note, rows)


def _tile(lookup: _Lookup) -> Tile:
    if lookup.edit == "not in the index":
        good = (lookup.found or lookup.by_views) is None
        verdict = f"{lookup.distance} bits: " + ("no match" if good else "MATCHED")
        lines = (Path(lookup.original).name, verdict)
    else:
        good = lookup.right or lookup.right_by_views
        verdict = f"{lookup.distance} bits: " + ("found" if lookup.right else "not found")
        if lookup.by_views is not None and not lookup.right:
            verdict = f"{lookup.by_views.distance} bits: {lookup.by_views.transform}"
        lines = (lookup.edit, verdict)
    return Tile(thumbnail(lookup.picture), lines, "good" if good else "bad")
