"""Many hashes of one algorithm; the hashes of one picture's segments."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from fingerprint import kernels
from fingerprint.errors import HashFormatError, MissingExtraError
from fingerprint.hashes import Hash, Kind, kind_of, packed_nbytes, require_same_kind

if TYPE_CHECKING:
    from fingerprint.typing import I32, U8, U64

__all__ = ["HashArray", "SegmentHashes", "read_only"]

NO_QUALITY = -1


class HashArray(Sequence[Hash]):
    """Many hashes of one algorithm, packed.

    Parameters
    ----------
    packed : ndarray of uint8, shape (n, nbytes)
        One hash a row, packed as in `Hash`. Not copied when it is C-contiguous
        and ``nbytes`` is a multiple of 8.
    algorithm : str
        Name of the algorithm.
    bits : int, optional
        How many bits; ``8 * nbytes`` by default.
    quality : ndarray of int, shape (n,), optional
        Quality of each, 0 to 100, or -1 where nobody measured it.
    version : int
        Version of the algorithm.
    """

    __slots__ = ("_quality", "_words", "algorithm", "bits", "version")

    def __init__(
        self,
        packed: U8,
        algorithm: str,
        *,
        bits: int | None = None,
        quality: Any = None,
        version: int = 1,
    ) -> None:
        packed = np.asarray(packed)
        if packed.dtype != np.uint8 or packed.ndim != 2:
            raise ValueError(
                f"packed: expected uint8 of shape (n, nbytes), got {packed.dtype} {packed.shape}"
            )
        bits = 8 * packed.shape[1] if bits is None else bits
        if bits < 1 or packed.shape[1] != packed_nbytes(bits):
            raise HashFormatError(
                f"{algorithm}: expected {packed_nbytes(bits)} bytes a hash for {bits} bits, "
                f"got {packed.shape[1]}"
            )
        spare = -bits % 8
        if spare and packed.size and (packed[:, -1] & ((1 << spare) - 1)).any():
            raise HashFormatError(f"{algorithm}: bits are set beyond the last of {bits}")
        if packed.shape[1] % 8 == 0:
            words = np.ascontiguousarray(packed).view(np.uint64)
        else:
            padded = np.zeros((packed.shape[0], 8 * ((packed.shape[1] + 7) // 8)), np.uint8)
            padded[:, : packed.shape[1]] = packed
            words = padded.view(np.uint64)
        self._words: U64 = read_only(words)
        self.algorithm = algorithm
        self.bits = bits
        self.version = version
        self._quality = _quality_array(quality, packed.shape[0])

    @classmethod
    def from_words(
        cls,
        words: U64,
        algorithm: str,
        *,
        bits: int,
        quality: Any = None,
        version: int = 1,
    ) -> HashArray:
        """Wrap words that are known to be right, such as those of an index's own file.

        Nothing is copied, and nothing looked at but shapes: a memory map is not read.

        Parameters
        ----------
        words : ndarray of uint64, shape (n, w)
            What `words` of another array gave.
        algorithm, bits, version
            As for the class.
        quality : ndarray of int8 or int16, shape (n,), optional
            As for the class.

        Raises
        ------
        ValueError
            A shape or dtype is wrong.
        """
        width = (packed_nbytes(bits) + 7) // 8
        if words.dtype != np.uint64 or words.ndim != 2 or words.shape[1] != width:
            raise ValueError(
                f"words: expected uint64 of shape (n, {width}), got {words.dtype} {words.shape}"
            )
        if quality is not None and quality.shape != words.shape[:1]:
            raise ValueError(f"quality: expected shape {words.shape[:1]}, got {quality.shape}")
        array = cls.__new__(cls)
        array._words = read_only(words)
        array.algorithm = algorithm
        array.bits = bits
        array.version = version
        array._quality = quality
        return array

    @classmethod
    def from_hashes(cls, hashes: Iterable[Hash], like: Hash | None = None) -> HashArray:
        """Stack hashes of one algorithm.

        Parameters
        ----------
        hashes : iterable of Hash
            At least one, unless ``like`` says what kind the empty array holds.
        like : Hash, optional
            A hash of the wanted kind.

        Raises
        ------
        IncompatibleHashError
            They are not all of one algorithm, version and size.
        """
        items = list(hashes)
        for item in items:
            if not isinstance(item, Hash):
                raise TypeError(f"expected hashes, got {type(item).__name__}")
        first = like if like is not None else (items[0] if items else None)
        if first is None:
            raise ValueError("expected at least one hash, got none")
        for item in items:
            require_same_kind(first, item)
        packed = np.frombuffer(b"".join(h.packed for h in items), np.uint8)
        return cls(
            packed.reshape(len(items), packed_nbytes(first.bits)),
            first.algorithm,
            bits=first.bits,
            quality=[NO_QUALITY if h.quality is None else h.quality for h in items],
            version=first.version,
        )

    @classmethod
    def from_hex(
        cls, lines: Iterable[str], algorithm: str, *, bits: int | None = None
    ) -> HashArray:
        """Read one hex hash a line; the error of a bad one names its line."""
        if bits is None:
            algorithm, bits = kind_of(algorithm)
        hashes = []
        for number, line in enumerate(lines, 1):
            try:
                hashes.append(Hash.from_hex(line.strip(), algorithm, bits=bits))
            except HashFormatError as error:
                raise HashFormatError(f"line {number}: {error}") from error
        empty = Hash(algorithm, bytes(packed_nbytes(bits)), bits)
        return cls.from_hashes(hashes, like=empty)

    @classmethod
    def from_arrow(
        cls, array: Any, algorithm: str, *, bits: int | None = None, quality: Any = None
    ) -> HashArray:
        """Read a pyarrow ``FixedSizeBinaryArray`` (or chunked array) without nulls.

        Raises
        ------
        MissingExtraError
            pyarrow is not installed.
        TypeError
            The array is of another type.
        ValueError
            It holds nulls.
        """
        pa = _pyarrow()
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if not pa.types.is_fixed_size_binary(array.type):
            raise TypeError(f"expected an Arrow fixed_size_binary array, got {array.type}")
        if array.null_count:
            raise ValueError(f"expected no nulls, got {array.null_count}")
        width = array.type.byte_width
        data = np.frombuffer(array.buffers()[1] or b"", np.uint8)
        start = array.offset * width
        packed = data[start : start + len(array) * width].reshape(len(array), width)
        return cls(packed, algorithm, bits=bits, quality=quality)

    def to_arrow(self) -> Any:
        """Return a pyarrow ``FixedSizeBinaryArray`` of the packed hashes.

        Raises
        ------
        MissingExtraError
            pyarrow is not installed.
        """
        pa = _pyarrow()
        width = packed_nbytes(self.bits)
        data = np.ascontiguousarray(self.packed)
        return pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(width), len(self), [None, pa.py_buffer(data)]
        )

    @classmethod
    def concatenate(cls, arrays: Sequence[HashArray]) -> HashArray:
        """Join arrays of one algorithm, in order."""
        if not arrays:
            raise ValueError("expected at least one array, got none")
        for other in arrays:
            require_same_kind(arrays[0], other)
        return cls(
            np.concatenate([a.packed for a in arrays]),
            arrays[0].algorithm,
            bits=arrays[0].bits,
            quality=np.concatenate([a.quality for a in arrays]),
            version=arrays[0].version,
        )

    @property
    def kind(self) -> Kind:
        """Algorithm, version and bits."""
        return self.algorithm, self.version, self.bits

    @property
    def packed(self) -> U8:
        """View of the packed hashes, (n, nbytes) uint8."""
        return self._words.view(np.uint8)[:, : packed_nbytes(self.bits)]

    @property
    def words(self) -> U64:
        """The hashes as the kernels see them, (n, words) uint64, zero-padded."""
        return self._words

    @property
    def quality(self) -> Any:
        """Quality of each hash, (n,) int8 or int16; -1 where nobody measured it."""
        if self._quality is None:
            self._quality = np.full(len(self), NO_QUALITY, np.int16)
        return self._quality

    def distances(self, other: Hash | HashArray) -> I32:
        """Return Hamming distances in bits.

        Parameters
        ----------
        other : Hash or HashArray
            What to compare with.

        Returns
        -------
        ndarray of int32
            (n,) against one hash, (n, len(other)) against an array.

        Raises
        ------
        IncompatibleHashError
            ``other`` is of another algorithm, version or size.
        """
        if not isinstance(other, Hash | HashArray):
            raise TypeError(f"other: expected Hash or HashArray, got {type(other).__name__}")
        require_same_kind(self, other)
        if isinstance(other, Hash):
            one = HashArray.from_hashes([other])
            out = np.empty(len(self), np.int32)
            kernels.bits.distances_to(self._words, one._words[0], out)
            return out
        columns = np.empty((len(other), len(self)), np.int32)
        for i in range(len(other)):
            kernels.bits.distances_to(self._words, other._words[i], columns[i])
        return columns.T

    def to_hex(self) -> list[str]:
        """Return each hash as hex."""
        return [h.hex for h in self]

    def __len__(self) -> int:
        return len(self._words)

    @overload
    def __getitem__(self, index: int) -> Hash: ...
    @overload
    def __getitem__(self, index: slice | Any) -> HashArray: ...
    def __getitem__(self, index: Any) -> Hash | HashArray:
        if isinstance(index, int | np.integer):
            quality = int(self.quality[index])
            return Hash(
                self.algorithm,
                self.packed[index].tobytes(),
                self.bits,
                None if quality == NO_QUALITY else quality,
                self.version,
            )
        return HashArray(
            self.packed[index],
            self.algorithm,
            bits=self.bits,
            quality=self.quality[index],
            version=self.version,
        )

    def __iter__(self) -> Iterator[Hash]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, HashArray):
            return NotImplemented
        return self.kind == other.kind and np.array_equal(self._words, other._words)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<HashArray {self.algorithm} n={len(self)} bits={self.bits}>"


@dataclass(frozen=True, slots=True)
class SegmentHashes:
    """Hashes of the segments of one picture, as the crop-resistant hash makes them.

    Parameters
    ----------
    algorithm : str
        Name of the algorithm that cut the picture up.
    segments : HashArray
        One hash a segment, in the order in which the segments were found.
    boxes : tuple of (left, top, right, bottom)
        Where each segment lies, in pixels of the upright picture.
    """

    algorithm: str
    segments: HashArray
    boxes: tuple[tuple[int, int, int, int], ...] = field(repr=False)

    def matching_segments(self, other: SegmentHashes, max_bit_error: float = 0.25) -> list[int]:
        """Return the nearest distances of those segments that have a partner.

        Parameters
        ----------
        other : SegmentHashes
            What to compare with.
        max_bit_error : float
            Largest share of differing bits, 0 to 1; imagehash uses 0.25.

        Returns
        -------
        list of int
            For each segment of ``self`` with a partner in ``other``, its
            distance in bits. imagehash calls it a match from one segment on,
            which invites false ones; ask for two or more.
        """
        nearest = self.segments.distances(other.segments).min(axis=1)
        return [int(d) for d in nearest if d <= max_bit_error * self.segments.bits]

    def __str__(self) -> str:
        return ",".join(self.segments.to_hex())


def read_only(array: Any) -> Any:
    """Return a view that cannot be written; kernels are compiled for nothing else."""
    view = array.view()
    view.flags.writeable = False
    return view


def _quality_array(quality: Any, n: int) -> Any:
    if quality is None:
        return np.full(n, NO_QUALITY, np.int16)
    array = np.asarray(quality)
    if not array.size:
        array = array.astype(np.int16)
    if array.dtype.kind not in "iu":
        raise TypeError(f"quality: expected whole numbers, got {array.dtype}")
    if array.shape != (n,):
        raise ValueError(f"quality: expected shape ({n},), got {array.shape}")
    if n and (array.min() < NO_QUALITY or array.max() > 100):
        raise ValueError("quality: expected 0 to 100, or -1 for unknown")
    return array.astype(np.int16)


def _pyarrow() -> Any:
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError("pyarrow", "arrow")
    import pyarrow as pa

    return pa
