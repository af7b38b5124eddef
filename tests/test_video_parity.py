"""Frame hashes of the sample videos against those that Meta published for vPDQ."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import fingerprint as fp
from fingerprint.hash_arrays import HashArray
from fingerprint.typing import I64
from fingerprint.video.hashing import hash_video

pytestmark = pytest.mark.media

COUNTS = {
    "chair-19-sd-bar": 564,
    "chair-20-sd-bar": 614,
    "chair-22-sd-grey-bar": 673,
    "chair-22-with-large-logo-bar": 673,
    "chair-orig-22-sd-bar": 673,
    "doorknob-hd-no-bar": 120,
    "pattern-hd-no-bar": 206,
    "pattern-longer-no-bar": 235,
    "pattern-sd-grey-bar": 206,
    "pattern-sd-with-large-logo-bar": 206,
}
"""Lines of the published files."""

PUBLISHED_FIRST = {
    "chair-19-sd-bar": "e271017837246aaccddea259648fb7d62f435c89d9e99b2497763e216c8d055c",
    "pattern-hd-no-bar": "d3d8981ba52c59e79fb49295bed80905036b1dbe57b292c8ea4fb525f52c420e",
}

GOOD_QUALITY = 50


class Published(NamedTuple):
    numbers: I64
    qualities: I64
    hexes: list[str]
    times: list[str]


def published(videos: Path, name: str) -> Published:
    """Read ``frame,quality,hex,timestamp`` without the library's own reader."""
    lines = (videos / "vpdq-hashes" / f"{name}.txt").read_text().splitlines()
    numbers, qualities, hexes, times = zip(*(line.split(",") for line in lines), strict=True)
    return Published(np.array(numbers, int), np.array(qualities, int), list(hexes), list(times))


def bits(hexes: list[str]) -> HashArray:
    packed = np.frombuffer(bytes.fromhex("".join(hexes)), np.uint8).reshape(len(hexes), 32)
    return HashArray(packed, "pdq")


@pytest.fixture(scope="module")
def videos(media: Path) -> Path:
    return media / "tmk-videos"


def test_all_sample_videos_are_compared(videos: Path) -> None:
    assert {p.stem for p in videos.glob("*.mp4")} == set(COUNTS)
    for name, expected in PUBLISHED_FIRST.items():
        assert published(videos, name).hexes[0] == expected


@pytest.mark.parametrize("name", COUNTS)
def test_every_frame_has_the_published_hash(name: str, videos: Path) -> None:
    """Bit for bit, and its quality, and its time to the published millisecond."""
    expected = published(videos, name)
    made = hash_video(videos / f"{name}.mp4", sample="vpdq:0", orientation="stored", trim=False)
    assert len(made) == len(expected.hexes) == COUNTS[name]
    assert made.numbers.tolist() == expected.numbers.tolist()
    assert [f"{t:.3f}" for t in made.start_s] == expected.times
    differing = [n for n, h in enumerate(made.hashes) if h.hex != expected.hexes[n]]
    assert differing == []
    assert made.qualities.tolist() == expected.qualities.tolist()


@pytest.mark.parametrize(
    "name",
    [
        "doorknob-hd-no-bar",
        "pattern-hd-no-bar",
        "pattern-sd-with-large-logo-bar",
        "chair-19-sd-bar",
    ],
)
def test_luma_alone_is_close(name: str, videos: Path) -> None:
    """At most 8 bits where there is something to see, 1.5 on average, quality within 1."""
    expected = published(videos, name)
    made = hash_video(
        videos / f"{name}.mp4",
        sample="vpdq:0.07",
        fidelity="fast",
        orientation="stored",
        trim=False,
    )
    rows = made.numbers
    assert len(rows) >= 40
    good = expected.qualities[rows] >= GOOD_QUALITY
    theirs = bits([expected.hexes[n] for n in rows])
    apart = np.array([a - b for a, b in zip(made.hashes, theirs, strict=True)])
    assert apart[good].max() <= 8
    assert apart[good].mean() <= 1.5
    assert np.abs(made.qualities - expected.qualities[rows])[good].max() <= 1


@pytest.mark.parametrize("seconds", [1.0, 0.5])
def test_sampled_frames_are_the_references(seconds: float, videos: Path) -> None:
    """Python's default of a hash a second: 29 frames apart at 29.97 frames a second."""
    name = "pattern-hd-no-bar"
    expected = published(videos, name)
    made = hash_video(
        videos / f"{name}.mp4", sample=f"vpdq:{seconds}", orientation="stored", trim=False
    )
    step = max(1, int(seconds * made.frame_rate))
    assert made.numbers.tolist() == list(range(0, COUNTS[name], step))
    assert [h.hex for h in made.hashes] == expected.hexes[::step]


def test_threads_do_not_matter(videos: Path) -> None:
    path = videos / "doorknob-hd-no-bar.mp4"
    made = [hash_video(path, sample="vpdq:0", threads=n) for n in (1, 3)]
    assert made[0] == made[1]


def test_a_hash_in_a_repr_is_cut(videos: Path) -> None:
    made = hash_video(videos / "doorknob-hd-no-bar.mp4")
    for text in (repr(made), repr(made.hashes), repr(made.hashes[0])):
        assert made.hashes[0].hex not in text
    assert isinstance(made.hashes[0], fp.Hash)
