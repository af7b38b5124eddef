"""Plots of a calibration, as PNG. Needs matplotlib, the extra ``report``."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.calibration import CalibrationRangeError
from fingerprint.evaluate.plots import COLOURS, require_matplotlib
from fingerprint.evaluate.tails import binomial_rates
from fingerprint.evaluate.timeline import GREY, INK, PALE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fingerprint.calibration import Calibration
    from fingerprint.evaluate.reliability import Reliability

__all__ = ["calibration_plots", "reliability_plot"]

FALSE_PER_QUERY = 1e-3
_SIZES = np.geomspace(10, 1e9, 33)
_LOWEST_RATE = 1e-14
_DPI = 120
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


def calibration_plots(calibration: Calibration) -> dict[str, bytes]:
    """Return PNG files by name, without suffix.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_matplotlib()
    ordinary = [n for n in ("same-domain", "diverse") if n in calibration.strata]
    low = [n for n in calibration.strata if n not in ordinary]
    drawn = {
        "tails": _tails(calibration, ordinary, "How often different photographs come as near"),
        "radius": _radius(calibration, ordinary),
        "probability": _probability(calibration),
    }
    if low:
        title = "Pictures with little in them, or after one template, come nearer"
        drawn["low_quality"] = _tails(calibration, [*ordinary[:1], *low], title)
    return drawn


def reliability_plot(results: Mapping[str, Reliability], note: str) -> bytes:
    """Return a reliability diagram as PNG: predicted probability beside the share of copies."""
    require_matplotlib()
    with _figure(7.2, 6.4) as (axes, file):
        ends = _logit(np.array([1e-6, 1 - 1e-6]))
        axes.plot(ends, ends, color=GREY, linewidth=1, label="what is predicted happens")
        for i, (name, found) in enumerate(results.items()):
            kept = [one for one in found.bins if one.pairs]
            x = _logit(np.array([one.predicted for one in kept]))
            y = _logit(np.array([one.observed for one in kept]))
            low = y - _logit(np.array([one.low for one in kept]))
            high = _logit(np.array([one.high for one in kept])) - y
            label = (
                f"{name}: calibration error {found.expected_calibration_error:.3f}, "
                f"Brier {found.brier:.3f} (base rate {found.brier_of_base_rate:.3f})"
            )
            axes.errorbar(
                x + (i - (len(results) - 1) / 2) * 0.12,
                y,
                [np.maximum(low, 0), np.maximum(high, 0)],
                fmt="os^D"[i % 4],
                color=COLOURS[i % len(COLOURS)],
                markersize=4.5,
                linewidth=1.1,
                capsize=2.5,
                label=label,
            )
        ticks = np.array([1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999])
        words = [f"{t:g}" for t in ticks]
        axes.set_xticks(_logit(ticks), words, rotation=45)
        axes.set_yticks(_logit(ticks), words)
        axes.set_xlim(*ends)
        axes.set_ylim(ends[0] - 0.3, ends[1] + 0.3)
        axes.set_xlabel("predicted probability that the pair is a copy (log odds)")
        axes.set_ylabel("share that are copies, 95 % Wilson interval (edges: none, or all)")
        axes.set_title(f"Predicted and observed on held-out pictures\n{note}")
        axes.legend(loc="lower right", fontsize=8)
    return file.getvalue()


def _tails(calibration: Calibration, names: Sequence[str], title: str) -> bytes:
    radii = np.arange(0, calibration.bits // 2 + 1, calibration.step)
    with _figure(8.4, 5.4) as (axes, file):
        for i, name in enumerate(names):
            one, colour = calibration.strata[name], COLOURS[i % len(COLOURS)]
            rate, low, high = (np.array(c)[radii] for c in (one.rate, one.low, one.high))
            counted = radii >= one.measured_from
            drawn = " (drawn and faded pictures)" if one.generated else ""
            axes.fill_between(
                radii, np.maximum(low, _LOWEST_RATE), high, color=colour, alpha=0.16, linewidth=0
            )
            axes.plot(radii, np.maximum(rate, _LOWEST_RATE / 10), "--", color=colour, linewidth=1.2)
            axes.plot(
                radii[counted],
                rate[counted],
                "o-",
                color=colour,
                markersize=2.6,
                linewidth=1,
                label=f"{name}{drawn}: {one.pairs:,} pairs of {one.pictures} pictures",
            )
        coins = binomial_rates(calibration.bits)[radii]
        axes.plot(radii, coins, ":", color=INK, linewidth=1.6, label="binomial: independent bits")
        axes.set_yscale("log")
        axes.set_ylim(_LOWEST_RATE, 1)
        axes.set_xlim(0, calibration.bits / 2)
        axes.set_xlabel("radius in bits, inclusive")
        axes.set_ylabel("share of different pairs within it")
        axes.set_title(
            f"{title}\n{calibration.algorithm}: dots are counted (ten pairs or more), dashes a "
            "fitted tail; bands: 95 %, bootstrap by picture"
        )
        axes.legend(loc="lower right", fontsize=8)
    return file.getvalue()


def _radius(calibration: Calibration, names: Sequence[str]) -> bytes:
    with _figure(8.4, 4.8) as (axes, file):
        for i, name in enumerate(names):
            colour = COLOURS[i % len(COLOURS)]
            found = []
            for size in _SIZES:
                try:
                    advice = calibration.radius(FALSE_PER_QUERY, round(size), stratum=name)
                except CalibrationRangeError:
                    continue
                found.append((size, advice.radius, advice.low, advice.high))
            if not found:
                axes.plot([], [], color=colour, label=f"{name}: refused at every size")
                continue
            size, radius, low, high = np.array(found).T
            axes.fill_between(size, low, high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(size, radius, "o-", color=colour, markersize=3, label=name)
        naive = binomial_rates(calibration.bits)
        coins = [np.searchsorted(naive, FALSE_PER_QUERY / s, side="right") - 1 for s in _SIZES]
        axes.plot(_SIZES, coins, ":", color=INK, linewidth=1.6, label="binomial: independent bits")
        axes.set_xscale("log")
        axes.set_ylim(0, calibration.bits / 2)
        axes.set_xlabel("hashes in the database")
        axes.set_ylabel("radius in bits, inclusive")
        axes.set_title(
            f"Radius for one false match in {1 / FALSE_PER_QUERY:,.0f} queries, "
            f"{calibration.algorithm}\nbands: 95 %; a line ends where the measurements end"
        )
        axes.legend(loc="upper right", fontsize=8)
    return file.getvalue()


def _probability(calibration: Calibration) -> bytes:
    distances = np.arange(0, calibration.bits // 2 + 1, calibration.step)
    low = [
        one.quality
        for name, one in calibration.strata.items()
        if one.quality and name in calibration.copies
    ]
    with _figure(8.4, 4.8) as (axes, file):
        for i, size in enumerate((1, 1_000, 1_000_000)):
            for name, dash in (("same-domain", "-"), ("diverse", "--")):
                if name not in calibration.strata:
                    continue
                p = [calibration.probability(int(d), size, stratum=name) for d in distances]
                axes.plot(distances, p, dash, color=COLOURS[i], label=f"{size:,}, {name}")
        if low:
            p = [calibration.probability(int(d), 1, low[0][0]) for d in distances]
            label = f"1, quality {low[0][0]}"
            axes.plot(distances, p, ":", color=COLOURS[0], linewidth=1.8, label=label)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlim(0, calibration.bits / 2)
        axes.set_xlabel("distance in bits")
        axes.set_ylabel("probability of a copy")
        axes.set_title(
            f"What a match of {calibration.algorithm} at a distance means, by the size of the "
            "database\nwhen one query in a thousand is a copy of an entry"
        )
        axes.legend(loc="upper right", fontsize=8)
    return file.getvalue()


def _logit(p: Any) -> Any:
    inside = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log10(inside / (1 - inside))


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Any, io.BytesIO]]:
    """Draw on axes; the file holds the picture when the block is left."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    file = io.BytesIO()
    with mpl.rc_context(_STYLE):
        # Not pyplot's: nothing global is left behind.
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        yield axes, file
        figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})
