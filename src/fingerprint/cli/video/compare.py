"""``fingerprint video compare``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import console, errors, printable, shown
from fingerprint.cli.video.hashing import hash_videos, read_saved, tell_damage
from fingerprint.cli.video.options import (
    OF_REFERENCES,
    Options,
    evidence_option,
    mirror_option,
    radius_option,
    thumbnails_option,
    video_options,
)
from fingerprint.cli.video.pictures import Look, check_picture, draw, strip_of
from fingerprint.evaluate.wording import LAID, percent, seconds_text, sentence, short_names
from fingerprint.results import VideoMatch
from fingerprint.video import VPDQ_RULES, VideoHash, VpdqComparison, vpdq_match
from fingerprint.video.alignment import match_videos
from fingerprint.video.pairs import min_quality_of
from fingerprint.video.tmk import TMKMatch, hash_tmk, tmk_match

__all__ = ["compare"]

_RULE_TOLD = {"python": "Python rule", "readme": "README", "cpp": "C++ tool"}


class _Side(NamedTuple):
    """One of the two videos; ``video`` is None where only its hash is at hand."""

    path: Path
    video_hash: VideoHash
    video: str | None


class _Compared(NamedTuple):
    match: VideoMatch
    vpdq: VpdqComparison | None
    tmk: TMKMatch | None


@click.command()
@click.argument("a", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("b", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-a",
    "--algorithm",
    metavar="NAME",
    help="Hash algorithm; pdq, or that of a saved hash, by default.",
)
@video_options(OF_REFERENCES)
@radius_option
@mirror_option
@evidence_option
@click.option(
    "--rule",
    type=click.Choice(sorted(VPDQ_RULES)),
    help="Compare as vPDQ, too, and say how it counts and decides: as Meta's Python code, its "
    "README or its C++ tool. Two hashes of vPDQ's are compared by the first in any case.",
)
@click.option("--tmk", "with_tmk", is_flag=True, help="Compute TMK+PDQF scores, too.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=check_picture,
    help="Draw what matches where: a file .png or .html.",
)
@thumbnails_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def compare(
    a: Path,
    b: Path,
    algorithm: str | None,
    radius: int | None,
    mirrored: bool,
    min_evidence: float,
    rule: str | None,
    with_tmk: bool,
    picture: Path | None,
    thumbnails: Look,
    as_json: bool,
    **given: Any,
) -> int:
    """Say which seconds of video A are which seconds of video B.

    A and B may also be hashes that `video hash --save` or a vPDQ tool wrote.

    A stretch's score is the share of A's frames in it that match, times how alike they are,
    0 to 1. Its evidence is bits of likelihood that it is a copy: 11 is the line by default.

    Exit status 0 when they have something in common, 1 when not, 2 when one could not be
    read or no frame of it has enough in it to be recognised.
    """
    options = Options.of(given)
    query, reference = _sides(a, b, algorithm, options)
    if radius is not None and radius > query.video_hash.hashes.bits:
        raise click.UsageError(f"--radius: the hashes have {query.video_hash.hashes.bits} bits")
    match = match_videos(
        query.video_hash,
        reference.video_hash,
        radius=radius,
        mirrored=mirrored,
        min_evidence=min_evidence,
        id=str(b),
    )
    vpdq = _vpdq(query.video_hash, reference.video_hash, rule)
    tmk = _tmk(query, reference, options) if with_tmk else None
    compared = _Compared(match, vpdq, tmk)
    if as_json:
        click.echo(json.dumps(_as_dict(query, reference, compared)))
    else:
        _print(query, reference, compared)
    if picture is not None:
        left, right = (
            strip_of(name, side.video_hash, side.video, thumbnails, options)
            for name, side in zip(_names(a, b), (query, reference), strict=True)
        )
        draw(picture, left, right, match, thumbnails)
        if not as_json:
            click.echo(f"picture: {printable(str(picture))}")
    poor = [side for side in (query, reference) if not _n_usable(side.video_hash)]
    for side in poor:
        text = f"too little in {printable(str(side.path))}: no frame of it can be recognised"
        errors.print(text, markup=False, soft_wrap=True, style="yellow")
    return 2 if poor else 0 if match else 1


def _sides(a: Path, b: Path, algorithm: str | None, options: Options) -> tuple[_Side, _Side]:
    """Read or hash both; raise what went wrong with one."""
    saved = {path: read_saved(path) for path in (a, b)}
    known = [one for one in saved.values() if one is not None]
    name = algorithm or (known[0].hashes.algorithm if known else "pdq")
    videos = [str(path) for path, one in saved.items() if one is None]
    made: dict[str, VideoHash] = {}
    for result in hash_videos(videos, name, options, len(videos)) if videos else ():
        if isinstance(result, fp.Failure):
            raise result.error
        made[result.source] = result.video_hash
        tell_damage(result.source, result.video_hash)
    sides = []
    for path in (a, b):
        one = saved[path]
        hashed = (one, None) if one is not None else (made[str(path)], str(path))
        sides.append(_Side(path, *hashed))
    return sides[0], sides[1]


def _vpdq(query: VideoHash, reference: VideoHash, rule: str | None) -> VpdqComparison | None:
    """Compare as vPDQ where that was asked for, or the frames were chosen as vPDQ does."""
    if query.hashes.algorithm != "pdq":
        if rule is not None:
            raise click.UsageError(f"--rule: vPDQ has pdq, not {query.hashes.algorithm}")
        return None
    if rule is None and not (_is_sampled_as_vpdq(query) and _is_sampled_as_vpdq(reference)):
        return None
    return vpdq_match(query, reference, rule=rule or "python")


def _is_sampled_as_vpdq(video_hash: VideoHash) -> bool:
    """Say whether vPDQ's rule chose the frames; vPDQ's files name none."""
    return not video_hash.sample or video_hash.sample.startswith("vpdq:")


def _tmk(query: _Side, reference: _Side, options: Options) -> TMKMatch:
    features = []
    for side in (query, reference):
        if side.video is None:
            raise click.UsageError(f"--tmk: expected two videos, {side.path} is a saved hash")
        with errors.status(f"TMK+PDQF of {shown(side.path.name)}"):
            features.append(hash_tmk(side.video, stream=options.stream, limits=options.limits))
    return tmk_match(features[0], features[1])


def _n_usable(video_hash: VideoHash) -> int:
    return len(video_hash.of_quality(min_quality_of(video_hash)))


def _as_dict(query: _Side, reference: _Side, compared: _Compared) -> dict[str, Any]:
    match, vpdq, tmk = compared
    record: dict[str, Any] = {
        side: {
            "source": str(one.path),
            "duration_s": one.video_hash.duration_s,
            "sample": one.video_hash.sample,
            "rows": len(one.video_hash),
            "usable_rows": _n_usable(one.video_hash),
            "damage": one.video_hash.damage,
        }
        for side, one in (("a", query), ("b", reference))
    }
    record |= {
        "match": bool(match),
        "score": match.score,
        "a_coverage": match.query_coverage,
        "b_coverage": match.reference_coverage,
        "segments": [asdict(segment) for segment in match.segments],
    }
    if vpdq is not None:
        record["vpdq"] = {
            "rule": vpdq.rule.name,
            "a_percent": vpdq.query_percent,
            "b_percent": vpdq.reference_percent,
            "match": vpdq.is_match,
        }
    if tmk is not None:
        record["tmk"] = {"level1": tmk.level1, "level2": tmk.level2, "match": tmk.is_match}
    return record


def _print(query: _Side, reference: _Side, compared: _Compared) -> None:
    match, vpdq, tmk = compared
    names = _names(query.path, reference.path)
    if not match:
        click.echo(f"nothing in common: {names[0]} and {names[1]}")
    for segment in match.segments:
        click.echo(sentence(segment, *names))
    if match:
        console.print(_table(match))
        click.echo(
            f"in common: {percent(match.query_coverage)} of {names[0]}, "
            f"{percent(match.reference_coverage)} of {names[1]}"
        )
    if vpdq is not None:
        click.echo(_vpdq_text(query, reference, vpdq))
    if tmk is not None:
        verdict = "match" if tmk.is_match else "no match"
        click.echo(f"TMK+PDQF: level 1 {tmk.level1:.4f}, level 2 {tmk.level2:.4f}; {verdict}")
    if match:
        click.echo("This is evidence for a person to look at, not a verdict.")


def _vpdq_text(query: _Side, reference: _Side, vpdq: VpdqComparison) -> str:
    names = _names(query.path, reference.path)
    least = (vpdq.rule.query_percent, vpdq.rule.reference_percent)
    asked = " and ".join(f"{p:g} % of {name}" for p, name in zip(least, names, strict=True) if p)
    others = dict.fromkeys(
        side.video_hash.sample
        for side in (query, reference)
        if not _is_sampled_as_vpdq(side.video_hash)
    )
    chosen = " and ".join(map(printable, others))
    note = f" (frames chosen by {chosen}: not Meta's figures)" if others else ""
    return (
        f"vPDQ (Meta's {_RULE_TOLD[vpdq.rule.name]}: at least {asked}): "
        f"{vpdq.query_percent:.1f} % of the frames of {names[0]} and "
        f"{vpdq.reference_percent:.1f} % of those of {names[1]} have a look-alike: "
        f"{'match' if vpdq.is_match else 'no match'}{note}"
    )


def _names(a: Path, b: Path) -> tuple[str, str]:
    """What to call the two: as `short_names` does."""
    short = short_names(map(str, (a, b)))
    left, right = (printable(short[str(path)]) for path in (a, b))
    return left, right


def _table(match: VideoMatch) -> Table:
    table = Table()
    for heading in (
        "in A",
        "in B",
        "speed",
        "score",
        "evidence",
        "frames",
        "mean distance",
        "A laid",
    ):
        table.add_column(heading, justify="left" if heading == "A laid" else "right")
    for s in match.segments:
        table.add_row(
            seconds_text(s.query_start_s, s.query_end_s),
            seconds_text(s.reference_start_s, s.reference_end_s),
            f"{s.speed:.2f}×",
            f"{s.score:.2f}",
            f"{s.evidence:.0f} bits",
            str(s.frames),
            f"{s.mean_distance:.1f} bits",
            LAID.get(s.transform, s.transform),
        )
    return table
