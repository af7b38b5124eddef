"""``fingerprint list create`` and ``formats``."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.table import Table

from fingerprint.cli.common import console, shown
from fingerprint.cli.lists.options import columns_of, json_option, list_argument
from fingerprint.lists import HashList

__all__ = ["create", "formats"]


@click.command()
@list_argument
@click.option("--name", default="", help="What evidence calls it; the folder's name by default.")
@click.option("--description", default="", help="For people.")
def create(list_path: Path, name: str, description: str) -> None:
    """Make an empty list.

    LIST is a new directory. It is for its owner alone (0700, files 0600), and not encrypted:
    that is the disk's part (LUKS, FileVault, BitLocker).
    """
    with HashList.create(list_path, name, description=description) as made:
        console.print(f"made {shown(str(list_path))}: {shown(made.name)}", soft_wrap=True)


@click.command()
@json_option
def formats(as_json: bool) -> None:
    """List the formats that lists are read from and written to.

    Files may be packed with gzip or zstd: list.csv.gz is read and written as it is.
    """
    from fingerprint.lists.formats import format_names, get_format

    found = [get_format(name) for name in format_names()]
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "name": one.name,
                        "description": one.description,
                        "suffixes": list(one.suffixes),
                        "reads": one.parse is not None,
                        "writes": one.write is not None,
                    }
                    for one in found
                ]
            )
        )
        return
    table = columns_of(Table(), "name", "what it is", "suffixes", "import", "export")
    for one in found:
        table.add_row(
            shown(one.name),
            shown(one.description),
            shown(", ".join(one.suffixes)) or "say --format",
            "yes" if one.parse is not None else "",
            "yes" if one.write is not None else "",
        )
    console.print(table)
    console.print(
        "Signed bundles are told by their content: `list import` takes them as well.",
        soft_wrap=True,
    )
