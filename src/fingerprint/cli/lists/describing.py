"""``fingerprint list info``, ``versions``, ``history``, ``show`` and ``rejected``."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.filesize import decimal
from rich.table import Table

from fingerprint.cli.common import console, counted, shown
from fingerprint.cli.lists.options import (
    age_text,
    columns_of,
    fact_table,
    json_option,
    list_argument,
    short_hash,
    span_option,
    time_text,
    wrong_use,
)
from fingerprint.cli.lists.suspensions import is_suspended, suspended_keys
from fingerprint.cli.lists.wording import in_options
from fingerprint.errors import redacted
from fingerprint.lists import Feed, HashList, Record
from fingerprint.lists.records import text_of_instant
from fingerprint.lists.reports import ListEvent

__all__ = ["history", "info", "rejected", "show", "versions"]

_YES = frozenset({"true", "yes", "1", "1.0", "t", "y", "x", "on"})
_CHANGES = ("added", "updated", "retracted", "rejected")


@click.command()
@list_argument
@span_option(
    "--max-age",
    "max_age_s",
    help_text="Also call a feed stale that was last read longer ago, such as 36h or 2d.",
)
@json_option
def info(list_path: Path, max_age_s: float | None, as_json: bool) -> int:
    """Tell what a list holds, and whether it is fresh.

    Exit status 1 when it is stale.
    """
    now = datetime.now(UTC)
    with HashList.open(list_path, read_only=True) as found:
        facts, feeds = found.info(), found.feeds()
        suspended = suspended_keys(found, facts["suspended"])
        with wrong_use():
            facts["stale"] = found.stale_reasons(now, max_age_s)
    if facts["changed_at"]:
        facts["changed_at"] = text_of_instant(datetime.fromisoformat(facts["changed_at"]))
    if as_json:
        facts["feeds"] = [_feed_values(one) for one in feeds]
        click.echo(json.dumps(facts))
    else:
        console.print(fact_table("What it holds", _content(facts, suspended)))
        if feeds:
            console.print(_feed_table(feeds, facts["stale"], now))
        console.print(_freshness(facts["stale"], feeds), soft_wrap=True)
    return 1 if facts["stale"] else 0


def _content(facts: dict[str, Any], suspended: list[tuple[str, str]]) -> dict[str, str]:
    changed = facts["changed_at"]
    when = f", of {time_text(datetime.fromisoformat(changed))}" if changed else ""
    held = f"{facts['suspended']:,}" + (": " if suspended else "")
    held += ", ".join(shown(f"{source} {record_id}") for source, record_id in suspended)
    rows = {
        "name": shown(facts["name"]),
        "description": shown(facts["description"]),
        "version": f"{facts['version']}{when}",
        "digest": f"{facts['digest'][:16]}…",
        "records": f"{facts['records']:,}",
        "hashes": ", ".join(f"{name} {n:,}" for name, n in facts["hash_types"].items()) or "none",
        "sources": ", ".join(f"{shown(name)} {n:,}" for name, n in facts["sources"].items()),
        "suspended": f"[yellow]{held}[/yellow]" if facts["suspended"] else "",
        "to purge": f"[yellow]{facts['unpurged']:,}[/yellow]" if facts["unpurged"] else "",
        "on disk": decimal(facts["nbytes_on_disk"]),
    }
    return {name: text for name, text in rows.items() if text}


def _feed_table(feeds: list[Feed], stale: list[str], now: datetime) -> Table:
    table = columns_of(
        Table(title="Feeds", title_justify="left"), "feed", "last read", "", "expires", "state"
    )
    for one in feeds:
        name = one.name or "the list"
        is_stale = any(reason.startswith(f"{name}: ") for reason in stale)
        table.add_row(
            shown(name),
            time_text(one.refreshed_at),
            "" if one.refreshed_at is None else age_text(one.refreshed_at, now),
            "" if one.expires_at is None else time_text(one.expires_at),
            "[red]STALE[/red]" if is_stale else "[green]fresh[/green]",
        )
    return table


def _freshness(stale: list[str], feeds: list[Feed]) -> str:
    if stale:
        return "\n".join(f"[red]stale[/red]: {shown(reason)}" for reason in stale)
    if feeds:
        return "[green]fresh[/green]"
    return "no feed: nothing says how fresh it is (--feed of `import`)"


def _feed_values(one: Feed) -> dict[str, Any]:
    values = asdict(one)
    for name in ("refreshed_at", "expires_at"):
        if values[name] is not None:
            values[name] = text_of_instant(values[name])
    return values


@click.command()
@list_argument
@json_option
def versions(list_path: Path, as_json: bool) -> None:
    """List the changes of a list: who brought what, and when."""
    with HashList.open(list_path, read_only=True) as found:
        every = found.versions()
    if as_json:
        for one in every:
            click.echo(json.dumps({**asdict(one), "at": text_of_instant(one.at)}))
        return
    table = columns_of(
        Table(), "no.", "when", "changes", "records", "by, feed, note", right=("no.", "records")
    )
    for one in every:
        changes = {name: getattr(one, name) for name in _CHANGES}
        table.add_row(
            str(one.number),
            time_text(one.at),
            "\n".join(f"{n:,} {name}" for name, n in changes.items() if n),
            f"{one.entries:,}",
            "\n".join(shown(text) for text in (one.by, one.feed, one.note) if text),
        )
    console.print(table)


@click.command()
@list_argument
@click.argument("source")
@click.argument("record_id", metavar="ID")
@json_option
def history(list_path: Path, source: str, record_id: str, as_json: bool) -> int:
    """Tell what happened to a record, also to one that is gone.

    Exit status 1 when it was never there.
    """
    with HashList.open(list_path, read_only=True) as found, wrong_use():
        events = found.history(source, record_id)
    if as_json:
        for one in events:
            click.echo(json.dumps({**asdict(one), "at": text_of_instant(one.at)}))
    elif events:
        table = columns_of(
            Table(title=shown(f"{source} {record_id}"), title_justify="left"),
            *("version", "when", "what", "by", "detail"),
            right=("version",),
        )
        for one in events:
            table.add_row(
                str(one.version),
                time_text(one.at),
                f"[red]{one.action}[/red]" if one.action == "retracted" else one.action,
                shown(one.by),
                "" if _says_only_yes(one) else shown(one.detail),
            )
        console.print(table)
    else:
        console.print(f"{shown(f'{source} {record_id}')} was never on this list", soft_wrap=True)
    return 0 if events else 1


def _says_only_yes(event: ListEvent) -> bool:
    """Return whether a reason is but the cell of a column such as ``deleted``."""
    return event.action == "retracted" and event.detail.strip().casefold() in _YES


@click.command()
@list_argument
@click.argument("source")
@click.argument("record_id", metavar="ID")
@click.option("--reveal", is_flag=True, help="Print whole hashes, and all that the source said.")
@json_option
def show(list_path: Path, source: str, record_id: str, reveal: bool, as_json: bool) -> None:
    """Show a record; its hashes are cut short without --reveal.

    Hashes are other people's secrets: perceptual ones can be partly turned back into pictures.
    """
    with HashList.open(list_path, read_only=True) as found, wrong_use():
        record = found.get(source, record_id)
        suspended = is_suspended(found, source, record_id)
    values = record.to_dict() if reveal else _cut(record)
    if as_json:
        click.echo(json.dumps(values))
        return
    rows = (
        {"suspended": "[yellow]yes: it is not found until `resume`[/yellow]"} if suspended else {}
    )
    for name, value in values.items():
        if name in ("hashes", "views"):
            rows |= {
                kind if name == "hashes" else f"view {kind}": shown(text)
                for kind, text in value.items()
            }
        elif name == "opinions":
            rows["opinions"] = "\n".join(shown(_opinion_text(one)) for one in value)
        elif isinstance(value, list):
            rows[name] = ", ".join(shown(str(one)) for one in value)
        else:
            rows[name] = shown(value if isinstance(value, str) else json.dumps(value))
    console.print(fact_table("", rows))


def _cut(record: Record) -> dict[str, Any]:
    """Return a record's values without whole hashes, wherever they stand."""
    values = record.to_dict()
    values["hashes"] = {kind: short_hash(value) for kind, value in record.hashes.items()}
    if record.views:
        values["views"] = {kind: short_hash(value) for kind, value in record.views.items()}
    if record.raw:
        # The source may have sent hashes of types that nobody here knows.
        values["raw"] = redacted(json.dumps(record.raw))
    return values


def _opinion_text(values: dict[str, Any]) -> str:
    tags = f" ({', '.join(values['tags'])})" if values.get("tags") else ""
    return f"{values['by']}: {values['value']}{tags}"


@click.command()
@list_argument
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
def rejected(list_path: Path, limit: int, as_json: bool) -> int:
    """List the rows that could not be used, of each feed's last reading that had any.

    Exit status 1 when there are some.
    """
    with HashList.open(list_path, read_only=True) as found:
        rows = found.rejected(limit)
    if as_json:
        for one in rows:
            click.echo(json.dumps({**asdict(one), "at": text_of_instant(one.at)}))
    elif rows:
        table = columns_of(
            Table(), "feed", "when", "row", "record", "left out", "why", right=("row",)
        )
        for one in rows:
            table.add_row(
                shown(one.feed),
                time_text(one.at),
                str(one.row),
                shown(f"{one.source} {one.record_id}".strip()) or "?",
                "all of it" if one.whole else "a part",
                shown(in_options(one.reason, "import")),
            )
        console.print(table)
        if len(rows) == limit:
            console.print(f"the first {counted(limit, 'row')}: --limit shows more")
    else:
        console.print("no rejected rows")
    return 1 if rows else 0
