"""The results as JSON, as Markdown and as pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmarks.charts import draw_index, draw_speed
from benchmarks.measurement import SPEEDUP
from benchmarks.paired import Spread, figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.measurement import Group, Measurement, Table
    from benchmarks.settings import Settings

__all__ = ["seconds", "write_report"]

FORMAT = 1
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
    folder: Path, machine: Mapping[str, str], settings: Settings, groups: Sequence[Group]
) -> list[Path]:
    """Write latest.json, latest.md and the pictures that there is something for."""
    folder.mkdir(parents=True, exist_ok=True)
    data, text = folder / "latest.json", folder / "latest.md"
    drawn = []
    for name, draw in (("speed.png", draw_speed), ("index.png", draw_index)):
        picture = folder / name
        if draw(groups, picture):
            drawn.append(picture)
        else:
            picture.unlink(missing_ok=True)
    content = {
        "format": FORMAT,
        "machine": dict(machine),
        "settings": asdict(settings),
        "groups": [_group_json(group) for group in groups],
    }
    data.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    text.write_text(_markdown(machine, groups, [p.name for p in drawn]), "utf-8")
    return [data, text, *drawn]


def seconds(times: Spread) -> str:
    """Write times in ms or s, median and quartiles."""
    unit, scale = ("s", 1) if times.median >= 1 else ("ms", 1000)
    scaled = Spread(times.median * scale, times.q1 * scale, times.q3 * scale, times.n)
    median, _, rest = str(scaled).partition(" ")
    return f"{median} {unit} {rest}"


def _group_json(group: Group) -> dict[str, Any]:
    content = asdict(group)
    for one, measured in zip(content["measurements"], group.measurements, strict=True):
        one["verdict"] = measured.verdict
    return content


def _markdown(machine: Mapping[str, str], groups: Sequence[Group], pictures: Sequence[str]) -> str:
    parts = ["# Benchmarks", ""]
    with_target = [m for group in groups for m in group.measurements if m.target is not None]
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
    parts += ["## Conditions", "", *_table(("", ""), list(machine.items()))]
    parts += [
        "The two sides of a comparison take turns in one process. A ratio is that of the "
        "medians; beside it stand the median of the ratios pair by pair and its interquartile "
        "range. × means times faster; where the unit is a time or a share, the ratio is ours in "
        "times of the peer's.",
        "",
    ]
    for group in groups:
        parts += _group_markdown(group)
    return "\n".join(parts)


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
