"""The examples in the README and in docstrings run and say what they print."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fingerprint
from fingerprint.evaluate.video_clips import clip_of_file, write_clip
from fingerprint.evaluate.video_synthesis import generate_video

README = Path(__file__).parent.parent / "README.md"


def test_the_readme_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 5
    monkeypatch.chdir(tmp_path)
    coarse = np.random.default_rng(5).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC)
    picture.save("known.jpg")
    picture.resize((320, 240)).save("upload.webp")
    names: dict[str, object] = {}
    exec(blocks[0], names)
    printed = capsys.readouterr().out
    assert printed.startswith("case-1 ")
    assert printed.rstrip().endswith("{'list': 'internal'}")
    reader = names["index"]
    assert isinstance(reader, fingerprint.Index)
    assert list(reader) == ["case-1", "case-2"]
    for found in ("turned", "listed"):
        assert [match.id for match in names[found]] == ["case-1"]  # type: ignore[attr-defined]
    Path("broken.jpg").write_bytes(b"no picture")
    Path("list.csv").write_text(f"{'0f' * 32},100\n\n{'a5' * 32},90\n")
    names["paths"] = ["known.jpg", "broken.jpg"]
    exec(blocks[1], names)
    assert capsys.readouterr().out.startswith("broken.jpg broken.jpg: is not a picture")
    assert list(reader)[2:] == ["list:0", "list:1"]
    reader.close()
    w, h = picture.size
    picture.crop((w // 20, h // 20, w - w // 20, h - h // 20)).save("edited.jpg")
    exec(blocks[4], names)
    by_views = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in by_views] == ["case-1", "case-1"]
    assert "uncrop_" in by_views[0]
    assert " of crop_" in by_views[1]
    generate_video("known.mp4", 3, 10.0, (160, 90))
    generate_video("other.mp4", 4, 8.0, (160, 90))
    part = clip_of_file(Path("known.mp4")).between(2.0, 8.0)
    write_clip(Path("upload.mp4"), clip_of_file(Path("other.mp4")).joined(part))
    exec(blocks[2], names)
    said, found = capsys.readouterr().out.splitlines()
    stated = re.search(r"print\(fp.match_videos.*  # (.*)", blocks[2])
    assert stated is not None
    numbers = [[float(x) for x in re.findall(r"\d+\.\d", text)] for text in (said, stated[1])]
    assert np.abs(np.subtract(numbers[0], numbers[1])).max() <= 0.5, said
    assert re.sub(r"\d+\.\d", "", said) == re.sub(r"\d+\.\d", "", stated[1])
    assert found.startswith("case-3 ")
    names["videos"].close()  # type: ignore[attr-defined]
    shown = fingerprint.hash_image("upload.webp")
    Path("hotline.csv").write_text(f"id,pdq,category\nr-1,{shown},A1\nr-2,{'0' * 64},B\n")
    exec(blocks[3], names)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["1 0 0 1", "MATCH", "hotline r-1 A1 pdq 0"]
    assert names["answer"].keys() == {"reference", "status"}  # type: ignore[attr-defined]
    names["hotline"].close()  # type: ignore[attr-defined]


def modules() -> list[str]:
    found = pkgutil.walk_packages(fingerprint.__path__, "fingerprint.")
    return [m.name for m in found if not m.name.endswith("__main__")]


def test_docstring_examples() -> None:
    attempted = 0
    for name in modules():
        result = doctest.testmod(importlib.import_module(name))
        assert result.failed == 0, name
        attempted += result.attempted
    assert attempted >= 4


@pytest.mark.parametrize("link", re.findall(r"\]\(([A-Za-z][A-Za-z/._-]+)\)", README.read_text()))
def test_the_readme_links_to_files_that_exist(link: str) -> None:
    assert (README.parent / link).exists()
