"""Segments are where they were put: made-up videos whose every frame is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fingerprint as fp
from fingerprint import kernels
from fingerprint.hash_arrays import HashArray
from fingerprint.results import VideoMatch
from fingerprint.video import VideoHash
from fingerprint.video.alignment import match_videos
from fingerprint.video.evidence import ENOUGH_BITS, weigh
from fingerprint.video.pairs import find_pairs, query_views

STEP_S = 0.1


def walk(seed: int, length_s: float, *, flips: int = 6, step_s: float = STEP_S) -> VideoHash:
    """A video whose hash moves by a few bits from frame to frame."""
    rng = np.random.default_rng(seed)
    n = round(length_s / step_s)
    bits = np.zeros((n, 256), np.bool_)
    bits[0] = rng.random(256) < 0.5
    for i in range(1, n):
        bits[i] = bits[i - 1]
        bits[i, rng.choice(256, flips, replace=False)] ^= True
    return video(np.packbits(bits, axis=1), np.arange(n) * step_s)


def video(packed: Any, times_s: Any, quality: Any = 100, duration_s: float = 0.0) -> VideoHash:
    times = np.asarray(times_s, np.float64)
    n = len(times)
    return VideoHash(
        hashes=HashArray(packed, "pdq", quality=np.broadcast_to(quality, n)),
        start_s=times,
        end_s=times,
        duration_s=duration_s or (float(times[-1]) + STEP_S if n else 0.0),
        width_px=640,
        height_px=360,
        frame_rate=10.0,
        numbers=np.arange(n),
        counts=np.ones(n, np.int64),
    )


def noisy(packed: Any, seed: int, flips: int = 4) -> Any:
    rng = np.random.default_rng(seed)
    bits = np.unpackbits(packed, axis=1)
    for row in bits:
        row[rng.choice(256, flips, replace=False)] ^= 1
    return np.packbits(bits, axis=1)


def played(
    source: VideoHash, start_s: float, end_s: float, *, speed: float = 1.0, seed: int = 1
) -> Any:
    """Packed frames of a stretch, played at a speed, as a 0.5 s sampling sees them."""
    at = np.arange(start_s, end_s - 1e-9, 0.5 * speed)
    rows = np.clip(np.searchsorted(source.start_s, at, side="right") - 1, 0, len(source) - 1)
    return noisy(source.hashes.packed[rows], seed)


def joined(*parts: Any) -> VideoHash:
    packed = np.concatenate(parts)
    return video(packed, 0.5 * np.arange(len(packed)), duration_s=0.5 * len(packed))


def spans(match: VideoMatch) -> list[tuple[float, ...]]:
    return [
        (s.query_start_s, s.query_end_s, s.reference_start_s, s.reference_end_s)
        for s in match.segments
    ]


def assert_close(match: VideoMatch, *wanted: tuple[float, ...], within_s: float = 0.75) -> None:
    found = spans(match)
    assert len(found) == len(wanted), found
    for one, other in zip(found, wanted, strict=True):
        assert np.abs(np.subtract(one, other)).max() <= within_s, (one, other)


SOURCE = walk(0, 60)
OTHER = walk(99, 40)


def test_a_clip_within_a_longer_video_is_found_where_it_is() -> None:
    query = joined(played(OTHER, 0, 12), played(SOURCE, 40, 59.5), played(OTHER, 20, 30))
    match = match_videos(query, SOURCE, id="source", metadata={"list": "a"})
    assert_close(match, (12, 31.5, 40, 59.5))
    assert match
    assert match.id == "source"
    assert match.metadata == {"list": "a"}
    assert match.segments[0].transform == "identity"
    assert match.segments[0].speed == pytest.approx(1, abs=0.02)
    assert match.query_coverage == pytest.approx(19.5 / 41.5, abs=0.03)
    assert match.reference_coverage == pytest.approx(19.5 / 60, abs=0.03)
    assert match.score == match.segments[0].score > 0.8
    assert str(match).endswith("s of the reference")


def test_unrelated_videos_have_nothing_in_common() -> None:
    match = match_videos(joined(played(OTHER, 0, 40)), SOURCE)
    assert not match
    assert match.segments == ()
    assert match.score == match.query_coverage == match.reference_coverage == 0.0
    assert str(match) == "nothing in common"


@pytest.mark.parametrize("speed", [0.5, 0.8, 0.9, 25 / 24, 1.1, 1.25, 1.5, 2.0])
def test_a_clip_at_another_speed(speed: float) -> None:
    query = joined(played(OTHER, 0, 5), played(SOURCE, 10, 50, speed=speed))
    match = match_videos(query, SOURCE)
    assert_close(match, (5, 5 + 40 / speed, 10, 50), within_s=0.75 * max(1, speed))
    assert match.segments[0].speed == pytest.approx(speed, rel=0.02)


def test_cuts_in_another_order() -> None:
    query = joined(played(SOURCE, 30, 45), played(SOURCE, 5, 20))
    assert_close(match_videos(query, SOURCE), (0, 15, 30, 45), (15, 30, 5, 20))


def test_a_loop_in_the_query_and_one_in_the_reference() -> None:
    twice = joined(played(SOURCE, 10, 20), played(SOURCE, 10, 20, seed=2))
    assert_close(match_videos(twice, SOURCE), (0, 10, 10, 20), (10, 20, 10, 20))
    once = joined(played(SOURCE, 10, 20, seed=3))
    with pytest.warns(fp.SparseSamplingWarning, match="0.5 s apart"):
        found = match_videos(once, twice)
    assert sorted(np.round(one[2]) for one in spans(found)) == [0, 10]


def test_pictures_put_in_between_shift_what_follows() -> None:
    card = np.zeros((6, 32), np.uint8)
    query = joined(played(SOURCE, 10, 20), card, played(SOURCE, 20, 30))
    assert_close(match_videos(query, SOURCE), (0, 10, 10, 20), (13, 23, 20, 30))


def test_frames_of_low_quality_are_no_evidence() -> None:
    n = 40
    blank = video(np.zeros((n, 32), np.uint8), 0.2 * np.arange(n), quality=0)
    assert not match_videos(blank, blank)
    good = video(np.zeros((n, 32), np.uint8), 0.2 * np.arange(n), quality=100)
    assert match_videos(good, good)


def test_a_still_is_judged_by_how_alike_it_is() -> None:
    picture = walk(5, 0.1).hashes.packed
    still = video(np.repeat(picture, 8, axis=0), 0.2 * np.arange(8))
    near = video(noisy(np.repeat(picture, 8, axis=0), 3, flips=5), 0.2 * np.arange(8))
    apart = video(noisy(np.repeat(picture, 8, axis=0)[:1].repeat(8, 0), 3, flips=24), near.start_s)
    assert match_videos(still, near)
    assert not match_videos(still, apart)


def test_mirrored_and_trimmed_frames_are_found_and_named() -> None:
    views = query_views(SOURCE, mirrored=True)
    mirrored = replace(SOURCE, hashes=views["flip_y"])
    assert match_videos(mirrored, SOURCE).segments[0].transform == "flip_y"
    assert not match_videos(mirrored, SOURCE, mirrored=False)
    barred = replace(SOURCE, hashes=OTHER.hashes[np.arange(600) % 400], trimmed=SOURCE.hashes)
    assert match_videos(barred, SOURCE).segments[0].transform == "trimmed"
    assert match_videos(SOURCE, barred)


def test_mirrored_bits_are_near_the_hash_of_the_mirrored_picture() -> None:
    from fingerprint.testing.strategies import photo_like

    rng = np.random.default_rng(2)
    apart = []
    for _ in range(12):
        hashes = fp.hash_dihedral(photo_like(rng, (240, 320, 3)))
        one = HashArray.from_hashes([hashes["identity"]])
        turned = query_views(video(one.packed, [0.0]), mirrored=True)["flip_y"]
        apart.append(turned[0] - hashes["flip_y"])
    assert np.median(apart) <= 20


@given(st.integers(0, 30), st.integers(0, 20), st.integers(4, 20))
def test_shifts_are_found_and_swapping_transposes(before: int, start: int, length: int) -> None:
    parts = [played(OTHER, 0, before)] if before else []
    query = joined(*parts, played(SOURCE, start, start + length))
    there = match_videos(query, SOURCE)
    assert_close(there, (before, before + length, start, start + length))
    back = match_videos(SOURCE, query)
    assert_close(back, (start, start + length, before, before + length))


@pytest.mark.parametrize("step", [2, 5, 10])
def test_a_reference_that_others_sampled_by_time(step: int) -> None:
    """Lists hold a frame a second: most of a dense query's frames lie between these."""
    rows = np.arange(0, len(SOURCE), step)
    sparse = video(SOURCE.hashes.packed[rows], SOURCE.start_s[rows], duration_s=60.0)
    dense = walk(98, 10)
    part = slice(200, 400)
    packed = np.concatenate([dense.hashes.packed, noisy(SOURCE.hashes.packed[part], 5)])
    query = video(packed, np.arange(len(packed)) * STEP_S)
    assert_close(match_videos(query, sparse), (10, 30, 20, 40), within_s=1.2)
    assert_close(match_videos(sparse, query), (20, 40, 10, 30), within_s=1.2)


def slides(holds_s: list[float]) -> VideoHash:
    """A frame a slide, each shown until the next."""
    packed = np.random.default_rng(9).integers(0, 256, (len(holds_s), 32), np.uint8)
    ends = np.cumsum(holds_s)
    one = video(packed, ends - holds_s, duration_s=float(ends[-1]))
    return replace(one, end_s=ends)


def test_slides_that_are_coded_once_each() -> None:
    deck = slides([4, 30, 12, 5, 9, 22, 7, 15, 6, 28, 11, 18])
    assert_close(match_videos(deck, deck), (0, 167, 0, 167), within_s=0.2)
    at = np.arange(20, 110, 0.5)
    shown = deck.hashes.packed[np.searchsorted(deck.end_s, at, side="right")]
    query = video(noisy(shown, 3, 2), at - 20, duration_s=90.0)
    found = match_videos(query, deck)
    assert_close(found, (0, 90, 20, 110), within_s=1.0)
    assert found.segments[0].speed == 1.0


def test_scenes_that_all_look_alike_are_found_where_they_are() -> None:
    base = np.random.default_rng(0).integers(0, 256, (1, 32), np.uint8)
    two = np.concatenate([base, ~base])[np.arange(1200) // 6 % 2]
    loop = video(two, 0.2 * np.arange(1200))
    assert_close(match_videos(loop, loop), (0, 240, 0, 240))
    scene = video(noisy(np.repeat(base, 900, axis=0), 1, 10), 0.2 * np.arange(900))
    other = video(noisy(np.repeat(base, 900, axis=0), 2, 10), 0.2 * np.arange(900))
    assert not match_videos(scene, other)
    part = video(scene.hashes.packed[300:600], 0.2 * np.arange(300))
    assert_close(match_videos(part, scene), (0, 60, 60, 120))


def test_a_clock_that_leaps_costs_no_memory() -> None:
    part = SOURCE.hashes.packed[:100]
    far = video(part, [*np.arange(99) * STEP_S, 9e6])
    assert_close(match_videos(far, SOURCE), (0, 9.9, 0, 9.9))
    assert_close(match_videos(SOURCE, far), (0, 9.9, 0, 9.9))


def test_arguments_that_mean_nothing() -> None:
    with pytest.raises(ValueError, match="min_evidence: expected a number"):
        match_videos(SOURCE, SOURCE, min_evidence=float("nan"))
    for wrong in (3.5, True, "3"):
        with pytest.raises(TypeError, match="radius: expected a whole number of bits"):
            match_videos(SOURCE, SOURCE, radius=wrong)  # type: ignore[arg-type]


def test_what_is_no_video_hash_is_refused() -> None:
    with pytest.raises(TypeError, match="query: expected a VideoHash, as hash_video returns it"):
        match_videos("a.mp4", SOURCE)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="reference: expected a VideoHash"):
        match_videos(SOURCE, SOURCE.hashes)  # type: ignore[arg-type]


def test_a_reversed_clip_does_not_follow_a_line_forwards() -> None:
    query = joined(played(SOURCE, 5, 45)[::-1])
    for segment in match_videos(query, SOURCE).segments:
        assert segment.query_end_s - segment.query_start_s < 5


def test_empty_and_strange_videos() -> None:
    empty = video(np.zeros((0, 32), np.uint8), [])
    assert not match_videos(empty, SOURCE)
    assert not match_videos(SOURCE, empty)
    one = video(SOURCE.hashes.packed[:1], [0.0])
    assert match_videos(one, one)
    other = VideoHash(
        HashArray(np.zeros((1, 8), np.uint8), "phash"), *(np.zeros(1),) * 2, 1.0, 0, 0, 0.0,
        np.zeros(1, np.int64), np.ones(1, np.int64),
    )  # fmt: skip
    with pytest.raises(fp.IncompatibleHashError):
        match_videos(other, SOURCE)
    with pytest.raises(ValueError, match="radius: expected 0 to 256, got 257"):
        match_videos(SOURCE, SOURCE, radius=257)


def naive_pairs(query: VideoHash, reference: VideoHash, radius: int) -> set[tuple[int, int, int]]:
    found: dict[tuple[int, int], int] = {}
    for view in query_views(query, mirrored=True).values():
        for target in [reference.hashes, *([reference.trimmed] if reference.trimmed else [])]:
            for i, a in enumerate(view):
                for j, b in enumerate(target):
                    if (a.quality or 0) >= 50 and (b.quality or 0) >= 50 and a - b <= radius:
                        found[i, j] = min(found.get((i, j), 256), a - b)
    return {(i, j, d) for (i, j), d in found.items()}


def test_pairs_are_those_of_every_comparison() -> None:
    rng = np.random.default_rng(4)
    for seed in range(4):
        base = walk(seed, 4, flips=9)
        query = video(base.hashes.packed, base.start_s, quality=rng.integers(30, 101, len(base)))
        trimmed = HashArray(noisy(base.hashes.packed, 8, 12), "pdq", quality=[80] * 40)
        query = replace(query, trimmed=trimmed)
        reference = video(noisy(base.hashes.packed, 3, 9), base.start_s)
        got = find_pairs(query, reference, 31, mirrored=True)
        rows = zip(got.query_rows, got.reference_rows, got.distances, strict=True)
        assert {tuple(map(int, row)) for row in rows} == naive_pairs(query, reference, 31)
        order = list(zip(got.query_rows.tolist(), got.reference_rows.tolist(), strict=True))
        assert order == sorted(set(order))


@given(st.integers(0, 10**6))
def test_votes_are_those_of_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 30
    rows = np.sort(rng.integers(0, 8, n))
    q0 = np.sort(rng.random(8) * 10)[rows]
    q1 = q0 + 0.3
    r0 = rng.random(n) * 12
    r1 = r0 + rng.random(n)
    weight = rng.random(n)
    speeds = (0.5, 1.0, 1.7)
    low, step, tolerance = -20.0, 0.25, 0.4
    for speed in speeds:
        votes, loudest = np.zeros(200), np.zeros((2, 2))
        # One speed before it: what was noted then must not count.
        both = np.array([1.3, speed])
        spans = q0, q1, r0, r1
        kernels.alignment.vote(rows, *spans, weight, both, tolerance, low, step, votes, loudest)
        assert loudest[1, 1] == pytest.approx(votes.max())
        assert votes[round((loudest[1, 0] - low) / step - 0.25)] == pytest.approx(votes.max())
        for k in range(0, 200, 7):
            offset = low + k * step
            best: dict[int, float] = {}
            for p in range(n):
                first = r0[p] - speed * q1[p] - tolerance
                last = r1[p] - speed * q0[p] + tolerance
                if first <= offset <= last:
                    best[rows[p]] = max(best.get(rows[p], 0.0), weight[p])
            assert votes[k] == pytest.approx(sum(best.values()))


def test_evidence_grows_with_likeness_length_and_rarity() -> None:
    def enough(
        distance: int, n: int, *, chance: float = 0.5, length_s: float = 0.0, moved: float = 1.0
    ) -> bool:
        distances = np.full(n, distance, np.int32)
        said = weigh(distances, n, length_s or n / 2, chance, moved, 256, is_most=False)
        return said >= ENOUGH_BITS

    assert enough(2, 4)
    assert not enough(2, 2)
    assert not enough(20, 6)
    assert enough(20, 12, chance=0.01)
    assert not enough(20, 40, chance=0.9)
    assert not enough(20, 40, chance=0.01, moved=0.1), "still scenes resemble each other"
    assert not enough(2, 40, length_s=0.1), "forty frames in a tenth of a second are one"
