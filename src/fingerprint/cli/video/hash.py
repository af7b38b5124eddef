"""``fingerprint video hash``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

import fingerprint as fp
from fingerprint.cli.common import (
    algorithm_option,
    counted,
    find_videos,
    printable,
    report_failures,
)
from fingerprint.cli.video.hashing import hash_videos, tell_damage
from fingerprint.cli.video.options import (
    OF_QUERIES,
    OF_REFERENCES,
    Options,
    video_options,
    videos_argument,
)
from fingerprint.cli.video.saving import Folder
from fingerprint.video import VideoHash, write_vpdq_text
from fingerprint.video.batch import HashedVideo
from fingerprint.video.pairs import min_quality_of

__all__ = ["hash_"]

_SAMPLE = (
    f"{OF_QUERIES}; {OF_REFERENCES} with --save: what is kept should have a frame for every "
    "look of the video"
)


@click.command(name="hash")
@videos_argument
@algorithm_option
@video_options(None, _SAMPLE)
@click.option("--digests", is_flag=True, help="MD5, SHA-1 and SHA-256 of the files as well.")
@click.option("--collapse", is_flag=True, help="One row for frames in a row that look the same.")
@click.option("--all-files", is_flag=True, help="In folders, try files of any suffix.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a video and line.")
@click.option(
    "--vpdq",
    "as_vpdq",
    is_flag=True,
    help="Lines as Meta's vPDQ tool writes them; its very lines with --sample vpdq:1 --stored.",
)
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for a file of hashes each: NAME.vhash, or NAME.vpdq.txt with --vpdq. What is "
    "there already is left alone; another video of the same name gets a number.",
)
def hash_(
    paths: tuple[Path, ...],
    algorithm: str,
    collapse: bool,
    all_files: bool,
    as_json: bool,
    as_vpdq: bool,
    save: Path | None,
    **given: Any,
) -> int:
    """Hash frames of videos: files, and folders with all that is below them.

    One video gives a row a frame, several a row each. Of a damaged video what can be
    decoded is hashed, and what is missing said.

    Exit status 2 when a video could not be read; the others are printed.
    """
    if as_json and as_vpdq:
        raise click.UsageError("--json and --vpdq exclude each other")
    videos = list(find_videos(paths, all_files=all_files))
    if not videos:
        raise click.UsageError("no videos found; --all-files tries files of any suffix")
    if as_vpdq and save is None and len(videos) > 1:
        raise click.UsageError(f"--vpdq prints one video, not {len(videos)}; --save takes many")
    folder = None if save is None else Folder(save, ".vpdq.txt" if as_vpdq else ".vhash")
    failures: list[fp.Failure] = []
    printer = _Printer(as_json=as_json, as_vpdq=as_vpdq and save is None, single=len(videos) == 1)
    if given["sample"] is None:
        given["sample"] = OF_QUERIES if save is None else OF_REFERENCES
    for result in hash_videos(videos, algorithm, Options.of(given), len(videos)):
        if isinstance(result, fp.Failure):
            failures.append(result)
            printer.fail(result)
            continue
        video_hash = result.video_hash.collapsed() if collapse else result.video_hash
        written = None if folder is None else folder.save(result.source, video_hash)
        printer.show(HashedVideo(result.source, video_hash), written)
        tell_damage(result.source, video_hash)
    report_failures(failures)
    return 2 if failures else 0


class _Printer:
    """Prints hashes in the form that was asked for, as they are made."""

    def __init__(self, *, as_json: bool, as_vpdq: bool, single: bool) -> None:
        self._as_json = as_json
        self._as_vpdq = as_vpdq
        self._single = single
        self._any = False

    def fail(self, failure: fp.Failure) -> None:
        """Tell of a video that could not be read, where a program reads it."""
        if self._as_json:
            click.echo(json.dumps({"source": failure.source, "error": str(failure.error)}))

    def show(self, hashed: HashedVideo, written: Path | None) -> None:
        """Print one video."""
        if self._as_json:
            record = {"source": hashed.source, **json.loads(hashed.video_hash.to_json())}
            click.echo(json.dumps(record if written is None else {**record, "saved": str(written)}))
        elif self._as_vpdq:
            click.echo(write_vpdq_text(hashed.video_hash), nl=False)
        elif self._single:
            _print_frames(hashed)
        else:
            self._print_row(hashed)
        if written is not None and self._single and not self._as_json:
            click.echo(f"saved: {printable(str(written))}")

    def _print_row(self, hashed: HashedVideo) -> None:
        if not self._any:
            click.echo(f"{'seconds':>9}  {'size':>9}  {'frames':>6}  {'usable':>6}  video")
            self._any = True
        video_hash = hashed.video_hash
        size = f"{video_hash.width_px}x{video_hash.height_px}"
        click.echo(
            f"{video_hash.duration_s:>9.1f}  {size:>9}  {len(video_hash):>6}  "
            f"{_n_usable(video_hash):>6}  {printable(hashed.source)}"
        )
        for name, digest in video_hash.digests.items():
            click.echo(f"{'':>9}  {name}: {digest}")


def _n_usable(video_hash: VideoHash) -> int:
    return len(video_hash.of_quality(min_quality_of(video_hash)))


def _usable_text(video_hash: VideoHash) -> str:
    n = _n_usable(video_hash)
    n_poor = len(video_hash) - n
    least = min_quality_of(video_hash)
    poor = f" ({n_poor} below quality {least}: too little in them)" if n_poor else ""
    return f"{n} usable{poor}"


def _print_frames(hashed: HashedVideo) -> None:
    video_hash = hashed.video_hash
    rate = f"{video_hash.frame_rate:.2f} frames a second, " if video_hash.frame_rate else ""
    bars = ", with bars" if video_hash.trimmed is not None else ""
    click.echo(printable(hashed.source))
    click.echo(
        f"{video_hash.duration_s:.3f} s, {video_hash.width_px}x{video_hash.height_px}{bars}, {rate}"
        f"{counted(len(video_hash), 'row')}, {_usable_text(video_hash)}; {video_hash.sample}"
    )
    for name, digest in video_hash.digests.items():
        click.echo(f"{name}: {digest}")
    spans = bool((video_hash.counts > 1).any())
    width = 19 if spans else 9
    click.echo(f"{'seconds':>{width}}  {'frame':>7}  quality  hash")
    rows = zip(
        video_hash.start_s.tolist(),
        video_hash.end_s.tolist(),
        video_hash.numbers.tolist(),
        video_hash.hashes,
        strict=True,
    )
    for start_s, end_s, number, one in rows:
        when = f"{start_s:.3f}–{end_s:.3f}" if spans else f"{start_s:.3f}"
        quality = "?" if one.quality is None else str(one.quality)
        click.echo(f"{when:>{width}}  {number:>7}  {quality:>7}  {one.hex}")
