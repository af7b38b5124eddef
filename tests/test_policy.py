"""Policies: read strictly, versioned by content."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fingerprint import get_algorithm
from fingerprint.errors import PolicyError
from fingerprint.screening import (
    DEFAULT_POLICY,
    FloodPolicy,
    ListPolicy,
    Outcome,
    Policy,
    UploaderPolicy,
)
from fingerprint.screening.policy import RADII

DOCUMENT = Path(__file__).parent.parent / "docs" / "screening.md"


def documented() -> str:
    found = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_documented_policy_says_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(documented())
    policy = Policy.load(path)
    iwf = policy.of("iwf")
    assert iwf.algorithms == ("md5", "sha1", "pdq")
    assert iwf.views == ("positions", "inside")
    assert iwf.view_radius == {"inside": 39}
    assert iwf.exclude_flags == {"grid": "perceptual"}
    assert iwf.exclude_categories == {"C": "all"}
    assert iwf.negative == ("our-innocents",)
    assert iwf.vpdq.query_percent == 80
    assert policy.of("our-innocents").role == "negative"
    assert policy.of("any other").max_age_s == 86400
    assert policy.uploader.text_of(Outcome.LOW_QUALITY) == "held for review"
    assert policy.uploader.text_of(Outcome.ERROR) == "not screened"


def test_the_document_names_every_key() -> None:
    text = documented()
    for kind in (ListPolicy, FloodPolicy):
        for name in kind.__dataclass_fields__:
            assert re.search(rf"^(\[.*\b)?{name}\b", text, re.MULTILINE), name


def test_radii_are_those_that_the_algorithms_publish() -> None:
    assert {name: get_algorithm(name).radius.bits for name in RADII} == RADII
    assert ListPolicy(radius={"pdq": 7}).radius_of("pdq") == 7
    assert ListPolicy().radius_of("phash") == 10


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[lists.a]\nradus = {pdq = 31}", r"lists\.a.*did you mean 'radius'"),
        ("[lits.a]", "policy.*did you mean 'lists'"),
        ("[lists.a]\nradius = {pdqq = 31}", "did you mean 'pdq'"),
        ("[lists.a]\nradius = {pdq = 300}", r"lists\.a\.radius\.pdq: expected 0 to 256, got 300"),
        ("[lists.a]\nradius = {phash = 65}", "expected 0 to 64"),
        ("[lists.a]\nradius = {md5 = 1}", r"radius: expected one of"),
        ("[lists.a]\nradius = 31", "expected a table, got int"),
        ("[lists.a]\nradius = {pdq = 31.0}", "expected a whole number, got float"),
        ("[lists.a]\nradius = {pdq = true}", "expected a whole number, got bool"),
        ("[lists.a]\nmin_quality = '50'", "expected a whole number, got str"),
        ("[lists.a]\nmin_quality = 101", "expected 0 to 100"),
        ("[lists.a]\nalgorithms = 'md5'", "expected a list"),
        ("[lists.a]\nalgorithms = []", "at least one"),
        ("[lists.a]\nalgorithms = ['sha-2']", r"lists\.a\.algorithms"),
        ("[lists.a]\nalgorithms = ['md5', 'md5']", "each name once"),
        ("[lists.a]\nviews = ['position']", "did you mean 'positions'"),
        ("[lists.a]\nviews = 1", "expected a list of names, got int"),
        ("[lists.a]\nviews = []", "at least one family"),
        ("[lists.a]\nview_radius = {positions = -1}", "expected 0 to 256"),
        ("[lists.a]\nthorough = 'yes'", "expected true or false"),
        ("[lists.a]\nmax_age_s = 0", "expected 1 to"),
        ("[lists.a]\nmax_age_s = nan", "expected 1 to"),
        ("[lists.a]\nexclude_flags = {grid = 'some'}", r"exclude_flags\.grid: expected one of"),
        ("[lists.a]\nexclude_flags = ['grid']", "expected a table"),
        ("[lists.a]\nmin_independent_hashes = 0", "expected 1 to 5"),
        ("[lists.a]\norientation = 'uprigth'", "did you mean 'upright'"),
        ("[lists.a]\nrole = 'positive'", "role"),
        ("[lists.a.vpdq]\nrule = 'c++'", "rule"),
        ("[lists.a.vpdq]\nmax_distanc = 1", r"lists\.a\.vpdq.*did you mean 'max_distance'"),
        ("[lists.a.vpdq]\nquery_percent = 100.1", "expected 0 to 100"),
        ("[lists.a.tmk]\nlevel1 = 2", r"lists\.a\.tmk\.level1"),
        ("[lists.a]\nnegative = ['b']", "role 'negative'"),
        ("[lists.a]\nnegative = ['b']\n[lists.b]", "role 'negative'"),
        ("[lists.b]\nrole = 'negative'", "no list names it"),
        ("[lists.b]\nrole = 'negative'\nviews = true", "expected false for a negative list"),
        ("[lists.b]\nrole = 'negative'\nnegative = ['c']", "expected none"),
        ("[default]\nrole = 'negative'", "negative lists are named"),
        ("[video]\nsample = 'sometimes'", r"video\.sample"),
        ("[video]\nanimations = 'last'", "animations"),
        ("[flood]\nwindow = 10\nmax_matches = 11", r"flood\.max_matches: expected 1 to 10"),
        ("[uploader]\nMATCHED = 'x'", "did you mean 'MATCH'"),
        ("[uploader]\nMATCH = ''", "printable"),
        ("lists = 3", "expected a table"),
        ("[lists.a", "expected TOML"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(PolicyError, match=complaint) as caught:
        Policy.from_toml(text, "policy.toml")
    assert str(caught.value).startswith("policy.toml: ")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        Policy.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(PolicyError, match="UTF-8"):
        Policy.load(tmp_path / "latin.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (1 << 21))
    with pytest.raises(PolicyError, match="at most"):
        Policy.load(tmp_path / "large.toml")


def test_a_file_says_nothing_of_lists_that_it_does_not_name() -> None:
    policy = Policy.from_toml("[lists.a]")
    assert policy.of("a") == ListPolicy()
    with pytest.raises(PolicyError, match=r"lists\.b"):
        policy.of("b")
    assert DEFAULT_POLICY.of("anything") == ListPolicy()


def test_versions_follow_content_alone() -> None:
    a = Policy.from_toml("[lists.a]\nradius = {pdq = 20}\nmin_quality = 40")
    b = Policy.from_toml("# other words\n[lists.a]\nmin_quality = 40\nradius.pdq = 20")
    c = Policy.from_toml("[lists.a]\nradius = {pdq = 21}\nmin_quality = 40")
    assert a.version == b.version == Policy({"a": a.of("a")}, default=None).version
    assert a.version != c.version
    assert re.fullmatch("[0-9a-f]{16}", a.version)
    assert Policy.from_toml("[default]\nmax_age_s = 5").version == (
        Policy.from_toml("[default]\nmax_age_s = 5.0").version
    )


def test_a_policy_does_not_change_with_what_it_was_made_of() -> None:
    radius = {"pdq": 20}
    lists = {"a": ListPolicy(radius=radius)}
    policy = Policy(lists, uploader=UploaderPolicy({"MATCH": "x"}))
    before = policy.version
    radius["pdq"] = 200
    lists.clear()
    assert policy.version == before
    assert policy.of("a").radius_of("pdq") == 20
