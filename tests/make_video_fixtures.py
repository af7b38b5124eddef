"""Makes ``data/fixtures/video``: small generated clips, sound, odd and damaged.

``manifest.json`` there says what is true of each. Where a file can be decoded, what it
says was known before it was written (counts, times, sizes), not read back.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from fingerprint.evaluate.video_synthesis import moving_frames
from fingerprint.typing import U8

FOLDER = Path(__file__).parent.parent / "data" / "fixtures" / "video"
SIZE = (128, 72)
RATE = 30
VARIABLE_MS = (0, 33, 67, 100, 400, 433, 467, 1200, 1233, 1267, 1300, 2000, 2040, 2080, 2900)
HUGE_PX = 16000

Manifest = dict[str, dict[str, Any]]


def scene(seed: int, count: int, size: tuple[int, int] = SIZE) -> list[U8]:
    return list(moving_frames(seed, count / RATE, size, RATE, shot_s=(0.6, 1.2)))


def write(
    name: str,
    frames: Sequence[U8],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: int = RATE,
    pts_ms: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    rotation: int = 0,
    flags: int = 0,
    is_full_range: bool = False,
    audio_s: float = 0,
    more: Iterable[Sequence[U8]] = (),
) -> dict[str, Any]:
    """Write frames into FOLDER; return what is true of the file."""
    base = Fraction(1, 1000) if pts_ms else Fraction(1, rate)
    # Without mbtree: with it, x264 does not always write the same bytes.
    x264 = {"crf": "24", "preset": "medium", "x264-params": "mbtree=0"}
    quality = x264 if codec == "libx264" else {}
    with av.open(str(FOLDER / name), "w", options={"fflags": "+bitexact"} | (muxer or {})) as out:
        videos = []
        for pictures in (frames, *more):
            stream = out.add_stream(codec, rate)
            assert isinstance(stream, av.VideoStream)
            stream.codec_context.thread_count = 1
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = pix_fmt
            stream.options = {**quality, **(options or {})}
            stream.codec_context.time_base = base
            stream.codec_context.flags |= flags
            if is_full_range:
                stream.codec_context.color_range = 2
            if rotation:
                stream.set_display_rotation(rotation)
            videos.append((stream, pictures))
        sound = out.add_stream("aac", 16000) if audio_s else None
        for stream, pictures in videos:
            for number, pixels in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
                if is_full_range or pix_fmt != "yuv420p":
                    frame = frame.reformat(
                        format=pix_fmt, dst_color_range=2 if is_full_range else 1
                    )
                frame.pts = pts_ms[number] if pts_ms else number
                frame.time_base = base
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
        if sound is not None:
            for packet in tones(sound, audio_s):
                out.mux(packet)
    height, width = frames[0].shape[:2]
    times_s = [pts / 1000 for pts in pts_ms] if pts_ms else [n / rate for n in range(len(frames))]
    turned = rotation % 180 != 0
    return {
        "frames": len(frames),
        "times_s": [round(t, 6) for t in times_s],
        "width_px": height if turned else width,
        "height_px": width if turned else height,
        "rotation": rotation,
    }


def tones(stream: Any, seconds: float) -> Iterable[Any]:
    rate = 16000
    at = np.arange(round(seconds * rate)) / rate
    wave = (np.sin(2 * np.pi * 440 * at) * 8000).astype(np.int16)
    for start in range(0, wave.size, 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield stream.encode(frame)
    yield stream.encode()


def ordinary() -> Manifest:
    """Files that decode to their end, one peculiarity each."""
    frames = scene(1, 60)
    barred = [np.pad(f[8:-8], ((8, 8), (0, 0), (0, 0))) for f in frames]
    pillared = [np.pad(f[:, 20:-20], ((0, 0), (20, 20), (0, 0))) for f in frames]
    made: Manifest = {
        "constant.mp4": write("constant.mp4", frames),
        "variable.mkv": write("variable.mkv", scene(2, len(VARIABLE_MS)), pts_ms=VARIABLE_MS),
        "variable.mp4": write("variable.mp4", scene(2, len(VARIABLE_MS)), pts_ms=VARIABLE_MS),
    }
    for turn in (90, 180, 270):
        # The counter-clockwise turn that makes the picture upright, as FFmpeg counts.
        stored = [np.ascontiguousarray(np.rot90(f, -turn // 90)) for f in frames[:30]]
        name = f"rotated-{turn}.mp4"
        made[name] = write(name, stored, rotation=turn)
        made[name]["upright_like"] = "constant.mp4"
    ten = ("yuv420p10le", {"profile": "high10"})
    made |= {
        "ten-bit.mp4": write("ten-bit.mp4", frames[:30], pix_fmt=ten[0], options=ten[1]),
        "ten-bit-hevc.mp4": write(
            "ten-bit-hevc.mp4",
            frames[:30],
            codec="libx265",
            pix_fmt=ten[0],
            options={"crf": "24", "x265-params": "log-level=none:pools=none:frame-threads=1"},
        ),
        "full-range.mp4": write(
            "full-range.mp4", frames[:30], pix_fmt="yuvj420p", is_full_range=True
        ),
        "interlaced.mp4": write(
            "interlaced.mp4", frames[:30], options={"x264-params": "mbtree=0:tff=1:interlaced=1"}
        ),
        "interlaced.mpg": write(
            "interlaced.mpg",
            frames[:30],
            codec="mpeg2video",
            flags=int(av.codec.context.Flags.interlaced_dct | av.codec.context.Flags.interlaced_me),
            options={"b": "200000"},
        ),
        "letterboxed.mp4": write("letterboxed.mp4", barred),
        "pillarboxed.mp4": write("pillarboxed.mp4", pillared),
        "two-videos.mp4": write("two-videos.mp4", frames[:30], more=[scene(3, 45, (96, 64))]),
        "with-sound.mp4": write("with-sound.mp4", frames[:30], audio_s=1.0),
        "late-start.ts": write("late-start.ts", frames[:30], muxer={"output_ts_offset": "100"}),
        "mpeg4.avi": write("mpeg4.avi", frames[:30], codec="mpeg4", options={"b": "200000"}),
        "vp9.webm": write(
            "vp9.webm", frames[:30], codec="libvpx-vp9", options={"crf": "40", "b": "0"}
        ),
        "one-frame.mp4": write("one-frame.mp4", frames[:1]),
        "black.mp4": write("black.mp4", [np.zeros_like(f) for f in frames[:30]]),
    }
    made["variable.mkv"]["why"] = made["variable.mp4"]["why"] = "variable frame rate"
    made["late-start.ts"]["why"] = "the first presentation time in the file is over 100 s"
    made["full-range.mp4"]["why"] = "yuvj420p: luma from 0 to 255"
    made["letterboxed.mp4"] |= {
        "why": "black bars of 8 px above and below",
        "bars_px": [8, 8, 0, 0],
    }
    made["pillarboxed.mp4"] |= {
        "why": "black bars of 20 px at the sides",
        "bars_px": [0, 0, 20, 20],
    }
    made["two-videos.mp4"]["streams"] = [
        {"frames": 30, "width_px": 128, "height_px": 72},
        {"frames": 45, "width_px": 96, "height_px": 64},
    ]
    made["with-sound.mp4"]["audio_s"] = 1.0
    return made | animation(frames) | {"changing-size.ts": changing_size(frames)}


def changing_size(frames: Sequence[U8]) -> dict[str, Any]:
    """Write a broadcast that goes on in another resolution after its first second."""
    small = scene(3, 30, (96, 64))
    first = write("changing-size.ts", frames[:30], muxer={"output_ts_offset": "10"})
    write("rest.ts", small, muxer={"output_ts_offset": "11"})
    rest = FOLDER / "rest.ts"
    with (FOLDER / "changing-size.ts").open("ab") as out:
        out.write(rest.read_bytes())
    rest.unlink()
    times_s = [round(n / RATE, 6) for n in range(60)]
    return first | {"frames": 60, "times_s": times_s, "why": "96 × 64 pixels after 30 frames"}


def animation(frames: Sequence[U8]) -> Manifest:
    from PIL import Image

    small = [Image.fromarray(f).resize((64, 36)).quantize(32) for f in frames[:40:4]]
    small[0].save(
        FOLDER / "animation.gif", save_all=True, append_images=small[1:], duration=100, loop=0
    )
    about = {"width_px": 64, "height_px": 36, "rotation": 0}
    return {
        "animation.gif": {"frames": 10, "times_s": [round(n / 10, 6) for n in range(10)], **about}
    }


def damaged() -> Manifest:
    """Files whose end is missing, or that have no frames at all."""
    frames = scene(4, 60)
    made: Manifest = {}
    plans: tuple[tuple[str, dict[str, str]], ...] = (
        ("mkv", {}),
        ("ts", {}),
        ("mp4", {"movflags": "+faststart"}),
    )
    for suffix, muxer in plans:
        name = f"broken-tail.{suffix}"
        whole = write(name, frames, muxer=muxer, options={"g": "15"})
        cut(name, 0.6)
        made[name] = {
            "at_most_frames": whole["frames"] - 1,
            "at_least_frames": 15,
            "why": "cut off after 60 % of its bytes",
            **{key: whole[key] for key in ("width_px", "height_px", "rotation")},
        }
    write("no-index.mp4", frames[:30])
    cut("no-index.mp4", 0.6)
    made["no-index.mp4"] = {"error": "DecodeError", "why": "cut off before its moov box"}
    (FOLDER / "garbage.mp4").write_bytes(np.random.default_rng(5).bytes(2000))
    made["garbage.mp4"] = {"error": "DecodeError", "why": "random bytes"}
    (FOLDER / "empty.mp4").write_bytes(b"")
    made["empty.mp4"] = {"error": "DecodeError", "why": "no bytes"}
    with av.open(str(FOLDER / "sound-only.mp4"), "w", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("aac", 16000)
        for packet in tones(stream, 1.0):
            out.mux(packet)
    made["sound-only.mp4"] = {"error": "DecodeError", "why": "no video stream", "audio_s": 1.0}
    made["no-frames.mp4"] = without_frames(frames)
    return made


def cut(name: str, share: float) -> None:
    data = (FOLDER / name).read_bytes()
    (FOLDER / name).write_bytes(data[: int(len(data) * share)])


def without_frames(frames: Sequence[U8]) -> dict[str, Any]:
    """Write an initialisation segment: a header with a stream, and no fragment after it."""
    write("no-frames.mp4", frames[:5], muxer={"movflags": "+frag_keyframe+empty_moov"})
    data = (FOLDER / "no-frames.mp4").read_bytes()
    (FOLDER / "no-frames.mp4").write_bytes(data[: data.index(b"moof") - 4])
    return {"error": "DecodeError", "why": "a video stream of zero frames", "frames": 0}


def hostile() -> Manifest:
    """Files that try to read others, or to make the decoder allocate gigabytes."""
    (FOLDER / "playlist.m3u8").write_text(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
        "#EXTINF:2.0,\nfile:///etc/passwd\n#EXTINF:2.0,\nlate-start.ts\n#EXT-X-ENDLIST\n"
    )
    (FOLDER / "playlist.mp4").write_bytes((FOLDER / "playlist.m3u8").read_bytes())
    script = "ffconcat version 1.0\nfile 'constant.mp4'\nfile '/etc/passwd'\n"
    (FOLDER / "script.ffconcat").write_text(script)
    (FOLDER / "script.mp4").write_text(script)
    refused = {"error": "DecodeError", "why": "names other files to be read"}
    made: Manifest = {
        name: dict(refused)
        for name in ("playlist.m3u8", "playlist.mp4", "script.ffconcat", "script.mp4")
    }
    made["huge.avi"] = huge()
    made["huge-claim.gif"] = huge_claim()
    return made


def huge() -> dict[str, Any]:
    """Write a grey frame of 16000 × 16000: 256 megapixels in a few kilobytes."""
    with av.open(str(FOLDER / "huge.avi"), "w", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("utvideo", 25)
        stream.codec_context.thread_count = 1
        stream.width = stream.height = HUGE_PX
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame(HUGE_PX, HUGE_PX, "yuv420p")
        for plane in frame.planes:
            plane.update(b"\x80" * plane.buffer_size)
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    why = "one true frame of 256 megapixels"
    size = {"width_px": HUGE_PX, "height_px": HUGE_PX}
    return {"error": "LimitExceededError", "why": why, "frames": 1, **size}


def huge_claim() -> dict[str, Any]:
    """Write a small animation whose header claims a screen of 16000 × 16000."""
    data = bytearray((FOLDER / "animation.gif").read_bytes())
    data[6:10] = struct.pack("<HH", HUGE_PX, HUGE_PX)
    (FOLDER / "huge-claim.gif").write_bytes(data)
    size = {"width_px": HUGE_PX, "height_px": HUGE_PX}
    return {"error": "LimitExceededError", "why": "a header that claims 256 megapixels", **size}


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    made = ordinary() | damaged() | hostile()
    text = json.dumps(made, indent=1, ensure_ascii=False)
    (FOLDER / "manifest.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
