"""Pictures under ids, found by their segments: an index in the place of all against all."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fingerprint import media
from fingerprint.algorithms import Algorithm, SegmentAlgorithm, get_algorithm
from fingerprint.errors import (
    IncompatibleHashError,
    LowQualityWarning,
    UnknownIdError,
    UnsupportedOperationError,
)
from fingerprint.hash_arrays import SegmentHashes
from fingerprint.index import Entry, Index
from fingerprint.index.queries import filter_of
from fingerprint.media import DEFAULT_LIMITS, Limits
from fingerprint.results import Match
from fingerprint.views.segment_geometry import (
    MOST_SEGMENTS,
    SEGMENT,
    SEGMENTS,
    Pair,
    Placed,
    agreeing,
    checked_size,
    match_of,
    own_metadata,
    place,
    place_of,
)

if TYPE_CHECKING:
    from fingerprint.index.queries import Where
    from fingerprint.typing import ImageSource, Metadata, Orientation, Residency

__all__ = ["SegmentIndex"]

BETWEEN = "||"
"""Stands between a picture's id and the number of a segment in the ids of entries."""

RADIUS = 0.175
"""Share of a segment's bits that may differ: 11 of 64, 44 of 256."""


_NUMBERS = frozenset(map(str, range(MOST_SEGMENTS)))


class SegmentIndex:
    """Pictures under ids, found by two or more of their bright and dark segments.

    `ImageIndex` finds far more at as few false matches, and is what to use: copies with 5 % cut
    off each side it finds all, segments not half; they find more only of rectangles cut out
    anywhere, and there one in seven (``benchmarks/results/segments.md``). Where views cannot be
    stored, one segment of ``"crop_resistant:pdq"`` (``min_segments=1``) finds more than two of
    the default, but of turned copies, with hardly more false matches.

    A thin layer over an `Index`: segments are entries ``id||0``, ``id||1``, … added and
    removed in the same commit; the first also has the picture's metadata. `index` is that
    Index, which any other tool may read.

    Parameters
    ----------
    algorithm : str or SegmentAlgorithm
        What cuts a picture up, and after the colon what hashes its segments.
        ``"crop_resistant"``, imagehash's own with dhash, has many times the false matches.
    backend, backend_options
        As for `fingerprint.Index`.

    Examples
    --------
    >>> import numpy as np, fingerprint as fp
    >>> from fingerprint.views import SegmentIndex
    >>> rng = np.random.default_rng(0)
    >>> picture = np.full((360, 480, 3), 20, np.uint8)
    >>> for left in (20, 180, 340):
    ...     block = rng.integers(140, 256, (6, 5, 3), dtype=np.uint8)
    ...     picture[60:180, left : left + 100] = block.repeat(20, axis=0).repeat(20, axis=1)
    >>> pictures = SegmentIndex()
    >>> pictures.add("case-1", picture)
    >>> [(m.id, m.transform) for m in pictures.search(picture[:, 150:])]
    [('case-1', '2 segments')]
    """

    def __init__(
        self,
        algorithm: str | Algorithm = "crop_resistant:phash",
        *,
        backend: str = "auto",
        backend_options: Mapping[str, Any] | None = None,
    ) -> None:
        cutter = _cutter(algorithm)
        index = Index(
            cutter.hash_name, bits=cutter.bits, backend=backend, backend_options=backend_options
        )
        self._begin(index, cutter)

    def _begin(self, index: Index, cutter: SegmentAlgorithm) -> None:
        if (index.algorithm, index.bits) != (cutter.hash_name, cutter.bits):
            raise IncompatibleHashError(
                f"algorithm: {cutter.name} makes {cutter.hash_name} hashes of {cutter.bits} bits; "
                f"the index has {index.algorithm} of {index.bits}"
            )
        self.index = index
        self._cutter = cutter

    @classmethod
    def over(cls, index: Index, algorithm: str | Algorithm | None = None) -> Self:
        """Return a SegmentIndex over an index that is open already.

        ``algorithm`` is by default ``crop_resistant`` with the index's algorithm for the
        segments; IncompatibleHashError where the index holds other hashes than it makes.
        """
        pictures = cls.__new__(cls)
        pictures._begin(index, _cutter(_named_for(index) if algorithm is None else algorithm))
        return pictures

    @classmethod
    def create(
        cls, path: str | Path, algorithm: str | Algorithm = "crop_resistant:phash", **options: Any
    ) -> Self:
        """Make an empty one in a directory; options and errors are those of `Index.create`."""
        cutter = _cutter(algorithm)
        index = Index.create(path, cutter.hash_name, bits=cutter.bits, **options)
        return cls.over(index, cutter)

    @classmethod
    def open(
        cls,
        path: str | Path,
        algorithm: str | Algorithm | None = None,
        *,
        read_only: bool = False,
        residency: Residency = "mmap",
    ) -> Self:
        """Open a directory; ``algorithm`` as for `over`, the rest as for `Index.open`."""
        index = Index.open(path, read_only=read_only, residency=residency)
        try:
            return cls.over(index, algorithm)
        except BaseException:
            index.close()
            raise

    @property
    def algorithm(self) -> str:
        """Name of what cuts pictures up."""
        return self._cutter.name

    def add(
        self,
        id: str,  # noqa: A002 - the field's own name
        source: ImageSource | SegmentHashes,
        metadata: Metadata | None = None,
        *,
        size_px: tuple[int, int] | None = None,
        overwrite: bool = False,
        orientation: Orientation = "upright",
        alpha: media.Alpha = "composite",
        background: tuple[int, int, int] = media.WHITE,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Add a picture's segments in one commit.

        Parameters
        ----------
        id : str
            A new id, without ``||``.
        source : SegmentHashes, path, bytes, binary file object, PIL image or ndarray
            Segments that were hashed already, or a picture as for `fingerprint.hash_image`.
        metadata : mapping, optional
            Anything that JSON can say.
        size_px : tuple of int, optional
            Width and height of the picture that ``SegmentHashes`` are of.
        overwrite : bool
            Take the place of a picture with this id, if there is one; not within a
            transaction of the index.
        orientation, alpha, background, limits
            As for `fingerprint.hash_image`.

        Raises
        ------
        DuplicateIdError
            The id is there already.
        IncompatibleHashError
            The segments are another algorithm's.
        DecodeError, ValueError
            The source cannot be read; the id, the metadata or the size will not do.
        """
        if BETWEEN in id:
            raise ValueError(f"id: expected one without {BETWEEN!r}, got {id!r}")
        if taken := {SEGMENT, SEGMENTS} & set(metadata or {}):
            raise ValueError(f"metadata: {min(taken)!r} is where segments are described")
        segments, size_px = self._segments(source, size_px, orientation, alpha, background, limits)
        placed = place(segments, size_px, self.index.min_quality)
        # A picture with nothing to find it by is there nonetheless.
        hashes = placed.hashes or [segments.segments[0]]
        extras: list[dict[str, Any]] = [
            {SEGMENT: {"box": list(box), "aspect": placed.aspect}} for box in placed.boxes
        ] or [{}]
        extras[0] = {**(metadata or {}), **extras[0], SEGMENTS: len(hashes)}
        ids = [f"{id}{BETWEEN}{n}" for n in range(len(hashes))]
        with self.index.transaction() if overwrite else nullcontext():
            if overwrite and id in self:
                self.remove(id)
            self.index.add(ids, hashes, extras)

    def _segments(
        self,
        source: ImageSource | SegmentHashes,
        size_px: tuple[int, int] | None,
        orientation: Orientation,
        alpha: media.Alpha,
        background: tuple[int, int, int],
        limits: Limits,
    ) -> tuple[SegmentHashes, tuple[int, int]]:
        """Return the segments of a source and the size of the picture."""
        if isinstance(source, SegmentHashes):
            if size_px is None:
                raise ValueError("size_px: expected (width, height) of the picture, got None")
            if source.algorithm != self._cutter.name:
                raise IncompatibleHashError(
                    f"source: expected segments of {self._cutter.name}, got {source.algorithm}"
                )
            return source, checked_size(size_px)
        if size_px is not None:
            raise ValueError(f"size_px: it is a picture's own; got {size_px!r}")
        pixels = media.decode(
            source, orientation=orientation, alpha=alpha, background=background, limits=limits
        ).array
        return self._cutter.hash_segments(pixels), (pixels.shape[1], pixels.shape[0])

    def remove(self, id: str) -> None:  # noqa: A002
        """Remove a picture's segments in one commit; UnknownIdError if it is not there.

        `Index.compact` then takes them off the disk. Where another thread may overwrite the
        picture meanwhile, do it within `Index.transaction`.
        """
        self.index.remove(self.entry_ids(id))

    def entry_ids(self, id: str) -> list[str]:  # noqa: A002
        """Return the ids of a picture's entries in the index, or raise UnknownIdError."""
        count = self._first(id).metadata.get(SEGMENTS)
        n = min(count, MOST_SEGMENTS) if isinstance(count, int) else 1
        ids = [f"{id}{BETWEEN}{i}" for i in range(n)]
        # Whoever removed a single segment with another tool must not keep the rest from going.
        return [one for one in ids if one in self.index]

    def get(self, id: str) -> Entry:  # noqa: A002
        """Return a picture's id, its first segment's hash and its metadata."""
        first = self._first(id)
        return Entry(id, first.hash, own_metadata(first.metadata))

    def _first(self, id: str) -> Entry:  # noqa: A002
        if id not in self:
            raise UnknownIdError(f"id {id!r} is not in the index")
        return self.index.get(f"{id}{BETWEEN}0")

    def search(
        self,
        source: ImageSource | SegmentHashes,
        *,
        radius: int | None = None,
        min_segments: int = 2,
        where: Where | None = None,
        size_px: tuple[int, int] | None = None,
        orientation: Orientation = "upright",
        alpha: media.Alpha = "composite",
        background: tuple[int, int, int] = media.WHITE,
        limits: Limits = DEFAULT_LIMITS,
    ) -> list[Match]:
        """Find the pictures that a picture has segments in common with.

        Segments agree when one scale and shift of the picture puts every edge of their
        boxes within 0.05 of the width or height of the larger of the two pictures, and
        stretches it less than 1.5 times as much one way as the other. Boxes that share more than
        half of their union count once.

        Parameters
        ----------
        source, size_px, orientation, alpha, background, limits
            As for `add`.
        radius : int, optional
            Bits that segments may differ by; by default 17.5 % of a segment's.
        min_segments : int
            How many must agree.
        where : mapping or callable, optional
            As for `Index.within`; it sees the metadata of a picture.

        Returns
        -------
        list of Match
            Each picture once, those with more segments first: ``transform`` is like
            ``"3 segments"``, ``distance`` the mean of theirs, rounded, ``quality`` the least.

        Warns
        -----
        LowQualityWarning
            Fewer segments than ``min_segments`` have enough in them: nothing can be found.

        Raises
        ------
        IncompatibleHashError, DecodeError, ValueError
            As for `add`; the radius or ``min_segments`` will not do.
        UnsupportedOperationError, CorruptIndexError
            As for `Index.within`.
        """
        radius = int(RADIUS * self.index.bits) if radius is None else radius
        if not isinstance(min_segments, int) or min_segments < 1:
            raise ValueError(f"min_segments: expected at least 1, got {min_segments!r}")
        accepts = filter_of(where)
        segments, size_px = self._segments(source, size_px, orientation, alpha, background, limits)
        placed = place(segments, size_px, self.index.min_quality)
        if len(placed.hashes) < min_segments:
            warnings.warn(
                f"{len(placed.hashes)} segments of the query have enough in them to be looked up; "
                f"a match needs {min_segments}",
                LowQualityWarning,
                stacklevel=2,
            )
            return []
        found = []
        for name, (pairs, aspect) in self._candidates(placed, radius, min_segments).items():
            agreed = agreeing(pairs, placed.aspect / aspect)
            metadata = self._metadata(name) if len(agreed) >= min_segments else None
            if metadata is not None and (accepts is None or accepts(metadata)):
                found.append((-len(agreed), match_of(name, agreed, metadata)))
        found.sort(key=lambda one: (one[0], one[1].distance, one[1].id))
        return [match for _, match in found]

    def _candidates(
        self, placed: Placed, radius: int, min_segments: int
    ) -> dict[str, tuple[list[Pair], float]]:
        """Return by picture its pairs of segments, where there may be enough, and its aspect."""
        found: dict[str, tuple[list[Pair], float]] = {}
        for n, matches in enumerate(self.index.within_many(placed.hashes, radius)):
            for match in matches:
                name, _, number = match.id.rpartition(BETWEEN)
                known = place_of(match.metadata)
                if known is not None and number in _NUMBERS:
                    box, aspect = known
                    pair = Pair(match.distance, n, int(number), placed.boxes[n], box, match.quality)
                    found.setdefault(name, ([], aspect))[0].append(pair)
        counts = {name: len({pair.query for pair in one[0]}) for name, one in found.items()}
        return {name: one for name, one in found.items() if counts[name] >= min_segments}

    def _metadata(self, id: str) -> Metadata | None:  # noqa: A002
        """Return a picture's metadata; None where it was removed meanwhile."""
        try:
            return self.get(id).metadata
        except UnknownIdError:
            return None

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __contains__(self, id: object) -> bool:  # noqa: A002
        return isinstance(id, str) and BETWEEN not in id and f"{id}{BETWEEN}0" in self.index

    def __iter__(self) -> Iterator[str]:
        last = f"{BETWEEN}0"
        return (name.removesuffix(last) for name in self.index if name.endswith(last))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<SegmentIndex of {self.algorithm} over {self.index!r}>"


def _cutter(algorithm: str | Algorithm) -> SegmentAlgorithm:
    chosen = get_algorithm(algorithm) if isinstance(algorithm, str) else algorithm
    if not isinstance(chosen, SegmentAlgorithm):
        raise UnsupportedOperationError(f"{chosen.name} makes one hash: use fingerprint.Index")
    return chosen


def _named_for(index: Index) -> str:
    """Return the name of what makes segments with an index's hashes."""
    plain = get_algorithm("crop_resistant")
    own = index.algorithm == plain.hash_name
    return plain.name if own else f"{plain.name}:{index.algorithm}"
