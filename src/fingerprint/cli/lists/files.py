"""Finding pictures and videos, as they lie in folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from fingerprint.cli.common import (
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    counted,
    errors,
    find_pictures,
)

__all__ = ["find_media"]

_KINDS_SHOWN = 6


def find_media(paths: Iterable[Path], *, all_files: bool, hint: str) -> Iterator[str]:
    """Yield files as they are, and the pictures and videos below folders in sorted order.

    Says at the end, on standard error, what it passed over by suffix, and ``hint``.
    """
    known = PICTURE_SUFFIXES | VIDEO_SUFFIXES
    given = list(paths)
    named = {str(path) for path in given}
    skipped: Counter[str] = Counter()
    for file in find_pictures(given, all_files=True):
        suffix = Path(file).suffix.lower()
        if all_files or suffix in known or file in named or not Path(file).is_file():
            yield file
        else:
            skipped[suffix or "none"] += 1
    if skipped:
        kinds = ", ".join(f"{suffix} {n}" for suffix, n in skipped.most_common(_KINDS_SHOWN))
        errors.print(
            f"{counted(skipped.total(), 'file')} passed over by suffix ({kinds}); {hint}",
            markup=False,
            soft_wrap=True,
        )
