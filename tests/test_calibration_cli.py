"""``fingerprint calibrate``: tables, files, plots, and what it refuses."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from PIL import Image

from fingerprint.calibration import Calibration, calibration_of
from fingerprint.evaluate import calibration_pictures, chance
from fingerprint.evaluate.calibration_plots import calibration_plots, reliability_plot
from fingerprint.evaluate.reliability import reliability
from fingerprint.evaluate.transforms import Edit
from tests.command_line import Run, runner
from tests.test_calibration import cloud


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch, "calibrate")


def test_a_stored_calibration_is_shown(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "pdq.json"
    calibration_of("pdq").save(path)
    code, out, err = run("--use", path, "--database-size", 100, "--false-positives", 0.1)
    assert code == 0
    advice = calibration_of("pdq").radius(0.1, 100, stratum="diverse")
    assert f"{advice.radius} ({advice.low} to {advice.high})" in out
    assert "pictures of one domain" in out
    assert "none set aside" in err
    again, out2, _ = run("--database-size", 100, "--false-positives", 0.1)
    assert (again, out2) == (0, out), "the one that ships"


def test_json_says_why_there_is_no_radius(run: Run) -> None:
    code, out, _ = run("--json", "--database-size", 10**12, "--false-positives", 1e-9)
    cells = json.loads(out)["radii"]
    assert code == 1
    assert {cell["radius"] for cell in cells} == {None}
    assert all("pdq" in cell["why"] for cell in cells)


def test_a_folder_is_measured_and_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration_pictures, "N_LOW", 5)
    monkeypatch.setattr(calibration_pictures, "N_LOW_EDITED", 1)
    monkeypatch.setattr(chance, "DRAWS", 30)
    edits = (Edit.parse("jpeg:50"), Edit.parse("blur:3"))
    monkeypatch.setattr(calibration_pictures, "default_edits", lambda quick: edits)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in range(120):
        Image.fromarray(cloud(n, 64)).save(folder / f"secret-{n:03}.png")
    out_file, plots = tmp_path / "made.json", tmp_path / "plots"
    code, _, err = run(
        folder, "--edited", 60, "--out", out_file, "--plots", plots, "--database-size", 10,
        "--false-positives", 0.1,
    )  # fmt: skip
    assert code == 0, err
    assert "120 pictures compared, 0 set aside" in err
    made = Calibration.load(out_file)
    assert made.pictures == 120
    assert "secret" not in out_file.read_text()
    assert stat.S_IMODE(out_file.stat().st_mode) == 0o600
    names = {p.stem for p in plots.iterdir()}
    assert names >= {"tails", "radius", "probability"}
    for path in plots.iterdir():
        with Image.open(path) as picture:
            assert min(picture.size) > 300


def test_errors_are_one_line(run: Run, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.json"
    foreign.write_text('{"format": "else"}')
    for arguments in (
        ["--use", foreign],
        ["--algorithm", "whash"],
        ["--algorithm", "nonsense"],
        [tmp_path, "--use", foreign],
        [tmp_path, "--out", tmp_path / "none" / "x.json"],
        [tmp_path],
    ):
        code, out, err = run(*arguments)
        assert code == 2, arguments
        assert not out
        assert "Traceback" not in err
        assert err.strip()


def test_plots_are_the_same_again() -> None:
    calibration = calibration_of("pdq")
    first = calibration_plots(calibration)
    assert set(first) == {"tails", "low_quality", "radius", "probability"}
    assert calibration_plots(calibration) == first
    import numpy as np

    found = reliability(np.array([0.1, 0.9]), np.array([False, True]))
    assert reliability_plot({"toy": found}, "two pairs").startswith(b"\x89PNG")
