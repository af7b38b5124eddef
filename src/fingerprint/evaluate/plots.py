"""Plots of an evaluation, as PNG. Needs matplotlib, the extra ``report``."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.errors import MissingExtraError
from fingerprint.evaluate.report_words import (
    SCALE,
    headline,
    point_words,
    rows_by_transform,
    share_words,
    transform_names_of,
    unit_of,
)
from fingerprint.evaluate.timeline import GREY, INK, PALE

if TYPE_CHECKING:
    from fingerprint.evaluate.report import ContenderResult, RobustnessReport

__all__ = ["plots", "require_matplotlib"]

# Told apart with any colour vision: Okabe and Ito, "Color universal design", 2008.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8f98")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_DPI = 110
_PANELS_A_ROW = 5
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.grid": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "fingerprint",
}


def require_matplotlib() -> None:
    """Raise MissingExtraError when matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "report")


def plots(report: RobustnessReport) -> dict[str, bytes]:
    """Return PNG files by name, without suffix: those that there is something to show in.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_matplotlib()
    drawn = {
        "recall_by_transform": _recall_by_transform(report),
        "recall_by_strength": _recall_by_strength(report),
        "rates": _rates(report),
        "distances": _distances(report),
        "strata": _strata(report),
    }
    return {name: data for name, data in drawn.items() if data}


@contextmanager
def _figure(width: float, height: float, **how: Any) -> Iterator[tuple[Any, Any, io.BytesIO]]:
    """Yield a figure, its axes and a file into which it is saved at the end."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        # Without pyplot: no state that is shared, and nothing to close.
        figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(squeeze=False, **how)
        file = io.BytesIO()
        yield figure, axes, file
        figure.savefig(file, format="png", metadata={"Software": None})
        figure.clear()


def _colours() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    colours = [tuple(v / 255 for v in colour) for colour in SCALE]
    return LinearSegmentedColormap.from_list("share", colours)


def _look(i: int) -> dict[str, Any]:
    # Earlier ones are thinner and above, so that equal curves are all seen.
    return {
        "zorder": 20 - i,
        "linewidth": 1.3 + 0.25 * i,
        "color": COLOURS[i % len(COLOURS)],
        "linestyle": _DASHES[i // len(COLOURS) % len(_DASHES)],
    }


def _recall_by_transform(report: RobustnessReport) -> bytes:
    point = headline(report)
    rows = rows_by_transform(report, point.name)
    shares = np.array([[one.share for one in row] for row in rows.values()])
    width, height = max(5.5, 3.2 + 0.9 * len(report.contenders)), 1.4 + 0.235 * len(rows)
    with _figure(width, height) as (figure, axes, file):
        axis = axes[0, 0]
        axis.imshow(shares, aspect="auto", cmap=_colours(), vmin=0, vmax=1)
        axis.grid(visible=False)
        for (y, x), share in np.ndenumerate(shares):
            ink = "black" if 0.15 < share < 0.87 else "white"
            axis.text(x, y, share_words(share), ha="center", va="center", color=ink, size=8)
        axis.set_yticks(range(len(rows)), list(rows))
        names = [c.name for c in report.contenders]
        axis.set_xticks(range(len(names)), names, rotation=40, ha="left")
        axis.xaxis.tick_top()
        axis.tick_params(length=0, colors=INK)
        axis.spines[:].set_visible(False)
        figure.suptitle(
            f"% of edited copies found, mean over strengths\nat {point_words(point)}; "
            f"n = {report.n_pictures:,} pictures",
            x=0.01,
            ha="left",
            size=10,
        )
    return file.getvalue()


def _recall_by_strength(report: RobustnessReport) -> bytes:
    """Draw small multiples of the transforms that have several strengths."""
    point = headline(report)
    first = report.contenders[0]
    names = [
        name
        for name in transform_names_of(first)
        if sum(e.transform == name and e.strength is not None for e in first.edits) > 1
    ]
    if not names:
        return b""
    n_rows = -(-len(names) // _PANELS_A_ROW)
    size = 2.75 * _PANELS_A_ROW, 2.1 * n_rows + 1.0
    with _figure(*size, nrows=n_rows, ncols=_PANELS_A_ROW, sharey=True) as (figure, axes, file):
        for axis, name in zip(axes.flat, names, strict=False):
            for i, contender in enumerate(report.contenders):
                _strength_lines(axis, contender, name, point.name, i)
            axis.set_title(name)
            axis.set_xlabel(unit_of(name), size=7, color=GREY)
            axis.set_ylim(-0.04, 1.04)
            axis.set_yticks((0, 0.5, 1), ("0", "50", "100 %"))
        for axis in axes.flat[len(names) :]:
            axis.set_visible(False)
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=min(8, len(labels)))
        figure.suptitle(
            f"Recall by strength of the edit, at {point_words(point)}; "
            f"n = {report.n_pictures:,} pictures; bars: 95 % of {first.name}",
            x=0.01,
            ha="left",
            size=11,
        )
    return file.getvalue()


def _strength_lines(axis: Any, contender: ContenderResult, name: str, point: str, i: int) -> None:
    edits = [e for e in contender.edits if e.transform == name and e.strength is not None]
    edits.sort(key=lambda e: e.strength or 0)
    recalls = [e.recall(point) for e in edits]
    at = np.arange(len(edits))
    values = np.array([r.recall for r in recalls])
    reach = np.clip([values - [r.low for r in recalls], [r.high for r in recalls] - values], 0, 1)
    look = {**_look(i), "marker": _MARKERS[i % len(_MARKERS)], "markersize": 3.5}
    bars = reach if i == 0 else None  # Those of all would hide the lines.
    axis.errorbar(at, values, yerr=bars, label=contender.name, elinewidth=1, **look)
    turned = 45 if len(at) > 6 else 0
    axis.set_xticks(at, [f"{e.strength:g}" for e in edits], size=7, rotation=turned)


def _rates(report: RobustnessReport) -> bytes:
    """Draw recall and misses against the false-positive rate."""
    floor = 3 / max(report.n_pairs, 1)
    with _figure(12.5, 5.2, ncols=2) as (figure, axes, file):
        roc, det = axes[0]
        for i, contender in enumerate(report.contenders):
            curve = contender.curve()
            rates = np.array([max(rate, floor / 3) for _, rate, _ in curve])
            recalls = np.array([recall for _, _, recall in curve])
            roc.plot(rates, recalls, label=contender.name, **_look(i))
            det.plot(rates, np.maximum(1 - recalls, 1e-4), **_look(i))
            published = [p for p in contender.points if p.name == "published"]
            for one in published:
                x, y = rates[one.radius], recalls[one.radius]
                look = {"color": _look(i)["color"], "marker": _MARKERS[i % len(_MARKERS)]}
                look |= {"zorder": 40 - i, "markeredgecolor": "white"}
                roc.plot(x, y, markersize=7, **look)
                det.plot(x, max(1 - y, 1e-4), markersize=7, **look)
        for axis in (roc, det):
            axis.set_xscale("log")
            axis.axvspan(floor / 3.3, floor, color=PALE, alpha=0.6, linewidth=0)
            axis.set_xlim(floor / 3.3, 1)
            axis.set_xlabel("false-positive rate, per pair of different pictures")
        roc.text(floor, 0.02, " grey: below 3 / N,\n cannot be shown", size=8, color=GREY)
        roc.set_ylim(-0.02, 1.02)
        roc.set_ylabel("recall, over all edits")
        roc.set_title("ROC: what is found for which share of false pairs")
        det.set_yscale("log")
        det.set_ylim(bottom=2e-3)
        det.set_ylabel("misses (1 − recall), over all edits")
        det.set_title("DET: what is missed for which share of false pairs")
        roc.legend(loc="lower right")
        figure.suptitle(
            f"Every threshold; marks are published radii. n = {report.n_pictures:,} pictures × "
            f"{len(report.edits):,} edits, {report.n_pairs:,} different pairs (N)",
            x=0.01,
            ha="left",
            size=11,
        )
    return file.getvalue()


def _distances(report: RobustnessReport) -> bytes:
    """Draw the scores of copies and of different pictures."""
    n_columns = min(3, len(report.contenders))
    n_rows = -(-len(report.contenders) // n_columns)
    size = max(7.5, 4.6 * n_columns), 2.9 * n_rows + 1.0
    with _figure(*size, nrows=n_rows, ncols=n_columns) as (figure, axes, file):
        for axis, contender in zip(axes.flat, report.contenders, strict=False):
            own = np.zeros(contender.bits + 1)
            for edit in contender.edits:
                for _, score, n in edit.scores:
                    own[score] += n
            others = np.zeros(contender.bits + 1)
            for score, n in contender.strata[-1].scores:
                others[score] = n
            for counts, colour, label in (
                (own, COLOURS[0], "edited copies of the picture"),
                (others, COLOURS[1], "different pictures"),
            ):
                _steps(axis, counts, colour, label)
            for point in contender.points:
                if point.name == "published":
                    axis.axvline(point.radius + 0.5, color=INK, linewidth=1, linestyle=":")
                    where = {"transform": axis.get_xaxis_transform(), "va": "top"}
                    axis.text(point.radius + 0.5, 0.99, f" {point.radius}", size=8, **where)
            axis.set_yscale("log")
            axis.set_title(contender.name)
            axis.set_xlabel(f"score, bits of {contender.bits}")
            axis.set_ylabel("share")
        for axis in axes.flat[len(report.contenders) :]:
            axis.set_visible(False)
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=2)
        figure.suptitle(
            f"How far copies and different pictures are apart; dotted: published radius. "
            f"n = {report.n_pictures:,} pictures",
            x=0.01,
            ha="left",
            size=10,
        )
    return file.getvalue()


def _steps(axis: Any, counts: Any, colour: str, label: str) -> None:
    """Draw a histogram in even bins: many hashes have even distances alone."""
    width = 2 * max(1, (len(counts) - 1) // 128)
    n_bins = -(-len(counts) // width)
    padded = np.zeros(n_bins * width)
    padded[: len(counts)] = counts
    shares = padded.reshape(n_bins, width).sum(axis=1) / max(counts.sum(), 1)
    edges = np.arange(n_bins + 1) * width
    axis.stairs(np.where(shares > 0, shares, np.nan), edges, color=colour, linewidth=1.4)
    axis.stairs(shares, edges, color=colour, fill=True, alpha=0.25, label=label)


def _strata(report: RobustnessReport) -> bytes:
    """Draw false-positive rates by kind of pair, with intervals."""
    contenders = report.contenders
    floor = 0.1 / max(report.n_pairs, 1)
    n_columns = min(3, len(contenders))
    n_rows = -(-len(contenders) // n_columns)
    size = max(7.5, 3.6 * n_columns + 1.8), 2.4 * n_rows + 0.8
    how = {"nrows": n_rows, "ncols": n_columns, "sharey": True, "sharex": True}
    with _figure(*size, **how) as (figure, axes, file):
        for axis, contender in zip(axes.flat, contenders, strict=False):
            names = [s.name for s in contender.strata]
            point = contender.points[0]
            for y, stratum in enumerate(contender.strata):
                if not stratum.pairs:
                    continue
                rate = stratum.rate(point.name)
                look = {"color": COLOURS[0] if y < len(names) - 1 else INK}
                low, high = max(rate.low, floor), rate.high
                if rate.false:
                    axis.plot((low, high), (y, y), linewidth=1.5, **look)
                    axis.plot(rate.rate, y, "o", markersize=5, **look)
                else:
                    axis.plot(high, y, marker="<", markerfacecolor="white", markersize=6, **look)
            axis.set_yticks(range(len(names)), names)
            axis.invert_yaxis() if axis is axes.flat[0] else None
            axis.set_xscale("log")
            axis.set_xlim(floor, 1)
            axis.tick_params(labelbottom=True)
            axis.set_title(f"{contender.name}, radius {point.radius}")
            axis.set_xlabel("false-positive rate, per pair")
        for axis in axes.flat[len(contenders) :]:
            axis.set_visible(False)
        figure.suptitle(
            "Different pictures taken for the same, by kind of pair. Bars: 95 % by picture; "
            "hollow: none seen, at most there",
            x=0.01,
            ha="left",
            size=10,
        )
    return file.getvalue()
