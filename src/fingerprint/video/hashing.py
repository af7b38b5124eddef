"""From a video to the hashes of its frames."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from fingerprint.errors import DecodeError
from fingerprint.hash_arrays import HashArray
from fingerprint.hashing import check_fidelity, hash_algorithm
from fingerprint.media import DEFAULT_VIDEO_LIMITS, VideoLimits, describe
from fingerprint.media.video import open_video
from fingerprint.video.bars import BarFinder, Placed
from fingerprint.video.frame_hashing import FrameHasher, whole
from fingerprint.video.sampling import Sampling, parse_sampling
from fingerprint.video.video_hash import VideoHash

if TYPE_CHECKING:
    from fingerprint.algorithms import Algorithm, HashAlgorithm
    from fingerprint.media.video import VideoReader
    from fingerprint.media.video_frame import VideoFrame
    from fingerprint.typing import Fidelity, Orientation, VideoSource
    from fingerprint.video.sampling import Selector

__all__ = ["checked_options", "hash_video"]


HELD_S = 0.25
"""A frame that stays longer than this stands for all of its time."""


@dataclass(slots=True)
class _Rows:
    """What was hashed so far."""

    packed: bytearray = field(default_factory=bytearray)
    trimmed: bytearray = field(default_factory=bytearray)
    qualities: list[int] = field(default_factory=list)
    trimmed_qualities: list[int] = field(default_factory=list)
    mirrored: bytearray = field(default_factory=bytearray)
    trimmed_mirrored: bytearray = field(default_factory=bytearray)
    times_s: list[float] = field(default_factory=list)
    ends_s: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    shown_until_s: dict[int, float] = field(default_factory=dict)
    any_bars: bool = False


class _Hashed(NamedTuple):
    placed: Placed
    packed: bytes
    quality: int


def hash_video(
    source: VideoSource,
    algorithm: str | Algorithm = "pdq",
    *,
    sample: str | Sampling = "changes:16",
    fidelity: Fidelity = "exact",
    orientation: Orientation = "upright",
    trim: bool = True,
    damaged: Literal["keep", "raise"] = "keep",
    stream: int = 0,
    digests: bool = False,
    limits: VideoLimits = DEFAULT_VIDEO_LIMITS,
    threads: int = 0,
    progress: Callable[[float], object] | None = None,
    stop: threading.Event | None = None,
) -> VideoHash:
    """Hash frames of a video, in one pass and in memory that does not grow with its length.

    Parameters
    ----------
    source : path, bytes or binary file object
        Nothing of it is written to disk.
    algorithm : str or Algorithm
        Of the hash of a frame.
    sample : str or Sampling
        Which frames: `every`, `vpdq`, `keyframes`, `scenes` or `changes` of
        `fingerprint.video`, or as text. ``"changes:16"`` has a frame for every look of the
        video; ``"every:0.5"`` is enough for a query of videos that were hashed so, and
        makes fewer look-ups.
    fidelity : {"exact", "fast"}
        ``"exact"``: frames in RGB; PDQ's hashes are the vPDQ reference's, bit for bit
        (with ``orientation="stored"``, for 8-bit 4:2:0). ``"fast"``: luma alone where
        there is enough in the frame.
    orientation : {"upright", "stored"}
        Turn frames as players do, or leave them as stored, as reference tools do.
    trim : bool
        Where there are bars of one colour around the picture, hash it without them
        as well.
    damaged : {"keep", "raise"}
        What to do when a part of the file cannot be decoded: keep the rest, and say so in
        ``VideoHash.damage``, or raise DecodeError.
    stream : int
        Which of its video streams.
    digests : bool
        Compute MD5, SHA-1 and SHA-256 of the file while it is read.
    limits : VideoLimits
        Largest video, and longest time.
    threads : int
        Threads of the decoder; 0: as many as there are processors.
    progress : callable, optional
        Called with the share of the video that is behind, 0 to 1.
    stop : threading.Event, optional
        Set by another thread to give up: DecodeError says that it was.

    Returns
    -------
    VideoHash
        One row a frame; with `changes`, one for a frame and those like it that follow.
        `VideoHash.collapsed` unites those that look the same.

    Raises
    ------
    DecodeError
        Nothing can be decoded, or not all with ``damaged="raise"``.
    LimitExceededError
        It is larger than ``limits``, or takes longer.
    UnknownAlgorithmError, UnsupportedOperationError
        As in `fingerprint.hash_image`.
    """
    chosen, rule = checked_options(algorithm, sample, fidelity, damaged)
    with open_video(
        source,
        stream=stream,
        orientation=orientation,
        limits=limits,
        threads=threads,
        digests=digests,
    ) as reader:
        rows = _hash_frames(reader, rule, FrameHasher(chosen, fidelity), trim, progress, stop)
        if reader.damage and damaged == "raise":
            raise DecodeError(describe(source), reader.damage)
        sums = reader.digests() if digests else {}
        return _video_hash(reader, rows, chosen, str(rule), sums)


def checked_options(
    algorithm: str | Algorithm, sample: str | Sampling, fidelity: object, damaged: object
) -> tuple[HashAlgorithm, Sampling]:
    """Return the algorithm and the rule of sampling; raise for options without meaning."""
    chosen = hash_algorithm(algorithm)
    check_fidelity(fidelity)
    if damaged not in {"keep", "raise"}:
        raise ValueError(f"damaged: expected 'keep' or 'raise', got {damaged!r}")
    rule = parse_sampling(sample) if isinstance(sample, str) else sample
    if not isinstance(rule, Sampling):
        raise TypeError(f"sample: expected a rule of sampling, got {type(rule).__name__}")
    return chosen, rule


def _hash_frames(
    reader: VideoReader,
    rule: Sampling,
    hasher: FrameHasher,
    trim: bool,
    progress: Callable[[float], object] | None,
    stop: threading.Event | None,
) -> _Rows:
    rows = _Rows()
    selector = rule.selector(reader.info)
    passed_over: _Hashed | None = None
    chosen = _chosen(reader, rule, selector, progress, stop, rows.shown_until_s)
    for placed in _placed(chosen, trim):
        one = _Hashed(placed, *hasher.hash(placed.frame))
        if passed_over is not None:
            # It is as good as the same: the row before stands for it, too.
            frame = passed_over.placed.frame
            shown_s = rows.shown_until_s.get(frame.number, 0.0)
            rows.ends_s[-1] = max(selector.time_s(frame), shown_s)
            rows.counts[-1] += 1
            passed_over = None
        if selector.keeps(one.packed):
            _append(rows, hasher, selector, one)
        else:
            passed_over = one
    if passed_over is not None and rule.with_last:
        _append(rows, hasher, selector, passed_over)
    for i, number in enumerate(rows.numbers):
        rows.ends_s[i] = max(rows.ends_s[i], rows.shown_until_s.get(number, 0.0))
    return rows


def _append(rows: _Rows, hasher: FrameHasher, selector: Selector, one: _Hashed) -> None:
    frame, area = one.placed
    inner, inner_quality = one.packed, one.quality
    mirrored = inner_mirrored = hasher.hash_mirrored() if hasher.can_mirror else b""
    if area != whole(frame):
        rows.any_bars = True
        inner, inner_quality = hasher.hash(frame, area)
        inner_mirrored = hasher.hash_mirrored() if hasher.can_mirror else b""
    rows.mirrored += mirrored
    rows.trimmed_mirrored += inner_mirrored
    rows.packed += one.packed
    rows.qualities.append(one.quality)
    rows.trimmed += inner
    rows.trimmed_qualities.append(inner_quality)
    rows.times_s.append(selector.time_s(frame))
    rows.ends_s.append(rows.times_s[-1])
    rows.counts.append(1)
    rows.numbers.append(frame.number)


def _placed(frames: Iterator[VideoFrame], trim: bool) -> Iterator[Placed]:
    if not trim:
        yield from (Placed(frame, whole(frame)) for frame in frames)
        return
    finder = BarFinder()
    for frame in frames:
        yield from finder.add(frame)
    yield from finder.rest()


def _chosen(
    reader: VideoReader,
    rule: Sampling,
    selector: Selector,
    progress: Callable[[float], object] | None,
    stop: threading.Event | None,
    shown_until_s: dict[int, float],
) -> Iterator[VideoFrame]:
    """Yield the frames that the rule wants, and the last one if it wants that.

    Notes of those that stay for long until when they are shown: slides need not be coded
    more than once.
    """
    stated_s = reader.info.duration_s
    left_out: VideoFrame | None = None
    told = -1.0
    before: VideoFrame | None = None
    for frame in reader.frames(keyframes_only=rule.keyframes_only, stop=stop):
        if before is not None and frame.time_s - before.time_s > HELD_S:
            shown_until_s[before.number] = frame.time_s
        wanted = selector.wants(frame)
        before = frame if wanted and not rule.keyframes_only else None
        left_out = None if wanted else frame
        if wanted:
            yield frame
        share = min(1.0, frame.time_s / stated_s) if stated_s else 0.0
        if progress is not None and share >= told + 0.005:
            told = share
            progress(share)
    last = left_out if rule.with_last and left_out is not None else before
    if last is not None and reader.duration_s - last.time_s > HELD_S:
        shown_until_s[last.number] = reader.duration_s
    if left_out is not None and rule.with_last:
        yield left_out
    if progress is not None:
        progress(1.0)


def _video_hash(
    reader: VideoReader, rows: _Rows, algorithm: HashAlgorithm, sample: str, sums: dict[str, str]
) -> VideoHash:
    info = reader.info
    views = {}
    if rows.mirrored:
        views["flip_y"] = _hash_array(rows.mirrored, rows.qualities, algorithm)
        if rows.any_bars:
            views["trimmed+flip_y"] = _hash_array(
                rows.trimmed_mirrored, rows.trimmed_qualities, algorithm
            )
    times = np.array(rows.times_s, np.float64)
    return VideoHash(
        hashes=_hash_array(rows.packed, rows.qualities, algorithm),
        start_s=times,
        end_s=np.array(rows.ends_s, np.float64),
        duration_s=reader.duration_s,
        width_px=info.width_px,
        height_px=info.height_px,
        frame_rate=info.frame_rate,
        numbers=np.array(rows.numbers, np.int64),
        counts=np.array(rows.counts, np.int64),
        sample=sample,
        trimmed=(
            _hash_array(rows.trimmed, rows.trimmed_qualities, algorithm) if rows.any_bars else None
        ),
        digests=sums,
        damage=reader.damage,
        views=views,
    )


def _hash_array(packed: bytearray, qualities: list[int], algorithm: HashAlgorithm) -> HashArray:
    values = np.frombuffer(bytes(packed), np.uint8).reshape(len(qualities), -1)
    return HashArray(
        values,
        algorithm.hash_name,
        bits=algorithm.bits,
        version=algorithm.version,
        quality=qualities,
    )
