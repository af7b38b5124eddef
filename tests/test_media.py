"""Sources, orientation, animations and limits of `decode` and `decode_frames`."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import fingerprint as fp
from fingerprint.media import DEFAULT_LIMITS, FORMATS, Limits, Pixels, decode, decode_frames
from tests.malformed import encode, jpeg_of_size, picture, png

if TYPE_CHECKING:
    from fingerprint.typing import U8, ImageSource

RGB: Any = np.random.default_rng(23).integers(0, 256, (12, 17, 3), dtype=np.uint8)
PNG = encode(Image.fromarray(RGB), "PNG")


class Pipe:
    """A file object that cannot seek, and has no name."""

    def __init__(self, data: bytes) -> None:
        self.read = io.BytesIO(data).read


def sources(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "picture.png"
    path.write_bytes(PNG)
    loaded = Image.open(io.BytesIO(PNG))
    loaded.load()
    wide = np.zeros((12, 34, 3), np.uint8)
    wide[:, ::2] = RGB
    read_only = RGB.copy()
    read_only.flags.writeable = False
    return {
        "str": str(path),
        "path": path,
        "bytes": PNG,
        "bytearray": bytearray(PNG),
        "memoryview": memoryview(PNG),
        "memoryview inside": memoryview(b"xx" + PNG + b"yy")[2:-2],
        "BytesIO": io.BytesIO(PNG),
        "pipe": Pipe(PNG),
        "lazy image": Image.open(io.BytesIO(PNG)),
        "loaded image": loaded,
        "new image": Image.fromarray(RGB),
        "array": RGB,
        "fortran": np.asfortranarray(RGB),
        "strided": wide[:, ::2],
        "mirrored twice": RGB[::-1, ::-1].copy()[::-1, ::-1],
        "read-only": read_only,
        "opaque": np.dstack([RGB, np.full((12, 17), 255, np.uint8)]),
    }


def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path) -> None:
    right = fp.hash_image(RGB, "dhash")
    for name, source in sources(tmp_path).items():
        got = decode(source)
        assert np.array_equal(got.array, RGB), name
        assert got.array.flags.c_contiguous, name
        assert (got.width_px, got.height_px, got.orientation) == (17, 12, 1), name
        assert got.format in {"array", "PNG"}, name
    for name, source in sources(tmp_path).items():
        assert fp.hash_image(source, "dhash") == right, name
        assert [p.array.tolist() for p in decode_frames(sources(tmp_path)[name])] == [RGB.tolist()]


def test_open_files_are_read_from_where_they_stand_and_stay_open(tmp_path: Path) -> None:
    path = tmp_path / "behind.bin"
    path.write_bytes(b"header" + PNG)
    with path.open("rb") as file:
        file.seek(6)
        assert np.array_equal(decode(file).array, RGB)
        assert not file.closed
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as out:
        out.write(PNG)
    with os.fdopen(read_end, "rb") as pipe:
        assert not pipe.seekable()
        assert np.array_equal(decode(pipe).array, RGB)


def test_arrays_of_every_layout_hash_alike() -> None:
    grey = RGB[..., 0].copy()
    for array in (grey, np.asfortranarray(grey), RGB[..., 0], grey[::-1][::-1]):
        assert np.array_equal(decode(array).array, grey)
        assert fp.hash_image(array, "pdq") == fp.hash_image(grey, "pdq")
    frozen = grey.copy()
    frozen.flags.writeable = False
    for algorithm in ("pdq", "phash", "dhash", "ahash", "whash"):
        assert fp.hash_image(frozen, algorithm) == fp.hash_image(grey, algorithm)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float32", "bool", "object", "S1"])
def test_arrays_of_a_wrong_type_say_what_was_expected(dtype: str) -> None:
    array = np.zeros((8, 8), dtype)
    with pytest.raises(TypeError, match=rf"expected uint8, got {array.dtype}") as caught:
        decode(array)
    assert not isinstance(caught.value, fp.FingerprintError)


@pytest.mark.parametrize(
    "shape", [(), (8,), (8, 8, 1), (8, 8, 2), (8, 8, 5), (3, 8, 8), (1, 8, 8, 3)]
)
def test_arrays_of_a_wrong_shape_say_what_was_expected(shape: tuple[int, ...]) -> None:
    expected = r"expected \(h, w\), \(h, w, 3\) or \(h, w, 4\), got "
    with pytest.raises(ValueError, match=expected) as caught:
        decode(np.zeros(shape, np.uint8))
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 8), (8, 0), (0, 0, 3), (8, 0, 4)])
def test_sources_without_pixels_are_decode_errors(shape: tuple[int, ...]) -> None:
    with pytest.raises(fp.DecodeError, match="has no pixels"):
        decode(np.zeros(shape, np.uint8))
    with pytest.raises(fp.DecodeError, match="has no pixels"):
        decode(Image.new("RGB", (shape[0], shape[1])))


def test_a_closed_image_is_a_decode_error() -> None:
    image = Image.open(io.BytesIO(PNG))
    image.close()
    with pytest.raises(fp.DecodeError):
        decode(image)


def test_an_image_shared_by_threads_is_decoded_whole() -> None:
    # The file is read with a pause, so that the threads meet inside Pillow's loading.
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            threading.Event().wait(0.02)
            return super().read(size)

    data = encode(picture((120, 90)), "PNG")
    right = fp.hash_image(data, "dhash")
    with Image.open(Slow(data)) as image:
        batch = fp.hash_images([image] * 8, "dhash", workers=4).collect()
    assert not batch.failures
    assert all(result.hash == right for result in batch.hashed)


# What the eight tags say: where the stored first row and first column lie.
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


def tagged(form: str, tag: int, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = tag
    return encode(Image.fromarray(RGB), form, exif=exif, **options)


OPTIONS: dict[str, dict[str, object]] = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100}}


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation(form: str, tag: int) -> None:
    options = OPTIONS.get(form, {})
    plain = decode(encode(Image.fromarray(RGB), form, **options)).array
    data = tagged(form, tag, **options)
    got = decode(data)
    assert np.array_equal(got.array, TURNS[tag](plain))
    assert got.array.flags.c_contiguous
    stored = decode(data, orientation="stored")
    if form == "TIFF":  # Documented: Pillow turns it while loading.
        assert np.array_equal(stored.array, TURNS[tag](plain))
    else:
        assert np.array_equal(stored.array, plain)
        assert got.orientation == stored.orientation == tag
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(decode(image).array, TURNS[tag](plain))
    frames = list(decode_frames(data))
    assert np.array_equal(frames[0].array, TURNS[tag](plain))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_the_size_is_what_the_file_states(form: str) -> None:
    got = decode(tagged(form, 6))
    assert (got.width_px, got.height_px) == (17, 12)
    assert got.array.shape == (17, 12, 3)


@pytest.mark.parametrize("tag", [0, 9, 255, 65535])
def test_tags_that_mean_nothing_are_ignored(tag: int) -> None:
    for form in ("JPEG", "PNG"):
        plain = decode(encode(Image.fromarray(RGB), form)).array
        got = decode(tagged(form, tag))
        assert np.array_equal(got.array, plain)
        assert got.orientation == 1


def test_the_orientation_option_is_checked() -> None:
    with pytest.raises(ValueError, match="expected 'upright' or 'stored', got 'sideways'"):
        decode(PNG, orientation="sideways")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected 'upright' or 'stored', got 'sideways'"):
        list(decode_frames(PNG, orientation="sideways"))  # type: ignore[arg-type]


@pytest.mark.media
def test_one_landscape_in_every_orientation_has_one_hash(media: Path) -> None:
    right = fp.hash_image(media / "exif" / "Landscape_1.jpg", "pdq")
    files = sorted((media / "exif").glob("Landscape_[1-8].jpg"))
    assert len(files) >= 5
    for path in files:
        tag = int(path.stem[-1])
        assert decode(path).orientation == tag
        assert right - fp.hash_image(path, "pdq") <= 6, path.name
        if tag != 1:
            assert right - fp.hash_image(path, "pdq", orientation="stored") > 60, path.name


FILMS: dict[str, tuple[str, dict[str, Any]]] = {
    "gif": ("GIF", {}),
    "apng": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True}),
    "avif": ("AVIF", {"quality": 95}),
    "tiff": ("TIFF", {}),
}


def film(kind: str, count: int = 5) -> tuple[bytes, list[U8]]:
    """An animation whose frames differ in a small patch, and its frames."""
    frames = []
    for k in range(count):
        pixels = np.asarray(picture((48, 32)).quantize(32).convert("RGB")).copy()
        pixels[4 : 4 + 3 * k, 5:20] = (250, 40 * k, 0)
        frames.append(pixels)
    form, options = FILMS[kind]
    images = [Image.fromarray(pixels) for pixels in frames]
    rest = {"save_all": True, "append_images": images[1:]}
    if kind != "tiff":
        rest["duration"] = 70
    return encode(images[0], form, **rest, **options), frames


@pytest.mark.parametrize("kind", FILMS)
def test_animations(kind: str) -> None:
    data, frames = film(kind)
    tolerance = 8 if kind == "avif" else 0
    assert np.abs(decode(data).array.astype(int) - frames[0]).mean() <= tolerance
    got = list(decode_frames(data))
    assert len(got) == 5
    for pixels, want in zip(got, frames, strict=True):
        assert isinstance(pixels, Pixels)
        assert np.abs(pixels.array.astype(int) - want).mean() <= tolerance
    with Image.open(io.BytesIO(data)) as image:
        for again, pixels in zip(decode_frames(image), got, strict=True):
            assert np.array_equal(again.array, pixels.array)


def test_frames_with_transparency_are_composited() -> None:
    frames = []
    for k in range(3):
        rgba = np.zeros((20, 24, 4), np.uint8)
        rgba[5 * k : 5 * k + 6, 4:16] = (255, 60 * k, 0, 255)
        frames.append(rgba)
    images = [Image.fromarray(rgba) for rgba in frames]
    film: dict[str, Any] = {"save_all": True, "append_images": images[1:], "duration": 50}
    for form, option in (("GIF", {"disposal": 2}), ("PNG", {}), ("WEBP", {"lossless": True})):
        data = encode(images[0], form, **film, **option)
        got = list(decode_frames(data, background=(0, 0, 255)))
        assert len(got) == 3
        for pixels, rgba in zip(got, frames, strict=True):
            want = np.where(rgba[..., 3:] == 255, rgba[..., :3], np.array([0, 0, 255]))
            assert np.array_equal(pixels.array, want), form


def test_frames_are_decoded_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, (data, _) = 0, film("apng")
    original = PngImagePlugin.PngImageFile.seek

    def counted(self: PngImagePlugin.PngImageFile, frame: int) -> None:
        nonlocal asked
        asked += 1
        original(self, frame)

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "seek", counted)
    frames = decode_frames(data)
    assert asked == 0
    assert next(frames) is not next(frames)
    assert asked == 2


def vars_of(error: fp.LimitExceededError) -> tuple[str, float, float]:
    return error.limit, error.value, error.maximum


@pytest.mark.parametrize("kind", FILMS)
def test_the_limit_of_frames(kind: str) -> None:
    data, _ = film(kind)
    assert len(list(decode_frames(data, limits=Limits(max_frames=5)))) == 5
    with pytest.raises(fp.LimitExceededError) as caught:
        next(decode_frames(data, limits=Limits(max_frames=4)))
    assert vars_of(caught.value) == ("max_frames", 5, 4)
    assert decode(data, limits=Limits(max_frames=1)).array.shape == (32, 48, 3)


def test_the_limit_of_bytes(tmp_path: Path) -> None:
    n = len(PNG)
    path = tmp_path / "picture.png"
    path.write_bytes(PNG)
    made: list[Any] = [path, str(path), PNG, bytearray(PNG), memoryview(PNG)]
    made += [memoryview(PNG + bytes(-n % 4)).cast("I"), io.BytesIO(PNG), Pipe(PNG)]
    for source in made:
        size = source.nbytes if isinstance(source, memoryview) else n
        with pytest.raises(fp.LimitExceededError, match="max_nbytes exceeded") as caught:
            decode(source, limits=Limits(max_nbytes=size - 1))
        assert vars_of(caught.value) == ("max_nbytes", size, size - 1)
    made = [path, PNG, memoryview(PNG), io.BytesIO(PNG), Pipe(PNG)]
    for source in made:
        assert np.array_equal(decode(source, limits=Limits(max_nbytes=n)).array, RGB)


def test_no_more_is_read_than_the_limit_allows() -> None:
    class Endless:
        given = 0

        def read(self, size: int = -1) -> bytes:
            assert 0 < size <= 1001, "an unbounded read of an untrusted file"
            self.given += size
            return bytes(size)

    source: Any = Endless()
    with pytest.raises(fp.LimitExceededError) as caught:
        decode(source, limits=Limits(max_nbytes=1000))
    assert caught.value.value > 1000
    assert source.given <= 2 * 1001


@pytest.mark.parametrize("form", [*FORMATS, "array", "image"])
def test_the_limit_of_pixels(form: str) -> None:
    image = Image.fromarray(RGB)
    others: dict[str, ImageSource] = {"array": RGB, "image": image}
    source = others[form] if form in others else encode(image, form)
    assert decode(source, limits=Limits(max_pixels=17 * 12)).array.shape == (12, 17, 3)
    for call in (decode, fp.hash_image, lambda s, limits: next(decode_frames(s, limits=limits))):
        with pytest.raises(fp.LimitExceededError) as caught:
            call(source, limits=Limits(max_pixels=17 * 12 - 1))
        assert vars_of(caught.value) == ("max_pixels", 204, 203)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("limit", [10**6, DEFAULT_LIMITS.max_pixels, 300_000_000])
def test_the_size_that_is_reported_is_the_size_of_the_picture(limit: int) -> None:
    # 20,000 x 20,000: more than Pillow itself opens.
    for data in (png(20_000, 20_000, 8, 2, b""), jpeg_of_size(20_000, 20_000)):
        with pytest.raises(fp.LimitExceededError) as caught:
            decode(data, limits=Limits(max_pixels=limit))
        assert (caught.value.value, caught.value.maximum) == (400_000_000, limit)


@pytest.mark.parametrize("name", ["max_nbytes", "max_pixels", "max_frames"])
def test_limits_are_at_least_one(name: str) -> None:
    for value in (0, -1):
        with pytest.raises(ValueError, match=rf"{name}: expected at least 1, got {value}"):
            Limits(**{name: value})
    assert getattr(Limits(**{name: 1}), name) == 1


def test_formats_are_an_allow_list() -> None:
    image = Image.fromarray(RGB)
    for form in ("PPM", "TGA", "ICO", "PCX", "SGI", "EPS", "PDF", "JPEG2000", "DDS"):
        with pytest.raises(fp.DecodeError, match="not a picture in a supported format"):
            decode(encode(image, form))
    assert {decode(encode(image, form)).format for form in FORMATS} == set(FORMATS)


@pytest.mark.parametrize("background", [(256, 0, 0), (-1, 0, 0), (0, 0), (1.5, 0, 0), None])
def test_a_background_that_is_no_colour_is_the_callers_error(background: Any) -> None:
    clear = np.dstack([RGB, RGB[..., 0]])
    for source in (clear, encode(Image.fromarray(clear), "PNG"), PNG):
        with pytest.raises((ValueError, TypeError), match="background") as caught:
            decode(source, background=background)
        assert not isinstance(caught.value, fp.DecodeError)
