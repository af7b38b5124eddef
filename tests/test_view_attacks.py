"""What an attacker of the views found, and what must not come back."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fingerprint as fp
from fingerprint.evaluate.synthesis import photo
from fingerprint.views.families import REFERENCE_FAMILIES, reference_view_names
from fingerprint.views.picture import Picture

PICTURES = [photo(i, 240, 320) for i in range(3)]


def entries(pictures: fp.ImageIndex) -> list[str]:
    return list(pictures.index)


def test_every_view_has_a_known_name() -> None:
    pdq = fp.get_algorithm("pdq")
    assert isinstance(pdq, fp.HashAlgorithm)
    framed = np.pad(PICTURES[0], ((20, 20), (20, 20), (0, 0)))
    names = {
        name
        for pixels in (*PICTURES, framed)
        for family in REFERENCE_FAMILIES.values()
        for name, _ in family.hash(Picture(pixels, pdq))
    }
    assert names <= reference_view_names()
    assert "inside_1" in names


def test_views_do_not_outlive_a_picture_that_another_tool_removed() -> None:
    pictures = fp.ImageIndex()
    pictures.add("case-1", PICTURES[0])
    pictures.index.remove("case-1")
    assert pictures.search(PICTURES[0][:, 96:], thorough=True) == []
    assert len(entries(pictures)) > 20
    pictures.remove("case-1")
    assert entries(pictures) == []
    with pytest.raises(fp.UnknownIdError):
        pictures.remove("case-1")


def test_views_go_with_a_picture_that_another_tool_replaced() -> None:
    pictures = fp.ImageIndex()
    pictures.add("case-1", PICTURES[0])
    pictures.index.upsert(["case-1"], [fp.hash_image(PICTURES[1])])
    assert pictures.search(PICTURES[0][:, 96:], thorough=True) == []
    pictures.add("case-1", PICTURES[2], overwrite=True)
    assert [m.id for m in pictures.search(PICTURES[2][:, 96:])] == ["case-1"]
    pictures.remove("case-1")
    assert entries(pictures) == []


def test_an_entry_with_the_name_of_a_view_is_no_view() -> None:
    pictures = fp.ImageIndex()
    pictures.add("a", PICTURES[0])
    pictures.index.upsert(["a||crop_7"], [fp.hash_image(PICTURES[1])])
    assert [(m.id, m.transform) for m in pictures.search(PICTURES[1])] == [
        ("a||crop_7", "identity")
    ]
    pictures.remove("a")
    assert entries(pictures) == ["a||crop_7"]


def test_removing_beside_a_writer_leaves_no_views() -> None:
    pictures = fp.ImageIndex()
    small = [p[::4, ::4].copy() for p in PICTURES]
    done = threading.Event()
    errors: list[BaseException] = []

    def write() -> None:
        try:
            for i in range(40):
                families = None if i % 2 else ["inside"]
                pictures.add("a", small[i % 3], families=families, overwrite=True)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        try:
            pictures.remove("a")
        except fp.UnknownIdError:
            continue
    writer.join()
    assert errors == []
    if "a" in pictures:
        pictures.remove("a")
    assert entries(pictures) == []


@pytest.mark.parametrize("algorithm", ["phash", "dhash", "whash", "colorhash"])
@pytest.mark.parametrize("shape", [(1, 60_000), (60_000, 2)])
def test_narrow_pictures_of_any_algorithm(algorithm: str, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert len(fp.hash_views(pixels, ["turned", "uncropped"], algorithm)) > 10


def test_what_cannot_be_asked() -> None:
    index = fp.Index("pdq")
    with pytest.raises(ValueError, match="at least one"):
        fp.match_image(index, PICTURES[0], families=[])
    with pytest.raises(ValueError, match="at least one"):
        fp.ImageIndex().search(PICTURES[0], families=[])
    with pytest.raises(TypeError, match="open Index"):
        fp.match_image("x.index", PICTURES[0])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="id: expected str"):
        fp.ImageIndex().add(None, PICTURES[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ['{"a":' * 50_000, "[" * 50_000])
def test_deep_json_is_no_report_and_no_calibration(text: str) -> None:
    with pytest.raises(ValueError, match="report"):
        fp.RobustnessReport.from_json(text)
    with pytest.raises(fp.CalibrationFormatError):
        fp.Calibration.from_json(text)


def test_probabilities_of_odd_numbers() -> None:
    calibration = fp.calibration_of("pdq")
    for wrong in (10.5, None):
        with pytest.raises(TypeError):
            calibration.probability(wrong, 1000)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            calibration.false_positive_rate(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        calibration.probability(10, float("nan"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at most"):
        calibration.probability(10, 10**400)
