"""Outcomes, and what counts as a match."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fingerprint as fp
from fingerprint import media
from fingerprint.errors import PolicyError
from fingerprint.lists import Opinion, Record
from fingerprint.screening import (
    ListPolicy,
    Outcome,
    Policy,
    Screener,
)
from fingerprint.screening import pictures as pictures_module
from fingerprint.screening.outcomes import outcome_of
from fingerprint.screening.upload import Upload
from tests.command_line import photo_like
from tests.fake_list import FakeList
from tests.screening_lists import (
    KINDS,
    flat_picture,
    list_maker,
    picture,
    record_of,
    screened,
    turned_bits,
)

KNOWN, OTHER = picture(1), picture(2)


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with list_maker(request.param, tmp_path) as made:
        yield made


def test_the_order_of_outcomes() -> None:
    names = ("matched", "failed", "undecodable", "stale", "low_quality")
    order = ("MATCH", "ERROR", "UNDECODABLE", "LIST_STALE", "LOW_QUALITY", "NO_MATCH")
    for values in itertools.product((False, True), repeat=5):
        first = values.index(True) if True in values else 5
        assert outcome_of(**dict(zip(names, values, strict=True))) == order[first]


def test_a_match_has_evidence_for_a_reviewer(make: Any) -> None:
    near = turned_bits(fp.hash_image(KNOWN).hex, 10)
    record = Record(
        "us/part",
        "r-1",
        {"pdq": near},
        media="image",
        category="Kategorie A",
        severity="high",
        flags=("self-generated",),
        opinions=(Opinion("them", "Undefined"),),
    )
    result = screened([make("iwf", record)], KNOWN)
    assert result.outcome is Outcome.MATCH
    (one,) = result.evidence
    assert (one.list_name, one.list_version) == ("iwf", 1)
    assert (one.source, one.record_id, one.media) == ("us/part", "r-1", "image")
    assert (one.category, one.severity, one.flags) == ("Kategorie A", "high", ("self-generated",))
    assert one.opinions == (Opinion("them", "Undefined"),)
    assert (one.algorithm, one.distance, one.radius) == ("pdq", 10, 31)
    assert (one.transform, one.orientation, one.views_asked) == ("identity", "upright", 1)
    assert one.quality == result.quality == fp.hash_image(KNOWN).quality
    expected = fp.calibration_of("pdq").probability(10, 1, one.quality, views=1)
    assert one.probability == pytest.approx(expected)
    assert one.independent_hashes == 1
    assert one.counts
    assert result.lists["iwf"].asked == ("pdq",)
    assert result.list_versions == {"iwf": 1}
    assert set(result.timings_ms) >= {"decode", "digest", "look_up"}
    full = json.loads(json.dumps(result.full()))
    assert full["evidence"][0]["category"] == "Kategorie A"
    assert full["outcome"] == "MATCH"
    for said in ("r-1", "Kategorie A", "10 bits of 31", "them: Undefined", "self-generated"):
        assert said in result.text()


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256", "sha512", "pdq", "phash", "dhash"])
def test_each_type_is_computed_and_found(make: Any, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(KNOWN)
    hash_list = make("a", record_of(KNOWN, "1", kind), record_of(OTHER, "2", kind))
    sources: list[Any] = [KNOWN, bytearray(KNOWN), memoryview(KNOWN), path, str(path)]
    sources += [io.BytesIO(KNOWN)]
    with Screener([hash_list]) as screener:
        for source in sources:
            result = screener.screen(source)
            assert result.outcome is Outcome.MATCH, (result.text(), type(source))
            assert [(one.record_id, one.algorithm) for one in result.evidence] == [("1", kind)]
        assert screener.screen(picture(3)).outcome is Outcome.NO_MATCH


def test_only_what_lists_have_and_policies_ask_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("was computed")

    hash_list = FakeList("a", [record_of(KNOWN, "1", "md5")])
    monkeypatch.setattr(pictures_module, "hash_picture", refuse)
    assert screened([hash_list], OTHER).outcome is Outcome.NO_MATCH
    assert screened([hash_list], b"no picture at all").outcome is Outcome.NO_MATCH
    monkeypatch.undo()
    perceptual = FakeList("a", [record_of(KNOWN, "1", "pdq", "md5")])
    monkeypatch.setattr(Upload, "digests", refuse)
    assert screened([perceptual], OTHER, ListPolicy(algorithms=("pdq",))).outcome is (
        Outcome.NO_MATCH
    )


def test_each_hash_is_computed_once_for_all_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    decode, digest = media.decode, Upload.digests

    def decoding(*args: Any, **options: Any) -> Any:
        counted.append("decode")
        return decode(*args, **options)

    def digesting(self: Any, names: Any) -> Any:
        counted.append("digests")
        return digest(self, names)

    lists = [FakeList(f"list {i}", [record_of(OTHER, "1", "md5", "pdq")]) for i in range(4)]
    monkeypatch.setattr(media, "decode", decoding)
    monkeypatch.setattr(Upload, "digests", digesting)
    assert screened(lists, KNOWN).outcome is Outcome.NO_MATCH
    assert sorted(counted) == ["decode", "digests"]
    assert all(one.calls.count("within") == one.calls.count("find") == 1 for one in lists)


# What does not count


def test_the_radius_is_inclusive_and_each_lists_own(make: Any) -> None:
    own = fp.hash_image(KNOWN).hex
    lists = {
        name: make(name, *(Record("s", str(n), {"pdq": turned_bits(own, n)}) for n in (6, 8, 20)))
        for name in ("a", "b")
    }
    policy = Policy({"a": ListPolicy(radius={"pdq": 8}), "b": ListPolicy(radius={"pdq": 7})})
    result = Screener(lists, policy).screen(KNOWN)
    found = {(one.list_name, one.record_id, one.radius) for one in result.evidence}
    assert found == {("a", "6", 8), ("a", "8", 8), ("b", "6", 7)}


def test_low_quality(make: Any) -> None:
    flat = flat_picture()
    assert (fp.hash_image(flat).quality or 0) < 50
    far = make("a", record_of(KNOWN, "1", "pdq"))
    assert screened([far], flat).outcome is Outcome.LOW_QUALITY
    near = make("b", record_of(flat, "2", "phash", "md5"), record_of(OTHER, "3", "pdq"))
    # Equal digests count whatever the quality; pHash has none.
    found = screened([near], flat)
    assert found.outcome is Outcome.MATCH
    assert found.low_quality
    assert screened([far], flat, ListPolicy(min_quality=0)).outcome is Outcome.NO_MATCH


def test_what_a_low_quality_hash_finds_is_evidence_and_no_match() -> None:
    flat = flat_picture()
    pdq = fp.hash_image(flat)
    near = turned_bits(pdq.hex, 60, 3)  # Its own is refused as degenerate, or nearly.
    hash_list = FakeList("a", [Record("s", "1", {"pdq": near})])
    policy = ListPolicy(radius={"pdq": 60})
    result = screened([hash_list], flat, policy)
    assert result.outcome is Outcome.LOW_QUALITY
    assert [(one.counts, one.why_not) for one in result.evidence] == [(False, ("low_quality",))]
    counting = ListPolicy(radius={"pdq": 60}, min_quality=0)
    assert screened([hash_list], flat, counting).outcome is Outcome.MATCH


def test_two_independent_hashes(make: Any) -> None:
    hash_list = make(
        "a",
        record_of(KNOWN, "pdq alone", "pdq"),
        record_of(KNOWN, "digests alone", "md5", "sha1", "sha256"),
        record_of(KNOWN, "both", "md5", "pdq"),
        record_of(KNOWN, "perceptual", "pdq", "phash"),
        Record("us", "one agrees", {"pdq": fp.hash_image(KNOWN).hex, "md5": "ab" * 16}),
    )
    result = screened([hash_list], KNOWN, ListPolicy(min_independent_hashes=2))
    assert result.outcome is Outcome.MATCH
    assert {one.record_id for one in result.matches} == {"both", "perceptual"}
    weak = {one.record_id: one.why_not for one in result.evidence if not one.counts}
    assert set(weak) == {"pdq alone", "digests alone", "one agrees"}
    assert set(weak.values()) == {("single_hash",)}
    assert {one.independent_hashes for one in result.matches} == {2}
    alone = make("b", record_of(KNOWN, "1", "md5", "sha1"))
    none = screened([alone], KNOWN, ListPolicy(min_independent_hashes=2))
    assert none.outcome is Outcome.NO_MATCH
    assert len(none.evidence) == 2


def test_exclusions(make: Any) -> None:
    kinds = ("md5", "pdq")
    hash_list = make(
        "a",
        record_of(KNOWN, "grid", *kinds, flags=("grid", "other")),
        record_of(KNOWN, "banned", *kinds, flags=("banned",)),
        record_of(KNOWN, "c", *kinds, category="C"),
        record_of(KNOWN, "d", *kinds, category="D"),
        record_of(KNOWN, "plain", *kinds, flags=("else",), category="E"),
    )
    policy = ListPolicy(
        exclude_flags={"grid": "perceptual", "banned": "all"},
        exclude_categories={"C": "all", "D": "perceptual"},
    )
    result = screened([hash_list], KNOWN, policy)
    found = {(one.record_id, one.algorithm) for one in result.evidence}
    assert found == {("grid", "md5"), ("d", "md5"), ("plain", "md5"), ("plain", "pdq")}
    assert "4 records were left out by flag or category" in result.lists["a"].notes


def test_negative_lists_hold_for_the_lists_that_name_them(make: Any) -> None:
    own = fp.hash_image(KNOWN).hex
    lists = {
        "a": make(
            "a", Record("s", "1", {"pdq": turned_bits(own, 8)}), record_of(KNOWN, "2", "md5")
        ),
        "b": make("b", Record("s", "3", {"pdq": turned_bits(own, 8)})),
        "near": make("near", Record("n", "4", {"pdq": turned_bits(own, 12, 5)})),
    }
    policy = Policy(
        {
            "a": ListPolicy(negative=("near",)),
            "near": ListPolicy(role="negative", radius={"pdq": 12}),
        }
    )
    result = Screener(lists, policy).screen(KNOWN)
    assert {one.record_id for one in result.matches} == {"2", "3"}
    (hidden,) = [one for one in result.evidence if not one.counts]
    assert (hidden.record_id, hidden.why_not) == ("1", ("negative",))
    (by,) = hidden.suppressed_by
    assert (by.list_name, by.record_id, by.distance, by.radius) == ("near", "4", 12, 12)
    tighter = Policy(
        {
            "a": ListPolicy(negative=("near",)),
            "near": ListPolicy(role="negative", radius={"pdq": 11}),
        }
    )
    assert len(Screener(lists, tighter).screen(KNOWN).matches) == 3


def test_an_equal_digest_on_a_negative_list_suppresses_all(make: Any) -> None:
    lists = {
        "a": make("a", record_of(KNOWN, "1", "pdq", "md5")),
        "known": make("known", record_of(KNOWN, "2", "sha256")),
    }
    policy = Policy({"a": ListPolicy(negative=("known",)), "known": ListPolicy(role="negative")})
    result = Screener(lists, policy).screen(KNOWN)
    assert result.outcome is Outcome.NO_MATCH
    assert [one.why_not for one in result.evidence] == [("negative",)] * 2
    assert {one.suppressed_by[0].algorithm for one in result.evidence} == {"sha256"}
    assert "1 of its records are equal or near" in result.lists["known"].notes


def test_a_negative_list_alone_matches_nothing(make: Any) -> None:
    lists = {
        "a": make("a", record_of(OTHER, "1", "pdq")),
        "n": make("n", record_of(KNOWN, "2", "pdq")),
    }
    policy = Policy({"a": ListPolicy(negative=("n",)), "n": ListPolicy(role="negative")})
    result = Screener(lists, policy).screen(KNOWN)
    assert (result.outcome, result.evidence) == (Outcome.NO_MATCH, ())
    with pytest.raises(PolicyError, match="not negative"):
        Screener(lists, _all_negative())


def _all_negative() -> Policy:
    return Policy(
        {
            "a": ListPolicy(role="negative"),
            "n": ListPolicy(role="negative"),
        },
        default=ListPolicy(negative=("a", "n")),
    )


def test_a_suspended_record_is_not_found(make: Any) -> None:
    hash_list = make("a", record_of(KNOWN, "1", "md5", "pdq"))
    assert screened([hash_list], KNOWN).outcome is Outcome.MATCH
    hash_list.suspend("us", "1", by="me", reason="a fault")
    assert screened([hash_list], KNOWN).outcome is Outcome.NO_MATCH


def test_pixels_have_no_digests(make: Any) -> None:
    pixels = np.asarray(photo_like(1))
    hash_list = make("a", record_of(KNOWN, "1", "pdq", "md5"))
    for source in (pixels, photo_like(1), photo_like(1).convert("RGBA")):
        result = screened([hash_list], source)
        assert [one.algorithm for one in result.matches] == ["pdq"]
        assert "not known of this upload: md5" in result.lists["a"].notes
    digests = make("b", record_of(OTHER, "1", "md5"))
    assert screened([digests], pixels).outcome is Outcome.ERROR
    named = ListPolicy(algorithms=("md5", "pdq"))
    assert screened([make("c", record_of(OTHER, "1", "pdq", "md5"))], pixels, named).outcome is (
        Outcome.ERROR
    )


def test_supplied_hashes(make: Any) -> None:
    value = "0123456789abcdef" * 18
    hash_list = make("a", Record("us", "1", {"photodna": value, "pdq": fp.hash_image(OTHER).hex}))
    result = screened([hash_list], KNOWN, supplied={"photodna": value.upper()})
    assert [one.algorithm for one in result.matches] == ["photodna"]
    without = screened([hash_list], KNOWN)
    assert without.outcome is Outcome.NO_MATCH
    assert "not known of this upload: photodna" in without.lists["a"].notes
    named = ListPolicy(algorithms=("photodna", "pdq"))
    assert screened([hash_list], KNOWN, named).outcome is Outcome.ERROR
    broken = screened([hash_list], KNOWN, supplied={"photodna": value[:-1]})
    assert broken.outcome is Outcome.ERROR
    assert value[:20] not in broken.text()
    with pytest.raises(ValueError, match="supplied: expected hashes of photodna, got 'pdq'"):
        screened([hash_list], KNOWN, supplied={"pdq": "00"})


def test_freshness(make: Any) -> None:
    hash_list = make("a", record_of(OTHER, "1", "pdq"))
    now = datetime(2026, 11, 23, tzinfo=UTC)
    if isinstance(hash_list, FakeList):
        hash_list.stale = ["the feed: expired"]
    else:
        hash_list.set_checkpoint("f", {}, refreshed_at=now - timedelta(days=3))
        policy = Policy(default=ListPolicy(max_age_s=4 * 86400))
        fresh = Screener([hash_list], policy, clock=lambda: now).screen(KNOWN)
        assert fresh.outcome is Outcome.NO_MATCH
    policy = Policy(default=ListPolicy(max_age_s=2 * 86400))
    screener = Screener([hash_list], policy, clock=lambda: now)
    result = screener.screen(KNOWN)
    assert result.outcome is Outcome.LIST_STALE
    assert result.stale[0].list_name == "a"
    assert result.screened_at == now
    assert "stale: a: " in result.text()
    matched = screener.screen(OTHER)
    assert matched.outcome is Outcome.MATCH
    assert matched.stale
