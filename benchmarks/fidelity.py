"""How many bits the fast decoding moves, on real photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import fingerprint as fp
from benchmarks.measurement import (
    Group,
    Measurement,
    NotRunError,
    Table,
    tell_nobody,
)
from benchmarks.pictures import LARGE_PX, photo_paths
from fingerprint import media
from fingerprint.algorithms import HashAlgorithm, get_algorithm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.settings import Settings

__all__ = ["run"]

ALGORITHMS = ("pdq", "phash", "dhash", "ahash", "whash")
LUMA_ONLY = "pdq, luma only"
NAMES = (ALGORITHMS[0], LUMA_ONLY, *ALGORITHMS[1:])
COLUMNS = ("algorithm", "bits", "pictures", "mean", "median", "p95", "max", "no bit moved")


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    try:
        paths = photo_paths(jpeg_only=True, at_most=settings.max_photos)
    except NotRunError as reason:
        missing = tuple(
            Measurement(_name(name, "all"), None, "bits", not_run=str(reason)) for name in NAMES
        )
        return Group("fidelity", _TITLE, _conditions(0, 0), missing)
    moved: dict[str, list[int]] = {name: [] for name in NAMES}
    large: list[bool] = []
    for i, path in enumerate(paths):
        if i % 20 == 0:
            tell(f"fidelity: picture {i + 1} of {len(paths)}")
        for name, bits in _moved_bits(path, large).items():
            moved[name].append(bits)
    is_large = np.asarray(large)
    measurements, tables = [], []
    for which, chosen in (("all", np.ones(len(paths), bool)), ("1 MP and more", is_large)):
        if not chosen.any():
            continue
        rows = []
        for name in NAMES:
            one = _measure(name, which, np.asarray(moved[name])[chosen])
            measurements.append(one)
            rows.append(_row(name, one))
        tables.append(Table(f"Bits moved by fast decoding: {which}", COLUMNS, tuple(rows)))
    conditions = _conditions(len(paths), int(is_large.sum()))
    return Group("fidelity", _TITLE, conditions, tuple(measurements), tuple(tables))


_TITLE = "Bits that fast decoding moves"


def _conditions(n: int, n_large: int) -> tuple[str, ...]:
    return (
        f"{n} real JPEG photographs, {n_large} of them of 1 megapixel and more; "
        "hash_image(fidelity='fast') against 'exact', Hamming distance",
        "pdq is luma and DCT scaling to 512 px or more; 'luma only' decodes the full size",
        "whash is never scaled; pictures smaller than twice the least side are not scaled either",
        "crop_resistant is left out: its segments, not its bits, change",
    )


def _name(name: str, which: str) -> str:
    return f"bits moved by fast, {name}, {which}"


def _moved_bits(path: Path, large: list[bool]) -> dict[str, int]:
    exact_pixels = media.decode(path)
    large.append(exact_pixels.width_px * exact_pixels.height_px >= LARGE_PX)
    moved = {}
    for name in ALGORITHMS:
        algorithm = get_algorithm(name)
        assert isinstance(algorithm, HashAlgorithm)
        exact = algorithm.hash_pixels(exact_pixels.array)
        moved[name] = exact - fp.hash_image(path, name, fidelity="fast")
        if name == "pdq":
            luma = media.decode(path, luma_only=True).array
            moved[LUMA_ONLY] = exact - algorithm.hash_pixels(luma)
    return moved


def _measure(
    name: str, which: str, moved: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> Measurement:
    return Measurement(
        _name(name, which),
        float(moved.mean()),
        "bits on average",
        details={
            "bits": get_algorithm(name.split(",")[0]).bits,
            "pictures": int(moved.size),
            "median": float(np.median(moved)),
            "p95": float(np.percentile(moved, 95)),
            "max": int(moved.max()),
            "no bit moved %": float(100 * (moved == 0).mean()),
        },
    )


def _row(name: str, one: Measurement) -> tuple[str, ...]:
    details = one.details
    return (
        name,
        str(details["bits"]),
        str(details["pictures"]),
        f"{one.value:.2f}",
        f"{details['median']:g}",
        f"{details['p95']:.1f}",
        str(details["max"]),
        f"{details['no bit moved %']:.0f} %",
    )
