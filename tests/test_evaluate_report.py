"""The report's files and ``fingerprint evaluate``."""

from __future__ import annotations

import html.parser
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fingerprint as fp
from fingerprint.evaluate.contenders import Contender, ViewedHashes
from fingerprint.evaluate.report import RobustnessReport
from fingerprint.evaluate.report_words import rows_by_family, rows_by_transform, share_words
from fingerprint.evaluate.robustness import evaluate
from fingerprint.evaluate.synthesis import photo
from tests.command_line import Run, runner

pytest.importorskip("matplotlib", reason="the extra 'report' is not installed")

EDITS = ("jpeg:50", "jpeg:10", "crop:0.05", "mirror", "crop:0.013+jpeg:70")


class Mirrored(Contender):
    """PDQ, asked for mirrored, too."""

    name, bits, version = "mirrored", 256, "1"
    radius = fp.Radius(31, "nobody")

    def reference(self, pixels: Any) -> fp.HashArray:
        return fp.HashArray.from_hashes([fp.hash_image(pixels)])

    def query(self, pixels: Any) -> ViewedHashes:
        hashes = fp.hash_dihedral(pixels)
        both = fp.HashArray.from_hashes([hashes["identity"], hashes["flip_y"]])
        return ViewedHashes(both, np.zeros(2, int), ("identity", "flip_y"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch, "evaluate")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evaluated") / "<b>&amp; photos"
    root.mkdir()
    for i in range(5):
        Image.fromarray(photo(i, 120, 160)).save(root / f"{i}.png")
    return root


@pytest.fixture(scope="session")
def report(folder: Path) -> RobustnessReport:
    return evaluate(folder, ("pdq", "dhash", Mirrored()), edits=EDITS, peers=False)


@pytest.fixture(scope="session")
def written(report: RobustnessReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.write(tmp_path_factory.mktemp("written") / "new").parent


class _Page(html.parser.HTMLParser):
    """Collects tags, what they refer to, and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [v or "" for k, v in attrs if k in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_files_are_whole_and_private(written: Path, report: RobustnessReport) -> None:
    names = {path.name for path in written.iterdir()}
    assert names == {
        *("report.html", "report.md", "report.json", "recall_by_transform.png"),
        *("recall_by_strength.png", "rates.png", "distances.png", "strata.png"),
    }
    for path in written.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        if path.suffix == ".png":
            with Image.open(path) as picture:
                picture.load()
                assert min(picture.size) > 200
    assert RobustnessReport.from_json((written / "report.json").read_bytes()) == report


def test_the_page_needs_nothing_else_and_escapes_names(written: Path) -> None:
    page = _Page((written / "report.html").read_text())
    assert page.references
    assert all(one.startswith("data:image/png;base64,") for one in page.references)
    assert "script" not in page.tags
    assert "b" in page.tags  # Names of contenders,
    assert "<b>&amp; photos" in page.text  # but not the folder's.
    assert "5 pictures from" in page.text
    assert "not a verdict" in page.text
    assert "Which view found what" in page.text
    assert "flip_y" in page.text


def test_the_tables_hold_the_figures(report: RobustnessReport, written: Path) -> None:
    text = (written / "report.md").read_text()
    jpeg = report.contender("pdq").edit("jpeg:50").recall("rate 1e-06").found
    assert jpeg == 5
    assert "| jpeg | 100 | " in text
    rows = rows_by_transform(report, "published")
    assert rows["jpeg"][0].n == 10
    assert rows["mirror"][0] == (0, 5)
    assert rows["crop:0.013+jpeg:70"][0].n == 5
    assert set(rows_by_family(report, "published")) == {"coding", "geometry", "chains"}
    assert "![What is found, by transform](recall_by_transform.png)" in text


def test_shares_in_words() -> None:
    assert [share_words(s) for s in (0, 1, 0.9999, 0.00001, 0.5)] == [
        *("0", "100", "99.9", "0.1", "50.0")
    ]


def test_no_hash_is_in_the_report(report: RobustnessReport, folder: Path, written: Path) -> None:
    texts = [(written / f"report.{kind}").read_text() for kind in ("html", "md", "json")]
    for path in folder.iterdir():
        hashed = fp.hash_image(path).hex
        assert not any(hashed[:12] in text for text in texts)


def test_the_command_prints_and_writes(run: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [folder, "--edit", "mirror", "--edit", "jpeg:50", "--no-peers", "--out", out]
    status, printed, told = run(*arguments, "--radius", "pdq=50", "-a", "pdq", "-a", "phash")
    assert (status, told) == (0, "")
    rows = [line.split("│")[1:-1] for line in printed.splitlines() if "│" in line]
    table = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    assert table["mirror"][0] == "0"
    assert table["jpeg"] == ["100", "100"]
    assert "radius 50" in printed
    assert f"report: {out / 'report.html'}" in printed.replace("\n", "")
    assert (out / "report.html").exists()
    assert (out / "state" / "finished.jsonl").exists()


def test_the_command_prints_json_and_names_what_it_cannot_read(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "bad.png").write_bytes(b"bad")
    Image.fromarray(photo(0, 60, 80)).save(tmp_path / "copy.png")
    out = tmp_path / "out"
    arguments = (tmp_path, "-e", "jpeg:50", "--no-peers", "--out", out)
    status, printed, told = run(*arguments, "--json", "-a", "dhash")
    assert status == 2
    assert "bad.png" in told
    data = json.loads(printed)
    assert data["failures"][0][0] == "bad.png"
    assert data["groups"] == [["0.png", "copy.png"]]
    status, printed, _ = run(*arguments, "--groups", "-a", "dhash")
    assert "1 group of pictures that show the same: 1 pair left out:\n  0.png, copy.png" in printed


def one_line(run: Run, *arguments: object) -> str:
    status, printed, told = run(*arguments)
    assert (status, printed) == (2, "")
    assert "Traceback" not in told
    return told.strip().splitlines()[-1]


def test_errors_are_one_line(run: Run, folder: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out", "--no-peers")
    assert "nosuch" in one_line(run, folder, "--edit", "nosuch:1", *out)
    assert "unknown algorithm 'nohash'" in one_line(run, folder, "-a", "nohash", *out)
    assert "expected one of the two" in one_line(run, folder, "--quick", "-e", "mirror", *out)
    assert "expected BITS or NAME=BITS" in one_line(run, folder, "--radius", "pdq=x", *out)
    assert "expected one of pdq, got phash" in one_line(run, folder, "--radius", "phash=9", *out)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "expected at least 2 pictures" in one_line(run, empty, "-e", "mirror", *out)
    assert not (tmp_path / "out").exists()


def test_a_missing_matplotlib_is_said_before_the_work(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec

    def without(name: str, *others: Any) -> Any:
        return None if name == "matplotlib" else find(name, *others)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    told = one_line(run, folder, "--quick", "--out", tmp_path / "out")
    assert "matplotlib is not installed" in told
    assert "'report'" in told
    assert not (tmp_path / "out").exists()
