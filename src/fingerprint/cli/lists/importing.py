"""``fingerprint list import``."""

from __future__ import annotations

import inspect
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fingerprint.cli.lists.file_formats import format_to_read
from fingerprint.cli.lists.options import (
    by_option,
    changing,
    copy_prefix,
    json_option,
    list_argument,
    purge_option,
    rows_progress,
    share_option,
    text_pairs_option,
    when_option,
)
from fingerprint.cli.lists.provenance import Owners, refuse_older
from fingerprint.cli.lists.reporting import RefusedRowsError, Rejections, refuse, tell
from fingerprint.index import durable
from fingerprint.lists import ApplyReport, Change, HashList

if TYPE_CHECKING:
    from fingerprint.lists.formats import ListFormat

__all__ = ["import_"]

_EPILOG = """\b
Examples:
  fingerprint list import known hotline.csv.gz --source hotline --by ana \\
      --columns sha1="SHA-1 Hash" --columns record_id=Ref --severity A1=severe
  fingerprint list import known all.jsonl --source hotline --by ana \\
      --snapshot --feed hotline --expires 2d
  zcat md5.gz | fingerprint list import known - --format lines --source old --by ana
  fingerprint list import known monday.fpb --trusted keys.toml --by ana
"""

_LONGEST_NOTE = 200
_ONLY_FILES = {
    "chosen": "--format",
    "source": "--source",
    "columns": "--columns",
    "ignored": "--ignore",
    "hash_type": "--hash-type",
    "withdrawn": "--withdrawn",
    "delimiter": "--delimiter",
    "no_header": "--no-header",
    "snapshot": "--snapshot",
    "feed": "--feed",
    "expires_at": "--expires",
    "refreshed_at": "--as-of",
    "severities": "--severity",
    "strict": "--strict",
    "older": "--older",
    "by_order": "--by-order",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line says of files that are no bundles."""

    chosen: str | None
    source: str | None
    columns: dict[str, str]
    ignored: tuple[str, ...]
    hash_type: str | None
    withdrawn: tuple[str, ...]
    delimiter: str | None
    no_header: bool
    snapshot: bool
    feed: str
    expires_at: datetime | None
    refreshed_at: datetime | None
    severities: dict[str, str]
    strict: bool
    older: bool
    by_order: bool


@click.command(name="import", epilog=_EPILOG)
@list_argument
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
)
@by_option
@click.option(
    "--format",
    "chosen",
    metavar="NAME",
    help="One of `fingerprint list formats`; by suffix otherwise. Needed for JSON files and -.",
)
@click.option("--source", metavar="NAME", help="Whose records they are, where a row does not say.")
@text_pairs_option(
    "--columns",
    what="columns",
    key="FIELD",
    value="COLUMN",
    help_text="Which column is which, where names are not the usual: md5=, sha1=, pdq=, …, "
    "record_id=, category=, flags=, status=; a number from 1 with --no-header. Repeatable.",
)
@click.option("--ignore", "ignored", multiple=True, metavar="COLUMN", help="Pass over a column.")
@click.option("--hash-type", metavar="TYPE", help="Of hashes that do not say it, such as pdq.")
@click.option(
    "--withdrawn",
    multiple=True,
    metavar="WORD",
    help="What a status says of a record that is gone, besides the usual. Repeatable.",
)
@click.option(
    "--delimiter",
    metavar="CHARACTER",
    help="Between the cells of a table, such as ';'; \\t for tabs.",
)
@click.option("--no-header", is_flag=True, help="The first row of a table holds no names.")
@click.option(
    "--snapshot",
    is_flag=True,
    help="The files are all there is of the source: its other records are retracted.",
)
@share_option
@click.option(
    "--feed",
    default="",
    metavar="NAME",
    help="Keep freshness under this name: when it was last read whole.",
)
@when_option(
    "--as-of",
    "refreshed_at",
    past=True,
    help_text="When the files were made, if not now: 6h for six hours ago, a time with its "
    "zone, or a day, which is its beginning in UTC.",
)
@click.option(
    "--older",
    is_flag=True,
    help="Take files that are older than what --feed was last read at: they may bring back what "
    "was withdrawn since. The feed is then as old as they are.",
)
@click.option(
    "--by-order",
    is_flag=True,
    help="Of two states of a record, the one that comes last counts, whatever they are dated.",
)
@when_option(
    "--expires",
    "expires_at",
    help_text="The list is stale from then on: 36h, 30d, or a time with its zone.",
)
@text_pairs_option(
    "--severity",
    what="severities",
    key="CATEGORY",
    value="SEVERITY",
    help_text="Your own word for a source's category, such as A1=severe. Repeatable.",
)
@click.option(
    "--trusted",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For signed bundles: TOML with the keys that are believed, and for which sources.",
)
@click.option("--strict", is_flag=True, help="Change nothing when a row cannot be used.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Change nothing, and say what would. Works on a copy of the list beside it.",
)
@purge_option
@json_option
def import_(
    list_path: Path,
    files: tuple[str, ...],
    by: str,
    trusted: Path | None,
    max_retracted_share: float,
    purge: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Apply files of records, or signed bundles, to a list.

    All files are one change: everything, or on an error nothing; bundles are one change
    each, in the order given. The same again changes nothing. Rows that cannot be used
    are rejected, counted and told; the rest counts. FILE - is standard input.

    Of two states of a record the one counts that its source dates later, where both are dated
    (last_seen, or at of a retraction); otherwise the one that comes last.

    A signed bundle is told by its content, needs --trusted, and is verified before anything
    in it is read.

    Exit status 0, also with rejected rows; 1 with --strict when there are any, and nothing
    was changed; 2 on an error, and nothing was changed.
    """
    asked = _Asked(**given)
    kinds = {_is_bundle(one) for one in files}
    if len(kinds) > 1:
        raise click.UsageError("FILE: expected bundles, or other files, not both at once")
    options = {"by": by, "max_retracted_share": max_retracted_share, "purge": purge}
    rejections = None if kinds == {True} else Rejections()
    reports: Iterable[ApplyReport]
    refused = rejections is not None
    with changing(list_path) as original, _to_change(original, dry_run) as found:
        if rejections is None:
            reports = _import_bundles(found, files, trusted, asked, options)
        elif trusted is not None:
            raise click.UsageError("--trusted: is for signed bundles, and this is none")
        else:
            reports = _import_files(found, files, asked, rejections, options)
        for report in reports:
            refused = False
            tell(report, len(found), rejections, dry_run=dry_run, as_json=as_json, purge=purge)
    if rejections is not None and refused:
        refuse(rejections, as_json=as_json)
        return 1
    return 0


@contextmanager
def _to_change(original: HashList, dry_run: bool) -> Iterator[HashList]:
    """Return the list, or for a dry run a copy of it that is gone afterwards."""
    if not dry_run:
        yield original
        return
    # Beside the list: no less private and no less encrypted than it.
    folder = original.path.parent
    made = folder / f"{copy_prefix(original)}{uuid.uuid4().hex}"
    durable.make_private(made)
    try:
        with durable.held(made):
            original.snapshot(made / "copy")
            with HashList.open(made / "copy") as copy:
                yield copy
    finally:
        durable.remove_folder(made)


def _is_bundle(file: str) -> bool:
    if file == "-" or not Path(file).is_file():  # A pipe can be read only once.
        return False
    from fingerprint.lists.bundles.manifest import MAGIC

    with Path(file).open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def _import_bundles(
    found: HashList,
    files: tuple[str, ...],
    trusted: Path | None,
    asked: _Asked,
    options: dict[str, Any],
) -> Iterator[ApplyReport]:
    from fingerprint.lists.bundles import TrustedKeys, import_bundle

    for name, option in _ONLY_FILES.items():
        if getattr(asked, name):
            raise click.UsageError(f"{option}: a signed bundle says all of itself")
    if trusted is None:
        raise click.UsageError(f"{files[0]}: is a signed bundle: say --trusted")
    keys = TrustedKeys.load(trusted)
    for file in files:
        with rows_progress("importing") as show:
            report = import_bundle(found, file, keys, progress=show, **options)
        yield report


def _import_files(
    found: HashList,
    files: tuple[str, ...],
    asked: _Asked,
    rejections: Rejections,
    options: dict[str, Any],
) -> list[ApplyReport]:
    """Apply files as one change; nothing is reported when rows refuse it."""
    if asked.source == "":
        raise click.UsageError("--source: expected a name, got nothing")
    if asked.snapshot and asked.source is None:
        raise click.UsageError("--snapshot: say with --source of what the files are all")
    if (asked.expires_at or asked.refreshed_at) and not asked.feed:
        raise click.UsageError("--expires and --as-of need --feed, which they are kept under")
    if files.count("-") > 1:
        raise click.UsageError("FILE: - can be read once")
    refuse_older(found, asked.feed, asked.refreshed_at, older=asked.older)
    owners = Owners(asked.source)
    changes: Iterator[Change] = chain.from_iterable(
        rejections.watch(owners.watch(_changes_of(file, asked, owners.default)), file)
        for file in files
    )
    if asked.strict:
        changes = chain(changes, rejections.refuse())
    with rows_progress("reading") as show, suppress(RefusedRowsError):
        report = found.apply(
            changes,
            feed=asked.feed,
            snapshot_of=asked.source if asked.snapshot else None,
            refreshed_at=asked.refreshed_at,
            expires_at=asked.expires_at,
            by_time=not asked.by_order,
            note=", ".join(Path(file).name for file in files)[:_LONGEST_NOTE],
            progress=show,
            **options,
        )
        owners.tell()
        return [report]
    return []


def _changes_of(file: str, asked: _Asked, owner: str) -> Iterator[Change]:
    from fingerprint.lists.reading import read_list, with_severities
    from fingerprint.lists.rows import RETRACTED_VALUES

    chosen = format_to_read(file, asked.chosen)
    given: dict[str, Any] = {
        "columns": {field: _column(name, asked) for field, name in asked.columns.items()},
        "ignored": [_column(name, asked) for name in asked.ignored],
        "hash_type": asked.hash_type,
        "retracted_values": (*RETRACTED_VALUES, *asked.withdrawn) if asked.withdrawn else (),
        "delimiter": "\t" if asked.delimiter == "\\t" else asked.delimiter,
    }
    options = {name: value for name, value in given.items() if value}
    if asked.no_header:
        options["header"] = False
    _check_options(chosen, options)
    stream = sys.stdin.buffer if file == "-" else file
    changes = read_list(stream, chosen.name, list_source=owner, **options)
    return with_severities(changes, asked.severities) if asked.severities else changes


def _column(name: str, asked: _Asked) -> str | int:
    if not asked.no_header:
        return name
    if not name.isdecimal():
        raise click.UsageError(f"--columns, --ignore: expected a number from 1, got {name!r}")
    return int(name)


def _check_options(chosen: ListFormat, options: dict[str, Any]) -> None:
    """Refuse what a format does not know."""
    parse: Callable[..., Any] | None = chosen.parse
    known = () if parse is None else inspect.signature(parse).parameters
    words = {
        **{"ignored": "--ignore", "hash_type": "--hash-type"},
        **{"header": "--no-header", "delimiter": "--delimiter"},
        "retracted_values": "--withdrawn",
    }
    for name in options:
        if name not in known:
            option = words.get(name, "--columns")
            raise click.UsageError(f"{option}: the format {chosen.name} has no use for it")
