"""What the commands of ``fingerprint list`` share: arguments, times, values for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from fingerprint.cli.common import errors, shown
from fingerprint.cli.lists.wording import in_options
from fingerprint.errors import FingerprintError, ListFormatError
from fingerprint.index import durable
from fingerprint.lists import HashList
from fingerprint.lists.records import instant_of, text_of_instant

__all__ = [
    "age_text",
    "by_option",
    "changing",
    "columns_of",
    "copy_prefix",
    "fact_table",
    "json_option",
    "list_argument",
    "purge_option",
    "record_column",
    "record_text",
    "rows_progress",
    "share_option",
    "short_hash",
    "span_option",
    "text_pairs_option",
    "time_text",
    "when_option",
    "wrong_use",
]

F = TypeVar("F", bound=Callable[..., object])

_SPANS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"([1-9][0-9]{0,5})([mhdw])").fullmatch
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_SHOWN_DIGITS = 6
_NAME_SHOWN = 100
_UNBROKEN = 36
"""Characters of an id that is not folded; more would leave no room for the rest."""
_TIMES = ("when", "last read", "expires")

list_argument = click.argument("list_path", metavar="LIST", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
by_option = click.option(
    "--by",
    required=True,
    envvar="FINGERPRINT_BY",
    show_envvar=True,
    metavar="WHO",
    help="Who answers for the change; the list's history keeps it.",
)
purge_option = click.option(
    "--no-purge",
    "purge",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Leave what was retracted in the files until `fingerprint list purge`; quicker when many "
    "changes follow each other. It is found no more in any case.",
)
share_option = click.option(
    "--max-retracted-share",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="A snapshot that would retract a larger share is refused: it is more likely half a file.",
)


def when_option(
    *names: str, help_text: str, past: bool = False, required: bool = False
) -> Callable[[F], F]:
    """Return an option for a time: a span from now (or ago), or ISO 8601 with its zone.

    One that is past may be a day: its beginning in UTC, so that nothing looks newer than it is.
    """

    def when(_: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
        if text is None:
            return None
        if span := _SPAN(text):
            seconds = int(span[1]) * _SPANS[span[2]]
            try:
                return datetime.now(UTC) + timedelta(seconds=-seconds if past else seconds)
            except OverflowError:
                raise click.BadParameter(f"{text!r} is out of range", param=option) from None
        try:
            found = instant_of(f"{text}T00:00Z" if past and _DAY(text) else text)
            if past and found > datetime.now(UTC):
                raise click.BadParameter(
                    f"expected a time that is past, got {text!r}", param=option
                )
            return found
        except ListFormatError:
            raise click.BadParameter(
                "expected a span such as 36h, 30d or 8w, or a time with its zone such as "
                f"2027-01-31T12:00Z, got {text!r}",
                param=option,
            ) from None

    return click.option(*names, metavar="WHEN", callback=when, required=required, help=help_text)


def span_option(*names: str, help_text: str) -> Callable[[F], F]:
    """Return an option for a span such as 36h or 2d, which the command gets in seconds."""

    def span_s(_: click.Context, option: click.Parameter, text: str | None) -> float | None:
        if text is None:
            return None
        if span := _SPAN(text):
            return float(int(span[1]) * _SPANS[span[2]])
        raise click.BadParameter(
            f"expected a span such as 90m, 36h, 2d or 8w, got {text!r}", param=option
        )

    return click.option(*names, metavar="SPAN", callback=span_s, help=help_text)


def text_pairs_option(
    *names: str, what: str, help_text: str, key: str = "KEY", value: str = "VALUE"
) -> Callable[[F], F]:
    """Return a repeatable option ``KEY=VALUE`` of texts, which the command gets as a dict."""

    def pairs(_: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for text in texts:
            before, equals, after = text.partition("=")
            if not equals or not before:
                raise click.BadParameter(f"expected {key}=…, got {text!r}", param=option)
            if before in found:
                raise click.BadParameter(f"{before!r} stands twice", param=option)
            found[before] = after
        return found

    metavar = f"{key}={value}"
    return click.option(
        *names, what, metavar=metavar, multiple=True, callback=pairs, help=help_text
    )


@contextmanager
def wrong_use() -> Iterator[None]:
    """Turn what the library says of a wrong argument into a message about the command line."""
    try:
        yield
    except FingerprintError:
        raise
    except (TypeError, ValueError) as error:
        context = click.get_current_context(silent=True)
        command = None if context is None else context.info_name
        raise click.UsageError(in_options(str(error), command)) from error


@contextmanager
def changing(path: Path) -> Iterator[HashList]:
    """Open a list to change it."""
    with HashList.open(path) as found, wrong_use():
        # Copies of dry runs that were killed: nothing else would ever purge them.
        durable.remove_stale(found.path.parent, copy_prefix(found))
        yield found


def copy_prefix(found: HashList) -> str:
    """Return how names of passing copies of a list begin, which lie beside it."""
    return f".{found.path.name[:_NAME_SHOWN]}-"


@contextmanager
def rows_progress(what: str) -> Iterator[Callable[[int], None]]:
    """Show how many rows were read; yield the function that takes the number."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description} {task.completed:,.0f} rows"),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done: bar.update(task, completed=done)


def short_hash(value: str) -> str:
    """Return a hash for people: its first digits and how many there are."""
    first = value.splitlines()[0] if value else ""
    if first != value or len(value) > 1024:
        return f"{value.count(chr(10)) or 1:,} lines, {len(value):,} characters"
    return f"{value[:_SHOWN_DIGITS]}… ({len(value)} digits)"


def time_text(at: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    return "never" if at is None else text_of_instant(at.replace(microsecond=0))


def age_text(at: datetime, now: datetime) -> str:
    """Return how long ago a time was, or how far off it is, in one unit."""
    seconds = (now - at).total_seconds()
    size = abs(seconds)
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if size >= 2 * length:
            text = f"{size / length:,.0f} {unit}"
            break
    else:
        text = f"{size:,.0f} seconds"
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def fact_table(title: str, rows: Mapping[str, str]) -> Table:
    """Return a table of a name and a value a row; values are markup already."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(no_wrap=True, min_width=13)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(shown(name), value)
    return table


def columns_of(table: Table, *headings: str, right: tuple[str, ...] = ()) -> Table:
    """Add columns to a table, long values folded but times; return it."""
    for heading in headings:
        table.add_column(
            heading,
            overflow="fold",
            no_wrap=heading in _TIMES,
            justify="right" if heading in right else "left",
        )
    return table


def record_text(source: str, record_id: str) -> str:
    """Return who a record is, in a line or two, as markup."""
    between = " " if len(source) + len(record_id) < _UNBROKEN else "\n"
    return f"{shown(source)}{between}{shown(record_id)}"


def record_column(table: Table, cells: Iterable[str], heading: str = "record") -> None:
    """Add a column for `record_text`: ids are copied, so that they are folded only if too long."""
    longest = max((len(line) for cell in cells for line in cell.splitlines()), default=0)
    table.add_column(heading, overflow="fold", no_wrap=longest <= _UNBROKEN)
