"""Predicted probabilities against what happened, on pictures that were not fitted to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fingerprint.calibration import calibration_of
from fingerprint.evaluate import calibration_pictures, chance
from fingerprint.evaluate.calibrate import calibrate
from fingerprint.evaluate.reliability import (
    CANDIDATE,
    JudgedPairs,
    judge,
    judged_pairs,
    reliability,
)
from tests.test_calibration import cloud

EDITS = ("jpeg:30", "crop:0.02", "crop:0.05", "rotate:4", "blur:6")


def test_true_probabilities_are_reliable_and_false_ones_are_told() -> None:
    random = np.random.default_rng(1)
    p = random.beta(0.3, 0.3, 60_000)
    happened = random.random(len(p)) < p
    good = reliability(p, happened)
    assert good.expected_calibration_error < 0.01
    assert sum(b.low <= b.predicted <= b.high for b in good.bins) >= len(good.bins) - 2
    assert good.brier == pytest.approx(float(np.mean((p - happened)[p >= CANDIDATE] ** 2)))
    assert good.brier < good.brier_of_base_rate
    bold = reliability(np.clip(1.5 * (p - 0.5) + 0.5, 0, 1), happened)
    assert bold.expected_calibration_error > 0.05
    assert sum(b.pairs for b in good.bins) == len(p)


def test_weights_are_as_though_there_were_more() -> None:
    p, happened = np.array([0.2, 0.2, 0.6]), np.array([True, False, True])
    counts = np.array([10, 70, 5])
    grouped = reliability(p, happened, None, counts)
    each = reliability(np.repeat(p, counts), np.repeat(happened, counts))
    assert grouped.bins == each.bins
    assert grouped.brier == pytest.approx(each.brier)
    halved = reliability(p, happened, np.array([5.0, 70, 2.5]), counts)
    assert halved.bins[0].observed == pytest.approx(5 / 75)
    with pytest.raises(ValueError, match="predicted"):
        reliability(np.array([1.2]), np.array([True]))


def test_judged_pairs_are_all_copies_with_all_originals() -> None:
    pictures = [cloud(n) for n in range(6)]
    pairs = judged_pairs(pictures, edits=["jpeg:50", "blur:3"], half="all", n_edited=4)
    assert pairs.entries == 6
    assert pairs.count.sum() == 4 * 2 * 6
    assert pairs.count[pairs.copy].sum() == 4 * 2
    assert pairs.same_domain == 1
    assert pairs.distance[pairs.copy].max() < pairs.distance[~pairs.copy].min()


def test_probabilities_hold_on_other_generated_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration_pictures, "N_LOW", 4)
    monkeypatch.setattr(calibration_pictures, "N_LOW_EDITED", 1)
    monkeypatch.setattr(chance, "DRAWS", 60)
    fitted = calibrate([cloud(n) for n in range(150)], edits=EDITS, n_edited=80, seed=1)
    pairs = judged_pairs(
        [cloud(n) for n in range(1_000, 1_120)], edits=EDITS, half="all", n_edited=100
    )
    found = judge(fitted, pairs)
    assert found.expected_calibration_error < 0.06
    assert found.brier < found.brier_of_base_rate / 2
    surest = [b for b in found.bins if b.predicted > 0.95]
    assert sum(b.pairs for b in surest) > 300
    assert all(b.high > 0.95 for b in surest)
    unlikely = [b for b in found.bins if b.predicted < 0.05]
    assert sum(b.pairs for b in unlikely) > 50_000
    assert all(b.low < 0.05 for b in unlikely)
    # As though every entry were three times as likely: it must show.
    assert judge(fitted, pairs, prior=0.9).expected_calibration_error < 0.06
    assert _misjudged(fitted, pairs) > 2 * found.expected_calibration_error


def _misjudged(fitted: object, pairs: JudgedPairs) -> float:
    wrong = [
        fitted.probability(int(d), 1, int(q), prior=0.5)  # type: ignore[attr-defined]
        for d, q in zip(pairs.distance, pairs.quality, strict=True)
    ]
    weights = np.asarray(pairs.count * np.where(pairs.copy, 0.5, 1.0), np.float64)
    return reliability(np.array(wrong), pairs.copy, weights, pairs.count).expected_calibration_error


@pytest.mark.media
def test_the_shipped_calibration_holds_on_the_half_it_has_not_seen(media: Path) -> None:
    pairs = judged_pairs(media / "photos", edits=EDITS, half="report", limit=100, n_edited=40)
    found = judge(calibration_of("pdq"), pairs)
    assert found.brier < found.brier_of_base_rate / 2
    assert found.expected_calibration_error < 0.12, "its mixture of edits is another one"
    for one in found.bins:
        if one.predicted > 0.95:
            assert one.high > 0.95
    false_and_sure = ~pairs.copy & (pairs.distance <= 60)
    assert pairs.count[false_and_sure].sum() <= 0.0005 * pairs.count.sum()
