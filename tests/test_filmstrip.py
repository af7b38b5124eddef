"""Pictures of what matches where: what is drawn at which pixel, and what a page may hold."""

from __future__ import annotations

import html.parser
import json
import re
import stat
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from fingerprint import DecodeError, LimitExceededError
from fingerprint.evaluate import drawing
from fingerprint.evaluate.drawing import PixelCanvas, SvgCanvas, shortened, text_px
from fingerprint.evaluate.filmstrip import write_html, write_png
from fingerprint.evaluate.timeline import (
    AXIS_PX,
    COLOURS,
    LEFT_PX,
    THUMBNAIL_PX,
    WIDTH_PX,
    Strip,
    thumbnail_times,
)
from fingerprint.evaluate.wording import (
    clock,
    percent,
    seconds_text,
    sentence,
    short_names,
    summary,
)
from fingerprint.media import VideoLimits
from fingerprint.media.thumbnails import BLURRED_PX, Thumbnail, thumbnail_width, thumbnails
from fingerprint.results import VideoMatch, VideoSegment

VIDEOS = Path(__file__).parent.parent / "data" / "fixtures" / "video"


def segment(
    query: tuple[float, float], reference: tuple[float, float], transform: str = "identity"
) -> VideoSegment:
    speed = (reference[1] - reference[0]) / (query[1] - query[0])
    return VideoSegment(*query, *reference, speed, 0.9, 50.0, 20, 3.5, transform)


def match(*segments: VideoSegment) -> VideoMatch:
    return VideoMatch("reference", 0.9 if segments else 0.0, segments, 0.25, 0.5)


def plain_strip(name: str, duration_s: float, colour: tuple[int, int, int]) -> Strip:
    pixels = np.full((THUMBNAIL_PX, 120, 3), colour, np.uint8)
    times = thumbnail_times(duration_s, 120)
    return Strip(name, duration_s, tuple(Thumbnail(time_s, pixels) for time_s in times))


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def spans_of(picture: np.ndarray, colour: str) -> list[tuple[int, int, int]]:
    """Rows with a run of pixels of just this colour that is longer than a number's circle."""
    found = []
    for y, row in enumerate((picture == rgb(colour)).all(axis=2)):
        edges = np.flatnonzero(np.diff(np.r_[0, row.astype(np.int8), 0])).reshape(-1, 2)
        found += [(y, int(a), int(b)) for a, b in edges if b - a > 24]
    return found


def drawn(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_bands_stand_where_the_segments_are(tmp_path: Path) -> None:
    found = match(segment((10.0, 20.0), (60.0, 70.0)), segment((25.0, 40.0), (0.0, 15.0)))
    query, reference = Strip("a", 40.0), Strip("b", 80.0)
    write_png(tmp_path / "it.png", query, reference, found)
    picture = drawn(tmp_path / "it.png")
    assert picture.shape[1] == WIDTH_PX
    per_s = AXIS_PX / 80.0  # One scale: the longer video fills the width.
    for colour, one in zip(COLOURS, found.segments, strict=False):
        spans = spans_of(picture, colour)
        bands = sorted({(a, b) for _, a, b in spans}, key=lambda ab: ab[0])
        expected = sorted(
            (round(LEFT_PX + per_s * a), round(LEFT_PX + per_s * b))
            for a, b in (
                (one.query_start_s, one.query_end_s),
                (one.reference_start_s, one.reference_end_s),
            )
        )
        assert bands == expected
        above = min(y for y, a, _ in spans if a == round(LEFT_PX + per_s * one.query_start_s))
        below = min(y for y, a, _ in spans if a == round(LEFT_PX + per_s * one.reference_start_s))
        assert above < below, "the query is above"


def test_a_ribbon_joins_both_bands(tmp_path: Path) -> None:
    write_png(
        tmp_path / "it.png",
        Strip("a", 100.0),
        Strip("b", 100.0),
        match(segment((0.0, 20.0), (80.0, 100.0))),
    )
    picture = drawn(tmp_path / "it.png")
    spans = spans_of(picture, COLOURS[0])
    top = max(y for y, a, _ in spans if a == LEFT_PX)
    bottom = min(y for y, a, _ in spans if a != LEFT_PX)
    pale = tuple(round(0.3 * c + 0.7 * 255) for c in rgb(COLOURS[0]))
    for share in (0.1, 0.3, 0.7, 0.9):  # Along its middle, but for the number.
        y = round(top + share * (bottom - top))
        x = round(LEFT_PX + AXIS_PX * (0.1 + 0.8 * share))
        assert np.abs(picture[y, x].astype(int) - pale).max() <= 2
        outside = x + round(0.13 * AXIS_PX)
        assert (picture[y, min(outside, WIDTH_PX - 1)] == 255).all()


def test_what_is_not_found_is_pale(tmp_path: Path) -> None:
    query = plain_strip("a", 40.0, (200, 0, 0))
    reference = plain_strip("b", 40.0, (0, 0, 200))
    write_png(tmp_path / "it.png", query, reference, match(segment((10.0, 20.0), (30.0, 40.0))))
    picture = drawn(tmp_path / "it.png")

    def seconds(colour: tuple[int, int, int]) -> tuple[float, float]:
        shown = np.flatnonzero((picture == colour).all(axis=2).any(axis=0))
        return tuple((x - LEFT_PX) / AXIS_PX * 40 for x in (shown.min(), shown.max() + 1))

    assert seconds((200, 0, 0)) == pytest.approx((10, 20), abs=0.1)
    assert seconds((0, 0, 200)) == pytest.approx((30, 40), abs=0.1)


def test_of_a_hash_there_are_no_thumbnails_and_less_height(tmp_path: Path) -> None:
    found = match(segment((0.0, 5.0), (5.0, 10.0)))
    full, bare = plain_strip("a", 10.0, (200, 0, 0)), Strip("b", 10.0)
    write_png(tmp_path / "full.png", full, full, found)
    write_png(tmp_path / "half.png", full, bare, found)
    assert drawn(tmp_path / "half.png").shape[0] < drawn(tmp_path / "full.png").shape[0]


def test_a_short_query_has_its_own_scale(tmp_path: Path) -> None:
    write_png(
        tmp_path / "it.png",
        Strip("a", 10.0),
        Strip("b", 1000.0),
        match(segment((0.0, 10.0), (500.0, 510.0))),
    )
    (_, left, right), *_ = spans_of(drawn(tmp_path / "it.png"), COLOURS[0])
    assert (left, right) == (LEFT_PX, LEFT_PX + AXIS_PX)
    write_html(tmp_path / "it.html", Strip("a", 10.0), Strip("b", 1000.0), match())
    assert "Each has its own scale" in (tmp_path / "it.html").read_text()


def test_loops_lie_beside_each_other(tmp_path: Path) -> None:
    """Bands of one stretch of the reference do not hide each other."""
    found = match(segment((0.0, 10.0), (0.0, 10.0)), segment((10.0, 20.0), (0.0, 10.0)))
    write_png(tmp_path / "it.png", Strip("a", 20.0), Strip("b", 20.0), found)
    picture = drawn(tmp_path / "it.png")
    rows = [{y for y, a, _ in spans_of(picture, colour) if a == LEFT_PX} for colour in COLOURS[:2]]
    assert max(rows[0]) < min(rows[1])


def test_nothing_in_common_and_many_segments_can_be_drawn(tmp_path: Path) -> None:
    many = match(*(segment((i, i + 0.5), (2 * i, 2 * i + 0.5)) for i in range(40)))
    write_png(tmp_path / "many.png", Strip("a", 40.0), Strip("b", 80.0), many)
    write_png(tmp_path / "none.png", Strip("a", 0.0), Strip("b", 0.0), match())
    assert drawn(tmp_path / "many.png").shape[0] < 1000
    assert not any(spans_of(drawn(tmp_path / "none.png"), colour) for colour in COLOURS)
    write_html(tmp_path / "many.html", Strip("a", 40.0), Strip("b", 80.0), many)
    assert (tmp_path / "many.html").read_text().count("<tr>") == 41


def test_segments_beyond_the_stated_duration_are_drawn_within(tmp_path: Path) -> None:
    write_png(
        tmp_path / "it.png", Strip("a", 0.0), Strip("b", 5.0), match(segment((0, 10), (0, 10)))
    )
    assert {(a, b) for _, a, b in spans_of(drawn(tmp_path / "it.png"), COLOURS[0])} == {
        (LEFT_PX, LEFT_PX + AXIS_PX)
    }


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in {"href", "src"}]


def test_a_page_escapes_names_and_asks_for_nothing(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>'\"&</title>.mp4"
    strips = (
        Strip(evil, 10.0, plain_strip("", 10.0, (9, 9, 9)).thumbnails),
        Strip(f"{evil} b", 10.0),
    )
    write_html(tmp_path / "it.html", *strips, match(segment((0, 5), (5, 10))), note="<b>note")
    page = (tmp_path / "it.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert not {"script", "link", "img", "iframe"} & set(tags.tags)
    assert tags.addresses
    assert all(one.startswith("data:image/jpeg;base64,") for one in tags.addresses)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<b>note" not in page
    assert "default-src 'none'" in page


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    for name, write in (("it.png", write_png), ("it.html", write_html)):
        path = tmp_path / name
        path.write_bytes(b"longer than it will be" * 100_000)
        path.chmod(0o644)
        write(path, Strip("a", 1.0), Strip("b", 1.0), match())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_size < 100_000


@pytest.fixture
def pillow_font(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(drawing, "_FONTS", ())
    drawing._font.cache_clear()
    yield
    drawing._font.cache_clear()


@pytest.mark.usefixtures("pillow_font")
def test_without_fonts_texts_are_plain(tmp_path: Path) -> None:
    assert drawing._writable("12.0–31.5 s … 1.25× é 漢") == "12.0-31.5 s ... 1.25x e? ?"
    write_png(tmp_path / "it.png", Strip("é", 1.0), Strip("漢", 1.0), match())
    assert drawn(tmp_path / "it.png").shape[1] == WIDTH_PX


@given(st.text(max_size=60), st.sampled_from((12, 20)), st.integers(30, 400))
def test_shortened_texts_fit(text: str, size_px: int, most_px: int) -> None:
    short = shortened(text, size_px, most_px)
    assert text_px(short, size_px) <= most_px
    assert short == text or "…" in short


def test_both_canvases_draw_the_same_boxes() -> None:
    pixels, svg = PixelCanvas(100, 50), SvgCanvas(100, 50)
    for canvas in (pixels, svg):
        canvas.box(10, 20, 30, 5, "#ff0000")
    red = np.argwhere((np.asarray(pixels.image) == (255, 0, 0)).all(axis=2))
    y, x = red.min(axis=0)
    height, width = red.max(axis=0) - (y, x) + 1
    assert f"<rect x='{x}.0' y='{y}.0' width='{width}.0' height='{height}.0'" in svg.svg


def test_sentences() -> None:
    one = segment((12.0, 31.5), (40.0, 59.5))
    assert sentence(one, "A", "B") == "12.0–31.5 s of A is 40.0–59.5 s of B"
    other = segment((0.0, 10.0), (3600.0, 3612.5), "trimmed+flip_y")
    assert sentence(other, "A", "B") == (
        "0.0–10.0 s of A is 3600.0–3612.5 s (1:00:00–1:00:12) of B, "
        "without its bars, mirrored, at 1.25× speed"
    )
    assert seconds_text(59.0, 61.0) == "59.0–61.0 s (0:59–1:01)"
    assert clock(59.7) == "1:00"
    assert summary(match()) == ""
    assert summary(match(one)).startswith("1 stretch in common, best score 0.90 of 1; 25 % ")
    assert [percent(share) for share in (0.0, 0.003, 0.1, 1.0)] == ["0 %", "0.3 %", "10 %", "100 %"]


@given(st.lists(st.text("ab./", min_size=1, max_size=8), min_size=1))
@example(["/", "a.a/", "a.a//"])
def test_short_names_tell_apart(names: list[str]) -> None:
    short = short_names(names)
    assert set(short) == set(names)
    assert len(set(short.values())) == len(set(names))
    assert all(name.endswith(tail) for name, tail in short.items())


def test_short_names() -> None:
    assert short_names(["x/1/a.mp4", "x/2/a.mp4", "x/2/b.avi", "case/7"]) == {
        "x/1/a.mp4": "1/a.mp4",
        "x/2/a.mp4": "2/a.mp4",
        "x/2/b.avi": "b.avi",
        "case/7": "case/7",
    }


def test_nothing_in_common_is_said_once(tmp_path: Path) -> None:
    write_html(tmp_path / "it.html", Strip("a", 10.0), Strip("b", 20.0), match())
    page = (tmp_path / "it.html").read_text()
    body = page.partition("<body>")[2] or page.partition("</style>")[2]
    assert len(re.findall("nothing in common|not found", body, re.IGNORECASE)) == 1


def frames_of(name: str) -> tuple[list[float], list[np.ndarray]]:
    """All frames by PyAV alone."""
    with av.open(str(VIDEOS / name)) as file:
        decoded: list[Any] = list(file.decode(video=0))
    first = decoded[0].pts
    times_s = [float((frame.pts - first) * frame.time_base) for frame in decoded]
    return times_s, [frame.to_ndarray(format="rgb24") for frame in decoded]


@pytest.mark.parametrize("name", ["constant.mp4", "variable.mkv", "variable.mp4"])
def test_thumbnails_are_of_the_frames_that_are_shown(name: str) -> None:
    times_s, frames = frames_of(name)
    wanted = [0.0, 0.05, 0.39, 0.39, 1.19, 1.25, 99.0]
    made = thumbnails(VIDEOS / name, wanted, 36, blurred=False)
    assert [one.time_s for one in made] == wanted
    for one in made:
        index = max(i for i, t in enumerate(times_s) if t <= one.time_s + 1e-9)
        whole = Image.fromarray(frames[index]).resize((64, 36), Image.Resampling.BOX)
        assert one.pixels.shape == (36, 64, 3)
        errors = [
            np.abs(one.pixels.astype(int) - np.asarray(small).astype(int)).mean()
            for small in (
                whole,
                *(
                    Image.fromarray(frames[i]).resize((64, 36), Image.Resampling.BOX)
                    for i in (max(0, index - 3), min(len(frames) - 1, index + 3))
                    if i != index
                ),
            )
        ]
        assert errors[0] < 4
        assert errors[0] == min(errors)


def test_blurred_thumbnails_hold_no_more_than_a_few_numbers() -> None:
    times = [0.0, 0.5, 1.0, 1.5]
    blurred = thumbnails(VIDEOS / "constant.mp4", times, 72, blurred=True)
    clear = thumbnails(VIDEOS / "constant.mp4", times, 72, blurred=False)
    for one, other in zip(blurred, clear, strict=True):
        assert one.pixels.shape == other.pixels.shape == (72, 128, 3)
        # Spread out from 9 x 5 pixels, it has no more than 5 independent rows, but for rounding.
        few = round(BLURRED_PX * 72 / 128)
        for channel in range(3):
            assert np.linalg.svd(one.pixels[..., channel].astype(float))[1][few] < 12
            assert np.linalg.svd(other.pixels[..., channel].astype(float))[1][few] > 100


def test_thumbnails_are_laid_as_shown() -> None:
    upright = thumbnails(VIDEOS / "constant.mp4", [0.5], 36, blurred=False)[0]
    turned = thumbnails(VIDEOS / "rotated-90.mp4", [0.5], 36, blurred=False)[0]
    assert np.abs(upright.pixels.astype(int) - turned.pixels.astype(int)).mean() < 6
    stored = thumbnails(VIDEOS / "rotated-90.mp4", [0.5], 36, blurred=False, orientation="stored")[
        0
    ]
    assert stored.pixels.shape[1] < stored.pixels.shape[0]


def test_thumbnails_refuse_what_they_cannot_do() -> None:
    with pytest.raises(DecodeError, match="garbage"):
        thumbnails(VIDEOS / "garbage.mp4", [0.0], 36, blurred=True)
    with pytest.raises(LimitExceededError):
        thumbnails(
            VIDEOS / "constant.mp4", [1.9], 36, blurred=True, limits=VideoLimits(max_frames=9)
        )
    with pytest.raises(ValueError, match="times_s: expected ascending"):
        thumbnails(VIDEOS / "constant.mp4", [1.0, 0.5], 36, blurred=True)
    assert thumbnails(VIDEOS / "constant.mp4", [], 36, blurred=True) == []


@given(st.integers(0, 8000), st.integers(0, 8000))
def test_thumbnails_are_neither_needles_nor_ribbons(width_px: int, height_px: int) -> None:
    wide_px = thumbnail_width(width_px, height_px, THUMBNAIL_PX)
    assert 30 <= wide_px <= 3 * THUMBNAIL_PX
    times = thumbnail_times(60.0, wide_px)
    assert all(0 < time_s < 60 for time_s in times)
    assert all(b - a == pytest.approx(60 / len(times)) for a, b in pairwise(times))


def test_manifest_names_what_is_used_here() -> None:
    names = json.loads((VIDEOS / "manifest.json").read_text())
    used = set(re.findall(r'"([a-z0-9-]+\.(?:mp4|mkv))"', Path(__file__).read_text()))
    assert used <= set(names)
