"""Videos: untrusted bytes to frames, through PyAV (FFmpeg)."""

from __future__ import annotations

import errno
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fingerprint.errors import DecodeError, LimitExceededError, redacted
from fingerprint.media.limits import DEFAULT_VIDEO_LIMITS, VideoLimits
from fingerprint.media.source import describe
from fingerprint.media.video_clock import Clock, seconds_of
from fingerprint.media.video_frame import (
    AS_STORED,
    PixelConverter,
    Turn,
    VideoFrame,
    turn_of_matrix,
)
from fingerprint.media.video_source import DigestingReader, open_bytes

if TYPE_CHECKING:
    from av import VideoFrame as DecodedFrame
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

    from fingerprint.typing import Orientation, VideoSource

__all__ = ["CONTAINERS", "VideoInfo", "VideoReader", "check_video_options", "open_video"]

CONTAINERS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf", "ogg"),
    *("gif", "apng", "ivf", "h264", "hevc", "m4v", "mxf", "nut", "rm", "dv", "wtv", "yuv4mpegpipe"),
)
"""FFmpeg's names of the containers that are read: none that names other files to open."""

_BUFFER_NBYTES = 1 << 18
_MAX_STREAMS = 256
_SHORT_S = 0.5
"""Less video than the file states, by this much, is damage; containers round."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file states of its video.

    Parameters
    ----------
    width_px, height_px : int
        Size as shown.
    duration_s : float
        Of the video stream, or else of the file; 0 when neither says.
    frame_rate : float
        Frames a second on average, or else the lowest rate that times are exact in; 0 when
        neither is known. What the vPDQ reference goes by.
    n_frames : int
        As stated; 0 when it is not.
    rotation : int
        Degrees clockwise by which players turn the stored picture.
    codec, container, pixel_format : str
        FFmpeg's names.
    """

    width_px: int
    height_px: int
    duration_s: float
    frame_rate: float
    n_frames: int
    rotation: int
    codec: str
    container: str
    pixel_format: str


class VideoReader:
    """An open video; `open_video` makes them.

    Attributes
    ----------
    info : VideoInfo
        What the file states; how the picture is turned is known with the first frame.
    damage : str
        Why not all of it could be decoded; complete when `frames` has ended. Empty when
        all could.
    duration_s : float
        Up to the end of the last frame that `frames` gave so far.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        name: str,
        reader: DigestingReader,
        orientation: Orientation,
        limits: VideoLimits,
    ) -> None:
        self._container = container
        self._stream = stream
        self._name = name
        self._reader = reader
        self._limits = limits
        self._upright = orientation == "upright"
        self._source = self._decoded()
        self._begun = False
        self._closed = False
        self._keyframes_only = False
        self.damage = ""
        self.duration_s = 0.0
        self.info = self._info_of(AS_STORED, stream.codec_context)

    def frames(
        self, *, keyframes_only: bool = False, stop: threading.Event | None = None
    ) -> Iterator[VideoFrame]:
        """Iterate over the frames in the order of presentation, once.

        Parameters
        ----------
        keyframes_only : bool
            Decode nothing but frames that are coded by themselves. They are numbered
            among themselves.
        stop : threading.Event, optional
            Set by another thread to give up.

        Raises
        ------
        DecodeError
            Nothing can be decoded, the file cannot be read, or ``stop`` was set.
        LimitExceededError
            A frame is too large, there are too many, or it takes too long.
        """
        self._check_open()
        if self._begun:
            raise ValueError("frames: expected to be read once; open the video again")
        self._begun = True
        self._keyframes_only = keyframes_only
        self._reader.stop = stop
        if keyframes_only:
            self._stream.codec_context.skip_frame = "NONKEY"
        n = 0
        for frame in self._source:
            n += 1
            if n > self._limits.max_frames:
                raise LimitExceededError(self._name, "max_frames", n, self._limits.max_frames)
            yield frame
        if not n:
            raise DecodeError(self._name, self.damage or "has no frame that can be decoded")
        self._look_for_missing_end(n)

    def digests(self) -> dict[str, str]:
        """Return MD5, SHA-1 and SHA-256 of the file as hex; reads what was not read yet."""
        self._check_open()
        return self._reader.digests()

    def close(self) -> None:
        """End; `open_video` does it. FFmpeg must not be asked for anything afterwards."""
        self._closed = True
        self._source.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self._name}: expected an open video, got a closed one")

    def _decoded(self) -> Generator[VideoFrame, None, None]:
        clock = Clock(self._stream.time_base, self.info.frame_rate)
        converter = PixelConverter(self._name)
        turn: Turn | None = None
        number = 0
        for packet in self._packets():
            for frame in self._frames_of(packet):
                self._check_size(frame.width, frame.height)
                if turn is None:
                    turn = self._turn_of(frame)
                    self.info = self._info_of(turn, frame)
                time_s = clock.time_s(frame.dts if frame.pts is None else frame.pts, frame.duration)
                if frame.is_corrupt:
                    self._note(f"its frame at {time_s:.3f} s is damaged")
                self.duration_s = clock.end_s
                yield VideoFrame(frame, number, time_s, turn, converter)
                number += 1

    def _packets(self) -> Iterator[Packet[Any] | None]:
        """Yield what is to be decoded; None: give out what waits in the decoder."""
        import av

        packets = self._container.demux(self._stream)
        while True:
            self._check_open()
            self._reader.check_progress()
            try:
                packet = next(packets, None)
            except (av.FFmpegError, IndexError) as error:
                self._reader.raise_failure()
                if not isinstance(error, IndexError):  # PyAV's, for streams that begin later.
                    self._note(f"it cannot be read to its end ({_reason(error)})")
                yield None
                return
            self._reader.raise_failure()
            if packet is None:
                return
            if packet.is_keyframe or not (self._keyframes_only and packet.size):
                yield packet

    def _frames_of(self, packet: Packet[Any] | None) -> list[DecodedFrame]:
        import av

        try:
            return self._stream.codec_context.decode(packet)
        except av.EOFError:  # It was emptied before.
            return []
        except (av.FFmpegError, ValueError, RuntimeError) as error:
            self._check_refusal(error)
            self._note(f"some of it cannot be decoded ({_reason(error)})")
            return []

    def _turn_of(self, frame: Any) -> Turn:
        from av.sidedata.sidedata import Type

        if not self._upright:
            return AS_STORED
        matrix = frame.side_data.get(Type.DISPLAYMATRIX)
        return AS_STORED if matrix is None else turn_of_matrix(bytes(matrix))

    def _info_of(self, turn: Turn, sized: DecodedFrame | VideoCodecContext) -> VideoInfo:
        stream, context = self._stream, self._stream.codec_context
        rate = stream.average_rate or stream.base_rate
        width, height = sized.width, sized.height
        if turn.transposed:
            width, height = height, width
        return VideoInfo(
            width_px=width,
            height_px=height,
            duration_s=self._stated_duration_s(),
            frame_rate=float(rate) if rate else 0.0,
            n_frames=max(0, stream.frames),
            rotation=turn.rotation,
            codec=context.name,
            container=self._container.format.name,
            pixel_format=context.pix_fmt or "",
        )

    def _stated_duration_s(self) -> float:
        stream = self._stream
        if stream.duration and stream.time_base:
            return max(0.0, float(stream.duration * stream.time_base))
        own_s = seconds_of(stream.metadata.get("DURATION", ""))  # Matroska's, of the stream
        return own_s or max(0.0, (self._container.duration or 0) / 1e6)

    def _check_refusal(self, error: Exception) -> None:
        """Raise LimitExceededError where the decoder, which knows our limit, refused a size."""
        context = self._stream.codec_context
        self._check_size(context.width, context.height)
        if getattr(error, "errno", 0) == errno.EINVAL and not context.width:
            most = self._limits.max_pixels  # Some forget the size that they refuse.
            raise LimitExceededError(self._name, "max_pixels", most + 1, most) from error

    def _check_size(self, width: int, height: int) -> None:
        most = self._limits.max_pixels
        if width * height > most:
            raise LimitExceededError(self._name, "max_pixels", width * height, most)

    def _note(self, damage: str) -> None:
        self.damage = self.damage or damage

    def _look_for_missing_end(self, n: int) -> None:
        """Note frames that the file promised and did not have."""
        stated = self.info
        if self._keyframes_only:
            return
        missing_s = self._own_duration_s() - self.duration_s
        if missing_s > _SHORT_S and n < (stated.n_frames or n + 1):
            self._note(f"its last {missing_s:.1f} of {stated.duration_s:.1f} s are missing")

    def _own_duration_s(self) -> float:
        """What the video stream states of itself: the file's may be that of the sound."""
        stream = self._stream
        own = stream.duration or stream.metadata.get("DURATION")
        lonely = len(self._container.streams) == 1
        return self._stated_duration_s() if own or lonely else 0.0


@contextmanager
def open_video(
    source: VideoSource,
    *,
    stream: int = 0,
    orientation: Orientation = "upright",
    limits: VideoLimits = DEFAULT_VIDEO_LIMITS,
    threads: int = 0,
    digests: bool = False,
) -> Iterator[VideoReader]:
    """Open a video for reading; no byte of it touches the disk.

    Only containers of `CONTAINERS` are read, and nothing that they point at.

    Parameters
    ----------
    source : path, bytes or binary file object
        A string is a path, never an address.
    stream : int
        Which of its video streams; pictures of covers come after real ones.
    orientation : {"upright", "stored"}
        Turn frames as players do, or leave them as stored, which is what most
        reference tools do.
    limits : VideoLimits
        Largest video that is accepted.
    threads : int
        Threads of the decoder; 0: as many as there are processors.
    digests : bool
        Whether `VideoReader.digests` will be asked for.

    Raises
    ------
    DecodeError
        It is no video, or has no such stream.
    LimitExceededError
        It is larger than ``limits``.
    """
    check_video_options(orientation, stream, threads)
    name = describe(source)
    file, is_ours = open_bytes(source)
    try:
        reader = DigestingReader(file, name, limits, wanted=digests)
        with _opened(reader, name, limits) as container:
            chosen = _chosen(container, stream, name)
            context = chosen.codec_context
            if context.width * context.height > limits.max_pixels:
                raise LimitExceededError(
                    name, "max_pixels", context.width * context.height, limits.max_pixels
                )
            context.options = {"max_pixels": str(limits.max_pixels)}
            context.thread_count = threads
            context.thread_type = "NONE" if threads == 1 else "AUTO"
            video = VideoReader(container, chosen, name, reader, orientation, limits)
            try:
                yield video
            finally:
                video.close()
    finally:
        if is_ours:
            file.close()


def check_video_options(orientation: object, stream: int, threads: int) -> None:
    """Raise ValueError for an option of `open_video` without meaning."""
    if orientation not in {"upright", "stored"}:
        raise ValueError(f"orientation: expected 'upright' or 'stored', got {orientation!r}")
    for option, value in (("stream", stream), ("threads", threads)):
        if value < 0:
            raise ValueError(f"{option}: expected 0 or more, got {value}")


def _opened(reader: DigestingReader, name: str, limits: VideoLimits) -> InputContainer:
    import av

    options = {
        "format_whitelist": ",".join(CONTAINERS),
        "protocol_whitelist": "none",
        "max_pixels": str(limits.max_pixels),
        "max_streams": str(_MAX_STREAMS),
    }
    try:
        container = av.open(
            reader, "r", options=options, buffer_size=_BUFFER_NBYTES, metadata_errors="replace"
        )
    except (av.FFmpegError, ValueError, RuntimeError) as error:
        reader.raise_failure()
        raise DecodeError(name, f"is not a video: {_reason(error)}") from error
    try:
        reader.raise_failure()
    except BaseException:
        container.close()
        raise
    return container


def _chosen(container: InputContainer, index: int, name: str) -> VideoStream:
    from av.stream import Disposition

    streams = [s for s in container.streams.video if s.codec_context is not None]
    streams.sort(key=lambda s: bool(s.disposition & Disposition.attached_pic))
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise DecodeError(name, f"has no video stream that can be decoded, but {kinds}")
    if not 0 <= index < len(streams):
        raise DecodeError(name, f"has {len(streams)} video streams; there is no number {index}")
    return streams[index]


def _reason(error: Exception) -> str:
    return redacted(getattr(error, "strerror", None) or str(error) or type(error).__name__)
