"""Which frames are hashed: each rule against plain Python over the times of the frames."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import av
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fingerprint.evaluate.video_clips import Clip, write_clip, write_frames
from fingerprint.evaluate.video_synthesis import moving_scene
from fingerprint.media.video import VideoInfo, open_video
from fingerprint.media.video_frame import VideoFrame
from fingerprint.typing import U8
from fingerprint.video.hashing import hash_video
from fingerprint.video.sampling import (
    Sampling,
    changes,
    every,
    keyframes,
    parse_sampling,
    scenes,
    vpdq,
)
from tests.video_files import FIXTURES, MANIFEST

SIZE = (128, 72)
RATE = 30


class Stub(NamedTuple):
    """What rules of time look at."""

    number: int
    time_s: float


def info(frame_rate: float = 30.0) -> VideoInfo:
    return VideoInfo(128, 72, 0.0, frame_rate, 0, 0, "h264", "mp4", "yuv420p")


def taken(rule: Sampling, times_s: list[float], frame_rate: float = 30.0) -> list[int]:
    """Return the frames that a rule takes of a video with these times."""
    selector = rule.selector(info(frame_rate))
    stubs = [Stub(n, t) for n, t in enumerate(times_s)]
    wanted = [s.number for s in stubs if selector.wants(cast(VideoFrame, s))]
    if rule.with_last and wanted[-1] != stubs[-1].number:
        wanted.append(stubs[-1].number)
    return wanted


def first_at_or_after_each_multiple(times_ms: list[int], step_ms: int, slack_ms: int) -> list[int]:
    """Return what `every` is to take, with the first and the last frame."""
    wanted = {0, len(times_ms) - 1}
    for due in range(0, times_ms[-1] + step_ms, step_ms):
        later = [n for n, t in enumerate(times_ms) if t + slack_ms >= due]
        wanted |= set(later[:1])
    return sorted(wanted)


# Multiples of 4 ms: nothing lies at the end of the millisecond that rounding is forgiven.
TIMES_MS = st.lists(st.integers(1, 500), min_size=1, max_size=60).map(
    lambda gaps: [4 * t for t in itertools.accumulate(gaps, initial=0)]
)


@given(times_ms=TIMES_MS, step=st.integers(1, 1500))
def test_every_takes_the_first_frame_at_or_after_each_multiple(
    times_ms: list[int], step: int
) -> None:
    rule = every(4 * step / 1000)
    found = taken(rule, [t / 1000 for t in times_ms])
    assert found == first_at_or_after_each_multiple(times_ms, 4 * step, 1)


@given(
    rate=st.sampled_from(
        [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60)]
    ),
    seconds=st.sampled_from(
        [Fraction(1, 10), Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(3)]
    ),
    count=st.integers(1, 400),
    down=st.booleans(),
)
def test_every_forgives_containers_that_round_to_milliseconds(
    rate: Fraction, seconds: Fraction, count: int, down: bool
) -> None:
    exact = [n / rate for n in range(count)]
    rounded = [(math.floor if down else math.ceil)(t * 1000) / 1000 for t in exact]
    found = taken(every(float(seconds)), rounded)
    dues = (k * seconds for k in range(int(exact[-1] / seconds) + 1))
    wanted = {0, count - 1} | {next(n for n, t in enumerate(exact) if t >= due) for due in dues}
    # With the millisecond that is forgiven, a time may reach a multiple that the true one
    # misses by less than that.
    assert all(min(abs(n - w) for w in wanted) <= 1 for n in found)
    if rate.denominator == 1:
        assert found == sorted(wanted)


def test_every_of_nothing_takes_all_frames() -> None:
    assert taken(every(0), [n / 1000 for n in range(50)]) == list(range(50))
    assert taken(every(1e-300), [n / 1000 for n in range(50)]) == list(range(50))
    assert taken(every(1e300), [0.0, 1.0, 2.0]) == [0, 2]


@given(seconds=st.floats(0, 1e308), rate=st.floats(0, 1000), count=st.integers(1, 200))
@example(seconds=1.0, rate=30000 / 1001, count=200)
@example(seconds=1e308, rate=1000.0, count=3)
def test_vpdq_counts_frames_and_derives_times(seconds: float, rate: float, count: int) -> None:
    """``frame_mod = int(seconds * fps)``, 0 meaning 1; ``frame % frame_mod == 0``."""
    step = seconds * rate
    mod = count if step >= count else max(1, int(step))
    rule = vpdq(seconds)
    assert taken(rule, [n / 7 for n in range(count)], rate) == list(range(0, count, mod))
    selector = rule.selector(info(rate))
    for number in (0, 1, count):
        time_s = selector.time_s(cast(VideoFrame, Stub(number, 12.5)))
        assert time_s == (number / rate if rate else 12.5)


def test_vpdq_of_a_broadcast_rate_takes_every_29th_frame() -> None:
    assert taken(vpdq(1), [0.0] * 100, 30000 / 1001) == [0, 29, 58, 87]


NUMBERS = st.floats(0, 1e300, allow_subnormal=True) | st.integers(0, 10**9).map(float)
RULES = st.one_of(
    NUMBERS.map(every),
    NUMBERS.map(vpdq),
    st.just(keyframes()),
    NUMBERS.map(scenes),
    st.integers(1, 999_999_999).map(changes),
)


@given(RULES)
@example(every(1 / 3))
@example(every(1e-7))
@example(every(5e-324))
def test_text_of_a_rule_reads_as_the_same_rule(rule: Sampling) -> None:
    assert parse_sampling(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("every", every()),
        ("every:0.5", every(0.5)),
        ("every:0", every(0)),
        ("vpdq:1", vpdq(1)),
        ("keyframes", keyframes()),
        ("scenes", scenes()),
        ("changes:31", changes(31)),
    ],
)
def test_text_forms(text: str, rule: Sampling) -> None:
    assert parse_sampling(text) == rule


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ":",
            "every:",
            "keyframes:",
            "keyframes:1",
            "all",
            "every(1)",
            "every:-1",
            "every:1s",
        ),
        *("every:nan", "every:inf", "every:1e3", "every: 1", "every:.5", "every:1.", "vpdq:٣"),
        *("changes:1.5", "changes:0", "changes:-3", "scenes:x", "Every:1", "every:1:2"),
        "changes:" + "9" * 5000,
        "every:" + "9" * 5000,
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected") as caught:
        parse_sampling(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [-1, -0.001, math.nan, math.inf])
def test_numbers_without_meaning_are_refused(value: float) -> None:
    for make in (every, vpdq, scenes):
        with pytest.raises(ValueError, match=r"expected 0 or more"):
            make(value)
    for number in (value, 0, 1.0, True):
        with pytest.raises(ValueError, match=r"min_distance: expected a whole number from 1"):
            changes(number)  # type: ignore[arg-type]


def test_sample_must_be_a_rule() -> None:
    with pytest.raises(TypeError, match=r"sample: expected a rule of sampling, got int"):
        hash_video(FIXTURES / "constant.mp4", sample=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["variable.mkv", "variable.mp4", "constant.mp4", "late-start.ts"])
@pytest.mark.parametrize("step_ms", [100, 250, 404, 1000, 5000])
def test_every_in_files(name: str, step_ms: int) -> None:
    times_s = MANIFEST[name]["times_s"]
    made = hash_video(FIXTURES / name, sample=every(step_ms / 1000))
    times_ms = [round(t * 1000) for t in times_s]
    numbers = first_at_or_after_each_multiple(times_ms, step_ms, 1)
    assert made.numbers.tolist() == numbers
    assert np.abs(made.start_s - np.array(times_s)[numbers]).max() < 6e-4
    # What is shown for more than a quarter of a second stands for all of that time.
    until_s = np.array([*times_s, made.duration_s])[np.array(numbers) + 1]
    held = until_s - made.start_s > 0.25
    assert np.abs(made.end_s - np.where(held, until_s, made.start_s)).max() < 6e-4
    assert made.sample == str(every(step_ms / 1000))


@pytest.mark.parametrize("seconds", [0, 0.1, 0.5, 1, 100])
def test_vpdq_in_a_file_of_variable_rate_goes_by_its_average(seconds: float) -> None:
    with av.open(str(FIXTURES / "variable.mp4")) as container:
        rate = container.streams.video[0].average_rate
    assert rate is not None
    made = hash_video(FIXTURES / "variable.mp4", sample=vpdq(seconds))
    mod = max(1, int(seconds * float(rate)))
    numbers = list(range(0, 15, mod))
    assert made.numbers.tolist() == numbers
    assert made.start_s.tolist() == [n / float(rate) for n in numbers]


def key_packets(path: Path) -> list[float]:
    """Return the times of the packets that a container flags."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size]
        first = min(p.pts for p in packets if p.pts is not None)
        assert stream.time_base is not None
        return [
            float((p.pts - first) * stream.time_base)
            for p in packets
            if p.is_keyframe and p.pts is not None
        ]


@pytest.fixture(scope="module")
def many_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video with keyframes that are not evenly spread."""
    path = tmp_path_factory.mktemp("keys") / "many-keys.mp4"
    parts = [
        moving_scene(seed, length_s, SIZE, RATE) for seed, length_s in ((1, 3), (2, 1.3), (3, 2))
    ]
    write_clip(path, parts[0].joined(*parts[1:]))
    return path


@pytest.mark.parametrize("name", ["many-keys", "constant.mp4", "vp9.webm", "interlaced.mpg"])
def test_keyframes_are_those_that_the_container_flags(name: str, many_keys: Path) -> None:
    path = many_keys if name == "many-keys" else FIXTURES / name
    times_s = key_packets(path)
    made = hash_video(path, sample=keyframes())
    assert np.abs(made.start_s - np.array(times_s)).max() < 2e-3
    assert made.numbers.tolist() == list(range(len(times_s)))
    assert name != "many-keys" or len(times_s) >= 3


def test_no_other_frames_are_decoded(many_keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_video(many_keys) as reader:
        frames = list(reader.frames(keyframes_only=True))
        assert reader.damage == ""
    assert all(frame.is_key for frame in frames)
    with open_video(many_keys) as reader:
        in_full = [f for f in reader.frames() if f.is_key]
    assert len(frames) == len(in_full)
    for one, other in zip(frames, in_full, strict=True):
        assert np.array_equal(one.rgb(), other.rgb())


def test_keyframes_do_not_depend_on_what_lies_between(many_keys: Path) -> None:
    """Packets of other frames may be garbage: nobody decodes them."""
    data = bytearray(many_keys.read_bytes())
    with av.open(str(many_keys)) as container:
        for packet in container.demux(video=0):
            if packet.size and not packet.is_keyframe and packet.pos is not None:
                at = packet.pos + packet.size // 2
                data[at : packet.pos + packet.size] = bytes(packet.size - packet.size // 2)
    whole = hash_video(many_keys, sample="keyframes")
    spoilt = hash_video(bytes(data), sample="keyframes")
    assert spoilt.hashes == whole.hashes
    assert spoilt.damage == ""
    assert hash_video(bytes(data), sample="every:0").damage


def shots(seeds: list[int], lengths_s: list[float]) -> tuple[Clip, list[int]]:
    """Return shots one after the other, and the frames that they begin with."""
    parts = [
        moving_scene(seed, length_s, SIZE, RATE, shot_s=(100, 101))
        for seed, length_s in zip(seeds, lengths_s, strict=True)
    ]
    clip = parts[0].joined(*parts[1:])
    return clip, [0, *itertools.accumulate(part.count for part in parts[:-1])]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("crf", [18, 34])
def test_scenes_are_the_cuts(seed: int, crf: float, tmp_path: Path) -> None:
    lengths_s = [1.0, 2.1, 0.9, 1.7, 3.0, 0.8]
    clip, cuts = shots([100 * seed + n for n in range(6)], lengths_s)
    path = tmp_path / "cuts.mp4"
    write_frames(path, clip.frames(0, clip.count), frame_rate=RATE, crf=crf)
    made = hash_video(path, sample=scenes(), trim=False)
    assert made.numbers.tolist() == [*cuts, clip.count - 1]


def test_scenes_are_no_shorter_than_asked_for(tmp_path: Path) -> None:
    clip, cuts = shots(list(range(20, 26)), [1.0, 0.3, 0.3, 2.0, 0.2, 2.0])
    path = tmp_path / "cuts.mp4"
    write_clip(path, clip)
    numbers = hash_video(path, sample=scenes(0.5)).numbers
    assert set(numbers.tolist()) <= {*cuts, clip.count - 1}
    assert np.diff(numbers[:-1]).min() >= 15
    assert hash_video(path, sample=scenes(0)).numbers.tolist() == [*cuts, clip.count - 1]


def fading(first: U8, second: U8, count: int) -> Iterator[U8]:
    for share in np.linspace(0, 1, count):
        yield np.rint(first * (1 - share) + second * share).astype(np.uint8)


def test_a_fade_and_a_still_picture_are_no_cuts(tmp_path: Path) -> None:
    one, other = (next(moving_scene(seed, 1, SIZE, RATE).frames(0, 1)) for seed in (7, 8))
    path = tmp_path / "fade.mp4"
    frames = [*itertools.repeat(one, 30), *fading(one, other, 45), *itertools.repeat(other, 30)]
    write_frames(path, frames, frame_rate=RATE)
    assert hash_video(path, sample=scenes(), trim=False).numbers.tolist() == [0, len(frames) - 1]


@pytest.mark.parametrize("min_distance", [1, 16, 40, 256])
@pytest.mark.parametrize("name", ["constant.mp4", "black.mp4", "variable.mkv"])
def test_changes_keeps_a_frame_when_its_hash_has_moved(name: str, min_distance: int) -> None:
    frames = hash_video(FIXTURES / name, sample="every:0", trim=False)
    values = [int(h.hex, 16) for h in frames.hashes]
    kept = [0]
    for number, value in enumerate(values):
        if (value ^ values[kept[-1]]).bit_count() >= min_distance:
            kept.append(number)
    wanted = sorted({*kept, len(values) - 1})
    made = hash_video(FIXTURES / name, sample=changes(min_distance), trim=False)
    assert made.numbers.tolist() == wanted
    assert [h.hex for h in made.hashes] == [frames.hashes[n].hex for n in wanted]
    # A row stands for the frames up to the next one.
    assert made.counts.tolist() == np.diff([*wanted, len(values)]).tolist()
    last = made.numbers + made.counts - 1
    assert made.end_s.tolist() == frames.end_s[last].tolist()


@pytest.mark.parametrize("rule", [every(9), vpdq(9), keyframes(), scenes(), changes()], ids=str)
@pytest.mark.parametrize("trim", [False, True])
def test_one_frame_is_taken_once(rule: Sampling, trim: bool) -> None:
    made = hash_video(FIXTURES / "one-frame.mp4", sample=rule, trim=trim)
    assert made.numbers.tolist() == [0]
    assert made.start_s.tolist() == [0.0]
    assert made.counts.tolist() == [1]
