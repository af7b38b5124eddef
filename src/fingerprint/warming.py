"""Compile every kernel once, so that no user waits for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fingerprint.algorithms import HashAlgorithm, SegmentAlgorithm, algorithm_names, get_algorithm
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.index import Index, get_backend
from fingerprint.video.alignment import match_videos
from fingerprint.video.hashing import hash_video
from fingerprint.video.tmk import hash_tmk, tmk_match
from fingerprint.video.vpdq_exchange import vpdq_match
from fingerprint.views.image_index import ImageIndex

__all__ = ["warmup"]


def warmup(progress: Callable[[str], object] | None = None) -> None:
    """Compile the kernels and leave them in numba's cache on disk.

    The first use of a kernel on a machine compiles it, which takes seconds; later
    processes load it. Run this (or ``fingerprint warmup``) when a machine or a
    container image is built.

    Parameters
    ----------
    progress : callable, optional
        Called with the name of what is being compiled.
    """
    tell = progress or (lambda _: None)
    generator = np.random.default_rng(0)
    colour = generator.integers(0, 256, (80, 90, 3), dtype=np.uint8)
    flat = np.zeros((80, 90, 3), np.uint8)
    tall = np.ascontiguousarray(colour[:, :20])
    for name in algorithm_names():
        tell(name)
        algorithm = get_algorithm(name)
        for pixels in (colour, colour[..., 0].copy(), flat, tall):
            if isinstance(algorithm, SegmentAlgorithm):
                algorithm.hash_segments(pixels)
            elif isinstance(algorithm, HashAlgorithm):
                algorithm.hash_pixels(pixels)
                if algorithm.dihedral:
                    algorithm.hash_dihedral(pixels)
    tell("index")
    for bits in (64, 128, 256):
        packed = generator.integers(0, 256, (8, bits // 8), dtype=np.uint8)
        hashes = HashArray(packed, "warmup")
        index = Index("warmup", bits=bits, backend="linear")
        index.add([str(i) for i in range(8)], hashes)
        query: Hash = hashes[0]
        index.within(query, bits)
        index.nearest(query, 2)
        hashes.distances(query)
    tell("views")
    pictures = ImageIndex()
    for pixels in (colour, colour[..., 0].copy()):
        pictures.add("a", pixels, overwrite=True)
        pictures.search(pixels, thorough=True)
    tell("multi-index")
    packed = generator.integers(0, 256, (2000, 8), dtype=np.uint8)
    hashes = HashArray(packed, "warmup")
    tables = get_backend("mih").build(hashes)
    tables.range_search(hashes[:2], 2)
    tables.nearest(hashes[:1], 1)
    tell("video")
    for depth in (8, 10):
        clip = _clip(generator, depth)
        for fidelity in ("exact", "fast"):
            video_hash = hash_video(clip, sample="every:0", fidelity=fidelity, threads=1)
            match_videos(video_hash, video_hash)
        vpdq_match(video_hash, video_hash)
        tmk = hash_tmk(clip, threads=1)
        tmk_match(tmk, tmk)


def _clip(generator: np.random.Generator, depth: int) -> bytes:
    """Return a video of a few frames with bars, uncompressed (YUV4MPEG2)."""
    w, h, bars = 96, 80, 10
    kind, dtype = ("420jpeg", np.uint8) if depth == 8 else (f"420p{depth}", np.dtype("<u2"))
    parts = [f"YUV4MPEG2 W{w} H{h} F10:1 C{kind}\n".encode()]
    for _ in range(4):
        luma = generator.integers(0, 1 << depth, (h, w)).astype(dtype)
        luma[:bars] = luma[-bars:] = 16
        colour = generator.integers(0, 1 << depth, h * w // 2).astype(dtype)
        parts += [b"FRAME\n", luma.tobytes(), colour.tobytes()]
    return b"".join(parts)
