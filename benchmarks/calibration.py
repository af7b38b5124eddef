"""Fit the calibrations that ship, and test them on pictures they have not seen.

Run ``python -m benchmarks.calibration`` with ``FINGERPRINT_MEDIA`` set: fits on the tune
half of the photographs, writes ``src/fingerprint/data/calibration``, reports on the other half.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

from fingerprint.calibration import Calibration, CalibrationRangeError
from fingerprint.evaluate.calibrate import calibrate
from fingerprint.evaluate.calibration_plots import calibration_plots, reliability_plot
from fingerprint.evaluate.reliability import JudgedPairs, Reliability, judge, judged_pairs
from fingerprint.evaluate.tails import binomial_rates

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "src" / "fingerprint" / "data" / "calibration"
RESULTS = ROOT / "benchmarks" / "results"
ALGORITHMS = ("pdq", "phash")
PUBLISHED_PAIRS = 1.65e7
PUBLISHED = {50: 3, 60: 17, 70: 125, 80: 757}
"""Pairs of another, larger set of one domain within a radius (facts/robustness.md, clothing),
less the two true duplicates: what the tail says of them was fitted without."""
SIZES = (1, 1_000, 100_000, 1_000_000, 10_000_000)


@click.command()
@click.option("--edited", default=100, show_default=True, help="Pictures to make copies of.")
@click.option("--fit/--no-fit", default=True, help="Make the calibrations anew.")
@click.argument("algorithms", nargs=-1)
def main(edited: int, fit: bool, algorithms: tuple[str, ...]) -> None:
    """Fit, test, and write the report of what was found."""
    folder = Path(os.environ["FINGERPRINT_MEDIA"], "photos")
    SHIPPED.mkdir(parents=True, exist_ok=True)
    for name in algorithms or ALGORITHMS:
        if fit:
            calibrate(folder, name, half="tune", n_edited=edited).save(SHIPPED / f"{name}.json")
            click.echo(f"fitted {name}")
    tested: dict[str, dict[str, Reliability]] = {}
    calibrations = {n: Calibration.load(SHIPPED / f"{n}.json") for n in algorithms or ALGORITHMS}
    held_out: dict[str, Calibration] = {}
    for name, calibration in calibrations.items():
        pairs = judged_pairs(folder, name, half="report", n_edited=edited)
        tested[name] = {
            f"{size:,} entries": judge(calibration, pairs, database_size=size)
            for size in (pairs.entries, 100 * pairs.entries)
        }
        note = f"{name}: {_shape(pairs)}, half of the queries are copies of an entry"
        _save_png(f"calibration-{name}-reliability", reliability_plot(tested[name], note))
        for plot, data in calibration_plots(calibration).items():
            if name == "pdq":
                _save_png(f"calibration-{name}-{plot}", data)
        held_out[name] = calibrate(
            folder, name, half="report", n_edited=110, edits=["jpeg:50"], seed=1
        )
        click.echo(f"tested {name}")
    (RESULTS / "calibration.json").write_text(_as_json(calibrations, tested, held_out))
    (RESULTS / "calibration.md").write_text(_as_markdown(calibrations, tested, held_out))


def _shape(pairs: JudgedPairs) -> str:
    copies = int(pairs.count[pairs.copy].sum())
    return f"{copies:,} edited copies x {pairs.entries} originals"


def _save_png(name: str, data: bytes) -> None:
    (RESULTS / f"{name}.png").write_bytes(data)


def _as_json(
    calibrations: dict[str, Calibration],
    tested: dict[str, dict[str, Reliability]],
    held_out: dict[str, Calibration],
) -> str:
    content = {
        name: {
            "made_from": one.made_from,
            "made_on": one.made_on,
            "pictures": one.pictures,
            "set_aside": one.set_aside,
            "edits": one.edits,
            "notes": one.notes,
            "strata": {
                stratum: {"tuned": _rates(one, stratum), "held_out": _rates(other, stratum)}
                for other in (held_out[name],)
                for stratum in one.strata
                if stratum in other.strata
            },
            "reliability": {size: asdict(found) for size, found in tested[name].items()},
        }
        for name, one in calibrations.items()
    }
    return json.dumps(content, indent=1) + "\n"


def _rates(one: Calibration, stratum: str) -> dict[str, object]:
    radii = [round(share * one.bits) for share in (0, 0.08, 0.12, 0.2, 0.25, 0.3, 0.35)]
    rates = {r: asdict(one.false_positive_rate(r, stratum=stratum)) for r in radii}
    return {"pairs": one.strata[stratum].pairs, "rates": rates}


def _as_markdown(
    calibrations: dict[str, Calibration],
    tested: dict[str, dict[str, Reliability]],
    held_out: dict[str, Calibration],
) -> str:
    lines = [
        "# Calibration",
        "",
        "Made by `python -m benchmarks.calibration`. Fitted on the tune half of the project's "
        "photographs, tested on the other half; `fingerprint calibrate DIR` does it with yours. "
        "Rates are per compared pair of *different* pictures; intervals are 95 %, from a "
        "bootstrap of pictures. Zero of N pairs by itself says only that a rate is at most 3/N: "
        "what stands below that is a fitted generalised Pareto tail, and marked ~. Strata of low "
        "quality and templates are drawn pictures, other ones in the second half; real ones of "
        "your kind may come nearer. Reliability is tested on photographs alone.",
    ]
    for name, one in calibrations.items():
        lines += ["", f"## {name}", "", _origin(one), ""]
        lines += _rate_table(one, held_out[name])
        if name == "pdq":
            lines += ["", *_against_published(one)]
        lines += ["", *_radius_table(one)]
        lines += ["", *_probability_table(one)]
        lines += ["", *_reliability_lines(name, tested[name])]
        if name == "pdq":
            lines += [f"\n![{p}](calibration-pdq-{p}.png)" for p in PLOTS]
        lines += ["", "How much the setting aside of near-duplicates matters:", ""]
        lines += [f"* {note}" for note in one.notes]
    return "\n".join(lines) + "\n"


PLOTS = ("tails", "low_quality", "radius", "probability")


def _origin(one: Calibration) -> str:
    groups = (
        f"Pairs within {one.blind_radius} bits in any position count as near-duplicates: below "
        "that nothing was measured, and the tail is fitted to pairs above it."
        if one.blind_radius >= 0
        else "Near-duplicates by PDQ were set aside."
    )
    return (
        f"{one.made_from}, {one.made_on}: {one.pictures} compared, {one.set_aside} set aside as "
        f"near-duplicates. {groups} Copies: {len(one.edits)} edits of "
        f"{one.copies['ordinary'].pictures} photographs, each edit with the same weight."
    )


def _rate_table(one: Calibration, other: Calibration) -> list[str]:
    radii = [round(share * one.bits) // 2 * 2 for share in (0.12, 0.2, 0.25, 0.3, 0.35)]
    heads = [f"≤ {r}" for r in radii]
    lines = [
        f"| stratum | half | pairs | {' | '.join(heads)} |",
        "|---|---|---|" + "---|" * len(radii),
    ]
    for stratum in one.strata:
        for half, measured in (("tune", one), ("report", other)):
            if stratum not in measured.strata:
                continue
            cells = []
            for radius in radii:
                rate = measured.false_positive_rate(radius, stratum=stratum)
                mark = "" if rate.measured else "~"
                cells.append(f"{mark}{rate.value:.1e} [{rate.low:.0e}, {rate.high:.0e}]")
            pairs = measured.strata[stratum].pairs
            lines.append(f"| {stratum} | {half} | {pairs:,} | {' | '.join(cells)} |")
    coins = binomial_rates(one.bits)
    naive = " | ".join(f"{coins[r]:.1e}" for r in radii)
    lines.append(f"| binomial({one.bits}, ½), for comparison | | | {naive} |")
    return lines


def _against_published(one: Calibration) -> list[str]:
    lines = [
        f"Against {PUBLISHED_PAIRS:.3g} pairs of a larger clothing set that were published "
        "before (facts/robustness.md, less its two true duplicates). That set gave the prior of "
        "the tail's shape and holds some of these pictures: the level is a test, the slope is not.",
        "",
        "| radius | counted there | tail of the tune half, same-domain |",
        "|---|---|---|",
    ]
    for radius, pairs in PUBLISHED.items():
        rate = one.false_positive_rate(radius, stratum="same-domain")
        lines.append(f"| {radius} | {pairs / PUBLISHED_PAIRS:.1e} | {rate} |")
    return lines


def _radius_table(one: Calibration) -> list[str]:
    lines = [
        "Radius for one false match in 1,000 queries, with its interval (the lower end is the "
        "careful choice):",
        "",
        "| stratum | " + " | ".join(f"{size:,} hashes" for size in SIZES) + " |",
        "|---|" + "---|" * len(SIZES),
    ]
    for stratum in ("same-domain", "diverse"):
        cells = []
        for size in SIZES:
            try:
                advice = one.radius(1e-3, size, stratum=stratum)
            except CalibrationRangeError:
                cells.append("refused")
            else:
                mark = "~" if advice.extrapolated else ""
                cells.append(f"{mark}{advice.radius} ({advice.low} to {advice.high})")
        lines.append(f"| {stratum} | {' | '.join(cells)} |")
    coins = binomial_rates(one.bits)
    naive = [int(np.searchsorted(coins, 1e-3 / size, side="right")) - 1 for size in SIZES]
    lines.append("| binomial, for comparison | " + " | ".join(map(str, naive)) + " |")
    return lines


def _probability_table(one: Calibration) -> list[str]:
    distances = [round(share * one.bits) // 2 * 2 for share in (0, 0.08, 0.12, 0.2, 0.25, 0.3)]
    lines = [
        "Probability that a match is a copy, when one query in a thousand is one and one entry "
        "in ten is of the query's domain, with the interval from the tail's own uncertainty:",
        "",
        "| hashes, quality | " + " | ".join(f"{d} bits" for d in distances) + " |",
        "|---|" + "---|" * len(distances),
    ]
    for size in (1, 1_000, 1_000_000):
        for quality in (100, 40, 0):
            cells = []
            for d in distances:
                low, high = one.probability_interval(d, size, quality)
                cells.append(f"{one.probability(d, size, quality):.3g} [{low:.2g}, {high:.2g}]")
            lines.append(f"| {size:,}, {quality} | {' | '.join(cells)} |")
    return lines


def _reliability_lines(name: str, tested: dict[str, Reliability]) -> list[str]:
    lines = [
        "Reliability on the report half, half of the queries being copies; chance pairs are "
        "weighted to the size of the database:",
        "",
    ]
    for size, found in tested.items():
        lines += [
            f"**{size}**: expected calibration error {found.expected_calibration_error:.3f}, "
            f"Brier {found.brier:.4f} (predicting the base rate: {found.brier_of_base_rate:.4f})",
            "",
            "| predicted | observed | 95 % Wilson | pairs |",
            "|---|---|---|---|",
            *(
                f"| {b.predicted:.2g} | {b.observed:.2g} | {b.low:.2g} to {b.high:.2g} "
                f"| {b.pairs:,} |"
                for b in found.bins
            ),
            "",
        ]
    return [*lines, f"![reliability](calibration-{name}-reliability.png)"]


if __name__ == "__main__":
    main()
