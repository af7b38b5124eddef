"""``fingerprint index verify``."""

from __future__ import annotations

from pathlib import Path

import click

import fingerprint as fp
from fingerprint.cli.common import printable, share_bar
from fingerprint.cli.index.options import index_argument, segments_text

__all__ = ["verify"]


@click.command()
@index_argument
@click.option(
    "--rebuild",
    is_flag=True,
    help="When something is wrong, or the index cannot be opened, write its segments anew from "
    "its catalog, which holds every entry, and verify again.",
)
@click.option(
    "--drop-damaged",
    is_flag=True,
    help="With --rebuild: go on without entries of the catalog that do not match their checksums.",
)
def verify(index_path: Path, rebuild: bool, drop_damaged: bool) -> int:
    """Read all of an index and compare it with its checksums.

    Problems are printed one a line. `info` tells of the outcome, unless the index was
    open for writing elsewhere, or could not be written.

    Exit status 0 when all is well, or is again, 2 when there are problems.
    """
    if drop_damaged and not rebuild:
        raise click.UsageError("--drop-damaged needs --rebuild")
    try:
        report = _verify(index_path)
    except fp.CorruptIndexError as error:
        if not rebuild:
            raise
        click.echo(f"problem: {printable(str(error))}")
    else:
        _tell(report)
        if report.ok or not rebuild:
            return 0 if report.ok else 2
    with share_bar("rebuilding") as progress:
        fp.Index.rebuild(index_path, drop_damaged=drop_damaged, progress=progress)
    click.echo("rebuilt the segments from the catalog")
    report = _verify(index_path)  # Once more: this one is noted in the index.
    _tell(report)
    return 0 if report.ok else 2


def _verify(index_path: Path) -> fp.VerifyReport:
    with _opened(index_path) as index, share_bar("verifying") as progress:
        return index.verify(progress)


def _opened(index_path: Path) -> fp.Index:
    """Open it so that the outcome can be noted, unless somebody writes it, or nobody can."""
    with fp.Index.open(index_path, read_only=True) as index:
        is_current = "format" in index.info()  # Not one that opening would convert.
    if is_current:
        try:
            return fp.Index.open(index_path, maintenance="manual")
        except (fp.IndexLockedError, OSError):
            pass
    return fp.Index.open(index_path, read_only=True)


def _tell(report: fp.VerifyReport) -> None:
    for problem in report.problems:
        click.echo(f"problem: {printable(problem)}")
    segments = segments_text(report.segments)
    verdict = "all is well" if report.ok else f"problems: {len(report.problems)}"
    click.echo(f"checked {report.entries:,} entries, {segments} and the catalog: {verdict}")
