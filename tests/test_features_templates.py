"""Different pictures do not convince, nor does what is around them: frames, words, logos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fingerprint.features import local_features, verify
from fingerprint.typing import U8
from tests.feature_pictures import HEIGHT, WIDTH, textured


def test_different_pictures_do_not_convince() -> None:
    features = [local_features(textured(seed), max_features=500) for seed in range(16)]
    worst = max(
        verify(features[i], features[j]).evidence for i in range(16) for j in range(16) if i != j
    )
    assert worst < 30


def screen(pixels: U8, *, height: int = 900) -> U8:
    """Show it in an app: the same bars, names and words whatever the picture."""
    picture = Image.new("RGB", (WIDTH, height), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(20)
    words = "somebody posted this just now and everybody likes it very much indeed"
    for row in range(4):
        draw.text((12, 10 + 28 * row), words[7 * row :], "black", font)
    picture.paste(Image.fromarray(pixels), (0, 130))
    for row in range(12):
        draw.text((12, 510 + 28 * row), words[4 * row :] + words, "black", font)
    for i in range(5):
        draw.regular_polygon((50 + 90 * i, 870, 20), 3 + i, outline="black", width=4)
    return np.asarray(picture)


def lettered(pixels: U8) -> U8:
    """Write outlined words over it."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for words, y in (("WHEN SOMEBODY SAYS", 8), ("THAT IT IS MONDAY", 300)):
        font = ImageFont.load_default(44)
        draw.text((20, y), words, "white", font, stroke_width=3, stroke_fill="black")
    return np.asarray(picture)


def badged(pixels: U8) -> U8:
    """Put a logo into a corner."""
    pixels = pixels.copy()
    pixels[-110:-10, -110:-10] = textured(99, 100, 100)
    return pixels


@pytest.mark.parametrize("template", [screen, lettered, badged])
def test_what_templates_share_does_not_convince(template: object) -> None:
    assert callable(template)
    pictures = [textured(seed) for seed in range(30, 34)]
    features = [local_features(template(p), max_features=2000) for p in pictures]
    for i, query in enumerate(features):
        for j, reference in enumerate(features):
            assert verify(query, reference, mirrored=False).convincing == (i == j)
        found = verify(query, pictures[i], mirrored=False)
        assert found.convincing, "the copy in the template is still found"


def test_text_is_compared_where_there_is_nothing_else() -> None:
    blank = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    page = screen(blank)
    assert verify(page[:700], page).convincing
    # A picture in the same frame contradicts one without.
    assert not verify(page, screen(textured(7))).convincing
    assert not verify(screen(textured(7)), page).convincing


def test_photographs_in_and_out_of_frames(photos: list[Path]) -> None:
    chosen = [path for path in photos if "recipes" in path.parts][:60:10]
    references = [local_features(path, mirrored=False) for path in chosen]
    for i, path in enumerate(chosen):
        with Image.open(path) as opened:
            picture = opened.convert("RGB").resize((WIDTH, HEIGHT))
        query = local_features(screen(np.asarray(picture)), max_features=3000)
        found = [verify(query, reference).convincing for reference in references]
        assert found == [i == j for j in range(len(chosen))]
