"""New processes: how long until the first hash, and how much memory at the peak."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import fingerprint as fp
from benchmarks.environment import ROOT
from benchmarks.measurement import (
    Group,
    Measurement,
    NotRunError,
    Target,
    attempt,
    peer_module,
    tell_nobody,
)
from benchmarks.paired import Spread, spread
from benchmarks.pictures import jpeg_of, natural, photograph, size_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.settings import Settings, Size

__all__ = ["run"]

PROBE = ROOT / "benchmarks" / "probe.py"
WARM_TARGET = Target(1.0, at_least=False)
EMPTY_TARGET = Target(8.0, at_least=False)
PICTURE = (1920, 1080)
MEMORY_KINDS = (
    ("array", "exact"),
    ("jpeg", "exact"),
    ("jpeg", "fast"),
    ("pdqhash", "exact"),
)


@dataclass(frozen=True, slots=True)
class Process:
    """Wall seconds of a process from its start to its end, and what it printed."""

    wall_s: float
    printed: dict[str, Any]


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    found: list[Measurement] = []
    with tempfile.TemporaryDirectory() as scratch:
        picture = Path(scratch) / "picture.jpg"
        picture.write_bytes(jpeg_of(photograph(PICTURE)[0]))
        tell("first hash of a new process, compiled kernels on disk")
        found.append(_first_hash_warm(picture, settings))
        tell("import alone")
        found.append(_import(settings))
        tell("first hash of a new process, nothing compiled")
        found += _empty_cache(picture, settings, tell)
        for size in settings.memory_sizes:
            tell(f"peak of memory, {size_name(size)}")
            found += _memory(size, Path(scratch))
    conditions = (
        f"first hash: hash_image of a {size_name(PICTURE)} JPEG file; seconds from the start of "
        "the process to its end, the interpreter's own included",
        "empty cache: NUMBA_CACHE_DIR is a new folder, so that every kernel is compiled; "
        "Python's bytecode is compiled already",
        "memory: rise of the process's peak (VmHWM, reset first) above what it holds once the "
        "input is in memory and a small picture was hashed; the decoded pixels count for JPEG",
    )
    return Group("cold", "New processes and memory", conditions, tuple(found))


def start(arguments: Sequence[str], cache: str | None = None) -> Process:
    """Run a probe and wait for it."""
    environment = dict(os.environ)
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = cache
    before = perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    wall_s = perf_counter() - before
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()[-500:]}")
    return Process(wall_s, json.loads(done.stdout or "{}"))


def probe(*arguments: str, cache: str | None = None) -> Process:
    return start(["-P", str(PROBE), *arguments], cache)


def _seconds(
    name: str, values: Spread, target: Target | None = None, **details: float | bool
) -> Measurement:
    facts: dict[str, float | int | str | bool] = {
        "q1": values.q1,
        "q3": values.q3,
        "n": values.n,
        **details,
    }
    agrees = facts.pop("agrees", None)
    return Measurement(
        name, values.median, "s", target, None if agrees is None else bool(agrees), details=facts
    )


def _first_hash_warm(picture: Path, settings: Settings) -> Measurement:
    expected = fp.hash_image(picture).hex  # Also fills the cache.
    probe("first-hash", str(picture))
    ours, bare = [], []
    for _ in range(settings.cold_runs):
        ours.append(probe("first-hash", str(picture)))
        bare.append(start(["-c", "import numpy"]).wall_s)
    return _seconds(
        "first hash of a new process, compiled kernels on disk",
        spread([p.wall_s for p in ours]),
        WARM_TARGET,
        agrees=all(p.printed["hash"] == expected for p in ours),
        import_s=spread([p.printed["import_s"] for p in ours]).median,
        hash_s=spread([p.printed["hash_s"] for p in ours]).median,
        numpy_alone_s=spread(bare).median,
    )


def _import(settings: Settings) -> Measurement:
    runs = [probe("import") for _ in range(settings.cold_runs)]
    return _seconds(
        "import fingerprint alone, in the process",
        spread([p.printed["import_s"] for p in runs]),
        wall_s=spread([p.wall_s for p in runs]).median,
    )


def _empty_cache(
    picture: Path, settings: Settings, tell: Callable[[str], object]
) -> list[Measurement]:
    names = ("first hash of a new process, empty cache", "warmup() with an empty cache")

    def first_hash() -> Measurement:
        _require_runs(settings.empty_cache_runs)
        expected = fp.hash_image(picture).hex
        runs = []
        for _ in range(settings.empty_cache_runs):
            with tempfile.TemporaryDirectory() as cache:
                runs.append(probe("first-hash", str(picture), cache=cache))
        return _seconds(
            names[0],
            spread([p.wall_s for p in runs]),
            EMPTY_TARGET,
            agrees=all(p.printed["hash"] == expected for p in runs),
        )

    def warmup() -> Measurement:
        _require_runs(settings.empty_cache_runs)
        tell(names[1])
        runs = []
        for _ in range(settings.empty_cache_runs):
            with tempfile.TemporaryDirectory() as cache:
                runs.append(probe("warmup", cache=cache).printed["warmup_s"])
        return _seconds(names[1], spread(runs))

    return [
        attempt(names[0], "s", EMPTY_TARGET, first_hash),
        attempt(names[1], "s", None, warmup),
    ]


def _require_runs(n: int) -> None:
    if n < 1:
        raise NotRunError("no runs were asked for")


def _memory(size: Size, scratch: Path) -> list[Measurement]:
    path = scratch / f"{size[0]}x{size[1]}.jpg"
    _write_large_jpeg(size, path)
    found = []
    for kind, fidelity in MEMORY_KINDS:
        name = f"peak of memory, {_memory_name(kind, fidelity)}, {size_name(size)}"

        def measure(kind: str = kind, fidelity: str = fidelity, name: str = name) -> Measurement:
            if kind == "pdqhash":
                peer_module("pdqhash")
            width, height = size
            arguments = (kind, fidelity, str(width), str(height), str(path))
            printed = probe("memory", *arguments).printed
            details = {"mb": float(printed["mb"])}
            return Measurement(
                name, float(printed["mb_per_mp"]), "MB per megapixel", details={**details}
            )

        found.append(attempt(name, "MB per megapixel", None, measure))
    return found


def _memory_name(kind: str, fidelity: str) -> str:
    if kind == "jpeg":
        return f"JPEG {fidelity}"
    return {"array": "array", "pdqhash": "array, pdqhash"}[kind]


def _write_large_jpeg(size: Size, path: Path) -> None:
    from PIL import Image

    small = Image.fromarray(natural((max(size[0] // 8, 8), max(size[1] // 8, 8))))
    small.resize(size).save(path, "JPEG", quality=90, subsampling="4:2:0")
