"""Edits of videos: the seconds they say they show are the ones that can be seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from fingerprint.errors import DecodeError
from fingerprint.evaluate.video_clips import Clip, TrueSegment, clip_of_file, even, write_clip
from fingerprint.evaluate.video_edits import video_edit_names, video_edits
from fingerprint.evaluate.video_synthesis import generate_video, moving_frames, moving_scene
from fingerprint.typing import F32, U8

SIZE, RATE, DURATION_S = (128, 80), 30, 5.0
EVERY = [(name, s) for name in video_edit_names() for s in video_edits(name).strengths]
NEAR_S = 0.1
"""A few frames: neighbours of a slow pan under strong compression look alike."""

FIXTURES = Path(__file__).parent.parent / "data" / "fixtures" / "video"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "original.mp4"
    generate_video(path, 11, DURATION_S, SIZE, RATE, shot_s=(1.2, 2.5), crf=12)
    return path


@pytest.fixture(scope="module")
def shown(original: Path) -> list[U8]:
    return [pixels for _, pixels in decoded(original)]


def decoded(path: Path) -> list[tuple[float, U8]]:
    """Return times and frames, upright; read by FFmpeg's own time stamps."""
    scaler = VideoReformatter()
    with av.open(str(path)) as container:
        return [
            (
                float(f.time or 0),
                np.rot90(
                    scaler.reformat(f, format="rgb24", threads=1).to_ndarray(),
                    f.rotation // 90 % 4,
                ),
            )
            for f in container.decode(video=0)
        ]


def grey(pixels: U8, size: tuple[int, int] = SIZE) -> F32:
    luma = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.float32)


def middle(pixels: U8) -> U8:
    h, w = pixels.shape[:2]
    return pixels[h // 3 : h * 2 // 3, w // 3 : w * 2 // 3]


def without_bars(pixels: U8, high: int, wide: int) -> U8:
    h, w = pixels.shape[:2]
    return pixels[high : h - high, wide : w - wide]


Geometry = Callable[[U8], U8]


def geometry(name: str, strength: float) -> tuple[Geometry, Geometry]:
    """Return what makes an edited frame and what makes the original's comparable."""

    def same(pixels: U8) -> U8:
        return pixels

    width, height = SIZE
    high, wide = even(height * strength), even(width * strength)
    cut_high, cut_wide = round(height * strength), round(width * strength)
    return {
        "crop": (same, lambda f: without_bars(f, cut_high, cut_wide)),
        "letterbox": (lambda f: without_bars(f, high, 0), same),
        "pillarbox": (lambda f: without_bars(f, 0, wide), same),
        "logo": (middle, middle),
        "caption": (middle, middle),
        "mirror": (lambda f: f[:, ::-1], same),
        "repost": (lambda f: without_bars(f, even(height * 0.15), 0), same),
        "compilation": (lambda f: middle(f[:, ::-1]), middle),
    }.get(name, (same, same))


def differences(
    name: str, strength: float, originals: Sequence[U8]
) -> Callable[[U8], NDArray[np.floating]]:
    """Return what says how far an edited frame is from each of the original's (grey levels)."""
    if name == "picture_in_picture":
        size = even(SIZE[0] * strength), even(SIZE[1] * strength)
        small = [grey(f, size) for f in originals]
        return lambda f: np.sqrt(
            [cv2.matchTemplate(grey(f), s, cv2.TM_SQDIFF).min() / s.size for s in small]
        )
    undo, like = geometry(name, strength)
    size = SIZE[0] // 2, SIZE[1] // 2
    stack = np.stack([grey(like(f), size) for f in originals])
    return lambda f: np.abs(stack - grey(undo(f), size)).mean(axis=(1, 2))


def original_time_s(segments: list[TrueSegment], at_s: float) -> float | None:
    """Return the original's time at a time of the copy; None where it shows something else."""
    for s in segments:
        if s.edited_start_s <= at_s < s.edited_end_s:
            share = (at_s - s.edited_start_s) / (s.edited_end_s - s.edited_start_s)
            return s.original_start_s + share * (s.original_end_s - s.original_start_s)
    return None


@pytest.mark.parametrize(("name", "strength"), EVERY)
def test_what_is_said_to_be_shown_is_shown(
    name: str, strength: float, original: Path, shown: list[U8], tmp_path: Path
) -> None:
    target = tmp_path / "edited.mp4"
    segments = video_edits(name)(original, target, strength, seed=5)
    frames = decoded(target)
    step_s = frames[1][0] - frames[0][0]
    how_far = differences(name, strength, shown)
    seen, other = 0, 0
    for at_s, pixels in frames[2 :: max(1, len(frames) // 16)]:
        # Beside an edge, rounding to frames decides.
        around = [original_time_s(segments, at_s + (k + 0.5) * step_s) for k in range(-2, 3)]
        known = [time_s for time_s in around if time_s is not None]
        if len(known) == len(around) and known == sorted(known):
            found_s = (np.argmin(how_far(pixels)) + 0.5) / RATE
            assert abs(found_s - known[2]) <= NEAR_S + step_s
            seen += 1
        elif not known:
            assert how_far(pixels).min() > 15
            other += 1
    assert seen >= 2
    other_s = frames[-1][0] + step_s - sum(s.edited_end_s - s.edited_start_s for s in segments)
    assert other_s > 0.4 if other else other_s < 2


@pytest.mark.parametrize(("name", "strength"), EVERY)
def test_segments_are_ordered_and_within(name: str, strength: float) -> None:
    clip = moving_scene(3, DURATION_S, SIZE, RATE).original()
    edited = video_edits(name).clip(clip, strength, seed=2)
    assert edited.segments
    for one, following in itertools.pairwise(edited.segments):
        assert one.edited_end_s <= following.edited_start_s + 1e-9
    one_frame_s = float(1 / edited.frame_rate)
    for s in edited.segments:
        assert 0 <= s.edited_start_s < s.edited_end_s <= edited.duration_s + one_frame_s
        assert 0 <= s.original_start_s < s.original_end_s <= DURATION_S + 1e-9


@pytest.mark.parametrize("name", video_edit_names())
def test_same_seed_same_bytes(name: str, original: Path, tmp_path: Path) -> None:
    edit = video_edits(name)
    first, again = tmp_path / "first.mp4", tmp_path / "again.mp4"
    assert edit.unit
    one = edit(original, first, edit.strengths[-1], 9, max_side_px=64, max_duration_s=3.3)
    two = edit(original, again, edit.strengths[-1], 9, max_side_px=64, max_duration_s=3.3)
    assert one == two
    assert first.read_bytes() == again.read_bytes()


def test_seeds_matter_where_there_is_chance(original: Path) -> None:
    clip = clip_of_file(original, max_duration_s=5)
    edit = video_edits("clip_in_video")
    assert edit.clip(clip, 3, seed=1).segments != edit.clip(clip, 3, seed=2).segments


def test_known_segments() -> None:
    clip = moving_scene(3, 8.0, SIZE, RATE).original()

    def of(name: str, strength: float) -> list[tuple[float, ...]]:
        segments = video_edits(name).clip(clip, strength, seed=1).segments
        return [tuple(round(t, 6) for t in s) for s in segments]

    assert of("mirror", 1) == [(0, 8, 0, 8)]
    assert of("speed", 1.25) == [(0, 6.4, 0, 8)]
    assert of("speed", 0.8) == [(0, 10, 0, 8)]
    assert of("trim_start", 0.3) == [(0, 5.6, 2.4, 8)]
    assert of("trim_both", 0.1) == [(0, 6.4, 0.8, 7.2)]
    assert of("loop", 2) == [(0, 8, 0, 8), (8, 16, 0, 8)]
    assert of("reorder", 1) == [(0, 4, 4, 8), (4, 8, 0, 4)]
    assert of("slides", 2) == [(2, 6, 0, 4), (8, 12, 4, 8)]
    assert of("black_frames", 0.5) == [(0, 3, 0, 3), (3.5, 6.5, 3, 6), (7, 9, 6, 8)]
    ((start, end, first, last),) = of("clip_in_video", 3)
    assert start > 5
    assert end - start == pytest.approx(last - first) == pytest.approx(3)


def test_generated_videos_differ_and_repeat() -> None:
    one, again, other = (list(moving_frames(seed, 2.0, SIZE, RATE)) for seed in (1, 1, 2))
    assert len(one) == 60
    assert one[0].shape == (80, 128, 3)
    np.testing.assert_array_equal(one, again)
    assert np.abs(grey(one[20]) - grey(other[20])).mean() > 20
    assert np.abs(grey(one[20]) - grey(one[50])).mean() > 5


@pytest.mark.parametrize("size", [(0, 96), (161, 96), (160, -2)])
def test_odd_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="size: expected two even numbers"):
        moving_scene(1, 1.0, size)


def numbered(count: int, rate: int = 10) -> Clip:
    """Return frames that are filled with their number."""

    def frames(start: int, stop: int) -> Iterator[U8]:
        return (np.full((4, 4, 3), k, np.uint8) for k in range(start, stop))

    return Clip(4, 4, Fraction(rate), count, frames).original()


def numbers(clip: Clip, start: int = 0, stop: int | None = None) -> list[int]:
    last = clip.count if stop is None else stop
    return [int(f[0, 0, 0]) for f in clip.frames(start, last)]


def test_frames_from_any_frame_on_are_the_same() -> None:
    other = numbered(3)
    clip = numbered(20)
    for made in (
        clip.between(0.3, 1.5),
        clip.joined(other, clip),
        clip.interrupted((0, 0.7, 2.0), other),
        clip.resampled(Fraction(7)),
        clip.resampled(Fraction(10), 1.3),
        clip.interrupted((0.5,), other).between(0.2, 1.0).joined(other),
    ):
        every = numbers(made)
        assert len(every) == made.count
        for start, stop in itertools.combinations(range(made.count + 1), 2):
            assert numbers(made, start, stop) == every[start:stop]


def test_resampling_takes_the_nearest_frame() -> None:
    assert numbers(numbered(10).resampled(Fraction(5))) == [0, 2, 4, 6, 8]
    assert numbers(numbered(4).resampled(Fraction(20))) == [0, 1, 1, 2, 2, 3, 3, 3]
    assert numbers(numbered(10).resampled(Fraction(10), 2.0)) == [0, 2, 4, 6, 8]


def test_clips_of_other_shapes_are_not_joined() -> None:
    with pytest.raises(ValueError, match="expected a clip of 4×4 pixels at 10 frames"):
        numbered(3).joined(numbered(3, rate=12))


def test_variable_rates_are_read_by_time() -> None:
    """A frame is on the screen until the next one comes."""
    clip = clip_of_file(FIXTURES / "variable.mkv")
    with av.open(str(FIXTURES / "variable.mkv")) as container:
        stored = [(f.time, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    frames = list(clip.frames(0, clip.count))
    assert clip.count == len(frames)
    for number, pixels in enumerate(frames):
        at_s = (number + 0.5) / clip.frame_rate
        on_screen = [f for time, f in stored if time is not None and time <= at_s][-1]
        np.testing.assert_array_equal(pixels, on_screen)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_files_are_read_upright(turn: int) -> None:
    upright = clip_of_file(FIXTURES / "constant.mp4")
    turned = clip_of_file(FIXTURES / f"rotated-{turn}.mp4")
    assert (turned.width_px, turned.height_px) == (128, 72)
    for one, other in zip(upright.frames(0, 30), turned.frames(0, 30), strict=True):
        assert np.abs(one.astype(int) - other).mean() < 8


def test_large_frames_are_made_smaller(original: Path, tmp_path: Path) -> None:
    clip = clip_of_file(original, max_side_px=64, max_duration_s=1)
    assert (clip.width_px, clip.height_px, clip.count) == (64, 40, 30)
    write_clip(tmp_path / "small.mkv", clip)
    assert {f.shape for _, f in decoded(tmp_path / "small.mkv")} == {(40, 64, 3)}


@pytest.mark.parametrize("name", ["sound-only.mp4", "no-frames.mp4"])
def test_files_without_frames_are_refused(name: str) -> None:
    with pytest.raises(DecodeError, match="got none"):
        clip_of_file(FIXTURES / name)


def test_unknown_edit() -> None:
    with pytest.raises(KeyError):
        video_edits("no-such-edit")
