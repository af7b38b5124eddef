"""Reading a bundle: believed first, parsed then."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from fingerprint.errors import (
    BundleError,
    BundleExpiredError,
    BundleSignatureError,
    BundleTamperedError,
)
from fingerprint.lists.bundles.manifest import (
    HEAD,
    LONGEST_MANIFEST_NBYTES,
    MAGIC,
    BundleInfo,
    signed_bytes,
)
from fingerprint.lists.bundles.rows import ContentDigest, change_of_line
from fingerprint.lists.bundles.trust import TrustedKey, TrustedKeys, is_part_of
from fingerprint.lists.records import Record, Retraction, text_of_instant

__all__ = ["Bundle", "read_bundle"]

BLOCK_NBYTES = 1 << 20
LONGEST_LINE_NBYTES = 64 << 20
LARGEST_WINDOW_NBYTES = 8 << 20

CLOCK_SLACK = timedelta(days=1)
"""A bundle from further in the future tells that a clock is wrong, and so what has expired."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose signature and digest were right when it was read.

    Attributes
    ----------
    path : Path
        Where it lies.
    info : BundleInfo
        What it says of itself.
    signer : TrustedKey
        Who signed it.
    """

    path: Path
    info: BundleInfo
    signer: TrustedKey
    _start: int = field(repr=False)
    _blocks: tuple[bytes, ...] = field(repr=False)

    def changes(self) -> Iterator[Record | Retraction]:
        """Yield records and retractions in the order of source and id.

        The file is read again, a mebibyte at a time, and each is compared with what was
        verified before it is used. What stands in the rows is judged on the way: whoever
        takes changes before the end must be able to take them back.

        Raises
        ------
        BundleTamperedError
            The file has changed since, or its rows are not as the manifest and the format say.
        BundleSignatureError
            A row is of a source that the signer may not speak for.
        """
        info, content, last = self.info, ContentDigest(), ("", "")
        n_records = n_rows = 0
        for line in self._lines():
            n_rows += 1
            try:
                change = change_of_line(line)
                self._check_place(change, last)
            except BundleError as error:
                raise type(error)(f"{self.path.name}: row {n_rows:,}: {error}") from None
            last = change.key
            if isinstance(change, Record):
                n_records += 1
                content.add(change)
            yield change
        if (n_records, n_rows - n_records) != (info.records, info.retractions):
            raise BundleTamperedError(
                f"{self.path.name}: expected {info.records:,} records and {info.retractions:,} "
                f"retractions, got {n_records:,} and {n_rows - n_records:,}"
            )
        if info.kind == "snapshot" and content.hex != info.content_digest:
            raise BundleTamperedError(f"{self.path.name}: its records are not those of its digest")

    def _check_place(self, change: Record | Retraction, last: tuple[str, str]) -> None:
        if not self.signer.speaks_for(change.source):
            raise BundleSignatureError(f"{self.signer.name!r} may not speak for its source")
        if not is_part_of(change.source, self.info.source):
            raise BundleTamperedError(f"is not of source {self.info.source!r}")
        if change.key <= last:
            raise BundleTamperedError("comes twice, or not in the order of source and id")
        if isinstance(change, Retraction) and self.info.kind == "snapshot":
            raise BundleTamperedError("is a retraction in a snapshot")

    def _lines(self) -> Iterator[bytes]:
        name, left = self.path.name, self.info.unpacked_nbytes
        with self._unpacked() as stream:
            while left:
                try:
                    line = stream.readline(min(left, LONGEST_LINE_NBYTES))
                except zstandard.ZstdError:
                    raise BundleTamperedError(f"{name}: rows cannot be unpacked") from None
                left -= len(line)
                if not line.endswith(b"\n"):
                    raise BundleTamperedError(
                        f"{name}: expected {self.info.unpacked_nbytes:,} bytes of rows, each "
                        f"ending in a line feed after {LONGEST_LINE_NBYTES:,} bytes at most"
                    )
                yield line
            try:
                more = stream.read(1)
            except zstandard.ZstdError:
                more = b"?"
            if more:
                raise BundleTamperedError(f"{name}: there is more after the rows")

    def _unpacked(self) -> BinaryIO:
        packed = _VerifiedRows(self)
        if self.info.packing == "none":
            return io.BufferedReader(packed, BLOCK_NBYTES)
        unpacking = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW_NBYTES)
        source: Any = packed
        reader = unpacking.stream_reader(source, read_across_frames=True, closefd=True)
        return io.BufferedReader(reader, BLOCK_NBYTES)


class _VerifiedRows(io.RawIOBase):
    """The packed rows of a bundle, each mebibyte compared with what was verified.

    So the file need not be copied: what somebody changes in between is refused, not read.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._stream = _open(bundle.path)
        self._stream.seek(bundle._start)
        self._block = memoryview(b"")
        self._next = 0

    def readable(self) -> bool:
        return True

    def readinto(self, target: object) -> int:
        if not self._block and self._next < len(self._bundle._blocks):
            self._block = memoryview(self._read_block())
        view = memoryview(target).cast("B")  # type: ignore[arg-type]
        n = min(len(view), len(self._block))
        view[:n] = self._block[:n]
        self._block = self._block[n:]
        return n

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

    def _read_block(self) -> bytes:
        left = self._bundle.info.nbytes - self._next * BLOCK_NBYTES
        data = self._stream.read(min(left, BLOCK_NBYTES))
        if hashlib.sha256(data).digest() != self._bundle._blocks[self._next]:
            raise BundleTamperedError(f"{self._bundle.path.name}: changed while it was read")
        self._next += 1
        return data


def read_bundle(
    path: str | os.PathLike[str],
    trusted: TrustedKeys,
    *,
    now: datetime | None = None,
    contents: bool = True,
) -> Bundle:
    """Verify a bundle, and return it to read from.

    Before anything in it is parsed, its manifest must be signed by a trusted key; before any
    row is, all rows must have the digest that was signed. Memory does not grow with the bundle.

    Parameters
    ----------
    path : path
        A file; a link to one is followed.
    trusted : TrustedKeys
        Who is believed.
    now : datetime or None
        The time with its zone; the system's by default.
    contents : bool
        Whether each row is judged, too. Otherwise `Bundle.changes` does it when it is read.

    Raises
    ------
    BundleSignatureError
        No trusted key signed this, or one that may not speak for the source.
    BundleTamperedError
        Bytes were changed, cut off or added, or what was signed breaks the format's rules.
    BundleExpiredError
        It is past its time.
    BundleError
        It cannot be read, or is from the future.
    """
    where = Path(path)
    with _open(where) as stream:
        info, signer = _read_head(stream, where.name, trusted)
        _check_time(info, where.name, datetime.now(UTC) if now is None else now)
        start = stream.tell()
        bundle = Bundle(where, info, signer, start, _digests(stream, info, where.name))
    if contents:
        for _ in bundle.changes():
            pass
    return bundle


def _read_head(stream: BinaryIO, name: str, trusted: TrustedKeys) -> tuple[BundleInfo, TrustedKey]:
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size or head[: len(MAGIC)] != MAGIC:
        raise BundleTamperedError(f"{name}: is no bundle of format 1, or not all of it")
    _, raw, signature, length = HEAD.unpack(head)
    if not 0 < length <= LONGEST_MANIFEST_NBYTES:
        raise BundleTamperedError(
            f"{name}: expected a manifest of {LONGEST_MANIFEST_NBYTES:,} bytes at most"
        )
    manifest = stream.read(length)
    if len(manifest) < length:
        raise BundleTamperedError(f"{name}: ends within its manifest")
    try:
        signer = trusted.find(raw)
        signer.key.verify(signature, signed_bytes(manifest))
        info = BundleInfo.from_bytes(manifest)
    except BundleError as error:
        raise type(error)(f"{name}: {error}") from None
    if info.key != signer.key.id:
        raise BundleTamperedError(f"{name}: names another key than the one that signed it")
    if not signer.speaks_for(info.source):
        raise BundleSignatureError(
            f"{name}: {signer.name!r} may not speak for source {info.source!r}"
        )
    return info, signer


def _check_time(info: BundleInfo, name: str, now: datetime) -> None:
    if now.tzinfo is None:
        raise ValueError("now: expected a time with its zone, got one without")
    if now >= info.expires_at:
        raise BundleExpiredError(
            f"{name}: was to be used until {text_of_instant(info.expires_at)}; now it is "
            f"{text_of_instant(now)}"
        )
    if info.created_at > now + CLOCK_SLACK:
        raise BundleError(
            f"{name}: was made at {text_of_instant(info.created_at)}; the clock here says "
            f"{text_of_instant(now)}"
        )


def _digests(stream: BinaryIO, info: BundleInfo, name: str) -> tuple[bytes, ...]:
    """Read all packed rows, compare their digest, and return that of each mebibyte."""
    whole, blocks, left = hashlib.sha256(), [], info.nbytes
    while left:
        data = stream.read(min(left, BLOCK_NBYTES))
        if not data:
            raise BundleTamperedError(f"{name}: {left:,} bytes are missing")
        whole.update(data)
        blocks.append(hashlib.sha256(data).digest())
        left -= len(data)
    if stream.read(1):
        raise BundleTamperedError(f"{name}: there are bytes after its end")
    if whole.hexdigest() != info.sha256:
        raise BundleTamperedError(f"{name}: its rows are not those that were signed")
    return tuple(blocks)


def _open(path: Path) -> BinaryIO:
    # Without O_NONBLOCK a pipe that nobody writes to would hold us for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no path"
        raise BundleError(f"{path.name}: cannot be read: {why}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BundleError(f"{path.name}: expected a file")
    return os.fdopen(handle, "rb")
