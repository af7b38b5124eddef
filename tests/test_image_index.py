"""Pictures with views under ids: added, found, and gone without a trace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fingerprint as fp
from fingerprint.evaluate import Edit, photo
from fingerprint.typing import U8
from fingerprint.views import REFERENCE_FAMILIES
from tests.command_line import runner

PICTURES = [photo(seed, 150, 200) for seed in range(6)]


@pytest.fixture(params=["memory", "disk"])
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = fp.ImageIndex() if request.param == "memory" else fp.ImageIndex.create(tmp_path / "x")
    with made as opened:
        yield opened


def stored(pixels: U8, families: list[str] | None = None) -> dict[str, fp.Hash]:
    """Return what is to be stored of a picture."""
    views = fp.hash_views(pixels, families, side="reference")
    return {n: h for n, h in views.items() if n == "identity" or (h.quality or 0) >= 50}


def entries(pictures: fp.ImageIndex) -> dict[str, fp.Hash]:
    return {entry.id: entry.hash for entry in pictures.index.entries()}


def expected(model: dict[str, U8]) -> dict[str, fp.Hash]:
    return {
        name if view == "identity" else f"{name}||{view}": known
        for name, pixels in model.items()
        for view, known in stored(pixels).items()
    }


def edited(edit: str, i: int) -> U8:
    return Edit.parse(edit)(PICTURES[i], i)


def test_what_is_stored(pictures: fp.ImageIndex) -> None:
    model = {f"case {i}": pixels for i, pixels in enumerate(PICTURES[:3])}
    for name, pixels in model.items():
        pictures.add(name, pixels)
    assert entries(pictures) == expected(model)
    assert (len(pictures), list(pictures)) == (3, list(model))
    assert "case 1" in pictures
    assert "case 1||crop_7" not in pictures
    assert "case 1||crop_7" in pictures.index
    assert 3 not in pictures
    assert pictures.get("case 2").hash == fp.hash_image(PICTURES[2])
    assert "ImageIndex" in repr(pictures)


@pytest.mark.parametrize("families", [[], ["crops"], ["corners", "inside"]])
def test_families_that_are_stored(pictures: fp.ImageIndex, families: list[str]) -> None:
    pictures.add("a", PICTURES[0], families=families)
    ids = ["a", *(f"a||{n}" for n in stored(PICTURES[0], families) if n != "identity")]
    assert list(pictures.index) == ids
    pictures.remove("a")
    assert list(pictures.index) == []


def test_views_with_little_in_them_are_not_stored(pictures: fp.ImageIndex) -> None:
    corner = np.full((200, 200, 3), 90, np.uint8)
    corner[:100, :100] = photo(3, 100, 100)
    pictures.add("a", corner)
    names = {one.partition("||")[2] for one in pictures.index} - {""}
    assert "crop_bottom_42" in names
    assert "crop_bottom_right_40" in names
    assert "crop_top_left_40" not in names
    flat = np.full((100, 100), 90, np.uint8)
    pictures.add("flat", flat)
    assert [one for one in pictures.index if one.startswith("flat")] == ["flat"]


@pytest.mark.parametrize(
    ("edit", "view"),
    [
        ("jpeg:50", "identity"),
        ("crop:0.14", " of crop_14"),
        ("crop:0.137", " of "),
        ("crop_left:0.3", "identity of crop_left_30"),
        ("crop_bottom:0.42+jpeg:50", "identity of crop_bottom_42"),
        ("crop_left:0.3+mirror", "flip_y of crop_left_30"),
        ("invert", "inverted"),
    ],
)
def test_what_is_found(pictures: fp.ImageIndex, edit: str, view: str) -> None:
    for i, pixels in enumerate(PICTURES):
        pictures.add(str(i), pixels, {"n": i})
    for i in range(len(PICTURES)):
        (match,) = pictures.search(edited(edit, i))
        assert (match.id, match.metadata) == (str(i), {"n": i})
        assert view in match.transform
        again = pictures.search(edited(edit, i), thorough=True)
        assert [one.id for one in again] == [str(i)]
        assert pictures.search(edited(edit, i), where={"n": i}) == [match]
        assert pictures.search(edited(edit, i), where={"n": i + 1}) == []
        assert pictures.search(edited(edit, i), where=lambda known: "n" not in known) == []
        everything = pictures.search(edited(edit, i), families=["positions"], radius=256)
        assert {one.id for one in everything} == set(pictures)
        assert len(everything) == len(pictures)


def test_what_is_not_stored_is_not_found(pictures: fp.ImageIndex) -> None:
    for i, pixels in enumerate(PICTURES[:5]):
        pictures.add(str(i), pixels, families=[])
    assert pictures.search(edited("crop_left:0.45", 0)) == []
    assert pictures.search(PICTURES[5], thorough=True) == []


def test_metadata_comes_back(pictures: fp.ImageIndex) -> None:
    given = {"list": "a", "nested": {"b": [1, None, "ü"]}, "fingerprint": True}
    pictures.add("a", PICTURES[0], given)
    pictures.add("b", PICTURES[1])
    assert (pictures.get("a").metadata, pictures.get("b").metadata) == (given, {})
    assert pictures.search(PICTURES[0])[0].metadata == given
    seen: list[Any] = []
    pictures.search(PICTURES[0], where=lambda known: seen.append(known) or True)  # type: ignore[func-returns-value]
    assert seen
    assert all(one == given for one in seen)


def test_bad_input_changes_nothing(pictures: fp.ImageIndex, tmp_path: Path) -> None:
    pictures.add("a", PICTURES[0])
    before = entries(pictures)
    for wrong, error, message in (
        (("a", PICTURES[1]), fp.DuplicateIdError, "a"),
        (("a||b", PICTURES[1]), ValueError, r"without '\|\|', got 'a\|\|b'"),
        (("#3", PICTURES[1]), ValueError, "#3"),
        (("b", tmp_path / "missing.png"), fp.DecodeError, r"missing\.png"),
        (("b", PICTURES[1], {"fingerprint.views": []}), ValueError, "names of views"),
        (("b", PICTURES[1], {"a": float("nan")}), ValueError, "JSON"),
    ):
        with pytest.raises(error, match=message):
            pictures.add(*wrong)
    for unknown_family in ("nonsense", "turned"):
        with pytest.raises(ValueError, match="no reference family"):
            pictures.add("b", PICTURES[1], families=[unknown_family])
    with pytest.raises(fp.DecodeError):
        pictures.add("a", b"nothing", overwrite=True)
    for unknown in ("b", "a||crop_7", ""):
        with pytest.raises(fp.UnknownIdError):
            pictures.remove(unknown)
        with pytest.raises(fp.UnknownIdError):
            pictures.get(unknown)
    assert entries(pictures) == before


def test_overwriting_leaves_nothing_of_the_former(pictures: fp.ImageIndex) -> None:
    pictures.add("a", PICTURES[0], {"old": 1})
    pictures.add("b", PICTURES[1])
    pictures.add("a", PICTURES[2], {"new": 1}, families=["corners"], overwrite=True)
    model = expected({"b": PICTURES[1]})
    for name, known in stored(PICTURES[2], ["corners"]).items():
        model["a" if name == "identity" else f"a||{name}"] = known
    assert entries(pictures) == model
    assert pictures.get("a").metadata == {"new": 1}
    assert pictures.search(PICTURES[0]) == []
    pictures.add("c", PICTURES[0], overwrite=True)
    assert [m.id for m in pictures.search(PICTURES[0])] == ["c"]


def test_an_error_while_writing_leaves_the_former(
    pictures: fp.ImageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures.add("a", PICTURES[0], {"old": 1})
    before = entries(pictures)

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(fp.Index, "add", full)
        with pytest.raises(OSError, match="full"):
            pictures.add("a", PICTURES[1], overwrite=True)
    assert entries(pictures) == before
    assert pictures.get("a").metadata == {"old": 1}
    assert [m.id for m in pictures.search(edited("crop_left:0.3", 0))] == ["a"]


def test_removed_pictures_are_gone_from_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with fp.ImageIndex.create(path, maintenance="manual") as pictures:
        for i, pixels in enumerate(PICTURES):
            pictures.add(f"secret-{i}", pixels, {"memo": f"private-{i}"})
            if i % 2:
                pictures.index.seal()
        pictures.remove("secret-1")
        pictures.add("secret-2", PICTURES[1], families=["corners"], overwrite=True)
        pictures.remove("secret-2")
        pictures.remove("secret-4")
        pictures.index.compact()
        left = entries(pictures)
        assert left == expected({f"secret-{i}": PICTURES[i] for i in (0, 3, 5)})
    content = b"".join(one.read_bytes() for one in path.rglob("*") if one.is_file())
    for i, pixels in enumerate(PICTURES):
        kept = i in (0, 3, 5)
        assert (f"secret-{i}".encode() in content) == kept
        assert (f"private-{i}".encode() in content) == kept
        for name, known in stored(pixels).items():
            assert (known.packed in content) == kept, name


def test_pictures_can_be_taken_back_when_a_view_is_gone(pictures: fp.ImageIndex) -> None:
    pictures.add("a", PICTURES[0])
    pictures.add("b", PICTURES[1])
    pictures.index.remove("a||crop_7")
    assert pictures.entry_ids("a")[0] == "a"
    assert "a||crop_7" not in pictures.entry_ids("a")
    pictures.remove("a")
    assert entries(pictures) == expected({"b": PICTURES[1]})


@pytest.mark.parametrize("name", ["a|", "|", "", "a | b", "ü\n", "x" * 300])
def test_ids_of_all_kinds(pictures: fp.ImageIndex, name: str) -> None:
    pictures.add("a", PICTURES[0])
    pictures.add(name, PICTURES[1], {"n": 1})
    (match,) = pictures.search(edited("crop_left:0.3", 1))
    assert (match.id, match.transform) == (name, "identity of crop_left_30")
    assert match.metadata == {"n": 1}
    assert set(pictures) == {"a", name}
    pictures.remove(name)
    assert entries(pictures) == expected({"a": PICTURES[0]})


def test_ids_of_others_with_bars_are_found_as_they_are(pictures: fp.ImageIndex) -> None:
    pictures.add("a", PICTURES[0], {"n": 0})
    plain = [fp.hash_image(pixels) for pixels in PICTURES]
    pictures.index.add("a||theirs", plain[1], {"n": 1})
    pictures.index.add("b||crop_7", plain[2], {"n": 2})
    pictures.index.add("||", plain[3], {"n": 3})
    pictures.index.add("c", plain[4], {"fingerprint.views": "none", "n": 4})
    pictures.index.add("c||crop_7", plain[5], {"n": 5})
    known = ["a", "a||theirs", "b||crop_7", "||", "c", "c||crop_7"]
    for i, name in enumerate(known):
        (match,) = pictures.search(PICTURES[i])
        assert (match.id, match.transform, match.metadata) == (name, "identity", {"n": i})
        assert pictures.search(PICTURES[i], where={"n": i}) == [match]
    pictures.remove("c")
    assert "c||crop_7" in pictures.index


def test_any_tool_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    with fp.ImageIndex.create(path) as pictures:
        for i, pixels in enumerate(PICTURES[:3]):
            pictures.add(str(i), pixels)
        n = len(pictures.index)
    with fp.Index.open(path, read_only=True) as index:
        assert index.verify().ok
        (match,) = index.within(fp.hash_image(edited("crop_left:0.3", 1)))
        assert match.id == "1||crop_left_30"
    run = runner(capsys, monkeypatch, "index")
    status, out, _ = run("info", path, "--json")
    assert (status, json.loads(out)["entries"]) == (0, n)
    assert run("verify", path)[0] == 0
    with fp.Index.open(path) as index:
        index.add("other", fp.hash_image(PICTURES[4]))
    with fp.ImageIndex.over(fp.Index.open(path)) as pictures:
        assert list(pictures) == ["0", "1", "2", "other"]
        assert [m.id for m in pictures.search(edited("border:0.1", 4))] == ["other"]
        pictures.remove("other")


READER = """
import sys
import fingerprint as fp
with fp.ImageIndex.open(sys.argv[1], read_only=True) as pictures:
    print(*((m.id, m.transform) for m in pictures.search(sys.argv[2])), flush=True)
    input()
    print(*((m.id, m.transform) for m in pictures.search(sys.argv[2])), len(pictures))
    try:
        pictures.add("new", sys.argv[2])
    except fp.UnsupportedOperationError:
        print("refused")
"""


def test_another_process_reads_meanwhile(tmp_path: Path) -> None:
    from PIL import Image

    path, query = tmp_path / "x", tmp_path / "q.png"
    Image.fromarray(edited("crop_left:0.3", 0)).save(query)
    with fp.ImageIndex.create(path) as pictures:
        pictures.add("a", PICTURES[0])
        with subprocess.Popen(
            [sys.executable, "-c", READER, str(path), str(query)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "('a', 'identity of crop_left_30')\n"
            pictures.remove("a")
            pictures.add("b", PICTURES[1])
            out, _ = reader.communicate("\n")
        assert out.split() == ["1", "refused"]


def test_another_algorithm() -> None:
    pictures = fp.ImageIndex("phash")
    for i, pixels in enumerate(PICTURES[:3]):
        pictures.add(str(i), pixels, families=["crops"])
    found = pictures.search(edited("crop_left:0.3", 1), families=["positions"])
    assert found[0].id == "1"
    assert found[0].transform == "identity of crop_left_30"


def test_reference_families_are_named_in_the_error() -> None:
    with pytest.raises(ValueError, match="there are " + ", ".join(REFERENCE_FAMILIES)):
        fp.ImageIndex().add("a", PICTURES[0], families=["x"])
