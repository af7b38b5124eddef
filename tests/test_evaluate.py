"""``fp.evaluate``: against a slow oracle, resumed, with any number of workers, and its report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fingerprint as fp
from fingerprint.evaluate.contenders import Contender, ViewedHashes
from fingerprint.evaluate.originals import seed_of
from fingerprint.evaluate.report import RobustnessReport
from fingerprint.evaluate.robustness import evaluate
from fingerprint.evaluate.synthesis import photo
from fingerprint.evaluate.transforms import Edit

N = 12
N_DISTRACTORS = 4
EDITS = ("jpeg:30", "crop:0.05", "mirror", "blur:6+noise:25")


class Turned(Contender):
    """PDQ, asked for mirrored, too, at a cost of six bits; two rows a picture."""

    name, bits, version = "turned", 256, "1"
    radius = fp.Radius(40, "nobody")

    def reference(self, pixels: Any) -> fp.HashArray:
        hashes = fp.hash_dihedral(pixels)
        return fp.HashArray.from_hashes([hashes["identity"], hashes["rotate180"]])

    def query(self, pixels: Any) -> ViewedHashes:
        hashes = fp.hash_dihedral(pixels)
        both = fp.HashArray.from_hashes([hashes["identity"], hashes["flip_y"]])
        return ViewedHashes(both, np.array([0, 6]), ("identity", "flip_y"))


def plain(pixels: Any) -> fp.Hash:
    return fp.hash_image(pixels, "phash")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in two folders, one twice, and one that is none."""
    root = tmp_path_factory.mktemp("pictures")
    for i in range(N):
        where = root / ("left" if i % 2 else "right")
        where.mkdir(exist_ok=True)
        Image.fromarray(photo(i, 150, 200)).save(where / f"{i:02}.png")
    Image.fromarray(photo(0, 150, 200)[:, ::-1]).save(root / "left" / "again.png")
    (root / "broken.jpg").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="session")
def distractors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("distractors")
    for i in range(N_DISTRACTORS - 1):
        Image.fromarray(photo(100 + i, 150, 200)).save(root / f"{i}.png")
    Image.fromarray(photo(100, 75, 100)).save(root / "again.png")  # Nobody asks for it.
    return root


def run(folder: Path, distractors: Path, **options: Any) -> RobustnessReport:
    chosen: dict[str, Any] = {
        "algorithms": ("pdq", Turned(), plain),
        "edits": EDITS,
        "radii": {"pdq": [60], "plain": [20]},
        "false_positive_rates": (0.01, 1e-6),
        "distractors": distractors,
        "peers": False,
        "workers": 1,
        **options,
    }
    return evaluate(folder, **chosen)


@pytest.fixture(scope="session")
def report(folder: Path, distractors: Path) -> RobustnessReport:
    return run(folder, distractors)


@cache
def _pixels(path: Path) -> Any:
    return np.asarray(Image.open(path).convert("RGB"))


def bit_count(a: fp.Hash, b: fp.Hash) -> int:
    return sum((x ^ y).bit_count() for x, y in zip(a.packed, b.packed, strict=True))


def oracle(folder: Path, distractors: Path, name: str) -> Iterator[tuple[str, str, str, int, bool]]:
    """Yield (edit, query, reference, score, quality is low) of all pairs, in Python alone."""
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*.png"))}
    others = {f"distractors/{p.name}": p for p in sorted(distractors.glob("*.png"))}
    stored: dict[str, list[fp.Hash]] = {}
    for key, path in {**files, **others}.items():
        turned = fp.hash_dihedral(_pixels(path))
        stored[key] = {
            "pdq": [turned["identity"]],
            "turned": [turned["identity"], turned["rotate180"]],
            "plain": [fp.hash_image(_pixels(path), "phash")],
        }[name]
    for edit in ("unedited", *EDITS):
        for key, path in files.items():
            edited = Edit.parse(edit)(_pixels(path), seed_of(0, key))
            turned = fp.hash_dihedral(edited)
            asked = {
                "pdq": [(turned["identity"], 0)],
                "turned": [(turned["identity"], 0), (turned["flip_y"], 6)],
                "plain": [(fp.hash_image(edited, "phash"), 0)],
            }[name]
            for other, rows in stored.items():
                score = min(bit_count(q, r) + cost for q, cost in asked for r in rows)
                low = min(asked[0][0].quality or 0, rows[0].quality or 0) < 50
                yield edit, key, other, min(score, rows[0].bits), low


SAME = {"left/again.png", "right/00.png"}


def stratum(query: str, other: str, *, low: bool) -> str:
    parts = [one.rpartition("/")[0] for one in (query, other)]
    where = "same folder" if parts[0] == parts[1] else "different folders"
    return f"{where}, low quality" if low else where


@pytest.mark.parametrize("name", ["pdq", "turned", "plain"])
def test_all_counts_are_those_of_a_slow_oracle(
    report: RobustnessReport, folder: Path, distractors: Path, name: str
) -> None:
    own: dict[str, Counter[int]] = {edit: Counter() for edit in EDITS}
    false: dict[str, Counter[int]] = {edit: Counter() for edit in EDITS}
    strata: dict[str, Counter[int]] = {}
    left_out: Counter[int] = Counter()
    for edit, query, other, score, low in oracle(folder, distractors, name):
        edited = edit != "unedited"
        if query == other:
            if edited:
                own[edit][score] += 1
        elif {query, other} == SAME:
            left_out[score] += 1
        else:
            kinds = (stratum(query, other, low=low), "edited" if edited else "unedited", "all")
            for kind in kinds:
                strata.setdefault(kind, Counter())[score] += 1
            if edited:
                false[edit][score] += 1
    found = report.contender(name)
    for edit in EDITS:
        result = found.edit(edit)
        scores: Counter[int] = Counter()
        for _, score, n in result.scores:
            scores[score] += n
        assert scores == own[edit]
        assert result.n == N + 1
        near: Counter[int] = Counter()
        for _, score, n in result.false:
            near[score] += n
        assert near == {s: n for s, n in false[edit].items() if s <= found.false_up_to}
        for point in found.points:
            within = sum(n for s, n in own[edit].items() if s <= point.radius)
            assert result.recall(point.name).found == within
    for one in found.strata:
        assert dict(one.scores) == strata.get(one.name, {})
    assert dict(found.left_out) == left_out
    for point in found.points:
        assert point.false == sum(n for s, n in strata["all"].items() if s <= point.radius)
        assert point.pairs == strata["all"].total()
        true = sum(n for c in own.values() for s, n in c.items() if s <= point.radius)
        wrong = sum(n for s, n in strata["edited"].items() if s <= point.radius)
        assert (point.true_finds, point.false_finds) == (true, wrong)
        assert point.recall == true / (len(EDITS) * (N + 1))


def test_radii_by_rate_and_precision(report: RobustnessReport) -> None:
    found = report.contender("plain")
    everything = dict(found.stratum("all").scores)
    pairs = sum(everything.values())

    def rate(radius: int) -> float:
        return sum(n for s, n in everything.items() if s <= radius) / pairs

    one = found.point("rate 0.01")
    # So few pairs cannot even show one in a hundred: 3 / 13 * 12 / 2 ...
    n_pairs = (N + 1) * N // 2 + (N + 1) * N_DISTRACTORS - 1
    assert report.n_pairs == n_pairs
    assert one.shown is (3 / n_pairs <= 0.01)
    none = found.point("rate 1e-06")
    assert not none.shown
    assert rate(none.radius) == 0 < rate(none.radius + 1)
    assert none.rate_high == pytest.approx(3 / n_pairs)
    assert f"{n_pairs:,} pairs of pictures cannot show 1e-06" in none.note
    precise = found.point("precision 0.9999")
    assert precise.precision is not None
    assert precise.precision >= 0.9999
    assert found.point("radius 20").rate == pytest.approx(rate(20))
    assert found.points[0].name == "radius 20"
    assert found.published == ""


def test_a_rate_that_so_many_pairs_can_show(folder: Path, distractors: Path) -> None:
    found = run(folder, distractors, false_positive_rates=(0.2,)).contender("plain")
    one = found.point("rate 0.2")
    everything = dict(found.stratum("all").scores)
    within = [sum(n for s, n in everything.items() if s <= r) for r in range(65)]
    assert one.shown
    assert within[one.radius] <= 0.2 * one.pairs < within[one.radius + 1]
    assert one.rate_low < one.rate < one.rate_high


def test_pictures_that_show_the_same_and_unreadable_ones_are_named(
    report: RobustnessReport,
) -> None:
    assert [set(group) for group in report.groups] == [SAME]
    assert report.n_left_out == 1
    assert [name for name, _ in report.failures] == ["broken.jpg"]
    assert (report.n_pictures, report.n_distractors) == (N + 1, N_DISTRACTORS)


def test_the_view_that_found_it_is_named(report: RobustnessReport) -> None:
    mirrored = report.contender("turned").edit("mirror")
    views: Counter[str] = Counter()
    for view, score, n in mirrored.scores:
        if score <= 40:
            views[view] += n
    assert views == {"flip_y": N + 1}
    assert {view for view, _, _ in report.contender("turned").edit("jpeg:30").scores} == {
        "identity"
    }
    assert mirrored.recall("published").recall == 1
    assert report.contender("pdq").edit("mirror").recall("published").found == 0


def figures(report: RobustnessReport) -> dict[str, Any]:
    return {key: value for key, value in report.to_dict().items() if key != "made"}


def test_workers_do_not_matter(report: RobustnessReport, folder: Path, distractors: Path) -> None:
    assert figures(run(folder, distractors, workers=4)) == figures(report)


class _StopError(Exception):
    pass


def test_an_interrupted_run_goes_on(
    report: RobustnessReport, folder: Path, distractors: Path, tmp_path: Path
) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "editing and comparing" and done == 6:
            raise _StopError

    with pytest.raises(_StopError):
        run(folder, distractors, state=tmp_path, progress=stop)
    path = tmp_path / "finished.jsonl"
    before = path.read_bytes()
    kept = before.count(b"\n")
    # What a plain function does may change without a sign of it: never kept.
    assert kept == 2 * 5
    path.write_bytes(before[:-7])
    assert figures(run(folder, distractors, state=tmp_path)) == figures(report)
    after = path.read_bytes().count(b"\n")
    assert figures(run(folder, distractors, state=tmp_path, workers=3)) == figures(report)
    assert path.read_bytes().count(b"\n") == after


def test_other_settings_and_pictures_are_computed_anew(folder: Path, tmp_path: Path) -> None:
    def lines(**options: Any) -> int:
        evaluate(
            folder,
            **{"algorithms": ("dhash",), "edits": ("blur:3",), "peers": False, **options},
            state=tmp_path,
            workers=1,
        )
        return (tmp_path / "finished.jsonl").read_bytes().count(b"\n")

    first = lines()
    assert first == N + 1
    assert lines() == first
    assert lines(algorithms=("dhash", "ahash")) == 2 * first
    assert lines(seed=1) == 3 * first
    assert lines(edits=("blur:1",)) == 4 * first
    assert lines(max_side_px=100) == 5 * first
    assert lines(limit=6) == 5 * first + 6


def test_what_is_kept_holds_no_hash(folder: Path, tmp_path: Path) -> None:
    evaluate(folder, ("pdq",), edits=("mirror",), peers=False, state=tmp_path, workers=1)
    kept = (tmp_path / "finished.jsonl").read_text()
    for path in folder.rglob("*.png"):
        assert fp.hash_image(path).hex[:16] not in kept


_KILLED = """
import sys
from fingerprint.evaluate.robustness import evaluate
evaluate(sys.argv[1], ("pdq", "phash"), edits=[f"jpeg:{q}" for q in range(30, 60)], peers=False,
         limit=8, state=sys.argv[2], workers=1)
"""


def test_killed_and_resumed_is_like_never_killed(folder: Path, tmp_path: Path) -> None:
    edits = [f"jpeg:{q}" for q in range(30, 60)]
    process = subprocess.Popen([sys.executable, "-c", _KILLED, str(folder), str(tmp_path)])
    path = tmp_path / "finished.jsonl"
    while process.poll() is None and not (path.exists() and path.stat().st_size > 2000):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = path.read_bytes().count(b"\n")
    assert 1 <= kept < 2 * 8
    how: dict[str, Any] = {"edits": edits, "peers": False, "limit": 8}
    resumed = evaluate(folder, ("pdq", "phash"), **how, state=tmp_path)
    whole = evaluate(folder, ("pdq", "phash"), **how)
    assert figures(resumed) == figures(whole)


def test_json_round_trip(report: RobustnessReport) -> None:
    again = RobustnessReport.from_json(report.to_json())
    assert again == report
    assert again.to_json() == report.to_json()
    assert set(report.made) >= {"at", "fingerprint", "numpy", "python"}
    data = report.to_dict()
    for wrong, message in (
        ("{", "expected JSON"),
        ("[]", "expected a fingerprint robustness report"),
        (json.dumps({**data, "version": 99}), "expected version 1, got 99"),
        (json.dumps({**data, "contenders": [{}]}), "expected a whole one"),
    ):
        with pytest.raises(ValueError, match=message):
            RobustnessReport.from_json(wrong)


def test_package_and_function_share_a_name() -> None:
    import fingerprint.evaluate

    package: Any = fingerprint.evaluate
    assert package.evaluate is evaluate
    assert callable(package)
    with pytest.raises(ValueError, match="limit: expected at least 2"):
        package(limit=1)


def test_generated_pictures_when_there_are_none() -> None:
    report = evaluate(algorithms=("dhash",), edits=("jpeg:50",), peers=False, limit=4)
    assert report.source == "generated"
    assert report.n_pictures == 4
    assert report.contender("dhash").edit("jpeg:50").recall("published").recall == 1


def test_what_a_contender_cannot_hash_counts_as_missed() -> None:
    def fussy(pixels: Any) -> fp.Hash:
        if pixels.shape[0] < 60:
            raise ZeroDivisionError("too small for me")
        return fp.hash_image(pixels, "ahash")

    pictures = [photo(i, 100, 120) for i in range(4)]
    report = evaluate(pictures, (fussy,), edits=("scale:0.5", "jpeg:50"), peers=False)
    small = report.contender("fussy").edit("scale:0.5")
    assert (small.n, small.failed, small.recall("rate 1e-06").found) == (4, 4, 0)
    assert any("too small for me" in note for note in report.notes)


def test_bad_arguments_are_named(folder: Path) -> None:
    def refuse(message: str, error: type[Exception] = ValueError, **options: Any) -> None:
        with pytest.raises(error, match=message):
            evaluate(folder, **{"peers": False, "edits": ("mirror",), **options})

    refuse("half: expected one of all, tune, report, got 'first'", half="first")
    refuse("limit: expected at least 2, got 1", limit=1)
    refuse("workers: expected at least 1, got 0", workers=0)
    refuse("false_positive_rates: expected above 0", false_positive_rates=(0,))
    refuse("nosuch", edits=("nosuch:3",))
    refuse("edits: expected an iterable", TypeError, edits="mirror")
    refuse("edits: expected at least one", edits=())
    refuse("radii: pdq: expected 0 to 256 bits, got 300", radii={"pdq": [300]})
    refuse("nohash", fp.UnknownAlgorithmError, algorithms=("nohash",))
    with pytest.raises(ValueError, match="expected at least 2 pictures that can be read, got 1"):
        evaluate([photo(1, 60, 80), b"no picture"], peers=False, edits=("mirror",))


def test_photographs_fare_as_facts_say(media: Path, pdqhash: object) -> None:
    report = evaluate(
        media / "photos",
        ("pdq", "pdqhash"),
        edits=("jpeg:50", "scale:0.5", "crop:0.05", "rotate:10", "mirror"),
        peers=False,
        limit=30,
    )
    ours, theirs = report.contenders
    found = {e.transform: e.recall("published").recall for e in ours.edits}
    assert min(found["jpeg"], found["scale"]) >= 0.9
    assert max(found["crop"], found["rotate"], found["mirror"]) <= 0.1
    assert [e.scores for e in ours.edits] == [e.scores for e in theirs.edits]
    assert ours.point("published").false == 0
