"""Videos: untrusted bytes to frames, through PyAV (FFmpeg)."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from fingerprint.errors import DecodeError, FingerprintError, LimitExceededError, redacted
from fingerprint.media.limits import DEFAULT_VIDEO_LIMITS, VideoLimits
from fingerprint.media.source import describe
from fingerprint.media.video_frame import AS_STORED, Turn, VideoFrame, turn_of_matrix
from fingerprint.media.video_source import DigestingReader, open_bytes

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from fingerprint.typing import Orientation, VideoSource

__all__ = ["CONTAINERS", "VideoInfo", "VideoReader", "open_video"]

CONTAINERS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf", "ogg"),
    *("gif", "apng", "ivf", "h264", "hevc", "m4v", "mxf", "nut", "rm", "dv", "wtv", "yuv4mpegpipe"),
)
"""FFmpeg's names of the containers that are read: none that names other files to open."""

_BUFFER_NBYTES = 1 << 18
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
        What the file states.
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
        from av.video.reformatter import VideoReformatter

        self._container = container
        self._stream = stream
        self._name = name
        self._reader = reader
        self._limits = limits
        self._upright = orientation == "upright"
        self._reformatter = VideoReformatter()
        self._first: VideoFrame | None = None
        self._source = self._decoded()
        self._begun = False
        self.damage = ""
        self.duration_s = 0.0
        self._started = monotonic()
        self._keyframes_only = False
        self.info = self._info_of(AS_STORED)

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
            Set by another thread to end early.

        Raises
        ------
        DecodeError
            Nothing can be decoded.
        LimitExceededError
            A frame is too large, there are too many, or it takes too long.
        """
        if self._begun:
            raise ValueError("frames: expected to be read once; open the video again")
        self._begun = True
        self._keyframes_only = keyframes_only
        if keyframes_only:
            self._stream.codec_context.skip_frame = "NONKEY"
        n = 0
        for frame in self._source:
            if stop is not None and stop.is_set():
                return
            n += 1
            if n > self._limits.max_frames:
                raise LimitExceededError(self._name, "max_frames", n, self._limits.max_frames)
            yield frame
        if not n:
            raise DecodeError(self._name, self.damage or "has no frame that can be decoded")
        self._look_for_missing_end(n)

    def digests(self) -> dict[str, str]:
        """Return MD5, SHA-1 and SHA-256 of the file as hex; reads what was not read yet."""
        return self._reader.digests()

    def _decoded(self) -> Iterator[VideoFrame]:
        import av

        base = self._stream.time_base
        turn: Turn | None = None
        start: int | None = None
        last_s = -1.0
        step_s = 1.0 / self.info.frame_rate if self.info.frame_rate else 0.04
        number = 0
        for packet in self._packets():
            if self._keyframes_only and packet.size and not packet.is_keyframe:
                continue
            try:
                decoded = packet.decode()
            except av.FFmpegError as error:
                self._check_refusal(error)
                self._note(f"some of it cannot be decoded ({_reason(error)})")
                continue
            for frame in decoded:
                if turn is None:
                    turn = self._turn_of(frame)
                    self.info = self._info_of(turn)
                self._check_size(frame.width, frame.height)
                pts = frame.pts if frame.pts is not None else frame.dts
                if start is None and pts is not None:
                    start = pts
                if pts is None or start is None or base is None:
                    time_s = last_s + step_s
                else:
                    time_s = float((pts - start) * base)
                if time_s <= last_s:  # A broken clock; frames come in order of presentation.
                    time_s = last_s + min(step_s, 1e-3)
                last_s = max(time_s, 0.0)
                lasts = frame.duration * base if frame.duration and base is not None else step_s
                self.duration_s = last_s + float(lasts)
                yield VideoFrame(frame, number, last_s, turn, self._reformatter)
                number += 1

    def _packets(self) -> Iterator[Packet[Any]]:
        import av

        packets = self._container.demux(self._stream)
        while True:
            spent = monotonic() - self._started
            if spent > self._limits.max_time_s:
                limit_s = self._limits.max_time_s
                raise LimitExceededError(self._name, "max_time_s", round(spent, 3), limit_s)
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                _raise_own(error)
                self._note(f"it cannot be read to its end ({_reason(error)})")
                return
            yield packet

    def _turn_of(self, frame: Any) -> Turn:
        from av.sidedata.sidedata import Type

        if not self._upright:
            return AS_STORED
        matrix = frame.side_data.get(Type.DISPLAYMATRIX)
        return AS_STORED if matrix is None else turn_of_matrix(bytes(matrix))

    def _info_of(self, turn: Turn) -> VideoInfo:
        stream, context = self._stream, self._stream.codec_context
        rate = stream.average_rate or stream.base_rate
        width, height = context.width, context.height
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
        text = stream.metadata.get("DURATION", "")  # Matroska's, of the stream
        try:
            hours, minutes, seconds = text.split(":")
            return max(0.0, 3600 * int(hours) + 60 * int(minutes) + float(seconds))
        except ValueError:
            return max(0.0, (self._container.duration or 0) / 1e6)

    def _check_refusal(self, error: av.FFmpegError) -> None:
        """Raise LimitExceededError where the decoder, which knows our limit, refused a size.

        It forgets the size that it refuses.
        """
        context = self._stream.codec_context
        if error.errno == errno.EINVAL and not context.width:
            most = self._limits.max_pixels
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
    import av

    name = describe(source)
    if orientation not in {"upright", "stored"}:
        raise ValueError(f"orientation: expected 'upright' or 'stored', got {orientation!r}")
    if threads < 0:
        raise ValueError(f"threads: expected 0 or more, got {threads}")
    file, is_ours = open_bytes(source)
    try:
        reader = DigestingReader(file, name, limits.max_nbytes, wanted=digests)
        options = {
            "format_whitelist": ",".join(CONTAINERS),
            "protocol_whitelist": "none",
            "max_pixels": str(limits.max_pixels),
        }
        try:
            container = av.open(
                reader,
                "r",
                options=options,
                buffer_size=_BUFFER_NBYTES,
                metadata_errors="replace",
            )
        except av.FFmpegError as error:
            _raise_own(error)
            raise DecodeError(name, f"is not a video: {_reason(error)}") from error
        except ValueError as error:
            raise DecodeError(name, f"is not a video: {redacted(error)}") from error
        with container:
            chosen = _chosen(container, stream, name)
            context = chosen.codec_context
            if context.width * context.height > limits.max_pixels:
                raise LimitExceededError(
                    name, "max_pixels", context.width * context.height, limits.max_pixels
                )
            context.options = {"max_pixels": str(limits.max_pixels)}
            context.thread_count = threads
            context.thread_type = "NONE" if threads == 1 else "AUTO"
            yield VideoReader(container, chosen, name, reader, orientation, limits)
    finally:
        if is_ours:
            file.close()


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


def _raise_own(error: BaseException) -> None:
    """Raise what our reader raised while FFmpeg was reading, if that is what happened."""
    for one in (error, error.__cause__, error.__context__):
        if isinstance(one, FingerprintError):
            raise one


def _reason(error: Any) -> str:
    return redacted(getattr(error, "strerror", None) or type(error).__name__)
