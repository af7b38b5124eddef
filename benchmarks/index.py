"""Grouping hashes; what a look-up costs is in `benchmarks.lookup`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import fingerprint as fp
from benchmarks.measurement import (
    SPEEDUP,
    Group,
    Measurement,
    NotRunError,
    attempt,
    speedup_of,
    tell_nobody,
)
from benchmarks.paired import compare
from benchmarks.planted import BITS, RADIUS, plant_clusters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.settings import Settings
    from fingerprint.index import Cluster

__all__ = ["run"]


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    conditions = (
        f"{BITS} random bits, a tenth of the hashes in planted clusters of four, which must be "
        f"found exactly; radius {RADIUS}",
    )
    return Group("index", "Grouping", conditions, tuple(_clusters(settings, tell)))


def _clusters(settings: Settings, tell: Callable[[str], object]) -> list[Measurement]:
    n = settings.cluster_n
    hashes, expected = plant_clusters(n)
    name = f"cluster() of {n:,} hashes, 1 worker"
    tell(name)

    def group(workers: int) -> list[Cluster]:
        return fp.cluster(hashes, RADIUS, workers=workers)

    def right(clusters: Sequence[Cluster]) -> bool:
        return {one.rows for one in clusters} == expected

    pair = compare(
        lambda: group(2), lambda: group(1), lambda a, b: a == b and right(a), settings.slow_plan
    )
    seconds = Measurement(
        name,
        pair.peer_s.median,
        "s",
        agrees=pair.agrees,
        details={"q1": pair.peer_s.q1, "q3": pair.peer_s.q3, "n": pair.peer_s.n},
    )
    two = f"cluster() of {n:,} hashes, 2 workers beside 1"

    def speedup() -> Measurement:
        if (os.cpu_count() or 1) < 2:
            raise NotRunError("there is only one processor")
        return speedup_of(two, pair)

    return [seconds, attempt(two, SPEEDUP, None, speedup)]
