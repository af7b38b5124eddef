"""TMK+PDQF, against the reference's files, slow sums, and what time shifts must do."""

from __future__ import annotations

import dataclasses
import io
import itertools
import math
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.fft import dctn

from fingerprint import kernels
from fingerprint.errors import DecodeError, HashFormatError, IncompatibleHashError
from fingerprint.media.limits import VideoLimits
from fingerprint.video import tmk
from fingerprint.video.tmk import (
    TMKFeature,
    hash_tmk,
    read_tmk,
    score_level1,
    score_level2,
    tmk_match,
    write_tmk,
)

# tmk/README.md of the reference, for pairs whose files are here.
PUBLISHED = [
    ("chair-19-sd-bar", "chair-20-sd-bar", 0.989083, 0.991138),
    ("pattern-hd-no-bar", "pattern-longer-no-bar", 0.981078, 0.954990),
    ("doorknob-hd-no-bar", "pattern-sd-with-large-logo-bar", -0.310042, 0.017566),
]


def naive_feature(
    frames: NDArray[Any], periods: tuple[int, ...], weights: NDArray[np.float32]
) -> TMKFeature:
    """One frame a tick, every wave written out."""
    t = np.arange(len(frames))
    norms = np.linalg.norm(frames, axis=1, keepdims=True)
    unit = np.where(norms > 0, frames / np.where(norms > 0, norms, 1), 0)
    cubes = []
    for wave in (np.cos, np.sin):
        cube = np.zeros((len(periods), weights.size, frames.shape[1]))
        for p, period in enumerate(periods):
            for j in range(weights.size):
                vector = (unit * wave(2 * np.pi * j * t / period)[:, None]).sum(0)
                length = np.linalg.norm(vector)
                if length:
                    cube[p, j] = vector / length * math.sqrt(weights[j])
        cubes.append(cube.astype(np.float32))
    average = frames.mean(0).astype(np.float32)
    at = np.array(periods, np.int32)
    return TMKFeature(len(frames), 15, at, weights, average, cubes[0], cubes[1])


def naive_level2(a: TMKFeature, b: TMKFeature) -> float:
    best = -math.inf
    for p, period in enumerate(a.periods.tolist()):
        for offset in range(period):
            score = float(a.cosines[p, 0].astype(float) @ b.cosines[p, 0])
            for j in range(1, a.coefficients.size):
                angle = j * 2 * math.pi * offset / period
                ca, sa = a.cosines[p, j].astype(float), a.sines[p, j].astype(float)
                cb, sb = b.cosines[p, j].astype(float), b.sines[p, j].astype(float)
                score += math.cos(angle) * (ca @ cb + sa @ sb)
                score += math.sin(angle) * (sa @ cb - ca @ sb)
            best = max(best, score)
    weights: list[float] = a.coefficients.tolist()
    return best / (weights[0] + 2 * sum(weights[1:]))


def walk(seed: int, n: int = 120, dimension: int = 6) -> NDArray[Any]:
    return np.cumsum(np.random.default_rng(seed).normal(size=(n, dimension)), 0)


def small(seed: int = 0, n: int = 120) -> TMKFeature:
    weights = np.array([0.2, 0.4, 0.3, 0.05], np.float32)
    return naive_feature(walk(seed, n), (31, 50), weights)


def fields(feature: TMKFeature) -> dict[str, Any]:
    return {f.name: getattr(feature, f.name) for f in dataclasses.fields(feature)}


def encoded(frames: NDArray[np.uint8], times_s: list[float], rate: float = 15) -> bytes:
    """A video of (n, h, w) grey frames at those times, said to have that many a second."""
    file = io.BytesIO()
    clock = Fraction(1, 10_000)
    with av.open(file, "w", format="matroska") as container:
        exact = Fraction(rate).limit_denominator(1001)
        stream = container.add_stream("libx264", rate=exact, options={"qp": "10", "bf": "0"})
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = clock
        for pixels, time_s in zip(frames, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="gray").reformat(format="yuv420p")
            frame.pts = round(time_s / clock)
            frame.time_base = clock
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def drifting(n: int, seed: int = 3) -> NDArray[np.uint8]:
    """Frames of a smooth picture that changes slowly."""
    y, x = np.mgrid[0:96, 0:128] / 16.0
    rng = np.random.default_rng(seed)
    phases = np.cumsum(rng.normal(0.1, 0.1, (n, 3)), 0)
    waves = [np.sin(x + p[0]) + np.sin(y + p[1]) + np.sin(x + y + p[2]) for p in phases]
    return (128 + 35 * np.array(waves)).astype(np.uint8)


@pytest.fixture(scope="session")
def reference(media: Path) -> dict[str, TMKFeature]:
    return {path.stem: read_tmk(path) for path in sorted((media / "tmk-videos/tmk").glob("*.tmk"))}


@pytest.fixture(scope="session")
def computed(media: Path, reference: dict[str, TMKFeature]) -> dict[str, TMKFeature]:
    return {name: hash_tmk(media / "tmk-videos" / f"{name}.mp4") for name in reference}


def test_reference_files_round_trip_to_the_byte(
    media: Path, reference: dict[str, TMKFeature], tmp_path: Path
) -> None:
    assert len(reference) == 10
    for name, feature in reference.items():
        content = (media / "tmk-videos/tmk" / f"{name}.tmk").read_bytes()
        assert feature.to_bytes() == content
        assert read_tmk(memoryview(content)).to_bytes() == content
        write_tmk(feature, tmp_path / name)
        assert (tmp_path / name).read_bytes() == content


def test_published_scores_come_out(reference: dict[str, TMKFeature]) -> None:
    for one, other, level1, level2 in PUBLISHED:
        found = tmk_match(reference[one], reference[other])
        assert found.level1 == pytest.approx(level1, abs=1e-5)
        assert found.level2 == pytest.approx(level2, abs=1e-5)
        assert found.is_match == (level1 >= 0.7)


def test_constants_are_the_references(reference: dict[str, TMKFeature]) -> None:
    for feature in reference.values():
        assert feature.periods.tolist() == list(tmk.PERIODS)
        assert (feature.coefficients == np.array(tmk._COEFFICIENTS, np.float32)).all()
        assert feature.frame_rate == tmk.FRAME_RATE


def test_computed_features_are_the_references(
    reference: dict[str, TMKFeature], computed: dict[str, TMKFeature]
) -> None:
    for name, feature in computed.items():
        assert feature.frame_count == reference[name].frame_count
        assert not feature.damage
        found = tmk_match(feature, reference[name])
        assert found.level1 == pytest.approx(1, abs=1e-5)
        assert found.level2 == pytest.approx(1, abs=1e-5)
        assert found.offset_s == 0


def test_computed_features_score_as_the_references(
    reference: dict[str, TMKFeature], computed: dict[str, TMKFeature]
) -> None:
    pairs = list(itertools.combinations_with_replacement(reference, 2))
    assert len(pairs) == 55
    for one, other in pairs:
        for score in (score_level1, score_level2):
            ours = score(computed[one], computed[other])
            assert ours == pytest.approx(score(reference[one], reference[other]), abs=2e-3)


def test_level2_is_the_best_of_all_offsets() -> None:
    for seed in range(4):
        a, b = small(seed), small(seed + 10, n=90)
        assert score_level2(a, b) == pytest.approx(naive_level2(a, b), abs=1e-9)
        assert naive_level2(a, a) == pytest.approx(score_level2(a, a), abs=1e-9)


def test_level2_with_more_waves_than_a_period_has_offsets() -> None:
    rng = np.random.default_rng(5)
    weights = rng.uniform(0, 1, 9).astype(np.float32)
    a, b = (naive_feature(rng.normal(size=(40, 3)), (4, 7), weights) for _ in range(2))
    assert score_level2(a, b) == pytest.approx(naive_level2(a, b), abs=1e-9)


def test_a_feature_scores_1_with_itself_and_alike_both_ways() -> None:
    for seed in range(3):
        a, b = small(seed), small(seed + 1)
        with_itself = tmk_match(a, a)
        assert with_itself.level1 == pytest.approx(1)
        assert with_itself.level2 == pytest.approx(1, abs=1e-6)
        assert (with_itself.offset_s, with_itself.is_match) == (0.0, True)
        assert score_level1(a, b) == pytest.approx(score_level1(b, a), abs=1e-12)
        assert score_level2(a, b) == pytest.approx(score_level2(b, a), abs=1e-12)


def test_thresholds_count_as_reached() -> None:
    a, b = small(1), small(1, n=100)
    level1, level2 = score_level1(a, b), score_level2(a, b)
    assert tmk_match(a, b, level1, level2).is_match
    assert not tmk_match(a, b, math.nextafter(level1, 2), level2).is_match
    assert not tmk_match(a, b, level1, math.nextafter(level2, 2)).is_match
    for wrong in (math.nan, 70):
        with pytest.raises(ValueError, match="level2: expected a score"):
            tmk_match(a, b, level1, wrong)


@pytest.mark.parametrize("shift", [0, 45, 300])
def test_a_shift_is_found(shift: int) -> None:
    shots = np.repeat(np.random.default_rng(shift).normal(size=(91, 16)), 37, 0)
    weights = np.array(tmk._COEFFICIENTS, np.float32)
    later = naive_feature(shots[:3000], tmk.PERIODS[:2], weights)
    sooner = naive_feature(shots[shift : 3000 + shift], tmk.PERIODS[:2], weights)
    assert tmk_match(sooner, later).offset_s == pytest.approx(shift / 15, abs=0.4)
    assert tmk_match(later, sooner).offset_s == pytest.approx(-shift / 15, abs=0.4)


def test_features_of_different_parameters_are_not_compared() -> None:
    a = small()
    made = fields(a)
    narrow = {"average": a.average[:5], "cosines": a.cosines[..., :5], "sines": a.sines[..., :5]}
    others: list[tuple[str, dict[str, Any]]] = [
        ("frame_rate", {"frame_rate": 30}),
        ("periods", {"periods": a.periods + 1}),
        ("coefficients", {"coefficients": a.coefficients * np.float32(1.00001)}),
        ("dimension", narrow),
    ]
    for what, change in others:
        b = TMKFeature(**(made | change))
        for compare in (score_level1, score_level2, tmk_match):
            with pytest.raises(IncompatibleHashError, match=what):
                compare(a, b)


def test_a_frame_feature_is_the_cosine_transform_of_luma() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    feature = np.zeros(256, np.float32)
    kernels.tmk.frame_feature(rgb, kernels.pdq.DCT, feature)
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    expected = dctn(luma, norm="ortho")[1:17, 1:17].ravel()
    assert feature == pytest.approx(expected, abs=5e-3)


def test_a_frame_that_stands_still_is_many_frames() -> None:
    rng = np.random.default_rng(2)
    counts = [1, 3, 400, 1, 1, 25, 7]
    features = rng.normal(size=(len(counts), 8)).astype(np.float32)
    features[3] = 0
    weights = np.array([0.3, 0.5, 0.1, 0.1, 0.1], np.float32)
    periods = (37, 101)
    total, cosines, sines = np.zeros(8), np.zeros((2, 5, 8)), np.zeros((2, 5, 8))
    first = 0
    for feature, count in zip(features, counts, strict=True):
        kernels.tmk.add_feature(
            feature, first, count, np.array(periods, np.int32), total, cosines, sines
        )
        first += count
    expected = naive_feature(np.repeat(features.astype(float), counts, 0), periods, weights)
    assert total / first == pytest.approx(expected.average, abs=1e-6)
    for sums, cube in ((cosines, expected.cosines), (sines, expected.sines)):
        norms = np.linalg.norm(sums, axis=2, keepdims=True)
        norms[norms == 0] = 1
        assert sums / norms * np.sqrt(weights)[:, None] == pytest.approx(cube, abs=1e-5)


@pytest.mark.parametrize("rate", [7.5, 12, 15, 24, 30000 / 1001, 50, 60])
def test_frames_are_resampled_to_15_a_second(rate: float) -> None:
    frames = drifting(round(rate * 4))
    feature = hash_tmk(encoded(frames, [i / rate for i in range(len(frames))], rate))
    assert 60 <= feature.frame_count <= 64  # FFmpeg lets the output run ahead a little.


def test_the_rate_of_frames_changes_little() -> None:
    frames = drifting(120)
    at_30 = hash_tmk(encoded(frames, [i / 30 for i in range(120)], 30))
    at_10 = hash_tmk(encoded(frames[::3], [i / 10 for i in range(40)], 10))
    broken = [i / 30 for i in range(120) if i < 20 or i % 2 or i > 80]
    uneven = hash_tmk(encoded(frames[[round(30 * t) for t in broken]], broken, 30))
    for other in (at_10, uneven):
        found = tmk_match(at_30, other)
        assert found.level1 > 0.98
        assert found.level2 > 0.98


def test_frames_are_dropped_as_ffmpeg_drops_them() -> None:
    ticks = tmk._ConstantRate(30.0, "video")
    shown = [i for i in range(20) if ticks.place(i / 30) == (0, 1)]
    assert shown == [0, 1, 2, 3, 5, 7, 9, 11, 13, 15, 17, 19]  # As in 2:1 of the reference files.


def test_a_gap_is_filled_with_the_frame_before_it() -> None:
    ticks = tmk._ConstantRate(15.0, "video")
    assert [ticks.place(t / 15) for t in (0, 1, 11, 12)] == [(0, 1), (0, 1), (8, 2), (0, 1)]


def test_black_has_no_direction() -> None:
    times = [i / 15 for i in range(30)]
    black = hash_tmk(encoded(np.zeros((30, 64, 64), np.uint8), times))
    frames = drifting(30)
    frames[10:] = 0
    partly = hash_tmk(encoded(frames, times))
    assert read_tmk(black.to_bytes()).frame_count == 30
    assert not black.average.any()
    assert score_level1(black, black) == score_level1(black, partly) == 0.0
    assert score_level2(black, black) == score_level2(black, partly) == 0.0
    assert score_level2(partly, partly) == pytest.approx(1, abs=1e-6)


def test_progress_is_told_and_limits_hold() -> None:
    video = encoded(drifting(30), [i / 15 for i in range(30)])
    told: list[float] = []
    hash_tmk(video, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(29 / 15, abs=1e-3)
    with pytest.raises(DecodeError, match="max_frames"):
        hash_tmk(video, limits=VideoLimits(max_frames=10))
    with pytest.raises(DecodeError, match="not a video"):
        hash_tmk(small().to_bytes())


def test_damage_is_passed_on() -> None:
    video = encoded(drifting(90), [i / 15 for i in range(90)])
    assert not hash_tmk(video).damage
    cut = hash_tmk(video[: len(video) // 2])
    assert cut.frame_count < 80
    assert cut.damage


def test_a_frame_cannot_stand_still_for_days() -> None:
    ticks = tmk._ConstantRate(15.0, "video")
    assert ticks.place(0.0) == (0, 1)
    with pytest.raises(DecodeError, match="a frame at least every"):
        ticks.place(4e5)
    with pytest.raises(DecodeError, match="a frame at least every"):
        tmk._ConstantRate(1e-9, "video").place(0.0)


def header(*numbers: int, magic: bytes = b"TMK1FVECPDQF") -> bytes:
    return magic + np.array(numbers, "<i4").tobytes()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "header of 32 bytes"),
        (b"TMK1FVECPDQF", "header of 32 bytes"),
        (header(15, 4, 32, 256, 9, magic=b"TMK1FEATPDQF"), "begins with"),
        (header(0, 4, 32, 256, 9), "frame_rate"),
        (header(15, 0, 32, 256, 9), "periods"),
        (header(15, 2**31 - 1, 2**31 - 1, 2**31 - 1, 9), "periods"),
        (header(15, 4, -1, 256, 9), "coefficients"),
        (header(15, 4, 32, 100_000, 9), "dimension"),
        (header(15, 4, 32, 256, 0), "frame_count"),
        (header(15, 4, 32, 256, 9), "263,344 bytes by its header, got 32"),
        (small().to_bytes()[:-1], "by its header"),
        (small().to_bytes() + b"\0", "by its header"),
    ],
)
def test_what_is_not_a_tmk_file_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "some.tmk"
    path.write_bytes(content)
    for source in (content, path):
        with pytest.raises(HashFormatError, match=says):
            read_tmk(source)


def test_a_missing_file_and_a_pipe_are_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tmk(tmp_path / "none.tmk")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HashFormatError, match="regular file"):
        read_tmk(tmp_path / "pipe")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["coefficients", "average", "cosines", "sines"])
def test_numbers_that_are_not_finite_are_refused(field: str, value: float) -> None:
    a = small()
    names = ["periods", "coefficients", "average", "cosines", "sines"]
    at = 32 + sum(getattr(a, name).nbytes for name in names[: names.index(field)])
    content = bytearray(a.to_bytes())
    content[at : at + 4] = np.array([value], "<f4").tobytes()
    with pytest.raises(HashFormatError, match=f"{field}: expected finite"):
        read_tmk(content)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"frame_count": 0}, "frame_count"),
        ({"periods": np.array([31, 2**31 - 1], np.int32)}, "periods"),
        ({"periods": np.array([31, 0], np.int32)}, "periods"),
        ({"periods": np.array([31], np.int32)}, "cosines: expected shape"),
        ({"periods": np.array([31.0, 50.0])}, "dtype int32"),
        ({"average": np.zeros((6, 1), np.float32)}, "average: expected one dimension"),
        ({"coefficients": np.zeros(4, np.float32)}, "coefficients"),
        ({"coefficients": np.array([0.2, 0.4, -0.3, 0.05], np.float32)}, "coefficients"),
        ({"sines": 3 * small().sines}, "sines: expected vectors"),
    ],
)
def test_a_value_that_is_no_feature_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(HashFormatError, match=says):
        TMKFeature(**(fields(small()) | change))


def test_a_feature_is_not_changed_by_its_makers_arrays_and_shows_none() -> None:
    a = small()
    assert not a.cosines.flags.writeable
    assert repr(a) == "TMKFeature(frame_count=120, frame_rate=15)"
    assert a.duration_s == 8.0


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_round_trip(content: bytes) -> None:
    for data in (content, b"TMK1FVECPDQF" + content):
        try:
            feature = read_tmk(data)
        except HashFormatError:
            continue
        assert feature.to_bytes() == data


@given(st.integers(0, len(small().to_bytes()) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_round_trips(at: int, value: int) -> None:
    content = bytearray(small().to_bytes())
    content[at] = value
    try:
        feature = read_tmk(content)
    except HashFormatError:
        return
    assert feature.to_bytes() == bytes(content)
    assert math.isfinite(score_level2(feature, feature))
    assert abs(score_level2(feature, feature)) < 1.01


@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(1, 6), st.integers(1, 5))
def test_any_feature_round_trips(periods: list[int], n_weights: int, dimension: int) -> None:
    rng = np.random.default_rng(n_weights)
    weights = rng.uniform(0.1, 1, n_weights).astype(np.float32)
    feature = naive_feature(rng.normal(size=(20, dimension)), tuple(periods), weights)
    again = read_tmk(feature.to_bytes())
    for name in ("periods", "coefficients", "average", "cosines", "sines"):
        assert np.array_equal(getattr(again, name), getattr(feature, name))
    assert (again.frame_count, again.frame_rate) == (20, 15)
