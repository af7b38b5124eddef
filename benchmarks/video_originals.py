"""Videos that are looked for, and edited copies of them.

The real ones are in ``$FINGERPRINT_MEDIA``; others are generated. Copies are made in
worker processes, at no more than `MAX_SIDE_PX` and `MAX_DURATION_S`: the references are
the whole files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from benchmarks.measurement import NotRunError, tell_nobody
from benchmarks.pictures import MEDIA
from benchmarks.video_scoring import Copy, Span
from fingerprint.evaluate.video_clips import Clip, clip_of_file, write_clip
from fingerprint.evaluate.video_edits import video_edit_names, video_edits
from fingerprint.evaluate.video_synthesis import generate_video
from fingerprint.media.video import open_video

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = [
    "UNRELATED",
    "Original",
    "Prepare",
    "all_edits",
    "edited_copies",
    "generated_originals",
    "real_originals",
]

MAX_SIDE_PX = 320
MAX_DURATION_S = 16.0
LONG_S = 6.0
"""Shorter originals are left out of the edits that cut them."""

CUTTING = frozenset(
    {"speed", "trim_start", "trim_end", "trim_both", "clip_in_video", "black_frames"}
    | {"slides", "reorder", "compilation"}
)
UNRELATED = "unrelated video"
Prepare = Callable[[Path], object]
_Task = tuple["Original | None", str, float, int, Prepare | None]


@dataclass(frozen=True, slots=True)
class Original:
    """A video that is looked for.

    Parameters
    ----------
    id : str
        Its file's name.
    path : Path
        The file.
    scene : str
        The same for videos that show the same: they may match each other.
    studio : str
        The same for different videos of one person in one place, which are hard to tell
        apart; empty otherwise.
    kind : str
        ``"real"`` or ``"generated"``.
    duration_s : float
        As the file states it.
    """

    id: str
    path: Path
    scene: str
    studio: str
    kind: str
    duration_s: float


def real_originals() -> list[Original]:
    """Return the videos of ``$FINGERPRINT_MEDIA``.

    Raises
    ------
    NotRunError
        There are none on this machine.
    """
    folder = os.environ.get(MEDIA)
    if not folder:
        raise NotRunError(f"{MEDIA} is not set")
    paths = [p for name in ("tmk-videos", "videos") for p in sorted(Path(folder, name).glob("*.*"))]
    found = [_original(path) for path in paths if path.is_file()]
    if not found:
        raise NotRunError(f"there are no videos in {folder}")
    return found


def _original(path: Path, kind: str = "real") -> Original:
    name = path.stem
    # The TMK samples are edits of three scenes; two of the others are one video.
    scene = name.split("-")[0] if path.parent.name == "tmk-videos" else name
    if name.endswith("dataset__video"):
        scene = "dataset__video"
    studio = "asl" if name.startswith("asl_") else ""
    with open_video(path) as reader:
        return Original(path.name, path, scene, studio, kind, reader.info.duration_s)


def generated_originals(n: int, *, seed: int = 0, duration_s: float = 15.0) -> list[Original]:
    """Return generated videos, written once for this process."""
    return [_generated(seed * 1000 + k, duration_s) for k in range(n)]


@lru_cache(maxsize=1)
def _folder() -> TemporaryDirectory[str]:
    """Return the folder of this process, which goes when the process does."""
    return TemporaryDirectory(prefix="fingerprint-videos-")


@lru_cache(maxsize=256)
def _generated(seed: int, duration_s: float) -> Original:
    path = Path(_folder().name, f"generated-{seed}.mp4")
    generate_video(path, seed, duration_s)
    return _original(path, "generated")


def all_edits() -> list[tuple[str, float]]:
    """Return every edit at every strength."""
    return [(name, s) for name in video_edit_names() for s in video_edits(name).strengths]


_made: dict[_Task, Copy] = {}


def edited_copies(
    originals: Sequence[Original],
    edits: Iterable[tuple[str, float]],
    prepare: Prepare | None = None,
    *,
    n_unrelated: int = 10,
    seed: int = 0,
    workers: int = 2,
    tell: Callable[[str], None] = tell_nobody,
) -> list[Copy]:
    """Make edited copies, or return those that this process has made before.

    Parameters
    ----------
    originals : sequence of Original
        Short ones are left out of the edits that cut.
    edits : iterable of (str, float)
        Names and strengths.
    prepare : callable, optional
        A function of a module, called with the path of each copy in the process that made
        it; what it returns is kept and the file is not. By default the file is.
    n_unrelated : int
        Generated videos that show nothing of any original.
    seed : int
        What chance decides.
    workers : int
        Processes.
    tell : callable
        Is told how far it is.
    """
    wanted = list(edits)
    tasks: list[_Task] = [
        (one, name, float(strength), seed, prepare)
        for one in originals
        for name, strength in wanted
        if one.duration_s >= LONG_S or name not in CUTTING
    ]
    tasks += [(None, UNRELATED, float(k), seed, prepare) for k in range(n_unrelated)]
    missing = [task for task in tasks if task not in _made]
    if missing:
        # Fresh processes: those that are forked inherit locks of threads they do not have.
        context = get_context("spawn")
        with ProcessPoolExecutor(workers, context, _start, (_folder().name,)) as pool:
            for done, (task, copy) in enumerate(
                zip(missing, pool.map(_copy, missing), strict=True)
            ):
                _made[task] = copy
                tell(f"{done + 1} of {len(missing)} edited videos: {task[1]}")
    return [_made[task] for task in tasks]


_work = Path()


def _start(folder: str) -> None:
    global _work
    _work = Path(folder)


def _copy(task: _Task) -> Copy:
    original, edit, strength, seed, prepare = task
    who = original.id if original else ""
    label = f"{who}-{edit}-{strength:g}-{seed}"
    path = _work / f"{crc32(label.encode()):08x}-{edit.replace(' ', '-')}.mp4"
    chance = crc32(f"{label}, what chance decides".encode())
    if original is None:
        generate_video(path, chance + (1 << 50), MAX_DURATION_S, (320, 180))
        spans: tuple[Span, ...] = ()
    else:
        edited = video_edits(edit).clip(_working_clip(original), strength, chance)
        write_clip(path, edited)
        spans = edited.segments
    prepared: object = path
    if prepare is not None:
        prepared = prepare(path)
        path.unlink()
    return Copy(original, edit, strength, spans, prepared)


@lru_cache(maxsize=1)
def _working_clip(original: Original) -> Clip:
    """Return the reduced original, decoded once for all of its edits."""
    clip = clip_of_file(original.path, max_side_px=MAX_SIDE_PX, max_duration_s=MAX_DURATION_S)
    pixels = np.stack(list(clip.frames(0, clip.count)))

    def frames(start: int, stop: int) -> Iterator[U8]:
        return iter(pixels[start:stop])

    return replace(clip, frames=frames)
