"""Pictures of what a look-up costs, by size of the set and by radius."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measurement import Measurement

__all__ = ["draw_by_radius", "draw_by_size"]

WIDTH_IN = 12.0
PANEL_IN = 4.6
LEGEND_IN = 1.1
DPI = 150
LABEL_PT = 10.5
BLUE = "#1b4f8f"
TARGETS_MS = {1_000_000: 0.06, 10_000_000: 0.25, 100_000_000: 1.0}


@dataclass(frozen=True)
class Series:
    """A line: what it is called, how it looks, and which measurements it joins."""

    label: str
    colour: str
    marker: str
    takes: Callable[[str, str], bool]
    line: str = "-"
    width: float = 1.6


def _named(start: str, end: str = "") -> Callable[[str, str], bool]:
    return lambda name, _: name.startswith(start) and name.endswith(end)


def _mih(residency: str) -> Callable[[str, str], bool]:
    return lambda name, where: name == "mih" and where == residency


def _built_for_it(name: str, residency: str) -> bool:
    # At the radius of the other rows `mih` is that itself.
    return name.startswith("mih") and residency == "private"


SERIES = (
    Series("mih, exact", BLUE, "o", _mih("private"), width=3.4),
    Series("mih, huge pages", BLUE, "D", _mih("huge"), ":", 1.4),
    Series("mih, mmap", BLUE, "s", _mih("mmap"), ":", 1.4),
    Series("mih, built for the radius", "#2e9bd6", "d", _built_for_it, width=2.2),
    Series("linear scan, exact", "#7fa6d3", "v", _named("linear"), width=2.2),
    Series("FAISS Flat, exact", "#6b4c2a", "^", _named("FAISS Flat")),
    Series("FAISS MultiHash, exact", "#c0392b", "P", _named("FAISS MultiHash")),
    Series("PyNear MIH, exact", "#e08214", "X", _named("PyNear")),
    Series("FAISS IVF1024, nprobe 16", "#7fbf7b", "<", _named("FAISS IVF", "nprobe 16"), "--"),
    Series("FAISS IVF1024, nprobe 64", "#1b7837", ">", _named("FAISS IVF", "nprobe 64"), "--"),
    Series("FAISS HNSW", "#9970ab", "h", _named("FAISS HNSW"), "--"),
    Series("usearch HNSW", "#e377a2", "*", _named("usearch"), "--"),
)


def draw_by_size(measurements: Sequence[Measurement], path: Path) -> bool:
    """Draw the median time of a query by number of hashes; False without any."""
    found = _rows(measurements, {"size", "residency"})
    if not found:
        return False
    data = _distinct(found, "data")
    figure, panels = _canvas(1, len(data))
    for axes, kind in zip(panels[0], data, strict=True):
        some = [one for one in found if one.details["data"] == kind]
        sizes = _distinct(some, "hashes")
        _lines(axes, some, "hashes")
        bounds = {n: ms for n, ms in TARGETS_MS.items() if n in sizes}
        if bounds:
            axes.plot(
                *zip(*bounds.items(), strict=True),
                linestyle="",
                marker="_",
                markersize=24,
                markeredgewidth=2.6,
                color="black",
                label="target for mih",
                zorder=1,
            )
        axes.set_xscale("log")
        axes.set_title(f"{kind} hashes, radius 31 of 256 bits", fontsize=LABEL_PT + 1)
        axes.set_xlabel("hashes in the set", fontsize=LABEL_PT)
        axes.set_xticks(sizes, [_count(n) for n in sizes])
        axes.xaxis.minorticks_off()
    _finish(figure, panels, path)
    return True


def draw_by_radius(measurements: Sequence[Measurement], path: Path) -> bool:
    """Draw the median time of a query by radius; False without any."""
    found = _rows(measurements, {"radius"})
    if not found:
        return False
    data, sizes = _distinct(found, "data"), _distinct(found, "hashes")
    figure, panels = _canvas(len(sizes), len(data))
    for row, n in zip(panels, sizes, strict=True):
        for axes, kind in zip(row, data, strict=True):
            here = (n, kind)
            some = [m for m in found if (m.details["hashes"], m.details["data"]) == here]
            _lines(axes, some, "radius")
            axes.set_title(f"{_count(n)} {kind} hashes of 256 bits", fontsize=LABEL_PT + 1)
            axes.set_xlabel("radius in bits", fontsize=LABEL_PT)
            axes.set_xticks(_distinct(some, "radius"))
    _finish(figure, panels, path)
    return True


def _rows(measurements: Sequence[Measurement], parts: set[str]) -> list[Measurement]:
    return [m for m in measurements if m.details.get("part") in parts and m.value is not None]


def _distinct(measurements: Sequence[Measurement], key: str) -> list[Any]:
    return sorted(
        {m.details[key] for m in measurements}, key=lambda value: (str(type(value)), value)
    )


def _lines(axes: Any, measurements: Sequence[Measurement], key: str) -> None:
    for one in SERIES:
        points = {
            m.details[key]: m.value
            for m in measurements
            if one.takes(str(m.details["structure"]), str(m.details["residency"]))
        }
        if not points or (one.takes is _built_for_it and key != "radius"):
            continue
        axes.plot(
            *zip(*sorted(points.items()), strict=True),
            label=one.label,
            color=one.colour,
            marker=one.marker,
            linestyle=one.line,
            linewidth=one.width,
            markersize=7 if one.width > 2 else 5.5,
            zorder=3 if one.colour == BLUE else 2,
        )


def _canvas(n_rows: int, n_columns: int) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (WIDTH_IN, PANEL_IN * n_rows + LEGEND_IN)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(n_rows, n_columns, sharey="row", squeeze=False)


def _finish(figure: Any, panels: Any, path: Path) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    handles: dict[str, Any] = {}
    for axes in panels.flat:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        few_decades = high < 100 * low
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few_decades else (1,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(labelsize=LABEL_PT)
        axes.grid(which="major", color="#dfe3e8", linewidth=0.8)
        axes.grid(axis="y", which="minor", color="#f0f2f4", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        lines, labels = axes.get_legend_handles_labels()
        handles |= dict(zip(labels, lines, strict=True))
    for axes in panels[:, 0]:
        axes.set_ylabel("p50 of a query, ms, one thread", fontsize=LABEL_PT)
    order = [one.label for one in SERIES if one.label in handles]
    order += [label for label in handles if label not in order]
    figure.legend(
        [handles[label] for label in order],
        order,
        loc="outside upper center",
        ncols=4,
        frameon=False,
        fontsize=LABEL_PT,
        title="solid: exact; dashed: approximate, at the recall in the tables",
        title_fontsize=LABEL_PT,
        handlelength=3.2,
    )
    figure.savefig(path, facecolor="white")


def _count(n: int) -> str:
    for unit, name in ((1_000_000, "M"), (1000, "k")):
        if n >= unit and n % unit == 0:
            return f"{n // unit}{name}"
    return f"{n:,}"
