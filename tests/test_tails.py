"""Tails of distances: against SciPy's own fit, a slow likelihood, and simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binom, genpareto

from fingerprint.evaluate import chance
from fingerprint.evaluate.chance import ORDINARY, Pool, measure_strata
from fingerprint.evaluate.tails import binomial_rates, fit_tail, tail_of
from fingerprint.hash_arrays import HashArray
from fingerprint.typing import F64

BITS = 256


def counts_of(exceedances: F64, threshold: int, step: int = 1) -> F64:
    """Cells of a continuous exceedance: what is under y lies at the distance above it."""
    distances = threshold - step * np.floor(exceedances / step)
    return np.bincount(np.maximum(distances, 0).astype(int), minlength=BITS + 1).astype(float)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize(("scale", "shape"), [(5.0, 0.1), (4.0, -0.04), (6.0, 0.0)])
def test_cells_give_what_scipy_finds_in_the_numbers_behind_them(
    step: int, scale: float, shape: float
) -> None:
    y = genpareto.rvs(shape, scale=scale, size=6_000, random_state=3)
    theirs_shape, _, theirs_scale = genpareto.fit(y, floc=0)
    ours = fit_tail(counts_of(y, 100, step), 1e6, 100, step=step, shape_sd=None)
    assert ours.shape == pytest.approx(theirs_shape, abs=0.02)
    assert ours.scale == pytest.approx(theirs_scale, rel=0.04)
    assert ours.exceedances == 6_000
    assert ours.share == pytest.approx(6_000 / 1e6)
    assert float(ours.rate(80)) == pytest.approx(
        ours.share * genpareto.sf(20, shape, scale=scale), rel=0.15
    )


@pytest.mark.parametrize("blind", [-1, 64])
def test_the_fit_is_the_maximum_of_the_likelihood_of_cells(blind: int) -> None:
    y = genpareto.rvs(0.08, scale=6, size=400, random_state=5)
    counts = counts_of(y, 100, 2)
    counts[: blind + 1] = 0
    ends = np.arange(100, (blind if blind >= 0 else -1) + 1, -2)
    ends = ends[ends > blind]

    def cost(point: F64) -> float:
        near = genpareto.sf(100 - ends, point[1], scale=np.exp(point[0]))
        far = genpareto.sf(100 - ends + 2, point[1], scale=np.exp(point[0]))
        if blind < 0:
            far[-1] = 0  # All that is left.
        chances = (near - far) / (1 - (far[-1] if blind >= 0 else 0))
        if (chances <= 0).any():
            return 1e9
        return float(-(counts[ends] * np.log(chances)).sum())

    found = minimize(cost, [np.log(5), 0.0], method="Nelder-Mead", options={"maxiter": 2000})
    ours = fit_tail(counts, 1e5, 100, step=2, blind=blind, shape_sd=None)
    assert cost(np.array([np.log(ours.scale), ours.shape])) <= found.fun + 1e-3


def test_what_a_blind_radius_hides_is_put_back() -> None:
    y = genpareto.rvs(0.05, scale=14, size=20_000, random_state=1)
    whole, seen = counts_of(y, 100, 2), counts_of(y, 100, 2)
    seen[:65] = 0
    assert whole[:65].sum() > 1_000
    ours = fit_tail(seen, 1e6, 100, step=2, blind=64)
    assert ours.share == pytest.approx(0.02, rel=0.05)
    assert float(ours.rate(40)) == pytest.approx(whole[:41].sum() / 1e6, rel=0.2)


def test_distance_zero_stays_possible() -> None:
    counts = np.zeros(BITS + 1)
    counts[90:101] = 50  # A uniform tail: unpenalised, it would end just below 90.
    ours = fit_tail(counts, 1e6, 100, shape_sd=None)
    assert ours.scale + ours.shape * 100 > 0
    assert 0 < float(ours.rate(0)) < float(ours.rate(50)) < float(ours.rate(100))


def test_the_binomial_is_that_of_coins() -> None:
    assert binomial_rates(64) == pytest.approx(binom.cdf(range(65), 64, 0.5))


def test_too_few_pairs_are_refused() -> None:
    counts = np.zeros(BITS + 1)
    counts[100] = 5
    with pytest.raises(ValueError, match="pairs"):
        tail_of(counts, 5, np.zeros((4, BITS + 1)))
    with pytest.raises(ValueError, match="threshold"):
        fit_tail(counts, 5, 80)


@settings(max_examples=15)
@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 2]),
    st.sampled_from([-1, 20, 64]),
    st.floats(6, 20),
)
def test_curves_rise_within_their_intervals(seed: int, step: int, blind: int, sd: float) -> None:
    random = np.random.default_rng(seed)
    distances = np.clip(random.normal(128, sd, 20_000) // step * step, 0, BITS).astype(int)
    distances = distances[distances > blind]
    counts = np.bincount(distances, minlength=BITS + 1).astype(float)
    draws = random.poisson(counts, (40, BITS + 1)) / counts.sum()
    tail = tail_of(counts, counts.sum(), draws, step=step, blind=blind)
    assert (np.diff(tail.rate) >= 0).all()
    assert (np.diff(tail.high) >= 0).all()
    assert (np.diff(tail.low) >= -1e-300).all()
    assert (tail.low <= tail.rate).all()
    assert (tail.rate <= tail.high).all()
    assert tail.rate[-1] == pytest.approx(1, rel=1e-3)
    assert counts[: tail.measured_from + 1].sum() >= 10
    assert counts[: tail.measured_from].sum() < 10


def test_no_fit_is_needed_where_hashes_are_often_equal() -> None:
    random = np.random.default_rng(0)
    counts = np.zeros(BITS + 1)
    counts[[0, 10, 100]] = 400, 50, 3_000
    draws = random.poisson(counts, (50, BITS + 1)) / counts.sum()
    tail = tail_of(counts, counts.sum(), draws)
    assert tail.fit is None
    assert tail.measured_from == 0
    assert tail.rate[[0, 10, 100]] == pytest.approx(np.cumsum([400, 50, 3_000]) / 3_450)
    assert (tail.low <= tail.rate).all()
    assert (tail.rate <= tail.high).all()
    assert tail.high.max() <= 1


def pool_of(words: np.ndarray, folders: np.ndarray | None = None) -> Pool:
    n = len(words)
    packed = np.ascontiguousarray(words).view(np.uint8).reshape(n, -1)
    return Pool(
        HashArray(packed, "pdq", quality=np.full(n, 100)),
        np.zeros(n, np.int64) if folders is None else folders,
        np.arange(n),
        np.full(n, ORDINARY),
        (),
    )


def scenes(random: np.random.Generator, n: int) -> np.ndarray:
    """Hashes of pictures that share some directions: heavier tails than coins have."""
    mixing = np.random.default_rng(0).normal(size=(14, BITS))
    latent = random.normal(size=(n, 14)) @ mixing + random.normal(size=(n, BITS)) * 2.0
    return np.packbits(latent > 0, axis=1).view(np.uint64)


def test_intervals_hold_the_truth_about_as_often_as_they_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chance, "DRAWS", 120)
    random = np.random.default_rng(7)
    many = scenes(random, 4_000)
    truth = np.zeros(BITS + 1)
    for i in range(len(many) - 1):
        d = np.bitwise_count(many[i + 1 :] ^ many[i]).sum(axis=1)
        truth += np.bincount(d, minlength=BITS + 1)
    truth = np.cumsum(truth) / truth.sum()
    counted = int(np.searchsorted(truth, 3e-3))
    beyond = int(np.searchsorted(truth, 1e-5))
    held = {counted: 0, beyond: 0}
    repeats = 25
    for _ in range(repeats):
        found = measure_strata(pool_of(scenes(random, 150)), step=1, blind=-1, seed=1)
        stratum = found["same-domain"]
        assert not isinstance(stratum, str)
        assert stratum.counts[: beyond + 1].sum() < 10, "not beyond what is counted"
        for radius in held:
            held[radius] += stratum.tail.low[radius] <= truth[radius] <= stratum.tail.high[radius]
    assert min(held.values()) >= 20, held


def test_one_picture_that_is_near_all_others_widens_the_interval() -> None:
    random = np.random.default_rng(2)
    bits = random.integers(0, 2, (200, BITS), np.uint8)
    hub = bits[0]
    for row in bits[1:]:
        same = random.random(BITS) < 0.35
        row[same] = hub[same]
    found = measure_strata(
        pool_of(np.packbits(bits, axis=1).view(np.uint64)), step=1, blind=-1, seed=0
    )
    stratum = found["same-domain"]
    assert not isinstance(stratum, str)
    radius = int(np.searchsorted(np.cumsum(stratum.counts), 150))
    near = stratum.counts[: radius + 1].sum()
    width = (stratum.tail.high[radius] - stratum.tail.low[radius]) * stratum.counts.sum()
    # Were pairs independent, the interval would be about four roots of their number.
    assert width > 2 * 4 * np.sqrt(near)


def test_strata_count_every_pair_once() -> None:
    random = np.random.default_rng(4)
    n = 90
    hashes = HashArray(
        random.integers(0, 256, (n, 32), np.uint8), "pdq", quality=random.integers(0, 101, n)
    )
    folders, owners = random.integers(0, 3, n), random.integers(0, 70, n)
    classes = np.where(hashes.quality < 50, chance.LOW, random.choice([0, 2], n))
    ranges = chance.quality_ranges(50)
    assert ranges == ((0, 0), (1, 24), (25, 49))
    pool = Pool(hashes, folders, owners, classes, ranges)
    slow = dict.fromkeys((*pool.names, None), 0)
    for i in range(n):
        for j in range(i + 1, n):
            kinds, low = {classes[i], classes[j]}, min(hashes.quality[i], hashes.quality[j])
            name = None
            if owners[i] == owners[j]:
                pass
            elif kinds == {0}:
                name = "same-domain" if folders[i] == folders[j] else "diverse"
            elif kinds == {0, 1}:
                name = "mixed-quality"
            elif kinds == {2}:
                name = "templated"
            elif kinds == {1}:
                name = pool.names[4 + next(k for k, (_, last) in enumerate(ranges) if low <= last)]
            slow[name] += 1
    counts = chance._counts(pool).sum(axis=1)
    assert dict(zip(pool.names, counts, strict=True)) == {k: v for k, v in slow.items() if k}
    # The closed form that a bootstrap draw is divided by, but for pairs of one owner.
    alone = Pool(hashes, folders, np.arange(n), classes, ranges)
    totals, _ = chance._pair_weights(alone, np.ones(n))
    assert totals == pytest.approx(chance._counts(alone).sum(axis=1))
