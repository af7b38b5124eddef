"""``fingerprint screen``."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

import fingerprint as fp
from fingerprint.cli.common import console, errors, existing_paths, shown
from fingerprint.cli.lists.files import find_media
from fingerprint.cli.lists.options import wrong_use
from fingerprint.cli.screening.printing import printer_of, screening_bar
from fingerprint.lists import HashList

if TYPE_CHECKING:
    from fingerprint.screening import AuditLog, Flood, Policy

__all__ = ["command"]

_EPILOG = """\b
Exit status:
  0  nothing matched, and everything could be screened
  1  something matched, whatever became of the rest; the summary says it
  2  an error: a wrong option, a list or policy that cannot be read, an output that
     was closed; not everything was screened
  3  nothing matched, and something could not be screened: too little in it, not
     decodable, a list stale, an error
\b
Examples:
  fingerprint screen upload.jpg --list known
  fingerprint screen uploads/ --list lists/iwf --list lists/ours --policy policy.toml \\
      --audit audit.jsonl --audit-key audit.key
  fingerprint screen upload.mp4 --list known --json
"""


@click.command(epilog=_EPILOG)
@existing_paths
@click.option(
    "--list",
    "list_paths",
    multiple=True,
    required=True,
    metavar="[NAME=]LIST",
    help="A list to look in; NAME is what the policy calls it, its own name otherwise. Repeatable.",
)
@click.option(
    "--policy",
    "policy_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML: algorithms, radii, views, exclusions by list. Otherwise all that the lists "
    "have is asked, at the published radii.",
)
@click.option(
    "--audit",
    "audit_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append a line for each upload to this log; made if it is not there.",
)
@click.option(
    "--audit-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of `fingerprint audit key`; or the key itself in FINGERPRINT_AUDIT_KEY.",
)
@click.option(
    "--media",
    type=click.Choice(["auto", "image", "video"]),
    default="auto",
    show_default=True,
    help="auto: by content.",
)
@click.option("--workers", type=click.IntRange(1), help="Threads; all processors.")
@click.option(
    "--by-suffix",
    is_flag=True,
    help="In folders, pass over what is not named as a picture or video. Otherwise every file "
    "is screened, whatever its name.",
)
@click.option("--all", "show_all", is_flag=True, help="Also show uploads that match nothing.")
@click.option("--json", "as_json", is_flag=True, help="All evidence, a JSON object a line.")
@click.option(
    "--redacted",
    is_flag=True,
    help="Only what the uploader's side may see: a reference and the policy's words.",
)
def command(
    paths: tuple[Path, ...],
    list_paths: tuple[str, ...],
    policy_path: Path | None,
    audit_path: Path | None,
    audit_key: Path | None,
    media: Literal["auto", "image", "video"],
    workers: int | None,
    by_suffix: bool,
    show_all: bool,
    as_json: bool,
    redacted: bool,
) -> int:
    """Look uploads up in hash lists, and show the evidence.

    Pictures and videos, told apart by content; folders with all that is below them. What is
    found is evidence for a reviewer, never a verdict. Whatever could not be asked is said:
    "no match" means that everything was.
    """
    if audit_key is not None and audit_path is None:
        raise click.UsageError("--audit-key: needs --audit")
    uploads = list(find_media(paths, all_files=not by_suffix, hint="they were not screened"))
    if not uploads:
        raise click.UsageError("PATHS: no files found")
    printer = printer_of(show_all=show_all, as_json=as_json, redacted=redacted)
    with ExitStack() as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore", fp.LowQualityWarning)  # It is an outcome.
        policy = _policy(policy_path)
        lists = _opened(list_paths, opened)
        audit = _audit(audit_path, audit_key, opened)
        with wrong_use():
            from fingerprint.screening import Screener

            screener = opened.enter_context(
                Screener(lists, policy, audit=audit, on_flood=None if redacted else _tell_flood)
            )
            results = opened.enter_context(
                screener.screen_many(uploads, media=media, workers=workers)
            )
        with _output(), screening_bar(len(uploads)) as advance:
            for result in results:
                printer.take(result)
                advance()
            for line in printer.summary():
                console.print(line, soft_wrap=True)
    return printer.status


@contextmanager
def _output() -> Iterator[None]:
    """Make a closed output an error: elsewhere it ends a command well, here it would say 0."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # Rich makes an exit of it.
        sys.stdout = None
        raise click.ClickException("the output was closed before everything was told") from None


def _policy(path: Path | None) -> Policy | None:
    if path is None:
        return None
    from fingerprint.screening import Policy

    return Policy.load(path)


def _opened(texts: tuple[str, ...], opened: ExitStack) -> dict[str, HashList]:
    """Open lists to read, by the names that policies use."""
    lists: dict[str, HashList] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not name or Path(text).is_dir():
            name, path = "", text
        found = opened.enter_context(HashList.open(path, read_only=True))
        name = name or found.name
        if name in lists:
            raise click.UsageError(f"--list: two are called {name!r}; say NAME=LIST")
        lists[name] = found
    return lists


def _audit(path: Path | None, key: Path | None, opened: ExitStack) -> AuditLog | None:
    if path is None:
        return None
    from fingerprint.screening import AuditKey, AuditLog

    secret = AuditKey.read(key) if key is not None else AuditKey.from_environment()
    return opened.enter_context(AuditLog.open(path, secret))


def _tell_flood(flood: Flood) -> None:
    errors.print(
        f"[yellow]flood:[/yellow] {shown(f'{flood.list_name} {flood.source} {flood.record_id}')} "
        f"matched {flood.matches:,} of the last {flood.uploads:,} uploads: perhaps the record is "
        f"at fault{'; its perceptual matches count no more' if flood.suspended else ''}",
        soft_wrap=True,
    )
