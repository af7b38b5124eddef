"""The demo: what it finds, and the report it leaves."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fingerprint.cli.main import main


def demo(*arguments: object) -> int:
    sys.argv = ["fingerprint", "demo", *map(str, arguments)]
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


@pytest.fixture(autouse=True)
def keep_argv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fingerprint"])


def test_demo_on_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(4):
        coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((400, 300), Image.Resampling.BICUBIC)
        picture.save(folder / f"{seed}.jpg", quality=95)
    (folder / "9.jpg").write_bytes(b"not a picture")
    status = demo(folder, "--report", tmp_path / "report")
    printed = capsys.readouterr()
    assert status == 2
    assert "1 could not be hashed" in printed.err
    assert "of 24 edited copies found" in printed.out
    assert "0 of 2 pictures that are not in the index matched" in printed.out
    with Image.open(tmp_path / "report" / "report.png") as report:
        assert report.width > 1500
    page = (tmp_path / "report" / "index.html").read_text()
    assert page.count("<img") == 2 + 24 + 2


@pytest.mark.skipif(importlib.util.find_spec("skimage") is None, reason="scikit-image is missing")
def test_demo_on_public_domain_photographs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo("--report", tmp_path / "report") == 0
    out = capsys.readouterr().out
    found = int(out.split(" of 60 edited copies found")[0].split()[-1])
    assert 45 <= found <= 55
    with_views = int(out.split("with views ")[1].split(";")[0])
    assert with_views >= 57
    assert "0 of 4 pictures that are not in the index matched" in out


def test_demo_on_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo(tmp_path) == 2
    assert "no pictures below" in capsys.readouterr().err
