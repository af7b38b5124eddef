"""Transforms: shape, determinism, and that each does what its name says."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fingerprint.evaluate import photo, transform_names, transforms
from fingerprint.typing import U8

SIZES = ((1, 1), (1, 30), (30, 1), (16, 16), (17, 40), (40, 17), (16, 300), (200, 16))


@pytest.fixture(scope="module")
def picture() -> U8:
    return photo(11, 270, 360)


def difference(a: U8, b: U8) -> float:
    return float(np.abs(a.astype(int) - b).mean())


@pytest.mark.parametrize("name", transform_names())
def test_every_transform_at_every_strength(name: str, picture: U8) -> None:
    transform = transforms(name)
    before = picture.copy()
    assert transform.strengths
    for strength in transform.strengths:
        edited = transform(picture, strength, seed=3)
        assert edited.dtype == np.uint8
        assert edited.ndim == 3
        assert edited.shape[2] == 3
        assert edited.flags.c_contiguous
        assert not np.shares_memory(edited, picture)
        assert edited.shape != picture.shape or not np.array_equal(edited, picture)
        np.testing.assert_array_equal(edited, transform(picture, strength, seed=3))
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("name", transform_names())
def test_pictures_of_a_few_pixels_are_edited(name: str) -> None:
    transform = transforms(name)
    for height, width in SIZES:
        pixels = photo(height, height, width)
        for strength in (transform.strengths[0], transform.strengths[-1]):
            edited = transform(pixels, strength)
            assert edited.size
            assert edited.flags.c_contiguous


@pytest.mark.parametrize("name", transform_names())
def test_memory_layout_does_not_matter(name: str, picture: U8) -> None:
    transform = transforms(name)
    wide = np.zeros((540, 720, 3), np.uint8)
    wide[::2, ::2] = picture
    frozen = picture.copy()
    frozen.flags.writeable = False
    expected = transform(picture, transform.middle, 4)
    for same in (wide[::2, ::2], np.asfortranarray(picture), frozen):
        np.testing.assert_array_equal(transform(same, transform.middle, 4), expected)


@pytest.mark.parametrize("name", transform_names())
def test_a_transform_says_what_it_is(name: str) -> None:
    transform = transforms(name)
    low, high = transform.limits
    assert all(low <= strength <= high for strength in transform.strengths)
    assert len(set(transform.strengths)) == len(transform.strengths)
    assert transform.middle in transform.strengths
    assert transform.summary
    assert transform.unit
    assert pickle.loads(pickle.dumps(transform)) is transform  # noqa: S301 - our own bytes


def test_threads_do_not_matter(picture: U8) -> None:
    work = [
        (n, transforms(n).middle) for n in transform_names() if n not in {"avif", "collage_3x3"}
    ]
    expected = [transforms(n)(picture, s, 1) for n, s in work]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda step: transforms(step[0])(picture, step[1], 1), work))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_large_picture() -> None:
    large = np.repeat(np.repeat(photo(1, 250, 600), 10, axis=0), 10, axis=1)
    for name in ("rotate_crop", "screenshot", "emoji", "border_blurred"):
        assert transforms(name)(large, transforms(name).middle).size


@pytest.mark.parametrize(
    "name",
    [
        *("noise", "emoji", "text", "watermark", "logo", "stripes", "crop_random", "perspective"),
        *("screenshot", "post_card", "recapture", "collage_2x2", "picture_in_picture", "tint"),
        *("meme_caption", "caption_inside", "border_coloured", "collage_uneven", "motion_blur"),
    ],
)
def test_seeds_matter_where_there_is_chance(name: str, picture: U8) -> None:
    transform = transforms(name)
    some = [transform(picture, transform.middle, seed) for seed in (1, 2, 3)]
    assert len({(a.shape, a.tobytes()) for a in some}) == 3


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        *(("crop", 0.6), ("crop", -0.1), ("jpeg", 101), ("blur", math.nan), ("mirror", 2)),
        *(("text", None), ("scale", 0), ("turn", 360)),
    ],
)
def test_senseless_strengths(name: str, strength: float | None, picture: U8) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected a strength of"):
        transforms(name)(picture, strength)


def test_other_pixels_are_errors(picture: U8) -> None:
    blur = transforms("blur")
    with pytest.raises(TypeError, match="uint8, got float64"):
        blur(picture / 255, 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="uint8, got list"):
        blur(picture.tolist(), 1)
    for wrong in (picture[..., 0], picture[..., :2], picture[:0], picture[None]):
        with pytest.raises(ValueError, match=r"expected the shape \(h, w, 3\)"):
            blur(wrong, 1)
    with pytest.raises(ValueError, match="companions: expected the shape"):
        transforms("collage_2x2")(picture, 0, companions=[picture[..., 0]])


def test_unknown_transform() -> None:
    with pytest.raises(KeyError):
        transforms("no-such-edit")


def test_known_geometry(picture: U8) -> None:
    h, w = picture.shape[:2]
    np.testing.assert_array_equal(transforms("mirror")(picture), picture[:, ::-1])
    np.testing.assert_array_equal(transforms("flip")(picture), picture[::-1])
    np.testing.assert_array_equal(transforms("turn")(picture, 90), np.rot90(picture))
    np.testing.assert_array_equal(transforms("turn")(picture, 270), np.rot90(picture, 3))
    assert transforms("scale")(picture, 0.5).shape == (135, 180, 3)
    np.testing.assert_array_equal(transforms("crop")(picture, 0.1), picture[27:-27, 36:-36])
    np.testing.assert_array_equal(transforms("crop_left")(picture, 0.1), picture[:, 36:])
    np.testing.assert_array_equal(transforms("crop_right")(picture, 0.1), picture[:, :-36])
    np.testing.assert_array_equal(transforms("crop_top")(picture, 0.1), picture[27:])
    np.testing.assert_array_equal(transforms("crop_bottom")(picture, 0.1), picture[:-27])
    np.testing.assert_array_equal(transforms("crop_centre_square")(picture), picture[:, 45:-45])
    for share in transforms("crop_random").strengths:
        part = transforms("crop_random")(picture, share, 5)
        assert part.shape[0] * part.shape[1] == pytest.approx(share * h * w, rel=0.02)
    wide = transforms("aspect")(picture, 1.78)
    assert wide.shape[1] / wide.shape[0] == pytest.approx(1.78 * w / h, rel=0.01)
    assert wide.shape[0] * wide.shape[1] == pytest.approx(h * w, rel=0.01)


def test_right_angles_by_the_small_angles_way(picture: U8) -> None:
    """Turned by 90 degrees on a canvas that grows, nothing is lost but for resampling."""
    turned = transforms("rotate_expand")(picture, 90)
    assert turned.shape == (360, 270, 3)
    assert difference(turned, np.rot90(picture)) < 12


@pytest.mark.parametrize("degrees", [0.7, -2.5, 6.3, 10, 30, 45, 80, 90, -130, 180])
@pytest.mark.parametrize("shape", [(200, 300), (300, 200), (250, 250), (100, 400)])
def test_nothing_of_the_corners_is_left_in_the_inner_rectangle(
    degrees: float, shape: tuple[int, int]
) -> None:
    white = np.full((*shape, 3), 255, np.uint8)
    inner = transforms("rotate_crop")(white, degrees)
    assert inner[2:-2, 2:-2].min() == 255
    # And it cannot be much larger: a little more of both sides shows a corner.
    full = transforms("rotate_expand")(white, degrees)
    h, w = round(1.08 * inner.shape[0]), round(1.08 * inner.shape[1])
    top, left = (full.shape[0] - h) // 2, (full.shape[1] - w) // 2
    if top >= 0 and left >= 0 and degrees % 90:
        assert full[top : top + h, left : left + w].min() == 0


def test_known_tones(picture: U8) -> None:
    grey = transforms("grayscale")(picture)
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])
    assert difference(transforms("saturation")(picture, 0), grey) < 1
    np.testing.assert_array_equal(transforms("invert")(picture), 255 - picture)
    np.testing.assert_array_equal(
        transforms("brightness")(picture, 1.5), np.minimum(np.rint(picture * 1.5), 255)
    )
    np.testing.assert_array_equal(
        transforms("contrast")(picture, 0.5), np.rint(128 + (picture - 128.0) * 0.5)
    )
    bent = transforms("gamma")(picture, 2)
    np.testing.assert_array_equal(bent, np.rint(255 * (picture / 255) ** 2))
    np.testing.assert_array_equal(transforms("hue")(picture, 0), transforms("hue")(picture, 360))
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    assert transforms("hue")(red, 120)[0, 0].argmax() == 1
    dark = transforms("vignette")(np.full((101, 101, 3), 200, np.uint8), 0.9)
    assert dark[50, 50].tolist() == [200] * 3
    assert dark[0, 0].tolist() == [20] * 3


def test_known_detail(picture: U8) -> None:
    noisy = transforms("noise")(np.full((400, 400, 3), 128, np.uint8), 10)
    assert noisy.std() == pytest.approx(10, rel=0.02)
    squares = transforms("pixelate")(picture, 20)
    np.testing.assert_array_equal(squares[:18, :18], np.broadcast_to(squares[0, 0], (18, 18, 3)))
    means = [difference(transforms("jpeg")(picture, q), picture) for q in (95, 50, 10)]
    assert means == sorted(means)
    for n in (4, 16):
        few = transforms("quantise")(picture, n)
        assert 2 <= len(np.unique(few.reshape(-1, 3), axis=0)) <= n


@pytest.mark.parametrize("name", ["emoji", "stripes", "logo"])
def test_as_much_is_covered_as_was_asked_for(name: str) -> None:
    plain = np.full((300, 400, 3), 7, np.uint8)
    for strength in (0.03, 0.1):
        shares = [(transforms(name)(plain, strength, i) != 7).any(axis=2).mean() for i in range(12)]
        assert strength / 2 <= np.mean(shares) <= 1.5 * strength


def test_frames_leave_the_picture_whole(picture: U8) -> None:
    h, w = picture.shape[:2]
    for name, level in (("border", 0), ("border_white", 255), ("letterbox", 0)):
        framed = transforms(name)(picture, 0.1)
        dx = 0 if name == "letterbox" else 36
        assert framed.shape == (h + 54, w + 2 * dx, 3)
        np.testing.assert_array_equal(framed[27:-27, dx : dx + w], picture)
        assert (framed[:27] == level).all()
    for name, shape in (
        ("letterbox_1_1", 1),
        ("letterbox_16_9", 16 / 9),
        ("letterbox_9_16", 9 / 16),
    ):
        boxed = transforms(name)(picture)
        assert boxed.shape[1] / boxed.shape[0] == pytest.approx(shape, rel=0.01)
        dy, dx = (boxed.shape[0] - h) // 2, (boxed.shape[1] - w) // 2
        np.testing.assert_array_equal(boxed[dy : dy + h, dx : dx + w], picture)
    captioned = transforms("meme_caption")(picture, 0.2)
    np.testing.assert_array_equal(captioned[54:], picture)
    assert 0.5 < (captioned[:54] > 250).mean() < 0.995
    below = transforms("meme_caption_below")(picture, 0.2)
    np.testing.assert_array_equal(below[:h], picture)


def holds(edited: U8, part: U8, tolerance: float) -> bool:
    """Return whether a picture is somewhere in another, by template matching."""
    import cv2

    found = cv2.matchTemplate(edited, part, cv2.TM_SQDIFF)
    return math.sqrt(max(0.0, found.min()) / part.size) <= tolerance


def shrunk(pixels: U8, width: int, height: int) -> U8:
    import cv2

    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("seed", range(6))
def test_screens_show_all_of_the_picture(seed: int) -> None:
    for pixels in (photo(seed, 300, 400), photo(seed, 440, 400)):
        for name in ("screenshot", "screenshot_viewer"):
            screen = transforms(name)(pixels, seed=seed)
            assert screen.shape == (867, 400, 3)
            assert holds(screen, pixels, 1)
        card = transforms("post_card")(pixels, seed=seed)
        width = 400 - 2 * round(0.045 * 400)
        small = shrunk(pixels, width, round(width * pixels.shape[0] / 400))
        # Without its round corners.
        assert holds(card, small[20:-20, 20:-20], 8)


@pytest.mark.parametrize("seed", range(4))
def test_collages_show_all_of_the_picture_and_the_given_others(seed: int) -> None:
    pixels = photo(seed, 240, 320)
    others = [np.full((50, 50, 3), level, np.uint8) for level in (10, 90)]
    for name, rows, columns in (("1x2", 1, 2), ("2x1", 2, 1), ("2x2", 2, 2), ("3x3", 3, 3)):
        made = transforms(f"collage_{name}")(pixels, 0, seed, companions=others)
        part = max(rows, columns)
        small = shrunk(pixels, round(320 / part), round(240 / part))
        assert made.shape == (small.shape[0] * rows, small.shape[1] * columns, 3)
        assert holds(made, small, 0.5)
        assert np.isin([[10], [90]] if rows * columns > 2 else [[10]], made).all()
        gutters = transforms(f"collage_{name}")(pixels, 0.04, seed, companions=others)
        gap = round(0.04 * 240)
        assert gutters.shape[1] == made.shape[1] + (columns + 1) * gap
    for name in ("collage_uneven", "picture_in_picture"):
        made = transforms(name)(pixels, 0.58, seed)
        assert holds(made, shrunk(pixels, round(320 * 0.58), round(240 * 0.58)), 0.5)


def test_others_are_of_the_seed_and_not_the_picture(picture: U8) -> None:
    whole = transforms("picture_in_picture")
    a, b = whole(picture, 0.05, 1), whole(255 - picture, 0.05, 1)
    assert (a != b).any(axis=2).mean() <= 0.003
