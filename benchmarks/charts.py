"""Pictures of the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.measurement import SPEEDUP
from benchmarks.paired import figures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.measurement import Group, Measurement

__all__ = ["draw_speed"]

WIDTH_IN = 10.0
DPI = 160
LABEL_PT = 10.5
LINE_IN = 0.17
BAR_IN = 0.25
LABEL_WIDTH = 40
GREEN, RED, GREY = "#2a7f62", "#c0392b", "#93a0ae"
COLOURS = {"met": GREEN, "not met": RED, "wrong answer": RED, "": GREY}


def draw_speed(groups: Sequence[Group], path: Path) -> bool:
    """Draw how many times faster than its peer each piece of work is; False without any."""
    chosen = [[m for m in g.measurements if m.unit == SPEEDUP and m.value] for g in groups]
    bars = [one for some in chosen for one in some]
    if not bars:
        return False
    titles = [(group.title, some) for group, some in zip(groups, chosen, strict=True) if some]
    figure, axes = _canvas(_rows_height(titles))
    y = 0.0
    places, labels = [], []
    for title, some in titles:
        y = _heading(axes, y, title)
        for one in some:
            label = _wrapped(_without(title, one.name))
            step = max(BAR_IN, LINE_IN * (1 + label.count("\n"))) + 0.06
            y += step / 2
            _speed_bar(axes, y, one)
            places.append(y)
            labels.append(label)
            y += step / 2
    longest = max(max(one.value or 1, one.target.bound if one.target else 1) for one in bars)
    shortest = min(one.value or 1 for one in bars)
    axes.set_xscale("log")
    axes.set_xlim(min(0.8, shortest * 0.8), longest * 11)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(places, labels)
    axes.set_xlabel(
        "times faster than the peer: ratio of medians, log scale; line: quartiles of the pairs",
        fontsize=LABEL_PT,
    )
    legend = ((GREEN, "target met"), (RED, "not met"), (GREY, "no target"))
    _finish(figure, axes, y, legend, path)
    return True


def _rows_height(titles: Sequence[tuple[str, Sequence[Measurement]]]) -> float:
    return sum(0.5 + (2 * LINE_IN + 0.06) * len(some) for _, some in titles)


def _speed_bar(axes: Any, y: float, one: Measurement) -> None:
    value = one.value or 1.0
    # Bars start at 1, where both sides are as fast: what is slower points left.
    axes.barh(y, value - 1, left=1, height=BAR_IN, color=COLOURS[one.verdict])
    right = max(value, 1.0)
    if one.pair is not None:
        span = one.pair.pair_speedup
        axes.plot((span.q1, span.q3), (y, y), color="black", linewidth=1.3)
        right = max(right, span.q3)
    text = f"{figures(value)}×"
    if one.details.get("needs_fallback") is True:
        text += ", fallback"
    if one.target is not None:
        bound = one.target.bound
        half = BAR_IN / 2 + 0.04
        axes.plot((bound, bound), (y - half, y + half), color="black", linewidth=2.6)
        right = max(right, bound)
        text += f" (target {one.target})"
    if one.verdict == "wrong answer":
        text += "  WRONG ANSWER"
    axes.text(right * 1.07, y, text, va="center", fontsize=LABEL_PT, in_layout=False)


def _heading(axes: Any, y: float, title: str) -> float:
    axes.text(
        0.0,
        y + 0.3,
        title,
        transform=axes.get_yaxis_transform(),
        va="center",
        ha="left",
        fontsize=LABEL_PT + 0.5,
        fontweight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2.0},
    )
    return y + 0.5


def _canvas(rows_in: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, rows_in + 1.2), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _finish(
    figure: Any,
    axes: Any,
    bottom: float,
    legend: Sequence[tuple[str, str]],
    path: Path,
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, NullFormatter

    handles: list[Any] = [Patch(color=colour, label=label) for colour, label in legend]
    handles.append(Line2D([], [], color="black", linewidth=2.6, label="target"))
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=len(handles),
        frameon=False,
        fontsize=LABEL_PT,
    )
    axes.set_ylim(bottom + 0.1, 0)
    axes.tick_params(axis="y", length=0, labelsize=LABEL_PT)
    axes.tick_params(axis="x", labelsize=LABEL_PT)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="x", which="major", color="#dfe3e8", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, facecolor="white")


def _without(title: str, name: str) -> str:
    """Leave out of a name what the heading above it says already."""
    start = title.split(" ", maxsplit=1)[0] + ", "
    return name.removeprefix(start)


def _wrapped(name: str) -> str:
    if len(name) <= LABEL_WIDTH:
        return name
    places = (name.rfind(" against "), name.rfind(", ") + 1, name.rfind(" ", 0, LABEL_WIDTH))
    at = next(place for place in places if place > 0)
    return f"{name[:at]}\n{name[at + 1 :]}"
