"""``fingerprint transforms``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import console, errors, shown
from fingerprint.evaluate import CHAINS, photo, transform_names, transforms
from fingerprint.evaluate.contact_sheet import contact_sheet

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["command"]

_SHEET = Path("transforms.png")


@click.command()
@click.argument("picture", required=False, type=click.Path(path_type=Path))
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Draw all as one PNG; {_SHEET} where a PICTURE is given.",
)
@click.option(
    "--edit",
    "edits",
    multiple=True,
    metavar="EDIT",
    help='Draw this alone, as "crop:0.05+jpeg:50"; may be repeated.',
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="What chance decides."
)
def command(picture: Path | None, sheet: Path | None, edits: tuple[str, ...], seed: int) -> int:
    """List the edits that robustness is measured with, or draw them.

    With PICTURE or --sheet, draws the picture (a generated one without PICTURE) under every
    edit, mild and strong. The sheet holds small copies of the picture.
    """
    if picture is None and sheet is None:
        if edits:
            raise click.UsageError("--edit: expected --sheet, or a picture to draw")
        _print_all()
        return 0
    pixels = photo(seed) if picture is None else _pixels(picture)
    target = sheet or _SHEET
    try:
        with errors.status("editing"):
            contact_sheet(pixels, target, seed=seed, edits=edits or None)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    click.echo(f"sheet: {target}")
    return 0


def _pixels(picture: Path) -> U8:
    array = fp.decode(picture).array
    return array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2)


def _print_all() -> None:
    table = Table(title="Transforms of pictures", title_justify="left")
    for heading in ("family", "name", "strengths", "unit", "what it does"):
        table.add_column(heading, no_wrap=heading in {"family", "name"})
    names = transform_names()
    for i, name in enumerate(names):
        one = transforms(name)
        last = i + 1 == len(names) or transforms(names[i + 1]).family != one.family
        family = "" if i and transforms(names[i - 1]).family == one.family else one.family
        grid = "" if len(one.strengths) == 1 else " ".join(f"{s:g}" for s in one.strengths)
        unit = one.unit if grid else ""
        table.add_row(family, name, grid, unit, shown(one.summary), end_section=last)
    console.print(table)
    chains = Table(title="Chains", title_justify="left")
    for heading in ("name", "steps"):
        chains.add_column(heading)
    for name, edit in CHAINS.items():
        chains.add_row(name, str(edit))
    console.print(chains)
    console.print('An edit is written as "crop:0.05+jpeg:50": steps, each with its strength.')
