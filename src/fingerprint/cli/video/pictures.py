"""From what was found to a picture of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import click

import fingerprint as fp
from fingerprint.cli.common import errors, printable
from fingerprint.cli.video.options import Options
from fingerprint.evaluate.filmstrip import write_html, write_png
from fingerprint.evaluate.timeline import THUMBNAIL_PX, Strip, thumbnail_times
from fingerprint.media.thumbnails import thumbnail_width, thumbnails
from fingerprint.results import VideoMatch
from fingerprint.video import VideoHash

__all__ = ["Look", "bare_strip", "check_picture", "draw", "strip_of"]

Look: TypeAlias = Literal["none", "blur", "show"]

NOTES: dict[Look, str] = {
    "none": "",
    "blur": "The frames are blurred: no more is in this file.",
    "show": "This file holds small copies of frames.",
}


def check_picture(_: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a picture that could not be written, before there is one."""
    if path is not None and path.suffix.lower() not in {".png", ".html"}:
        raise click.BadParameter(f"{path}: expected .png or .html", param=option)
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"{path.parent}: expected a folder", param=option)
    return path


def strip_of(
    name: str, video_hash: VideoHash, video: str | None, look: Look, how: Options
) -> Strip:
    """Return a video as a picture shows it; decodes it once more for its thumbnails.

    Where there is no ``video`` but its hash alone, there are none.
    """
    n = len(video_hash)
    duration_s = max(video_hash.duration_s, float(video_hash.end_s.max()) if n else 0.0)
    if video is None or look == "none":
        return bare_strip(name, duration_s, look)
    name = printable(name)
    wide_px = thumbnail_width(video_hash.width_px, video_hash.height_px, THUMBNAIL_PX)
    try:
        with errors.status("drawing"):
            made = thumbnails(
                video,
                thumbnail_times(duration_s, wide_px),
                THUMBNAIL_PX,
                blurred=look == "blur",
                stream=how.stream,
                orientation=how.orientation,
                limits=how.limits,
            )
    except fp.DecodeError as error:  # What was hashed may be gone by now.
        errors.print(f"without thumbnails: {printable(str(error))}", markup=False, soft_wrap=True)
        return Strip(name, duration_s, note="no frames: it could not be decoded again")
    return Strip(name, duration_s, tuple(made))


def bare_strip(name: str, duration_s: float, look: Look) -> Strip:
    """Return a video without frames; says why, unless nobody asked for any."""
    note = "" if look == "none" else "no frames: only its hashes are at hand"
    return Strip(printable(name), duration_s, note=note)


def draw(path: Path, query: Strip, reference: Strip, match: VideoMatch, look: Look) -> None:
    """Write a picture in the format that its name says."""
    if path.suffix.lower() == ".html":
        any_frames = query.thumbnails or reference.thumbnails
        write_html(path, query, reference, match, NOTES[look] if any_frames else "")
    else:
        write_png(path, query, reference, match)
