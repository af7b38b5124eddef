"""The edits and the templates that local features are measured with.

An edit takes RGB pixels, a generator and other pictures, and returns pixels. A template puts
a picture into something that other pictures are put into as well: same seed, same template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["EDITS", "TEMPLATES", "Edit"]

Edit = Callable[["U8", np.random.Generator, Sequence["U8"]], "U8"]
Template = Callable[["U8", np.random.Generator], "U8"]

_TEXT = (
    "when the weather changes again nobody told me that this would happen on a monday morning "
    "people really think they can just walk in here and take all of it home see more reply share "
    "like comment follow posted by yesterday original photo credit breaking news look at this"
)
_WORDS = tuple(_TEXT.split())


def _resized(pixels: U8, width: float, height: float) -> U8:
    how = cv2.INTER_AREA if width < pixels.shape[1] else cv2.INTER_CUBIC
    size = max(1, round(width)), max(1, round(height))
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def _sentence(rng: np.random.Generator, n: int) -> str:
    return " ".join(rng.choice(_WORDS, n))


def _font(size_px: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype("DejaVuSans.ttf", max(6, round(size_px)))
    except OSError:
        return ImageFont.load_default(max(6, round(size_px)))


def _jpeg(pixels: U8, quality: int) -> U8:
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, 1), np.uint8)[..., ::-1])


def _wrapped(draw: ImageDraw.ImageDraw, text: str, font: object, width: float) -> str:
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and draw.textlength(longer, font) > width:  # type: ignore[arg-type]
            lines.append(line)
            line = word
        else:
            line = longer
    return "\n".join([*lines, line])


def phone(pixels: U8, rng: np.random.Generator) -> U8:
    """Show it in an app on a phone, 9:19.5."""
    width = 720
    height = round(width * 19.5 / 9)
    dark = rng.random() < 0.5
    back, ink = ((18, 18, 20), (235, 235, 235)) if dark else ((255, 255, 255), (20, 20, 20))
    screen = Image.new("RGB", (width, height), back)
    draw = ImageDraw.Draw(screen)
    draw.text((30, 14), f"{rng.integers(24)}:{rng.integers(60):02}", ink, _font(28))
    for i in range(4):
        left = width - 50 - 45 * i
        draw.rectangle((left, 18, left + 30, 40), outline=ink, width=3)
    draw.text((70, 75), _sentence(rng, 2).title(), ink, _font(38))
    draw.line((24, 98, 44, 78), ink, 5)
    draw.line((24, 98, 44, 118), ink, 5)
    draw.line((0, 140, width, 140), (128, 128, 128), 2)
    tint = tuple(int(v) for v in rng.integers(60, 230, 3))
    draw.ellipse((24, 160, 94, 230), fill=tint)
    draw.text((112, 165), _sentence(rng, 2), ink, _font(28))
    draw.text((112, 200), _sentence(rng, 3), (128, 128, 128), _font(22))
    shown = _resized(pixels, width, width * pixels.shape[0] / pixels.shape[1])
    most = height - 600
    shown = shown[:most]
    top = 250
    screen.paste(Image.fromarray(shown), (0, top))
    y = top + shown.shape[0] + 20
    for i in range(3):
        draw.regular_polygon((50 + 75 * i, y + 30, 24), 3 + i, outline=ink, width=4)
    font = _font(26)
    draw.text((24, y + 75), f"{rng.integers(2, 9000)} likes", ink, font)
    draw.text((24, y + 115), _wrapped(draw, _sentence(rng, 22), font, width - 48), ink, font)
    draw.line((0, height - 90, width, height - 90), (128, 128, 128), 2)
    for i in range(5):
        box = (50 + 145 * i, height - 70, 90 + 145 * i, height - 30)
        draw.rounded_rectangle(box, 8, outline=ink, width=5)
    return np.asarray(screen)


def caption(pixels: U8, rng: np.random.Generator) -> U8:
    """Write black on a white bar above it."""
    height, width = pixels.shape[:2]
    size = max(9, width / 15)
    font = _font(size)
    probe = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    text = _wrapped(probe, _sentence(rng, int(rng.integers(6, 16))), font, width * 0.94)
    bar = round((text.count("\n") + 1.6) * size * 1.25)
    picture = Image.new("RGB", (width, height + bar), "white")
    ImageDraw.Draw(picture).text((width * 0.03, size * 0.3), text, "black", font)
    picture.paste(Image.fromarray(pixels), (0, bar))
    return np.asarray(picture)


def text_inside(pixels: U8, rng: np.random.Generator) -> U8:
    """Write white, outlined letters over the upper and the lower part."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    size = max(9, pixels.shape[0] / 11)
    font = _font(size)
    for y in (0.04, 0.83):
        where = (pixels.shape[1] / 2, pixels.shape[0] * y)
        words = _sentence(rng, 3).upper()
        draw.text(where, words, "white", font, "ma", stroke_width=3, stroke_fill="black")
    return np.asarray(picture)


def watermark(pixels: U8, rng: np.random.Generator) -> U8:
    """Write the same words all over, four tenths opaque."""
    height, width = pixels.shape[:2]
    words = _sentence(rng, 2)
    layer = Image.new("L", (2 * width, 2 * height), 0)
    draw = ImageDraw.Draw(layer)
    size = max(height, width) / 22
    for row in range(60):
        if row * size * 2.4 > 2 * height:
            break
        text = (words + "     ") * 12
        draw.text((-row % 3 * size * 2, row * size * 2.4), text, 102, _font(size))
    turned = layer.rotate(30).crop(
        (width // 2, height // 2, width // 2 + width, height // 2 + height)
    )
    picture = Image.fromarray(pixels)
    picture.paste("white", mask=turned)
    return np.asarray(picture)


def logo(pixels: U8, rng: np.random.Generator) -> U8:
    """Put a round logo with a name into a corner, a quarter of the shorter side."""
    picture = Image.fromarray(pixels)
    side = round(min(pixels.shape[:2]) * 0.25)
    badge = Image.new("RGB", (120, 120), tuple(int(v) for v in rng.integers(0, 255, 3)))
    draw = ImageDraw.Draw(badge)
    draw.ellipse((8, 8, 112, 112), outline="white", width=6)
    draw.regular_polygon((60, 50, 30), int(rng.integers(3, 8)), fill="white")
    draw.text((60, 88), _sentence(rng, 1), "black", _font(18), "mm")
    badge = badge.resize((side, side), Image.Resampling.LANCZOS)
    picture.paste(badge, (picture.width - side - 5, picture.height - side - 5))
    return np.asarray(picture)


def card(pixels: U8, rng: np.random.Generator) -> U8:
    """Show it in a post: name and words above, figures below."""
    width = 800
    shown = _resized(pixels, 720, 720 * pixels.shape[0] / pixels.shape[1])
    picture = Image.new("RGB", (width, 290 + shown.shape[0]), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((40, 25, 110, 95), fill=tuple(int(v) for v in rng.integers(40, 220, 3)))
    draw.text((125, 30), _sentence(rng, 2).title(), "black", _font(30))
    draw.text((125, 66), "@" + _sentence(rng, 1), (110, 118, 125), _font(24))
    text = _wrapped(draw, _sentence(rng, 14), _font(30), 720)
    draw.text((40, 110), text, "black", _font(30))
    picture.paste(Image.fromarray(shown), (40, 215))
    figures = (
        f"{rng.integers(99)} Replies   {rng.integers(999)} Shares   {rng.integers(9999)} Likes"
    )
    draw.text((40, 235 + shown.shape[0]), figures, (110, 118, 125), _font(26))
    return np.asarray(picture)


TEMPLATES: dict[str, Template] = {
    "phone": phone,
    "caption": caption,
    "text inside": text_inside,
    "watermark": watermark,
    "logo": logo,
    "card": card,
}


def _template(make: Template) -> Edit:
    return lambda pixels, rng, others: make(pixels, rng)


def _crop(share: float) -> Edit:
    def edit(pixels: U8, rng: np.random.Generator, others: Sequence[U8]) -> U8:
        height, width = pixels.shape[:2]
        dy, dx = round(height * share), round(width * share)
        return np.ascontiguousarray(pixels[dy : height - dy, dx : width - dx])

    return edit


def _crop_left(share: float) -> Edit:
    return lambda pixels, rng, others: np.ascontiguousarray(
        pixels[:, round(pixels.shape[1] * share) :]
    )


def _rotate(degrees: float) -> Edit:
    def edit(pixels: U8, rng: np.random.Generator, others: Sequence[U8]) -> U8:
        height, width = pixels.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        return np.asarray(cv2.warpAffine(pixels, matrix, (width, height)), np.uint8)

    return edit


def _inside(share: float) -> Edit:
    def edit(pixels: U8, rng: np.random.Generator, others: Sequence[U8]) -> U8:
        """Put it into another picture; ``share`` of its sides."""
        other = others[int(rng.integers(len(others)))]
        height, width = pixels.shape[:2]
        back = _resized(other, width, height)
        small = _resized(pixels, width * share, height * share)
        y = rng.integers(0, height - small.shape[0] + 1)
        x = rng.integers(0, width - small.shape[1] + 1)
        back[y : y + small.shape[0], x : x + small.shape[1]] = small
        return back

    return edit


def _collage(side: int) -> Edit:
    def edit(pixels: U8, rng: np.random.Generator, others: Sequence[U8]) -> U8:
        chosen = [others[i] for i in rng.choice(len(others), side * side, replace=False)]
        chosen[rng.integers(len(chosen))] = pixels
        cell_h, cell_w, gap = pixels.shape[0], pixels.shape[1], 8
        out = np.full((side * (cell_h + gap) + gap, side * (cell_w + gap) + gap, 3), 255, np.uint8)
        for i, one in enumerate(chosen):
            y, x = (gap + (i // side) * (cell_h + gap), gap + (i % side) * (cell_w + gap))
            out[y : y + cell_h, x : x + cell_w] = _filling(one, cell_w, cell_h)
        return out

    return edit


def _filling(pixels: U8, width: int, height: int) -> U8:
    factor = max(width / pixels.shape[1], height / pixels.shape[0])
    grown = _resized(pixels, pixels.shape[1] * factor + 1, pixels.shape[0] * factor + 1)
    return grown[:height, :width]


def recapture(pixels: U8, rng: np.random.Generator, others: Sequence[U8]) -> U8:
    """Photograph it from a screen: perspective, moire, colour cast, blur, JPEG."""
    height, width = pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(0.02, 0.1, (4, 2)) * (width, height) * [
        [1, 1],
        [-1, 1],
        [-1, -1],
        [1, -1],
    ]
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    seen = cv2.warpPerspective(pixels, matrix, (width, height), borderValue=(30, 28, 26))
    y, x = np.mgrid[:height, :width]
    angle, period = rng.uniform(0, np.pi), rng.uniform(3, 7)
    wave = 12 * np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
    cast = rng.uniform(0.85, 1.1, 3)
    values = cv2.GaussianBlur(seen, (0, 0), 0.8) * cast + wave[..., None]
    values += rng.normal(0, 4, values.shape)
    return _jpeg(np.clip(values, 0, 255).astype(np.uint8), 60)


def _sticker(share: float) -> Edit:
    def edit(pixels: U8, rng: np.random.Generator, others: Sequence[U8]) -> U8:
        """Cover a share of the area with a round face."""
        height, width = pixels.shape[:2]
        radius = np.sqrt(share * height * width / np.pi)
        picture = Image.fromarray(pixels)
        draw = ImageDraw.Draw(picture)
        x = rng.uniform(min(radius, width / 2), max(width - radius, width / 2))
        y = rng.uniform(min(radius, height / 2), max(height - radius, height / 2))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), "#ffcc22", "#aa7700", 4)
        for side in (-0.35, 0.35):
            at, size = (x + side * radius, y - 0.25 * radius), 0.12 * radius
            draw.ellipse((at[0] - size, at[1] - size, at[0] + size, at[1] + size), "black")
        mouth = (x - 0.5 * radius, y - 0.3 * radius, x + 0.5 * radius, y + 0.6 * radius)
        draw.arc(mouth, 20, 160, "black", max(2, round(radius / 10)))
        return np.asarray(picture)

    return edit


def _scale(factor: float) -> Edit:
    return lambda pixels, rng, others: _resized(
        pixels, pixels.shape[1] * factor, pixels.shape[0] * factor
    )


def _blur(sigma: float) -> Edit:
    def edit(pixels: U8, rng: np.random.Generator, others: Sequence[U8]) -> U8:
        return np.asarray(
            cv2.GaussianBlur(pixels, (0, 0), sigma * max(pixels.shape) / 512), np.uint8
        )

    return edit


def _noise(sigma: float) -> Edit:
    return lambda pixels, rng, others: np.clip(
        pixels + rng.normal(0, sigma, pixels.shape), 0, 255
    ).astype(np.uint8)


def _contrast(factor: float, darker: float) -> Edit:
    return lambda pixels, rng, others: np.clip(
        (128 + (pixels - 128.0) * factor) * darker, 0, 255
    ).astype(np.uint8)


def _mirror(pixels: U8, rng: np.random.Generator, others: Sequence[U8]) -> U8:
    return np.ascontiguousarray(pixels[:, ::-1])


EDITS: dict[str, Edit] = {
    "jpeg 20": lambda pixels, rng, others: _jpeg(pixels, 20),
    "phone screenshot": _template(phone),
    "post card": _template(card),
    "meme caption": _template(caption),
    "text inside": _template(text_inside),
    "tiled watermark": _template(watermark),
    "crop left 30 %": _crop_left(0.3),
    "crop left 50 %": _crop_left(0.5),
    "crop 15 % a side": _crop(0.15),
    "crop 25 % a side": _crop(0.25),
    "crop 35 % a side": _crop(0.35),
    "rotate 10": _rotate(10),
    "rotate 45": _rotate(45),
    "turn 90": lambda pixels, rng, others: np.ascontiguousarray(np.rot90(pixels)),
    "picture in picture 80 %": _inside(0.8),
    "picture in picture 60 %": _inside(0.6),
    "picture in picture 40 %": _inside(0.4),
    "collage 2x2": _collage(2),
    "collage 3x3": _collage(3),
    "recapture": recapture,
    "sticker 25 %": _sticker(0.25),
    "mirror": _mirror,
    "mirror, crop 15 % a side": lambda pixels, rng, others: _crop(0.15)(
        _mirror(pixels, rng, others), rng, others
    ),
    "aspect 1.33": lambda pixels, rng, others: _resized(
        pixels, pixels.shape[1] * 1.33, pixels.shape[0]
    ),
    "scale .25": _scale(0.25),
    "scale .1": _scale(0.1),
    "blur 3": _blur(3),
    "blur 6": _blur(6),
    "noise 25": _noise(25),
    "contrast .5, brightness .6": _contrast(0.5, 0.6),
}
