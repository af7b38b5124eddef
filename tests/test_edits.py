"""Edits: their names, their chance, their files; the contact sheet and the command."""

from __future__ import annotations

import pickle
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fingerprint.errors import DecodeError
from fingerprint.evaluate import (
    CHAINS,
    Edit,
    default_edits,
    photo,
    transform_names,
    transforms,
)
from fingerprint.evaluate.contact_sheet import contact_sheet
from fingerprint.evaluate.transforms.coding import jpeg_bytes, webp_bytes
from fingerprint.media import decode
from fingerprint.typing import U8
from tests.command_line import Run, runner


@pytest.fixture(scope="module")
def picture() -> U8:
    return photo(5, 120, 160)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch, "transforms")


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, float]:
    transform = transforms(draw(st.sampled_from(transform_names())))
    strengths = st.floats(*transform.limits) | st.sampled_from(transform.strengths)
    return transform.name, draw(strengths)


@given(some=st.lists(steps(), min_size=1, max_size=4))
def test_names_round_trip(some: list[tuple[str, float]]) -> None:
    edit = Edit(tuple(some))
    assert Edit.parse(str(edit)) == edit
    assert pickle.loads(pickle.dumps(edit)) == edit  # noqa: S301 - our own bytes
    assert hash(Edit.parse(str(edit))) == hash(edit)


def test_names_as_people_write_them() -> None:
    edit = Edit.parse(" crop:0.050 + jpeg:50 + mirror + turn:90.0 ")
    assert list(edit.steps) == [("crop", 0.05), ("jpeg", 50.0), ("mirror", 1.0), ("turn", 90.0)]
    assert str(edit) == "crop:0.05+jpeg:50+mirror+turn:90"
    assert list(Edit.parse("rotate:-2.5").steps) == [("rotate", -2.5)]
    assert Edit.parse("recompress") == CHAINS["recompress"]
    assert str(CHAINS["recompress"]) == "jpeg:75+scale:0.7+jpeg:50"
    assert CHAINS["recompress"].label == "recompress"
    assert Edit.parse("unedited") == Edit(())
    assert str(Edit(())) == "unedited"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crp:0.1", "got 'crp' .did you mean 'crop'.*expected one of jpeg, .*picture_in_picture"),
        ("", "got ''"),
        ("crop:0.1+", "got ''"),
        ("crop:x", "expected a number after 'crop:', got 'x'"),
        ("crop:nan", "expected a number"),
        ("crop", "crop: expected a strength of 0 to 0.49 .share of each side cut off., got None"),
        ("crop:0.7", "got 0.7"),
        ("mirror:3", "mirror: expected a strength of 1 to 1"),
    ],
)
def test_names_that_are_none(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Edit.parse(text)


def test_one_step_is_the_transform(picture: U8) -> None:
    for text in ("emoji:0.1", "collage_2x2:0", "noise:10"):
        edit = Edit.parse(text)
        ((name, strength),) = edit.steps
        np.testing.assert_array_equal(edit(picture, 9), transforms(name)(picture, strength, 9))


def test_what_is_added_changes_nothing_before_it(picture: U8) -> None:
    short, long = Edit.parse("noise:25+emoji:0.1"), Edit.parse("noise:25+emoji:0.1+mirror")
    np.testing.assert_array_equal(long(picture, 4), short(picture, 4)[:, ::-1])
    # And each step has a chance of its own.
    grey = np.full((200, 200, 3), 128, np.uint8)
    once, twice = Edit.parse("noise:10")(grey, 1), Edit.parse("noise:10+noise:10")(grey, 1)
    added = twice.astype(int) - once
    assert abs(np.corrcoef(once.ravel(), added.ravel())[0, 1]) < 0.02


def test_no_steps_are_a_copy(picture: U8) -> None:
    copy = Edit(())(picture[:, ::-1])
    np.testing.assert_array_equal(copy, picture[:, ::-1])
    assert copy.flags.c_contiguous
    assert not np.shares_memory(copy, picture)


def test_default_edits() -> None:
    every, quick = default_edits(), default_edits(quick=True)
    assert len(set(every)) == len(every)
    assert set(quick) < set(every)
    assert {e.steps[0][0] for e in every if len(e.steps) == 1} == set(transform_names())
    assert len(quick) == len(transform_names()) + len(CHAINS)
    assert len(every) == sum(len(transforms(n).strengths) for n in transform_names()) + len(CHAINS)
    assert set(CHAINS.values()) < set(quick)


def test_files(picture: U8, tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    Image.fromarray(picture).save(source)
    edit = Edit.parse("crop:0.1+emoji:0.1")
    edited = edit(picture, 3)
    assert edit.apply_file(source, tmp_path / "b.png", 3) == tmp_path / "b.png"
    np.testing.assert_array_equal(decode(tmp_path / "b.png").array, edited)
    for name in ("b.jpg", "b.JPEG", "b.webp"):
        path = edit.apply_file(source, str(tmp_path / name), 3)
        close = decode(path).array.astype(int) - edited
        assert np.abs(close).mean() < 4
    assert (tmp_path / "b.JPEG").read_bytes()[:2] == b"\xff\xd8"
    assert (tmp_path / "b.webp").read_bytes()[8:12] == b"WEBP"


def test_a_last_coding_step_is_the_file(picture: U8, tmp_path: Path) -> None:
    cropped = transforms("crop")(picture, 0.1)
    for text, name, data in (
        ("crop:0.1+jpeg:30", "x.jpg", jpeg_bytes(cropped, 30)),
        ("crop:0.1+webp:30", "x.webp", webp_bytes(cropped, 30)),
    ):
        path = Edit.parse(text).apply_file(picture, tmp_path / name, quality=99)
        assert path.read_bytes() == data
        written = decode(data).array.astype(int)
        assert np.abs(written - Edit.parse(text)(picture)).max() <= 3  # Two decoders.
    other = Edit.parse("crop:0.1+jpeg:30").apply_file(picture, tmp_path / "x.png")
    np.testing.assert_array_equal(decode(other).array, Edit.parse("crop:0.1+jpeg:30")(picture))


def test_files_are_laid_upright_and_grey_is_rgb(picture: U8, tmp_path: Path) -> None:
    source = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn right by 90 degrees.
    Image.fromarray(picture).save(source, exif=exif)
    Edit.parse("mirror").apply_file(source, tmp_path / "b.png")
    expected = np.rot90(picture, 3)[:, ::-1]
    np.testing.assert_array_equal(decode(tmp_path / "b.png").array, expected)
    Edit.parse("mirror").apply_file(picture[..., 0], tmp_path / "c.png")
    grey = np.repeat(picture[:, ::-1, :1], 3, axis=2)
    np.testing.assert_array_equal(decode(tmp_path / "c.png").array, grey)


def test_files_that_cannot_be(picture: U8, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="target: expected a name that ends in "):
        Edit.parse("mirror").apply_file(picture, tmp_path / "b.gif")
    with pytest.raises(DecodeError):
        Edit.parse("mirror").apply_file(tmp_path / "none.png", tmp_path / "b.png")
    assert not list(tmp_path.iterdir())


def test_contact_sheet(picture: U8, tmp_path: Path) -> None:
    chosen: list[Edit | str] = ["mirror", Edit.parse("crop:0.1"), "recompress"]
    path = contact_sheet(picture, tmp_path / "s.png", edits=chosen)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    sheet = decode(path).array
    small = Image.fromarray(picture)
    small.thumbnail((132, 132), Image.Resampling.LANCZOS)
    for tile in (np.asarray(small), np.asarray(small)[:, ::-1]):
        windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], tile.shape[:2])
        rows = windows[:, :, 40, 20:100] == tile[40, 20:100, 0]
        assert rows.all(axis=2).any()
    again = contact_sheet(picture, tmp_path / "t.png", edits=chosen)
    assert again.read_bytes() == path.read_bytes()
    with pytest.raises(ValueError, match=r"ends in \.png"):
        contact_sheet(picture, tmp_path / "s.jpg")


def test_command_lists_all(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    for name in (*transform_names(), *CHAINS):
        assert name in out
    assert "share of each side cut off" in out


def test_command_draws(
    run: Run, picture: U8, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture).convert("L").save("grey.png")
    code, out, _ = run("grey.png", "--edit", "mirror", "--edit", "crop:0.1+jpeg:30")
    assert (code, out) == (0, "sheet: transforms.png\n")
    assert decode("transforms.png").array.shape[0] > 300
    code, _, _ = run("--sheet", "made.png", "--edit", "recompress", "--seed", 4)
    assert code == 0
    assert Path("made.png").exists()


def test_command_errors(run: Run, tmp_path: Path) -> None:
    for arguments, words in (
        (["--edit", "mirror"], "expected --sheet"),
        (["--edit", "crp", "--sheet", tmp_path / "a.png"], "did you mean 'crop'"),
        (["--sheet", tmp_path / "a.gif"], "ends in .png"),
        ([tmp_path / "none.jpg"], "none.jpg"),
    ):
        code, _, err = run(*arguments)
        assert code == 2
        assert words in err
    assert not list(tmp_path.iterdir())
