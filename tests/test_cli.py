"""The command line: what it prints, its exit status, and no traceback for user errors."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import fingerprint as fp
from tests.command_line import Run, photo_like, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    photo_like(1).save(folder / "a.png")
    photo_like(1).save(folder / "below" / "a copy.jpg", quality=80)
    photo_like(2).save(folder / "b.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_hash_prints_the_hashes_of_the_api(run: Run, pictures: Path) -> None:
    status, out, _ = run("hash", pictures)
    assert status == 0
    lines = out.splitlines()
    assert len(lines) == 4
    expected = fp.hash_image(pictures / "a.png")
    assert lines[1].split() == [expected.hex, str(expected.quality), str(pictures / "a.png")]


def test_hash_json_and_csv_say_the_same(run: Run, pictures: Path) -> None:
    _, as_json, _ = run("hash", pictures, "--json", "-a", "phash:16")
    _, as_csv, _ = run("hash", pictures, "--csv", "-a", "phash:16", "--workers", 2)
    from_json = [json.loads(line) for line in as_json.splitlines()]
    from_csv = list(csv.DictReader(io.StringIO(as_csv)))
    assert [r["hash"] for r in from_json] == [r["hash"] for r in from_csv]
    assert from_json[0]["hash"] == fp.hash_image(pictures / "a.png", "phash:16").hex
    assert {r["algorithm"] for r in from_csv} == {"phash:16"}


def test_hash_of_segments(run: Run, pictures: Path) -> None:
    status, out, _ = run("hash", pictures / "a.png", "-a", "crop_resistant", "--json")
    assert status == 0
    assert json.loads(out)["hash"] == str(fp.hash_segments(pictures / "a.png"))


def test_one_bad_picture_is_reported_and_the_others_printed(run: Run, pictures: Path) -> None:
    (pictures / "broken.jpg").write_bytes((pictures / "below" / "a copy.jpg").read_bytes()[:500])
    status, out, err = run("hash", pictures)
    assert status == 2
    assert len(out.splitlines()) == 4
    assert "1 could not be hashed" in err
    assert "broken.jpg" in err
    assert "Traceback" not in err
    status, out, _ = run("hash", pictures, "--json")
    bad = [json.loads(line) for line in out.splitlines() if "error" in line]
    assert status == 2
    assert [b["source"] for b in bad] == [str(pictures / "broken.jpg")]


def test_all_files_tries_the_text_too(run: Run, pictures: Path) -> None:
    status, _, err = run("hash", pictures, "--all-files")
    assert status == 2
    assert "notes.txt" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hash", "no-such-file.jpg"], "No such file"),
        (["hash", ".", "-a", "no-such-hash"], "unknown algorithm 'no-such-hash'"),
        (["hash", ".", "-a", "phash:0"], "whole number"),
        (["hash", ".", "--json", "--csv"], "exclude each other"),
        (["index", "info", "no-such-index"], "found nothing"),
        (["index", "create", "x.index", "--backend", "no-such"], "unknown backend"),
        (["index", "create", "x.index", "-a", "no-such-hash"], "known: ahash"),
        (["index", "create", "x.index", "-a", "crop_resistant"], "for each segment"),
        (["dedupe", ".", "--radius", "300"], "has 256 bits"),
        (["dedupe", ".", "--html", "nowhere/x.html"], "there is no folder"),
        (["no-such-command"], "No such command"),
    ],
)
def test_user_errors_are_messages(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    photo_like(3).save(tmp_path / "x.png")
    status, out, err = run(*arguments)
    assert status == 2
    assert message in err
    assert "Traceback" not in out + err


def test_compare(run: Run, pictures: Path) -> None:
    status, out, _ = run("compare", pictures / "a.png", pictures / "below" / "a copy.jpg", "--json")
    assert status == 0
    rows = json.loads(out)["comparisons"]
    assert [r["algorithm"] for r in rows] == ["pdq", "phash", "dhash"]
    expected = fp.hash_image(pictures / "a.png") - fp.hash_image(pictures / "below" / "a copy.jpg")
    assert rows[0]["distance"] == expected <= 31
    status, out, _ = run("compare", pictures / "a.png", pictures / "b.png")
    assert status == 1
    assert "beyond the radius" in out


def test_compare_finds_a_mirrored_copy(run: Run, pictures: Path) -> None:
    photo_like(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(pictures / "mirrored.png")
    status, out, _ = run("compare", pictures / "a.png", pictures / "mirrored.png", "-a", "pdq")
    assert status == 0
    assert "flip_y" in out


def test_compare_of_blank_pictures_says_nothing(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (90, 90), (9, 9, 9)).save(tmp_path / "a.png")
    Image.new("RGB", (90, 90), (200, 9, 9)).save(tmp_path / "b.png")
    status, out, _ = run("compare", tmp_path / "a.png", tmp_path / "b.png")
    assert status == 2
    assert "too little" in out


def test_dedupe(run: Run, pictures: Path, tmp_path: Path) -> None:
    Image.new("RGB", (90, 90)).save(pictures / "blank 1.png")
    Image.new("RGB", (90, 90)).save(pictures / "blank 2.png")
    sheet = tmp_path / "sheet.html"
    status, out, err = run("dedupe", pictures, "--json", "--html", sheet)
    assert status == 0
    clusters = [json.loads(line) for line in out.splitlines()]
    assert [sorted(c["pictures"]) for c in clusters] == [
        sorted([str(pictures / "a.png"), str(pictures / "below" / "a copy.jpg")])
    ]
    assert "2 left out" in err
    page = sheet.read_text()
    assert page.count("<img") == 2
    assert "a copy.jpg" in page
    assert run("dedupe", pictures / "below")[0] == 1


def test_index_create_add_search_info(run: Run, pictures: Path, tmp_path: Path) -> None:
    index = tmp_path / "known.index"
    assert run("index", "create", index)[0] == 0
    assert run("index", "create", index)[0] == 2
    status, out, _ = run("index", "add", index, pictures / "a.png")
    assert status == 0
    assert "added 1 pictures" in out
    _, out, _ = run("index", "add", index, pictures / "a.png")
    assert "1 were there already" in out
    assert run("index", "add", index, pictures / "a.png", "--existing", "error")[0] == 2
    assert run("index", "add", index, pictures / "a.png", "--existing", "replace")[0] == 0
    status, out, _ = run("index", "search", index, pictures / "below", "--json")
    assert status == 0
    assert json.loads(out)["matches"][0]["id"] == str(pictures / "a.png")
    assert run("index", "search", index, pictures / "b.png")[0] == 1
    status, out, _ = run("index", "search", index, pictures / "b.png", "-k", 3, "--json")
    assert status == 0
    assert len(json.loads(out)["matches"]) == 1
    _, out, _ = run("index", "info", index, "--json")
    facts = json.loads(out)
    assert (facts["entries"], facts["algorithm"], facts["exact"]) == (1, "pdq", True)


def test_index_search_turned(run: Run, pictures: Path, tmp_path: Path) -> None:
    index = tmp_path / "known.index"
    run("index", "create", index)
    run("index", "add", index, pictures / "a.png")
    turned = tmp_path / "turned.png"
    photo_like(1).transpose(Image.Transpose.ROTATE_90).save(turned)
    assert run("index", "search", index, turned)[0] == 1
    status, out, _ = run("index", "search", index, turned, "--turned", "--json")
    assert status == 0
    assert json.loads(out)["matches"][0]["transform"] == "rotate270"


def test_algorithms_lists_all(run: Run) -> None:
    _, out, _ = run("algorithms")
    for name in (*fp.algorithm_names(), *fp.backend_names()):
        assert name in out


def test_warmup_tells_how_long_it_took(run: Run) -> None:
    status, out, _ = run("warmup")
    assert status == 0
    assert "kernels compiled" in out


def test_every_command_in_the_readme_exists(run: Run) -> None:
    readme = Path(__file__).parent.parent.joinpath("README.md").read_text()
    section = readme.split("## Command line")[1].split("```")[1]
    _, out, _ = run("--help")
    for line in filter(str.strip, section.splitlines()):
        for name in line.replace("fingerprint ", "").split("  ")[0].split(" | "):
            assert f"\n  {name.split()[0]}" in out, name


def test_a_large_folder_is_listed_without_reading_it_all_first(tmp_path: Path) -> None:
    from fingerprint.cli.common import find_pictures

    for i in range(300):
        (tmp_path / f"{i:03}.jpg").touch()
    found = find_pictures([tmp_path])
    assert Path(next(found)).name == "000.jpg"
    assert sum(1 for _ in found) == 299


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_interrupt_stops_quietly(tmp_path: Path) -> None:
    for i in range(200):
        photo_like(i, 600, 800).save(tmp_path / f"{i}.jpg")
    command = [sys.executable, "-m", "fingerprint", "hash", str(tmp_path), "-a", "whash"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_a_missing_picture_does_not_hide_the_others(run: Run, pictures: Path) -> None:
    status, out, err = run("hash", pictures / "a.png", pictures / "gone.jpg")
    assert status == 2
    assert fp.hash_image(pictures / "a.png").hex in out
    assert "gone.jpg" in err


def test_files_passed_over_are_counted(run: Run, pictures: Path) -> None:
    (pictures / "phone.HEIC").touch()
    _, _, err = run("hash", pictures)
    assert "2 files passed over by suffix" in err
    assert ".heic 1" in err


def test_search_sets_low_quality_aside(run: Run, pictures: Path, tmp_path: Path) -> None:
    index = tmp_path / "known.index"
    blank = tmp_path / "blank.png"
    Image.new("RGB", (90, 90)).save(blank)
    run("index", "create", index)
    run("index", "add", index, pictures / "a.png")
    for turned in ((), ("--turned",)):
        status, out, _ = run("index", "search", index, blank, "--json", *turned)
        assert status == 2
        record = json.loads(out)
        assert (record["low_quality"], record["quality"]) == (True, 0)
    status, out, _ = run("index", "search", index, blank)
    assert status == 2
    assert "too little in it" in out
    assert run("index", "search", index, blank, "--radius", 300)[0] == 2


def test_a_bug_is_an_error_and_not_a_no(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(fp.algorithms, "algorithm_names", broken)
    monkeypatch.setattr("fingerprint.cli.algorithms.fp.algorithm_names", broken)
    status, _, err = run("algorithms")
    assert status == 2
    assert "a bug" in err


@pytest.mark.parametrize("name", ["[red]x[bold].png", "a\nb.png", "--all-files.png", "é ☃.png"])
def test_odd_file_names(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("odd")
    folder.mkdir()
    photo_like(1).save(folder / name)
    photo_like(1).save(folder / "copy.png")
    index = "odd.index"
    run("index", "create", index)
    assert run("index", "add", index, folder)[0] == 0
    status, out, _ = run("index", "search", index, folder, "--json")
    assert status == 0
    assert str(folder / name) in {json.loads(line)["source"] for line in out.splitlines()}
    status, out, _ = run("index", "search", index, folder)
    assert name.split("\n")[0] in out
    assert run("dedupe", folder, "--html", tmp_path / "sheet.html")[0] == 0
