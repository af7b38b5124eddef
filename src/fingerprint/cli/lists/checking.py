"""``fingerprint list verify``."""

from __future__ import annotations

from pathlib import Path

import click

from fingerprint.cli.common import console, counted, printable, share_bar, shown
from fingerprint.cli.lists.options import fact_table, rows_progress, time_text
from fingerprint.errors import CorruptIndexError
from fingerprint.lists import HashList
from fingerprint.results import VerifyReport

__all__ = ["verify"]


@click.command()
@click.argument("path", metavar="LIST|BUNDLE", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--rebuild",
    is_flag=True,
    help="When something is wrong with a list, make what it is searched by anew from its records.",
)
@click.option(
    "--trusted",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For a bundle: TOML with the keys that are believed.",
)
def verify(path: Path, rebuild: bool, trusted: Path | None) -> int:
    """Read all of a list, or of a signed bundle, and check it.

    Of a list: its records against its digests, and what it is searched by against its
    records. Of a bundle: who signed it, that it is whole and unchanged, and not expired;
    every row is read.

    Exit status 0 when all is well, or is again, 2 when there are problems.
    """
    if path.is_dir():
        if trusted is not None:
            raise click.UsageError("--trusted: is for bundles, and this is a directory")
        return _verify_list(path, rebuild=rebuild)
    if rebuild:
        raise click.UsageError("--rebuild: is for lists, and this is a file")
    if trusted is None:
        raise click.UsageError("--trusted: say whose signature is believed")
    _verify_bundle(path, trusted)
    return 0


def _verify_list(path: Path, *, rebuild: bool) -> int:
    try:
        with HashList.open(path, read_only=True) as found, share_bar("verifying") as progress:
            report = found.verify(progress)
    except CorruptIndexError as error:
        if not rebuild:
            raise
        click.echo(f"problem: {printable(str(error))}")
    else:
        _tell(report)
        if report.ok or not rebuild:
            return 0 if report.ok else 2
    with rows_progress("rebuilding") as progress_rows:
        report = HashList.rebuild(path, progress=progress_rows)
    click.echo("made anew from the records")
    _tell(report)
    return 0 if report.ok else 2


def _tell(report: VerifyReport) -> None:
    for problem in report.problems:
        click.echo(f"problem: {printable(problem)}")
    verdict = "all is well" if report.ok else f"problems: {len(report.problems)}"
    click.echo(f"checked {counted(report.entries, 'record')}: {verdict}")


def _verify_bundle(path: Path, trusted: Path) -> None:
    from fingerprint.lists.bundles import TrustedKeys, read_bundle

    bundle = read_bundle(path, TrustedKeys.load(trusted))
    info = bundle.info
    rows = {
        "stream": shown(info.name),
        "source": shown(info.source),
        "kind": info.kind
        + ("" if info.base_version is None else f" to version {info.base_version}"),
        "version": str(info.version),
        "records": f"{info.records:,}",
        "retractions": f"{info.retractions:,}",
        "made": time_text(info.created_at),
        "expires": time_text(info.expires_at),
        "comment": shown(info.comment),
        "signed by": f"[green]{shown(bundle.signer.name)}[/green], key {info.key[:8]}…",
    }
    console.print(fact_table(shown(path.name), {k: v for k, v in rows.items() if v}))
    console.print("the signature and every row are right")
