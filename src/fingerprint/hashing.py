"""From sources to hashes: one picture, its eight positions, its segments, a million of them."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from fingerprint import media
from fingerprint.algorithms import Algorithm, HashAlgorithm, SegmentAlgorithm, get_algorithm
from fingerprint.errors import DecodeError, FingerprintError, UnsupportedOperationError
from fingerprint.media import DEFAULT_LIMITS, Limits
from fingerprint.results import Failure, HashBatch, HashedImage

if TYPE_CHECKING:
    from fingerprint.hash_arrays import SegmentHashes
    from fingerprint.hashes import Hash
    from fingerprint.media import Pixels
    from fingerprint.typing import Fidelity, ImageSource, Orientation

__all__ = ["HashStream", "hash_dihedral", "hash_image", "hash_images", "hash_segments"]

Source = TypeVar("Source")
Result = TypeVar("Result")

PENDING_PER_WORKER = 4
"""Pictures in flight for each worker of a batch: what bounds its memory."""


def hash_image(
    source: ImageSource,
    algorithm: str | Algorithm = "pdq",
    *,
    fidelity: Fidelity = "exact",
    orientation: Orientation = "upright",
    alpha: media.Alpha = "composite",
    background: tuple[int, int, int] = media.WHITE,
    limits: Limits = DEFAULT_LIMITS,
) -> Hash:
    """Hash one picture.

    Parameters
    ----------
    source : path, bytes, binary file object, PIL image or ndarray
        An array is uint8 RGB(A) or grey: (h, w), (h, w, 3) or (h, w, 4). A
        string is a path.
    algorithm : str or Algorithm
        Name, with its variant after a colon: ``"pdq"``, ``"phash:16"``.
    fidelity : {"exact", "fast"}
        ``"exact"`` decodes to RGB and gives the reference's bits. ``"fast"``
        decodes only the luma of a JPEG, and at a fraction of its size where the
        algorithm allows that; it moves a few bits (README, "Fidelity").
    orientation : {"upright", "stored"}
        Apply the EXIF orientation, or hash the pixels as they are stored, which
        is what most reference tools do.
    alpha : {"composite", "drop"}
        Composite transparent pixels on ``background``, or drop the alpha
        channel, which is what most reference tools do.
    background : tuple of int
        RGB, 0 to 255 each.
    limits : Limits
        Largest source that is accepted.

    Returns
    -------
    Hash
        With the quality that the algorithm measured.

    Raises
    ------
    DecodeError
        The source cannot be read as a picture.
    LimitExceededError
        It is larger than ``limits``.
    UnknownAlgorithmError
        No such algorithm.
    UnsupportedOperationError
        The algorithm makes more than one hash; see `hash_segments`.

    Examples
    --------
    >>> import numpy as np, fingerprint as fp
    >>> h = fp.hash_image(np.zeros((480, 640), np.uint8), "pdq")
    >>> h.bits, h.quality
    (256, 0)
    """
    chosen = hash_algorithm(algorithm)
    pixels = _decode(source, chosen, fidelity, orientation, alpha, background, limits)
    return chosen.hash_pixels(pixels.array)


def hash_dihedral(
    source: ImageSource,
    algorithm: str | Algorithm = "pdq",
    *,
    fidelity: Fidelity = "exact",
    orientation: Orientation = "upright",
    alpha: media.Alpha = "composite",
    background: tuple[int, int, int] = media.WHITE,
    limits: Limits = DEFAULT_LIMITS,
) -> dict[str, Hash]:
    """Hash a picture as it is, turned and mirrored, from one decoding and one transform.

    Parameters and errors are those of `hash_image`; algorithms without a cheap
    way to do this raise UnsupportedOperationError.

    Returns
    -------
    dict of str to Hash
        Keys are `fingerprint.DIHEDRAL_NAMES`, in that order.
    """
    chosen = hash_algorithm(algorithm)
    pixels = _decode(source, chosen, fidelity, orientation, alpha, background, limits)
    return chosen.hash_dihedral(pixels.array)


def hash_segments(
    source: ImageSource,
    algorithm: str | Algorithm = "crop_resistant",
    *,
    fidelity: Fidelity = "exact",
    orientation: Orientation = "upright",
    alpha: media.Alpha = "composite",
    background: tuple[int, int, int] = media.WHITE,
    limits: Limits = DEFAULT_LIMITS,
) -> SegmentHashes:
    """Hash the segments of a picture, one hash each.

    Parameters and errors are those of `hash_image`; algorithms that make one
    hash of a picture raise UnsupportedOperationError.
    """
    chosen = get_algorithm(algorithm) if isinstance(algorithm, str) else algorithm
    if not isinstance(chosen, SegmentAlgorithm):
        raise UnsupportedOperationError(f"{chosen.name} makes one hash: use hash_image")
    pixels = _decode(source, chosen, fidelity, orientation, alpha, background, limits)
    return chosen.hash_segments(pixels.array)


def hash_images(
    sources: Iterable[ImageSource],
    algorithm: str | Algorithm = "pdq",
    *,
    fidelity: Fidelity = "exact",
    orientation: Orientation = "upright",
    alpha: media.Alpha = "composite",
    background: tuple[int, int, int] = media.WHITE,
    limits: Limits = DEFAULT_LIMITS,
    workers: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> HashStream:
    """Hash many pictures, in order, on several threads.

    Parameters
    ----------
    sources : iterable of sources
        Read as the work goes on: a generator of a million paths is fine.
    algorithm, fidelity, orientation, alpha, background, limits
        As in `hash_image`.
    workers : int, optional
        Threads; as many as there are processors by default. Decoders and
        kernels release the GIL.
    progress : callable, optional
        Called with the number of sources done so far after each, in the thread
        that iterates.

    Returns
    -------
    HashStream
        Iterate it for one `HashedImage` or `Failure` a source, in the order of
        the sources, or ``collect()`` it. A bad source is a Failure, never an
        abort; an interrupt stops the work and is raised.

    Raises
    ------
    UnknownAlgorithmError, UnsupportedOperationError
        At once, as in `hash_image`; so is a ValueError for an option without meaning.
    """
    if isinstance(sources, str | bytes | bytearray | memoryview | os.PathLike):
        raise TypeError(
            f"sources: expected an iterable of sources, got one {type(sources).__name__}"
        )
    chosen = hash_algorithm(algorithm)
    if workers is not None and workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    check_fidelity(fidelity)
    media.check_options(orientation, alpha, background)

    def hash_one(source: ImageSource) -> HashedImage | Failure:
        try:
            pixels = _decode(source, chosen, fidelity, orientation, alpha, background, limits)
            return HashedImage(media.describe(source), chosen.hash_pixels(pixels.array))
        except FingerprintError as error:
            return Failure(media.describe(source), error)
        except (TypeError, ValueError) as error:  # No picture at all, or a wrong array.
            name = media.describe(source)
            failure = DecodeError(name, str(error))
            failure.__cause__ = error
            return Failure(name, failure)

    return HashStream(sources, hash_one, workers or os.cpu_count() or 1, progress)


class ResultStream(Generic[Source, Result]):
    """Results of a batch as they are made; can be iterated once.

    Leaving it before its end, by `close`, a ``with`` block or an exception from
    ``progress``, cancels what has not begun.

    Parameters
    ----------
    sources : iterable
        Read as the work goes on.
    hash_one : callable
        Returns the result of one source.
    workers : int
        Threads.
    progress : callable, optional
        Called with the number of sources done so far.
    stop : threading.Event, optional
        Set when the work is over: ``hash_one`` may look at it and give up.
    """

    def __init__(
        self,
        sources: Iterable[Source],
        hash_one: Callable[[Source], Result],
        workers: int,
        progress: Callable[[int], object] | None,
        stop: threading.Event | None = None,
    ) -> None:
        self._results = _in_order(sources, hash_one, workers, stop or threading.Event())
        self._progress = progress
        self._done = 0

    def __iter__(self) -> Iterator[Result]:
        return self

    def __next__(self) -> Result:
        result = next(self._results)
        self._done += 1
        if self._progress is not None:
            try:
                self._progress(self._done)
            except BaseException:
                self.close()
                raise
        return result

    def close(self) -> None:
        """Cancel what has not begun and wait for what has."""
        self._results.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class HashStream(ResultStream["ImageSource", HashedImage | Failure]):
    """Results of `hash_images` as they are made; can be iterated once.

    Leaving it before its end, by `close`, a ``with`` block or an exception from
    ``progress``, cancels what has not begun.
    """

    def collect(self) -> HashBatch:
        """Return all results that are left."""
        return HashBatch(tuple(self))


def _in_order(
    sources: Iterable[Source],
    hash_one: Callable[[Source], Result],
    workers: int,
    stop: threading.Event,
) -> Generator[Result, None, None]:
    if workers == 1:
        yield from map(hash_one, sources)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fingerprint")
    pending: deque[Future[Result]] = deque()
    try:
        for source in sources:
            pending.append(pool.submit(hash_one, source))
            if len(pending) >= workers * PENDING_PER_WORKER:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # Also when the consumer stops early or is interrupted.
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def hash_algorithm(algorithm: str | Algorithm) -> HashAlgorithm:
    """Return an algorithm that makes one hash, by name or as it is."""
    chosen = get_algorithm(algorithm) if isinstance(algorithm, str) else algorithm
    if not isinstance(chosen, HashAlgorithm):
        raise UnsupportedOperationError(
            f"{chosen.name} makes a hash for each segment: use hash_segments"
        )
    return chosen


def check_fidelity(fidelity: object) -> None:
    """Raise ValueError for a fidelity that there is not."""
    if fidelity not in {"exact", "fast"}:
        raise ValueError(f"fidelity: expected 'exact' or 'fast', got {fidelity!r}")


def _decode(
    source: ImageSource,
    algorithm: Algorithm,
    fidelity: Fidelity,
    orientation: Orientation,
    alpha: media.Alpha,
    background: tuple[int, int, int],
    limits: Limits,
) -> Pixels:
    check_fidelity(fidelity)
    fast = fidelity == "fast"
    return media.decode(
        source,
        luma_only=fast and algorithm.fast_luma,
        min_side_px=algorithm.fast_min_side_px if fast else None,
        orientation=orientation,
        alpha=alpha,
        background=background,
        limits=limits,
    )
