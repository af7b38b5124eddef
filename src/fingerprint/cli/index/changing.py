"""``fingerprint index remove`` and ``compact``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import fingerprint as fp
from fingerprint.cli.common import errors, few
from fingerprint.cli.index.options import (
    index_argument,
    nbytes_text,
    segments_text,
    view_ids,
)

__all__ = ["compact", "remove"]


@click.command()
@index_argument
@click.argument("ids", nargs=-1)
@click.option(
    "--from",
    "lists",
    multiple=True,
    metavar="FILE",
    type=click.Path(allow_dash=True, path_type=Path),
    help="A file with an id a line; - for standard input. Repeatable.",
)
@click.option("--missing-ok", is_flag=True, help="Pass over ids that are not there.")
def remove(
    index_path: Path, ids: tuple[str, ...], lists: tuple[Path, ...], missing_ok: bool
) -> None:
    """Remove entries, and the views that were stored with them, all in one step.

    Searches stop finding them at once; `compact` takes them off the disk. When an id is
    not there nothing is removed, unless with --missing-ok.
    """
    if not ids and not lists:
        raise click.UsageError("say which: IDS or --from FILE")
    wanted = dict.fromkeys(ids)
    for path in lists:
        wanted.update(dict.fromkeys(_read_ids(path)))
    with fp.Index.open(index_path, maintenance="manual") as index:
        # Views may have outlived a picture that another tool removed.
        missing = [one for one in wanted if one not in index and not view_ids(index, [one])]
        if missing and not missing_ok:
            raise click.ClickException(
                f"{len(missing)} of {len(wanted)} ids are not in the index, nothing was removed: "
                f"{few(missing)}"
            )
        absent = set(missing)
        asked = [one for one in wanted if one not in absent]
        with index.transaction():
            present = [one for one in asked if one in index]
            views = [one for one in view_ids(index, asked) if one not in wanted]
            index.remove([*present, *views])
        passed = f", {len(missing)} were not there" if missing else ""
        also = f" and {len(views)} views of theirs" if views else ""
        click.echo(f"removed {len(present)} entries{also}{passed}; {len(index)} now")


def _read_ids(path: Path) -> list[str]:
    """Read one id a line, exactly as it stands there; empty lines are none."""
    try:
        with click.open_file(str(path), encoding="utf-8-sig") as file:
            return [one for line in file if (one := line.rstrip("\r\n"))]
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path}: expected UTF-8, an id a line ({error})") from error


@click.command()
@index_argument
def compact(index_path: Path) -> None:
    """Put all entries into one segment and overwrite what was removed.

    Searches of other programs go on meanwhile. Exit status 2 when one of them holds on
    to an older state: the index is compact then, but what was removed is still on the
    disk until this is done again.
    """
    with fp.Index.open(index_path, maintenance="manual") as index:
        before = index.info()
        try:
            with errors.status("compacting"):
                index.compact()
        finally:
            click.echo(f"before: {_sizes(before)}\nafter:  {_sizes(index.info())}")


def _sizes(facts: dict[str, Any]) -> str:
    waste = f", {facts['removed_entries']:,} removed" if facts["removed_entries"] else ""
    return (
        f"{segments_text(len(facts['segments']))}, {facts['scanned_entries']:,} scanned{waste}, "
        f"{nbytes_text(facts['nbytes_on_disk'])}"
    )
