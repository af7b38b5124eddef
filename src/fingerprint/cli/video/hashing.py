"""Hashing videos with a progress bar for each, and reading hashes that were saved."""

from __future__ import annotations

import copy
import os
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.progress import Progress

import fingerprint as fp
from fingerprint.cli.common import errors, printable, progress_bar, shown
from fingerprint.cli.video.options import Options
from fingerprint.hashing import ResultStream
from fingerprint.video import VideoHash, read_vpdq_json, read_vpdq_text
from fingerprint.video.batch import HashedVideo
from fingerprint.video.hashing import hash_video

__all__ = ["hash_videos", "read_saved", "tell_damage"]

_VPDQ_LINE = re.compile(rb"[0-9]{1,15},[0-9]{1,3},[0-9a-fA-F]{64},")
_LONGEST_HEAD_NBYTES = 4096
_MOST_TEXT_NBYTES = 1 << 30
_NAME_SHOWN = 40


def hash_videos(
    videos: Iterable[str], algorithm: str, options: Options, total: int | None = None
) -> Iterator[HashedVideo | fp.Failure]:
    """Hash videos in order, several at once, and show how far each of them is.

    ``total`` is how many there are, where that is known.
    """
    workers = options.workers or os.cpu_count() or 1
    if total is not None:
        workers = max(1, min(workers, total))
    stop = threading.Event()
    with progress_bar() as bar:
        several = None if total == 1 else bar.add_task("videos", total=total)

        def hash_one(video: str) -> HashedVideo | fp.Failure:
            try:
                return _hash_one(video, algorithm, options, stop, bar, alone=workers == 1)
            except fp.FingerprintError as error:
                # A copy: what was raised holds on to the decoder.
                return fp.Failure(video, copy.copy(error))

        with ResultStream(videos, hash_one, workers, None, stop) as results:
            for result in results:
                if several is not None:
                    bar.advance(several)
                yield result


def _hash_one(
    video: str,
    algorithm: str,
    options: Options,
    stop: threading.Event,
    bar: Progress,
    *,
    alone: bool,
) -> HashedVideo:
    name = printable(Path(video).name)
    task = bar.add_task(shown(name[:_NAME_SHOWN]), total=100)
    try:
        made = hash_video(
            video,
            algorithm,
            sample=options.sample,
            fidelity=options.fidelity,
            orientation=options.orientation,
            trim=options.trim,
            stream=options.stream,
            digests=options.digests,
            limits=options.limits,
            threads=0 if alone else 1,
            progress=lambda share: bar.update(task, completed=int(100 * share)),
            stop=stop,
        )
    finally:
        bar.remove_task(task)
    return HashedVideo(video, made)


def read_saved(path: Path) -> VideoHash | None:
    """Read a hash that was saved; None when the file is none, and so may be a video.

    What `VideoHash.save` writes, and vPDQ's text and JSON, told by their beginning.

    Raises
    ------
    HashFormatError
        It is one, but damaged.
    """
    try:
        if not path.is_file():  # A pipe would block; who decodes it says what it is.
            return None
        with path.open("rb") as file:
            head = file.read(_LONGEST_HEAD_NBYTES)
        is_text = bool(_VPDQ_LINE.match(head))
        first = head.lstrip()[:1]
        if head.startswith(b"FPVH") or first == b"{":
            return VideoHash.load(path)
        if not is_text and first != b"[":
            return None
        if path.stat().st_size > _MOST_TEXT_NBYTES:
            raise fp.HashFormatError(f"is larger than {_MOST_TEXT_NBYTES:,} bytes")
        text = path.read_bytes().decode()
        return read_vpdq_text(text) if is_text else read_vpdq_json(text)
    except UnicodeDecodeError as error:
        raise fp.HashFormatError(f"{path.name}: is no text in UTF-8") from error
    except OSError as error:
        raise fp.DecodeError(str(path), f"cannot be read: {error.strerror}") from error


def tell_damage(video: str, video_hash: VideoHash) -> None:
    """Say on standard error that a video was not decoded to its end."""
    if video_hash.damage:
        text = f"damaged: {printable(video)}: {printable(video_hash.damage)}; the rest is hashed"
        errors.print(text, markup=False, soft_wrap=True, style="yellow")
