"""One picture for a reviewer: what in the query is what in the reference."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fingerprint import media
from fingerprint.media import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from fingerprint.features.verification import Verification
    from fingerprint.typing import F64, ImageSource

__all__ = ["draw_verification"]

PANEL_PX = 640
MARGIN_PX = 16
TEXT_PX = 16
MOST_LINES = 120
_LINE, _OUTLINE, _INK, _GROUND = "#0072b2", "#e69f00", "#222222", "#ffffff"
_LINES_OPACITY = 110


def draw_verification(
    query: ImageSource,
    reference: ImageSource,
    verification: Verification,
    path: str | os.PathLike[str],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Path:
    """Draw both pictures side by side, lines between what matches, outlines of where each lies.

    The file shows both pictures, small, and only its owner can read it.

    Parameters
    ----------
    query, reference : source
        The pictures that were compared.
    verification : Verification
        What `verify` said of them.
    path : path
        PNG to write.

    Raises
    ------
    DecodeError, LimitExceededError
        A source cannot be read, or is too large.
    ValueError
        The pictures are not of the sizes that were compared.
    """
    first, left = _panel(query, verification.query_px, "query", limits)
    second, right = _panel(reference, verification.reference_px, "reference", limits)
    top = 2 * MARGIN_PX + TEXT_PX
    starts = np.array([MARGIN_PX, top]), np.array([2 * MARGIN_PX + first.width, top])
    width = max(3 * MARGIN_PX + first.width + second.width, 720)
    lines = _wrapped(str(verification), width - 2 * MARGIN_PX)
    bottom = top + max(first.height, second.height) + MARGIN_PX
    height = bottom + len(lines) * (TEXT_PX + 6) + MARGIN_PX
    sheet = Image.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(sheet, "RGBA")
    font = _font()
    for words, panel, start in (("query", first, starts[0]), ("reference", second, starts[1])):
        sheet.paste(panel, (int(start[0]), int(start[1])))
        draw.text((start[0], MARGIN_PX - 4), words, _INK, font)
    for number, line in enumerate(lines):
        draw.text((MARGIN_PX, bottom + number * (TEXT_PX + 6)), line, _INK, font)
    if verification.matrix is not None:
        _outlines(sheet, verification, (first, second), starts, (left, right))
        _lines(draw, verification, starts, (left, right))
    return _write(sheet, Path(path))


def _panel(
    source: ImageSource, size_px: tuple[int, int], name: str, limits: Limits
) -> tuple[Image.Image, float]:
    """Return the picture at the size of a panel, and pixels of it per pixel of the source."""
    array = media.decode(source, limits=limits).array
    found = array.shape[1], array.shape[0]
    if found != tuple(size_px):
        raise ValueError(
            f"{name}: expected the picture of {size_px} that was compared, got {found}"
        )
    factor = min(PANEL_PX / max(found), 4.0)
    size = max(1, round(found[0] * factor)), max(1, round(found[1] * factor))
    return Image.fromarray(array).convert("RGB").resize(size, Image.Resampling.BOX), factor


def _outlines(
    sheet: Image.Image,
    verification: Verification,
    panels: tuple[Image.Image, Image.Image],
    starts: tuple[F64, F64],
    factors: tuple[float, float],
) -> None:
    """Draw where the query lies in the reference, and the other way round."""
    matrix = verification.matrix
    if matrix is None:
        return
    width, height = verification.reference_px
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    home = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    for outline, panel, start, factor in (
        (home, panels[0], starts[0], factors[0]),
        (verification.outline, panels[1], starts[1], factors[1]),
    ):
        # Of what reaches beyond a picture only the part inside is drawn.
        layer = Image.new("RGBA", panel.size)
        points = [(float(x), float(y)) for x, y in np.clip(outline * factor, -1e5, 1e5)]
        ImageDraw.Draw(layer).line([*points, points[0]], _OUTLINE, 4, "curve")
        sheet.paste(layer, (int(start[0]), int(start[1])), layer)


def _lines(
    draw: ImageDraw.ImageDraw,
    verification: Verification,
    starts: tuple[F64, F64],
    factors: tuple[float, float],
) -> None:
    step = max(1, int(np.ceil(len(verification.points) / MOST_LINES)))
    colour = (*bytes.fromhex(_LINE[1:]), _LINES_OPACITY)
    for x, y, u, v in verification.points[::step]:
        one = starts[0] + factors[0] * np.array([x, y])
        two = starts[1] + factors[1] * np.array([u, v])
        draw.line((*one, *two), colour, 1)
        for at in (one, two):
            draw.ellipse((*(at - 3), *(at + 3)), fill=_LINE, outline="white")


def _wrapped(text: str, width: float) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and _font().getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]


def _font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(TEXT_PX)


def _write(sheet: Image.Image, path: Path) -> Path:
    data = io.BytesIO()
    sheet.save(data, "PNG")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        path.chmod(0o600)
        file.truncate()
        file.write(data.getvalue())
    return path
