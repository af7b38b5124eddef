"""``fingerprint hash``."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import fingerprint as fp
from fingerprint.cli.common import (
    algorithm_option,
    existing_paths,
    find_pictures,
    hash_with_progress,
    hashing_options,
    printable,
    report_failures,
)

__all__ = ["command"]


@click.command()
@existing_paths
@algorithm_option
@hashing_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header.")
def command(
    paths: tuple[Path, ...],
    algorithm: str,
    as_json: bool,
    as_csv: bool,
    all_files: bool,
    **options: Any,
) -> int:
    """Hash pictures: files, and folders with all that is below them.

    Exit status 2 when a picture could not be read; the others are printed.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    pictures = list(find_pictures(paths, all_files=all_files))
    if not pictures:
        raise click.UsageError("no pictures found; --all-files tries files of any suffix")
    failures: list[fp.Failure] = []
    show = _show_json if as_json else _csv_shower() if as_csv else _table_shower(algorithm)
    for row in _rows(pictures, algorithm, options):
        if isinstance(row, fp.Failure):
            failures.append(row)
            if as_json:
                click.echo(json.dumps({"source": row.source, "error": str(row.error)}))
        else:
            show(row)
    report_failures(failures)
    return 2 if failures else 0


def _rows(
    pictures: list[str], algorithm: str, options: dict[str, Any]
) -> Iterator[dict[str, Any] | fp.Failure]:
    chosen = fp.get_algorithm(algorithm)
    if isinstance(chosen, fp.SegmentAlgorithm):
        yield from _segment_rows(pictures, algorithm, options)
        return
    for result in hash_with_progress(pictures, algorithm, beside_rows=True, **options):
        if isinstance(result, fp.Failure):
            yield result
        else:
            yield {
                "source": result.source,
                "algorithm": algorithm,
                "hash": result.hash.hex,
                "quality": result.hash.quality,
            }


def _segment_rows(
    pictures: list[str], algorithm: str, options: dict[str, Any]
) -> Iterator[dict[str, Any] | fp.Failure]:
    options = {k: v for k, v in options.items() if k != "workers"}
    for picture in pictures:
        try:
            segments = fp.hash_segments(picture, algorithm, **options)
        except fp.DecodeError as error:
            yield fp.Failure(picture, error)
        else:
            yield {
                "source": picture,
                "algorithm": algorithm,
                "hash": str(segments),
                "quality": int(segments.segments.quality.max()),
            }


def _show_json(row: dict[str, Any]) -> None:
    click.echo(json.dumps(row))


def _csv_shower() -> Any:
    writer = csv.writer(sys.stdout)
    writer.writerow(["source", "algorithm", "hash", "quality"])
    return lambda row: writer.writerow(row.values())


def _table_shower(algorithm: str) -> Any:
    width = (fp.get_algorithm(algorithm).bits + 3) // 4
    click.echo(f"{'hash':<{width}}  quality  picture")

    def show(row: dict[str, Any]) -> None:
        picture = printable(row["source"])
        click.echo(f"{row['hash']:<{width}}  {row['quality']:>7}  {picture}")

    return show
