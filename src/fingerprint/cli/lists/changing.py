"""``fingerprint list retract``, ``suspend``, ``resume`` and ``purge``."""

from __future__ import annotations

from pathlib import Path

import click

from fingerprint.cli.common import console, counted, errors, few, share_bar
from fingerprint.cli.lists.options import (
    by_option,
    changing,
    json_option,
    list_argument,
    purge_option,
)
from fingerprint.cli.lists.reporting import tell, warn
from fingerprint.cli.lists.suspensions import is_suspended
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

    It is for your own records, and for what your source told you by another way. A record that
    comes from a feed may come back with it, and the next change of a signed stream is refused
    where the list is not what its signer has: `suspend` is meant for those.
    """
    with changing(list_path) as found:
        _require(found, source, ids)
        feeds = _feeds_of(found, source, ids)
        changes = [Retraction(source, one, None, reason) for one in ids]
        report = found.apply(changes, by=by, purge=purge)
        tell(report, len(found), as_json=as_json, purge=purge)
    for feed in feeds:
        warn(_of_feed(feed))


def _feeds_of(found: HashList, source: str, ids: tuple[str, ...]) -> list[str]:
    """Return the feeds that brought records as they are."""
    brought = {
        event.version
        for one in ids
        for event in found.history(source, one)
        if event.action in ("added", "updated")
    }
    return sorted({one.feed for one in found.versions() if one.number in brought and one.feed})


def _of_feed(feed: str) -> str:
    stream = feed.removeprefix("bundle:")
    if stream != feed:
        return (
            f"the signed stream {stream!r} brought it: the stream's next change will be refused "
            "here, and its next snapshot may bring it back. `fingerprint list suspend` is meant "
            "for records of others"
        )
    return (
        f"the feed {feed!r} brought it, and may bring it back. `fingerprint list suspend` is "
        "meant for records of others"
    )


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
        wanted = _not_yet(found, source, ids, suspended=True)
        for one in wanted:
            found.suspend(source, one, by=by, reason=reason)
    if wanted:
        n = counted(len(wanted), "record")
        console.print(f"suspended {n}: `fingerprint list resume` undoes it")


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
        wanted = _not_yet(found, source, ids, suspended=False)
        for one in wanted:
            found.resume(source, one, by=by, reason=reason)
    if wanted:
        console.print(f"resumed {counted(len(wanted), 'record')}")


def _not_yet(found: HashList, source: str, ids: tuple[str, ...], *, suspended: bool) -> list[str]:
    """Return the records that are to be changed; say which are so already."""
    every = list(dict.fromkeys(ids))
    wanted = [one for one in every if is_suspended(found, source, one) is not suspended]
    if so := [one for one in every if one not in wanted]:
        state = "suspended already" if suspended else "not suspended"
        verb = "is" if len(so) == 1 else "are"
        errors.print(f"{few(so)} {verb} {state}: nothing to do", markup=False, soft_wrap=True)
    return wanted


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
