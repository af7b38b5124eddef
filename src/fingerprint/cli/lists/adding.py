"""``fingerprint list add``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import fingerprint as fp
from fingerprint.cli.common import (
    console,
    counted,
    errors,
    existing_paths,
    printable,
    progress_bar,
    report_failures,
    shown,
)
from fingerprint.cli.lists.files import find_media
from fingerprint.cli.lists.hashing import record_of_file
from fingerprint.cli.lists.options import by_option, changing, json_option, list_argument
from fingerprint.cli.lists.reporting import tell
from fingerprint.lists import Record

__all__ = ["add"]

_IDS_SHOWN = 20

_EPILOG = """\b
Examples:
  fingerprint list add known case-17.jpg --source hotline --id 17 --by ana --category A
  fingerprint list add known new/ --source hotline --by ana --flag self-generated --views
"""


@click.command(epilog=_EPILOG)
@list_argument
@existing_paths
@by_option
@click.option("--source", required=True, metavar="NAME", help="Whose records they become.")
@click.option(
    "--id",
    "record_id",
    metavar="ID",
    help="Of the record, for one file; otherwise made from its bytes, so that the same file "
    "again is the same record.",
)
@click.option("--category", default="", help="In your own words; kept verbatim.")
@click.option("--severity", default="", help="In your own scale.")
@click.option("--flag", "flags", multiple=True, metavar="FLAG", help="Such as grid. Repeatable.")
@click.option(
    "--views",
    is_flag=True,
    help="Also store views of each picture, some 45 hashes: found when a large part is cut off.",
)
@click.option(
    "--min-quality",
    type=click.IntRange(0, 100),
    default=50,
    show_default=True,
    help="Of a PDQ hash; below it only digests are stored: it would match by chance.",
)
@click.option("--all-files", is_flag=True, help="In folders, try files of any suffix.")
@json_option
def add(
    list_path: Path,
    paths: tuple[Path, ...],
    by: str,
    source: str,
    record_id: str | None,
    all_files: bool,
    as_json: bool,
    views: bool,
    min_quality: int,
    **said: Any,
) -> int:
    """Hash pictures and videos, and add them to a list as records.

    Of pictures MD5, SHA-1, SHA-256 and PDQ are stored, of videos the digests and vPDQ; never
    the files, nor their names. All are one change. Says which record each file became.

    Exit status 2 when a file could not be read; the others are added.
    """
    hint = "--all-files tries them"
    files = list(find_media(paths, all_files=all_files, hint=hint))
    if not files:
        raise click.UsageError("no pictures and videos found; --all-files tries any suffix")
    if record_id is not None and len(files) > 1:
        raise click.UsageError(f"--id: is for one file, got {len(files)}")
    failures: list[fp.Failure] = []
    options = {"views": views, "min_quality": min_quality, **said}
    with changing(list_path) as found:
        # One change: hashed before the list is written, so that nobody waits for its lock.
        made = list(_records(files, source, record_id, options, failures))
        if made:
            report = found.add([record for _, record in made], by=by)
            ids = [{"file": file, "record_id": record.record_id} for file, record in made]
            more = {"source": source, "ids": ids}
            tell(report, len(found), as_json=as_json, more=more)
            if not as_json:
                _tell_ids(made)
    report_failures(failures)
    return 2 if failures else 0


def _tell_ids(made: list[tuple[str, Record]]) -> None:
    for file, record in made[:_IDS_SHOWN]:
        console.print(f"{shown(' '.join(record.key))}  {shown(file)}", soft_wrap=True)
    if len(made) > _IDS_SHOWN:
        console.print(f"… and {counted(len(made) - _IDS_SHOWN, 'id')} more; --json gives all")


def _records(
    files: list[str],
    source: str,
    record_id: str | None,
    options: dict[str, Any],
    failures: list[fp.Failure],
) -> Iterator[tuple[str, Record]]:
    with progress_bar() as bar:
        for file in bar.track(files, description="hashing"):
            try:
                hashed = record_of_file(file, source, record_id, **options)
            except fp.DecodeError as error:
                failures.append(fp.Failure(file, error))
                continue
            if hashed.note:
                errors.print(
                    f"{printable(file)}: {printable(hashed.note)}", markup=False, soft_wrap=True
                )
            yield file, hashed.record
