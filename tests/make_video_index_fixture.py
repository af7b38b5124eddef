"""Makes ``data/fixtures/video-index-v1`` and hashes of videos of format 1.

Later versions must go on reading them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from fingerprint.video import VideoIndex, hash_video

FIXTURES = Path(__file__).parent.parent / "data" / "fixtures"
CLIPS = ("constant.mp4", "letterboxed.mp4", "variable.mkv", "black.mp4")


def main() -> None:
    path = FIXTURES / "video-index-v1"
    shutil.rmtree(path, ignore_errors=True)
    made = {
        name: hash_video(FIXTURES / "video" / name, sample="every:0.25", digests=True)
        for name in CLIPS
    }
    with VideoIndex.create(path, maintenance="manual") as index:
        for name, video_hash in made.items():
            index.add(name, video_hash, {"clip": name, "tags": ["é", None]})
        index.remove("variable.mkv")
        index.compact()  # An empty folder of segments would not survive in git.
    for lock in path.rglob("writer.lock"):
        lock.unlink()
    for name in CLIPS[:2]:
        made[name].save(FIXTURES / f"video-hash-v1-{Path(name).stem}.vhash")
        made[name].save(FIXTURES / f"video-hash-v1-{Path(name).stem}.json", "json")
    facts = {name: json.loads(one.to_json()) for name, one in made.items()}
    (FIXTURES / "video-index-v1.json").write_text(json.dumps(facts, indent=0) + "\n")


if __name__ == "__main__":
    main()
