"""What the commands of ``fingerprint video`` share: options, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import click

from fingerprint.media import VideoLimits
from fingerprint.video.evidence import ENOUGH_BITS
from fingerprint.video.sampling import parse_sampling

__all__ = [
    "OF_QUERIES",
    "OF_REFERENCES",
    "Options",
    "evidence_option",
    "mirror_option",
    "radius_option",
    "thumbnails_option",
    "video_options",
    "videos_argument",
]

F = TypeVar("F", bound=Callable[..., object])

videos_argument = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
radius_option = click.option(
    "--radius",
    type=click.IntRange(0),
    help="Bits within which two frames look alike; the algorithm's by default.",
)
evidence_option = click.option(
    "--min-evidence",
    type=float,
    default=ENOUGH_BITS,
    show_default=True,
    metavar="BITS",
    help="Bits of likelihood that a stretch needs. Less finds more of what is badly damaged, "
    "and other videos of the same place.",
)
mirror_option = click.option(
    "--no-mirror",
    "mirrored",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Do not look for left and right exchanged (PDQ).",
)
thumbnails_option = click.option(
    "--thumbnails",
    type=click.Choice(["none", "blur", "show"]),
    default="blur",
    show_default=True,
    help="What a picture shows of the videos. blur: some fifty spots of colour a frame, so that "
    "nobody sees the material unasked; show: small frames, and the file holds them.",
)


class Options(NamedTuple):
    """How videos are decoded and hashed."""

    sample: str
    fidelity: Any
    orientation: Any
    trim: bool
    stream: int
    limits: VideoLimits
    workers: int | None
    digests: bool = False

    @classmethod
    def of(cls, given: dict[str, Any]) -> Self:
        """Take what `video_options` gave a command."""
        most = {"max_time_s": given.pop("max_time"), "max_frames": given.pop("max_frames")}
        limits = VideoLimits(**{name: value for name, value in most.items() if value is not None})
        return cls(limits=limits, **given)


def _checked_sample(_: click.Context, option: click.Parameter, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        parse_sampling(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from error
    return text


OF_QUERIES = "every:0.5"
OF_REFERENCES = "changes:16"
"""A frame whenever the picture has moved: some of them is near whatever a query samples."""

_OPTIONS = (
    click.option(
        "--fidelity",
        type=click.Choice(["exact", "fast"]),
        default="exact",
        show_default=True,
        help="fast: luma alone where that is enough; moves a few bits.",
    ),
    click.option(
        "--stored",
        "orientation",
        flag_value="stored",
        default="upright",
        help="Leave frames as stored, as most reference tools do, not turned as players do.",
    ),
    click.option(
        "--no-trim",
        "trim",
        is_flag=True,
        flag_value=False,
        default=True,
        help="Do not look for bars of one colour around the picture.",
    ),
    click.option(
        "--stream",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Which video stream of a file.",
    ),
    click.option(
        "--max-time",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="Give up on a video that takes longer; an hour by default.",
    ),
    click.option(
        "--max-frames",
        type=click.IntRange(1),
        help="Give up on a video with more frames; a million by default.",
    ),
    click.option("--workers", type=click.IntRange(1), help="Videos at once; all processors."),
)


def video_options(sample: str | None, sample_told: str = "") -> Callable[[F], F]:
    """Add the options that `Options` is made of; ``sample`` is the rule by default.

    Where a command has to see which that is, ``sample_told`` says it in the help.
    """
    rule = click.option(
        "--sample",
        default=sample,
        show_default=not sample_told,
        metavar="RULE",
        callback=_checked_sample,
        help="Which frames: every:SECONDS, vpdq:SECONDS (the reference's frame counting), "
        "keyframes (fast; not to find seconds), scenes, changes:BITS (whenever the picture "
        "has moved: best for what is looked for)."
        + (f"  [default: {sample_told}]" if sample_told else ""),
    )

    def add(command: F) -> F:
        for option in (*reversed(_OPTIONS), rule):
            command = option(command)
        return command

    return add
