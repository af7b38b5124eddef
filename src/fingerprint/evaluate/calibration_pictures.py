"""The pictures that a calibration is made of, hashed: photographs, copies, and emptier ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fingerprint.errors import FingerprintError
from fingerprint.evaluate.low_information import LOW_INFORMATION_KINDS, faded, low_information
from fingerprint.evaluate.originals import Half, Original, Sources, find_pictures, seed_of
from fingerprint.evaluate.pairs import Signature, group_pictures, signature
from fingerprint.evaluate.synthesis import photos
from fingerprint.evaluate.transforms import Edit, default_edits
from fingerprint.hashing import ResultStream

if TYPE_CHECKING:
    from fingerprint.algorithms import HashAlgorithm
    from fingerprint.hashes import Hash
    from fingerprint.typing import F64

__all__ = ["Hashed", "Progress", "Task", "choose", "hash_all", "read_edits", "representatives"]

MAX_SIDE_PX = 768
"""Pictures are made no larger than this before they are edited and hashed."""
N_GENERATED = 300
"""Photographs that are generated when there are no sources."""
N_LOW = 100
"""Pictures of each kind with little in them, and faded photographs."""
N_LOW_EDITED = 20
"""Of each of these kinds copies are made of so many."""
Progress: TypeAlias = Callable[[float], object]


@dataclass(frozen=True, slots=True)
class Task:
    """One picture to be hashed.

    Parameters
    ----------
    original : Original
        The photograph; without a source for a picture that is drawn.
    kind : str
        ``"photo"``, ``"faded"`` or one of `LOW_INFORMATION_KINDS`.
    edited : bool
        Whether copies are made of it.
    seed : int
        Of everything drawn for it.
    """

    original: Original
    kind: str
    edited: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Hashed:
    """What became of a task: its hash, what groups it, and the hash of a copy for each edit."""

    task: Task
    hash: Hash
    signature: Signature | None
    copies: tuple[Hash, ...]


def read_edits(edits: Iterable[Edit | str] | None) -> tuple[Edit, ...]:
    """Return edits as values; every transform at a middle strength and the chains by default."""
    if edits is None:
        return default_edits(quick=True)
    chain = tuple(Edit.parse(one) if isinstance(one, str) else one for one in edits)
    if not chain:
        raise ValueError("edits: expected at least one")
    return chain


def choose(
    sources: Sources | None, half: Half, limit: int | None, seed: int, n_edited: int
) -> list[Task]:
    """Return the photographs, and the emptier pictures to go with them.

    Parameters are those of `fingerprint.calibrate`.
    """
    if sources is None:
        n = min(N_GENERATED, N_GENERATED if limit is None else limit)
        found = [Original(f"generated {i:06}", "", p) for i, p in enumerate(photos(n, seed))]
    else:
        found = find_pictures(sources, half=half, limit=limit, seed=seed)
    chance = np.random.default_rng(seed)
    order = [int(i) for i in chance.permutation(len(found))]
    edited, fading = set(order[:n_edited]), order[:N_LOW]
    tasks = [
        Task(one, "photo", i in edited, seed_of(seed, one.name)) for i, one in enumerate(found)
    ]
    tasks += [
        Task(found[i], "faded", n < N_LOW_EDITED, seed_of(seed, f"faded {found[i].name}"))
        for n, i in enumerate(fading)
    ]
    for kind in LOW_INFORMATION_KINDS:
        for n in range(N_LOW):
            name = f"{kind} {n:06}"
            own = seed_of(seed, name)
            tasks.append(Task(Original(name, "", None), kind, n < N_LOW_EDITED, own))
    return tasks


def hash_all(
    tasks: list[Task],
    algorithm: HashAlgorithm,
    edits: tuple[Edit, ...],
    with_signatures: bool,
    workers: int | None,
    progress: Progress | None,
) -> tuple[list[Hashed], int]:
    """Return what became of each task, in order, and how many photographs were unreadable."""
    if workers is not None and workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    one = partial(_hash_one, algorithm, edits, with_signatures)
    # Copies are what takes the time.
    costs = np.cumsum([1 + len(edits) * task.edited for task in tasks])
    report = None if progress is None else _shares(costs, progress)
    stream = ResultStream(tasks, one, workers or os.cpu_count() or 1, report)
    with stream:
        results = list(stream)
    photographs = [r for r, task in zip(results, tasks, strict=True) if task.kind == "photo"]
    return [r for r in results if r is not None], photographs.count(None)


def _shares(costs: F64, progress: Progress) -> Callable[[int], object]:
    return lambda done: progress(float(costs[done - 1] / costs[-1]))


def _hash_one(
    algorithm: HashAlgorithm, edits: tuple[Edit, ...], with_signature: bool, task: Task
) -> Hashed | None:
    try:
        if task.original.source is None:
            pixels = low_information(task.kind, task.seed)
        else:
            pixels = task.original.pixels(MAX_SIDE_PX)
    except FingerprintError:
        return None
    if task.kind == "faded":
        pixels = faded(pixels, task.seed)
    photograph = task.kind == "photo"
    return Hashed(
        task,
        algorithm.hash_pixels(pixels),
        signature(pixels) if photograph and with_signature else None,
        tuple(algorithm.hash_pixels(edit(pixels, task.seed)) for edit in edits)
        if task.edited
        else (),
    )


def representatives(
    hashed: list[Hashed], groups: Mapping[str, object] | None
) -> tuple[list[Hashed], int]:
    """Return one picture of each group, and how many pairs lie within groups."""
    photographs = [h for h in hashed if h.task.kind == "photo"]
    if groups is None:
        labels: list[object] = list(
            group_pictures([h.signature for h in photographs if h.signature is not None])
        )
    else:
        labels = [groups.get(h.task.original.name, h.task.original.name) for h in photographs]
    names: dict[object, str] = {}
    sizes: dict[object, int] = {}
    for one, label in zip(photographs, labels, strict=True):
        names.setdefault(label, one.task.original.name)
        sizes[label] = sizes.get(label, 0) + 1
    chosen = set(names.values())
    kept = [h for h in hashed if h.task.original.source is None or h.task.original.name in chosen]
    return kept, sum(n * (n - 1) // 2 for n in sizes.values())
