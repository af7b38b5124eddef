"""TMK+PDQF: one feature a video, whatever its length, that also finds shifts in time.

Sources: Meta, "PDQ & TMK+PDQF" (2019), and facebook/ThreatExchange ``tmk/cpp``;
Poullot et al., "Temporal Matching Kernel with Explicit Feature Maps" (2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.errors import DecodeError, IncompatibleHashError
from fingerprint.media.limits import DEFAULT_VIDEO_LIMITS
from fingerprint.media.source import describe
from fingerprint.media.video import open_video
from fingerprint.video.tmk_format import TMKFeature, read_tmk, write_tmk

if TYPE_CHECKING:
    from collections.abc import Callable

    from fingerprint.media.limits import VideoLimits
    from fingerprint.typing import F32, F64, U8, VideoSource

__all__ = [
    "TMKFeature",
    "TMKMatch",
    "hash_tmk",
    "read_tmk",
    "score_level1",
    "score_level2",
    "tmk_match",
    "write_tmk",
]

FRAME_RATE = 15
PERIODS = (2731, 4391, 9767, 14653)
SIDE_PX = 64
DIMENSION = 256

# a_0 = (I_0(32) - e^-32) / (2 sinh 32), a_j = I_j(32) / sinh 32; tabulated in tmkfv.cpp.
_COEFFICIENTS = (
    *(0.0708041893112, 0.13937789309, 0.132897260304, 0.122765735552),
    *(0.109878684888, 0.09529606433, 0.0800986647852, 0.0652590650356),
    *(0.0515478238322, 0.0394851531195, 0.0293374252025, 0.0211492623679),
    *(0.0147973073245, 0.0100512818746, 0.0066306408014, 0.00424947117334),
    *(0.0026467615764, 0.00160270959695, 0.000943882629639, 0.000540841638603),
    *(0.000301633183798, 0.000163800158855, 8.66454753015e-05, 4.46626303151e-05),
    *(2.24429442235e-05, 1.09982139799e-05, 5.25823487999e-06, 2.45358229988e-06),
    *(1.11781474895e-06, 4.97406489221e-07, 2.16265487234e-07, 9.19087006565e-08),
)

DEFAULT_THRESHOLD = 0.7
_LATE_TICKS = 1.1
_LONGEST_STILL_TICKS = 3600 * 30 * 30
_MOST_TICKS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class TMKMatch:
    """How two videos compare.

    Parameters
    ----------
    level1 : float
        Cosine of their averages, -1 to 1: do they show the same things?
    level2 : float
        Score at the best alignment, about 0 to 1: in the same order?
    offset_s : float
        Seconds from a moment of the first video to the same moment of the second, by
        the best alignment. Rough: the shortest wave that counts lasts some ten seconds,
        and shifts are known modulo the period, 182 seconds for the shortest one.
    is_match : bool
        Whether both scores reach their thresholds.
    """

    level1: float
    level2: float
    offset_s: float
    is_match: bool


def score_level1(a: TMKFeature, b: TMKFeature) -> float:
    """Return the cosine of two average features, -1 to 1; 0 where one is of black only.

    Raises
    ------
    IncompatibleHashError
        The two were made with different parameters.
    """
    _require_compatible(a, b)
    u, v = a.average.astype(np.float64), b.average.astype(np.float64)
    norms = float(np.linalg.norm(u) * np.linalg.norm(v))
    return float(u @ v) / norms if norms else 0.0


def score_level2(a: TMKFeature, b: TMKFeature) -> float:
    """Return the score at the best alignment of all periods and offsets, up to 1.

    Raises
    ------
    IncompatibleHashError
        The two were made with different parameters.
    """
    return _best_alignment(a, b)[0]


def tmk_match(
    a: TMKFeature,
    b: TMKFeature,
    level1: float = DEFAULT_THRESHOLD,
    level2: float = DEFAULT_THRESHOLD,
) -> TMKMatch:
    """Compare two videos.

    Parameters
    ----------
    a, b : TMKFeature
        Of each.
    level1, level2 : float
        Scores from which they match; the defaults are the reference's.

    Raises
    ------
    IncompatibleHashError
        The two were made with different parameters.
    """
    for name, threshold in (("level1", level1), ("level2", level2)):
        if not -1 <= threshold <= 1:
            raise ValueError(f"{name}: expected a score from -1 to 1, got {threshold}")
    first = score_level1(a, b)
    second, offset_s = _best_alignment(a, b)
    return TMKMatch(first, second, offset_s, bool(first >= level1 and second >= level2))


def hash_tmk(
    source: VideoSource,
    *,
    stream: int = 0,
    limits: VideoLimits = DEFAULT_VIDEO_LIMITS,
    threads: int = 0,
    progress: Callable[[float], object] | None = None,
) -> TMKFeature:
    """Compute the TMK+PDQF feature of a video, in memory that does not grow with it.

    Frames are chosen at 15 a second as ``ffmpeg -r 15`` does, and scaled to 64 x 64 by
    FFmpeg's bicubic scaler.

    Parameters
    ----------
    source : path, bytes or binary file object
        The video.
    stream : int
        Which of its video streams.
    limits : VideoLimits
        Largest video that is accepted.
    threads : int
        Threads of the decoder; 0: as many as there are processors.
    progress : callable, optional
        Called with the seconds of video that are done.

    Raises
    ------
    DecodeError
        Nothing can be decoded, or a frame stands still for more than 60 hours.
    LimitExceededError
        It is larger than ``limits``.
    """
    with open_video(source, stream=stream, limits=limits, threads=threads) as reader:
        ticks = _ConstantRate(reader.info.frame_rate, describe(source))
        sums = _Sums()
        for frame in reader.frames():
            again, shown = ticks.place(frame.time_s)
            if again:
                sums.add_again(again)
            if shown:
                sums.add(frame.rgb(SIDE_PX, SIDE_PX, "bicubic"), shown)
            if progress is not None:
                progress(frame.time_s)
        return sums.feature(reader.damage)


class _ConstantRate:
    """Which frames FFmpeg shows at a constant rate, and how often.

    Follows ``-fps_mode cfr`` (``video_sync_process`` of fftools): a frame is dropped only
    once the output runs ahead of it by more than 1.1 ticks, duration counted. So a video
    at 30 frames a second begins with frames 0, 1, 2, 3 and goes on with 5, 7, 9.
    """

    def __init__(self, frame_rate: float, name: str) -> None:
        self._duration = FRAME_RATE / frame_rate if frame_rate > 0 else 1.0
        self._name = name
        self._next = 0

    def place(self, time_s: float) -> tuple[int, int]:
        """Return for how many ticks the frame before is shown again, and then this one."""
        late = time_s * FRAME_RATE - self._next
        until = late + self._duration
        if late < 0 < until:
            late = 0.0
        again, shown = 0, 1
        if until < -_LATE_TICKS:
            shown = 0
        elif until > _LATE_TICKS:
            shown = round(until)
            if late > _LATE_TICKS and self._next:
                again = min(shown, round(late - 0.6))
                shown -= again
        self._next += again + shown
        if again + shown > _LONGEST_STILL_TICKS or self._next > _MOST_TICKS:
            raise DecodeError(
                self._name,
                f"expected a frame at least every {_LONGEST_STILL_TICKS // FRAME_RATE:,} s, "
                f"got none for {(again + shown) / FRAME_RATE:,.0f} s",
            )
        return again, shown


class _Sums:
    """The sums that a feature is made of."""

    def __init__(self) -> None:
        self._periods = np.array(PERIODS, np.int32)
        self._coefficients = np.array(_COEFFICIENTS, np.float32)
        self._total = np.zeros(DIMENSION)
        self._cosines = np.zeros((len(PERIODS), len(_COEFFICIENTS), DIMENSION))
        self._sines = np.zeros_like(self._cosines)
        self._feature = np.zeros(DIMENSION, np.float32)
        self._count = 0

    def add(self, rgb: U8, count: int) -> None:
        """Add a 64 x 64 picture for the next ``count`` ticks."""
        kernels.tmk.frame_feature(rgb, kernels.pdq.DCT, self._feature)
        self.add_again(count)

    def add_again(self, count: int) -> None:
        """Add the picture before for ``count`` more ticks."""
        kernels.tmk.add_feature(
            self._feature,
            self._count,
            count,
            self._periods,
            self._total,
            self._cosines,
            self._sines,
        )
        self._count += count

    def feature(self, damage: str) -> TMKFeature:
        """Return what was summed."""
        return TMKFeature(
            frame_count=self._count,
            frame_rate=FRAME_RATE,
            periods=self._periods,
            coefficients=self._coefficients,
            average=(self._total / self._count).astype(np.float32),
            cosines=self._weighed(self._cosines),
            sines=self._weighed(self._sines),
            damage=damage,
        )

    def _weighed(self, sums: F64) -> F32:
        norms = np.linalg.norm(sums, axis=2, keepdims=True)
        unit = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 0)
        weighed: F32 = (unit * np.sqrt(self._coefficients)[:, None]).astype(np.float32)
        return weighed


def _best_alignment(a: TMKFeature, b: TMKFeature) -> tuple[float, float]:
    """Return the best score, and by how many seconds ``b`` is later there.

    The score at an offset is a sum of C waves, and over all offsets of a period a
    Fourier transform of C numbers.
    """
    _require_compatible(a, b)
    in_a = (a.cosines + 1j * a.sines).astype(np.complex128)
    in_b = (b.cosines + 1j * b.sines).astype(np.complex128)
    products = np.einsum("pcd,pcd->pc", in_a, in_b.conj())
    products[:, 0] = np.einsum("pd,pd->p", a.cosines[:, 0], b.cosines[:, 0], dtype=np.float64)
    best, offset = -np.inf, 0
    for period, waves in zip(a.periods.tolist(), products, strict=True):
        spectrum = np.zeros(period, np.complex128)
        np.add.at(spectrum, np.arange(waves.size) % period, waves.conj())
        scores = np.fft.ifft(spectrum, norm="forward").real
        at = int(scores.argmax())
        if scores[at] > best:
            best, offset = float(scores[at]), (at if at <= period // 2 else at - period)
    weights = a.coefficients.astype(np.float64)
    return best / float(weights[0] + 2 * weights[1:].sum()), -offset / a.frame_rate


def _require_compatible(a: TMKFeature, b: TMKFeature) -> None:
    same = {
        "frame_rate": a.frame_rate == b.frame_rate,
        "periods": np.array_equal(a.periods, b.periods),
        "dimension": a.average.size == b.average.size,
        "coefficients": a.coefficients.size == b.coefficients.size
        and np.allclose(a.coefficients, b.coefficients, rtol=1e-6, atol=0),  # The reference's.
    }
    for name, is_same in same.items():
        if not is_same:
            raise IncompatibleHashError(f"TMK features: expected the same {name} in both")
