"""Views on the command line: listed, drawn, stored, looked up, removed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fingerprint as fp
from fingerprint.evaluate import Edit, photo
from fingerprint.views import QUERY_FAMILIES, REFERENCE_FAMILIES
from tests.command_line import Run, ids, runner


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    call = runner(capsys, monkeypatch)

    def checked(*arguments: object) -> tuple[int, str, str]:
        status, out, err = call(*arguments)
        assert "Traceback" not in err
        return status, out, err

    return checked


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        Image.fromarray(photo(seed, 200, 260)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def index(run: Run, tmp_path: Path, pictures: Path) -> Path:
    path = tmp_path / "x.index"
    assert run("index", "create", path)[0] == 0
    assert run("index", "add", path, pictures, "--views", "--metadata", "list=a")[0] == 0
    return path


def edited(pictures: Path, edit: str, seed: int = 1) -> Path:
    pixels = np.asarray(Image.open(pictures / f"{seed}.png"))
    target = pictures.parent / f"{edit.replace(':', '_')}.png"
    Image.fromarray(Edit.parse(edit)(pixels, 0)).save(target)
    return target


def test_all_families_are_listed(run: Run) -> None:
    status, out, _ = run("views")
    assert status == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    query = {row[0]: row[1:] for row in rows if len(row) == 5}
    reference = {row[0]: row[1:] for row in rows if len(row) == 3}
    assert list(query) == list(QUERY_FAMILIES)
    assert list(reference) == list(REFERENCE_FAMILIES)
    for name, family in QUERY_FAMILIES.items():
        summary, views, stage, radius = query[name]
        assert (summary, stage, radius) == (family.summary, str(family.stage), str(family.radius))
        if name not in ("inside", "panels"):
            views_of_one = set(fp.hash_views(photo(0, 90, 120), [name]))
            has_identity = name in ("positions", "as_is")
            n = len(views_of_one) - (not has_identity)
            assert str(n) in views.split(" or ")
    assert query["panels"][1] == query["inside"][1] == "as found"
    assert query["larger"][1].startswith("0 or ")


@pytest.mark.parametrize("grey", [False, True])
def test_all_views_are_drawn(run: Run, tmp_path: Path, pictures: Path, grey: bool) -> None:
    source = edited(pictures, "border:0.1")
    if grey:
        Image.open(source).convert("L").save(source)
    target = tmp_path / "sheet.png"
    status, out, _ = run("views", source, "--sheet", target)
    assert (status, out) == (0, f"sheet: {target}\n")
    assert target.stat().st_mode & 0o777 == 0o600
    with Image.open(target) as sheet:
        assert sheet.width > 1500
        assert sheet.height > 1500


def test_a_sheet_by_default_and_of_a_generated_picture(
    run: Run, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("views", pictures / "0.png")[:2] == (0, "sheet: views.png\n")
    assert run("views", "--sheet", "generated.png")[0] == 0
    assert {p.name for p in tmp_path.glob("*.png")} == {"views.png", "generated.png"}


def test_what_cannot_be_drawn(run: Run, tmp_path: Path) -> None:
    status, out, err = run("views", tmp_path / "missing.png", "--sheet", tmp_path / "x.png")
    assert (status, out) == (2, "")
    assert "missing.png" in err
    status, _, err = run("views", "--sheet", tmp_path / "x.jpg")
    assert status == 2
    assert "ends in .png" in err
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_added_with_views(run: Run, index: Path, pictures: Path) -> None:
    known = ids(index)
    own = [one for one in known if "||" not in one]
    assert own == [str(pictures / f"{seed}.png") for seed in range(3)]
    views = set(fp.hash_views(pictures / "2.png", side="reference")) - {"identity"}
    assert {one for one in known if one.startswith(f"{own[2]}||")} == {
        f"{own[2]}||{name}" for name in views
    }
    with fp.ImageIndex.open(index, read_only=True) as stored:
        assert stored.get(own[2]).metadata == {"list": "a"}
        assert stored.get(own[2]).hash == fp.hash_image(own[2])
    status, out, _ = run("index", "add", index, pictures, "--views")
    assert (status, out) == (
        0,
        "added 0 pictures, 3 were there already and stay as they are "
        f"(--existing replace stores their views); {len(known)} entries now\n",
    )
    for how in ("replace", "skip"):
        options = ("--views", "--existing", how, "--metadata", "list=b")
        assert run("index", "add", index, pictures, *options)[0] == 0
        assert sorted(ids(index)) == sorted(known)
        with fp.ImageIndex.open(index, read_only=True) as stored:
            assert {tuple(stored.get(one).metadata.values()) for one in stored} == {("b",)}
    assert run("index", "add", index, pictures, "--views", "--existing", "error")[0] == 2


def test_what_cannot_be_added_with_views(
    run: Run, index: Path, pictures: Path, tmp_path: Path
) -> None:
    known = ids(index)
    status, _, err = run("index", "add", index, pictures, "--views", "--fidelity", "fast")
    assert status == 2
    assert "--fidelity exact" in err
    status, _, err = run("index", "add", index, pictures, "--metadata", "fingerprint.views=[]")
    assert status == 2
    assert "names of views" in err
    assert ids(index) == known
    new = tmp_path / "new"
    new.mkdir()
    Image.fromarray(photo(7, 90, 120)).save(new / "a||b.png")
    Image.fromarray(photo(8, 90, 120)).save(new / "good.png")
    (new / "broken.png").write_bytes(b"none")
    status, out, err = run("index", "add", index, new, "--views")
    assert status == 2
    assert out.startswith("added 1 pictures; ")
    assert "2 could not be hashed" in err
    assert {one for one in ids(index) if "||" not in one} - set(known) == {str(new / "good.png")}


def test_an_interrupt_leaves_whole_pictures(
    run: Run, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "y.index"
    run("index", "create", path)
    add = fp.Index.add
    added: list[list[str]] = []

    def interrupted(self: fp.Index, names: list[str], *rest: object) -> object:
        if len(added) == 2:
            raise KeyboardInterrupt
        added.append(names)
        return add(self, names, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(fp.Index, "add", interrupted)
    status, out, _ = run("index", "add", path, pictures, "--views")
    assert status == 130
    assert out.startswith("added 2 pictures; ")
    assert ids(path) == [one for names in added for one in names]


def test_plain_adding_in_the_place_of_a_picture_takes_its_views_along(
    run: Run, index: Path, pictures: Path
) -> None:
    first = str(pictures / "0.png")
    assert run("index", "add", index, first, "--existing", "replace")[0] == 0
    known = ids(index)
    assert first in known
    assert not any(one.startswith(f"{first}||") for one in known)
    assert any("||" in one for one in known)


@pytest.mark.parametrize(
    ("edit", "view"),
    [
        ("jpeg:50", "identity"),
        ("mirror", "flip_y"),
        ("border:0.083", "inside_"),
        ("rotate:4", "turn_"),
        ("crop_left:0.3", " of crop_left_30"),
    ],
)
def test_edited_pictures_are_found(
    run: Run, index: Path, pictures: Path, edit: str, view: str
) -> None:
    source = edited(pictures, edit)
    status, out, _ = run("index", "search", index, source, "--views", "--json")
    assert status == 0
    record = json.loads(out)
    assert record["source"] == str(source)
    assert record["low_quality"] is False
    (match,) = record["matches"]
    assert match["id"] == str(pictures / "1.png")
    assert view in match["transform"]
    assert match["metadata"] == {"list": "a"}
    assert match["distance"] <= 47
    status, out, _ = run("index", "search", index, source, "--views")
    assert status == 0
    assert view in out
    assert "||" not in out


def test_options_of_a_search_by_views(run: Run, index: Path, pictures: Path) -> None:
    source = edited(pictures, "mirror")

    def found(*options: object) -> list[str]:
        status, out, _ = run("index", "search", index, source, "--views", "--json", *options)
        matches = json.loads(out)["matches"]
        assert status == (0 if matches else 1)
        return [match["transform"] for match in matches]

    assert found() == found("--family", "positions") == ["flip_y"]
    assert found("--family", "turned", "--family", "uncropped") == []
    assert found("--thorough") == ["flip_y"]
    assert found("--where", "list=b") == []
    assert found("--where", "list=a") == ["flip_y"]
    assert len(found("--radius", 256)) == 3
    assert found("--family", "turned", "--radius", 0) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--views", "--turned"), "exclude"),
        (("--views", "-k", "1"), "exclude"),
        (("--thorough",), "needs --views"),
        (("--family", "turned"), "needs --views"),
        (("--views", "--family", "nonsense"), "no query family 'nonsense'"),
        (("--views", "--fidelity", "fast"), "--fidelity exact"),
        (("--views", "--radius", "257"), "256 bits"),
    ],
)
def test_options_that_contradict(
    run: Run, index: Path, pictures: Path, options: tuple[str, ...], message: str
) -> None:
    status, out, err = run("index", "search", index, pictures / "0.png", *options)
    assert (status, out) == (2, "")
    assert message in err


def test_pictures_that_cannot_be_looked_up(run: Run, index: Path, tmp_path: Path) -> None:
    flat, broken = tmp_path / "flat.png", tmp_path / "broken.png"
    Image.new("RGB", (60, 60), "navy").save(flat)
    broken.write_bytes(b"none")
    status, out, err = run("index", "search", index, flat, broken, "--views", "--json")
    assert status == 2
    low, failed = map(json.loads, out.splitlines())
    assert (low["source"], low["low_quality"], low["matches"]) == (str(flat), True, [])
    assert failed["source"] == str(broken)
    assert "could not be hashed" in err
    status, out, _ = run("index", "search", index, flat, "--views")
    assert status == 2
    assert "too little in it" in out


def test_an_index_without_views_is_looked_up_by_views_too(
    run: Run, pictures: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plain.index"
    run("index", "create", path)
    run("index", "add", path, pictures)
    source = edited(pictures, "border:0.083")
    assert run("index", "search", path, source)[0] == 1
    status, out, _ = run("index", "search", path, source, "--views", "--json")
    assert status == 0
    assert [one["id"] for one in json.loads(out)["matches"]] == [str(pictures / "1.png")]


def test_an_algorithm_without_a_radius(run: Run, pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "photo.index"
    run("index", "create", path, "-a", "photo", "--bits", 64)
    status, _, err = run("index", "search", path, pictures / "0.png", "--views")
    assert status == 2
    assert "pass it" in err


def test_remove_takes_the_views_along(run: Run, index: Path, pictures: Path) -> None:
    first, second = str(pictures / "0.png"), str(pictures / "1.png")
    known = ids(index)
    n = sum(one.startswith(f"{first}||") for one in known)
    assert n > 10
    status, out, _ = run("index", "remove", index, first)
    left = [one for one in known if not one.startswith(first)]
    assert (status, out) == (
        0,
        f"removed 1 entries and {n} views of theirs; {len(left)} now\n",
    )
    assert ids(index) == left
    # One view by itself, and then a picture of which a view is gone and one is named, too.
    view, other = [one for one in left if one.startswith(f"{second}||crop_left_")][:2]
    assert run("index", "remove", index, view)[0] == 0
    assert run("index", "remove", index, second, other)[0] == 0
    assert ids(index) == [one for one in left if not one.startswith(second)]
    with fp.Index.open(index) as opened:
        opened.compact()
    content = b"".join(p.read_bytes() for p in index.rglob("*") if p.is_file())
    for name, view_hash in fp.hash_views(first, side="reference").items():
        assert view_hash.packed not in content, name
    assert first.encode() not in content
