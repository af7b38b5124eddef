"""Looking TMK+PDQF features up: averages of all records in memory, the rest on demand."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.errors import UnknownIdError
from fingerprint.screening.evidence import Evidence, VideoEvidence

if TYPE_CHECKING:
    from fingerprint.screening.asked import FoundRecord, ScreenedList
    from fingerprint.screening.look_up import Exclusions
    from fingerprint.screening.plans import ListPlan
    from fingerprint.typing import F32
    from fingerprint.video import TMKFeature

__all__ = ["TmkTables"]

_SLACK = 1e-4
"""What float32 may cost a cosine."""


class _Table(NamedTuple):
    version: int
    keys: list[tuple[str, str]]
    averages: F32  # (n, dimension), of length 1 or 0.


class TmkTables:
    """Averages of the features of each list, read anew when the list has changed.

    Lists have no index of them: those that have one are read once a version, and 1 KB of each
    is kept.
    """

    def __init__(self) -> None:
        self._tables: dict[str, _Table] = {}
        self._lock = threading.Lock()

    def matches(
        self, plan: ListPlan, query: TMKFeature, exclusions: Exclusions
    ) -> Iterator[Evidence]:
        """Yield evidence for each record whose feature matches."""
        from fingerprint.video import read_tmk, tmk_match

        policy = plan.policy.tmk
        for key in self._candidates(plan, query):
            hit = _live(plan.hash_list, key)
            if hit is None or exclusions.perceptual(hit.record):
                continue
            feature = read_tmk(base64.b64decode(hit.record.hashes["tmk_pdqf"]))
            found = tmk_match(query, feature, policy.level1, policy.level2)
            if found.is_match:
                scores = VideoEvidence(level1=found.level1, level2=found.level2)
                yield Evidence.of(
                    plan.name,
                    hit.list_version,
                    hit.record,
                    algorithm="tmk_pdqf",
                    distance=None,
                    radius=None,
                    orientation="upright",
                    video=scores,
                )

    def _candidates(self, plan: ListPlan, query: TMKFeature) -> list[tuple[str, str]]:
        with self._lock:
            table = self._tables.get(plan.name)
            version = plan.hash_list.version
            if table is None or table.version != version:
                table = _read(plan.hash_list, version, len(query.average))
                self._tables[plan.name] = table
        scores = table.averages @ _unit(query.average)
        return [table.keys[i] for i in np.flatnonzero(scores >= plan.policy.tmk.level1 - _SLACK)]


def _read(hash_list: ScreenedList, version: int, dimension: int) -> _Table:
    from fingerprint.video import read_tmk

    keys: list[tuple[str, str]] = []
    rows: list[F32] = []
    for record in hash_list.records_with("tmk_pdqf"):
        feature = read_tmk(base64.b64decode(record.hashes["tmk_pdqf"]))
        if len(feature.average) == dimension:  # Others do not compare.
            keys.append(record.key)
            rows.append(_unit(feature.average))
    averages = np.stack(rows) if rows else np.empty((0, dimension), np.float32)
    return _Table(version, keys, averages)


def _unit(average: F32) -> F32:
    norm = float(np.linalg.norm(average.astype(np.float64)))
    unit: F32 = (average / norm).astype(np.float32) if norm else np.zeros_like(average)
    return unit


def _live(hash_list: ScreenedList, key: tuple[str, str]) -> FoundRecord | None:
    """Return a record unless it was retracted or suspended since: look-ups know that."""
    try:
        value = hash_list.get(*key).hashes.get("tmk_pdqf")
    except UnknownIdError:
        return None
    if value is None:
        return None
    return next((hit for hit in hash_list.find("tmk_pdqf", value) if hit.record.key == key), None)
