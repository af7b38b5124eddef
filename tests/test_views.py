"""Views: their hashes against drawn pictures, and what is found by them against brute force."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

import fingerprint as fp
from fingerprint import kernels
from fingerprint.evaluate import Edit, photo
from fingerprint.typing import U8
from fingerprint.views import QUERY_FAMILIES, REFERENCE_FAMILIES, geometry, query_family_names
from fingerprint.views.placements import COARSE_PX, Placement, hash_placements, levels_of
from fingerprint.views.rendering import render
from tests import naive

SIDE = 64
FADING = 0.055

ALL_FAMILIES = [
    *(("query", name) for name in QUERY_FAMILIES),
    *(("reference", name) for name in REFERENCE_FAMILIES),
]
PICTURES = [photo(seed, 180, 240) for seed in range(8)]


def picture(seed: int, height_px: int, width_px: int, *, grey: bool = False) -> U8:
    """Return a generated picture of any size, without generating millions of pixels."""
    h, w = (
        max(1, n * min(400, max(height_px, width_px)) // max(height_px, width_px))
        for n in (height_px, width_px)
    )
    drawn = photo(seed, h, w)
    if (h, w) != (height_px, width_px):
        size = (width_px, height_px)
        drawn = np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.ascontiguousarray(drawn[..., 1] if grey else drawn)


def bits_apart(a: fp.Hash, packed: Any) -> int:
    return naive.hamming(a.packed, packed.tobytes())


# The kernel.

shares = st.floats(0, 0.3)
cropped = st.builds(geometry.cropped, shares, shares, shares, shares)
uncropped = st.builds(geometry.uncropped, *(st.floats(0, 0.15) for _ in range(4)))
whole = st.just(Placement(0, 0, 1, 1))
angles = st.floats(-12, 12)


def weights_of(n: int, low: float, high: float, side: int) -> tuple[np.ndarray, int, np.ndarray]:
    """Return the kernel's weights as a matrix (64, side), its widest window and its rows' sums."""
    first, count = np.zeros(SIDE, np.int64), np.zeros(SIDE, np.int64)
    weights = np.zeros((SIDE, side + 8), np.float32)
    kernels.views.sample_side(n, low, high, side, first, count, weights)
    matrix = np.zeros((SIDE, side))
    for i in range(SIDE):
        assert 0 <= first[i] < first[i] + count[i] <= side
        matrix[i, first[i] : first[i] + count[i]] = weights[i, : count[i]]
    return matrix, int(count.max()), weights.sum(axis=1)


def slow_weights(n: int, low: float, high: float, side: int) -> np.ndarray:
    """Return PDQ's weights of a picture of n pixels times those of its pixels in the base."""
    start, count, weights = kernels.pdq.sample_weights(n)
    boxes = np.zeros((SIDE, n))
    for i in range(SIDE):
        boxes[i, start[i] : start[i] + count[i]] = weights[i, : count[i]]
    at = (low + (high - low) * (np.arange(n) + 0.5) / n) * side - 0.5
    inside = np.clip(at, 0, side - 1)
    linear = np.maximum(0, 1 - np.abs(inside[:, None] - np.arange(side)))
    beyond = np.maximum(0, np.abs(at - inside) - 0.5)
    return np.asarray(boxes @ (linear * np.exp(-beyond / (side * FADING))[:, None]))


@given(
    st.integers(5, 3000),
    st.floats(-0.4, 0.6),
    st.floats(0.1, 1.5),
    st.integers(1, 512),
)
def test_weights_are_those_of_pdq_for_interpolated_pixels(
    n: int, low: float, length: float, side: int
) -> None:
    got, widest, sums = weights_of(n, low, low + length, side)
    np.testing.assert_allclose(got, slow_weights(n, low, low + length, side), atol=2e-6)
    assert widest <= kernels.views._support(n, length * side)  # Room that `hash_views` makes.
    assert (sums <= 1 + 1e-5).all()
    if low >= 0 and low + length <= 1 and n <= length * side:
        np.testing.assert_allclose(sums, 1, atol=1e-5)


def slow_view(pixels: U8, one: Placement) -> tuple[np.ndarray, int]:
    """Return the 16 x 16 coefficients and the quality of an upright view of a grey picture."""
    h, w = pixels.shape
    base = pixels - pixels.mean(dtype=np.float64)
    n_y = max(5, round((one.bottom - one.top) * h))
    n_x = max(5, round((one.right - one.left) * w))
    rows = slow_weights(n_y, one.top, one.bottom, h)
    grid = rows @ base @ slow_weights(n_x, one.left, one.right, w).T
    dct = kernels.pdq.DCT.astype(np.float64)
    return dct @ grid @ dct.T, naive.pdq_quality(grid.astype(np.float32))


small = st.integers(5, COARSE_PX)


@given(st.integers(0, 99), small, small, cropped | uncropped | whole)
def test_hashes_of_upright_views_of_small_grey_pictures(
    seed: int, h: int, w: int, one: Placement
) -> None:
    # Small enough for one level to be the picture itself, and grey for its luma to be exact.
    pixels = picture(seed, h, w, grey=True)
    assume(pixels.std() > 5)
    coefficients, expected_quality = slow_view(pixels, one)
    packed, (quality,) = hash_placements(levels_of(pixels), [one])
    value = int.from_bytes(packed[0, 0].tobytes(), "big")
    bits = np.array([value >> k & 1 for k in range(256)]).reshape(16, 16)
    median = np.sort(coefficients.ravel())[127]
    # The kernel adds up in float32.
    clear = np.abs(coefficients - median) > 2e-3
    np.testing.assert_array_equal(bits[clear], (coefficients > median)[clear])
    assert abs(quality - expected_quality) <= 1


@given(
    st.integers(0, 99),
    st.sampled_from([(64, 256), (256, 900), (900, 3000)]),
    st.floats(0, 1),
    st.floats(-1, 1),
    st.booleans(),
    cropped | uncropped | whole | angles,
    st.booleans(),
)
def test_views_are_what_pdq_says_of_the_drawn_view(
    seed: int,
    sizes: tuple[int, int],
    size: float,
    aspect: float,
    grey: bool,
    how: Placement | float,
    larger: bool,
) -> None:
    h = round(sizes[0] * (sizes[1] / sizes[0]) ** size)
    w = min(3000, max(64, round(h * math.exp(aspect))))
    pixels = picture(seed, h, w, grey=grey)
    if isinstance(how, Placement):
        one = how
    else:
        one = geometry.turned_in_larger(how, h, w) if larger else geometry.turned(how)
    drawn = render(pixels, one)
    assume(min(drawn.shape[:2]) >= 40)
    exact = fp.hash_image(drawn)
    assume((exact.quality or 0) >= 50)
    packed, (quality,) = hash_placements(levels_of(pixels), [one])
    # Of 420 random ones the farthest was 10 bits (median 2; turned 4): views are read off a
    # shrunken copy and not rounded to grey levels, and so differ where bits are near ties.
    assert bits_apart(exact, packed[0, 0]) <= 20
    assert abs(quality - (exact.quality or 0)) <= 25


@given(st.integers(0, 9), st.integers(1, 200), st.integers(1, 200), st.booleans())
def test_pictures_of_any_size_have_views(seed: int, h: int, w: int, grey: bool) -> None:
    pixels = photo(seed, h, w)
    pixels = np.ascontiguousarray(pixels[..., 0]) if grey else pixels
    for side in ("query", "reference"):
        for view in fp.hash_views(pixels, side=side).values():
            assert len(view.packed) == 32
            assert 0 <= (view.quality or 0) <= 100


@pytest.mark.parametrize("degrees", [-10, -3.5, 0.5, 4, 7.3])
@pytest.mark.parametrize("shape", [(120, 160), (160, 120), (100, 100)])
def test_turned_views_are_those_of_opencv(degrees: float, shape: tuple[int, int]) -> None:
    h, w = shape
    pixels = cv2.GaussianBlur(photo(5, h, w)[..., 1].astype(np.float32), (0, 0), 2)
    base = pixels - pixels.mean()
    out = np.zeros((h, w), np.float32)
    kernels.views.turn_view(base, shape, np.array([0, 0, 1, 1, degrees], np.float64), out)
    middle = (w - 1) / 2, (h - 1) / 2
    matrix = cv2.getRotationMatrix2D(middle, degrees, 1)
    expected = cv2.warpAffine(base, matrix, (w, h), flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.ones((h, w), np.float32), matrix, (w, h)) > 0.999
    assert inside.mean() > 0.6
    # OpenCV reads at 32nds of a pixel.
    np.testing.assert_allclose(out[inside], expected[inside], atol=1.0)
    drawn = render(np.rint(pixels).astype(np.uint8), geometry.turned(degrees))
    np.testing.assert_allclose(drawn[inside], (expected + pixels.mean())[inside], atol=1.6)
    np.testing.assert_allclose(out + pixels.mean(), drawn, atol=1.6)  # The corners, too.


def test_what_lies_beyond_is_continued_and_fades_to_the_mean() -> None:
    halves = np.full((100, 100), 200, np.uint8)
    halves[:, :50] = 100
    drawn = render(halves, geometry.uncropped(left=0.3, right=0.3))
    assert drawn.shape == (100, 250)
    row = drawn[50].astype(int)
    np.testing.assert_array_equal(row[75:175], halves[50])
    for px in (1, 5, 20, 75):
        faded = 50 * math.exp(-(px - 0.5) / 100 / FADING)  # From the edge of the last pixel.
        assert abs(row[75 - px] - (150 - faded)) <= 0.5
        assert abs(row[174 + px] - (150 + faded)) <= 0.5


# The hashes of a picture's views.


def test_positions_are_those_of_hash_dihedral() -> None:
    for pixels in PICTURES[:3]:
        assert fp.hash_views(pixels, ["positions"]) == fp.hash_dihedral(pixels)
        assert fp.hash_views(pixels, [])["identity"] == fp.hash_image(pixels)


def test_inverted_is_the_hash_of_the_negative() -> None:
    for pixels in PICTURES:
        views = fp.hash_views(pixels, ["inverted"])
        negative = fp.hash_dihedral(255 - pixels)
        for name, exact in negative.items():
            view = views["inverted" if name == "identity" else f"inverted+{name}"]
            assert view - exact <= 2


def test_sizes_are_those_of_the_resized_picture() -> None:
    pixels = photo(3, 384, 512)
    for name, view in fp.hash_views(pixels, ["sizes"]).items():
        if name != "identity":
            side = int(name.partition("_")[2])
            size = side, side * 384 // 512
            how = cv2.INTER_AREA if side < 512 else cv2.INTER_LINEAR
            resized = np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)
            assert fp.hash_image(resized) - view <= 10, name


@pytest.mark.parametrize("algorithm", ["pdq", "dhash"])
@pytest.mark.parametrize(("side", "family"), ALL_FAMILIES)
def test_names_are_unique_and_stable(side: Any, family: str, algorithm: str) -> None:
    known = (QUERY_FAMILIES if side == "query" else REFERENCE_FAMILIES)[family]
    source = Edit.parse("border:0.1")(PICTURES[0], 0)
    views = fp.hash_views(source, [family], algorithm, side=side)
    assert views == fp.hash_views(source, [family], algorithm, side=side)
    assert next(iter(views)) == "identity"
    both = fp.hash_views(source, None, algorithm, side=side)
    assert {name: both[name] for name in views} == views
    picture_hashes = list(known.hash(_picture(source, algorithm)))
    names = [name for name, _ in picture_hashes]
    assert len(set(names)) == len(names)
    assert all("|" not in name and name == name.strip() for name in names)
    if family not in ("inside", "panels"):
        others = [name for name, _ in known.hash(_picture(PICTURES[1], algorithm))]
        assert others in (names, [])  # Views of what was turned on a larger canvas: if any.


def test_views_of_different_families_have_different_names() -> None:
    source = Edit.parse("collage_2x2:0.04")(PICTURES[2], 0)
    owner: dict[str, str] = {}
    for family in query_family_names():
        if family == "as_is":  # The plain picture again, farther.
            continue
        for name in set(fp.hash_views(source, [family])) - {"identity"}:
            assert owner.setdefault(name, family) == family
    stored = fp.hash_views(source, side="reference")
    assert len(stored) > 20


def _picture(pixels: U8, algorithm: str) -> Any:
    from fingerprint.hashing import hash_algorithm
    from fingerprint.views.picture import Picture

    return Picture(pixels, hash_algorithm(algorithm))


@pytest.mark.parametrize("algorithm", ["phash", "dhash", "ahash"])
def test_views_of_other_algorithms_are_drawn_and_hashed(algorithm: str) -> None:
    pixels = PICTURES[1]
    views = fp.hash_views(pixels, ["turned", "uncropped", "positions", "inverted"], algorithm)
    assert views["turn_4"] == fp.hash_image(render(pixels, geometry.turned(4)), algorithm)
    whole_again = geometry.uncropped(0.05, 0.05, 0.05, 0.05)
    assert views["uncrop_5"] == fp.hash_image(render(pixels, whole_again), algorithm)
    turns: list[tuple[str, Callable[[U8], U8]]] = [
        ("rotate90", np.rot90),
        ("rotate180", lambda p: np.rot90(p, 2)),
        ("rotate270", lambda p: np.rot90(p, 3)),
        ("flip_x", np.flipud),
        ("flip_y", np.fliplr),
        ("flip_plus1", lambda p: p.swapaxes(0, 1)),
        ("flip_minus1", lambda p: np.rot90(p, 2).swapaxes(0, 1)),
    ]
    for name, turn in turns:
        assert views[name] == fp.hash_image(np.ascontiguousarray(turn(pixels)), algorithm)
    plain = int.from_bytes(views["identity"].packed, "big")
    assert (
        int.from_bytes(views["inverted"].packed, "big") == plain ^ (1 << views["inverted"].bits) - 1
    )


def test_sources_of_all_kinds_have_the_same_views(tmp_path: Any) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PICTURES[0]).save(path)
    expected = fp.hash_views(PICTURES[0])
    assert fp.hash_views(path) == fp.hash_views(str(path)) == expected
    assert fp.hash_views(path.read_bytes()) == fp.hash_views(Image.open(path)) == expected
    assert fp.hash_views(np.asfortranarray(PICTURES[0])) == expected
    with pytest.raises(fp.DecodeError, match=r"missing\.png"):
        fp.hash_views(tmp_path / "missing.png")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"families": ["nonsense"]}, "no query family 'nonsense'; there are positions, "),
        ({"families": ["crops"]}, "no query family 'crops'"),
        ({"families": ["turned"], "side": "reference"}, "no reference family 'turned'"),
        ({"side": "middle"}, "side: expected 'query' or 'reference', got 'middle'"),
        ({"families": "turned"}, "expected names of families in a list"),
    ],
)
def test_wrong_families(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        fp.hash_views(PICTURES[0], **wrong)
