"""Videos to test decoding with: the fixtures and what is true of them, and others made here."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from fingerprint.evaluate.video_synthesis import moving_frames
from fingerprint.media.video import open_video
from fingerprint.media.video_frame import VideoFrame
from fingerprint.typing import U8

FIXTURES = Path(__file__).parent.parent / "data" / "fixtures" / "video"
MANIFEST: dict[str, dict[str, Any]] = json.loads((FIXTURES / "manifest.json").read_text())
WHOLE = sorted(name for name, facts in MANIFEST.items() if "times_s" in facts)
REFUSED = sorted(name for name, facts in MANIFEST.items() if "error" in facts)
BROKEN = sorted(name for name in MANIFEST if name.startswith("broken"))


def pictures(seed: int, count: int, size: tuple[int, int] = (160, 120)) -> list[U8]:
    """Frames of one moving shot."""
    return list(moving_frames(seed, count / 30, size, 30, shot_s=(1000, 1001)))


def raw(
    frames: Sequence[U8],
    pixel_format: str = "rgb24",
    container: str = "nut",
    *,
    codec: str = "rawvideo",
    options: dict[str, str] | None = None,
    rate: int = 30,
    pts: Sequence[int] | None = None,
) -> bytes:
    """Return the bytes of a video; losslessly coded unless ``codec`` says otherwise."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.options = dict(options or {})
        stream.codec_context.thread_count = 1
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=pixel_format)
            frame.pts = pts[number] if pts else number
            frame.time_base = Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return out.getvalue()


def frames_of(source: Any, **options: Any) -> list[VideoFrame]:
    with open_video(source, **options) as reader:
        return list(reader.frames())


def long_video(count: int, size: tuple[int, int] = (128, 72)) -> bytes:
    """Return a Matroska file of so many frames: one shot again and again."""
    shot = raw(pictures(11, 300, size), "yuv420p", "mp4", codec="libx264")
    out = io.BytesIO()
    with av.open(io.BytesIO(shot), "r") as source, av.open(out, "w", format="matroska") as file:
        stream = source.streams.video[0]
        copy = file.add_stream_from_template(stream)
        packets = [p for p in source.demux(stream) if p.size]
        times = [(p.pts, p.dts) for p in packets]
        base = stream.time_base
        assert base is not None
        for turn in range(count // len(packets)):
            later = round(turn * len(packets) / 30 / base)
            for packet, (pts, dts) in zip(packets, times, strict=True):
                assert pts is not None
                assert dts is not None
                packet.pts, packet.dts, packet.time_base = pts + later, dts + later, base
                packet.stream = copy
                file.mux(packet)
    return out.getvalue()


class NoSeek:
    """A file that is read from the beginning to the end."""

    def __init__(self, data: bytes, most: int = 5000) -> None:
        self._file = io.BytesIO(data)
        self._most = most

    def read(self, size: int = -1) -> bytes:
        return self._file.read(min(size, self._most))


class Bad(io.BytesIO):
    """A file that does something else after so many bytes."""

    def __init__(self, data: bytes, after: int, act: Callable[[bytes], Any]) -> None:
        super().__init__(data)
        self._after = after
        self._act = act

    def read(self, size: int | None = -1) -> bytes:
        at = self.tell()
        data = super().read(size)
        return data if at < self._after else self._act(data)
