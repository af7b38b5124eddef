"""What several commands share: finding pictures, hashing with a progress bar, options."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import fingerprint as fp
from fingerprint.errors import redacted

__all__ = [
    "FAILURES_SHOWN",
    "PICTURE_SUFFIXES",
    "VIEWS",
    "algorithm_option",
    "console",
    "counted",
    "errors",
    "existing_paths",
    "few",
    "find_pictures",
    "find_videos",
    "hash_with_progress",
    "hashing_options",
    "printable",
    "progress_bar",
    "report_failures",
    "share_bar",
    "shown",
]

F = TypeVar("F", bound=Callable[..., object])

_PIPE_COLUMNS = 200


def _columns() -> int | None:
    """Paths should not be folded at 80 columns on their way into a pipe."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_COLUMNS


console = Console(highlight=False, width=_columns())
errors = Console(stderr=True, highlight=False)

PICTURE_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp"),
    *(".bmp", ".tif", ".tiff", ".avif"),
}
VIDEO_SUFFIXES = {
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".flv", ".f4v"),
    *(".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".m2v", ".vob", ".wmv", ".asf", ".ogv", ".mxf"),
    *(".rm", ".rmvb", ".dv", ".gif", ".apng"),
}
_SAVED_SUFFIX = ".vhash"
FAILURES_SHOWN = 20
_NAMES_SHOWN = 3

existing_paths = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
algorithm_option = click.option(
    "-a",
    "--algorithm",
    default="pdq",
    show_default=True,
    metavar="NAME",
    help="Hash algorithm; see `fingerprint algorithms`.",
)


def hashing_options(command: F) -> F:
    """Add the options that say how pictures are decoded and hashed."""
    for option in (
        click.option(
            "--fidelity",
            type=click.Choice(["exact", "fast"]),
            default="exact",
            show_default=True,
            help="fast: luma-only, scaled JPEG decoding; moves a few bits.",
        ),
        click.option(
            "--orientation",
            type=click.Choice(["upright", "stored"]),
            default="upright",
            show_default=True,
            help="stored: ignore EXIF orientation, as most reference tools do.",
        ),
        click.option(
            "--alpha",
            type=click.Choice(["composite", "drop"]),
            default="composite",
            show_default=True,
            help="drop: ignore transparency, as most reference tools do.",
        ),
        click.option("--workers", type=click.IntRange(1), help="Threads; all processors."),
        click.option(
            "--all-files",
            is_flag=True,
            help="In folders, try files of any suffix.",
        ),
    ):
        command = option(command)
    return command


def find_pictures(
    paths: Iterable[Path], *, all_files: bool = False, tell: bool = True
) -> Iterator[str]:
    """Yield files as they are, and the pictures below folders in sorted order.

    Says at the end, on standard error, what it passed over by suffix; not without ``tell``.
    """
    return _find(paths, PICTURE_SUFFIXES, all_files=all_files, tell=tell)


def find_videos(
    paths: Iterable[Path], *, all_files: bool = False, tell: bool = True, or_saved: bool = False
) -> Iterator[str]:
    """Yield files as they are, and the videos below folders, as `find_pictures` does.

    With ``or_saved`` the hashes of videos that were saved, too.
    """
    suffixes = VIDEO_SUFFIXES | {_SAVED_SUFFIX} if or_saved else VIDEO_SUFFIXES
    return _find(paths, suffixes, all_files=all_files, tell=tell)


def _find(
    paths: Iterable[Path], suffixes: Collection[str], *, all_files: bool, tell: bool
) -> Iterator[str]:
    skipped: Counter[str] = Counter()
    for path in paths:
        if not path.is_dir():
            yield str(path)
            continue
        unreadable: list[OSError] = []
        for folder, subfolders, names in os.walk(path, onerror=unreadable.append):
            subfolders.sort()
            for name in sorted(names):
                suffix = Path(name).suffix.lower()
                if all_files or suffix in suffixes:
                    yield str(Path(folder, name))
                else:
                    skipped[suffix or "none"] += 1
        # A folder that cannot be listed is a failure, not an empty folder.
        yield from (str(error.filename) for error in unreadable)
    if skipped and tell:
        kinds = ", ".join(f"{suffix} {n}" for suffix, n in skipped.most_common(6))
        errors.print(
            f"{skipped.total()} files passed over by suffix ({kinds}); --all-files tries them",
            markup=False,
            soft_wrap=True,
        )


VIEWS = {
    "identity": "as it is",
    "rotate90": "turned left",
    "rotate180": "upside down",
    "rotate270": "turned right",
    "flip_x": "mirrored top to bottom",
    "flip_y": "mirrored left to right",
    "flip_plus1": "mirrored along the diagonal",
    "flip_minus1": "mirrored along the other diagonal",
}
"""The dihedral views in words: how the query must be laid to match."""


def shown(text: str) -> str:
    """Return a name for a rich table: no markup, no control characters."""
    return escape(printable(text))


def printable(text: str) -> str:
    """Return a name with its control characters written out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def counted(n: int, what: str) -> str:
    """Return "1 video", "2 videos"."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def few(names: Iterable[str]) -> str:
    """Return the first few names for a message; what may be a hash is cut short."""
    some = list(names)
    # Part by part: a long path is no hash.
    parts = ("/".join(map(redacted, name.split("/"))) for name in some[:_NAMES_SHOWN])
    return ", ".join(map(printable, parts)) + (", …" if len(some) > _NAMES_SHOWN else "")


def progress_bar(*, beside_rows: bool = False, by_itself: bool = True) -> Progress:
    """Return a progress bar on standard error that leaves nothing behind.

    With ``beside_rows`` there is none where rows appear on the same terminal; without
    ``by_itself`` no thread draws it, only ``refresh``.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        auto_refresh=by_itself,
        disable=not errors.is_terminal or (beside_rows and console.is_terminal),
    )


@contextmanager
def share_bar(what: str) -> Iterator[Callable[[float], None]]:
    """Show a progress bar; yield the function that takes the share that is done, 0 to 1."""
    with progress_bar() as bar:
        task = bar.add_task(what, total=100)
        yield lambda share: bar.update(task, completed=round(100 * share))


def hash_with_progress(
    pictures: list[str], algorithm: str, *, beside_rows: bool = False, **options: Any
) -> Iterator[fp.HashedImage | fp.Failure]:
    """Yield the results of `fingerprint.hash_images`, with a progress bar."""
    with progress_bar(beside_rows=beside_rows) as bar:
        task = bar.add_task("hashing", total=len(pictures))
        yield from fp.hash_images(
            pictures,
            algorithm,
            progress=lambda done: bar.update(task, completed=done),
            **options,
        )


def report_failures(failures: list[fp.Failure], n: int | None = None) -> None:
    """List what could not be read on standard error, the first few by name.

    ``n`` is how many there were when not all were kept.
    """
    n = len(failures) if n is None else n
    if not n:
        return
    errors.print(f"[red]{n} could not be hashed:[/red]")
    for failure in failures[:FAILURES_SHOWN]:
        errors.print(f"  {printable(str(failure.error))}", markup=False, soft_wrap=True)
    if n > FAILURES_SHOWN:
        errors.print(f"  … and {n - FAILURES_SHOWN} more")
