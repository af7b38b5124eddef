"""The benchmarks measure what they say, on sizes too small to mean anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmarks import (
    batch,
    cold,
    decode,
    fidelity,
    imagehash_peers,
    index,
    pdq,
    pictures,
    views,
)
from benchmarks.__main__ import MODULES, main
from benchmarks.measurement import SPEEDUP, Group, Measurement, NotRunError, Target
from benchmarks.paired import Plan, compare
from benchmarks.report import write_report
from benchmarks.settings import QUICK

ONCE = Plan(budget_s=0.0, min_pairs=2, max_pairs=2)
TINY = replace(
    QUICK,
    plan=ONCE,
    slow_plan=ONCE,
    sizes=((320, 240), (400, 300)),
    grid_size=(320, 240),
    jpeg_size=(400, 300),
    camera_file=False,
    batch_files=4,
    cold_runs=1,
    empty_cache_runs=0,
    memory_sizes=((640, 480),),
    max_photos=6,
    cluster_n=2000,
)
IN_PROCESS = {
    "pdq": pdq.run,
    "imagehash": imagehash_peers.run,
    "decode": decode.run,
    "batch": batch.run,
    "fidelity": fidelity.run,
    "index": index.run,
    "views": views.run,
}


@pytest.fixture(autouse=True)
def made_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Photographs of the test's own: the results must not depend on the machine's."""
    folder = tmp_path / "media" / "photos" / "large"
    folder.mkdir(parents=True)
    for seed in range(3):
        made = pictures.natural((400, 300), seed)
        (folder / f"{seed}.jpg").write_bytes(pictures.jpeg_of(made))
    monkeypatch.setenv(pictures.MEDIA, str(tmp_path / "media"))
    pictures.photograph.cache_clear()
    yield
    pictures.photograph.cache_clear()


@cache
def ran(name: str) -> Group:
    return IN_PROCESS[name](TINY)


def by_name(group: Group) -> dict[str, Measurement]:
    return {one.name: one for one in group.measurements}


def require_sound(group: Group) -> None:
    assert group.title
    assert group.conditions
    assert len(by_name(group)) == len(group.measurements)
    for one in group.measurements:
        assert (one.value is None) == bool(one.not_run), one.name
        assert one.agrees is not False, f"{one.name}: the two sides differ"
        if one.unit == SPEEDUP and one.value is not None:
            assert one.pair is not None
            assert one.agrees is True, f"{one.name}: nobody compared the answers"
            assert one.value > 0
            assert one.pair.pair_speedup.q1 <= one.pair.pair_speedup.q3


@pytest.mark.parametrize("name", list(IN_PROCESS))
def test_a_group_is_sound_and_both_sides_agree(name: str) -> None:
    require_sound(ran(name))


def test_every_group_has_a_module_and_says_what_it_does() -> None:
    assert set(MODULES) == {*IN_PROCESS, "cold", "lookup", "video"}  # Two have test files.
    said: list[str] = []
    assert decode.run(TINY, said.append).name == "decode"
    assert any("Meta's route" in text for text in said)


def test_the_fallback_is_timed_on_a_picture_that_takes_it() -> None:
    watched = pdq.WatchedPDQ()
    photo = pictures.natural((400, 300))
    assert not watched.needs_fallback(photo)
    assert watched.fallbacks == 0
    assert watched.needs_fallback(pictures.shifted_until(photo, watched.needs_fallback))
    results = by_name(ran("pdq"))
    against_peer = results["PDQ, fallback 400×300, against pdqhash"]
    if against_peer.value is not None:  # pdqhash is installed.
        assert against_peer.details["needs_fallback"] is True
    share = results["photographs that need the fallback"]
    assert share.value is not None
    assert share.details["photographs"] == 3


def test_a_picture_that_cannot_be_found_is_reported() -> None:
    with pytest.raises(NotRunError, match="shifts"):
        pictures.shifted_until(pictures.natural((32, 32)), lambda _: False)


def test_fidelity_counts_every_algorithm_and_splits_pdq() -> None:
    group = ran("fidelity")
    table = group.tables[0]
    assert [row[0] for row in table.rows] == list(fidelity.NAMES)
    luma = by_name(group)["bits moved by fast, pdq, luma only, all"]
    assert luma.details["pictures"] == 3
    assert 0 <= float(luma.details["median"]) <= float(luma.details["max"]) <= 256


def test_without_photographs_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(pictures.MEDIA)
    pictures.photograph.cache_clear()
    group = fidelity.run(TINY)
    assert len(group.measurements) == len(fidelity.NAMES)
    assert all("FINGERPRINT_MEDIA is not set" in one.not_run for one in group.measurements)
    whole = pdq.run(TINY)
    share = by_name(whole)["photographs that need the fallback"]
    assert share.value_text == "not run: FINGERPRINT_MEDIA is not set"
    assert any("generated" in line for line in whole.conditions)
    require_sound(batch.run(replace(TINY, batch_files=2)))


def test_a_missing_peer_is_reported_as_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagehash", None)
    group = imagehash_peers.run(TINY)
    assert group.measurements
    assert all("imagehash is not installed" in one.not_run for one in group.measurements)
    assert all(one.verdict == "not run" for one in group.measurements)


def test_new_processes_are_measured() -> None:
    group = cold.run(TINY)
    require_sound(group)
    results = by_name(group)
    first = results["first hash of a new process, compiled kernels on disk"]
    assert first.agrees is True
    assert first.value is not None
    assert first.value >= float(first.details["import_s"]) + float(first.details["hash_s"])
    empty = results["first hash of a new process, empty cache"]
    assert empty.not_run == "no runs were asked for"
    memory = [one for name, one in results.items() if name.startswith("peak of memory")]
    assert len(memory) == len(cold.MEMORY_KINDS)


def test_the_peak_of_memory_counts_the_decoded_picture(tmp_path: Path) -> None:
    width, height = 3000, 2000
    path = tmp_path / "large.jpg"
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(path)
    printed = cold.probe("memory", "jpeg", "exact", str(width), str(height), str(path)).printed
    # Three bytes a pixel at least; that the parent is larger must not show.
    assert 2.9 <= printed["mb_per_mp"] <= 12


def test_the_sides_take_turns_and_answers_are_compared() -> None:
    calls: list[str] = []

    def side(name: str, seconds: float) -> int:
        calls.append(name)
        until = perf_counter() + seconds
        while perf_counter() < until:
            pass
        return len(calls)

    pair = compare(
        lambda: side("a", 0.001),
        lambda: side("b", 0.02),
        lambda a, b: b == a + 1,
        Plan(budget_s=0, min_pairs=4, max_pairs=9),
    )
    assert calls == ["a", "b"] * 5
    assert pair.agrees
    assert pair.pair_speedup.n == 4
    assert pair.speedup > 1
    assert pair.cost == pytest.approx(1 / pair.speedup)
    assert not compare(lambda: 1, lambda: 2, lambda a, b: a == b, ONCE).agrees


def test_verdicts() -> None:
    fast, slow = Target(5, at_least=True), Target(5, at_least=False)
    assert Measurement("x", 6, SPEEDUP, fast).verdict == "met"
    assert Measurement("x", 4, SPEEDUP, fast).verdict == "not met"
    assert Measurement("x", 4, "s", slow).verdict == "met"
    assert Measurement("x", 4, "s").verdict == ""
    assert Measurement("x", 6, SPEEDUP, fast, agrees=False).verdict == "wrong answer"
    assert Measurement("x", None, "s", slow, not_run="why").verdict == "not run"
    assert str(fast) == "≥ 5"


def test_the_report_has_every_figure(tmp_path: Path) -> None:
    groups = [ran("pdq"), ran("index"), ran("fidelity")]
    written = write_report(tmp_path / "results", {"processor": "a test"}, TINY, groups)
    names = {path.name for path in written}
    assert names == {"latest.json", "latest.md", "speed.png"}
    content = json.loads((tmp_path / "results" / "latest.json").read_text("utf-8"))
    assert [group["name"] for group in content["runs"][0]["groups"]] == ["pdq", "index", "fidelity"]
    text = (tmp_path / "results" / "latest.md").read_text("utf-8")
    for group in groups:
        assert group.title in text
        for one in group.measurements:
            if not fidelity_or_search(one):
                assert one.name in text
    assert "a test" in text
    with Image.open(tmp_path / "results" / "speed.png") as picture:
        assert picture.width >= 900


def fidelity_or_search(one: Measurement) -> bool:
    """Whether the report has it in a table of its own instead of the list."""
    return one.unit == "bits on average" or (one.unit == "ms" and one.pair is None)


def test_the_command_runs_a_group_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.__main__.QUICK", TINY)
    result = CliRunner().invoke(
        main, ["--quick", "--only", "fidelity", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert "Bits that fast decoding moves" in result.output
    assert (tmp_path / "out" / "latest.json").is_file()
    assert not (tmp_path / "out" / "speed.png").exists()


def test_the_command_fails_when_the_sides_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pdqhash")
    monkeypatch.setattr("benchmarks.__main__.QUICK", TINY)
    monkeypatch.setattr("benchmarks.decode.pdqhash_agrees", lambda *_: False)
    result = CliRunner().invoke(main, ["--quick", "--only", "decode", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "wrong answer" in result.output
