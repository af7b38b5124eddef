"""What people do to a video before they post it again; one function each.

An edit takes a `Clip`, a strength and a seeded generator, and returns a clip that
knows which of its seconds show which of the original. Add one by writing a function
under `_video_edit`. Nothing holds a video: frames pass one by one from file to file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fingerprint.evaluate.video_clips import Clip, TrueSegment, clip_of_file, even, write_clip
from fingerprint.evaluate.video_synthesis import moving_scene

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["VideoEdit", "video_edit_names", "video_edits"]

Edit: TypeAlias = Callable[[Clip, float, np.random.Generator], Clip]

MAX_SIDE_PX = 480
"""Larger frames are made smaller first: edits are for measuring, and hashes see 64 × 64."""

BLACK_EVERY_S = 3.0
"""How much of the original is shown between black pictures."""

FILLER_S = (6.0, 14.0)
"""How much unrelated video stands before a clip, and how much after it, uniformly."""


@dataclass(frozen=True, slots=True)
class VideoEdit:
    """One kind of edit.

    Parameters
    ----------
    name : str
        What it is called.
    unit : str
        What its strength means.
    strengths : tuple of float
        Strengths worth measuring, mild to strong.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    _edit: Edit

    def __call__(
        self,
        source: str | os.PathLike[str],
        target: str | os.PathLike[str],
        strength: float,
        seed: int = 0,
        *,
        max_side_px: int = MAX_SIDE_PX,
        max_duration_s: float = float("inf"),
    ) -> list[TrueSegment]:
        """Write an edited copy; the same bytes for the same arguments.

        Parameters
        ----------
        source : str or path
            A video file that is trusted.
        target : str or path
            Where to; the suffix says which container.
        strength : float
            In this edit's unit.
        seed : int
            What chance decides: places, other videos.
        max_side_px : int
            Larger frames are made smaller before they are edited.
        max_duration_s : float
            How much of the beginning of the source is used.

        Returns
        -------
        list of TrueSegment
            Where the original is in the copy, by time in the copy.
        """
        clip = clip_of_file(source, max_side_px=max_side_px, max_duration_s=max_duration_s)
        edited = self.clip(clip, strength, seed)
        write_clip(target, edited)
        return list(edited.segments)

    def clip(self, clip: Clip, strength: float, seed: int = 0) -> Clip:
        """Return the edited clip without writing it."""
        return self._edit(clip, strength, np.random.default_rng(seed))


_EDITS: dict[str, VideoEdit] = {}


def video_edit_names() -> tuple[str, ...]:
    """Return the names of all edits of videos, in the order of the file."""
    return tuple(_EDITS)


def video_edits(name: str) -> VideoEdit:
    """Return an edit by name; KeyError when there is none."""
    return _EDITS[name]


def _video_edit(unit: str, *strengths: float) -> Callable[[Edit], Edit]:
    def register(edit: Edit) -> Edit:
        name = edit.__name__
        _EDITS[name] = VideoEdit(name, unit, strengths, edit)
        return edit

    return register


@_video_edit("x264's constant rate factor", 23, 28, 34, 40)
def reencode(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Compress again."""
    return replace(clip, crf=strength)


@_video_edit("factor of both sides", 0.5, 0.25, 1.5)
def scale(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Make smaller or larger."""
    return _sized(clip, (even(clip.width_px * strength), even(clip.height_px * strength)))


@_video_edit("frames a second", 24, 15, 10)
def frame_rate(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Drop or repeat frames to come to another rate."""
    return clip.resampled(Fraction(strength))


@_video_edit("share of each side cut off", 0.02, 0.05, 0.1)
def crop(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Cut all four sides."""
    left, top = round(clip.width_px * strength), round(clip.height_px * strength)
    width, height = clip.width_px - 2 * left, clip.height_px - 2 * top
    width, height = max(2, width // 2 * 2), max(2, height // 2 * 2)
    return clip.pictures(lambda f: f[top : top + height, left : left + width], (width, height))


@_video_edit("height of each bar as a share of the picture's", 0.1, 0.2)
def letterbox(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Put black bars above and below."""
    bar = even(clip.height_px * strength)
    size = clip.width_px, clip.height_px + 2 * bar
    return clip.pictures(lambda f: np.pad(f, ((bar, bar), (0, 0), (0, 0))), size)


@_video_edit("width of each bar as a share of the picture's", 0.1, 0.2)
def pillarbox(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Put black bars at both sides."""
    bar = even(clip.width_px * strength)
    size = clip.width_px + 2 * bar, clip.height_px
    return clip.pictures(lambda f: np.pad(f, ((0, 0), (bar, bar), (0, 0))), size)


@_video_edit("width as a share of the picture's shorter side", 0.15, 0.3)
def logo(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Put an opaque badge into a corner."""
    from PIL import Image, ImageDraw

    side = max(8, round(strength * min(clip.width_px, clip.height_px)))
    gap = max(1, side // 8)
    left = gap if chance.random() < 0.5 else clip.width_px - side - gap
    top = gap if chance.random() < 0.5 else clip.height_px - side - gap
    colours = [tuple(c) for c in chance.integers(0, 256, (2, 3)).tolist()]
    badge = Image.new("RGBA", (clip.width_px, clip.height_px))
    draw = ImageDraw.Draw(badge)
    draw.ellipse((left, top, left + side, top + side), fill=colours[0])
    draw.regular_polygon((left + side / 2, top + side / 2, side * 0.35), 3, fill=colours[1])
    return _overlaid(clip, np.asarray(badge))


@_video_edit("height of the strip as a share of the picture's", 0.12, 0.2)
def caption(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Lay a strip with a line of text over the lower edge."""
    from PIL import Image, ImageDraw, ImageFont

    height = max(8, round(clip.height_px * strength))
    top = clip.height_px - height
    strip = Image.new("RGBA", (clip.width_px, clip.height_px))
    draw = ImageDraw.Draw(strip)
    draw.rectangle((0, top, clip.width_px, clip.height_px), fill=(255, 255, 255))
    words = f"you will not believe no. {chance.integers(1, 10)}"
    font = ImageFont.load_default(min(height * 0.6, clip.width_px / len(words) * 1.6))
    middle = clip.width_px / 2, top + height / 2
    draw.text(middle, words, (0, 0, 0), font, anchor="mm")
    return _overlaid(clip, np.asarray(strip))


@_video_edit("1", 1)
def mirror(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Exchange left and right."""
    return clip.pictures(lambda f: f[:, ::-1])


@_video_edit("1", 1)
def grayscale(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Take the colour out."""
    import cv2

    def grey(frame: U8) -> U8:
        return np.repeat(np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))[..., None], 3, axis=2)

    return clip.pictures(grey)


@_video_edit("degrees clockwise", 90, 270)
def turned_flag(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Store the frames turned, with a flag that makes players turn them back."""
    turned = clip.pictures(
        lambda f: np.rot90(f, round(strength / 90)), (clip.height_px, clip.width_px)
    )
    return replace(turned, turned=round(strength))


@_video_edit("factor", 0.8, 0.9, 1.1, 1.25)
def speed(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Play slower or faster at the same frame rate."""
    return clip.resampled(clip.frame_rate, strength)


@_video_edit("share of the duration", 0.1, 0.3)
def trim_start(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Cut off the beginning."""
    return clip.between(clip.duration_s * strength, clip.duration_s)


@_video_edit("share of the duration", 0.1, 0.3)
def trim_end(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Cut off the end."""
    return clip.between(0, clip.duration_s * (1 - strength))


@_video_edit("share of the duration, at each end", 0.1, 0.3)
def trim_both(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Cut off both."""
    return clip.between(clip.duration_s * strength, clip.duration_s * (1 - strength))


@_video_edit("seconds of the clip", 12, 6, 3)
def clip_in_video(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Show a part of it within another video."""
    start_s = chance.uniform(0, max(0.0, clip.duration_s - strength))
    part = clip.between(start_s, start_s + strength)
    before, after = (_other(clip, float(s), chance) for s in chance.uniform(*FILLER_S, 2))
    return before.joined(part, after)


@_video_edit("factor of both sides", 0.7, 0.5)
def picture_in_picture(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Show it small over another video."""
    small = _sized(clip, (even(clip.width_px * strength), even(clip.height_px * strength)))
    back = _other(clip, clip.duration_s, chance)
    left = int(chance.integers(0, clip.width_px - small.width_px + 1))
    top = int(chance.integers(0, clip.height_px - small.height_px + 1))

    def frames(start: int, stop: int) -> Iterator[U8]:
        both = zip(back.frames(start, stop), small.frames(start, stop), strict=True)
        for behind, front in both:
            behind[top : top + small.height_px, left : left + small.width_px] = front
            yield behind

    return replace(clip, frames=frames)


@_video_edit(f"seconds of black after every {BLACK_EVERY_S:g} s", 0.5, 1)
def black_frames(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Interrupt it with black pictures."""
    black = _still(clip, strength, np.zeros((clip.height_px, clip.width_px, 3), np.uint8))
    often = np.arange(BLACK_EVERY_S, clip.duration_s, BLACK_EVERY_S).tolist()
    return clip.interrupted(often or (clip.duration_s / 2,), black)


@_video_edit("seconds of each slide", 2, 4)
def slides(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Put a title card before it, in the middle and after it."""
    card = _still(clip, strength, _title_card(clip, chance))
    return clip.interrupted((0, clip.duration_s / 2, clip.duration_s), card)


@_video_edit("times played", 2)
def loop(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Play it more than once."""
    return clip.joined(*[clip] * (round(strength) - 1))


@_video_edit("1", 1)
def reorder(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Exchange the two halves."""
    middle_s = clip.duration_s / 2
    return clip.between(middle_s, clip.duration_s).joined(clip.between(0, middle_s))


@_video_edit("x264's constant rate factor; and bars of 15 %, 15 frames a second", 28, 34)
def repost(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Letterbox, another frame rate and strong compression together."""
    return reencode(frame_rate(letterbox(clip, 0.15, chance), 15, chance), strength, chance)


@_video_edit("seconds of the clip; and mirrored, captioned, CRF 28", 12, 6)
def compilation(clip: Clip, strength: float, chance: np.random.Generator) -> Clip:
    """Show a mirrored and captioned part within another video."""
    shown = caption(mirror(clip, 1, chance), 0.12, chance)
    return reencode(clip_in_video(shown, strength, chance), 28, chance)


def _sized(clip: Clip, size_px: tuple[int, int]) -> Clip:
    import cv2

    how = cv2.INTER_AREA if size_px[0] < clip.width_px else cv2.INTER_CUBIC
    return clip.pictures(
        lambda f: np.asarray(cv2.resize(f, size_px, interpolation=how), np.uint8), size_px
    )


def _overlaid(clip: Clip, rgba: U8) -> Clip:
    """Lay a picture of the clip's size with an alpha channel over every frame."""
    opaque = (rgba[..., 3] > 127)[..., None]
    colour = rgba[..., :3]
    return clip.pictures(lambda f: np.where(opaque, colour, f))


def _other(clip: Clip, duration_s: float, chance: np.random.Generator) -> Clip:
    """Return an unrelated video of the same size and rate."""
    size = clip.width_px, clip.height_px
    # Far from the seeds that a person would choose for originals.
    seed = int(chance.integers(1 << 32, 1 << 48))
    return replace(moving_scene(seed, duration_s, size, clip.frame_rate), crf=clip.crf)


def _still(clip: Clip, duration_s: float, picture: U8) -> Clip:
    def frames(start: int, stop: int) -> Iterator[U8]:
        return (picture for _ in range(start, stop))

    count = max(1, round(duration_s * clip.frame_rate))
    return replace(clip, count=count, frames=frames, segments=())


def _title_card(clip: Clip, chance: np.random.Generator) -> U8:
    from PIL import Image, ImageDraw, ImageFont

    dark, light = chance.integers(0, 90, 3).tolist(), chance.integers(170, 256, 3).tolist()
    card = Image.new("RGB", (clip.width_px, clip.height_px), tuple(dark))
    draw = ImageDraw.Draw(card)
    size = max(8, min(clip.width_px, clip.height_px) / 8)
    for line, words in enumerate(("Part", f"{chance.integers(1, 100)}", "follow for more")):
        middle = clip.width_px / 2, clip.height_px * (0.3 + 0.2 * line)
        draw.text(middle, words, tuple(light), ImageFont.load_default(size), anchor="mm")
    return np.asarray(card)
