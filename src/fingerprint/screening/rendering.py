"""A result as lines of text, for reviewers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fingerprint.lists.records import text_of_instant

if TYPE_CHECKING:
    from fingerprint.screening.evidence import Evidence, ScreeningResult

__all__ = ["text_of"]

_WHY_NOT = {
    "low_quality": "the upload has too little detail",
    "single_hash": "too few independent hashes agree",
    "negative": "a negative list has it",
    "suspended": "the record matches too many uploads",
}


def text_of(result: ScreeningResult) -> str:
    """Return everything about a result that a reviewer reads."""
    return "\n".join(_lines(result))


def _lines(result: ScreeningResult) -> Iterator[str]:
    yield f"{result.outcome}  {result.label}"
    at = text_of_instant(result.screened_at)
    yield f"  reference {result.reference}, {at}, policy {result.policy_version}"
    if result.media:
        quality = "" if result.quality is None else f", quality {result.quality}"
        yield f"  screened as {result.media}{quality}"
    for one in result.evidence:
        yield from _evidence(one)
    for stale in result.stale:
        yield f"  stale: {stale.list_name}: {'; '.join(stale.reasons)}"
    for flood in result.flood:
        yield (
            f"  flood: {flood.list_name} {flood.source} {flood.record_id} matched "
            f"{flood.matches} of the last {flood.uploads} uploads"
            f"{', and is suspended here' if flood.suspended else ''}"
        )
    for failure in result.failures:
        where = f" {failure.list_name}" if failure.list_name else ""
        yield f"  failed: {failure.step}{where}: {failure.error}: {failure.reason}"
    for name, used in result.lists.items():
        asked = ", ".join(used.asked) or "nothing"
        yield f"  asked: {name} (version {used.version}) for {asked}"
        yield from (f"    {note}" for note in used.notes)


def _evidence(one: Evidence) -> Iterator[str]:
    sort = "match" if one.counts else "no match by the policy"
    yield f"  {sort}: {one.list_name} (version {one.list_version}) {one.source} {one.record_id}"
    said = [f"category {one.category!r}" if one.category else "no category"]
    said += [f"severity {one.severity!r}"] if one.severity else []
    said += [f"flags {', '.join(one.flags)}"] if one.flags else []
    said += [f"{opinion.by}: {opinion.value}" for opinion in one.opinions]
    yield f"    {'; '.join(said)}"
    yield f"    {_how(one)}"
    for reason in one.why_not:
        yield f"    does not count: {_WHY_NOT.get(reason, reason)}"
    for by in one.suppressed_by:
        yield (
            f"    suppressed by {by.list_name} {by.source} {by.record_id}: "
            f"{by.algorithm} at {by.distance} of {by.radius} bits"
        )


def _how(one: Evidence) -> str:
    parts = [one.algorithm]
    if one.video is not None:
        if one.video.level1 is not None and one.video.level2 is not None:
            parts.append(f"scores {one.video.level1:.3f} and {one.video.level2:.3f}")
        else:
            parts.append(
                f"{one.video.query_percent:.1f} % of the upload's frames, "
                f"{one.video.reference_percent:.1f} % of the record's, "
                f"{one.video.matched_s:.1f} s"
            )
    elif one.orientation:
        parts.append(f"{one.distance} bits of {one.radius}")
    else:
        parts.append("equal")
    parts += [] if one.transform == "identity" else [f"as {one.transform}"]
    parts += ["as stored"] if one.orientation == "stored" else []
    parts += [] if one.quality is None else [f"quality {one.quality}"]
    parts += [f"{one.views_asked} views asked"] if one.views_asked > 1 else []
    if one.probability is not None:
        parts.append(f"probability {one.probability:.6f}")
    hashes = "hash" if one.independent_hashes == 1 else "hashes"
    parts.append(f"{one.independent_hashes} independent {hashes}")
    return ", ".join(parts)
