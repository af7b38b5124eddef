"""``python -m benchmarks``: measure, show and write the results."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.environment import describe_machine, load_average, use_one_thread
from benchmarks.report import write_report
from benchmarks.settings import FULL, PARTS, QUICK

if TYPE_CHECKING:
    from benchmarks.measurement import Group
    from benchmarks.settings import Settings

MODULES = {
    "pdq": "pdq",
    "imagehash": "imagehash_peers",
    "decode": "decode",
    "batch": "batch",
    "cold": "cold",
    "fidelity": "fidelity",
    "index": "index",
    "lookup": "lookup",
    "video": "video",
    "views": "views",
}
RESULTS = Path(__file__).parent / "results"
LARGE_FROM = 1_000_000
STYLES = {"met": "green", "not met": "yellow", "not run": "dim", "wrong answer": "bold red"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Few runs and small sets: does it work?")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(MODULES)),
    help="Run this group; may be given several times.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(min=1000),
    help="Look up in this many hashes, and run only the group 'lookup'; may be given several "
    "times. Ten million take about 8 GB of memory with all peers, a hundred million 12 GB.",
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(PARTS),
    help="Run this part of the group 'lookup' and no other group; may be given several times.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the results. By default benchmarks/results, and its folder 'partial' "
    "with --quick, --only, --part or small sizes, so that these never replace a full run's.",
)
def main(
    quick: bool,
    only: tuple[str, ...],
    sizes: tuple[int, ...],
    parts: tuple[str, ...],
    out: Path | None,
) -> None:
    """Time fingerprint beside its peers and write latest.json, latest.md and pictures.

    Look-ups in more than a million hashes, which --size asks for, are written to
    lookup-large.json and lookup-large.md in the same folder: a default run leaves them
    alone, and they keep what earlier runs measured at other sizes or of other parts.

    Ends with 1 when two sides that should agree do not. A target that is not met
    is reported, and is no failure.
    """
    if sizes or parts:
        if set(only) - {"lookup"}:
            raise click.UsageError("--size and --part belong to --only lookup")
        only = ("lookup",)
    is_large = any(n > LARGE_FROM for n in sizes)
    is_part = quick or (bool(only) and not is_large)
    folder = out or (RESULTS / "partial" if is_part else RESULTS)
    console = Console()
    use_one_thread()
    machine = describe_machine()
    settings = _settings(quick, sizes, parts)
    before = perf_counter()
    groups = _run(only or tuple(MODULES), settings, console)
    machine["load average at the end"] = load_average()
    machine["duration"] = f"{perf_counter() - before:.0f} s"
    for group in groups:
        _show(group, console)
    for path in write_report(folder, machine, settings, groups, is_large=is_large):
        console.print(f"wrote {path}", highlight=False, soft_wrap=True)
    if any(m.verdict == "wrong answer" for group in groups for m in group.measurements):
        raise SystemExit("two sides that should agree do not: see 'wrong answer'")


def _settings(quick: bool, sizes: tuple[int, ...], parts: tuple[str, ...]) -> Settings:
    settings = QUICK if quick else FULL
    lookup = settings.lookup
    return replace(
        settings,
        lookup=replace(lookup, sizes=sizes or lookup.sizes, parts=parts or lookup.parts),
    )


def _run(names: tuple[str, ...], settings: Settings, console: Console) -> list[Group]:
    groups = []
    # A display that refreshes itself would run while something is timed.
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task("", total=None)

        for i, name in enumerate(names):

            def tell(text: str, i: int = i) -> None:
                progress.update(task, description=f"[{i + 1}/{len(names)}] {text}", refresh=True)

            tell(name)
            module = importlib.import_module(f"benchmarks.{MODULES[name]}")
            groups.append(module.run(settings, tell))
    return groups


def _show(group: Group, console: Console) -> None:
    table = Table("what", "measured", "target", "", title=group.title, title_justify="left")
    shown = [m for m in group.measurements if "part" not in m.details or m.agrees is False]
    for one in shown:
        style = STYLES.get(one.verdict, "")
        target = "" if one.target is None else str(one.target)
        table.add_row(one.name, one.value_text, target, one.verdict, style=style)
    console.print(table)
    if len(shown) < len(group.measurements):
        n_more = len(group.measurements) - len(shown)
        console.print(f"and {n_more} rows in the tables of the report", style="dim")


if __name__ == "__main__":
    main()
