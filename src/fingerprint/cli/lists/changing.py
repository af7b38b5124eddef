"""``fingerprint list retract``, ``suspend``, ``resume`` and ``purge``."""

from __future__ import annotations

from pathlib import Path

import click

from fingerprint.cli.common import console, counted, few, share_bar
from fingerprint.cli.lists.options import (
    by_option,
    changing,
    json_option,
    list_argument,
    purge_option,
)
from fingerprint.cli.lists.reporting import tell
from fingerprint.errors import UnknownIdError
from fingerprint.lists import HashList, Retraction

__all__ = ["purge", "resume", "retract", "suspend"]

_source = click.argument("source")
_ids = click.argument("ids", metavar="ID...", nargs=-1, required=True)
_reason = click.option("--reason", default="", help="For the list's history.")


@click.command()
@list_argument
@_source
@_ids
@by_option
@_reason
@purge_option
@json_option
def retract(
    list_path: Path,
    source: str,
    ids: tuple[str, ...],
    by: str,
    reason: str,
    purge: bool,
    as_json: bool,
) -> None:
    """Withdraw records of a source: they are found no more.

    Their hashes are overwritten in all files of the list at once; the history keeps that
    they were there, and who withdrew them. All or, when one is not there, none.
    """
    with changing(list_path) as found:
        _require(found, source, ids)
        changes = [Retraction(source, one, None, reason) for one in ids]
        report = found.apply(changes, by=by, purge=purge)
        tell(report, len(found), as_json=as_json, purge=purge)


@click.command()
@list_argument
@_source
@_ids
@by_option
@click.option("--reason", required=True, help="For the list's history.")
def suspend(list_path: Path, source: str, ids: tuple[str, ...], by: str, reason: str) -> None:
    """Keep records from being found until they are resumed.

    For a record that matches what it should not, while its source is asked. It stays on the
    list, in `export` and in bundles.
    """
    with changing(list_path) as found:
        _require(found, source, ids)
        for one in ids:
            found.suspend(source, one, by=by, reason=reason)
    console.print(f"suspended {counted(len(ids), 'record')}: `fingerprint list resume` undoes it")


@click.command()
@list_argument
@_source
@_ids
@by_option
@_reason
def resume(list_path: Path, source: str, ids: tuple[str, ...], by: str, reason: str) -> None:
    """Let suspended records be found again."""
    with changing(list_path) as found:
        _require(found, source, ids)
        for one in ids:
            found.resume(source, one, by=by, reason=reason)
    console.print(f"resumed {counted(len(ids), 'record')}")


@click.command()
@list_argument
def purge(list_path: Path) -> None:
    """Overwrite everything that was retracted, in all files of a list.

    Commands that retract do it themselves, unless --no-purge was said or somebody was reading
    an older state.
    """
    with changing(list_path) as found, share_bar("purging") as progress:
        n = found.info()["unpurged"]
        found.purge(progress)
    console.print(f"overwrote {counted(n, 'retracted or replaced record')}")


def _require(found: HashList, source: str, ids: tuple[str, ...]) -> None:
    missing = [one for one in dict.fromkeys(ids) if (source, one) not in found]
    if missing:
        raise UnknownIdError(
            f"{counted(len(missing), 'record')} of {source!r} not in the list, nothing was "
            f"changed: {few(missing)}"
        )
