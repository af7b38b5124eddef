"""Segments looked up in an index, against every segment compared with every other."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fingerprint as fp
from fingerprint.errors import (
    DecodeError,
    DuplicateIdError,
    IncompatibleHashError,
    LowQualityWarning,
    UnknownIdError,
    UnsupportedOperationError,
)
from fingerprint.evaluate import Edit, photo
from fingerprint.evaluate.originals import Original
from fingerprint.hash_arrays import SegmentHashes
from fingerprint.typing import U8
from fingerprint.views.segment_index import SegmentIndex
from tests import naive

Box = tuple[float, float, float, float]
NEARLY = 1e-9


def blocks(seed: int, n: int = 6, height_px: int = 360, width_px: int = 480) -> U8:
    """Return a dark picture with bright textured blocks, apart from each other."""
    rng = np.random.default_rng(seed)
    picture = np.full((height_px, width_px, 3), 20, np.uint8)
    cells = [(y, x) for y in range(3) for x in range(4)]
    for cell in rng.permutation(len(cells))[:n]:
        y, x = cells[cell]
        h, w = (
            rng.integers(height_px // 6, height_px // 4),
            rng.integers(width_px // 8, width_px // 5),
        )
        coarse = rng.integers(140, 256, (6, 6, 3), dtype=np.uint8)
        texture = coarse.repeat(-(-h // 6), axis=0).repeat(-(-w // 6), axis=1)[:h, :w]
        top, left = y * height_px // 3 + 4, x * width_px // 4 + 4
        picture[top : top + h, left : left + w] = texture
    return picture


PICTURES = [blocks(seed) for seed in range(6)]


@pytest.fixture(scope="module")
def index() -> SegmentIndex:
    pictures = SegmentIndex("crop_resistant")
    for n, pixels in enumerate(PICTURES):
        pictures.add(f"p{n}", pixels, {"n": n, "even": n % 2 == 0})
    return pictures


# The oracle: loops over all segments of all pictures, with nothing stored.


def share_of(box: tuple[int, ...], size_px: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    w, h = size_px
    return (round(left / w, 5), round(top / h, 5), round(right / w, 5), round(bottom / h, 5))


def used(found: SegmentHashes, size_px: tuple[int, int]) -> list[tuple[fp.Hash, Box]]:
    """Return the sixteen largest segments that have quality, in their order."""
    known = []
    for n, (one, box) in enumerate(zip(found.segments, found.boxes, strict=True)):
        left, top, right, bottom = share = share_of(box, size_px)
        area = (right - left) * (bottom - top)
        if area > 0 and (one.quality is None or one.quality >= 50):
            known.append((area, n, one, share))
    kept = sorted(known, key=lambda one: (-one[0], one[1]))[:16]
    return [(one, share) for _, _, one, share in sorted(kept, key=lambda one: one[1])]


def overlap(a: Box, b: Box) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, wide) * max(0.0, high)
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return shared / (sum(areas) - shared)


def explains(q: Box, r: Box, other_q: Box, other_r: Box, aspect: float) -> bool:
    """Whether the scale and shift that lay r on q lay other_r near other_q."""
    scales = []
    for low, high in ((0, 2), (1, 3)):
        scale = (q[high] - q[low]) / (r[high] - r[low])
        scales.append(scale)
        for edge in (low, high):
            put = q[low] + scale * (other_r[edge] - r[low])
            if abs(put - other_q[edge]) > 0.05 * min(1.0, scale) + NEARLY:
                return False
    stretch = scales[0] * aspect / scales[1]
    return 1 / 1.5 - NEARLY <= stretch <= 1.5 + NEARLY


def brute_force(
    query: tuple[SegmentHashes, tuple[int, int]],
    library: dict[str, tuple[SegmentHashes, tuple[int, int]]],
    radius: int,
    min_segments: int,
) -> list[tuple[str, int, str]]:
    found = []
    mine = used(*query)
    for name, (segments, size_px) in library.items():
        aspect = round(query[1][0] / query[1][1], 5) / round(size_px[0] / size_px[1], 5)
        pairs = []
        for (i, (a, q)), (j, (b, r)) in itertools.product(
            enumerate(mine), enumerate(used(segments, size_px))
        ):
            distance = naive.hamming(a.packed, b.packed)
            if distance <= radius:
                pairs.append((distance, i, j, q, r))
        pairs.sort()
        best: list[Any] = []
        for _, _, _, q, r in pairs:
            taken: list[Any] = []
            for pair in pairs:
                free = all(
                    pair[1] != one[1]
                    and pair[2] != one[2]
                    and overlap(pair[3], one[3]) <= 0.5 + NEARLY
                    and overlap(pair[4], one[4]) <= 0.5 + NEARLY
                    for one in taken
                )
                if free and explains(q, r, pair[3], pair[4], aspect):
                    taken.append(pair)
            if taken and (-len(taken), mean(taken)) < (-len(best), mean(best)):
                best = taken
        if len(best) >= min_segments:
            found.append((-len(best), round(mean(best)), name))
    return [
        (name, distance, f"{-n} segments" if n < -1 else "1 segment")
        for n, distance, name in sorted(found)
    ]


def mean(pairs: list[Any]) -> float:
    return sum(int(pair[0]) for pair in pairs) / max(1, len(pairs))


def told(matches: list[fp.Match]) -> list[tuple[str, int, str]]:
    return [(m.id, m.distance, m.transform) for m in matches]


@st.composite
def cut_up(draw: st.DrawFn) -> tuple[SegmentHashes, tuple[int, int]]:
    """Few different hashes and boxes that are moved a little: many pairs, near the tolerance."""
    w, h = draw(st.sampled_from([(600, 400), (400, 600), (311, 407)]))
    n = draw(st.integers(1, 20))
    boxes, hashes, quality = [], [], []
    scale = draw(st.sampled_from([1.0, 0.5, 0.8]))
    for _ in range(n):
        x, y = draw(st.integers(0, 5)) * 0.1, draw(st.integers(0, 5)) * 0.1
        side = draw(st.sampled_from([0.12, 0.2, 0.5]))
        moved = [v + draw(st.integers(-13, 13)) / 300 for v in (x, y, x + side, y + side)]
        edges = [min(1.0, max(0.0, scale * v)) for v in moved]
        left, top, right, bottom = (round(v * (w, h)[k % 2]) for k, v in enumerate(edges))
        boxes.append((min(left, right), min(top, bottom), max(left, right), max(top, bottom)))
        bits = draw(st.sampled_from([0x0F0F, 0x0F0E, 0xFF0000, 0xFF0007, 0xABCDEF]))
        hashes.append(bits.to_bytes(8, "big"))
        quality.append(draw(st.sampled_from([100, 50, 49, -1])))
    packed = np.frombuffer(b"".join(hashes), np.uint8).reshape(n, 8)
    array = fp.HashArray(packed, "dhash", quality=quality)
    return SegmentHashes("crop_resistant", array, tuple(boxes)), (w, h)


@settings(deadline=None)
@given(cut_up(), st.lists(cut_up(), min_size=1, max_size=4), st.integers(0, 12), st.integers(1, 4))
def test_it_finds_what_comparing_all_with_all_finds(
    query: tuple[SegmentHashes, tuple[int, int]],
    others: list[tuple[SegmentHashes, tuple[int, int]]],
    radius: int,
    min_segments: int,
) -> None:
    library = {f"p{n}": one for n, one in enumerate([query, *others])}
    pictures = SegmentIndex("crop_resistant")
    for name, (segments, size_px) in library.items():
        pictures.add(name, segments, size_px=size_px)
    expected = brute_force(query, library, radius, min_segments)
    if len(used(*query)) < min_segments:
        with pytest.warns(LowQualityWarning):
            assert (
                pictures.search(
                    query[0], size_px=query[1], radius=radius, min_segments=min_segments
                )
                == []
            )
        return
    found = pictures.search(query[0], size_px=query[1], radius=radius, min_segments=min_segments)
    assert told(found) == expected


@pytest.mark.parametrize(
    "algorithm", ["crop_resistant", "crop_resistant:phash", "crop_resistant:pdq"]
)
@pytest.mark.parametrize("edit", ["unedited", "crop_left:0.3", "rotate:2"])
def test_of_pictures_too(algorithm: str, edit: str) -> None:
    originals = [*PICTURES, *(photo(seed, 240, 320) for seed in range(4))]
    pictures, library = SegmentIndex(algorithm), {}
    for n, pixels in enumerate(originals):
        pictures.add(str(n), pixels)
        library[str(n)] = fp.hash_segments(pixels, algorithm), (pixels.shape[1], pixels.shape[0])
    radius = int(0.175 * pictures.index.bits)
    for pixels in originals[::5]:
        edited = Edit.parse(edit)(pixels)
        query = fp.hash_segments(edited, algorithm), (edited.shape[1], edited.shape[0])
        expected = brute_force(query, library, radius, 1)
        assert told(pictures.search(edited, min_segments=1)) == expected
        assert expected or edit != "unedited"


def test_photographs_by_brute_force(photos: list[Path]) -> None:
    chosen = photos[:: max(1, len(photos) // 16)]
    pictures, library = SegmentIndex("crop_resistant"), {}
    for path in chosen:
        with_size = Original(path.name, "", path).pixels(400)
        library[path.name] = fp.hash_segments(with_size), with_size.shape[1::-1]
        pictures.add(path.name, library[path.name][0], size_px=library[path.name][1])
    for name, query in list(library.items())[::4]:
        if len(used(*query)) < 2:
            continue
        found = pictures.search(query[0], size_px=query[1], radius=16)
        assert told(found) == brute_force(query, library, 16, 2), name


# What counts as evidence.


def segments_at(*boxes: tuple[int, int, int, int], same: bool = False) -> SegmentHashes:
    """Return segments of a picture of 100 x 100, with hashes far from each other."""
    rng = np.random.default_rng(5)
    packed = rng.integers(0, 256, (len(boxes), 8), dtype=np.uint8)
    packed = packed[:1].repeat(len(boxes), axis=0) if same else packed
    return SegmentHashes("crop_resistant", fp.HashArray(packed, "dhash"), boxes)


THREE = ((0, 0, 20, 20), (60, 10, 90, 40), (20, 60, 60, 90))


def transforms_found(
    stored: SegmentHashes, asked: SegmentHashes, size_px: tuple[int, int] = (100, 100), **how: Any
) -> list[str]:
    pictures = SegmentIndex("crop_resistant")
    pictures.add("a", stored, size_px=(100, 100))
    return [m.transform for m in pictures.search(asked, size_px=size_px, **how)]


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        (THREE, ["3 segments"]),
        # Half as large, in a corner, as in a collage.
        ([(50, 50, 60, 60), (80, 55, 95, 70), (60, 80, 80, 95)], ["3 segments"]),
        # One is elsewhere.
        ([(0, 0, 20, 20), (60, 10, 90, 40), (40, 60, 80, 90)], ["2 segments"]),
        # Mirrored: no shift and scale does that.
        ([(80, 0, 100, 20), (10, 10, 40, 40), (40, 60, 80, 90)], []),
        # Each of another size.
        ([(0, 0, 40, 40), (60, 10, 70, 20), (20, 60, 30, 90)], []),
    ],
)
def test_boxes_must_agree(boxes: tuple[Any, ...], expected: list[str]) -> None:
    assert transforms_found(segments_at(*THREE), segments_at(*boxes)) == expected


@pytest.mark.parametrize(("moved", "n"), [(4, 3), (5, 3), (6, 2)])
@pytest.mark.parametrize("scale", [1, 2])
def test_how_far_edges_may_be_off(moved: int, n: int, scale: int) -> None:
    # Of the larger picture: half as large in a collage, or the original of such a one.
    *two, (left, top, right, bottom) = THREE
    small = [*two, (left + moved, top, right + moved, bottom)]
    query = segments_at(*(tuple(scale * edge for edge in box) for box in small))  # type: ignore[arg-type]
    assert transforms_found(segments_at(*THREE), query, (scale * 100,) * 2) == [f"{n} segments"]
    half = transforms_found(segments_at(*THREE), segments_at(*small), (200, 200))
    assert half == [f"{n} segments"]
    halved = [tuple(edge // 2 for edge in box) for box in THREE]
    double = transforms_found(segments_at(*halved), segments_at(*small))  # type: ignore[arg-type]
    assert double == [f"{n} segments"]


@pytest.mark.parametrize(("size_px", "n"), [((100, 100), 1), ((140, 100), 1), ((160, 100), 0)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_copy_may_be_stretched_by_half(size_px: tuple[int, int], n: int, turned: bool) -> None:
    boxes = [tuple(edge * size_px[k % 2] // 100 for k, edge in enumerate(box)) for box in THREE]
    if turned:
        size_px = size_px[::-1]
        boxes = [tuple(edge * size_px[k % 2] // 100 for k, edge in enumerate(b)) for b in THREE]
    assert len(transforms_found(segments_at(*THREE), segments_at(*boxes), size_px)) == n  # type: ignore[arg-type]


def test_one_place_is_evidence_once() -> None:
    nested = ((0, 0, 90, 90), (5, 0, 95, 90), (0, 5, 90, 95))
    assert transforms_found(segments_at(*nested), segments_at(*nested)) == []
    assert transforms_found(segments_at(*nested), segments_at(*nested), min_segments=1) == [
        "1 segment"
    ]
    # One within another, much smaller, is another place.
    within = ((0, 0, 90, 90), (5, 5, 40, 40))
    assert transforms_found(segments_at(*within), segments_at(*within)) == ["2 segments"]


@pytest.mark.parametrize(("moved", "n"), [(26, 1), (28, 2)])
def test_places_that_share_half_of_their_union_are_one(moved: int, n: int) -> None:
    boxes = ((0, 0, 80, 80), (moved, 0, 80 + moved, 80))  # 54 of 106, 52 of 108.
    pictures = SegmentIndex("crop_resistant")
    pictures.add("a", segments_at(*boxes), size_px=(110, 100))
    found = pictures.search(segments_at(*boxes), size_px=(110, 100), min_segments=n)
    assert [m.transform for m in found] == ["1 segment" if n == 1 else "2 segments"]


def test_segments_that_look_alike_are_paired_once() -> None:
    # Each of three is like each of three.
    alike = segments_at(*THREE, same=True)
    assert transforms_found(alike, alike) == ["3 segments"]
    one = segments_at(THREE[0], same=True)
    assert transforms_found(alike, one, min_segments=1) == ["1 segment"]
    assert transforms_found(one, alike) == []


def test_a_picture_of_very_many_segments() -> None:
    boxes = [(x, y, x + 4, y + 4) for x in range(0, 100, 5) for y in range(0, 100, 5)]
    many = segments_at(*boxes, same=True)
    assert transforms_found(many, many) == ["16 segments"]


# As an index.


def test_matches(index: SegmentIndex) -> None:
    (match, *_) = index.search(PICTURES[3])
    assert (match.id, match.distance, match.quality) == ("p3", 0, 100)
    assert match.metadata == {"n": 3, "even": False}
    assert match.transform.endswith(" segments")
    assert [m.id for m in index.search(PICTURES[3], where={"even": True})] == []
    assert [m.id for m in index.search(PICTURES[2], where=lambda known: known["n"] == 2)] == ["p2"]
    assert [m.id for m in index.search(PICTURES[3], min_segments=7)] == ["p3"]


@pytest.mark.parametrize("edit", ["scale:0.5", "jpeg:50", "crop_left:0.2", "collage_2x2:0.02"])
def test_edited_copies_are_found_and_strangers_not(index: SegmentIndex, edit: str) -> None:
    companions = [blocks(seed) for seed in (71, 72, 73)]
    pixels = Edit.parse(edit)(PICTURES[1], companions=companions)
    assert [m.id for m in index.search(pixels)] == ["p1"]
    for stranger in companions:
        assert index.search(stranger) == []


def test_it_is_a_collection_of_pictures(index: SegmentIndex) -> None:
    assert list(index) == [f"p{n}" for n in range(6)]
    assert len(index) == 6 < len(index.index)
    assert "p0" in index
    assert "p0||0" not in index
    assert "p9" not in index
    entry = index.get("p4")
    assert (entry.id, entry.metadata) == ("p4", {"n": 4, "even": True})
    assert index.entry_ids("p4") == [one for one in index.index if one.startswith("p4||")]
    assert "SegmentIndex of crop_resistant" in repr(index)


def test_what_is_removed_or_replaced_leaves_nothing() -> None:
    pictures = SegmentIndex("crop_resistant")
    pictures.add("a", PICTURES[0], {"old": True})
    pictures.add("a|", PICTURES[1])
    with pytest.raises(DuplicateIdError):
        pictures.add("a", PICTURES[2])
    pictures.add("a", PICTURES[2], overwrite=True)
    assert pictures.get("a").metadata == {}
    assert pictures.search(PICTURES[0]) == []
    assert [m.id for m in pictures.search(PICTURES[2])] == ["a"]
    pictures.remove("a")
    assert list(pictures) == ["a|"]
    assert [m.id for m in pictures.search(PICTURES[1])] == ["a|"]
    pictures.remove("a|")
    assert len(pictures.index) == 0
    for call in (pictures.remove, pictures.get, pictures.entry_ids):
        with pytest.raises(UnknownIdError, match="'a'"):
            call("a")


def test_a_failed_transaction_changes_nothing() -> None:
    pictures = SegmentIndex("crop_resistant")
    pictures.add("a", PICTURES[0])
    before = list(pictures.index)

    def change() -> None:
        with pictures.index.transaction():
            pictures.remove("a")
            pictures.add("b", PICTURES[1])
            assert list(pictures) == ["b"]
            pictures.add("c", b"no picture")

    with pytest.raises(DecodeError):
        change()
    assert list(pictures.index) == before
    with pytest.raises(TypeError):
        pictures.add("a", PICTURES[1], {"not": {1, 2}}, overwrite=True)
    assert list(pictures.index) == before


@pytest.mark.parametrize(
    "algorithm", ["crop_resistant", "crop_resistant:phash", "crop_resistant:pdq"]
)
def test_on_disk(tmp_path: Path, algorithm: str) -> None:
    with SegmentIndex.create(tmp_path / "x", algorithm) as pictures:
        for n, pixels in enumerate(PICTURES):
            pictures.add(str(n), pixels, {"n": n})
        expected = [pictures.search(pixels) for pixels in PICTURES]
    with SegmentIndex.open(tmp_path / "x", read_only=True) as pictures:
        assert pictures.algorithm == algorithm
        assert [pictures.search(pixels) for pixels in PICTURES] == expected
        assert all(found and found[0].id == str(n) for n, found in enumerate(expected))
    with pytest.raises(IncompatibleHashError):
        SegmentIndex.open(tmp_path / "x", "crop_resistant:whash")
    with fp.Index.open(tmp_path / "x") as plain:  # Nothing kept it open.
        pictures = SegmentIndex.over(plain)
        for name in list(pictures):
            pictures.remove(name)
        assert len(plain) == 0


def test_entries_of_others_are_no_pictures() -> None:
    pictures = SegmentIndex("crop_resistant")
    pictures.add("a", PICTURES[0])
    for n, one in enumerate(fp.hash_segments(PICTURES[0]).segments):
        place = {"fingerprint.segment": {"box": [0, 0, "x"], "aspect": 1}}
        pictures.index.add([f"b{n}", f"b||{n}"], [one, one], [{"what": "mine"}, place])
    assert [m.id for m in pictures.search(PICTURES[0])] == ["a"]
    pictures.index.remove("a||1")  # By another tool.
    pictures.remove("a")
    assert not any(name.startswith("a") for name in pictures.index)


def test_pictures_with_little_in_them(index: SegmentIndex) -> None:
    flat = np.full((200, 300, 3), 90, np.uint8)
    with pytest.warns(LowQualityWarning, match="0 segments of the query"):
        assert index.search(flat) == []
    pictures = SegmentIndex("crop_resistant")
    pictures.add("flat", flat, {"n": 1})
    pictures.add("p0", PICTURES[0])
    assert len(pictures) == 2
    assert pictures.get("flat").metadata == {"n": 1}
    with pytest.warns(LowQualityWarning):
        assert pictures.search(flat, min_segments=1) == []
    pictures.remove("flat")
    assert list(pictures) == ["p0"]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"min_segments": 0}, ValueError, "min_segments: expected at least 1, got 0"),
        ({"min_segments": "2"}, ValueError, "min_segments"),
        ({"radius": 65}, ValueError, "radius"),
        ({"radius": -1}, ValueError, "radius"),
        ({"where": 3}, TypeError, "where"),
        ({"size_px": (10, 10)}, ValueError, "size_px"),
        ({"orientation": "sideways"}, ValueError, "orientation"),
    ],
)
def test_wrong_questions(
    index: SegmentIndex, wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        index.search(PICTURES[0], **wrong)


def test_wrong_pictures_and_ids() -> None:
    pictures = SegmentIndex("crop_resistant")
    segments = fp.hash_segments(PICTURES[0])
    with pytest.raises(ValueError, match=r"id: expected one without '\|\|'"):
        pictures.add("a||b", PICTURES[0])
    for name in ("fingerprint.segment", "fingerprint.segments"):
        with pytest.raises(ValueError, match=f"metadata: '{name}'"):
            pictures.add("a", PICTURES[0], {name: 1})
    for size_px in (None, (480,), (0, 5), (4.5, 3), 7, (100, 100)):
        with pytest.raises(ValueError, match=r"size_px|box"):
            pictures.add("a", segments, size_px=size_px)  # type: ignore[arg-type]
    with pytest.raises(IncompatibleHashError, match="expected segments of crop_resistant, got"):
        pictures.add("a", fp.hash_segments(PICTURES[0], "crop_resistant:phash"), size_px=(480, 360))
    unboxed = SegmentHashes("crop_resistant", segments.segments, ())
    with pytest.raises(ValueError, match="a box for each"):
        pictures.add("a", unboxed, size_px=(480, 360))
    with pytest.raises(DecodeError):
        pictures.search(b"no picture")
    assert len(pictures.index) == 0
    with pytest.raises(UnsupportedOperationError, match="pdq makes one hash"):
        SegmentIndex("pdq")
    with pytest.raises(IncompatibleHashError, match="phash hashes of 64 bits"):
        SegmentIndex.over(fp.Index("pdq"), "crop_resistant:phash")
