"""What goes into an index: ids, hashes and metadata, checked once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from fingerprint.algorithms import Algorithm, SegmentAlgorithm, get_algorithm
from fingerprint.errors import (
    CorruptIndexError,
    DuplicateIdError,
    IncompatibleHashError,
    UnknownAlgorithmError,
    UnsupportedOperationError,
    redacted,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash, Kind, packed_nbytes
from fingerprint.index.store import Batch

if TYPE_CHECKING:
    from fingerprint.index.rows import EntryRow
    from fingerprint.typing import Metadata

__all__ = [
    "Entry",
    "NumberedIds",
    "as_array",
    "batch_of",
    "encode_json",
    "entry_of",
    "is_numbered",
    "is_storable",
    "known_algorithm",
    "metadata_of",
]

DEEPEST = 64
"""Levels of lists and objects in metadata: far from where Python's own reader gives up."""

_NUMBERED = re.compile(r"#[0-9]+")


def _encoder() -> Callable[[Any], str]:
    """Return a function that writes JSON, made once: making it is half of json.dumps's time."""
    plain = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    ascii_text = json.encoder.encode_basestring_ascii
    encode = make(None, plain.default, ascii_text, None, ":", ",", False, False, False)
    return lambda value: "".join(encode(value, 0))


encode_json = _encoder()
"""Writes values as JSON: compact, ASCII, keys as they come."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an index holds under one id."""

    id: str
    hash: Hash
    metadata: Metadata


class NumberedIds(Sequence[str]):
    """The ids ``#first`` to ``#last`` of entries that were added without: made when asked for."""

    __slots__ = ("_seqs",)

    def __init__(self, seqs: range) -> None:
        self._seqs = seqs

    def __len__(self) -> int:
        return len(self._seqs)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> NumberedIds: ...
    def __getitem__(self, index: int | slice) -> str | NumberedIds:
        found = self._seqs[index]
        return NumberedIds(found) if isinstance(found, range) else f"#{found}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, NumberedIds):
            return self._seqs == other._seqs
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<NumberedIds n={len(self)}>"


def batch_of(
    kind: Kind,
    ids: str | Sequence[str] | None,
    hashes: Hash | HashArray | Iterable[Hash],
    metadata: Metadata | Sequence[Metadata] | None,
) -> Batch:
    """Return new entries, checked, or raise what `Index.add` documents."""
    array = as_array(hashes, kind)
    names = None if ids is None else _checked_ids(ids)
    texts = _metadata_texts(metadata)
    n = len(array) if names is None else len(names)
    for what, found in (("hashes", len(array)), ("metadata", n if texts is None else len(texts))):
        if found != n:
            per = "ids" if names is not None else "hashes"
            raise ValueError(f"expected as many {what} as {per}, got {n} {per} and {found} {what}")
    return Batch(names, array.words, array.quality.astype(np.int8, copy=False), texts)


def _checked_ids(ids: str | Sequence[str]) -> list[str]:
    if not isinstance(ids, Sequence):
        raise TypeError(f"ids: expected str or a sequence of str, got {type(ids).__name__}")
    names = [ids] if isinstance(ids, str) else list(ids)
    kinds = set(map(type, names))
    if not all(issubclass(kind, str) for kind in kinds):
        wrong = next(kind for kind in kinds if not issubclass(kind, str))
        raise TypeError(f"id: expected str, got {wrong.__name__}")
    joined = "\n".join(names)
    if not joined.isascii() and not is_storable(joined):
        wrong_id = next(name for name in names if not is_storable(name))
        raise ValueError(f"id {redacted(wrong_id)!r}: expected text that UTF-8 can hold")
    if "#" in joined:
        for name in names:
            if is_numbered(name):
                raise ValueError(f"id {name!r}: such ids are given by add(None, hashes) alone")
    if len(set(names)) != len(names):
        raise DuplicateIdError("an id stands twice in one call")
    return names


def is_numbered(name: str) -> bool:
    """Return whether an id looks like those that the index gives."""
    return name[:1] == "#" and _NUMBERED.fullmatch(name) is not None


def is_storable(text: str) -> bool:
    """Return whether UTF-8 can hold a text: Python's strings may hold half characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _metadata_texts(metadata: Metadata | Sequence[Metadata] | None) -> list[str | None] | None:
    if metadata is None:
        return None
    many = [metadata] if isinstance(metadata, Mapping) else list(metadata)
    try:
        return [_metadata_text(one) for one in many]
    except RecursionError:
        raise _too_deep() from None


def _metadata_text(metadata: Metadata) -> str | None:
    values = metadata if type(metadata) is dict else dict(metadata)
    if not values:
        return None
    for key in values:
        if not isinstance(key, str):
            raise TypeError(f"metadata: expected keys of str, got {type(key).__name__}")
    text = encode_json(values)
    # Nothing is deeper than it has brackets, and most has few.
    if text.count("{") + text.count("[") > DEEPEST and _depth(values) > DEEPEST:
        raise _too_deep()
    return text


def _depth(value: Any) -> int:
    """Return how deep lists and objects are nested, as far as it matters."""
    depth, level = 0, [value]
    while level and depth <= DEEPEST:
        depth += 1
        inner: list[Any] = []
        for one in level:
            inner += one.values() if isinstance(one, dict) else one
        level = [one for one in inner if isinstance(one, dict | list | tuple)]
    return depth


def _too_deep() -> ValueError:
    return ValueError(f"metadata: is nested too deep, expected {DEEPEST} levels at most")


def metadata_of(text: str | None, where: str) -> Metadata:
    """Return metadata from its JSON.

    Raises
    ------
    CorruptIndexError
        It is nested so deep that Python cannot read it.
    """
    try:
        found: Metadata = {} if text is None else json.loads(text)
    except RecursionError:
        raise CorruptIndexError(where, "metadata of an entry is nested too deep") from None
    return found


def as_array(hashes: Hash | HashArray | Iterable[Hash], kind: Kind) -> HashArray:
    """Return hashes as an array, or raise IncompatibleHashError when they are of another kind."""
    algorithm, version, bits = kind
    if isinstance(hashes, Hash):
        hashes = [hashes]
    if not isinstance(hashes, HashArray):
        blank = Hash(algorithm, bytes(packed_nbytes(bits)), bits, version=version)
        hashes = HashArray.from_hashes(hashes, like=blank)
    if hashes.kind != kind:
        raise incompatible(kind, hashes.kind)
    return hashes


def incompatible(mine: Kind, other: Kind) -> IncompatibleHashError:
    """Return the error of hashes of another kind than an index holds."""
    return IncompatibleHashError(
        f"this index holds {mine[0]} v{mine[1]} ({mine[2]} bits), "
        f"got {other[0]} v{other[1]} ({other[2]} bits)"
    )


def entry_of(row: EntryRow, kind: Kind, where: str) -> Entry:
    """Return a stored row as an entry."""
    algorithm, version, bits = kind
    quality = None if row.quality < 0 else row.quality
    return Entry(
        row.name,
        Hash(algorithm, row.packed, bits, quality, version),
        metadata_of(row.metadata, where),
    )


def known_algorithm(algorithm: str | Algorithm) -> tuple[str, Algorithm | None]:
    """Return the label of an algorithm's hashes, and the algorithm if it is known here."""
    if isinstance(algorithm, str):
        try:
            known = get_algorithm(algorithm)
        except UnknownAlgorithmError:
            return algorithm, None
    else:
        known = algorithm
    if isinstance(known, SegmentAlgorithm):
        raise UnsupportedOperationError(
            f"{known.name} makes a hash for each segment: index those as {known.hash_name}, "
            "an id for each"
        )
    return known.hash_name, known
