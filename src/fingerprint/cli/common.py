"""What several commands share: finding pictures, hashing with a progress bar, options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import fingerprint as fp

__all__ = [
    "algorithm_option",
    "console",
    "errors",
    "existing_paths",
    "find_pictures",
    "hash_with_progress",
    "hashing_options",
    "progress_bar",
    "report_failures",
]

F = TypeVar("F", bound=Callable[..., object])

# Paths should not be folded at 80 columns on their way into a pipe.
_PIPE_COLUMNS = 200
console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
errors = Console(stderr=True, highlight=False)

SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".webp"),
    *(".bmp", ".tif", ".tiff", ".avif"),
}
_FAILURES_SHOWN = 20

existing_paths = click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
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
        click.option("--workers", type=click.IntRange(1), help="Threads; all processors."),
        click.option(
            "--all-files",
            is_flag=True,
            help="In folders, try files of any suffix.",
        ),
    ):
        command = option(command)
    return command


def find_pictures(paths: Iterable[Path], *, all_files: bool = False) -> Iterator[str]:
    """Yield files as they are, and the pictures below folders in sorted order."""
    for path in paths:
        if not path.is_dir():
            yield str(path)
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders.sort()
            for name in sorted(names):
                if all_files or Path(name).suffix.lower() in SUFFIXES:
                    yield str(Path(folder, name))


def progress_bar() -> Progress:
    """Return a progress bar on standard error that leaves nothing behind."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


def hash_with_progress(
    pictures: list[str], algorithm: str, **options: Any
) -> Iterator[fp.HashedImage | fp.Failure]:
    """Yield the results of `fingerprint.hash_images`, with a progress bar."""
    with progress_bar() as bar:
        task = bar.add_task("hashing", total=len(pictures))
        yield from fp.hash_images(
            pictures,
            algorithm,
            progress=lambda done: bar.update(task, completed=done),
            **options,
        )


def report_failures(failures: list[fp.Failure]) -> None:
    """List what could not be read on standard error, the first few by name."""
    if not failures:
        return
    errors.print(f"[red]{len(failures)} could not be hashed:[/red]")
    for failure in failures[:_FAILURES_SHOWN]:
        errors.print(f"  {failure.error}", markup=False, soft_wrap=True)
    if len(failures) > _FAILURES_SHOWN:
        errors.print(f"  … and {len(failures) - _FAILURES_SHOWN} more")
