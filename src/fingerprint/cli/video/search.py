"""``fingerprint video search``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

import fingerprint as fp
from fingerprint.cli.common import (
    PICTURE_SUFFIXES,
    counted,
    errors,
    find_pictures,
    find_videos,
    printable,
    report_failures,
)
from fingerprint.cli.index.options import index_argument, key_value_option, residency_option
from fingerprint.cli.video.finding import Findings, Found
from fingerprint.cli.video.hashing import hash_videos, read_saved, tell_damage
from fingerprint.cli.video.options import (
    OF_QUERIES,
    Options,
    evidence_option,
    mirror_option,
    radius_option,
    thumbnails_option,
    video_options,
    videos_argument,
)
from fingerprint.cli.video.pictures import Look, bare_strip, draw, strip_of
from fingerprint.cli.video.saving import unused_path
from fingerprint.evaluate.wording import short_names
from fingerprint.results import VideoMatch
from fingerprint.video import VideoHash
from fingerprint.video.frame_matches import match_frames
from fingerprint.video.index import VideoIndex
from fingerprint.video.pairs import min_quality_of

__all__ = ["search"]


@click.command()
@index_argument
@videos_argument
@video_options(OF_QUERIES)
@radius_option
@mirror_option
@evidence_option
@click.option("--top", type=click.IntRange(1), help="At most so many matches each, the best.")
@key_value_option("--where", "Only what has metadata that say so.")
@residency_option
@click.option("--still", is_flag=True, help="PATHS are pictures: which videos show them, and when.")
@click.option(
    "--in-pictures",
    is_flag=True,
    help="INDEX is one of pictures (`fingerprint index`): which of them do the videos show?",
)
@click.option("--all-files", is_flag=True, help="In folders, try files of any suffix.")
@click.option(
    "--picture",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for a picture of each match: what matches where.",
)
@click.option(
    "--picture-format", type=click.Choice(["png", "html"]), default="png", show_default=True
)
@thumbnails_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file and line.")
def search(
    index_path: Path,
    paths: tuple[Path, ...],
    still: bool,
    in_pictures: bool,
    all_files: bool,
    folder: Path | None,
    picture_format: str,
    thumbnails: Look,
    as_json: bool,
    residency: Literal["mmap", "huge"],
    radius: int | None,
    mirrored: bool,
    min_evidence: float,
    top: int | None,
    where: dict[str, Any],
    **given: Any,
) -> int:
    """Find which seconds of videos are in those of an index, and where.

    PATHS are videos, hashes that `video hash --save` wrote, or folders of both. Queries are
    sampled every:0.5, half of what compare takes: --sample changes:16 finds more and takes
    longer.

    Exit status 0 when something matched, 1 when nothing did, 2 when a file could not be
    read or has too little in it.
    """
    if still and in_pictures:
        raise click.UsageError("--still and --in-pictures exclude each other")
    if folder is not None and (still or in_pictures):
        raise click.UsageError("--picture draws where videos match, not pictures")
    options = Options.of(given)
    findings = Findings(as_json=as_json, of_videos=not (still or in_pictures))
    if still:
        found = find_pictures(paths, all_files=all_files)
    else:
        found = find_videos(paths, all_files=all_files, or_saved=True)
    files = list(dict.fromkeys(found))
    if not files:
        raise click.UsageError("no files found; --all-files tries files of any suffix")
    asking: dict[str, Any] = {"radius": radius, "where": where or None}
    if in_pictures:
        with fp.Index.open(index_path, read_only=True, residency=residency) as pictures:
            _check_radius(radius, pictures.bits)
            for one in _hashed(files, pictures.algorithm, options):
                findings.add(_in_pictures(pictures, one, top, mirrored, asking))
    else:
        with VideoIndex.open(index_path, read_only=True, residency=residency) as index:
            _check_radius(radius, index.bits)
            asking["top"] = top
            if still:
                for picture in _stills(files, index.algorithm, mirrored=mirrored):
                    findings.add(_of_still(index, picture, asking))
            else:
                drawer = None if folder is None else _Drawer(folder, picture_format, thumbnails)
                asking["min_evidence"] = min_evidence
                for one in _hashed(files, index.algorithm, options):
                    findings.add(_in_videos(index, one, mirrored, asking))
                    if drawer is not None and not isinstance(one, fp.Failure):
                        drawer.draw(index, *one, findings.last, options)
    findings.tell()
    report_failures(findings.failures)
    if not (still or in_pictures) and any(map(_is_picture, findings.failures)):
        errors.print("--still looks up pictures", markup=False)
    return findings.status


def _is_picture(failure: fp.Failure) -> bool:
    return Path(failure.source).suffix.lower() in PICTURE_SUFFIXES


def _check_radius(radius: int | None, bits: int) -> None:
    if radius is not None and radius > bits:
        raise click.UsageError(f"--radius: the hashes have {bits} bits")


def _hashed(
    files: list[str], algorithm: str, options: Options
) -> Iterator[tuple[str, VideoHash, str | None] | fp.Failure]:
    """Yield name, hash and video of each query; saved hashes, which have no video, first."""
    videos = []
    for file in files:
        try:
            saved = read_saved(Path(file))
        except fp.FingerprintError as error:
            yield fp.Failure(file, error)
            continue
        if saved is None:
            videos.append(file)
        else:
            yield file, saved, None
    for result in hash_videos(videos, algorithm, options, len(videos)) if videos else ():
        if isinstance(result, fp.Failure):
            yield result
        else:
            tell_damage(result.source, result.video_hash)
            yield result.source, result.video_hash, result.source


def _in_videos(
    index: VideoIndex,
    query: tuple[str, VideoHash, str | None] | fp.Failure,
    mirrored: bool,
    asking: dict[str, Any],
) -> Found | fp.Failure:
    if isinstance(query, fp.Failure):
        return query
    name, video_hash, _ = query
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fp.LowQualityWarning)  # Said file by file.
        try:
            matches = index.search(video_hash, mirrored=mirrored, **asking)
        except fp.IncompatibleHashError as error:  # A saved one.
            return fp.Failure(name, error)
    return Found(name, tuple(matches), low=_has_too_little(video_hash))


def _in_pictures(
    pictures: fp.Index,
    query: tuple[str, VideoHash, str | None] | fp.Failure,
    top: int | None,
    mirrored: bool,
    asking: dict[str, Any],
) -> Found | fp.Failure:
    if isinstance(query, fp.Failure):
        return query
    name, video_hash, _ = query
    try:
        matches = match_frames(video_hash, pictures, mirrored=mirrored, **asking)
    except fp.IncompatibleHashError as error:
        return fp.Failure(name, error)
    return Found(name, tuple(matches[:top]), low=_has_too_little(video_hash))


def _of_still(
    index: VideoIndex, picture: tuple[str, dict[str, fp.Hash]] | fp.Failure, asking: dict[str, Any]
) -> Found | fp.Failure:
    if isinstance(picture, fp.Failure):
        return picture
    name, views = picture
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fp.LowQualityWarning)
        matches = index.search_image(views, **asking)
    quality = views["identity"].quality
    return Found(name, tuple(matches), low=quality is not None and quality < index.min_quality)


def _stills(
    files: list[str], algorithm: str, *, mirrored: bool
) -> Iterator[tuple[str, dict[str, fp.Hash]] | fp.Failure]:
    """Yield pictures' names and their hashes, as they are and mirrored."""
    for file in files:
        try:
            pixels = fp.decode(file).array
        except fp.DecodeError as error:
            yield fp.Failure(file, error)
            continue
        views = {"identity": fp.hash_image(pixels, algorithm)}
        if mirrored:  # Of the mirrored pixels: turning the hash itself costs some bits.
            turned = np.ascontiguousarray(pixels[:, ::-1])
            views["flip_y"] = fp.hash_image(turned, algorithm)
        yield file, views


def _has_too_little(video_hash: VideoHash) -> bool:
    return not len(video_hash.of_quality(min_quality_of(video_hash)))


class _Drawer:
    """Draws matches, each into a file of its own: ``query-1.png``, ``query-2.png``, …."""

    def __init__(self, folder: Path, form: str, look: Look) -> None:
        self._folder = folder
        self._form = form
        self._look = look
        self._taken: set[Path] = set()

    def draw(
        self,
        index: VideoIndex,
        name: str,
        video_hash: VideoHash,
        video: str | None,
        matches: tuple[VideoMatch, ...],
        options: Options,
    ) -> None:
        """Draw all matches of a query; of the other videos there are hashes alone."""
        if not matches:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        named = short_names([name, *(match.id for match in matches)])
        query = strip_of(named[name], video_hash, video, self._look, options)
        for number, match in enumerate(matches, 1):
            try:
                duration_s = index.get(match.id).video_hash.duration_s
            except fp.UnknownIdError:  # Removed meanwhile.
                duration_s = 0.0
            path = unused_path(
                self._folder,
                f"{Path(name).name}-{number}",
                f".{self._form}",
                self._taken.__contains__,
            )
            self._taken.add(path)
            reference = bare_strip(named[match.id], duration_s, self._look)
            draw(path, query, reference, match, self._look)
        made = counted(len(matches), "picture")
        errors.print(f"{made} in {printable(str(self._folder))}", markup=False)
