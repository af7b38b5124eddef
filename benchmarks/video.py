"""What hashing costs beside decoding a video, and what a look-up of one costs."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np

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
from fingerprint.algorithms import HashAlgorithm, get_algorithm
from fingerprint.evaluate.video_synthesis import generate_video
from fingerprint.hash_arrays import HashArray
from fingerprint.media.video import open_video
from fingerprint.typing import Fidelity
from fingerprint.video import VideoHash
from fingerprint.video.frame_hashing import FrameHasher
from fingerprint.video.hashing import hash_video
from fingerprint.video.index import VideoIndex
from fingerprint.video.tmk import hash_tmk

if TYPE_CHECKING:
    from benchmarks.settings import Settings
    from fingerprint.media.video_frame import VideoFrame

__all__ = ["run"]

OF_DECODING = "of decoding alone"
FRAMES = 90
QUERY_S = 60
ROWS_A_VIDEO = 60
FIDELITIES: tuple[Fidelity, ...] = ("fast", "exact")


def run(settings: Settings, tell: Callable[[str], object] = tell_nobody) -> Group:
    """Measure the group."""
    videos = _videos(settings)
    conditions = (
        f"one thread for decoding and hashing; {', '.join(p.name for p in videos)}",
        "every-frame costs: all frames of the file, PDQ, decoding alone and decoding with "
        "hashing in turns",
    )
    found: list[Measurement] = []
    for path in videos:
        for fidelity in FIDELITIES:
            tell(f"{path.name}: {fidelity}")
            found.append(_on_top(path, fidelity, settings))
        tell(f"{path.name}: reference")
        found.append(_beside_reference(path, settings))
        tell(f"{path.name}: keyframes")
        found.append(_keyframes(path, settings))
        tell(f"{path.name}: OpenCV")
        found.append(_beside_opencv(path, settings))
        found.append(_tmk(path, settings))
    for clustered in (False, True):
        tell("index of videos")
        found.append(_search(settings, clustered=clustered))
    return Group("video", "Video", conditions, tuple(found))


def _videos(settings: Settings) -> list[Path]:
    """Return what is decoded: a generated 720p video, and real ones where they are."""
    found = [_generated(settings.video_s)]
    folder = os.environ.get("FINGERPRINT_MEDIA")
    if folder:
        names = ("pattern-hd-no-bar.mp4", "chair-20-sd-bar.mp4")
        found += [p for p in (Path(folder, "tmk-videos", name) for name in names) if p.is_file()]
    return found


@lru_cache(maxsize=1)
def _folder() -> TemporaryDirectory[str]:
    """Return the folder of this process, which goes when the process does."""
    return TemporaryDirectory(prefix="fingerprint-videos-")


@lru_cache(maxsize=2)
def _generated(duration_s: float) -> Path:
    path = Path(_folder().name, "generated-720p.mp4")
    generate_video(path, 11, duration_s, (1280, 720))
    return path


def _decode(path: Path, each: Callable[[VideoFrame], object]) -> int:
    n = 0
    with open_video(path, threads=1) as reader:
        for frame in reader.frames():
            each(frame)
            n += 1
    return n


def _pdq() -> HashAlgorithm:
    found = get_algorithm("pdq")
    if not isinstance(found, HashAlgorithm):
        raise TypeError("pdq: expected an algorithm of one hash")
    return found


def _on_top(path: Path, fidelity: Fidelity, settings: Settings) -> Measurement:
    hasher = FrameHasher(_pdq(), fidelity)
    pair = compare(
        lambda: _decode(path, hasher.hash),
        lambda: _decode(path, _nothing),
        lambda a, b: a == b,
        settings.slow_plan,
    )
    name = f"every frame of {path.name} hashed, {fidelity}: cost on top of decoding"
    target = Target(0.15, at_least=False) if fidelity == "fast" else None
    extra = pair.cost - 1
    return Measurement(name, extra, OF_DECODING, target, pair.agrees, pair)


def _nothing(frame: VideoFrame) -> None:
    """Do nothing with a frame."""


@lru_cache(maxsize=4)
def _frames(path: Path) -> tuple[list[VideoFrame], list[av.VideoFrame]]:
    """Return the same frames of a video, for us and for others."""
    ours: list[VideoFrame] = []
    with open_video(path, threads=1) as reader:
        for frame in reader.frames():
            ours.append(frame)
            if len(ours) == FRAMES:
                break
    with av.open(path) as container:
        frames = container.decode(video=0)
        theirs = [next(frames) for _ in range(len(ours))]
    return ours, theirs


def _beside_reference(path: Path, settings: Settings) -> Measurement:
    name = f"{FRAMES} decoded frames of {path.name}: exact, beside RGB conversion and pdqhash"
    target = Target(8, at_least=True)

    def make() -> Measurement:
        pdqhash = peer_module("pdqhash")
        ours, theirs = _frames(path)
        hasher = FrameHasher(_pdq(), "exact")

        def reference() -> list[bytes]:
            made = []
            for frame in theirs:
                vector, _ = pdqhash.compute(frame.to_ndarray(format="rgb24"))
                made.append(np.packbits(vector).tobytes())
            return made

        pair = compare(
            lambda: [hasher.hash(frame)[0] for frame in ours],
            reference,
            # Their conversion is another of FFmpeg's: the hashes are near, not the same.
            lambda a, b: max(map(_apart, a, b)) <= 40,
            settings.slow_plan,
        )
        return speedup_of(name, pair, target)

    return attempt(name, SPEEDUP, target, make)


def _apart(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def _keyframes(path: Path, settings: Settings) -> Measurement:
    pair = compare(
        lambda: len(hash_video(path, sample="keyframes", threads=1)),
        lambda: len(hash_video(path, sample="every:0", threads=1)),
        lambda a, b: 0 < a < b,
        settings.slow_plan,
    )
    name = f"keyframes of {path.name} beside every frame"
    return speedup_of(name, pair, Target(10, at_least=True), keyframes=_keyframe_count(path))


def _keyframe_count(path: Path) -> int:
    return len(hash_video(path, sample="keyframes", threads=1))


def _beside_opencv(path: Path, settings: Settings) -> Measurement:
    """Our frames keep the decoder's planes; OpenCV's are converted to BGR."""

    def by_opencv() -> int:
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if not capture.isOpened():
            raise NotRunError("OpenCV cannot open it")
        n = 0
        while capture.read()[0]:
            n += 1
        capture.release()
        return n

    name = f"decoding {path.name}: PyAV beside cv2.VideoCapture"

    def make() -> Measurement:
        pair = compare(
            lambda: _decode(path, _nothing), by_opencv, lambda a, b: a == b, settings.slow_plan
        )
        return speedup_of(name, pair)

    return attempt(name, SPEEDUP, None, make)


def _tmk(path: Path, settings: Settings) -> Measurement:
    pair = compare(
        lambda: hash_tmk(path, threads=1).frame_count,
        lambda: _decode(path, _nothing),
        lambda a, b: a > 0 and b > 0,
        settings.slow_plan,
    )
    name = f"TMK+PDQF of {path.name}: cost on top of decoding"
    return Measurement(name, pair.cost - 1, OF_DECODING, None, pair.agrees, pair)


def _video_of(packed: Any, step_s: float = 1.0) -> VideoHash:
    n = len(packed)
    times = np.arange(n, dtype=np.float64) * step_s
    return VideoHash(
        hashes=HashArray(packed, "pdq", quality=np.full(n, 100)),
        start_s=times,
        end_s=times,
        duration_s=n * step_s,
        width_px=1280,
        height_px=720,
        frame_rate=30.0,
        numbers=30 * np.arange(n),
        counts=np.ones(n, np.int64),
    )


def _drifting(rng: np.random.Generator, n: int, flips: int) -> Any:
    """Return hashes of a shot: each a few bits from the one before."""
    bits = np.empty((n, 256), np.uint8)
    bits[0] = rng.random(256) < 0.5
    for i in range(1, n):
        bits[i] = bits[i - 1]
        bits[i, rng.choice(256, flips, replace=False)] ^= 1
    return np.packbits(bits, axis=1)


def _search(settings: Settings, *, clustered: bool) -> Measurement:
    n = settings.video_frames
    rng = np.random.default_rng(5)
    n_videos = n // ROWS_A_VIDEO
    kind = "drifting by 12 bits a second" if clustered else "random frames"
    name = f"a query of {QUERY_S} s in {n_videos:,} videos, {n:,} frames, {kind}; with mirrored"
    index = VideoIndex("pdq")
    videos = []
    for _ in range(n_videos):
        packed = (
            _drifting(rng, ROWS_A_VIDEO, 12)
            if clustered
            else rng.integers(0, 256, (ROWS_A_VIDEO, 32), np.uint8)
        )
        videos.append(_video_of(packed))
    index.add_many([f"video-{k}" for k in range(n_videos)], videos)
    index.compact()
    wanted = [int(k) for k in rng.integers(0, n_videos, 40)]
    queries = []
    for i, k in enumerate(wanted):
        packed = videos[k].hashes.packed.copy()
        noise = np.packbits(rng.random((ROWS_A_VIDEO, 256)) < 0.03, axis=1)
        queries.append(_video_of(packed ^ noise if i % 2 else rng.permutation(packed ^ 0x5A)))
    times: list[float] = []
    right = True
    for _ in range(2):
        times.clear()
        for i, (k, query) in enumerate(zip(wanted, queries, strict=True)):
            before = perf_counter()
            found = index.search(query)
            times.append(1e3 * (perf_counter() - before))
            right &= ([m.id for m in found[:1]] == [f"video-{k}"]) == bool(i % 2)
    return Measurement(
        name,
        float(np.median(times)),
        "ms",
        Target(60, at_least=False),
        right,
        details={"p95": float(np.percentile(times, 95)), "queries": len(times)},
    )
