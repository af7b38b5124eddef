"""``fingerprint index search``."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Literal, NamedTuple

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
    progress_bar,
    report_failures,
    shown,
)
from fingerprint.cli.index.options import (
    check_radius,
    index_argument,
    key_value_option,
    residency_option,
    without_fidelity,
)
from fingerprint.views.hashing import families_of
from fingerprint.views.search import radii_of

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
@click.option(
    "--views",
    is_flag=True,
    help="Also look for cropped, turned, framed … copies; see `fingerprint views`.",
)
@click.option(
    "--family",
    "families",
    multiple=True,
    metavar="NAME",
    help="With --views: this family of views alone. Repeatable.",
)
@click.option("--thorough", is_flag=True, help="With --views: all views, also once one matched.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a picture and line.")
def search(
    index_path: Path,
    paths: tuple[Path, ...],
    radius: int | None,
    nearest: int | None,
    where: dict[str, Any],
    residency: Literal["mmap", "huge"],
    turned: bool,
    views: bool,
    families: tuple[str, ...],
    thorough: bool,
    as_json: bool,
    all_files: bool,
    **options: Any,
) -> int:
    """Look up pictures in an index.

    With --views each family of views has its own radius, --radius is that of all.

    Exit status 0 when something matched, 1 when nothing did, 2 when a picture
    could not be read or has too little in it.
    """
    if nearest is not None and radius is not None:
        raise click.UsageError("--radius and -k exclude each other")
    if views and (turned or nearest is not None):
        raise click.UsageError(f"--views and {'--turned' if turned else '-k'} exclude each other")
    if not views and (families or thorough):
        raise click.UsageError(f"{'--family' if families else '--thorough'} needs --views")
    wanted = where or None
    with fp.Index.open(index_path, read_only=True, residency=residency) as index:
        check_radius(index, radius)
        pictures = list(find_pictures(paths, all_files=all_files))
        if views:
            answers, failures = _by_views(
                index,
                pictures,
                without_fidelity(options),
                families=families or None,
                radius=radius,
                where=wanted,
                thorough=thorough,
            )
        else:
            queries, failures = _queries(index, pictures, turned=turned, options=options)
            answers = _by_hashes(index, queries, radius, nearest, wanted)
        any_low = _print_found(index, answers, failures, as_json=as_json)
    report_failures(failures)
    return 2 if failures or any_low else 0 if any(one.matches for one in answers) else 1


class _Answer(NamedTuple):
    """A picture, its quality and what it matches."""

    picture: str
    quality: int
    matches: list[fp.Match]


def _by_hashes(
    index: fp.Index,
    queries: list[tuple[str, Any]],
    radius: int | None,
    nearest: int | None,
    where: dict[str, Any] | None,
) -> list[_Answer]:
    """Look up hashes, all at once."""
    hashes = [query for _, query in queries]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fp.LowQualityWarning)  # Said picture by picture.
        if nearest is None:
            found = index.within_many(hashes, radius, where=where)
        else:
            found = index.nearest_many(hashes, nearest, where=where)
    return [
        _Answer(picture, _quality(query), matches)
        for (picture, query), matches in zip(queries, found, strict=True)
    ]


def _by_views(
    index: fp.Index, pictures: list[str], options: dict[str, Any], **search: Any
) -> tuple[list[_Answer], list[fp.Failure]]:
    """Look up pictures by their views, one after another."""
    known = fp.ImageIndex.over(index)
    _check_search(index, search)
    answers, failures = [], []
    with warnings.catch_warnings(), progress_bar() as bar:
        warnings.simplefilter("ignore", fp.LowQualityWarning)
        for picture in bar.track(pictures, description="looking up"):
            try:
                pixels = fp.decode(picture, **options).array
            except fp.DecodeError as error:
                failures.append(fp.Failure(picture, error))
                continue
            quality = fp.hash_image(pixels, index.algorithm).quality or 0
            answers.append(_Answer(picture, quality, known.search(pixels, **search)))
    return answers, failures


def _check_search(index: fp.Index, search: dict[str, Any]) -> None:
    """Refuse families that are not there, and an algorithm without a radius."""
    try:
        radii_of(families_of(search["families"], "query"), index, search["radius"], None)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _print_found(
    index: fp.Index,
    answers: list[_Answer],
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
    for picture, quality, matches in answers:
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
