"""``fingerprint list``."""

from __future__ import annotations

from typing import Any

import click

from fingerprint.cli.lists.adding import add
from fingerprint.cli.lists.changing import purge, resume, retract, suspend
from fingerprint.cli.lists.checking import verify
from fingerprint.cli.lists.comparing import diff
from fingerprint.cli.lists.creating import create, formats
from fingerprint.cli.lists.describing import history, info, rejected, show, versions
from fingerprint.cli.lists.exporting import export
from fingerprint.cli.lists.importing import import_
from fingerprint.cli.lists.recording import records
from fingerprint.cli.lists.signing import keygen, sign
from fingerprint.cli.lists.syncing import sync
from fingerprint.cli.lists.wording import in_options
from fingerprint.errors import FingerprintError

__all__ = ["command"]

_EPILOG = """\b
From a file to a screened upload:
  fingerprint list create known
  fingerprint list import known hotline.csv --source hotline --by ana
  fingerprint screen upload.jpg --list known
"""


class _Commands(click.Group):
    """Says in the words of the command line what the library says in its own."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FingerprintError as error:
            said = in_options(str(error), ctx.invoked_subcommand)
            if said == str(error):
                raise
            raise FingerprintError(said) from error


@click.group(cls=_Commands, epilog=_EPILOG)
def command() -> None:
    """Keep hash lists: add, import, sync, sign, retract, and look into them.

    A list is a directory of records: hashes, and what their source says of them; never a
    picture. Who a record is, is its source and its id there, so that withdrawing one leaves
    another with the same hash alone. Every change makes a version; what was retracted is
    overwritten in all files. One program at a time may change a list, any number may ask it.

    Exit status: 0 when all went well, 1 when the answer is no, 2 on an error.
    """


for _one in (
    *(create, formats, add, import_, sync, retract, suspend, resume, purge),
    *(info, versions, diff, records, show, history, rejected, verify, export, keygen, sign),
):
    command.add_command(_one)
