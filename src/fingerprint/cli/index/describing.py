"""``fingerprint index info``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import console, shown
from fingerprint.cli.index.options import (
    check_radius,
    index_argument,
    json_option,
    nbytes_text,
)

__all__ = ["info"]


@click.command()
@index_argument
@click.option("--radius", type=click.IntRange(0), help="Tell how this radius is searched.")
@click.option("-k", "nearest", type=click.IntRange(1), help="Tell how the k nearest are searched.")
@json_option
def info(index_path: Path, radius: int | None, nearest: int | None, as_json: bool) -> None:
    """Tell of contents, search, sizes and health."""
    if nearest is not None and radius is not None:
        raise click.UsageError("--radius and -k exclude each other")
    with fp.Index.open(index_path, read_only=True) as index:
        check_radius(index, radius)
        facts = index.info(radius, nearest)
    if as_json:
        click.echo(json.dumps(facts))
        return
    reach = facts["default_radius"] if radius is None else radius
    asked = f"radius {reach or 0}" if nearest is None else f"the {nearest} nearest"
    for title, rows in (
        ("What it holds", _content(facts)),
        ("How it is searched", _search(facts, asked)),
        ("Sizes", _sizes(facts)),
        ("Health", _health(facts)),
    ):
        console.print(_pairs(title, rows))
        if title == "How it is searched" and facts["segments"]:
            console.print(_segments(facts["segments"]))


def _pairs(title: str, rows: list[tuple[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True, min_width=13)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def _content(facts: dict[str, Any]) -> list[tuple[str, str]]:
    radius = facts["default_radius"]
    return [
        ("algorithm", f"{shown(facts['algorithm'])}, version {facts['version']}"),
        ("bits", str(facts["bits"])),
        ("radius", "none published" if radius is None else f"{radius}, unless you say another"),
        ("entries", f"{facts['entries']:,}"),
    ]


def _search(facts: dict[str, Any], asked: str) -> list[tuple[str, str]]:
    exact = "misses nothing" if facts["exact"] else "approximate: it misses some"
    rows = [("backend", f"{facts['backend']}, {exact}"), ("why", shown(facts["backend_why"]))]
    if facts["backend_options"]:
        rows.append(("options", shown(json.dumps(facts["backend_options"]))))
    if facts["max_radius"] < facts["bits"]:
        rows.append(("largest radius", str(facts["max_radius"])))
    rows += [("" if i else asked, shown(text)) for i, text in enumerate(facts["search"])]
    rows.append(("scanned", f"{facts['scanned_entries']:,} entries that are in no segment yet"))
    removed = facts["removed_entries"]
    rows.append(("removed", f"{removed:,} entries" + (", until `compact`" if removed else "")))
    return rows


def _segments(segments: list[dict[str, Any]]) -> Table:
    table = Table(title="Segments", title_justify="left")
    for heading in ("name", "backend", "entries", "removed", "on disk", "structure"):
        table.add_column(heading, justify="left" if heading in {"name", "backend"} else "right")
    for one in segments:
        table.add_row(
            shown(one["name"][:12]),
            one["backend"],
            f"{one['entries']:,}",
            f"{one['removed']:,}",
            nbytes_text(one["nbytes_on_disk"]),
            nbytes_text(one["nbytes_structures"]),
        )
    return table


def _sizes(facts: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if "nbytes_on_disk" in facts:
        rows += [
            ("on disk", nbytes_text(facts["nbytes_on_disk"])),
            ("of it catalog", nbytes_text(facts["nbytes_catalog"])),
        ]
    nbytes = facts["nbytes_hashes"] + facts["nbytes_structures"]
    where = {"mmap": "mapped, shared by programs", "huge": "in huge pages of its own"}
    rows.append(
        (
            "to search it",
            f"{nbytes_text(nbytes)}: hashes {nbytes_text(facts['nbytes_hashes'])}, structures "
            f"{nbytes_text(facts['nbytes_structures'])}; "
            + where.get(facts.get("residency", ""), "in memory"),
        )
    )
    if facts["entries"]:
        rows.append(("an entry", f"{nbytes / facts['entries']:,.0f} bytes to search"))
    return rows


def _health(facts: dict[str, Any]) -> list[tuple[str, str]]:
    if "format" not in facts:
        return [("format", "1, an older one: it is converted when it is opened for writing")]
    verified = facts["verified"]
    if verified is None:
        told = "never verified: `fingerprint index verify` does"
    elif verified["ok"]:
        told = f"[green]all was well[/green] at {shown(verified['when'])}"
    else:
        told = f"[red]problems: {verified['problems']}[/red] at {shown(verified['when'])}"
    return [("format", str(facts["format"])), ("last check", told)]
