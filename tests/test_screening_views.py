"""Views, orientations, frames: the readings of a picture that are looked up."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fingerprint as fp
from fingerprint.lists import Record
from fingerprint.screening import (
    ListPolicy,
    Outcome,
    Policy,
    Screener,
)
from fingerprint.screening.pictures import hash_picture
from tests.command_line import photo_like
from tests.screening_lists import (
    KINDS,
    list_maker,
    picture,
    record_of,
    screened,
)

KNOWN, OTHER = picture(1), picture(2)


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with list_maker(request.param, tmp_path) as made:
        yield made


# Views and readings


def test_views_find_what_was_mirrored(make: Any) -> None:
    mirrored = np.asarray(photo_like(1))[:, ::-1].copy()
    lists = [make("a", record_of(KNOWN, "1", "pdq"))]
    assert screened(lists, mirrored).outcome is Outcome.NO_MATCH
    result = screened(lists, mirrored, ListPolicy(views=True))
    (one,) = result.matches
    assert (one.transform, one.radius) == ("flip_y", 31)
    assert one.views_asked == 8
    assert one.probability == pytest.approx(
        fp.calibration_of("pdq").probability(one.distance or 0, 1, one.quality, views=8)
    )
    some = screened(lists, mirrored, ListPolicy(views=("inside",)))
    assert some.outcome is Outcome.NO_MATCH


def test_views_are_those_of_match_image(make: Any) -> None:
    cut = np.asarray(photo_like(1))[14:-14, 18:-18].copy()
    index = fp.Index("pdq")
    index.add("1", fp.hash_image(KNOWN))
    for thorough in (False, True):
        expected = fp.match_image(index, cut, thorough=thorough)
        policy = ListPolicy(views=True, thorough=thorough)
        result = screened([make(f"a{thorough}", record_of(KNOWN, "1", "pdq"))], cut, policy)
        assert [(one.distance, one.transform) for one in result.matches] == [
            (one.distance, one.transform) for one in expected
        ]


@pytest.mark.parametrize("tag", range(1, 9))
def test_pictures_are_looked_up_as_stored_too(make: Any, tag: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    data = picture(1, format="JPEG", quality=95, exif=exif.tobytes())
    orientations: tuple[Any, ...] = ("upright", "stored")
    readings = {name: fp.hash_image(data, orientation=name) for name in orientations}
    records = [Record("us", name, {"pdq": one.hex}) for name, one in readings.items()]
    phash = fp.hash_image(data, "phash", orientation="stored").hex
    records.append(Record("us", "stored phash", {"phash": phash}))
    hash_list = make("a", *records)
    both = screened([hash_list], data)
    found = {one.record_id: one for one in both.matches}
    assert set(found) == {"upright", "stored", "stored phash"}
    assert found["upright"].distance == 0
    assert found["stored"].distance == 0
    assert found["stored phash"].distance == 0
    if tag != 1:
        assert found["stored"].orientation == "stored"
        assert found["stored"].transform == "identity"
        assert found["stored"].views_asked == 2
        for name in orientations:
            one = screened([hash_list], data, ListPolicy(orientation=name))
            assert {e.record_id for e in one.matches if e.algorithm == "pdq"} == {name}
    exact = hash_picture(data, ["pdq"], fp.DEFAULT_LIMITS, all_frames=True, stored=True)
    assert exact.hashes["pdq"]["identity"] == readings["upright"]


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_later_frames_are_looked_up(make: Any, form: str) -> None:
    out = io.BytesIO()
    frames = [photo_like(seed).convert("L" if form == "GIF" else "RGB") for seed in (4, 5, 1)]
    options: dict[str, Any] = {"lossless": True} if form == "WEBP" else {}
    frames[0].save(out, form, save_all=True, append_images=frames[1:], **options)
    hash_list = make("a", Record("us", "1", {"pdq": fp.hash_image(frames[2]).hex}))
    result = screened([hash_list], out.getvalue())
    (one,) = result.matches
    assert (one.transform, one.views_asked, one.distance) == ("frame_3", 3, 0)
    first = Policy.from_toml("[default]\n[video]\nanimations = 'first'")
    assert Screener([hash_list], first).screen(out.getvalue()).outcome is Outcome.NO_MATCH
    cut = Screener([hash_list]).screen(out.getvalue()[: len(out.getvalue()) * 2 // 5])
    assert cut.outcome is Outcome.UNDECODABLE
