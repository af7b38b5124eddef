"""Writing and signing a bundle."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

import zstandard

from fingerprint.errors import BundleError
from fingerprint.index import durable
from fingerprint.lists.bundles.keys import PrivateKey
from fingerprint.lists.bundles.manifest import HEAD, MAGIC, BundleInfo, signed_bytes
from fingerprint.lists.bundles.rows import ContentDigest, line_of
from fingerprint.lists.bundles.trust import is_part_of
from fingerprint.lists.records import Record, Retraction

if TYPE_CHECKING:
    from fingerprint.lists.hash_list import HashList

__all__ = ["write_bundle"]

_LEVEL = 3
_Packing = Literal["zstd", "none"]


def write_bundle(
    hash_list: HashList,
    path: str | os.PathLike[str],
    private_key: PrivateKey,
    *,
    name: str,
    source: str,
    expires_at: datetime,
    version: int | None = None,
    since: int | None = None,
    base_version: int | None = None,
    comment: str = "",
    packing: _Packing = "zstd",
    allow_empty: bool = False,
    now: datetime | None = None,
) -> BundleInfo:
    """Write the records of a source, or what changed of them, as one signed file.

    Records of other sources are left out. The file is for its owner alone (0600), and there
    whole or not at all.

    Parameters
    ----------
    hash_list : HashList
        The list; it must not change meanwhile.
    path : path
        A new file.
    private_key : PrivateKey
        Signs.
    name : str
        Of the stream of bundles that this one continues.
    source : str
        Whose records: this source's and its parts' (``"hotline"``, ``"hotline/…"``).
    expires_at : datetime
        From then on nobody must use it. Its readers' lists become stale: be generous, and
        send the next one in time.
    version : int or None
        The list's by default. Give it only to continue a stream from a list that was made anew.
    since : int or None
        A version of the list: only what changed since. None: a snapshot.
    base_version : int or None
        What the stream calls ``since``; by default the same.
    comment : str
        For people.
    packing : {"zstd", "none"}
        How rows are packed.
    allow_empty : bool
        Whether a snapshot may say that there is nothing of this source: its readers
        will retract all they have.
    now : datetime or None
        The time with its zone; the system's by default.

    Returns
    -------
    BundleInfo
        What the bundle says of itself.

    Raises
    ------
    BundleError
        The file exists, the list changed meanwhile, or there is nothing of this source.
    ValueError, TypeError
        An argument is not as above.
    """
    target = Path(path)
    created_at = _instant("now", datetime.now(UTC) if now is None else now)
    if packing not in ("zstd", "none"):
        raise ValueError(f"packing: expected zstd or none, got {packing!r}")
    if target.exists() or target.is_symlink():
        raise BundleError(f"{target.name}: is there already; bundles are not written over")
    list_version = hash_list.version
    info = BundleInfo(
        name=name,
        source=source,
        kind="snapshot" if since is None else "delta",
        version=list_version if version is None else version,
        base_version=since if base_version is None else base_version,
        records=0,
        retractions=0,
        content_digest=hash_list.digest_of(source),
        created_at=created_at,
        expires_at=_instant("expires_at", expires_at),
        comment=comment,
        key=private_key.public.id,
        packing=packing,
        nbytes=0,
        unpacked_nbytes=0,
        sha256="0" * 64,
    )
    with _scratch(target) as body:
        rows = _RowWriter(body, packing)
        for change in _changes(hash_list, info, since, list_version):
            rows.write(change)
        rows.close()
        if hash_list.version != list_version:
            raise BundleError("the list changed while it was written; write it again")
        info = replace(info, **rows.facts())
        if since is None and not info.records and not allow_empty:
            raise BundleError(f"there is no record of source {source!r} in the list")
        _write_file(target, info, private_key, body)
    return info


def _changes(
    hash_list: HashList, info: BundleInfo, since: int | None, until: int
) -> Iterator[Record | Retraction]:
    if since is None:
        content = ContentDigest()
        for record in hash_list.records(info.source):
            content.add(record)
            yield record
        if hash_list.version == until and content.hex != info.content_digest:
            raise BundleError("the list's digest is not that of its records: verify the list")
        return
    diff = hash_list.diff(since, until)
    retracted = set(diff.retracted)
    for key in sorted({*diff.added, *diff.updated, *retracted}):
        if is_part_of(key[0], info.source):
            yield _retraction_of(hash_list, *key) if key in retracted else hash_list.get(*key)


def _retraction_of(hash_list: HashList, source: str, record_id: str) -> Retraction:
    for event in reversed(hash_list.history(source, record_id)):
        if event.action == "retracted":
            return Retraction(source, record_id, event.at, event.detail)
    return Retraction(source, record_id)


class _RowWriter:
    """Rows, packed on the way, with what the manifest tells of them."""

    def __init__(self, body: IO[bytes], packing: _Packing) -> None:
        self._packed = _Counted(body)
        self._stream: Any = self._packed
        if packing == "zstd":
            packer = zstandard.ZstdCompressor(level=_LEVEL)
            self._stream = packer.stream_writer(cast(IO[bytes], self._packed), closefd=False)
        self._nbytes = self._records = self._retractions = 0

    def write(self, change: Record | Retraction) -> None:
        line = line_of(change)
        self._stream.write(line)
        self._nbytes += len(line)
        if isinstance(change, Record):
            self._records += 1
        else:
            self._retractions += 1

    def close(self) -> None:
        if self._stream is not self._packed:
            self._stream.close()

    def facts(self) -> dict[str, Any]:
        return {
            "records": self._records,
            "retractions": self._retractions,
            "nbytes": self._packed.nbytes,
            "unpacked_nbytes": self._nbytes,
            "sha256": self._packed.sha256.hexdigest(),
        }


class _Counted:
    """A stream that notes length and digest of what is written to it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.nbytes = 0
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.nbytes += len(data)
        self.sha256.update(data)
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()


def _write_file(target: Path, info: BundleInfo, key: PrivateKey, body: IO[bytes]) -> None:
    manifest = info.to_bytes()
    head = HEAD.pack(MAGIC, key.public.raw, key.sign(signed_bytes(manifest)), len(manifest))
    durable.remove_stale(target.parent, f".{target.name}-")
    part = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        durable.make_private_file(part)
        with durable.held(part), part.open("r+b") as stream:
            stream.write(head + manifest)
            body.seek(0)
            shutil.copyfileobj(body, stream, 1 << 20)
        durable.sync_file(part)
        durable.rename(part, target)
    except OSError as error:
        raise BundleError(f"{target.name}: cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _scratch(target: Path) -> IO[bytes]:
    """Return a file without a name beside the target, for its owner alone."""
    try:
        return tempfile.TemporaryFile(dir=target.parent)
    except OSError as error:
        raise BundleError(f"{target.name}: cannot be written: {error.strerror}") from None


def _instant(name: str, value: datetime) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"{name}: expected datetime, got {type(value).__name__}")
    if value.tzinfo is None:
        raise ValueError(f"{name}: expected a time with its zone, got one without")
    return value.astimezone(UTC)
