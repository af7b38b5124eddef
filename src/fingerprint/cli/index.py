"""``fingerprint index``."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import click
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import (
    algorithm_option,
    console,
    errors,
    existing_paths,
    find_pictures,
    hash_with_progress,
    hashing_options,
    report_failures,
    shown,
)

__all__ = ["command"]

_MATCHES_SHOWN = 10

_index_argument = click.argument("index_path", metavar="INDEX", type=click.Path(path_type=Path))


@click.group()
def command() -> None:
    """Keep hashes under ids and look up what is near.

    Only hashes, ids and metadata are stored, never pictures.
    """


@command.command()
@_index_argument
@algorithm_option
@click.option("--backend", default="auto", show_default=True, help="How it is searched.")
def create(index_path: Path, algorithm: str, backend: str) -> None:
    """Make an empty index."""
    with fp.Index.create(index_path, algorithm, backend=backend) as index:
        click.echo(f"made {index_path}: {index.algorithm}, {index.bits} bits")


@command.command()
@_index_argument
@existing_paths
@hashing_options
@click.option(
    "--existing",
    type=click.Choice(["skip", "replace", "error"]),
    default="skip",
    show_default=True,
    help="What to do with paths that are in the index already.",
)
def add(
    index_path: Path, paths: tuple[Path, ...], existing: str, all_files: bool, **options: Any
) -> int:
    """Hash pictures into an index; their paths are the ids.

    All that could be read is added in one step, or nothing when the index cannot
    be written. Exit status 2 when a picture could not be read.
    """
    with fp.Index.open(index_path) as index:
        return _add(index, paths, existing, all_files, options)


def _add(
    index: fp.Index,
    paths: tuple[Path, ...],
    existing: str,
    all_files: bool,
    options: dict[str, Any],
) -> int:
    pictures = list(dict.fromkeys(find_pictures(paths, all_files=all_files)))
    known = [p for p in pictures if p in index]
    if known and existing == "error":
        raise fp.DuplicateIdError(f"{len(known)} paths are in the index already: {known[0]}, …")
    if existing == "skip":
        pictures = [p for p in pictures if p not in index]
    results = list(hash_with_progress(pictures, index.algorithm, **options))
    failures = [r for r in results if isinstance(r, fp.Failure)]
    hashed = []
    for result in results:
        if isinstance(result, fp.HashedImage):
            if _is_utf8(result.source):
                hashed.append(result)
            else:
                error = fp.DecodeError(result.source, "its name is not UTF-8: no id for an index")
                failures.append(fp.Failure(result.source, error))
    if hashed:
        index.upsert([r.source for r in hashed], [r.hash for r in hashed])
    skipped = f", {len(known)} were there already" if known and existing == "skip" else ""
    click.echo(f"added {len(hashed)} pictures{skipped}; {len(index)} entries now")
    report_failures(failures)
    return 2 if failures else 0


@command.command()
@_index_argument
@existing_paths
@hashing_options
@click.option("--radius", type=click.IntRange(0), help="Bits; the algorithm's by default.")
@click.option("-k", "nearest", type=click.IntRange(1), help="The k nearest, however far.")
@click.option("--turned", is_flag=True, help="Also look for turned and mirrored copies.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a picture and line.")
def search(
    index_path: Path,
    paths: tuple[Path, ...],
    radius: int | None,
    nearest: int | None,
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
    with fp.Index.open(index_path, read_only=True) as index:
        if radius is not None and radius > index.bits:
            raise click.UsageError(f"--radius: {index.algorithm} has {index.bits} bits")
        pictures = list(find_pictures(paths, all_files=all_files))
        queries, failures = _queries(index, pictures, turned=turned, options=options)
        hashes = [query for _, query in queries]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fp.LowQualityWarning)  # Said picture by picture below.
            if nearest is None:
                found = index.within_many(hashes, radius)
            else:
                found = index.nearest_many(hashes, nearest)
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


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


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


@command.command()
@_index_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def info(index_path: Path, as_json: bool) -> None:
    """Say what an index holds and how it is searched."""
    with fp.Index.open(index_path, read_only=True) as index:
        facts = index.info()
    if as_json:
        click.echo(json.dumps(facts))
        return
    table = Table(show_header=False)
    for name, value in facts.items():
        table.add_row(name, f"{value:,}" if type(value) is int else str(value))
    console.print(table)


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
