"""The results as JSON, as Markdown and as pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmarks.charts import draw_speed
from benchmarks.lookup_charts import draw_by_radius, draw_by_size
from benchmarks.measurement import SPEEDUP
from benchmarks.paired import Spread, figures
from benchmarks.stored import FORMAT, Run, as_json, merged, read_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.measurement import Group, Measurement, Table
    from benchmarks.settings import Settings

__all__ = ["seconds", "write_report"]

LATEST, LARGE = "latest", "lookup-large"
"""What files are called: of a run, and of look-ups in sets of many millions."""

COLUMNS = (
    "what",
    "measured",
    "target",
    "",
    "ours",
    "peer",
    "ratio by pairs",
    "pairs",
    "remarks",
)


def write_report(
    folder: Path,
    machine: Mapping[str, str],
    settings: Settings,
    groups: Sequence[Group],
    *,
    is_large: bool = False,
) -> list[Path]:
    """Write latest.json, latest.md and the pictures that there is something for.

    Large look-ups go to lookup-large.json and lookup-large.md, which keep what earlier
    runs found and this one did not measure. The pictures of look-ups show both.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name, other = (LARGE, LATEST) if is_large else (LATEST, LARGE)
    data, text = folder / f"{name}.json", folder / f"{name}.md"
    runs = [Run(machine, asdict(settings), tuple(groups))]
    if is_large:
        runs = merged(read_runs(data), *runs)
    drawn = _draw(folder, runs, read_runs(folder / f"{other}.json"), is_large=is_large)
    content = {"format": FORMAT, "runs": [as_json(run) for run in runs]}
    data.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    text.write_text(_markdown(runs, [p.name for p in drawn]), "utf-8")
    return [data, text, *drawn]


def _draw(
    folder: Path, runs: Sequence[Run], others: Sequence[Run], *, is_large: bool
) -> list[Path]:
    groups = [group for run in runs for group in run.groups]
    looked_up: dict[str, Measurement] = {}
    for run in (*others, *runs):
        for group in run.groups:
            looked_up |= {one.name: one for one in group.measurements if "part" in one.details}
    found = list(looked_up.values())
    tasks: list[tuple[str, Callable[[Path], bool]]] = [
        ("lookup-size.png", lambda path: draw_by_size(found, path)),
        ("lookup-radius.png", lambda path: draw_by_radius(found, path)),
    ]
    if not is_large:
        tasks.insert(0, ("speed.png", lambda path: draw_speed(groups, path)))
    drawn = []
    for name, draw in tasks:
        picture = folder / name
        if draw(picture):
            drawn.append(picture)
        else:
            picture.unlink(missing_ok=True)
    return drawn


def seconds(times: Spread) -> str:
    """Write times in ms or s, median and quartiles."""
    unit, scale = ("s", 1) if times.median >= 1 else ("ms", 1000)
    scaled = Spread(times.median * scale, times.q1 * scale, times.q3 * scale, times.n)
    median, _, rest = str(scaled).partition(" ")
    return f"{median} {unit} {rest}"


def _markdown(runs: Sequence[Run], pictures: Sequence[str]) -> str:
    parts = ["# Benchmarks", ""]
    every = [m for run in runs for group in run.groups for m in group.measurements]
    wrong = [m for m in every if m.verdict == "wrong answer"]
    if wrong:
        parts += ["**WRONG ANSWERS:**", "", *(f"- {m.name}" for m in wrong), ""]
    with_target = [m for m in every if m.target is not None]
    if with_target:
        counts = {
            verdict: sum(m.verdict == verdict for m in with_target)
            for verdict in ("met", "not met", "not run", "wrong answer")
        }
        parts += [
            "Targets: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n) + ".",
            "",
            *_table(
                ("what", "measured", "target", ""),
                [(m.name, m.value_text, _target(m), m.verdict) for m in with_target],
            ),
        ]
    for picture in pictures:
        parts += [f"![{picture.removesuffix('.png')}]({picture})", ""]
    for run in runs:
        parts += _run_markdown(run)
    return "\n".join(parts)


def _run_markdown(run: Run) -> list[str]:
    parts = ["## Conditions", "", *_table(("", ""), list(run.machine.items()))]
    parts += [
        "The two sides of a comparison take turns in one process. A ratio is that of the "
        "medians; beside it stand the median of the ratios pair by pair and its interquartile "
        "range. × means times faster; where the unit is a time or a share, the ratio is ours in "
        "times of the peer's.",
        "",
    ]
    for group in run.groups:
        parts += _group_markdown(group)
    return parts


def _group_markdown(group: Group) -> list[str]:
    parts = [f"## {group.title}", "", *(f"- {line}" for line in group.conditions), ""]
    tabled = bool(group.tables)
    rows = [_row(m) for m in group.measurements if not tabled or not _is_in_table(m)]
    if rows:
        parts += _table(COLUMNS, rows)
    for table in group.tables:
        parts += _titled(table)
    return parts


def _is_in_table(one: Measurement) -> bool:
    return one.pair is None and one.target is None and one.unit in {"ms", "bits on average"}


def _row(one: Measurement) -> tuple[str, ...]:
    start = (one.name, one.value_text, _target(one), one.verdict)
    if one.pair is None:
        return (*start, "", "", "", "", _remarks(one))
    pair = one.pair
    ratios = pair.pair_speedup if one.unit == SPEEDUP else pair.pair_cost
    times = (seconds(pair.ours_s), seconds(pair.peer_s))
    return (*start, *times, str(ratios), str(ratios.n), _remarks(one))


def _remarks(one: Measurement) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {_plain(value)}" for name, value in one.details.items()
    )


def _plain(value: float | int | str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return figures(value) if isinstance(value, float) else str(value)


def _target(one: Measurement) -> str:
    return "" if one.target is None else f"{one.target}"


def _titled(table: Table) -> list[str]:
    return [f"### {table.title}", "", *_table(table.columns, table.rows)]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(columns), "|" + "---|" * len(columns), *(line(row) for row in rows), ""]
