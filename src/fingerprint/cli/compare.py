"""``fingerprint compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import VIEWS, console, shown

__all__ = ["command"]

_DEFAULT = ("pdq", "phash", "dhash")


@click.command()
@click.argument("a", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("b", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-a",
    "--algorithm",
    "algorithms",
    multiple=True,
    metavar="NAME",
    help="Hash algorithm; may be given more than once. [default: pdq, phash, dhash]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(a: Path, b: Path, algorithms: tuple[str, ...], as_json: bool) -> int:
    """Say how far apart two pictures are, and what that means.

    Exit status 0 when the first algorithm finds them within its radius, 1 when
    it does not, 2 when a picture could not be read or has too little in it.
    """
    rows = [_compare(a, b, name) for name in algorithms or _DEFAULT]
    if as_json:
        click.echo(json.dumps({"a": str(a), "b": str(b), "comparisons": rows}))
    else:
        table = Table(title=shown(f"{a}  and  {b}"), title_justify="left")
        for heading in ("algorithm", "distance", "of", "radius", "quality", "what it means"):
            right = heading in {"distance", "of", "radius", "quality"}
            table.add_column(heading, justify="right" if right else "left")
        for row in rows:
            figures = (str(row[k]) for k in ("distance", "bits", "radius", "quality"))
            table.add_row(row["algorithm"], *figures, row["meaning"])
        console.print(table)
        console.print("A distance is evidence for a person to look at, not a verdict.")
    if rows[0]["low_quality"]:
        return 2
    return 0 if rows[0]["within"] else 1


def _compare(a: Path, b: Path, name: str) -> dict[str, Any]:
    algorithm = fp.get_algorithm(name)
    if isinstance(algorithm, fp.SegmentAlgorithm):
        return _compare_segments(a, b, algorithm)
    first, second = fp.hash_image(a, name), fp.hash_image(b, name)
    distance, view = first - second, "identity"
    if algorithm.dihedral:
        views = {key: first - turned for key, turned in fp.hash_dihedral(b, name).items()}
        best = min(views, key=views.__getitem__)
        if views[best] <= algorithm.radius.bits < distance:
            distance, view = views[best], best
    quality = min(first.quality or 0, second.quality or 0)
    within = distance <= algorithm.radius.bits
    low = quality < algorithm.min_quality
    return {
        "algorithm": name,
        "distance": distance,
        "bits": algorithm.bits,
        "radius": algorithm.radius.bits,
        "quality": quality,
        "transform": view,
        "within": within,
        "low_quality": low,
        "meaning": _meaning(within=within, low=low, view=view),
    }


def _meaning(*, within: bool, low: bool, view: str) -> str:
    if low:
        return "too little in a picture: this distance says nothing"
    if not within:
        return "beyond the radius: no sign of the same picture"
    if view != "identity":
        return f"within the radius once the second is {VIEWS[view]} ({view})"
    return "within the radius: likely the same picture"


def _compare_segments(a: Path, b: Path, algorithm: fp.SegmentAlgorithm) -> dict[str, Any]:
    first, second = fp.hash_segments(a, algorithm), fp.hash_segments(b, algorithm)
    matching = first.matching_segments(second)
    quality = int(min(first.segments.quality.max(), second.segments.quality.max()))
    low = quality < algorithm.min_quality
    found = f"{len(matching)} of {len(first.segments)} segments have a partner"
    return {
        "algorithm": algorithm.name,
        "distance": min(matching, default=algorithm.bits),
        "bits": algorithm.bits,
        "radius": algorithm.radius.bits,
        "quality": quality,
        "transform": "identity",
        "within": len(matching) >= min(2, len(first.segments)),
        "low_quality": low,
        "meaning": "too little in a picture" if low else found,
    }
