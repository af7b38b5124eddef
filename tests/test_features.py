"""Local features: what is found, what is not, and how exactly."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from fingerprint.errors import DecodeError, LimitExceededError
from fingerprint.features import (
    LocalFeatures,
    Verification,
    draw_verification,
    local_features,
    verify,
)
from fingerprint.features.consensus import nearest
from fingerprint.media import Limits
from fingerprint.typing import F64, U8
from tests.command_line import Run, runner
from tests.feature_pictures import HEIGHT, WIDTH, textured


def warped(pixels: U8, matrix: F64, size: tuple[int, int]) -> U8:
    """Apply a transformation of places (pixel edges), as OpenCV wants it (pixel centres)."""
    centre = matrix.copy()
    centre[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return np.asarray(cv2.warpAffine(pixels, centre, size, flags=cv2.INTER_AREA), np.uint8)


def off_px(found: Verification, truth: F64) -> float:
    """How far the corners of the query land from where they should, at most."""
    assert found.matrix is not None
    width, height = found.query_px
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
    return float(np.abs(corners @ found.matrix.T - corners @ truth.T).max())


@pytest.mark.parametrize("degrees", [0, 33, 90, -120])
@pytest.mark.parametrize("factor", [0.6, 1.0, 1.7])
def test_the_transformation_is_recovered(degrees: float, factor: float) -> None:
    reference = textured(1)
    size = (700, 700)
    angle = np.radians(degrees)
    c, s = factor * np.cos(angle), factor * np.sin(angle)
    forth = np.array([[c, -s, 0], [s, c, 0]])
    forth[:, 2] = (350, 350) - forth[:, :2] @ (WIDTH / 2, HEIGHT / 2)
    truth = np.linalg.inv(np.vstack([forth, [0, 0, 1]]))[:2]  # Of the query's places.
    found = verify(warped(reference, forth, size), reference)
    assert found.convincing
    assert not found.mirrored
    assert off_px(found, truth) < 4
    assert found.scale == pytest.approx(1 / factor, rel=0.02)
    turned = (found.rotation_deg + degrees + 180) % 360 - 180
    assert abs(turned) < 1
    moved = np.c_[found.points[:, :2], np.ones(found.inliers)] @ truth.T
    assert np.median(np.abs(moved - found.points[:, 2:])) < 2


def test_a_crop_lies_where_it_was_cut() -> None:
    reference = textured(2)
    query = np.ascontiguousarray(reference[60:300, 120:440])
    found = verify(query, reference)
    assert found.convincing
    corners = [[120, 60], [440, 60], [440, 300], [120, 300]]
    assert_allclose(found.outline, corners, atol=2)
    assert found.query_coverage == pytest.approx(1, abs=0.02)
    assert found.reference_coverage == pytest.approx(240 * 320 / (HEIGHT * WIDTH), rel=0.03)
    other_way = verify(reference, query)
    assert other_way.convincing
    assert other_way.query_coverage == pytest.approx(240 * 320 / (HEIGHT * WIDTH), rel=0.03)


@pytest.mark.parametrize("stored", ["neither", "query", "reference"])
def test_mirrored_copies_are_found(stored: str) -> None:
    reference = textured(3)
    query = np.ascontiguousarray(reference[30:330, 20:420][:, ::-1])
    found = verify(
        local_features(query, mirrored=True) if stored == "query" else query,
        local_features(reference, mirrored=True) if stored == "reference" else reference,
    )
    assert found.convincing
    assert found.mirrored
    assert found.rotation_deg == pytest.approx(0, abs=1)
    truth = np.array([[-1.0, 0, 420], [0, 1, 30]])
    assert off_px(found, truth) < 3
    moved = np.c_[found.points[:, :2], np.ones(found.inliers)] @ truth.T
    assert np.median(np.abs(moved - found.points[:, 2:])) < 2
    assert not verify(query, reference, mirrored=False).convincing


def test_what_is_small_in_another_picture_is_found() -> None:
    reference, back = textured(4, 600, 800), textured(5, 600, 800).copy()
    back[200:500, 100:500] = cv2.resize(reference, (400, 300), interpolation=cv2.INTER_AREA)
    found = verify(back, reference)
    assert found.convincing
    assert found.query_coverage == pytest.approx(0.25, abs=0.02)
    assert found.reference_coverage > 0.97
    assert found.scale == pytest.approx(2, rel=0.03)


def test_even_so_a_picture_is_itself() -> None:
    for seed in range(8):
        features = local_features(textured(seed), max_features=500)
        found = verify(features, features)
        assert found.convincing
        assert found.agreement > 0.99
        assert found.matrix is not None
        assert_allclose(found.matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-6)


@pytest.mark.parametrize(
    "shape", [(1, 1, 3), (1, 400, 3), (400, 1, 3), (2, 2), (16, 16, 3), (30, 3000, 3), (480, 640)]
)
def test_pictures_without_features(shape: tuple[int, ...]) -> None:
    flat = np.full(shape, 90, np.uint8)
    features = local_features(flat)
    assert len(features) == 0
    for one, two in ((flat, flat), (flat, textured(1)), (textured(1), flat)):
        found = verify(one, two)
        assert (found.evidence, found.inliers, found.agreement) == (0, 0, 0)
        assert not found.convincing
        assert found.matrix is None
        assert np.isnan(found.scale)
        assert np.isnan(found.rotation_deg)
        assert found.outline.shape == (0, 2)
        assert "no transformation" in str(found)
    assert LocalFeatures.from_bytes(features.to_bytes()).keypoints.shape == (0, 4)


def test_noise_of_any_size_is_no_error() -> None:
    rng = np.random.default_rng(8)
    for shape in ((5, 9), (40, 40), (64, 20), (33, 900), (300, 41)):
        noise = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        features = local_features(noise, max_features=16)
        assert len(features) <= 16
        assert not verify(noise, textured(1)).convincing


def test_the_same_input_gives_the_same_answer() -> None:
    reference, query = textured(9), textured(9)[20:, 50:].copy()
    threads = cv2.getNumThreads()
    try:
        answers = []
        for n in (1, 4, 1):
            cv2.setNumThreads(n)
            made = local_features(query).to_bytes()
            found = verify(query, reference)
            answers.append((made, str(found), found.points.tobytes(), found.evidence))
    finally:
        cv2.setNumThreads(threads)
    assert answers[0] == answers[1] == answers[2]


def test_nearest_against_all_distances() -> None:
    rng = np.random.default_rng(10)
    query, reference = (rng.integers(0, 256, (n, 32), dtype=np.uint8) for n in (40, 70))
    places = rng.uniform(0, 100, (70, 4))
    rows, first, second = np.empty(40, np.int64), np.empty(40, np.int32), np.empty(40, np.int32)
    words = query.view(np.uint64), reference.view(np.uint64)
    nearest(*words, places, 0.2, rows, first, second)
    distances = np.unpackbits(query[:, None] ^ reference[None], axis=2).sum(2)
    assert_array_equal(rows, distances.argmin(1))
    assert_array_equal(first, distances.min(1))
    for i, best in enumerate(rows):
        apart = np.hypot(*(places[:, :2] - places[best, :2]).T) > 0.2 * places[best, 2]
        assert second[i] == distances[i, apart].min()


def test_features_are_spread_and_bounded() -> None:
    picture = textured(11)
    picture[:, : WIDTH // 2] = (picture[:, : WIDTH // 2] // 2) + 60  # Faint corners.
    features = local_features(picture, max_features=300)
    assert len(features) == 300
    left = (features.keypoints[:, 0] < WIDTH / 2).mean()
    response = vars(cv2)["ORB_create"](300).detect(
        np.asarray(Image.fromarray(picture).convert("L"))
    )
    alone = np.mean([point.pt[0] < WIDTH / 2 for point in response])
    assert left > 2 * alone, "the strongest corners alone are nearly all on one side"
    assert features.keypoints[:, 0].max() <= WIDTH
    assert features.mirrored is not None
    assert local_features(picture, mirrored=False).mirrored is None


def test_faded_copies_are_found() -> None:
    for seed in range(4):
        reference = textured(seed)
        faded = (reference[20:, :400] * 0.3 + 60).astype(np.uint8)
        found = verify(faded, reference)
        assert found.convincing
        assert off_px(found, np.array([[1.0, 0, 0], [0, 1, 20]])) < 3


def test_arguments_are_checked() -> None:
    picture = textured(12)
    for wrong in (0, 15, 10_001):
        with pytest.raises(ValueError, match="max_features: expected 16 to 10,000"):
            local_features(picture, max_features=wrong)
        with pytest.raises(ValueError, match="max_features"):
            verify(picture, picture, max_features=wrong)
    with pytest.raises(ValueError, match="min_inliers: expected at least 4, got 3"):
        verify(picture, picture, min_inliers=3)
    stored = local_features(picture, mirrored=False)
    with pytest.raises(ValueError, match="mirrored: expected descriptors"):
        verify(stored, stored)
    assert verify(stored, stored, mirrored=False).convincing
    assert not verify(stored, stored, mirrored=False, min_inliers=5000).convincing
    with pytest.raises(DecodeError):
        verify(b"not a picture", picture)
    with pytest.raises(LimitExceededError):
        verify(picture, picture, limits=Limits(max_pixels=1000))


def test_the_drawing_shows_both(tmp_path: Path) -> None:
    reference = textured(13)
    query = np.ascontiguousarray(reference[50:350, 100:400][:, ::-1])
    path = draw_verification(query, reference, verify(query, reference), tmp_path / "v.png")
    assert path.stat().st_mode & 0o077 == 0
    with Image.open(path) as drawn:
        sheet = np.asarray(drawn.convert("RGB")).astype(int)
    assert sheet.shape[1] > sheet.shape[0]
    orange = (np.abs(sheet - (0xE6, 0x9F, 0)).sum(2) < 12).sum(0)
    assert orange[sheet.shape[1] // 2 :].sum() > 500, "outline of the query in the reference"
    nothing = verify(np.zeros((50, 60, 3), np.uint8), reference)
    draw_verification(np.zeros((50, 60, 3), np.uint8), reference, nothing, path)
    with pytest.raises(ValueError, match="query: expected"):
        draw_verification(reference[:-1], reference, nothing, path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch, "verify")


def test_the_command(run: Run, tmp_path: Path) -> None:
    reference, query, other = (tmp_path / f"{name}.png" for name in "abc")
    Image.fromarray(textured(14)).save(reference)
    Image.fromarray(textured(14)[:, 100:]).save(query)
    Image.fromarray(textured(15)).save(other)
    status, out, _ = run(query, reference, "--picture", tmp_path / "out.png")
    assert status == 0
    assert "Convincing" in out
    assert (tmp_path / "out.png").stat().st_size > 10_000
    status, out, _ = run(query, other)
    assert status == 1
    assert "No sign" in out or "Not convincing" in out
    status, out, _ = run(query, reference, "--json")
    facts = json.loads(out)
    assert facts["convincing"] is True
    assert facts["scale"] == pytest.approx(1, abs=0.01)
    (tmp_path / "broken.png").write_bytes(b"nothing")
    status, _, errors = run(query, tmp_path / "broken.png")
    assert status == 2
    assert "broken.png" in errors
