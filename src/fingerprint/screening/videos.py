"""A video's hashes, each computed once for all lists."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, cast

from fingerprint.errors import DecodeError, UnsupportedOperationError
from fingerprint.hashes import Hash

if TYPE_CHECKING:
    from fingerprint.media import VideoLimits
    from fingerprint.screening.upload import Upload
    from fingerprint.video import TMKFeature, VideoHash

__all__ = ["HashedVideo", "frames_of", "hash_frames", "hash_tmk_feature", "laid"]


@dataclass(slots=True)
class HashedVideo:
    """What screening knows of a video.

    Attributes
    ----------
    frames : dict
        Hashes of frames by reading: ``"upright"``, and ``"stored"`` where players turn it.
    tmk : TMKFeature or None
        Where a list has such.
    damage : str
        Why not all of it could be decoded.
    notes : list of str
        What was not asked.
    """

    frames: dict[str, VideoHash] = field(default_factory=dict)
    tmk: TMKFeature | None = None
    damage: str = ""
    notes: list[str] = field(default_factory=list)


def hash_frames(
    upload: Upload,
    hashed: HashedVideo,
    sample: str,
    limits: VideoLimits,
    *,
    stored: bool,
    trim: bool,
) -> None:
    """Hash frames of a video, turned as players do and, where that differs, as stored.

    ``trim`` hashes them without bars as well.

    Raises
    ------
    DecodeError
        Nothing can be decoded.
    """
    from fingerprint.video import hash_video

    upright = hash_video(_file(upload), sample=sample, trim=trim, limits=limits)
    hashed.frames["upright"] = upright
    hashed.damage = upright.damage
    if not stored:
        return
    try:
        turned = _is_turned(upload, limits)
    except UnsupportedOperationError:
        hashed.notes.append("its frames were not looked up as stored: it can be read only once")
        return
    if turned:
        hashed.frames["stored"] = hash_video(
            upload.again(), sample=sample, orientation="stored", trim=trim, limits=limits
        )


def hash_tmk_feature(upload: Upload, hashed: HashedVideo, limits: VideoLimits) -> None:
    """Compute the TMK+PDQF feature of a video."""
    from fingerprint.video import hash_tmk

    source = upload.again() if hashed.frames else _file(upload)
    hashed.tmk = hash_tmk(source, limits=limits)
    hashed.damage = hashed.damage or hashed.tmk.damage


def laid(video: VideoHash, *, views: bool) -> dict[str, VideoHash]:
    """Return a video as it is and, with views, without its bars and mirrored."""
    found = {"identity": video}
    if views:
        if video.trimmed is not None:
            found["trimmed"] = replace(video, hashes=video.trimmed, trimmed=None, views={})
        for name, hashes in video.views.items():
            found[name] = replace(video, hashes=hashes, trimmed=None, views={})
    return found


def frames_of(video: VideoHash, min_quality: int) -> dict[str, Hash]:
    """Return the different frames of enough quality, by when they are shown."""
    found: dict[str, Hash] = {}
    seen: set[Hash] = set()
    good = video.of_quality(min_quality)
    for time_s, one in zip(good.start_s.tolist(), good.hashes, strict=True):
        if one not in seen:
            seen.add(one)
            found[f"frame@{time_s:.3f}s"] = one
    return found


def _file(upload: Upload) -> IO[bytes]:
    if upload.file is None:
        raise DecodeError(upload.label, "is not a video file")
    return cast("IO[bytes]", upload.file)


def _is_turned(upload: Upload, limits: VideoLimits) -> bool:
    from fingerprint.media.video import open_video

    with open_video(upload.again(), limits=limits, threads=1) as reader:
        with suppress(DecodeError):
            next(reader.frames())
        return reader.info.rotation != 0
