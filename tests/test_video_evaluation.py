"""The figures of the evaluation of videos, on answers that are known."""

from __future__ import annotations

from math import isnan, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from benchmarks.video_evaluation import (
    COLUMNS,
    Hashing,
    evaluate,
    faults_of,
    index_matcher,
    rows_of,
    show,
    side_by_side,
    to_markdown,
    vpdq_matcher,
)
from benchmarks.video_originals import (
    UNRELATED,
    Original,
    edited_copies,
    generated_originals,
    real_originals,
)
from benchmarks.video_scoring import Copy, Outcome, Span, judge, overlap, summarise, wilson
from fingerprint.video import VideoHash

seconds = st.integers(0, 40).map(lambda n: n / 4)
interval = st.tuples(seconds, seconds).map(lambda pair: (min(pair), max(pair)))


def videos(*scenes: str, studio: str = "") -> list[Original]:
    return [
        Original(f"{scene}-{k}", Path(f"{k}.mp4"), scene, studio, "real", 10.0)
        for k, scene in enumerate(scenes)
    ]


def copy_of(original: Original | None, *spans: Span) -> Copy:
    return Copy(original, "edit", 1.0, spans, None)


@given(st.lists(interval, max_size=5), st.lists(interval, max_size=5))
def test_overlap_is_that_of_sets_of_quarter_seconds(
    one: list[tuple[float, float]], other: list[tuple[float, float]]
) -> None:
    first, second = (
        {k for start, end in spans for k in range(round(start * 4), round(end * 4))}
        for spans in (one, other)
    )
    either = len(first | second)
    expected = len(first & second) / either if either else 0
    assert overlap(one, other) == pytest.approx(expected)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    found, n = counts
    expected = binomtest(found, n).proportion_ci(method="wilson")
    assert wilson(found, n) == pytest.approx((expected.low, expected.high), abs=1e-5)


def test_nothing_was_asked() -> None:
    assert wilson(0, 0) == (0, 1)


def test_the_right_seconds() -> None:
    refs = videos("a", "b")
    outcome = judge(copy_of(refs[0], (5, 15, 20, 30)), [("a-0", [(6, 15, 21, 30)])], refs)
    assert outcome.found
    assert outcome.false_ids == ()
    assert outcome.n_unrelated == 1
    assert outcome.query_iou == outcome.reference_iou == pytest.approx(0.9)
    assert (outcome.start_error_s, outcome.end_error_s) == (1, 0)
    assert outcome.offset_error_s == pytest.approx(0, abs=1e-9)


def test_other_seconds_of_the_right_video() -> None:
    """Halves exchanged: the union is right and the offset says that it is not."""
    refs = videos("a")
    copy = copy_of(refs[0], (0, 5, 5, 10), (5, 10, 0, 5))
    straight = judge(copy, [("a-0", [(0, 10, 0, 10)])], refs)
    assert straight.query_iou == straight.reference_iou == 1
    assert straight.offset_error_s == pytest.approx(5)
    right = judge(copy, [("a-0", [(0, 5, 5, 10), (5, 10, 0, 5)])], refs)
    assert right.offset_error_s == pytest.approx(0, abs=1e-9)


def test_speeds_are_followed() -> None:
    refs = videos("a")
    copy = copy_of(refs[0], (0, 8, 0, 10))
    slow = judge(copy, [("a-0", [(0, 8, 0, 8)])], refs)
    assert slow.offset_error_s == pytest.approx(1, abs=0.05)


def test_relatives_are_not_false_and_hard_ones_are_apart() -> None:
    refs = [*videos("a", "a", "b"), *videos("c", studio="asl")]
    said: list[tuple[str, list[Span]]] = [("a-1", []), ("b-2", []), ("c-0", [])]
    outcome = judge(copy_of(refs[0]), said, refs)
    assert not outcome.found
    assert outcome.false_ids == ("b-2", "c-0")
    assert outcome.n_unrelated == 2
    gestures = videos("c", "d", studio="asl")
    said = [("c-0", []), ("d-1", [])]
    outcome = judge(copy_of(gestures[0]), said, gestures)
    assert (outcome.found, outcome.false_ids, outcome.hard_false_ids) == (True, (), ("d-1",))
    assert isnan(outcome.query_iou)


def test_everything_is_false_of_an_unrelated_video() -> None:
    refs = videos("a", "b")
    outcome = judge(copy_of(None), [("a-0", [(0, 1, 0, 1)])], refs)
    assert (outcome.found, outcome.false_ids, outcome.n_unrelated) == (False, ("a-0",), 2)
    assert outcome.kind == "unrelated"


def test_ids_that_were_never_given() -> None:
    with pytest.raises(ValueError, match="expected ids of references"):
        judge(copy_of(None), [("x", [])], videos("a"))


def outcome_of(original: str, *, found: bool, error_s: float = nan) -> Outcome:
    errors = {"start_error_s": error_s, "end_error_s": error_s * 3}
    return Outcome("crop", 0.1, original, "real", found, ("x",), (), 7, **errors)


def test_rows() -> None:
    outcomes = [
        outcome_of("a", found=True, error_s=1),
        outcome_of("a", found=False),
        outcome_of("", found=False),
    ]
    (row,) = summarise(outcomes, lambda one: one.edit)
    assert (row.name, row.n, row.n_found, row.recall) == ("crop", 2, 1, 0.5)
    assert (row.n_false, row.n_pairs) == (3, 21)
    assert row.error_s == 2
    assert isnan(row.query_iou)
    text = to_markdown(rows_of(outcomes))
    assert "| crop 0.1 | 1 of 2 | 50.0 % | 9–91 | 3 of 21 | 0 |" in text
    assert text.count("\n") == 4
    assert len(show("a title", rows_of(outcomes)).columns) == len(COLUMNS)


def test_a_matcher_is_asked_for_every_copy() -> None:
    """Generated videos through real edits, in other processes."""
    originals = generated_originals(2, seed=9, duration_s=1.5)
    originals = [*originals, *generated_originals(1, seed=8, duration_s=6.5)]
    asked: list[Path] = []

    def everything(path: Path) -> list[tuple[str, list[Span]]]:
        assert path.stat().st_size > 0
        asked.append(path)
        return [(one.id, [(0.0, 6.5, 0.0, 6.5)]) for one in originals]

    edits = [("mirror", 1), ("trim_start", 0.3)]
    outcomes = evaluate(everything, originals, edits, n_unrelated=1)
    # Short videos are not cut.
    assert [one.edit for one in outcomes] == ["mirror"] * 3 + ["trim_start", UNRELATED]
    assert len(set(asked)) == 5
    assert all(one.found for one in outcomes[:-1])
    assert [len(one.false_ids) for one in outcomes] == [2, 2, 2, 2, 3]
    assert outcomes[2].query_iou == 1
    assert outcomes[3].end_error_s == pytest.approx(6.5 * 0.3, abs=0.05)
    before = list(asked)
    assert evaluate(everything, originals, edits, n_unrelated=1) == outcomes
    assert asked == before * 2


def test_matchers_of_prepared_hashes() -> None:
    originals = generated_originals(2, seed=9, duration_s=1.5)
    hashing = Hashing("every:0.25")
    references = {one.id: hashing(one.path) for one in originals}
    edits = [("reencode", 28)]
    of_index, of_vpdq = (
        evaluate(matcher, originals, edits, prepare=hashing, n_unrelated=0)
        for matcher in (index_matcher(references), vpdq_matcher(references))
    )
    for outcomes in (of_index, of_vpdq):
        assert [(one.found, one.false_ids) for one in outcomes] == [(True, ())] * 2
        assert faults_of(outcomes) == []
    assert all(one.query_iou > 0.8 for one in of_index)
    assert all(isnan(one.query_iou) for one in of_vpdq)
    copies = edited_copies(originals, edits, Hashing("every:0.25"), n_unrelated=0)
    assert all(isinstance(copy.prepared, VideoHash) for copy in copies)
    table = side_by_side(rows_of(of_index), rows_of(of_vpdq))
    assert table.splitlines()[2].startswith("| reencode 28 | 100.0 % | 100.0 % | 0 of 2 | 0 |")


def test_faults_are_named() -> None:
    lines = faults_of([outcome_of("a", found=False), outcome_of("", found=False)])
    assert lines == [
        "not found: a, crop 0.1",
        "false: a, crop 0.1: x",
        "false: nothing, crop 0.1: x",
    ]


def test_real_videos_are_grouped_by_what_they_show(
    media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINGERPRINT_MEDIA", str(media))
    found = real_originals()
    scenes = {one.id: one.scene for one in found}
    assert len({name for name, scene in scenes.items() if scene == "chair"}) == 5
    assert scenes["dataset__video.avi"] == scenes["gui__mfc__dataset__video.avi"]
    assert scenes["dataset__video02.avi"] != scenes["dataset__video.avi"]
    assert sum(one.studio == "asl" for one in found) == 20
