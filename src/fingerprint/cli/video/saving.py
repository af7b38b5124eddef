"""A folder of hashes: one file a video, whatever the videos are called."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

from fingerprint.errors import HashFormatError
from fingerprint.evaluate.drawing import write_privately
from fingerprint.video import VideoHash, write_vpdq_text

__all__ = ["Folder", "unused_path"]


class Folder:
    """Where hashes are saved under the names of their videos; nothing there is replaced.

    Parameters
    ----------
    path : Path
        The folder; made with the first file.
    suffix : str
        ``".vhash"``, or ``".vpdq.txt"`` for vPDQ's lines: put behind a video's name.
    """

    def __init__(self, path: Path, suffix: str) -> None:
        self._path = path
        self._suffix = suffix
        self._taken: set[Path] = set()

    def save(self, video: str, video_hash: VideoHash) -> Path:
        """Write a file and return its path; a second ``a.mp4`` becomes ``a.mp4.2.vhash``.

        Where the same hash is already, as after the same command before, it stays.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        text = write_vpdq_text(video_hash).encode() if self._suffix != ".vhash" else b""
        path = unused_path(
            self._path,
            Path(video).name,
            self._suffix,
            lambda one: one in self._taken or (one.exists() and not _holds(one, video_hash, text)),
        )
        self._taken.add(path)
        if path.exists():
            return path
        if text:
            write_privately(path, text)
        else:
            video_hash.save(path)
        return path


def unused_path(folder: Path, name: str, suffix: str, is_taken: Callable[[Path], bool]) -> Path:
    """Return the first path of name, name.2, name.3, … that is not taken."""
    numbered = (f"{name}{'' if n == 1 else f'.{n}'}{suffix}" for n in count(1))
    return next(folder / one for one in numbered if not is_taken(folder / one))


def _holds(path: Path, video_hash: VideoHash, text: bytes) -> bool:
    if text:
        return path.read_bytes() == text
    try:
        return VideoHash.load(path) == video_hash
    except HashFormatError:
        return False
