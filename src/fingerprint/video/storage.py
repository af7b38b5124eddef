"""Video hashes as bytes, as JSON, and as files: ``docs/video-hash-format.md``."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
import uuid
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint.errors import HashFormatError
from fingerprint.hash_arrays import NO_QUALITY, HashArray
from fingerprint.hashes import Hash, packed_nbytes
from fingerprint.video.video_hash import VideoHash

if TYPE_CHECKING:
    from fingerprint.hashes import Kind
    from fingerprint.typing import I64

__all__ = ["from_bytes", "from_json", "load", "save", "to_bytes", "to_json"]

FORMAT = 1
JSON_FORMAT = "fingerprint video hash"

_MAGIC = b"FPVH"
_PREFIX = struct.Struct("<4sII")
_CHECKSUM_NBYTES = hashlib.sha256().digest_size
_LARGEST_HEADER_NBYTES = 1 << 20
_MOST_BITS = 1 << 16
_LARGEST_FILE_NBYTES = 1 << 32
_LARGEST = (1 << 63) - 1
_NAME_SHOWN = 100

_FLOATS, _WHOLE = ("<f8",), ("|u1", "<u2", "<u4", "<i8")
_COLUMNS = {
    "start_s": _FLOATS,
    "end_s": _FLOATS,
    "numbers": _WHOLE,
    "counts": _WHOLE,
    "quality": ("|i1",),
    "hashes": ("|u1",),
    "trimmed_quality": ("|i1",),
    "trimmed": ("|u1",),
}
"""Columns in the order in which they are written, and the forms that each may have."""
_OPTIONAL = {"end_s", "numbers", "counts", "trimmed_quality", "trimmed"}
_HASHES_QUALITY = {"hashes": "quality", "trimmed": "trimmed_quality"}
_HASHES = tuple(_HASHES_QUALITY)

_SCALARS: dict[str, tuple[type, ...]] = {
    "duration_s": (int, float),
    "width_px": (int,),
    "height_px": (int,),
    "frame_rate": (int, float),
    "sample": (str,),
    "digests": (dict,),
    "damage": (str,),
}


def to_bytes(video_hash: VideoHash) -> bytes:
    """Return the binary form; ValueError when a text in it is too long for it."""
    columns = _columns_of(video_hash)
    facts = {
        **_facts_of(video_hash),
        "rows": len(video_hash),
        "columns": [[name, values.dtype.str] for name, values in columns.items()],
    }
    if "numbers" not in columns:
        facts["numbers"] = _progression_of(video_hash.numbers)
    header = json.dumps(facts, separators=(",", ":"), allow_nan=False).encode()
    if len(header) > _LARGEST_HEADER_NBYTES or video_hash.hashes.bits > _MOST_BITS:
        raise ValueError(
            f"expected texts of up to {_LARGEST_HEADER_NBYTES:,} bytes and hashes of up to "
            f"{_MOST_BITS:,} bits, got {len(header):,} and {video_hash.hashes.bits:,}"
        )
    arrays = b"".join(values.tobytes() for values in columns.values())
    body = _PREFIX.pack(_MAGIC, FORMAT, len(header)) + header + arrays
    return body + hashlib.sha256(body).digest()


def from_bytes(data: bytes | bytearray | memoryview) -> VideoHash:
    """Read the binary form; HashFormatError when it is none, or damaged."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"data: expected bytes, got {type(data).__name__}")
    data = bytes(data)
    if data[:4] != _MAGIC:
        raise HashFormatError("not a video hash: expected bytes that begin with FPVH")
    least = _PREFIX.size + _CHECKSUM_NBYTES
    if len(data) < least:
        raise HashFormatError(f"video hash cut short: expected {least} bytes, got {len(data)}")
    _, version, header_nbytes = _PREFIX.unpack_from(data)
    if version != FORMAT:
        raise HashFormatError(f"video hash of format {version}; this version reads {FORMAT}")
    body = memoryview(data)[:-_CHECKSUM_NBYTES]
    if hashlib.sha256(body).digest() != data[-_CHECKSUM_NBYTES:]:
        raise HashFormatError("video hash damaged or cut short: its checksum does not match")
    end = _PREFIX.size + header_nbytes
    if end > len(body) or header_nbytes > _LARGEST_HEADER_NBYTES:
        raise HashFormatError(f"video hash: a header of {header_nbytes:,} bytes")
    facts = _object(bytes(body[_PREFIX.size : end]))
    n = _whole(facts, "rows", 0, len(data))
    kind = _kind_of(facts)
    columns = _read_columns(facts, n, packed_nbytes(kind[2]), body[end:])
    if "numbers" not in columns:
        columns["numbers"] = _progression(facts, n)
    return _made(facts, kind, columns)


def to_json(video_hash: VideoHash) -> str:
    """Return the JSON form, one object a row."""
    facts = {
        "format": JSON_FORMAT,
        "format_version": FORMAT,
        **_facts_of(video_hash),
        "frames": list(_frames_of(video_hash)),
    }
    return json.dumps(facts, allow_nan=False)


def from_json(text: str) -> VideoHash:
    """Read the JSON form; HashFormatError when it is none, or incomplete."""
    if not isinstance(text, str):
        raise TypeError(f"text: expected str, got {type(text).__name__}")
    facts = _object(text)
    if facts.get("format") != JSON_FORMAT:
        raise HashFormatError(f"not a video hash: expected the format {JSON_FORMAT!r}")
    version = _whole(facts, "format_version", 0, _LARGEST)
    if version != FORMAT:
        raise HashFormatError(f"video hash of format {version}; this version reads {FORMAT}")
    kind = _kind_of(facts)
    frames = facts.get("frames")
    if not isinstance(frames, list):
        raise HashFormatError("video hash: expected frames as a list")
    return _made(facts, kind, _columns_of_frames(frames, kind[2]))


def save(video_hash: VideoHash, path: str | os.PathLike[str], form: str) -> None:
    """Write a file; see `VideoHash.save`."""
    from fingerprint.index import durable

    if form not in {"binary", "json"}:
        raise ValueError(f"form: expected 'binary' or 'json', got {form!r}")
    data = to_bytes(video_hash) if form == "binary" else f"{to_json(video_hash)}\n".encode()
    path = Path(os.path.realpath(path))  # What a link leads to is replaced, not the link.
    prefix = f".{path.name[:_NAME_SHOWN]}-"
    durable.remove_stale(path.parent, prefix)
    draft = path.parent / f"{prefix}{uuid.uuid4().hex}"
    durable.make_private_file(draft)
    try:
        with durable.held(draft):
            draft.write_bytes(data)
            durable.sync_file(draft)
        draft.replace(path)
        durable.sync_directory(path.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike[str]) -> VideoHash:
    """Read a file; see `VideoHash.load`."""
    path = Path(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # A pipe would block for ever.
            raise HashFormatError("is not a regular file")
        if found.st_size > _LARGEST_FILE_NBYTES:
            raise HashFormatError(f"is larger than {_LARGEST_FILE_NBYTES:,} bytes")
        data = path.read_bytes()
        if data[:4] == _MAGIC:
            return from_bytes(data)
        if data.lstrip()[:1] != b"{":
            raise HashFormatError("holds no video hash, neither binary nor JSON")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise HashFormatError("is no text in UTF-8") from error
        return from_json(text)
    except HashFormatError as error:
        raise HashFormatError(f"{path.name}: {error}") from error


def _facts_of(video_hash: VideoHash) -> dict[str, Any]:
    algorithm, version, bits = video_hash.kind
    kind = {"algorithm": algorithm, "algorithm_version": version, "bits": bits}
    return {**kind, **{name: getattr(video_hash, name) for name in _SCALARS}}


def _columns_of(video_hash: VideoHash) -> dict[str, Any]:
    """Return the arrays to write, without those that can be told from the rest."""
    columns: dict[str, Any] = {"start_s": video_hash.start_s.astype("<f8")}
    if video_hash.end_s.tobytes() != video_hash.start_s.tobytes():
        columns["end_s"] = video_hash.end_s.astype("<f8")
    if _progression_of(video_hash.numbers) is None:
        columns["numbers"] = _narrowed(np.diff(video_hash.numbers, prepend=0))
    if (video_hash.counts != 1).any():
        columns["counts"] = _narrowed(video_hash.counts)
    columns["quality"] = video_hash.hashes.quality.astype("|i1")
    columns["hashes"] = video_hash.hashes.packed
    if video_hash.trimmed is not None:
        columns["trimmed_quality"] = video_hash.trimmed.quality.astype("|i1")
        columns["trimmed"] = video_hash.trimmed.packed
    return columns


def _narrowed(values: I64) -> Any:
    """Return whole numbers in the narrowest form that holds them."""
    for form in _WHOLE[:-1]:
        if values.min() >= 0 and values.max() <= np.iinfo(form).max:
            return values.astype(form)
    return values.astype(_WHOLE[-1])


def _progression_of(numbers: I64) -> list[int] | None:
    """Return the first number and the step when all steps are equal, else None."""
    steps = np.diff(numbers)
    if (steps != steps[:1]).any():
        return None
    return [int(numbers[0]) if numbers.size else 0, int(steps[0]) if steps.size else 0]


def _progression(facts: dict[str, Any], n: int) -> I64:
    found = facts.get("numbers")
    if not isinstance(found, list) or [type(value) for value in found] != [int, int]:
        raise HashFormatError("video hash: expected numbers as a first one and a step")
    first, step = found
    last = first + step * max(n - 1, 0)
    if not (0 <= first < 2**63 and 0 <= last < 2**63 and abs(step) < 2**63):
        raise HashFormatError("video hash: expected numbers of 64 bits, from 0")
    numbers: I64 = np.arange(n, dtype=np.int64) * step + first
    return numbers


def _read_columns(facts: dict[str, Any], n: int, nbytes: int, data: memoryview) -> dict[str, Any]:
    """Cut the arrays out, having checked that their lengths make up all of ``data``."""
    found = facts.get("columns")
    if not isinstance(found, list) or not all(
        isinstance(one, list) and len(one) == 2 and all(isinstance(part, str) for part in one)
        for one in found
    ):
        raise HashFormatError("video hash: expected columns as pairs of texts")
    names = [name for name, _ in found]
    expected = [name for name in _COLUMNS if name in names or name not in _OPTIONAL]
    if names != expected or ("trimmed" in names) != ("trimmed_quality" in names):
        raise HashFormatError(f"video hash: columns {names}, expected {expected}")
    widths = []
    for name, form in found:
        if form not in _COLUMNS[name]:
            raise HashFormatError(f"video hash: column {name} of {form!r}")
        widths.append(nbytes if name in _HASHES else np.dtype(form).itemsize)
    if n * sum(widths) != len(data):
        raise HashFormatError(
            f"video hash: expected {n * sum(widths):,} bytes for {n:,} rows, got {len(data):,}"
        )
    columns = {}
    at = 0
    for (name, form), width in zip(found, widths, strict=True):
        shape = (n, nbytes) if name in _HASHES else (n,)
        # Copied: what lies within a file is not aligned to words.
        columns[name] = np.frombuffer(data[at : at + n * width], form).reshape(shape).copy()
        at += n * width
    if "numbers" in columns:
        columns["numbers"] = np.cumsum(columns["numbers"].astype(np.int64))
    return columns


def _frames_of(video_hash: VideoHash) -> Iterator[dict[str, Any]]:
    trimmed = video_hash.trimmed
    pairs = zip(video_hash.hashes, repeat(None) if trimmed is None else trimmed, strict=False)
    for row, (hash_, trimmed_hash) in enumerate(pairs):
        start_s, end_s = float(video_hash.start_s[row]), float(video_hash.end_s[row])
        frame: dict[str, Any] = {"start_s": start_s}
        if end_s != start_s:
            frame["end_s"] = end_s
        frame["number"] = int(video_hash.numbers[row])
        if video_hash.counts[row] != 1:
            frame["count"] = int(video_hash.counts[row])
        frame |= {"quality": hash_.quality, "hash": hash_.hex}
        if trimmed_hash is not None:
            frame["trimmed"] = {"quality": trimmed_hash.quality, "hash": trimmed_hash.hex}
        yield frame


def _columns_of_frames(frames: list[Any], bits: int) -> dict[str, Any]:
    """Return the columns that the JSON form's objects make up."""
    has_trimmed = bool(frames) and isinstance(frames[0], dict) and "trimmed" in frames[0]
    rows: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for number, frame in enumerate(frames):
        try:
            if not isinstance(frame, dict) or ("trimmed" in frame) != has_trimmed:
                raise HashFormatError("expected an object, with trimmed in every frame or in none")
            rows["start_s"].append(_seconds(frame, "start_s"))
            rows["end_s"].append(
                _seconds(frame, "end_s") if "end_s" in frame else rows["start_s"][-1]
            )
            rows["numbers"].append(_whole(frame, "number", 0, _LARGEST))
            rows["counts"].append(_whole(frame, "count", 1, _LARGEST) if "count" in frame else 1)
            _append_hash(frame, bits, rows["hashes"], rows["quality"])
            if has_trimmed:
                _append_hash(frame["trimmed"], bits, rows["trimmed"], rows["trimmed_quality"])
        except HashFormatError as error:
            raise HashFormatError(f"frame {number}: {error}") from error
    columns: dict[str, Any] = {
        name: np.array(rows[name], np.float64) for name in ("start_s", "end_s")
    }
    columns |= {name: np.array(rows[name], np.int64) for name in ("numbers", "counts")}
    for name in _HASHES if has_trimmed else _HASHES[:1]:
        packed = np.frombuffer(b"".join(rows[name]), np.uint8)
        columns[name] = packed.reshape(len(frames), packed_nbytes(bits))
        columns[_HASHES_QUALITY[name]] = np.array(rows[_HASHES_QUALITY[name]], np.int8)
    return columns


def _append_hash(frame: Any, bits: int, packed: list[bytes], quality: list[int]) -> None:
    if not isinstance(frame, dict):
        raise HashFormatError("expected trimmed as an object")
    digits, found = frame.get("hash"), frame.get("quality")
    try:
        packed.append(
            Hash.from_hex(digits if isinstance(digits, str) else "", "", bits=bits).packed
        )
    except HashFormatError as error:
        raise HashFormatError(f"hash: expected {(bits + 3) // 4} hex digits") from error
    quality.append(NO_QUALITY if found is None else _whole(frame, "quality", 0, 100))


def _kind_of(facts: dict[str, Any]) -> Kind:
    algorithm = facts.get("algorithm")
    if not isinstance(algorithm, str) or not algorithm:
        raise HashFormatError("video hash: expected algorithm as a text")
    version = _whole(facts, "algorithm_version", 0, _LARGEST)
    return algorithm, version, _whole(facts, "bits", 1, _MOST_BITS)


def _made(facts: dict[str, Any], kind: Kind, columns: dict[str, Any]) -> VideoHash:
    """Put a video hash together; what its own checks refuse is a HashFormatError."""
    for name, types in _SCALARS.items():
        if type(facts.get(name)) not in types:
            raise HashFormatError(f"video hash: expected {name} as {types[-1].__name__}")
    algorithm, version, bits = kind

    def array(name: str) -> HashArray:
        quality = columns[_HASHES_QUALITY[name]]
        return HashArray(columns[name], algorithm, bits=bits, quality=quality, version=version)

    n = len(columns["start_s"])
    try:
        return VideoHash(
            hashes=array("hashes"),
            start_s=columns["start_s"],
            end_s=columns.get("end_s", columns["start_s"]),
            numbers=columns["numbers"],
            counts=columns.get("counts", np.ones(n, np.int64)),
            trimmed=array("trimmed") if "trimmed" in columns else None,
            **{name: facts[name] for name in _SCALARS},
        )
    except (ValueError, TypeError) as error:
        raise HashFormatError(f"video hash: {error}") from error


def _object(text: str | bytes) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        found = json.loads(
            text.decode() if isinstance(text, bytes) else text, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise HashFormatError("video hash: not JSON, or cut short") from error
    if not isinstance(found, dict):
        raise HashFormatError("video hash: expected a JSON object")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _whole(facts: dict[str, Any], name: str, least: int, most: int) -> int:
    found = facts.get(name)
    if type(found) is not int or not least <= found <= most:
        raise HashFormatError(f"{name}: expected a whole number from {least} to {most}")
    return found


def _seconds(facts: dict[str, Any], name: str) -> float:
    found = facts.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or abs(found) > _LARGEST:
        raise HashFormatError(f"{name}: expected seconds as a number")
    return float(found)
