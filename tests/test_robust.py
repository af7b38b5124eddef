"""`check_robust` and its strategies as users call them, and what must hold under edits."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from fingerprint.algorithms import get_algorithm
from fingerprint.algorithms.ahash import AHash
from fingerprint.errors import UnknownAlgorithmError, UnsupportedOperationError
from fingerprint.evaluate import CHAINS, Edit, photo, transform_names, transforms
from fingerprint.hashes import Hash
from fingerprint.hashing import hash_dihedral, hash_image
from fingerprint.index import Index
from fingerprint.media import decode
from fingerprint.testing import Robustness, check_robust
from fingerprint.testing.strategies import edits, photographs
from fingerprint.typing import U8

FIRST = 100
PLAIN = ("pdq", "phash", "dhash", "ahash", "whash")

# Measured on photo(0) to photo(47): the worst and half as much again, at least 6. Checked on
# others below.
WITHIN = {
    "jpeg:50": {"pdq": 8},
    "gamma:1.25": {"pdq": 22, "phash": 8, "dhash": 8},
    "grayscale": {"pdq": 6},
    "contrast:0.5": {"pdq": 6, "dhash": 10, "ahash": 8},
    "brightness:0.6": {"pdq": 6, "dhash": 8},
    "scale:0.5": {"pdq": 20},
    "noise:10": {"pdq": 10},
    "recompress": {"pdq": 24},
}


@pytest.fixture(scope="module")
def made() -> list[U8]:
    return [photo(seed) for seed in range(FIRST, FIRST + 24)]


@pytest.mark.parametrize(("edit", "name"), [(e, n) for e in WITHIN for n in PLAIN])
def test_plain_hashes_survive_mild_edits(edit: str, name: str, made: list[U8]) -> None:
    most = WITHIN[edit].get(name, 6)
    found = check_robust(name, edit, most, pictures=made)
    assert found.n == len(made)
    assert 0 <= found.median <= found.worst <= most


@given(pixels=photographs())
def test_a_single_picture_of_hypothesis(pixels: U8) -> None:
    quality = hash_image(pixels).quality
    assume(quality is not None and quality >= 50)
    check_robust("pdq", "grayscale", 8, pictures=[pixels])
    check_robust("pdq", "jpeg", 31, strength=50, pictures=[pixels])


@given(pixels=photographs(16, 80), edit=edits())
def test_any_edit_of_any_picture(pixels: U8, edit: Edit) -> None:
    before = pixels.copy()
    edited = edit(pixels, 5)
    assert edited.dtype == np.uint8
    assert edited.ndim == 3
    assert edited.size
    np.testing.assert_array_equal(pixels, before)
    check_robust("pdq", edit, 256, pictures=[pixels], seed=5)


def test_the_figures_are_those_of_hashing_by_hand(made: list[U8]) -> None:
    edit = Edit.parse("crop:0.02+noise:10")
    apart = [hash_image(p) - hash_image(edit(p, 7 + i)) for i, p in enumerate(made)]
    found = check_robust("pdq", edit, 256, pictures=iter(made), seed=7)
    assert found == Robustness(len(made), float(np.median(apart)), max(apart))


def test_generated_pictures_are_those_of_the_seeds(made: list[U8]) -> None:
    some = check_robust("ahash", "emoji:0.1", 64, seed=FIRST)
    assert some == check_robust("ahash", "emoji:0.1", 64, seed=FIRST, pictures=made)


def test_every_way_of_naming_what_is_checked(made: list[U8]) -> None:
    def by_hand(pixels: U8) -> Hash:
        return hash_image(pixels, "dhash")

    def half(pixels: U8, seed: int) -> U8:
        return transforms("scale")(pixels, 0.5, seed)

    expected = check_robust("dhash", "scale:0.5", 64, pictures=made)
    for algorithm in ("dhash", get_algorithm("dhash"), by_hand):
        for change in ("scale:0.5", Edit.parse("scale:0.5"), half):
            assert check_robust(algorithm, change, 64, pictures=made) == expected
    assert check_robust("dhash", "scale", 64, strength=0.5, pictures=made) == expected
    assert check_robust("dhash", "recompress", 64, pictures=made) == check_robust(
        "dhash", CHAINS["recompress"], 64, pictures=made
    )


def test_it_fails_when_it_should_and_says_how_to_see_it_again(made: list[U8]) -> None:
    with pytest.raises(AssertionError) as caught:
        check_robust("pdq", "mirror", 31, pictures=made, seed=3)
    message = str(caught.value)
    n = len(made)
    assert message.startswith(
        f"pdq under mirror: {n} of {n} pictures moved more than 31 of 256 bits, 0 may; worst "
    )
    assert "with the seeds 3, 4, 5, 6, 7, 8, 9, 10, …" in message
    assert not re.search("[0-9a-f]{16}", message)
    edit, most = "emoji:0.1", 40
    with pytest.raises(AssertionError) as caught:
        check_robust("pdq", edit, most, seed=FIRST)
    seeds = [int(s) for s in re.findall(r"\d+", str(caught.value).rpartition("seeds")[2])]
    assert seeds
    for seed in seeds:
        one = [made[seed - FIRST]]
        with pytest.raises(AssertionError, match=f"1 of 1 pictures .* with the seeds {seed}$"):
            check_robust("pdq", edit, most, pictures=one, seed=seed)
    alone = [
        check_robust("pdq", edit, 256, pictures=[p], seed=seed)
        for seed, p in enumerate(made, FIRST)
    ]
    too_far = [seed for seed, found in enumerate(alone, FIRST) if found.worst > most]
    assert too_far[: len(seeds)] == seeds


def test_the_limit_is_inclusive_and_the_quantile_is_counted() -> None:
    class Moving(AHash):
        """Moves the i-th picture by i bits."""

        def hash_pixels(self, pixels: U8) -> Hash:
            bits = np.zeros(64, bool)
            bits[: pixels[0, 0, 0]] = True
            return Hash.from_bits(bits, self.hash_name, quality=100)

    black = [np.zeros((8, 8, 3), np.uint8)] * 10

    def brighter(pixels: U8, seed: int) -> U8:
        return pixels + np.uint8(seed)

    found = check_robust(Moving(), brighter, 10, pictures=black, seed=1)
    assert found == Robustness(10, 5.5, 10)
    with pytest.raises(AssertionError, match=r"1 of 10 .* 9 of 64 bits, 0 may; worst 10"):
        check_robust(Moving(), brighter, 9, pictures=black, seed=1)
    assert check_robust(Moving(), brighter, 9, pictures=black, seed=1, quantile=0.9) == found
    with pytest.raises(AssertionError, match=r"2 of 10 .* 1 may"):
        check_robust(Moving(), brighter, 8, pictures=black, seed=1, quantile=0.9)
    assert check_robust(Moving(), brighter, 3, pictures=black, seed=1, quantile=0.3) == found


def test_a_weak_algorithm_is_found_out(made: list[U8]) -> None:
    """A hash of single pixels survives copying, and nothing else."""

    def pixel_hash(pixels: U8) -> Hash:
        points = np.linspace(0, 0.999, 16)
        y, x = (np.floor(points * side).astype(int) for side in pixels.shape[:2])
        return Hash.from_bits((pixels[y][:, x, 0] % 2).ravel() == 1, "pdq", quality=100)

    assert check_robust(pixel_hash, "unedited", 0, pictures=made).worst == 0
    for edit in ("jpeg:95", "noise:10", "brightness:0.8"):
        with pytest.raises(AssertionError, match=r"^pixel_hash under .* 24 of 24"):
            check_robust(pixel_hash, edit, 31, pictures=made)


def test_senseless_calls(made: list[U8]) -> None:
    with pytest.raises(ValueError, match="did you mean 'crop'"):
        check_robust("pdq", "crp:0.1", 31)
    with pytest.raises(ValueError, match="quantile: expected more than 0 up to 1, got 0"):
        check_robust("pdq", "mirror", 31, quantile=0)
    with pytest.raises(ValueError, match="max_bits: expected 0 or more"):
        check_robust("pdq", "mirror", -1)
    with pytest.raises(ValueError, match="pictures: expected some"):
        check_robust("pdq", "mirror", 31, pictures=[])
    with pytest.raises(ValueError, match="strength: expected none"):
        check_robust("pdq", Edit.parse("mirror"), 31, strength=1)
    with pytest.raises(UnknownAlgorithmError):
        check_robust("pqd", "mirror", 31)
    with pytest.raises(UnsupportedOperationError):
        check_robust("crop_resistant", "mirror", 31)
    with pytest.raises(TypeError, match="expected it to return a Hash, got int"):
        check_robust(lambda pixels: 7, "mirror", 31, pictures=made)  # type: ignore[arg-type, return-value]


def test_strategies() -> None:
    few = settings(max_examples=60)
    assert str(find(edits(), lambda edit: True, settings=few)) == "jpeg:95"
    two = find(edits(["crop", "mirror"]), lambda edit: len(edit.steps) > 1, settings=few)
    assert str(two) == "crop:0.01+crop:0.01"
    small = find(photographs(20, 60), lambda pixels: True, settings=few)
    np.testing.assert_array_equal(small, photo(0, 20, 20))
    with pytest.raises(NoSuchExample):
        find(photographs(20, 60), lambda pixels: max(pixels.shape) > 60, settings=few)
    with pytest.raises(NoSuchExample):
        find(edits(["crop"], 1), lambda edit: not 0.01 <= edit.steps[0][1] <= 0.25, settings=few)
    with pytest.raises(ValueError, match="names: expected some of jpeg"):
        edits(["crp"])
    with pytest.raises(ValueError, match="max_steps"):
        edits(max_steps=0)
    with pytest.raises(ValueError, match="min_side_px"):
        photographs(0, 5)


# What must hold of the edits themselves.

TWICE_IS_NOTHING = ("mirror+mirror", "flip+flip", "invert+invert", "turn:180+turn:180")
SAME = (
    ("mirror+flip", "turn:180"),
    ("turn:90+turn:90", "turn:180"),
    ("turn:90+turn:180", "turn:270"),
    ("mirror+turn:90", "turn:270+mirror"),
    ("invert+mirror", "mirror+invert"),
    ("crop:0.1+mirror", "mirror+crop:0.1"),
    ("crop_left:0.1+mirror", "mirror+crop_right:0.1"),
    ("border:0.1+invert", "invert+border_white:0.1"),
    ("grayscale+grayscale", "grayscale"),
)


@given(pixels=photographs(16, 120))
def test_laws_of_edits(pixels: U8) -> None:
    for text in TWICE_IS_NOTHING:
        np.testing.assert_array_equal(Edit.parse(text)(pixels), pixels)
    for one, other in SAME:
        np.testing.assert_array_equal(Edit.parse(one)(pixels), Edit.parse(other)(pixels))


# What must hold of hashes: the approximate list of facts/robustness.md.


@given(pixels=photographs(64, 200))
def test_a_negative_has_the_opposite_pdq(pixels: U8) -> None:
    found = hash_image(pixels)
    assume(found.quality is not None and found.quality >= 50)
    assert found - hash_image(transforms("invert")(pixels)) >= 250


TURNS = {
    "rotate90": "turn:90",
    "rotate180": "turn:180",
    "rotate270": "turn:270",
    "flip_y": "mirror",
    "flip_x": "flip",
    "flip_plus1": "turn:270+mirror",
    "flip_minus1": "turn:90+mirror",
}


def turned_apart(pictures: list[U8], name: str) -> list[int]:
    """Bits between the hash of the turned picture and the turned hash."""
    edit = Edit.parse(TURNS[name])
    return [hash_dihedral(p)[name] - hash_image(edit(p)) for p in pictures]


@pytest.mark.parametrize("name", TURNS)
def test_turned_bits_are_the_bits_of_the_turned_picture(name: str, made: list[U8]) -> None:
    assert np.median(turned_apart(made, name)) <= 24
    # And not those of the picture as it is.
    wrong = [hash_dihedral(p)["identity"] - hash_image(Edit.parse(TURNS[name])(p)) for p in made]
    assert np.median(wrong) > 90


@pytest.fixture(scope="module")
def some_photos(media: Path, photos: list[Path]) -> list[U8]:
    found = []
    for path in photos[3::30]:
        pixels = decode(path, min_side_px=256).array
        found.append(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2))
    return found


@pytest.mark.media
@pytest.mark.parametrize("name", TURNS)
def test_turned_bits_of_photographs(name: str, some_photos: list[U8]) -> None:
    assert np.median(turned_apart(some_photos, name)) <= 20


@pytest.mark.media
@pytest.mark.parametrize("edit", ["grayscale", "contrast:0.5", "brightness:0.6"])
def test_half_of_the_photographs_do_not_move(edit: str, some_photos: list[U8]) -> None:
    assert check_robust("pdq", edit, 31, pictures=some_photos).median == 0


RISING = {
    # Not scale, whose sampling moves PDQ more at some sizes than at smaller ones.
    **{name: transforms(name).strengths for name in ("jpeg", "blur", "noise", "crop")},
    **{name: transforms(name).strengths for name in ("crop_left", "border", "letterbox")},
    "rotate": (0.5, 1, 2, 4, 10),
    "pixelate": (128, 64, 32, 16),
    "emoji": (0.03, 0.1, 0.25, 0.4),
    "gamma": (1.25, 1.5, 2),
    "vignette": (0.3, 0.6, 0.9),
    "perspective": (0.02, 0.05, 0.1, 0.2),
}


@pytest.mark.parametrize("name", RISING)
def test_medians_rise_with_strength(name: str, made: list[U8]) -> None:
    medians = [
        check_robust("pdq", name, 256, strength=strength, pictures=made[::2]).median
        for strength in RISING[name]
    ]
    # Beyond a third of the bits all is noise.
    rising = [min(m, 88) for m in medians]
    assert all(b >= a - 3 for a, b in pairwise(rising)), medians
    assert medians[-1] > medians[0]


@given(
    level=st.integers(0, 255),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    seed=st.integers(0, 1 << 32),
)
def test_pictures_without_content_match_nothing_with_confidence(
    level: int, shape: tuple[int, int], seed: int
) -> None:
    """One colour, or a single row or column: below the quality that counts."""
    flat = np.full((*shape, 3), level, np.uint8)
    line = np.random.default_rng(seed).integers(0, 256, (1, shape[1], 3), dtype=np.uint8)
    clear = np.zeros((*shape, 4), np.uint8)
    clear[..., :3] = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)
    least = get_algorithm("pdq").min_quality
    for pixels in (flat, line, line.transpose(1, 0, 2), clear):
        quality = hash_image(pixels).quality
        assert quality is not None
        assert quality < least
    edited = Edit.parse("jpeg:50+brightness:0.8")(flat)
    assert (hash_image(edited).quality or 0) < least


def test_not_a_number_is_an_error() -> None:
    with pytest.raises((TypeError, ValueError), match="uint8"):
        hash_image(np.full((20, 20, 3), np.nan))


def test_an_index_finds_edited_copies_and_nothing_else(made: list[U8]) -> None:
    index = Index("pdq")
    for i, pixels in enumerate(made[:12]):
        index.add(str(i), hash_image(pixels))
    for i, pixels in enumerate(made):
        for edit in ("jpeg:30", "noise:10", "scale:0.5+jpeg:50"):
            found = [m.id for m in index.within(hash_image(Edit.parse(edit)(pixels, i)))]
            assert found == ([str(i)] if i < 12 else [])


def test_all_transforms_are_hashed_by_all_algorithms() -> None:
    pixels = photo(9, 100, 130)
    for name in transform_names():
        edited = transforms(name)(pixels, transforms(name).middle)
        for algorithm in PLAIN:
            assert hash_image(edited, algorithm).bits == get_algorithm(algorithm).bits
