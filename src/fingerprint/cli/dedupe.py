"""``fingerprint dedupe``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import (
    algorithm_option,
    console,
    errors,
    find_pictures,
    hash_with_progress,
    hashing_options,
    printable,
    progress_bar,
    report_failures,
    shown,
)

__all__ = ["command"]

_CLUSTERS_SHOWN = 25
_TILES_A_ROW = 12


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@algorithm_option
@click.option("--radius", type=click.IntRange(0), help="Bits; the algorithm's by default.")
@hashing_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a cluster and line.")
@click.option(
    "--html",
    "sheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page with small copies of the pictures to look at.",
)
def command(
    folder: Path,
    algorithm: str,
    radius: int | None,
    as_json: bool,
    sheet: Path | None,
    all_files: bool,
    **options: Any,
) -> int:
    """Find the near-duplicates in a folder and all that is below it.

    Pictures with too little in them are left out, and counted: any two blank
    pictures are alike. Exit status 1 when there are no duplicates, 2 when a
    picture could not be read.
    """
    chosen = fp.get_algorithm(algorithm)
    radius = chosen.radius.bits if radius is None else radius
    if radius > chosen.bits:
        raise click.UsageError(f"--radius: {algorithm} has {chosen.bits} bits")
    if sheet is not None and not sheet.absolute().parent.is_dir():
        raise click.UsageError(f"--html: there is no folder {sheet.absolute().parent}")
    pictures = list(find_pictures([folder], all_files=all_files))
    results = list(hash_with_progress(pictures, algorithm, **options))
    failures = [r for r in results if isinstance(r, fp.Failure)]
    hashed = [r for r in results if isinstance(r, fp.HashedImage)]
    clusters, n_low = _clusters(hashed, radius, chosen.min_quality, options["workers"])
    names = [[hashed[row].source for row in cluster.rows] for cluster in clusters]
    if as_json:
        for cluster, members in zip(clusters, names, strict=True):
            click.echo(json.dumps({"pictures": members, "widest_distance": cluster.widest}))
    else:
        _print_clusters(clusters, names)
    copies = sum(len(members) - 1 for members in names)
    errors.print(
        f"{len(hashed)} pictures; groups of near-duplicates within {radius} of "
        f"{chosen.bits} bits: {len(clusters)}, with {copies} surplus pictures"
        + (f"; {n_low} left out: too little in them" if n_low else "")
    )
    if sheet is not None:
        _write_sheet(sheet, folder, clusters, names)
        click.echo(f"wrote {sheet}: it holds small copies of the pictures", err=True)
    report_failures(failures)
    return 2 if failures else 0 if clusters else 1


def _clusters(
    hashed: list[fp.HashedImage], radius: int, min_quality: int, workers: int | None
) -> tuple[list[fp.Cluster], int]:
    if not hashed:
        return [], 0
    hashes = fp.HashArray.from_hashes(h.hash for h in hashed)
    with progress_bar() as bar:
        task = bar.add_task("comparing", total=100)
        clusters = fp.cluster(
            hashes,
            radius,
            min_quality=min_quality,
            workers=workers,
            progress=lambda share: bar.update(task, completed=round(100 * share)),
        )
    return clusters, int(((hashes.quality >= 0) & (hashes.quality < min_quality)).sum())


def _print_clusters(clusters: list[fp.Cluster], names: list[list[str]]) -> None:
    if not clusters:
        return
    table = Table(title="Near-duplicates", title_justify="left", show_lines=True)
    table.add_column("pictures", justify="right")
    table.add_column("widest", justify="right")
    table.add_column("paths", overflow="fold")
    for cluster, members in list(zip(clusters, names, strict=True))[:_CLUSTERS_SHOWN]:
        table.add_row(str(len(members)), str(cluster.widest), "\n".join(shown(m) for m in members))
    console.print(table)
    if len(clusters) > _CLUSTERS_SHOWN:
        console.print(f"… and {len(clusters) - _CLUSTERS_SHOWN} more groups; --json gives all")


def _write_sheet(
    path: Path, folder: Path, clusters: list[fp.Cluster], names: list[list[str]]
) -> None:
    from fingerprint.evaluate.sheet import Row, Tile, thumbnail, write_html

    rows = []
    for cluster, members in zip(clusters, names, strict=True):
        tiles = [
            Tile(
                thumbnail(fp.decode(member).array),
                (printable(str(Path(member).relative_to(folder))),),
            )
            for member in members[:_TILES_A_ROW]
        ]
        label = f"{len(members)} pictures, at most {cluster.widest} bits from the first"
        rows.append(Row(label, tuple(tiles)))
    note = "Each row hangs together by pairs within the radius; look before you delete."
    write_html(path, f"Near-duplicates in {folder}", note, rows)


def _name_below(folder: Path, member: str) -> str:
    return printable(str(Path(member).relative_to(folder)))
