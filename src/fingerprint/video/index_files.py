"""The directory of a video index: an `Index` of frames, and a file that says what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fingerprint.errors import CorruptIndexError, IndexFormatError
from fingerprint.index import durable
from fingerprint.index.creation import create_index, draft_beside
from fingerprint.index.tables import CATALOG

if TYPE_CHECKING:
    from fingerprint.index.store import Store
    from fingerprint.index.tables import Facts

__all__ = ["FORMAT", "FRAMES", "MARKER", "create_files", "frames_of", "write_copy"]

FRAMES = "frames"
MARKER = "video-index.json"
FORMAT = 1

_SUPPORTED = f"a video index of format {FORMAT} (VideoIndex.create)"
_WHAT = "fingerprint video index"
_LARGEST_MARKER_NBYTES = 4096


def create_files(path: Path, facts: Facts) -> None:
    """Make a video index without videos."""
    with draft_beside(path) as draft:
        create_index(draft / FRAMES, facts)
        _write_marker(draft)


def write_copy(store: Store, path: Path) -> None:
    """Write a video index to a new directory, as it is now."""
    with draft_beside(path) as draft:
        store.snapshot(draft / FRAMES)
        _write_marker(draft)


def _write_marker(directory: Path) -> None:
    marker = directory / MARKER
    durable.make_private_file(marker)
    marker.write_text(json.dumps({"what": _WHAT, "format": FORMAT}) + "\n", encoding="utf-8")


def frames_of(path: Path) -> Path:
    """Return where a video index keeps its frames.

    Raises
    ------
    IndexFormatError
        There is none, it is something else, or of a newer format.
    CorruptIndexError
        It is damaged.
    """
    marker = path / MARKER
    if not marker.is_file():
        found = "nothing"
        if path.exists():
            is_index = (path / CATALOG).is_file()
            found = "an index of pictures" if is_index else f"no {MARKER} in it"
        raise IndexFormatError(str(path), found, _SUPPORTED)
    facts = _facts_of(marker)
    if facts.get("what") != _WHAT:
        raise IndexFormatError(str(path), f"another program's {MARKER}", _SUPPORTED)
    if facts.get("format") != FORMAT:
        raise IndexFormatError(str(path), f"format {facts.get('format')!r:.20}", _SUPPORTED)
    frames = path / FRAMES
    if not frames.is_dir():
        raise CorruptIndexError(str(path), f"{FRAMES} is missing")
    return frames


def _facts_of(marker: Path) -> dict[str, Any]:
    with marker.open("rb") as file:
        data = file.read(_LARGEST_MARKER_NBYTES + 1)
    try:
        facts = json.loads(data) if len(data) <= _LARGEST_MARKER_NBYTES else None
    except (ValueError, RecursionError):
        facts = None
    return facts if isinstance(facts, dict) else {}
