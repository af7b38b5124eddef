"""``fingerprint index search``."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Literal

import click
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import (
    console,
    errors,
    existing_paths,
    find_pictures,
    hash_with_progress,
    hashing_options,
    report_failures,
    shown,
)
from fingerprint.cli.index.options import (
    check_radius,
    index_argument,
    key_value_option,
    residency_option,
)

__all__ = ["search"]

_MATCHES_SHOWN = 10


@click.command()
@index_argument
@existing_paths
@hashing_options
@click.option("--radius", type=click.IntRange(0), help="Bits; the algorithm's by default.")
@click.option("-k", "nearest", type=click.IntRange(1), help="The k nearest, however far.")
@key_value_option("--where", "Only entries whose metadata say so.")
@residency_option
@click.option("--turned", is_flag=True, help="Also look for turned and mirrored copies.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a picture and line.")
def search(
    index_path: Path,
    paths: tuple[Path, ...],
    radius: int | None,
    nearest: int | None,
    where: dict[str, Any],
    residency: Literal["mmap", "huge"],
    turned: bool,
    as_json: bool,
    all_files: bool,
    **options: Any,
) -> int:
    """Look up pictures in an index.

    Exit status 0 when something matched, 1 when nothing did, 2 when a picture
    could not be read or has too little in it.
    """
    if nearest is not None and radius is not None:
        raise click.UsageError("--radius and -k exclude each other")
    wanted = where or None
    with fp.Index.open(index_path, read_only=True, residency=residency) as index:
        check_radius(index, radius)
        pictures = list(find_pictures(paths, all_files=all_files))
        queries, failures = _queries(index, pictures, turned=turned, options=options)
        hashes = [query for _, query in queries]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fp.LowQualityWarning)  # Said picture by picture below.
            if nearest is None:
                found = index.within_many(hashes, radius, where=wanted)
            else:
                found = index.nearest_many(hashes, nearest, where=wanted)
        any_low = _print_found(index, queries, found, failures, as_json=as_json)
    report_failures(failures)
    return 2 if failures or any_low else 0 if any(found) else 1


def _print_found(
    index: fp.Index,
    queries: list[tuple[str, Any]],
    found: list[list[fp.Match]],
    failures: list[fp.Failure],
    *,
    as_json: bool,
) -> bool:
    """Print what was found; return whether a picture had too little in it."""
    table = Table()
    for heading in ("picture", "match", "distance", "view", "quality"):
        right = heading in {"distance", "quality"}
        table.add_column(heading, overflow="fold", justify="right" if right else "left")
    any_low = False
    for (picture, query), matches in zip(queries, found, strict=True):
        quality = _quality(query)
        low = quality < index.min_quality
        any_low = any_low or low
        if as_json:
            record = {"source": picture, "quality": quality, "low_quality": low}
            click.echo(json.dumps({**record, "matches": [_as_dict(m) for m in matches]}))
        else:
            _add_rows(table, picture, matches, low=low)
    if as_json:
        for failure in failures:
            click.echo(json.dumps({"source": failure.source, "error": str(failure.error)}))
    else:
        console.print(table)
    return any_low


def _quality(query: fp.Hash | dict[str, fp.Hash]) -> int:
    one = query if isinstance(query, fp.Hash) else query["identity"]
    return one.quality or 0


def _add_rows(table: Table, picture: str, matches: list[fp.Match], *, low: bool) -> None:
    name = shown(picture)
    if low:
        table.add_row(name, "[yellow]too little in it: a match means nothing[/yellow]", "", "", "")
    for match in matches[:_MATCHES_SHOWN]:
        quality = "?" if match.quality is None else str(match.quality)
        table.add_row(name, shown(match.id), str(match.distance), match.transform, quality)
    if len(matches) > _MATCHES_SHOWN:
        more = len(matches) - _MATCHES_SHOWN
        table.add_row(name, f"… and {more} more; --json gives all", "", "", "")
    if not matches and not low:
        table.add_row(name, "no match", "", "", "")


def _queries(
    index: fp.Index, pictures: list[str], *, turned: bool, options: dict[str, Any]
) -> tuple[list[tuple[str, Any]], list[fp.Failure]]:
    if not turned:
        results = list(hash_with_progress(pictures, index.algorithm, **options))
        good = [(r.source, r.hash) for r in results if isinstance(r, fp.HashedImage)]
        return good, [r for r in results if isinstance(r, fp.Failure)]
    options = {k: v for k, v in options.items() if k != "workers"}
    views: list[tuple[str, Any]] = []
    failures = []
    with errors.status("hashing"):
        for picture in pictures:
            try:
                views.append((picture, fp.hash_dihedral(picture, index.algorithm, **options)))
            except fp.DecodeError as error:
                failures.append(fp.Failure(picture, error))
    return views, failures


def _as_dict(match: fp.Match) -> dict[str, Any]:
    return {
        "id": match.id,
        "distance": match.distance,
        "quality": match.quality,
        "transform": match.transform,
        "metadata": dict(match.metadata),
    }
