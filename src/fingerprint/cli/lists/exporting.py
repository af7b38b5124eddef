"""``fingerprint list export``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from fingerprint.cli.common import console, counted, errors, progress_bar, shown
from fingerprint.cli.lists.file_formats import format_to_write
from fingerprint.cli.lists.options import list_argument
from fingerprint.lists import HashList, Record

__all__ = ["export"]

_EPILOG = """\b
Examples:
  fingerprint list export known all.jsonl.zst
  fingerprint list export known report.cybertip --source hotline --id 17
"""


@click.command(epilog=_EPILOG)
@list_argument
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--format",
    "chosen",
    metavar="NAME",
    help="One of `fingerprint list formats`; by suffix otherwise.",
)
@click.option("--source", metavar="NAME", help="Only records of this source and its parts.")
@click.option(
    "--id", "ids", multiple=True, metavar="ID", help="Only this record of --source. Repeatable."
)
def export(
    list_path: Path, path: str, chosen: str | None, source: str | None, ids: tuple[str, ...]
) -> None:
    """Write records to a file, whole hashes and all.

    It takes the place of one that is there, and is readable by its owner alone. Names that
    end in .gz or .zst are packed. To hand a list to another party, `fingerprint list sign`
    makes a file whose origin can be verified. FILE - is standard output, for formats of text.
    """
    from fingerprint.lists.reading import write_list

    if ids and source is None:
        raise click.UsageError("--id: needs --source")
    form = format_to_write(path, chosen)
    if path == "-" and form.name == "parquet":
        raise click.UsageError("-: parquet is no text: write it to a file")
    if path != "-" and Path(path).resolve().is_relative_to(list_path.resolve()):
        raise click.UsageError("FILE: lies in LIST, which keeps its own files there")
    with HashList.open(list_path, read_only=True) as found, progress_bar() as bar:

        def records() -> Iterator[Record]:
            every = (found.get(source or "", one) for one in ids) if ids else found.records(source)
            task = bar.add_task("writing", total=None if source else len(found))
            for done, record in enumerate(every, 1):
                yield record
                if done % 1024 == 0:
                    bar.update(task, completed=done)

        if path == "-":
            n = form.write(records(), sys.stdout.buffer) if form.write is not None else 0
            sys.stdout.flush()
        else:
            n = write_list(records(), path, form.name)
    said = errors if path == "-" else console
    where = "standard output" if path == "-" else shown(path)
    said.print(f"wrote {counted(n, 'record')} to {where}", soft_wrap=True)
