"""``fingerprint video index``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import (
    FAILURES_SHOWN,
    algorithm_option,
    console,
    counted,
    errors,
    few,
    find_videos,
    printable,
    report_failures,
    share_bar,
    shown,
)
from fingerprint.cli.index.options import (
    index_argument,
    is_utf8,
    json_option,
    key_value_option,
    nbytes_text,
    segments_text,
)
from fingerprint.cli.video.hashing import hash_videos, read_saved, tell_damage
from fingerprint.cli.video.options import OF_REFERENCES, Options, video_options, videos_argument
from fingerprint.video import VideoHash
from fingerprint.video.batch import HashedVideo
from fingerprint.video.index import VideoIndex
from fingerprint.video.sampling import parse_sampling

__all__ = ["index"]

_SPARSE_FROM_S = 0.3
"""A moving picture may look quite different so many seconds later."""


@click.group()
def index() -> None:
    """Keep videos' hashes under ids, for `video search`.

    Only hashes, times, ids and metadata are stored, never frames. One program at a time
    may change an index; any number may search it meanwhile.
    """


@index.command()
@index_argument
@algorithm_option
@click.option("--backend", default="auto", show_default=True, help="How it is searched.")
def create(index_path: Path, algorithm: str, backend: str) -> None:
    """Make an empty index."""
    try:
        made = VideoIndex.create(index_path, algorithm, backend=backend)
    except ValueError as error:
        if isinstance(error, fp.FingerprintError):
            raise
        raise click.UsageError(str(error)) from error
    with made:
        click.echo(f"made {printable(str(index_path))}: {made.algorithm}, {made.bits} bits")


@index.command()
@index_argument
@videos_argument
@video_options(OF_REFERENCES)
@click.option("--all-files", is_flag=True, help="In folders, try files of any suffix.")
@click.option(
    "--existing",
    type=click.Choice(["skip", "replace", "error"]),
    default="skip",
    show_default=True,
    help="What to do with paths that are in the index already; replace: their metadata too.",
)
@key_value_option("--metadata", "Stored with each video.")
def add(
    index_path: Path,
    paths: tuple[Path, ...],
    all_files: bool,
    existing: str,
    metadata: dict[str, Any],
    **given: Any,
) -> int:
    """Hash videos into an index; their paths are the ids.

    A file of `video hash --save` is added as it is, and so is one of a vPDQ tool when it is
    named itself. Each video is safe from a power cut once it is added: after an interrupt the
    same command goes on where it was.

    Exit status 2 when a video could not be read, the others are added, or when there is
    none.
    """
    videos = list(dict.fromkeys(find_videos(paths, all_files=all_files, or_saved=True)))
    with VideoIndex.open(index_path) as opened:
        if not videos:
            raise click.ClickException(f"no videos found in {few(map(str, paths))}")
        known = [video for video in videos if video in opened]
        if known and existing == "error":
            raise click.ClickException(
                f"{len(known)} paths are in the index already, nothing was added: {few(known)}"
            )
        skipped = set(known) if existing == "skip" else set()
        wanted = [video for video in videos if video not in skipped]
        failures: list[fp.Failure] = []
        samples: Counter[str] = Counter()
        try:
            for result in _hashed(wanted, opened.algorithm, Options.of(given)):
                outcome = _put(opened, result, metadata)
                if isinstance(outcome, fp.Failure):
                    failures.append(outcome)
                else:
                    samples[outcome.sample] += 1
        finally:
            passed = f", {len(skipped)} were there already" if skipped else ""
            added = counted(samples.total(), "video")
            click.echo(f"added {added}{passed}; {len(opened)} now")
            report_failures(failures[:FAILURES_SHOWN], len(failures))
            _tell_sparse(samples)
    return 2 if failures else 0


def _hashed(
    videos: list[str], algorithm: str, options: Options
) -> Iterator[HashedVideo | fp.Failure]:
    """Yield hashes that were saved first, then those of videos."""
    left = []
    for video in videos:
        if not is_utf8(video):
            error = fp.DecodeError(video, "its name is not UTF-8: no id for an index")
            yield fp.Failure(video, error)
            continue
        try:
            saved = read_saved(Path(video))
        except fp.FingerprintError as error:
            yield fp.Failure(video, error)
            continue
        if saved is None:
            left.append(video)
        else:
            yield HashedVideo(video, saved)
    if left:
        yield from hash_videos(left, algorithm, options, len(left))


def _put(
    opened: VideoIndex, result: HashedVideo | fp.Failure, metadata: dict[str, Any]
) -> VideoHash | fp.Failure:
    """Add a video and return its hash, or what is wrong with it."""
    if isinstance(result, fp.Failure):
        return result
    tell_damage(result.source, result.video_hash)
    try:
        opened.upsert(result.source, result.video_hash, metadata)
    except fp.IncompatibleHashError as error:
        return fp.Failure(result.source, fp.DecodeError(result.source, str(error)))
    return result.video_hash


def _tell_sparse(samples: Counter[str]) -> None:
    """Say on standard error how many hashes may have missed what moves."""
    sparse = Counter({rule: n for rule, n in samples.items() if _is_sparse(rule)})
    if not sparse:
        return
    how = (
        "sparsely"
        if any(rule.startswith(("keyframes", "scenes")) for rule in sparse)
        else "by time"
    )
    n = sparse.total()
    errors.print(
        f"{n} {'hash is' if n == 1 else 'hashes are'} sampled {how} ({few(sparse)}): stretches of "
        f"moving pictures may be missed; hash with --sample {OF_REFERENCES}",
        markup=False,
        soft_wrap=True,
        style="yellow",
    )


def _is_sparse(sample: str) -> bool:
    try:
        rule, _, value = str(parse_sampling(sample)).partition(":")
    except ValueError:  # Another program's, or unknown.
        return False
    if rule in {"every", "vpdq"}:
        return float(value) >= _SPARSE_FROM_S
    return rule in {"keyframes", "scenes"}


@index.command()
@index_argument
@click.argument("ids", nargs=-1, required=True)
@click.option("--missing-ok", is_flag=True, help="Pass over ids that are not there.")
def remove(index_path: Path, ids: tuple[str, ...], missing_ok: bool) -> None:
    """Remove videos, all in one step.

    Searches stop finding them at once; `compact` takes them off the disk. When an id is
    not there nothing is removed, unless with --missing-ok.
    """
    wanted = dict.fromkeys(ids)
    with VideoIndex.open(index_path, maintenance="manual") as opened:
        missing = [one for one in wanted if one not in opened]
        if missing and not missing_ok:
            raise click.ClickException(
                f"{len(missing)} of {len(wanted)} ids are not in the index, nothing was removed: "
                f"{few(missing)}"
            )
        opened.remove(_without(wanted, missing))
        passed = f", {len(missing)} were not there" if missing else ""
        removed = counted(len(wanted) - len(missing), "video")
        click.echo(f"removed {removed}{passed}; {len(opened)} now")


def _without(names: Iterable[str], absent: Iterable[str]) -> list[str]:
    gone = set(absent)
    return [name for name in names if name not in gone]


@index.command()
@index_argument
@json_option
def info(index_path: Path, as_json: bool) -> None:
    """Tell of contents, sizes and health."""
    with VideoIndex.open(index_path, read_only=True) as opened:
        facts = opened.info()
    if as_json:
        click.echo(json.dumps(facts))
        return
    verified = facts.get("verified")
    told = "never verified: `fingerprint video index verify` does"
    if verified:
        outcome = "all was well" if verified["ok"] else f"problems: {verified['problems']}"
        told = f"{outcome}, at {shown(verified['when'])}"
    radius = facts["default_radius"]
    table = Table(show_header=False)
    for name, value in (
        ("videos", f"{facts['videos']:,}"),
        ("entries", f"{facts['entries']:,} frames and records"),
        ("algorithm", f"{shown(facts['algorithm'])}, {facts['bits']} bits"),
        ("radius", "none published" if radius is None else f"{radius}, unless you say another"),
        ("searched by", f"{facts['backend']}, {segments_text(len(facts['segments']))}"),
        ("on disk", nbytes_text(facts["nbytes_on_disk"])),
        ("removed", f"{facts['removed_entries']:,} entries, until `compact`"),
        ("last check", told),
    ):
        table.add_row(name, value)
    console.print(table)


@index.command()
@index_argument
@click.option(
    "--rebuild",
    is_flag=True,
    help="When something is wrong, or the index cannot be opened, write its segments anew from "
    "its catalog, which holds every video, and verify again.",
)
@click.option(
    "--drop-damaged",
    is_flag=True,
    help="With --rebuild: go on without videos whose records do not match their checksums.",
)
def verify(index_path: Path, rebuild: bool, drop_damaged: bool) -> int:
    """Read all of an index and compare it with its checksums.

    Exit status 0 when all is well, or is again, 2 when there are problems.
    """
    if drop_damaged and not rebuild:
        raise click.UsageError("--drop-damaged needs --rebuild")
    try:
        report = _verified(index_path)
    except fp.CorruptIndexError as error:
        if not rebuild:
            raise
        click.echo(f"problem: {printable(str(error))}")
    else:
        _tell(report)
        if report.ok or not rebuild:
            return 0 if report.ok else 2
    with share_bar("rebuilding") as progress:
        VideoIndex.rebuild(index_path, drop_damaged=drop_damaged, progress=progress)
    click.echo("rebuilt the segments from the catalog")
    report = _verified(index_path)
    _tell(report)
    return 0 if report.ok else 2


def _verified(index_path: Path) -> fp.VerifyReport:
    with _opened(index_path) as opened, share_bar("verifying") as progress:
        return opened.verify(progress)


def _opened(index_path: Path) -> VideoIndex:
    """Open it so that the outcome can be noted, unless somebody writes it, or nobody can."""
    try:
        return VideoIndex.open(index_path, maintenance="manual")
    except (fp.IndexLockedError, OSError):
        return VideoIndex.open(index_path, read_only=True)


def _tell(report: fp.VerifyReport) -> None:
    for problem in report.problems:
        click.echo(f"problem: {printable(problem)}")
    verdict = "all is well" if report.ok else f"problems: {len(report.problems)}"
    segments = segments_text(report.segments)
    click.echo(f"checked {report.entries:,} entries, {segments} and the catalog: {verdict}")


@index.command()
@index_argument
def compact(index_path: Path) -> None:
    """Put all frames into one segment and overwrite what was removed.

    Exit status 2 when another program's search holds on to an older state: do it again.
    """
    with VideoIndex.open(index_path, maintenance="manual") as opened:
        before = opened.info()
        try:
            with errors.status("compacting"):
                opened.compact()
        finally:
            after = opened.info()
            nbytes = [facts["nbytes_on_disk"] for facts in (before, after)]
            grown = " (search tables included)" if nbytes[1] > nbytes[0] else ""
            click.echo("on disk: {}, then {}".format(*map(nbytes_text, nbytes)) + grown)
