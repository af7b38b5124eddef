"""What earlier versions wrote of videos opens and says the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fingerprint.video import VideoHash, VideoIndex, hash_video

FIXTURES = Path(__file__).parent.parent / "data" / "fixtures"
STATED = json.loads((FIXTURES / "video-index-v1.json").read_text())


@pytest.mark.parametrize("read_only", [False, True])
def test_an_index_of_format_1_opens(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "old"
    shutil.copytree(FIXTURES / "video-index-v1", path)
    with VideoIndex.open(path, read_only=read_only) as index:
        kept = [name for name in STATED if name != "variable.mkv"]
        assert list(index) == kept
        assert index.verify().ok
        for name in kept:
            entry = index.get(name)
            assert entry.metadata == {"clip": name, "tags": ["é", None]}
            whole = VideoHash.from_json(json.dumps(STATED[name]))
            assert entry.video_hash == whole.collapsed()
        query = hash_video(FIXTURES / "video" / "constant.mp4", sample="every:0.25")
        assert [match.id for match in index.search(query)] == ["constant.mp4"]
        assert [match.id for match in index.search_image(query.hashes[3])] == ["constant.mp4"]
        if not read_only:
            index.remove("constant.mp4")
            assert index.search(query) == []


@pytest.mark.parametrize("suffix", ["vhash", "json"])
@pytest.mark.parametrize("name", ["constant", "letterboxed"])
def test_hashes_of_format_1_are_read(name: str, suffix: str) -> None:
    one = VideoHash.load(FIXTURES / f"video-hash-v1-{name}.{suffix}")
    assert one == VideoHash.from_json(json.dumps(STATED[f"{name}.mp4"]))
    assert len(one) >= 8
    assert (one.trimmed is not None) == (name == "letterboxed")
