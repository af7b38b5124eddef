"""The look-up benchmarks ask what they say and notice a wrong answer; no times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import fingerprint as fp
from benchmarks import lookup, pictures
from benchmarks.__main__ import main
from benchmarks.lookup_data import (
    Found,
    HashSet,
    Queries,
    as_hashes,
    flipped,
    make_queries,
    nearest_by_count,
    random_packed,
    random_set,
    within_by_count,
)
from benchmarks.lookup_pictures import Copula, picture_hashes, realistic_set
from benchmarks.lookup_skewed import skewed_sets
from benchmarks.lookup_structures import MIH, Cost, Ours, Structure
from benchmarks.lookup_tables import COLUMNS, Conditions, measured
from benchmarks.lookup_turns import LEAST_QUERIES, Nearest, Within, take_turns
from benchmarks.measurement import Group, Measurement, NotRunError
from benchmarks.paired import Plan
from benchmarks.report import write_report
from benchmarks.settings import PARTS, QUICK, Settings
from benchmarks.stored import read_runs
from fingerprint.index.backends import get_backend
from fingerprint.index.backends.base import RangeResult

N = 2000
ONCE = Plan(budget_s=0.0, min_pairs=2, max_pairs=2)
TINY = replace(
    QUICK,
    slow_plan=ONCE,
    max_photos=2,
    lookup=replace(
        QUICK.lookup,
        sizes=(N,),
        queries=24,
        sweep_queries=12,
        radii=(31, 64),
        pictures=64,
        graph_max_n=N,
        batch_queries=600,
        budget_s=0.0,
        sweep_budget_s=0.0,
        single_adds=2,
    ),
)


def part(name: str, settings: Settings = TINY) -> Settings:
    return replace(settings, lookup=replace(settings.lookup, parts=(name,)))


@pytest.fixture(autouse=True)
def no_photographs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The results must not depend on the machine's photographs."""
    monkeypatch.delenv(pictures.MEDIA, raising=False)
    picture_hashes.cache_clear()
    yield
    picture_hashes.cache_clear()


@cache
def ran(name: str) -> Group:
    return lookup.run(part(name))


def rows_of(group: Group) -> list[Measurement]:
    return [one for one in group.measurements if "structure" in one.details]


@pytest.mark.parametrize("name", PARTS)
def test_every_part_says_under_which_conditions_and_is_right(name: str) -> None:
    group = ran(name)
    names = [one.name for one in group.measurements]
    assert len(set(names)) == len(names)
    assert any(one.value is not None for one in group.measurements)
    for one in group.measurements:
        assert one.agrees is not False, f"{one.name} is wrong"
        assert (one.value is None) == bool(one.not_run), one.name
    for one in rows_of(group):
        if one.value is None:
            continue
        assert one.details["wrong_answers"] == 0
        assert 0 <= float(one.details["recall"]) <= 1
        assert one.value <= float(one.details["p90_ms"]) <= float(one.details["p99_ms"])
        if one.details["exact"]:
            assert one.details["recall"] == 1.0, one.name
    for table in group.tables:
        assert table.columns == COLUMNS
        assert len(table.rows) == len(rows_of(group))
        for row in table.rows:
            assert len(row) == len(COLUMNS)
            assert all(row[:5])
            assert row[0] == f"{N:,}"
    assert len(group.tables) == (name not in {"build", "batch"})


def test_ours_and_every_peer_stand_in_the_table_by_size() -> None:
    rows = [one for one in rows_of(ran("size")) if one.details["data"] == "realistic"]
    names = [str(one.details["structure"]) for one in rows]
    assert names[:2] == [MIH, "linear"]
    for start in ("FAISS Flat", "FAISS IVF", "FAISS HNSW", "FAISS MultiHash", "PyNear", "usearch"):
        assert any(one.startswith(start) for one in names), start
    counts = {
        (int(one.details["hit_queries"]), int(one.details["queries"]))
        for one in rows
        if one.value is not None
    }
    assert counts == {(12, 24)}
    exact = {"mih", "linear", "FAISS Flat", "FAISS MultiHash 16×16", "PyNear MIH(16)"}
    for one in rows:
        if one.value is not None:
            assert one.details["exact"] is (one.details["structure"] in exact)


def test_counting_finds_what_a_plain_loop_finds() -> None:
    packed = random_packed(400, 256, 3)
    packed[7] = packed[5]
    queries = flipped(packed[5:6], np.array([9]), np.random.default_rng(0))
    hashes, query = as_hashes(packed), as_hashes(queries)[0]
    plain = [hashes[row] - query for row in range(400)]
    (found,) = within_by_count(hashes.words, as_hashes(queries).words, 120)
    expected = sorted((d, row) for row, d in enumerate(plain) if d <= 120)
    assert list(zip(found.distances.tolist(), found.rows.tolist(), strict=True)) == expected
    assert expected[:2] == [(9, 5), (9, 7)]
    few = nearest_by_count(hashes.words, as_hashes(queries).words, 6)
    assert few.tolist() == [sorted(plain)[:6]]


def test_the_farthest_distance_is_counted_in_full() -> None:
    words = np.zeros((1, 4), np.uint64)
    (none,) = within_by_count(words, ~words, 255)
    (one,) = within_by_count(words, ~words, 256)
    assert none.rows.size == 0
    assert one.distances.tolist() == [256]


def test_half_the_queries_hit_at_every_distance_up_to_the_radius() -> None:
    queries = make_queries(random_set(N), 128, 31)
    assert queries.is_hit.sum() == 64
    planted = [t.planted_distance for (t,) in queries.truths if t.planted_row >= 0]
    assert sorted(set(planted)) == list(range(32))
    for (truth,) in queries.truths:
        assert truth.found is not None
        if truth.planted_row >= 0:
            at = truth.found.rows.tolist().index(truth.planted_row)
            assert truth.found.distances[at] == truth.planted_distance


def test_realistic_hashes_are_balanced_reproducible_and_partly_real() -> None:
    once, again = (realistic_set(N, 64, 2) for _ in range(2))
    assert once.hashes == again.hashes
    ones = np.bitwise_count(once.hashes.words).sum(axis=1)
    assert (ones == 128).mean() > 0.99
    real, about = picture_hashes("pdq", 64, 2)
    assert "64 generated" in about
    kept = {row.tobytes() for row in once.hashes.packed}
    assert all(row.tobytes() in kept for row in real)
    assert not kept & {row.tobytes() for row in once.fresh(100, 1)}


def test_a_copula_keeps_frequencies_and_correlations() -> None:
    generator = np.random.default_rng(0)
    base = generator.random((20_000, 32)) < 0.5
    # Neighbours agree in three of four, and the last eight bits are rare.
    bits = np.repeat(base, 2, axis=1) ^ (generator.random((20_000, 64)) < 0.15)
    bits[:, 56:] &= generator.random((20_000, 8)) < 0.3
    copula = Copula(np.packbits(bits, axis=1))
    assert not copula.is_balanced
    made = np.unpackbits(copula.sample(20_000, seed=1), axis=1)
    assert np.abs(made.mean(axis=0) - bits.mean(axis=0)).max() < 0.02
    assert np.abs(np.corrcoef(made.T) - np.corrcoef(bits.T)).max() < 0.06


@pytest.mark.parametrize("make", skewed_sets())
def test_a_skewed_set_is_skewed(make: Any) -> None:
    skewed = make(N, 12)
    bits = np.unpackbits(skewed.hash_set.hashes.packed, axis=1)
    most = max(queries.most_found for queries in skewed.queries.values())
    often = np.abs(np.corrcoef(bits[:, bits.std(axis=0) > 0].T))
    np.fill_diagonal(often, 0)
    constant = int((bits.std(axis=0) == 0).sum())
    assert most >= 0.3 * N or constant == 64 or often.max() > 0.7


class Flawed(Ours):
    """Leaves out, invents or misjudges a row now and then."""

    def __init__(self, flaw: str) -> None:
        super().__init__(get_backend("linear").build(random_set(N).hashes))
        self.flaw = flaw
        self.cost = Cost(0.0, 0.0, "")

    def within(self, query: Any, radius: int) -> Any:
        lims, rows, distances = super().within(query, radius)
        if self.flaw == "none" or not rows.size:
            return RangeResult(lims, rows, distances)
        if self.flaw == "missing":
            return RangeResult(np.array([0, rows.size - 1]), rows[1:], distances[1:])
        if self.flaw == "wrong row":
            return RangeResult(lims, (rows + 1) % N, distances)
        return RangeResult(lims, rows, distances + 1)


@pytest.mark.parametrize("n_counted", [None, 0])
@pytest.mark.parametrize("flaw", ["none", "missing", "wrong row", "wrong distance"])
def test_a_wrong_answer_is_noticed_counted_or_not(flaw: str, n_counted: int | None) -> None:
    queries = make_queries(random_set(N), 40, 31, n_counted=n_counted)
    (timed,) = take_turns([Flawed(flaw)], Within(queries), 0.0)
    assert (timed.n_wrong > 0) == (flaw != "none")
    row = measured(Conditions("size", "random", N, 256, 31), timed)
    assert (row.verdict == "wrong answer") == (flaw != "none")


def test_rows_in_the_wrong_order_are_wrong_for_ours_only() -> None:
    hashes = as_hashes(np.repeat(random_packed(1, 256, 0), 3, axis=0))
    hash_set = HashSet("equal", hashes, lambda n, seed: random_packed(n, 256, seed))
    queries: Queries = make_queries(hash_set, 2, 31)
    structure = Ours(get_backend("linear").build(hashes))
    backwards = RangeResult(np.array([0, 3]), np.array([2, 1, 0]), np.zeros(3, np.int32))
    assert Within(queries).judge(structure, 0, backwards).is_wrong
    structure.in_order = False
    assert not Within(queries).judge(structure, 0, backwards).is_wrong


def test_wrong_neighbours_are_noticed() -> None:
    hashes = random_set(N).hashes
    question = Nearest(hashes.words, random_packed(2, 256, 9)[:, None], 3, 31)
    structure = Ours(get_backend("linear").build(hashes))
    right = structure.nearest(structure.prepared(question.packed[0]), 3)
    assert not question.judge(structure, 0, right).is_wrong
    assert question.judge(structure, 1, right).is_wrong
    assert question.judge(structure, 0, right._replace(distances=right.distances + 1)).is_wrong


class Slow(Structure):
    """A peer that always answers, and never finds."""

    name, exact = "slow", False

    def prepared(self, packed: Any) -> Any:
        return packed

    def within(self, query: Any, radius: int) -> Any:
        return None

    def read(self, answer: Any, radius: int) -> list[Found]:
        return [Found(np.empty(0, np.int64), np.empty(0, np.int32))]


def test_a_slow_peer_drops_out_and_is_not_held_to_be_wrong() -> None:
    queries = make_queries(random_set(N), 100, 31)
    ours = Flawed("none")
    slow, own = take_turns([Slow(), ours], Within(queries), 0.0)
    assert len(slow.seconds) == LEAST_QUERIES
    assert len(own.seconds) == 100
    assert (slow.n_wrong, slow.recall) == (0, 0.0)


def test_what_is_missing_is_not_run_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fp, "backend_names", lambda: ("linear",))

    def missing(name: str) -> Any:
        raise NotRunError(f"{name} is not installed")

    monkeypatch.setattr("benchmarks.lookup_peers.peer_module", missing)
    for name in ("size", "residency", "build", "batch", "skewed", "nearest", "dihedral"):
        group = lookup.run(part(name))
        without = [one for one in group.measurements if one.value is None]
        assert without, name
        assert all(one.not_run for one in without)
    by_name = {one.name: one for one in lookup.run(part("size")).measurements}
    row = by_name[f"size: {N:,} random hashes of 256 bits, radius 31, mih"]
    assert "no backend 'mih'" in row.not_run


def test_large_look_ups_keep_what_other_runs_found(tmp_path: Path) -> None:
    group = ran("size")
    some = replace(group, measurements=group.measurements[:3])
    others = replace(group, measurements=group.measurements[2:])
    write_report(tmp_path, {"processor": "first"}, TINY, [some], is_large=True)
    written = write_report(tmp_path, {"processor": "second"}, TINY, [others], is_large=True)
    assert {path.name for path in written} == {
        "lookup-large.json",
        "lookup-large.md",
        "lookup-size.png",
    }
    first, second = read_runs(tmp_path / "lookup-large.json")
    assert first.machine["processor"] == "first"
    assert len(first.groups[0].tables[0].rows) == 2
    found = [*first.groups[0].measurements, *second.groups[0].measurements]
    assert found == list(group.measurements)
    text = (tmp_path / "lookup-large.md").read_text("utf-8")
    assert text.count("## Conditions") == 2
    assert not (tmp_path / "latest.json").exists()


def test_pictures_show_this_run_and_the_large_one(tmp_path: Path) -> None:
    write_report(tmp_path, {}, TINY, [ran("radius")], is_large=True)
    written = write_report(tmp_path, {}, TINY, [ran("size")])
    assert {path.suffix for path in written} == {".json", ".md", ".png"}
    for name in ("lookup-size.png", "lookup-radius.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width >= 1200
    assert len(read_runs(tmp_path / "lookup-large.json")) == 1


def test_the_command_runs_one_part_at_one_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.__main__.QUICK", TINY)
    command = ["--quick", "--size", "1500", "--part", "residency", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "latest.json").read_text("utf-8"))
    (group,) = content["runs"][0]["groups"]
    assert group["name"] == "lookup"
    assert {one["details"]["hashes"] for one in group["measurements"]} == {1500}
    refused = CliRunner().invoke(main, ["--only", "pdq", "--size", "1500"])
    assert refused.exit_code == 2


def test_the_command_fails_on_a_wrong_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.__main__.QUICK", TINY)
    monkeypatch.setattr(
        "benchmarks.lookup_data.within_by_count",
        lambda words, queries, radius: [
            Found(np.array([0]), np.array([1], np.int32)) for _ in queries
        ],
    )
    result = CliRunner().invoke(main, ["--quick", "--part", "residency", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "wrong answer" in result.output
    assert "WRONG ANSWERS" in (tmp_path / "latest.md").read_text("utf-8")
