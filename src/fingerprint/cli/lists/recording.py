"""``fingerprint list records``."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from fingerprint.cli.common import console, counted, shown
from fingerprint.cli.lists.options import (
    columns_of,
    json_option,
    list_argument,
    record_column,
    record_text,
)
from fingerprint.cli.lists.suspensions import is_suspended
from fingerprint.lists import HashList

__all__ = ["records"]


@click.command()
@list_argument
@click.option("--source", metavar="NAME", help="Only records of this source and its parts.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
def records(list_path: Path, source: str | None, limit: int, as_json: bool) -> None:
    """List the records of a list, by source and id; no hashes.

    `show` has all that is known of one.
    """
    with HashList.open(list_path, read_only=True) as found:
        some = found.info()["suspended"] > 0
        rows: list[dict[str, Any]] = [
            {
                "source": one.source,
                "record_id": one.record_id,
                "media": one.media,
                "category": one.category,
                "flags": list(one.flags),
                "hash_types": sorted(one.hashes),
                "views": len(one.views),
                "suspended": some and is_suspended(found, *one.key),
            }
            for one in islice(found.records(source), limit + 1)
        ]
    is_cut = len(rows) > limit
    if as_json:
        for row in rows[:limit]:
            click.echo(json.dumps(row))
    elif rows:
        console.print(_table(rows[:limit]))
        if is_cut:
            console.print(f"the first {counted(limit, 'record')}: --limit shows more")
    else:
        console.print("no records" if source is None else f"no records of {shown(source)}")


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table()
    keys = [record_text(row["source"], row["record_id"]) for row in rows]
    record_column(table, keys, "source, id")
    columns_of(table, "media", "says", "hashes")
    for key, row in zip(keys, rows, strict=True):
        said = [shown(text) for text in (row["category"], ", ".join(row["flags"])) if text]
        said += ["[yellow]suspended[/yellow]"] if row["suspended"] else []
        views = f" and {counted(row['views'], 'view')}" if row["views"] else ""
        media = "" if row["media"] == "unknown" else row["media"]
        table.add_row(key, media, "\n".join(said), ", ".join(row["hash_types"]) + views)
    return table
