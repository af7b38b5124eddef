"""``fingerprint index``."""

from __future__ import annotations

import click

from fingerprint.cli.index.adding import add, create
from fingerprint.cli.index.changing import compact, remove
from fingerprint.cli.index.checking import verify
from fingerprint.cli.index.describing import info
from fingerprint.cli.index.exchanging import export, import_
from fingerprint.cli.index.searching import search
from fingerprint.cli.index.timing import bench

__all__ = ["command"]


@click.group()
def command() -> None:
    """Keep hashes under ids and look up what is near.

    Only hashes, ids and metadata are stored, never pictures. One program at a time may
    change an index; any number may search it meanwhile.
    """


for _one in (create, add, remove, search, info, verify, compact, export, import_, bench):
    command.add_command(_one)
