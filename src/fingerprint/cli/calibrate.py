"""``fingerprint calibrate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from fingerprint.calibration import Calibration, CalibrationRangeError
from fingerprint.cli.common import algorithm_option, console, counted, errors, share_bar, shown

__all__ = ["command"]

_SIZES = (1_000, 100_000, 1_000_000, 10_000_000)
_RATES = (0.1, 1e-2, 1e-3, 1e-4)


@click.command()
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@algorithm_option
@click.option(
    "--database-size",
    "sizes",
    multiple=True,
    type=click.IntRange(1),
    metavar="N",
    help="Hashes that a query is compared with; may be given more than once.",
)
@click.option(
    "--false-positives",
    "rates",
    multiple=True,
    type=click.FloatRange(0, min_open=True),
    metavar="RATE",
    help="False matches a query; may be given more than once.",
)
@click.option("--limit", type=click.IntRange(2), help="At most so many pictures.")
@click.option(
    "--edited",
    "n_edited",
    type=click.IntRange(1),
    default=150,
    show_default=True,
    help="Copies are made of so many pictures.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--workers", type=click.IntRange(1), help="Threads; all processors.")
@click.option(
    "--use",
    "stored",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Print the table of a calibration that was written by --out.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the calibration as JSON: figures, no hashes and no names.",
)
@click.option(
    "--plots",
    "plots_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write plots to this folder; needs matplotlib.",
)
@click.option("--json", "as_json", is_flag=True, help="The table as one JSON object.")
def command(
    folder: Path | None,
    algorithm: str,
    sizes: tuple[int, ...],
    rates: tuple[float, ...],
    stored: Path | None,
    out: Path | None,
    plots_folder: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Measure which radius gives how many false matches, on a folder of your pictures.

    All pairs of different pictures are compared, near-duplicates set aside; pictures of one
    folder are taken to be of one domain, so folders should be kept as they are. Below the
    nearest pairs a fitted tail goes on, with its interval. Without FOLDER the calibration
    that ships with the package is shown. Exit status 1 when no radius in the table keeps to
    its rate as far as the measurements carry.
    """
    if folder is not None and stored is not None:
        raise click.UsageError("--use: a stored calibration needs no folder")
    if out is not None and not out.absolute().parent.is_dir():
        raise click.UsageError(f"--out: there is no folder {out.absolute().parent}")
    if plots_folder is not None:
        from fingerprint.evaluate.plots import require_matplotlib

        require_matplotlib()
    calibration = _calibration(folder, algorithm, stored, options)
    if out is not None:
        from fingerprint.evaluate.drawing import write_privately

        write_privately(out, calibration.to_json().encode())
        click.echo(f"wrote {out}", err=True)
    if plots_folder is not None:
        _write_plots(calibration, plots_folder)
    cells = _cells(calibration, sizes or _SIZES, rates or _RATES)
    if as_json:
        click.echo(json.dumps(_as_json(calibration, cells)))
    else:
        _print(calibration, cells, sizes or _SIZES, rates or _RATES)
    return 0 if any(cell["radius"] is not None for cell in cells) else 1


def _calibration(
    folder: Path | None, algorithm: str, stored: Path | None, options: dict[str, Any]
) -> Calibration:
    if stored is not None:
        return Calibration.load(stored)
    if folder is None:
        from fingerprint.calibration import calibration_of

        return calibration_of(algorithm)
    from fingerprint.evaluate.calibrate import calibrate

    with share_bar("calibrating") as show:
        try:
            return calibrate(folder, algorithm, progress=show, **options)
        except ValueError as error:  # Too few pictures, say.
            raise click.ClickException(str(error)) from error


def _write_plots(calibration: Calibration, folder: Path) -> None:
    from fingerprint.evaluate.calibration_plots import calibration_plots
    from fingerprint.evaluate.drawing import write_privately

    folder.mkdir(parents=True, exist_ok=True)
    for name, data in calibration_plots(calibration).items():
        write_privately(folder / f"{name}.png", data)
    click.echo(f"wrote plots to {folder}", err=True)


def _cells(
    calibration: Calibration, sizes: tuple[int, ...], rates: tuple[float, ...]
) -> list[dict[str, Any]]:
    names = [name for name in ("same-domain", "diverse") if name in calibration.strata]
    cells = []
    for stratum in names:
        for size in sizes:
            for rate in rates:
                cell: dict[str, Any] = {
                    "stratum": stratum,
                    "database_size": size,
                    "false_positives_per_query": rate,
                }
                try:
                    advice = calibration.radius(rate, size, stratum=stratum)
                except CalibrationRangeError as error:
                    cell |= {"radius": None, "why": str(error)}
                else:
                    cell |= {
                        "radius": advice.radius,
                        "low": advice.low,
                        "high": advice.high,
                        "extrapolated": advice.extrapolated,
                        "note": advice.note,
                    }
                cells.append(cell)
    return cells


def _as_json(calibration: Calibration, cells: list[dict[str, Any]]) -> dict[str, Any]:
    facts = ("algorithm", "bits", "made_on", "made_from", "pictures", "set_aside", "notes")
    return {**{name: getattr(calibration, name) for name in facts}, "radii": cells}


def _print(
    calibration: Calibration,
    cells: list[dict[str, Any]],
    sizes: tuple[int, ...],
    rates: tuple[float, ...],
) -> None:
    by_place = {
        (c["stratum"], c["database_size"], c["false_positives_per_query"]): c for c in cells
    }
    for stratum in dict.fromkeys(c["stratum"] for c in cells):
        what = "pictures of one domain" if stratum == "same-domain" else "diverse pictures"
        one = calibration.strata[stratum]
        title = f"Radius of {calibration.algorithm}, {what}: {counted(one.pairs, 'pair')}"
        table = Table(title=title, title_justify="left")
        table.add_column("hashes in the database", justify="right")
        for rate in rates:
            table.add_column(f"{rate:g} false a query", justify="right")
        for size in sizes:
            row = [_written(by_place[stratum, size, rate]) for rate in rates]
            table.add_row(f"{size:,}", *row)
        console.print(table)
    console.print(
        "In bits, inclusive, with the 95 % interval: its lower end is the careful choice. "
        "~ is extrapolated by a fitted tail; — is farther out than the measurements carry.",
        soft_wrap=True,
    )
    errors.print(
        f"{shown(calibration.made_from)}, {shown(calibration.made_on)}: "
        f"{counted(calibration.pictures, 'picture')} compared, {calibration.set_aside} set "
        f"aside as near-duplicates, {calibration.unreadable} unreadable",
        markup=False,
        soft_wrap=True,
    )
    for note in calibration.notes:
        errors.print(shown(note), markup=False, soft_wrap=True)


def _written(cell: dict[str, Any]) -> str:
    if cell["radius"] is None:
        return "—"
    low = "none" if cell["low"] < 0 else cell["low"]
    return f"{'~' if cell['extrapolated'] else ''}{cell['radius']} ({low} to {cell['high']})"
