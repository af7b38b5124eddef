"""Pictures within a picture: known rectangles are found, and nothing breaks without any."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint.evaluate import Edit, photo
from fingerprint.typing import U8
from fingerprint.views.panels import inside_bars, panels
from fingerprint.views.placements import Placement, levels_of

N = 16
AT_MOST = 24
Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""


@cache
def ground(seed: int) -> U8:
    chance = np.random.default_rng(seed)
    texture = cv2.resize(chance.normal(0, 30, (12, 16, 3)).astype(np.float32), (600, 450))
    return np.asarray(np.clip(photo(seed, 450, 600) + texture, 0, 255), np.uint8)


def busy(seed: int, h: int, w: int) -> U8:
    """Return a part of a generated picture without a plain ground, whose edges show."""
    whole = ground(seed % 12)[:, :: 1 - 2 * (seed // 12 % 2)]
    y, x = (int(n * ((seed * 7919) % 100) / 100) for n in (450 - h, 600 - w))
    return whole[y : y + h, x : x + w].copy()


def error(found: list[Placement], box: Box, pixels: U8) -> float:
    """Return how far the nearest one is off on its worst side, in shares of that side."""
    h, w = pixels.shape[:2]
    truth = box[0] / w, box[1] / h, box[2] / w, box[3] / h
    offs = [max(abs(a - b) for a, b in zip(one[:4], truth, strict=True)) for one in found]
    assert all(one.degrees == 0 for one in found)
    return min(offs, default=1.0)


def share_found(
    make: Callable[[int], tuple[U8, Box]], look: Callable[[U8], list[Placement]]
) -> float:
    pairs = [make(seed) for seed in range(N)]
    return float(np.mean([error(look(pixels), box, pixels) <= 0.01 for pixels, box in pairs]))


def bars_of(pixels: U8) -> list[Placement]:
    return inside_bars(levels_of(pixels))


def panels_of(pixels: U8) -> list[Placement]:
    return panels(levels_of(pixels), AT_MOST)


def either(pixels: U8) -> list[Placement]:
    return bars_of(pixels) + panels_of(pixels)


def barred(seed: int, sides: str, *, noise: float = 0.0, factor: float = 1.0) -> tuple[U8, Box]:
    """Put bars of any width and colour around a picture."""
    chance = np.random.default_rng(seed)
    h, w = (int(n) for n in chance.integers(200, 420, 2))
    left, right = (int(n) for n in chance.integers(6, 90, 2)) if "x" in sides else (0, 0)
    top, bottom = (int(n) for n in chance.integers(6, 90, 2)) if "y" in sides else (0, 0)
    colour = chance.choice([0, 255, int(chance.integers(256))])
    whole = np.full((h + top + bottom, w + left + right, 3), colour, np.uint8)
    whole[top : top + h, left : left + w] = busy(seed, h, w)
    if noise:
        whole = np.clip(whole + chance.normal(0, noise, whole.shape), 0, 255).astype(np.uint8)
    box = left, top, left + w, top + h
    if factor != 1:
        smaller = cv2.resize(whole, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        whole = np.asarray(smaller, np.uint8)
        left, top, right, bottom = (round(n * factor) for n in box)
        box = left, top, right, bottom
    return whole, box


@pytest.mark.parametrize("sides", ["x", "y", "xy"])
@pytest.mark.parametrize(("noise", "factor"), [(0, 1), (3, 1), (0, 0.7), (0, 3)])
def test_bars(sides: str, noise: float, factor: float) -> None:
    found = share_found(lambda seed: barred(seed, sides, noise=noise, factor=factor), bars_of)
    assert found >= 0.9


@pytest.mark.parametrize("edit", ["meme_caption", "meme_caption_below", "meme_caption_both"])
def test_captions(edit: str) -> None:
    def captioned(seed: int) -> tuple[U8, Box]:
        pixels = busy(seed, 300, 400)
        whole = Edit.parse(f"{edit}:0.2+jpeg:75")(pixels, seed)
        rows = whole.shape[0]
        top = {"meme_caption": rows - 300, "meme_caption_below": 0}.get(edit, (rows - 300) // 2)
        return whole, (0, top, 400, top + 300)

    assert share_found(captioned, either) >= 0.9


def cells(seed: int, rows: int, columns: int, gap: int) -> tuple[U8, list[Box]]:
    """Lay a grid of pictures with seams anywhere."""
    chance = np.random.default_rng(seed)
    heights = chance.integers(120, 240, rows)
    widths = chance.integers(140, 280, columns)
    whole = np.full(
        (heights.sum() + gap * (rows + 1), widths.sum() + gap * (columns + 1), 3), 255, np.uint8
    )
    boxes = []
    y = gap
    for i, h in enumerate(heights.tolist()):
        x = gap
        for j, w in enumerate(widths.tolist()):
            whole[y : y + h, x : x + w] = busy(100 * seed + 10 * i + j, h, w)
            boxes.append((x, y, x + w, y + h))
            x += w + gap
        y += h + gap
    return whole, boxes


@pytest.mark.parametrize("gap", [0, 4, 8])
@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (2, 1), (2, 2), (1, 3), (3, 2)])
def test_collages(rows: int, columns: int, gap: int) -> None:
    hits = total = 0
    for seed in range(5):
        whole, boxes = cells(seed, rows, columns, gap)
        found = panels_of(whole)
        hits += sum(error(found, box, whole) <= 0.01 for box in boxes)
        total += len(boxes)
    assert hits / total >= 0.9


@pytest.mark.parametrize("share", [0.4, 0.6, 0.8])
def test_pictures_in_pictures(share: float) -> None:
    def laid(seed: int) -> tuple[U8, Box]:
        chance = np.random.default_rng(seed)
        whole = busy(seed, 360, 480)
        h, w = round(360 * share), round(480 * share)
        y, x = int(chance.integers(0, 361 - h)), int(chance.integers(0, 481 - w))
        whole[y : y + h, x : x + w] = busy(seed + 500, h, w)
        return whole, (x, y, x + w, y + h)

    assert share_found(laid, panels_of) >= 0.75


def test_screens_of_telephones() -> None:
    found = 0
    for seed in range(N):
        pixels = busy(seed, 300, 400)
        screen = Edit.parse("screenshot")(pixels, seed)
        shape = [
            (one.right - one.left) * screen.shape[1] / ((one.bottom - one.top) * screen.shape[0])
            for one in either(screen)
        ]
        found += any(abs(one / (4 / 3) - 1) < 0.03 for one in shape)
    assert found >= 0.9 * N


def check(pixels: U8) -> None:
    levels = levels_of(pixels)
    bars, seams = inside_bars(levels), panels(levels, AT_MOST)
    assert len(bars) <= 4
    assert len(seams) <= AT_MOST
    assert len(panels(levels, 3)) <= 3
    for one in bars + seams:
        assert 0 <= one.left < one.right <= 1
        assert 0 <= one.top < one.bottom <= 1
        assert one.degrees == 0
    assert len(set(bars)) == len(bars)
    assert len(set(seams)) == len(seams)


sides = st.integers(1, 90) | st.sampled_from([1, 2, 7, 8, 63, 64, 65, 128, 511, 512, 513, 900])


@given(sides, sides, st.integers(0, 255), st.booleans())
def test_flat_pictures(h: int, w: int, level: int, grey: bool) -> None:
    pixels = np.full((h, w) if grey else (h, w, 3), level, np.uint8)
    check(pixels)
    levels = levels_of(pixels)
    assert inside_bars(levels) == panels(levels, AT_MOST) == []


@given(sides, sides, st.integers(0, 1000), st.sampled_from(["noise", "bits", "photo", "rows"]))
def test_anything(h: int, w: int, seed: int, kind: str) -> None:
    chance = np.random.default_rng(seed)
    if kind == "noise":
        pixels = chance.integers(0, 256, (h, w, 3), dtype=np.uint8)
    elif kind == "bits":
        pixels = 255 * chance.integers(0, 2, (h, w), dtype=np.uint8)
    elif kind == "photo":
        pixels = photo(seed, min(h, 200), min(w, 200))
    else:
        pixels = np.repeat(chance.integers(0, 256, (h, 1), dtype=np.uint8), w, axis=1)
    check(pixels)


def test_noise_has_no_panels() -> None:
    for seed in range(6):
        noise = np.random.default_rng(seed).integers(0, 256, (300, 400, 3), dtype=np.uint8)
        assert bars_of(noise) == panels_of(noise) == []


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_turned_pictures_have_turned_panels(turn: int) -> None:
    alike = total = 0
    for seed in range(6):
        whole, _ = cells(seed, 2, 2, 4)
        upright = set()
        for one in panels_of(whole):
            left, top, right, bottom = one[:4]
            for _ in range(turn):
                left, top, right, bottom = top, 1 - right, bottom, 1 - left
            upright.add((left, top, right, bottom))
        turned = [one[:4] for one in panels_of(np.ascontiguousarray(np.rot90(whole, turn)))]
        total += len(upright)
        alike += sum(
            any(max(abs(a - b) for a, b in zip(one, two, strict=True)) < 0.012 for two in turned)
            for one in upright
        )
    assert alike >= 0.6 * total
