"""Many videos, several at once."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fingerprint.errors import DecodeError, FingerprintError
from fingerprint.hashing import ResultStream
from fingerprint.media import DEFAULT_VIDEO_LIMITS, VideoLimits, describe
from fingerprint.media.video import check_video_options
from fingerprint.results import Batch, Failure
from fingerprint.video.hashing import checked_options, hash_video
from fingerprint.video.video_hash import VideoHash

if TYPE_CHECKING:
    from fingerprint.algorithms import Algorithm
    from fingerprint.typing import Fidelity, Orientation, VideoSource
    from fingerprint.video.sampling import Sampling

__all__ = ["HashedVideo", "VideoBatch", "VideoStream", "hash_videos"]


@dataclass(frozen=True, slots=True)
class HashedVideo:
    """One video of a batch and its hash."""

    source: str
    video_hash: VideoHash


class VideoBatch(Batch[HashedVideo]):
    """The results of a batch of videos, in the order of its sources."""

    __slots__ = ()


class VideoStream(ResultStream["VideoSource", HashedVideo | Failure]):
    """Results of `hash_videos` as they are made; can be iterated once.

    Leaving it before its end, by `close`, a ``with`` block, an interrupt or an exception
    from ``progress``, cancels what has not begun and stops what has within a frame.
    """

    def collect(self) -> VideoBatch:
        """Return all results that are left."""
        return VideoBatch(tuple(self))


def hash_videos(
    sources: Iterable[VideoSource],
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
    workers: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> VideoStream:
    """Hash many videos, in order, several at once.

    Parameters
    ----------
    sources : iterable of sources
        Read as the work goes on.
    algorithm, sample, fidelity, orientation, trim, damaged, stream, digests, limits
        As in `hash_video`.
    threads : int
        Threads of each decoder; 0: one where several videos are decoded at once, or else
        as many as there are processors.
    workers : int, optional
        Videos at once; as many as there are processors by default.
    progress : callable, optional
        Called with the number of videos done so far after each, in the thread that
        iterates.

    Returns
    -------
    VideoStream
        Iterate it for one `HashedVideo` or `Failure` a source, in the order of the
        sources, or ``collect()`` it. A bad video is a Failure, never an abort; an
        interrupt stops the work and is raised.

    Raises
    ------
    UnknownAlgorithmError, UnsupportedOperationError
        At once, as in `hash_video`; so is a ValueError for an option without meaning.
    """
    if isinstance(sources, str | bytes | bytearray | memoryview | os.PathLike):
        raise TypeError(
            f"sources: expected an iterable of sources, got one {type(sources).__name__}"
        )
    if workers is not None and workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    chosen, rule = checked_options(algorithm, sample, fidelity, damaged)
    check_video_options(orientation, stream, threads)
    at_once = workers or os.cpu_count() or 1
    stop = threading.Event()

    def hash_one(source: VideoSource) -> HashedVideo | Failure:
        name = describe(source)
        try:
            made = hash_video(
                source,
                chosen,
                sample=rule,
                fidelity=fidelity,
                orientation=orientation,
                trim=trim,
                damaged=damaged,
                stream=stream,
                digests=digests,
                limits=limits,
                threads=threads or (1 if at_once > 1 else 0),
                stop=stop,
            )
        except FingerprintError as error:
            return Failure(name, _without_frames(error))
        except (TypeError, ValueError) as error:  # No video at all.
            failure = DecodeError(name, str(error))
            failure.__cause__ = error
            return Failure(name, _without_frames(failure))
        return HashedVideo(name, made)

    return VideoStream(sources, hash_one, at_once, progress, stop)


def _without_frames(error: FingerprintError) -> FingerprintError:
    """Let go of what the calls that failed held: decoders, with their threads, and files."""
    one: BaseException | None = error
    while one is not None:
        traceback.clear_frames(one.__traceback__)
        one = one.__cause__ or one.__context__
    return error
