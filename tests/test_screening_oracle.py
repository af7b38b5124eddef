"""Screening against a comparison with every record, over random lists and policies; floods."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fingerprint as fp
from fingerprint.lists import Record
from fingerprint.screening import (
    Flood,
    FloodGuard,
    FloodPolicy,
    ListPolicy,
    Outcome,
    Policy,
    Screener,
)
from tests.fake_list import FakeList, bits_apart
from tests.screening_lists import KINDS, list_of, picture, record_of, turned_bits

UPLOADS = [picture(seed) for seed in range(4)]
OWN = [
    {
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
        **{name: fp.hash_image(data, name).hex for name in ("pdq", "phash", "dhash")},
    }
    for data in UPLOADS
]
MOST = {"pdq": 40, "phash": 16, "dhash": 16}
GROUP = {"md5": "digest", "sha256": "digest"}


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    made = []
    for number in range(draw(st.integers(0, 8))):
        own = OWN[draw(st.integers(0, 3))]
        hashes = {}
        for name in draw(st.sets(st.sampled_from(sorted(own)), min_size=1)):
            if name in MOST:
                near = st.integers(0, MOST[name])
                hashes[name] = turned_bits(own[name], draw(near), draw(st.integers(0, 3)))
            else:
                hashes[name] = own[name] if draw(st.booleans()) else "5a" * (len(own[name]) // 2)
        made.append(
            Record(
                draw(st.sampled_from(["us", "them"])),
                f"r{number}",
                hashes,
                category=draw(st.sampled_from(["A", "B"])),
                flags=tuple(draw(st.sets(st.sampled_from(["grid", "odd"])))),
            )
        )
    return made


KIND_OF_EXCLUSION: st.SearchStrategy[Any] = st.sampled_from(["perceptual", "all"])


@st.composite
def policies(draw: st.DrawFn, /, **fixed: Any) -> ListPolicy:
    types = draw(st.none() | st.sets(st.sampled_from(sorted(OWN[0])), min_size=1))
    return ListPolicy(
        algorithms=None if types is None else tuple(sorted(types)),
        radius={
            name: draw(st.integers(0, most)) for name, most in MOST.items() if draw(st.booleans())
        },
        exclude_flags=draw(st.dictionaries(st.sampled_from(["grid", "odd"]), KIND_OF_EXCLUSION)),
        exclude_categories=draw(st.dictionaries(st.just("B"), KIND_OF_EXCLUSION)),
        min_independent_hashes=draw(st.integers(1, 3)),
        **fixed,
    )


Pair = tuple[str, str, str, int]


def oracle(own: dict[str, str], listed: list[Record], policy: ListPolicy) -> set[Pair]:
    """Record, type and distance of everything that is near, whether or not it counts."""
    found = set()
    for record in listed:
        for name, value in record.hashes.items():
            if policy.algorithms is not None and name not in policy.algorithms:
                continue
            distance = bits_apart(own[name], value)
            reach = policy.radius_of(name) if name in MOST else 0
            out = ("perceptual", "all") if name in MOST else ("all",)
            excluded = policy.exclude_categories.get(record.category) in out or any(
                policy.exclude_flags.get(flag) in out for flag in record.flags
            )
            if distance <= reach and not excluded:
                found.add((*record.key, name, distance))
    return found


def groups(found: set[Pair], key: tuple[str, str]) -> int:
    return len(
        {GROUP.get(name, name) for source, record, name, _ in found if (source, record) == key}
    )


@settings(max_examples=60)
@given(
    listed=records(),
    innocents=records(),
    policy=policies(negative=("n",)),
    against=policies(role="negative"),
    upload=st.integers(0, 3),
)
def test_the_same_matches_as_a_comparison_of_everything(
    listed: list[Record],
    innocents: list[Record],
    policy: ListPolicy,
    against: ListPolicy,
    upload: int,
) -> None:
    lists = {name: FakeList(name, listed) for name in ("a", "b")} | {"n": FakeList("n", innocents)}
    free = ListPolicy(
        **{
            name: getattr(policy, name)
            for name in ListPolicy.__dataclass_fields__
            if name != "negative"
        }
    )
    whole = Policy({"a": policy, "b": free, "n": against})
    result = Screener(lists, whole).screen(UPLOADS[upload])
    own = OWN[upload]
    found = oracle(own, listed, policy)
    for name in ("a", "b"):
        assert {
            (one.source, one.record_id, one.algorithm, one.distance)
            for one in result.evidence
            if one.list_name == name
        } == found
    near = oracle(own, innocents, against)
    said = {name for _, _, name, _ in near}
    for one in result.evidence:
        enough = groups(found, (one.source, one.record_id)) >= policy.min_independent_hashes
        exact_no = bool(said - MOST.keys())
        no = one.list_name == "a" and (exact_no or (bool(said) and one.algorithm in MOST))
        assert one.counts == (enough and not no), one
        assert one.independent_hashes == groups(found, (one.source, one.record_id))
    assert (result.outcome is Outcome.MATCH) == any(one.counts for one in result.evidence)
    asked = any(result.lists[name].asked for name in ("a", "b"))
    assert result.outcome in ((Outcome.MATCH, Outcome.NO_MATCH) if asked else (Outcome.ERROR,))


@settings(max_examples=6)
@given(listed=records(), policy=policies(), upload=st.integers(0, 3))
def test_the_real_list_finds_what_the_slow_one_does(
    tmp_path_factory: pytest.TempPathFactory, listed: list[Record], policy: ListPolicy, upload: int
) -> None:
    folder = tmp_path_factory.mktemp("lists")
    results = []
    for kind in KINDS:
        hash_list = list_of(kind, folder, "a", listed)
        results.append(Screener([hash_list], Policy(default=policy)).screen(UPLOADS[upload]))
        if kind == "real":
            hash_list.close()
    slow, real = results
    assert slow.outcome == real.outcome, real.text()
    assert set(slow.evidence) == set(real.evidence)


def test_retraction_ends_a_match(tmp_path: Path) -> None:
    with list_of(
        "real", tmp_path, "a", [record_of(UPLOADS[0], str(n), "pdq", "md5") for n in (1, 2)]
    ) as known:
        screener = Screener([known])
        assert len(screener.screen(UPLOADS[0]).matches) == 4
        known.retract("us", "1", by="me")
        left = screener.screen(UPLOADS[0])
        assert {one.record_id for one in left.matches} == {"2"}, "records live and die apart"
        known.retract("us", "2", by="me")
        assert screener.screen(UPLOADS[0]).outcome is Outcome.NO_MATCH


# Floods


def flooding(**options: Any) -> tuple[Screener, list[Flood], FakeList]:
    """A screener with a record that matches everything perceptually."""
    told: list[Flood] = []
    middle = OWN[0]["pdq"]
    listed = FakeList("a", [Record("us", "bad", {"pdq": middle, "md5": OWN[3]["md5"]})])
    policy = Policy(
        default=ListPolicy(radius={"pdq": 256}),
        flood=FloodPolicy(max_matches=2, window=10, **options),
    )
    return Screener([listed], policy, on_flood=told.append), told, listed


def test_a_flood_is_reported_and_goes_on_matching() -> None:
    screener, told, listed = flooding(suspend=False)
    results = [screener.screen(data) for data in UPLOADS]
    assert [one.outcome for one in results] == [Outcome.MATCH] * 4
    assert [len(one.flood) for one in results] == [0, 0, 1, 1]
    assert told == list(results[2].flood)
    assert told[0] == Flood("a", "us", "bad", matches=3, uploads=3, suspended=False)
    assert "flood: a us bad matched 3 of the last 3 uploads" in results[2].text()
    screener.suspend_in_list(told[0], by="me")
    assert listed.suspended == {("us", "bad")}
    assert screener.screen(UPLOADS[1]).outcome is Outcome.NO_MATCH


def test_a_flood_is_quarantined_and_equal_digests_still_count() -> None:
    screener, told, _ = flooding()
    results = [screener.screen(data) for data in (*UPLOADS[:3], UPLOADS[1], UPLOADS[3])]
    assert [one.outcome for one in results[:4]] == ["MATCH", "MATCH", "ERROR", "ERROR"]
    assert [one.step for one in results[2].failures] == ["flood"]
    (one,) = results[2].evidence
    assert one.why_not == ("suspended",)
    assert results[4].outcome is Outcome.MATCH
    assert {one.algorithm: one.counts for one in results[4].evidence} == {"md5": True, "pdq": False}
    assert len(told) == 1
    assert told[0].suspended
    screener.flood.resume("a", "us", "bad")
    assert screener.screen(UPLOADS[1]).outcome is Outcome.MATCH


def test_the_same_upload_again_is_no_flood() -> None:
    screener, told, _ = flooding(suspend=True)
    assert {screener.screen(UPLOADS[0]).outcome for _ in range(9)} == {Outcome.MATCH}
    assert not told


def test_a_callback_that_fails_is_noted() -> None:
    screener, _, _ = flooding(suspend=False)

    def fail(flood: Flood) -> None:
        raise RuntimeError("no phone line")

    screener.flood = FloodGuard(screener.policy.flood, fail)
    results = [screener.screen(data) for data in UPLOADS[:3]]
    assert [one.step for one in results[2].failures] == ["flood"]
    assert results[2].outcome is Outcome.MATCH


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 3))), max_size=60),
    st.integers(1, 8),
    st.data(),
)
def test_the_guard_counts_different_uploads_in_its_window(
    uploads: list[tuple[int, set[int]]], window: int, data: st.DataObject
) -> None:
    most = data.draw(st.integers(1, window))
    guard = FloodGuard(FloodPolicy(max_matches=most, window=window, suspend=False))
    seen: list[tuple[int, set[int]]] = []
    for upload, keys in uploads:
        floods = guard.note(str(upload), {("a", "s", str(key)) for key in keys})
        if upload not in {before for before, _ in seen}:
            seen = [*seen, (upload, keys)][-window:]
        counts = {key: sum(key in matched for _, matched in seen) for key in keys}
        expected = {str(key): n for key, n in counts.items() if n > most}
        assert {one.record_id: one.matches for one in floods} == expected
        assert all(one.uploads == len(seen) for one in floods)
