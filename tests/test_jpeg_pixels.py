"""JPEG pixels equal Pillow's exactly, whichever decoder made them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from fingerprint.media import decode
from tests.malformed import encode, picture

if TYPE_CHECKING:
    from fingerprint.typing import U8

SIZES = [(1, 1), (1, 33), (33, 1), (2, 3), (7, 8), (8, 8), (9, 7), (15, 17), (16, 16), (33, 17)]
REAL_FILES = 150


def pillow(data: bytes) -> U8:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def pillow_luma(data: bytes) -> U8:
    with Image.open(io.BytesIO(data)) as image:
        image.draft("L", image.size)
        return np.asarray(image.convert("L"))


def assert_same_as_pillow(data: bytes, name: str = "") -> None:
    got = decode(data)
    want = pillow(data)
    assert np.array_equal(got.array, want), name
    assert (got.height_px, got.width_px) == want.shape[:2], name
    assert got.array.flags.c_contiguous, name
    luma = decode(data, luma_only=True).array
    assert luma.ndim == 2, name
    assert np.array_equal(luma, pillow_luma(data)), name


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_odd_sizes_and_samplings(size: tuple[int, int], mode: str) -> None:
    image = picture(size).convert(mode)
    for progressive in (False, True):
        for subsampling in (0, 1, 2):
            data = encode(image, "JPEG", progressive=progressive, subsampling=subsampling)
            assert_same_as_pillow(data, f"progressive={progressive} subsampling={subsampling}")


@pytest.mark.parametrize("quality", [5, 20, 50, 75, 90, 95, 100])
def test_qualities(quality: int) -> None:
    for subsampling in (0, 1, 2):
        data = encode(picture((97, 61)), "JPEG", quality=quality, subsampling=subsampling)
        assert_same_as_pillow(data, f"subsampling={subsampling}")


@pytest.mark.parametrize(
    "options",
    [
        {"optimize": True},
        {"restart_marker_blocks": 1},
        {"restart_marker_rows": 1},
        {"restart_marker_blocks": 3, "progressive": True},
        {"keep_rgb": True},
        {"streamtype": 0, "comment": b"x" * 3000},
        {"icc_profile": b"not a profile" * 9000},
        {"dpi": (72, 300)},
    ],
    ids=str,
)
def test_unusual_files(options: dict[str, object]) -> None:
    assert_same_as_pillow(encode(picture((65, 47)), "JPEG", **options))


def test_noise_and_extremes() -> None:
    noise = np.random.default_rng(5).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    checks = np.where(np.indices((50, 70)).sum(0)[..., None] % 2, 255, 0).astype(np.uint8)
    for pixels in (noise, np.repeat(checks, 3, axis=2), np.full((50, 70, 3), 255, np.uint8)):
        assert_same_as_pillow(encode(Image.fromarray(pixels), "JPEG", quality=30))


def test_bytes_after_the_end_change_nothing() -> None:
    data = encode(picture(), "JPEG")
    for tail in (b"\0", b"\xff", b"\xff\xd9", b"appended text" * 100, data):
        assert np.array_equal(decode(data + tail).array, pillow(data))


def test_harmless_oddities_are_decoded_as_pillow_does() -> None:
    # libjpeg warns of these bytes, which lie between the data and the end marker.
    data = encode(picture(), "JPEG")
    odd = data[:-2] + b"\0\0\0" + data[-2:]
    assert np.array_equal(decode(odd).array, pillow(data))


def cmyk_formula(samples: U8) -> U8:
    """(255 - ink)(255 - black) / 255, rounded as eight-bit products are."""
    cmy, black = samples[..., :3].astype(float), samples[..., 3:].astype(float)
    mixed: U8 = np.rint((255 - cmy) * (255 - black) / 255).astype(np.uint8)
    return mixed


def cmyk_picture() -> Image.Image:
    rgb = np.asarray(picture((48, 40)))
    black = np.linspace(0, 200, 48).astype(np.uint8)[None, :].repeat(40, 0)
    return Image.fromarray(np.dstack([255 - rgb, black]), "CMYK")


@pytest.mark.parametrize("progressive", [False, True])
def test_cmyk(progressive: bool) -> None:
    data = encode(cmyk_picture(), "JPEG", quality=95, progressive=progressive)
    stored = pillow(data)
    assert stored.shape[2] == 4
    got = decode(data)
    assert got.format == "JPEG"
    assert np.abs(got.array.astype(int) - cmyk_formula(stored)).max() <= 1
    # Not merely consistent: the picture that was saved, and not its negative.
    want = cmyk_formula(np.asarray(cmyk_picture())).astype(int)
    assert np.abs(got.array - want).mean() < 8
    assert np.array_equal(decode(data, luma_only=True).array, got.array)


def test_ycck() -> None:
    # The same samples called YCCK: Adobe's transform byte says 2 in place of 0.
    data = encode(cmyk_picture(), "JPEG", quality=95)
    adobe = data.index(b"Adobe\0")
    assert data[adobe + 11] == 0
    ycck = data[: adobe + 11] + b"\x02" + data[adobe + 12 :]
    inverted = 255.0 - pillow(data)  # As stored: Adobe's files hold inverted inks.
    y, cb, cr = inverted[..., 0], inverted[..., 1] - 128, inverted[..., 2] - 128
    # libjpeg: Y, Cb, Cr to R, G, B, and the inks are their complement; K passes.
    red = np.clip(y + 1.402 * cr, 0, 255)
    green = np.clip(y - 0.344136 * cb - 0.714136 * cr, 0, 255)
    blue = np.clip(y + 1.772 * cb, 0, 255)
    black = 255 - inverted[..., 3:]
    want = (255 - np.dstack([red, green, blue])) * (255 - black) / 255
    got = decode(ycck).array
    assert np.array_equal(got, np.asarray(Image.open(io.BytesIO(ycck)).convert("RGB")))
    assert np.abs(got - want).max() <= 3


@pytest.mark.parametrize("size", [(1000, 700), (700, 1000), (513, 2000), (511, 900), (2500, 600)])
def test_the_shortest_side_is_kept(size: tuple[int, int]) -> None:
    data = encode(picture(size), "JPEG")
    whole = decode(data)
    for side in (1, 8, 63, 64, 100, 512, 600):
        scaled = decode(data, min_side_px=side)
        height, width = scaled.array.shape[:2]
        assert min(height, width) >= min(side, *size)
        assert (scaled.width_px, scaled.height_px) == size  # As the file states it.
        assert abs(width / height - size[0] / size[1]) < 0.02 * size[0] / size[1] + 0.02
        grey = decode(data, min_side_px=side, luma_only=True).array
        assert grey.shape == (height, width)
        # The same picture, smaller: the mean of each quarter stays.
        assert np.allclose(_quarters(scaled.array), _quarters(whole.array), atol=4)
    assert decode(data, min_side_px=64).array.shape[0] < size[1]


def _quarters(pixels: U8) -> list[float]:
    y, x = pixels.shape[0] // 2, pixels.shape[1] // 2
    return [
        float(p.mean()) for p in (pixels[:y, :x], pixels[:y, x:], pixels[y:, :x], pixels[y:, x:])
    ]


def test_smaller_pictures_than_the_shortest_side_are_not_scaled() -> None:
    for mode in ("RGB", "L"):
        data = encode(picture((60, 50)).convert(mode), "JPEG")
        assert np.array_equal(decode(data, min_side_px=51).array, pillow(data))
        assert np.array_equal(decode(data, min_side_px=4096).array, pillow(data))


def test_other_formats_ignore_the_fast_options() -> None:
    for form in ("PNG", "BMP", "TIFF", "GIF"):
        data = encode(picture((200, 150)), form)
        got = decode(data, luma_only=True, min_side_px=10).array
        assert np.array_equal(got, decode(data).array)
        assert got.shape == (150, 200, 3)


def test_cmyk_is_neither_scaled_nor_reduced_to_luma() -> None:
    got = decode(encode(cmyk_picture(), "JPEG"), luma_only=True, min_side_px=8)
    assert got.array.shape == (40, 48, 3)


def test_a_multi_picture_file_is_its_first_picture() -> None:
    first, second = picture(seed=1), picture(seed=2)
    data = encode(first, "MPO", save_all=True, append_images=[second])
    assert np.array_equal(decode(data).array, pillow(encode(first, "JPEG")))


@pytest.mark.media
def test_real_jpegs(media: Path) -> None:
    files = [p for p in sorted(media.rglob("*.jpg")) if p.stat().st_size < 1_500_000]
    step = max(1, len(files) // (REAL_FILES + 10))
    chosen = files[::step]
    assert len(chosen) >= REAL_FILES
    modes = set()
    for path in chosen:
        data = path.read_bytes()
        got = decode(data, orientation="stored")
        want = pillow(data)
        modes.add(want.ndim)
        assert np.array_equal(got.array, want), path
        luma = decode(data, luma_only=True, orientation="stored").array
        assert np.array_equal(luma, pillow_luma(data)), path
    assert 3 in modes


@pytest.mark.media
def test_one_real_camera_jpeg_in_full(media: Path) -> None:
    path = max((media / "photos" / "large").glob("*.jpg"), key=lambda p: p.stat().st_size)
    data = path.read_bytes()
    assert np.array_equal(decode(path, orientation="stored").array, pillow(data))
    scaled = decode(path, luma_only=True, min_side_px=512).array
    assert min(scaled.shape) >= 512
    assert min(scaled.shape) < 1024
