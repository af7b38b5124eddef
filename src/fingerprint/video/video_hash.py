"""The signature of a video: hashes of some of its frames, and when they are shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fingerprint.algorithms import Algorithm, get_algorithm
from fingerprint.errors import UnknownAlgorithmError, redacted
from fingerprint.hash_arrays import HashArray, read_only
from fingerprint.hashes import Kind, require_same_kind
from fingerprint.video import checks

if TYPE_CHECKING:
    from fingerprint.typing import F64, I8, I64

__all__ = ["VideoHash"]

LONGEST_S = 10_000_000.0
"""Longest time that is believed: a hundred days."""

COLLAPSE_SHARE = 8 / 256
"""Share of a hash's bits that frames of one run may differ in, unless told otherwise.

Two decoders disagree on one frame of a PDQ video by up to 6 of 256 bits, so less would
keep noise. And it is a quarter of PDQ's radius of 31: what is within 23 bits of a frame
that was dropped is still within the radius of the one that stands for it.
"""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VideoHash:
    """Hashes of a video's frames, each with the time for which it stands.

    Parameters
    ----------
    hashes : HashArray
        One hash a row, with its quality, (n,).
    start_s, end_s : ndarray of float64, shape (n,)
        Presentation times of the first and the last frame that a row stands for, in
        seconds from the start of the stream; ``start_s`` never falls. They are equal
        where nothing was collapsed.
    duration_s : float
        How long the video is; 0.0 when unknown.
    width_px, height_px : int
        Size as shown; 0 when unknown.
    frame_rate : float
        Frames a second, on average; 0.0 when unknown.
    numbers : ndarray of int64, shape (n,)
        Number of each row's first frame among all decoded frames.
    counts : ndarray of int64, shape (n,)
        How many sampled frames a row stands for.
    sample : str
        How frames were chosen: ``"every:1"``, ``"keyframes"``; "" when unknown.
    trimmed : HashArray, optional
        The same frames hashed without the bars around the picture; None when no bars were found,
        or nobody looked.
    digests : mapping of str to str
        ``"md5"``, ``"sha1"``, ``"sha256"`` of the file, in lower-case hex; those that
        were computed.
    damage : str
        Why the file was not decoded to its end; "" when it was.

    views : mapping of str to HashArray
        The same frames laid otherwise, ``"flip_y"`` and ``"trimmed+flip_y"``: left and
        right exchanged. They are for looking the video up, and no part of it: neither
        compared by ``==`` nor kept in files. Look-ups without them derive them from the
        stored bits, some 15 bits less exactly.

    Raises
    ------
    ValueError, TypeError
        The parts do not fit together.
    IncompatibleHashError
        ``trimmed`` holds hashes of another algorithm.

    Notes
    -----
    Two are equal when everything in them is. The arrays of times, numbers and counts
    are copied and cannot be written.
    """

    hashes: HashArray
    start_s: F64
    end_s: F64
    duration_s: float
    width_px: int
    height_px: int
    frame_rate: float
    numbers: I64
    counts: I64
    sample: str = ""
    trimmed: HashArray | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    damage: str = ""
    views: Mapping[str, HashArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.hashes, HashArray):
            raise TypeError(f"hashes: expected HashArray, got {type(self.hashes).__name__}")
        n = len(self.hashes)
        for name in ("start_s", "end_s"):
            _set(self, name, checks.column(name, getattr(self, name), n, np.dtype(np.float64)))
        for name in ("numbers", "counts"):
            _set(self, name, checks.column(name, getattr(self, name), n, np.dtype(np.int64)))
        for name in ("duration_s", "frame_rate"):
            _set(self, name, checks.amount(name, getattr(self, name)))
        for name in ("width_px", "height_px"):
            _set(self, name, checks.size(name, getattr(self, name)))
        for name in ("sample", "damage"):
            if not isinstance(getattr(self, name), str):
                found = type(getattr(self, name)).__name__
                raise TypeError(f"{name}: expected str, got {found}")
        _set(self, "digests", checks.checked_digests(self.digests))
        _check_rows(self)
        _check_trimmed(self)
        _check_views(self)

    @property
    def kind(self) -> Kind:
        """Algorithm, version and bits of the hashes."""
        return self.hashes.kind

    @property
    def timestamps_s(self) -> F64:
        """When the first frame of each row is shown, (n,) seconds: ``start_s``."""
        return self.start_s

    @property
    def qualities(self) -> Any:
        """Quality of each row, (n,) int, 0 to 100; -1 where nobody measured it."""
        return self.hashes.quality

    def of_quality(self, min_quality: int) -> VideoHash:
        """Return the rows of at least this quality, and those whose quality is unknown."""
        quality = self.hashes.quality
        return self._rows(np.flatnonzero((quality < 0) | (quality >= min_quality)))

    def between(self, start_s: float, end_s: float) -> VideoHash:
        """Return the rows that stand for any time from ``start_s`` to ``end_s``, both inclusive.

        Times, duration and digests stay those of the whole video.
        """
        if not start_s <= end_s:
            raise ValueError(f"end_s: expected at least start_s ({start_s}), got {end_s}")
        return self._rows(np.flatnonzero((self.end_s >= start_s) & (self.start_s <= end_s)))

    def collapsed(self, max_distance: int | None = None) -> VideoHash:
        """Let one row stand for each run of consecutive near-identical rows.

        A run goes on while its rows are within ``max_distance`` of its first one, which
        is the one that is kept: a still picture becomes one row, and a slow pan is cut
        where it has moved that far. Rows on either side of the algorithm's
        ``min_quality`` do not share a run.

        Parameters
        ----------
        max_distance : int, optional
            Hamming distance in bits, inclusive; 8 of 256 bits by default, and as large
            a share of others. ``trimmed`` hashes must agree as closely.

        Returns
        -------
        VideoHash
            Spans and counts of a run are added up. Collapsing twice adds up the
            distances, too.
        """
        if max_distance is None:
            max_distance = int(COLLAPSE_SHARE * self.hashes.bits)
        elif not isinstance(max_distance, int | np.integer) or max_distance < 0:
            raise ValueError(f"max_distance: expected bits from 0, got {max_distance!r}")
        if not len(self):
            return self
        from fingerprint.kernels.frames import run_starts

        n = len(self)
        trimmed = self.trimmed
        words = read_only(np.empty((n, 0), np.uint64)) if trimmed is None else trimmed.words
        starts = np.empty(n, np.int64)
        found = run_starts(
            self.hashes.words, words, self._quality_classes(), int(max_distance), starts
        )
        first = starts[:found]
        return replace(
            self._rows(first),
            end_s=np.maximum.reduceat(self.end_s, first),
            counts=np.add.reduceat(self.counts, first),
        )

    def to_bytes(self) -> bytes:
        """Return the compact binary form (``docs/video-hash-format.md``): about 41 bytes a row."""
        from fingerprint.video import storage

        return storage.to_bytes(self)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> VideoHash:
        """Read what `to_bytes` returned.

        Raises
        ------
        HashFormatError
            It is something else, of a newer format, cut short or changed.
        """
        from fingerprint.video import storage

        return storage.from_bytes(data)

    def to_json(self) -> str:
        """Return the JSON form (``docs/video-hash-format.md``)."""
        from fingerprint.video import storage

        return storage.to_json(self)

    @classmethod
    def from_json(cls, text: str) -> VideoHash:
        """Read what `to_json` returned.

        Raises
        ------
        HashFormatError
            It is something else, of a newer format, or incomplete.
        """
        from fingerprint.video import storage

        return storage.from_json(text)

    def save(
        self, path: str | os.PathLike[str], form: Literal["binary", "json"] = "binary"
    ) -> None:
        """Write a file that its owner alone can read; what was at the path is replaced.

        The file is complete and on the disk before it has its name.

        Parameters
        ----------
        path : path
            The file; its folder must exist.
        form : {"binary", "json"}
            Which form; `load` tells them apart by their content.

        Raises
        ------
        ValueError
            There is no such form.
        OSError
            The file cannot be written.
        """
        from fingerprint.video import storage

        storage.save(self, path, form)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> VideoHash:
        """Read a file that `save` wrote, whatever its name ends in.

        Raises
        ------
        HashFormatError
            The file holds neither form, or a damaged one.
        OSError
            It cannot be read.
        """
        from fingerprint.video import storage

        return storage.load(path)

    def _rows(self, rows: Any) -> VideoHash:
        return replace(
            self,
            hashes=self.hashes[rows],
            start_s=self.start_s[rows],
            end_s=self.end_s[rows],
            numbers=self.numbers[rows],
            counts=self.counts[rows],
            trimmed=None if self.trimmed is None else self.trimmed[rows],
            views={name: hashes[rows] for name, hashes in self.views.items()},
        )

    def _quality_classes(self) -> I8:
        """Return which of the rows may share a run, (n,) int8."""
        try:
            least = get_algorithm(self.hashes.algorithm).min_quality
        except UnknownAlgorithmError:
            least = Algorithm.min_quality
        classes = np.zeros(len(self), np.int8)
        for hashes in (self.hashes, self.trimmed):
            if hashes is not None:
                quality = hashes.quality
                classes = classes * 3 + np.where(quality < 0, 2, quality >= least).astype(np.int8)
        return classes

    def __len__(self) -> int:
        return len(self.hashes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VideoHash):
            return NotImplemented
        names = (one.name for one in fields(self) if one.name != "views")
        return all(_same(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[VideoHash], tuple[Any, ...]]:
        return VideoHash, tuple(getattr(self, one.name) for one in fields(self))

    def __repr__(self) -> str:
        size = f" {self.width_px}x{self.height_px}" if self.width_px and self.height_px else ""
        sample = f" sample={redacted(self.sample)}" if self.sample else ""
        damaged = " damaged" if self.damage else ""
        return (
            f"<VideoHash {redacted(self.hashes.algorithm)} n={len(self)} "
            f"duration_s={self.duration_s:.3f}{size}{sample}{damaged}>"
        )


def _set(video_hash: VideoHash, name: str, value: object) -> None:
    object.__setattr__(video_hash, name, value)


def _check_rows(video_hash: VideoHash) -> None:
    start_s, end_s = video_hash.start_s, video_hash.end_s
    for name, values in (("start_s", start_s), ("end_s", end_s)):
        _require((values >= 0) & (values <= LONGEST_S), name, f"0 to {LONGEST_S:g} s", values)
    before_s = np.concatenate([start_s[:1], start_s[:-1]])
    _require(start_s >= before_s, "start_s", "ascending seconds", start_s)
    _require(end_s >= start_s, "end_s", "at least start_s", end_s)
    _require(video_hash.numbers >= 0, "numbers", "frames from 0", video_hash.numbers)
    _require(video_hash.counts >= 1, "counts", "at least 1", video_hash.counts)


def _check_views(video_hash: VideoHash) -> None:
    views = dict(video_hash.views)
    for name, hashes in views.items():
        if not isinstance(hashes, HashArray):
            raise TypeError(f"views: expected HashArray, got {type(hashes).__name__}")
        require_same_kind(video_hash.hashes, hashes)
        if len(hashes) != len(video_hash):
            n = len(video_hash)
            raise ValueError(f"views: expected {n} hashes of {name!r}, got {len(hashes)}")
    _set(video_hash, "views", views)


def _check_trimmed(video_hash: VideoHash) -> None:
    trimmed = video_hash.trimmed
    if trimmed is None:
        return
    if not isinstance(trimmed, HashArray):
        raise TypeError(f"trimmed: expected HashArray or None, got {type(trimmed).__name__}")
    require_same_kind(video_hash.hashes, trimmed)
    if len(trimmed) != len(video_hash):
        raise ValueError(f"trimmed: expected {len(video_hash)} hashes, got {len(trimmed)}")
    if not len(trimmed):  # One way to say that there is nothing.
        _set(video_hash, "trimmed", None)


def _require(right: Any, name: str, expected: str, values: Any) -> None:
    if not right.all():
        row = int(np.argmin(right))
        raise ValueError(f"{name}: expected {expected}, got {values[row]} in row {row}")


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, HashArray):
        return isinstance(b, HashArray) and a == b and np.array_equal(a.quality, b.quality)
    return bool(a == b)
