"""``fingerprint list diff``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Table

from fingerprint.cli.common import console, counted, shown
from fingerprint.cli.lists.options import columns_of, json_option, list_argument, wrong_use
from fingerprint.lists import HashList

__all__ = ["diff"]

_SHOWN = 50
_STYLES = {"added": "green", "updated": "yellow", "retracted": "red"}

Key = tuple[str, str]


@click.command()
@list_argument
@click.argument("old", metavar="OLD|OTHER_LIST")
@click.argument("new", metavar="NEW", required=False, type=click.IntRange(0))
@json_option
def diff(list_path: Path, old: str, new: int | None, as_json: bool) -> int:
    """Tell which records differ between two versions of a list, or between two lists.

    OLD and NEW are numbers of versions, NEW the last one by default: what changed since OLD.
    Of two lists: what OTHER_LIST has that LIST has not is added. A directory with a
    number for a name is written ./3.

    Exit status 0 when nothing differs, 1 when something does.
    """
    with HashList.open(list_path, read_only=True) as found:
        if old.isdecimal():
            with wrong_use():
                told = found.diff(int(old), new)
            changes = {name: list(getattr(told, name)) for name in _STYLES}
            title = f"From version {told.old} to {told.new}"
        elif new is not None:
            raise click.UsageError(f"OLD: expected a version, got {old!r}")
        else:
            with HashList.open(old, read_only=True) as other:
                changes = _compared(found, other)
            title = f"From {list_path} to {old}"
    if as_json:
        click.echo(json.dumps(changes))
    else:
        _print(title, changes)
    return 1 if any(changes.values()) else 0


def _compared(left: HashList, right: HashList) -> dict[str, list[Key]]:
    """Walk through two lists, both in the order of source and id."""
    changes: dict[str, list[Key]] = {name: [] for name in _STYLES}
    ours, theirs = left.records(), right.records()
    mine, other = next(ours, None), next(theirs, None)
    while mine is not None or other is not None:
        if other is None or (mine is not None and mine.key < other.key):
            if mine is not None:
                changes["retracted"].append(mine.key)
            mine = next(ours, None)
        elif mine is None or other.key < mine.key:
            changes["added"].append(other.key)
            other = next(theirs, None)
        else:
            if mine != other:
                changes["updated"].append(mine.key)
            mine, other = next(ours, None), next(theirs, None)
    return changes


def _rows(changes: dict[str, list[Key]]) -> Iterator[tuple[str, str, str]]:
    for name, keys in changes.items():
        for source, record_id in keys:
            yield f"[{_STYLES[name]}]{name}[/]", shown(source), shown(record_id)


def _print(title: str, changes: dict[str, list[Key]]) -> None:
    total = sum(map(len, changes.values()))
    counts = ", ".join(f"{len(keys):,} {name}" for name, keys in changes.items())
    if total:
        table = columns_of(
            Table(title=shown(title), title_justify="left"), "change", "source", "id"
        )
        for _, row in zip(range(_SHOWN), _rows(changes), strict=False):
            table.add_row(*row)
        console.print(table)
    if total > _SHOWN:
        console.print(f"… and {counted(total - _SHOWN, 'record')} more; --json gives all")
    console.print(counts if total else f"{shown(title)}: nothing differs", soft_wrap=True)
