"""``fingerprint list sync``."""

from __future__ import annotations

import json
import os
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from fingerprint.cli.common import console, counted, errors, shown
from fingerprint.cli.lists.options import (
    by_option,
    changing,
    columns_of,
    json_option,
    list_argument,
    purge_option,
    rows_progress,
    share_option,
)
from fingerprint.errors import ExchangeAuthError

if TYPE_CHECKING:
    from fingerprint.lists.exchange import Credentials, SyncReport

__all__ = ["sync"]

_NEEDED = {
    "ncmec": ("user", "password"),
    "stopncii": ("subscription_key", "fetch_key"),
    "threatexchange": ("token",),
    "tcap": ("user", "password"),
}

_EPILOG = """\b
Credentials come from the environment, or with --keyring from the system's keyring; never
from the command line, which every program of the machine can read:
  ncmec, tcap      FINGERPRINT_NCMEC_USER and _PASSWORD; FINGERPRINT_TCAP_…
  stopncii         FINGERPRINT_STOPNCII_SUBSCRIPTION_KEY and _FETCH_KEY
  threatexchange   FINGERPRINT_THREATEXCHANGE_TOKEN
\b
Examples:
  fingerprint list sync known ncmec --environment test-industry --by ana
  fingerprint list sync known threatexchange --privacy-group 12345 --keyring tx --by ana
"""


@click.command(epilog=_EPILOG)
@list_argument
@click.argument("exchange", type=click.Choice(list(_NEEDED)))
@by_option
@click.option("--url", "base_url", default="", help="Its address, if not the published one.")
@click.option("--keyring", "service", metavar="SERVICE", help="Credentials of the keyring.")
@click.option("--environment", metavar="NAME", help="NCMEC: industry, ngo, test-industry, …")
@click.option("--privacy-group", metavar="ID", help="ThreatExchange: which one; required.")
@click.option("--ideology", metavar="NAME", help="TCAP: all by default.")
@click.option(
    "--full",
    is_flag=True,
    help="Read everything anew, and retract what is no longer there.",
)
@share_option
@purge_option
@json_option
def sync(
    list_path: Path,
    exchange: str,
    by: str,
    base_url: str,
    service: str | None,
    full: bool,
    max_retracted_share: float,
    purge: bool,
    as_json: bool,
    **given: str | None,
) -> None:
    """Bring a list up to date with an exchange.

    What changed since the last time is read, and kept with how far it was read: an
    interrupted first time goes on where it was. Where withdrawals are no longer told, everything
    is read anew, and until then the list is stale. On an error the list stays as it was.

    The clients are written from public documents; no live service was contacted.
    """
    from fingerprint.lists.exchange import open_exchange
    from fingerprint.lists.exchange import sync as sync_list

    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name, owner in (
        ("environment", "ncmec"),
        ("privacy_group", "threatexchange"),
        ("ideology", "tcap"),
    ):
        if name in options and exchange != owner:
            raise click.UsageError(f"--{name.replace('_', '-')}: is for {owner}, not {exchange}")
    if exchange == "threatexchange" and "privacy_group" not in options:
        raise click.UsageError("--privacy-group: say which one to read")
    credentials = _credentials(exchange, service)
    with changing(list_path) as found:
        client: Any = open_exchange(exchange, credentials, base_url=base_url, **options)
        with closing(client), rows_progress("reading") as show:
            report = sync_list(
                client,
                found,
                by=by,
                full=full,
                max_retracted_share=max_retracted_share,
                purge=purge,
                progress=show,
            )
        _tell(report, len(found), as_json=as_json)


def _credentials(exchange: str, service: str | None) -> Credentials | None:
    """Return those of the keyring, or none for the environment; say which are missing."""
    from fingerprint.lists.exchange import Credentials

    needed = _NEEDED[exchange]
    if service is None:
        prefix = f"FINGERPRINT_{exchange.upper()}_"
        missing = [
            prefix + one.upper() for one in needed if not os.environ.get(prefix + one.upper())
        ]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise ExchangeAuthError(
                f"credentials of {exchange}: {' and '.join(missing)} {verb} not set; or name a "
                "service of the keyring with --keyring"
            )
        return None
    try:
        found = Credentials.from_keyring(service)
        found.require(*needed)
    except ExchangeAuthError as error:
        raise ExchangeAuthError(
            f"keyring service {service!r}: expected {' and '.join(needed)}: {_reason(error)}"
        ) from error
    return found


def _reason(error: ExchangeAuthError) -> str:
    text = str(error).removeprefix("credentials: ")
    return "it has none of them" if "one or more of" in text else text.split(", ")[-1]


def _tell(report: SyncReport, records: int, *, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps(
                {
                    "feed": report.feed,
                    "refetched": report.refetched,
                    "records": records,
                    "commits": [asdict(one) for one in report.commits],
                }
            )
        )
    else:
        table = columns_of(
            Table(title=shown(report.feed), title_justify="left"), "records", "", right=("",)
        )
        for name in ("added", "updated", "retracted", "rejected", "withheld"):
            n = getattr(report, name)
            if n or name in ("added", "updated", "retracted"):
                table.add_row(name, f"{n:,}")
        console.print(table)
        console.print(f"version {report.version}, {counted(records, 'record')}")
    if report.refetched:
        errors.print(f"read everything anew: {shown(report.refetched)}", soft_wrap=True)
    if report.rejected or report.rejected_hashes:
        errors.print(
            f"[yellow]warning:[/yellow] {_entries(report)} cannot be used: "
            "`fingerprint list rejected`",
            soft_wrap=True,
        )


def _entries(report: SyncReport) -> str:
    n, parts = report.rejected, report.rejected_hashes
    entries = f"{n:,} {'entry' if n == 1 else 'entries'}"
    if not parts:
        return entries
    return f"{entries} and {counted(parts, 'part')} of others" if n else counted(parts, "part")
