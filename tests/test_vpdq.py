"""vPDQ: Meta's file formats read and written, Meta's percentages against plain Python."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.errors import HashFormatError, IncompatibleHashError
from fingerprint.hash_arrays import HashArray
from fingerprint.video import (
    VPDQ_CPP,
    VPDQ_PYTHON,
    VPDQ_README,
    VPDQ_RULES,
    VideoHash,
    VpdqRule,
    read_vpdq_json,
    read_vpdq_text,
    vpdq_match,
    write_vpdq_json,
    write_vpdq_text,
)
from tests.video_hashes import make

HEX = "e271017837246aaccddea259648fb7d62f435c89d9e99b2497763e216c8d055c"


@pytest.fixture(scope="module")
def samples(media: Path) -> dict[str, VideoHash]:
    """Meta's own hashes of every frame of its sample videos."""
    files = sorted((media / "tmk-videos" / "vpdq-hashes").glob("*.txt"))
    if not files:
        pytest.skip("no vPDQ hashes among the media")
    return {path.stem: read_vpdq_text(path.read_bytes().decode()) for path in files}


# -- text --------------------------------------------------------------------


def test_metas_files_come_back_byte_for_byte(media: Path, samples: dict[str, VideoHash]) -> None:
    for name, found in samples.items():
        data = (media / "tmk-videos" / "vpdq-hashes" / f"{name}.txt").read_bytes()
        assert write_vpdq_text(found).encode() == data
        lines = [line.split(",") for line in data.decode().splitlines()]
        assert found.numbers.tolist() == [int(line[0]) for line in lines]
        assert found.qualities.tolist() == [int(line[1]) for line in lines]
        assert found.hashes.to_hex() == [line[2] for line in lines]
        assert found.start_s.tolist() == [float(line[3]) for line in lines]


def test_what_a_text_does_not_say(samples: dict[str, VideoHash]) -> None:
    chair = samples["chair-19-sd-bar"]
    assert len(chair) == 564
    assert str(chair.hashes[0]) == HEX
    assert chair.kind == ("pdq", 1, 256)
    assert chair.frame_rate == pytest.approx(30, abs=0.01)
    assert chair.duration_s == pytest.approx(564 / 30, abs=0.001)
    assert (chair.width_px, chair.height_px, chair.sample, chair.damage) == (0, 0, "", "")
    assert (chair.trimmed, chair.digests) == (None, {})
    assert (chair.end_s == chair.start_s).all()
    assert (chair.counts == 1).all()
    for one in (read_vpdq_text(f"7,50,{HEX},3.5"), read_vpdq_text(f"7,50,{HEX},3.5\n" * 2)):
        assert (one.frame_rate, one.duration_s) == (0.0, 3.5)


def test_line_ends_blank_lines_upper_case_and_order() -> None:
    first, second = f"0,100,{HEX},0.000", f"30,0,{HEX[::-1]},1.001"
    expected = read_vpdq_text(f"{first}\n{second}\n")
    for text in (
        f"{first}\n{second}",
        f"{first}\r\n{second}\r\n",
        f"\n{first}\n\n{second}\n \n",
        f"{first.upper()}\n{second}\n",
        f"{second}\n{first}\n",
    ):
        assert read_vpdq_text(text) == expected
        assert write_vpdq_text(read_vpdq_text(text)) == f"{first}\n{second}\n"


BAD_LINES = [
    "0",
    f"0,100,{HEX}",
    f"0,100,{HEX},0.000,1",
    f",100,{HEX},0.000",
    f"-1,100,{HEX},0.000",
    f"0,101,{HEX},0.000",
    f"0,-1,{HEX},0.000",
    f"0,1.5,{HEX},0.000",
    f"0,100,{HEX[1:]},0.000",
    f"0,100,{HEX}0,0.000",
    f"0,100,{HEX[1:]}g,0.000",
    f"0,100,{HEX},",
    f"0,100,{HEX},-1",
    f"0,100,{HEX},nan",
    f"0,100,{HEX},inf",
    f"0,100,{HEX},1e999",
    f"0,100,{HEX},1_0",
    f"٣,100,{HEX},0.000",
    f"{'9' * 5000},100,{HEX},0.000",
    f"0,100,{HEX},{'9' * 5000}",
    f" 0,100,{HEX},0.000",
    f"0;100;{HEX};0.000",
    f"{HEX},100,0.000",
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_malformed_lines_are_named_and_not_told(line: str) -> None:
    with pytest.raises(HashFormatError, match="line 2: expected frame,quality,hex,timestamp") as e:
        read_vpdq_text(f"0,100,{HEX},0.000\n{line}\n5,100,{HEX},1.000\n")
    assert HEX[1:10] not in str(e.value)


@pytest.mark.parametrize("text", ["", "\n", " \r\n\n"])
def test_a_text_without_lines(text: str) -> None:
    with pytest.raises(HashFormatError, match="expected at least one line"):
        read_vpdq_text(text)


@given(st.data())
def test_changed_texts_are_read_or_refused(data: st.DataObject) -> None:
    one = make(3)
    for read, write in ((read_vpdq_text, write_vpdq_text), (read_vpdq_json, write_vpdq_json)):
        text = write(one)
        at = data.draw(st.integers(0, len(text)))
        new = data.draw(st.text(st.sampled_from('0123456789abcdef,.\n\r"[]- e'), max_size=3))
        with suppress(HashFormatError):
            found = read(text[:at] + new + text[at + data.draw(st.integers(0, 80)) :])
            assert read(write(found)).hashes == found.hashes


# -- JSON --------------------------------------------------------------------


class MetaFeature(NamedTuple):
    """What threatexchange's VpdqCompactFeature holds, and how it writes and reads it."""

    digits: str
    quality: int
    time_s: float

    def __str__(self) -> str:
        return f"{self.digits},{self.quality},{self.time_s:.{3}}"

    @classmethod
    def read(cls, text: str) -> MetaFeature:
        digits, quality, time_s = text.split(",")
        return cls(digits, int(quality), float(time_s))


def meta_features(one: VideoHash) -> list[MetaFeature]:
    columns = (one.hashes.to_hex(), one.qualities.tolist(), one.start_s.tolist())
    return [MetaFeature(*row) for row in zip(*columns, strict=True)]


def test_signals_have_three_significant_digits() -> None:
    times_s = [0.0, 0.5, 1.0, 12.345, 100.0, 999.6, 1234.5]
    one = make(7, start_s=times_s, end_s=times_s)
    text = write_vpdq_json(one)
    assert text == json.dumps([str(feature) for feature in meta_features(one)])
    shown = [item.rpartition(",")[2] for item in json.loads(text)]
    assert shown == ["0.0", "0.5", "1.0", "12.3", "1e+02", "1e+03", "1.23e+03"]
    again = read_vpdq_json(text)
    assert again.start_s.tolist() == [0.0, 0.5, 1.0, 12.3, 100.0, 1000.0, 1230.0]
    assert again.hashes == one.hashes
    assert again.qualities.tolist() == one.qualities.tolist()
    assert again.numbers.tolist() == list(range(7))
    assert (again.frame_rate, again.duration_s, again.width_px) == (0.0, 1230.0, 0)
    assert write_vpdq_json(again) == text


def test_metas_hashes_as_signals(samples: dict[str, VideoHash]) -> None:
    for one in samples.values():
        text = write_vpdq_json(one)
        features = [MetaFeature.read(item) for item in json.loads(text)]
        again = read_vpdq_json(text)
        assert meta_features(again) == features
        assert again.hashes == one.hashes
        assert write_vpdq_json(again) == text == json.dumps([str(f) for f in features])


def test_an_empty_signal() -> None:
    assert len(read_vpdq_json("[]")) == 0
    assert write_vpdq_json(read_vpdq_json("[]")) == "[]"
    assert write_vpdq_text(read_vpdq_json("[]")) == ""


@pytest.mark.parametrize("text", ["", "{}", "null", "5", '["', "[" * 100_000, '"a"'])
def test_signals_that_are_no_list(text: str) -> None:
    with pytest.raises(HashFormatError, match="expected a JSON list of texts"):
        read_vpdq_json(text)


@pytest.mark.parametrize(
    "item", [None, 5, [], {}, "", HEX, f"{HEX},100", f"{HEX},101,0.0", f"0,100,{HEX},0.000"]
    + [f"{HEX},100,{time_s}" for time_s in ("-1", "nan", "inf", "1e999", "", "1,2")]
    + [f"{HEX[2:]},100,0.0", f"{HEX},100,0.0 ", f"{HEX[:-1]}x,100,0.0"],
)  # fmt: skip
def test_malformed_items_are_named_and_not_told(item: Any) -> None:
    with pytest.raises(HashFormatError, match="item 1: expected hex,quality,timestamp") as caught:
        read_vpdq_json(json.dumps([f"{HEX},100,0.0", item]))
    assert HEX[2:10] not in str(caught.value)


def test_what_vpdq_has_no_words_for() -> None:
    collapsed = make(hashes=HashArray(np.zeros((5, 32), np.uint8), "pdq", quality=[60] * 5))
    assert write_vpdq_text(collapsed.collapsed()) == f"0,60,{'0' * 64},0.000\n"
    unknown = make(hashes=HashArray(make().hashes.packed, "pdq"))
    other = make(hashes=HashArray(np.zeros((5, 8), np.uint8), "phash", quality=[1] * 5))
    for write in (write_vpdq_text, write_vpdq_json):
        with pytest.raises(ValueError, match="qualities: expected 0 to 100, got an unknown one"):
            write(unknown)
        with pytest.raises(IncompatibleHashError, match="got phash v1"):
            write(other)
    for read in (read_vpdq_text, read_vpdq_json):
        with pytest.raises(TypeError, match="text: expected str, got bytes"):
            read(b"")  # type: ignore[arg-type]


# -- percentages -------------------------------------------------------------


def plain(
    query: VideoHash, reference: VideoHash, rule: VpdqRule, max_distance: int, min_quality: int
) -> tuple[float, float]:
    """The percentages as Meta's code has them, frame by frame."""
    sides = []
    for one in (query, reference):
        frames = [(int(f.digits, 16), f.quality) for f in meta_features(one)]
        if rule.distinct:
            frames = list({value: (value, quality) for value, quality in frames[::-1]}.values())
        sides.append([value for value, quality in frames if quality >= min_quality])
    if not all(sides):
        return 0.0, 0.0

    def found(a: int, others: list[int]) -> bool:
        apart = min((a ^ b).bit_count() for b in others)
        return apart <= max_distance if rule.inclusive else apart < max_distance

    q, r = sides
    return (
        sum(found(a, r) for a in q) * 100 / len(q),
        sum(found(a, q) for a in r) * 100 / len(r),
    )


@st.composite
def videos_alike(draw: st.DrawFn) -> tuple[VideoHash, VideoHash]:
    """Two videos with frames near each other, around the radius, and repeated ones."""
    bases = draw(st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=3))
    made = []
    for _ in range(2):
        n = draw(st.integers(0, 8))
        values = []
        for _ in range(n):
            value = draw(st.sampled_from(bases))
            for place in range(draw(st.sampled_from((0, 0, 14, 15, 16, 30, 31, 32)))):
                value ^= 1 << (place + (0 if draw(st.booleans()) else 100))
            values.append(value.to_bytes(32, "big"))
        packed = np.frombuffer(b"".join(values), np.uint8).reshape(n, 32)
        quality = draw(st.lists(st.sampled_from((0, 49, 50, 100)), min_size=n, max_size=n))
        made.append(make(n, hashes=HashArray(packed, "pdq", quality=quality)))
    return made[0], made[1]


@given(videos_alike(), st.sampled_from(sorted(VPDQ_RULES)), st.sampled_from((0, 30, 31, 256)))
def test_percentages_are_those_of_plain_python(
    pair: tuple[VideoHash, VideoHash], name: str, max_distance: int
) -> None:
    rule = VPDQ_RULES[name]
    for min_quality in (0, 50):
        found = vpdq_match(*pair, rule=name, max_distance=max_distance, min_quality=min_quality)
        expected = plain(*pair, rule, max_distance, min_quality)
        assert (found.query_percent, found.reference_percent) == expected
        assert found.rule is rule
        least = (rule.query_percent, rule.reference_percent)
        assert found.is_match == (expected[0] >= least[0] and expected[1] >= least[1])
        assert found == vpdq_match(
            *pair, rule=rule, max_distance=max_distance, min_quality=min_quality
        )


def test_many_frames_are_compared_in_blocks() -> None:
    generator = np.random.default_rng(5)
    packed = generator.integers(0, 256, (5000, 32), dtype=np.uint8)
    reference = make(5000, hashes=HashArray(packed, "pdq", quality=np.full(5000, 100)))
    chosen = np.array([0, 1, 2047, 2048, 2049, 4095, 4096, 4999])
    query_packed = np.vstack([packed[chosen], generator.integers(0, 256, (2, 32), dtype=np.uint8)])
    query = make(10, hashes=HashArray(query_packed, "pdq", quality=np.full(10, 100)))
    found = vpdq_match(query, reference)
    assert (found.query_percent, found.reference_percent) == (80.0, 8 * 100 / 5000)
    assert found.is_match
    assert not vpdq_match(reference, query).is_match


def frames(*values: int, quality: list[int] | None = None) -> VideoHash:
    """A video whose frames have this many bits set."""
    packed = np.array([np.packbits(np.arange(256) < value) for value in values], np.uint8)
    packed = packed.reshape(len(values), 32)
    array = HashArray(packed, "pdq", quality=quality or [100] * len(values))
    return make(len(values), hashes=array)


def test_the_rules_differ_where_metas_do() -> None:
    # At a distance of exactly 31: inclusive in Python, not in C++.
    assert vpdq_match(frames(0), frames(31), rule="python").query_percent == 100
    assert vpdq_match(frames(0), frames(31), rule="readme").query_percent == 100
    assert vpdq_match(frames(0), frames(31), rule="cpp").query_percent == 0
    assert vpdq_match(frames(0), frames(30), rule="cpp").query_percent == 100
    # A still of three frames and one that is elsewhere: one of two, or three of four.
    still = frames(0, 0, 0, 200)
    assert vpdq_match(still, frames(0), rule="python").query_percent == 50
    assert vpdq_match(still, frames(0), rule="cpp").query_percent == 75
    # Python keeps the first of equal hashes, then looks at its quality.
    bad_first = frames(0, 0, 100, quality=[10, 100, 100])
    assert vpdq_match(bad_first, frames(0, 100), rule="python").reference_percent == 50
    assert vpdq_match(bad_first, frames(0, 100), rule="cpp").reference_percent == 100


def test_both_readings_of_the_defaults() -> None:
    clip, film = frames(0), frames(0, 60, 120, 180, 240)
    # Of the clip everything is in the film; of the film, a fifth in the clip.
    assert vpdq_match(clip, film, rule="python").is_match
    assert not vpdq_match(clip, film, rule="readme").is_match
    assert not vpdq_match(film, clip, rule="python").is_match
    assert vpdq_match(film, clip, rule="readme").is_match
    assert vpdq_match(clip, film, rule="readme", reference_percent=20).is_match
    assert not vpdq_match(clip, film, rule="python", reference_percent=20.1).is_match
    assert vpdq_match(film, clip, rule=VPDQ_PYTHON, query_percent=20).is_match
    assert (VPDQ_PYTHON.query_percent, VPDQ_PYTHON.reference_percent) == (80, 0)
    assert (VPDQ_README.query_percent, VPDQ_README.reference_percent) == (0, 80)


@pytest.mark.parametrize("rule", sorted(VPDQ_RULES))
def test_no_frame_of_quality_is_no_match(rule: str) -> None:
    dull, good = frames(0, 60, quality=[49, 0]), frames(0, 60)
    for query, reference in ((dull, good), (good, dull), (dull, dull), (frames(), good)):
        found = vpdq_match(query, reference, rule=rule, query_percent=0, reference_percent=0)
        assert (found.query_percent, found.reference_percent, found.is_match) == (0, 0, False)
    assert vpdq_match(dull, good, rule=rule, min_quality=0).is_match
    unknown = frames(0, 60, quality=[-1, -1])
    assert vpdq_match(unknown, good, rule=rule).is_match


def test_other_algorithms_are_compared_with_their_own() -> None:
    one = make(hashes=HashArray(make().hashes.packed[:, :8], "phash"))
    assert vpdq_match(one, one, max_distance=0).query_percent == 100
    with pytest.raises(IncompatibleHashError, match="cannot compare phash v1"):
        vpdq_match(one, make())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "meta"}, "rule: expected one of python, readme, cpp, got 'meta'"),
        ({"max_distance": -1}, "max_distance: expected bits from 0"),
        ({"max_distance": 31.0}, "max_distance: expected bits from 0"),
        ({"query_percent": 101}, "query_percent: expected 0 to 100"),
        ({"reference_percent": float("nan")}, "reference_percent: expected 0 to 100"),
    ],
)
def test_options_that_are_wrong(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        vpdq_match(make(), make(), **options)


def test_metas_sample_videos(samples: dict[str, VideoHash]) -> None:
    chairs = ["chair-19-sd-bar", "chair-20-sd-bar", "chair-22-sd-grey-bar", "chair-orig-22-sd-bar"]
    for a in chairs:
        for b in chairs:
            assert vpdq_match(samples[a], samples[b]).query_percent > 80
            assert vpdq_match(samples[a], samples[b], rule=VPDQ_README).is_match
        unrelated = vpdq_match(samples[a], samples["doorknob-hd-no-bar"], min_quality=0)
        assert (unrelated.query_percent, unrelated.reference_percent) == (0, 0)
        assert not unrelated.is_match
    # vpdq/README.md publishes "10.55 Percentage Query Video match" for this pair. Its 12.59 %
    # of the target is an older tool's: 71 / 564, the query's count over the target's frames.
    found = vpdq_match(
        samples["chair-22-with-large-logo-bar"], samples["chair-19-sd-bar"], rule=VPDQ_CPP
    )
    assert f"{found.query_percent:.2f}" == "10.55"
    assert found.query_percent * 673 / 100 == pytest.approx(71)


@pytest.mark.parametrize("rule", VPDQ_RULES.values(), ids=lambda rule: rule.name)
def test_sample_videos_against_plain_python(samples: dict[str, VideoHash], rule: VpdqRule) -> None:
    names = ("chair-22-with-large-logo-bar", "pattern-hd-no-bar", "pattern-longer-no-bar")
    for a in names:
        for b in names:
            query, reference = samples[a].between(0, 4), samples[b].between(0, 4)
            found = vpdq_match(query, reference, rule=rule)
            expected = plain(query, reference, rule, 31, 50)
            assert (found.query_percent, found.reference_percent) == expected
