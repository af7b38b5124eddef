"""A folder of JPEG files on two threads beside one, and beside Meta's route."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fingerprint as fp
from benchmarks.decode import meta_route
from benchmarks.measurement import (
    SPEEDUP,
    Group,
    Measurement,
    NotRunError,
    Target,
    attempt,
    peer_module,
    speedup_of,
    tell_nobody,
)
from benchmarks.paired import compare
from benchmarks.pdq import pdqhash_agrees
from benchmarks.pictures import camera_files, jpeg_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.settings import Settings
    from fingerprint.hashes import Hash
    from fingerprint.typing import Fidelity

__all__ = ["run"]

WORKERS = 2
TARGETS: dict[Fidelity, Target | None] = {"exact": Target(1.8, at_least=True), "fast": None}
N_CAMERA_FILES = 6


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory() as scratch:
        paths, files_from = jpeg_folder(settings.batch_files, Path(scratch))
        nbytes = sum(path.stat().st_size for path in paths)
        for fidelity, target in TARGETS.items():
            tell(f"a folder of {len(paths)} JPEG files, {fidelity}")
            found.append(_two_beside_one("a folder", paths, fidelity, target, settings))
        tell("a folder against Meta's route")
        found.append(_against_meta(paths, settings))
    if settings.camera_file:
        tell("camera files on two threads")
        name = f"{N_CAMERA_FILES} camera files, exact, {WORKERS} workers beside 1"
        found.append(attempt(name, SPEEDUP, None, lambda: _camera_files(settings)))
    conditions = (
        f"{len(paths)} JPEG files, {nbytes / len(paths) / 1000:.0f} kB each on average, "
        f"{files_from}; read from the disk's cache",
        f"hash_images(workers={WORKERS}) beside hash_images(workers=1), same order, same hashes",
    )
    return Group("batch", "Many files", conditions, tuple(found))


def _hashes(paths: Sequence[Path], fidelity: Fidelity, workers: int) -> list[Hash]:
    batch = fp.hash_images(paths, fidelity=fidelity, workers=workers).collect()
    batch.raise_for_failures()
    return [result.hash for result in batch.hashed]


def _two_beside_one(
    what: str,
    paths: Sequence[Path],
    fidelity: Fidelity,
    target: Target | None,
    settings: Settings,
) -> Measurement:
    name = f"{what}, {fidelity}, {WORKERS} workers beside 1"

    def measure() -> Measurement:
        if (os.cpu_count() or 1) < WORKERS:
            raise NotRunError("there is only one processor")
        pair = compare(
            lambda: _hashes(paths, fidelity, WORKERS),
            lambda: _hashes(paths, fidelity, 1),
            lambda two, one: len(two) == len(paths) and two == one,
            settings.slow_plan,
        )
        return speedup_of(
            name,
            pair,
            target,
            images_per_s_two_workers=len(paths) / pair.ours_s.median,
            images_per_s_one_worker=len(paths) / pair.peer_s.median,
        )

    return attempt(name, SPEEDUP, target, measure)


def _camera_files(settings: Settings) -> Measurement:
    paths = camera_files()[:N_CAMERA_FILES]
    return _two_beside_one(f"{len(paths)} camera files", paths, "exact", None, settings)


def _against_meta(paths: Sequence[Path], settings: Settings) -> Measurement:
    name = "a folder, exact, 1 worker against Meta's route in a loop"

    def same(ours: list[Hash], theirs: list[tuple[Any, int]]) -> bool:
        return len(ours) == len(theirs) and all(map(pdqhash_agrees, ours, theirs))

    def hash_upright_as_stored() -> list[Hash]:
        batch = fp.hash_images(paths, orientation="stored", workers=1).collect()
        return [result.hash for result in batch.hashed]

    def measure() -> Measurement:
        compute = peer_module("pdqhash").compute
        pair = compare(
            hash_upright_as_stored,
            lambda: [meta_route(path.read_bytes(), compute) for path in paths],
            same,
            settings.slow_plan,
        )
        return speedup_of(name, pair, images_per_s=len(paths) / pair.ours_s.median)

    return attempt(name, SPEEDUP, None, measure)
