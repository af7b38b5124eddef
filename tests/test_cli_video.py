"""``fingerprint video``: what it prints, exit statuses, pictures, and files that are no videos."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fingerprint as fp
from fingerprint.cli.common import console
from fingerprint.evaluate.video_clips import clip_of_file, write_clip
from fingerprint.evaluate.video_synthesis import generate_video
from fingerprint.media.video import open_video
from fingerprint.video import VideoHash, read_vpdq_text
from fingerprint.video.hashing import hash_video
from fingerprint.video.index import VideoIndex
from tests.command_line import Run, runner

VIDEOS = Path(__file__).parent.parent / "data" / "fixtures" / "video"
SIZE = (160, 90)

CLIP_S = (4.0, 10.0)
"""Where the clip is in the mixed video."""

SHOWN_S = (6.0, 12.0)
"""Which seconds of the film it shows."""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch, "video")


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film, another, and one of seconds of both."""
    folder = tmp_path_factory.mktemp("films")
    generate_video(folder / "film.mp4", 1, 16.0, SIZE, 15)
    generate_video(folder / "other.mp4", 2, 6.0, SIZE, 15)
    film, other = (clip_of_file(folder / name) for name in ("film.mp4", "other.mp4"))
    mixed = other.between(0, 4).joined(film.between(*SHOWN_S), other.between(4, 6))
    write_clip(folder / "mixed.mp4", mixed)
    return folder


@pytest.fixture
def index(run: Run, films: Path, tmp_path: Path) -> Path:
    path = tmp_path / "index"
    assert run("index", "create", path)[0] == 0
    assert run("index", "add", path, films / "film.mp4", "--metadata", "case=7")[0] == 0
    return path


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_hash_of_one_video_prints_its_frames(run: Run) -> None:
    status, out, _ = run("hash", VIDEOS / "constant.mp4")
    assert status == 0
    expected = hash_video(VIDEOS / "constant.mp4", sample="every:0.5")
    rows = [line.split() for line in out.splitlines()[-len(expected) :]]
    assert [float(row[0]) for row in rows] == pytest.approx(expected.start_s, abs=1e-3)
    assert [row[3] for row in rows] == [one.hex for one in expected.hashes]
    assert "128x72" in out
    assert "rows, 5 usable; every:0.5" in out
    _, out, _ = run("hash", VIDEOS / "black.mp4")
    assert "0 usable (3 below quality 50: too little in them)" in out


def test_hash_options_reach_the_decoder(run: Run) -> None:
    _, out, _ = run(
        "hash",
        VIDEOS / "rotated-90.mp4",
        *("--json", "--sample", "every:0", "--stored", "--fidelity", "fast", "--digests"),
    )
    expected = hash_video(
        VIDEOS / "rotated-90.mp4",
        sample="every:0",
        orientation="stored",
        fidelity="fast",
        digests=True,
    )
    (record,) = lines(out)
    assert VideoHash.from_json(json.dumps(record)) == expected
    assert record["source"] == str(VIDEOS / "rotated-90.mp4")
    assert record["digests"]["sha256"]
    _, out, _ = run("hash", VIDEOS / "two-videos.mp4", "--stream", 1, "--json")
    assert lines(out)[0]["width_px"] == 96
    for arguments, has_bars in (((), True), (("--no-trim",), False)):
        _, out, _ = run("hash", VIDEOS / "letterboxed.mp4", "--json", *arguments)
        assert ("trimmed" in lines(out)[0]["frames"][0]) == has_bars


def test_hash_collapses_on_request(run: Run, tmp_path: Path) -> None:
    _, out, _ = run("hash", VIDEOS / "black.mp4", "--collapse")
    assert "0.000–0.967" in out
    assert len(out.splitlines()) == 4


def test_hash_of_a_folder_lists_failures_at_the_end(run: Run) -> None:
    status, out, err = run("hash", VIDEOS, "--workers", 2)
    assert status == 2
    manifest = json.loads((VIDEOS / "manifest.json").read_text())
    bad = {name for name, facts in manifest.items() if "error" in facts}
    bad -= {"playlist.m3u8", "script.ffconcat"}  # By their suffixes no videos.
    assert f"{len(bad)} could not be hashed" in err
    assert all(name in err for name in bad)
    assert len(out.splitlines()) == 1 + len(list(VIDEOS.iterdir())) - len(bad) - 3
    assert "passed over by suffix" in err
    assert "damaged: " in err
    assert "broken-tail.mp4" in err
    assert "Traceback" not in err


def test_hash_json_has_a_line_for_each_video(run: Run) -> None:
    status, out, err = run("hash", VIDEOS / "garbage.mp4", VIDEOS / "constant.mp4", "--json")
    assert status == 2
    first, second = lines(out)
    assert "is not a video" in first["error"]
    assert len(second["frames"]) == 5
    assert "1 could not be hashed" in err


def test_hash_as_vpdq(run: Run) -> None:
    options = ("--sample", "vpdq:0", "--stored", "--vpdq")
    status, out, _ = run("hash", VIDEOS / "constant.mp4", *options)
    assert status == 0
    made = read_vpdq_text(out)
    expected = hash_video(VIDEOS / "constant.mp4", sample="vpdq:0", orientation="stored")
    assert made.hashes == expected.hashes
    assert made.numbers.tolist() == list(range(60))


def test_hash_as_vpdq_is_metas_file(run: Run, media: Path) -> None:
    folder = media / "tmk-videos"
    options = ("--sample", "vpdq:0", "--stored", "--vpdq")
    _, out, _ = run("hash", folder / "pattern-hd-no-bar.mp4", *options)
    assert out == (folder / "vpdq-hashes" / "pattern-hd-no-bar.txt").read_text()


def test_hash_saves_files_and_replaces_none(run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "1" / "a.mp4", tmp_path / "2" / "a.mp4"
    for path, name in ((first, "constant.mp4"), (second, "variable.mp4")):
        path.parent.mkdir()
        path.write_bytes((VIDEOS / name).read_bytes())
    saved = tmp_path / "saved"
    for _ in range(2):  # Again: the same files.
        status, out, _ = run("hash", tmp_path / "1", tmp_path / "2", "--save", saved)
        assert status == 0
        assert sorted(p.name for p in saved.iterdir()) == ["a.mp4.2.vhash", "a.mp4.vhash"]
    kept = [hash_video(path, sample="changes:16") for path in (first, second)]
    assert VideoHash.load(saved / "a.mp4.vhash") == kept[0], "a frame for every look"
    assert VideoHash.load(saved / "a.mp4.2.vhash") == kept[1]
    (saved / "a.mp4.vhash").write_bytes(b"another thing")
    status, out, _ = run("hash", first, "--save", saved)
    assert "a.mp4.3.vhash" in out
    assert (saved / "a.mp4.vhash").read_bytes() == b"another thing"
    run("hash", second, "--save", saved, "--vpdq")
    text = (saved / "a.mp4.vpdq.txt").read_text()
    assert read_vpdq_text(text).hashes == kept[1].hashes
    assert (saved / "a.mp4.vpdq.txt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sample", "every"), ""),
        (("--sample", "each:1"), "expected every, vpdq"),
        (("--sample", "every:x"), "expected a number after every:"),
        (("--json", "--vpdq"), "exclude each other"),
        (("--vpdq", VIDEOS / "variable.mp4"), "--save takes many"),
        (("--max-time", "0"), "--max-time"),
        (("--algorithm", "none"), "unknown algorithm"),
        (("--algorithm", "phash", "--vpdq"), "vPDQ has pdq"),
        (("--stream", "4"), "there is no number 4"),
        (("--max-frames", "3"), "max_frames exceeded"),
    ],
)
def test_hash_says_what_is_wrong(run: Run, arguments: tuple[object, ...], said: str) -> None:
    status, _, err = run("hash", VIDEOS / "constant.mp4", *arguments)
    assert status == (2 if said else 0)
    assert said in err
    assert "Traceback" not in err


def test_hash_without_videos(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    status, _, err = run("hash", tmp_path)
    assert status == 2
    assert "no videos found" in err
    status, _, err = run("hash", tmp_path / "missing.mp4")
    assert status == 2
    assert "missing.mp4: cannot be read" in err


def test_compare_says_which_seconds(run: Run, films: Path) -> None:
    status, out, _ = run("compare", films / "mixed.mp4", films / "film.mp4", "--json")
    assert status == 0
    record = json.loads(out)
    (segment,) = record["segments"]
    found = [
        segment[f"{side}_{end}_s"] for side in ("query", "reference") for end in ("start", "end")
    ]
    assert found == pytest.approx([*CLIP_S, *SHOWN_S], abs=0.6)
    assert record["match"]
    assert record["a_coverage"] == pytest.approx(0.5, abs=0.1)
    assert record["b_coverage"] == pytest.approx(6 / 16, abs=0.08)
    assert "vpdq" not in record
    assert "evidence" in segment
    status, out, _ = run("compare", films / "mixed.mp4", films / "film.mp4")
    assert "vPDQ" not in out
    start, end = segment["query_start_s"], segment["query_end_s"]
    assert out.startswith(f"{start:.1f}–{end:.1f} s of mixed.mp4 is ")
    assert "not a verdict" in out


@pytest.mark.filterwarnings("ignore:both videos are sampled")
def test_compare_as_vpdq(run: Run, films: Path, tmp_path: Path) -> None:
    pair = films / "mixed.mp4", films / "film.mp4"
    _, out, _ = run("compare", *pair, "--rule", "cpp")
    (line,) = (line for line in out.splitlines() if line.startswith("vPDQ"))
    assert line.startswith("vPDQ (Meta's C++ tool: at least 80 % of film.mp4): ")
    assert line.endswith("no match (frames chosen by changes:16: not Meta's figures)")
    _, out, _ = run("compare", *pair, "--rule", "readme", "--json")
    assert json.loads(out)["vpdq"]["rule"] == "readme"
    _, out, _ = run("compare", *pair, "--sample", "vpdq:0.5", "--json")
    assert json.loads(out)["vpdq"]["rule"] == "python"
    _, text, _ = run("hash", films / "film.mp4", "--vpdq", "--sample", "vpdq:0.5")
    (tmp_path / "film.txt").write_text(text)
    _, out, _ = run("compare", tmp_path / "film.txt", tmp_path / "film.txt")
    assert (
        "vPDQ (Meta's Python rule: at least 80 % of film.txt): 100.0 % of the frames of film.txt "
        "and 100.0 % of those of film.txt have a look-alike: match\n"
    ) in out
    status, _, err = run("compare", *pair, "--rule", "cpp", "-a", "phash")
    assert status == 2
    assert "vPDQ has pdq, not phash" in err


def test_compare_with_nothing_in_common(run: Run, films: Path) -> None:
    status, out, _ = run("compare", films / "other.mp4", films / "film.mp4", "--tmk")
    assert status == 1
    assert out.startswith("nothing in common: other.mp4 and film.mp4")
    assert "TMK+PDQF: level 1 " in out
    _, out, _ = run("compare", films / "film.mp4", films / "film.mp4", "--tmk", "--json")
    assert json.loads(out)["tmk"] == pytest.approx({"level1": 1, "level2": 1, "match": True})


def test_compare_reads_saved_hashes(run: Run, films: Path, tmp_path: Path) -> None:
    hash_video(films / "film.mp4").save(tmp_path / "film.vhash")
    hash_video(films / "film.mp4").save(tmp_path / "film.json", form="json")
    _, text, _ = run("hash", films / "film.mp4", "--vpdq", "--sample", "vpdq:0.5")
    (tmp_path / "film.txt").write_text(text)
    for name in ("film.vhash", "film.json", "film.txt"):
        status, out, _ = run("compare", films / "mixed.mp4", tmp_path / name, "--json")
        assert status == 0
        assert json.loads(out)["segments"][0]["reference_start_s"] == pytest.approx(6, abs=0.6)
    status, _, err = run("compare", tmp_path / "film.txt", tmp_path / "film.vhash", "--tmk")
    assert status == 2
    assert "--tmk: expected two videos" in err
    (tmp_path / "film.vhash").write_bytes((tmp_path / "film.vhash").read_bytes()[:-9])
    status, _, err = run("compare", films / "mixed.mp4", tmp_path / "film.vhash")
    assert status == 2
    assert "damaged or cut short" in err
    status, _, err = run("compare", tmp_path / "film.json", films / "mixed.mp4", "-a", "phash")
    assert status == 2
    assert "phash" in err


def test_compare_takes_the_algorithm_of_a_saved_hash(run: Run, films: Path, tmp_path: Path) -> None:
    hash_video(films / "film.mp4", "phash:16").save(tmp_path / "film.vhash")
    status, out, _ = run("compare", films / "film.mp4", tmp_path / "film.vhash", "--json")
    assert status == 0
    assert "vpdq" not in json.loads(out)


def test_compare_of_black_is_no_answer(run: Run, films: Path) -> None:
    status, _, err = run("compare", VIDEOS / "black.mp4", films / "film.mp4")
    assert status == 2
    assert "too little in" in err


@pytest.mark.parametrize("name", ["garbage.mp4", "sound-only.mp4", "huge.avi", "script.mp4"])
def test_compare_of_no_video(run: Run, films: Path, name: str) -> None:
    status, out, err = run("compare", films / "film.mp4", VIDEOS / name)
    assert (status, out) == (2, "")
    assert name in err
    assert "Traceback" not in err


def test_compare_draws_pictures(run: Run, films: Path, tmp_path: Path) -> None:
    names = ("none.html", "blur.html", "show.html", "blur.png", "show.png")
    for name in names:
        status, out, _ = run(
            *("compare", films / "mixed.mp4", films / "film.mp4"),
            *("--picture", tmp_path / name, "--thumbnails", name.split(".")[0]),
        )
        assert status == 0
        assert name in out
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(made) == sorted(names), "nothing but the pictures"
    pages = {look: made[f"{look}.html"].decode() for look in ("none", "blur", "show")}
    assert pages["none"].count("data:image") == 0
    assert pages["blur"].count("data:image") == pages["show"].count("data:image") > 15
    assert [look for look, page in pages.items() if "blurred" in page] == ["blur"]
    assert "mixed.mp4" in pages["blur"]
    # What is blurred packs into a fraction of what is not.
    assert len(made["blur.png"]) < len(made["show.png"])
    with Image.open(tmp_path / "show.png") as picture:
        assert picture.width == 1400


def test_compare_refuses_other_pictures_before_it_decodes(
    run: Run, films: Path, tmp_path: Path
) -> None:
    for picture, said in (("it.jpg", "expected .png or .html"), ("no/it.png", "expected a folder")):
        status, _, err = run(
            "compare", films / "film.mp4", films / "film.mp4", "--picture", tmp_path / picture
        )
        assert status == 2
        assert said in err


def test_search_finds_seconds(run: Run, films: Path, index: Path) -> None:
    status, out, err = run(
        "search", index, films / "mixed.mp4", films / "other.mp4", VIDEOS / "garbage.mp4", "--json"
    )
    assert status == 2, "one is no video"
    by_name = {Path(record["source"]).name: record for record in lines(out)}
    (match,) = by_name["mixed.mp4"]["matches"]
    assert match["id"] == str(films / "film.mp4")
    assert match["metadata"] == {"case": 7}
    assert match["segments"][0]["reference_start_s"] == pytest.approx(SHOWN_S[0], abs=0.6)
    assert by_name["other.mp4"]["matches"] == []
    assert "error" in by_name["garbage.mp4"]
    assert "1 could not be hashed" in err
    status, out, _ = run("search", index, films / "mixed.mp4")
    assert status == 0
    assert "evidence" in out
    assert " bits" in out
    assert str(films) not in out
    assert "--json gives whole paths" in out
    assert run("search", index, films / "other.mp4")[0] == 1
    assert run("search", index, films / "mixed.mp4", "--where", "case=8")[0] == 1
    status, out, _ = run("search", index, VIDEOS / "black.mp4")
    assert status == 2
    assert "too little in it" in out


def test_search_takes_saved_hashes_and_draws(
    run: Run, films: Path, index: Path, tmp_path: Path
) -> None:
    hash_video(films / "mixed.mp4").save(tmp_path / "mixed.vhash")
    folder = tmp_path / "pictures"
    status, _, err = run(
        *("search", index, films / "mixed.mp4", tmp_path / "mixed.vhash"),
        *("--picture", folder, "--picture-format", "html"),
    )
    assert status == 0
    assert "1 picture in" in " ".join(err.split())
    pages = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(pages) == {"mixed.mp4-1.html", "mixed.vhash-1.html"}
    assert "data:image" in pages["mixed.mp4-1.html"]
    bare = pages["mixed.vhash-1.html"]
    assert "data:image" not in bare
    assert "blurred" not in bare
    assert bare.count("no frames: only its hashes are at hand") == 2
    assert str(films) not in bare


def test_search_fits_a_narrow_terminal(
    run: Run, films: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.command_line.console", SimpleNamespace(_width=0))  # Sets 200.
    monkeypatch.setattr(console, "_width", 80)
    _, out, _ = run("search", index, films)
    rows = [line for line in out.splitlines() if "0.0–16.0 s" in line]
    assert len(rows) == 1
    assert rows[0].count("film.mp4") == 2
    assert max(map(len, out.splitlines())) <= 80


def test_search_of_a_picture_hints_at_stills(run: Run, index: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "it.png")
    status, _, err = run("search", index, tmp_path / "it.png")
    assert status == 2
    assert "--still looks up pictures" in err
    assert "--still" not in run("search", index, VIDEOS / "garbage.mp4")[2]


def test_search_of_stills(run: Run, films: Path, index: Path, tmp_path: Path) -> None:
    with open_video(films / "film.mp4") as reader:
        frame = next(f for f in reader.frames() if f.time_s >= 5.0).rgb()
    Image.fromarray(frame).save(tmp_path / "still.png")
    Image.fromarray(frame[:, ::-1]).save(tmp_path / "mirrored.png")
    Image.fromarray(np.zeros_like(frame)).save(tmp_path / "black.png")
    stills = [tmp_path / "still.png", tmp_path / "mirrored.png"]
    status, out, _ = run("search", index, "--still", *stills, "--json")
    assert status == 0
    first, second = lines(out)
    (match,) = first["matches"]
    assert match["transform"] == "identity"
    assert any(span["start_s"] - 0.5 <= 5 <= span["end_s"] + 0.5 for span in match["spans"])
    assert second["matches"][0]["transform"] == "flip_y"
    status, out, _ = run("search", index, "--still", *stills)
    assert status == 0
    assert "mirrored" in out
    assert run("search", index, "--still", "--no-mirror", stills[1])[0] == 1
    assert run("search", index, "--still", tmp_path / "black.png")[0] == 2
    assert run("search", index, "--still", VIDEOS / "manifest.json")[0] == 2


def test_search_in_pictures(run: Run, films: Path, tmp_path: Path) -> None:
    with open_video(films / "film.mp4") as reader:
        frame = next(f for f in reader.frames() if f.time_s >= 5.0).rgb()
    with fp.Index.create(tmp_path / "list") as listed:
        listed.add("known", fp.hash_image(frame), {"why": "listed"})
    films_asked = (films / "film.mp4", films / "other.mp4")
    status, out, _ = run("search", tmp_path / "list", "--in-pictures", *films_asked, "--json")
    assert status == 0
    first, second = lines(out)
    (match,) = first["matches"]
    assert match["id"] == "known"
    assert match["metadata"] == {"why": "listed"}
    assert any(span["start_s"] - 0.5 <= 5 <= span["end_s"] + 0.5 for span in match["spans"])
    assert second["matches"] == []
    status, out, _ = run("search", tmp_path / "list", "--in-pictures", films / "film.mp4")
    assert status == 0
    assert "known" in out
    status, _, err = run("search", tmp_path / "list", films / "film.mp4")
    assert status == 2
    assert "an index of pictures" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--still", "--in-pictures"), "exclude each other"),
        (("--still", "--picture", "x"), "--picture draws"),
        (("--radius", 257), "256 bits"),
    ],
)
def test_search_says_what_is_wrong(
    run: Run, films: Path, index: Path, arguments: tuple[object, ...], said: str
) -> None:
    status, _, err = run("search", index, films / "mixed.mp4", *arguments)
    assert status == 2
    assert said in err


def test_missing_indexes(run: Run, films: Path, tmp_path: Path) -> None:
    for arguments in (
        ("search", tmp_path / "none", films / "film.mp4"),
        *((("index", name, tmp_path / "none")) for name in ("info", "verify", "compact")),
        ("index", "add", tmp_path / "none", films / "film.mp4"),
        ("index", "remove", tmp_path / "none", "x"),
    ):
        status, out, err = run(*arguments)
        assert (status, out) == (2, ""), arguments
        assert "expected a video index" in err
        assert "Traceback" not in err


def test_add_skips_replaces_or_refuses(run: Run, films: Path, index: Path, tmp_path: Path) -> None:
    film, other = films / "film.mp4", films / "other.mp4"
    _, out, _ = run("index", "add", index, films)
    assert "added 2 videos, 1 were there already; 3 now" in out
    status, _, err = run("index", "add", index, film, tmp_path / "x.mp4", "--existing", "error")
    assert status == 2
    assert "nothing was added" in err
    _, out, _ = run("index", "add", index, film, "--existing", "replace", "--metadata", "case=8")
    assert "added 1 video; 3 now" in out
    with VideoIndex.open(index, read_only=True) as opened:
        assert opened.get(str(film)).metadata == {"case": 8}
        assert opened.get(str(other)).metadata == {}


def test_add_takes_saved_hashes_and_passes_over_bad_ones(
    run: Run, films: Path, index: Path, tmp_path: Path
) -> None:
    hash_video(films / "other.mp4").save(tmp_path / "other.vhash")
    hash_video(films / "other.mp4", "phash").save(tmp_path / "phash.vhash")
    (tmp_path / "cut.vhash").write_bytes((tmp_path / "other.vhash").read_bytes()[:-9])
    names = [tmp_path / f"{name}.vhash" for name in ("other", "phash", "cut")]
    status, out, err = run("index", "add", index, *names, VIDEOS / "garbage.mp4")
    assert status == 2
    assert "added 1 video; 2 now" in out
    assert "3 could not be hashed" in err
    assert "phash" in err
    assert "cut.vhash" in err
    assert run("search", index, films / "other.mp4")[0] == 0


def test_folders_of_saved_hashes(run: Run, films: Path, index: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    run("hash", films / "other.mp4", "--save", saved)
    status, out, err = run("index", "add", index, saved)
    assert status == 0
    assert "added 1 video; 2 now" in out
    assert "sampled" not in err
    status, out, _ = run("search", index, saved, "--json")
    assert status == 0
    assert lines(out)[0]["source"] == str(saved / "other.mp4.vhash")
    for rule, said in (
        ("every:0.5", "1 hash is sampled by time (every:0.5)"),
        ("keyframes", "1 hash is sampled sparsely (keyframes)"),
        ("every:0.1", ""),
    ):
        path = tmp_path / f"{rule}.vhash"
        hash_video(films / "other.mp4", sample=rule).save(path)
        _, _, err = run("index", "add", index, path)
        assert said in err
        assert ("--sample changes:16" in err) == bool(said)


def test_add_of_nothing(run: Run, index: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    status, out, err = run("index", "add", index, tmp_path / "empty")
    assert (status, out) == (2, "")
    assert "no videos found in" in err
    assert "empty" in err


def test_an_index_of_videos_is_none_of_hashes(index: Path) -> None:
    with pytest.raises(fp.IndexFormatError, match=r"an index of videos.*VideoIndex") as caught:
        fp.Index.open(index)
    assert caught.value.found == "an index of videos"


def test_remove_info_verify_compact(run: Run, films: Path, index: Path) -> None:
    run("index", "add", index, films / "other.mp4")
    status, _, err = run("index", "remove", index, str(films / "other.mp4"), "unknown")
    assert status == 2
    assert "nothing was removed" in err
    status, out, _ = run("index", "remove", index, films / "other.mp4", "unknown", "--missing-ok")
    assert status == 0
    assert "removed 1 video, 1 were not there; 1 now" in out
    assert run("search", index, films / "other.mp4")[0] == 1
    status, out, _ = run("index", "compact", index)
    assert status == 0
    assert "on disk" in out
    status, out, _ = run("index", "verify", index)
    assert status == 0
    assert "all is well" in out
    status, out, _ = run("index", "info", index, "--json")
    facts = json.loads(out)
    assert (facts["videos"], facts["removed_entries"]) == (1, 0)
    assert facts["verified"]["ok"]
    assert "all was well" in run("index", "info", index)[1]


def test_verify_tells_of_damage_and_rebuilds(run: Run, films: Path, index: Path) -> None:
    run("index", "compact", index)
    column = max(
        (p for p in (index / "frames").rglob("*") if p.is_file() and "segment" in str(p.parent)),
        key=lambda p: p.stat().st_size,
    )
    data = bytearray(column.read_bytes())
    data[-1] ^= 1
    column.write_bytes(bytes(data))
    status, out, _ = run("index", "verify", index)
    assert status == 2
    assert "problem: " in out
    status, out, _ = run("index", "verify", index, "--rebuild")
    assert status == 0
    assert "all is well" in out
    assert run("search", index, films / "mixed.mp4")[0] == 0
    status, _, err = run("index", "verify", index, "--drop-damaged")
    assert status == 2
    assert "needs --rebuild" in err


def test_create_refuses_what_is_there(run: Run, index: Path, tmp_path: Path) -> None:
    assert run("index", "create", index)[0] == 2
    assert run("index", "create", tmp_path / "new", "-a", "crop_resistant")[0] == 2
    assert not (tmp_path / "new").exists()


def test_an_interrupt_stops_within_a_moment(films: Path, tmp_path: Path) -> None:
    """Ctrl-C while videos are decoded: no traceback, and the exit status of an interrupt."""
    for i in range(12):
        (tmp_path / f"{i}.mp4").symlink_to(films / "film.mp4")
    command = [sys.executable, "-m", "fingerprint", "video", "hash", str(tmp_path)]
    command += ["--sample", "every:0", "--json", "--workers", "2"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"COLUMNS": "200"}
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert b"Traceback" not in err
    assert out.count(b"\n") < 11
