"""Records out of pictures and videos, on the side that may have them."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any, NamedTuple

import fingerprint as fp
from fingerprint.errors import HashFormatError
from fingerprint.lists import HASH_TYPES, Record, canonical_hash
from fingerprint.lists.formats.fields import id_of_hashes
from fingerprint.media.source import read_bytes
from fingerprint.media.video_source import open_bytes
from fingerprint.screening.media_kind import HEAD_NBYTES, sort_of

__all__ = ["HashedFile", "record_of_file"]

_DIGESTS = ("md5", "sha1", "sha256")
_SAMPLING = "vpdq:1"
"""What lists of vPDQ are made with."""


class HashedFile(NamedTuple):
    """A record of a file, and what a person should know of it."""

    record: Record
    note: str = ""


def record_of_file(
    path: str,
    source: str,
    record_id: str | None,
    *,
    views: bool,
    min_quality: int,
    **said: Any,
) -> HashedFile:
    """Hash a picture or video, told apart by content, and make a record of it.

    Parameters
    ----------
    path : str
        The file; nothing of it is stored, nor its name.
    source, record_id : str
        Whose and which record; without an id, one made of the file's digests.
    views : bool
        Whether a picture's views are hashed as well.
    min_quality : int
        A PDQ hash of lower quality is left out.
    **said
        Other fields of `Record`.

    Raises
    ------
    DecodeError
        It cannot be read, or is neither.
    """
    file, _ = open_bytes(path)
    with file:
        head = file.read(HEAD_NBYTES)
    hashes, more, note = (
        _of_picture(path, views, min_quality)
        if sort_of(head) == "image"
        else _of_video(path, min_quality)
    )
    own = id_of_hashes({name: hashes[name] for name in _DIGESTS})
    return HashedFile(Record(source, record_id or own, hashes, **more, **said), note)


def _of_picture(
    path: str, views: bool, min_quality: int
) -> tuple[dict[str, str], dict[str, Any], str]:
    data = read_bytes(path, fp.DEFAULT_LIMITS)
    hashes = {name: hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in _DIGESTS}
    more: dict[str, Any] = {"media": "image"}
    try:
        found = (
            fp.hash_views(data, side="reference") if views else {"identity": fp.hash_image(data)}
        )
    except fp.DecodeError as error:
        raise fp.DecodeError(path, error.reason) from None  # Not "<n bytes>".
    main = found.pop("identity")
    quality = main.quality or 0
    if quality < min_quality:
        return hashes, more, f"PDQ left out: its quality is {quality}, expected {min_quality}"
    try:
        hashes["pdq"] = canonical_hash(HASH_TYPES["pdq"], main.hex)
    except HashFormatError as error:
        return hashes, more, f"PDQ left out: {error}"
    stored = {}
    for name, one in found.items():
        with suppress(HashFormatError):  # A view of hardly anything.
            stored[name] = canonical_hash(HASH_TYPES["pdq"], one.hex)
    return hashes, more | {"views": stored}, ""


def _of_video(path: str, min_quality: int) -> tuple[dict[str, str], dict[str, Any], str]:
    from fingerprint.video import write_vpdq_text

    video = fp.hash_video(path, sample=_SAMPLING, trim=False, digests=True)
    hashes = dict(video.digests)
    more = {"media": "video"}
    good = len(video.of_quality(min_quality).hashes)
    if not good:
        return hashes, more, f"vPDQ left out: no frame has a quality of {min_quality}"
    hashes["vpdq"] = write_vpdq_text(video)
    return hashes, more, f"damaged: {video.damage}" if video.damage else ""
