"""A video as entries of an index: its record first, then the frames it is found by.

The record is an entry under the video's id. Its hash is that of the first frame that can be
found, its metadata hold the whole `VideoHash`. The other frames follow without ids, so that
the number of a frame tells where the record is: at the last id before it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.errors import CorruptIndexError, HashFormatError, redacted
from fingerprint.hash_arrays import HashArray
from fingerprint.index.entries import batch_of, metadata_of
from fingerprint.index.store import Batch
from fingerprint.index.view import words_of
from fingerprint.video.pairs import usable
from fingerprint.video.video_hash import VideoHash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fingerprint.hashes import Kind
    from fingerprint.typing import I8, I64, U64, Metadata

__all__ = [
    "FrameRows",
    "StoredVideo",
    "VideoEntry",
    "batches_of",
    "frame_rows",
    "names_of",
    "read_record",
]


@dataclass(frozen=True, slots=True)
class VideoEntry:
    """What a video index holds under one id; the hashes are as they are stored, collapsed."""

    id: str
    video_hash: VideoHash
    metadata: Metadata


class FrameRows(NamedTuple):
    """The frames by which a video is found: their hashes, and rows of its `VideoHash`."""

    rows: I64
    hashes: HashArray


class StoredVideo(NamedTuple):
    """A record as it was read."""

    entry: VideoEntry
    min_quality: int
    frames: FrameRows

    @property
    def n_frames(self) -> int:
        """Frames by which it is found."""
        return self.frames.rows.size

    @property
    def n_entries(self) -> int:
        """Entries of the index that it takes: a video that cannot be found takes one, too."""
        return max(1, self.n_frames)


def frame_rows(video_hash: VideoHash, min_quality: int) -> FrameRows:
    """Return the frames to index: those with enough in them, whole, then without their bars."""
    whole = usable(video_hash.hashes, min_quality)
    rows = np.flatnonzero(whole)
    hashes = video_hash.hashes[rows]
    trimmed = video_hash.trimmed
    if trimmed is not None:
        # Without bars there is nothing to trim: the same hash again finds nothing more.
        is_same = whole & (trimmed.words == video_hash.hashes.words).all(axis=1)
        more = np.flatnonzero(usable(trimmed, min_quality) & ~is_same)
        rows = np.concatenate([rows, more])
        hashes = HashArray.concatenate([hashes, trimmed[more]])
    return FrameRows(rows.astype(np.int64), hashes)


def batches_of(kind: Kind, video: VideoEntry, min_quality: int) -> tuple[Batch, Batch]:
    """Return a new video's record and the frames that follow it.

    Raises
    ------
    TypeError, ValueError
        The id is no string, or metadata is not JSON.
    """
    frames = frame_rows(video.video_hash, min_quality).hashes
    words, quality = frames.words, frames.quality.astype(np.int8)
    if not len(frames):
        words, quality = np.zeros((1, words_of(kind[2])), np.uint64), np.zeros(1, np.int8)
    checked = batch_of(kind, video.id, _wrapped(kind, words[:1], quality[:1]), video.metadata)
    text = None if checked.texts is None else checked.texts[0]
    data = base64.b64encode(video.video_hash.to_bytes()).decode()
    record = f'{{"min_quality":{min_quality},"video":"{data}","metadata":{text or "{}"}}}'
    return checked._replace(texts=[record]), Batch(None, words[1:], quality[1:], None)


def _wrapped(kind: Kind, words: U64, quality: I8) -> HashArray:
    algorithm, version, bits = kind
    return HashArray.from_words(words, algorithm, bits=bits, quality=quality, version=version)


def read_record(name: str, text: str | None, kind: Kind, where: str) -> StoredVideo:
    """Return a video from its record, or raise CorruptIndexError."""
    facts = metadata_of(text, where)
    try:
        min_quality, video, metadata = facts["min_quality"], facts["video"], facts["metadata"]
        if type(min_quality) is not int or not isinstance(metadata, dict):
            raise TypeError("not what it should be")
        video_hash = VideoHash.from_bytes(base64.b64decode(video, validate=True))
        if video_hash.kind != kind:
            raise ValueError("hashes of another algorithm")
    except (KeyError, TypeError, ValueError, HashFormatError, binascii.Error) as error:
        raise CorruptIndexError(
            where, f"the entry {redacted(name)!r} is no video's record: {error}"
        ) from error
    frames = frame_rows(video_hash, min_quality)
    return StoredVideo(VideoEntry(name, video_hash, metadata), min_quality, frames)


def names_of(seq: int, stored: StoredVideo) -> Sequence[str]:
    """Return the ids of all entries of a video whose record has a number."""
    return [stored.entry.id, *(f"#{seq + k}" for k in range(1, stored.n_entries))]
