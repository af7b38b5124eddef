"""Frames of two videos that look alike."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint import kernels
from fingerprint.algorithms import get_algorithm
from fingerprint.errors import UnknownAlgorithmError
from fingerprint.hash_arrays import HashArray

if TYPE_CHECKING:
    from fingerprint.typing import I32, I64, U64, Bits
    from fingerprint.video.video_hash import VideoHash

__all__ = [
    "MIRRORED",
    "TRANSFORMS",
    "Pairs",
    "find_pairs",
    "min_quality_of",
    "nearest_of",
    "query_views",
    "usable",
]

TRANSFORMS = ("identity", "trimmed", "flip_y", "trimmed+flip_y")
"""How a query may be laid to match, in the order of preference."""

MIRRORED = {"identity": "flip_y", "trimmed": "trimmed+flip_y"}


MOST_A_ROW = 48
"""Frames of the reference that a frame of the query is compared with in the order of time:
the nearest. More are alike only in scenes that hardly change, and then say nothing."""

_BLOCK = 256


class Pairs(NamedTuple):
    """Rows of the query and of the reference that are within a radius, one view each.

    ``transforms`` are places in `TRANSFORMS`. A pair of rows stands once, with its least
    distance; sorted by the query's row, then the reference's.
    """

    query_rows: I64
    reference_rows: I64
    distances: I32
    transforms: I64

    def only(self, places: I64) -> Pairs:
        """Return the pairs at these places."""
        q, r, distances, transforms = self
        return Pairs(q[places], r[places], distances[places], transforms[places])


def min_quality_of(video_hash: VideoHash) -> int:
    """Return the quality below which frames match by chance."""
    try:
        return get_algorithm(video_hash.hashes.algorithm).min_quality
    except UnknownAlgorithmError:
        return 0


def usable(hashes: HashArray, min_quality: int) -> Bits:
    """Return which rows have enough in them, or an unknown quality."""
    found: Bits = (hashes.quality < 0) | (hashes.quality >= min_quality)
    return found


def query_views(video_hash: VideoHash, *, mirrored: bool) -> dict[str, HashArray]:
    """Return the hashes of a query in each way in which it is looked up.

    Mirrored ones, for PDQ alone, are those that were made of the frames (`VideoHash.views`),
    or else made of the stored bits, and then about 15 bits off.
    """
    views = {"identity": video_hash.hashes}
    if video_hash.trimmed is not None:
        views["trimmed"] = video_hash.trimmed
    if mirrored and video_hash.hashes.algorithm == "pdq" and video_hash.hashes.bits == 256:
        for name, hashes in list(views.items()):
            if MIRRORED[name] in video_hash.views:
                views[MIRRORED[name]] = video_hash.views[MIRRORED[name]]
                continue
            words = hashes.words ^ _mirror_mask()
            quality = hashes.quality
            views[MIRRORED[name]] = HashArray.from_words(
                words, "pdq", bits=256, version=hashes.version, quality=quality
            )
    return views


@lru_cache(maxsize=1)
def _mirror_mask() -> U64:
    """Bits of PDQ's coefficients that change sign when left and right are exchanged.

    Coefficient (i, j) belongs to frequency j + 1 across: odd ones change. Bit 16 i + j
    stands in the hash from its end.
    """
    value = sum(1 << (16 * i + j) for i in range(16) for j in range(0, 16, 2))
    return np.frombuffer(value.to_bytes(32), np.uint64).copy()


def find_pairs(query: VideoHash, reference: VideoHash, radius: int, *, mirrored: bool) -> Pairs:
    """Compare every frame of the query, in each view, with every one of the reference."""
    quality = min_quality_of(query)
    targets = [reference.hashes]
    if reference.trimmed is not None:
        targets.append(reference.trimmed)
    found = []
    for name, view in query_views(query, mirrored=mirrored).items():
        for target in targets:
            q_rows = np.flatnonzero(usable(view, quality))
            r_rows = np.flatnonzero(usable(target, quality))
            for at in range(0, len(q_rows), _BLOCK):
                block = q_rows[at : at + _BLOCK]
                owners, rows, distances = _near(view[block], target[r_rows], radius)
                owners, rows = block[owners], r_rows[rows]
                kept = nearest_of(owners, rows, distances)
                transform = np.full(len(kept), TRANSFORMS.index(name), np.int64)
                found.append((owners[kept], rows[kept], distances[kept], transform))
    if not found:
        nothing = np.empty(0, np.int64)
        return Pairs(nothing, nothing, nothing.astype(np.int32), nothing)
    return merged(*(np.concatenate(column) for column in zip(*found, strict=True)))


def merged(query_rows: I64, reference_rows: I64, distances: I32, transforms: I64) -> Pairs:
    """Keep the nearest of each pair of rows; of several, the first transform."""
    order = np.lexsort((transforms, distances, reference_rows, query_rows))
    q, r = query_rows[order], reference_rows[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (q[1:] != q[:-1]) | (r[1:] != r[:-1])
    kept = order[first]
    return Pairs(
        query_rows[kept].astype(np.int64),
        reference_rows[kept].astype(np.int64),
        distances[kept].astype(np.int32),
        transforms[kept].astype(np.int64),
    )


def nearest_of(owners: I64, rows: I64, distances: I32) -> I64:
    """Return the places of the nearest `MOST_A_ROW` of each owner.

    Of equals those at the same distances in rows, so that lines survive.
    """
    if not owners.size or int(np.bincount(owners).max()) <= MOST_A_ROW:
        return np.arange(owners.size)
    spread = ((rows - owners) * 2654435761) & 0xFFFFFF
    order = np.lexsort((spread, distances, owners))
    sorted_owners = owners[order]
    starts = np.flatnonzero(np.diff(sorted_owners, prepend=-1))
    rank = np.arange(order.size) - np.repeat(starts, np.diff(starts, append=order.size))
    kept: I64 = np.sort(order[rank < MOST_A_ROW])
    return kept


def _near(queries: HashArray, targets: HashArray, radius: int) -> tuple[I64, I64, I32]:
    room = 16 * (len(queries) + 1)
    while True:
        owners = np.empty(room, np.int32)
        rows = np.empty(room, np.int64)
        distances = np.empty(room, np.int32)
        n = kernels.bits.scan_range(targets.words, queries.words, radius, owners, rows, distances)
        if n <= room:
            return owners[:n].astype(np.int64), rows[:n], distances[:n]
        room = n
