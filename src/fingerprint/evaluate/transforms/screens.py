"""The picture on a screen: what a phone saves of it, and what a camera sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from fingerprint.evaluate.transforms.base import to_u8, transform
from fingerprint.evaluate.transforms.coding import jpeg_bytes
from fingerprint.evaluate.transforms.geometry import quad
from fingerprint.evaluate.transforms.phone import Chrome, Theme

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fingerprint.typing import F32, U8

__all__: list[str] = []

_SCREEN_PX = (360, 1440)
"""Narrowest and widest screen; pictures are scaled to it, as phones do."""

_SHAPE = 19.5 / 9
_LARGEST_PX = 2000
"""Larger pictures are made smaller before a camera sees them."""


def _screen_width(pixels: U8) -> int:
    width: int = pixels.shape[1]
    return min(max(width, _SCREEN_PX[0]), _SCREEN_PX[1])


def _within(pixels: U8, width: int, height: int) -> Image.Image:
    """Return the picture scaled to the width, or to the height where it would be too high."""
    factor = min(width / pixels.shape[1], height / pixels.shape[0])
    size = max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor))
    return Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)


@transform("1", 1, limits=(1, 1))
def screenshot(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Show it in an app on a phone, with name and buttons, and save the screen (9:19.5)."""
    width = _screen_width(pixels)
    chrome = Chrome(width, round(width * _SHAPE), Theme.by_chance(chance), chance)
    top = chrome.status_bar(0)
    if chance.random() < 0.75:
        top = chrome.app_bar(top)
    top = chrome.name_line(top)
    if chance.random() < 0.35:
        top = chrome.caption(top, int(chance.integers(1, 3)))
    room = chrome.nav_top - top - round(0.2 * width)
    top = chrome.picture(_within(pixels, width, room), top)
    top = chrome.buttons(top)
    chrome.caption_to_end(top)
    chrome.nav_bar()
    return np.asarray(chrome.image)


@transform("1", 1, limits=(1, 1))
def screenshot_viewer(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Show it alone in the middle of a phone's screen and save the screen (9:19.5)."""
    width = _screen_width(pixels)
    theme = Theme.dark() if chance.random() < 0.8 else Theme.light()
    chrome = Chrome(width, round(width * _SHAPE), theme, chance)
    least = chrome.status_bar(0)
    picture = _within(pixels, width, chrome.nav_top - least)
    chrome.picture(picture, max(least, (chrome.image.height - picture.height) // 2))
    chrome.nav_bar()
    return np.asarray(chrome.image)


@transform("1", 1, limits=(1, 1))
def post_card(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Show it in a card with a name, some words, margins, round corners and counts."""
    width = _screen_width(pixels)
    margin = round(0.045 * width)
    picture = _within(pixels, width - 2 * margin, 2 * width)
    height = round(0.5 * width) + picture.height
    chrome = Chrome(width, height, Theme.by_chance(chance), chance)
    top = chrome.name_line(margin // 2)
    top = chrome.caption(top, int(chance.integers(1, 4)))
    mask = Image.new("L", picture.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, picture.width - 1, picture.height - 1), margin * 0.8, 255
    )
    chrome.image.paste(picture, ((width - picture.width) // 2, top), mask)
    end = chrome.buttons(top + picture.height + margin // 3)
    return np.asarray(chrome.image)[: min(height, end + margin // 2)]


@transform("share of all that a camera does to it", 0.3, 0.6, 1, limits=(0, 2))
def recapture(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Photograph it on a screen: slant, rim, moiré, glare, colour cast, blur, noise, JPEG."""
    import cv2

    h, w = pixels.shape[:2]
    factor = min(1.0, _LARGEST_PX / max(h, w))
    size = max(8, round(w * factor)), max(8, round(h * factor))
    shown = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    beating = shown * _moire(size[1], size[0], strength, chance)
    seen = _on_a_desk(to_u8(beating), strength, chance)
    cast = (1 + strength * chance.uniform(-0.12, 0.12, 3)).astype(np.float32)
    light: NDArray[np.floating[Any]] = seen * cast
    light = light + _glare(size[1], size[0], strength, chance)
    light = 255 * (np.clip(light, 0, 255) / 255) ** np.float32(
        1 + strength * chance.uniform(-0.15, 0.2)
    )
    sigma = 0.15 + strength * max(size) / 512 * chance.uniform(0.4, 0.9)
    soft = np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32)
    soft += np.float32(4 * strength) * chance.standard_normal(soft.shape, np.float32)
    data = jpeg_bytes(to_u8(soft), 85 - 15 * strength)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(decoded, np.uint8)[..., ::-1]


def _on_a_desk(pixels: U8, strength: float, chance: np.random.Generator) -> U8:
    """Lay the picture within a rim before something dim, seen from a slant."""
    import cv2

    h, w = pixels.shape[:2]
    rim = round(0.025 * max(h, w))
    screen = cv2.copyMakeBorder(pixels, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=(12,) * 3)
    whole = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float32)
    whole += np.array([(0, 0), (2, 0), (2, 2), (0, 2)], np.float32) * rim
    corners = quad(h, w, 0.14 * strength, chance).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(whole, corners)
    dim = (chance.uniform(25, 110, (2, 1)) * chance.uniform(0.8, 1.2, (2, 3))).astype(np.float32)
    down = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    desk = np.repeat(dim[0] * (1 - down) + dim[1] * down, w, axis=1).astype(np.uint8)
    laid = cv2.warpPerspective(
        screen, matrix, (w, h), dst=desk, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
    return np.asarray(laid, np.uint8)


def _moire(h: int, w: int, strength: float, chance: np.random.Generator) -> F32:
    """Return the factors by which the screen's and the camera's grids beat, (h, w, 3)."""
    y = np.arange(h, dtype=np.float32)[:, None] / max(h, w)
    x = np.arange(w, dtype=np.float32)[None] / max(h, w)
    total = np.zeros((h, w, 3), np.float32)
    for _ in range(2):
        waves, angle = chance.uniform(8, 45), chance.uniform(0, np.pi)
        bend = chance.uniform(-6, 6, 2)
        path = waves * (np.cos(angle) * x + np.sin(angle) * y) + bend[0] * x * y + bend[1] * y * y
        for channel, phase in enumerate(chance.uniform(0, 1.5, 3)):
            total[..., channel] += np.cos(2 * np.pi * path.astype(np.float32) + np.float32(phase))
    return 1 + np.float32(0.06 * strength) * total


def _glare(h: int, w: int, strength: float, chance: np.random.Generator) -> F32:
    """Return the light of a lamp that the glass throws back, (h, w, 1)."""
    (cy, cx), (sy, sx) = chance.uniform(0, 1, 2), chance.uniform(0.1, 0.35, 2)
    y = np.linspace(0, 1, h, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, w, dtype=np.float32)[None]
    spot = np.exp(-(((y - cy) / sy) ** 2 + ((x - cx) / sx) ** 2))
    return np.asarray(55 * strength * spot, np.float32)[..., None]
