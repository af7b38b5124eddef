"""Every pixel format to canonical pixels, against formulas written down here."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

import fingerprint as fp
from fingerprint.media import decode
from tests.malformed import encode, picture, png, tiff

if TYPE_CHECKING:
    from fingerprint.typing import U8

RED = (200, 30, 10)
DICE = np.random.default_rng(17)
RGB: Any = DICE.integers(0, 256, (11, 13, 3), dtype=np.uint8)
ALPHA: Any = DICE.integers(0, 256, (11, 13), dtype=np.uint8)
ALPHA[:2], ALPHA[2:4] = 0, 255
GREY: Any = DICE.integers(0, 256, (11, 13), dtype=np.uint8)


def over(rgb: U8, alpha: U8, background: tuple[int, ...] = (255, 255, 255)) -> Any:
    """The compositing formula, not rounded."""
    part = alpha[..., None].astype(float) / 255
    return rgb.astype(float) * part + np.array(background) * (1 - part)


def assert_close(got: U8, want: Any, atol: float = 0.51) -> None:
    assert got.shape == want.shape
    assert got.dtype == np.uint8
    assert np.abs(got - want.astype(float)).max() <= atol


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "GIF", "array"])
def test_bilevel_is_black_and_white(form: str) -> None:
    image = Image.fromarray(GREY > 99)
    assert image.mode == "1"
    got = decode(image if form == "array" else encode(image, form)).array
    grey = got if got.ndim == 2 else got[..., 1]
    assert np.array_equal(grey, np.where(GREY > 99, 255, 0))


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_grey_and_rgb_stay_as_they_are(form: str) -> None:
    assert np.array_equal(decode(encode(Image.fromarray(GREY), form)).array, GREY)
    assert np.array_equal(decode(encode(Image.fromarray(RGB), form)).array, RGB)
    assert decode(encode(Image.fromarray(RGB), form)).format == form


def test_lossless_webp_is_exact() -> None:
    assert np.array_equal(decode(encode(Image.fromarray(RGB), "WEBP", lossless=True)).array, RGB)


def test_avif_is_the_picture() -> None:
    image = picture((64, 48))
    got = decode(encode(image, "AVIF", quality=90)).array
    assert np.abs(got - np.asarray(image).astype(float)).mean() < 8


def paletted() -> tuple[Image.Image, Any, Any]:
    table = DICE.integers(0, 256, (20, 3), dtype=np.uint8)
    index = DICE.integers(0, 20, (11, 13), dtype=np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette(table.tobytes())
    return image, table, index


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP", "TIFF", "array"])
def test_palettes(form: str) -> None:
    image, table, index = paletted()
    got = decode(image if form == "array" else encode(image, form)).array
    assert np.array_equal(got, table[index])


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_palettes_with_one_transparent_entry(form: str) -> None:
    image, table, index = paletted()
    data = encode(image, form, transparency=4)
    clear = (index == 4)[..., None]
    assert np.array_equal(decode(data).array, np.where(clear, 255, table[index]))
    assert np.array_equal(decode(data, background=RED).array, np.where(clear, RED, table[index]))
    assert np.array_equal(decode(data, alpha="drop").array, table[index])


def test_palettes_with_an_alpha_for_each_entry() -> None:
    image, table, index = paletted()
    alphas = DICE.integers(0, 256, 20, dtype=np.uint8)
    data = encode(image, "PNG", transparency=alphas.tobytes())
    assert_close(decode(data).array, over(table[index], alphas[index]))
    assert_close(decode(data, background=RED).array, over(table[index], alphas[index], RED))
    assert np.array_equal(decode(data, alpha="drop").array, table[index])


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), RED])
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "array", "numpy"])
def test_rgba(form: str, background: tuple[int, int, int]) -> None:
    rgba = np.dstack([RGB, ALPHA])
    image = Image.fromarray(rgba)
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    sources: dict[str, Any] = {"array": image, "numpy": rgba}
    source = sources[form] if form in sources else encode(image, form, **options)
    got = decode(source, background=background).array
    assert_close(got, over(RGB, ALPHA, background), 1)
    assert np.array_equal(got[2:4], RGB[2:4])  # Opaque pixels, and clear ones, exactly.
    assert (got[:2] == background).all()
    assert np.array_equal(decode(source, alpha="drop").array, RGB)


def test_la_and_pa() -> None:
    la = np.dstack([GREY, ALPHA])
    rgb = np.repeat(GREY[..., None], 3, axis=2)
    for source in (encode(Image.fromarray(la), "PNG"), Image.fromarray(la)):
        assert_close(decode(source, background=RED).array, over(rgb, ALPHA, RED), 1)
        assert np.array_equal(decode(source, alpha="drop").array, rgb)
    _, table, index = paletted()
    image = Image.new("PA", (13, 11))
    image.putpalette(table.tobytes())
    image.putdata([(int(i), int(a)) for i, a in zip(index.flat, ALPHA.flat, strict=True)])
    assert_close(decode(image, background=RED).array, over(table[index], ALPHA, RED), 1)


def test_premultiplied_alpha_is_divided_out_first() -> None:
    part = ALPHA[..., None] / 255.0
    multiplied = np.dstack([np.rint(RGB * part).astype(np.uint8), ALPHA])
    want = multiplied[..., :3] + 255 * (1 - part)
    stored = tiff(13, 11, (8, 8, 8, 8), 2, multiplied.tobytes(), t338=1)
    image = Image.frombytes("RGBa", (13, 11), multiplied.tobytes())
    for source in (stored, image):
        assert_close(decode(source).array, want, 2)


def test_rgb_with_a_transparent_colour() -> None:
    rgb = np.array([[[1, 2, 3], [1, 2, 4], [9, 9, 9]]], np.uint8)
    data = png(3, 1, 8, 2, b"\0" + rgb.tobytes(), (b"tRNS", struct.pack(">HHH", 1, 2, 3)))
    assert decode(data, background=RED).array.tolist() == [[list(RED), [1, 2, 4], [9, 9, 9]]]
    assert np.array_equal(decode(data, alpha="drop").array, rgb)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_grey_with_a_transparent_level(depth: int) -> None:
    # The level is given in the file's own scale: 0 to 2**depth - 1.
    most = 2**depth - 1
    levels = [0, 1, most, 1]
    bits = "".join(f"{level:0{depth}b}" for level in levels).ljust(8, "0")
    row = int(bits, 2).to_bytes(len(bits) // 8, "big")
    data = png(4, 1, depth, 0, b"\0" + row, (b"tRNS", struct.pack(">H", 1)))
    scaled = [level >> 8 if depth == 16 else round(level * 255 / most) for level in levels]
    want = [
        list(RED) if level == 1 else [grey] * 3 for level, grey in zip(levels, scaled, strict=True)
    ]
    got = decode(data, background=RED).array
    assert got.ndim == 3, "the transparent level was ignored"
    assert got[0].tolist() == want


def test_rgb_of_16_bits_with_a_transparent_colour() -> None:
    row = struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0x1235, 0x5678, 0x9ABC)
    data = png(2, 1, 16, 2, b"\0" + row, (b"tRNS", struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC)))
    with pytest.raises(fp.DecodeError, match="16-bit RGB with a transparent colour"):
        decode(data, background=RED)  # Pillow has dropped the bytes that tell the two apart.


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_of_few_bits_spans_black_to_white(depth: int) -> None:
    most = 2**depth - 1
    row = bytes([0b00011011, 0b11100100])
    count = 16 // depth
    levels = [
        int(f"{int.from_bytes(row):016b}"[i * depth : (i + 1) * depth], 2) for i in range(count)
    ]
    want = [round(level * 255 / most) for level in levels]
    assert decode(png(count, 1, depth, 0, b"\0" + row)).array.tolist() == [want]
    assert decode(tiff(count, 1, (depth,), 1, row)).array.tolist() == [want]
    inverse = decode(tiff(count, 1, (depth,), 0, row)).array  # White is zero.
    assert inverse.tolist() == [[255 - level for level in want]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits_keep_their_high_byte(order: str) -> None:
    deep = DICE.integers(0, 65536, (11, 13)).astype(f"{order}u2")
    colour = DICE.integers(0, 65536, (11, 13, 3)).astype(f"{order}u2")
    stored = tiff(13, 11, (16,), 1, deep.tobytes(), order)
    assert np.array_equal(decode(stored).array, deep >> 8)
    stored = tiff(13, 11, (16, 16, 16), 2, colour.tobytes(), order)
    assert np.array_equal(decode(stored).array, colour >> 8)
    for samples, kind in ((deep, 0), (colour, 2)):
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
        assert np.array_equal(decode(png(13, 11, 16, kind, rows)).array, samples >> 8)
    assert np.array_equal(decode(Image.fromarray(deep.astype("<u2"))).array, deep >> 8)


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_whose_zero_is_white_is_no_negative(order: str) -> None:
    deep = DICE.integers(0, 65536, (11, 13)).astype(f"{order}u2")
    stored = tiff(13, 11, (16,), 0, deep.tobytes(), order)
    try:
        got = decode(stored).array
    except fp.DecodeError:
        return  # Refused is safe; a negative is not.
    assert np.array_equal(got, (65535 - deep.astype(int)) >> 8)


def test_8_bit_tiff_whose_zero_is_white_is_no_negative() -> None:
    assert np.array_equal(decode(tiff(13, 11, (8,), 0, GREY.tobytes())).array, 255 - GREY)


def test_32_bit_integers_are_16_bit_samples_or_refused() -> None:
    fits = DICE.integers(0, 65536, (5, 6), dtype=np.int32)
    assert np.array_equal(decode(Image.fromarray(fits)).array, fits >> 8)
    assert np.array_equal(decode(encode(Image.fromarray(fits), "TIFF")).array, fits >> 8)
    for wrong in (-1, 65536, 2**31 - 1):
        fits[2, 3] = wrong
        with pytest.raises(fp.DecodeError, match="do not fit 16 bits"):
            decode(Image.fromarray(fits))


def test_float_pixels_are_refused() -> None:
    image = Image.fromarray(GREY.astype(np.float32))
    assert image.mode == "F"
    for source in (image, encode(image, "TIFF")):
        with pytest.raises(fp.DecodeError, match="float pixels"):
            decode(source)


def test_cmyk() -> None:
    inks = DICE.integers(0, 256, (11, 13, 4), dtype=np.uint8)
    image = Image.fromarray(inks, "CMYK")
    want = (255.0 - inks[..., :3]) * (255 - inks[..., 3:]) / 255
    for source in (image, encode(image, "TIFF")):
        assert_close(decode(source).array, want, 1)


def test_ycbcr() -> None:
    samples = DICE.integers(0, 256, (11, 13, 3), dtype=np.uint8)
    y, cb, cr = samples[..., 0], samples[..., 1] - 128.0, samples[..., 2] - 128.0
    want = np.dstack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb])
    image = Image.fromarray(samples, "YCbCr")
    for source in (image, tiff(13, 11, (8, 8, 8), 6, samples.tobytes())):
        assert_close(decode(source).array, want.clip(0, 255), 1.5)


def test_hsv() -> None:
    samples = DICE.integers(0, 256, (11, 13, 3), dtype=np.uint8)
    hue, s, v = samples[..., 0] / 255 * 6, samples[..., 1] / 255, samples[..., 2] / 255
    want = [
        v - v * s * np.clip(np.minimum(k, 4 - k), 0, 1) for k in ((n + hue) % 6 for n in (5, 3, 1))
    ]
    got = decode(Image.fromarray(samples, "HSV")).array
    assert_close(got, np.dstack(want) * 255, 4)


def test_rgbx_has_no_alpha() -> None:
    padded = np.dstack([RGB, ALPHA])
    image = Image.frombytes("RGBX", (13, 11), padded.tobytes())
    for source in (image, tiff(13, 11, (8, 8, 8, 8), 2, padded.tobytes(), t338=0)):
        assert np.array_equal(decode(source).array, RGB)


def lab_to_srgb(lab: Any) -> Any:
    """CIE L*a*b* of white D50 to sRGB: the textbook's formulas."""
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2) * [0.9642, 1.0, 0.8249]
    to_rgb = [  # XYZ of D50, adapted by Bradford.
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
    linear = (xyz @ np.array(to_rgb).T).clip(0, 1)
    gamma = 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, gamma) * 255


def test_lab() -> None:
    lab = np.stack(np.meshgrid([40, 60, 80], [-12, 0, 20], [-15, 0, 20]), -1).reshape(3, 9, 3)
    stored = np.stack([np.rint(lab[..., 0] * 2.55), lab[..., 1] % 256, lab[..., 2] % 256], -1)
    data = tiff(9, 3, (8, 8, 8), 8, stored.astype(np.uint8).tobytes())
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "LAB"
    assert_close(decode(data).array, lab_to_srgb(lab), 3)


@pytest.mark.parametrize("name", ["palette", "cmyk", "gif", "rotated", "16-bit", "rgba", "webp"])
def test_versions_of_one_picture_have_one_hash(name: str) -> None:
    # What other stacks get silently wrong: 216, 256 and 122 bits off, at quality 100.
    # Strong low frequencies, so that no bit of the hash hangs by a thread.
    coarse = np.random.default_rng(2).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)
    rgb = np.asarray(image)
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in rgb)
    clear = image.copy()
    clear.putalpha(255)
    made: dict[str, bytes] = {
        "palette": encode(image.quantize(256), "PNG"),
        "gif": encode(image, "GIF"),
        "cmyk": encode(image.convert("CMYK"), "JPEG", quality=95),
        "rotated": encode(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif),
        "16-bit": png(320, 240, 16, 2, deep),
        "rgba": encode(clear, "PNG"),
        "webp": encode(image, "WEBP", quality=95),
    }
    right = fp.hash_image(encode(image, "PNG"), "pdq")
    got = fp.hash_image(made[name], "pdq")
    assert right.quality is not None
    assert right.quality >= 50
    assert right - got <= 4


@pytest.mark.media
def test_meta_pictures_as_palette_cmyk_and_turned(media: Path) -> None:
    path = next((media / "pdq-reference").rglob("*aaa-orig.jpg"))
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    right = fp.hash_image(path, "pdq")
    exif = Image.Exif()
    exif[0x0112] = 8
    turned = image.transpose(Image.Transpose.ROTATE_270)
    versions = {
        "palette": encode(image.quantize(256), "PNG"),
        "gif": encode(image, "GIF"),
        "cmyk": encode(image.convert("CMYK"), "JPEG", quality=95),
        "exif": encode(turned, "JPEG", quality=95, exif=exif),
    }
    distances = {name: right - fp.hash_image(data, "pdq") for name, data in versions.items()}
    assert max(distances.values()) <= 4, distances
