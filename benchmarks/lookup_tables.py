"""Measurements and tables of look-ups: every row says under which conditions it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.lookup_structures import MIH
from benchmarks.lookup_turns import Timed, paired
from benchmarks.measurement import SPEEDUP, Measurement, Table, Target, speedup_of
from benchmarks.paired import figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.measurement import Detail

__all__ = [
    "Conditions",
    "measured",
    "missing",
    "ratio_to",
    "share_of_scan",
    "tables_of",
    "target_row",
]

TITLES = {
    "size": "Range search by size of the set",
    "radius": "Range search by radius",
    "widths": "Range search, hashes of other sizes",
    "residency": "Range search by where the memory is",
    "dihedral": "Eight views of a query",
    "nearest": "The k nearest",
    "skewed": "Range search in skewed sets",
    "index": "The whole index beside its backend",
}
TIMES = "× the time"
COLUMNS = (
    "hashes",
    "bits",
    "radius",
    "data",
    "structure",
    "memory",
    "threads",
    "recall",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "hits: p50, p99 ms",
    "misses: p50, p99 ms",
    "peer / ours",
    "build s",
    "bytes a hash",
    "queries (hits)",
    "what is asked",
)


@dataclass(frozen=True)
class Conditions:
    """Under which a row holds.

    Parameters
    ----------
    part : str
        A key of `TITLES`.
    data : str
        What the hashes, and in skewed sets the queries, are.
    n, bits, radius : int
        Hashes in the set, bits of each, and the radius.
    kind : str
        What else tells this row's queries from others, for its name.
    """

    part: str
    data: str
    n: int
    bits: int
    radius: int
    kind: str = ""

    def name(self, structure: str) -> str:
        """Return a measurement's name."""
        kind = f", {self.kind}" if self.kind else ""
        return (
            f"{self.part}: {self.n:,} {self.data} hashes of {self.bits} bits, "
            f"radius {self.radius}{kind}, {structure}"
        )


def measured(where: Conditions, timed: Timed, ours: Timed | None = None) -> Measurement:
    """Return a row; with ``ours``, also how many times longer than ours it takes."""
    structure = timed.structure
    name = where.name(structure.name)
    if structure.is_ours and structure.residency != "private":
        name += f", {structure.residency}"
    details: dict[str, Detail] = {
        "part": where.part,
        "structure": structure.name,
        "ours": structure.is_ours,
        "exact": structure.exact,
        "hashes": where.n,
        "bits": where.bits,
        "radius": where.radius,
        "data": f"{where.data}, {where.kind}" if where.kind else where.data,
        "threads": 1,
        "residency": structure.residency,
    }
    if timed.not_run:
        return Measurement(name, None, "ms", details=details, not_run=timed.not_run)
    p50, p90, p99 = _percentiles_ms(timed.seconds)
    details |= {"recall": timed.recall, "p90_ms": p90, "p99_ms": p99}
    for kind, seconds in (("hits", timed.hits), ("misses", timed.misses)):
        if seconds:
            low, _, high = _percentiles_ms(seconds)
            details |= {f"{kind}_p50_ms": low, f"{kind}_p99_ms": high}
    details |= {
        "build_s": structure.cost.seconds,
        "queries": len(timed.seconds),
        "hit_queries": len(timed.hits),
        "asked": timed.note,
        "wrong_answers": timed.n_wrong,
    }
    if math.isfinite(structure.cost.nbytes_a_hash):
        details["bytes_a_hash"] = structure.cost.nbytes_a_hash
        details["bytes_by"] = structure.cost.counted_by
    if ours is not None and ours is not timed and not ours.not_run:
        details["ratio"] = paired(ours, timed).speedup
    return Measurement(name, p50, "ms", agrees=timed.n_wrong == 0, details=details)


def missing(where: Conditions, name: str, reason: str, *, ours: bool = False) -> Measurement:
    """Return a row for a structure that was not built."""
    details: dict[str, Detail] = {
        "part": where.part,
        "structure": name,
        "ours": ours,
        "hashes": where.n,
        "bits": where.bits,
        "radius": where.radius,
        "data": f"{where.data}, {where.kind}" if where.kind else where.data,
    }
    return Measurement(where.name(name), None, "ms", details=details, not_run=reason)


def target_row(row: Measurement, figure: str, target: Target) -> Measurement:
    """Return one figure of a row, ``"p50"`` or ``"p99"``, beside its target."""
    value = row.value if figure == "p50" or row.value is None else row.details[f"{figure}_ms"]
    return Measurement(
        f"{row.name}, {figure}",
        None if value is None else float(value),
        "ms",
        target,
        row.agrees,
        not_run=row.not_run,
    )


def ratio_to(
    where: Conditions, ours: Timed, peer: Timed, target: Target | None = None
) -> Measurement:
    """Return how many times faster than a peer ours was in the same turns."""
    name = where.name(f"{ours.structure.name} against {peer.structure.name}")
    reason = ours.not_run or peer.not_run
    if reason:
        return Measurement(name, None, SPEEDUP, target, not_run=reason)
    return speedup_of(name, paired(ours, peer), target)


def share_of_scan(
    where: Conditions, figure: str, ours: Timed | None, scan: Timed, target: Target
) -> Measurement:
    """Return ours in times of the scan of all, at the ``"p50"`` or the ``"p99"``."""
    name = where.name(f"{MIH} {figure} in times of the scan's")
    if ours is None:
        return Measurement(name, None, TIMES, target, not_run=f"{MIH} was not built")
    at = ("p50", "p90", "p99").index(figure)
    share = _percentiles_ms(ours.seconds)[at] / _percentiles_ms(scan.seconds)[at]
    both = paired(ours, scan)
    return Measurement(name, share, TIMES, target, both.agrees, both)


def tables_of(measurements: Sequence[Measurement]) -> tuple[Table, ...]:
    """Return a table for each part that has rows."""
    parts: dict[str, list[tuple[str, ...]]] = {}
    for one in measurements:
        if "structure" in one.details:
            parts.setdefault(str(one.details["part"]), []).append(_row(one))
    return tuple(Table(TITLES[part], COLUMNS, tuple(rows)) for part, rows in parts.items())


def _row(one: Measurement) -> tuple[str, ...]:
    details = one.details
    start = (
        f"{details['hashes']:,}",
        str(details["bits"]),
        str(details["radius"]),
        str(details["data"]),
        str(details["structure"]),
    )
    if one.value is None:
        return (*start, *[""] * (len(COLUMNS) - len(start) - 1), f"not run: {one.not_run}")
    exact = "exact" if details["exact"] else "approximate"
    nbytes = _figures(details, "bytes_a_hash")
    wrong = f"WRONG {details['wrong_answers']}×, " if one.agrees is False else ""
    return (
        *start,
        str(details["residency"]),
        str(details["threads"]),
        f"{wrong}{details['recall']:.3f}, {exact}",
        figures(one.value),
        *(_figures(details, f"{p}_ms") for p in ("p90", "p99")),
        *(_figures(details, f"{k}_p50_ms", f"{k}_p99_ms") for k in ("hits", "misses")),
        _figures(details, "ratio"),
        _figures(details, "build_s"),
        f"{nbytes} ({details['bytes_by']})" if nbytes else "",
        f"{details['queries']} ({details['hit_queries']})",
        str(details["asked"]),
    )


def _figures(details: Mapping[str, Detail], *keys: str) -> str:
    return ", ".join(figures(float(details[key])) for key in keys if key in details)


def _percentiles_ms(seconds: Sequence[float]) -> tuple[float, float, float]:
    p50, p90, p99 = (float(1000 * p) for p in np.percentile(seconds, (50, 90, 99)))
    return p50, p90, p99
