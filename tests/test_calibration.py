"""Calibrations: the formula, what falls and rises, damaged files, and what `calibrate` counts."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.algorithms import get_algorithm
from fingerprint.calibration import (
    DEFAULT_PRIOR,
    Calibration,
    CalibrationFormatError,
    CalibrationRangeError,
    ChanceStratum,
    CopyDistances,
    assess,
    calibration_of,
)
from fingerprint.errors import FingerprintError, UnknownAlgorithmError
from fingerprint.evaluate import calibration_pictures, chance
from fingerprint.evaluate.calibrate import calibrate
from fingerprint.evaluate.low_information import LOW_INFORMATION_KINDS, faded, low_information
from fingerprint.results import Match
from fingerprint.typing import U8

BITS = 16


def stratum_of(rate: list[float], **more: object) -> ChanceStratum:
    curve = tuple(rate)
    values: dict[str, object] = {
        "pictures": 100,
        "pairs": 4950,
        "rate": curve,
        "low": tuple(r / 2 for r in curve),
        "high": tuple(min(2 * r, 1.0) for r in curve),
        "measured_from": 6,
        "nearest": 4,
    }
    return ChanceStratum(**(values | more))  # type: ignore[arg-type]


@pytest.fixture
def small() -> Calibration:
    """Rates that double with each bit of 16; copies that halve."""
    rising = [2.0 ** (d - BITS) for d in range(BITS + 1)]
    falling = [2.0 ** -(d + 1) for d in range(BITS)] + [2.0**-BITS]
    low = [min(1, 16 * r) for r in rising]
    return Calibration(
        algorithm="toy",
        algorithm_version=1,
        bits=BITS,
        min_quality=50,
        step=1,
        made_on="2026-01-01",
        made_from="nothing",
        seed=0,
        pictures=100,
        unreadable=0,
        set_aside=0,
        pairs_set_aside=0,
        blind_radius=-1,
        edits=("jpeg:50",),
        strata={
            "same-domain": stratum_of(rising),
            "diverse": stratum_of([r**2 for r in rising]),
            "quality 0-49": stratum_of(low, quality=(0, 49), generated=True),
        },
        copies={
            "ordinary": CopyDistances(10, 100, tuple(falling)),
            "quality 0-49": CopyDistances(10, 100, tuple(falling), (0, 49)),
        },
    )


@pytest.fixture(scope="module")
def shipped() -> Calibration:
    return calibration_of("pdq")


@pytest.mark.parametrize(("n", "prior", "views"), [(1, 0.5, 1), (1000, 1e-3, 1), (40, 0.2, 8)])
def test_the_probability_is_that_of_bayes(
    small: Calibration, n: int, prior: float, views: int
) -> None:
    for d in range(1, 10):
        chance_of_d = small.strata["same-domain"].rate[d] - small.strata["same-domain"].rate[d - 1]
        copy, wrong = prior / n * small.copies["ordinary"].density[d], views * chance_of_d
        expected = copy / (copy + (1 - prior / n) * wrong)
        got = small.probability(d, n, 90, prior=prior, views=views, stratum="same-domain")
        assert got == pytest.approx(expected)
        ratio = small.likelihood_ratio(d, stratum="same-domain")
        assert ratio == pytest.approx(math.log2(small.copies["ordinary"].density[d] / chance_of_d))


def test_strata_mix_by_their_shares(small: Calibration) -> None:
    shares = {"same-domain": 0.25, "diverse": 0.75}
    mixed = small.false_positive_rate(7, stratum=shares)
    same, diverse = (small.false_positive_rate(7, stratum=s) for s in shares)
    assert mixed.value == pytest.approx(0.25 * same.value + 0.75 * diverse.value)
    assert small.false_positive_rate(7) == same
    assert small.usual_mixture == {"same-domain": 0.01, "diverse": 0.99}
    assert small.probability(5) == small.probability(5, 1, 80, stratum=small.usual_mixture)


def test_expected_numbers_grow_with_what_is_compared(small: Calibration) -> None:
    one = small.expected_false(8, 1)
    many = small.expected_false(8, 500, queries=20)
    assert many.value == pytest.approx(10_000 * one.value)
    assert many.low < many.value < many.high
    assert one.measured
    assert not small.expected_false(3, 1).measured


@given(st.floats(1e-4, 1.0), st.integers(1, 50))
def test_the_radius_is_the_largest_that_keeps_to_the_rate(wanted: float, n: int) -> None:
    rising = [2.0 ** (d - BITS) for d in range(BITS + 1)]
    for step in (1, 2):
        curve = [rising[d // step * step] for d in range(BITS + 1)]
        toy = replace(_toy(curve), step=step)
        target = wanted / n
        try:
            advice = toy.radius(wanted, n)
        except CalibrationRangeError:
            assert min(curve) > target or 2 * step + 1 > BITS * 0.2
            continue
        assert advice.radius % step == 0
        assert curve[advice.radius] <= target
        following = advice.radius + step
        assert following > BITS or curve[following] > target
        assert advice.low <= advice.radius <= advice.high
        assert advice.extrapolated == (advice.radius < 6)
        assert ("at most 6.1e-04" in advice.note) == advice.extrapolated  # 3 of 4,950.


def _toy(curve: list[float]) -> Calibration:
    return Calibration(
        "toy", 1, BITS, 50, 1, "2026-01-01", "nothing", 0, 100, 0, 0, 0, -1, (),
        {"diverse": stratum_of(curve)}, {"ordinary": CopyDistances(1, 1, tuple(curve))},
    )  # fmt: skip


def test_what_the_measurements_do_not_carry_is_refused(small: Calibration) -> None:
    with pytest.raises(CalibrationRangeError, match="no radius of toy"):
        small.radius(1e-9, 1)
    rate = small.strata["same-domain"].rate
    wide = stratum_of(
        list(rate), low=tuple(r / 32 for r in rate), high=tuple(min(1.0, r * 32) for r in rate)
    )
    with pytest.raises(CalibrationRangeError, match="too far out"):
        replace(small, strata={**small.strata, "same-domain": wide}).radius(1e-2, 1)
    without = replace(
        small, strata={k: v for k, v in small.strata.items() if not k.startswith("quality")}
    )
    with pytest.raises(CalibrationRangeError, match="quality: 10"):
        without.probability(5, 10, 10)
    assert issubclass(CalibrationRangeError, FingerprintError)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda c: c.false_positive_rate(17), "radius: expected 0 to 16"),
        (lambda c: c.false_positive_rate(3, stratum="else"), "stratum: expected one of"),
        (lambda c: c.false_positive_rate(3, stratum={"diverse": 0.5}), "add up to 1"),
        (lambda c: c.expected_false(3, 0), "database_size: expected at least 1"),
        (lambda c: c.radius(0), "false_positives_per_query"),
        (lambda c: c.probability(-1), "distance: expected 0 to 16"),
        (lambda c: c.probability(1, quality=101), "quality: expected 0 to 100"),
        (lambda c: c.probability(1, prior=1.0), "prior: expected"),
        (lambda c: c.probability(1, views=0), "views: expected at least 1"),
    ],
)
def test_arguments_are_checked(small: Calibration, call: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(small)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["pdq", "phash"])
def test_shipped_probabilities_fall_with_distance_and_size_and_rise_with_quality(name: str) -> None:
    one = calibration_of(name)
    algorithm = get_algorithm(name)
    kind = (one.algorithm, one.algorithm_version, one.bits, one.min_quality)
    assert kind == (name, algorithm.version, algorithm.bits, algorithm.min_quality)
    sizes, qualities = (1, 30, 1_000, 10**6, 10**9), (0, 1, 24, 25, 49, 50, 100)
    table = np.array(
        [
            [[one.probability(d, n, q) for q in qualities] for n in sizes]
            for d in range(one.bits + 1)
        ]
    )
    assert (np.diff(table, axis=0) <= 1e-12).all(), "distance"
    assert (np.diff(table, axis=1) <= 1e-12).all(), "size"
    assert (np.diff(table, axis=2) >= -1e-12).all(), "quality"
    assert table[0, 0, -1] > 0.99
    assert table[one.bits // 2].max() < 0.01
    assert table[one.bits // 20, 0, 0] < table[one.bits // 20, 0, -1] - 0.001
    priors = [one.probability(30 * one.bits // 256, 1000, prior=p) for p in (1e-6, 1e-3, 0.1, 0.9)]
    assert priors == sorted(priors)


def test_the_shipped_interval_holds_what_was_published_of_a_larger_set(
    shipped: Calibration,
) -> None:
    # 16.5 million pairs of clothing (facts/robustness.md), without their two true duplicates.
    for radius, pairs in {50: 3, 60: 17, 70: 125, 80: 757}.items():
        rate = shipped.false_positive_rate(radius, stratum="same-domain")
        assert rate.low < pairs / 1.65e7 < rate.high
    diverse = shipped.false_positive_rate(90, stratum="diverse")
    assert diverse.low < 1.7e-5 < diverse.high


def test_intervals_of_probabilities_hold_them(shipped: Calibration) -> None:
    for d in (0, 30, 60, 90):
        for q in (0, 30, 100):
            low, high = shipped.probability_interval(d, 10_000, q)
            assert 0 <= low <= shipped.probability(d, 10_000, q) <= high <= 1
    low, high = shipped.probability_interval(40, 100_000)
    assert high - low > 0.05, "far out it is not known so well"


def test_json_gives_it_back(small: Calibration, shipped: Calibration, tmp_path: Path) -> None:
    again = Calibration.from_json(small.to_json())
    assert again.algorithm == "toy"
    assert list(again.strata) == list(small.strata)
    assert Calibration.from_json(again.to_json()) == again
    shipped.save(tmp_path / "one.json")
    assert Calibration.load(tmp_path / "one.json") == shipped


@given(st.data())
def test_damage_is_told(data: st.DataObject) -> None:
    text = _toy([2.0 ** (d - BITS) for d in range(BITS + 1)]).to_json()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from('0123456789"{}[],:.e- x'))
    broken = text[:place] + other + text[place + 1 :]
    try:
        read = Calibration.from_json(broken)
    except CalibrationFormatError:
        return
    assert read == Calibration.from_json(text), "white space, say"
    assert Calibration.from_json(text[:-1]) == read
    with pytest.raises(CalibrationFormatError):
        Calibration.from_json(text[:place])


def _signed(content: dict[str, object]) -> str:
    from fingerprint.calibration import files

    content.pop("digest", None)
    return json.dumps({**content, "digest": files._digest(content)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "else"}, "format"),
        ({"version": 2}, "version"),
        ({"bits": 0}, "bits"),
        ({"bits": 15}, "expected 16 numbers"),
        ({"pictures": "many"}, "pictures"),
        ({"pictures": True}, "pictures"),
        ({"strata": {}}, "strata"),
        ({"strata": {"diverse": {}}}, "ChanceStratum"),
        ({"strata": 3}, "wrong kind"),
        ({"edits": "jpeg"}, "expected texts"),
        ({"copies": None}, "wrong kind"),
        ({"seed": -1}, "seed"),
    ],
)
def test_foreign_content_is_refused(change: dict[str, object], words: str) -> None:
    content = json.loads(_toy([2.0 ** (d - BITS) for d in range(BITS + 1)]).to_json())
    assert Calibration.from_json(_signed(dict(content))).bits == BITS
    with pytest.raises(CalibrationFormatError, match=words):
        Calibration.from_json(_signed(content | change))


@pytest.mark.parametrize(
    "change",
    [
        {"rate": [1.0, *[0.5] * BITS]},
        {"rate": [float("nan")] * (BITS + 1)},
        {"rate": [2.0] * (BITS + 1)},
        {"low": [1.0] * (BITS + 1)},
        {"quality": [1]},
        {"extra": 1},
    ],
)
def test_impossible_curves_are_refused(change: dict[str, object]) -> None:
    content = json.loads(_toy([2.0 ** (d - BITS) for d in range(BITS + 1)]).to_json())
    content["strata"]["diverse"] |= change
    with pytest.raises(CalibrationFormatError):
        Calibration.from_json(_signed(content))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", b"\xff\xfe", "[" * 100_000, '{"a": NaN}'])
def test_what_is_no_calibration_is_refused(text: str | bytes) -> None:
    with pytest.raises(CalibrationFormatError):
        Calibration.from_json(text)


def test_matches_get_their_probability(small: Calibration) -> None:
    matches = [Match("a", 2, 90), Match("b", 9, 90, "flip_x", {"k": 1}), Match("c", 2, 10)]
    assessed = assess(matches, small, 50, prior=0.1, views=2)
    for before, after in zip(matches, assessed, strict=True):
        expected = small.probability(before.distance, 50, before.quality, prior=0.1, views=2)
        assert after.probability == expected
        assert replace(after, probability=None) == before
    blind = replace(small, strata={"diverse": small.strata["diverse"]})
    assert [m.probability is None for m in assess(matches, blind, 50)] == [False, False, True]
    assert assess([], small, 50) == []
    assert DEFAULT_PRIOR == 1e-3


def test_algorithms_without_a_shipped_one_are_named() -> None:
    with pytest.raises(UnknownAlgorithmError, match="no calibration ships"):
        calibration_of("whash")


@pytest.mark.parametrize("kind", LOW_INFORMATION_KINDS)
def test_pictures_with_little_in_them(kind: str) -> None:
    one = low_information(kind, 3)
    assert one.dtype == np.uint8
    assert one.shape[2] == 3
    assert max(one.shape) == 512
    assert (one == low_information(kind, 3)).all()
    assert one.shape != low_information(kind, 4).shape or (one != low_information(kind, 4)).any()
    with pytest.raises(ValueError, match="kind: expected one of flat"):
        low_information("else", 1)


def test_faded_photographs_have_little_in_them() -> None:
    algorithm = get_algorithm("pdq")
    clear = [cloud(n) for n in range(10)]
    before = [algorithm.hash_pixels(one).quality for one in clear]  # type: ignore[attr-defined]
    after = [
        algorithm.hash_pixels(faded(one, n)).quality  # type: ignore[attr-defined]
        for n, one in enumerate(clear)
    ]
    assert np.median(after) < 50 < np.median(before)


def cloud(seed: int, side_px: int = 96) -> U8:
    """A picture with the spectrum of a photograph; cheap."""
    random = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(side_px)[:, None], np.fft.rfftfreq(side_px)[None, :]
    size = np.hypot(fy, fx)
    size[0, 0] = 1
    noise = random.normal(size=(2, *size.shape))
    values = np.fft.irfft2((noise[0] + 1j * noise[1]) / size**1.2, s=(side_px, side_px))
    grey = np.clip(128 + 50 * (values - values.mean()) / values.std(), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration_pictures, "N_LOW", 24)
    monkeypatch.setattr(calibration_pictures, "N_LOW_EDITED", 4)
    monkeypatch.setattr(chance, "DRAWS", 60)


@pytest.mark.usefixtures("few")
def test_calibrate_counts_pairs_and_sets_near_duplicates_aside() -> None:
    pictures: list[U8 | bytes] = [cloud(n) for n in range(130)]
    pictures += [np.clip(cloud(n) + 2.0, 0, 255).astype(np.uint8) for n in (3, 4, 4)]
    pictures.append(cloud(5)[:, ::-1].copy())  # Mirrored: the same picture.
    pictures.append(b"no picture")
    shares: list[float] = []
    edits = ["jpeg:50", "crop:0.02", "blur:3"]
    made = [
        calibrate(pictures, edits=edits, n_edited=40, workers=w, progress=shares.append)
        for w in (1, 3)
    ]
    one = made[0]
    assert made[0] == made[1]
    assert shares[-1] == 1
    assert one.edits == tuple(edits)
    assert (one.pictures, one.set_aside, one.unreadable) == (130, 4, 1)
    assert one.pairs_set_aside == 1 + 3 + 1
    assert one.step == 2
    assert one.strata["same-domain"].pairs == 130 * 129 / 2
    assert "diverse" not in one.strata
    assert one.usual_mixture == {"same-domain": 1.0}
    assert any("diverse" in note for note in one.notes)
    assert any("none set aside" in note for note in one.notes)
    low = sum(s.pairs for n, s in one.strata.items() if n.startswith("quality"))
    assert low > 1_000
    assert one.copies["ordinary"].copies <= 40 * 3
    assert sum(one.copies["ordinary"].density) == pytest.approx(1)
    assert Calibration.from_json(one.to_json()).radius(0.05, 10).radius > 40


@pytest.mark.usefixtures("few")
def test_groups_can_be_given(tmp_path: Path) -> None:
    from PIL import Image

    groups = {}
    for n in range(120):
        folder = tmp_path / f"folder {n % 2}"
        folder.mkdir(exist_ok=True)
        Image.fromarray(cloud(n)).save(folder / f"{n:03}.png")
        groups[f"folder {n % 2}/{n:03}.png"] = n // 4 if n < 8 else f"own {n}"
    one = calibrate(tmp_path, edits=["jpeg:50"], groups=groups, n_edited=110)
    assert (one.pictures, one.set_aside, one.pairs_set_aside) == (114, 6, 12)
    assert one.blind_radius == -1
    # The first of each four that show the same lies in the one folder.
    assert one.strata["same-domain"].pairs == (58 * 57 + 56 * 55) // 2
    assert one.strata["diverse"].pairs == 58 * 56


@pytest.mark.usefixtures("few")
def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="sources: expected some hundreds"):
        calibrate([cloud(n) for n in range(5)], edits=["jpeg:50"])
    with pytest.raises(ValueError, match="sources: expected some hundreds"):
        calibrate([cloud(1)] * 60, edits=["jpeg:50"])
    with pytest.raises(ValueError, match="edits: expected at least one"):
        calibrate([cloud(1)], edits=[])
    with pytest.raises(ValueError, match="workers"):
        calibrate([cloud(1)] * 60, edits=["jpeg:50"], workers=0)
