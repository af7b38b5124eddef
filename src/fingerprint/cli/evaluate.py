"""``fingerprint evaluate``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import TaskID
from rich.table import Table

from fingerprint.cli.common import (
    FAILURES_SHOWN,
    console,
    counted,
    errors,
    printable,
    progress_bar,
    shown,
)
from fingerprint.evaluate.report import OperatingPoint, RobustnessReport
from fingerprint.evaluate.report_words import (
    headline,
    point_words,
    radius_words,
    rate_words,
    rows_by_transform,
    share_words,
    source_words,
)

__all__ = ["command"]

_GOOD, _FAIR = 0.95, 0.5
_DEFAULT_OUT = "robustness-report"


def _parsed_radii(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, list[int]]:
    """Read "50" and "phash=12"; the former under the empty name."""
    radii: dict[str, list[int]] = {}
    for value in values:
        name, _equals, bits = value.rpartition("=")
        if not (bits.isascii() and bits.isdigit()):
            raise click.BadParameter(f"expected BITS or NAME=BITS, got {value!r}")
        radii.setdefault(name, []).append(int(bits))
    return radii


@click.command()
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "-a",
    "--algorithm",
    "algorithms",
    multiple=True,
    default=("pdq",),
    show_default=True,
    metavar="NAME",
    help="Of `fingerprint algorithms`; with views, pdq+views and pdq+reference-views; or a "
    "peer's, such as imagehash.phash:16. May be repeated.",
)
@click.option(
    "-e",
    "--edit",
    "edits",
    multiple=True,
    metavar="EDIT",
    help="Such as crop:0.05+jpeg:50; may be repeated. All of `fingerprint transforms` by default.",
)
@click.option("--quick", is_flag=True, help="One strength of every transform.")
@click.option(
    "--radius",
    "radii",
    multiple=True,
    metavar="[NAME=]BITS",
    callback=_parsed_radii,
    help="Look there, too, for one algorithm or for all; may be repeated.",
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=(1e-6,),
    show_default=True,
    help="Look at the largest radius with this share of false pairs; may be repeated.",
)
@click.option(
    "--peers/--no-peers",
    default=False,
    show_default=True,
    help="Beside imagehash and pdqhash, where installed: slower.",
)
@click.option(
    "--half",
    type=click.Choice(["all", "tune", "report"]),
    default="all",
    show_default=True,
    help="Which pictures, by their names: tune on one half, report on the other.",
)
@click.option(
    "--distractors",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of further pictures to compare with.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--limit", type=click.IntRange(2), help="At most so many pictures, by chance.")
@click.option(
    "--max-side", type=click.IntRange(16), help="Make larger pictures so large; 1024 pixels."
)
@click.option("--workers", type=click.IntRange(1), help="Threads; all processors.")
@click.option("--groups", is_flag=True, help="List the pictures that show the same.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(_DEFAULT_OUT),
    show_default=True,
    help="Folder for the report; run again to go on where it was stopped.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, not as tables.")
def command(
    folder: Path | None,
    algorithms: tuple[str, ...],
    edits: tuple[str, ...],
    quick: bool,
    radii: dict[str, list[int]],
    rates: tuple[float, ...],
    out: Path,
    groups: bool,
    as_json: bool,
    max_side: int | None,
    **options: Any,
) -> int:
    """Measure how far hashes survive editing, on the pictures in a folder.

    Every picture is edited in many ways, and each copy is looked for among all pictures:
    which share is found, and how often another picture is taken for it? Without a folder,
    generated pictures take part.

    Exit status 2 when a picture could not be read.
    """
    from fingerprint.evaluate.plots import require_matplotlib
    from fingerprint.evaluate.robustness import MAX_SIDE_PX, evaluate
    from fingerprint.evaluate.transforms import default_edits

    require_matplotlib()
    if quick and edits:
        raise click.UsageError("--quick and --edit: expected one of the two")
    names = tuple(dict.fromkeys(algorithms))
    try:
        with _bars() as tell:
            report = evaluate(
                folder,
                names,
                edits=edits or default_edits(quick=quick),
                radii=_by_name(radii, names),
                false_positive_rates=tuple(dict.fromkeys(rates)),
                max_side_px=max_side or MAX_SIDE_PX,
                state=out / "state",
                progress=tell,
                **options,
            )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    page = report.write(out)
    if as_json:
        click.echo(report.to_json())
    else:
        _print(report, page, groups=groups)
    _print_failures(report)
    return 2 if report.failures else 0


def _by_name(radii: dict[str, list[int]], names: tuple[str, ...]) -> Any:
    """Return radii for `evaluate`: for all contenders, or by their names."""
    if set(radii) <= {""}:
        return radii.get("", [])
    unknown = set(radii) - {"", *names}
    if unknown:
        raise click.UsageError(
            f"--radius: expected one of {', '.join(names)}, got {printable(sorted(unknown)[0])}"
        )
    return {name: [*radii.get("", []), *radii.get(name, [])] for name in names}


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar for each thing that is done, with the time left."""
    with progress_bar() as bar:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        yield tell


def _print(report: RobustnessReport, page: Path, *, groups: bool) -> None:
    point = headline(report)
    told = (
        f"{source_words(report)}, {len(report.edits)} edits, {report.n_distractors:,} distractors"
    )
    console.print(told, markup=False, soft_wrap=True)
    table = Table()
    for heading in ("", "at", "radius", "recall %", "false-positive rate (95 %)", "precision %"):
        table.add_column(heading, justify="left" if heading in {"", "at"} else "right")
    for contender in report.contenders:
        for i, one in enumerate(contender.points):
            table.add_row(
                "" if i else shown(contender.name),
                point_words(one),
                f"{radius_words(one)} of {contender.bits}",
                _coloured(one.recall),
                rate_words(one.rate, one.rate_low, one.rate_high),
                "–" if one.precision is None else share_words(one.precision),
                end_section=i == len(contender.points) - 1,
            )
    console.print(table)
    told = f"% found by transform, mean over its strengths, at {point_words(point)}:"
    console.print(told, markup=False, soft_wrap=True)
    console.print(_by_transform(report, point))
    for note in (point.note, *report.notes):
        if note:
            console.print(f"note: {printable(note)}", markup=False, soft_wrap=True)
    if report.groups:
        console.print(
            f"{counted(len(report.groups), 'group')} of pictures that show the same: "
            f"{counted(report.n_left_out, 'pair')} left out"
            f"{':' if groups else ' (--groups lists them)'}"
        )
        if groups:
            _print_groups(report)
    console.print(f"report: {printable(os.fspath(page))}", markup=False, soft_wrap=True)


def _by_transform(report: RobustnessReport, point: OperatingPoint) -> Table:
    """Return recall by transform, the first contender's worst first."""
    table = Table()
    table.add_column("transform")
    for contender in report.contenders:
        radius = radius_words(contender.point(point.name))
        under = "no radius" if radius == "none" else f"≤ {radius}"
        table.add_column(f"{shown(contender.name)}\n{under}", justify="right")
    rows = rows_by_transform(report, point.name)
    for name, shares in sorted(rows.items(), key=lambda row: row[1][0].share):
        table.add_row(shown(name), *(_coloured(one.share) for one in shares))
    return table


def _coloured(share: float) -> str:
    colour = "green" if share >= _GOOD else "yellow" if share >= _FAIR else "red"
    return f"[{colour}]{share_words(share)}[/{colour}]"


def _print_groups(report: RobustnessReport) -> None:
    for group in report.groups:
        console.print(f"  {', '.join(map(printable, group))}", markup=False, soft_wrap=True)


def _print_failures(report: RobustnessReport) -> None:
    if not report.failures:
        return
    errors.print(f"[red]{len(report.failures)} could not be read:[/red]")
    for _, reason in report.failures[:FAILURES_SHOWN]:
        errors.print(f"  {printable(reason)}", markup=False, soft_wrap=True)
    if len(report.failures) > FAILURES_SHOWN:
        errors.print(f"  … and {len(report.failures) - FAILURES_SHOWN} more")
