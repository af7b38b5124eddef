"""Results of earlier runs, read back to stand beside those of this one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmarks.lookup_tables import tables_of
from benchmarks.measurement import Group, Measurement, Table, Target
from benchmarks.paired import Paired, Spread

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FORMAT", "Run", "as_json", "merged", "read_runs"]

FORMAT = 2


@dataclass(frozen=True)
class Run:
    """What one call of the benchmarks found, where, and with which settings."""

    machine: Mapping[str, str]
    settings: Mapping[str, Any]
    groups: tuple[Group, ...]


def merged(earlier: Sequence[Run], new: Run) -> list[Run]:
    """Put a run behind earlier ones, which keep only what it did not measure again.

    The new one's look-ups count as measured whatever became of them; runs that are left
    with nothing go.
    """
    again = {one.name for group in new.groups for one in group.measurements}
    kept = []
    for run in earlier:
        groups = tuple(g for g in (_without(g, again) for g in run.groups) if g.measurements)
        if groups:
            kept.append(replace(run, groups=groups))
    return [*kept, new]


def _without(group: Group, names: set[str]) -> Group:
    left = tuple(one for one in group.measurements if one.name not in names)
    if len(left) == len(group.measurements):
        return group
    return replace(group, measurements=left, tables=tables_of(left))


def as_json(run: Run) -> dict[str, Any]:
    """Return a run as plain values."""
    groups = []
    for group in run.groups:
        content = asdict(group)
        for one, measured in zip(content["measurements"], group.measurements, strict=True):
            one["verdict"] = measured.verdict
        groups.append(content)
    return {"machine": dict(run.machine), "settings": dict(run.settings), "groups": groups}


def read_runs(path: Path) -> list[Run]:
    """Read the runs of a file; none where there is no file or one of another format."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return []
    if content.get("format") != FORMAT:
        return []
    return [
        Run(run["machine"], run["settings"], tuple(map(_group, run["groups"])))
        for run in content["runs"]
    ]


def _group(content: dict[str, Any]) -> Group:
    tables = [Table(t["title"], tuple(t["columns"]), _rows(t["rows"])) for t in content["tables"]]
    return Group(
        content["name"],
        content["title"],
        tuple(content["conditions"]),
        tuple(map(_measurement, content["measurements"])),
        tuple(tables),
    )


def _rows(rows: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in rows)


def _measurement(content: dict[str, Any]) -> Measurement:
    fields = {name: value for name, value in content.items() if name != "verdict"}
    if fields["target"] is not None:
        fields["target"] = Target(**fields["target"])
    if fields["pair"] is not None:
        fields["pair"] = _pair(fields["pair"])
    return Measurement(**fields)


def _pair(content: dict[str, Any]) -> Paired:
    spreads = {name: Spread(**content[name]) for name in ("ours_s", "peer_s", "pair_speedup")}
    return Paired(**{**content, **spreads})
