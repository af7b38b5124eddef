"""``python -m benchmarks``: measure, show and write the results."""

from __future__ import annotations

import importlib
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.environment import describe_machine, load_average, use_one_thread
from benchmarks.report import write_report
from benchmarks.settings import FULL, QUICK

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
}
RESULTS = Path(__file__).parent / "results"
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
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the results. By default benchmarks/results, and its folder 'partial' "
    "with --quick or --only, so that these never replace a full run's.",
)
def main(quick: bool, only: tuple[str, ...], out: Path | None) -> None:
    """Time fingerprint beside its peers and write latest.json, latest.md and two pictures.

    Ends with 1 when two sides that should agree do not. A target that is not met
    is reported, and is no failure.
    """
    folder = out or (RESULTS / "partial" if quick or only else RESULTS)
    console = Console()
    use_one_thread()
    machine = describe_machine()
    settings = QUICK if quick else FULL
    before = perf_counter()
    groups = _run(only or tuple(MODULES), settings, console)
    machine["load average at the end"] = load_average()
    machine["duration"] = f"{perf_counter() - before:.0f} s"
    for group in groups:
        _show(group, console)
    for path in write_report(folder, machine, settings, groups):
        console.print(f"wrote {path}", highlight=False, soft_wrap=True)
    if any(m.verdict == "wrong answer" for group in groups for m in group.measurements):
        raise SystemExit("two sides that should agree do not: see 'wrong answer'")


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
    for one in group.measurements:
        style = STYLES.get(one.verdict, "")
        target = "" if one.target is None else str(one.target)
        table.add_row(one.name, one.value_text, target, one.verdict, style=style)
    console.print(table)


if __name__ == "__main__":
    main()
