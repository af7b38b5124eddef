"""Frames, times and sizes of videos, and what is left of damaged ones, against the truth."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest

import fingerprint as fp
from fingerprint.media.video import open_video
from fingerprint.typing import Fidelity
from fingerprint.video.hashing import hash_video
from tests.video_files import BROKEN, FIXTURES, MANIFEST, WHOLE, frames_of, pictures, raw


def hashes(name: str, **options: Any) -> list[fp.Hash]:
    made = hash_video(FIXTURES / name, sample="every:0", trim=False, **options)
    return list(made.hashes)


def distances(one: list[fp.Hash], other: list[fp.Hash]) -> list[int]:
    return [a - b for a, b in zip(one, other, strict=False)]


def codec_of(name: str) -> tuple[str, str]:
    with av.open(str(FIXTURES / name)) as container:
        context = container.streams.video[0].codec_context
        return context.name, str(context.pix_fmt)


@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("name", WHOLE)
def test_files_are_what_was_written(name: str, threads: int) -> None:
    facts = MANIFEST[name]
    with open_video(FIXTURES / name, threads=threads) as reader:
        frames = list(reader.frames())
        info = reader.info
    assert [f.number for f in frames] == list(range(facts["frames"]))
    # Containers round to milliseconds.
    assert [f.time_s for f in frames] == pytest.approx(facts["times_s"], abs=6e-4)
    assert (info.width_px, info.height_px) == (facts["width_px"], facts["height_px"])
    assert frames[0].shape == (facts["height_px"], facts["width_px"])
    assert info.rotation == -facts["rotation"] % 360  # The manifest turns the other way.
    assert (info.codec, info.pixel_format) == codec_of(name)
    assert reader.damage == ""
    times = facts["times_s"]
    last_s = times[-1] - times[-2] if len(times) > 1 else 1 / 30
    if not name.startswith("variable"):  # Their last frame may last as long as it likes.
        assert reader.duration_s == pytest.approx(times[-1] + last_s, abs=2e-3)
        assert info.duration_s == pytest.approx(reader.duration_s, abs=0.05)


def test_rates() -> None:
    for name, rate in (("constant.mp4", 30.0), ("animation.gif", 10.0), ("late-start.ts", 30.0)):
        with open_video(FIXTURES / name) as reader:
            assert reader.info.frame_rate == rate


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.parametrize("fidelity", ["exact", "fast"])
def test_turned_videos_are_hashed_as_players_show_them(turn: int, fidelity: Fidelity) -> None:
    name = f"rotated-{turn}.mp4"
    upright = hashes("constant.mp4", fidelity=fidelity)[:30]
    assert max(distances(hashes(name, fidelity=fidelity), upright)) <= 20
    assert np.mean(distances(hashes(name, fidelity=fidelity), upright)) <= 10
    stored = hashes(name, fidelity=fidelity, orientation="stored")
    assert min(distances(stored, upright)) > 80
    # As stored, turned by numpy, they are the same pixels.
    for frame, as_stored in zip(
        frames_of(FIXTURES / name),
        frames_of(FIXTURES / name, orientation="stored"),
        strict=True,
    ):
        assert np.array_equal(frame.rgb(), np.rot90(as_stored.rgb(), turn // 90))
        assert np.array_equal(frame.grey(), np.rot90(as_stored.grey(), turn // 90))
        assert frame.shape == (72, 128)
        assert frame.rgb(64, 36).shape == (36, 64, 3)


def test_turned_sizes_are_as_shown() -> None:
    made = hash_video(FIXTURES / "rotated-90.mp4")
    stored = hash_video(FIXTURES / "rotated-90.mp4", orientation="stored")
    assert (made.width_px, made.height_px) == (128, 72)
    assert (stored.width_px, stored.height_px) == (72, 128)


# Bits between the same frames in another coding and in constant.mp4: at most, on average.
# Frames of 128 x 72 pixels at this rate are 8 bits from themselves in a lossless coding.
CODINGS = {
    "ten-bit.mp4": (20, 10.0),
    "ten-bit-hevc.mp4": (24, 10.0),
    "full-range.mp4": (20, 10.0),
    "interlaced.mp4": (20, 10.0),
    "interlaced.mpg": (32, 14.0),
    "mpeg4.avi": (32, 14.0),
    "vp9.webm": (32, 14.0),
    "with-sound.mp4": (16, 4.0),
    "late-start.ts": (16, 4.0),
    "two-videos.mp4": (16, 4.0),
}


@pytest.mark.parametrize("fidelity", ["exact", "fast"])
@pytest.mark.parametrize("name", CODINGS)
def test_codings_do_not_matter_much(name: str, fidelity: Fidelity) -> None:
    moved = distances(hashes(name, fidelity=fidelity), hashes("constant.mp4", fidelity=fidelity))
    assert len(moved) == 30
    most, mean = CODINGS[name]
    assert max(moved) <= most
    assert np.mean(moved) <= mean


@pytest.mark.parametrize("name", [n for n in WHOLE if n != "black.mp4" and "rotated" not in n])
@pytest.mark.parametrize("fidelity", ["exact", "fast"])
def test_hashes_are_those_of_the_frames_as_pictures(name: str, fidelity: Fidelity) -> None:
    with av.open(str(FIXTURES / name)) as container:
        theirs = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    pairs = distances(
        hashes(name, fidelity=fidelity), [fp.hash_image(np.asarray(f, np.uint8)) for f in theirs]
    )
    assert max(pairs) <= 12
    assert np.mean(pairs) <= 3


def test_other_streams_of_a_file() -> None:
    for number, facts in enumerate(MANIFEST["two-videos.mp4"]["streams"]):
        made = hash_video(FIXTURES / "two-videos.mp4", sample="every:0", stream=number)
        assert len(made) == facts["frames"]
        assert (made.width_px, made.height_px) == (facts["width_px"], facts["height_px"])
    with pytest.raises(fp.DecodeError, match=r"has 2 video streams; there is no number 2"):
        hash_video(FIXTURES / "two-videos.mp4", stream=2)
    with pytest.raises(ValueError, match=r"stream: expected 0 or more, got -1"):
        hash_video(FIXTURES / "two-videos.mp4", stream=-1)


def test_a_stream_may_change_its_size() -> None:
    for threads in (0, 1):
        frames = frames_of(FIXTURES / "changing-size.ts", threads=threads)
        assert [f.shape for f in frames] == [(72, 128)] * 30 + [(64, 96)] * 30
        assert [f.rgb().shape for f in frames] == [(72, 128, 3)] * 30 + [(64, 96, 3)] * 30
        assert {f.rgb(40, 30).shape for f in frames} == {(30, 40, 3)}
        assert [f.grey().shape for f in frames] == [(72, 128)] * 30 + [(64, 96)] * 30


def test_recordings_one_after_another() -> None:
    """A broadcast whose clock begins anew in the middle."""
    shot = pictures(6, 45, (128, 96))
    one = raw(shot, "yuv420p", "mpegts", codec="libx264", options={"g": "15"})
    with open_video(one + one) as reader:
        times = [f.time_s for f in reader.frames()]
        assert reader.duration_s == pytest.approx(3.0, abs=0.1)
    assert len(times) == 90
    assert np.diff(times) == pytest.approx(np.full(89, 1 / 30), abs=0.05)
    made = hash_video(one + one, sample="every:0.5")
    assert made.start_s == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5, 89 / 30], abs=0.06)


def with_sounds(count: int) -> bytes:
    """Return a broadcast of a second with so many languages."""
    out = io.BytesIO()
    with av.open(out, "w", format="mpegts") as file:
        video = file.add_stream("libx264", 30)
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        sounds = [file.add_stream("mp2", 48000, layout="mono") for _ in range(count)]
        for pixels in pictures(8, 30, (128, 96)):
            file.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        file.mux(video.encode())
        for sound in sounds:
            for at in range(0, 46080, 1152):
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16", "mono")
                samples.sample_rate, samples.pts = 48000, at
                file.mux(sound.encode(samples))
            file.mux(sound.encode())
    return out.getvalue()


def test_streams_may_begin_later() -> None:
    """PyAV looks for them in a list that it made before; what it finds there is chance."""
    data = with_sounds(0) * 15 + with_sounds(40)
    for threads in (0, 1):
        made = hash_video(data, sample="every:0", threads=threads)
        assert len(made) == 16 * 30
        assert made.damage == ""


def test_negative_times_begin_at_nothing() -> None:
    shot = pictures(7, 10)
    data = raw(shot, pts=[n - 100 for n in range(10)], container="nut")
    assert [f.time_s for f in frames_of(data)] == pytest.approx([n / 30 for n in range(10)])


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("name", BROKEN)
def test_broken_tails_keep_what_can_be_decoded(name: str, threads: int) -> None:
    facts = MANIFEST[name]
    made = hash_video(FIXTURES / name, sample="every:0", threads=threads)
    assert facts["at_least_frames"] <= len(made) <= facts["at_most_frames"]
    # The very last one may refer to frames that are gone.
    assert made.start_s[:-1] == pytest.approx([n / 30 for n in range(len(made) - 1)], abs=1e-3)
    if name.endswith(".ts"):  # It states no length, and was cut between two packets.
        return
    assert made.damage
    with pytest.raises(fp.DecodeError) as caught:
        hash_video(FIXTURES / name, threads=threads, damaged="raise")
    assert made.damage in str(caught.value)
    assert name in caught.value.source


@pytest.mark.parametrize("name", ["constant.mp4", "interlaced.mpg", "mpeg4.avi", "late-start.ts"])
def test_damage_in_the_middle_is_told(name: str) -> None:
    data = bytearray((FIXTURES / name).read_bytes())
    chance = np.random.default_rng(1)
    for at in chance.integers(len(data) // 3, 2 * len(data) // 3, 20).tolist():
        data[at] ^= int(chance.integers(1, 256))
    made = hash_video(bytes(data), sample="every:0", threads=1)
    assert made.damage
    assert len(made) >= 15
    with pytest.raises(fp.DecodeError, match=r"damaged|decoded|missing"):
        hash_video(bytes(data), damaged="raise", threads=1)
