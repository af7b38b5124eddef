"""Bars around the picture, against where they were put."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fingerprint as fp
from fingerprint import kernels
from fingerprint.typing import U8
from fingerprint.video.bars import BarFinder
from fingerprint.video.frame_hashing import Area
from fingerprint.video.hashing import hash_video
from tests.video_files import FIXTURES, MANIFEST, frames_of, pictures, raw

SIZE = (320, 180)
NEAR_PX = 2
"""Pixels by which a found edge may miss the true one; coding blurs it."""


def coded(frames: Sequence[U8], crf: int = 23) -> bytes:
    options = {"crf": str(crf), "preset": "veryfast"}
    return raw(frames, "yuv420p", "mp4", codec="libx264", options=options)


def areas(data: bytes, every: int = 3) -> list[Area]:
    """Where the pictures are found in every third frame, as `hash_video` would ask."""
    finder = BarFinder()
    placed = [p for frame in frames_of(data)[::every] for p in finder.add(frame)]
    return [p.area for p in [*placed, *finder.rest()]]


def barred(frames: Sequence[U8], bars: tuple[int, int, int, int], colour: Any = 0) -> list[U8]:
    """Cover the edges: top, bottom, left, right."""
    top, bottom, left, right = bars
    out = []
    for frame in frames:
        made = np.empty_like(frame)
        made[:] = colour
        inner = slice(top, frame.shape[0] - bottom), slice(left, frame.shape[1] - right)
        made[inner] = frame[inner]
        out.append(made)
    return out


def truth(bars: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> Area:
    top, bottom, left, right = bars
    return Area(top, size[1] - bottom, left, size[0] - right)


def assert_near(found: Sequence[Area], expected: Area) -> None:
    apart = np.abs(np.array(found) - np.array(expected))
    assert apart.max() <= NEAR_PX, (set(found), expected)


BARS = {
    "letterbox": (24, 24, 0, 0),
    "pillarbox": (0, 0, 40, 40),
    "frame": (16, 16, 30, 30),
    "one-sided": (20, 0, 0, 0),
    "uneven": (12, 30, 6, 50),
    "thin": (4, 4, 0, 0),
    "wide": (60, 60, 0, 0),
}
COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (200, 20, 30),
}


@pytest.mark.parametrize("crf", [18, 30])
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("bars", BARS)
def test_bars_are_found(bars: str, colour: str, crf: int) -> None:
    frames = barred(pictures(2, 24, SIZE), BARS[bars], COLOURS[colour])
    found = areas(coded(frames, crf))
    if crf > 20:  # Of a thin bar, coding may leave nothing.
        thin = np.array(BARS[bars]) <= 6
        found = [Area(*np.where(thin, truth(BARS[bars]), area).tolist()) for area in found]
    assert_near(found, truth(BARS[bars]))


@pytest.mark.parametrize("bars", ["letterbox", "pillarbox", "frame", "wide"])
def test_bars_of_a_bad_copy_are_found_nearly(bars: str) -> None:
    """Coding leaves traces of the picture in the bar, which stay with the picture."""
    found = areas(coded(barred(pictures(2, 24, SIZE), BARS[bars]), 40))
    outward = np.array(truth(BARS[bars])) - np.array(found)
    assert np.all(outward * (1, -1, 1, -1) >= -NEAR_PX)
    assert np.abs(outward).max() <= 6


def test_bars_of_two_colours() -> None:
    both = [f.copy() for f in pictures(3, 24, SIZE)]
    for frame in both:
        frame[:20], frame[-26:] = 255, 0
    assert_near(areas(coded(both)), truth((20, 26, 0, 0)))


@pytest.mark.parametrize("seed", range(5))
def test_without_bars_nothing_is_cut_off(seed: int) -> None:
    assert set(areas(coded(pictures(seed, 24, SIZE)))) == {truth((0, 0, 0, 0))}


@pytest.mark.parametrize("name", ["letterboxed.mp4", "pillarboxed.mp4"])
def test_fixtures(name: str) -> None:
    top, bottom, left, right = MANIFEST[name]["bars_px"]
    expected = truth((top, bottom, left, right), (128, 72))
    assert_near(areas((FIXTURES / name).read_bytes()), expected)


@pytest.mark.parametrize("name", ["constant.mp4", "vp9.webm", "rotated-90.mp4", "animation.gif"])
def test_fixtures_without_bars(name: str) -> None:
    assert hash_video(FIXTURES / name, sample="every:0").trimmed is None


def test_fades_do_not_trim() -> None:
    """Nor does a black beginning: what is seen before or after says where the picture is."""
    shot = pictures(4, 60, SIZE)
    darkness = np.concatenate([np.linspace(1, 0, 20), np.zeros(10), np.linspace(0, 1, 20)])
    faded = [(f * d).astype(np.uint8) for f, d in zip(shot[5:], darkness, strict=False)]
    frames = [*shot[:5], *faded, *shot[55:]]
    assert set(areas(coded(frames), every=1)) == {truth((0, 0, 0, 0))}
    # And within bars it is the bars that stay.
    assert_near(areas(coded(barred(frames, (24, 24, 0, 0))), every=1), truth((24, 24, 0, 0)))


def test_a_dark_scene_is_no_bar() -> None:
    """A lamp in the night: what is left would be too small to be a picture."""
    night = [np.full((180, 320, 3), 4, np.uint8) for _ in range(24)]
    for number, frame in enumerate(night):
        frame[60:90, 100 + number : 140 + number] = 220
    assert set(areas(coded(night))) == {truth((0, 0, 0, 0))}
    black = [np.zeros((180, 320, 3), np.uint8)] * 12
    assert set(areas(coded(black))) == {truth((0, 0, 0, 0))}


def test_a_picture_that_moves_within_its_frame_is_kept_whole() -> None:
    """Bars that move: what was picture in any of these frames is."""
    shot = pictures(5, 24, SIZE)
    frames = [barred([f], (n, 48 - n, 0, 0))[0] for n, f in enumerate(shot)]
    found = areas(coded(frames), every=1)
    for area, n in zip(found, range(24), strict=True):
        assert area.top <= n + NEAR_PX
        assert area.bottom >= 180 - (48 - n) - NEAR_PX
    # When they have stood still for longer than the memory, they are found again.
    still = barred(pictures(6, 180, SIZE), (24, 24, 0, 0))
    assert_near(areas(coded([*shot, *still]), every=6)[-5:], truth((24, 24, 0, 0)))


def logo(frames: Sequence[U8], top: int, left: int, h: int, w: int) -> list[U8]:
    chance = np.random.default_rng(1)
    mark = chance.integers(120, 256, (h, w, 3), np.uint8)
    out = [f.copy() for f in frames]
    for frame in out:
        frame[top : top + h, left : left + w] = mark
    return out


@pytest.mark.parametrize("place", [(6, 270), (150, 20), (8, 8), (148, 150)], ids=str)
@pytest.mark.parametrize("size", [(8, 6), (14, 30), (18, 48)], ids=str)
def test_a_logo_in_a_bar_is_no_picture(place: tuple[int, int], size: tuple[int, int]) -> None:
    h, w = size
    top, left = place
    frames = logo(barred(pictures(7, 24, SIZE), (36, 36, 0, 0)), top, left, h, w)
    assert_near(areas(coded(frames)), truth((36, 36, 0, 0)))


def test_captions_that_fill_a_bar_are_kept() -> None:
    frames = logo(barred(pictures(8, 24, SIZE), (36, 36, 0, 0)), 150, 40, 22, 240)
    found = areas(coded(frames))
    assert all(area.bottom >= 170 for area in found)
    assert all(abs(area.top - 36) <= NEAR_PX for area in found)


@pytest.mark.parametrize("kind", ["letterbox", "pillarbox", "frame", "uneven"])
def test_trimmed_hashes_are_those_of_the_picture(kind: str) -> None:
    shot = pictures(9, 30, SIZE)
    bars = BARS[kind]
    top, bottom, left, right = bars
    made = hash_video(coded(barred(shot, bars), 18), sample="every:0.25")
    inner = [f[top : 180 - bottom, left : 320 - right] for f in shot]
    expected = [fp.hash_image(np.ascontiguousarray(inner[n])) for n in made.numbers]
    assert made.trimmed is not None
    assert max(a - b for a, b in zip(made.trimmed, expected, strict=True)) <= 31
    assert min(a - b for a, b in zip(made.hashes, expected, strict=True)) > 31
    assert hash_video(coded(barred(shot, bars), 18), trim=False).trimmed is None


def test_trimmed_hashes_of_turned_videos() -> None:
    upright = hash_video(FIXTURES / "letterboxed.mp4", sample="every:0").trimmed
    assert upright is not None
    plain = list(frames_of(FIXTURES / "letterboxed.mp4"))
    # The same frames, stored lying and without bars around them.
    expected = [fp.hash_image(np.ascontiguousarray(f.rgb()[8:-8])) for f in plain]
    assert max(a - b for a, b in zip(upright, expected, strict=True)) <= 12


def naive_width(lines: U8, value: int, tolerance: int) -> int:
    """Lines from the first on that are of one colour, or have a patch and one such behind."""
    width = 0
    for number, line in enumerate(lines):
        odd = np.flatnonzero(np.abs(line.astype(int) - value) > tolerance)
        if odd.size <= line.size // 50:
            width = number + 1
        elif odd[-1] - odd[0] >= line.size // 4:
            break
    # Up to three lines more, which the picture has only tinged.
    apart = np.abs(lines.astype(int) - value).mean(axis=1)
    for _ in range(3):
        if not width or width + 2 >= len(lines) or apart[width] >= apart[width + 2] / 4:
            break
        width += 1
    return width


def naive_box(rows: U8, tolerance: int) -> tuple[int, int, int, int]:
    """`content_box` in plain numpy: one side after the other."""
    h, w = rows.shape
    top = naive_width(rows, int(rows[0, 0]), tolerance)
    if top == h:
        return 0, 0, 0, 0
    bottom = h - naive_width(rows[top:][::-1], int(rows[-1, -1]), tolerance)
    columns = rows[top:bottom].T
    left = naive_width(columns, int(columns[0, 0]), tolerance)
    if left == w:
        return 0, 0, 0, 0
    right = w - naive_width(columns[left:][::-1], int(columns[-1, -1]), tolerance)
    return top, bottom, left, right


@given(
    seed=st.integers(0, 2**32),
    h=st.integers(1, 60),
    w=st.integers(1, 120),
    bars=st.tuples(*[st.integers(0, 20)] * 4),
    noise=st.integers(0, 9),
    extra=st.integers(0, 8),
    patch=st.none() | st.tuples(st.integers(0, 50), st.integers(0, 100), st.integers(1, 20)),
)
def test_box_of_a_frame(
    seed: int,
    h: int,
    w: int,
    bars: tuple[int, int, int, int],
    noise: int,
    extra: int,
    patch: tuple[int, int, int] | None,
) -> None:
    chance = np.random.default_rng(seed)
    rows = chance.integers(0, 256, (h, w), np.uint8)
    top, bottom, left, right = bars
    for line in (rows[:top], rows[h - min(h, bottom) :]):
        line[:] = chance.integers(0, noise + 1, line.shape)
    for line in (rows[:, :left], rows[:, w - min(w, right) :]):
        line[:] = chance.integers(0, noise + 1, line.shape)
    if patch is not None:
        y, x, side = patch
        rows[y : y + side, x : x + side] = 200
    padded = np.pad(rows, ((0, 0), (0, extra)), constant_values=77)
    assert kernels.borders.content_box(padded, w, 10) == naive_box(rows, 10)
