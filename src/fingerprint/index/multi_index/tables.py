"""The tables of a multi-index: built on all processors, mapped from files or copied."""

from __future__ import annotations

import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fingerprint import kernels
from fingerprint.errors import CorruptIndexError
from fingerprint.index.backends.residency import huge_array, hugepage_copy, mapped_array
from fingerprint.index.multi_index.chunks import MAX_CHUNK_BITS, Chunks
from fingerprint.index.multi_index.plan import MAX_CHUNK_RADIUS, Speed

if TYPE_CHECKING:
    from fingerprint.typing import F64, I64, U32, U64, Residency

__all__ = ["Tables", "build_tables", "load_tables", "save_tables"]

_ARRAYS = {"groups": np.uint64, "slots": np.uint32, "lists": np.uint32}
_LAYOUT = "mih.json"


@dataclass(frozen=True, eq=False)
class Tables:
    """What `fingerprint.kernels.mih` searches.

    Parameters
    ----------
    chunks : Chunks
        The bits of each chunk.
    shares : ndarray of float64, shape (m, MAX_CHUNK_RADIUS + 1)
        What `choose_chunks` estimated.
    speed : Speed or None
        What was measured once the tables were there.
    starts, lengths : ndarray of int64, shape (m, 3)
        Where each chunk's part of ``groups``, ``slots`` and ``lists`` begins, and how
        long it is.
    groups, slots, lists
        As in `fingerprint.kernels.mih_build`.
    """

    chunks: Chunks
    shares: F64
    speed: Speed | None
    starts: I64
    lengths: I64
    groups: U64
    slots: U32
    lists: U32

    @property
    def nbytes(self) -> int:
        """Bytes in use."""
        return int((self.lengths.sum(axis=0) * (8, 4, 4)).sum())


def build_tables(words: U64, chunks: Chunks, shares: F64, workers: int | None = None) -> Tables:
    """Fill the tables, one chunk a thread.

    Needs 12 bytes a row and thread beside the tables themselves.
    """
    n, m = len(words), len(chunks.bits)
    sizes = np.array([_groups_of(width) for width in chunks.widths], np.int64)
    # Room for the worst case: what is not touched takes no memory.
    starts = np.zeros((m, 3), np.int64)
    starts[:, 0] = np.cumsum(sizes) - sizes
    starts[:, 1] = np.arange(m) * n
    starts[:, 2] = np.arange(m) * (n + n // 2)
    groups = huge_array((int(sizes.sum()),), np.uint64)
    slots = huge_array((m * n,), np.uint32)
    lists = huge_array((m * (n + n // 2),), np.uint32)
    lengths = np.zeros((m, 3), np.int64)

    def build(c: int) -> None:
        first, place, list_place = starts[c].tolist()
        entries, begins, low_bits = _partitioned(words, chunks, c)
        lengths[c, 0] = sizes[c]
        lengths[c, 1:] = kernels.mih_build.fill_chunk(
            entries,
            begins,
            low_bits,
            groups[first : first + int(sizes[c])],
            slots[place : place + n],
            lists[list_place : list_place + n + n // 2],
        )

    with ThreadPoolExecutor(min(workers or os.cpu_count() or 1, max(m, 1))) as pool:
        list(pool.map(build, range(m)))
    return Tables(chunks, shares, None, starts, lengths, groups, slots, lists)


def _partitioned(words: U64, chunks: Chunks, c: int) -> tuple[U64, I64, int]:
    """Return rows with their keys of a chunk, sorted by the high bits of the keys."""
    width = chunks.widths[c]
    high = min(kernels.mih_build.PARTITION_BITS, max(0, width - kernels.mih_build.GROUP_BITS))
    keys = huge_array((len(words),), np.uint32)
    places, table = _byte_table(chunks.bits[c])
    kernels.mih_build.chunk_keys(words.view(np.uint8), places, table, keys)
    entries = huge_array((len(words),), np.uint64)
    begins = np.empty((1 << high) + 1, np.int64)
    low_bits = max(kernels.mih_build.GROUP_BITS, width - high)
    kernels.mih_build.partition(keys, low_bits, begins, entries)
    return entries, begins, low_bits


def _byte_table(bits: tuple[int, ...]) -> tuple[I64, U32]:
    """Return which bytes of a hash a chunk needs, and what each value adds to its key."""
    places = np.unique(np.array(bits, np.int64) >> 3)
    table = np.zeros((places.size, 256), np.uint32)
    values = np.arange(256)
    for j, position in enumerate(bits):
        is_set = (values >> (7 - (position & 7))) & 1
        table[np.searchsorted(places, position >> 3)] |= (is_set << j).astype(np.uint32)
    return places, table


def save_tables(tables: Tables, directory: Path) -> None:
    """Write the tables as one ``.npy`` file an array, and their layout as JSON."""
    for column, (name, dtype) in enumerate(_ARRAYS.items()):
        array = getattr(tables, name)
        shape = (int(tables.lengths[:, column].sum()),)
        with (directory / f"{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file,
                {"descr": np.dtype(dtype).newbyteorder("<").str, "fortran_order": False,
                 "shape": shape},
            )  # fmt: skip
            for start, length in zip(
                tables.starts[:, column].tolist(), tables.lengths[:, column].tolist(), strict=True
            ):
                file.write(memoryview(array[start : start + length]))
    layout = {
        "bits": tables.chunks.bits,
        "n_words": tables.chunks.n_words,
        "shares": tables.shares.tolist(),
        "lengths": tables.lengths.tolist(),
        "speed": asdict(tables.speed) if tables.speed else None,
    }
    (directory / _LAYOUT).write_text(json.dumps(layout), encoding="ascii")


def load_tables(directory: Path, residency: Residency) -> Tables:
    """Map what `save_tables` wrote, or copy it into huge pages.

    Raises
    ------
    CorruptIndexError
        A file is missing or not as long as it must be.
    """
    try:
        layout = json.loads((directory / _LAYOUT).read_text(encoding="ascii"))
        chunks = Chunks(tuple(tuple(chunk) for chunk in layout["bits"]), int(layout["n_words"]))
        lengths = np.array(layout["lengths"], np.int64).reshape(len(chunks.bits), 3)
        shares = np.array(layout["shares"], np.float64)
        shares = shares.reshape(len(chunks.bits), MAX_CHUNK_RADIUS + 1)
        speed = Speed(**layout["speed"]) if layout["speed"] else None
        speed = speed and Speed(float(speed.table_ratio), float(speed.scan_ns))
        arrays = [
            mapped_array(directory / f"{name}.npy", np.dtype(dtype).newbyteorder("<").str, (n,))
            for (name, dtype), n in zip(_ARRAYS.items(), lengths.sum(axis=0).tolist(), strict=True)
        ]
    except (*(OSError, ValueError, KeyError, TypeError, OverflowError),) as error:
        raise CorruptIndexError(str(directory), f"its tables: {error}") from error
    _check_layout(directory, chunks, lengths, shares, speed)
    starts = np.cumsum(lengths, axis=0) - lengths
    if residency == "huge":
        arrays = [hugepage_copy(array) for array in arrays]
    return Tables(chunks, shares, speed, starts, lengths, *arrays)


def _check_layout(
    directory: Path, chunks: Chunks, lengths: I64, shares: F64, speed: Speed | None
) -> None:
    """Refuse what would send a kernel beyond its arrays."""
    positions = [p for chunk in chunks.bits for p in chunk]
    if not all(type(p) is int and 0 <= p < 64 * chunks.n_words for p in positions):
        raise CorruptIndexError(str(directory), f"{_LAYOUT}: a chunk has bits that no hash has")
    sizes = [_groups_of(width) for width in chunks.widths]
    if lengths[:, 0].tolist() != sizes or (lengths < 0).any():
        raise CorruptIndexError(str(directory), f"{_LAYOUT}: lengths do not fit the chunks")
    if speed is not None and not all(0 < value < math.inf for value in astuple(speed)):
        raise CorruptIndexError(str(directory), f"{_LAYOUT}: speeds that no machine has")
    if shares.shape != (len(sizes), MAX_CHUNK_RADIUS + 1) or not np.isfinite(shares).all():
        raise CorruptIndexError(str(directory), f"{_LAYOUT}: shares do not fit the chunks")


def _groups_of(width: int) -> int:
    if not 0 < width <= MAX_CHUNK_BITS:
        return -1
    return max(1, (1 << width) >> kernels.mih_build.GROUP_BITS)
