"""One list asked about a video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.errors import UnknownIdError
from fingerprint.hash_arrays import HashArray
from fingerprint.screening.evidence import Evidence, VideoEvidence
from fingerprint.screening.pictures import unjudged
from fingerprint.screening.probabilities import with_probability
from fingerprint.screening.videos import frames_of, laid

if TYPE_CHECKING:
    from fingerprint.lists import Record
    from fingerprint.screening.look_up import Answer, Exclusions
    from fingerprint.screening.plans import ListPlan
    from fingerprint.screening.policy import VpdqPolicy
    from fingerprint.screening.tmk import TmkTables
    from fingerprint.screening.videos import HashedVideo
    from fingerprint.typing import I64, Bits
    from fingerprint.video import VideoHash, VpdqRule

__all__ = ["ask_video"]

MOST_SPANS = 100


def ask_video(
    plan: ListPlan,
    name: str,
    video: HashedVideo,
    tables: TmkTables,
    answer: Answer,
    exclusions: Exclusions,
) -> None:
    """Ask a list about a video by vPDQ, TMK+PDQF, or its frames among pictures' PDQ."""
    if name == "tmk_pdqf":
        if video.tmk is not None:
            answer.asked.append(name)
            answer.evidence += tables.matches(plan, video.tmk, exclusions)
        return
    readings = _readings(plan, video)
    if not readings:
        return
    answer.asked.append(name)
    if name == "pdq":
        _ask_frames(plan, readings, answer, exclusions)
        return
    queries = {
        (orientation, transform): laying
        for orientation, one in readings.items()
        for transform, laying in laid(one, views=bool(plan.policy.views)).items()
    }
    least = plan.policy.vpdq.min_quality
    answer.low_quality |= not any(len(one.of_quality(least)) for one in queries.values())
    for (orientation, transform), query in queries.items():
        for one in _vpdq_matches(plan, query, exclusions):
            answer.evidence.append(
                replace(one, orientation=orientation, transform=transform, views_asked=len(queries))
            )


def _readings(plan: ListPlan, video: HashedVideo) -> dict[str, VideoHash]:
    wanted = plan.policy.orientation
    if wanted == "both":
        return video.frames
    if wanted == "stored" and "stored" in video.frames:
        return {"stored": video.frames["stored"]}
    return {name: one for name, one in video.frames.items() if name == "upright"}


def _ask_frames(
    plan: ListPlan, readings: dict[str, VideoHash], answer: Answer, exclusions: Exclusions
) -> None:
    policy = plan.policy
    radius = policy.radius_of("pdq")
    frames = {name: frames_of(one, policy.min_quality) for name, one in readings.items()}
    looks = sum(map(len, frames.values()))
    answer.low_quality |= not looks
    for orientation, asked in frames.items():
        if not asked:
            continue
        for hit in plan.hash_list.within(unjudged(asked), radius, exclude=exclusions.perceptual):
            found = Evidence.of(
                plan.name,
                hit.list_version,
                hit.record,
                algorithm="pdq",
                distance=hit.distance,
                radius=radius,
                transform=hit.transform,
                orientation=orientation,
                quality=asked[hit.transform.partition(" of ")[0]].quality,
                views_asked=looks,
            )
            answer.evidence.append(with_probability(found, plan.hash_list))


def _vpdq_matches(plan: ListPlan, query: VideoHash, exclusions: Exclusions) -> Iterator[Evidence]:
    from fingerprint.video import VPDQ_RULES, read_vpdq_text, vpdq_match

    policy = plan.policy.vpdq
    rule = VPDQ_RULES[policy.rule]
    reach = policy.max_distance if rule.inclusive else policy.max_distance - 1
    frames = query.of_quality(policy.min_quality)
    if not len(frames) or reach < 0:
        return
    version = plan.hash_list.version
    for key in _candidates(plan, query, reach):
        try:
            record = plan.hash_list.get(*key)
        except UnknownIdError:  # Retracted since.
            continue
        if "vpdq" not in record.hashes or exclusions.perceptual(record):
            continue
        reference = read_vpdq_text(record.hashes["vpdq"])
        compared = vpdq_match(
            query,
            reference,
            rule=rule,
            max_distance=policy.max_distance,
            min_quality=policy.min_quality,
            query_percent=policy.query_percent,
            reference_percent=policy.reference_percent,
        )
        if compared.is_match:
            coverage = _coverage(frames, reference.of_quality(policy.min_quality), reach)
            yield _video_evidence(
                plan,
                version,
                record,
                replace(
                    coverage,
                    query_percent=compared.query_percent,
                    reference_percent=compared.reference_percent,
                ),
                policy,
                int(np.max(frames.qualities)),
            )


def _video_evidence(
    plan: ListPlan,
    version: int,
    record: Record,
    coverage: VideoEvidence,
    policy: VpdqPolicy,
    quality: int,
) -> Evidence:
    return Evidence.of(
        plan.name,
        version,
        record,
        algorithm="vpdq",
        distance=None,
        radius=policy.max_distance,
        quality=None if quality < 0 else quality,
        video=coverage,
    )


def _candidates(plan: ListPlan, query: VideoHash, reach: int) -> list[tuple[str, str]]:
    """Return records that enough frames are near any frame of: no match is left out.

    A record's frames of low quality are among these, so the share that counts may be less.
    """
    from fingerprint.video import VPDQ_RULES

    policy = plan.policy.vpdq
    rule = VPDQ_RULES[policy.rule]
    least = rule.query_percent if policy.query_percent is None else policy.query_percent
    rows = _rows_that_count(query, rule, policy.min_quality)
    # Without qualities, of which an index would warn: they are judged here.
    asked = HashArray.from_words(
        query.hashes.words[rows],
        query.hashes.algorithm,
        bits=query.hashes.bits,
        version=query.hashes.version,
    )
    found = plan.hash_list.frames_within(asked, reach)
    near: dict[int, set[int]] = defaultdict(set)
    for owner, record in zip(found.owners.tolist(), found.records.tolist(), strict=True):
        near[record].add(owner)
    return sorted(
        found.keys[at] for at, owners in near.items() if len(owners) * 100 / len(rows) >= least
    )


def _rows_that_count(video: VideoHash, rule: VpdqRule, min_quality: int) -> I64:
    """Return the rows that `vpdq_match` counts: the first of equal hashes, then by quality."""
    rows = np.arange(len(video), dtype=np.int64)
    if rule.distinct:
        rows = np.sort(np.unique(video.hashes.words, axis=0, return_index=True)[1])
    quality = video.hashes.quality[rows]
    kept: I64 = rows[(quality < 0) | (quality >= min_quality)]
    return kept


def _coverage(frames: VideoHash, reference: VideoHash, reach: int) -> VideoEvidence:
    """Return how long the frames of the query are shown that the reference has, too."""
    from fingerprint.kernels.frames import mark_shared

    in_query = np.zeros(len(frames), np.bool_)
    in_reference = np.zeros(len(reference), np.bool_)
    mark_shared(frames.hashes.words, reference.hashes.words, reach, in_query, in_reference)
    spans = _spans(frames, in_query)
    matched_s = sum(end_s - start_s for start_s, end_s in spans)
    return VideoEvidence(matched_s=round(matched_s, 3), spans_s=tuple(spans[:MOST_SPANS]))


def _spans(frames: VideoHash, matched: Bits) -> list[tuple[float, float]]:
    """Return from when to when matching frames stand: each until the next that is sampled."""
    starts = frames.start_s.tolist()
    ends = [*starts[1:], max(frames.duration_s, float(frames.end_s[-1]))]
    spans: list[tuple[float, float]] = []
    for i in np.flatnonzero(matched).tolist():
        if spans and spans[-1][1] == starts[i]:
            spans[-1] = (spans[-1][0], ends[i])
        else:
            spans.append((starts[i], ends[i]))
    return spans
