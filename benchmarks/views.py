"""What a query by views costs, of pictures that are in no list."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measurement import Group, Measurement, NotRunError, Table, Target, tell_nobody
from benchmarks.pictures import photo_paths
from fingerprint import decode
from fingerprint.algorithms import HashAlgorithm, get_algorithm
from fingerprint.errors import LowQualityWarning
from fingerprint.evaluate.originals import bounded
from fingerprint.evaluate.synthesis import photos
from fingerprint.hash_arrays import HashArray
from fingerprint.index import Index
from fingerprint.views.families import QUERY_FAMILIES
from fingerprint.views.picture import Picture
from fingerprint.views.search import match_picture, radii_of

if TYPE_CHECKING:
    from benchmarks.settings import Settings
    from fingerprint.typing import U8

__all__ = ["run"]

N_HASHES = 1_000_000
N_PICTURES = 100
MAX_SIDE_PX = 1024


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    n = settings.video_frames
    pictures, source = _pictures(5 if n < N_HASHES else N_PICTURES)
    tell(f"index of {n:,} hashes")
    index = Index("pdq")
    packed = np.random.default_rng(5).integers(0, 256, (n, 32), np.uint8)
    index.add(None, HashArray(packed, "pdq"))
    index.compact()
    tell("queries by views")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LowQualityWarning)
        found, table = _queries(index, pictures)
    conditions = (
        f"one thread; {len(pictures)} {source}, longest side at most {MAX_SIDE_PX} px, decoded; "
        f"{n:,} random PDQ hashes in memory; every picture once after all were asked once, so "
        "that each query finds the caches as another picture left them",
        "all stages are asked although nothing is found; a picture's look-ups are those of one "
        "upload that is in no list",
    )
    return Group("views", "Views", conditions, tuple(found), (table,))


def _pictures(n: int) -> tuple[list[U8], str]:
    try:
        paths = photo_paths(at_most=n)
    except NotRunError:
        return list(photos(n, seed=11)), "generated photographs"
    return [bounded(decode(path).array, MAX_SIDE_PX) for path in paths], "photographs"


def _queries(index: Index, pictures: Sequence[U8]) -> tuple[list[Measurement], Table]:
    pdq = get_algorithm("pdq")
    if not isinstance(pdq, HashAlgorithm):
        raise TypeError("pdq: expected an algorithm of one hash")
    families = list(QUERY_FAMILIES.values())
    radii = radii_of(families, index, None, None)

    def whole(pixels: U8) -> None:
        match_picture(index, Picture(pixels, pdq), families, radii, thorough=True)

    first = [family for family in families if family.stage == 1]

    def cheap(pixels: U8) -> None:
        match_picture(index, Picture(pixels, pdq), first, radii)

    def look_up(pixels: U8) -> Callable[[], object]:
        positions = Picture(pixels, pdq).positions
        return lambda: index.within(positions, radii[first[0].name])

    asked = [look_up(one) for one in pictures]
    found = [
        _timed("look-up of the eight positions", lambda i: asked[i](), len(asked), 0.5),
        _timed("cheap stage with hashing", lambda i: cheap(pictures[i]), len(pictures), None),
        _timed("all stages, hashing included", lambda i: whole(pictures[i]), len(pictures), 15),
    ]
    rows = [_family_row(index, name, radii, pictures, pdq) for name in QUERY_FAMILIES]
    columns = ("family", "stage", "radius", "views, mean", "hashing, ms", "look-up, ms")
    return found, Table("Medians by family", columns, tuple(rows))


def _timed(name: str, ask: Callable[[int], object], n: int, target_ms: float | None) -> Measurement:
    times: list[float] = []
    for _ in range(2):
        times.clear()
        for i in range(n):
            before = perf_counter()
            ask(i)
            times.append(1e3 * (perf_counter() - before))
    target = None if target_ms is None else Target(target_ms, at_least=False)
    details: dict[str, float | int | str | bool] = {
        "p90_ms": round(float(np.percentile(times, 90)), 3),
        "p99_ms": round(float(np.percentile(times, 99)), 3),
        "queries": n,
    }
    return Measurement(f"{name}, p50", float(np.median(times)), "ms", target, details=details)


def _family_row(
    index: Index,
    name: str,
    radii: dict[str, int],
    pictures: Sequence[U8],
    pdq: HashAlgorithm,
) -> tuple[str, ...]:
    family = QUERY_FAMILIES[name]
    hashing, looking, counts = [], [], []
    for pixels in pictures:
        picture = Picture(pixels, pdq)
        _ = picture.levels, picture.positions
        before = perf_counter()
        views = dict(family.hash(picture))
        between = perf_counter()
        if views:
            index.within(views, radii[name])
        after = perf_counter()
        hashing.append(1e3 * (between - before))
        looking.append(1e3 * (after - between))
        counts.append(len(views))
    return (
        name,
        str(family.stage),
        str(radii[name]),
        f"{np.mean(counts):.1f}",
        f"{np.median(hashing):.2f}",
        f"{np.median(looking):.2f}",
    )
