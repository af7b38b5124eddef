"""One upload: opened once, read once, each digest and hash computed once."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from fingerprint.errors import DecodeError, LimitExceededError, UnsupportedOperationError
from fingerprint.media.video_source import open_bytes
from fingerprint.screening.digests import DigestedFile, digests_of, is_seekable
from fingerprint.screening.media_kind import HEAD_NBYTES, MediaChoice, MediaSort, sort_of

if TYPE_CHECKING:
    from fingerprint.media import Limits, VideoLimits
    from fingerprint.typing import ImageSource, VideoSource

__all__ = ["Upload", "opened"]


@dataclass(slots=True)
class Upload:
    """An open upload.

    Attributes
    ----------
    label : str
        For errors and reports.
    media : {"image", "video"}
        As what it is screened.
    is_known : bool
        Whether its first bytes, or the caller, say that it is that.
    pixels : bytes, PIL image, ndarray or None
        What to decode a picture from; None where it is too large.
    file : DigestedFile or None
        What to decode a video from, and whence the digests of what is not in memory come.
    refusal : DecodeError or None
        Why it is not decoded at all.
    """

    label: str
    media: MediaSort
    is_known: bool = True
    pixels: ImageSource | None = None
    file: DigestedFile | None = None
    refusal: DecodeError | None = None
    _again: Callable[[], VideoSource] = field(default_factory=lambda: _refuse_again)
    _digests: dict[str, str] = field(default_factory=dict)

    @property
    def has_bytes(self) -> bool:
        """Whether it is a file, of which there are digests."""
        return self.file is not None or isinstance(self.pixels, bytes | bytearray | memoryview)

    def digests(self, names: Collection[str]) -> dict[str, str]:
        """Return digests as hex; those of a video once it was decoded.

        Raises
        ------
        LimitExceededError, OSError
            It cannot be read to its end.
        """
        if self.file is not None:
            if not self._digests:
                self._digests = self.file.digests()
        elif missing := [name for name in names if name not in self._digests]:
            if not isinstance(self.pixels, bytes | bytearray | memoryview):
                raise UnsupportedOperationError("digests: expected a file, got pixels")
            self._digests |= digests_of(self.pixels, missing)
        return {name: self._digests[name] for name in names}

    def again(self) -> VideoSource:
        """Return a source to read the video from once more.

        Raises
        ------
        UnsupportedOperationError
            It can be read only once.
        """
        return self._again()


@contextmanager
def opened(
    source: ImageSource,
    media: MediaChoice,
    label: str,
    digests: Collection[str],
    limits: Limits,
    video_limits: VideoLimits,
) -> Iterator[Upload]:
    """Open an upload and say what it is, by its content.

    Parameters
    ----------
    source : path, bytes, binary file object, PIL image or ndarray
        The upload.
    media : {"auto", "image", "video"}
        What it is; ``"auto"``: what its first bytes say.
    label : str
        What errors call it.
    digests : collection of str
        What will be asked of a video's `Upload.digests`.
    limits, video_limits
        Largest picture and video.

    Raises
    ------
    DecodeError, OSError, TypeError
        It cannot be read.
    """
    if not _is_file(source):
        if not isinstance(source, np.ndarray) and not hasattr(source, "getexif"):
            raise TypeError(
                f"{label}: expected a path, bytes, a binary file, a PIL image or an array"
            )
        if media == "video":
            raise TypeError(f"{label}: expected a file for a video")
        yield Upload(label, "image", pixels=source)
        return
    file, is_ours = open_bytes(cast("VideoSource", source))
    try:
        yield _of_file(file, source, media, label, digests, limits, video_limits)
    finally:
        if is_ours:
            file.close()


def _of_file(
    file: IO[bytes],
    source: ImageSource,
    media: MediaChoice,
    label: str,
    digests: Collection[str],
    limits: Limits,
    video_limits: VideoLimits,
) -> Upload:
    seekable = is_seekable(file)
    start = file.tell() if seekable else 0
    head = _read_up_to(file, HEAD_NBYTES, label)
    known = sort_of(head) if media == "auto" else media
    sort = known or "video"  # FFmpeg knows more.
    most = limits.max_nbytes
    if sort == "image":
        given = _bytes_of(source)
        body = head + _read_up_to(file, most + 1 - len(head), label) if given is None else given
        if len(body) <= most:
            return Upload(label, "image", pixels=body)
        head = bytes(body) if not seekable else b""
    if seekable:
        file.seek(start)
        head = b""
    digested = DigestedFile(file, label, digests, head=head, max_nbytes=video_limits.max_nbytes)
    if sort == "image":
        refusal = LimitExceededError(label, "max_nbytes", most + 1, most)
        return Upload(label, sort, file=digested, refusal=refusal)
    again = _again(source, file, start, digested if seekable else None)
    return Upload(label, sort, known is not None, file=digested, _again=again)


def _again(
    source: ImageSource, file: IO[bytes], start: int, digested: DigestedFile | None
) -> Callable[[], VideoSource]:
    """Return what gives the source once more; ``digested`` is None for what has but one way."""
    if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview):
        again = source
        return lambda: again
    if digested is None:
        return _refuse_again

    def rewound() -> VideoSource:
        digested.digests()  # It reads on from where it believes to be.
        file.seek(start)
        return file

    return rewound


def _refuse_again() -> VideoSource:
    raise UnsupportedOperationError("video: expected a file that can be read twice, got a pipe")


def _is_file(source: object) -> bool:
    if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview):
        return True
    return hasattr(source, "read") and not hasattr(source, "getexif")


def _bytes_of(source: object) -> bytes | bytearray | memoryview | None:
    if isinstance(source, bytes | bytearray):
        return source
    if isinstance(source, memoryview):
        return source.cast("B") if source.c_contiguous else bytes(source)
    return None


def _read_up_to(file: IO[bytes], nbytes: int, label: str) -> bytes:
    """Read so many bytes, or all there are: pipes hand out what they have."""
    parts: list[bytes] = []
    left = nbytes
    while left > 0:
        part = file.read(min(left, 1 << 24))
        if not isinstance(part, bytes | bytearray):
            raise TypeError(f"{label}: expected a file opened in binary mode")
        if not part:
            break
        parts.append(bytes(part))
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
