"""Video hashes: what they may be made of, and collapsing."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import IncompatibleHashError
from fingerprint.hash_arrays import HashArray
from fingerprint.video import VideoHash
from tests import naive
from tests.video_hashes import DIGESTS, make, video_hashes

# -- the value ---------------------------------------------------------------


def test_what_it_says_of_itself() -> None:
    one = make(damage="the tail is missing", digests=DIGESTS)
    assert len(one) == 5
    assert one.kind == ("pdq", 1, 256)
    assert one.timestamps_s is one.start_s
    assert one.qualities.tolist() == [0, 1, 2, 3, 4]
    assert repr(one) == ("<VideoHash pdq n=5 duration_s=1.667 640x360 sample=every(1.0) damaged>")
    assert repr(make(width_px=0, sample="")) == "<VideoHash pdq n=5 duration_s=1.667>"


def test_columns_are_copied_and_cannot_be_written() -> None:
    start_s, digests = np.arange(5) / 3, dict(DIGESTS)
    one = make(start_s=start_s, digests=digests)
    start_s[0] = -7
    digests.clear()
    assert one.start_s[0] == 0
    assert one.digests == DIGESTS
    for column in (one.start_s, one.end_s, one.numbers, one.counts):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


def test_equal_means_everything_is() -> None:
    one = make()
    assert one == make()
    assert one != "a video"
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
    trimmed = HashArray(one.hashes.packed, "pdq", quality=np.full(5, 3))
    others = (
        make(hashes=HashArray(one.hashes.packed, "pdq")),
        make(hashes=HashArray(one.hashes.packed ^ np.uint8(1), "pdq", quality=one.qualities)),
        make(start_s=one.start_s * 0.9),
        make(end_s=one.end_s + 0.1),
        make(duration_s=9.0),
        make(width_px=1),
        make(height_px=1),
        make(frame_rate=1.0),
        make(numbers=one.numbers + 1),
        make(counts=one.counts + 1),
        make(sample=""),
        make(trimmed=trimmed),
        make(digests=DIGESTS),
        make(damage="x"),
        make(4),
    )
    for other in others:
        assert other != one
        assert one != other
    assert replace(one, trimmed=trimmed) != replace(one, trimmed=one.hashes)


@given(video_hashes())
def test_pickling_keeps_everything(one: VideoHash) -> None:
    again = pickle.loads(pickle.dumps(one))  # noqa: S301
    assert again == one
    assert not again.start_s.flags.writeable


NAN, FIVE = math.nan, np.arange(5)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"hashes": [1]}, TypeError, "hashes: expected HashArray, got list"),
        ({"start_s": FIVE[:4] / 3}, ValueError, r"start_s: expected shape \(5,\), got \(4,\)"),
        ({"start_s": FIVE[::-1] / 3}, ValueError, "start_s: expected ascending .* in row 1"),
        ({"start_s": [0, 1, NAN, 3, 4]}, ValueError, "start_s: expected 0 to .* nan in row 2"),
        ({"end_s": [1, 1, 1, 1, math.inf]}, ValueError, "end_s: expected 0 to .* row 4"),
        ({"start_s": FIVE / 3 - 0.1}, ValueError, "start_s: expected 0 to .* row 0"),
        ({"end_s": FIVE * 1e7}, ValueError, "end_s: expected 0 to .* row 2"),
        ({"end_s": np.zeros(5)}, ValueError, "end_s: expected at least start_s"),
        ({"start_s": ["a"] * 5}, TypeError, "start_s: expected float64"),
        ({"numbers": FIVE / 3}, TypeError, "numbers: expected int64, got float64"),
        ({"numbers": FIVE - 1}, ValueError, "numbers: expected frames from 0, got -1 in row 0"),
        ({"counts": FIVE}, ValueError, "counts: expected at least 1, got 0 in row 0"),
        ({"counts": np.ones((5, 1))}, ValueError, r"counts: expected shape \(5,\)"),
        ({"duration_s": -1.0}, ValueError, "duration_s: expected a finite number from 0"),
        ({"duration_s": 10**400}, ValueError, "duration_s: expected a finite number from 0"),
        ({"duration_s": "1"}, TypeError, "duration_s: expected float, got str"),
        ({"frame_rate": NAN}, ValueError, "frame_rate: expected a finite number from 0"),
        ({"width_px": 1.0}, TypeError, "width_px: expected int, got float"),
        ({"height_px": -1}, ValueError, "height_px: expected pixels from 0"),
        ({"sample": None}, TypeError, "sample: expected str, got NoneType"),
        ({"damage": b""}, TypeError, "damage: expected str, got bytes"),
        ({"digests": []}, TypeError, "digests: expected a mapping, got list"),
        ({"digests": {"crc": "00"}}, ValueError, "digests: expected some of md5, sha1, sha256"),
        ({"digests": {"md5": "A" * 32}}, ValueError, "digests: expected 32 lower-case hex"),
        ({"digests": {"sha1": "a" * 32}}, ValueError, "digests: expected 40 lower-case hex"),
        ({"trimmed": [1]}, TypeError, "trimmed: expected HashArray or None, got list"),
        ({"trimmed": make(4).hashes}, ValueError, "trimmed: expected 5 hashes, got 4"),
        (
            {"trimmed": HashArray(np.zeros((5, 8), np.uint8), "phash")},
            IncompatibleHashError,
            "cannot compare",
        ),
    ],
)
def test_parts_that_do_not_fit(changes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        make(**changes)
    assert "a" * 9 not in str(caught.value)


def test_lists_and_narrow_arrays_are_taken() -> None:
    one = make(start_s=[0, 1, 2, 3, 4], end_s=np.arange(5, dtype=np.float32), numbers=[0] * 5)
    assert one.start_s.dtype == one.end_s.dtype == np.float64
    assert one.numbers.dtype == one.counts.dtype == np.int64
    empty = make(0, start_s=[], end_s=[], numbers=[], counts=[], trimmed=make(0).hashes)
    assert empty.trimmed is None
    assert len(empty) == len(empty.collapsed()) == len(empty.between(0, 1)) == 0


def test_rows_of_quality_and_of_a_time() -> None:
    quality = [10, 49, 50, -1, 100]
    packed = make().hashes.packed
    hashes = HashArray(packed, "pdq", quality=quality)
    one = make(hashes=hashes, trimmed=hashes, end_s=make().start_s + 0.3)
    good = one.of_quality(50)
    assert good.qualities.tolist() == [50, -1, 100]
    assert good.hashes == hashes[2:]
    assert good.trimmed == hashes[2:]
    assert good.numbers.tolist() == [20, 30, 40]
    assert (good.duration_s, good.sample) == (one.duration_s, one.sample)
    assert one.of_quality(0) == one
    # Rows at 0, 1/3, 2/3, 1, 4/3, each for 0.3 seconds.
    assert one.between(0.35, 1.0).numbers.tolist() == [10, 20, 30]
    assert one.between(0.3, 1 / 3).numbers.tolist() == [0, 10]
    assert one.between(0.31, 0.32).numbers.tolist() == []
    assert one.between(-math.inf, math.inf) == one
    with pytest.raises(ValueError, match="end_s: expected at least start_s"):
        one.between(1, 0)
    with pytest.raises(ValueError, match="end_s"):
        one.between(0, NAN)


# -- collapsing --------------------------------------------------------------


def distance(hashes: HashArray, i: int, j: int) -> int:
    return naive.hamming(hashes.packed[i].tobytes(), hashes.packed[j].tobytes())


def quality_class(quality: int) -> int:
    return 2 if quality < 0 else int(quality >= 50)


def naive_runs(one: VideoHash, radius: int) -> list[list[int]]:
    arrays = [one.hashes] if one.trimmed is None else [one.hashes, one.trimmed]
    runs: list[list[int]] = []
    for i in range(len(one)):
        if runs:
            first = runs[-1][0]
            near = all(distance(a, first, i) <= radius for a in arrays)
            alike = all(
                quality_class(a.quality[first]) == quality_class(a.quality[i]) for a in arrays
            )
            if near and alike:
                runs[-1].append(i)
                continue
        runs.append([i])
    return runs


@given(video_hashes(), st.none() | st.integers(0, 12))
def test_collapsing_is_what_a_loop_does(one: VideoHash, max_distance: int | None) -> None:
    radius = one.hashes.bits // 32 if max_distance is None else max_distance
    runs = naive_runs(one, radius)
    done = one.collapsed(max_distance)
    first = [run[0] for run in runs]
    assert done.hashes == one.hashes[first]
    assert done.qualities.tolist() == one.qualities[first].tolist()
    assert (done.trimmed is None) == (one.trimmed is None)
    assert done.trimmed is None or one.trimmed is None or done.trimmed == one.trimmed[first]
    assert done.start_s.tolist() == one.start_s[first].tolist()
    assert done.end_s.tolist() == [max(one.end_s[run].tolist()) for run in runs]
    assert done.counts.tolist() == [sum(one.counts[run].tolist()) for run in runs]
    assert done.numbers.tolist() == one.numbers[first].tolist()
    assert (done.duration_s, done.digests, done.damage) == (
        one.duration_s,
        one.digests,
        one.damage,
    )


def test_a_slow_pan_is_cut_where_it_has_moved_that_far() -> None:
    packed = np.zeros((40, 32), np.uint8)
    for row in range(40):  # One bit more in each.
        packed[row] = np.packbits(np.arange(256) < row)
    one = make(40, hashes=HashArray(packed, "pdq"))
    assert one.collapsed().numbers.tolist() == [0, 90, 180, 270, 360]
    assert one.collapsed(39).counts.tolist() == [40]
    assert one.collapsed(0) == one
    still = make(40, hashes=HashArray(packed * 0, "pdq")).collapsed()
    assert (len(still), still.start_s[0], still.end_s[0]) == (1, 0, 13)


@pytest.mark.parametrize("wrong", [-1, 2.5, "8"])
def test_a_distance_that_is_none(wrong: Any) -> None:
    with pytest.raises(ValueError, match="max_distance: expected bits from 0"):
        make().collapsed(wrong)


def test_importing_it_loads_nothing_heavy() -> None:
    script = (
        "import sys; from fingerprint.video.video_hash import VideoHash; "
        "import fingerprint.video.vpdq_exchange; "
        "print({'numba', 'av', 'cv2', 'PIL', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("set()", "")
