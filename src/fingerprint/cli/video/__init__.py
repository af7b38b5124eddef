"""``fingerprint video``."""

from __future__ import annotations

import click

from fingerprint.cli.video.compare import compare
from fingerprint.cli.video.hash import hash_
from fingerprint.cli.video.index import index
from fingerprint.cli.video.search import search

__all__ = ["command"]


@click.group()
def command() -> None:
    """Hash videos, and find which seconds of one are in another.

    What is found is evidence for a person to look at, not a verdict.
    """


for _one in (hash_, compare, index, search):
    command.add_command(_one)
