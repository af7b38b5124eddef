"""Times of frames, from clocks of all sorts."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fingerprint.media.video_clock import Clock, seconds_of


def reference_times(ticks: list[int], base: Fraction) -> list[Fraction]:
    return [(t - ticks[0]) * base for t in ticks]


@given(
    start=st.integers(-(2**40), 2**40),
    gaps=st.lists(st.integers(1, 10**6), max_size=40),
    base=st.sampled_from([Fraction(1, 90000), Fraction(1, 1000), Fraction(1001, 30000)]),
)
def test_clock_tells_time_from_the_first_frame(start: int, gaps: list[int], base: Fraction) -> None:
    ticks = list(itertools.accumulate(gaps, initial=start))
    clock = Clock(base, 30.0)
    found = [clock.time_s(t, None) for t in ticks]
    assert found == pytest.approx([float(t) for t in reference_times(ticks, base)], rel=1e-12)


TICKS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-50, 3000)


@given(
    ticks=st.lists(st.tuples(TICKS, TICKS), min_size=1, max_size=40),
    base=st.none() | st.sampled_from([Fraction(1, 30), Fraction(2**31 - 1), Fraction(1, 2**31)]),
    rate=st.sampled_from([0.0, 30.0, 1e-9, 1e9]),
)
def test_any_clock_rises(
    ticks: list[tuple[int | None, int | None]], base: Fraction | None, rate: float
) -> None:
    clock = Clock(base, rate)
    times = []
    for at, lasts in ticks:
        times.append(clock.time_s(at, lasts))
        assert math.isfinite(clock.end_s)
        assert clock.end_s >= times[-1]
    assert times[0] == 0
    assert all(a <= b for a, b in itertools.pairwise(times))


@given(first=st.lists(st.integers(1, 10), min_size=40, max_size=60), jump=st.integers(31, 10**6))
def test_a_clock_that_begins_anew_goes_on(first: list[int], jump: int) -> None:
    """Two recordings in one file: half of it must not shrink to milliseconds."""
    one = list(itertools.accumulate(first))
    assume(one[-1] - one[0] > 31)
    clock = Clock(Fraction(1, 30), 30.0)
    times = [clock.time_s(t, 1) for t in [*one, *(t - one[-1] - jump for t in one)]]
    length_s = (one[-1] - one[0]) / 30
    assert times[-1] == pytest.approx(2 * length_s + 1 / 30)


@given(slips=st.lists(st.integers(0, 5), min_size=2, max_size=100))
def test_slips_do_not_add_up(slips: list[int]) -> None:
    clock = Clock(Fraction(1, 30), 30.0)
    times = [clock.time_s(n - slip, 1) for n, slip in enumerate(slips)]
    exact = [(n - slip + slips[0]) / 30 for n, slip in enumerate(slips)]
    assert all(abs(t - e) < 0.3 for t, e in zip(times, exact, strict=True))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:00:02.033000000", 2.033),
        ("01:02:03", 3723.0),
        *((text, 0.0) for text in ("", "1:2", "-1:00:00", "nan:0:0", "0:0:inf", "²:0:0")),
        ("9" * 400 + ":00:00", 0.0),
    ],
)
def test_stated_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
