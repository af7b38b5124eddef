"""Measure what distances of an algorithm mean, on pictures of one's own."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.calibration import Calibration
from fingerprint.evaluate.calibration_pictures import (
    Hashed,
    Progress,
    Task,
    choose,
    hash_all,
    read_edits,
    representatives,
)
from fingerprint.evaluate.chance import (
    LOW,
    ORDINARY,
    TEMPLATED,
    Pool,
    Stratum,
    distance_step,
    measure_strata,
    quality_ranges,
)
from fingerprint.evaluate.copies import Copy, copy_distances
from fingerprint.evaluate.pairs import GROUP_RADIUS
from fingerprint.hash_arrays import HashArray
from fingerprint.hashing import hash_algorithm

if TYPE_CHECKING:
    from fingerprint.algorithms import Algorithm
    from fingerprint.evaluate.originals import Half, Sources
    from fingerprint.evaluate.transforms import Edit

__all__ = ["calibrate"]

LEAST_PICTURES = 50
"""Fewer are refused at once: they make too few pairs for any tail."""
_SHOWN_RADII = (1 / 8, 1 / 5)


def calibrate(
    sources: Sources | None = None,
    algorithm: str | Algorithm = "pdq",
    *,
    edits: Iterable[Edit | str] | None = None,
    groups: Mapping[str, object] | None = None,
    half: Half = "all",
    seed: int = 0,
    limit: int | None = 20_000,
    n_edited: int = 150,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Measure how near different pictures come, and how far copies go.

    Different pictures are compared in all pairs, near-duplicates set aside, in strata:
    ``same-domain`` (one folder), ``diverse`` (different folders), ``templated`` (drawn messages
    and logos), ``mixed-quality``, and ranges of low quality, for which pictures are drawn
    and photographs faded, since a collection seldom holds enough of them. Below what was
    counted a generalised Pareto tail goes on (`fingerprint.evaluate.tails`). Intervals come
    from a bootstrap of pictures, since the pairs of one picture depend on each other.

    Parameters
    ----------
    sources : folder or iterable of sources, optional
        Photographs; some hundreds at least, and those of a folder are taken to be of one
        domain. Generated ones by default, which says little about yours.
    algorithm : str or Algorithm
        One that makes one hash of a picture.
    edits : iterable of Edit or str, optional
        What copies are edited by, each with the same weight; by default
        ``defaultread_edits(quick=True)``: every transform at a middle strength, and the chains.
    groups : mapping of str to object, optional
        By the names of pictures (paths below the folder) what each shows: of those with one
        value one is kept. By default those within 64 bits of PDQ in any position, which
        hides truly different pictures as near as that; how much that matters is in ``notes``.
    half : {"all", "tune", "report"}
        Half of the pictures, by their names.
    seed : int
        Of everything drawn.
    limit : int, optional
        At most so many pictures.
    n_edited : int
        Copies are made of so many pictures.
    workers : int, optional
        Threads; as many as there are processors by default. They do not matter to the result.
    progress : callable, optional
        Called with the share that is done, 0 to 1.

    Raises
    ------
    ValueError
        There are too few pictures.
    UnknownAlgorithmError, UnsupportedOperationError
        As in `fingerprint.hash_image`.
    """
    chosen = hash_algorithm(algorithm)
    chain = read_edits(edits)
    tasks = choose(sources, half, limit, seed, n_edited)
    found_photos = sum(task.kind == "photo" for task in tasks)
    if found_photos < LEAST_PICTURES:
        raise ValueError(f"sources: expected some hundreds of photographs, got {found_photos}")
    hashed, unreadable = hash_all(tasks, chosen, chain, groups is None, workers, progress)
    kept, pairs_set_aside = representatives(hashed, groups)
    n_photos, n_kept = (sum(h.task.kind == "photo" for h in some) for some in (hashed, kept))
    ranges = quality_ranges(chosen.min_quality)
    blind = GROUP_RADIUS if groups is None and chosen.hash_name == "pdq" else -1
    pool = _pool(kept, ranges)
    step = distance_step(pool)
    found = measure_strata(pool, step=step, blind=blind, seed=seed)
    strata = {
        name: one.stored(_range_of(name, pool), generated=name not in {"same-domain", "diverse"})
        for name, one in found.items()
        if isinstance(one, Stratum)
    }
    if not {"same-domain", "diverse"} & set(strata):
        raise ValueError(
            "sources: expected some hundreds of different photographs, got "
            f"{int((pool.classes == ORDINARY).sum())}: {found['same-domain']}"
        )
    everything = _pool([h for h in hashed if h.task.kind == "photo"], ranges)
    return Calibration(
        algorithm=chosen.name,
        algorithm_version=chosen.version,
        bits=chosen.bits,
        min_quality=chosen.min_quality,
        step=step,
        made_on=datetime.datetime.now(datetime.UTC).date().isoformat(),
        made_from=_described(sources, half, tasks),
        seed=seed,
        pictures=n_kept,
        unreadable=unreadable,
        set_aside=n_photos - n_kept,
        pairs_set_aside=pairs_set_aside,
        blind_radius=blind,
        edits=tuple(str(edit) for edit in chain),
        strata=strata,
        copies=copy_distances(
            list(_copy_rows(kept, chosen.min_quality)),
            chosen.bits,
            chosen.min_quality,
            ranges,
            step,
        ),
        notes=(
            *(f"{name}: not measured ({one})" for name, one in found.items() if one == str(one)),
            *_sensitivity(everything, found, step, blind, seed),
        ),
    )


def _pool(hashed: list[Hashed], ranges: tuple[tuple[int, int], ...]) -> Pool:
    owners = {name: i for i, name in enumerate({h.task.original.name: None for h in hashed})}
    folders = {name: i for i, name in enumerate({h.task.original.folder: None for h in hashed})}
    last_low = ranges[-1][1] if ranges else -1
    rows, classes = [], []
    for one in hashed:
        low = one.hash.quality is not None and one.hash.quality <= last_low
        if low:
            classes.append(LOW)
        elif one.task.kind == "photo":
            classes.append(ORDINARY)
        elif one.task.original.source is None:
            classes.append(TEMPLATED)
        else:
            continue  # Faded, and yet a photograph like its original.
        rows.append(one)
    if len(rows) < 2:
        raise ValueError(f"sources: expected some hundreds of photographs, got {len(rows)}")
    return Pool(
        HashArray.from_hashes(h.hash for h in rows),
        np.array([folders[h.task.original.folder] for h in rows], np.int64),
        np.array([owners[h.task.original.name] for h in rows], np.int64),
        np.array(classes, np.int64),
        ranges,
    )


def _range_of(name: str, pool: Pool) -> tuple[int, int] | None:
    number = pool.names.index(name) - 4
    return pool.ranges[number] if number >= 0 else None


def _copy_rows(hashed: list[Hashed], min_quality: int) -> Iterator[Copy]:
    for owner, one in enumerate(hashed):
        for edit, copy in enumerate(one.copies):
            known = [h.quality for h in (one.hash, copy) if h.quality is not None]
            quality = min(known, default=100)
            # Drawn pictures stand for low quality alone.
            if quality < min_quality or one.task.kind == "photo":
                yield Copy(owner, edit, one.hash - copy, quality)


def _sensitivity(
    pool: Pool, found: Mapping[str, Stratum | str], step: int, blind: int, seed: int
) -> Iterator[str]:
    """Yield how the tail changes when fewer near pairs count as near-duplicates."""
    bits = pool.hashes.bits
    radii = [round(share * bits) // step * step for share in _SHOWN_RADII]
    name = "same-domain" if isinstance(found["same-domain"], Stratum) else "diverse"
    rows = [(f"pairs within {blind} bits set aside" if blind >= 0 else "as calibrated", found)]
    others = [b for b in (48, 32) if b < blind]
    rows += [
        (f"only those within {b}", measure_strata(pool, step=step, blind=b, seed=seed))
        for b in others
    ]
    rows.append(("none set aside", measure_strata(pool, step=step, blind=-1, seed=seed)))
    for words, strata in rows:
        one = strata[name]
        if isinstance(one, Stratum):
            rates = ", ".join(
                f"{one.tail.rate[r]:.1e} [{one.tail.low[r]:.1e}, {one.tail.high[r]:.1e}] at {r}"
                for r in radii
            )
            yield f"{name}, {words}: {rates}"


def _described(sources: Sources | None, half: Half, tasks: list[Task]) -> str:
    n = sum(task.kind == "photo" for task in tasks)
    if sources is None:
        return f"{n} generated photographs"
    where = "a folder" if isinstance(sources, str | os.PathLike) else "a list"
    return f"{n} pictures of {where}" + ("" if half == "all" else f" (half: {half})")
