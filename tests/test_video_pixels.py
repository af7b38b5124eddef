"""Pixels of frames and their hashes, against what was written into the videos."""

from __future__ import annotations

import io
import itertools

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext

import fingerprint as fp
from fingerprint.algorithms import HashAlgorithm
from fingerprint.media.video_frame import Turn, turn_of_matrix
from fingerprint.typing import Fidelity
from fingerprint.video.frame_hashing import Area, FrameHasher
from fingerprint.video.hashing import hash_video
from tests.video_files import FIXTURES, WHOLE, frames_of, pictures, raw


@pytest.mark.parametrize(
    "turned", list(itertools.product([-1, 1], [-1, 1], [False, True])), ids=str
)
@pytest.mark.parametrize("ones", [1 << 16, 3 << 14])
def test_a_display_matrix_says_where_each_pixel_goes(
    turned: tuple[int, int, bool], ones: int
) -> None:
    sign_x, sign_y, is_across = turned
    a, b, c, d = (0, sign_x, sign_y, 0) if is_across else (sign_x, 0, 0, sign_y)
    entries = [a * ones, b * ones, 0, c * ones, d * ones, 0, 0, 0, 1 << 30]
    turn = turn_of_matrix(np.array(entries, np.int32).tobytes())
    stored = np.arange(15).reshape(3, 5)
    # (x, y) is shown at (a x + c y, b x + d y), moved to where all is positive.
    places = {(a * x + c * y, b * x + d * y): stored[y, x] for x in range(5) for y in range(3)}
    columns, rows = (sorted({place[axis] for place in places}) for axis in (0, 1))
    shown = np.array([[places[x, y] for x in columns] for y in rows])
    assert np.array_equal(turn.apply(stored), shown)


def test_odd_matrices_leave_frames_as_stored() -> None:
    for matrix in (b"", bytes(12), bytes(36), b"\xff" * 36):
        turn_of_matrix(matrix).apply(np.zeros((2, 3)))
    assert turn_of_matrix(bytes(36)) == Turn()


AREAS = (Area(0, 72, 0, 128), Area(3, 70, 5, 110), Area(0, 66, 62, 128), Area(10, 60, 9, 90))


@pytest.mark.parametrize("algorithm", ["pdq", "phash", "dhash", "colorhash"])
@pytest.mark.parametrize("name", [n for n in WHOLE if n != "changing-size.ts"])
def test_exact_hashes_are_those_of_the_rgb_pixels(name: str, algorithm: str) -> None:
    chosen = fp.get_algorithm(algorithm)
    assert isinstance(chosen, HashAlgorithm)
    hasher = FrameHasher(chosen, "exact")
    for frame in frames_of(FIXTURES / name)[::7]:
        expected = fp.hash_image(frame.rgb(), algorithm)
        quality = -1 if expected.quality is None else expected.quality
        assert hasher.hash(frame) == (expected.packed, quality)
        h, w = frame.stored_shape
        for top, bottom, left, right in AREAS:
            area = Area(top, min(bottom, h), left, min(right, w))
            # Where the area lies in the frame as it is shown, by marking its pixels.
            mark = np.zeros((h, w), bool)
            mark[area.top : area.bottom, area.left : area.right] = True
            shown = frame.turn.apply(mark)
            rows, columns = shown.any(axis=1), shown.any(axis=0)
            inside = np.ascontiguousarray(frame.rgb()[rows][:, columns])
            expected = fp.hash_image(inside, algorithm)
            assert hasher.hash(frame, area)[0] == expected.packed


def test_exact_hashes_of_large_frames() -> None:
    for size in ((480, 270), (322, 242), (1280, 720)):
        data = raw(pictures(3, 3, size), "yuv420p")
        made = hash_video(data, sample="every:0", trim=False)
        expected = [fp.hash_image(f.rgb()) for f in frames_of(data)]
        assert list(made.hashes) == expected
        assert made.qualities.tolist() == [h.quality for h in expected]


def test_fast_hashes_drift_by_a_few_bits() -> None:
    """The bound of the README: 8 bits at most where quality is 50 or more."""
    for seed in range(6):
        data = raw(pictures(seed, 6, (480, 270)), "yuv420p")
        exact, fast = (
            hash_video(data, sample="every:0", trim=False, fidelity=f) for f in ("exact", "fast")
        )
        moved = [a - b for a, b in zip(exact.hashes, fast.hashes, strict=True)]
        assert max(moved) <= 8
        assert np.abs(exact.qualities - fast.qualities).max() <= 1


def test_a_stream_may_change_its_pixel_format() -> None:
    """Raw H.264: one stream after the other is one stream."""
    shot = pictures(5, 8, (128, 96))
    parts = [
        raw(shot, form, "h264", codec="libx264", options={"crf": "16"})
        for form in ("yuv420p", "yuv444p", "yuv420p10le", "yuv422p", "yuvj420p", "gray")
    ]
    made = hash_video(b"".join(parts), sample="every:0", trim=False)
    assert len(made) == 8 * len(parts)
    expected = [fp.hash_image(f) for f in shot] * len(parts)
    assert max(a - b for a, b in zip(made.hashes, expected, strict=True)) <= 24


FORMATS = (
    *("gray", "gray10le", "gray12le", "gray16le", "gray16be", "ya8", "rgb24", "bgr24", "rgba"),
    *("bgra", "argb", "bgr0", "gbrp", "gbrp10le", "gbrap", "rgb48le", "rgba64le", "gbrpf32le"),
    *("yuv420p", "yuv422p", "yuv444p", "yuv410p", "yuv411p", "yuv440p", "yuva420p", "yuva444p"),
    *("yuva422p10le", "yuv420p9le", "yuv422p10le", "yuv420p12le", "yuv420p16le", "yuv420p10be"),
    *("nv12", "nv21", "yuyv422", "uyvy422", "xyz12le", "rgb565le", "y210le"),
)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_pixel_formats(pixel_format: str) -> None:
    """Even and odd sizes; what is read is what was written, but for the colours of grey."""
    shot = pictures(3, 2)
    luma = np.array([f @ (0.299, 0.587, 0.114) for f in shot])
    data = raw(shot, pixel_format)
    frames = frames_of(data)
    coarse = 3.0 if pixel_format == "rgb565le" else 1.0
    assert np.abs([f.grey() for f in frames] - luma).mean() < coarse
    if not pixel_format.startswith(("gray", "ya8")):
        assert np.abs([f.rgb() for f in frames] - np.array(shot, float)).mean() < 3.5
    for fidelity in ("exact", "fast"):
        made = hash_video(data, sample="every:0", fidelity=fidelity)
        assert max(h - fp.hash_image(f) for h, f in zip(made.hashes, shot, strict=True)) <= 8
    for h, w in ((119, 159), (119, 160), (120, 159), (66, 65), (3, 5), (1, 1), (1, 70), (90, 1)):
        odd = [np.ascontiguousarray(f[:h, :w]) for f in shot]
        frames = frames_of(raw(odd, pixel_format))
        assert [f.rgb().shape for f in frames] == [(h, w, 3)] * 2
        assert np.abs([f.grey() for f in frames] - luma[:, :h, :w]).mean() < 2 * coarse
        made = hash_video(raw(odd, pixel_format), sample="every:0")
        if min(h, w) > 60:
            assert max(a - fp.hash_image(f) for a, f in zip(made.hashes, odd, strict=True)) <= 12


def test_rows_may_be_stored_from_the_bottom() -> None:
    """Uncompressed AVI: FFmpeg hands out lines of negative length."""
    shot = pictures(4, 2)
    for pixel_format in ("bgr24", "bgra", "rgb555le"):
        data = raw(shot, pixel_format, "avi")
        frames = frames_of(data)
        assert np.abs([f.rgb() for f in frames] - np.array(shot, float)).mean() < 4
        assert np.abs(frames[0].grey() - shot[0] @ (0.299, 0.587, 0.114)).mean() < 4


@pytest.mark.parametrize(
    "crop", [(64, 0, 0, 0), (0, 0, 4, 4), (64, 2, 6, 0), (0, 60, 0, 0)], ids=str
)
@pytest.mark.parametrize("fidelity", ["exact", "fast"])
def test_cropped_streams(crop: tuple[int, int, int, int], fidelity: Fidelity) -> None:
    """H.264 states a window of what is coded: rows begin in the middle of the memory."""
    left, right, top, bottom = crop
    out = io.BytesIO()
    with av.open(str(FIXTURES / "constant.mp4")) as source, av.open(out, "w", "mp4") as file:
        stream = source.streams.video[0]
        copy = file.add_stream_from_template(stream)
        # x264 itself leaves out the 8 rows by which 72 are less than whole blocks.
        sides = f"crop_left={left}:crop_right={right}:crop_top={top}:crop_bottom={bottom + 8}"
        window = BitStreamFilterContext(f"h264_metadata={sides}", stream, copy)
        for packet in source.demux(stream):
            for changed in window.filter(packet) if packet.size else []:
                changed.stream = copy
                file.mux(changed)
    frames = frames_of(out.getvalue())
    whole = frames_of(FIXTURES / "constant.mp4")
    inside = [f.rgb()[top : 72 - bottom, left : 128 - right] for f in whole]
    assert all(np.array_equal(f.rgb(), g) for f, g in zip(frames, inside, strict=True))
    made = hash_video(out.getvalue(), sample="every:0", trim=True, fidelity=fidelity)
    expected = [fp.hash_image(np.ascontiguousarray(g)) for g in inside]
    moved = [a - b for a, b in zip(made.hashes, expected, strict=True)]
    assert max(moved) == 0 if fidelity == "exact" else max(moved) <= 12


def test_ten_bits_are_scaled_and_cut() -> None:
    frame = frames_of(FIXTURES / "ten-bit.mp4")[0]
    with av.open(str(FIXTURES / "ten-bit.mp4")) as container:
        plane = next(container.decode(video=0)).to_ndarray()[:72].astype(float)
    luma = frame.luma()
    assert (luma.low, luma.high, luma.width) == (64, 940, 128)
    assert np.array_equal(luma.rows[:, :128], plane)
    expected = (np.clip(plane, 64, 940) - 64) * 255 / (940 - 64)
    assert np.abs(frame.grey() - expected).max() <= 0.501


def test_full_range_is_not_scaled() -> None:
    frame = frames_of(FIXTURES / "full-range.mp4")[0]
    with av.open(str(FIXTURES / "full-range.mp4")) as container:
        plane = next(container.decode(video=0)).to_ndarray()[:72]
    assert np.array_equal(frame.grey(), plane)
