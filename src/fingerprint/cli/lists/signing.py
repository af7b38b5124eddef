"""``fingerprint list keygen`` and ``sign``."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

import click

from fingerprint.cli.common import console, counted, errors, printable, shown
from fingerprint.cli.lists.options import (
    json_option,
    list_argument,
    time_text,
    when_option,
    wrong_use,
)
from fingerprint.cli.lists.reporting import warn
from fingerprint.lists import HashList

__all__ = ["keygen", "sign"]

PASSPHRASE = "FINGERPRINT_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable

_KEYGEN_EPILOG = f"""\b
With --passphrase it is asked for; or it is taken from {PASSPHRASE}, if that is set; never
from the command line. Without either the file is not encrypted.
"""
_SIGN_EPILOG = """\b
Examples:
  fingerprint list sign known monday.fpb --key hotline.pem --source hotline --expires 8w
  fingerprint list sign known tuesday.fpb --key hotline.pem --source hotline --expires 8w \\
      --since 41
"""


@click.command(epilog=_KEYGEN_EPILOG)
@click.argument("path", metavar="PRIVATE_KEY", type=click.Path(path_type=Path))
@click.option("--passphrase", "ask", is_flag=True, help="Encrypt the file; asks twice.")
def keygen(path: Path, ask: bool) -> None:
    """Make an Ed25519 key to sign bundles with, and print its public half.

    The file is for its owner alone (0600); whoever has it can speak for your list. One that
    is there is not written over. The public half is what the other side puts into its file of
    trusted keys, after making sure by another way that it is yours.
    """
    from fingerprint.lists.bundles import generate_key

    given = _passphrase_given()
    if given is None and ask:
        given = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    key = generate_key()
    key.save(path, given)
    click.echo(str(key.public))
    errors.print(
        f"wrote {printable(str(path))}. The other side trusts it with this in a TOML file:\n"
        f'[[key]]\nname = "your name"\npublic = "{key.public}"\nsources = ["your source"]',
        markup=False,
        soft_wrap=True,
    )
    if given is None:
        warn(f"the key is not encrypted: --passphrase, or {PASSPHRASE}, encrypts it")


@click.command(epilog=_SIGN_EPILOG)
@list_argument
@click.argument("path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option(
    "--key",
    "key_path",
    required=True,
    metavar="PRIVATE_KEY",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of `fingerprint list keygen`.",
)
@click.option(
    "--source", required=True, metavar="NAME", help="Whose records: its own and its parts'."
)
@when_option(
    "--expires",
    "expires_at",
    required=True,
    help_text="From then on nobody takes it, and lists that have it are stale: 8w, or a time with "
    "its zone. Be generous, and send the next one in time.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="Of the stream of bundles that it continues; --source if not said.",
)
@click.option(
    "--since",
    type=click.IntRange(1),
    metavar="VERSION",
    help="Only what changed since this version of LIST; everything otherwise.",
)
@click.option("--comment", default="", help="For people.")
@click.option(
    "--allow-empty",
    is_flag=True,
    help="Sign that there is nothing: who takes it retracts all it has of the source.",
)
@json_option
def sign(
    list_path: Path,
    path: Path,
    key_path: Path,
    name: str | None,
    source: str,
    expires_at: datetime,
    since: int | None,
    comment: str,
    allow_empty: bool,
    as_json: bool,
) -> None:
    """Write a signed bundle of a source's records, to hand to another party.

    It holds whole hashes and is not encrypted; it is readable by its owner alone. The
    other side needs your public key, and takes it with `fingerprint list import`.
    """
    from fingerprint.lists.bundles import PrivateKey, write_bundle

    key = PrivateKey.load(key_path, _passphrase_of(key_path))
    with HashList.open(list_path, read_only=True) as found, wrong_use():
        made = write_bundle(
            found,
            path,
            key,
            name=name or source,
            source=source,
            expires_at=expires_at,
            since=since,
            comment=comment,
            allow_empty=allow_empty,
        )
    if as_json:
        click.echo(json.dumps(json.loads(made.to_bytes())))
        return
    base = f" since version {made.base_version}" if made.kind == "delta" else ""
    console.print(
        f"wrote {shown(str(path))}: {made.kind} {shown(made.name)}, version {made.version}{base}, "
        f"{counted(made.records, 'record')}, {counted(made.retractions, 'retraction')}; "
        f"to be used until {time_text(made.expires_at)}",
        soft_wrap=True,
    )


def _passphrase_given() -> str | None:
    given = os.environ.get(PASSPHRASE)
    if given == "":
        raise click.UsageError(f"{PASSPHRASE}: is set, and empty: expected a passphrase")
    return given


def _passphrase_of(key_path: Path) -> str | None:
    """Return what opens a key; nothing for one that is not encrypted."""
    if b"ENCRYPTED" not in key_path.read_bytes()[:64]:
        return None
    given = _passphrase_given()
    if given is not None:
        return given
    passphrase: str = click.prompt("Passphrase", hide_input=True, err=True)
    return passphrase
